//! The message trace of Microsoft 365 by the real binary: what no folder shows, and mailboxes that must not be read, against the embedded post
//! office and its simulated tenant, whose trace is as late and as fickle as the real one, only quicker.
//!
//! What it cannot show: a live tenant. The simulator answers as Microsoft's own description says (see `tests/tenant`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]

use mailflow::{
    clock::Clock,
    model::{Basis, Judged, JudgedProbe, Outcome, Verdict},
    postoffice::{
        PostOffice, Settings,
        tenant::{App, Config, Trace},
    },
    report::read_json,
};
use std::{fs, process::Command};

const CLIENT: &str = "9f20c1d2-3a4b-4c5d-8e6f-7a8b9c0d1e2f";
const SECRET: &str = "kept between the tenant and us";

const RECIPIENTS: &str = r"
recipients:
  - { address: ok@tenant.example }
  - { address: quarantined@tenant.example }
  - { address: filtered@tenant.example }
  - { address: zap-quarantined@tenant.example }
  - { address: redirected@tenant.example }
  - { address: lost@tenant.example }
  - { address: pending@tenant.example }
  - { address: getting-status@tenant.example }
  - { address: list@tenant.example, reaches: [member-1@tenant.example, member-2@tenant.example, member-3@tenant.example] }
  - { address: list-de@tenant.example, reaches: [member-1@tenant.example, member-2@tenant.example, boss] }
  - { address: member-3@tenant.example, mailbox: { trace: lab } }
  - { address: ok-7@tenant.example, mailbox: { trace: lab } }
  - { address: junk-7@tenant.example, mailbox: { trace: lab } }
  - { address: quarantined-7@tenant.example, mailbox: { trace: lab } }
  - { address: ndr-5.1.10@tenant.example, mailbox: { trace: lab } }
  - { address: handed-over@tenant.example, mailbox: { trace: lab } }
";

struct World {
    office: PostOffice,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(recipients: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::explained("", recipients, change).await
    }

    /// With `explain` as a further key of `trace`.
    async fn explained(explain: &str, recipients: &str, change: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::start();
        let mut config = Config::new(App::with_secret(CLIENT, SECRET));
        change(&mut config);
        let mut settings = Settings::new(move || clock.now());
        settings.tenant = Some(config);
        let office = PostOffice::open(settings).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let tenant = office.tenant().expect("there is a tenant");
        let addresses = office.addresses();
        let site = format!(
            r#"
sender: {{ address: probe@sender.example, mailbox: returns }}
tenants:
  lab: {{ tenant_id: {id}, client_id: {CLIENT}, secret: {{ file: app.secret }}, trace: {{ delay: 6s{explain} }}, cloud: {{ authority: "{authority}", graph: "{graph}", ca: {{ file: tenant.pem }} }} }}
routes:
  internet: {{ smtp: {{ url: "smtp://smtp.sender.example", connect: "{submission}", ca: {{ file: ca.pem }}, user: probe@sender.example, password: {{ file: probe.secret }} }} }}
mailboxes:
  returns: {{ imap: {{ url: "imaps://imap.contoso.example", connect: "{imaps}", ca: {{ file: ca.pem }}, user: probe@sender.example, password: {{ file: probe.secret }} }} }}
  boss: {{ trace: lab }}
defaults: {{ mailbox: {{ graph: {{ tenant: lab, user: "{{address}}" }} }} }}
{recipients}"#,
            id = Config::new(App::default()).id,
            authority = tenant.authority(),
            graph = tenant.graph(),
            submission = addresses.submission,
            imaps = addresses.imaps,
        );
        for (file, text) in [
            ("mailflow.yaml", site),
            ("ca.pem", office.ca_pem().to_owned()),
            ("tenant.pem", tenant.ca_pem().to_owned()),
            ("app.secret", SECRET.to_owned()),
            ("probe.secret", office.password("probe@sender.example")),
            (
                "scenario.yaml",
                "name: traced\nexpect: [inbox, delivered]\nwithin: 12s\ngive_up_after: 14s\nsettle: 2s\n".to_owned(),
            ),
        ] {
            fs::write(folder.path().join(file), text).unwrap();
        }
        Self { office, folder }
    }

