//! Outcomes: one small row for each probe of each decided run, so that the history of a year need not judge a year of events again.
//!
//! They are filled in the same transaction as the end of a run, and for runs of earlier versions when somebody first asks. They outlive the events
//! of their run. What they cannot tell: why; only the events can.

use super::{Journal, JournalError};
use crate::{
    judge::judge,
    model::{Event, Flag, JudgedProbe, Outcome, Past, Plan, RunId, Series, Summary, Time, Verdict, time},
};
use chrono::DateTime;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use std::sync::Arc;

/// The tables: `past_runs` has a row for each decided run, `series` one for each recipient, route, message and case, `outcomes` one for each probe,
/// sorted as a history reads them. Times are milliseconds since 1970.
pub(super) const TABLES: &str = "
    CREATE TABLE past_runs (id INTEGER PRIMARY KEY, run TEXT NOT NULL UNIQUE, scenario TEXT NOT NULL, site TEXT NOT NULL, change TEXT,
        started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL, passed INTEGER NOT NULL, failed INTEGER NOT NULL, waived INTEGER NOT NULL,
        unknown INTEGER NOT NULL);
    CREATE INDEX past_runs_by_start ON past_runs (started_at);
    CREATE TABLE series (id INTEGER PRIMARY KEY, recipient TEXT NOT NULL, role TEXT, route TEXT NOT NULL, message TEXT NOT NULL,
        case_name TEXT NOT NULL, UNIQUE (recipient, route, message, case_name));
    CREATE TABLE outcomes (series INTEGER NOT NULL REFERENCES series (id), at INTEGER NOT NULL, past_run INTEGER NOT NULL REFERENCES past_runs (id),
        nth INTEGER NOT NULL, verdict TEXT NOT NULL, outcome TEXT NOT NULL, latency_ms REAL, uncertainty_ms REAL, flags TEXT NOT NULL,
        PRIMARY KEY (series, at, past_run, nth)) WITHOUT ROWID;
    CREATE INDEX outcomes_by_run ON outcomes (past_run);
    CREATE TABLE due_looks (run TEXT NOT NULL, due_at INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (run, due_at)) WITHOUT ROWID;
    CREATE INDEX due_looks_by_time ON due_looks (due_at);";

/// How many older runs one transaction summarises: others may write in between.
const AT_ONCE: usize = 50;

/// Why a run could not be summarised.
#[derive(Debug)]
pub(super) enum Unfilled {
    /// `SQLite` says no.
    Database(rusqlite::Error),
    /// Its plan or an event cannot be read: it stays out of the history, and everything else works.
    Unreadable,
}

impl From<rusqlite::Error> for Unfilled {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

/// Writes the outcomes of a decided run, and when it wants to be looked at again.
pub(super) fn fill(connection: &Connection, run: &str) -> Result<(), Unfilled> {
    let (plan, site): (String, String) = connection.query_row("SELECT plan, site FROM runs WHERE id = ?1", [run], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let plan: Plan = serde_json::from_str(&plan).map_err(|_| Unfilled::Unreadable)?;
    let events = {
        let mut statement = connection.prepare_cached("SELECT event FROM events WHERE run = ?1 ORDER BY seq")?;
        let rows = statement.query_map([run], |row| row.get::<_, String>(0))?;
        rows.collect::<Result<Vec<_>, _>>()?
    };
    let events: Vec<Event> = events
        .iter()
        .map(|event| serde_json::from_str(event))
        .collect::<Result<_, _>>()
        .map_err(|_| Unfilled::Unreadable)?;
    let plan = Arc::new(plan);
    let judged = judge(plan.clone(), &events);
    let finished = judged.runs.first().and_then(|run| run.finished_at).unwrap_or(plan.run.started_at);
    let Summary {
        passed,
        failed,
        waived,
        unknown,
        ..
    } = judged.summary;
    connection.execute(
        "INSERT OR IGNORE INTO past_runs (run, scenario, site, change, started_at, finished_at, passed, failed, waived, unknown)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            run,
            plan.run.scenario,
            site,
            plan.run.change,
            stamp(plan.run.started_at),
            stamp(finished),
            passed,
            failed,
            waived,
            unknown
        ],
    )?;
    let past_run: i64 = connection.query_row("SELECT id FROM past_runs WHERE run = ?1", [run], |row| row.get(0))?;
    for (nth, probe) in judged.probes.iter().enumerate() {
        let at = probe.sent_at.unwrap_or(plan.run.started_at);
        fill_probe(connection, past_run, nth, at, probe)?;
    }
    for after in &plan.recheck {
        let due = stamp(time::later(finished, *after));
        connection.execute("INSERT OR IGNORE INTO due_looks (run, due_at) VALUES (?1, ?2)", params![run, due])?;
    }
    Ok(())
}

fn fill_probe(connection: &Connection, past_run: i64, nth: usize, at: Time, probe: &JudgedProbe) -> Result<(), rusqlite::Error> {
    // The role is the one that the address had last.
    let mut series = connection.prepare_cached(
        "INSERT INTO series (recipient, role, route, message, case_name) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (recipient, route, message, case_name) DO UPDATE SET role = excluded.role RETURNING id",
    )?;
    let case = probe.case.as_deref().unwrap_or_default();
    let series: i64 = series.query_row(params![probe.recipient, probe.role, probe.route, probe.message, case], |row| {
        row.get(0)
    })?;
    let flags: Vec<&str> = probe.flags.iter().map(|flag| flag.word()).collect();
    let mut outcome = connection.prepare_cached(
        "INSERT OR REPLACE INTO outcomes (series, at, past_run, nth, verdict, outcome, latency_ms, uncertainty_ms, flags)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    outcome.execute(params![
        series,
        stamp(at),
        past_run,
        i64::try_from(nth).unwrap_or(i64::MAX),
        probe.verdict.word(),
        probe.outcome.word(),
        probe.latency_ms,
        probe.latency_uncertainty_ms,
        flags.join(" ")
    ])?;
    Ok(())
}

