//! Randomness as it is handed in: for the ids of requests and assertions, and for the jitter of waits.

use std::{fmt, sync::Arc};

/// A source of random bytes. Cheap to clone.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> [u8; 16] + Send + Sync>);

impl Random {
    /// One that draws from `source`. A source that cannot give randomness may give anything: only ids and jitter hang on it.
    pub fn new(source: impl Fn() -> [u8; 16] + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// A random UUID (RFC 9562 section 5.4).
    pub fn uuid(&self) -> String {
        uuid::Builder::from_random_bytes((self.0)()).into_uuid().hyphenated().to_string()
    }

    /// A number from 0 to 1.
    pub fn fraction(&self) -> f64 {
        let [first, second, third, fourth, ..] = (self.0)();
        f64::from(u32::from_be_bytes([first, second, third, fourth])) / f64::from(u32::MAX)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}
