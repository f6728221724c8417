//! The sentences of a comparison, which are the same in every format for people.

use crate::explain::span;
use crate::model::{
    ComparisonSummary, Difference, DifferenceKind, Effect, LatencyShift, ProbeChange, RoleChange, ShiftFinding, Side, Unmatched,
};
use crate::report::counted;

/// The title of the column with the interval of a shift.
pub const SHIFT: &str = "Shift, 99 % sure";
/// How many are named where there are many.
const NAMED: usize = 12;

/// The word for people of what a change comes to.
pub fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Regression => "worse",
        Effect::NotCompared => "not compared",
        Effect::Changed => "changed",
        Effect::Improvement => "better",
    }
}

/// What stands above the changes of an effect.
pub fn title(effect: Effect) -> &'static str {
    match effect {
        Effect::Regression => "Worse: passed before, fails now",
        Effect::NotCompared => "Could not be compared",
        Effect::Changed => "Changed otherwise",
        Effect::Improvement => "Better: failed before, passes now",
    }
}

/// How many probes came to what, those that there are; the words of the first four are [`effect`]'s.
pub fn tally(summary: &ComparisonSummary) -> Vec<(Option<Effect>, String)> {
    [
        (Some(Effect::Regression), summary.regressions, "worse"),
        (Some(Effect::NotCompared), summary.not_compared, "not compared"),
        (Some(Effect::Changed), summary.changed, "changed"),
        (Some(Effect::Improvement), summary.improvements, "better"),
        (None, summary.same, "the same"),
        (None, summary.gone, "gone"),
        (None, summary.added, "added"),
    ]
    .into_iter()
    .filter(|(_, count, _)| *count > 0)
    .map(|(effect, count, word)| (effect, format!("{count} {word}")))
    .collect()
}

/// With a capital first letter.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + letters.as_str()
}

/// `run kf3q2m4xa (last) of “weekly”, 2026-03-02 02:14 UTC, for CHG-4711`.
pub fn side(side: &Side) -> String {
    let asked_by_id = |run: &crate::model::RunInfo| run.id.as_str().starts_with(&side.asked.to_lowercase());
    let named = if side.runs.first().is_some_and(asked_by_id) {
        String::new()
    } else {
        format!(" ({})", side.asked)
    };
    let one = |run: &crate::model::RunInfo| {
        let change = run.change.as_ref().map(|change| format!(", for {change}")).unwrap_or_default();
        format!(
            "run {}{} of “{}”, {} UTC{change}",
            run.id,
            named,
            run.scenario,
            run.started_at.format("%Y-%m-%d %H:%M")
        )
    };
    match side.runs.as_slice() {
        [] => format!("no run{named}"),
        [run] => one(run),
        [first, rest @ ..] => format!("{}, and {} more runs", one(first), rest.len()),
    }
}

/// `plain by new-gateway, case “spam”, Billing Administrator`.
pub fn via(change: &ProbeChange) -> String {
    crate::report::text::via(
        &change.message,
        change.route.as_deref(),
        change.case.as_deref(),
        change.role.as_deref(),
    )
}

/// What stands before a difference: its kind, or what it is about where that says it.
pub fn label(difference: &Difference) -> &str {
    match (difference.kind, &difference.of) {
        // SPF, DKIM and DMARC, subject, text and links are known by their names.
        (DifferenceKind::Authentication | DifferenceKind::Alteration, Some(of)) => of,
        (DifferenceKind::Authentication, None) => "checks",
        (DifferenceKind::Requirement, _) => "required",
        (DifferenceKind::Signature, _) => "DKIM of",
        (kind, _) => kind.word(),
    }
}

/// The label with what it is about, where a table has no room for that elsewhere: `filter rspamd`.
pub fn whole_label(difference: &Difference) -> String {
    let label = label(difference);
    match &difference.of {
        Some(of) if of != label => format!("{label} {of}"),
        _ => label.to_owned(),
    }
}

/// What stands behind that label.
pub fn sentence(difference: &Difference) -> String {
    match difference.kind {
        DifferenceKind::Authentication | DifferenceKind::Alteration => Difference {
            of: None,
            ..difference.clone()
        }
        .to_string(),
        _ => difference.to_string(),
    }
}

/// `passed → unknown`; nothing where the outcome is the same, or the effect says it already.
pub fn outcomes(change: &ProbeChange) -> Option<String> {
    let told = matches!(change.effect, Effect::Regression | Effect::Improvement);
    (change.outcome_before != change.outcome_after && !told).then(|| format!("{} → {}", change.outcome_before, change.outcome_after))
}

/// What a shift comes to, in a few words.
pub fn finding(shift: &LatencyShift) -> String {
    match shift.finding {
        ShiftFinding::TooFew => format!("too few to tell, {} and {}", shift.before, shift.after),
        ShiftFinding::None => "no shift to speak of".to_owned(),
        ShiftFinding::Slower => "slower".to_owned(),
        ShiftFinding::Faster => "faster".to_owned(),
    }
}

/// The interval of a shift: `+0.02 to +0.15 s`.
pub fn interval(shift: &LatencyShift) -> Option<String> {
    Some(format!("{} to {}", signed(shift.low_ms?), signed(shift.high_ms?)))
}

fn signed(milliseconds: f64) -> String {
    let sign = if milliseconds < 0.0 { "−" } else { "+" };
    format!("{sign}{}", span(milliseconds.abs()))
}

/// How many pairs, and how long they took.
pub fn latency(shift: &LatencyShift) -> [String; 3] {
    let median = |median: Option<f64>| median.map_or_else(String::new, span);
    [
        shift.pairs.to_string(),
        median(shift.median_before_ms),
        median(shift.median_after_ms),
    ]
}

/// The way that a shift is of.
pub fn way(shift: &LatencyShift) -> String {
    shift.route.as_ref().map_or_else(|| "all".to_owned(), |route| format!("by {route}"))
}

/// What only one of the runs has, a line each.
pub fn unmatched(unmatched: &Unmatched) -> Vec<String> {
    let named: Vec<String> = unmatched
        .lists()
        .map(|(one, many, names)| format!("{} {}", if names.len() == 1 { one } else { many }, listed(names)))
        .collect();
    if named.is_empty() && unmatched.probes > 0 {
        let number = counted(unmatched.probes as usize, "probe", "probes");
        return vec![format!("{number}, of recipients, routes, messages and cases that both have")];
    }
    named
}

/// The first of many, and how many more.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(NAMED);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{tail}", shown.join(", "))
}

/// What changed of a role.
pub fn role(role: &RoleChange) -> String {
    format!("{} → {}", role.before, role.after)
}

/// An address, with what differs from the first of its group.
pub fn named(change: &ProbeChange, first: &ProbeChange) -> String {
    let mut further = Vec::new();
    if change.message != first.message {
        further.push(change.message.clone());
    }
    if change.route != first.route {
        further.extend(change.route.as_ref().map(|route| format!("by {route}")));
    }
    if change.case != first.case {
        further.push(
            change
                .case
                .as_ref()
                .map_or_else(|| "no case".to_owned(), |case| format!("“{case}”")),
        );
    }
    if further.is_empty() {
        change.recipient.clone()
    } else {
        format!("{} ({})", change.recipient, further.join(", "))
    }
}
