//! The real lab: Postfix, Exim with rspamd, Dovecot and a DNS server on loopback, for one test at a time or several side by side.
//!
//! ```text
//!                                   gateway A (Postfix, rspamd)  127.0.0.2 ─┐
//! submission (Postfix) 127.0.0.1 ─┤                                         ├─ [hub (Exim)] ─ store (Dovecot: LMTP, Sieve, IMAP)
//!                                   gateway B (Exim)             127.0.0.3 ─┘
//! ```
//!
//! The local part of a recipient decides what becomes of its mail; `accounts` lists them all and the files under `config/` say how
//! it is done. Each lab has its own folder under `/tmp` and its own ports, touches nothing else, and ends with its process.
//!
//! What it can NOT show: loss by the network (all is loopback), clocks that differ (there is one), and a delayed-mail warning after
//! hours (the gateways warn after two seconds).
//!
//! Watching more than 128 mailboxes by IDLE needs `fs.inotify.max_user_instances` above that, or Dovecot polls every 30 s instead;
//! the lab does not change the machine's limits.

#![allow(dead_code, reason = "each test file compiles the lab for itself and uses a part of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that has no lab ends")]

pub mod accounts;
pub mod arrivals;
mod layout;
pub mod talk;

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use accounts::Account;
use arrivals::Arrival;
use layout::Ports;

/// The host of the sending server, the hub, the store and the DNS server.
pub const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The host of gateway A, `gw-a.contoso.example`.
pub const GATEWAY_A: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The host of gateway B, `gw-b.contoso.example`.
pub const GATEWAY_B: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// A running lab. Dropping it, or the end of the process in whatever way, stops its servers and removes its folder.
pub struct Lab {
    supervisor: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    ports: Ports,
    folder: TempDir,
}

impl Lab {
    /// Starts every server and returns when all of them answer. Once in a long while one of them does not come up; then a whole new lab is
    /// started, once, and standard error tells so with the end of the logs.
    ///
    /// # Panics
    /// When the servers are not installed (`tests/lab/install` does that), or one does not come up twice: with the end of its log.
    pub fn start() -> Self {
        Self::launch()
            .or_else(|trouble| {
                // Past the harness, which shows nothing that a passing test prints.
                let _ = writeln!(std::io::stderr(), "the lab is started again: {trouble}");
                Self::launch()
            })
            .unwrap_or_else(|trouble| panic!("{trouble}"))
    }

    fn launch() -> Result<Self, String> {
        let check = Command::new(source("install"))
            .arg("--check")
            .output()
            .expect("tests/lab/install runs");
        assert!(
            check.status.success(),
            "the servers of the test lab are not on this machine; run tests/lab/install first ({})",
            String::from_utf8_lossy(&check.stderr).trim()
        );
        let ports = Ports::claim();
        let folder = tempfile::Builder::new()
            .prefix("mailflow-lab-")
            .tempdir_in("/tmp")
            .expect("a folder in /tmp");
        layout::write(folder.path(), &ports);

        let mut supervisor = as_root(&source("supervise"))
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What interrupts or kills the test must leave the supervisor time to clean up.
            .process_group(0)
            .spawn()
            .expect("tests/lab/supervise starts");
        let orders = supervisor.stdin.take();
        let answers = BufReader::new(supervisor.stdout.take().expect("its output is piped"));
        let mut lab = Self {
            supervisor,
            orders,
            answers,
            ports,
            folder,
        };
        lab.await_ready();
        lab.await_listeners()?;
        Ok(lab)
    }

    /// The lab's own folder: configurations, spools, mailboxes, logs. Gone with the lab.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate of the lab's CA, as PEM. All servers have one certificate, for `localhost`, `mail.contoso.example` and 127.0.0.1 to .3.
    pub fn ca_file(&self) -> PathBuf {
        self.folder().join("tls/ca.pem")
    }

    /// The sending server's submission port: STARTTLS, then AUTH PLAIN or LOGIN.
    pub fn submission(&self) -> SocketAddr {
        (HOST, self.ports.submission).into()
    }

