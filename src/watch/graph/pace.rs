//! How often to look over Graph.
//!
//! A look is three calls, and Exchange Online takes 10 000 from an app to one mailbox in ten minutes: these pauses use a twentieth of that.

use std::time::Duration;

/// The shortest pause between two looks where a probe may arrive at any moment.
pub(super) const QUICKEST: Duration = Duration::from_secs(1);
/// The longest.
const SLOWEST: Duration = Duration::from_secs(15);
/// The pause where nothing is waited for: moves and disappearances are found then.
pub(super) const AT_REST: Duration = Duration::from_mins(1);

/// The pause before the first attempt to look again after something went wrong; the next ones are longer.
pub(super) const FIRST_ATTEMPT: Duration = Duration::from_secs(1);

/// The pause before the next look, when a probe has been waited for this long: a fortieth of it, so that the time of arrival is known to some
/// 2.5 % of the latency, or to a second.
pub(super) fn pause(waited: Duration) -> Duration {
    (waited / 40).clamp(QUICKEST, SLOWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_rarer_with_the_time_waited() {
        assert_eq!(pause(Duration::ZERO), QUICKEST);
        assert_eq!(pause(Duration::from_secs(80)), Duration::from_secs(2));
        assert_eq!(pause(Duration::from_secs(4000)), SLOWEST);
    }
}
