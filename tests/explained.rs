//! Whether the explanations name the true cause, on real servers: rspamd on gateway A, SpamAssassin and Exim's rewriting on gateway B, Dovecot's own
//! refusals. The real binary runs the scenario; each line of the table says what its explanation and its next step must hold.
//!
//! What it cannot show: vendors' gateways. Their words are in the fixtures of `tests/evidence`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

mod lab;

use lab::{
    Lab,
    accounts::{PASSWORD, QUARANTINE, SENDER, WATCHER_PASSWORD},
};
use mailflow::{
    model::{Judged, JudgedProbe},
    report::read_json,
};
use std::{collections::BTreeMap, fmt::Write, fs, process::Command};

/// What becomes of one probe, and what must be said of it.
struct Line {
    case: &'static str,
    to: &'static str,
    verdict: &'static str,
    /// All of these stand in the explanation.
    says: &'static [&'static str],
    /// All of these stand in the remedy; empty: there must be none.
    advises: &'static [&'static str],
}

/// Route, kind of message, expectation and requirements of each case.
const CASES: &[(&str, &str, &str, &str, &str)] = &[
    ("spam by b", "gateway-b", "gtube", "inbox", "[]"),
    ("spam by a", "gateway-a", "gtube", "inbox", "[]"),
    ("plain by a", "gateway-a", "plain", "inbox", "[]"),
    (
        "plain by b",
        "gateway-b",
        "plain",
        "inbox",
        "[subject-unchanged, body-unchanged, { path: by-a }]",
    ),
    ("links by b", "gateway-b", "link", "inbox", "[links-lead-home, links-unchanged]"),
    // A text that rspamd marks instead of refusing it.
    ("marked by a", "gateway-a", "{ template: marked.eml }", "inbox", "[]"),
];

const TRUTH: &[Line] = &[
    Line {
        case: "spam by b",
        to: "scored",
        verdict: "junk",
        says: &["SpamAssassin", "GTUBE (1000"],
        advises: &["GTUBE"],
    },
    Line {
        case: "spam by b",
        to: "guarded",
        verdict: "quarantine",
        says: &["held in quarantine", "Held for review", "SpamAssassin", "GTUBE"],
        advises: &["Release it there"],
    },
    Line {
        case: "spam by a",
        to: "ok",
        verdict: "rejected",
        says: &["554 5.7.1", "Gtube pattern"],
        advises: &["127.0.0.2"],
    },
    Line {
        case: "plain by a",
        to: "full",
        verdict: "bounced",
        says: &["the mailbox is full"],
        advises: &["room", "full@contoso.example"],
    },
    Line {
        case: "plain by a",
        to: "insiders-only",
        verdict: "rejected",
        says: &["only insiders may write"],
        advises: &["from outside", "insiders-only@contoso.example"],
    },
    Line {
        case: "plain by b",
        to: "ok",
        verdict: "inbox",
        says: &["[EXTERNAL]", "gw-b.contoso.example"],
        advises: &["gateway-b"],
    },
    Line {
        case: "plain by b",
        to: "bannered",
        verdict: "inbox",
        says: &[
            "CAUTION: This message came from outside the organisation.",
            "DKIM signature of sender.example",
            "no longer",
            "line 1",
        ],
        advises: &["banner"],
    },
    Line {
        case: "plain by b",
        to: "readdressed",
        verdict: "inbox",
        says: &["external@contoso.example", "DKIM signature of sender.example", "From"],
        advises: &["gateway-b"],
    },
    Line {
        case: "marked by a",
        to: "ok",
        verdict: "junk",
        says: &["rspamd", "LAB_MARKED (7"],
        advises: &["rspamd", "LAB_MARKED"],
    },
    Line {
        case: "links by b",
        to: "rewritten",
        verdict: "inbox",
        says: &["Safe Links", "https://sender.example/mailflow/"],
        advises: &["Safe Links"],
    },
];

/// A notice of the administrator's own, with the words for which the lab's rspamd has a rule.
const MARKED: &str =
    "Subject: A notice for {role} [tag {tag}]\n\nGood day,\n\nthis notice holds words that this filter marks.\n\nReference: {tag}\n";