impl Journal {
    /// Summarises the decided runs that an earlier version has left without. How many there were.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub fn summarise_older_runs(&self) -> Result<usize, JournalError> {
        let mut connection = self.connect()?;
        let missing = {
            let read = || {
                let mut statement = connection
                    .prepare("SELECT id FROM runs WHERE finished = 1 AND id NOT IN (SELECT run FROM past_runs) ORDER BY started_at")?;
                let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
                rows.collect::<Result<Vec<_>, _>>()
            };
            read().map_err(|error| self.trouble(&error))?
        };
        let mut filled = 0;
        for some in missing.chunks(AT_ONCE) {
            filled += fill_all(&mut connection, some).map_err(|error| self.trouble(&error))?;
        }
        Ok(filled)
    }

    /// The history since then: every series with what came of its probes, the oldest first.
    ///
    /// # Errors
    /// If the journal cannot be read, or the outcomes of older runs cannot be written.
    pub fn history(&self, since: Time) -> Result<Vec<Series>, JournalError> {
        self.summarise_older_runs()?;
        let connection = self.connect()?;
        let read = || {
            let mut list =
                connection.prepare("SELECT id, recipient, role, route, message, case_name FROM series ORDER BY recipient, id")?;
            let mut rows = connection.prepare(
                "SELECT at, past_run, verdict, outcome, latency_ms, uncertainty_ms, flags FROM outcomes WHERE series = ?1 AND at >= ?2
                 ORDER BY at, past_run, nth",
            )?;
            let found = list.query_map([], |row| Ok((row.get::<_, i64>(0)?, series(row)?)))?;
            let mut all = Vec::new();
            for found in found {
                let (id, mut series) = found?;
                let past = rows.query_map(params![id, stamp(since)], past)?;
                // A word of a later version is passed over.
                series.past = past.filter_map(Result::transpose).collect::<Result<_, _>>()?;
                if !series.past.is_empty() {
                    all.push(series);
                }
            }
            Ok(all)
        };
        read().map_err(|error: rusqlite::Error| self.trouble(&error))
    }

    /// What a decided run came to, if it has been summarised.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn came_to(&self, run: &RunId) -> Result<Option<Summary>, JournalError> {
        let connection = self.connect()?;
        let found = connection.query_row(
            "SELECT passed, failed, waived, unknown FROM past_runs WHERE run = ?1",
            [run.as_str()],
            |row| {
                let (passed, failed, waived, unknown): (u32, u32, u32, u32) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                Ok(Summary {
                    probes: passed + failed + waived + unknown,
                    passed,
                    failed,
                    waived,
                    unknown,
                    ..Summary::default()
                })
            },
        );
        found.optional().map_err(|error| self.trouble(&error))
    }
}

fn fill_all(connection: &mut Connection, runs: &[String]) -> Result<usize, rusqlite::Error> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut filled = 0;
    for run in runs {
        filled += usize::from(fill_or_leave(&mut transaction, run)?);
    }
    transaction.commit()?;
    Ok(filled)
}

/// Summarises a run, all of it or nothing; whether it could be read.
pub(super) fn fill_or_leave(transaction: &mut rusqlite::Transaction<'_>, run: &str) -> Result<bool, rusqlite::Error> {
    let savepoint = transaction.savepoint()?;
    match fill(&savepoint, run) {
        Ok(()) => savepoint.commit().map(|()| true),
        // Dropped, it takes back what it has done.
        Err(Unfilled::Unreadable) => Ok(false),
        Err(Unfilled::Database(error)) => Err(error),
    }
}

fn series(row: &Row<'_>) -> Result<Series, rusqlite::Error> {
    let case: String = row.get(5)?;
    Ok(Series {
        recipient: row.get(1)?,
        role: row.get(2)?,
        route: row.get(3)?,
        message: row.get(4)?,
        case: (!case.is_empty()).then_some(case),
        past: Vec::new(),
    })
}

fn past(row: &Row<'_>) -> Result<Option<Past>, rusqlite::Error> {
    let (verdict, outcome) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
    let (Some(verdict), Some(outcome)) = (
        Verdict::ALL.into_iter().find(|known| known.word() == verdict),
        Outcome::ALL.into_iter().find(|known| known.word() == outcome),
    ) else {
        return Ok(None);
    };
    let Some(at) = DateTime::from_timestamp_millis(row.get(0)?) else {
        return Ok(None);
    };
    Ok(Some(Past {
        at,
        run: row.get(1)?,
        verdict,
        outcome,
        latency_ms: row.get(4)?,
        latency_uncertainty_ms: row.get(5)?,
        late: row.get_ref(6)?.as_str()?.split(' ').any(|flag| flag == Flag::Late.word()),
    }))
}

/// Milliseconds since 1970.
pub(super) fn stamp(time: Time) -> i64 {
    time.timestamp_millis()
}
