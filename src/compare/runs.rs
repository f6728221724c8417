//! Two runs: their pairs, what only one has, and how the runs differ in themselves.

use super::{
    latency, matching,
    matching::Key,
    pair::{self, Across},
    roles,
};
use crate::model::{COMPARISON_SCHEMA, Comparison, ComparisonSummary, Effect, Judged, JudgedProbe, Outcome, ProbeChange, Side, Unmatched};
use std::collections::BTreeSet;

/// What changed from `before` to `after`, which were asked for by these words. Explanations are taken over from the probes: whoever wants them
/// puts them in first.
pub fn runs(before: &Judged, after: &Judged, asked: [&str; 2]) -> Comparison {
    let matched = matching::matched(before.probes.iter(), after.probes.iter(), Key::by_route);
    let mut probes: Vec<ProbeChange> = matched
        .pairs
        .iter()
        .filter_map(|(before, after)| pair::change(before, after, Across::Runs))
        .collect();
    // Stable: within an effect in the order of the plan.
    probes.sort_by_key(|change| change.effect);
    let of = |effect: Effect| count(probes.iter().filter(|change| change.effect == effect).count());
    let summary = ComparisonSummary {
        matched: count(matched.pairs.len()),
        same: count(matched.pairs.len() - probes.len()),
        regressions: of(Effect::Regression),
        improvements: of(Effect::Improvement),
        changed: of(Effect::Changed),
        not_compared: of(Effect::NotCompared),
        still_failing: count(matched.pairs.iter().filter(|pair| fails(pair)).count()),
        gone: count(matched.only_before.len()),
        added: count(matched.only_after.len()),
    };
    let side = |judged: &Judged, asked: &str| Side {
        asked: asked.to_owned(),
        runs: judged.runs.clone(),
        probes: count(judged.probes.len()),
    };
    Comparison {
        schema: COMPARISON_SCHEMA.to_owned(),
        before: side(before, asked[0]),
        after: side(after, asked[1]),
        summary,
        remarks: remarks(before, after, &matched.pairs),
        probes,
        latency: shifts(before, after, &matched.pairs),
        roles: roles::changes(&before.roles, &after.roles),
        gone: unmatched(&matched.only_before, &after.probes),
        added: unmatched(&matched.only_after, &before.probes),
    }
}

