//! What is different between two probes that belong together, and what that comes to.

use super::{alterations, authentication, filters, later, members, placement, requirements, way};
use crate::model::{Basis, Difference, DifferenceKind, Effect, JudgedProbe, Outcome, ProbeChange, Verdict};

/// What the two probes differ in by intention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Across {
    /// They are of two runs, by the same route.
    Runs,
    /// They are of one run, by two routes: what each product on the way calls itself, and in which words it refuses, is no difference.
    Routes,
}

/// What is different; `None` if nothing is, and both are known.
pub fn change(before: &JudgedProbe, after: &JudgedProbe, across: Across) -> Option<ProbeChange> {
    let mut differences = if before.verdict.is_proven() && after.verdict.is_proven() {
        differences(before, after, across)
    } else {
        Vec::new()
    };
    let effect = match (before.outcome, after.outcome) {
        (Outcome::Unknown, _) | (_, Outcome::Unknown) => Effect::NotCompared,
        (Outcome::Passed, Outcome::Failed) => Effect::Regression,
        (Outcome::Failed, Outcome::Passed) => Effect::Improvement,
        (one, other) if one != other || !differences.is_empty() => Effect::Changed,
        _ => return None,
    };
    differences.sort_by_key(|difference| difference.kind);
    let failed = after.outcome == Outcome::Failed && effect != Effect::Improvement;
    Some(ProbeChange {
        recipient: after.recipient.clone(),
        role: after.role.clone().or_else(|| before.role.clone()),
        owner: after.owner.clone().or_else(|| before.owner.clone()),
        route: (across == Across::Runs).then(|| after.route.clone()),
        message: after.message.clone(),
        case: after.case.clone(),
        effect,
        outcome_before: before.outcome,
        outcome_after: after.outcome,
        before: before.id,
        after: after.id,
        differences,
        reason: (effect == Effect::NotCompared).then(|| why_not(before, after, across)),
        explanation: failed.then(|| after.explanation.clone()).filter(|said| !said.is_empty()),
        remedy: after.remedy.clone().filter(|_| failed),
    })
}

fn differences(before: &JudgedProbe, after: &JudgedProbe, across: Across) -> Vec<Difference> {
    let mut all = Vec::new();
    placement::differences(before, after, across, &mut all);
    later::differences(before, after, &mut all);
    members::differences(before, after, &mut all);
    requirements::differences(before, after, &mut all);
    way::differences(before, after, across, &mut all);
    if has_copy(before) && has_copy(after) {
        if shows_header(before) == shows_header(after) {
            alterations::differences(before, after, &mut all);
        }
        if shows_header(before) && shows_header(after) {
            authentication::differences(before, after, &mut all);
            filters::differences(before, after, across, &mut all);
        }
    }
    if across == Across::Routes {
        without_consequences(&mut all);
    }
    all
}

/// Leaves out requirements where that is named which they ask about: a tag in the subject is one difference, whoever forbids it.
fn without_consequences(all: &mut Vec<Difference>) {
    use DifferenceKind::{Alteration, Authentication, Filter, Requirement, Signature};
    if all
        .iter()
        .any(|one| matches!(one.kind, Alteration | Authentication | Filter | Signature))
    {
        all.retain(|one| one.kind != Requirement);
    }
}

/// Whether a copy was seen, so that something can be told of it.
fn has_copy(probe: &JudgedProbe) -> bool {
    probe.folder.is_some() && probe.basis == Some(Basis::Seen)
}

/// Whether the mailbox shows headers: no message comes without a `Received` field.
pub fn shows_header(probe: &JudgedProbe) -> bool {
    !probe.hops.is_empty()
}

/// Whether one of the two shows a header where the other has a copy without, so that only a part can be compared.
pub fn is_half_shown(before: &JudgedProbe, after: &JudgedProbe) -> bool {
    has_copy(before) && has_copy(after) && shows_header(before) != shows_header(after)
}

