//! How often to look over Graph, and how long to wait before trying again after something went wrong.
//!
//! A look is three calls, and Exchange Online takes 10 000 from an app to one mailbox in ten minutes: these pauses use a twentieth of that.

use std::time::Duration;

/// The shortest pause between two looks where a probe may arrive at any moment.
pub(super) const QUICKEST: Duration = Duration::from_secs(1);
/// The longest.
const SLOWEST: Duration = Duration::from_secs(15);
/// The pause where nothing is waited for: moves and disappearances are found then.
pub(super) const AT_REST: Duration = Duration::from_mins(1);

/// The pause before the next look, when a probe has been waited for this long: a fortieth of it, so that the time of arrival is known to some
/// 2.5 % of the latency, or to a second.
pub(super) fn pause(waited: Duration) -> Duration {
    (waited / 40).clamp(QUICKEST, SLOWEST)
}

/// The growing pauses between attempts to see again.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    spread: f64,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(1);
    const LAST: Duration = Duration::from_secs(30);
    /// What only a person can put right is asked for rarely.
    const STANDING: Duration = Duration::from_mins(1);

    /// Pauses for the mailbox of this name: up to a quarter longer, depending on the name, so that not all come back in the same moment.
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

    /// The pause before the next attempt: at least `asked`; longer if the trouble is `standing`, until somebody has changed something.
    pub(super) fn pause(&mut self, asked: Duration, standing: bool) -> Duration {
        let (least, most) = if standing {
            (Self::STANDING, Self::STANDING * 5)
        } else {
            (Duration::ZERO, Self::LAST)
        };
        let pause = self.next.max(least);
        self.next = (pause * 2).min(most);
        pause.mul_f64(self.spread).max(asked)
    }

    /// A look has gone well.
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
        assert_eq!(pause(Duration::from_secs(80)), Duration::from_secs(2));
        assert_eq!(pause(Duration::from_secs(4000)), SLOWEST);
    }

    #[test]
    fn attempts_grow_rarer_up_to_a_bound_and_start_afresh_after_success() {
        let mut backoff = Backoff::new("billing");
        let pauses: Vec<Duration> = (0..9).map(|_| backoff.pause(Duration::ZERO, false)).collect();
        assert!(pauses.is_sorted() && pauses[0] >= Backoff::FIRST && pauses[8] <= Backoff::LAST.mul_f64(1.25));
        backoff.restart();
        assert_eq!(backoff.pause(Duration::ZERO, false), pauses[0]);
        assert!(backoff.pause(Duration::ZERO, true) >= Backoff::STANDING);
        assert_eq!(
            backoff.pause(Duration::from_hours(1), true),
            Duration::from_hours(1),
            "what the service asks for"
        );
    }
}
