//! The sentences of a comparison, which are the same in every format for people.

use crate::explain::span;
use crate::model::{
    Comparison, Difference, DifferenceKind, Effect, LatencyShift, Outcome, ProbeChange, RoleChange, ShiftFinding, Side, Unmatched,
};
use crate::report::counted;

/// How many are named where there are many.
const NAMED: usize = 12;

/// What all of it comes to, as the exit code has it.
pub fn outcome(comparison: &Comparison) -> Outcome {
    let role = |effect: Effect| comparison.roles.iter().any(|role| role.effect == effect);
    let summary = &comparison.summary;
    if summary.regressions > 0 || role(Effect::Regression) {
        Outcome::Failed
    } else if summary.not_compared > 0 || role(Effect::NotCompared) || summary.matched == 0 {
        Outcome::Unknown
    } else {
        Outcome::Passed
    }
}

/// All of it in one sentence.
pub fn headline(comparison: &Comparison) -> String {
    let summary = &comparison.summary;
    if summary.matched == 0 {
        return match summary.gone + summary.added {
            0 => "There is nothing to compare: neither run has a probe.".to_owned(),
            _ => "Nothing could be compared: no probe of one run has its like in the other.".to_owned(),
        };
    }
    let number = |count: u32, one: &str, many: &str| counted(count as usize, one, many);
    let mut parts = Vec::new();
    if summary.regressions > 0 {
        parts.push(number(summary.regressions, "regression", "regressions"));
    }
    if summary.improvements > 0 {
        parts.push(number(summary.improvements, "improvement", "improvements"));
    }
    if summary.changed > 0 {
        parts.push(number(summary.changed, "other change", "other changes"));
    }
    let mut sentence = if parts.is_empty() {
        "Nothing changed".to_owned()
    } else {
        parts.join(", ")
    };
    sentence.push_str(&format!(" in {}", number(summary.matched, "probe", "probes")));
    if summary.not_compared > 0 {
        sentence.push_str(&format!("; {} could not be compared", summary.not_compared));
    }
    for (count, word) in [(summary.gone, "gone"), (summary.added, "added")] {
        if count > 0 {
            sentence.push_str(&format!("; {count} {word}"));
        }
    }
    let lost = comparison.roles.iter().filter(|role| role.effect == Effect::Regression).count();
    if lost > 0 {
        sentence.push_str(&format!("; {} cannot be reached any more", counted(lost, "role", "roles")));
    }
    match comparison.latency.first().map(|shift| shift.finding) {
        Some(ShiftFinding::Slower) => sentence.push_str("; mail is slower"),
        Some(ShiftFinding::Faster) => sentence.push_str("; mail is faster"),
        _ => {}
    }
    sentence.push('.');
    sentence
}

/// `kf3q2m4xa of “weekly”, 2026-03-02 02:14 UTC, for CHG-4711`.
pub fn side(side: &Side) -> String {
    let one = |run: &crate::model::RunInfo| {
        let change = run.change.as_ref().map(|change| format!(", for {change}")).unwrap_or_default();
        format!(
            "{} of “{}”, {} UTC{change}",
            run.id,
            run.scenario,
            run.started_at.format("%Y-%m-%d %H:%M")
        )
    };
    let runs = match side.runs.as_slice() {
        [] => "no run".to_owned(),
        [run] => one(run),
        [first, rest @ ..] => format!("{}, and {} more runs", one(first), rest.len()),
    };
    let named = side
        .runs
        .first()
        .is_none_or(|run| run.id.as_str().starts_with(&side.asked.to_lowercase()));
    if named { runs } else { format!("{}: {runs}", side.asked) }
}

/// `plain by new-gateway, case “spam”, Billing Administrator`.
pub fn via(change: &ProbeChange) -> String {
    let mut via = change.message.clone();
    if let Some(route) = &change.route {
        via.push_str(&format!(" by {route}"));
    }
    if let Some(case) = &change.case {
        via.push_str(&format!(", case “{case}”"));
    }
    if let Some(role) = &change.role {
        via.push_str(&format!(", {role}"));
    }
    via
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

/// `passed → failed`; nothing where the outcome is the same.
pub fn outcomes(change: &ProbeChange) -> Option<String> {
    (change.outcome_before != change.outcome_after).then(|| format!("{} → {}", change.outcome_before, change.outcome_after))
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
