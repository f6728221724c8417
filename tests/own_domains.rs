//! The real binary, the embedded post office and a real DNS server (dnsmasq): messages that pretend go only to domains that are proven to be the
//! site's own, and every kind of message arrives as it was sent, signed too.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test that cannot go on ends")]

use mailflow::{
    clock::Clock,
    config::secrets,
    postoffice::{PostOffice, Settings},
    report::read_json,
};
use std::{
    fs,
    net::{TcpStream, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

const KEY: &str = "a key that only this test and its site know";
const SENDER: &str = "probe@sender.example";

/// A DNS server that knows what `records` say of `.example`, and nothing else.
struct Dns {
    server: Child,
    port: u16,
}

impl Dns {
    fn with(records: &[String], port: Option<u16>) -> Self {
        let port = port.unwrap_or_else(|| UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
        let mut command = Command::new("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--listen-address=127.0.0.1",
            "--bind-interfaces",
        ]);
        for domain in ["contoso.example", "sender.example"] {
            command.arg(format!("--mx-host={domain},mx.{domain},10"));
            command.arg(format!("--host-record=mx.{domain},127.0.0.1"));
        }
        command.args(["--no-resolv", "--no-hosts", "--local=/example/", "--cache-size=0", "--pid-file="]);
        command.arg(format!("--port={port}"));
        command.args(records.iter().map(|record| format!("--txt-record={record}")));
        let process = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dnsmasq runs (tests/lab/install brings it)");
        let dns = Self { server: process, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return dns;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the DNS server does not come up on port {port}");
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

struct World {
    folder: tempfile::TempDir,
    _office: PostOffice,
}

impl World {
    async fn new(dns: u16) -> Self {
        let clock = Clock::start();
        let office = PostOffice::open(Settings::new(move || clock.now())).await.unwrap();
        let at = office.addresses();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", office.ca_pem());
        write("watcher.secret", &office.password("watcher"));
        write("tag.key", KEY);
        write("dkim.pem", include_str!("send/keys/rsa-pkcs8.pem"));
        write(
            "mailflow.yaml",
            &format!(
                r#"
sender:
  address: {SENDER}
  mailbox: {{ imap: {{ url: "imaps://imap.contoso.example", connect: "{imaps}", ca: {{ file: ca.pem }}, user: "{SENDER}*watcher", password: {{ file: watcher.secret }} }} }}
  dkim: {{ domain: sender.example, selector: s1, key: {{ file: dkim.pem }} }}
resolver: 127.0.0.1:{dns}
own_domains: [contoso.example]
tag_key: {{ file: tag.key }}
routes:
  gateway: {{ smtp: {{ url: "smtp://gateway-a.contoso.example:25", connect: "{gateway}", tls: required, ca: {{ file: ca.pem }} }} }}
defaults:
  quarantine: none
  mailbox: {{ imap: {{ url: "imaps://imap.contoso.example", connect: "{imaps}", ca: {{ file: ca.pem }}, user: "{{address}}*watcher", password: {{ file: watcher.secret }} }} }}
recipients: [{{ address: ok@contoso.example, role: Billing Administrator }}]
"#,
                imaps = at.imaps,
                gateway = at.gateway_a,
            ),
        );
        write("notice.eml", "Subject: Grüße an {role}\n\nVerify by {date}: {link}\n");
        write(
            "pretends.yaml",
            "name: impersonation\nmessages: [self-spoof, { display-name: Kim Lee }]\nwithin: 20s\ngive_up_after: 25s\nsettle: 1s\n",
        );
        write(
            "kinds.yaml",
            "name: every kind\nallow_malware_test: true\nwithin: 40s\ngive_up_after: 50s\nsettle: 1s\n\
             messages: [plain, html, link, attachment, verification, office, archive, encrypted-zip, calendar, { large: 300KB }, unicode, list, \
             { template: notice.eml }, self-spoof, { display-name: Kim Lee }]\n\
             cases:\n  - { name: virus, messages: eicar, expect: rejected }\n",
        );
        Self { folder, _office: office }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs mailflow; its exit code, and what it says in one line.
    async fn mailflow(&self, arguments: &'static [&'static str]) -> (Option<i32>, String) {
        let folder = self.path().to_owned();
        let run = move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_mailflow"));
            command
                .current_dir(folder)
                .args(arguments)
                .args(["--state", "state", "--color", "never"]);
            command.output().unwrap()
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told).split_whitespace().collect::<Vec<_>>().join(" ");
        (output.status.code(), told)
    }
}

/// What must stand in the DNS, as a zone file has it.
fn value() -> String {
    let token = secrets::tag_key(&KEY.to_owned().into()).unwrap().ownership("contoso.example");
    format!("mailflow-own={token}")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_record_nothing_that_pretends_is_sent() {
    let dns = Dns::with(&["_mailflow.contoso.example,mailflow-own=ofanothersite".to_owned()], None);
    let world = World::new(dns.port).await;
    let record = format!("_mailflow.contoso.example. TXT \"{}\"", value());
    let run: &[&str] = &["run", "pretends.yaml", "--report", "json=report.json"];

    let (code, told) = world.mailflow(run).await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("with another value") && told.contains(&record), "{told}");
    let (code, told) = world.mailflow(&["check"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("WRONG own domain contoso.example") && told.contains(&record),
        "{told}"
    );
    assert!(told.contains("signs for s1._domainkey.sender.example"), "{told}");

    let port = dns.port;
    drop(dns);
    let (code, told) = world.mailflow(run).await;
    assert_eq!(code, Some(2), "a DNS that cannot be asked proves nothing: {told}");
    assert!(told.contains(&record), "{told}");
    let dns = Dns::with(&[], Some(port));
    let (code, told) = world.mailflow(run).await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("the record is not there") && told.contains(&record), "{told}");
    drop(dns);

    assert!(!world.path().join("report.json").exists());
    let (_, told) = world.mailflow(&["runs"]).await;
    assert!(!told.contains("impersonation"), "no run was begun: {told}");
}

/// The record of the sender's key, as dnsmasq takes it: in strings of at most 255 octets.
fn published() -> String {
    let pem = include_str!("send/keys/rsa-pkcs8.pem").to_owned().into();
    let record = mailflow::send::Signer::new("sender.example", "s1", &pem).unwrap().record();
    let pieces: Vec<&str> = record
        .as_bytes()
        .chunks(200)
        .map(|piece| std::str::from_utf8(piece).unwrap())
        .collect();
    pieces.join(",")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_arrives_as_it_was_sent_and_signed() {
    let key = published();
    let dns = Dns::with(
        &[
            format!("_mailflow.contoso.example,{}", value()),
            format!("s1._domainkey.sender.example,{key}"),
        ],
        None,
    );
    let world = World::new(dns.port).await;
    let (code, told) = world.mailflow(&["check"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("proven by the record _mailflow.contoso.example. TXT"), "{told}");
    let (code, told) = world.mailflow(&["run", "kinds.yaml", "--report", "json=report.json"]).await;
    let report = fs::read(world.path().join("report.json")).unwrap_or_else(|error| panic!("{error}: {told}"));
    let judged = read_json(&report).unwrap();
    let verdicts: Vec<String> = judged
        .probes
        .iter()
        .map(|probe| format!("{}: {} {:?}", probe.message, probe.verdict, probe.alterations))
        .collect();
    assert_eq!(code, Some(0), "{verdicts:#?}\n{told}");
    let expected: Vec<String> = [
        "plain",
        "html",
        "link",
        "attachment",
        "verification",
        "office",
        "archive",
        "encrypted-zip",
        "calendar",
        "large 300KB",
        "unicode",
        "list",
        "template notice.eml",
        "self-spoof",
        "display-name",
    ]
    .iter()
    .map(|kind| format!("{kind}: inbox []"))
    .chain(["eicar: rejected []".to_owned()])
    .collect();
    assert_eq!(verdicts, expected);
    let plan = fs::read_dir(world.path().join("state")).unwrap();
    for file in plan.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = fs::read(&file).unwrap();
        let secret = b"PRIVATE KEY";
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", file.display());
    }
}
