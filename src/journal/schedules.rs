//! What schedules need to survive: until when everything due has been dealt with, and the last run of each.

use super::{JournalError, store::Journal};
use crate::model::{RunId, Time, time};
use rusqlite::params;
use std::path::Path;

/// What is known of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Its name.
    pub name: String,
    /// Everything due until then was run, left out or told as missed.
    pub dealt_with: Time,
    /// Its last run.
    pub run: Option<String>,
}

impl Journal {
    /// What is known of this site's schedules.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn schedules(&self, site: &Path) -> Result<Vec<ScheduleRow>, JournalError> {
        let connection = self.connect()?;
        let read = || {
            let mut statement = connection.prepare("SELECT name, dealt_with, run FROM schedules WHERE site = ?1 ORDER BY name")?;
            let rows = statement.query_map([site.to_string_lossy()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let rows = read().map_err(|error| self.trouble(&error))?;
        Ok(rows
            .into_iter()
            .filter_map(|(name, dealt_with, run)| {
                let dealt_with = dealt_with.parse().ok()?;
                Some(ScheduleRow { name, dealt_with, run })
            })
            .collect())
    }

    /// Notes that everything of a schedule that was due until `until` has been dealt with.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn dealt_with(&self, site: &Path, name: &str, until: Time) -> Result<(), JournalError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO schedules (site, name, dealt_with) VALUES (?1, ?2, ?3)
                 ON CONFLICT (site, name) DO UPDATE SET dealt_with = excluded.dealt_with",
                params![site.to_string_lossy(), name, time::shown(until)],
            )?;
            Ok(())
        })
    }

    /// Notes the run that a schedule has begun.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn scheduled_run(&self, site: &Path, name: &str, run: &RunId) -> Result<(), JournalError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE schedules SET run = ?3 WHERE site = ?1 AND name = ?2",
                params![site.to_string_lossy(), name, run.as_str()],
            )?;
            Ok(())
        })
    }

    /// Writes what changes nothing, to show that it can be written.
    ///
    /// # Errors
    /// If it cannot.
    pub fn prove_writable(&self, site: &Path, now: Time) -> Result<(), JournalError> {
        self.dealt_with(site, "", now)
    }
}
