//! Filters: what a spam or malware filter on the way wrote into the header.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What one filter said of a copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// The product.
    pub name: FilterName,
    /// The host on which it ran, if its words or their place in the header tell.
    pub host: Option<String>,
    /// What it decided.
    pub verdict: FilterVerdict,
    /// Its score.
    pub score: Option<f64>,
    /// The score from which on it acts.
    pub threshold: Option<f64>,
    /// The rules that decided, the weightiest first, as the product names them: `GTUBE (1000)`, `CAT:PHSH`.
    pub rules: Vec<String>,
    /// What that means: a clause without a subject, such as `took it for phishing (CAT:PHSH, SCL 8)`.
    pub said: String,
    /// If an allow-list let it through: which, in the product's words, such as `SFV:SKA, an allowed sender or domain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_listed: Option<String>,
    /// Whether a host wrote this that is not known to be of the receiving side, by its place in the trace: the sender's own, or a relay's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub relayed: bool,
}

/// What a filter decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterVerdict {
    /// Nothing against it.
    Clean,
    /// It looked at it, and does not say what it found.
    Scanned,
    /// It did not look, because something told it not to (often an allow-list).
    Skipped,
    /// It held it, and let it go later.
    Released,
    /// Bulk mail.
    Bulk,
    /// Spam.
    Spam,
    /// On a block list of this system or of the recipient.
    Blocked,
    /// The sender is not who it says.
    Spoofing,
    /// It passes itself off as a protected person or domain.
    Impersonation,
    /// Phishing.
    Phishing,
    /// Malware, or an attachment that may hold some.
    Malware,
}

impl FilterVerdict {
    /// Whether it speaks against the message.
    pub fn is_against(self) -> bool {
        matches!(
            self,
            Self::Bulk | Self::Spam | Self::Blocked | Self::Spoofing | Self::Impersonation | Self::Phishing | Self::Malware
        )
    }
}

/// The products whose words are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FilterName {
    /// Microsoft: Exchange Online Protection, and Defender for Office 365 on top of it.
    #[serde(rename = "Exchange Online Protection")]
    ExchangeOnline,
    /// Apache.
    #[serde(rename = "SpamAssassin")]
    SpamAssassin,
    /// rspamd.com.
    #[serde(rename = "rspamd")]
    Rspamd,
    /// Proofpoint.
    #[serde(rename = "Proofpoint")]
    Proofpoint,
    /// Mimecast.
    #[serde(rename = "Mimecast")]
    Mimecast,
    /// Barracuda.
    #[serde(rename = "Barracuda")]
    Barracuda,
    /// Cisco Secure Email, formerly `IronPort`.
    #[serde(rename = "Cisco Secure Email")]
    Cisco,
    /// Sophos.
    #[serde(rename = "Sophos Email")]
    Sophos,
    /// Trend Micro.
    #[serde(rename = "Trend Micro")]
    TrendMicro,
    /// Google Workspace.
    #[serde(rename = "Google")]
    Google,
    /// Amavis.
    #[serde(rename = "Amavis")]
    Amavis,
    /// Broadcom, formerly Symantec and `MessageLabs`.
    #[serde(rename = "Symantec Email Security")]
    Symantec,
    /// Check Point, formerly Avanan.
    #[serde(rename = "Check Point Harmony")]
    CheckPoint,
    /// Fortinet.
    #[serde(rename = "FortiMail")]
    FortiMail,
    /// A header that speaks of spam, phishing, viruses or quarantine, of a product that we do not know: the field is quoted in `said`.
    #[serde(rename = "another filter")]
    Other,
}

impl FilterName {
    /// As reports show it.
    pub fn word(self) -> &'static str {
        match self {
            Self::ExchangeOnline => "Exchange Online Protection",
            Self::SpamAssassin => "SpamAssassin",
            Self::Rspamd => "rspamd",
            Self::Proofpoint => "Proofpoint",
            Self::Mimecast => "Mimecast",
            Self::Barracuda => "Barracuda",
            Self::Cisco => "Cisco Secure Email",
            Self::Sophos => "Sophos Email",
            Self::TrendMicro => "Trend Micro",
            Self::Google => "Google",
            Self::Amavis => "Amavis",
            Self::Symantec => "Symantec Email Security",
            Self::CheckPoint => "Check Point Harmony",
            Self::FortiMail => "FortiMail",
            Self::Other => "another filter",
        }
    }
}

impl fmt::Display for FilterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