    /// The sending server's port with implicit TLS.
    pub fn smtps(&self) -> SocketAddr {
        (HOST, self.ports.smtps).into()
    }

    /// The port of both gateways, hence of every MX of the lab.
    pub fn mx_port(&self) -> u16 {
        self.ports.mx
    }

    /// Gateway A: Postfix with rspamd.
    pub fn gateway_a(&self) -> SocketAddr {
        (GATEWAY_A, self.ports.mx).into()
    }

    /// Gateway B: Exim.
    pub fn gateway_b(&self) -> SocketAddr {
        (GATEWAY_B, self.ports.mx).into()
    }

    /// The store's IMAP port: STARTTLS.
    pub fn imap(&self) -> SocketAddr {
        (HOST, self.ports.imap).into()
    }

    /// The store's IMAP port with implicit TLS.
    pub fn imaps(&self) -> SocketAddr {
        (HOST, self.ports.imaps).into()
    }

    /// The DNS server (UDP and TCP); it knows the names under `.example` and nothing else.
    pub fn dns(&self) -> SocketAddr {
        (HOST, self.ports.dns).into()
    }

    /// The log of `submit`, `gw-a`, `gw-b`, `hub`, `rspamd`, `dns` or `store`.
    pub fn log(&self, server: &str) -> PathBuf {
        let ending = if matches!(server, "gw-b" | "hub") { "mainlog" } else { "log" };
        self.folder().join("log").join(format!("{server}.{ending}"))
    }

    /// Every delivery that the store has logged so far, in its order.
    pub fn true_arrivals(&self) -> Vec<Arrival> {
        arrivals::parse(&String::from_utf8_lossy(
            &fs::read(self.log("store")).expect("the store's log can be read"),
        ))
    }

    /// Makes the mailboxes `bulk-0001@contoso.example` up to `count`; both gateways take any such address already.
    pub fn provision_mailboxes(&mut self, count: usize) -> Vec<Account> {
        let accounts: Vec<_> = (1..=count)
            .map(|number| Account::new(&format!("bulk-{number:04}@contoso.example")))
            .collect();
        let lines: String = accounts.iter().map(|account| account.passwd_line("")).collect();
        for file in ["users-imap", "users-lmtp"] {
            let path = self.folder().join("store").join(file);
            let mut file = OpenOptions::new()
                .append(true)
                .open(path)
                .expect("the list of mailboxes can be extended");
            file.write_all(lines.as_bytes()).expect("the list of mailboxes can be written");
        }
        self.order("mailboxes");
        // Dovecot looks for a change of the list at most once in each second of the clock.
        sleep(Duration::from_millis(1_100));
        accounts
    }

    /// Makes both gateways forget whom they have seen, so that the next message to `greylisted@` is a first contact again.
    pub fn forget_first_contacts(&mut self) {
        self.order("forget");
    }

    /// Starts SpamAssassin behind gateway B, for `scored@` and `guarded@`; only then, because reading its rules takes seconds.
    pub fn start_spamassassin(&mut self) {
        self.order("spamassassin");
        let address = (HOST, self.ports.spamd).into();
        let mut attempts = 0;
        while greet(address, b"").is_err() {
            attempts += 1;
            assert!(attempts < 600, "SpamAssassin does not answer\n{}", self.complaints());
            sleep(Duration::from_millis(50));
        }
    }

