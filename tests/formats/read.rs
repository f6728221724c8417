//! Files, as their readers read them.

use super::world::{python, read, report, reports, said};
use mailflow::{
    model::{Outcome, Verdict},
    report::Format,
};
use serde_json::json;
use std::{
    fs::{self, File},
    process::{Command, Stdio},
};

#[test]
fn junit_passes_the_schema_and_counts_the_same() {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/junit.xsd");
    for (path, judged) in reports(Format::Junit) {
        let found = read(&["junit", path.to_str().unwrap(), schema]);
        let summary = &judged.summary;
        assert_eq!(
            (&found["cases"], &found["failures"], &found["errors"], &found["skipped"]),
            (
                &json!(summary.probes),
                &json!(summary.failed),
                &json!(summary.unknown),
                &json!(summary.waived)
            )
        );
        assert_eq!(found["names"], found["cases"], "each has its own name");
    }
}

#[test]
fn the_schema_refuses_what_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.xml");
    fs::write(&path, "<testsuites name=\"x\" skipped=\"0\"/>").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/read.py");
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/junit.xsd");
    let output = python().args([script, "junit", path.to_str().unwrap(), schema]).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("skipped"));
}

#[test]
fn promtool_has_nothing_to_say_of_the_metrics() {
    for (path, judged) in reports(Format::Prometheus) {
        let output = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(File::open(&path).unwrap())
            .output()
            .unwrap();
        assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
        let text = fs::read_to_string(&path).unwrap();
        let outcomes = text.lines().filter(|line| line.starts_with("mailflow_probe_outcome{"));
        assert_eq!(outcomes.count(), judged.probes.len() * 4);
        let latencies = text.lines().filter(|line| line.starts_with("mailflow_probe_latency_seconds{"));
        assert_eq!(
            latencies.count(),
            judged.probes.iter().filter(|probe| probe.latency_ms.is_some()).count()
        );
    }
}

#[test]
fn the_output_of_the_plugin_is_read_as_it_is_meant() {
    for (path, judged) in reports(Format::Nagios) {
        let found = read(&["nagios", path.to_str().unwrap()]);
        assert!(found["status"].as_str().unwrap().starts_with("MAILFLOW CRITICAL - "), "{found}");
        assert_eq!(found["invalid"], json!([]));
        assert!(found["bytes"].as_u64().unwrap() < 8192);
        assert_eq!(found["metrics"]["failed"], json!([judged.summary.failed.to_string(), "", "", "0"]));
        let probe = judged.probes.iter().find(|probe| probe.latency_ms.is_some()).unwrap();
        let label = format!("{} {} {}", probe.recipient, probe.route, probe.message);
        let metric = &found["metrics"][&label];
        assert_eq!(
            (&metric[1], &metric[2]),
            (&json!("s"), &json!((probe.within_ms / 1000.0).to_string())),
            "{label}: {found}"
        );
        assert!(!found["long"].as_array().unwrap().is_empty());
    }
}

/// `negate` of the Monitoring Plugins runs a plugin, and turns its state around in exit code and text.
#[test]
fn the_monitoring_plugins_know_the_plugin_as_one() {
    let binary = env!("CARGO_BIN_EXE_mailflow");
    let plain = report(&["--format", "nagios"]);
    assert_eq!(plain.status.code(), Some(2), "{}", said(&plain));
    let state = super::world::DEMO.path().join("state");
    let output = Command::new("/usr/lib/nagios/plugins/negate")
        .args([
            "--substitute",
            "--critical=OK",
            binary,
            "report",
            "last",
            "--format",
            "nagios",
            "--state",
        ])
        .arg(state)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("MAILFLOW OK - "));
}

