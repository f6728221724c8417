//! The benchmark: a run over a thousand mailboxes of one simulated Microsoft 365 tenant, which enforces the documented limits of Microsoft Graph.
//!
//! ```text
//! cargo bench --bench thousand_graph                             1,000 mailboxes
//! cargo bench --bench thousand_graph -- --mailboxes 200 --rate 5 fewer, and slower
//! ```
//!
//! It prints how many requests it took, the highest rates beside the limits that Microsoft documents, and mailflow's memory; it fails if a limit is
//! broken or a verdict is wrong. The tenant and mailflow share this machine's cores. What it cannot see: the delays of a real network, and
//! limits that Microsoft does not document.

#![expect(clippy::print_stdout, reason = "it shows its figures to whoever started it")]
#![allow(clippy::expect_used, clippy::panic, reason = "without a tenant there is nothing to measure")]

#[path = "../five_hundred/figures.rs"]
#[allow(dead_code, reason = "the other benchmark has figures with aims")]
mod figures;

use clap::Parser;
use figures::{Sample, row};
use mailflow::{
    clock::Clock,
    model::{Judged, Verdict},
    postoffice::{
        PostOffice, Settings,
        tenant::{App, Config, Limits, Usage},
    },
    report::read_json,
};
use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

const CLIENT: &str = "9f20c1d2-3a4b-4c5d-8e6f-7a8b9c0d1e2f";
const SECRET: &str = "kept between the tenant and us";

