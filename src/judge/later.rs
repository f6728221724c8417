//! Second looks: what had become of a decided probe, compared with its verdict. What it cannot see: who moved it. A zero-hour purge, a rule and a
//! person leave the same traces in a mailbox.

use super::{
    Ledger,
    summary::of_group,
    verdict::{Measured, verdict_of},
};
use crate::model::{
    Basis, Change, Event, FoundCopy, JudgedProbe, Later, LaterMember, MailboxName, Member, Probe, QuarantinePolicy, Recipient, SecondLook,
    Time, TraceStatus, Verdict, What,
};

/// What came after the measurement.
#[derive(Debug, Default)]
pub(super) struct Afterwards {
    looks: Vec<(Time, SecondLook)>,
    cleaned: Vec<(Time, MailboxName)>,
}

/// One place's verdict then and now.
struct Finding<'a> {
    change: Change,
    verdict: Verdict,
    best: Option<&'a FoundCopy>,
    reason: Option<String>,
}

impl Afterwards {
    /// Takes the event in if it is not of the measurement; whether it did.
    pub fn take_in(&mut self, event: &Event) -> bool {
        match &event.what {
            What::LookedAgain { look } => self.looks.push((event.at, SecondLook::clone(look))),
            What::Cleaned { mailbox, .. } => self.cleaned.push((event.at, mailbox.clone())),
            _ => return false,
        }
        true
    }
}

impl Ledger {
    /// What each second look found of this probe, which was judged so.
    pub(super) fn later(&self, index: usize, judged: &JudgedProbe) -> Vec<Later> {
        let probe = self.probe(index);
        let eyes = |(at, look): &(Time, SecondLook)| {
            let eyes = Eyes {
                ledger: self,
                probe,
                recipient: self.plan().recipient(probe),
                judged,
                look,
            };
            eyes.later(*at)
        };
        self.afterwards.looks.iter().map(eyes).collect()
    }
}

/// One second look at one probe.
struct Eyes<'a> {
    ledger: &'a Ledger,
    probe: &'a Probe,
    recipient: &'a Recipient,
    judged: &'a JudgedProbe,
    look: &'a SecondLook,
}

impl<'a> Eyes<'a> {
    fn later(&self, at: Time) -> Later {
        let members: Vec<LaterMember> = self.judged.members.iter().map(|member| self.member(member)).collect();
        let found = if self.recipient.group {
            self.of_members(&members)
        } else {
            self.whole()
        };
        // What it would have come to: the same message, lying there.
        let mut then = self.judged.clone();
        then.verdict = found.verdict;
        then.folder = found.best.map(|copy| copy.copy.folder.clone());
        for (then, member) in then.members.iter_mut().zip(&members) {
            then.verdict = member.verdict;
            then.folder.clone_from(&member.folder);
        }
        Later {
            at,
            change: found.change,
            verdict: found.verdict,
            outcome: self.ledger.outcome(&then, &self.probe.expected, self.recipient),
            mailbox: found.best.map(|copy| copy.copy.mailbox.clone()),
            folder: then.folder,
            members,
            reason: found.reason,
        }
    }

