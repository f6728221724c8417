//! The `SQLite` store: runs with their plans, and their events. Rows are only ever added.

use super::{
    Log,
    lock::RunLock,
    looks,
    migrations::{self, Migration, SCHEMA_VERSION},
    outcomes,
};
use crate::model::{Event, Plan, RunId, SecondLook, What};
use async_trait::async_trait;
use rusqlite::{Connection, params};
use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::Duration,
};
use tokio::sync::oneshot;

/// How long another process may hold the database.
const BUSY: Duration = Duration::from_secs(30);
/// How many events one commit takes at most.
const BATCH: usize = 256;

/// The journal cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// `SQLite` says no.
    #[error("the journal {path} cannot be used: {reason}")]
    Database {
        /// The file.
        path: PathBuf,
        /// `SQLite`'s words.
        reason: String,
    },
    /// It was written by a later mailflow.
    #[error("the journal {path} was written by a later version of mailflow (its format is {found}, this one knows {SCHEMA_VERSION})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// There is no such run.
    #[error("there is no run {asked:?}{hint}\n  help: `mailflow runs` lists the runs, and `mailflow baseline` their names")]
    NoSuchRun {
        /// What was asked for.
        asked: String,
        /// What may have been meant, or why there is none.
        hint: String,
    },
    /// There is no run at all.
    #[error("no run is stored yet\n  help: `mailflow run SCENARIO` makes one")]
    NoRun,
    /// There is no thread to write it.
    #[error("the journal has no writer: its thread could not be started, or has panicked")]
    Stopped,
    /// A living process works on the run.
    #[error("run {0} is held by a living process")]
    Held(RunId),
    /// Another process removes old runs.
    #[error("another process removes old runs just now")]
    Tidying,
}

/// The journal of a state folder.
#[derive(Debug, Clone)]
pub struct Journal {
    pub(super) state: PathBuf,
    path: PathBuf,
}

/// A run as `runs` lists it.
#[derive(Debug, Clone)]
pub struct StoredRun {
    /// The plan it began with.
    pub plan: Plan,
    /// Whether everything was decided.
    pub finished: bool,
    /// The file of its site, wherever it is named from.
    pub site: PathBuf,
}

impl Journal {
    /// Opens the journal, and makes it if it is not there.
    ///
    /// # Errors
    /// If the database cannot be made, is damaged, or is of a later version.
    pub fn open(state: &Path) -> Result<Self, JournalError> {
        let journal = Self {
            state: state.to_owned(),
            path: state.join("journal.db"),
        };
        migrations::bring_up_to_date(&mut journal.connect()?).map_err(|trouble| match trouble {
            Migration::Newer { found } => JournalError::Newer {
                path: journal.path.clone(),
                found,
            },
            Migration::Database(error) => journal.trouble(&error),
        })?;
        Ok(journal)
    }

