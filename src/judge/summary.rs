//! From the ledger to the judged run: one entry for each probe, and counts. Explanations are put in by whoever shows it.

use super::{Ledger, Stand, record::Held, roles, verdict::Measured, way};
use crate::model::{
    Alteration, DomainFact, Dsn, DsnAction, Evidence, FactState, Judged, JudgedProbe, MailboxName, Member, Outcome, Probe, REPORT_SCHEMA,
    Recipient, SightingRecord, Summary, Time, Verdict, Waiver, time,
};

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
        parity: Vec::new(),
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
        let stray = self
            .astray(index)
            .filter(|_| measured.verdict == Verdict::Elsewhere)
            .min_by_key(|held| held.copy.at);
        let shown = self.best_of_all(index, recipient).or(stray);
        let mut arrived = self.arrived(index);
        let requirements = if decided { self.requirements(index, &arrived) } else { Vec::new() };
        if arrived.is_empty() {
            arrived.extend(stray);
        }
        let alterations = alterations(&arrived);
        let arrival = self
            .arrival_of_probe(index, recipient)
            .or(stray.map(|held| (held.copy.after, held.copy.at)));
        let flags = self.flags(index, &measured, &members, &alterations, arrival);
        let sent_at = self.left_at(index);
        let evidence = shown.map(|held| held.copy.evidence.clone()).unwrap_or_default();
        let mut judged = JudgedProbe {
            id: probe.id,
            run: self.plan().run.id.clone(),
            tag: probe.tag.clone(),
            message_id: probe.message_id.clone(),
            recipient: recipient.address.clone(),
            role: recipient.role.clone(),
            owner: recipient.owner.as_ref().map(ToString::to_string),
            backup: recipient.backup.as_ref().map(ToString::to_string),
            covered_by: recipient.covered_by.clone(),
            sender: self.plan().sender(probe).address.clone(),
            route: probe.route.clone(),
            message: probe.message.to_string(),
            case: probe.case.clone(),
            expected: probe.expected.iter().map(ToString::to_string).collect(),
            expected_at: probe.expected_at.clone(),
            within_ms: probe.within.as_secs_f64() * 1000.0,
            waiver: recipient.known.as_ref().map(|waiver| self.told(waiver)),
            outcome: Outcome::Unknown,
            verdict: measured.verdict,
            basis: measured.basis,
            flags,
            mailbox: shown.map(|held| held.mailbox().clone()),
            folder: shown.map(|held| held.copy.id.folder.clone()),
            sent_at,
            accepted_at: record.accepted().map(|attempt| attempt.ended_at),
            arrived_after: arrival.map(|(after, _)| after),
            arrived_at: arrival.map(|(_, at)| at),
            latency_ms: latency(sent_at, arrival),
            latency_uncertainty_ms: arrival.map(|(after, at)| time::milliseconds(after, at)),
            copies: self.copies(index),
            sightings: record.copies.iter().map(sighting).collect(),
            attempts: record.attempts.iter().map(|tried| tried.attempt.clone()).collect(),
            dsn: loudest(&record.notifications).cloned(),
            trace: record.traced.clone(),
            members,
            hops: shown
                .map(|held| way::records(&held.copy.evidence.hops, sent_at, held.copy.at))
                .unwrap_or_default(),
            path: shown.and_then(|held| self.path(&held.copy.evidence)),
            authentication: evidence.authentication,
            filters: evidence.filters,
            signatures: evidence.signatures,
            alterations,
            survived: evidence.survived,
            requirements,
            sender_facts: self.facts_of(probe),
            later: Vec::new(),
            reason: measured.reason,
            explanation: String::new(),
            remedy: None,
        };
        judged.outcome = self.outcome(&judged, &probe.expected, recipient);
        judged.later = self.later(index, &judged);
        judged
    }

    /// What the DNS shows amiss of the domains in whose name a probe goes out.
    fn facts_of(&self, probe: &Probe) -> Vec<DomainFact> {
        let sender = self.plan().sender(probe);
        let is_its = |domain: &str| {
            [&sender.address, &sender.envelope]
                .iter()
                .any(|address| address.rsplit('@').next().is_some_and(|own| own.eq_ignore_ascii_case(domain)))
        };
        let amiss = |fact: &&DomainFact| matches!(fact.state, FactState::Doubtful | FactState::Wrong) && is_its(&fact.domain);
        self.facts.iter().filter(amiss).cloned().collect()
    }

    /// The one path that the hops fit.
    fn path(&self, evidence: &Evidence) -> Option<String> {
        let mut fitting = way::fitting(&evidence.hops, &self.plan().paths);
        fitting.pop().filter(|_| fitting.is_empty())
    }

    /// A waiver in words, and whether it still held when the run started.
    fn told(&self, waiver: &Waiver) -> String {
        if self.is_in_force(waiver) {
            waiver.to_string()
        } else {
            format!("no longer in force: {waiver}")
        }
    }

    fn is_decided(&self, index: usize, now: Time) -> bool {
        self.finished_at().is_some() || self.stand(index, self.stopped().map_or(now, |(at, _)| at)) == Stand::Decided
    }

    fn measure_or_pending(&self, index: usize, meant: Option<&MailboxName>, decided: bool) -> Measured {
        if decided {
            return self.measure(index, meant);
        }
        let record = self.record(index);
        let under_way = record.began.is_some() && record.attempts.is_empty();
        Measured::pending(under_way.then(|| "it was being handed over just then, and may have been taken".to_owned()))
    }

    fn members(&self, index: usize, decided: bool) -> Vec<Member> {
        let recipient = self.plan().recipient(self.probe(index));
        let member = |mailbox: &MailboxName| {
            let measured = self.measure_or_pending(index, Some(mailbox), decided);
            let arrival = self.arrival(index, Some(mailbox));
            Member {
                mailbox: mailbox.clone(),
                verdict: measured.verdict,
                basis: measured.basis,
                flags: self.flags_of(index, Some(mailbox), measured.verdict),
                folder: self.best_copy(index, Some(mailbox)).map(|held| held.copy.id.folder.clone()),
                arrived_after: arrival.map(|(after, _)| after),
                arrived_at: arrival.map(|(_, at)| at),
                latency_ms: latency(self.left_at(index), arrival),
                latency_uncertainty_ms: arrival.map(|(after, at)| time::milliseconds(after, at)),
                reason: measured.reason,
            }
        };
        recipient.meant.iter().filter(|_| recipient.group).map(member).collect()
    }

    /// The best copy of any mailbox meant, or in quarantine.
    fn best_of_all(&self, index: usize, recipient: &Recipient) -> Option<&Held> {
        let meant = recipient.meant.iter().map(Some).chain([None]);
        let best = meant.filter_map(|meant| self.best_copy(index, meant));
        best.min_by_key(|held| (!self.is_present(index, held), held.placement()))
    }

    /// When the probe had arrived: for a group, when its last member had it.
    fn arrival_of_probe(&self, index: usize, recipient: &Recipient) -> Option<(Time, Time)> {
        let of_members = recipient.meant.iter().filter_map(|mailbox| self.arrival(index, Some(mailbox)));
        of_members.max_by_key(|(_, at)| *at).or_else(|| self.arrival(index, None))
    }
}

