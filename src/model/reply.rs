//! What a server answered to an SMTP command.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The reply that settled one attempt: the mail system's answer, or, marked `ours`, what stands for it when nobody could be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The SMTP reply code (RFC 5321 section 4.2); `None` if the connection failed before one was read.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463), such as `5.1.1`.
    pub enhanced: Option<String>,
    /// The reply's text, all lines, without the codes; bounded in length.
    pub text: String,
    /// Whether mailflow itself wrote this reply: null MX, no such domain, a cut connection.
    pub ours: bool,
}

impl Reply {
    /// Whether this is a positive completion (2xx).
    pub fn is_positive(&self) -> bool {
        self.code.is_some_and(|code| (200..300).contains(&code))
    }

    /// Whether this is a transient refusal (4xx).
    pub fn is_transient(&self) -> bool {
        self.code.is_some_and(|code| (400..500).contains(&code))
    }

    /// Whether this is a permanent refusal (5xx).
    pub fn is_permanent(&self) -> bool {
        self.code.is_some_and(|code| (500..600).contains(&code))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code {
            write!(f, "{code} ")?;
        }
        if let Some(enhanced) = &self.enhanced {
            write!(f, "{enhanced} ")?;
        }
        f.write_str(&self.text)
    }
}
