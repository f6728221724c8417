//! What the DNS and the mail hosts show of a domain: one fact for each thing looked at.
//!
//! A fact holds for the moment and for the place from which it was looked at: another resolver, or another machine, may see another.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// Where its mail goes (RFC 5321 section 5.1, RFC 7505).
    Mx,
    /// Who may send in its name (RFC 7208).
    Spf,
    /// Whether the key of its signatures is published (RFC 6376).
    Dkim,
    /// What receivers should do with mail that proves neither (RFC 9989, before that RFC 7489).
    Dmarc,
    /// Whether senders must insist on TLS (RFC 8461).
    MtaSts,
    /// Where senders report failures of TLS (RFC 8460).
    TlsRpt,
    /// Whether the certificates of its hosts are pinned in the DNS (RFC 7672).
    Dane,
    /// STARTTLS at its hosts, and their certificates (RFC 3207).
    Starttls,
    /// The names behind addresses, and whether those lead back (RFC 1912 section 2.1).
    Reverse,
}

impl CheckKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Mx,
        Self::Spf,
        Self::Dkim,
        Self::Dmarc,
        Self::Starttls,
        Self::MtaSts,
        Self::TlsRpt,
        Self::Dane,
        Self::Reverse,
    ];

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mx => "MX",
            Self::Spf => "SPF",
            Self::Dkim => "DKIM",
            Self::Dmarc => "DMARC",
            Self::MtaSts => "MTA-STS",
            Self::TlsRpt => "TLS-RPT",
            Self::Dane => "DANE",
            Self::Starttls => "STARTTLS",
            Self::Reverse => "reverse DNS",
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How a fact is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactState {
    /// As it should be, or not used where it need not be.
    Right,
    /// It could not be told: the DNS or the host gave no answer, or it cannot be seen from here.
    Unknown,
    /// Mail goes, and still somebody should look at it.
    Doubtful,
    /// It keeps mail from arriving, or bounces from coming back.
    Wrong,
}

/// One fact about a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainFact {
    /// The domain, in lower case.
    pub domain: String,
    /// What was looked at.
    pub check: CheckKind,
    /// How it is to be taken.
    pub state: FactState,
    /// One sentence, without its full stop. It names the domain, so it can be quoted alone; it may hold what strangers wrote, bounded but not
    /// escaped.
    pub said: String,
    /// What to do next, where something is to be done.
    pub step: Option<String>,
}
