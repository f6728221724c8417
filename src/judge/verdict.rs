//! The rules: which verdict, on what basis. The order of the rules is the contract's: a copy that is present outranks a bounce, a bounce
//! outranks what was read before it, and nothing is lost without proof.

use super::{Ledger, record::Held};
use crate::model::{Basis, MailboxName, Placement, QuarantinePolicy, Time, Verdict};

/// What was measured for one mailbox meant, or for the whole probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    pub verdict: Verdict,
    pub basis: Option<Basis>,
    /// Why it could not be measured.
    pub reason: Option<String>,
}

impl Measured {
    pub(super) fn proven(verdict: Verdict, basis: Basis) -> Self {
        Self {
            verdict,
            basis: Some(basis),
            reason: None,
        }
    }

    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Unknown,
            basis: None,
            reason: Some(reason.into()),
        }
    }

    pub(super) fn pending(reason: Option<String>) -> Self {
        Self {
            verdict: Verdict::Pending,
            basis: None,
            reason,
        }
    }
}

/// What a copy that is present comes to.
pub(super) fn verdict_of(placement: Placement) -> Verdict {
    match placement {
        Placement::Inbox => Verdict::Inbox,
        Placement::Folder => Verdict::Folder,
        Placement::Junk => Verdict::Junk,
        Placement::Quarantine => Verdict::Quarantine,
        Placement::Deleted => Verdict::Deleted,
    }
}

impl Ledger {
    /// What the trace adds to a loss.
    const NO_ROW: &str = "the message trace has no row of it, so it did not come to Exchange Online as the message that was sent";

    /// The verdict of one mailbox meant for the probe (`None`: of a probe for which no mailbox is meant), once nothing more is waited for.
    pub(super) fn measure(&self, index: usize, meant: Option<&MailboxName>) -> Measured {
        let record = self.record(index);
        let best = self.best_copy(index, meant);
        if let Some(held) = best.filter(|held| self.is_present(index, held)) {
            return Measured::proven(verdict_of(held.placement()), Basis::Seen);
        }
        let failure = match meant {
            Some(mailbox) => self.failure_of(index, mailbox),
            None => self.failure(index),
        };
        if failure.is_some() {
            return if self.went_astray_despite_bounce(index, meant) {
                Measured::proven(Verdict::Elsewhere, Basis::Seen)
            } else {
                Measured::proven(Verdict::Bounced, Basis::Dsn)
            };
        }
        if self.is_held_by_trace(index, meant) {
            return Measured::proven(Verdict::Quarantine, Basis::Trace);
        }
        if best.is_some() {
            return Measured::proven(Verdict::Deleted, Basis::Seen);
        }
        if record.refused() {
            return Measured::proven(Verdict::Rejected, Basis::NextHop);
        }
        if record.began.is_none() && !record.shows_signs() {
            return Measured::unknown("the run ended before this probe was sent");
        }
        if record.never_left() {
            let reply = record
                .attempts
                .last()
                .map(|last| last.attempt.reply.to_string())
                .unwrap_or_default();
            return Measured::unknown(if record.halted() {
                format!("the run was stopped before a further attempt; the last one ended with: {reply}")
            } else {
                format!("it could not be handed over: {reply}")
            });
        }
        self.measure_unseen(index, meant)
    }

    /// The verdict where no copy speaks for the mailbox, no bounce and no refusal.
    fn measure_unseen(&self, index: usize, meant: Option<&MailboxName>) -> Measured {
        let unseen = self.unseen(index, meant);
        let is_blind = meant.is_none_or(|mailbox| self.is_trace(mailbox) || self.looked(mailbox) < self.give_up_at(index));
        let said_stored = self.is_said_stored(index, meant);
        let strayed = self.astray(index).count();
        if strayed > 0 && unseen.is_none() && self.speak_for_the_missing(index, strayed) {
            Measured::proven(Verdict::Elsewhere, Basis::Seen)
        } else if let Some(refused) = self.refused_by_trace(index, meant) {
            refused
        } else if said_stored && is_blind {
            Measured::proven(Verdict::Delivered, Basis::Dsn)
        } else if self.is_stored_by_trace(index, meant) && is_blind {
            Measured::proven(Verdict::Delivered, Basis::Trace)
        } else if let Some(reason) = unseen {
            match self.astray(index).next() {
                Some(held) => Measured::unknown(format!("{reason}; a copy was seen in {}", held.mailbox())),
                None => Measured::unknown(reason),
            }
        } else if said_stored {
            Measured::proven(Verdict::Elsewhere, Basis::Dsn)
        } else if let Some(traced) = self.missed_by_folders(index, meant) {
            traced
        } else if let Some(doubt) = self.doubt(index, meant) {
            Measured::unknown(doubt)
        } else if meant.is_some_and(|mailbox| !self.is_trace(mailbox)) {
            Measured {
                reason: self.has_trace(index).then(|| Self::NO_ROW.to_owned()),
                ..Measured::proven(Verdict::Lost, Basis::Seen)
            }
        } else if self.has_trace(index) {
            Measured {
                reason: Some(Self::NO_ROW.to_owned()),
                ..Measured::proven(Verdict::Lost, Basis::Trace)
            }
        } else {
            Measured::proven(Verdict::Accepted, Basis::NextHop)
        }
    }

