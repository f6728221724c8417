//! Judging: plan x events x now gives verdicts. Pure, and the only place that gives a verdict.
//!
//! [`Ledger`] folds the events of a run, one at a time, while it goes or when it is read back; [`Stand`] says what a probe still waits for.
//! Which copies and which notifications speak for a mailbox is in `copies` and `notice`, the order of the verdicts in `verdict`, what else is
//! true in `flags`, whether it was expected in `outcome`; what second looks found in `later`. What it cannot see: anything that no event tells.

mod banner;
mod copies;
mod flags;
mod later;
mod ledger;
mod notice;
mod outcome;
mod record;
mod requirements;
mod roles;
mod stand;
mod summary;
mod trace;
mod verdict;
mod way;

pub use ledger::Ledger;
pub use roles::roles;
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
    // Not simply the last: a process that took the run up may have a clock that is behind.
    let measured = events.iter().filter(|event| event.what.is_measurement());
    let now = measured.map(|event| event.at).max().unwrap_or(ledger.plan().run.started_at);
    summarize(&ledger, now)
}