    /// What `doveadm` prints for these arguments, run on the lab's store.
    pub fn doveadm(&self, arguments: &[&str]) -> String {
        let conf = self.folder().join("store/dovecot.conf");
        let output = as_root(Path::new("doveadm"))
            .arg("-c")
            .arg(conf)
            .args(arguments)
            .output()
            .expect("doveadm runs");
        assert!(
            output.status.success(),
            "doveadm {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Changes a server's configuration: `from`, which must stand in the file once, becomes `to`. Dovecot's Sieve reads its script anew by itself.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder().join(file);
        let text = fs::read_to_string(&path).expect("the lab's configuration can be read");
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {file}");
        let mut writer = as_root(Path::new("tee"))
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("tee runs");
        let mut pipe = writer.stdin.take().expect("its input is piped");
        pipe.write_all(text.replace(from, to).as_bytes()).expect("tee reads");
        drop(pipe);
        assert!(writer.wait().expect("tee ends").success(), "{file} can be written");
    }

    /// Has rspamd read its configuration anew, and waits until those of its processes that read the old one have ended.
    pub fn reload_rspamd(&mut self) {
        const PROCESSES: usize = 2;
        let before = self.ended_filters();
        self.order("rspamd");
        let mut attempts = 0;
        while self.ended_filters() < before + PROCESSES {
            attempts += 1;
            assert!(attempts < 600, "rspamd does not reload\n{}", self.complaints());
            sleep(Duration::from_millis(50));
        }
    }

    /// How many processes of rspamd have ended so far, by its log.
    fn ended_filters(&self) -> usize {
        let log = fs::read(self.log("rspamd")).unwrap_or_default();
        let is_one = |line: &&str| line.contains("rspamd_proxy process") && line.contains("terminated normally");
        String::from_utf8_lossy(&log).lines().filter(is_one).count()
    }

    fn order(&mut self, order: &str) {
        let pipe = self.orders.as_mut().expect("the lab runs");
        writeln!(pipe, "{order}")
            .and_then(|()| pipe.flush())
            .expect("the supervisor listens");
        self.await_ready();
    }

    fn await_ready(&mut self) {
        let mut answer = String::new();
        match self.answers.read_line(&mut answer) {
            Ok(_) if answer.trim_end() == "ready" => {}
            other => panic!("the lab's supervisor said {answer:?} ({other:?})\n{}", self.complaints()),
        }
    }

    fn await_listeners(&mut self) -> Result<(), String> {
        // Who speaks first says when it is really there; the others are ready when they accept.
        let listeners: [(SocketAddr, &[u8]); 9] = [
            (self.submission(), b"220 "),
            (self.gateway_a(), b"220 "),
            (self.gateway_b(), b"220 "),
            ((HOST, self.ports.hub).into(), b"220 "),
            ((HOST, self.ports.lmtp).into(), b"220 "),
            (self.imap(), b"* OK"),
            (self.imaps(), b""),
            (self.dns(), b""),
            ((HOST, self.ports.milter).into(), b""),
        ];
        for (address, greeting) in listeners {
            let mut attempts = 0;
            while let Err(error) = greet(address, greeting) {
                attempts += 1;
                let ended = matches!(self.supervisor.try_wait(), Ok(Some(_)));
                if attempts == 600 || ended {
                    return Err(format!(
                        "the lab's server at {address} does not answer: {error}\n{}",
                        self.complaints()
                    ));
                }
                sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    /// The last lines of all logs, for a panic's message.
    fn complaints(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.folder().join("log")).into_iter().flatten().flatten() {
            let content = fs::read(entry.path()).unwrap_or_default();
            let content = String::from_utf8_lossy(&content);
            let lines: Vec<_> = content.lines().rev().take(5).collect();
            for line in lines.iter().rev() {
                let _ = writeln!(text, "{}: {line}", entry.file_name().display());
            }
        }
        text
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The closed pipe tells the supervisor to stop everything.
        drop(self.orders.take());
        let _ = self.supervisor.wait();
    }
}

fn greet(address: SocketAddr, greeting: &[u8]) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut start = vec![0; greeting.len()];
    stream.read_exact(&mut start)?;
    if start == greeting {
        Ok(())
    } else {
        Err(ErrorKind::InvalidData.into())
    }
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(name)
}

/// A command that runs as root: directly, or by sudo where it asks no password.
fn as_root(program: &Path) -> Command {
    if fs::metadata("/proc/self").expect("Linux has /proc").uid() == 0 {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("-n").arg("--").arg(program);
    command
}
