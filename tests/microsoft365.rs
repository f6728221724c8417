//! A mixed world by the real binary: mailboxes read over IMAP and over Microsoft Graph in one scenario, probes from outside by SMTP and from inside
//! by Graph, against the embedded post office and its simulated tenant.
//!
//! What it cannot show: a live tenant. The simulator answers as Microsoft's own description says (see `tests/tenant`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on ends"
)]

#[allow(dead_code, reason = "shared with the tests of the simulated tenant, which use all of it")]
mod contract;

use mailflow::{
    clock::Clock,
    model::{Flag, Judged, JudgedProbe, Outcome, Verdict},
    postoffice::{
        PostOffice, Settings,
        tenant::{App, Config},
    },
    report::read_json,
};
use std::{fs, path::Path, process::Command, time::Duration};

const CLIENT: &str = "9f20c1d2-3a4b-4c5d-8e6f-7a8b9c0d1e2f";
const SECRET: &str = "kept between the tenant and us";

/// The site: who is read how, and by which routes probes go.
fn site(office: &PostOffice) -> String {
    let tenant = office.tenant().expect("there is a tenant");
    let addresses = office.addresses();
    format!(
        r#"
senders:
  outside: {{ address: probe@sender.example, mailbox: returns }}
  inside: {{ address: probe@tenant.example, mailbox: inside }}
tenants:
  lab: {{ tenant_id: {id}, client_id: {CLIENT}, secret: {{ file: app.secret }}, cloud: {{ authority: "{authority}", graph: "{graph}", ca: {{ file: tenant.pem }} }} }}
routes:
  internet: {{ smtp: {{ url: "smtp://smtp.sender.example", connect: "{submission}", ca: {{ file: ca.pem }}, user: probe@sender.example, password: {{ file: probe.secret }} }}, default: true }}
  m365: {{ graph: {{ tenant: lab, user: probe@tenant.example }}, sender: inside }}
mailboxes:
  returns: {{ imap: {{ url: "imaps://imap.contoso.example", connect: "{imaps}", ca: {{ file: ca.pem }}, user: probe@sender.example, password: {{ file: probe.secret }} }} }}
  inside: {{ graph: {{ tenant: lab, user: probe@tenant.example }} }}
  imap: {{ imap: {{ url: "imaps://imap.contoso.example", connect: "{imaps}", ca: {{ file: ca.pem }}, user: "ok@contoso.example*watcher", password: {{ file: watcher.secret }} }} }}
defaults: {{ mailbox: {{ graph: {{ tenant: lab, user: "{{address}}" }} }}, quarantine: none }}
recipients:
  - {{ address: ok@contoso.example, mailbox: imap }}
  - {{ address: ok@tenant.example }}
  - {{ address: junk-de@tenant.example }}
  - {{ address: rule-moved@tenant.example }}
  - {{ address: rule-deleted@tenant.example }}
  - {{ address: zap@tenant.example }}
  - {{ address: shared@tenant.example }}
  - {{ address: twice@tenant.example }}
  - {{ address: storm@tenant.example }}
  - {{ address: late-4s@tenant.example }}
  - {{ address: ndr-5.7.133@tenant.example }}
  - {{ address: group@tenant.example, mailbox: {{ graph: {{ tenant: lab, group: group@tenant.example }} }} }}
  - {{ address: group-closed@tenant.example, mailbox: {{ graph: {{ tenant: lab, group: group-closed@tenant.example }} }} }}
  - {{ address: unlicensed@tenant.example }}
  - {{ address: out-of-scope@tenant.example }}
"#,
        id = Config::new(App::default()).id,
        authority = tenant.authority(),
        graph = tenant.graph(),
        submission = addresses.submission,
        imaps = addresses.imaps,
    )
}

