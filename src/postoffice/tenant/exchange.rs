//! Exchange Online behind IMAP and SMTP: which token opens which mailbox there.
//!
//! The mailboxes themselves are the post office's: those of the tenant are read over Graph only. Cannot see protocols; the doors say in their
//! words what was decided here. That an app without a registered service principal is refused at once, and one without Full Access only when
//! it wants to see something, is a guess from what others report.

use super::token::{Audience, Grant};
use super::world::World;

/// What a token is shown to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A mailbox is to be read.
    Imap,
    /// A message is to be handed in.
    Smtp,
}

/// What becomes of a sign-in by XOAUTH2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The mailbox is open.
    Welcome,
    /// The token is good, but the mailbox does not open.
    NotConnected,
    /// SMTP AUTH is switched off in the tenant.
    SwitchedOff,
    /// The token is of no use here.
    Refused,
}

impl World {
    /// What becomes of `user` with this token.
    pub fn enter(&self, protocol: Protocol, user: &str, token: &str) -> Entry {
        let grant = self.state().tokens.check(token, Audience::Exchange, self.now());
        let Ok(grant) = grant else { return Entry::Refused };
        let needed = match (protocol, grant.user.is_some()) {
            (Protocol::Imap, false) => "IMAP.AccessAsApp",
            (Protocol::Imap, true) => "IMAP.AccessAsUser.All",
            (Protocol::Smtp, false) => "SMTP.SendAsApp",
            (Protocol::Smtp, true) => "SMTP.Send",
        };
        if !grant.roles.contains(needed) {
            return Entry::Refused;
        }
        if protocol == Protocol::Smtp && !self.config.smtp_auth {
            return Entry::SwitchedOff;
        }
        match (self.may_open(&grant, user), protocol) {
            (Some(true), _) => Entry::Welcome,
            (Some(false), Protocol::Imap) => Entry::NotConnected,
            (Some(false), Protocol::Smtp) | (None, _) => Entry::Refused,
        }
    }

    /// Whether the bearer has Full Access to the mailbox; `None` if Exchange does not know the bearer at all.
    fn may_open(&self, grant: &Grant, user: &str) -> Option<bool> {
        if let Some(owner) = &grant.user {
            return Some(owner.eq_ignore_ascii_case(user));
        }
        let app = self.config.apps.iter().find(|app| app.id == grant.app)?;
        let mailboxes = app.full_access.as_ref()?;
        Some(mailboxes.iter().any(|mailbox| mailbox.eq_ignore_ascii_case(user)))
    }
}
