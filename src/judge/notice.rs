//! Notifications: of whom a bounce or a success speaks, and whether it can be believed. What it cannot see: a list's own idea of who its members are,
//! and who wrote a notification: anybody can, in any name. One that says *delivered* must at least claim to come from where the recipient is.

use super::Ledger;
use crate::model::{Dsn, DsnAction, MailboxName, Recipient, is_mail_service, same_organisation};

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
        self.notices(index, DsnAction::Delivered).any(|(dsn, named)| {
            let speaks = match named {
                Named::All => !group,
                Named::Member(name) => Some(name) == meant,
                Named::Stranger(_) => false,
            };
            speaks && self.is_believed(index, dsn)
        })
    }

    /// What a notification says that cannot be taken for proven, and yet stands against calling the probe lost.
    pub(super) fn unbelieved(&self, index: usize) -> Option<String> {
        let reporter = |dsn: &Dsn| dsn.reporting_mta.clone().unwrap_or_else(|| "a host without a name".to_owned());
        let doubtful = |dsn: &Dsn| match dsn.action {
            DsnAction::Failed | DsnAction::Delivered if contradicts_itself(dsn) => {
                let said = [&dsn.status, &dsn.diagnostic]
                    .into_iter()
                    .flatten()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", ");
                let action = if dsn.action == DsnAction::Failed { "failed" } else { "delivered" };
                Some(format!(
                    "a notification in the name of {} contradicts itself: {action:?}, and {said:?}",
                    reporter(dsn)
                ))
            }
            DsnAction::Delivered if !self.is_believed(index, dsn) => Some(format!(
                "a notification says that it was delivered, but nothing ties that to the recipient: it comes in the name of {}, and speaks of {}",
                reporter(dsn),
                dsn.recipient.as_deref().unwrap_or("nobody")
            )),
            _ => None,
        };
        self.record(index).notifications.iter().find_map(doubtful)
    }

    /// Whether a success notification is about the recipient, and claims to come from where the recipient is: a host of that domain or of the one
    /// that took the message, or a service that takes mail for others.
    fn is_believed(&self, index: usize, dsn: &Dsn) -> bool {
        let recipient = self.plan().recipient(self.probe(index));
        let domain = |address: &str| address.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
        let home = domain(&recipient.address);
        let taken_by = self.record(index).attempts.last().map_or("", |last| last.attempt.host.as_str());
        let taken_by = taken_by.split([' ', '[', ':']).next().unwrap_or_default();
        let from_there = dsn.reporting_mta.as_deref().is_some_and(|reporter| {
            same_organisation(reporter, &home) || same_organisation(reporter, taken_by) || reporter == taken_by || is_mail_service(reporter)
        });
        let mut named = [&dsn.recipient, &dsn.original_recipient].into_iter().flatten().peekable();
        let about_it = recipient.group || named.peek().is_none() || named.any(|name| same_organisation(&domain(name), &home));
        from_there && about_it
    }

    fn notices(&self, index: usize, action: DsnAction) -> impl Iterator<Item = (&Dsn, Named<'_>)> {
        let recipient = self.plan().recipient(self.probe(index));
        let notifications = &self.record(index).notifications;
        // What is bound by a tag before what is bound by a guess.
        let certain = notifications.iter().filter(|dsn| !dsn.guessed);
        let of_action = certain
            .chain(notifications.iter().filter(|dsn| dsn.guessed))
            .filter(move |dsn| dsn.action == action && !contradicts_itself(dsn));
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

/// Whether the codes of a notification say the opposite of its action (RFC 3464 section 2.3.3, RFC 3463 section 3.1).
fn contradicts_itself(dsn: &Dsn) -> bool {
    let class = |text: &Option<String>, separator: &str| {
        let (class, _) = text.as_deref()?.split_once(separator)?;
        class
            .bytes()
            .next()
            .filter(|_| class.len() <= 3 && class.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let reply = class(&dsn.diagnostic, " ").or_else(|| class(&dsn.diagnostic, "-"));
    let mut classes = [class(&dsn.status, "."), reply].into_iter().flatten();
    match dsn.action {
        DsnAction::Failed => classes.any(|class| class == b'2'),
        DsnAction::Delivered => classes.any(|class| matches!(class, b'4' | b'5')),
        DsnAction::Delayed | DsnAction::Relayed | DsnAction::Expanded => false,
    }
}
