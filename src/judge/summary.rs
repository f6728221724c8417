//! From the ledger to the judged run: one entry for each probe, counts, roles. Explanations are put in by whoever shows it.

use super::{Ledger, Stand, verdict::Measured};
use crate::model::{
    AlterationKind, Copy, Dsn, DsnAction, Expectation, Flag, Judged, JudgedProbe, MailboxName, Member, Outcome, QuarantinePolicy,
    REPORT_SCHEMA, Recipient, Requirement, RequirementResult, RoleSummary, SightingRecord, Summary, Time, Verdict, time,
};
use std::collections::{BTreeMap, BTreeSet};

/// The run as it stands at `now`.
pub fn summarize(ledger: &Ledger, now: Time) -> Judged {
    let probes: Vec<JudgedProbe> = (0..ledger.len()).map(|index| ledger.judged(index, now)).collect();
    let mut run = ledger.plan().run.clone();
    run.finished_at = ledger.finished_at();
    Judged {
        schema: REPORT_SCHEMA.to_owned(),
        runs: vec![run],
        summary: Summary::of(&probes),
        roles: roles(&probes),
        blind: ledger.blind(),
        probes,
    }
}

impl Summary {
    /// Counts these probes.
    pub fn of(probes: &[JudgedProbe]) -> Self {
        let mut summary = Self {
            probes: u32::try_from(probes.len()).unwrap_or(u32::MAX),
            ..Self::default()
        };
        for probe in probes {
            *summary.verdicts.entry(probe.verdict).or_default() += 1;
            *match probe.outcome {
                Outcome::Passed => &mut summary.passed,
                Outcome::Failed => &mut summary.failed,
                Outcome::Waived => &mut summary.waived,
                Outcome::Unknown => &mut summary.unknown,
            } += 1;
        }
        summary
    }
}

impl Ledger {
    /// One probe as every report shows it.
    pub fn judged(&self, index: usize, now: Time) -> JudgedProbe {
        let probe = self.probe(index);
        let record = self.record(index);
        let recipient = self.plan().recipient(probe);
        let decided = self.is_decided(index, now);
        let members = self.members(index, decided);
        let measured = if recipient.group {
            of_group(&members)
        } else {
            self.measure_or_pending(index, recipient.meant.first(), decided)
        };
        let arrival = self.arrival_of_probe(index, recipient);
        let best = recipient
            .meant
            .iter()
            .map(Some)
            .chain(std::iter::once(None))
            .filter_map(|meant| self.best_copy(index, meant))
            .min_by_key(|held| (!held.is_present(), held.placement()));
        let shown = best.or_else(|| self.astray(index).next());
        let requirements = if best.is_some() { self.requirements(index) } else { Vec::new() };
        let flags = self.flags(index, &measured, &members, arrival, decided);
        let folder = shown.map(|held| held.copy.id.folder.clone());
        let sent_at = self.sent_at(index).filter(|_| !record.attempts.is_empty());
        let mut judged = JudgedProbe {
            id: probe.id,
            run: self.plan().run.id.clone(),
            tag: probe.tag.clone(),
            message_id: probe.message_id.clone(),
            recipient: recipient.address.clone(),
            role: recipient.role.clone(),
            owner: recipient.owner.as_ref().map(ToString::to_string),
            covered_by: recipient.covered_by.clone(),
            route: probe.route.clone(),
            message: probe.message.to_string(),
            case: probe.case.clone(),
            expected: probe.expected.iter().map(ToString::to_string).collect(),
            expected_at: probe.expected_at.clone(),
            outcome: Outcome::Unknown,
            verdict: measured.verdict,
            basis: measured.basis,
            flags,
            mailbox: shown.map(|held| held.copy.id.mailbox.clone()),
            folder,
            sent_at,
            accepted_at: record.accepted().map(|attempt| attempt.ended_at),
            arrived_after: arrival.map(|(after, _)| after),
            arrived_at: arrival.map(|(_, at)| at),
            latency_ms: latency(sent_at, arrival),
            latency_uncertainty_ms: arrival.map(|(after, at)| time::milliseconds(after, at)),
            copies: self.copies(index),
            sightings: record
                .copies
                .iter()
                .map(|held| sighting(&held.copy, held.gone.map(|gone| gone.noticed)))
                .collect(),
            attempts: record.attempts.iter().map(|tried| tried.attempt.clone()).collect(),
            dsn: loudest(&record.notifications).cloned(),
            members,
            hops: Vec::new(),
            path: None,
            authentication: shown.map(|held| held.copy.authentication.clone()).unwrap_or_default(),
            filters: Vec::new(),
            alterations: shown.map(|held| held.copy.alterations.clone()).unwrap_or_default(),
            survived: shown.map(|held| held.copy.survived.clone()).unwrap_or_default(),
            requirements,
            reason: measured.reason,
            explanation: String::new(),
            remedy: None,
        };
        judged.outcome = self.outcome(&judged, &probe.expected, recipient);
        judged
    }

