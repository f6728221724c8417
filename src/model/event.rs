//! Events: what senders and watchers say happened. The journal holds nothing else, and every verdict is read from them.

use super::{DomainFact, Evidence, FolderMark, MailboxName, Placement, ProbeId, Reply, SecondLook, Time, TraceRow, time};
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was noted, on our clock.
    pub at: Time,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// A mailbox's folders as they were before the first probe left.
    Baseline {
        /// The mailbox.
        mailbox: MailboxName,
        /// Its folders.
        folders: Vec<FolderMark>,
    },
    /// A probe is about to leave: written, and flushed to disk, before its first byte.
    Began {
        /// The probe.
        probe: ProbeId,
    },
    /// An attempt to hand a probe over has ended.
    Attempted {
        /// The probe.
        probe: ProbeId,
        /// How.
        attempt: Attempt,
        /// Whether the mail system answered (a refusal is an answer too); otherwise it could not be talked to.
        answered: bool,
        /// Whether no further attempt will follow.
        last: bool,
    },
    /// The run was stopped between two attempts: nothing of this probe is under way, and no further attempt will follow.
    Halted {
        /// The probe.
        probe: ProbeId,
    },
    /// A copy of a probe was seen for the first time.
    Seen {
        /// The probe.
        probe: ProbeId,
        /// The copy.
        copy: Box<Copy>,
    },
    /// A copy that had been seen is no longer there.
    Gone {
        /// The probe.
        probe: ProbeId,
        /// The copy.
        copy: CopyId,
        /// When the last look that still showed it was sent.
        last_present: Time,
        /// When its absence was read.
        noticed: Time,
    },
    /// A notification about a probe came back.
    Returned {
        /// The probe.
        probe: ProbeId,
        /// The notification.
        dsn: Box<Dsn>,
    },
    /// Somebody, or something, answered a probe.
    Answered {
        /// The probe.
        probe: ProbeId,
        /// Whether it was an automatic reply (RFC 3834); otherwise a person's.
        automatic: bool,
        /// The mailbox in which the answer was found.
        mailbox: MailboxName,
    },
    /// The provider's message trace shows what became of a probe for one recipient: for the first time, or with another status than before.
    Traced {
        /// The probe.
        probe: ProbeId,
        /// The row.
        row: Box<TraceRow>,
    },
    /// Every folder of a mailbox was looked at, by commands sent at `since` or later. Of a message trace: all that happened until `since` shows in it.
    Looked {
        /// The mailbox.
        mailbox: MailboxName,
        /// When the first command of the look was sent.
        since: Time,
    },
    /// A mailbox cannot be looked at, from `at` until its next `Looked`.
    Blind {
        /// The mailbox.
        mailbox: MailboxName,
        /// Why, in one sentence.
        reason: String,
    },
    /// What the DNS showed of the senders' domains when the run began.
    Examined {
        /// The facts.
        facts: Vec<DomainFact>,
    },
    /// Another process took the run up: what was not begun by now will never be sent.
    TakenUp,
    /// A process stopped working on the run.
    Stopped {
        /// Whether everything was decided.
        finished: bool,
    },
    /// The places of a decided run were looked at again. Changes no verdict.
    LookedAgain {
        /// What was seen.
        look: Box<SecondLook>,
    },
    /// `mailflow clean` removed copies of the run's probes: what a second look misses there is no news.
    Cleaned {
        /// The mailbox.
        mailbox: MailboxName,
        /// How many copies.
        removed: u32,
    },
}

impl What {
    /// Whether it belongs to the measurement. What came after that, such as a second look, changes no verdict.
    pub fn is_measurement(&self) -> bool {
        !matches!(self, Self::LookedAgain { .. } | Self::Cleaned { .. })
    }
}

/// One attempt to hand a probe to the next hop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it started: before the connection was opened or taken from the pool.
    #[serde(with = "time::millis")]
    pub at: Time,
    /// When the final reply was read, or the attempt failed.
    #[serde(with = "time::millis")]
    pub ended_at: Time,
    /// The host, as connected to: name, and address where known.
    pub host: String,
    /// What was negotiated; `None`: in the clear.
    pub tls: Option<Tls>,
    /// The whole reply.
    pub reply: Reply,
    /// What was going on when it ended: `connect`, `greeting`, `ehlo`, `starttls`, `auth`, `mail`, `rcpt`, `data`, `body`, `dns`.
    pub stage: String,
    /// Whether the message may have been taken although no final reply was read: it was cut off after the final dot.
    #[serde(default)]
    pub in_doubt: bool,
}

