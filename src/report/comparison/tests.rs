//! The formats of a comparison that holds every effect, and of a parity table; a server that means ill among them.

use super::*;
use crate::compare;
use crate::model::{Judged, Parity, RoutePair};
use crate::report::{escape, read_json};
use serde_json::{Value, json};

/// A run whose probes are the one of the explanations with these fields changed.
fn run(id: &str, compare: &Value, probes: &[Value]) -> Judged {
    let base: Value = serde_json::from_str(include_str!("../../../tests/explain/_probe.json")).unwrap();
    let hop = json!([{ "from": "a", "address": null, "by": "b", "protocol": null, "tls": null, "cipher": null, "encryption": "tls", "at": null,
        "spent_ms": null, "skew_ms": null }]);
    let probes: Vec<Value> = probes
        .iter()
        .map(|fields| {
            let mut probe = base.clone();
            let known = probe.as_object_mut().unwrap();
            known.insert("hops".to_owned(), hop.clone());
            known.insert("run".to_owned(), id.into());
            for (key, value) in fields.as_object().unwrap() {
                assert!(known.insert(key.clone(), value.clone()).is_some(), "there is no field {key}");
            }
            probe
        })
        .collect();
    let report = json!({
        "schema": "mailflow.report/1",
        "runs": [{ "id": id, "scenario": "weekly", "site": "mailflow.yaml", "started_at": "2026-03-02T02:14:00.000Z",
            "finished_at": "2026-03-02T02:15:00.000Z", "version": "1", "change": "CHG-4711", "compare": compare }],
        "summary": { "probes": probes.len(), "passed": 0, "failed": 0, "waived": 0, "unknown": 0, "verdicts": {} },
        "probes": probes, "roles": [], "blind": {},
    });
    read_json(report.to_string().as_bytes()).unwrap()
}

const HOSTILE: &str = "<script>alert(1)</script>\u{1b}[2J\u{202e}|=1+1";

fn tagged() -> Value {
    json!([{ "kind": "subject", "sent": "A notice", "arrived": "[EXTERNAL] A notice", "how": "added-before", "added": "[EXTERNAL]" }])
}

fn comparison() -> Comparison {
    let spam = json!([{ "name": "rspamd", "host": null, "verdict": "spam", "score": 7.1, "threshold": 6.0, "rules": ["LAB_MARKED (7)"], "said": "…" }]);
    let clean = json!([{ "name": "rspamd", "host": null, "verdict": "clean", "score": 0.1, "threshold": 6.0, "rules": [], "said": "…" }]);
    let to = |who: &str, fields: Value| {
        let mut fields = fields;
        fields["recipient"] = who.into();
        fields
    };
    let before = run(
        "kf3q2m4xa",
        &Value::Null,
        &[
            to(
                "billing@contoso.example",
                json!({ "filters": clean, "role": "Billing Administrator" }),
            ),
            to(
                "security@contoso.example",
                json!({ "filters": clean, "role": "Billing Administrator" }),
            ),
            to(
                "spam@contoso.example",
                json!({ "outcome": "failed", "message": "gtube", "case": "spam is stopped", "expected": ["junk", "quarantine"] }),
            ),
            to("unread@contoso.example", json!({})),
            to(
                "tagged@contoso.example",
                json!({ "authentication": { "spf": "pass", "dkim": "pass", "dmarc": "pass" } }),
            ),
            to("a-local-part-that-never-seems-to-end-at-all@subsidiary.contoso.example", json!({})),
            to("same@contoso.example", json!({})),
            to("gone@contoso.example", json!({})),
            to(HOSTILE, json!({})),
        ],
    );
    let junk = json!({ "filters": spam, "verdict": "junk", "outcome": "failed", "folder": "Junk", "role": "Billing Administrator",
        "explanation": "It lies in the junk folder.", "remedy": "Ask who switched LAB_MARKED on." });
    let after = run(
        "mm2q2m4xa",
        &Value::Null,
        &[
            to("billing@contoso.example", junk.clone()),
            to("security@contoso.example", junk),
            to(
                "spam@contoso.example",
                json!({ "verdict": "quarantine", "folder": "Held", "message": "gtube", "case": "spam is stopped", "expected": ["junk", "quarantine"] }),
            ),
            to(
                "unread@contoso.example",
                json!({ "verdict": "unknown", "outcome": "unknown", "basis": null, "folder": null, "reason": "the mailbox could not be read" }),
            ),
            to(
                "tagged@contoso.example",
                json!({ "authentication": { "spf": "softfail", "dkim": "pass", "dmarc": "pass" }, "alterations": tagged() }),
            ),
            to(
                "a-local-part-that-never-seems-to-end-at-all@subsidiary.contoso.example",
                json!({ "flags": ["late"], "latency_ms": 361_000.0 }),
            ),
            to("same@contoso.example", json!({})),
            to("new@contoso.example", json!({})),
            to(HOSTILE, json!({ "verdict": "folder", "folder": HOSTILE })),
        ],
    );
    compare::runs(&before, &after, ["before", "last"])
}

