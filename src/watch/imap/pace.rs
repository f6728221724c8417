//! How often to look, and how long to wait before trying again.

use std::time::Duration;

/// The shortest pause between two looks at a place where a probe may arrive at any moment.
pub(super) const QUICKEST: Duration = Duration::from_millis(100);
/// The longest.
pub(super) const SLOWEST: Duration = Duration::from_secs(2);
/// The pause between two looks where nothing is waited for: moves and disappearances are found then, and a dead connection is noticed. It is
/// also the longest IDLE, well below the 29 minutes of RFC 2177 and the ten that some servers grant.
pub(super) const AT_REST: Duration = Duration::from_mins(1);

/// The pause before the next look, when a probe has been waited for this long: a fortieth of it, so that the time of arrival is known to some
/// 2.5 % of the latency, or to a tenth of a second.
pub(super) fn pause(waited: Duration) -> Duration {
    (waited / 40).clamp(QUICKEST, SLOWEST)
}

/// The growing pauses between attempts to open a connection.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    spread: f64,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LAST: Duration = Duration::from_secs(30);
    /// Refused logins are rare and far apart: servers lock accounts after a few of them.
    const AFTER_REFUSED_LOGIN: Duration = Duration::from_mins(1);

    /// Pauses for the connection of this name: up to a quarter longer, depending on the name, so that a server that comes back is not
    /// asked by everybody in the same moment.
    pub(super) fn new(name: &str) -> Self {
        // FNV-1a: any stable hash will do.
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Self {
            next: Self::FIRST,
            spread: 1.0 + f64::from(hash % 1000) / 4000.0,
        }
    }

    /// The pause before the next attempt.
    pub(super) fn pause(&mut self, login_refused: bool) -> Duration {
        let pause = if login_refused {
            self.next.max(Self::AFTER_REFUSED_LOGIN)
        } else {
            self.next
        };
        self.next = (self.next * 2).min(if login_refused { Self::AFTER_REFUSED_LOGIN * 5 } else { Self::LAST });
        pause.mul_f64(self.spread)
    }

    /// The server has proven that it works.
    pub(super) fn restart(&mut self) {
        self.next = Self::FIRST;
    }
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

    #[test]
    fn attempts_grow_rarer_up_to_a_bound_and_start_afresh_after_success() {
        let mut backoff = Backoff::new("billing");
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.pause(false)).collect();
        assert!(pauses.is_sorted());
        assert!(pauses[0] >= Backoff::FIRST && pauses[0] <= Backoff::FIRST.mul_f64(1.25));
        assert!(pauses[11] >= Backoff::LAST && pauses[11] <= Backoff::LAST.mul_f64(1.25));
        backoff.restart();
        assert_eq!(backoff.pause(false), pauses[0]);
    }

    #[test]
    fn a_refused_login_is_not_repeated_within_a_minute() {
        let mut backoff = Backoff::new("billing");
        assert!((0..10).all(|_| backoff.pause(true) >= Duration::from_mins(1)));
    }

    #[test]
    fn names_spread_the_attempts() {
        assert_ne!(Backoff::new("a").pause(false), Backoff::new("b").pause(false));
    }
}
