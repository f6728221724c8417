//! How often to look.

use std::time::Duration;

/// The shortest pause between two looks at a place where a probe may arrive at any moment.
pub(super) const QUICKEST: Duration = Duration::from_millis(100);
/// The longest.
pub(super) const SLOWEST: Duration = Duration::from_secs(2);
/// The pause between two looks where nothing is waited for: moves and disappearances are found then, and a dead connection is noticed. It is
/// also the longest IDLE, well below the 29 minutes of RFC 2177 and the ten that some servers grant.
pub(super) const AT_REST: Duration = Duration::from_mins(1);

/// The pause before the first attempt to open a connection again; the next ones are longer.
pub(super) const FIRST_ATTEMPT: Duration = Duration::from_millis(250);

/// The pause before the next look, when a probe has been waited for this long: a fortieth of it, so that the time of arrival is known to some
/// 2.5 % of the latency, or to a tenth of a second.
pub(super) fn pause(waited: Duration) -> Duration {
    (waited / 40).clamp(QUICKEST, SLOWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_rarer_with_the_time_waited() {
        assert_eq!(pause(Duration::ZERO), QUICKEST);
        assert_eq!(pause(Duration::from_secs(4)), QUICKEST);
        assert_eq!(pause(Duration::from_secs(40)), Duration::from_secs(1));
        assert_eq!(pause(Duration::from_secs(4000)), SLOWEST);
    }
}
