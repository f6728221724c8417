//! The journal: append-only events of every run, in one `SQLite` database in the state folder.
//!
//! A probe stands here, flushed to disk, before its first byte leaves. One thread owns the database for writing and commits what has gathered,
//! so that many probes share one flush. What it cannot survive: a disk that lies about flushing.

mod alerts;
mod baselines;
mod lock;
mod looks;
mod migrations;
mod named;
mod outcomes;
mod retention;
mod schedules;
mod state;
mod store;

pub use alerts::{Decided, Delivery, Letter};
pub use baselines::{Baseline, fault as baseline_fault};
pub use lock::{FileLock, RunLock, is_held};
pub use retention::{Retention, Tidied};
pub use schedules::ScheduleRow;
pub use state::{StateError, default_state, open_state, tag_key};
pub use store::{Journal, JournalError, RunLog, StoredRun};

use crate::model::Event;
use async_trait::async_trait;

/// Where a run writes its events.
#[async_trait]
pub trait Log: Send + Sync {
    /// Writes the event; when this returns it is on disk.
    ///
    /// # Errors
    /// If it could not be written: then nothing may be sent.
    async fn write(&self, event: &Event) -> Result<(), JournalError>;

    /// Writes the event soon, in the order of the calls.
    fn note(&self, event: &Event);
}
