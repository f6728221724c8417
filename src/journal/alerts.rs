//! What alerts need to survive: how each subject stands for each target, and the outbox of what is still to be delivered.
//!
//! A change of standing and the message that tells of it are one transaction, so that neither is ever there without the other. What it cannot see:
//! whether a message whose delivery was cut off has arrived; it is delivered again, under the same id.

use super::{
    JournalError,
    lock::FileLock,
    store::{Journal, to_json},
};
use crate::model::{AlertMessage, RunId, Standing, Time, time};
use rusqlite::{Transaction, TransactionBehavior, params};
use std::{path::Path, time::Duration};

/// Delivered messages are kept for so long, for those who ask what was told.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// So many of the delivered ones are shown at most.
const SHOWN: u32 = 20;

/// What deciding on a run came to, for one target.
#[derive(Debug, Clone, Default)]
pub struct Decided {
    /// How the subjects stand now, in place of all that stood before.
    pub standings: Vec<Standing>,
    /// What the target is told.
    pub message: Option<AlertMessage>,
}

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The target's name.
    pub target: String,
    /// The message.
    pub message: AlertMessage,
    /// How often it was tried.
    pub tries: u32,
    /// It is not tried before.
    pub not_before: Option<Time>,
    /// What the last try came to.
    pub trouble: Option<String>,
    /// The service will never take it.
    pub refused: bool,
    /// When it was delivered.
    pub delivered_at: Option<Time>,
}

/// What a try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The service took it.
    Delivered(Time),
    /// Not yet.
    Postponed {
        /// It is not tried again before.
        not_before: Time,
        /// Why.
        trouble: String,
    },
    /// It never will.
    Refused {
        /// Why.
        trouble: String,
    },
}

