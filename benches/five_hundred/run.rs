//! One run of the release binary over many mailboxes, and what its report is worth: its intervals beside the store's own log.

use super::{
    SETTLE_SECONDS,
    figures::{Sample, aimed, row},
    lab::{
        Lab,
        accounts::{Account, OVERSEER, PASSWORD, SENDER},
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// How the mailboxes are signed in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// One login, and so one connection, for each mailbox.
    Own,
    /// One login for all, which sees them in a shared namespace (`watch_as`).
    Shared,
}

/// The part of the JSON report that is needed here.
#[derive(Deserialize)]
struct Report {
    probes: Vec<Probe>,
}

#[derive(Deserialize)]
struct Probe {
    message_id: String,
    recipient: String,
    verdict: String,
    flags: Vec<String>,
    sent_at: Option<DateTime<Utc>>,
    accepted_at: Option<DateTime<Utc>>,
    arrived_after: Option<DateTime<Utc>>,
    arrived_at: Option<DateTime<Utc>>,
}

/// A probe's interval and the truth. The store writes its log right after the message can be seen; on a busy machine, where others have
/// their turn in between, that is up to some hundredths of a second later. The name of the message's file tells when it began to be stored.
struct Found {
    after: DateTime<Utc>,
    at: DateTime<Utc>,
    begun: DateTime<Utc>,
    logged: DateTime<Utc>,
}

impl Found {
    /// How far the truth lies outside of the interval, in milliseconds.
    fn miss(&self) -> f64 {
        milliseconds(self.logged, self.after)
            .max(milliseconds(self.at, self.begun))
            .max(0.0)
    }

    /// Whether it was seen before the store had logged it.
    fn is_seen_before_logged(&self) -> bool {
        self.at < self.logged
    }
}

/// Runs mailflow over `count` mailboxes, at `rate` messages a second. Returns how many probes were measured wrongly.
pub fn measure(count: usize, login: Login, rate: Option<u32>) -> usize {
    let mut lab = Lab::start();
    let accounts = lab.provision_mailboxes(count);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the run");
    write_files(folder.path(), &lab, &accounts, login, rate);

    let started = now();
    let usage = watch_use(start(folder.path()));
    let ended = now();
    let report = fs::read(folder.path().join("report.json")).expect("mailflow has written its report");
    let report: Report = serde_json::from_slice(&report).expect("the report is as promised");
    let (found, odd) = compare(&report, &lab);
    let times = |of: fn(&Probe) -> Option<DateTime<Utc>>| report.probes.iter().filter_map(of);
    let first_sent = times(|probe| probe.sent_at).min().unwrap_or(ended);
    let last_taken = times(|probe| probe.accepted_at).max().unwrap_or(ended);
    let last_arrival = found.iter().map(|found| found.logged).max().unwrap_or(ended);
    let way = if login == Login::Own {
        "one login for each"
    } else {
        "one login for all"
    };

    let pace = rate.map_or_else(
        || "as fast as the gateway takes them".to_owned(),
        |rate| format!("{rate} messages a second"),
    );
    println!("\n{count} mailboxes, {way}, {pace}");
    row("messages", report.probes.len());
    row("wall time", seconds(started, ended));
    row("  opening, until the first message leaves", seconds(started, first_sent));
    row("  sending, until the last is taken", seconds(first_sent, last_taken));
    row("  until the last delivery", seconds(last_taken, last_arrival));
    let after_settle = last_arrival + TimeDelta::seconds(i64::from(SETTLE_SECONDS));
    let late = milliseconds(after_settle, ended) / 1000.0;
    aimed(
        "end after the last delivery plus settle",
        format!("{late:.2} s"),
        "seconds",
        late < 5.0,
    );
    aimed(
        "most resident memory",
        format!("{:.1} MB", usage.memory / 1e6),
        "under 100 MB",
        usage.memory < 100e6,
    );
    row("processor time", format!("{:.2} s", usage.processor));
    let outside: Vec<f64> = found.iter().map(Found::miss).filter(|miss| *miss > 0.0).collect();
    let held = found.len() - outside.len();
    let worst = Sample::new(outside.iter().copied()).largest();
    let worst = if outside.is_empty() {
        String::new()
    } else {
        format!(", worst miss {worst:.3} ms")
    };
    aimed(
        "intervals that hold the true arrival",
        format!("{held} of {}{worst}", report.probes.len()),
        "all",
        held == report.probes.len(),
    );
    row(
        "  seen before the store had logged it",
        found.iter().filter(|found| found.is_seen_before_logged()).count(),
    );
    let widths = Sample::new(found.iter().map(|found| milliseconds(found.after, found.at)));
    if rate.is_some() {
        aimed(
            "their width (median / p95 / most)",
            widths.spread(),
            "median under 150 ms",
            widths.median() < 150.0,
        );
    } else {
        row("their width (median / p95 / most)", widths.spread());
    }
    row(
        "arrival to notice (median / p95 / most)",
        Sample::new(found.iter().map(|found| milliseconds(found.logged, found.at))).spread(),
    );
    if !odd.is_empty() {
        row("NOT found in its inbox", odd.len());
        odd.iter().take(10).for_each(|odd| row("", odd));
    }
    if !usage.well {
        row("mailflow's exit code", "not 0");
    }
    odd.len() + outside.len() + usize::from(report.probes.len() != count)
}

/// Each probe's interval beside the truth; and, in words, those that are not found in their inboxes.
fn compare(report: &Report, lab: &Lab) -> (Vec<Found>, Vec<String>) {
    let true_arrivals: HashMap<String, DateTime<Utc>> = lab
        .true_arrivals()
        .into_iter()
        .map(|arrival| (arrival.message_id, arrival.at))
        .collect();
    let (mut found, mut odd) = (Vec::new(), Vec::new());
    for probe in &report.probes {
        let stored = (true_arrivals.get(&probe.message_id), begun_to_store(lab.folder(), &probe.recipient));
        match (probe.arrived_after, probe.arrived_at, stored) {
            (Some(after), Some(at), (Some(logged), Some(begun))) if probe.verdict == "inbox" => found.push(Found {
                after,
                at,
                begun,
                logged: *logged,
            }),
            _ => odd.push(format!("{}: {} {}", probe.recipient, probe.verdict, probe.flags.join(" "))),
        }
    }
    (found, odd)
}

/// When the one message of this mailbox began to be stored: Dovecot names its file by that time, `SECONDS.MmicrosecondsP…`.
fn begun_to_store(lab: &Path, address: &str) -> Option<DateTime<Utc>> {
    let (local, domain) = address.split_once('@')?;
    let mailbox = lab.join("store/mail").join(domain).join(local);
    let file = ["new", "cur"]
        .iter()
        .find_map(|folder| fs::read_dir(mailbox.join(folder)).ok()?.next()?.ok())?;
    let name = file.file_name().into_string().ok()?;
    let (seconds, rest) = name.split_once(".M")?;
    let (microseconds, _) = rest.split_once('P')?;
    DateTime::from_timestamp(seconds.parse().ok()?, microseconds.parse::<u32>().ok()? * 1_000)
}

/// The site and the scenario.
fn write_files(folder: &Path, lab: &Lab, accounts: &[Account], login: Login, rate: Option<u32>) {
    let rate = rate.map(|rate| format!(", rate: {rate}/s")).unwrap_or_default();
    let (ca, imaps) = (lab.ca_file(), lab.imaps());
    let access = format!("url: \"imaps://mail.contoso.example\", connect: \"{imaps}\", ca: {{ file: {ca:?} }}");
    let mailbox = match login {
        Login::Own => format!("{access}, user: \"{{address}}\", password: {{ file: password }}"),
        Login::Shared => {
            format!(
                "{access}, user: \"{{local}}\", watch_as: {{ user: {OVERSEER}, password: {{ file: password }}, root: \"All/{{local}}\" }}"
            )
        }
    };
    let recipients: String = accounts
        .iter()
        .map(|account| format!("  - {{ address: {} }}\n", account.address))
        .collect();
    let site = format!(
        "sender: {{ address: {SENDER}, mailbox: returns }}\n\
         routes:\n  gateway: {{ smtp: {{ url: \"smtp://gw-a.contoso.example:{port}\", connect: \"{gateway}\", ca: {{ file: {ca:?} }} }}, connections: 10{rate}, default: true }}\n\
         mailboxes:\n  returns: {{ imap: {{ {access}, user: {SENDER}, password: {{ file: password }} }} }}\n\
         defaults: {{ quarantine: none, mailbox: {{ imap: {{ {mailbox} }} }} }}\n\
         recipients:\n{recipients}",
        port = lab.mx_port(),
        gateway = lab.gateway_a(),
    );
    let scenario = format!("name: many mailboxes\nexpect: inbox\nwithin: 2m\ngive_up_after: 3m\nsettle: {SETTLE_SECONDS}s\n");
    for (name, text) in [
        ("mailflow.yaml", site),
        ("scenario.yaml", scenario),
        ("password", PASSWORD.to_owned()),
    ] {
        fs::write(folder.join(name), text).expect("the run's folder can be written");
    }
}

fn start(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(folder)
        .args(["run", "scenario.yaml", "--state", "state", "--report", "json=report.json"])
        .stdout(fs::File::create(folder.join("stdout")).expect("the run's folder can be written"))
        .stderr(fs::File::create(folder.join("stderr")).expect("the run's folder can be written"))
        .stdin(Stdio::null())
        .spawn()
        .expect("mailflow starts")
}

/// What the process used.
#[derive(Default)]
struct Use {
    /// Whether it ended well.
    well: bool,
    /// The most memory that was resident, in bytes.
    memory: f64,
    /// Processor time, its own and the kernel's for it, in seconds.
    processor: f64,
}

/// Waits for the end, and reads until then what only grows: the kernel's high-water mark of resident memory, and the time used. (What `wait4`
/// tells of memory begins with that of the process that started this one.)
fn watch_use(mut child: Child) -> Use {
    let folder = Path::new("/proc").join(child.id().to_string());
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let mut used = Use::default();
    loop {
        let mark = read("status")
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        used.memory = used.memory.max(mark.unwrap_or_default() * 1024.0);
        // After the name in brackets: state, ten more fields, then user and system time in hundredths of a second.
        let ticks = |stat: &str| -> Option<f64> {
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).map(str::parse::<f64>);
            Some(fields.next()?.ok()? + fields.next()?.ok()?)
        };
        used.processor = used.processor.max(ticks(&read("stat")).unwrap_or_default() / 100.0);
        if let Some(ended) = child.try_wait().expect("mailflow can be waited for") {
            used.well = ended.success();
            return used;
        }
        sleep(Duration::from_millis(5));
    }
}

/// The machine's clock, by which both mailflow and Dovecot go.
#[expect(clippy::disallowed_methods, reason = "it times another process")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn milliseconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    mailflow::model::time::milliseconds(from, to)
}

fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    format!("{:.2} s", milliseconds(from, to) / 1000.0)
}
