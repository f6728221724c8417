//! The rules: which verdict, on what basis, with which flags. The order of the rules is the contract's: a copy that is present outranks a
//! bounce, a bounce outranks a refusal that was read before, and nothing is lost without proof.

use super::{
    Ledger,
    ledger::{Held, Record},
};
use crate::model::{Basis, Dsn, DsnAction, Flag, MailboxName, Placement, QuarantinePolicy, Time, Verdict};

/// What was measured for one mailbox meant, or for the whole probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    pub verdict: Verdict,
    pub basis: Option<Basis>,
    /// Why it could not be measured.
    pub reason: Option<String>,
}

impl Measured {
    fn proven(verdict: Verdict, basis: Basis) -> Self {
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
}

impl Ledger {
    /// The verdict of one mailbox meant for the probe (`None`: of a probe for which no mailbox is meant), once nothing more is waited for.
    pub(super) fn measure(&self, index: usize, meant: Option<&MailboxName>) -> Measured {
        let record = self.record(index);
        let recipient = self.plan().recipient(self.probe(index));
        if let Some(best) = self.best_copy(index, meant).filter(|held| held.is_present()) {
            let verdict = match best.placement() {
                Placement::Inbox => Verdict::Inbox,
                Placement::Folder => Verdict::Folder,
                Placement::Junk => Verdict::Junk,
                Placement::Quarantine => Verdict::Quarantine,
                Placement::Deleted => Verdict::Deleted,
            };
            return Measured::proven(verdict, Basis::Seen);
        }
        if self.best_copy(index, meant).is_some() {
            return Measured::proven(Verdict::Deleted, Basis::Seen);
        }
        let failure = match meant {
            Some(mailbox) => self.failure_of(index, mailbox),
            None => record.notifications.iter().find(|dsn| dsn.action == DsnAction::Failed),
        };
        if failure.is_some() {
            return Measured::proven(Verdict::Bounced, Basis::Dsn);
        }
        if record.refused() {
            return Measured::proven(Verdict::Rejected, Basis::NextHop);
        }
        if record.began.is_none() {
            return Measured::unknown("the run ended before this probe was sent");
        }
        if record.unreachable() {
            let reply = record
                .attempts
                .last()
                .map(|tried| tried.attempt.reply.to_string())
                .unwrap_or_default();
            return Measured::unknown(format!("it could not be handed over: {reply}"));
        }
        let unseen = self.unseen(index, meant);
        let astray = self.astray(index).next();
        let stored = self.success_of(index, meant);
        match (unseen, astray, stored) {
            // The mailbox meant was looked at, so a copy elsewhere is the only one.
            (None, Some(_), _) => Measured::proven(Verdict::Elsewhere, Basis::Seen),
            (_, _, Some(_)) if meant.is_none_or(|mailbox| self.is_blind(index, mailbox)) => {
                Measured::proven(Verdict::Delivered, Basis::Dsn)
            }
            (None, None, Some(_)) => Measured::proven(Verdict::Elsewhere, Basis::Dsn),
            (Some(reason), Some(held), _) => Measured::unknown(format!("{reason}; a copy was seen in {}", held.copy.id.mailbox)),
            (Some(reason), None, _) => Measured::unknown(reason),
            (None, None, None) if record.in_doubt(self.resumed()) => Measured::unknown(
                "the connection ended after the message and before its reply, and no copy was found: it may never have been taken",
            ),
            (None, None, None) if meant.is_none() => Measured {
                verdict: Verdict::Accepted,
                basis: Some(Basis::NextHop),
                reason: None,
            },
            (None, None, None) if self.plan().sender(self.probe(index)).mailbox.is_none() => {
                Measured::unknown("no copy was found, but this sender has no `mailbox`, so a bounce could not have been seen")
            }
            (None, None, None) if recipient.quarantine == QuarantinePolicy::Unreadable => {
                Measured::unknown("no copy was found, but there is a quarantine that cannot be read")
            }
            (None, None, None) => Measured::proven(Verdict::Lost, Basis::Seen),
        }
    }

    /// The copy that decides: the best that is present, failing that the best that was. Copies held in a quarantine count for every member.
    pub(super) fn best_copy(&self, index: usize, meant: Option<&MailboxName>) -> Option<&Held> {
        let quarantine = self.plan().recipient(self.probe(index)).quarantine.mailboxes();
        let counts = |held: &&Held| Some(&held.copy.id.mailbox) == meant || quarantine.contains(&held.copy.id.mailbox);
        self.record(index)
            .copies
            .iter()
            .filter(counts)
            .min_by_key(|held| (!held.is_present(), held.placement(), held.copy.at))
    }

    /// Copies in mailboxes that were not meant: no mailbox of the recipient, no quarantine.
    pub(super) fn astray(&self, index: usize) -> impl Iterator<Item = &Held> {
        let recipient = self.plan().recipient(self.probe(index));
        let meant = move |name: &MailboxName| recipient.meant.contains(name) || recipient.quarantine.mailboxes().contains(name);
        self.record(index).copies.iter().filter(move |held| !meant(&held.copy.id.mailbox))
    }

    /// The failure notification that speaks of this mailbox: it names it, or the group as a whole, or nobody.
    pub(super) fn failure_of(&self, index: usize, mailbox: &MailboxName) -> Option<&Dsn> {
        self.record(index)
            .notifications
            .iter()
            .find(|dsn| dsn.action == DsnAction::Failed && self.speaks_of(index, dsn, mailbox, true))
    }