/// The TLS of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// Whether the certificate held; otherwise why not.
    pub certificate: Result<(), String>,
}

/// Names one copy: a place in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CopyId {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// The folder, decoded.
    pub folder: String,
    /// What names it there: UIDVALIDITY and UID, as `1734:12`.
    pub key: String,
}

/// A copy of a probe in a mailbox: never the original quoted in a bounce.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    /// Where it lies.
    pub id: CopyId,
    /// What that means.
    pub placement: Placement,
    /// When the last look that missed it was sent.
    pub after: Time,
    /// When the answer that showed it was read.
    pub at: Time,
    /// The server's own date of arrival (RFC 3501 section 2.3.3): another machine's clock, whole seconds.
    pub internal_date: Option<Time>,
    /// What it tells of its way.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// A place in a message in which a tag may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Survived {
    /// `X-Mailflow-Probe`.
    Header,
    /// `Message-ID`.
    MessageId,
    /// `Subject`.
    Subject,
    /// The text.
    Body,
    /// The envelope sender, as `Return-Path` tells it.
    Envelope,
}

/// One thing that was changed on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alteration {
    /// What.
    pub kind: AlterationKind,
    /// As it was sent, shortened.
    pub sent: String,
    /// As it arrived, shortened.
    pub arrived: String,
    /// How it was changed, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<How>,
    /// What was added: a tag in the subject, a banner in the text. Shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<String>,
    /// The service that rewrote a link, such as `Safe Links`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Where a rewritten link leads in the end, as far as its wrapping shows it: `None` if it hides that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl Alteration {
    /// A change of which no more is known than its two sides.
    pub fn new(kind: AlterationKind, sent: impl Into<String>, arrived: impl Into<String>) -> Self {
        Self {
            kind,
            sent: sent.into(),
            arrived: arrived.into(),
            how: None,
            added: None,
            service: None,
            target: None,
        }
    }

    /// Whether a link leads elsewhere now than it did: not if its wrapping still shows our target.
    pub fn leads_astray(&self) -> bool {
        self.kind == AlterationKind::Links && self.target.as_deref() != Some(self.sent.as_str())
    }
}

/// How something was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Something stands before what was sent, which is itself unchanged.
    AddedBefore,
    /// Something stands after what was sent, which is itself unchanged.
    AddedAfter,
    /// Wrapped into another address.
    Rewritten,
    /// It is no longer there.
    Removed,
    /// Something else stands in its place.
    Replaced,
}

/// What can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlterationKind {
    /// The subject.
    Subject,
    /// The text.
    Body,
    /// A link.
    Links,
    /// An attachment.
    Attachments,
    /// A header of ours.
    Headers,
    /// It came inside another message.
    Wrapped,
}

impl AlterationKind {
    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Body => "body",
            Self::Links => "links",
            Self::Attachments => "attachments",
            Self::Headers => "headers",
            Self::Wrapped => "wrapped",
        }
    }
}

/// What a notification says of one recipient: a delivery status notification (RFC 3464), an MDN refusal, or a bounce in another dialect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dsn {
    /// What happened to the message.
    pub action: DsnAction,
    /// The enhanced status code (RFC 3463).
    pub status: Option<String>,
    /// The final recipient: the member it speaks of.
    pub recipient: Option<String>,
    /// The recipient as the sender addressed it.
    pub original_recipient: Option<String>,
    /// Who reports.
    pub reporting_mta: Option<String>,
    /// Who said so to the reporter.
    pub remote_mta: Option<String>,
    /// The words of the other side.
    pub diagnostic: Option<String>,
    /// How it was bound to its probe, such as `tag in the returned header`.
    pub bound_by: String,
    /// Whether the binding is only a guess.
    pub guessed: bool,
    /// The mailbox in which it was found.
    pub mailbox: MailboxName,
    /// When it was read.
    #[serde(with = "time::millis")]
    pub at: Time,
}

/// RFC 3464 section 2.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DsnAction {
    /// Returned.
    Failed,
    /// Not yet: it is not final.
    Delayed,
    /// Stored (or taken by a list's exploder).
    Delivered,
    /// Handed to a system that gives no notifications: not final.
    Relayed,
    /// Expanded into a list: not final.
    Expanded,
}