/// What was changed in any of these copies, each change once.
fn alterations(copies: &[&Held]) -> Vec<Alteration> {
    let mut all: Vec<Alteration> = Vec::new();
    for alteration in copies.iter().flat_map(|held| &held.copy.evidence.alterations) {
        if !all.contains(alteration) {
            all.push(alteration.clone());
        }
    }
    all
}

/// A group has the verdict that its members share; members proven different make it partial; otherwise, if one is not known, that.
pub(super) fn of_group(members: &[Member]) -> Measured {
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

/// A failure speaks loudest, then a delivery, then a delay, then the rest; what is bound for sure before what is bound by a guess.
fn loudest(notifications: &[Dsn]) -> Option<&Dsn> {
    let rank = |dsn: &&Dsn| {
        let action = match dsn.action {
            DsnAction::Failed => 0,
            DsnAction::Delivered => 1,
            DsnAction::Delayed => 2,
            DsnAction::Relayed | DsnAction::Expanded => 3,
        };
        (action, dsn.guessed)
    };
    notifications.iter().min_by_key(rank)
}

fn latency(sent_at: Option<Time>, arrival: Option<(Time, Time)>) -> Option<f64> {
    Some(time::milliseconds(sent_at?, arrival?.1))
}

fn sighting(held: &Held) -> SightingRecord {
    let copy = &held.copy;
    SightingRecord {
        mailbox: copy.id.mailbox.clone(),
        folder: copy.id.folder.clone(),
        placement: copy.placement,
        after: copy.after,
        at: copy.at,
        until: held.gone.map(|gone| gone.noticed),
        internal_date: copy.internal_date,
    }
}
