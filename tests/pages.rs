//! The report as a page, in a real browser: it shows what was judged, filters, asks nobody for anything, lets nothing of a mail run, and axe-core
//! finds nothing in it that shuts somebody out. Pictures for people to look at lie below the target folder in `tmp`.
//!
//! Needs Chromium (`tests/packages`) and its driver (`tests/pages/requirements.txt`), which `tests/run` installs. What is missing fails.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

#[path = "pages/browser.rs"]
mod browser;

use browser::{assert_quiet, picture, url_of, visit};
use mailflow::{
    explain::explain,
    judge::roles,
    model::{Judged, JudgedProbe, Outcome, ProbeId, Summary},
    report::{Format, Style, read_json, render},
};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

/// What an ill-meaning server or sender would put wherever it can.
const POISON: &str = "<script>owned=1</script><img src=x onerror=\"owned=1\"><b onclick='owned=1'>\"'&lt;";

/// A stored run with every verdict and flag.
fn stored() -> Judged {
    told(read_json(include_bytes!("report/judged.json")).unwrap())
}

/// The same with the poison in every text that comes from a server or a message, or that somebody wrote into the site.
fn poisoned() -> Judged {
    const TEXTS: [&str; 20] = [
        "arrived",
        "blind",
        "change",
        "description",
        "diagnostic",
        "evidence",
        "file",
        "folder",
        "host",
        "mailbox",
        "name",
        "owner",
        "path",
        "reason",
        "remote_mta",
        "reporting_mta",
        "role",
        "sent",
        "spf",
        "text",
    ];
    fn poison(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    match value {
                        Value::String(text) if TEXTS.contains(&name.as_str()) => *text = format!("{POISON}{text}"),
                        value => poison(value),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(poison),
            _ => {}
        }
    }
    let mut report: Value = serde_json::from_slice(include_bytes!("report/judged.json")).unwrap();
    poison(&mut report);
    told(read_json(&serde_json::to_vec(&report).unwrap()).unwrap())
}

fn told(mut judged: Judged) -> Judged {
    for probe in &mut judged.probes {
        (probe.explanation, probe.remedy) = explain(probe);
    }
    judged
}

/// The report of it, in a folder of its own.
fn written(judged: &Judged) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    fs::write(&path, render(Format::Html, judged, &Style::default()).unwrap()).unwrap();
    (folder, path)
}

/// What `seen` has under a name, as sorted words.
fn words(seen: &Value, name: &str) -> Vec<String> {
    let mut words: Vec<String> = seen[name]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect();
    words.sort();
    words.dedup();
    words
}

/// The recipients of the probes for which this holds, sorted, each once.
fn recipients(judged: &Judged, wanted: impl Fn(&JudgedProbe) -> bool) -> Vec<String> {
    let mut recipients: Vec<String> = judged
        .probes
        .iter()
        .filter(|probe| wanted(probe))
        .map(|probe| probe.recipient.clone())
        .collect();
    recipients.sort();
    recipients.dedup();
    recipients
}