    fn is_decided(&self, index: usize, now: Time) -> bool {
        self.finished_at().is_some() || self.stand(index, self.stopped().map_or(now, |(at, _)| at)) == Stand::Decided
    }

    fn measure_or_pending(&self, index: usize, meant: Option<&MailboxName>, decided: bool) -> Measured {
        if decided {
            self.measure(index, meant)
        } else {
            Measured {
                verdict: Verdict::Pending,
                basis: None,
                reason: None,
            }
        }
    }

    fn members(&self, index: usize, decided: bool) -> Vec<Member> {
        let recipient = self.plan().recipient(self.probe(index));
        if !recipient.group {
            return Vec::new();
        }
        let member = |mailbox: &MailboxName| {
            let measured = self.measure_or_pending(index, Some(mailbox), decided);
            let arrival = self.arrival(index, Some(mailbox));
            let mut flags: Vec<Flag> = self.lateness(index, arrival).into_iter().collect();
            if self.has_moved(index, Some(mailbox)) {
                flags.push(Flag::Moved);
            }
            if measured.verdict == Verdict::Lost && recipient.quarantine == QuarantinePolicy::Unsaid {
                flags.push(Flag::QuarantineUnchecked);
            }
            Member {
                mailbox: mailbox.clone(),
                verdict: measured.verdict,
                basis: measured.basis,
                flags,
                folder: self.best_copy(index, Some(mailbox)).map(|held| held.copy.id.folder.clone()),
                arrived_after: arrival.map(|(after, _)| after),
                arrived_at: arrival.map(|(_, at)| at),
                latency_ms: latency(self.sent_at(index), arrival),
                latency_uncertainty_ms: arrival.map(|(after, at)| time::milliseconds(after, at)),
                reason: measured.reason,
            }
        };
        recipient.meant.iter().map(member).collect()
    }

    /// When the probe had arrived: for a group, when its last member had it.
    fn arrival_of_probe(&self, index: usize, recipient: &Recipient) -> Option<(Time, Time)> {
        let of_members = recipient
            .meant
            .iter()
            .filter_map(|mailbox| self.arrival(index, Some(mailbox)))
            .max_by_key(|(_, at)| *at);
        of_members.or_else(|| self.arrival(index, None))
    }

