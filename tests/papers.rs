//! The papers around a run, by the real binary: the notice before it, and the attestation after it, opened in a real browser. Pictures for people to
//! look at lie below the target folder in `tmp`.
//!
//! Needs Chromium and its driver, as `tests/pages.rs` does. What is missing fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

#[path = "pages/browser.rs"]
mod browser;

use browser::{assert_quiet, picture, url_of, visit};
use mailflow::report::read_json;
use serde_json::json;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// What an ill-meaning person would give for a name.
const POISON: &str = "Dana <script>owned=1</script><img src=x onerror=\"owned=1\">";

fn mailflow(folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(folder)
        .args(arguments)
        .env_remove("MAILFLOW_SITE")
        .output();
    output.unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_attestation_of_a_demonstration_answers_first_and_is_made_again_from_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let demo = mailflow(
        folder.path(),
        &[
            "demo",
            "--quiet",
            "--state",
            "state",
            "--operator",
            POISON,
            "--report",
            "attestation=at-once.html",
            "--report",
            "json=report.json",
        ],
    );
    assert!(demo.status.success(), "{}", error(&demo));
    let judged = read_json(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    let origin = &judged.runs[0].origin;
    assert_eq!(origin.operator.as_deref(), Some(POISON), "kept with the run");
    let again = mailflow(
        folder.path(),
        &[
            "report",
            "last",
            "--quiet",
            "--state",
            "state",
            "--change",
            "CHG-4712",
            "--report",
            "attestation=again.html",
        ],
    );
    assert_eq!(again.status.code(), Some(1), "{}", error(&again));
    for (file, change) in [
        ("at-once.html", "none given"),
        ("again.html", "CHG-4712 (given when this page was made)"),
    ] {
        let visits = ["light", "dark"]
            .map(|scheme| json!({ "scheme": scheme, "axe": true, "picture": picture(&format!("attestation-{scheme}.png")), "print": picture("attestation.pdf") }));
        for seen in visit(&url_of(&folder.path().join(file)), &json!(visits)) {
            assert_quiet(&seen);
            assert_eq!(seen["violations"], json!([]));
            assert_eq!(seen["scripts"], json!(0));
            let headline = seen["headline"].as_str().unwrap();
            assert!(headline.starts_with("No: nobody who holds "), "{headline}");
            let text = seen["text"].as_str().unwrap();
            for words in [
                POISON,
                change,
                &origin.files[0].sha256,
                "by password",
                "Auditor",
                "Kim Okafor",
                "2099-12-31",
            ] {
                assert!(text.contains(words), "{file}: {words}");
            }
            for probe in judged.probes.iter().filter(|probe| probe.case.is_none()) {
                assert!(text.contains(&probe.recipient), "{}", probe.recipient);
            }
            for mailbox in judged.blind.keys() {
                assert!(text.contains(&format!("Mailbox {mailbox} could not be read")), "{mailbox}");
            }
        }
    }
    assert!(fs::read(picture("attestation.pdf")).unwrap().starts_with(b"%PDF"));
}

/// A site of a dozen roles, as small as one can be.
const SITE: &str = "\
sender: { address: probe@sender.example, contact: it@contoso.example }
routes: { internet: { smtp: { url: \"smtp://smtp.sender.example:587\" }, default: true, rate: 1/s } }
recipients:
  - { address: admin@contoso.example, role: Global Administrator, mailbox: none }
  - { address: billing@contoso.example, role: Billing Administrator, mailbox: none }
";

#[test]
fn a_notice_tells_what_will_be_sent_and_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mailflow.yaml"), SITE).unwrap();
    fs::write(
        folder.path().join("check.yaml"),
        "name: change check\nexpect: accepted\nwithin: 5m\ngive_up_after: 30m\nsettle: 20s\nmessages: [plain, gtube]\n",
    )
    .unwrap();
    let notice = |more: &[&str]| {
        let arguments = [
            "notice",
            "check.yaml",
            "--state",
            "state",
            "--change",
            "CHG-12",
            "--operator",
            "Dana",
        ];
        mailflow(folder.path(), &[&arguments, more].concat())
    };
    let told = notice(&["--at", "2026-11-24T22:00+01:00"]);
    assert_eq!(told.status.code(), Some(0), "{}", error(&told));
    let text = out(&told);
    for words in [
        "will send 4 test messages",
        "CHG-12",
        "Dana",
        "2026-11-24 21:00:00 UTC",
        "about 2026-11-24 21:00:03 UTC",
        "admin@contoso.example",
        "Mail-flow test for Billing Administrator [tag TAG]",
        "smtp.sender.example, port 587",
        "X-Mailflow-Probe: TAG",
        "IsMailflowProbe",
        "GTUBE",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let runs = mailflow(folder.path(), &["runs", "--state", "state"]);
    assert!(!out(&runs).contains("change check"), "a notice is no run");
    let markdown = notice(&["--format", "markdown", "--only", "role:Billing*"]);
    assert!(out(&markdown).starts_with("# Notice of a mail-flow test") && out(&markdown).contains("```kusto\n"));
    assert!(!out(&markdown).contains("admin@contoso.example"), "narrowed down");
    for (more, said) in [
        (["--format", "json"], "a notice has no format `json`; it has terminal, markdown"),
        (["--at", "tomorrow"], "write a date, a time and its zone"),
    ] {
        let refused = notice(&more);
        assert_eq!(refused.status.code(), Some(2));
        assert!(error(&refused).contains(said), "{}", error(&refused));
    }
}