    /// What `check` says, on one line however it was wrapped.
    async fn check(&self) -> (Option<i32>, String) {
        let (code, told) = self.mailflow(&["check"]).await;
        (code, told.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Its exit code and what it says.
    async fn mailflow(&self, arguments: &'static [&'static str]) -> (Option<i32>, String) {
        let folder = self.folder.path().to_owned();
        let run = move || {
            Command::new(env!("CARGO_BIN_EXE_mailflow"))
                .current_dir(folder)
                .args(arguments)
                .args(["--state", "state"])
                .output()
                .unwrap()
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(!told.concat().contains(SECRET), "a secret was told");
        (output.status.code(), told.join("\n"))
    }

    async fn run(&self) -> (Judged, String) {
        let (_, told) = self.mailflow(&["run", "scenario.yaml", "--report", "json=report.json"]).await;
        let report = fs::read(self.folder.path().join("report.json")).unwrap_or_else(|error| panic!("no report ({error})\n{told}"));
        (read_json(&report).unwrap(), told)
    }
}

fn of<'a>(judged: &'a Judged, address: &str) -> &'a JudgedProbe {
    let found = judged.probes.iter().find(|probe| probe.recipient == address);
    found.unwrap_or_else(|| panic!("no probe to {address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_folder_shows_is_told_by_the_trace() {
    let world = World::new(RECIPIENTS, |_| ()).await;
    let (judged, told) = world.run().await;
    for (local, verdict, basis, flags, said) in [
        ("ok", Verdict::Inbox, Some(Basis::Seen), &[][..], "inbox"),
        (
            "quarantined",
            Verdict::Quarantine,
            Some(Basis::Trace),
            &[],
            "held in quarantine: “The message was identified as spam",
        ),
        ("filtered", Verdict::Rejected, Some(Basis::Trace), &[], "refused it as spam"),
        ("zap-quarantined", Verdict::Quarantine, Some(Basis::Trace), &[], "taken out again"),
        ("redirected", Verdict::Elsewhere, Some(Basis::Trace), &[], "stored somewhere else"),
        ("lost", Verdict::Lost, Some(Basis::Seen), &[], "did not come to Exchange Online"),
        ("pending", Verdict::Unknown, None, &[], "\"pending\""),
        ("getting-status", Verdict::Unknown, None, &[], "\"gettingStatus\""),
        ("list", Verdict::Partial, Some(Basis::Seen), &[], "1 has it as expected"),
        ("ok-7", Verdict::Delivered, Some(Basis::Trace), &[], "the folder is not known"),
        ("junk-7", Verdict::Delivered, Some(Basis::Trace), &[], "the folder is not known"),
        ("quarantined-7", Verdict::Quarantine, Some(Basis::Trace), &[], "held in quarantine"),
        ("ndr-5.1.10", Verdict::Bounced, Some(Basis::Dsn), &[], "Recipient not found"),
        ("handed-over", Verdict::Unknown, None, &[], "203.0.113.77"),
    ] {
        let probe = of(&judged, &format!("{local}@tenant.example"));
        let measured = (probe.verdict, probe.basis, &probe.flags[..]);
        assert_eq!(measured, (verdict, basis, flags), "{local}: {}\n{told}", probe.explanation);
        assert!(probe.explanation.contains(said), "{local}: {}", probe.explanation);
        assert!(
            probe.outcome == Outcome::Passed || probe.remedy.is_some(),
            "{local} says what to do"
        );
    }
    let list = of(&judged, "list@tenant.example");
    let members: Vec<(&str, Verdict)> = list
        .members
        .iter()
        .map(|member| (member.mailbox.as_str(), member.verdict))
        .collect();
    assert_eq!(
        members,
        [
            ("member-1@tenant.example", Verdict::Inbox),
            ("member-2@tenant.example", Verdict::Junk),
            ("member-3@tenant.example", Verdict::Quarantine)
        ]
    );
    let list = of(&judged, "list-de@tenant.example");
    let boss = list.members.iter().find(|member| member.mailbox.as_str() == "boss").unwrap();
    assert_eq!(
        boss.verdict,
        Verdict::Unknown,
        "whose address boss has, the site does not say: {:?}",
        boss.reason
    );
    assert!(
        boss.reason.as_ref().unwrap().contains("member-3@tenant.example"),
        "{:?}",
        boss.reason
    );
    let usage = world.office.tenant().unwrap().usage();
    assert_eq!(usage.violations, 0, "the limits of the service were kept: {usage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_service_principal_the_trace_says_nothing_and_nothing_is_called_lost() {
    let recipients = "recipients: [{ address: ok@tenant.example }, { address: lost@tenant.example }, { address: ok-7@tenant.example, mailbox: { trace: lab } }]";
    let world = World::new(recipients, |config| config.trace = Trace::NotProvisioned).await;
    let (code, told) = world.check().await;
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("New-MgServicePrincipal -AppId 8bd644d1-64a1-4d4b-ae52-2e0cbf64e373"),
        "{told}"
    );
    let (judged, told) = world.run().await;
    assert_eq!(of(&judged, "ok@tenant.example").verdict, Verdict::Inbox, "{told}");
    for address in ["lost@tenant.example", "ok-7@tenant.example"] {
        let probe = of(&judged, address);
        assert_eq!(
            (probe.verdict, probe.basis),
            (Verdict::Unknown, None),
            "{address}: {}",
            probe.explanation
        );
        assert!(
            probe.explanation.contains("does not know the message trace's own application"),
            "{}",
            probe.explanation
        );
        assert!(
            probe.remedy.as_ref().unwrap().contains("Create that service principal"),
            "{:?}",
            probe.remedy
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_asks_the_trace_once_and_says_how_late_it_is() {
    let world = World::new("recipients: [{ address: ok@tenant.example }]", |_| ()).await;
    let (code, told) = world.check().await;
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("message trace of lab") && told.contains("the message trace answers"),
        "{told}"
    );
    let world = World::new("recipients: [{ address: ok@tenant.example }]", |config| {
        config.apps[0].roles.remove("ExchangeMessageTrace.Read.All");
    })
    .await;
    let (code, told) = world.check().await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("ExchangeMessageTrace.Read.All"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_finished_by_the_trace() {
    let recipients = "recipients: [{ address: quarantined@tenant.example }, { address: ok-7@tenant.example, mailbox: { trace: lab } }]";
    let world = World::new(recipients, |_| ()).await;
    let mut run = Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(world.folder.path())
        .args(["run", "scenario.yaml", "--quiet", "--state", "state"])
        .spawn()
        .unwrap();
    // Both are on their way when it is killed, and the trace does not show them yet.
    let tenant = world.office.tenant().unwrap();
    let arrived = || tenant.copies("ok-7@tenant.example").len();
    while arrived() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    run.kill().unwrap();
    run.wait().unwrap();
    let (_, told) = world.mailflow(&["watch", "--report", "json=report.json"]).await;
    let judged = read_json(&fs::read(world.folder.path().join("report.json")).unwrap()).unwrap();
    for (address, verdict) in [
        ("quarantined@tenant.example", Verdict::Quarantine),
        ("ok-7@tenant.example", Verdict::Delivered),
    ] {
        let probe = of(&judged, address);
        assert_eq!(
            (probe.verdict, probe.basis),
            (verdict, Some(Basis::Trace)),
            "{address}: {}\n{told}",
            probe.explanation
        );
    }
}

const EXPLAINED: &str = r"
recipients:
  - { address: ok@tenant.example }
  - { address: quarantined@tenant.example }
  - { address: filtered@tenant.example }
  - { address: zap-quarantined@tenant.example }
";

/// A run on a tenant that is explained in this way, and how often it was asked; each held message's policy is named.
async fn explained(way: &'static str, path: &str) -> Vec<String> {
    let world = World::explained(way, EXPLAINED, |_| ()).await;
    let (code, told) = world.check().await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("answers too"), "{told}");
    let (judged, told) = world.run().await;
    for (local, verdict, said) in [
        ("quarantined", Verdict::Quarantine, "held by the policy “Anti-phishing” as “"),
        ("zap-quarantined", Verdict::Quarantine, "held by the policy “Anti-phishing” as “"),
        ("filtered", Verdict::Rejected, "refused by the policy “Anti-phishing” as “"),
    ] {
        let probe = of(&judged, &format!("{local}@tenant.example"));
        assert_eq!((probe.verdict, probe.basis), (verdict, Some(Basis::Trace)), "{local}: {told}");
        assert!(probe.explanation.contains(said), "{local}: {}", probe.explanation);
        assert!(
            probe.explanation.contains("found by “Advanced filter”"),
            "{local}: {}",
            probe.explanation
        );
    }
    let held = of(&judged, "quarantined@tenant.example");
    assert!(
        held.remedy.as_ref().unwrap().contains("the policy “Anti-phishing”"),
        "{:?}",
        held.remedy
    );
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("Defender: policy Anti-phishing"), "{told}");
    assert_eq!(of(&judged, "ok@tenant.example").verdict, Verdict::Inbox, "{told}");
    let tenant = world.office.tenant().unwrap();
    assert_eq!(tenant.usage().violations, 0, "{:?}", tenant.usage());
    let asked = tenant.requests().into_iter().filter(|request| request.path.ends_with(path));
    asked.map(|request| format!("{}{:?}", request.body, request.query)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hunting_names_the_policy_that_held_it_and_no_address_stands_in_its_queries() {
    let asked = explained(", explain: hunting", "/security/runHuntingQuery").await;
    assert!((2..=20).contains(&asked.len()), "{asked:?}");
    assert!(
        !asked.concat().contains('@') && !asked.concat().contains("tenant.example"),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_analysed_messages_names_the_policy_that_held_it() {
    let asked = explained(", explain: analyzed-emails", "/security/collaboration/analyzedEmails").await;
    assert!(asked.len() >= 4, "one for the check, and one for each: {asked:?}");
    assert!(
        !asked.concat().contains("'ok@tenant.example'"),
        "what was delivered needs no explanation: {asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_licence_the_verdicts_are_the_same_and_check_says_why() {
    let world = World::explained(", explain: hunting", EXPLAINED, |config| config.defender = false).await;
    let (code, told) = world.check().await;
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("the message trace answers, but advanced hunting") && told.contains("has no licence for it"),
        "{told}"
    );
    let (judged, told) = world.run().await;
    for (local, verdict) in [
        ("ok", Verdict::Inbox),
        ("quarantined", Verdict::Quarantine),
        ("filtered", Verdict::Rejected),
        ("zap-quarantined", Verdict::Quarantine),
    ] {
        let probe = of(&judged, &format!("{local}@tenant.example"));
        assert_eq!(probe.verdict, verdict, "{local}: {told}");
        assert!(!probe.explanation.contains("Defender:"), "{}", probe.explanation);
    }
    let requests = world.office.tenant().unwrap().requests();
    let asked = requests.iter().filter(|request| request.path.ends_with("/runHuntingQuery")).count();
    assert_eq!(asked, 2, "once by check, and once by the run, which then let it be");
}
