//! The reports of `tests/report/judged.json`, which holds every verdict, outcome and flag, and a server that means ill.

use super::*;
use crate::explain::explain;
use crate::model::{Flag, JudgedProbe, Outcome, Verdict};
use serde_json::Value;
use std::collections::BTreeSet;

fn stored() -> &'static [u8] {
    include_bytes!("../../tests/report/judged.json")
}

pub fn judged() -> Judged {
    let mut judged = read_json(stored()).unwrap();
    for probe in &mut judged.probes {
        (probe.explanation, probe.remedy) = explain(probe);
    }
    judged
}

pub fn rendered(format: Format, judged: &Judged, style: &Style) -> String {
    String::from_utf8(render(format, judged, style).unwrap()).unwrap()
}

fn terminal(judged: &Judged, width: usize) -> String {
    rendered(Format::Terminal, judged, &Style { width, ..Style::default() })
}

#[test]
fn formats_are_known_by_their_word() {
    for format in Format::ALL {
        assert_eq!(format.word().parse(), Ok(format));
    }
    assert_eq!(" JSON ".parse(), Ok(Format::Json));
}

#[test]
fn a_slip_is_answered_with_what_was_meant() {
    let all = Format::ALL.map(Format::word).join(", ");
    for (word, answer) in [
        ("jnuit", "there is no report format `jnuit`; did you mean `junit`?"),
        ("jsn", "there is no report format `jsn`; did you mean `json`?"),
        ("pdf\u{1b}[2J", "there is no report format `pdf\\x1b[2J`."),
    ] {
        let said = word.parse::<Format>().unwrap_err().to_string();
        assert_eq!(said, format!("{answer} There are {all}."));
    }
}

#[test]
fn the_fixture_holds_everything() {
    let judged = judged();
    let verdicts: BTreeSet<Verdict> = judged.probes.iter().map(|probe| probe.verdict).collect();
    let outcomes: BTreeSet<Outcome> = judged.probes.iter().map(|probe| probe.outcome).collect();
    let flags: BTreeSet<Flag> = judged.probes.iter().flat_map(|probe| probe.flags.clone()).collect();
    assert_eq!((verdicts.len(), outcomes.len(), flags.len()), (Verdict::ALL.len(), 4, 14));
}

