//! The words in which a measurement is given: verdict, flag, outcome.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What was measured for one probe, or for one member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// In the inbox of the mailbox meant.
    Inbox,
    /// In another folder of the mailbox meant: a rule moved it.
    Folder,
    /// In the junk folder of the mailbox meant.
    Junk,
    /// Held in a quarantine folder or mailbox.
    Quarantine,
    /// In the deleted-items folder only, or seen and then gone before the end of `settle`.
    Deleted,
    /// Reported stored, in a mailbox that must not or cannot be read.
    Delivered,
    /// Seen only in a mailbox not meant, or reported delivered while no folder of the mailbox meant has it.
    Elsewhere,
    /// Refused in the SMTP transaction, or by the DNS (null MX, no such domain).
    Rejected,
    /// Accepted, then returned.
    Bounced,
    /// In no place it could be, all of which were looked at after the give-up time.
    Lost,
    /// A group whose members' verdicts differ.
    Partial,
    /// The next hop took it, and there is nowhere to look.
    Accepted,
    /// Could not be measured.
    Unknown,
    /// The run was stopped before it was decided.
    Pending,
}

impl Verdict {
    /// Every verdict, best first.
    pub const ALL: [Self; 14] = [
        Self::Inbox,
        Self::Folder,
        Self::Junk,
        Self::Quarantine,
        Self::Deleted,
        Self::Delivered,
        Self::Elsewhere,
        Self::Rejected,
        Self::Bounced,
        Self::Lost,
        Self::Partial,
        Self::Accepted,
        Self::Unknown,
        Self::Pending,
    ];

    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Folder => "folder",
            Self::Junk => "junk",
            Self::Quarantine => "quarantine",
            Self::Deleted => "deleted",
            Self::Delivered => "delivered",
            Self::Elsewhere => "elsewhere",
            Self::Rejected => "rejected",
            Self::Bounced => "bounced",
            Self::Lost => "lost",
            Self::Partial => "partial",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
        }
    }

    /// Whether something was proven; the rest says that nothing could be.
    pub fn is_proven(self) -> bool {
        !matches!(self, Self::Accepted | Self::Unknown | Self::Pending)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What else is true of a probe beside its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// It arrived after `within`: the last look that missed it was already past the deadline.
    Late,
    /// The arrival's interval straddles the deadline.
    LateUnproven,
    /// More copies were present at once than mailboxes were meant.
    Duplicated,
    /// Subject, body, links, attachments or headers were changed, or it came wrapped in another message.
    Altered,
    /// Seen in one folder first, then in another.
    Moved,
    /// A 4xx reply, greylisting or a *delayed* notification on the way.
    Delayed,
    /// An automatic reply came back.
    AutoReplied,
    /// A person answered.
    Replied,
    /// An allow-list let it through, so the inbox proves little.
    AllowListed,
    /// Sent from inside the tenant: it skipped the inbound edge.
    Internal,
    /// A further copy is in a mailbox that was not meant.
    AlsoElsewhere,
    /// Lost, while nobody said where a quarantine would be.
    QuarantineUnchecked,
    /// The look at the end of `settle` could not be made everywhere.
    SettleBlind,
    /// The probe never left.
    NotSent,
}

impl Flag {
    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::LateUnproven => "late-unproven",
            Self::Duplicated => "duplicated",
            Self::Altered => "altered",
            Self::Moved => "moved",
            Self::Delayed => "delayed",
            Self::AutoReplied => "auto-replied",
            Self::Replied => "replied",
            Self::AllowListed => "allow-listed",
            Self::Internal => "internal",
            Self::AlsoElsewhere => "also-elsewhere",
            Self::QuarantineUnchecked => "quarantine-unchecked",
            Self::SettleBlind => "settle-blind",
            Self::NotSent => "not-sent",
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Whether the measurement is what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The verdict is expected, in time, and every requirement holds.
    Passed,
    /// It is not.
    Failed,
    /// It is not, as a waiver that has not ended says it would.
    Waived,
    /// Nothing was proven.
    Unknown,
}

impl Outcome {
    /// Every outcome, best first.
    pub const ALL: [Self; 4] = [Self::Passed, Self::Waived, Self::Unknown, Self::Failed];

    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Waived => "waived",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
