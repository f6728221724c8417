//! Second looks: which are due, and which were made. A look that found a place blind is tried again, a few times.

use super::{Journal, JournalError, StoredRun, outcomes::stamp};
use crate::model::{RunId, SecondLook, Time};
use rusqlite::{Connection, params};
use std::path::Path;

/// So often a look that is due is tried while some place cannot be looked at.
const TRIES: i64 = 3;

/// A look was made: those that were due before it began are done, or were tried once more.
pub(super) fn made(connection: &Connection, run: &str, look: &SecondLook) -> Result<(), rusqlite::Error> {
    let since = stamp(look.since);
    let done_from = if look.blind.is_empty() { 0 } else { TRIES };
    connection.execute(
        "UPDATE due_looks SET tries = tries + 1 WHERE run = ?1 AND due_at <= ?2",
        params![run, since],
    )?;
    connection.execute(
        "DELETE FROM due_looks WHERE run = ?1 AND due_at <= ?2 AND tries >= ?3",
        params![run, since, done_from],
    )?;
    Ok(())
}

impl Journal {
    /// The decided runs of the site of this file that are due to be looked at again, the oldest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn due_looks(&self, now: Time, site: &Path) -> Result<Vec<RunId>, JournalError> {
        let connection = self.connect()?;
        let read = || {
            let mut statement = connection.prepare(
                "SELECT DISTINCT runs.id FROM due_looks JOIN runs ON runs.id = due_looks.run WHERE due_at <= ?1 AND site = ?2
                 ORDER BY started_at, runs.id",
            )?;
            let rows = statement.query_map(params![stamp(now), site.to_string_lossy()], |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let found = read().map_err(|error| self.trouble(&error))?;
        Ok(found.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// The run of that name, as [`load`](Self::load) finds it.
    ///
    /// # Errors
    /// If there is no such run, or the journal cannot be read.
    pub fn find(&self, name: &str) -> Result<StoredRun, JournalError> {
        let (plan, _) = self.load(name)?;
        let connection = self.connect()?;
        let (finished, site) = connection
            .query_row("SELECT finished, site FROM runs WHERE id = ?1", [plan.run.id.as_str()], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?))
            })
            .map_err(|error| self.trouble(&error))?;
        Ok(StoredRun {
            plan,
            finished,
            site: site.into(),
        })
    }
}
