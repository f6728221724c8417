//! Two routes of one run, side by side: may the new one replace the old?
//!
//! Each message went by both. Whatever came of it differently stands against the cut-over, unless the new route is as expected where the old
//! one is not. What the messages have in common counts once: a gateway that tags every subject is one difference, not a hundred. That mail is
//! faster is none. Nor are differences that two routes have by their nature: hosts, paths, the words of refusals, which make of filter ran.
//!
//! What it cannot see: whether both routes are two ways at all; where the site's paths say that they are one, it says so. And what no message of the
//! scenario tries.

use super::{
    latency, matching,
    matching::Key,
    pair::{self, Across},
};
use crate::model::{Difference, Effect, Judged, JudgedProbe, Outcome, Parity, ProbeChange, Ready, RunInfo, ShiftFinding};
use std::collections::BTreeSet;

/// A table for each run whose scenario sets two routes side by side.
pub fn parity(judged: &Judged) -> Vec<Parity> {
    judged.runs.iter().filter_map(|run| of_run(run, judged)).collect()
}

fn of_run(run: &RunInfo, judged: &Judged) -> Option<Parity> {
    let routes = run.compare.clone()?;
    let by = |route: &'_ str| {
        let route = route.to_owned();
        judged
            .probes
            .iter()
            .filter(move |probe| probe.run == run.id && probe.route == route)
    };
    let (old, new): (Vec<_>, Vec<_>) = (by(&routes.old).collect(), by(&routes.new).collect());
    let matched = matching::matched(old.iter().copied(), new.iter().copied(), Key::by_any_route);
    let mut probes: Vec<ProbeChange> = matched
        .pairs
        .iter()
        .filter_map(|(old, new)| pair::change(old, new, Across::Routes))
        .collect();
    probes.sort_by_key(|change| change.effect);
    let latency = latency::shift(None, &matched.pairs, &old, &new);
    let counts = |change: &&ProbeChange| matches!(change.effect, Effect::Regression | Effect::Changed);
    let against: BTreeSet<_> = probes
        .iter()
        .filter(counts)
        .flat_map(|change| &change.differences)
        .map(Difference::identity)
        .collect();
    // Outcomes that differ without anything measured that does: what was expected differs.
    let unnamed = probes.iter().filter(counts).filter(|change| change.differences.is_empty()).count();
    let slower = usize::from(latency.finding == ShiftFinding::Slower);
    let differences = against.len() + unnamed + slower;
    let alone = matched.only_before.len() + matched.only_after.len();
    let unknown = probes.iter().filter(|change| change.effect == Effect::NotCompared).count();
    let ready = match (differences, unknown + alone, matched.pairs.len()) {
        (0, 0, 1..) => Ready::Yes,
        (0, _, _) => Ready::CannotBeTold,
        _ => Ready::No,
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let mut parity = Parity {
        run: run.id.clone(),
        ready,
        headline: String::new(),
        pairs: count(matched.pairs.len()),
        same: count(matched.pairs.len() - probes.len()),
        differences: count(differences),
        not_compared: count(unknown + alone),
        remarks: remarks(&matched, &routes.old, &routes.new),
        probes,
        latency,
        routes,
    };
    parity.headline = headline(&parity);
    Some(parity)
}

/// `ready to cut over: no, 3 differences`.
fn headline(parity: &Parity) -> String {
    let noun = if parity.differences == 1 { "difference" } else { "differences" };
    let unmeasured = match parity.not_compared {
        0 => String::new(),
        number => format!("{number} of {} could not be measured", parity.pairs.max(number)),
    };
    let why = match parity.ready {
        Ready::Yes => match parity.pairs {
            1 => "the one message came to the same by both routes".to_owned(),
            pairs if parity.same == parity.pairs => format!("all {pairs} messages came to the same by both routes"),
            _ => format!(
                "{} of {} messages came to the same by both routes, the others to better",
                parity.same, parity.pairs
            ),
        },
        Ready::No if unmeasured.is_empty() => format!("{} {noun}", parity.differences),
        Ready::No => format!("{} {noun}, and {unmeasured}", parity.differences),
        Ready::CannotBeTold if parity.pairs == 0 => "no message went by both routes".to_owned(),
        Ready::CannotBeTold => unmeasured,
    };
    let colon = if parity.ready == Ready::CannotBeTold { ":" } else { "," };
    format!("ready to cut over: {}{colon} {why}", parity.ready.words())
}

fn remarks(matched: &matching::Matched<'_>, old: &str, new: &str) -> Vec<String> {
    let mut remarks = Vec::new();
    let one_way = |(old, new): &&(&JudgedProbe, &JudgedProbe)| old.path.is_some() && old.path == new.path;
    if let Some((probe, _)) = matched.pairs.iter().find(one_way) {
        let number = matched.pairs.iter().filter(one_way).count();
        let path = probe.path.as_deref().unwrap_or_default();
        remarks.push(format!(
            "{number} of {} went the path “{path}” by either route: are the two routes two ways at all?",
            matched.pairs.len()
        ));
    }
    let both_fail = matched
        .pairs
        .iter()
        .filter(|(old, new)| (old.outcome, new.outcome) == (Outcome::Failed, Outcome::Failed))
        .count();
    if both_fail > 0 {
        remarks.push(format!(
            "{both_fail} of {} failed by both routes: that is no matter of the cut-over, and fails all the same.",
            matched.pairs.len()
        ));
    }
    for (left, only, missing) in [(&matched.only_before, old, new), (&matched.only_after, new, old)] {
        let who: BTreeSet<&str> = left.iter().map(|probe| probe.recipient.as_str()).collect();
        if !who.is_empty() {
            let listed: Vec<&str> = who.iter().take(5).copied().collect();
            let more = if who.len() > listed.len() {
                format!(" and {} more", who.len() - listed.len())
            } else {
                String::new()
            };
            remarks.push(format!("By {only} only, not by {missing}: {}{more}.", listed.join(", ")));
        }
    }
    let hidden = matched.pairs.iter().filter(|(old, new)| pair::is_half_shown(old, new)).count();
    if hidden > 0 {
        remarks.push(format!(
            "{hidden} of {} show a header by one of the routes only, so that changes on the way could not be compared.",
            matched.pairs.len()
        ));
    }
    remarks
}