    pub(super) fn connect(&self) -> Result<Connection, JournalError> {
        let connect = || {
            // Addresses and servers' words are for their owner only, wherever the folder lies.
            let _ = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path);
            let connection = Connection::open(&self.path)?;
            connection.busy_timeout(BUSY)?;
            // Heeded while there is no table yet; a journal that is older gets it when `--keep` first compacts it.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            write_ahead(&connection)?;
            // FULL: a commit is on disk when it returns, which is what "written before sent" rests on.
            connection.pragma_update(None, "synchronous", "FULL")?;
            Ok(connection)
        };
        connect().map_err(|error| self.trouble(&error))
    }

    pub(super) fn trouble(&self, error: &rusqlite::Error) -> JournalError {
        JournalError::Database {
            path: self.path.clone(),
            reason: error.to_string(),
        }
    }

    /// Begins a run on the site of this file: its plan is on disk when this returns, and its lock is held as long as the returned log lives.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn begin(&self, plan: &Plan, site: &Path) -> Result<RunLog, JournalError> {
        let lock = self.lock(&plan.run.id)?;
        let connection = self.connect()?;
        let text = to_json(plan).map_err(|reason| JournalError::Database {
            path: self.path.clone(),
            reason,
        })?;
        connection
            .execute(
                "INSERT INTO runs (id, started_at, site, plan) VALUES (?1, ?2, ?3, ?4)",
                params![plan.run.id.as_str(), plan.run.started_at.to_rfc3339(), site.to_string_lossy(), text],
            )
            .map_err(|error| self.trouble(&error))?;
        Ok(RunLog::start(self.clone(), connection, plan.run.id.clone(), lock, 0))
    }

    /// Takes up a run that no living process holds.
    ///
    /// # Errors
    /// If a living process holds it, or the journal cannot be used.
    pub fn take_up(&self, run: &RunId) -> Result<RunLog, JournalError> {
        let lock = self.lock(run)?;
        let connection = self.connect()?;
        let next = connection
            .query_row(
                "SELECT COALESCE(MAX(seq) + 1, 0) FROM events WHERE run = ?1",
                [run.as_str()],
                |row| row.get(0),
            )
            .map_err(|error| self.trouble(&error))?;
        Ok(RunLog::start(self.clone(), connection, run.clone(), lock, next))
    }

    fn lock(&self, run: &RunId) -> Result<RunLock, JournalError> {
        let lock = RunLock::take(&self.state, run).map_err(|error| JournalError::Database {
            path: self.state.join("locks"),
            reason: error.to_string(),
        })?;
        lock.ok_or_else(|| JournalError::Held(run.clone()))
    }

    /// Whether a living process works on the run.
    pub fn is_held(&self, run: &RunId) -> bool {
        super::lock::is_held(&self.state, run)
    }

    /// Every run, oldest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn runs(&self) -> Result<Vec<StoredRun>, JournalError> {
        let connection = self.connect()?;
        let read = || {
            let mut statement = connection.prepare("SELECT plan, finished, site FROM runs ORDER BY started_at, id")?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, String>(2)?))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let rows = read().map_err(|error| self.trouble(&error))?;
        rows.into_iter()
            .map(|(plan, finished, site)| {
                Ok(StoredRun {
                    plan: self.parse(&plan)?,
                    finished,
                    site: site.into(),
                })
            })
            .collect()
    }

    /// The plan and the events of a run. `name`: its id, the first characters of it, `last`, `last~N`, or a baseline's name.
    ///
    /// # Errors
    /// If there is no such run, or the journal cannot be read.
    pub fn load(&self, name: &str) -> Result<(Plan, Vec<Event>), JournalError> {
        let id = self.named(name)?;
        let connection = self.connect()?;
        let plan: String = connection
            .query_row("SELECT plan FROM runs WHERE id = ?1", [&id], |row| row.get(0))
            .map_err(|error| self.trouble(&error))?;
        let read = || {
            let mut statement = connection.prepare("SELECT event FROM events WHERE run = ?1 ORDER BY seq")?;
            let rows = statement.query_map([id], |row| row.get::<_, String>(0))?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let events = read().map_err(|error| self.trouble(&error))?;
        let events = events.iter().map(|event| self.parse(event)).collect::<Result<Vec<Event>, _>>()?;
        Ok((self.parse(&plan)?, events))
    }

    pub(super) fn parse<T: serde::de::DeserializeOwned>(&self, text: &str) -> Result<T, JournalError> {
        serde_json::from_str(text).map_err(|error| JournalError::Database {
            path: self.path.clone(),
            reason: format!("a row cannot be read: {error}"),
        })
    }
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

/// A row to write, and whom to tell when it is on disk.
struct Row {
    json: String,
    effect: Effect,
    written: Option<oneshot::Sender<Result<(), JournalError>>>,
}

/// What else changes in the tables with an event.
enum Effect {
    None,
    /// The run is decided: from here on it has outcomes.
    Decides,
    /// It was looked at again.
    LooksAgain(Box<SecondLook>),
}

impl Effect {
    fn of(what: &What) -> Self {
        match what {
            What::Stopped { finished: true } => Self::Decides,
            What::LookedAgain { look } => Self::LooksAgain(look.clone()),
            _ => Self::None,
        }
    }
}

/// The log of one run: it holds the run's lock and the writer's thread.
pub struct RunLog {
    rows: Option<mpsc::Sender<Row>>,
    writer: Option<thread::JoinHandle<()>>,
    /// What ended the writer.
    failure: Arc<OnceLock<JournalError>>,
    _lock: RunLock,
}

impl RunLog {
    fn start(journal: Journal, connection: Connection, run: RunId, lock: RunLock, next: i64) -> Self {
        let (rows, queue) = mpsc::channel();
        let failure = Arc::new(OnceLock::new());
        let failed = Arc::clone(&failure);
        let writer = thread::Builder::new().name("journal".to_owned()).spawn(move || {
            if let Err(error) = write_all(&journal, connection, &run, &queue, next) {
                let _ = failed.set(error);
            }
        });
        // Without a thread every write answers `Stopped`, and so nothing is sent.
        Self {
            rows: Some(rows),
            writer: writer.ok(),
            failure,
            _lock: lock,
        }
    }

    fn send(&self, event: &Event, written: Option<oneshot::Sender<Result<(), JournalError>>>) {
        let effect = Effect::of(&event.what);
        if let (Some(rows), Ok(json)) = (&self.rows, to_json(event)) {
            // A writer that is gone shows in the next `write`.
            let _ = rows.send(Row { json, effect, written });
        }
    }
}

#[async_trait]
impl Log for RunLog {
    async fn write(&self, event: &Event) -> Result<(), JournalError> {
        let (written, answer) = oneshot::channel();
        self.send(event, Some(written));
        // Without an answer an earlier row has ended the writer.
        answer
            .await
            .unwrap_or_else(|_| Err(self.failure.get().cloned().unwrap_or(JournalError::Stopped)))
    }

    fn note(&self, event: &Event) {
        self.send(event, None);
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        drop(self.rows.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Commits what has gathered, then tells those who wait; ends at the first error, since a hole in the journal must not be followed by sending.
fn write_all(
    journal: &Journal,
    mut connection: Connection,
    run: &RunId,
    queue: &mpsc::Receiver<Row>,
    mut next: i64,
) -> Result<(), JournalError> {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(BATCH - 1));
        let outcome = commit(&mut connection, run, &batch, next).map_err(|error| journal.trouble(&error));
        next += i64::try_from(batch.len()).unwrap_or_default();
        for row in batch {
            if let Some(written) = row.written {
                let _ = written.send(outcome.clone());
            }
        }
        outcome?;
    }
    Ok(())
}

fn commit(connection: &mut Connection, run: &RunId, batch: &[Row], next: i64) -> Result<(), rusqlite::Error> {
    let mut transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut insert = transaction.prepare_cached("INSERT INTO events (run, seq, event) VALUES (?1, ?2, ?3)")?;
        for (row, seq) in batch.iter().zip(next..) {
            insert.execute(params![run.as_str(), seq, row.json])?;
        }
    }
    for row in batch {
        match &row.effect {
            Effect::None => {}
            Effect::Decides => {
                transaction.execute("UPDATE runs SET finished = 1 WHERE id = ?1", [run.as_str()])?;
                outcomes::fill_or_leave(&mut transaction, run.as_str())?;
            }
            Effect::LooksAgain(look) => looks::made(&transaction, run.as_str(), look)?,
        }
    }
    transaction.commit()
}

impl From<JournalError> for io::Error {
    fn from(error: JournalError) -> Self {
        io::Error::other(error)
    }
}

/// Turns write-ahead logging on. `SQLite` waits for nobody here, though two processes may open a new journal in the same moment: so this does.
fn write_ahead(connection: &Connection) -> Result<(), rusqlite::Error> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut left = BUSY.as_millis() / PAUSE.as_millis();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if left > 0 && error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                left -= 1;
                thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MailboxName, RunInfo, Time};

    fn plan(random: [u8; 6]) -> Plan {
        let run = RunInfo {
            id: RunId::from_random(random),
            scenario: "first look".to_owned(),
            site: "mailflow.yaml".to_owned(),
            started_at: Time::UNIX_EPOCH + Duration::from_secs(u64::from(random[0])),
            finished_at: None,
            version: "0".to_owned(),
            change: None,
            description: None,
            compare: None,
            origin: crate::model::Origin::default(),
        };
        Plan {
            run,
            recipients: vec![],
            senders: vec![],
            mailboxes: vec![],
            addresses: std::collections::BTreeMap::default(),
            paths: Vec::new(),
            probes: vec![],
            spacing: Duration::ZERO,
            templates: std::collections::BTreeMap::new(),
            recheck: Vec::new(),
            scope: None,
            traces: std::collections::BTreeMap::new(),
        }
    }

    fn event(what: What) -> Event {
        Event {
            at: Time::UNIX_EPOCH,
            what,
        }
    }

    #[tokio::test]
    async fn what_was_written_is_read_again_in_order_and_later_events_follow_earlier_ones() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::open(state.path()).unwrap();
        let plan = plan([1; 6]);
        let blind = |reason: &str| {
            event(What::Blind {
                mailbox: MailboxName::from("billing"),
                reason: reason.to_owned(),
            })
        };
        let log = journal.begin(&plan, Path::new("/etc/mailflow.yaml")).unwrap();
        log.note(&blind("one"));
        log.write(&blind("two")).await.unwrap();
        assert!(journal.is_held(&plan.run.id));
        assert!(matches!(journal.take_up(&plan.run.id), Err(JournalError::Held(_))));
        drop(log);
        assert!(!journal.is_held(&plan.run.id));
        let log = journal.take_up(&plan.run.id).unwrap();
        log.write(&event(What::Stopped { finished: true })).await.unwrap();
        drop(log);
        let (stored, events) = journal.load("last").unwrap();
        assert_eq!(stored, plan);
        assert_eq!(events, [blind("one"), blind("two"), event(What::Stopped { finished: true })]);
        let stored = &journal.runs().unwrap()[0];
        assert!(stored.finished && stored.site == Path::new("/etc/mailflow.yaml"));
    }

    #[test]
    fn runs_are_found_by_name() {
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::open(state.path()).unwrap();
        let (older, newer) = (plan([1; 6]), plan([2; 6]));
        drop(journal.begin(&newer, Path::new("mailflow.yaml")).unwrap());
        drop(journal.begin(&older, Path::new("mailflow.yaml")).unwrap());
        assert_eq!(journal.load("last").unwrap().0, newer);
        assert_eq!(journal.load("last~1").unwrap().0, older);
        assert_eq!(journal.load(&older.run.id.as_str()[..4].to_uppercase()).unwrap().0, older);
        for missing in ["last~2", "last~x", "a", "zzzz", "%%%%"] {
            assert!(matches!(journal.load(missing), Err(JournalError::NoSuchRun { .. })), "{missing}");
        }
    }

    #[test]
    fn many_may_open_a_new_journal_in_the_same_moment() {
        for _ in 0..20 {
            let state = tempfile::tempdir().unwrap();
            let opened: Vec<_> = (0..8)
                .map(|_| {
                    let folder = state.path().to_owned();
                    thread::spawn(move || Journal::open(&folder).map(drop))
                })
                .collect();
            for opened in opened {
                opened.join().unwrap().unwrap();
            }
        }
    }

    #[test]
    fn a_journal_of_a_later_version_is_left_alone() {
        let state = tempfile::tempdir().unwrap();
        Journal::open(state.path())
            .unwrap()
            .connect()
            .unwrap()
            .pragma_update(None, "user_version", 99)
            .unwrap();
        assert!(matches!(Journal::open(state.path()), Err(JournalError::Newer { found: 99, .. })));
    }
}