fn write(folder: &Path, office: &PostOffice) {
    let tenant = office.tenant().expect("there is a tenant");
    for (file, text) in [
        ("mailflow.yaml", site(office)),
        ("ca.pem", office.ca_pem().to_owned()),
        ("tenant.pem", tenant.ca_pem().to_owned()),
        ("app.secret", SECRET.to_owned()),
        ("probe.secret", office.password("probe@sender.example")),
        ("watcher.secret", office.password("watcher")),
        (
            "scenario.yaml",
            "name: mixed\nexpect: inbox\nwithin: 20s\ngive_up_after: 25s\nsettle: 4s\nrecipients: { addresses: ['*'] }\n".to_owned(),
        ),
        (
            "group.yaml",
            "name: to a group\nmessages: [plain, link]\nexpect: inbox\nwithin: 20s\ngive_up_after: 25s\nsettle: 1s\n\
             require: [subject-unchanged, body-unchanged, links-unchanged, dmarc-pass]\nrecipients: { addresses: [group@tenant.example] }\n"
                .to_owned(),
        ),
        (
            "inside.yaml",
            "name: from inside\nroutes: [m365]\nexpect: inbox\nwithin: 20s\ngive_up_after: 25s\nsettle: 1s\nrecipients: { addresses: [ok@tenant.example, ok@contoso.example] }\n"
                .to_owned(),
        ),
    ] {
        fs::write(folder.join(file), text).unwrap();
    }
}

fn run(folder: &Path, arguments: &[&str]) -> (Judged, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(folder)
        .args(arguments)
        .args(["--state", "state", "--report", "json=report.json"])
        .output()
        .unwrap();
    let told = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let report = fs::read(folder.join("report.json")).unwrap_or_else(|error| panic!("no report ({error})\n{told}"));
    (read_json(&report).unwrap(), told)
}

fn of<'a>(judged: &'a Judged, address: &str) -> &'a JudgedProbe {
    judged
        .probes
        .iter()
        .find(|probe| probe.recipient == address)
        .unwrap_or_else(|| panic!("no probe to {address}"))
}

async fn world() -> (PostOffice, tempfile::TempDir) {
    world_with(|_| ()).await
}

