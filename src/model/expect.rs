//! What a probe is expected to come to, and what its arrived copies must fulfil.

use super::Verdict;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that `expect` may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// This verdict.
    Verdict(Verdict),
    /// Rejected or bounced.
    Returned,
    /// The verdict `folder`, in this folder.
    Folder(String),
}

impl Expectation {
    /// Whether a measurement is what this names. `folder` is where the best copy lies.
    pub fn is_met_by(&self, verdict: Verdict, folder: Option<&str>) -> bool {
        match self {
            Self::Verdict(expected) => *expected == verdict,
            Self::Returned => matches!(verdict, Verdict::Rejected | Verdict::Bounced),
            Self::Folder(name) => verdict == Verdict::Folder && folder.is_some_and(|folder| folder.eq_ignore_ascii_case(name)),
        }
    }

    /// Whether this expects the message to come back and nothing else.
    pub fn is_returned(&self) -> bool {
        matches!(self, Self::Returned | Self::Verdict(Verdict::Rejected | Verdict::Bounced))
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(verdict) => verdict.fmt(f),
            Self::Returned => f.pad("returned"),
            Self::Folder(name) => write!(f, "folder {name}"),
        }
    }
}

/// What every arrived copy must fulfil for the probe to pass.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// No link was rewritten.
    LinksUnchanged,
    /// Links may have been rewritten, but unwrapped they still lead where they did.
    LinksLeadHome,
    /// The subject is as it was sent.
    SubjectUnchanged,
    /// The text is as it was sent.
    BodyUnchanged,
    /// No banner was put into the text that warns of an outside sender.
    NoExternalBanner,
    /// The attachment is as it was sent.
    AttachmentIntact,
    /// The receiving side says spf=pass.
    SpfPass,
    /// The receiving side says dkim=pass.
    DkimPass,
    /// The receiving side says dmarc=pass.
    DmarcPass,
    /// Each hop between hosts was protected by TLS.
    TlsAllHops,
    /// No allow-list let it through, and it came from outside: that it arrived proves something.
    Filtered,
    /// Some hop's host fits this pattern.
    Via(String),
    /// No hop's host fits this pattern.
    NotVia(String),
    /// It came by the path of this name (`paths` of the site).
    Path(String),
    /// A field of the header is so.
    Header {
        /// The name of the field.
        name: String,
        /// A pattern that the whole value of one such field must fit.
        matches: String,
    },
}

impl Requirement {
    /// Those that are a word alone.
    pub const WORDS: [Self; 11] = [
        Self::LinksUnchanged,
        Self::LinksLeadHome,
        Self::SubjectUnchanged,
        Self::BodyUnchanged,
        Self::NoExternalBanner,
        Self::AttachmentIntact,
        Self::SpfPass,
        Self::DkimPass,
        Self::DmarcPass,
        Self::TlsAllHops,
        Self::Filtered,
    ];

    /// The word of the contract.
    pub fn word(&self) -> &'static str {
        match self {
            Self::LinksUnchanged => "links-unchanged",
            Self::LinksLeadHome => "links-lead-home",
            Self::SubjectUnchanged => "subject-unchanged",
            Self::BodyUnchanged => "body-unchanged",
            Self::NoExternalBanner => "no-external-banner",
            Self::AttachmentIntact => "attachment-intact",
            Self::SpfPass => "spf-pass",
            Self::DkimPass => "dkim-pass",
            Self::DmarcPass => "dmarc-pass",
            Self::TlsAllHops => "tls-all-hops",
            Self::Filtered => "filtered",
            Self::Via(_) => "via",
            Self::NotVia(_) => "not-via",
            Self::Path(_) => "path",
            Self::Header { .. } => "header",
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Via(value) | Self::NotVia(value) | Self::Path(value) => write!(f, "{} {value}", self.word()),
            Self::Header { name, matches } => write!(f, "header {name}: {matches}"),
            word => f.pad(word.word()),
        }
    }
}
