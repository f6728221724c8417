//! A rate over a rolling span of time: exact, and first come, first served.

use super::Rate;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// How much was taken when, as far back as the span reaches.
#[derive(Debug)]
pub(super) struct Window {
    limit: u64,
    span: Duration,
    taken: VecDeque<(Instant, u64)>,
    used: u64,
    /// Nothing is given before this.
    not_before: Option<Instant>,
    /// The most that ever fell into one span.
    pub peak: u64,
    /// All that was ever taken.
    pub total: u64,
}

impl Window {
    pub fn new((limit, span): Rate) -> Self {
        Self {
            limit: limit.max(1),
            span,
            taken: VecDeque::new(),
            used: 0,
            not_before: None,
            peak: 0,
            total: 0,
        }
    }

    /// The earliest time from `now` on for `weight`; how many entries are past by then, and what the others use.
    fn find(&self, now: Instant, weight: u64) -> (Instant, usize, u64) {
        let last = self.taken.back().map_or(now, |(at, _)| *at);
        let mut at = now.max(last).max(self.not_before.unwrap_or(now));
        let mut used = self.used;
        let mut gone = 0;
        for (when, spent) in &self.taken {
            let free = *when + self.span;
            if free > at && used + weight <= self.limit {
                break;
            }
            at = at.max(free);
            used -= spent;
            gone += 1;
        }
        (at, gone, used)
    }

    /// The earliest time from `now` on; nothing is taken.
    pub fn earliest(&self, now: Instant, weight: u64) -> Instant {
        self.find(now, weight.min(self.limit)).0
    }

    /// Takes `weight` at the earliest time from `now` on, and says which. `Err` with that time if it is after `until`; then nothing is taken.
    pub fn reserve(&mut self, now: Instant, weight: u64, until: Instant) -> Result<Instant, Instant> {
        // More than fits at all gets a span for itself.
        let weight = weight.min(self.limit);
        let (at, gone, used) = self.find(now, weight);
        if at > until {
            return Err(at);
        }
        self.taken.drain(..gone);
        self.taken.push_back((at, weight));
        self.used = used + weight;
        self.peak = self.peak.max(self.used);
        self.total += weight;
        Ok(at)
    }

    /// Gives nothing before `at`.
    pub fn hold(&mut self, at: Instant) {
        self.not_before = self.not_before.max(Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_span_ever_holds_more_than_the_limit() {
        let span = Duration::from_secs(10);
        let start = Instant::now();
        let mut window = Window::new((7, span));
        let mut given = Vec::new();
        // Bursts, pauses and weights of all kinds.
        for step in 0..400_u64 {
            let now = start + Duration::from_millis((step / 9) * 1_700 + step % 5);
            let weight = 1 + step % 3;
            let at = window.reserve(now, weight, start + Duration::from_hours(1)).unwrap();
            assert!(at >= now && given.last().is_none_or(|(last, _)| at >= *last));
            given.push((at, weight));
        }
        for (end, _) in &given {
            let within: u64 = given
                .iter()
                .filter(|(at, _)| at <= end && *at + span > *end)
                .map(|(_, weight)| weight)
                .sum();
            assert!(within <= 7, "{within}");
        }
        assert_eq!(window.peak, 7);
        assert!(window.taken.len() <= 7, "what is past is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_too_late_is_not_taken() {
        let start = Instant::now();
        let mut window = Window::new((1, Duration::from_mins(1)));
        window.reserve(start, 1, start).unwrap();
        let free = start + Duration::from_mins(1);
        assert_eq!(window.reserve(start, 1, start), Err(free));
        assert_eq!(window.reserve(start, 1, free), Ok(free));
        assert_eq!(
            window.reserve(free, 100, free + Duration::from_hours(1)),
            Ok(free + Duration::from_mins(1)),
            "too much for any span"
        );
    }
}
