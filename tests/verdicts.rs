//! Every verdict and every flag against the known truth, on each route: once on the embedded post office, once on the lab of real servers.
//!
//! Both worlds know the same recipients (`truth.yaml`), and the real binary runs the same scenario on both. A mismatch names the probe, what
//! was measured and what is true, and shows the run's own report.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

mod lab;

use lab::{
    Lab,
    accounts::{CATCH_ALL, PASSWORD, QUARANTINE, SENDER, WATCHER_PASSWORD},
};
use mailflow::{
    clock::Clock,
    model::{Judged, JudgedProbe},
    postoffice::{PostOffice, Settings},
    report::read_json,
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

/// One line of `truth.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Truth {
    to: String,
    #[serde(default = "plain")]
    message: String,
    #[serde(default)]
    case: Option<String>,
    is: String,
    #[serde(default)]
    members: BTreeMap<String, String>,
    #[serde(default)]
    on: BTreeMap<String, String>,
}

fn plain() -> String {
    "plain".to_owned()
}

impl Truth {
    /// The verdict and the flags on a route of a world; `None` where this recipient is not tried.
    fn on(&self, world: &str, route: &str, tags_subjects: bool) -> Option<(String, BTreeSet<String>)> {
        let keys = [format!("{world}/{route}"), world.to_owned(), route.to_owned()];
        let text = keys.iter().find_map(|key| self.on.get(key)).unwrap_or(&self.is);
        let mut words = text.split_whitespace().map(str::to_owned);
        let verdict = words.next().filter(|verdict| verdict != "none")?;
        let mut flags: BTreeSet<String> = words.collect();
        let arrives = !["rejected", "bounced", "lost"].contains(&verdict.as_str());
        if arrives && tags_subjects {
            flags.insert("altered".to_owned());
        }
        Some((verdict, flags))
    }
}

/// A mail world to measure.
struct World {
    name: &'static str,
    /// Its routes, and whether they lead through the gateway that tags subjects.
    routes: &'static [(&'static str, bool)],
    /// The part of the site that differs: routes, and how the store is reached.
    site: String,
    ca: String,
    secrets: Vec<(&'static str, String)>,
}

/// What both sites share.
const SITE: &str = r"
senders:
  outside: { address: probe@sender.example, name: Mail-flow probe, contact: it@contoso.example, mailbox: returns }
recipients:
  - { address: anybody@catchall.example, mailbox: catch-all }
  - { address: list@contoso.example, reaches: [member-1@contoso.example, member-2@contoso.example, full@contoso.example] }
";

#[test]
fn on_the_post_office() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let office = runtime
        .block_on(async {
            let clock = Clock::start();
            PostOffice::open(Settings::new(move || clock.now())).await
        })
        .unwrap();
    let at = office.addresses();
    let smtp = |at: std::net::SocketAddr, host: &str| {
        format!("url: \"smtp://{host}:25\", connect: \"{at}\", tls: required, ca: {{ file: ca.pem }}")
    };
    let site = format!(
        r"
routes:
  submission: {{ smtp: {{ {submission}, user: {SENDER}, password: {{ file: sender.secret }} }}, default: true }}
  gateway-a: {{ smtp: {{ {gateway_a} }} }}
  gateway-b: {{ smtp: {{ {gateway_b} }} }}
",
        submission = smtp(at.submission, "smtp.sender.example"),
        gateway_a = smtp(at.gateway_a, "gateway-a.contoso.example"),
        gateway_b = smtp(at.gateway_b, "gateway-b.contoso.example"),
    );
    let store = format!(
        "url: \"imaps://imap.contoso.example\", connect: \"{}\", ca: {{ file: ca.pem }}",
        at.imaps
    );
    measure(&World {
        name: "post office",
        routes: &[("submission", false), ("gateway-a", false), ("gateway-b", true)],
        site: site + &mailboxes(&store),
        ca: office.ca_pem().to_owned(),
        secrets: vec![
            ("sender.secret", office.password(SENDER)),
            ("watcher.secret", office.password("watcher")),
        ],
    });
}

#[test]
fn on_the_lab() {
    let lab = Lab::start();
    let site = format!(
        r#"
domains:
  contoso.example: {{ a: 127.0.0.2, b: 127.0.0.3 }}
  fabrikam.example: {{ a: 127.0.0.2, b: 127.0.0.3 }}
  catchall.example: {{ a: 127.0.0.2, b: 127.0.0.3 }}
routes:
  submission: {{ smtp: {{ url: "smtp://localhost:{submission}", connect: "127.0.0.1:{submission}", ca: {{ file: ca.pem }}, user: {SENDER}, password: {{ file: sender.secret }} }}, default: true, connections: 4 }}
  gateway-a: {{ smtp: {{ url: "smtp://{{domain.a}}:{mx}", ca: {{ file: ca.pem }} }}, connections: 4 }}
  gateway-b: {{ smtp: {{ url: "smtp://{{domain.b}}:{mx}", ca: {{ file: ca.pem }} }}, connections: 4 }}
  mx: {{ mx: {{ resolver: "{dns}", port: {mx}, ca: {{ file: ca.pem }} }}, connections: 4 }}
"#,
        submission = lab.submission().port(),
        mx = lab.mx_port(),
        dns = lab.dns(),
    );
    let store = format!(
        "url: \"imaps://mail.contoso.example\", connect: \"{}\", ca: {{ file: ca.pem }}",
        lab.imaps()
    );
    measure(&World {
        name: "lab",
        routes: &[("submission", false), ("gateway-a", false), ("gateway-b", true), ("mx", false)],
        site: site + &mailboxes(&store),
        ca: fs::read_to_string(lab.ca_file()).unwrap(),
        secrets: vec![
            ("sender.secret", PASSWORD.to_owned()),
            ("watcher.secret", WATCHER_PASSWORD.to_owned()),
        ],
    });
}

