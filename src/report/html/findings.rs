//! What is wrong, first: each failure and each thing that could not be measured, with what happened, what to do, and the evidence.
//!
//! What it cannot show: every failure at length, where thousands have causes of their own. It then says how many it leaves to the list of probes.

use super::view::{self, Fact};
use crate::model::{JudgedProbe, Outcome, ProbeId};
use crate::report::order::{alike, named};
use std::collections::BTreeMap;

/// So many findings are shown of one outcome.
const SHOWN: usize = 100;
/// So many recipients of a finding are named at once; the rest opens.
const NAMED: usize = 6;
/// So many are named at all.
const NAMED_AT_ALL: usize = 200;

/// The findings of one outcome.
#[derive(Debug)]
pub struct Findings<'a> {
    /// For links and styles.
    pub outcome: Outcome,
    /// The heading.
    pub title: String,
    /// The findings.
    pub told: Vec<Finding<'a>>,
    /// How many more there are.
    pub left_out: usize,
}

/// One thing that is wrong, with everybody to whom it happened.
#[derive(Debug)]
pub struct Finding<'a> {
    /// Its number in the page.
    pub number: usize,
    /// The probe that it is told of.
    pub probe: &'a JudgedProbe,
    /// What came of it.
    pub word: String,
    /// By which way.
    pub way: String,
    /// Of the probe that it is told of.
    pub facts: Vec<Fact>,
    /// Who else, with what helps to find their messages.
    pub others: Vec<String>,
    /// Who else, beyond those.
    pub further: Vec<String>,
    /// How many there are beyond even those.
    pub unnamed: usize,
    /// The numbers of all its probes, for the filter.
    pub probes: String,
}

impl Finding<'_> {
    /// To how many others it happened.
    pub fn count_of_others(&self) -> usize {
        self.others.len() + self.further.len() + self.unnamed
    }
}

/// All findings, worst outcome first, and in which of them each probe is told of.
pub fn findings<'a>(worst_first: &[(usize, &'a JudgedProbe)]) -> (Vec<Findings<'a>>, BTreeMap<usize, usize>) {
    let mut told = BTreeMap::new();
    let mut number = 0;
    let numbers: BTreeMap<ProbeId, usize> = worst_first.iter().map(|(n, probe)| (probe.id, *n)).collect();
    let mut all = Vec::new();
    for outcome in [Outcome::Failed, Outcome::Unknown, Outcome::Waived] {
        let probes = worst_first.iter().map(|(_, probe)| *probe).filter(|probe| probe.outcome == outcome);
        let groups = alike(probes);
        let left_out = groups.len().saturating_sub(SHOWN);
        let mut findings = Vec::new();
        for group in groups.iter().take(SHOWN) {
            let Some((probe, others)) = group.split_first() else { continue };
            number += 1;
            let of_group: Vec<usize> = group.iter().filter_map(|probe| numbers.get(&probe.id).copied()).collect();
            told.extend(of_group.iter().map(|probe| (*probe, number)));
            let names: Vec<String> = others.iter().take(NAMED_AT_ALL).map(|probe| named(probe)).collect();
            // One or two more than fit need no door of their own.
            let at_once = if names.len() <= NAMED + 2 { names.len() } else { NAMED };
            findings.push(Finding {
                number,
                probe,
                word: view::word(probe),
                way: view::way(probe),
                facts: view::facts(probe),
                others: names[..at_once].to_vec(),
                further: names[at_once..].to_vec(),
                unnamed: others.len() - names.len(),
                probes: of_group.iter().map(usize::to_string).collect::<Vec<_>>().join(" "),
            });
        }
        if !findings.is_empty() {
            all.push(Findings {
                outcome,
                title: title(outcome).to_owned(),
                told: findings,
                left_out,
            });
        }
    }
    (all, told)
}

fn title(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Failed => "What is wrong",
        Outcome::Unknown => "What could not be measured",
        Outcome::Waived => "Known, and accepted for now",
        Outcome::Passed => "What passed",
    }
}
