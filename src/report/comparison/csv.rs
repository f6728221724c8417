//! The comparison as comma-separated values: a line for each difference, so that a spreadsheet can filter and count them.
//!
//! `about` says what a line is about: a `probe` (with no `kind` if nothing but its outcome is known), a `role`, the `latency` of a route or of all,
//! or a `recipient`, `route`, `message` or `case` that only one of the runs has. The columns are a promise, as those of a run's report are.
//!
//! What it leaves out: probes that came to the same.

use super::text;
use crate::model::{Comparison, Difference, LatencyShift, ProbeChange, ShiftFinding, Side, Unmatched};
use crate::report::csv::{foreign, written};

/// The columns, in their order.
const COLUMNS: [&str; 22] = [
    "about",
    "effect",
    "recipient",
    "role",
    "owner",
    "route",
    "message",
    "case",
    "outcome_before",
    "outcome_after",
    "kind",
    "of",
    "before",
    "after",
    "note",
    "reason",
    "explanation",
    "remedy",
    "probe_before",
    "probe_after",
    "run_before",
    "run_after",
];

/// One line; what is not said is empty.
#[derive(Default)]
struct Line<'a> {
    about: &'static str,
    effect: &'static str,
    recipient: &'a str,
    role: &'a str,
    route: &'a str,
    message: &'a str,
    case: &'a str,
    kind: &'static str,
    of: &'a str,
    before: String,
    after: String,
    note: String,
    /// What only a probe has.
    probe: Option<&'a ProbeChange>,
}

/// The comparison.
pub fn render(comparison: &Comparison) -> Vec<u8> {
    let mut lines = Vec::new();
    for change in &comparison.probes {
        lines.extend(change.differences.iter().map(|difference| of_probe(change, Some(difference))));
        if change.differences.is_empty() {
            lines.push(of_probe(change, None));
        }
    }
    lines.extend(comparison.roles.iter().map(|role| Line {
        about: "role",
        effect: role.effect.word(),
        role: &role.role,
        kind: "role",
        before: role.before.clone(),
        after: role.after.clone(),
        ..Line::default()
    }));
    lines.extend(of_unmatched("gone", &comparison.gone));
    lines.extend(of_unmatched("added", &comparison.added));
    lines.extend(comparison.latency.iter().map(of_latency));
    let (before, after) = (runs(&comparison.before), runs(&comparison.after));
    written(COLUMNS, lines.into_iter().map(|line| line.fields(&before, &after)))
}

fn of_probe<'a>(change: &'a ProbeChange, difference: Option<&'a Difference>) -> Line<'a> {
    Line {
        about: "probe",
        effect: change.effect.word(),
        recipient: &change.recipient,
        role: change.role.as_deref().unwrap_or_default(),
        route: change.route.as_deref().unwrap_or_default(),
        message: &change.message,
        case: change.case.as_deref().unwrap_or_default(),
        kind: difference.map_or("", |difference| difference.kind.word()),
        of: difference.and_then(|difference| difference.of.as_deref()).unwrap_or_default(),
        before: difference.map(|difference| difference.before.clone()).unwrap_or_default(),
        after: difference.map(|difference| difference.after.clone()).unwrap_or_default(),
        note: difference.and_then(|difference| difference.note.clone()).unwrap_or_default(),
        probe: Some(change),
    }
}

fn of_unmatched<'a>(effect: &'static str, unmatched: &'a Unmatched) -> Vec<Line<'a>> {
    let line = |about: &'static str, name: &'a String| {
        let line = Line {
            about,
            effect,
            ..Line::default()
        };
        match about {
            "recipient" => Line { recipient: name, ..line },
            "route" => Line { route: name, ..line },
            "message" => Line { message: name, ..line },
            _ => Line { case: name, ..line },
        }
    };
    [
        ("recipient", &unmatched.recipients),
        ("route", &unmatched.routes),
        ("message", &unmatched.messages),
        ("case", &unmatched.cases),
    ]
    .into_iter()
    .flat_map(|(about, names)| names.iter().map(move |name| line(about, name)))
    .collect()
}

/// Medians in milliseconds, and the interval of the shift in words.
fn of_latency(shift: &LatencyShift) -> Line<'_> {
    let milliseconds = |median: Option<f64>| median.map(|median| format!("{median:.1}")).unwrap_or_default();
    Line {
        about: "latency",
        effect: match shift.finding {
            ShiftFinding::TooFew => "too-few",
            ShiftFinding::None => "none",
            ShiftFinding::Slower => "slower",
            ShiftFinding::Faster => "faster",
        },
        route: shift.route.as_deref().unwrap_or_default(),
        kind: "median_ms",
        before: milliseconds(shift.median_before_ms),
        after: milliseconds(shift.median_after_ms),
        // Not with the sign first: a spreadsheet would calculate.
        note: text::interval(shift)
            .map(|interval| format!("shift {interval}"))
            .unwrap_or_default(),
        ..Line::default()
    }
}

fn runs(side: &Side) -> String {
    let ids: Vec<&str> = side.runs.iter().map(|run| run.id.as_str()).collect();
    ids.join(" ")
}

impl Line<'_> {
    fn fields(self, before: &str, after: &str) -> [String; COLUMNS.len()] {
        let said = |pick: fn(&ProbeChange) -> Option<&str>| self.probe.and_then(pick).map(foreign).unwrap_or_default();
        let probe = |pick: fn(&ProbeChange) -> String| self.probe.map(pick).unwrap_or_default();
        [
            self.about.to_owned(),
            self.effect.to_owned(),
            foreign(self.recipient),
            foreign(self.role),
            said(|change| change.owner.as_deref()),
            foreign(self.route),
            foreign(self.message),
            foreign(self.case),
            probe(|change| change.outcome_before.word().to_owned()),
            probe(|change| change.outcome_after.word().to_owned()),
            self.kind.to_owned(),
            foreign(self.of),
            foreign(&self.before),
            foreign(&self.after),
            foreign(&self.note),
            said(|change| change.reason.as_deref()),
            said(|change| change.explanation.as_deref()),
            said(|change| change.remedy.as_deref()),
            probe(|change| change.before.to_string()),
            probe(|change| change.after.to_string()),
            foreign(before),
            foreign(after),
        ]
    }
}
