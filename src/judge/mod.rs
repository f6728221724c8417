//! Judging: plan x events x now gives verdicts. Pure, and the only place that gives a verdict.
//!
//! [`Ledger`] folds the events of a run, one at a time, while it goes or when it is read back; [`Stand`] says what a probe still waits for;
//! the verdict rules are in `verdict`, counts and roles in `summary`. What it cannot see: anything that no event tells.

mod ledger;
mod stand;
mod summary;
mod verdict;

pub use ledger::Ledger;
pub use stand::{Stand, Wait};
pub use summary::summarize;

use crate::model::{Event, Judged, Plan};
use std::sync::Arc;

/// Judges a stored run: the same events give the same report at any time.
pub fn judge(plan: Arc<Plan>, events: &[Event]) -> Judged {
    let mut ledger = Ledger::new(plan);
    for event in events {
        ledger.apply(event);
    }
    let now = events.last().map_or(ledger.plan().run.started_at, |event| event.at);
    summarize(&ledger, now)
}