async fn world_with(change: impl FnOnce(&mut Config)) -> (PostOffice, tempfile::TempDir) {
    let clock = Clock::start();
    let mut settings = Settings::new(move || clock.now());
    let mut config = Config::new(App::with_secret(CLIENT, SECRET));
    // What was replied is held against Microsoft's description too.
    config.keeps_replies = true;
    change(&mut config);
    settings.tenant = Some(config);
    let office = PostOffice::open(settings).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &office);
    (office, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_of_imap_and_of_graph_are_measured_in_one_run() {
    let (office, folder) = world().await;
    let path = folder.path().to_owned();
    let (judged, told) = tokio::task::spawn_blocking(move || run(&path, &["run", "scenario.yaml"]))
        .await
        .unwrap();
    for (address, verdict, flags) in [
        ("ok@contoso.example", Verdict::Inbox, &[][..]),
        ("ok@tenant.example", Verdict::Inbox, &[]),
        ("junk-de@tenant.example", Verdict::Junk, &[]),
        ("rule-moved@tenant.example", Verdict::Folder, &[]),
        ("rule-deleted@tenant.example", Verdict::Deleted, &[]),
        ("zap@tenant.example", Verdict::Junk, &[Flag::Moved]),
        ("shared@tenant.example", Verdict::Inbox, &[]),
        ("twice@tenant.example", Verdict::Inbox, &[Flag::Duplicated]),
        ("storm@tenant.example", Verdict::Inbox, &[]),
        ("late-4s@tenant.example", Verdict::Inbox, &[]),
        ("ndr-5.7.133@tenant.example", Verdict::Bounced, &[]),
        ("group@tenant.example", Verdict::Inbox, &[]),
        ("group-closed@tenant.example", Verdict::Bounced, &[]),
        ("unlicensed@tenant.example", Verdict::Bounced, &[]),
        ("out-of-scope@tenant.example", Verdict::Unknown, &[]),
    ] {
        let probe = of(&judged, address);
        assert_eq!(probe.verdict, verdict, "{address}: {}\n{told}", probe.explanation);
        assert_eq!(probe.flags, flags, "{address}: {}", probe.explanation);
        let interval = probe.arrived_after.zip(probe.arrived_at);
        assert!(interval.is_none_or(|(after, at)| after <= at), "{address}");
    }
    let junk = of(&judged, "junk-de@tenant.example");
    assert_eq!(junk.folder.as_deref(), Some("Junk-E-Mail"), "as the mailbox calls it");
    let closed = of(&judged, "group-closed@tenant.example");
    let dsn = closed.dsn.as_ref().and_then(|dsn| dsn.status.as_deref());
    assert_eq!(dsn, Some("5.7.133"), "{}", closed.explanation);
    let outside = of(&judged, "out-of-scope@tenant.example");
    assert!(
        outside.explanation.contains("out-of-scope@tenant.example"),
        "{}",
        outside.explanation
    );
    assert!(!told.contains(SECRET) && !fs::read_to_string(folder.path().join("report.json")).unwrap().contains(SECRET));
    let usage = office.tenant().unwrap().usage();
    assert_eq!(usage.violations, 0, "the limits of the service were kept: {usage:?}");
    if let Some(contract) = contract::at_hand() {
        for request in office.tenant().unwrap().requests() {
            assert_eq!(contract.recorded(&request), Vec::<String>::new(), "{request:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_end_in_the_middle_of_a_run_are_replaced() {
    let (office, folder) = world().await;
    let path = folder.path().to_owned();
    let running = tokio::task::spawn_blocking(move || run(&path, &["run", "scenario.yaml", "--only", "recipient:late-4s@tenant.example"]));
    let tenant = office.tenant().unwrap();
    while tenant.usage().requests == 0 && !running.is_finished() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    tenant.expire_tokens();
    let (judged, told) = running.await.unwrap();
    let probe = of(&judged, "late-4s@tenant.example");
    assert_eq!(
        (probe.verdict, probe.outcome),
        (Verdict::Inbox, Outcome::Passed),
        "{}\n{told}",
        probe.explanation
    );
    let refused = tenant.requests().iter().filter(|request| request.status == 401).count();
    assert!(
        refused > 0 && tenant.usage().token_requests > 1,
        "a token was refused, and another asked for"
    );
    assert!(!told.contains("refuses the app's token"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_told_with_the_step_and_nothing_is_called_lost() {
    let (_office, folder) = world_with(|config| config.apps[0].roles.retain(|role| !role.starts_with("Mail.Read"))).await;
    let path = folder.path().to_owned();
    let arguments = ["run", "scenario.yaml", "--only", "recipient:ok@tenant.example"];
    let (judged, told) = tokio::task::spawn_blocking(move || run(&path, &arguments)).await.unwrap();
    let probe = of(&judged, "ok@tenant.example");
    assert_eq!((probe.verdict, probe.outcome), (Verdict::Unknown, Outcome::Unknown), "{told}");
    assert!(probe.explanation.contains("no consent for Mail.Read"), "{}", probe.explanation);
    assert!(
        probe.remedy.as_ref().is_some_and(|step| step.contains("mailflow check")),
        "{:?}",
        probe.remedy
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_groups_mailbox_does_not_show_is_not_claimed() {
    let (_office, folder) = world().await;
    let path = folder.path().to_owned();
    let (judged, told) = tokio::task::spawn_blocking(move || run(&path, &["run", "group.yaml"]))
        .await
        .unwrap();
    assert_eq!(judged.probes.len(), 2, "{told}");
    for probe in &judged.probes {
        assert_eq!((probe.verdict, probe.outcome), (Verdict::Inbox, Outcome::Unknown), "{told}");
        assert_eq!((probe.copies, probe.flags.as_slice()), (1, &[][..]), "{}", probe.explanation);
        let requirements: Vec<(&str, bool, bool)> = probe
            .requirements
            .iter()
            .map(|requirement| (requirement.name.as_str(), requirement.holds, requirement.unseen))
            .collect();
        let expected = [
            ("subject-unchanged", true, false),
            ("body-unchanged", true, false),
            ("links-unchanged", true, false),
            ("dmarc-pass", false, true),
        ];
        assert_eq!(requirements, expected, "{:?}", probe.requirements);
        assert!(
            probe.explanation.contains("Whether `dmarc-pass` holds cannot be told"),
            "{}",
            probe.explanation
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_from_inside_the_tenant_says_so() {
    let (_office, folder) = world().await;
    let path = folder.path().to_owned();
    let (judged, told) = tokio::task::spawn_blocking(move || run(&path, &["run", "inside.yaml"]))
        .await
        .unwrap();
    for (address, internal) in [("ok@tenant.example", true), ("ok@contoso.example", false)] {
        let probe = of(&judged, address);
        assert_eq!(
            (probe.verdict, probe.outcome),
            (Verdict::Inbox, Outcome::Passed),
            "{address}\n{told}"
        );
        assert_eq!(probe.flags.contains(&Flag::Internal), internal, "{address}: {:?}", probe.flags);
        assert_eq!(probe.attempts[0].reply.code, Some(202), "{told}");
    }
}
