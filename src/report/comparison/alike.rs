//! What is different in the same way is told once, with everybody whom it concerns.

use crate::model::{Difference, Effect, ProbeChange};

/// Changes that came to the same by the same differences, in the order of the first of each.
pub fn changes(changes: &[ProbeChange]) -> Vec<Vec<&ProbeChange>> {
    let mut groups: Vec<Vec<&ProbeChange>> = Vec::new();
    for change in changes {
        match groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| is_alike(first, change)))
        {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

fn is_alike(one: &ProbeChange, other: &ProbeChange) -> bool {
    let what = |change: &'_ ProbeChange| (change.effect, change.outcome_before, change.outcome_after, change.reason.clone());
    // What has no difference that was measured is told by its sentence, which speaks of one recipient.
    let measured = !one.differences.is_empty() || one.reason.is_some();
    let same = |(one, other): (&Difference, &Difference)| one.identity() == other.identity();
    measured
        && what(one) == what(other)
        && one.differences.len() == other.differences.len()
        && one.differences.iter().zip(&other.differences).all(same)
}

/// One difference, and all the messages that have it.
pub struct Shared<'a> {
    /// The difference, with the note of its first message.
    pub difference: &'a Difference,
    /// Whether it is one to the better wherever it occurs.
    pub better: bool,
    /// Where it occurs.
    pub changes: Vec<&'a ProbeChange>,
}

/// Each difference once, those that stand against the change first.
pub fn differences(changes: &[ProbeChange]) -> Vec<Shared<'_>> {
    let mut shared: Vec<Shared<'_>> = Vec::new();
    for change in changes.iter().filter(|change| change.effect != Effect::NotCompared) {
        let better = change.effect == Effect::Improvement;
        for difference in &change.differences {
            let known = shared
                .iter_mut()
                .find(|one| one.better == better && one.difference.identity() == difference.identity());
            match known {
                Some(one) => one.changes.push(change),
                None => shared.push(Shared {
                    difference,
                    better,
                    changes: vec![change],
                }),
            }
        }
    }
    shared.sort_by_key(|one| (one.better, one.difference.kind));
    shared
}