#[derive(Debug, Parser)]
struct Arguments {
    /// How many mailboxes the run covers: of twenty, eighteen get it in the inbox, one in junk, and of one it is held.
    #[arg(long, default_value_t = 1_000)]
    mailboxes: usize,
    /// How many messages a second leave.
    #[arg(long, default_value_t = 25)]
    rate: u32,
    /// Given by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What must come out for the mailbox of this number.
fn fate(number: usize) -> (&'static str, Verdict) {
    match number % 20 {
        7 => ("junk", Verdict::Junk),
        13 => ("quarantined", Verdict::Quarantine),
        _ => ("ok", Verdict::Inbox),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let office = runtime.block_on(open());
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path(), &office, &arguments);
    let begun = tokio::time::Instant::now();
    let (memory, finished) = watch_memory(start(folder.path()));
    let wall = begun.elapsed();
    assert!(finished, "mailflow ended by a signal");
    let report = fs::read(folder.path().join("report.json")).expect("there is a report");
    let judged = read_json(&report).expect("it is a report");
    let tenant = office.tenant().expect("there is a tenant");
    show(&arguments, &judged, &tenant.usage(), wall, memory)
}

async fn open() -> PostOffice {
    let clock = Clock::start();
    let mut settings = Settings::new(move || clock.now());
    settings.tenant = Some(Config::new(App::with_secret(CLIENT, SECRET)));
    PostOffice::open(settings).await.expect("a post office")
}

fn write_files(folder: &Path, office: &PostOffice, arguments: &Arguments) {
    let tenant = office.tenant().expect("there is a tenant");
    let addresses = office.addresses();
    let mut site = format!(
        r#"
sender: {{ address: probe@sender.example, mailbox: returns }}
tenants:
  lab: {{ tenant_id: {id}, client_id: {CLIENT}, secret: {{ file: app.secret }}, trace: {{ delay: 10s }}, cloud: {{ authority: "{authority}", graph: "{graph}", ca: {{ file: tenant.pem }} }} }}
routes:
  internet: {{ smtp: {{ url: "smtp://smtp.sender.example", connect: "{submission}", ca: {{ file: ca.pem }}, user: probe@sender.example, password: {{ file: probe.secret }} }}, rate: {rate}/min }}
mailboxes:
  returns: {{ imap: {{ url: "imaps://imap.contoso.example", connect: "{imaps}", ca: {{ file: ca.pem }}, user: probe@sender.example, password: {{ file: probe.secret }} }} }}
defaults: {{ mailbox: {{ graph: {{ tenant: lab, user: "{{address}}" }} }}, quarantine: trace }}
recipients:
"#,
        id = Config::new(App::default()).id,
        rate = arguments.rate * 60,
        authority = tenant.authority(),
        graph = tenant.graph(),
        submission = addresses.submission,
        imaps = addresses.imaps,
    );
    for number in 0..arguments.mailboxes {
        let (word, verdict) = fate(number);
        writeln!(site, "  - {{ address: {word}-{number}@tenant.example, expect: {verdict} }}").expect("text takes text");
    }
    for (file, text) in [
        ("mailflow.yaml", site.as_str()),
        ("ca.pem", office.ca_pem()),
        ("tenant.pem", tenant.ca_pem()),
        ("app.secret", SECRET),
        ("probe.secret", &office.password("probe@sender.example")),
        (
            "scenario.yaml",
            "name: many\nexpect: inbox\nwithin: 30s\ngive_up_after: 90s\nsettle: 5s\n",
        ),
    ] {
        fs::write(folder.join(file), text).expect("a file");
    }
}

fn start(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(folder)
        .args([
            "run",
            "scenario.yaml",
            "--state",
            "state",
            "--quiet",
            "--report",
            "json=report.json",
        ])
        .stdout(Stdio::null())
        .spawn()
        .expect("mailflow starts")
}

/// The most memory that was resident, in bytes, and whether it ended by itself.
fn watch_memory(mut child: Child) -> (f64, bool) {
    let mut most: f64 = 0.0;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let mark = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        most = mark.map_or(most, |kibibytes| most.max(kibibytes * 1024.0));
        match child.try_wait().expect("it can be waited for") {
            Some(status) => return (most, status.code().is_some()),
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn show(arguments: &Arguments, judged: &Judged, usage: &Usage, wall: Duration, memory: f64) -> ExitCode {
    let limits = Limits::default();
    let wrong: Vec<String> = judged
        .probes
        .iter()
        .filter(|probe| {
            let number = probe.recipient.split(['-', '@']).nth(1).and_then(|number| number.parse().ok());
            number.is_none_or(|number| fate(number).1 != probe.verdict)
        })
        .map(|probe| format!("{}: {}: {}", probe.recipient, probe.verdict, probe.explanation))
        .collect();
    println!(
        "{} mailboxes of one tenant, {} messages a second",
        arguments.mailboxes, arguments.rate
    );
    row("wall", format!("{:.1} s", wall.as_secs_f64()));
    row(
        "verdicts as they must be",
        format!("{} of {}", judged.probes.len() - wrong.len(), arguments.mailboxes),
    );
    row("most resident memory", format!("{:.1} MB", memory / 1e6));
    // A copy cannot have come before the probe left, however long ago the last look was.
    let width = judged
        .probes
        .iter()
        .filter_map(|probe| Some(probe.latency_uncertainty_ms?.min(probe.latency_ms?)));
    row("width of the intervals: median / p95 / most", Sample::new(width).spread());
    row("requests to Graph", format!("{} ({} batches)", usage.requests, usage.batches));
    row("requests for tokens", usage.token_requests);
    row(
        "most in one second",
        format!("{} (limit: {} in 10 s)", usage.peak_per_second, limits.app_requests),
    );
    row(
        "most to one mailbox in ten minutes",
        format!("{} (limit: {})", usage.peak_mailbox, limits.mailbox_requests),
    );
    row(
        "most to one mailbox at once",
        format!("{} (limit: {})", usage.peak_concurrency, limits.mailbox_concurrency),
    );
    row("most in flight", usage.peak_in_flight);
    row(
        "most to the trace in five minutes",
        format!("{} (limit: {})", usage.peak_trace, limits.trace_requests),
    );
    row("turned away with 429", usage.throttled);
    row("limits broken", usage.violations);
    for line in wrong.iter().take(10).chain(&usage.described) {
        println!("  ! {line}");
    }
    if wrong.is_empty() && usage.violations == 0 && judged.probes.len() == arguments.mailboxes {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
