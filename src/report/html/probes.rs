//! Every probe in one list, and what the list can be filtered by.
//!
//! What it cannot show: the evidence of every probe that passed, where there are many; it says how many lines go without.

use super::view::{self, Fact};
use crate::model::{JudgedProbe, Outcome, Verdict};
use crate::report::order::rank;
use std::collections::{BTreeMap, BTreeSet};

/// So many of those that did not pass bring their own evidence; the rest have that of the finding they belong to.
const FAILED_WITH_EVIDENCE: usize = 400;
/// So many of those that passed bring evidence.
const PASSED_WITH_EVIDENCE: usize = 100;

/// A line of the list.
#[derive(Debug)]
pub struct Item<'a> {
    /// Its number in the page.
    pub number: usize,
    /// The probe.
    pub probe: &'a JudgedProbe,
    /// What came of it.
    pub word: String,
    /// By which way.
    pub way: String,
    /// How long it took.
    pub latency: Option<String>,
    /// The number of its role among the choices of the filter.
    pub role: Option<usize>,
    /// The number of its owner there.
    pub owner: Option<usize>,
    /// The finding that tells of it.
    pub finding: Option<usize>,
    /// Its evidence, if this is the place for it.
    pub facts: Option<Vec<Fact>>,
}

/// The list, and the choices of its filter.
#[derive(Debug)]
pub struct Probes<'a> {
    /// Worst first.
    pub items: Vec<Item<'a>>,
    /// How many stand without evidence of their own anywhere.
    pub without_evidence: usize,
    /// The roles, in their order.
    pub roles: Vec<&'a str>,
    /// The owners, in their order.
    pub owners: Vec<&'a str>,
    /// The outcomes that occur, worst first.
    pub outcomes: Vec<Outcome>,
    /// The verdicts that occur, best first.
    pub verdicts: Vec<Verdict>,
}

/// The list of probes, given worst first with their numbers. `told` says in which finding a probe is told of, `first` whether it is the one whose
/// evidence stands there.
pub fn probes<'a>(
    worst_first: &[(usize, &'a JudgedProbe)],
    told: &BTreeMap<usize, usize>,
    first: impl Fn(&JudgedProbe) -> bool,
) -> Probes<'a> {
    let all = || worst_first.iter().map(|(_, probe)| *probe);
    let roles: BTreeSet<&str> = all().filter_map(|probe| probe.role.as_deref()).collect();
    let owners: BTreeSet<&str> = all().filter_map(|probe| probe.owner.as_deref()).collect();
    let (roles, owners): (Vec<&str>, Vec<&str>) = (roles.into_iter().collect(), owners.into_iter().collect());
    let mut outcomes: Vec<Outcome> = all().map(|probe| probe.outcome).collect();
    outcomes.sort_by_key(|outcome| rank(*outcome));
    outcomes.dedup();
    let verdicts: BTreeSet<Verdict> = all().map(|probe| probe.verdict).collect();

    let (mut failed, mut passed) = (FAILED_WITH_EVIDENCE, PASSED_WITH_EVIDENCE);
    let mut without_evidence = 0;
    let items = worst_first
        .iter()
        .map(|(number, probe)| {
            let left = if probe.outcome == Outcome::Passed {
                &mut passed
            } else {
                &mut failed
            };
            let facts = if first(probe) {
                None
            } else if *left > 0 {
                *left -= 1;
                Some(view::facts(probe))
            } else {
                without_evidence += 1;
                None
            };
            Item {
                number: *number,
                probe,
                word: view::word(probe),
                way: view::way(probe),
                latency: view::latency(probe),
                role: probe.role.as_deref().and_then(|role| roles.binary_search(&role).ok()),
                owner: probe.owner.as_deref().and_then(|owner| owners.binary_search(&owner).ok()),
                finding: told.get(number).copied(),
                facts,
            }
        })
        .collect();
    Probes {
        items,
        without_evidence,
        roles,
        owners,
        outcomes,
        verdicts: verdicts.into_iter().collect(),
    }
}
