//! The first screen: everything in one sentence, and of the gravest findings what is wrong, with whom, and what to do.
//!
//! What it cannot show: whole remedies. It breaks off where their first step ends; the finding has the rest.

use super::findings::{Finding, Findings};
use super::view;
use crate::model::{Judged, Outcome};
use crate::report::comparison::parity;
use crate::report::headline;
use crate::report::order::rank;
use std::borrow::Cow;

/// So many findings stand there.
const SHOWN: usize = 3;
/// A remedy that is no longer than this is shown whole.
const SHORT: usize = 110;

/// What the first screen says.
#[derive(Debug)]
pub struct Hero<'a> {
    /// The worst outcome, of the probes and of the routes side by side.
    pub outcome: Outcome,
    /// With its sign.
    pub word: String,
    /// Everything in one sentence.
    pub sentence: String,
    /// Whether one route may replace another, where that was asked, and where it is told.
    pub parity: Vec<(Outcome, String, String)>,
    /// What to do first.
    pub steps: Vec<Step<'a>>,
    /// How many findings there are beside those.
    pub more: usize,
    /// Where these begin: the outcome of their part.
    pub rest: Outcome,
    /// How many probes have which outcome, worst first.
    pub tally: Vec<(Outcome, u32)>,
}

/// The first step for one finding.
#[derive(Debug)]
pub struct Step<'a> {
    /// The finding.
    pub finding: &'a Finding<'a>,
    /// Its outcome.
    pub outcome: Outcome,
    /// What to do, or what happened where nothing is to be done.
    pub what: String,
}

/// The first screen of a report with these findings.
pub fn hero<'a>(judged: &Judged, findings: &'a [Findings<'a>]) -> Hero<'a> {
    let (mut outcome, sentence) = headline::in_brief(judged);
    let parity: Vec<_> = judged
        .parity
        .iter()
        .map(|found| (parity::outcome(found), parity::sentence(found), format!("parity-{}", found.run)))
        .collect();
    for (of_routes, _, _) in &parity {
        if rank(*of_routes) < rank(outcome) {
            outcome = *of_routes;
        }
    }
    let mended = || {
        findings
            .iter()
            .filter(|part| matches!(part.outcome, Outcome::Failed | Outcome::Unknown))
    };
    let steps: Vec<Step<'a>> = mended()
        .flat_map(|part| part.told.iter().map(|finding| (part.outcome, finding)))
        .take(SHOWN)
        .map(|(outcome, finding)| Step {
            finding,
            outcome,
            what: first_step(finding.probe.remedy.as_deref().unwrap_or(&finding.probe.explanation)).into_owned(),
        })
        .collect();
    let all: usize = mended().map(|part| part.told.len() + part.left_out).sum();
    let summary = &judged.summary;
    let tally = [
        (Outcome::Failed, summary.failed),
        (Outcome::Unknown, summary.unknown),
        (Outcome::Waived, summary.waived),
        (Outcome::Passed, summary.passed),
    ];
    Hero {
        outcome,
        word: view::outcome(outcome),
        sentence,
        parity,
        more: all - steps.len(),
        rest: mended().next().map_or(outcome, |part| part.outcome),
        steps,
        tally: tally.into_iter().filter(|(_, count)| *count > 0).collect(),
    }
}

/// A remedy up to the end of its first step: the first semicolon or full stop outside of brackets and code.
fn first_step(remedy: &str) -> Cow<'_, str> {
    if remedy.chars().count() <= SHORT {
        return remedy.into();
    }
    let (mut depth, mut code) = (0_usize, false);
    let mut ends = remedy.char_indices().filter_map(|(at, character)| {
        match character {
            '`' => code = !code,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ';' | '.' if !code && depth == 0 && remedy[at + 1..].starts_with(' ') => return Some(at),
            _ => {}
        }
        None
    });
    ends.next().map_or(remedy.into(), |end| format!("{} …", &remedy[..end]).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_remedy_ends_with_its_first_step() {
        let rest = "and then do a great many other things, each of which takes its time and needs somebody who knows how it is done.";
        for (first, mark) in [
            ("Look it up (its log; `x; y`)", ';'),
            ("Ask `a. b` about mx1.example", '.'),
            ("Open (half", ';'),
        ] {
            let remedy = format!("{first}{mark} {rest}");
            let whole = first == "Open (half";
            // A bracket that is never closed hides every end: then all is shown.
            assert_eq!(first_step(&remedy), if whole { remedy.clone() } else { format!("{first} …") });
        }
        assert_eq!(first_step("Short; and whole."), "Short; and whole.");
        let without = "ä".repeat(200);
        assert_eq!(first_step(&without), without);
    }
}
