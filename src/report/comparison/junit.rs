//! The comparison as `JUnit` XML: a test case for each probe that changed. A *failure* is a regression, an *error* what could not be compared;
//! other changes succeed, with what is different as their output. Those that came to the same are one case: it says how many.

use super::text;
use crate::model::{Comparison, Effect, ProbeChange};
use crate::report::{ReportError, counted, escape, junit::written};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::fmt::Write;

/// The comparison.
pub fn render(comparison: &Comparison) -> Result<Vec<u8>, ReportError> {
    let mut report = Report::new("mailflow compare");
    let name = format!("{} → {}", comparison.before.asked, comparison.after.asked);
    let name = escape(&name);
    let mut suite = TestSuite::new(&*name);
    for (property, side) in [("before", &comparison.before), ("after", &comparison.after)] {
        suite.add_property((property, &*escape(&text::side(side))));
    }
    suite.add_test_cases(comparison.probes.iter().map(|change| test_case(change, &name)));
    if comparison.summary.same > 0 {
        let same = counted(comparison.summary.same as usize, "probe", "probes");
        let mut case = TestCase::new(format!("{same} came to the same"), TestCaseStatus::success());
        case.set_classname(&*name);
        suite.add_test_case(case);
    }
    for role in &comparison.roles {
        let mut status = status(role.effect);
        if !matches!(status, TestCaseStatus::Success { .. }) {
            status.set_message(&*escape(&text::role(role)));
            status.set_type(role.effect.word());
        }
        let mut case = TestCase::new(&*escape(&format!("role {}", role.role)), status);
        case.set_classname(&*name);
        suite.add_test_case(case);
    }
    report.add_test_suite(suite);
    written(&report)
}

fn status(effect: Effect) -> TestCaseStatus {
    match effect {
        Effect::Regression => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Effect::NotCompared => TestCaseStatus::non_success(NonSuccessKind::Error),
        Effect::Changed | Effect::Improvement => TestCaseStatus::success(),
    }
}

fn test_case(change: &ProbeChange, suite: &str) -> TestCase {
    let mut status = status(change.effect);
    if !matches!(status, TestCaseStatus::Success { .. }) {
        let first = change.differences.first();
        let what = first.map(|difference| format!("{}: {}", text::label(difference), text::sentence(difference)));
        let message = change
            .reason
            .clone()
            .or(what)
            .unwrap_or_else(|| format!("{} → {}", change.outcome_before, change.outcome_after));
        status.set_message(&*escape(&message));
        status.set_type(change.effect.word());
        let said: Vec<String> = change
            .explanation
            .iter()
            .chain(&change.remedy)
            .map(|said| escape(said).into_owned())
            .collect();
        if !said.is_empty() {
            status.set_description(said.join("\n"));
        }
    }
    let name = format!("{}: {}", change.recipient, text::via(change));
    let mut case = TestCase::new(&*escape(&name), status);
    case.set_classname(suite);
    let mut out = String::from("\n");
    // Writing into a String cannot fail.
    let _ = writeln!(out, "{:13}{} → {}", "outcome", change.outcome_before, change.outcome_after);
    for difference in &change.differences {
        let _ = writeln!(out, "{:13}{}", escape(text::label(difference)), escape(&text::sentence(difference)));
    }
    case.set_system_out(out);
    case
}