impl Journal {
    /// Notes that the targets of this site are to be told of a run once it is finished. `complete`: it tries all that its scenario names.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn tell_of(&self, run: &RunId, site: &Path, complete: bool) -> Result<(), JournalError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO alert_runs (run, site, complete) VALUES (?1, ?2, ?3)",
                params![run.as_str(), site.to_string_lossy(), complete],
            )?;
            Ok(())
        })
    }

    /// The finished runs that this site's targets are still to be told of, oldest first, and whether each is complete.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn to_tell_of(&self, site: &Path) -> Result<Vec<(String, bool)>, JournalError> {
        let connection = self.connect()?;
        let read = || {
            let mut statement = connection.prepare(
                "SELECT alert_runs.run, alert_runs.complete FROM alert_runs JOIN runs ON runs.id = alert_runs.run
                 WHERE alert_runs.site = ?1 AND runs.finished ORDER BY runs.started_at, runs.id",
            )?;
            let rows = statement.query_map([site.to_string_lossy()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| self.trouble(&error))
    }

    /// Decides, once, what the targets are told of a run: `decide` is given a target's standings. Standings, messages and the note that it is done are
    /// one transaction. Returns the ids of the messages; none if another process has decided.
    ///
    /// # Errors
    /// If the journal cannot be used; then nothing has changed.
    pub fn decide_alerts(
        &self,
        run: &str,
        site: &Path,
        targets: &[&str],
        mut decide: impl FnMut(&str, Vec<Standing>) -> Decided,
    ) -> Result<Vec<String>, JournalError> {
        let site = site.to_string_lossy();
        self.write(|transaction| {
            if transaction.execute("DELETE FROM alert_runs WHERE run = ?1 AND site = ?2", params![run, site])? == 0 {
                return Ok(Vec::new());
            }
            let mut ids = Vec::new();
            for target in targets {
                let before = standings(transaction, &site, target)?;
                let decided = decide(target, before);
                transaction.execute("DELETE FROM alert_standings WHERE site = ?1 AND target = ?2", params![site, target])?;
                for standing in &decided.standings {
                    transaction.execute(
                        "INSERT OR REPLACE INTO alert_standings (site, target, subject, standing) VALUES (?1, ?2, ?3, ?4)",
                        params![site, target, json(&standing.subject)?, json(standing)?],
                    )?;
                }
                if let Some(message) = decided.message {
                    put(transaction, &site, target, &message)?;
                    ids.push(message.id);
                }
            }
            Ok(ids)
        })
    }

    /// Puts messages into the outbox that no run is the cause of. One with an id that was there before is left out.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn post(&self, site: &Path, messages: &[(String, AlertMessage)]) -> Result<(), JournalError> {
        self.write(|transaction| {
            messages
                .iter()
                .try_for_each(|(target, message)| put(transaction, &site.to_string_lossy(), target, message))
        })
    }

    /// What this site's outbox still holds, in the order in which it came in.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn outbox(&self, site: &Path) -> Result<Vec<Letter>, JournalError> {
        self.letters(site, "delivered_at IS NULL ORDER BY seq")
    }

    /// The messages that were delivered last, newest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn delivered(&self, site: &Path) -> Result<Vec<Letter>, JournalError> {
        self.letters(site, &format!("delivered_at IS NOT NULL ORDER BY seq DESC LIMIT {SHOWN}"))
    }

    fn letters(&self, site: &Path, which: &str) -> Result<Vec<Letter>, JournalError> {
        let connection = self.connect()?;
        let read = || {
            let mut statement = connection.prepare(&format!(
                "SELECT target, message, tries, not_before, trouble, refused, delivered_at FROM alert_outbox WHERE site = ?1 AND {which}"
            ))?;
            let rows = statement.query_map([site.to_string_lossy()], |row| {
                Ok(Letter {
                    target: row.get(0)?,
                    message: of_json(&row.get::<_, String>(1)?)?,
                    tries: row.get(2)?,
                    not_before: row.get::<_, Option<String>>(3)?.and_then(|text| text.parse().ok()),
                    trouble: row.get(4)?,
                    refused: row.get(5)?,
                    delivered_at: row.get::<_, Option<String>>(6)?.and_then(|text| text.parse().ok()),
                })
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| self.trouble(&error))
    }

    /// Notes what a try came to.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_delivery(&self, id: &str, delivery: &Delivery) -> Result<(), JournalError> {
        self.write(|transaction| {
            match delivery {
                Delivery::Delivered(at) => transaction.execute(
                    "UPDATE alert_outbox SET delivered_at = ?2, tries = tries + 1, trouble = NULL, refused = 0 WHERE id = ?1",
                    params![id, time::shown(*at)],
                )?,
                Delivery::Postponed { not_before, trouble } => transaction.execute(
                    "UPDATE alert_outbox SET tries = tries + 1, not_before = ?2, trouble = ?3 WHERE id = ?1",
                    params![id, time::shown(*not_before), trouble],
                )?,
                Delivery::Refused { trouble } => transaction.execute(
                    "UPDATE alert_outbox SET tries = tries + 1, trouble = ?2, refused = 1 WHERE id = ?1",
                    params![id, trouble],
                )?,
            };
            Ok(())
        })
    }

    /// The right to deliver this site's messages, so that no two processes deliver the same one; `None` if a living process has it.
    ///
    /// # Errors
    /// If the lock file cannot be made.
    pub fn courier(&self, site: &Path) -> Result<Option<FileLock>, JournalError> {
        let digest = ring::digest::digest(&ring::digest::SHA256, site.to_string_lossy().as_bytes());
        let name = format!("alerts-{}", data_encoding::HEXLOWER.encode(&digest.as_ref()[..8]));
        FileLock::take(&self.state, &name).map_err(|error| JournalError::Database {
            path: self.state.join("locks"),
            reason: error.to_string(),
        })
    }

    pub(super) fn write<T>(&self, act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        let mut connection = self.connect()?;
        let written = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = act(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        written().map_err(|error| self.trouble(&error))
    }
}

fn put(transaction: &Transaction<'_>, site: &str, target: &str, message: &AlertMessage) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM alert_outbox WHERE delivered_at < ?1",
        [time::shown(time::earlier(message.at, KEPT))],
    )?;
    transaction.execute(
        "INSERT OR IGNORE INTO alert_outbox (id, site, target, message, made_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![message.id, site, target, json(message)?, time::shown(message.at)],
    )?;
    Ok(())
}

fn standings(transaction: &Transaction<'_>, site: &str, target: &str) -> rusqlite::Result<Vec<Standing>> {
    let mut statement = transaction.prepare("SELECT standing FROM alert_standings WHERE site = ?1 AND target = ?2")?;
    let rows = statement.query_map(params![site, target], |row| row.get::<_, String>(0))?;
    rows.map(|row| of_json(&row?)).collect()
}

fn of_json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into()))
}

fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    to_json(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