#[test]
fn the_report_of_a_demonstration_is_rendered_and_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(folder.path())
        .args([
            "demo",
            "--quiet",
            "--state",
            "state",
            "--report",
            "html=report.html",
            "--report",
            "json=report.json",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let judged = read_json(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    let visits = ["light", "dark"].map(|scheme| {
        json!({ "scheme": scheme, "axe": true, "picture": picture(&format!("report-{scheme}.png")), "print": picture("report.pdf") })
    });
    for seen in visit(&url_of(&folder.path().join("report.html")), &json!(visits)) {
        assert_quiet(&seen);
        assert_eq!(seen["violations"], json!([]));
        assert!(seen["checked"].as_u64().unwrap() > 20, "axe-core looked: {}", seen["checked"]);
        assert_eq!(seen["probes"].as_array().unwrap().len(), judged.probes.len());
        let headline = seen["headline"].as_str().unwrap();
        let failed = format!(
            "{} of {} probes failed, to {} recipients; nobody who holds ",
            judged.summary.failed,
            judged.summary.probes,
            recipients(&judged, |probe| probe.outcome == Outcome::Failed).len()
        );
        assert!(headline.starts_with(&failed), "{headline}");
        let first = seen["first"].as_array().unwrap();
        assert_eq!(first.len(), 3, "the gravest findings");
        let lost = judged.probes.iter().find(|probe| probe.verdict.word() == "lost").unwrap();
        let (whom, what) = (
            &lost.recipient,
            lost.remedy.as_ref().unwrap().split(' ').take(3).collect::<Vec<_>>().join(" "),
        );
        let step = first[0].as_str().unwrap();
        assert!(
            step.contains("lost") && step.contains(whom.as_str()) && step.contains(&what),
            "{step}"
        );
        assert!(
            seen["first_ends"].as_f64().unwrap() < 900.0,
            "what is wrong, with whom and what to do stand on the first screen"
        );
        assert_eq!(words(&seen, "rows"), recipients(&judged, |_| true));
        let told = seen["text"].as_str().unwrap();
        for probe in judged.probes.iter().filter(|probe| probe.outcome == Outcome::Failed) {
            assert!(
                told.contains(&probe.explanation) && told.contains(probe.remedy.as_ref().unwrap()),
                "{}",
                probe.recipient
            );
        }
    }
    assert!(fs::read(picture("report.pdf")).unwrap().starts_with(b"%PDF"));
}

#[test]
fn filters_show_what_they_say() {
    let judged = stored();
    let (_folder, path) = written(&judged);
    let with = |pick: fn(&JudgedProbe) -> Option<String>| judged.probes.iter().find_map(pick).unwrap();
    let role = with(|probe| probe.role.clone());
    let owner = with(|probe| probe.owner.clone());
    let visits = json!([
        { "choose": { "role": role }, "reset": true },
        { "choose": { "owner": owner } },
        { "choose": { "outcome": "unknown" } },
        { "choose": { "verdict": "quarantine" } },
        { "choose": { "role": role, "outcome": "failed" } },
        { "choose": { "text": "no such words anywhere" } },
    ]);
    let wanted: [&dyn Fn(&JudgedProbe) -> bool; 6] = [
        &|probe| probe.role.as_deref() == Some(role.as_str()),
        &|probe| probe.owner.as_deref() == Some(owner.as_str()),
        &|probe| probe.outcome == Outcome::Unknown,
        &|probe| probe.verdict.word() == "quarantine",
        &|probe| probe.role.as_deref() == Some(role.as_str()) && probe.outcome == Outcome::Failed,
        &|_| false,
    ];
    for (seen, wanted) in visit(&url_of(&path), &visits).iter().zip(wanted) {
        assert_quiet(seen);
        let count = judged.probes.iter().filter(|probe| wanted(probe)).count();
        assert_eq!(seen["probes"].as_array().unwrap().len(), count);
        assert_eq!(seen["status"], json!(format!("{count} of {} probes shown", judged.probes.len())));
        // One finding tells of many that failed alike, so it may name another of them first.
        let findings = words(seen, "findings");
        assert_eq!(
            findings.is_empty(),
            recipients(&judged, |probe| wanted(probe) && probe.outcome != Outcome::Passed).is_empty()
        );
        if let Some(all) = seen["probes_after_reset"].as_array() {
            assert_eq!(all.len(), judged.probes.len());
        }
    }
}

#[test]
fn nothing_that_came_with_mail_runs_or_becomes_markup() {
    let judged = poisoned();
    let (_folder, path) = written(&judged);
    let [seen] = &visit(&url_of(&path), &json!([{ "axe": true }]))[..] else {
        panic!("one visit")
    };
    assert_quiet(seen);
    assert_eq!(seen["scripts"], json!(1), "the page's own");
    assert_eq!(seen["violations"], json!([]));
    let text = seen["text"].as_str().unwrap();
    let shown = text.matches("<script>owned=1</script><img src=x onerror=\"owned=1\">").count();
    assert!(shown > 100, "it stands there as text: {shown}");
    for found in ["subject", "header", "reply", "folder"] {
        let probe = judged.probes.iter().find(|probe| match found {
            "subject" => probe.alterations.iter().any(|alteration| alteration.arrived.contains("<script>")),
            "header" => probe
                .requirements
                .iter()
                .any(|requirement| requirement.evidence.as_ref().is_some_and(|evidence| evidence.contains("<script>"))),
            "reply" => probe.attempts.iter().any(|attempt| attempt.reply.text.contains("<script>")),
            _ => probe.folder.as_ref().is_some_and(|folder| folder.contains("<script>")),
        });
        assert!(probe.is_some(), "no probe has it in its {found}");
    }
}

#[test]
fn a_narrow_window_has_no_sideways_scrolling() {
    for (judged, name) in [(stored(), "report-narrow.png"), (poisoned(), "report-poisoned.png")] {
        let (_folder, path) = written(&judged);
        for seen in visit(&url_of(&path), &json!([{ "width": 360, "axe": true, "picture": picture(name) }])) {
            assert_quiet(&seen);
            assert_eq!(seen["violations"], json!([]));
            assert!(seen["wide"].as_u64().unwrap() <= 360, "{}", seen["wide"]);
        }
    }
}

#[test]
fn five_hundred_recipients_fit_a_page() {
    let mut judged = stored();
    let some = judged.probes.clone();
    judged.probes = (0..500)
        .map(|number| {
            let mut probe = some[number % some.len()].clone();
            probe.id = ProbeId::new(&probe.run, (number as u128).to_be_bytes());
            probe.recipient = format!("address-{number}@contoso.example");
            probe
        })
        .collect();
    judged.summary = Summary::of(&judged.probes);
    judged.roles = roles(&judged.probes);
    let judged = told(judged);
    let (_folder, path) = written(&judged);
    let size = fs::metadata(&path).unwrap().len();
    assert!(size < 4_000_000, "it can be mailed: {size} octets");
    let visits = json!([{}, { "choose": { "text": "address-499@" } }]);
    let [all, one] = &visit(&url_of(&path), &visits)[..] else {
        panic!("two visits")
    };
    assert_quiet(all);
    assert_eq!(all["probes"].as_array().unwrap().len(), 500);
    assert_eq!(one["probes"].as_array().unwrap().len(), 1);
}
