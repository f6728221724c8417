//! Each role with those who hold it: what was measured of each, on what that rests, and when it was last proven.

use super::{Account, shown};
use crate::model::{Basis, Flag, Judged, JudgedProbe, Outcome, Verdict};
use crate::report::order::rank;
use std::collections::BTreeMap;

/// A role.
#[derive(Debug)]
pub struct Role<'a> {
    /// Its name; `None`: addresses without one.
    pub name: Option<&'a str>,
    /// What came of it as a whole.
    pub outcome: Option<Outcome>,
    /// Who holds it.
    pub holders: Vec<Holder<'a>>,
}

/// An address that holds a role.
#[derive(Debug)]
pub struct Holder<'a> {
    /// The address.
    pub address: &'a str,
    /// Who answers for it.
    pub owner: Option<&'a str>,
    /// Who does where the owner cannot.
    pub backup: Option<&'a str>,
    /// The address that receives in its stead.
    pub covered_by: Option<&'a str>,
    /// The worst outcome of its probes.
    pub outcome: Outcome,
    /// What was measured then.
    pub verdict: String,
    /// On what it rests.
    pub basis: String,
    /// When it was last proven to be reached.
    pub last_proven: String,
}

/// The probes of each address (lower case).
type Addresses<'a> = BTreeMap<String, Vec<&'a JudgedProbe>>;

/// The roles of all probes, the worst first; what holds none comes last.
pub fn roles<'a>(judged: &'a Judged, account: &Account) -> Vec<Role<'a>> {
    let mut roles: BTreeMap<(bool, Option<&str>), Addresses<'_>> = BTreeMap::new();
    for probe in judged.probes.iter().filter(|probe| probe.case.is_none()) {
        let role = probe.role.as_deref();
        let holders = roles.entry((role.is_none(), role)).or_default();
        holders.entry(probe.recipient.to_lowercase()).or_default().push(probe);
    }
    let mut roles: Vec<Role<'a>> = roles
        .into_iter()
        .map(|((_, name), holders)| Role {
            name,
            outcome: judged
                .roles
                .iter()
                .find(|role| Some(role.role.as_str()) == name)
                .map(|role| role.outcome),
            holders: holders
                .iter()
                .filter_map(|(address, probes)| holder(probes, last_proven(address, account)))
                .collect(),
        })
        .collect();
    roles.sort_by_key(|role| (role.name.is_none(), role.outcome.map(rank)));
    roles
}

fn holder<'a>(probes: &[&'a JudgedProbe], last_proven: String) -> Option<Holder<'a>> {
    let probe = *probes.iter().min_by_key(|probe| rank(probe.outcome))?;
    let alike = probes.iter().filter(|other| other.outcome == probe.outcome).count();
    let mut verdict = probe.verdict.to_string();
    let remarks: Vec<&str> = probe.flags.iter().filter(|flag| weakens(**flag)).map(|flag| flag.word()).collect();
    if !remarks.is_empty() {
        verdict.push_str(&format!(" ({})", remarks.join(", ")));
    }
    if alike < probes.len() {
        verdict.push_str(&format!(", {alike} of {} probes", probes.len()));
    }
    Some(Holder {
        address: &probe.recipient,
        owner: probe.owner.as_deref(),
        backup: probe.backup.as_deref(),
        covered_by: probe.covered_by.as_deref(),
        outcome: probe.outcome,
        verdict,
        basis: basis(probe),
        last_proven,
    })
}

/// When the journal last had proof of an address.
fn last_proven(address: &str, account: &Account) -> String {
    match (account.last_proven.get(address), account.made_at) {
        (Some(at), _) => at.format("%Y-%m-%d %H:%M").to_string(),
        (None, Some(_)) => "never".to_owned(),
        (None, None) => "not known".to_owned(),
    }
}

/// What makes a verdict worth less, or is worth knowing to whoever signs.
fn weakens(flag: Flag) -> bool {
    matches!(
        flag,
        Flag::Late
            | Flag::LateUnproven
            | Flag::AllowListed
            | Flag::Internal
            | Flag::QuarantineUnchecked
            | Flag::SettleBlind
            | Flag::NotSent
    )
}

/// What was seen, and when.
fn basis(probe: &JudgedProbe) -> String {
    let at = |time: Option<crate::model::Time>| time.map(|at| format!(", {}", shown(at))).unwrap_or_default();
    let mut place = probe.folder.as_deref().map(|folder| format!("in {folder}")).unwrap_or_default();
    if let Some(mailbox) = probe.mailbox.as_ref().filter(|_| probe.verdict == Verdict::Elsewhere) {
        place.push_str(&format!(" of {mailbox}"));
    }
    let last_try = probe.attempts.last();
    let said = match (probe.basis, probe.verdict) {
        (Some(Basis::Seen), Verdict::Lost) => format!("looked for everywhere{}", at(probe.sent_at).replacen(", ", ", sent ", 1)),
        (Some(Basis::Seen), _) => format!("seen {place}{}", at(probe.arrived_at)),
        (Some(Basis::Trace), _) => format!("message trace{}", at(probe.arrived_at.or(probe.accepted_at))),
        (Some(Basis::Dsn), _) => format!("delivery status notification{}", at(probe.sent_at).replacen(", ", ", sent ", 1)),
        (Some(Basis::NextHop), _) => format!(
            "reply of the next hop{}",
            at(probe.accepted_at.or(last_try.map(|attempt| attempt.at)))
        ),
        (None, Verdict::Partial) => "its members, each by itself".to_owned(),
        (None, _) => probe.reason.clone().unwrap_or_else(|| "nothing was proven".to_owned()),
    };
    let members: Vec<String> = probe
        .members
        .iter()
        .take(6)
        .map(|member| format!("{} {}", member.mailbox, member.verdict))
        .collect();
    if members.is_empty() {
        said
    } else {
        let more = if probe.members.len() > members.len() { ", …" } else { "" };
        format!("{said}: {}{more}", members.join(", "))
    }
}