/// Why a pair could not be compared.
fn why_not(before: &JudgedProbe, after: &JudgedProbe, across: Across) -> String {
    let names = match across {
        Across::Runs => ["before".to_owned(), "now".to_owned()],
        Across::Routes => [format!("by {}", before.route), format!("by {}", after.route)],
    };
    let unknown = |probe: &JudgedProbe| {
        let unseen = || {
            let names: Vec<&str> = probe
                .requirements
                .iter()
                .filter(|requirement| requirement.unseen)
                .map(|requirement| requirement.name.as_str())
                .collect();
            (!names.is_empty()).then(|| format!("{} could not be seen", names.join(", ")))
        };
        let why = probe.reason.clone().or_else(unseen);
        let what = match probe.verdict {
            Verdict::Unknown => "unknown".to_owned(),
            Verdict::Pending => "not decided yet".to_owned(),
            Verdict::Accepted => "accepted by the next hop, and there is nowhere to look".to_owned(),
            proven => format!("{proven}, but unknown whether as required"),
        };
        why.map_or(what.clone(), |why| format!("{what}: {}", why.trim_end_matches('.')))
    };
    let unknown_both = before.outcome == Outcome::Unknown && after.outcome == Outcome::Unknown;
    if unknown_both && unknown(before) == unknown(after) {
        let both = match across {
            Across::Runs => "both times",
            Across::Routes => "by both routes",
        };
        return format!("{both} {}", unknown(after));
    }
    let sides = [before, after].into_iter().zip(names);
    let said: Vec<String> = sides
        .filter(|(probe, _)| probe.outcome == Outcome::Unknown)
        .map(|(probe, name)| format!("{name} {}", unknown(probe)))
        .collect();
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};
    use serde_json::json;

    fn effect(before: &JudgedProbe, after: &JudgedProbe) -> Option<Effect> {
        change(before, after, Across::Runs).map(|change| change.effect)
    }

    #[test]
    fn what_it_comes_to_follows_from_the_outcomes() {
        let of = |outcome: &str| with(&probe(), &[("outcome", outcome.into())]);
        let (passed, failed, waived, unknown) = (of("passed"), of("failed"), of("waived"), of("unknown"));
        assert_eq!(effect(&passed, &passed), None);
        assert_eq!(effect(&failed, &failed), None);
        assert_eq!(effect(&passed, &failed), Some(Effect::Regression));
        assert_eq!(effect(&failed, &passed), Some(Effect::Improvement));
        for (one, other) in [(&passed, &waived), (&waived, &failed), (&failed, &waived), (&waived, &passed)] {
            assert_eq!(effect(one, other), Some(Effect::Changed));
        }
        for other in [&passed, &failed, &waived, &unknown] {
            assert_eq!(effect(&unknown, other), Some(Effect::NotCompared));
            assert_eq!(effect(other, &unknown), Some(Effect::NotCompared));
        }
    }

    #[test]
    fn spam_that_is_held_now_is_an_improvement() {
        let spam = with(&probe(), &[("expected", json!(["junk", "quarantine", "rejected"]))]);
        let before = with(&spam, &[("outcome", "failed".into())]);
        let after = with(
            &spam,
            &[
                ("outcome", "passed".into()),
                ("verdict", "quarantine".into()),
                ("folder", "Held".into()),
            ],
        );
        let change = change(&before, &after, Across::Runs).unwrap();
        assert_eq!(change.effect, Effect::Improvement);
        let verdict = &change.differences[0];
        assert_eq!(verdict.identity(), (DifferenceKind::Verdict, None, "inbox", "quarantine"));
    }

    #[test]
    fn between_routes_a_requirement_is_named_only_where_nothing_else_tells() {
        let of = |holds: bool, subject: serde_json::Value| {
            let required = json!([{ "name": "subject-unchanged", "holds": holds, "evidence": null }]);
            with(&probe(), &[("requirements", required), ("alterations", subject)])
        };
        let tagged = json!([{ "kind": "subject", "sent": "a", "arrived": "[X] a", "how": "added-before", "added": "[X]" }]);
        let kinds = |after: &JudgedProbe, across: Across| {
            let change = change(&of(true, json!([])), after, across).unwrap();
            change.differences.iter().map(|difference| difference.kind).collect::<Vec<_>>()
        };
        let both = [DifferenceKind::Requirement, DifferenceKind::Alteration];
        assert_eq!(kinds(&of(false, tagged.clone()), Across::Runs), both);
        assert_eq!(kinds(&of(false, tagged), Across::Routes), both[1..]);
        assert_eq!(kinds(&of(false, json!([])), Across::Routes), both[..1]);
    }

    #[test]
    fn what_is_unknown_is_not_compared_and_says_why() {
        let unknown = with(
            &probe(),
            &[
                ("outcome", "unknown".into()),
                ("verdict", "unknown".into()),
                ("reason", "the mailbox billing could not be read.".into()),
            ],
        );
        let change = change(&probe(), &unknown, Across::Runs).unwrap();
        assert!(change.differences.is_empty());
        assert_eq!(change.reason.as_deref(), Some("now unknown: the mailbox billing could not be read"));
    }
}
