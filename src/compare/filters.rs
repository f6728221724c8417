//! Filters that changed their mind. A score wobbles from message to message; it counts where it led to another verdict, or moved by more than a
//! fifth of what the filter acts from and by more than a point. A rule counts from one point on.
//!
//! Between routes filters are of different makes, so only what they came to is compared: whether any spoke against the message, and whether an
//! allow-list let it through. A filter that writes nothing into the header cannot be seen.

use super::pair::Across;
use crate::model::{Difference, DifferenceKind, Filter, FilterVerdict, Flag, JudgedProbe};
use std::collections::BTreeMap;

/// From so many points on a rule, or a change of a score, is worth naming.
const POINT: f64 = 1.0;
/// Such a part of the threshold is a wobble.
const WOBBLE: f64 = 0.2;

/// Everything of that.
pub fn differences(before: &JudgedProbe, after: &JudgedProbe, across: Across, all: &mut Vec<Difference>) {
    match across {
        Across::Runs => all.extend(by_name(before, after)),
        Across::Routes => all.extend(stance(before, after)),
    }
    let listed = |probe: &JudgedProbe| {
        let lists = probe.filters.iter().find_map(|filter| filter.allow_listed.as_deref());
        probe
            .flags
            .contains(&Flag::AllowListed)
            .then(|| lists.unwrap_or("allow-listed").to_owned())
    };
    let (was, is) = (listed(before), listed(after));
    if was.is_some() != is.is_some() {
        let word = |list: &Option<String>| if list.is_some() { "let through by it" } else { "not consulted" };
        let difference = Difference::new(DifferenceKind::Filter, word(&was), word(&is)).of("allow-list");
        all.push(difference.noting(was.or(is)));
    }
}

/// What each product said.
fn by_name(before: &JudgedProbe, after: &JudgedProbe) -> Vec<Difference> {
    let (was, is) = (loudest(before), loudest(after));
    let mut names: Vec<_> = was.keys().chain(is.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    let one = |name| match (was.get(name), is.get(name)) {
        (Some(was), Some(is)) => changed_mind(was, is),
        (was, is) => {
            let said =
                |filter: Option<&&Filter>| filter.map_or_else(|| "says nothing".to_owned(), |filter| verdict(filter.verdict).to_owned());
            Some(Difference::new(DifferenceKind::Filter, said(was), said(is)).noting(is.or(was).and_then(|filter| score(filter))))
        }
    };
    names.into_iter().filter_map(|name| Some(one(name)?.of(name))).collect()
}

/// What each product says that is worst.
fn loudest(probe: &JudgedProbe) -> BTreeMap<&'static str, &Filter> {
    let mut by_name: BTreeMap<&'static str, &Filter> = BTreeMap::new();
    for filter in &probe.filters {
        let known = by_name.entry(filter.name.word()).or_insert(filter);
        if filter.verdict > known.verdict {
            *known = filter;
        }
    }
    by_name
}

fn changed_mind(was: &Filter, is: &Filter) -> Option<Difference> {
    let new = rules_only_in(is, was);
    let gone = rules_only_in(was, is);
    let mut notes: Vec<String> = [("new", &new), ("no longer", &gone)]
        .into_iter()
        .filter(|(_, rules)| !rules.is_empty())
        .map(|(word, rules)| format!("{word}: {}", rules.join(", ")))
        .collect();
    if was.verdict != is.verdict {
        notes.extend(score(is));
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        return Some(Difference::new(DifferenceKind::Filter, verdict(was.verdict), verdict(is.verdict)).noting(note));
    }
    // The same verdict for another reason is a change of its own.
    if !new.is_empty() || !gone.is_empty() {
        let rules = |rules: &[String]| if rules.is_empty() { "without".to_owned() } else { names(rules) };
        let word = verdict(is.verdict);
        let (was_said, is_said) = (format!("{word}, {}", rules(&gone)), format!("{word}, {}", rules(&new)));
        let (was_said, is_said) = match (gone.as_slice(), new.as_slice()) {
            ([], new) => (word.to_owned(), format!("{word}, by {} too", names(new))),
            (gone, []) => (format!("{word}, by {} too", names(gone)), word.to_owned()),
            _ => (was_said, is_said),
        };
        return Some(Difference::new(DifferenceKind::Filter, was_said, is_said).noting(score(is)));
    }
    let (low, high) = (was.score?, is.score?);
    let limit = is
        .threshold
        .or(was.threshold)
        .map_or(POINT, |threshold| (threshold.abs() * WOBBLE).max(POINT));
    let direction = if high > low {
        ("a lower score", "a higher score")
    } else {
        ("a higher score", "a lower score")
    };
    ((high - low).abs() > limit)
        .then(|| Difference::new(DifferenceKind::Filter, direction.0, direction.1).noting(Some(format!("{low}, then {high}"))))
}

/// The names of rules, without their points.
fn names(rules: &[String]) -> String {
    rules.iter().map(|rule| name(rule)).collect::<Vec<_>>().join(", ")
}

fn name(rule: &str) -> &str {
    rule.split_once(" (").map_or(rule, |(name, _)| name)
}

