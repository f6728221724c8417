//! Copies: which of them speak for a mailbox, which are there, when the first arrived, how many there were at once.

use super::{Ledger, record::Held};
use crate::model::{MailboxName, Placement, Time, time};

impl Ledger {
    /// The copies in this mailbox.
    pub(super) fn copies_of(&self, index: usize, mailbox: &MailboxName) -> impl Iterator<Item = &Held> {
        self.record(index).copies.iter().filter(move |held| held.mailbox() == mailbox)
    }

    /// Copies in the quarantine mailboxes of the recipient.
    pub(super) fn quarantined(&self, index: usize) -> impl Iterator<Item = &Held> {
        let quarantine = self.plan().recipient(self.probe(index)).quarantine.mailboxes();
        self.record(index).copies.iter().filter(|held| quarantine.contains(held.mailbox()))
    }

    /// Copies in mailboxes that were not meant: no mailbox of the recipient, no quarantine.
    pub(super) fn astray(&self, index: usize) -> impl Iterator<Item = &Held> {
        let recipient = self.plan().recipient(self.probe(index));
        let meant = move |name: &MailboxName| recipient.meant.contains(name) || recipient.quarantine.mailboxes().contains(name);
        self.record(index).copies.iter().filter(move |held| !meant(held.mailbox()))
    }

    /// Copies in the mailboxes meant; if there are none, those in quarantine.
    pub(super) fn arrived(&self, index: usize) -> Vec<&Held> {
        let recipient = self.plan().recipient(self.probe(index));
        let own: Vec<&Held> = recipient.meant.iter().flat_map(|mailbox| self.copies_of(index, mailbox)).collect();
        if own.is_empty() { self.quarantined(index).collect() } else { own }
    }

    /// The copies that speak for this mailbox: its own, and those in a quarantine mailbox that can only be for it.
    fn candidates(&self, index: usize, meant: Option<&MailboxName>) -> Vec<&Held> {
        let recipient = self.plan().recipient(self.probe(index));
        let mut own: Vec<&Held> = meant.into_iter().flat_map(|mailbox| self.copies_of(index, mailbox)).collect();
        if !recipient.group {
            own.extend(self.quarantined(index));
        } else if own.is_empty() && meant.is_none_or(|mailbox| !self.is_named_by_failure(index, mailbox)) {
            let present = self.quarantined(index).filter(|held| self.is_present(index, held)).count();
            if self.speak_for_the_missing(index, present) {
                own.extend(self.quarantined(index));
            }
        }
        own
    }

    /// Whether `number` copies outside the members' mailboxes tell what became of each member that has none of its own. They do if no member
    /// has one, so that the message was stopped or led away before the group was expanded, or if there are enough of them.
    pub(super) fn speak_for_the_missing(&self, index: usize, number: usize) -> bool {
        let recipient = self.plan().recipient(self.probe(index));
        let expanded = || {
            recipient
                .meant
                .iter()
                .any(|mailbox| self.copies_of(index, mailbox).next().is_some())
        };
        let missing = || {
            recipient
                .meant
                .iter()
                .filter(|name| !self.has_arrived(index, name) && !self.is_named_by_failure(index, name))
        };
        !recipient.group || !expanded() || number >= missing().count()
    }

    /// Whether this mailbox has had a copy. One that has left its quarantine folder is yet to come.
    pub(super) fn has_arrived(&self, index: usize, mailbox: &MailboxName) -> bool {
        let arrived = |held: &Held| held.placement() != Placement::Quarantine || self.is_present(index, held);
        self.copies_of(index, mailbox).any(arrived)
    }

    /// The copy that decides: the best that is present, failing that the best that was.
    pub(super) fn best_copy(&self, index: usize, meant: Option<&MailboxName>) -> Option<&Held> {
        let rank = |held: &&Held| (!self.is_present(index, held), held.placement(), held.copy.at);
        self.candidates(index, meant).into_iter().min_by_key(rank)
    }

    /// Whether a copy counts as present: it is there, or it was until its settle time had ended. What becomes of it later (a person reads and
    /// deletes it while the run waits for other probes) is no longer measured.
    pub(super) fn is_present(&self, index: usize, held: &Held) -> bool {
        held.gone.is_none_or(|gone| gone.last_present >= self.settled_at(index, held.news))
    }

    /// The end of the settle time that begins with a copy seen at `news`: each new copy that comes before its end prolongs it.
    pub(super) fn settled_at(&self, index: usize, news: Time) -> Time {
        let settle = self.probe(index).settle;
        let mut last = news;
        loop {
            let end = time::later(last, settle);
            let further = self.record(index).copies.iter().map(|held| held.news);
            match further.filter(|news| *news > last && *news <= end).max() {
                Some(further) => last = further,
                None => return end,
            }
        }
    }

    /// The most copies that were present at once in the mailboxes meant, quarantine apart.
    pub(super) fn copies(&self, index: usize) -> u32 {
        let recipient = self.plan().recipient(self.probe(index));
        let counts = |held: &&Held| recipient.meant.contains(held.mailbox()) && held.placement() != Placement::Quarantine;
        let counted: Vec<&Held> = self.record(index).copies.iter().filter(counts).collect();
        // The largest number is reached at the moment when some copy was first seen.
        let at_once = |first: &Held| {
            let there = |held: &&&Held| held.copy.at <= first.copy.at && held.overlaps(first);
            counted.iter().filter(there).count()
        };
        u32::try_from(counted.iter().map(|held| at_once(held)).max().unwrap_or_default()).unwrap_or(u32::MAX)
    }

    /// When the probe arrived in this mailbox: the bounds of its first copy there; of the first in quarantine while it is only held.
    pub(super) fn arrival(&self, index: usize, meant: Option<&MailboxName>) -> Option<(Time, Time)> {
        let is_held = |held: &Held| held.placement() == Placement::Quarantine || Some(held.mailbox()) != meant;
        let first = self
            .candidates(index, meant)
            .into_iter()
            .min_by_key(|held| (is_held(held), held.copy.at));
        first.map(|held| (held.copy.after, held.copy.at))
    }

    /// Whether it was seen in one folder first and then in another, of this mailbox or into or out of quarantine.
    pub(super) fn has_moved(&self, index: usize, meant: Option<&MailboxName>) -> bool {
        let group = self.plan().recipient(self.probe(index)).group;
        let own = |held: &Held| Some(held.mailbox()) == meant;
        let copies: Vec<&Held> = meant
            .into_iter()
            .flat_map(|mailbox| self.copies_of(index, mailbox))
            .chain(self.quarantined(index))
            .collect();
        let led_to = |from: &Held, to: &Held| {
            let elsewhere = (&from.copy.id.mailbox, &from.copy.id.folder) != (&to.copy.id.mailbox, &to.copy.id.folder);
            // Both at once are two copies, not one that moved. In a group, a copy in quarantine may be another member's.
            elsewhere && to.copy.at >= from.copy.at && !from.overlaps(to) && (!group || own(from) || own(to))
        };
        copies
            .iter()
            .any(|from| from.gone.is_some() && copies.iter().any(|to| led_to(from, to)))
    }
}