#[test]
fn the_terminal_report_reads_well_at_any_width() {
    let judged = judged();
    insta::assert_snapshot!("terminal_80", terminal(&judged, 80));
    insta::assert_snapshot!("terminal_120", terminal(&judged, 120));
    insta::assert_snapshot!(
        "terminal_color",
        rendered(
            Format::Terminal,
            &judged,
            &Style {
                color: true,
                width: 100,
                verbose: false
            }
        )
    );
    for width in 40..200 {
        for line in terminal(&judged, width).lines().filter(|_| width >= 72) {
            assert!(text::width(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let judged = judged();
    let colored = rendered(
        Format::Terminal,
        &judged,
        &Style {
            color: true,
            ..Style::default()
        },
    );
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), terminal(&judged, 80));
}

#[test]
fn nothing_from_mail_reaches_the_terminal_raw() {
    let report = terminal(&judged(), 80);
    let raw: Vec<char> = report
        .chars()
        .filter(|character| character.is_control() && *character != '\n' || "\u{202c}\u{202e}".contains(*character))
        .collect();
    assert!(raw.is_empty(), "{raw:?}");
    assert!(report.contains("\\x1b[2J"), "it is shown nevertheless");
}

#[test]
fn many_that_passed_are_counted_and_what_repeats_is_told_once() {
    let mut judged = judged();
    let all = std::mem::take(&mut judged.probes);
    let find = |verdict| all.iter().find(|probe| probe.verdict == verdict && probe.flags.is_empty()).unwrap();
    let numbered = |probe: &JudgedProbe, number: u32| JudgedProbe {
        recipient: format!("user-{number}@contoso.example"),
        ..probe.clone()
    };
    judged.probes.extend((0..300).map(|number| numbered(find(Verdict::Inbox), number)));
    judged
        .probes
        .extend((300..320).map(|number| numbered(find(Verdict::Bounced), number)));
    let short = terminal(&judged, 80);
    insta::assert_snapshot!("terminal_many", short);
    let long = rendered(
        Format::Terminal,
        &judged,
        &Style {
            verbose: true,
            ..Style::default()
        },
    );
    for number in 0..320 {
        assert!(long.contains(&format!("user-{number}@")));
    }
}

#[test]
fn nothing_to_do_is_said() {
    let mut judged = judged();
    judged.probes.clear();
    judged.runs.clear();
    judged.roles.clear();
    judged.blind.clear();
    judged.summary = crate::model::Summary::default();
    assert_eq!(terminal(&judged, 80), "✓ Nothing to do: there are no probes.\n");
    assert_eq!(
        rendered(
            Format::Terminal,
            &judged,
            &Style {
                width: 0,
                ..Style::default()
            }
        ),
        "✓ Nothing to do: there are no probes.\n"
    );
    assert!(rendered(Format::Junit, &judged, &Style::default()).contains("tests=\"0\""));
    assert_eq!(
        read_json(rendered(Format::Json, &judged, &Style::default()).as_bytes()).unwrap(),
        judged
    );
}

#[test]
fn junit_tells_failures_and_errors_apart() {
    let judged = judged();
    let xml = rendered(Format::Junit, &judged, &Style::default());
    insta::assert_snapshot!("junit", xml);
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!(report.tests, judged.probes.len());
    assert_eq!(report.failures, usize::try_from(judged.summary.failed).unwrap());
    assert_eq!(report.errors, usize::try_from(judged.summary.unknown).unwrap());
    assert!(xml.chars().all(|character| character == '\n' || !character.is_control()));
}

#[test]
fn a_stored_json_report_is_read_again_as_it_was() {
    let judged = judged();
    let json = rendered(Format::Json, &judged, &Style::default());
    assert!(json.ends_with("}\n"));
    assert_eq!(read_json(json.as_bytes()).unwrap(), judged);
    let attempt = &serde_json::from_str::<Value>(&json).unwrap()["probes"][3]["attempts"][0];
    assert_eq!(
        (&attempt["tls"], &attempt["tls_certificate"]),
        (&Value::from("TLSv1.3"), &Value::from("self-signed"))
    );
    insta::assert_snapshot!(
        "json_of_one_probe",
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(&json).unwrap()["probes"][0]).unwrap()
    );
}

#[test]
fn reports_of_other_schemas_are_refused() {
    let error = |bytes: &[u8]| read_json(bytes).unwrap_err().to_string();
    assert_eq!(
        error(br#"{"schema": "mailflow.report/2"}"#),
        "a later version of mailflow wrote this report: it follows the schema `mailflow.report/2`, and this version reads `mailflow.report/1`"
    );
    assert!(error(b"<testsuites>").starts_with("not a report in JSON: "));
    assert!(error(br#"{"schema": "mailflow.report/1"}"#).starts_with("not a report in JSON: missing field"));
    assert!(error(br#"{"schema": "mailflow.report/1", "probes": [{"attempts": [{"tls": {}}]}]}"#).starts_with("not a report in JSON: "));
}

/// The words of the contract's example, in its order: users' programs rely on them.
#[test]
fn the_json_report_has_the_words_of_the_contract() {
    let promised = [
        ("", "schema runs summary probes roles"),
        ("runs/0", "id scenario site started_at finished_at version change"),
        ("summary", "probes passed failed waived unknown verdicts"),
        (
            "probes/0",
            "id run message_id recipient role route message case expected outcome verdict basis flags mailbox folder sent_at accepted_at \
             arrived_after arrived_at latency_ms latency_uncertainty_ms copies sightings attempts dsn members hops path authentication \
             filters alterations requirements explanation remedy",
        ),
        ("probes/0/sightings/0", "mailbox folder placement after at until internal_date"),
        ("probes/0/attempts/0", "at host tls reply"),
        ("probes/0/attempts/0/reply", "code enhanced text ours"),
        ("roles/0", "role holders reachable outcome"),
    ];
    // What is given beyond the contract, so that nothing comes in unseen.
    let more = [
        ("", "blind"),
        ("runs/0", "description"),
        (
            "probes/0",
            "tag owner backup covered_by expected_at within_ms waiver survived reason trace signatures sender sender_facts later",
        ),
        ("probes/0/attempts/0", "ended_at stage in_doubt tls_cipher tls_certificate"),
        ("roles/0", "covered"),
    ];
    let report: Value = serde_json::from_slice(&render(Format::Json, &judged(), &Style::default()).unwrap()).unwrap();
    for (path, words) in promised {
        let pointer = if path.is_empty() { String::new() } else { format!("/{path}") };
        let given: BTreeSet<&str> = report
            .pointer(&pointer)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let further = more
            .iter()
            .filter(|(at, _)| *at == path)
            .flat_map(|(_, words)| words.split_whitespace());
        let expected: BTreeSet<&str> = words.split_whitespace().chain(further).collect();
        assert_eq!(given, expected, "{path}");
    }
    let probe = &report["probes"][0];
    assert!(probe["attempts"][0]["tls"].is_string() && probe["sent_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(probe["sent_at"].as_str().unwrap().len(), "2026-03-02T02:14:05.000Z".len());
}