    /// What stands against calling it lost although every place was looked at and none has it.
    fn doubt(&self, index: usize, meant: Option<&MailboxName>) -> Option<String> {
        let record = self.record(index);
        if record.cut_off() {
            return Some(
                "the connection ended after the message and before its reply, and no copy was found: it may never have been taken"
                    .to_owned(),
            );
        }
        if !record.over() {
            return Some(
                "the run was cut off before the final reply to this probe was read, and no copy was found: it may never have been taken"
                    .to_owned(),
            );
        }
        if meant.is_none() && !self.has_trace(index) {
            return None;
        }
        let recipient = self.plan().recipient(self.probe(index));
        if self.plan().sender(self.probe(index)).mailbox.is_none() {
            return Some("no copy was found, but this sender has no `mailbox`, so a bounce could not have been seen".to_owned());
        }
        if recipient.quarantine == QuarantinePolicy::Unreadable {
            return Some("no copy was found, but there is a quarantine that cannot be read".to_owned());
        }
        if let Some(held) = self.quarantined(index).chain(self.astray(index)).next().filter(|_| recipient.group) {
            return Some(format!(
                "a copy was seen in {}, and for which member it was cannot be said",
                held.mailbox()
            ));
        }
        if let Some(doubt) = self.unbelieved(index) {
            return Some(format!("no copy was found, but {doubt}"));
        }
        if let Some(stranger) = self.stranger_in_trace(index, meant) {
            return Some(format!(
                "no copy was found, but the message trace has a row for {stranger:?}, which may be this member: the site does not say which \
                 address it has"
            ));
        }
        let stranger = self.stranger_that_failed(index)?;
        Some(format!(
            "no copy was found, but a bounce names {stranger:?}, which may be this member: no mailbox of the site is known by that address"
        ))
    }

    /// Whether, though a bounce came back, a copy is present: in a mailbox that was not meant, while the one that was has been looked at. A
    /// group's stray copy may be for another member than the bounce.
    fn went_astray_despite_bounce(&self, index: usize, meant: Option<&MailboxName>) -> bool {
        let group = self.plan().recipient(self.probe(index)).group;
        let proves = |held: &Held| {
            let settled = self.settled_at(index, held.news);
            self.is_present(index, held) && meant.is_none_or(|mailbox| self.looked(mailbox) >= Some(settled))
        };
        !group && self.astray(index).any(proves)
    }

    /// Why it cannot be said that the probe is in none of its places: the first one that was not looked at after the give-up time.
    fn unseen(&self, index: usize, meant: Option<&MailboxName>) -> Option<String> {
        let recipient = self.plan().recipient(self.probe(index));
        let give_up: Time = self.give_up_at(index)?;
        let other_member = |name: &&MailboxName| recipient.group && recipient.meant.contains(name) && Some(*name) != meant;
        let not_looked_at = |name: &&MailboxName| self.looked(name) < Some(give_up);
        let name = self
            .places(index)
            .into_iter()
            .find(|name| !other_member(name) && not_looked_at(name))?;
        let trouble = self.sight(name).and_then(|sight| sight.blind.as_ref());
        if self.is_trace(name) {
            // The trace itself, or a mailbox for which it would have to speak.
            let what = if recipient.meant.contains(name) {
                format!("the message trace, which alone may speak for {name},")
            } else {
                format!("the {name}")
            };
            return Some(match trouble {
                Some(trouble) => format!("{what} could not be asked after the give-up time: {trouble}"),
                None => format!("{what} was not asked after the give-up time and its delay"),
            });
        }
        let of_sender = self.plan().sender(self.probe(index)).mailbox.as_ref() == Some(name) && !recipient.meant.contains(name);
        let why = if of_sender { ", where bounces come back" } else { "" };
        Some(match trouble {
            Some(trouble) => format!("the mailbox {name} could not be looked at after the give-up time{why}: {trouble}"),
            None => format!("the mailbox {name} was not looked at after the give-up time{why}"),
        })
    }
}
