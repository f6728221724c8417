//! The real binary as a child process: started, killed, sent signals, and listened to.

use crate::rounds::Begun;
use mailflow::{
    journal::{Journal, JournalError},
    model::{Event, Judged, Plan},
    report::read_json,
};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

/// A process that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_mins(5);
const BEAT: Duration = Duration::from_millis(10);

/// A folder with a site, scenarios and a state, in which the binary is run.
pub struct Desk(pub tempfile::TempDir);

/// How a process ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

/// A process that lives.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
    out: JoinHandle<String>,
}

impl Desk {
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn start(&self, arguments: &[&str]) -> Process {
        self.start_by(Command::new(env!("CARGO_BIN_EXE_mailflow")), arguments)
    }

    /// Runs to the end with no file of more than so many KiB.
    pub fn limited(&self, kib: usize, arguments: &[&str]) -> (Plan, Ended) {
        let mut shell = Command::new("bash");
        let limit = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        shell.args(["-c", &limit, env!("CARGO_BIN_EXE_mailflow")]);
        let ended = self.start_by(shell, arguments).end();
        (self.newest().unwrap().0, ended)
    }

    fn start_by(&self, mut command: Command, arguments: &[&str]) -> Process {
        let mut child = command
            .current_dir(self.path())
            .args(arguments)
            .args(["--state", "state", "--color", "never"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, lines) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        spawn(move || errors.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let mut output = child.stdout.take().unwrap();
        let out = spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).unwrap();
            text
        });
        Process {
            child,
            lines,
            heard: Vec::new(),
            out,
        }
    }

    pub fn finish(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// Runs a verb to its end that writes a report, and reads that.
    pub fn report(&self, arguments: &[&str]) -> (Judged, Ended) {
        let file = self.path().join("report.json");
        let _ = fs::remove_file(&file);
        let ended = self.finish(&[arguments, &["--report", "json=report.json"]].concat());
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{arguments:?} wrote no report: {error}\n{ended:?}"));
        (read_json(&bytes).unwrap(), ended)
    }

    /// Writes a file beside the site.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The text of a file beside the site.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// A run that is killed once it has got so far.
    pub fn kill_when(&self, arguments: &[&str], reached: impl Fn(&Begun) -> bool) -> Plan {
        let mut process = self.start(arguments);
        assert!(
            process.comes_to(|| self.newest().is_some_and(|(_, events)| reached(&Begun::of(&events)))),
            "{:?}",
            process.end()
        );
        process.kill();
        self.newest().unwrap().0
    }

    fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Every run that the journal holds, oldest first; whether it is finished.
    pub fn runs(&self) -> Vec<(Plan, bool)> {
        if !self.state().join("journal.db").exists() {
            return Vec::new();
        }
        let runs = Journal::open(&self.state()).unwrap().runs().unwrap();
        runs.into_iter().map(|run| (run.plan, run.finished)).collect()
    }

    /// The run that started last, with its events so far.
    pub fn newest(&self) -> Option<(Plan, Vec<Event>)> {
        let journal = self
            .state()
            .join("journal.db")
            .exists()
            .then(|| Journal::open(&self.state()).unwrap())?;
        match journal.load("last") {
            Err(JournalError::NoRun | JournalError::NoSuchRun { .. }) => None,
            newest => Some(newest.unwrap()),
        }
    }

    /// The events of a run.
    pub fn events(&self, plan: &Plan) -> Vec<Event> {
        Journal::open(&self.state()).unwrap().load(plan.run.id.as_str()).unwrap().1
    }
}

impl Process {
    /// Waits until it says a line that contains these words; whether it did before it ended.
    pub fn says(&mut self, words: &str) -> bool {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.heard.push(line);
                    if self.heard.last().is_some_and(|line| line.contains(words)) {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => self.give_up(),
            }
        }
    }

    /// Waits until this is so; whether it was before it ended.
    pub fn comes_to(&mut self, reached: impl Fn() -> bool) -> bool {
        let mut beats = PATIENCE.as_millis() / BEAT.as_millis();
        while !reached() {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            beats -= 1;
            if beats == 0 {
                self.give_up();
            }
            sleep(BEAT);
        }
        true
    }

    /// Waits for so long, or until it ends.
    pub fn linger(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() && self.child.try_wait().unwrap().is_none() {
            let beat = left.min(BEAT);
            sleep(beat);
            left -= beat;
        }
    }

    pub fn signal(&self, name: &str) {
        let signalled = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(signalled.success(), "kill {name}");
    }

    /// `kill -9`.
    pub fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        self.end()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let mut beats = PATIENCE.as_millis() / BEAT.as_millis();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            beats -= 1;
            if beats == 0 {
                self.give_up();
            }
            sleep(BEAT);
        };
        self.heard.extend(self.lines.iter());
        Ended {
            status,
            out: self.out.join().unwrap(),
            err: self.heard.join("\n"),
        }
    }

    fn give_up(&mut self) -> ! {
        self.child.kill().unwrap();
        self.heard.extend(self.lines.iter());
        panic!("mailflow hangs, having said:\n{}", self.heard.join("\n"));
    }
}

impl Ended {
    /// The exit code; `None` after a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }
}
