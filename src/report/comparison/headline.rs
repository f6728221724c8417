//! What all of a comparison comes to: as an exit code counts it, and in one sentence that names who is concerned.

use super::text::capitalised;
use crate::explain::span;
use crate::model::{Comparison, ComparisonSummary, Effect, LatencyShift, Outcome, ShiftFinding};
use crate::report::counted;

/// How many recipients and roles are named.
const NAMED: usize = 3;

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
    let mut parts = vec![lead(comparison)];
    let (first, last) = besides(comparison);
    parts.extend(first);
    if comparison.summary.matched > 0 {
        parts.extend(further(&comparison.summary));
    }
    parts.extend(last);
    format!("{}.", parts.join("; "))
}

/// What matters most in a sentence, and what else does in a second one, for a page that shows the counts beside.
pub fn in_brief(comparison: &Comparison) -> (String, Option<String>) {
    let (first, last) = besides(comparison);
    let parts: Vec<String> = first.into_iter().chain(last).collect();
    let second = (!parts.is_empty()).then(|| format!("{}.", capitalised(&parts.join("; "))));
    (format!("{}.", lead(comparison)), second)
}

/// What is neither the lead nor a count: roles and old failures, then latency.
fn besides(comparison: &Comparison) -> (Vec<String>, Option<String>) {
    let summary = &comparison.summary;
    let mut first = Vec::new();
    if summary.regressions > 0 {
        first.extend(unreachable_roles(comparison));
    }
    match summary.still_failing {
        0 => {}
        1 => first.push("1 fails as it did before".to_owned()),
        number => first.push(format!("{number} fail as they did before")),
    }
    (first, comparison.latency.first().and_then(slower))
}

/// How many probes came to what, regressions apart.
fn further(summary: &ComparisonSummary) -> Vec<String> {
    let mut parts = Vec::new();
    if summary.improvements > 0 {
        parts.push(counted(summary.improvements as usize, "improvement", "improvements"));
    }
    if summary.changed > 0 {
        parts.push(counted(summary.changed as usize, "other change", "other changes"));
    }
    if summary.not_compared > 0 && summary.not_compared < summary.matched {
        parts.push(format!("{} more could not be compared", summary.not_compared));
    }
    for (count, word) in [(summary.gone, "gone"), (summary.added, "added")] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts
}

/// What matters most.
fn lead(comparison: &Comparison) -> String {
    let summary = &comparison.summary;
    if summary.matched == 0 {
        return match summary.gone + summary.added {
            0 => "There is nothing to compare: neither run has a probe".to_owned(),
            _ => "Nothing could be compared: no probe of one run has its like in the other".to_owned(),
        };
    }
    let compared = summary.matched - summary.not_compared.min(summary.matched);
    let probes = counted(compared as usize, "probe", "probes");
    if summary.regressions > 0 {
        let verb = if summary.regressions == 1 { "fails" } else { "fail" };
        return format!(
            "{} of {probes} passed before and {verb} now: {}",
            summary.regressions,
            who(comparison)
        );
    }
    if let Some(roles) = unreachable_roles(comparison) {
        let roles = capitalised(&roles);
        return format!("{roles}, although none of {probes} that passed fails now");
    }
    match (compared, summary.matched) {
        (0, 1) => "The one probe that both runs have could not be compared".to_owned(),
        (0, matched) => format!("None of the {matched} probes that both runs have could be compared"),
        _ if summary.improvements + summary.changed > 0 => format!("Nothing got worse in {probes}"),
        _ => format!("Nothing changed in {probes}"),
    }
}

/// The recipients of the regressions.
fn who(comparison: &Comparison) -> String {
    let mut names: Vec<&str> = Vec::new();
    for change in comparison.probes.iter().filter(|change| change.effect == Effect::Regression) {
        if !names.contains(&change.recipient.as_str()) {
            names.push(&change.recipient);
        }
    }
    named(&names)
}

fn unreachable_roles(comparison: &Comparison) -> Option<String> {
    let lost = comparison.roles.iter().filter(|role| role.effect == Effect::Regression);
    let names: Vec<String> = lost.map(|role| format!("“{}”", role.role)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| format!("nobody can be reached as {} any more", named(&names)))
}

fn slower(shift: &LatencyShift) -> Option<String> {
    let word = match shift.finding {
        ShiftFinding::Slower => "slower",
        ShiftFinding::Faster => "faster",
        ShiftFinding::None | ShiftFinding::TooFew => return None,
    };
    let medians = match (shift.median_before_ms, shift.median_after_ms) {
        (Some(before), Some(after)) => format!(": {}, then {} in the median", span(before), span(after)),
        _ => String::new(),
    };
    Some(format!("mail is {word}{medians}"))
}

/// `a, b, c and 4 more`.
fn named(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [before @ .., last] if names.len() <= NAMED => format!("{} and {last}", before.join(", ")),
        _ => format!("{} and {} more", names[..NAMED].join(", "), names.len() - NAMED),
    }
}
