//! Rows of a provider's message trace: what it says became of a message on its way to one recipient.

use super::{MailboxName, Time, time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// The least delay of Microsoft's trace that a site may count on: "between 5 and 10 minutes for the message to appear" (message trace FAQ).
pub const SHORTEST_TRACE_DELAY: std::time::Duration = std::time::Duration::from_mins(10);
/// The delay that is counted on where the site names none: the status lags behind the message once more.
pub const USUAL_TRACE_DELAY: std::time::Duration = std::time::Duration::from_mins(15);

/// How a tenant's trace is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceReading {
    /// How long after an event it certainly shows.
    pub delay: Duration,
    /// What else is asked why a message was held, refused or given up.
    pub explain: Option<TraceExplainer>,
}

/// What of Microsoft Defender explains a row of the trace. Both take a licence that not every tenant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TraceExplainer {
    /// Advanced hunting (`EmailEvents`): one query for all messages.
    Hunting,
    /// The list of analysed messages: one request for each message.
    AnalyzedEmails,
}

/// One row, with the cause where its details name one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceRow {
    /// The trace that shows it.
    pub place: MailboxName,
    /// The provider's id of the message (Microsoft's *Network Message ID*).
    pub id: String,
    /// The recipient of the row: the address written to, a member of a list, or where it was redirected.
    pub recipient: String,
    /// What became of it.
    pub status: TraceStatus,
    /// The address of the system that it was handed to; `None`: it stayed with the provider.
    pub to_ip: Option<String>,
    /// When the provider received it, by its own clock: an estimate.
    #[serde(with = "time::millis_option")]
    pub received: Option<Time>,
    /// The event in the row's details that explains the status.
    pub cause: Option<TraceCause>,
    /// When the row was read with this status for the first time.
    #[serde(with = "time::millis")]
    pub at: Time,
}

impl TraceRow {
    /// Whether two rows are about the same message and recipient.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        self.place == other.place && self.id == other.id && self.recipient.eq_ignore_ascii_case(&other.recipient)
    }

    /// Whether the status is the last word: a quarantined message may be released, and a delivered one purged, but nothing is under way.
    pub fn is_final(&self) -> bool {
        matches!(
            self.status,
            TraceStatus::Delivered | TraceStatus::Failed | TraceStatus::Quarantined | TraceStatus::FilteredAsSpam
        )
    }

    /// Whether it says that the message was stored with the provider, not handed on to another system.
    pub fn is_stored(&self) -> bool {
        self.status == TraceStatus::Delivered && self.to_ip.is_none()
    }
}

/// What the trace says of a message, in Microsoft's words (Graph, `exchangeMessageTrace`, property `status`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum TraceStatus {
    /// Received, and nothing known yet.
    GettingStatus,
    /// Being delivered, or tried again.
    Pending,
    /// Given up.
    Failed,
    /// Stored, in whatever folder, or handed to another system.
    Delivered,
    /// A list: each member has a row of its own.
    Expanded,
    /// Held.
    Quarantined,
    /// Identified as spam, and refused or dropped.
    FilteredAsSpam,
    /// A word that mailflow does not know.
    Other(String),
}

impl TraceStatus {
    /// Microsoft's word.
    pub fn word(&self) -> &str {
        match self {
            Self::GettingStatus => "gettingStatus",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Expanded => "expanded",
            Self::Quarantined => "quarantined",
            Self::FilteredAsSpam => "filteredAsSpam",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for TraceStatus {
    fn from(word: String) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "gettingstatus" => Self::GettingStatus,
            "pending" => Self::Pending,
            "failed" => Self::Failed,
            "delivered" => Self::Delivered,
            "expanded" => Self::Expanded,
            "quarantined" => Self::Quarantined,
            "filteredasspam" => Self::FilteredAsSpam,
            _ => Self::Other(word),
        }
    }
}

impl From<TraceStatus> for String {
    fn from(status: TraceStatus) -> Self {
        status.word().to_owned()
    }
}

impl fmt::Display for TraceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Why a message was not delivered, as the details of its row tell; empty where only Defender tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceCause {
    /// The event, such as `Fail`, `Spam` or `Transport rule`.
    pub event: String,
    /// The words of the provider, bounded.
    pub text: String,
    /// The enhanced status code (RFC 3463) in them.
    pub status: Option<String>,
    /// What Microsoft Defender says of it, where the site asks that too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defender: Option<Box<DefenderFinding>>,
}

/// What Microsoft Defender says of a message, in its own words; each of them bounded, and empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DefenderFinding {
    /// The policy that acted.
    pub policy: String,
    /// What that policy did.
    pub action: String,
    /// What the message was taken for, such as `Phish`.
    pub threats: Vec<String>,
    /// By what that was found, such as `Advanced filter`.
    pub methods: Vec<String>,
    /// What a setting of the organisation or of the user made of it.
    pub overridden: String,
    /// Where it lay when Defender was asked: after a purge or a release somewhere else than at first.
    pub latest: String,
}
