//! When to ask again: as long as the service says, else longer and longer, with jitter so that many mailboxes do not come back at once.

use crate::model::Time;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// So many tries a request gets where nobody said when to come back.
pub(super) const TRIES: u32 = 6;
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
/// A service that sends us away for longer than a day is not waited for.
const DAY: Duration = Duration::from_hours(24);

/// What a `Retry-After` asks for (RFC 9110 section 10.2.3): seconds, or a date.
pub(super) fn retry_after(value: &str, now: Time) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().map_or(DAY, Duration::from_secs).min(DAY));
    }
    let date: DateTime<Utc> = DateTime::parse_from_rfc2822(value).ok()?.into();
    Some((date - now).to_std().unwrap_or_default().min(DAY))
}

/// How long to wait after the try numbered `tries` (from 1); `fraction`, from 0 to 1, is drawn for the jitter.
///
/// What the service asks for is obeyed exactly, unless it is next to nothing: a service that says `0` again and again is not hammered.
pub(super) fn wait(tries: u32, asked: Option<Duration>, fraction: f64) -> Duration {
    if let Some(asked) = asked.filter(|asked| *asked >= FIRST) {
        return asked;
    }
    let doubled = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(LONGEST);
    doubled.mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read() {
        let now: Time = "2026-11-23T09:00:00Z".parse().unwrap();
        let read = |value| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(read("10"), Some(10));
        assert_eq!(read("Mon, 23 Nov 2026 09:00:42 GMT"), Some(42));
        assert_eq!(read("Mon, 23 Nov 2026 08:00:00 GMT"), Some(0), "gone by");
        assert_eq!(read("999999999999999999999999"), Some(86_400));
        assert_eq!(read("-1"), None);
        assert_eq!(read("soon"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn waits_grow_to_a_minute() {
        let waits: Vec<u64> = (1..=8).map(|tries| wait(tries, None, 1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(wait(3, None, 0.0), Duration::from_secs(2));
        assert_eq!(wait(4_000_000_000, None, 1.0), LONGEST);
        assert_eq!(
            wait(1, Some(Duration::from_secs(17)), 0.3),
            Duration::from_secs(17),
            "obeyed exactly"
        );
        assert_eq!(
            wait(5, Some(Duration::ZERO), 1.0),
            Duration::from_secs(16),
            "0 is no invitation to hammer"
        );
    }
}
