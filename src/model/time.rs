//! Time as mailflow writes it down: UTC, RFC 3339, in reports with exactly three digits of a second.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::time::Duration;

/// A point in time: UTC, on mailflow's own clock unless the field's name says otherwise.
pub type Time = DateTime<Utc>;

/// `time` with milliseconds and a `Z`, as in every report.
pub fn shown(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `time` later by `duration`; the end of time where that overflows.
pub fn later(time: Time, duration: Duration) -> Time {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| time.checked_add_signed(delta))
        .unwrap_or(Time::MAX_UTC)
}

/// `time` earlier by `duration`; the beginning of time where that overflows.
pub fn earlier(time: Time, duration: Duration) -> Time {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| time.checked_sub_signed(delta))
        .unwrap_or(Time::MIN_UTC)
}

/// The milliseconds from `from` to `to`, with a fraction; negative if `to` is earlier.
#[expect(clippy::cast_precision_loss, reason = "microseconds of any run fit a double's 53 bits")]
pub fn milliseconds(from: Time, to: Time) -> f64 {
    (to - from).num_microseconds().unwrap_or(i64::MAX) as f64 / 1000.0
}

/// Serde for a required time of a report.
pub mod millis {
    use super::{Time, shown};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes it with milliseconds.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&shown(*time))
    }

    /// Reads any RFC 3339 time.
    ///
    /// # Errors
    /// If it is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        Time::deserialize(deserializer)
    }
}

/// Serde for an optional time of a report.
pub mod millis_option {
    use super::{Time, shown};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes it with milliseconds, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_some(&shown(*time)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads any RFC 3339 time, or null.
    ///
    /// # Errors
    /// If it is none.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
        Option::<Time>::deserialize(deserializer)
    }
}
