//! What a probe is expected to come to, and what its arrived copies must fulfil.

use super::Verdict;
use schemars::JsonSchema;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// No link was rewritten.
    LinksUnchanged,
    /// The subject is as it was sent.
    SubjectUnchanged,
    /// The text is as it was sent.
    BodyUnchanged,
    /// The attachment is as it was sent.
    AttachmentIntact,
    /// The receiving side says spf=pass.
    SpfPass,
    /// The receiving side says dkim=pass.
    DkimPass,
    /// The receiving side says dmarc=pass.
    DmarcPass,
}

impl Requirement {
    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::LinksUnchanged => "links-unchanged",
            Self::SubjectUnchanged => "subject-unchanged",
            Self::BodyUnchanged => "body-unchanged",
            Self::AttachmentIntact => "attachment-intact",
            Self::SpfPass => "spf-pass",
            Self::DkimPass => "dkim-pass",
            Self::DmarcPass => "dmarc-pass",
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
