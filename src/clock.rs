//! One monotonic clock in UTC for the whole process.
//!
//! Every time that mailflow measures is read here: the wall clock once, at the start, and the monotonic clock from then on. A step of the
//! system's clock (NTP, a resumed laptop) therefore never bends a latency. What it cannot see: how far the wall clock was wrong at the start.

use crate::model::Time;
use chrono::{TimeDelta, Utc};
use tokio::time::Instant;

/// A copy of this is handed to everybody who stamps an event.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    utc: Time,
    instant: Instant,
}

impl Clock {
    /// Reads the wall clock, once. On tokio's paused test clock, [`Clock::now`] then follows the test's time.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    pub fn start() -> Self {
        Self::starting_at(Utc::now())
    }

    /// A clock that shows `utc` now and goes on from there: for tests, and for runs judged at a given time.
    pub fn starting_at(utc: Time) -> Self {
        Self {
            utc,
            instant: Instant::now(),
        }
    }

    /// The time now: UTC, never running backwards within the process.
    pub fn now(&self) -> Time {
        self.utc + TimeDelta::from_std(self.instant.elapsed()).unwrap_or(TimeDelta::MAX)
    }

    /// The instant at which this clock will show `time`; an instant already past if that is gone by.
    pub fn instant_of(&self, time: Time) -> Instant {
        self.instant + (time - self.utc).to_std().unwrap_or_default()
    }
}
