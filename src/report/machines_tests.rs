//! The formats for machines, of the same stored run as the others: what each reader relies on, and that a server that means ill cannot break it.

use super::{
    nagios::State,
    tests::{judged, rendered},
    *,
};
use crate::model::{Flag, JudgedProbe, Outcome, Verdict};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn report(format: Format, judged: &Judged) -> String {
    rendered(format, judged, &Style::default())
}

/// Only these probes, counted anew.
fn of(keep: impl Fn(&JudgedProbe) -> bool) -> Judged {
    let mut judged = judged();
    judged.probes.retain(keep);
    judged.summary = crate::model::Summary::of(&judged.probes);
    judged.roles = crate::judge::roles(&judged.probes);
    judged.blind.clear();
    judged
}

fn edited(edit: impl Fn(&mut JudgedProbe)) -> Judged {
    let mut judged = judged();
    judged.probes.iter_mut().for_each(edit);
    judged
}

/// Names, labels and value of each sample.
fn samples(metrics: &str) -> Vec<(&str, &str, f64)> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, rest) = line.split_once('{').unwrap();
            let (labels, value) = rest.rsplit_once("} ").unwrap();
            (name, labels, value.parse().unwrap())
        })
        .collect()
}

#[test]
fn the_formats_for_machines_are_as_they_were() {
    let judged = judged();
    insta::assert_snapshot!("prometheus", report(Format::Prometheus, &judged));
    insta::assert_snapshot!("nagios", report(Format::Nagios, &judged));
    insta::assert_snapshot!("markdown", report(Format::Markdown, &judged));
    insta::assert_snapshot!("csv", report(Format::Csv, &judged).replace("\r\n", "\n"));
    let otlp: Value = serde_json::from_str(&report(Format::Otlp, &judged)).unwrap();
    insta::assert_snapshot!("otlp", serde_json::to_string_pretty(&otlp).unwrap());
}

#[test]
fn what_is_unknown_looks_neither_quick_nor_successful() {
    let judged = of(|probe| probe.outcome == Outcome::Unknown && probe.latency_ms.is_none());
    assert!(!judged.probes.is_empty());
    let metrics = report(Format::Prometheus, &judged);
    let samples = samples(&metrics);
    let has = |name: &str| samples.iter().filter(|sample| sample.0 == name).count();
    assert_eq!(has("mailflow_probe_success"), 0);
    assert_eq!(
        has("mailflow_probe_latency_seconds") + has("mailflow_probe_latency_uncertainty_seconds"),
        0
    );
    let unknown = samples
        .iter()
        .filter(|(name, labels, value)| *name == "mailflow_probe_outcome" && labels.ends_with("outcome=\"unknown\"") && *value > 0.5);
    assert_eq!(unknown.count(), judged.probes.len());
    assert!(report(Format::Csv, &judged).lines().skip(1).all(|line| line.contains(",unknown,")));
    let output = report(Format::Nagios, &judged);
    assert!(
        output.starts_with("MAILFLOW UNKNOWN - ") && output.contains(" latency_max=U;"),
        "{output}"
    );
}

#[test]
fn metrics_say_nothing_twice() {
    let mut judged = judged();
    // The same run again, later: only the later one counts.
    let mut again = judged.clone();
    again.runs[0].id = crate::model::RunId::from_random([7; 6]);
    again.runs[0].started_at += chrono::TimeDelta::hours(1);
    for probe in &mut again.probes {
        probe.run = again.runs[0].id.clone();
        probe.copies = 77;
    }
    judged.probes.extend(again.probes);
    judged.runs.extend(again.runs);
    let metrics = report(Format::Prometheus, &judged);
    let samples = samples(&metrics);
    let distinct: BTreeSet<(&str, &str)> = samples.iter().map(|(name, labels, _)| (*name, *labels)).collect();
    assert_eq!(distinct.len(), samples.len());
    let copies = samples.iter().filter(|sample| sample.0 == "mailflow_probe_copies");
    assert!(copies.map(|sample| sample.2).all(|copies| copies > 76.0));
    assert_eq!(samples.iter().filter(|sample| sample.0 == "mailflow_run_info").count(), 1);
}

