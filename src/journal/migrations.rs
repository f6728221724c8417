//! The tables of the journal, and how each earlier version of them becomes the present one.
//!
//! A step is never changed once it has been released: a journal in use has taken it. What cannot be done here: going back to an earlier version.

use super::outcomes;
use rusqlite::{Connection, TransactionBehavior};

/// The steps: the first makes version 1 out of an empty file, each further one the next version out of the one before.
const STEPS: &[&str] = &[
    // 1: runs with their plans, and their events.
    "CREATE TABLE runs (id TEXT PRIMARY KEY, started_at TEXT NOT NULL, site TEXT NOT NULL, plan TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0);
     CREATE TABLE events (run TEXT NOT NULL REFERENCES runs (id), seq INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID;",
    // Names for runs that later ones are compared with.
    "CREATE TABLE baselines (name TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id), set_at TEXT NOT NULL) WITHOUT ROWID;",
    // The outcomes of decided runs, and when they want to be looked at again.
    outcomes::TABLES,
    // Alerts: the runs that are still to be told of, how each subject stands for each target, and what is to be delivered. Schedules: what was dealt with.
    "CREATE TABLE alert_runs (run TEXT PRIMARY KEY, site TEXT NOT NULL, complete INTEGER NOT NULL) WITHOUT ROWID;
     CREATE TABLE alert_standings (site TEXT NOT NULL, target TEXT NOT NULL, subject TEXT NOT NULL, standing TEXT NOT NULL, PRIMARY KEY (site, target, subject)) WITHOUT ROWID;
     CREATE TABLE alert_outbox (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, site TEXT NOT NULL, target TEXT NOT NULL, message TEXT NOT NULL, made_at TEXT NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0, not_before TEXT, trouble TEXT, refused INTEGER NOT NULL DEFAULT 0, delivered_at TEXT);
     CREATE TABLE schedules (site TEXT NOT NULL, name TEXT NOT NULL, dealt_with TEXT NOT NULL, run TEXT, PRIMARY KEY (site, name)) WITHOUT ROWID;",
];

/// The version of the tables; a newer one is not touched.
#[expect(clippy::cast_possible_wrap, reason = "there will never be so many")]
pub(super) const SCHEMA_VERSION: i64 = STEPS.len() as i64;

/// Why the tables are not what this version of mailflow needs.
#[derive(Debug)]
pub(super) enum Migration {
    /// A later mailflow has changed them.
    Newer {
        /// Their version.
        found: i64,
    },
    /// `SQLite` says no.
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Migration {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Takes the steps that this journal has not taken yet, all or none of them.
pub(super) fn bring_up_to_date(connection: &mut Connection) -> Result<(), Migration> {
    if version(connection)? == SCHEMA_VERSION {
        // Whoever only reads need not wait for whoever writes.
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have taken the steps while this one waited.
    let found = version(&transaction)?;
    if found > SCHEMA_VERSION {
        return Err(Migration::Newer { found });
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(())
}

fn version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
