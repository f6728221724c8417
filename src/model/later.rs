//! Second looks: where the probes of a decided run lay when somebody looked again. They change no verdict.

use super::{CopyId, MailboxName, Outcome, Placement, ProbeId, Time, TraceRow, Verdict, time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that one second look saw of a run, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecondLook {
    /// When its first command was sent: what it did not see was not there then.
    pub since: Time,
    /// The copies of probes that were there, in any folder of any mailbox.
    pub copies: Vec<FoundCopy>,
    /// What the provider's message trace showed of probes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<FoundRow>,
    /// The mailboxes that could not be looked at, and why. Every folder of all others was.
    #[serde(default)]
    pub blind: BTreeMap<MailboxName, String>,
}

/// A copy that a second look saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundCopy {
    /// The probe.
    pub probe: ProbeId,
    /// Where it lay.
    #[serde(flatten)]
    pub copy: CopyId,
    /// What that means.
    pub placement: Placement,
}

/// A row of a message trace that a second look read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundRow {
    /// The probe.
    pub probe: ProbeId,
    /// The row.
    pub row: TraceRow,
}

/// What a second look found of a probe that its run had decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Later {
    /// When that look ended.
    #[serde(with = "time::millis")]
    pub at: Time,
    /// What had become of it, compared with the verdict.
    pub change: Change,
    /// What would have been the verdict then; unknown where it could not be looked, or where mailflow itself had removed it.
    pub verdict: Verdict,
    /// Whether that would have passed.
    pub outcome: Outcome,
    /// The mailbox that held the best copy then.
    pub mailbox: Option<MailboxName>,
    /// The folder that held it.
    pub folder: Option<String>,
    /// Each member of a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<LaterMember>,
    /// Why it is not known, where it is not.
    pub reason: Option<String>,
}

impl Later {
    /// Whether what had passed, or was waived, would not pass any more where it lay then.
    pub fn is_worse_than(&self, outcome: Outcome) -> bool {
        self.outcome == Outcome::Failed && matches!(outcome, Outcome::Passed | Outcome::Waived)
    }
}

/// What a second look found of one member of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaterMember {
    /// The member's mailbox.
    pub mailbox: MailboxName,
    /// What had become of its copy.
    pub change: Change,
    /// What would have been its verdict then.
    pub verdict: Verdict,
    /// The folder that held its best copy.
    pub folder: Option<String>,
    /// Why it is not known, where it is not.
    pub reason: Option<String>,
}

/// What had become of a probe by a second look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It lay where it had lain, or was still in no place.
    Same,
    /// It lay in another folder or mailbox, quarantine included.
    Moved,
    /// It had been held, and lay in the mailbox.
    Released,
    /// It had been in no place, and lay somewhere.
    Found,
    /// It had lain somewhere, and was in no place any more, all of which were looked at.
    Gone,
    /// It was in no place any more because `mailflow clean` had removed it.
    Cleaned,
    /// It could not be looked: nothing is said of it.
    Unseen,
}

impl Change {
    /// Its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Moved => "moved",
            Self::Released => "released",
            Self::Found => "found",
            Self::Gone => "gone",
            Self::Cleaned => "cleaned",
            Self::Unseen => "unseen",
        }
    }

    /// Whether the mail system, a rule or a person did something to it.
    pub fn is_news(self) -> bool {
        matches!(self, Self::Moved | Self::Released | Self::Found | Self::Gone)
    }
}
