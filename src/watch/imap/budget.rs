//! How much one server is asked, by all watchers together.
//!
//! Thousands of mailboxes on one host must not hammer it. Every look takes its turn here, in the order of asking; when more is wanted than the
//! server should bear, all intervals widen alike, and the reported intervals say so. A server that answers at once is asked more: it shall be
//! kept busy with looks for half of one core's time at most. What this cannot see: what else the server has to do.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until, timeout_at},
};

/// The share of the time that a server may spend on our looks, were it to answer one at a time.
const SHARE: f64 = 0.5;
/// How much of the mean answer time each new answer replaces.
const WEIGHT: f64 = 0.02;

/// The looks and openings that one server is asked for. Shared by all of its watchers.
#[derive(Debug)]
pub struct Budget {
    least: f64,
    most: f64,
    openings: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The mean time of an answer, in seconds.
    answer: Option<f64>,
    /// When the next look may be sent.
    next: Instant,
    /// When a connection was opened last.
    opened: Option<Instant>,
}

impl Default for Budget {
    /// 500 looks a second to any server, up to 5,000 to one that answers quickly, and 50 connections being opened at a time.
    fn default() -> Self {
        Self::new(500, 5_000, 50)
    }
}

impl Budget {
    /// At least `least` looks a second, at most `most` (to a server that answers quickly), and `openings` connections being opened at a time.
    pub fn new(least: u32, most: u32, openings: usize) -> Self {
        let least = f64::from(least.max(1));
        Self {
            least,
            most: f64::from(most).max(least),
            openings: Semaphore::new(openings.max(1)),
            state: Mutex::new(State {
                answer: None,
                next: Instant::now(),
                opened: None,
            }),
        }
    }

    /// Waits until `looks` looks may be sent.
    pub(super) async fn take(&self, looks: u32) {
        let slot = {
            let mut state = self.lock();
            let slot = state.next.max(Instant::now());
            let rate = self.rate(state.answer);
            state.next = slot + Duration::from_secs_f64(f64::from(looks.max(1)) / rate);
            slot
        };
        if slot > Instant::now() {
            sleep_until(slot).await;
        }
    }

    /// Notes how long an answer to one look took.
    pub(super) fn answered(&self, took: Duration) {
        let mut state = self.lock();
        let took = took.as_secs_f64();
        state.answer = Some(state.answer.map_or(took, |mean| mean + (took - mean) * WEIGHT));
    }

    /// Waits for the right to open a connection; held until it is open. `None`: for as long as `patience`, nobody's connection was opened.
    pub(super) async fn opening(&self, patience: Duration) -> Option<SemaphorePermit<'_>> {
        let mut since = Instant::now();
        loop {
            if let Ok(permit) = timeout_at(since + patience, self.openings.acquire()).await {
                return permit.ok();
            }
            // A queue that moves is worth waiting in, however long it is.
            let last = self.lock().opened;
            since = last.filter(|last| *last > since)?;
        }
    }

    /// Notes that a connection was opened.
    pub(super) fn opened(&self) {
        self.lock().opened = Some(Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a second.
    fn rate(&self, answer: Option<f64>) -> f64 {
        answer.map_or(self.least, |mean| (SHARE / mean.max(1e-6)).clamp(self.least, self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn looks_take_turns_at_the_least_rate_while_nothing_is_known_of_the_server() {
        let budget = Arc::new(Budget::new(200, 5_000, 1));
        let start = Instant::now();
        let mut watchers = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let budget = Arc::clone(&budget);
            watchers.spawn(async move {
                for _ in 0..10 {
                    budget.take(1).await;
                }
            });
        }
        while watchers.join_next().await.is_some() {}
        // 200 looks at 200 a second, the first one at once; time is tokio's paused clock, so this is arithmetic and not a race.
        assert_eq!(start.elapsed().as_millis(), 995);
    }

    #[test]
    fn a_quick_server_is_asked_more_and_a_slow_one_less() {
        let budget = Budget::new(200, 5_000, 1);
        let rate = |milliseconds: f64| format!("{:.0}", budget.rate(Some(milliseconds / 1000.0)));
        assert_eq!(rate(0.01), "5000", "never more than the most");
        assert_eq!(rate(0.5), "1000");
        assert_eq!(rate(100.0), "200", "a distant server still gets the least");
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_of_openings_is_waited_in_as_long_as_it_moves() {
        let budget = Arc::new(Budget::new(1, 1, 1));
        let patience = Duration::from_secs(10);
        let first = budget.opening(patience).await;
        let waiting = Arc::clone(&budget);
        let waiting = tokio::spawn(async move { waiting.opening(patience).await.is_some() });
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            budget.opened();
        }
        drop(first);
        assert!(waiting.await.unwrap(), "it waited 24 seconds, and was never without hope");
        let _held = budget.opening(patience).await;
        assert!(budget.opening(patience).await.is_none(), "nobody gets in");
    }

    #[tokio::test(start_paused = true)]
    async fn heavy_looks_cost_more() {
        let budget = Budget::new(100, 100, 1);
        let start = Instant::now();
        budget.take(50).await;
        budget.take(1).await;
        assert_eq!(start.elapsed().as_millis(), 500);
    }
}