/// The points of `NAME (7)`, if there are any.
fn points(rule: &str) -> Option<f64> {
    let (_, rest) = rule.split_once(" (")?;
    rest.split(')').next()?.trim().parse().ok()
}

/// The weighty rules of `one` that `other` does not name. Rules without points weigh where their filter speaks against the message.
fn rules_only_in(one: &Filter, other: &Filter) -> Vec<String> {
    let weighs = |rule: &str| points(rule).map_or(one.verdict.is_against(), |points| points.abs() >= POINT);
    let known: Vec<&str> = other.rules.iter().map(|rule| name(rule)).collect();
    let only = one.rules.iter().filter(|rule| weighs(rule) && !known.contains(&name(rule)));
    only.cloned().collect()
}

/// `score 9.1 of 6`.
fn score(filter: &Filter) -> Option<String> {
    let score = filter.score?;
    Some(
        filter
            .threshold
            .map_or_else(|| format!("score {score}"), |threshold| format!("score {score} of {threshold}")),
    )
}

/// Whether any filter spoke against the message.
fn stance(before: &JudgedProbe, after: &JudgedProbe) -> Option<Difference> {
    let against = |probe: &JudgedProbe| probe.filters.iter().any(|filter| filter.verdict.is_against());
    let word = |against: bool| if against { "against it" } else { "nothing against it" };
    let (was, is) = (against(before), against(after));
    let who = before
        .filters
        .iter()
        .chain(&after.filters)
        .find(|filter| filter.verdict.is_against());
    let note = who.map(|filter| format!("{}: {}", filter.name, verdict(filter.verdict)));
    (was != is).then(|| Difference::new(DifferenceKind::Filter, word(was), word(is)).noting(note))
}

fn verdict(verdict: FilterVerdict) -> &'static str {
    match verdict {
        FilterVerdict::Clean => "clean",
        FilterVerdict::Scanned => "scanned",
        FilterVerdict::Skipped => "skipped",
        FilterVerdict::Released => "released",
        FilterVerdict::Bulk => "bulk",
        FilterVerdict::Spam => "spam",
        FilterVerdict::Blocked => "blocked",
        FilterVerdict::Spoofing => "spoofing",
        FilterVerdict::Impersonation => "impersonation",
        FilterVerdict::Phishing => "phishing",
        FilterVerdict::Malware => "malware",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};
    use serde_json::{Value, json};

    fn filter(verdict: &str, score: f64, rules: &[&str]) -> Value {
        json!({ "name": "rspamd", "host": null, "verdict": verdict, "score": score, "threshold": 6.0, "rules": rules, "said": "…" })
    }

    fn said(before: Value, after: Value, across: Across) -> Vec<String> {
        let of = |filters: Value| with(&probe(), &[("filters", filters)]);
        let mut all = Vec::new();
        differences(&of(before), &of(after), across, &mut all);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_rule_that_was_switched_on_is_named() {
        let clean = json!([filter("clean", 0.1, &["R_SPF_ALLOW (-0.2)"])]);
        let spam = json!([filter("spam", 7.1, &["LAB_MARKED (7)", "R_SPF_ALLOW (-0.2)"])]);
        assert_eq!(
            said(clean.clone(), spam.clone(), Across::Runs),
            ["rspamd: clean → spam (new: LAB_MARKED (7); score 7.1 of 6)"]
        );
        assert_eq!(
            said(spam, clean, Across::Runs),
            ["rspamd: spam → clean (no longer: LAB_MARKED (7); score 0.1 of 6)"]
        );
        let weak = json!([filter("clean", 2.1, &["LAB_MARKED (2)"])]);
        let none = json!([filter("clean", 0.1, &[])]);
        assert_eq!(
            said(none, weak, Across::Runs),
            ["rspamd: clean → clean, by LAB_MARKED too (score 2.1 of 6)"]
        );
    }

    #[test]
    fn a_score_that_wobbles_is_no_change() {
        let of = |score: f64| json!([filter("clean", score, &["BAYES_HAM (-0.9)"])]);
        assert!(said(of(0.1), of(1.25), Across::Runs).is_empty(), "a fifth of six is 1.2");
        assert_eq!(
            said(of(0.1), of(1.4), Across::Runs),
            ["rspamd: a lower score → a higher score (0.1, then 1.4)"]
        );
    }

    #[test]
    fn a_filter_that_fell_silent_is_named_between_runs_and_not_between_routes() {
        let clean = json!([filter("clean", 0.1, &[])]);
        assert_eq!(
            said(clean.clone(), json!([]), Across::Runs),
            ["rspamd: clean → says nothing (score 0.1 of 6)"]
        );
        assert!(said(clean, json!([]), Across::Routes).is_empty());
        let spam = json!([filter("spam", 9.0, &[])]);
        assert_eq!(
            said(json!([]), spam, Across::Routes),
            ["nothing against it → against it (rspamd: spam)"]
        );
    }

    #[test]
    fn an_allow_list_is_a_difference_of_its_own() {
        let listed = with(&probe(), &[("flags", json!(["allow-listed"]))]);
        let mut all = Vec::new();
        differences(&probe(), &listed, Across::Routes, &mut all);
        assert_eq!(all[0].to_string(), "allow-list: not consulted → let through by it (allow-listed)");
    }
}
