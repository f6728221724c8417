//! Flags: what else is true of a probe, or of one member of a group, beside its verdict.

use super::{Ledger, record::Held, verdict::Measured};
use crate::model::{Alteration, Flag, MailboxName, Member, QuarantinePolicy, Time, Verdict};
use std::collections::BTreeSet;

impl Ledger {
    /// The flags of a probe; those of its members are among them.
    pub(super) fn flags(
        &self,
        index: usize,
        measured: &Measured,
        members: &[Member],
        alterations: &[Alteration],
        arrival: Option<(Time, Time)>,
    ) -> Vec<Flag> {
        let record = self.record(index);
        let recipient = self.plan().recipient(self.probe(index));
        let decided = measured.verdict != Verdict::Pending;
        // While it waits, a stray copy alone may still turn out to be the only one.
        let further = decided || !self.arrived(index).is_empty();
        let is_true = [
            (Flag::Duplicated, self.copies(index) as usize > recipient.meant.len()),
            (Flag::Altered, !alterations.is_empty()),
            (Flag::Delayed, record.is_delayed()),
            (Flag::AutoReplied, record.auto_replied),
            (Flag::Replied, record.replied),
            (
                Flag::AlsoElsewhere,
                measured.verdict != Verdict::Elsewhere && further && self.astray(index).next().is_some(),
            ),
            (Flag::SettleBlind, decided && self.is_settle_blind(index)),
            (Flag::AllowListed, self.is_allow_listed(index)),
            (Flag::Internal, self.probe(index).internal),
            (Flag::NotSent, decided && record.never_left()),
        ];
        let mut flags: BTreeSet<Flag> = is_true.into_iter().filter_map(|(flag, is_true)| is_true.then_some(flag)).collect();
        flags.extend(self.lateness(index, arrival));
        if recipient.group {
            flags.extend(members.iter().flat_map(|member| member.flags.iter().copied()));
        } else {
            flags.extend(self.flags_of(index, recipient.meant.first(), measured.verdict));
        }
        if flags.contains(&Flag::Late) {
            flags.remove(&Flag::LateUnproven);
        }
        flags.into_iter().collect()
    }

    /// The flags that a mailbox meant has of its own.
    pub(super) fn flags_of(&self, index: usize, meant: Option<&MailboxName>, verdict: Verdict) -> Vec<Flag> {
        let unsaid = self.plan().recipient(self.probe(index)).quarantine == QuarantinePolicy::Unsaid;
        let mut flags: Vec<Flag> = self.lateness(index, self.arrival(index, meant)).into_iter().collect();
        if self.has_moved(index, meant) {
            flags.push(Flag::Moved);
        }
        if verdict == Verdict::Delivered && self.is_shown_late(index, meant) {
            flags.push(Flag::LateUnproven);
        }
        if verdict == Verdict::Lost && unsaid {
            flags.push(Flag::QuarantineUnchecked);
        }
        flags
    }

    /// Whether a filter says of a copy that an allow-list let it through.
    fn is_allow_listed(&self, index: usize) -> bool {
        let filters = |held: &&Held| held.copy.evidence.filters.iter().any(|filter| filter.allow_listed.is_some());
        self.arrived(index).iter().any(filters)
    }

    /// `late`, `late-unproven`, or neither.
    fn lateness(&self, index: usize, arrival: Option<(Time, Time)>) -> Option<Flag> {
        let (after, at) = arrival?;
        let deadline = self.deadline(index)?;
        if after > deadline {
            Some(Flag::Late)
        } else if at > deadline {
            Some(Flag::LateUnproven)
        } else {
            None
        }
    }

    /// Whether one of the places was not looked at after the settle time of a copy that decides.
    fn is_settle_blind(&self, index: usize) -> bool {
        let recipient = self.plan().recipient(self.probe(index));
        let meant = recipient.meant.iter().map(Some);
        let meant = meant.chain(recipient.meant.is_empty().then_some(None));
        let settled = meant
            .filter_map(|meant| self.best_copy(index, meant))
            .map(|best| self.settled_at(index, best.news))
            .max();
        settled.is_some_and(|settled| {
            self.places(index)
                .into_iter()
                .any(|name| !self.is_trace(name) && self.looked(name) < Some(settled))
        })
    }
}