fn parity() -> Parity {
    let pair = serde_json::to_value(RoutePair {
        old: "old-gateway".to_owned(),
        new: "new-gateway".to_owned(),
    })
    .unwrap();
    let by = |route: &str, message: &str, fields: Value| {
        let mut fields = fields;
        fields["route"] = route.into();
        fields["message"] = message.into();
        fields
    };
    let probes = [
        by("old-gateway", "plain", json!({})),
        by("new-gateway", "plain", json!({ "alterations": tagged() })),
        by("old-gateway", "link", json!({})),
        by("new-gateway", "link", json!({ "alterations": tagged(), "flags": ["delayed"] })),
        by("old-gateway", "gtube", json!({ "outcome": "failed" })),
        by("new-gateway", "gtube", json!({ "verdict": "junk", "folder": "Junk" })),
        by("old-gateway", "html", json!({})),
        by(
            "new-gateway",
            "html",
            json!({ "verdict": "unknown", "outcome": "unknown", "basis": null, "folder": null, "reason": HOSTILE }),
        ),
    ];
    compare::parity(&run("kf3q2m4xa", &pair, &probes)).remove(0)
}

fn shown(format: Format, style: &Style) -> String {
    String::from_utf8(render_comparison(format, &comparison(), style).unwrap()).unwrap()
}