#[test]
fn labels_are_escaped_and_bounded() {
    let long = "x".repeat(10_000);
    let mut judged = edited(|probe| probe.case = Some(format!("a\\b \"c\"\nd\u{202e} {long}")));
    judged.runs[0].scenario = "quote \" and \\".to_owned();
    let metrics = report(Format::Prometheus, &judged);
    assert!(metrics.contains(r#"scenario="quote \" and \\""#));
    assert!(metrics.contains(r#"case="a\\b \"c\" d\\u{202e} xxx"#));
    assert!(metrics.lines().all(|line| line.len() < 2_000));
    assert_eq!(
        super::metrics(&Judged {
            runs: Vec::new(),
            ..judged
        }),
        ""
    );
}

#[test]
fn a_plugin_has_four_states() {
    let passed = |probe: &JudgedProbe| matches!(probe.outcome, Outcome::Passed | Outcome::Waived);
    let late =
        |probe: &JudgedProbe| probe.outcome == Outcome::Failed && probe.verdict == Verdict::Inbox && probe.flags.contains(&Flag::Late);
    let unknown = |probe: &JudgedProbe| probe.outcome == Outcome::Unknown;
    assert_eq!(State::of(&of(passed)), State::Ok);
    assert_eq!(State::of(&of(|probe| passed(probe) || unknown(probe))), State::Unknown);
    assert_eq!(State::of(&of(|probe| unknown(probe) || late(probe))), State::Warning);
    assert_eq!(State::of(&judged()), State::Critical);
    let output = nagios::render(&of(passed), &["the report x cannot be written".to_owned()]);
    let output = String::from_utf8(output).unwrap();
    assert!(
        output.starts_with("MAILFLOW UNKNOWN - ") && output.contains("\nthe report x cannot be written"),
        "{output}"
    );
}

/// The grammar of the guidelines: text, a bar, data; lines; a bar, data; data.
#[test]
fn the_output_of_a_plugin_keeps_to_its_grammar_and_length() {
    let mut hostile = edited(|probe| {
        probe.explanation = format!("It said “a|b <b>c</b>\n|=1 'x'” {}", "y".repeat(2_000));
        probe.case = Some("o'clock = now | then".to_owned());
    });
    let one = hostile.probes.clone();
    for round in 0..40 {
        hostile.probes.extend(one.iter().cloned().map(|probe| JudgedProbe {
            recipient: format!("{round}-{}", probe.recipient),
            ..probe
        }));
    }
    for judged in [judged(), hostile, of(|probe| probe.outcome == Outcome::Passed), of(|_| false)] {
        let output = report(Format::Nagios, &judged);
        assert!(output.len() < 8_192 && output.ends_with('\n'));
        assert!(!output.contains(['<', '>']));
        assert!(output.matches('|').count() <= 2, "{output}");
        let (first, rest) = output.split_once('\n').unwrap();
        let (_, mut data) = first.split_once('|').map(|(text, data)| (text, data.to_owned())).unwrap();
        if let Some((_, more)) = rest.split_once('|') {
            data.push(' ');
            data.push_str(more);
        }
        let mut labels = BTreeSet::new();
        for (label, value) in performance(&data) {
            assert!(!label.contains('=') && labels.insert(label.clone()), "{label}");
            let fields: Vec<&str> = value.split(';').collect();
            assert_eq!(
                fields.len(),
                if label.starts_with("passed") || fields.len() == 5 {
                    fields.len()
                } else {
                    5
                }
            );
            let number = fields[0].strip_suffix('s').unwrap_or(fields[0]);
            assert!(number == "U" || number.parse::<f64>().is_ok(), "{value}");
            assert!(
                fields[1..].iter().all(|limit| limit.is_empty() || limit.parse::<f64>().is_ok()),
                "{value}"
            );
        }
        for always in ["passed", "failed", "waived", "unknown", "latency_max"] {
            assert!(labels.contains(always));
        }
    }
}

/// Labels and values, with the quoting of labels undone.
fn performance(data: &str) -> Vec<(String, String)> {
    let mut rest = data.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let mut label = String::new();
        if let Some(quoted) = rest.strip_prefix('\'') {
            rest = quoted;
            loop {
                let end = rest.find('\'').unwrap();
                label.push_str(&rest[..end]);
                rest = &rest[end + 1..];
                let Some(more) = rest.strip_prefix('\'') else { break };
                label.push('\'');
                rest = more;
            }
        } else {
            let end = rest.find('=').unwrap();
            label.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        rest = rest.strip_prefix('=').unwrap();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        found.push((label, rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    found
}

#[test]
fn a_table_is_not_calculated() {
    let judged = edited(|probe| {
        probe.folder = Some("=HYPERLINK(\"http://evil\",\"x\")".to_owned());
        probe.case = Some(" \t@SUM(A1)".to_owned());
        probe.path = Some("＋1".to_owned());
        probe.remedy = Some("say \"so\", twice\r\n-1".to_owned());
    });
    let csv = report(Format::Csv, &judged);
    let line = csv.split("\r\n").nth(1).unwrap();
    assert!(line.contains(r#","'=HYPERLINK(""http://evil"",""x"")","#), "{line}");
    assert!(
        line.contains(",'＋1,") && line.contains("@SUM(A1)") && !line.contains(", \t@"),
        "{line}"
    );
    assert!(line.contains(r#","say ""so"", twice -1","#), "{line}");
    assert_eq!(csv.matches("\r\n").count(), judged.probes.len() + 1);
}

#[test]
fn markdown_stays_below_what_github_takes() {
    let mut judged = edited(|probe| probe.explanation = "z".repeat(3_000));
    let one = judged.probes.clone();
    for round in 0..60 {
        judged.probes.extend(one.iter().cloned().map(|probe| JudgedProbe {
            recipient: format!("{round}-{}", probe.recipient),
            ..probe
        }));
    }
    let markdown = report(Format::Markdown, &judged);
    assert!(markdown.len() < 1 << 20, "{}", markdown.len());
    assert!(markdown.contains("is left out here; the other formats have it."));
}

#[test]
fn a_trace_hangs_together_and_is_the_same_each_time() {
    let mut judged = judged();
    judged.probes[0].hops = vec![crate::model::HopRecord {
        hop: crate::model::Hop {
            by: Some("mx1.contoso.example".to_owned()),
            at: judged.probes[0].accepted_at,
            ..crate::model::Hop::default()
        },
        spent_ms: Some(1_000.0),
        skew_ms: None,
    }];
    let line = report(Format::Otlp, &judged);
    assert_eq!((line.matches('\n').count(), &line), (1, &report(Format::Otlp, &judged)));
    let otlp: Value = serde_json::from_str(&line).unwrap();
    let spans = otlp["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let ids: BTreeSet<&str> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), spans.len(), "each span has its own id");
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for span in spans {
        *names.entry(span["name"].as_str().unwrap()).or_default() += 1;
        assert_eq!(span["traceId"], spans[0]["traceId"]);
        let time = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
        match span.get("parentSpanId") {
            Some(parent) => assert!(ids.contains(parent.as_str().unwrap())),
            None => assert_eq!(span["name"], "mailflow run"),
        }
        let estimate = span["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|attribute| attribute["key"] == "mailflow.estimate");
        assert_eq!(estimate, span["name"] == "mailflow hop");
    }
    let attempts: usize = judged.probes.iter().map(|probe| probe.attempts.len()).sum();
    assert_eq!(
        (names["mailflow run"], names["mailflow probe"], names["mailflow send"]),
        (1, judged.probes.len(), attempts)
    );
    assert!(names["mailflow hop"] > 0 && names["mailflow arrival"] > 0);
    let failed = spans
        .iter()
        .filter(|span| span["name"] == "mailflow probe" && span["status"]["code"] == 2)
        .count();
    assert_eq!(failed, usize::try_from(judged.summary.failed).unwrap());
}
