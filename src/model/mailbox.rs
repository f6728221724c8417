//! Mailboxes: where mailflow can look, and what the places in them mean.

use super::{Endpoint, GraphAccess, GroupAccess, Place, SecretSource, TraceReading};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// The name of a mailbox: its key under `mailboxes:`, or the user of one written in place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MailboxName(Arc<str>);

impl MailboxName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for MailboxName {
    fn from(name: T) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A mailbox and the way into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Its name in the site and in every report.
    pub name: MailboxName,
    /// How it is read.
    pub access: MailboxAccess,
    /// Folders that the site names: for these placements, these names win over special-use.
    pub folders: BTreeMap<Placement, String>,
    /// What every folder of this mailbox means (`placement: quarantine`); `None`: by folder.
    pub placement: Option<Placement>,
    /// Whether the bodies of new messages without a tag in their header may be peeked at, bounded, when the server cannot search them.
    pub peek_bodies: bool,
    /// Where the site describes it.
    pub place: Place,
}

/// The ways into a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxAccess {
    /// IMAP, by RFC 3501 or RFC 9051.
    Imap(ImapAccess),
    /// Microsoft Graph.
    Graph(GraphAccess),
    /// Microsoft Graph, the mailbox of a group.
    Group(GroupAccess),
    /// None: only the message trace of a tenant may speak. The trace itself, where it tells of quarantine, is a place of this kind too.
    Trace(TraceAccess),
}

/// The message trace of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceAccess {
    /// The tenant's name.
    pub tenant: String,
    /// How it is read.
    pub reading: TraceReading,
}

impl TraceAccess {
    /// The name of the trace itself, as the place where it shows quarantine.
    pub fn place(&self) -> MailboxName {
        MailboxName::from(format!("message trace of {}", self.tenant))
    }
}

/// An IMAP server and the login to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImapAccess {
    /// The server.
    pub endpoint: Endpoint,
    /// Who signs in: the mailbox's own user, or the one of `watch_as`.
    pub sign_in: SignIn,
    /// With `watch_as` in a shared namespace: the path under which this mailbox's folders stand, such as `All/billing@contoso.example`,
    /// without a trailing separator. All mailboxes with the same endpoint and sign-in, and a root, are watched over one connection.
    pub root: Option<String>,
}

/// A user and the proof of being that user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// A user name and a password.
    Password {
        /// The user.
        user: String,
        /// The password's source.
        password: SecretSource,
    },
    /// SASL XOAUTH2 with a bearer token.
    XOAuth2 {
        /// The user.
        user: String,
        /// The token's source.
        token: SecretSource,
    },
    /// SASL XOAUTH2 with a token that a tenant gives for Exchange Online, asked for at each sign-in.
    Tenant {
        /// The user: the address of the mailbox.
        user: String,
        /// The tenant's name.
        tenant: String,
    },
}

impl SignIn {
    /// The user who signs in.
    pub fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } | Self::XOAuth2 { user, .. } | Self::Tenant { user, .. } => user,
        }
    }
}

/// What it means that a message lies in a folder. Best first: this is the rank of copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// The inbox.
    Inbox,
    /// Another folder.
    Folder,
    /// The junk folder (RFC 6154 `\Junk`).
    Junk,
    /// A quarantine folder or mailbox.
    Quarantine,
    /// The deleted items (RFC 6154 `\Trash`).
    Deleted,
}

impl Placement {
    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Folder => "folder",
            Self::Junk => "junk",
            Self::Quarantine => "quarantine",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The state of a folder before the first probe left: what is newer may be ours (RFC 3501 section 2.3.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderMark {
    /// The folder's name, decoded.
    pub folder: String,
    /// Its UIDVALIDITY.
    pub uid_validity: u32,
    /// Its UIDNEXT.
    pub uid_next: u32,
}