#[test]
fn the_terminal_reads_well_at_any_width() {
    let plain = |width| Style { width, ..Style::default() };
    insta::assert_snapshot!("terminal_80", shown(Format::Terminal, &plain(80)));
    insta::assert_snapshot!("parity_80", parity::terminal(&parity(), &plain(80)));
    for width in 60..160 {
        let both = shown(Format::Terminal, &plain(width)) + &parity::terminal(&parity(), &plain(width));
        for line in both.lines().filter(|_| width >= 80) {
            assert!(crate::report::width(line) <= width, "{width}: {line}");
            assert!(!line.ends_with(' '), "{width}: {line:?}");
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let colored = Style {
        color: true,
        ..Style::default()
    };
    let bare = |text: &str| anstream::adapter::strip_str(text).to_string();
    assert_eq!(bare(&shown(Format::Terminal, &colored)), shown(Format::Terminal, &Style::default()));
    assert_eq!(
        bare(&parity::terminal(&parity(), &colored)),
        parity::terminal(&parity(), &Style::default())
    );
}

#[test]
fn formats_for_machines_hold_the_same() {
    let style = Style::default();
    let read: Comparison = serde_json::from_str(&shown(Format::Json, &style)).unwrap();
    assert_eq!(read, comparison());
    insta::assert_snapshot!("junit", shown(Format::Junit, &style));
    insta::assert_snapshot!("csv", shown(Format::Csv, &style).replace("\r\n", "\n"));
    insta::assert_snapshot!("prometheus", shown(Format::Prometheus, &style));
    insta::assert_snapshot!("nagios", shown(Format::Nagios, &style));
}

#[test]
fn pages_and_markdown_are_as_they_were() {
    let page = page::render(&comparison()).unwrap().html;
    let (_, body) = page.split_once("<body>").unwrap();
    insta::assert_snapshot!("page", body);
    insta::assert_snapshot!("page_parity", page::section(&parity()).unwrap());
    insta::assert_snapshot!("markdown", shown(Format::Markdown, &Style::default()));
    insta::assert_snapshot!("markdown_parity", markdown::section(&parity()));
}

#[test]
fn a_trace_is_refused_by_name() {
    let refused = refuse_others([Format::Json, Format::Otlp]).unwrap_err().to_string();
    assert_eq!(
        refused,
        render_comparison(Format::Otlp, &comparison(), &Style::default())
            .unwrap_err()
            .to_string()
    );
    assert!(
        refused.starts_with("a comparison has no format `otlp`; it has terminal, json,"),
        "{refused}"
    );
}

#[test]
fn a_plugin_calls_what_is_only_late_a_warning() {
    use crate::report::nagios::State;
    let told = |fields: Value| {
        let mut late = fields;
        late["outcome"] = "failed".into();
        let sides = [json!({}), late].map(|fields| run("kf3q2m4xa", &Value::Null, &[fields]));
        let compared = compare::runs(&sides[0], &sides[1], ["before", "last"]);
        (nagios::state(&compared), String::from_utf8(nagios::render(&compared, &[])).unwrap())
    };
    let (state, text) = told(json!({ "flags": ["late"], "latency_ms": 361_000.0 }));
    assert_eq!(state, State::Warning, "{text}");
    assert!(
        text.starts_with("MAILFLOW WARNING - 1 of 1 probe passed before and fails now: "),
        "{text}"
    );
    let (state, text) = told(json!({ "flags": ["late"], "latency_ms": 361_000.0, "verdict": "junk" }));
    assert_eq!(state, State::Critical, "{text}");
    let same = run("kf3q2m4xa", &Value::Null, &[json!({})]);
    let same = compare::runs(&same, &same, ["before", "last"]);
    let untold = String::from_utf8(nagios::render(&same, &["the report x cannot be written".to_owned()])).unwrap();
    assert!(
        untold.starts_with("MAILFLOW UNKNOWN - Nothing changed in 1 probe|regressions=0;"),
        "{untold}"
    );
    assert!(untold.contains("\nthe report x cannot be written\n"), "{untold}");
}

#[test]
fn nothing_from_mail_becomes_markup_or_steers_a_terminal() {
    let page = page::render(&comparison()).unwrap().html;
    let section = page::section(&parity()).unwrap();
    for text in [&page, &section] {
        assert!(!text.contains("<script"), "{text}");
        assert!(text.contains("&#60;script&#62;"), "it is shown nevertheless");
    }
    let style = Style::default();
    let formats = [
        Format::Terminal,
        Format::Junit,
        Format::Markdown,
        Format::Prometheus,
        Format::Nagios,
    ]
    .map(|format| shown(format, &style));
    assert!(!formats[4].contains('<'), "a web page may show it as it is: {}", formats[4]);
    for text in formats.into_iter().chain([page, section, markdown::section(&parity())]) {
        let raw = text
            .chars()
            .find(|character| character.is_control() && *character != '\n' || *character == '\u{202e}');
        assert_eq!(raw, None, "{}", escape(&text));
    }
}

#[test]
fn the_exit_code_is_that_of_the_worst() {
    use crate::model::{Effect, Outcome};
    let mut compared = comparison();
    assert_eq!(headline::outcome(&compared), Outcome::Failed);
    compared.summary.regressions = 0;
    assert_eq!(headline::outcome(&compared), Outcome::Unknown);
    compared.summary.not_compared = 0;
    assert_eq!(
        headline::outcome(&compared),
        Outcome::Passed,
        "changes and improvements are no failure"
    );
    compared.roles.push(crate::model::RoleChange {
        role: "Billing".to_owned(),
        effect: Effect::Regression,
        before: String::new(),
        after: String::new(),
    });
    assert_eq!(headline::outcome(&compared), Outcome::Failed);
    compared.roles.clear();
    compared.summary.matched = 0;
    assert_eq!(headline::outcome(&compared), Outcome::Unknown, "nothing was compared");
}