/// The mailboxes of both worlds: a master user opens each.
fn mailboxes(store: &str) -> String {
    let open = |user: &str| format!("imap: {{ {store}, user: \"{user}*watcher\", password: {{ file: watcher.secret }} }}");
    let default = open("{address}");
    let named = [
        ("returns", SENDER, ""),
        ("held", QUARANTINE, ", placement: quarantine"),
        ("catch-all", CATCH_ALL, ""),
        ("someone-else", "someone-else@contoso.example", ""),
    ];
    let named: String = named
        .iter()
        .map(|(name, user, more)| format!("  {name}: {{ {}{more} }}\n", open(user)))
        .collect();
    format!("defaults:\n  quarantine: [held]\n  mailbox: {{ {default} }}\nmailboxes:\n{named}")
}

fn measure(world: &World) {
    let truths: Vec<Truth> = serde_yaml::from_str(include_str!("truth.yaml")).unwrap();
    assert!(!truths.is_empty());
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), world, &truths);
    let scenario = scenario(world, &truths);
    fs::write(folder.path().join("scenario.yaml"), &scenario).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(folder.path())
        .args([
            "run",
            "scenario.yaml",
            "--state",
            "state",
            "--report",
            "json=report.json",
            "--verbose",
            "--color",
            "never",
        ])
        .output()
        .unwrap();
    let told = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    let report = fs::read(folder.path().join("report.json")).unwrap_or_else(|error| panic!("{error}: no report\n{told}\n{scenario}"));
    let judged = read_json(&report).unwrap();
    let wrong = compare(world, &truths, &judged);
    assert!(
        wrong.is_empty(),
        "{}: measured otherwise than it is:\n{}\n\n{told}",
        world.name,
        wrong.join("\n")
    );
    let expected_code = i32::from(judged.summary.failed > 0);
    assert_eq!(output.status.code(), Some(expected_code), "{told}");
}

fn write_files(folder: &Path, world: &World, truths: &[Truth]) {
    let own = ["anybody@catchall.example", "list@contoso.example"];
    let addresses: BTreeSet<&str> = truths
        .iter()
        .map(|truth| truth.to.as_str())
        .filter(|address| !own.contains(address))
        .collect();
    let recipients: String = addresses.iter().map(|address| format!("  - {{ address: {address} }}\n")).collect();
    fs::write(folder.join("mailflow.yaml"), format!("{SITE}{recipients}{}", world.site)).unwrap();
    fs::write(folder.join("ca.pem"), &world.ca).unwrap();
    for (name, secret) in &world.secrets {
        fs::write(folder.join(name), secret).unwrap();
    }
}

/// One case for each kind of message, and for each further case of the truth.
fn scenario(world: &World, truths: &[Truth]) -> String {
    let mut cases: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    for truth in truths {
        for (route, _) in world.routes {
            if truth.on(world.name, route, false).is_some() {
                let name = truth.case.clone().unwrap_or_else(|| truth.message.clone());
                cases
                    .entry((format!("{name} by {route}"), route.to_string()))
                    .or_default()
                    .insert(&truth.to);
            }
        }
    }
    let mut text = "name: every verdict\nrecipients: { addresses: [ok@fabrikam.example] }\nroutes: [submission]\nwithin: 50s\ngive_up_after: 50s\nsettle: 8s\ncases:\n".to_owned();
    for ((name, route), recipients) in cases {
        let message = name.split(' ').next().unwrap().replace("late", "plain");
        let within = if name.starts_with("late") { ", within: 3s" } else { "" };
        let recipients = recipients.into_iter().collect::<Vec<_>>().join(", ");
        text += &format!(
            "  - {{ name: {name}, routes: [{route}], messages: [{message}], recipients: {{ addresses: [{recipients}] }}{within} }}\n"
        );
    }
    text
}

fn compare(world: &World, truths: &[Truth], judged: &Judged) -> Vec<String> {
    let mut wrong = Vec::new();
    for truth in truths {
        for (route, tags_subjects) in world.routes {
            let Some((verdict, flags)) = truth.on(world.name, route, *tags_subjects) else {
                continue;
            };
            let case = format!("{} by {route}", truth.case.as_ref().unwrap_or(&truth.message));
            let of_truth =
                |probe: &&JudgedProbe| probe.recipient == truth.to && probe.route == *route && probe.case.as_deref() == Some(&case);
            let Some(probe) = judged.probes.iter().find(of_truth) else {
                wrong.push(format!("{} {case}: no such probe", truth.to));
                continue;
            };
            let measured: BTreeSet<String> = probe.flags.iter().map(ToString::to_string).collect();
            if probe.verdict.word() != verdict || measured != flags {
                wrong.push(format!(
                    "{} {case}: measured {} {measured:?}, true is {verdict} {flags:?}: {}",
                    truth.to, probe.verdict, probe.explanation
                ));
            }
            for (member, verdict) in &truth.members {
                let measured = probe
                    .members
                    .iter()
                    .find(|measured| measured.mailbox.as_str() == member)
                    .map(|measured| measured.verdict.word());
                if measured != Some(verdict) {
                    wrong.push(format!(
                        "{} {case}: member {member} measured {measured:?}, true is {verdict}",
                        truth.to
                    ));
                }
            }
        }
    }
    wrong
}
