//! Retention: what is stored of old runs goes, and the outcomes of their probes stay as long as they are wanted.
//!
//! Never removed: a run that is not decided or that a living process holds, one that a baseline names, and one that holds the newest proof that a
//! recipient can be reached. A run goes whole: its events, then its plan, in one transaction.
//!
//! Room in the file: a journal is made with `auto_vacuum = INCREMENTAL`, so that free pages are given back after each removal, some at a time and
//! without a second copy. A journal of an earlier version needs one full `VACUUM` for that, which takes as much room again: only the action that
//! somebody asked for does it, and where another process is in the way the free pages simply are used again.

use super::{Journal, JournalError, lock::RunLock, outcomes::stamp};
use crate::model::{RunId, Time};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
};

/// How many runs one transaction removes: a run that is going must not wait long for its turn.
const AT_ONCE: usize = 20;
/// So many kept runs are named.
const NAMED: usize = 50;

/// What is to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Runs that started earlier go.
    pub events_from: Time,
    /// Outcomes of runs that started earlier go; `None`: all stay.
    pub outcomes_from: Option<Time>,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tidied {
    /// The runs.
    pub removed: Vec<RunId>,
    /// Older runs that stay, and why.
    pub kept: Vec<(RunId, String)>,
    /// How many outcomes.
    pub outcomes: u64,
    /// By how many bytes the file is smaller now.
    pub freed: u64,
}

impl Journal {
    /// Removes what is older than it shall be. `compact`: whether a journal of an earlier version may be copied to give its room back.
    ///
    /// # Errors
    /// If another process does the same just now, or the journal cannot be written.
    pub fn tidy(&self, retention: &Retention, compact: bool) -> Result<Tidied, JournalError> {
        let _alone = self.alone()?;
        // Whoever has no outcomes yet would lose them with the events.
        self.summarise_older_runs()?;
        let mut connection = self.connect()?;
        let size = |connection: &Connection| size_of(connection).unwrap_or_default();
        let before = size(&connection);
        let mut tidied = Tidied::default();
        let why = reasons_to_stay(&connection).map_err(|error| self.trouble(&error))?;
        let mut going = Vec::new();
        for run in candidates(&connection, retention.events_from).map_err(|error| self.trouble(&error))? {
            match why.get(run.as_str()) {
                Some(_) if tidied.kept.len() >= NAMED => {}
                Some(why) => tidied.kept.push((run, why.clone())),
                None => going.push(run),
            }
        }
        for some in going.chunks(AT_ONCE) {
            self.remove(&mut connection, some, retention.dry_run, &mut tidied)?;
        }
        if let Some(from) = retention.outcomes_from {
            tidied.outcomes = forget(&mut connection, from, retention.dry_run).map_err(|error| self.trouble(&error))?;
        }
        if !retention.dry_run && (!tidied.removed.is_empty() || tidied.outcomes > 0) {
            give_back(&connection, compact);
            tidied.freed = before.saturating_sub(size(&connection));
        }
        Ok(tidied)
    }

    /// Removes these runs, each under its lock.
    fn remove(&self, connection: &mut Connection, runs: &[RunId], dry_run: bool, tidied: &mut Tidied) -> Result<(), JournalError> {
        let mut held = Vec::new();
        for run in runs {
            let lock = RunLock::take(&self.state, run).map_err(|error| JournalError::Database {
                path: self.state.join("locks"),
                reason: error.to_string(),
            })?;
            match lock {
                Some(lock) => held.push((run, lock)),
                None => tidied.kept.push((run.clone(), "a living process holds it".to_owned())),
            }
        }
        if !dry_run {
            let mut remove = || {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                for (run, _) in &held {
                    for table in ["events WHERE run", "due_looks WHERE run", "runs WHERE id"] {
                        transaction.execute(&format!("DELETE FROM {table} = ?1"), [run.as_str()])?;
                    }
                }
                transaction.commit()
            };
            remove().map_err(|error| self.trouble(&error))?;
            for (run, _) in &held {
                // An empty file that nobody will ask for again.
                let _ = std::fs::remove_file(self.state.join("locks").join(run.as_str()));
            }
        }
        tidied.removed.extend(held.into_iter().map(|(run, _)| run.clone()));
        Ok(())
    }