    fn flags(&self, index: usize, measured: &Measured, members: &[Member], arrival: Option<(Time, Time)>, decided: bool) -> Vec<Flag> {
        let record = self.record(index);
        let recipient = self.plan().recipient(self.probe(index));
        let mut flags = BTreeSet::new();
        flags.extend(self.lateness(index, arrival));
        flags.extend(members.iter().flat_map(|member| member.flags.iter().copied()));
        if self.copies(index) as usize > recipient.meant.len() {
            flags.insert(Flag::Duplicated);
        }
        if record.copies.iter().any(|held| !held.copy.alterations.is_empty()) {
            flags.insert(Flag::Altered);
        }
        if recipient.meant.iter().any(|mailbox| self.has_moved(index, Some(mailbox))) {
            flags.insert(Flag::Moved);
        }
        if record.is_delayed() {
            flags.insert(Flag::Delayed);
        }
        if record.auto_replied {
            flags.insert(Flag::AutoReplied);
        }
        if record.replied {
            flags.insert(Flag::Replied);
        }
        if measured.verdict != Verdict::Elsewhere && self.astray(index).next().is_some() {
            flags.insert(Flag::AlsoElsewhere);
        }
        if measured.verdict == Verdict::Lost && recipient.quarantine == QuarantinePolicy::Unsaid {
            flags.insert(Flag::QuarantineUnchecked);
        }
        if decided && !record.copies.is_empty() && self.is_settle_blind(index) {
            flags.insert(Flag::SettleBlind);
        }
        if decided && (record.began.is_none() || record.unreachable()) {
            flags.insert(Flag::NotSent);
        }
        if flags.contains(&Flag::Late) {
            flags.remove(&Flag::LateUnproven);
        }
        flags.into_iter().collect()
    }

    /// Each requirement against every copy that is in a mailbox meant.
    fn requirements(&self, index: usize) -> Vec<RequirementResult> {
        let recipient = self.plan().recipient(self.probe(index));
        let meant = |name: &MailboxName| recipient.meant.contains(name) || recipient.quarantine.mailboxes().contains(name);
        let copies: Vec<&Copy> = self
            .record(index)
            .copies
            .iter()
            .map(|held| &held.copy)
            .filter(|copy| meant(&copy.id.mailbox))
            .collect();
        let result = |requirement: &Requirement| {
            let evidence = copies.iter().find_map(|copy| against(*requirement, copy));
            RequirementResult {
                name: requirement.to_string(),
                holds: evidence.is_none(),
                evidence,
            }
        };
        self.probe(index).require.iter().map(result).collect()
    }

    fn outcome(&self, judged: &JudgedProbe, expected: &[Expectation], recipient: &Recipient) -> Outcome {
        let met = |expected: &[Expectation]| {
            let by = |verdict, folder: Option<&str>| expected.iter().any(|expectation| expectation.is_met_by(verdict, folder));
            by(judged.verdict, judged.folder.as_deref())
                || (!judged.members.is_empty() && judged.members.iter().all(|member| by(member.verdict, member.folder.as_deref())))
        };
        let holds = !judged.flags.contains(&Flag::Late) && judged.requirements.iter().all(|requirement| requirement.holds);
        if met(expected) && holds {
            return Outcome::Passed;
        }
        if !judged.verdict.is_proven() {
            return Outcome::Unknown;
        }
        let today = self.plan().run.started_at.date_naive();
        match &recipient.known {
            Some(waiver) if today <= waiver.until && met(&waiver.verdicts) => Outcome::Waived,
            _ => Outcome::Failed,
        }
    }
}

/// What speaks against a requirement in this copy, if anything.
fn against(requirement: Requirement, copy: &Copy) -> Option<String> {
    let altered = |kinds: &[AlterationKind]| {
        let alteration = copy.alterations.iter().find(|alteration| kinds.contains(&alteration.kind))?;
        Some(format!("sent {:?}, arrived {:?}", alteration.sent, alteration.arrived))
    };
    match requirement {
        Requirement::LinksUnchanged => altered(&[AlterationKind::Links]),
        Requirement::SubjectUnchanged => altered(&[AlterationKind::Subject]),
        Requirement::BodyUnchanged => altered(&[AlterationKind::Body, AlterationKind::Links]),
        Requirement::AttachmentIntact => altered(&[AlterationKind::Attachments]),
        Requirement::SpfPass | Requirement::DkimPass | Requirement::DmarcPass => {
            let method = requirement.authentication_method()?;
            match copy.authentication.get(method).map(String::as_str) {
                Some("pass") => None,
                Some(result) => Some(format!("the receiving side says {method}={result}")),
                None => Some(format!("the receiving side says nothing of {method}")),
            }
        }
    }
}

