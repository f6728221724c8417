//! Which probe of one side belongs to which of the other.
//!
//! A report that holds several runs may have the same probe several times; then the first belongs to the first, the second to the second.

use crate::model::JudgedProbe;
use std::collections::BTreeMap;

/// What two probes have in common that belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    recipient: String,
    route: Option<&'a str>,
    message: &'a str,
    case: Option<&'a str>,
}

impl<'a> Key<'a> {
    /// Of probes that must have gone by the same route.
    pub fn by_route(probe: &'a JudgedProbe) -> Self {
        Self {
            route: Some(&probe.route),
            ..Self::by_any_route(probe)
        }
    }

    /// Of probes by whatever route.
    pub fn by_any_route(probe: &'a JudgedProbe) -> Self {
        Self {
            recipient: probe.recipient.to_lowercase(),
            route: None,
            message: &probe.message,
            case: probe.case.as_deref(),
        }
    }
}

/// The pairs in the order of the first side, and what is left of each.
pub struct Matched<'a> {
    /// Probes that belong together.
    pub pairs: Vec<(&'a JudgedProbe, &'a JudgedProbe)>,
    /// Those that only the first side has.
    pub only_before: Vec<&'a JudgedProbe>,
    /// Those that only the second side has.
    pub only_after: Vec<&'a JudgedProbe>,
}

/// Matches two sides.
pub fn matched<'a>(
    before: impl Iterator<Item = &'a JudgedProbe>,
    after: impl Iterator<Item = &'a JudgedProbe>,
    key: impl Fn(&'a JudgedProbe) -> Key<'a>,
) -> Matched<'a> {
    let after: Vec<&JudgedProbe> = after.collect();
    let mut waiting: BTreeMap<Key<'_>, Vec<usize>> = BTreeMap::new();
    // The last on top, so that the first is taken first.
    for (index, probe) in after.iter().enumerate().rev() {
        waiting.entry(key(probe)).or_default().push(index);
    }
    let mut taken = vec![false; after.len()];
    let mut pairs = Vec::new();
    let mut only_before = Vec::new();
    for probe in before {
        match waiting.get_mut(&key(probe)).and_then(Vec::pop) {
            Some(index) => {
                taken[index] = true;
                pairs.push((probe, after[index]));
            }
            None => only_before.push(probe),
        }
    }
    let left = after.into_iter().zip(taken).filter(|(_, taken)| !taken);
    Matched {
        pairs,
        only_before,
        only_after: left.map(|(probe, _)| probe).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};

    #[test]
    fn probes_belong_together_by_recipient_route_message_and_case() {
        let of = |recipient: &str, route: &str| with(&probe(), &[("recipient", recipient.into()), ("route", route.into())]);
        let before = [of("a@x.example", "old"), of("b@x.example", "old"), of("a@x.example", "new")];
        let after = [of("A@X.example", "old"), of("c@x.example", "old"), of("a@x.example", "old")];
        let matched = matched(before.iter(), after.iter(), Key::by_route);
        assert_eq!(
            matched.pairs,
            [(&before[0], &after[0])],
            "addresses know no case, and the first belongs to the first"
        );
        assert_eq!(matched.only_before, [&before[1], &before[2]]);
        assert_eq!(matched.only_after, [&after[1], &after[2]]);
        let by_any = super::matched(before.iter(), after.iter(), Key::by_any_route);
        assert_eq!(by_any.pairs, [(&before[0], &after[0]), (&before[2], &after[2])]);
    }
}
