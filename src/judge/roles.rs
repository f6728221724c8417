//! Roles: who holds each, and whether any of them was proven to receive. What it cannot see: addresses that took no part in the run.

use crate::model::{JudgedProbe, Outcome, RoleSummary, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// The probes of each address (lower case) in the scenario's own round. Cases try what filters do; whether an address can be reached is what
/// the scenario's own round says.
type Addresses<'a> = BTreeMap<String, Vec<&'a JudgedProbe>>;

/// Who holds each role, and whether any of them was proven to receive.
pub fn roles(probes: &[JudgedProbe]) -> Vec<RoleSummary> {
    let mut addresses = Addresses::new();
    let mut roles: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for probe in probes.iter().filter(|probe| probe.case.is_none()) {
        let address = probe.recipient.to_lowercase();
        if let Some(role) = &probe.role {
            roles.entry(role).or_default().insert(address.clone());
        }
        addresses.entry(address).or_default().push(probe);
    }
    roles
        .into_iter()
        .map(|(role, holders)| summary(role, &holders, &addresses))
        .collect()
}

fn summary(role: &str, holders: &BTreeSet<String>, addresses: &Addresses) -> RoleSummary {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let is_reachable = |address: &String| {
        addresses
            .get(address)
            .is_some_and(|probes| probes.iter().all(|probe| is_reached(probe)))
    };
    let cover = |address: &String| addresses.get(address)?.first()?.covered_by.as_deref().map(str::to_lowercase);
    let reachable = holders.iter().filter(|address| is_reachable(address)).count();
    let covers: Vec<String> = holders.iter().filter(|address| !is_reachable(address)).filter_map(cover).collect();
    let covered = covers.iter().filter(|cover| is_reachable(cover)).count();
    // An address that covers, but took no part, was not looked at: nothing can be said of it.
    let any = |outcome: Outcome| {
        let has = |address: &String| {
            addresses
                .get(address)
                .is_some_and(|probes| probes.iter().any(|probe| probe.outcome == outcome))
        };
        holders.iter().chain(&covers).any(has)
    };
    let outcome = if reachable + covered > 0 {
        Outcome::Passed
    } else if any(Outcome::Unknown) || covers.iter().any(|cover| !addresses.contains_key(cover)) {
        Outcome::Unknown
    } else if any(Outcome::Waived) {
        Outcome::Waived
    } else {
        Outcome::Failed
    };
    RoleSummary {
        role: role.to_owned(),
        holders: count(holders.len()),
        reachable: count(reachable),
        covered: count(covered),
        outcome,
    }
}

/// Whether the message is where a person can read it, as it was expected.
fn is_reached(probe: &JudgedProbe) -> bool {
    let readable = |verdict| matches!(verdict, Verdict::Inbox | Verdict::Folder | Verdict::Delivered);
    let read = readable(probe.verdict) || probe.members.iter().any(|member| readable(member.verdict));
    probe.outcome == Outcome::Passed && read
}