    /// A probe with at most one mailbox meant.
    fn whole(&self) -> Finding<'a> {
        let meant = self.recipient.meant.first();
        let own = self.copies().filter(|copy| Some(&copy.copy.mailbox) == meant || self.is_held(copy));
        if let Some(best) = best(own) {
            return Self::present(best, self.judged.verdict, self.judged.folder.as_deref());
        }
        if let Some(stray) = best(self.copies()) {
            let change = match self.judged.verdict {
                Verdict::Elsewhere if self.judged.mailbox.as_ref() == Some(&stray.copy.mailbox) => Change::Same,
                before => moved_or_found(before),
            };
            // A stray copy proves that it is elsewhere only if its own mailbox has none.
            return match self.blind(meant) {
                Some(reason) => unseen(reason),
                None => Finding {
                    change,
                    verdict: Verdict::Elsewhere,
                    best: Some(stray),
                    reason: None,
                },
            };
        }
        self.absent(meant, self.judged.verdict)
    }

    fn member(&self, member: &Member) -> LaterMember {
        let own = self.copies().filter(|copy| copy.copy.mailbox == member.mailbox);
        let found = match best(own) {
            Some(best) => Self::present(best, member.verdict, member.folder.as_deref()),
            None => match best(self.copies().filter(|copy| self.is_held(copy))) {
                // Whoever had none of its own before and none now: it is held for them as before.
                Some(held) if member.verdict == Verdict::Quarantine => Self::present(held, member.verdict, member.folder.as_deref()),
                Some(held) => unseen(format!(
                    "a copy is in {}, and for which member it is cannot be said",
                    held.copy.mailbox
                )),
                None => self.absent(Some(&member.mailbox), member.verdict),
            },
        };
        LaterMember {
            mailbox: member.mailbox.clone(),
            change: found.change,
            verdict: found.verdict,
            folder: found.best.map(|copy| copy.copy.folder.clone()),
            reason: found.reason,
        }
    }

    /// A group, from its members: the gravest change of any of them.
    fn of_members(&self, members: &[LaterMember]) -> Finding<'a> {
        let then: Vec<Member> = self
            .judged
            .members
            .iter()
            .zip(members)
            .map(|(before, now)| Member {
                verdict: now.verdict,
                basis: Some(Basis::Seen),
                reason: now.reason.clone(),
                ..before.clone()
            })
            .collect();
        let Measured { verdict, reason, .. } = of_group(&then);
        let change = members.iter().map(|member| member.change).max_by_key(|change| gravity(*change));
        let own = self.copies().filter(|copy| self.recipient.meant.contains(&copy.copy.mailbox));
        Finding {
            change: change.unwrap_or(Change::Unseen),
            verdict,
            best: best(own),
            reason,
        }
    }

    /// There is a copy.
    fn present(copy: &'a FoundCopy, before: Verdict, folder: Option<&str>) -> Finding<'a> {
        let verdict = verdict_of(copy.placement);
        let change = match before {
            Verdict::Quarantine if verdict != before => Change::Released,
            // The trace alone had said so, and it names no folder to compare with.
            Verdict::Quarantine | Verdict::Delivered if folder.is_none() => Change::Same,
            _ if verdict == before && folder == Some(copy.copy.folder.as_str()) => Change::Same,
            before => moved_or_found(before),
        };
        Finding {
            change,
            verdict,
            best: Some(copy),
            reason: None,
        }
    }

    /// There is no copy that would speak for it: then the trace may, and otherwise every place must have been looked at.
    fn absent(&self, meant: Option<&MailboxName>, before: Verdict) -> Finding<'a> {
        if let Some(finding) = self.traced(meant, before) {
            return finding;
        }
        if let Some(reason) = self.blind(meant) {
            return unseen(reason);
        }
        if !is_somewhere(before) {
            return Finding {
                change: Change::Same,
                verdict: before,
                best: None,
                reason: (before == Verdict::Unknown)
                    .then(|| "it is in no place now; whether it ever was could not be seen while the run went on".to_owned()),
            };
        }
        if self.was_cleaned(meant) {
            return Finding {
                change: Change::Cleaned,
                verdict: Verdict::Unknown,
                best: None,
                reason: Some("`mailflow clean` had removed it by then".to_owned()),
            };
        }
        match self.recipient.quarantine {
            QuarantinePolicy::Unreadable => unseen("it is in no folder any more, but there is a quarantine that cannot be read".to_owned()),
            QuarantinePolicy::Unsaid => gone(Some(
                "the site does not say where a quarantine would hold it, so none was looked at".to_owned(),
            )),
            QuarantinePolicy::None | QuarantinePolicy::Mailboxes(_) => gone(None),
        }
    }

    /// What the trace alone says: it outranks no copy, and knows no folder.
    fn traced(&self, meant: Option<&MailboxName>, before: Verdict) -> Option<Finding<'a>> {
        let own = |address: &str| {
            let known = self.ledger.plan().addresses.get(&address.to_lowercase());
            address.eq_ignore_ascii_case(&self.recipient.address) || (known.is_some() && known == meant)
        };
        let of_it = self
            .look
            .rows
            .iter()
            .filter(|found| found.probe == self.probe.id)
            .map(|found| &found.row);
        let mut rows = of_it.filter(|row| own(&row.recipient));
        let row = rows.find(|row| row.status == TraceStatus::Quarantined || row.is_stored())?;
        let verdict = match row.status {
            TraceStatus::Quarantined => Verdict::Quarantine,
            // It says stored, and the mailbox was looked at and has none: then somebody took it from there.
            _ if self.blind(meant).is_none() && !meant.is_none_or(|name| self.ledger.is_trace(name)) => return None,
            _ => Verdict::Delivered,
        };
        let change = match (before, verdict) {
            (before, verdict) if before == verdict => Change::Same,
            (Verdict::Quarantine, _) => Change::Released,
            (before, _) => moved_or_found(before),
        };
        Some(Finding {
            change,
            verdict,
            best: None,
            reason: None,
        })
    }

    /// The copies of the probe.
    fn copies(&self) -> impl Iterator<Item = &'a FoundCopy> {
        let probe = self.probe.id;
        self.look.copies.iter().filter(move |copy| copy.probe == probe)
    }

    fn is_held(&self, copy: &FoundCopy) -> bool {
        self.recipient.quarantine.mailboxes().contains(&copy.copy.mailbox)
    }

    /// Why it cannot be said that it is in none of its places: the first of them that could not be looked at.
    fn blind(&self, meant: Option<&MailboxName>) -> Option<String> {
        let mut places = meant.into_iter().chain(self.recipient.quarantine.mailboxes());
        let (name, reason) = places.find_map(|name| self.look.blind.get_key_value(name))?;
        Some(if self.ledger.is_trace(name) {
            format!("the {name} could not be asked: {reason}")
        } else {
            format!("the mailbox {name} could not be looked at: {reason}")
        })
    }

    /// Whether `mailflow clean` had been at work where it would lie.
    fn was_cleaned(&self, meant: Option<&MailboxName>) -> bool {
        let lay_in = self.judged.mailbox.as_ref();
        let here = |name: &MailboxName| Some(name) == meant || Some(name) == lay_in || self.recipient.quarantine.mailboxes().contains(name);
        self.ledger
            .afterwards
            .cleaned
            .iter()
            .any(|(at, mailbox)| *at <= self.look.since && here(mailbox))
    }
}