/// A group has the verdict that its members share; members proven different make it partial; otherwise, if one is not known, that.
fn of_group(members: &[Member]) -> Measured {
    let proven: Vec<&Member> = members.iter().filter(|member| member.verdict.is_proven()).collect();
    let shared = |members: &[&Member]| members.windows(2).all(|pair| pair[0].verdict == pair[1].verdict);
    let basis = members.iter().find_map(|member| member.basis);
    if !shared(&proven) {
        return Measured {
            verdict: Verdict::Partial,
            basis,
            reason: None,
        };
    }
    match members.iter().find(|member| !member.verdict.is_proven()).or(members.first()) {
        Some(member) => Measured {
            verdict: member.verdict,
            basis: member.basis,
            reason: member.reason.clone(),
        },
        None => Measured::unknown("the group has no member to look at"),
    }
}

/// A failure speaks loudest, then a delivery, then a delay, then the rest.
fn loudest(notifications: &[Dsn]) -> Option<&Dsn> {
    let rank = |dsn: &&Dsn| match dsn.action {
        DsnAction::Failed => 0,
        DsnAction::Delivered => 1,
        DsnAction::Delayed => 2,
        DsnAction::Relayed | DsnAction::Expanded => 3,
    };
    notifications.iter().min_by_key(rank)
}

fn latency(sent_at: Option<Time>, arrival: Option<(Time, Time)>) -> Option<f64> {
    Some(time::milliseconds(sent_at?, arrival?.1))
}

fn sighting(copy: &Copy, until: Option<Time>) -> SightingRecord {
    SightingRecord {
        mailbox: copy.id.mailbox.clone(),
        folder: copy.id.folder.clone(),
        placement: copy.placement,
        after: copy.after,
        at: copy.at,
        until,
        internal_date: copy.internal_date,
    }
}

/// Who holds each role, and whether any of them was proven to receive.
pub fn roles(probes: &[JudgedProbe]) -> Vec<RoleSummary> {
    // Cases try what filters do; whether an address can be reached is what the scenario's own round says.
    let own_round = |probe: &&JudgedProbe| probe.case.is_none();
    let mut addresses: BTreeMap<&str, Vec<&JudgedProbe>> = BTreeMap::new();
    for probe in probes.iter().filter(own_round) {
        addresses.entry(&probe.recipient).or_default().push(probe);
    }
    let arrived = |probe: &JudgedProbe| matches!(probe.outcome, Outcome::Passed) && reaches(probe);
    let is_reachable = |address: &str| {
        addresses
            .get(address)
            .is_some_and(|probes| probes.iter().all(|probe| arrived(probe)))
    };
    let mut by_role: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for probe in probes.iter().filter(own_round) {
        if let Some(role) = &probe.role {
            by_role.entry(role).or_default().insert(&probe.recipient);
        }
    }
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let summary = |(role, holders): (&str, BTreeSet<&str>)| {
        let reachable = holders.iter().filter(|address| is_reachable(address)).count();
        let covered_by = |address: &&&str| {
            addresses
                .get(**address)
                .and_then(|probes| probes.first())
                .and_then(|probe| probe.covered_by.as_deref())
        };
        let covered = holders
            .iter()
            .filter(|address| !is_reachable(address) && covered_by(address).is_some_and(is_reachable))
            .count();
        let unknown = holders.iter().any(|address| {
            addresses
                .get(*address)
                .is_some_and(|p| p.iter().any(|p| p.outcome == Outcome::Unknown))
        });
        let outcome = match (reachable + covered, unknown) {
            (0, true) => Outcome::Unknown,
            (0, false) => Outcome::Failed,
            _ => Outcome::Passed,
        };
        RoleSummary {
            role: role.to_owned(),
            holders: count(holders.len()),
            reachable: count(reachable),
            covered: count(covered),
            outcome,
        }
    };
    by_role.into_iter().map(summary).collect()
}

/// Whether the verdict says that the message is where a person can read it.
fn reaches(probe: &JudgedProbe) -> bool {
    let readable = |verdict| matches!(verdict, Verdict::Inbox | Verdict::Folder | Verdict::Delivered);
    readable(probe.verdict) || (!probe.members.is_empty() && probe.members.iter().any(|member| readable(member.verdict)))
}
