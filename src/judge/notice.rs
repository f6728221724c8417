//! Notifications: of whom a bounce or a success speaks. What it cannot see: a list's own idea of who its members are.

use super::Ledger;
use crate::model::{Dsn, DsnAction, MailboxName, Recipient};

/// Of whom a notification speaks.
enum Named<'a> {
    /// Of the recipient as a whole: it names the address that was written to, or nobody.
    All,
    /// Of the member with this mailbox.
    Member(&'a MailboxName),
    /// Of an address that belongs to no member we know.
    Stranger(&'a str),
}

impl Ledger {
    /// The failure notification that speaks of this mailbox: it names it, or the group as a whole, or nobody.
    pub(super) fn failure_of(&self, index: usize, mailbox: &MailboxName) -> Option<&Dsn> {
        self.notices(index, DsnAction::Failed)
            .find(|(_, named)| matches!(named, Named::All) || matches!(named, Named::Member(name) if *name == mailbox))
            .map(|(dsn, _)| dsn)
    }

    /// Whether a failure notification speaks of this member of a group by name.
    pub(super) fn is_named_by_failure(&self, index: usize, mailbox: &MailboxName) -> bool {
        self.notices(index, DsnAction::Failed)
            .any(|(_, named)| matches!(named, Named::Member(name) if name == mailbox))
    }

    /// Any failure notification: for a probe without a mailbox of its own.
    pub(super) fn failure(&self, index: usize) -> Option<&Dsn> {
        self.notices(index, DsnAction::Failed).map(|(dsn, _)| dsn).next()
    }

    /// The address in a failure notification that belongs to no member we know: it may be any member's.
    pub(super) fn stranger_that_failed(&self, index: usize) -> Option<&str> {
        let stranger = |(_, named)| {
            if let Named::Stranger(address) = named {
                Some(address)
            } else {
                None
            }
        };
        self.notices(index, DsnAction::Failed).find_map(stranger)
    }

    /// Whether a success notification says that it was stored for this mailbox. One that names a group may come from the list's exploder.
    pub(super) fn is_said_stored(&self, index: usize, meant: Option<&MailboxName>) -> bool {
        let group = self.plan().recipient(self.probe(index)).group;
        self.notices(index, DsnAction::Delivered).any(|(_, named)| match named {
            Named::All => !group,
            Named::Member(name) => Some(name) == meant,
            Named::Stranger(_) => false,
        })
    }

    fn notices(&self, index: usize, action: DsnAction) -> impl Iterator<Item = (&Dsn, Named<'_>)> {
        let recipient = self.plan().recipient(self.probe(index));
        let notifications = &self.record(index).notifications;
        // What is bound by a tag before what is bound by a guess.
        let certain = notifications.iter().filter(|dsn| !dsn.guessed);
        let of_action = certain
            .chain(notifications.iter().filter(|dsn| dsn.guessed))
            .filter(move |dsn| dsn.action == action);
        of_action.map(move |dsn| (dsn, self.named(recipient, dsn)))
    }

    fn named<'a>(&self, recipient: &'a Recipient, dsn: &'a Dsn) -> Named<'a> {
        if !recipient.group {
            // One address: whatever alias it was rewritten to on the way, the notification speaks of it.
            return Named::All;
        }
        let is_group = |name: &&String| name.eq_ignore_ascii_case(&recipient.address);
        let mut others = [&dsn.recipient, &dsn.original_recipient]
            .into_iter()
            .flatten()
            .filter(|name| !is_group(name))
            .peekable();
        let first = others.peek().copied();
        match (others.find_map(|name| self.member_called(recipient, name)), first) {
            (Some(member), _) => Named::Member(member),
            // A final recipient that is the group outweighs an original one that we do not know: lists rewrite it.
            (None, Some(stranger)) if !dsn.recipient.as_ref().is_some_and(|name| is_group(&name)) => Named::Stranger(stranger),
            (None, _) => Named::All,
        }
    }

    /// The member with this address. Where no address of a mailbox is known, its name may be the local part.
    pub(super) fn member_called<'a>(&self, recipient: &'a Recipient, address: &str) -> Option<&'a MailboxName> {
        let address = address.to_lowercase();
        let addresses = &self.plan().addresses;
        let local_part = address.rsplit_once('@').map(|(local, _)| local);
        let is_called = |name: &&MailboxName| {
            let called = name.as_str().to_lowercase();
            let is_local_part = || local_part == Some(&called) && addresses.values().all(|owner| owner != *name);
            addresses
                .get(&address)
                .map_or_else(|| address == called || is_local_part(), |owner| owner == *name)
        };
        recipient.meant.iter().find(is_called)
    }
}