fn gone(reason: Option<String>) -> Finding<'static> {
    Finding {
        change: Change::Gone,
        verdict: Verdict::Deleted,
        best: None,
        reason,
    }
}

fn unseen(reason: String) -> Finding<'static> {
    Finding {
        change: Change::Unseen,
        verdict: Verdict::Unknown,
        best: None,
        reason: Some(reason),
    }
}

/// The best of these copies: inbox, folder, junk, quarantine, deleted.
fn best<'a>(copies: impl Iterator<Item = &'a FoundCopy>) -> Option<&'a FoundCopy> {
    copies.min_by_key(|copy| copy.placement)
}

/// Whether the run had proven that it lay somewhere.
fn is_somewhere(before: Verdict) -> bool {
    matches!(
        before,
        Verdict::Inbox | Verdict::Folder | Verdict::Junk | Verdict::Quarantine | Verdict::Elsewhere
    )
}

fn moved_or_found(before: Verdict) -> Change {
    if is_somewhere(before) || before == Verdict::Deleted {
        Change::Moved
    } else {
        Change::Found
    }
}

/// Which of several members' changes speaks for the group.
fn gravity(change: Change) -> u8 {
    match change {
        Change::Same => 0,
        Change::Cleaned => 1,
        Change::Found => 2,
        Change::Released => 3,
        Change::Unseen => 4,
        Change::Moved => 5,
        Change::Gone => 6,
    }
}
