//! The rate of a route: messages evenly spaced, so that no server sees a burst.

use crate::model::Rate;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// Spaces what passes it.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    /// When the next may pass; `None`: nothing has passed yet.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// The pace of `rate`; without one there is no waiting.
    pub fn new(rate: Option<Rate>) -> Self {
        Self {
            gap: rate.map_or(Duration::ZERO, |rate| rate.per / rate.messages.max(1)),
            next: Mutex::new(None),
        }
    }

    /// Waits for its turn; turns come in the order of asking.
    pub async fn turn(&self) {
        if self.gap.is_zero() {
            return;
        }
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.gap);
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn turns_are_evenly_spaced_and_unused_ones_are_not_saved_up() {
        let pace = Pace::new(Some(Rate {
            messages: 30,
            per: Duration::from_mins(1),
        }));
        let start = Instant::now();
        for expected in [0, 2, 4] {
            pace.turn().await;
            assert_eq!(start.elapsed().as_secs(), expected);
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        for expected in [64, 66] {
            pace.turn().await;
            assert_eq!(start.elapsed().as_secs(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let pace = Pace::new(None);
        let start = Instant::now();
        for _ in 0..1000 {
            pace.turn().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