#[test]
fn each_cause_is_named_on_real_servers() {
    let mut lab = Lab::start();
    lab.start_spamassassin();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mailflow.yaml"), site(&lab)).unwrap();
    fs::write(folder.path().join("scenario.yaml"), scenario()).unwrap();
    fs::copy(lab.ca_file(), folder.path().join("ca.pem")).unwrap();
    fs::write(folder.path().join("marked.eml"), MARKED).unwrap();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    fs::write(folder.path().join("dkim.pem"), key.serialize_pem()).unwrap();
    fs::write(folder.path().join("sender.secret"), PASSWORD).unwrap();
    fs::write(folder.path().join("watcher.secret"), WATCHER_PASSWORD).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mailflow"))
        .current_dir(folder.path())
        .args([
            "run",
            "scenario.yaml",
            "--state",
            "state",
            "--report",
            "json=report.json",
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
    let report = fs::read(folder.path().join("report.json")).unwrap_or_else(|error| panic!("{error}: no report\n{told}"));
    let judged = read_json(&report).unwrap();
    let wrong: Vec<String> = TRUTH.iter().filter_map(|line| line.against(&judged)).collect();
    assert!(wrong.is_empty(), "explained otherwise than it is:\n{}\n\n{told}", wrong.join("\n"));
    assert_eq!(output.status.code(), Some(1), "{told}");
}

impl Line {
    /// What is wrong with what the report says of this probe.
    fn against(&self, judged: &Judged) -> Option<String> {
        let to = format!("{}@contoso.example", self.to);
        let of = |probe: &&JudgedProbe| probe.recipient == to && probe.case.as_deref() == Some(self.case);
        let Some(probe) = judged.probes.iter().find(of) else {
            return Some(format!("{to} {}: no such probe", self.case));
        };
        let remedy = probe.remedy.clone().unwrap_or_default();
        let missing: Vec<&str> = self
            .says
            .iter()
            .filter(|words| !probe.explanation.contains(**words))
            .chain(self.advises.iter().filter(|words| !remedy.contains(**words)))
            .copied()
            .collect();
        let right = probe.verdict.word() == self.verdict && missing.is_empty() && remedy.is_empty() == self.advises.is_empty();
        (!right).then(|| {
            format!(
                "{to} {}: {}, true is {}; missing {missing:?} in:\n  {}\n  -> {remedy}",
                self.case, probe.verdict, self.verdict, probe.explanation
            )
        })
    }
}

fn site(lab: &Lab) -> String {
    let store = format!(
        "url: \"imaps://mail.contoso.example\", connect: \"{}\", ca: {{ file: ca.pem }}",
        lab.imaps()
    );
    let open = |user: &str| format!("imap: {{ {store}, user: \"{user}*watcher\", password: {{ file: watcher.secret }} }}");
    let locals: std::collections::BTreeSet<&str> = TRUTH.iter().map(|line| line.to).collect();
    let recipients: String = locals
        .iter()
        .map(|local| match *local {
            "guarded" => format!(
                "  - {{ address: guarded@contoso.example, mailbox: {{ {}, folders: {{ quarantine: Held for review }} }} }}\n",
                open("guarded@contoso.example")
            ),
            local => format!("  - {{ address: {local}@contoso.example }}\n"),
        })
        .collect();
    format!(
        r#"senders:
  outside: {{ address: {SENDER}, name: Mail-flow probe, contact: it@contoso.example, mailbox: returns,
    dkim: {{ domain: sender.example, selector: s1, key: {{ file: dkim.pem }} }} }}
routes:
  gateway-a: {{ smtp: {{ url: "smtp://127.0.0.2:{mx}", ca: {{ file: ca.pem }} }}, connections: 4, default: true }}
  gateway-b: {{ smtp: {{ url: "smtp://127.0.0.3:{mx}", ca: {{ file: ca.pem }} }}, connections: 4 }}
paths:
  by-a: {{ via: gw-a.contoso.example }}
  by-b: {{ via: gw-b.contoso.example }}
defaults:
  quarantine: [held]
  mailbox: {{ {default} }}
mailboxes:
  returns: {{ {returns} }}
  held: {{ {held}, placement: quarantine }}
recipients:
{recipients}"#,
        mx = lab.mx_port(),
        default = open("{address}"),
        returns = open(SENDER),
        held = open(QUARANTINE),
    )
}

fn scenario() -> String {
    let mut to: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in TRUTH {
        to.entry(line.case).or_default().push(format!("{}@contoso.example", line.to));
    }
    let mut text =
        "name: explained\nrecipients: { addresses: [ok@contoso.example] }\nwithin: 50s\ngive_up_after: 50s\nsettle: 4s\ncases:\n"
            .to_owned();
    for (name, route, message, expect, require) in CASES {
        writeln!(
            text,
            "  - {{ name: {name}, routes: [{route}], messages: [{message}], recipients: {{ addresses: [{}] }}, expect: {expect}, require: {require} }}",
            to[name].join(", ")
        )
        .unwrap();
    }
    text
}