    fn success_of(&self, index: usize, meant: Option<&MailboxName>) -> Option<&Dsn> {
        let delivered =
            |dsn: &&Dsn| dsn.action == DsnAction::Delivered && meant.is_none_or(|mailbox| self.speaks_of(index, dsn, mailbox, false));
        self.record(index).notifications.iter().find(delivered)
    }

    /// Whether a notification is about this mailbox. `or_group`: what names the group itself, or nobody, is about each member.
    fn speaks_of(&self, index: usize, dsn: &Dsn, mailbox: &MailboxName, or_group: bool) -> bool {
        let recipient = self.plan().recipient(self.probe(index));
        if !recipient.group {
            // One address: whatever alias it was rewritten to on the way, the notification speaks of it.
            return true;
        }
        let names = [dsn.recipient.as_deref(), dsn.original_recipient.as_deref()];
        let names_group = |name: &str| name.eq_ignore_ascii_case(&recipient.address);
        match dsn.recipient.as_deref() {
            None => or_group && names.into_iter().flatten().all(names_group),
            Some(name) if names_group(name) => or_group,
            Some(name) => self.is_address_of(name, mailbox),
        }
    }

    fn is_address_of(&self, address: &str, mailbox: &MailboxName) -> bool {
        let address = address.to_lowercase();
        match self.plan().addresses.get(&address) {
            Some(owner) => owner == mailbox,
            None => address == mailbox.as_str().to_lowercase() || address.split('@').next() == Some(&mailbox.as_str().to_lowercase()),
        }
    }

    /// Why it cannot be said that the probe is in none of its places: the first one that was not looked at after the give-up time.
    fn unseen(&self, index: usize, meant: Option<&MailboxName>) -> Option<String> {
        let recipient = self.plan().recipient(self.probe(index));
        let give_up = self.give_up_at(index)?;
        let other_member = |name: &&MailboxName| recipient.group && recipient.meant.contains(name) && Some(*name) != meant;
        self.places(index).into_iter().filter(|name| !other_member(name)).find_map(|name| {
            let sight = self.sight(name);
            if sight.and_then(|sight| sight.looked).is_some_and(|looked| looked >= give_up) {
                return None;
            }
            Some(match sight.and_then(|sight| sight.trouble.as_ref()) {
                Some(trouble) => format!("the mailbox {name} could not be looked at after the give-up time: {trouble}"),
                None => format!("the mailbox {name} was not looked at after the give-up time"),
            })
        })
    }

    fn is_blind(&self, index: usize, mailbox: &MailboxName) -> bool {
        let give_up = self.give_up_at(index);
        self.sight(mailbox).and_then(|sight| sight.looked) < give_up
    }

    /// The most copies that were present at once in the mailboxes meant, quarantine apart.
    pub(super) fn copies(&self, index: usize) -> u32 {
        let recipient = self.plan().recipient(self.probe(index));
        let counted: Vec<&Held> = self
            .record(index)
            .copies
            .iter()
            .filter(|held| recipient.meant.contains(&held.copy.id.mailbox) && held.placement() != Placement::Quarantine)
            .collect();
        // The largest number is reached at the moment when some copy was first seen.
        let at_once = |first: &&&Held| {
            counted
                .iter()
                .filter(|held| held.copy.at <= first.copy.at && held.overlaps(first))
                .count()
        };
        u32::try_from(counted.iter().map(|held| at_once(&held)).max().unwrap_or_default()).unwrap_or(u32::MAX)
    }

    /// When the probe arrived in this mailbox (or the quarantine): the bounds of the first copy.
    pub(super) fn arrival(&self, index: usize, meant: Option<&MailboxName>) -> Option<(Time, Time)> {
        let quarantine = self.plan().recipient(self.probe(index)).quarantine.mailboxes();
        let in_meant = self
            .record(index)
            .copies
            .iter()
            .filter(|held| Some(&held.copy.id.mailbox) == meant)
            .map(|held| (held.copy.after, held.copy.at));
        let held_back = self
            .record(index)
            .copies
            .iter()
            .filter(|held| quarantine.contains(&held.copy.id.mailbox))
            .map(|held| (held.copy.after, held.copy.at));
        in_meant.min_by_key(|(_, at)| *at).or_else(|| held_back.min_by_key(|(_, at)| *at))
    }

    /// `late`, `late-unproven`, or neither.
    pub(super) fn lateness(&self, index: usize, arrival: Option<(Time, Time)>) -> Option<Flag> {
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

    /// Whether it was seen in one folder first and then in another, of this mailbox or out of quarantine.
    pub(super) fn has_moved(&self, index: usize, meant: Option<&MailboxName>) -> bool {
        let quarantine = self.plan().recipient(self.probe(index)).quarantine.mailboxes();
        let counts = |held: &&Held| Some(&held.copy.id.mailbox) == meant || quarantine.contains(&held.copy.id.mailbox);
        let copies: Vec<&Held> = self.record(index).copies.iter().filter(counts).collect();
        let place = |held: &Held| (held.copy.id.mailbox.clone(), held.copy.id.folder.clone());
        copies
            .iter()
            .any(|from| from.gone.is_some() && copies.iter().any(|to| place(to) != place(from) && to.copy.at >= from.copy.at))
    }

    /// Whether the last look could not be made at one of the places.
    pub(super) fn is_settle_blind(&self, index: usize) -> bool {
        let record: &Record = self.record(index);
        let Some(settled) = record
            .last_news
            .map(|news| crate::model::time::later(news, self.probe(index).settle))
        else {
            return false;
        };
        self.places(index).into_iter().any(|name| {
            self.sight(name)
                .and_then(|sight| sight.looked)
                .is_none_or(|looked| looked < settled)
        })
    }
}
