//! How rarely to try again what went wrong: the pauses of every watcher. Pure: the name in, pauses out.

use std::time::Duration;

const LAST: Duration = Duration::from_secs(30);
/// What only a person can put right (a refused login above all: servers lock accounts after a few) is tried rarely.
const STANDING: Duration = Duration::from_mins(1);
const LAST_STANDING: Duration = Duration::from_mins(5);

/// The growing pauses between attempts to see again.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    next: Duration,
    spread: f64,
}

impl Backoff {
    /// Pauses from `first` on, for the mailbox of this name: up to a quarter longer, depending on the name, so that a server that comes back is
    /// not asked by everybody in the same moment.
    pub(super) fn new(name: &str, first: Duration) -> Self {
        // FNV-1a: any stable hash will do.
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Self {
            first,
            next: first,
            spread: 1.0 + f64::from(hash % 1000) / 4000.0,
        }
    }

    /// The pause before the next attempt; a longer one if the trouble is `standing`, until somebody has changed something.
    pub(super) fn pause(&mut self, standing: bool) -> Duration {
        let (pause, most) = if standing {
            (self.next.max(STANDING), LAST_STANDING)
        } else {
            (self.next, LAST)
        };
        self.next = (pause * 2).min(most);
        pause.mul_f64(self.spread)
    }

    /// The server has proven that it works.
    pub(super) fn restart(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(250);

    #[test]
    fn attempts_grow_rarer_up_to_a_bound_and_start_afresh_after_success() {
        let mut backoff = Backoff::new("billing", FIRST);
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.pause(false)).collect();
        assert!(pauses.is_sorted());
        assert!(pauses[0] >= FIRST && pauses[0] <= FIRST.mul_f64(1.25));
        assert!(pauses[11] >= LAST && pauses[11] <= LAST.mul_f64(1.25));
        backoff.restart();
        assert_eq!(backoff.pause(false), pauses[0]);
    }

    #[test]
    fn a_standing_trouble_is_not_tried_again_within_a_minute() {
        let mut backoff = Backoff::new("billing", FIRST);
        assert!((0..10).all(|_| backoff.pause(true) >= STANDING));
        assert!(backoff.pause(true) <= LAST_STANDING.mul_f64(1.25));
    }

    #[test]
    fn names_spread_the_attempts() {
        assert_ne!(Backoff::new("a", FIRST).pause(false), Backoff::new("b", FIRST).pause(false));
    }
}