#[test]
fn a_plugin_that_cannot_work_is_unknown_and_says_so_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.yaml"), "name: x\nexpekt: inbox\n").unwrap();
    for (arguments, what) in [
        (["run", "broken.yaml", "--format", "nagios"].as_slice(), "MAILFLOW UNKNOWN - "),
        (&["run", "missing.yaml", "--format=nagios"], "MAILFLOW UNKNOWN - "),
        (&["report", "--format", "nagios", "--nonsense"], "MAILFLOW UNKNOWN - "),
        (&["report", "--format", "nagios"], "MAILFLOW UNKNOWN - no run has ended yet"),
        (&["check", "--format", "nagios"], "MAILFLOW UNKNOWN - this verb writes no report"),
    ] {
        let output = super::world::mailflow(folder.path(), arguments)
            .args(["--state", "state"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {text}");
        assert!(text.starts_with(what), "{arguments:?}: {text}");
    }
    // For everybody else nothing changes.
    let output = super::world::mailflow(folder.path(), &["report", "--format", "jsn"])
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let help = super::world::mailflow(folder.path(), &["--help"]).output().unwrap();
    assert!(help.status.success() && !help.stdout.is_empty());
}

#[test]
fn an_old_run_proves_nothing() {
    let fresh = report(&["--format", "csv", "--max-age", "30d"]);
    assert_eq!(fresh.status.code(), Some(1), "{}", said(&fresh));
    assert!(!said(&fresh).contains("proves nothing"));
    let refused = report(&["--max-age", "8"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("such as 90m, 36h, 90d or 1y"), "{}", said(&refused));
}

#[test]
fn standard_output_has_one_format() {
    let both = report(&["--format", "csv", "--report", "json=-"]);
    assert_eq!(both.status.code(), Some(2));
    assert!(
        said(&both).contains("standard output cannot be both csv and json"),
        "{}",
        said(&both)
    );
    let one = report(&["--format", "json"]);
    assert!(serde_json::from_slice::<serde_json::Value>(&one.stdout).is_ok());
}

#[test]
fn github_shows_the_markdown_as_text_and_mentions_nobody() {
    for (path, judged) in reports(Format::Markdown) {
        let found = read(&["markdown", path.to_str().unwrap()]);
        let allowed = [
            "br", "code", "details", "h2", "h3", "li", "pre", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul",
        ];
        for tag in found["tags"].as_array().unwrap() {
            assert!(allowed.contains(&tag.as_str().unwrap()), "{tag}");
        }
        for table in found["tables"].as_array().unwrap() {
            let widths = table.as_array().unwrap();
            assert!(widths.len() > 1 && widths.iter().all(|width| width == &widths[0]), "{widths:?}");
        }
        let troubles = judged.summary.failed + judged.summary.unknown;
        assert_eq!(found["tables"][0].as_array().unwrap().len(), usize::try_from(troubles).unwrap() + 1);
        assert_eq!(found["mentions"], json!([]));
        assert!(found["details"].as_u64().unwrap() >= u64::from(troubles));
    }
}

#[test]
fn a_spreadsheet_calculates_nothing() {
    for (path, judged) in reports(Format::Csv) {
        let found = read(&["csv", path.to_str().unwrap()]);
        assert_eq!(found["rows"], json!(judged.probes.len()));
        assert_eq!(found["widths"].as_array().unwrap().len(), 1, "{found}");
        assert_eq!(found["formulas"], json!([]));
        let outcomes: std::collections::BTreeSet<Outcome> = judged.probes.iter().map(|probe| probe.outcome).collect();
        assert_eq!(found["outcomes"], json!(outcomes.len()));
    }
}

#[test]
fn the_trace_is_what_opentelemetry_describes() {
    for (path, judged) in reports(Format::Otlp) {
        let found = read(&["otlp", path.to_str().unwrap()]);
        assert_eq!((&found["traces"], &found["roots"]), (&json!(1), &json!(1)));
        let count = |name: &str| found["spans"][name].as_u64().unwrap_or_default();
        assert_eq!(count("mailflow probe"), judged.probes.len() as u64);
        assert_eq!(found["errors"], json!(judged.summary.failed));
        let all: u64 = found["spans"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(serde_json::Value::as_u64)
            .sum();
        assert_eq!(found["ids"], json!(all), "each span has its own id");
        let seen = judged.probes.iter().filter(|probe| probe.verdict == Verdict::Inbox).count() as u64;
        assert!(count("mailflow arrival") >= seen);
    }
}

#[test]
fn the_reader_of_traces_is_strict() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong");
    let [(right, _), _] = reports(Format::Otlp);
    let right = fs::read_to_string(right).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats/read.py");
    for wrong in [
        right.replacen("\"kind\":1", "\"kind\":1,\"colour\":1", 1),
        right.replacen("\"spanId\":\"", "\"spanId\":\"ab", 1),
    ] {
        assert_ne!(wrong, right);
        fs::write(&path, wrong).unwrap();
        let status = python()
            .args([script, "otlp", path.to_str().unwrap()])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!status.success());
    }
}