    /// The lock of whoever removes: two at a time would count each other's work.
    fn alone(&self) -> Result<File, JournalError> {
        let path = self.state.join("locks");
        let trouble = |error: std::io::Error| JournalError::Database {
            path: path.clone(),
            reason: error.to_string(),
        };
        std::fs::create_dir_all(&path).map_err(trouble)?;
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.join("retention"))
            .map_err(trouble)?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(JournalError::Tidying),
            Err(TryLockError::Error(error)) => Err(trouble(error)),
        }
    }
}

/// The runs that stay however old they are, each with the reason.
fn reasons_to_stay(connection: &Connection) -> Result<BTreeMap<String, String>, rusqlite::Error> {
    let mut why = BTreeMap::new();
    for (recipient, run) in newest_proofs(connection)? {
        why.entry(run)
            .or_insert_with(|| format!("it holds the newest proof of {recipient}"));
    }
    let mut baselines = connection.prepare("SELECT run, name FROM baselines ORDER BY name")?;
    for row in baselines.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))? {
        let (run, name) = row?;
        why.insert(run, format!("the baseline {name} names it"));
    }
    Ok(why)
}

/// The decided runs that started earlier, the oldest first.
fn candidates(connection: &Connection, before: Time) -> Result<Vec<RunId>, rusqlite::Error> {
    let mut statement = connection.prepare(
        "SELECT run FROM past_runs JOIN runs ON runs.id = past_runs.run WHERE past_runs.started_at < ?1 AND finished = 1
         ORDER BY past_runs.started_at",
    )?;
    let rows = statement.query_map([stamp(before)], |row| row.get::<_, String>(0))?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(rows.iter().filter_map(|run| run.parse().ok()).collect())
}

/// For each recipient that was ever proven to be reached as expected, the newest run that proved it.
fn newest_proofs(connection: &Connection) -> Result<Vec<(String, String)>, rusqlite::Error> {
    let mut list = connection.prepare("SELECT id, lower(recipient) FROM series")?;
    let mut newest = connection.prepare(
        "SELECT at, run FROM outcomes JOIN past_runs ON past_runs.id = outcomes.past_run
         WHERE series = ?1 AND outcome = 'passed' AND verdict NOT IN ('accepted', 'unknown', 'pending')
           AND EXISTS (SELECT 1 FROM runs WHERE runs.id = past_runs.run)
         ORDER BY at DESC LIMIT 1",
    )?;
    let mut proofs: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for row in list.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))? {
        let (series, recipient) = row?;
        let found = newest.query_row([series], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((at, run)) = found else { continue };
        let proof = proofs.entry(recipient).or_insert((at, String::new()));
        if proof.1.is_empty() || at > proof.0 {
            *proof = (at, run);
        }
    }
    Ok(proofs.into_iter().map(|(recipient, (_, run))| (recipient, run)).collect())
}

/// Removes the outcomes of runs that are no longer stored and started earlier. How many there were.
fn forget(connection: &mut Connection, before: Time, dry_run: bool) -> Result<u64, rusqlite::Error> {
    const OLD: &str = "SELECT id FROM past_runs WHERE started_at < ?1 AND run NOT IN (SELECT id FROM runs)";
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old = params![stamp(before)];
    let count: i64 = transaction.query_row(&format!("SELECT count(*) FROM outcomes WHERE past_run IN ({OLD})"), old, |row| {
        row.get(0)
    })?;
    if !dry_run {
        transaction.execute(&format!("DELETE FROM outcomes WHERE past_run IN ({OLD})"), old)?;
        transaction.execute(&format!("DELETE FROM past_runs WHERE id IN ({OLD})"), old)?;
        transaction.execute(
            "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.series = series.id)",
            [],
        )?;
    }
    transaction.commit()?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Gives free pages back. What stands in the way of that is no trouble: they are used again.
fn give_back(connection: &Connection, compact: bool) {
    const INCREMENTAL: i64 = 2;
    let mode: i64 = connection.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).unwrap_or_default();
    let given = if mode == INCREMENTAL {
        // Each step frees a page: all of them must be asked for.
        connection.prepare("PRAGMA incremental_vacuum").and_then(|mut steps| {
            let mut rows = steps.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        })
    } else if compact {
        connection.execute_batch("VACUUM")
    } else {
        Ok(())
    };
    if given.is_ok() {
        // Into the file itself, so that it really becomes shorter; where somebody reads, it does so later.
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

/// The size of the database in bytes.
fn size_of(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let number = |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    Ok(u64::try_from(number("page_count")? * number("page_size")?).unwrap_or_default())
}
