//! `mailflow serve` with the real binary: a recipient that breaks and recovers, while the process is killed outright and started again.
//!
//! The short form runs every few seconds. With `MAILFLOW_LONG=1` it runs once a minute for ten minutes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]
#![allow(
    clippy::disallowed_methods,
    reason = "processes are waited for on the clock of the wall, and one variable makes it long"
)]

use mailflow::{
    clock::Clock,
    postoffice::{PostOffice, Settings},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

const SENDER: &str = "probe@sender.example";
const BREAKS: &str = "admin@contoso.example";

/// A webhook that keeps what it is told, and fails while it is told to.
struct Webhook {
    at: SocketAddr,
    told: Arc<Mutex<Vec<(String, Value)>>>,
    fails: Arc<AtomicBool>,
}

impl Webhook {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (told, fails) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (keeps, failing) = (Arc::clone(&told), Arc::clone(&fails));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                if let Some(told) = heard(&mut stream) {
                    let failed = failing.load(Ordering::SeqCst);
                    if !failed {
                        keeps.lock().unwrap().push(told);
                    }
                    let status = if failed { "503 Not now" } else { "200 OK" };
                    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                }
            }
        });
        Self { at, told, fails }
    }

    fn kinds(&self) -> Vec<String> {
        self.told
            .lock()
            .unwrap()
            .iter()
            .map(|(_, body)| body["kind"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The idempotency key and the body of a request.
fn heard(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let headers: BTreeMap<String, &str> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            if body.len() >= length {
                return Some(((*headers.get("idempotency-key")?).to_owned(), serde_json::from_str(body).ok()?));
            }
        }
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
    }
}

struct World {
    office: PostOffice,
    _runtime: tokio::runtime::Runtime,
    webhook: Webhook,
    folder: TempDir,
    port: u16,
}

impl World {
    fn open(cron: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let office = runtime.block_on(async {
            let clock = Clock::start();
            let mut settings = Settings::new(move || clock.now());
            settings.mailboxes.push(BREAKS.to_owned());
            PostOffice::open(settings).await.unwrap()
        });
        let webhook = Webhook::open();
        let folder = tempfile::tempdir().unwrap();
        let at = office.addresses();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let imap = |user: &str| {
            format!(
                "{{ imap: {{ url: \"imaps://mail.contoso.example\", connect: \"{}\", ca: {{ file: ca.pem }}, user: \"{user}*watcher\", password: {{ file: watcher.secret }} }} }}",
                at.imaps
            )
        };
        write(
            "mailflow.yaml",
            &format!(
                "sender: {{ address: {SENDER}, contact: it@contoso.example, mailbox: returns }}\n\
                 routes:\n  submission: {{ smtp: {{ url: \"smtp://smtp.sender.example\", connect: \"{}\", ca: {{ file: ca.pem }}, user: {SENDER}, password: {{ file: sender.secret }} }}, default: true }}\n\
                 defaults: {{ quarantine: none, mailbox: {} }}\nmailboxes: {{ returns: {} }}\n\
                 recipients:\n  - {{ address: {BREAKS}, owner: {{ name: Dana Reyes }}, backup: {{ name: Kim Okafor }} }}\n  - {{ address: ok-1@contoso.example }}\n\
                 alerts:\n  desk: {{ webhook: {{ url: {{ file: hook.secret }} }} }}\n\
                 schedules:\n  - {{ scenario: often.yaml, cron: \"{cron}\" }}\n",
                at.submission,
                imap("{address}"),
                imap(SENDER)
            ),
        );
        write(
            "often.yaml",
            "name: often\nroutes: submission\nwithin: 3s\ngive_up_after: 3s\nsettle: 1s\n",
        );
        write("ca.pem", office.ca_pem());
        write("sender.secret", &office.password(SENDER));
        write("watcher.secret", &office.password("watcher"));
        write("hook.secret", &format!("http://{}/hidden-token", webhook.at));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self {
            office,
            _runtime: runtime,
            webhook,
            folder,
            port,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailflow"));
        command.current_dir(self.folder.path()).args(arguments).args(["--state", "state"]);
        command
            .env_remove("MAILFLOW_SITE")
            .env_remove("HTTPS_PROXY")
            .env_remove("https_proxy");
        command
    }

    fn serve(&self) -> Server {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let listen = format!("127.0.0.1:{}", self.port);
        let child = self
            .command(&["serve", "--listen", &listen])
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Server(child)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Waits until it is so; how long is the machine's business, within reason.
    fn until(&self, what: &str, patience: Duration, is_so: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(
                started.elapsed() < patience,
                "{what} did not come\n{}\n{:?}",
                self.log(),
                self.webhook.kinds()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn runs(&self) -> usize {
        self.log().matches(" ended: ").count()
    }
}

struct Server(Child);

impl Server {
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn stop(mut self) -> Option<i32> {
        let id = i32::try_from(self.0.id()).unwrap();
        Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn one_alert_and_one_recovery_over_kills_and_restarts() {
    if std::env::var_os("MAILFLOW_LONG").is_some() {
        return ten_minutes_at_one_run_a_minute();
    }
    let patience = Duration::from_secs(90);
    let world = World::open("*/5 * * * * *");
    let server = world.serve();
    world.until("a first run", patience, || world.runs() >= 1);
    assert_eq!(world.webhook.kinds(), Vec::<String>::new());

    // It breaks, while the webhook fails: the alert stands in the outbox when the process is killed.
    world.webhook.fails.store(true, Ordering::SeqCst);
    world.office.refuse_mail(BREAKS, true);
    world.until("a delivery that fails", patience, || world.log().contains("not delivered"));
    server.kill();
    let server = world.serve();
    world.webhook.fails.store(false, Ordering::SeqCst);
    world.until("the alert", patience, || !world.webhook.kinds().is_empty());
    let before = world.runs();
    // Killed in the middle of what comes after, again and again: nothing is told twice.
    world.until("further runs", patience, || world.runs() >= before + 2);
    server.kill();
    let server = world.serve();
    let before = world.runs();
    world.until("a further run", patience, || world.runs() > before);
    assert_eq!(world.webhook.kinds(), ["failure"], "{}", world.log());

    world.office.refuse_mail(BREAKS, false);
    world.until("the recovery", patience, || world.webhook.kinds().len() > 1);
    server.kill();
    let server = world.serve();
    let before = world.runs();
    world.until("further runs", patience, || world.runs() >= before + 2);
    finished(&world, server);
}

/// Ten minutes at one run a minute.
fn ten_minutes_at_one_run_a_minute() {
    let started = Instant::now();
    let at = |second: u64| {
        let pause = Duration::from_secs(second).saturating_sub(started.elapsed());
        std::thread::sleep(pause);
    };
    let world = World::open("* * * * *");
    let server = world.serve();
    at(130);
    assert!(world.runs() >= 1, "{}", world.log());
    assert_eq!(world.webhook.kinds(), Vec::<String>::new(), "{}", world.log());
    world.office.refuse_mail(BREAKS, true);
    at(255);
    assert_eq!(world.webhook.kinds(), ["failure"], "{}", world.log());
    server.kill();
    let server = world.serve();
    at(400);
    world.office.refuse_mail(BREAKS, false);
    server.kill();
    let server = world.serve();
    at(600);
    assert!(world.runs() >= 8, "{}", world.log());
    finished(&world, server);
}

/// Exactly one alert and one recovery, the pages stand, and it stops gracefully.
fn finished(world: &World, server: Server) {
    let told = world.webhook.told.lock().unwrap().clone();
    assert_eq!(world.webhook.kinds(), ["failure", "recovery"], "{}", world.log());
    assert_ne!(told[0].0, told[1].0);
    let change = &told[0].1["changes"][0];
    assert_eq!(
        (&change["recipient"], &change["owner"], &change["backup"]),
        (&BREAKS.into(), &"Dana Reyes".into(), &"Kim Okafor".into())
    );
    assert_eq!(told[0].1["changes"].as_array().unwrap().len(), 1);

    let status = world.get("/").unwrap();
    assert!(status.starts_with("HTTP/1.1 200") && status.contains(BREAKS), "{status}");
    let run = status.split("href=\"/runs/").nth(1).unwrap().split('"').next().unwrap();
    assert!(world.get(&format!("/runs/{run}")).unwrap().contains(BREAKS));
    assert!(world.get("/history").unwrap().contains(BREAKS));
    assert!(world.get("/metrics").unwrap().contains("mailflow_alerts_waiting 0\n"));
    assert!(world.get("/healthz").unwrap().ends_with("ok\n"));
    assert!(world.get("/runs/../../etc/passwd").unwrap().starts_with("HTTP/1.1 404"));

    // A site with a mistake changes nothing; mended, it is read.
    let site = world.folder.path().join("mailflow.yaml");
    let good = fs::read_to_string(&site).unwrap();
    fs::write(&site, format!("{good}\nnonsense: 1\n")).unwrap();
    let patience = Duration::from_secs(30);
    world.until("word of the mistake", patience, || {
        world.log().contains("what was read before stays")
    });
    fs::write(&site, good).unwrap();
    world.until("the mended site", patience, || world.log().contains("read again."));

    assert_eq!(server.stop(), Some(0), "{}", world.log());
    assert!(!world.log().contains("hidden-token"), "the address of a webhook is a secret");
    outbox_is_empty(world.folder.path(), world.command(&["alert"]).output().unwrap().status);
}

fn outbox_is_empty(folder: &Path, status: std::process::ExitStatus) {
    assert_eq!(status.code(), Some(0), "{}", folder.display());
}

#[test]
fn other_machines_need_a_token() {
    let world = World::open("* * * * *");
    let output = world.command(&["serve", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("a token must guard them"), "{said}");
}