/// Whether it failed before and after.
fn fails((before, after): &(&JudgedProbe, &JudgedProbe)) -> bool {
    [before, after].iter().all(|probe| probe.outcome == Outcome::Failed)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// All routes together, and each that both sides have, where there are several.
fn shifts(before: &Judged, after: &Judged, pairs: &[(&JudgedProbe, &JudgedProbe)]) -> Vec<crate::model::LatencyShift> {
    let routes: BTreeSet<&str> = pairs.iter().map(|(_, after)| after.route.as_str()).collect();
    let of = |route: Option<&str>| {
        let goes = |probe: &JudgedProbe| route.is_none_or(|route| probe.route == route);
        let all = |judged: &'_ Judged| judged.probes.iter().filter(|probe| goes(probe)).cloned().collect::<Vec<_>>();
        let pairs: Vec<_> = pairs.iter().filter(|(_, after)| goes(after)).copied().collect();
        let (before, after) = (all(before), all(after));
        latency::shift(route, &pairs, &before.iter().collect::<Vec<_>>(), &after.iter().collect::<Vec<_>>())
    };
    let each = routes.iter().filter(|_| routes.len() > 1).map(|route| of(Some(route)));
    std::iter::once(of(None)).chain(each).collect()
}

/// What these probes name and none of `others` does.
fn unmatched(probes: &[&JudgedProbe], others: &[JudgedProbe]) -> Unmatched {
    let only = |pick: fn(&JudgedProbe) -> Option<String>| -> Vec<String> {
        let known: BTreeSet<String> = others.iter().filter_map(pick).map(|name| name.to_lowercase()).collect();
        let mut seen = BTreeSet::new();
        let named = probes.iter().filter_map(|probe| pick(probe));
        named
            .filter(|name| !known.contains(&name.to_lowercase()) && seen.insert(name.to_lowercase()))
            .collect()
    };
    Unmatched {
        probes: count(probes.len()),
        recipients: only(|probe| Some(probe.recipient.clone())),
        routes: only(|probe| Some(probe.route.clone())),
        messages: only(|probe| Some(probe.message.clone())),
        cases: only(|probe| probe.case.clone()),
    }
}

/// How the two runs differ in themselves.
fn remarks(before: &Judged, after: &Judged, pairs: &[(&JudgedProbe, &JudgedProbe)]) -> Vec<String> {
    let mut remarks = Vec::new();
    for (what, pick) in [
        ("scenario", (|run| &run.scenario) as fn(&crate::model::RunInfo) -> &String),
        ("site file", |run| &run.site),
        ("version of mailflow", |run| &run.version),
    ] {
        let names = |judged: &Judged| judged.runs.iter().map(|run| pick(run).clone()).collect::<BTreeSet<String>>();
        let (was, is) = (names(before), names(after));
        if was != is && !was.is_empty() && !is.is_empty() {
            let listed = |names: BTreeSet<String>| names.into_iter().map(|name| format!("“{name}”")).collect::<Vec<_>>().join(", ");
            // The same file on two machines, or two of the same name: who wrote them knows.
            let elsewhere = what == "site file" && file_names(&was) == file_names(&is);
            let is_another = if elsewhere { "lies elsewhere" } else { "is another one" };
            remarks.push(format!("The {what} {is_another}: {}, then {}.", listed(was), listed(is)));
        }
    }
    for (judged, which) in [(before, "earlier"), (after, "later")] {
        if judged.runs.iter().any(|run| run.finished_at.is_none()) {
            remarks.push(format!(
                "The {which} run has not ended: what it has not decided could not be compared."
            ));
        }
    }
    let asked = |probe: &JudgedProbe| probe.requirements.iter().map(|one| one.name.clone()).collect::<BTreeSet<String>>();
    // What did not arrive fulfils no requirement, and what could not be decided has none.
    let judged_by = |(before, after): &&(&JudgedProbe, &JudgedProbe)| !before.requirements.is_empty() && !after.requirements.is_empty();
    let differently: BTreeSet<String> = pairs
        .iter()
        .filter(judged_by)
        .flat_map(|(before, after)| asked(before).symmetric_difference(&asked(after)).cloned().collect::<Vec<_>>())
        .collect();
    if !differently.is_empty() {
        let list = differently.into_iter().collect::<Vec<_>>().join(", ");
        remarks.push(format!("Only one of the runs requires {list}."));
    }
    #[expect(clippy::float_cmp, reason = "both are the same whole number of milliseconds, or are not")]
    let deadlines = pairs.iter().filter(|(before, after)| before.within_ms != after.within_ms).count();
    let senders = pairs.iter().filter(|(before, after)| before.sender != after.sender).count();
    let hidden = pairs.iter().filter(|(before, after)| pair::is_half_shown(before, after)).count();
    for (number, what) in [
        (deadlines, "have another deadline (`within`)"),
        (senders, "have another sender"),
        (
            hidden,
            "show a header in one of the runs only, so that changes on the way, filters and authentication could not be compared",
        ),
    ] {
        if number > 0 {
            remarks.push(format!("{number} of {} {what}.", pairs.len()));
        }
    }
    remarks
}

/// What the files are called, wherever they lie.
fn file_names(paths: &BTreeSet<String>) -> BTreeSet<&str> {
    paths.iter().filter_map(|path| path.rsplit(['/', '\\']).next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};
    use crate::model::{Summary, Time};
    use std::collections::BTreeMap;

    fn judged(probes: Vec<JudgedProbe>) -> Judged {
        Judged {
            schema: crate::model::REPORT_SCHEMA.to_owned(),
            runs: vec![crate::model::RunInfo {
                id: probes[0].run.clone(),
                scenario: "weekly".to_owned(),
                site: "mailflow.yaml".to_owned(),
                started_at: Time::UNIX_EPOCH,
                finished_at: Some(Time::UNIX_EPOCH),
                version: "1".to_owned(),
                change: None,
                description: None,
                compare: None,
                origin: crate::model::Origin::default(),
            }],
            summary: Summary::default(),
            roles: Vec::new(),
            blind: BTreeMap::new(),
            parity: Vec::new(),
            probes,
        }
    }

    fn to(recipient: &str, outcome: &str) -> JudgedProbe {
        with(&probe(), &[("recipient", recipient.into()), ("outcome", outcome.into())])
    }

    #[test]
    fn equal_runs_have_no_change_and_no_remark() {
        let run = judged(vec![to("a@x.example", "passed"), to("b@x.example", "failed")]);
        let compared = runs(&run, &run, ["last~1", "last"]);
        assert!(compared.probes.is_empty() && compared.remarks.is_empty() && compared.roles.is_empty());
        assert_eq!((compared.summary.matched, compared.summary.same), (2, 2));
        assert_eq!(compared.summary.still_failing, 1, "that nothing changed is not that all is well");
        assert_eq!((compared.gone, compared.added), (Unmatched::default(), Unmatched::default()));
    }

    #[test]
    fn each_pair_is_counted_once_and_the_worst_comes_first() {
        let before = judged(vec![
            to("mended@x", "failed"),
            to("broken@x", "passed"),
            to("unseen@x", "passed"),
            to("same@x", "passed"),
            to("gone@x", "passed"),
        ]);
        let after = judged(vec![
            to("mended@x", "passed"),
            to("broken@x", "failed"),
            to("unseen@x", "unknown"),
            to("same@x", "passed"),
            to("new@x", "failed"),
        ]);
        let compared = runs(&before, &after, ["a", "b"]);
        let order: Vec<_> = compared.probes.iter().map(|change| change.recipient.as_str()).collect();
        assert_eq!(order, ["broken@x", "unseen@x", "mended@x"]);
        let expected = ComparisonSummary {
            matched: 4,
            same: 1,
            regressions: 1,
            improvements: 1,
            changed: 0,
            not_compared: 1,
            still_failing: 0,
            gone: 1,
            added: 1,
        };
        assert_eq!(compared.summary, expected);
        assert_eq!(
            (compared.gone.recipients, compared.added.recipients),
            (vec!["gone@x".to_owned()], vec!["new@x".to_owned()])
        );
    }

    #[test]
    fn runs_of_other_scenarios_are_compared_where_they_meet_and_say_so() {
        let before = judged(vec![to("a@x", "passed")]);
        let mut after = before.clone();
        after.runs[0].scenario = "first look".to_owned();
        after.runs[0].finished_at = None;
        after.runs[0].site = "/srv/mailflow.yaml".to_owned();
        after.probes[0].within_ms = 1.0;
        after.probes.push(with(
            &probe(),
            &[("route", "new".into()), ("message", "link".into()), ("case", "c".into())],
        ));
        let compared = runs(&before, &after, ["a", "b"]);
        let remarks = [
            "The scenario is another one: “weekly”, then “first look”.",
            "The site file lies elsewhere: “mailflow.yaml”, then “/srv/mailflow.yaml”.",
            "The later run has not ended: what it has not decided could not be compared.",
            "1 of 1 have another deadline (`within`).",
        ];
        assert_eq!(compared.remarks, remarks);
        let added = &compared.added;
        assert_eq!(
            (added.routes.len(), added.messages.len(), added.cases.len(), added.probes),
            (1, 1, 1, 1)
        );
    }
}
