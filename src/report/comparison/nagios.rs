//! The comparison as the output of a monitoring plugin: a service that watches for what got worse since a baseline.
//!
//! What it leaves out: whatever would make it longer than such systems read. It says how many lines are missing.

use super::{headline, text};
use crate::model::{Comparison, DifferenceKind, Effect, Outcome, ProbeChange};
use crate::report::{
    counted,
    nagios::{LIMIT, LINE, LONG_LINE, State, plain, seconds},
};
use std::fmt::Write;

/// The state of a comparison.
pub fn state(comparison: &Comparison) -> State {
    let worse = comparison.probes.iter().filter(|change| change.effect == Effect::Regression);
    let roles = comparison.roles.iter().any(|role| role.effect == Effect::Regression);
    match headline::outcome(comparison) {
        Outcome::Passed | Outcome::Waived => State::Ok,
        Outcome::Unknown => State::Unknown,
        Outcome::Failed if !roles && worse.clone().all(is_only_late) => State::Warning,
        Outcome::Failed => State::Critical,
    }
}

/// Whether it arrives where it did, but late.
fn is_only_late(change: &ProbeChange) -> bool {
    let is_late = |kind: DifferenceKind| kind == DifferenceKind::Late;
    let excused = |kind: DifferenceKind| is_late(kind) || kind == DifferenceKind::Delay;
    change.differences.iter().any(|one| is_late(one.kind)) && change.differences.iter().all(|one| excused(one.kind))
}

/// The output. `untold`: places that could not be told of it.
pub fn render(comparison: &Comparison, untold: &[String]) -> Vec<u8> {
    let state = match state(comparison) {
        State::Ok if !untold.is_empty() => State::Unknown,
        state => state,
    };
    let sentence = headline::headline(comparison);
    let mut out = format!("MAILFLOW {} - {}", state.word(), plain(sentence.trim_end_matches('.'), LINE));
    // Writing into a String cannot fail.
    let _ = write!(out, "|{}", totals(comparison));
    let troubles = comparison
        .probes
        .iter()
        .filter(|change| matches!(change.effect, Effect::Regression | Effect::NotCompared))
        .map(trouble);
    let roles = comparison
        .roles
        .iter()
        .filter(|role| role.effect == Effect::Regression)
        .map(|role| format!("[CRITICAL] role {}: {}", role.role, text::role(role)));
    let sides = [("Before", &comparison.before), ("After", &comparison.after)].map(|(word, side)| format!("{word}: {}", text::side(side)));
    let mut left = 0;
    for line in untold.iter().cloned().chain(sides).chain(troubles).chain(roles) {
        let line = plain(&line, LONG_LINE);
        if left > 0 || out.len() + line.len() + 1 > LIMIT {
            left += 1;
        } else {
            out.push('\n');
            out.push_str(&line);
        }
    }
    if left > 0 {
        let _ = write!(out, "\nand {}", counted(left, "line more", "lines more"));
    }
    out.push('\n');
    out.into_bytes()
}

fn trouble(change: &ProbeChange) -> String {
    let state = match change.effect {
        Effect::Regression if is_only_late(change) => State::Warning,
        Effect::Regression => State::Critical,
        _ => State::Unknown,
    };
    let differences = change
        .differences
        .iter()
        .map(|difference| format!("{}: {}", text::label(difference), text::sentence(difference)));
    let said: Vec<String> = change
        .reason
        .iter()
        .cloned()
        .chain(differences)
        .chain(change.remedy.clone())
        .collect();
    format!(
        "[{}] {} ({}): {}",
        state.word(),
        change.recipient,
        text::via(change),
        said.join("; ")
    )
}

/// Always the same labels: graphs are drawn by them.
fn totals(comparison: &Comparison) -> String {
    let summary = &comparison.summary;
    let all = summary.matched;
    let mut data = format!(
        "regressions={};;0;0;{all} improvements={};;;0;{all} changed={};;;0;{all} not_compared={};;;0;{all} gone={};;;0; added={};;;0; still_failing={};;;0;{all}",
        summary.regressions,
        summary.improvements,
        summary.changed,
        summary.not_compared,
        summary.gone,
        summary.added,
        summary.still_failing
    );
    let shift = comparison
        .latency
        .first()
        .filter(|shift| shift.low_ms.is_some())
        .and_then(|shift| shift.shift_ms);
    let shift = shift.map_or_else(|| "U".to_owned(), |shift| format!("{}s", seconds(shift)));
    let _ = write!(data, " latency_shift={shift};;;;");
    data
}
