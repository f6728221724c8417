//! The report as `JUnit` XML: a suite for each case and route, a test case for each recipient, route and message.
//!
//! A *failure* is an answer of the mail system that was not expected; an *error* is what could not be measured; *skipped* is what the
//! site accepts for now. It keeps to what the schema of Jenkins' xUnit plugin (junit-10) allows; everything beyond that stands in `system-out`.

use super::{ReportError, escape, evidence};
use crate::explain::{alternatives, span};
use crate::model::{Judged, JudgedProbe, Outcome, RunInfo};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::{collections::BTreeMap, fmt::Write, time::Duration};

/// The report.
pub fn render(judged: &Judged) -> Result<Vec<u8>, ReportError> {
    let mut report = Report::new("mailflow");
    if let [run] = judged.runs.as_slice()
        && let Some(finished) = run.finished_at
    {
        report.set_time((finished - run.started_at).to_std().unwrap_or_default());
    }
    let mut suites: BTreeMap<(&str, Option<&str>, &str), Vec<&JudgedProbe>> = BTreeMap::new();
    for probe in &judged.probes {
        suites
            .entry((probe.run.as_str(), probe.case.as_deref(), &probe.route))
            .or_default()
            .push(probe);
    }
    for ((run, case, route), probes) in suites {
        let run = judged.runs.iter().find(|known| known.id.as_str() == run);
        report.add_test_suite(suite(run, case, route, &probes));
    }
    written(&report)
}

/// As the schema has it: each suite says how many were skipped, and that the root says it too is more than it knows.
pub(super) fn written(report: &Report) -> Result<Vec<u8>, ReportError> {
    let mut xml = Vec::new();
    report.serialize(&mut xml)?;
    let attribute = format!(" skipped=\"{}\"", report.skipped);
    let root = xml.windows(attribute.len()).position(|bytes| bytes == attribute.as_bytes());
    if let Some(at) = root {
        xml.drain(at..at + attribute.len());
    }
    Ok(xml)
}

fn suite(run: Option<&RunInfo>, case: Option<&str>, route: &str, probes: &[&JudgedProbe]) -> TestSuite {
    let scenario = run.map_or("mailflow", |run| run.scenario.as_str());
    let name = case.map_or_else(|| format!("{scenario} / {route}"), |case| format!("{scenario} / {case} / {route}"));
    let name = escape(&name);
    let mut suite = TestSuite::new(&*name);
    if let Some(run) = run {
        suite.set_timestamp(run.started_at);
        suite.add_property(("run", run.id.as_str()));
        suite.add_property(("site", &*escape(&run.site)));
        suite.add_property(("version", run.version.as_str()));
        if let Some(change) = &run.change {
            suite.add_property(("change", &*escape(change)));
        }
    }
    suite.add_test_cases(probes.iter().map(|probe| test_case(probe, &name)));
    // Probes are under way together: their times do not add up.
    let longest = probes.iter().filter_map(|probe| probe.latency_ms).max_by(f64::total_cmp);
    suite.set_time(duration(longest.unwrap_or(0.0)));
    suite
}

fn test_case(probe: &JudgedProbe, suite: &str) -> TestCase {
    let status = match probe.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed => told(probe, TestCaseStatus::non_success(NonSuccessKind::Failure)),
        Outcome::Unknown => told(probe, TestCaseStatus::non_success(NonSuccessKind::Error)),
        Outcome::Waived => told(probe, TestCaseStatus::skipped()),
    };
    let name = format!("{} by {}: {}", probe.recipient, probe.route, probe.message);
    let mut case = TestCase::new(&*escape(&name), status);
    case.set_classname(suite);
    if let Some(latency) = probe.latency_ms {
        case.set_time(duration(latency));
    }
    let mut out = String::from("\n");
    for (label, line) in evidence::lines(probe) {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{label:13}{}", escape(&line));
    }
    case.set_system_out(out);
    case
}

/// The status with what was expected and measured, the explanation and the remedy.
fn told(probe: &JudgedProbe, mut status: TestCaseStatus) -> TestCaseStatus {
    let waived = match &probe.waiver {
        _ if probe.outcome != Outcome::Waived => String::new(),
        Some(waiver) => format!("waived {waiver}: "),
        None => "waived: ".to_owned(),
    };
    let late = probe
        .latency_ms
        .map(|latency| format!(" after {}", span(latency)))
        .unwrap_or_default();
    let flags = probe.flags.iter().fold(String::new(), |flags, flag| flags + ", " + flag.word());
    let message = format!(
        "{waived}expected {}, measured {}{flags}{late}",
        alternatives(&probe.expected),
        probe.verdict
    );
    status.set_message(&*escape(&message));
    status.set_type(probe.verdict.word());
    let mut description = escape(&probe.explanation).into_owned();
    if let Some(remedy) = &probe.remedy {
        description.push('\n');
        description.push_str(&escape(remedy));
    }
    status.set_description(description);
    status
}

fn duration(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default()
}
