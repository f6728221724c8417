//! DKIM signatures (RFC 6376) of an arrived copy: whether what they cover is still what was signed, and if not, where it was changed.

use serde::{Deserialize, Serialize};

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The signing domain (`d=`).
    pub domain: String,
    /// The selector (`s=`).
    pub selector: String,
    /// What became of the signed text: its hash is computed anew and compared with `bh=`. That needs no key.
    pub body: SignedPart,
    /// The signed fields that did not arrive as we sent them. Fields that somebody else added before signing are not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Where the text was changed first, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_change: Option<LineChange>,
}

impl Signature {
    /// Whether what it covers is not what arrived, so that it cannot verify.
    pub fn is_broken(&self) -> bool {
        self.is_changed() || self.body == SignedPart::Mismatched
    }

    /// Whether it covered what we sent, and something of that was changed.
    pub fn is_changed(&self) -> bool {
        self.body == SignedPart::Changed || !self.fields.is_empty()
    }
}

/// What became of a signed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedPart {
    /// It is what was signed.
    Intact,
    /// It was changed after it was signed: the signature covers what we sent.
    Changed,
    /// The signature covers neither what we sent nor what arrived: the text was changed before and after it was signed, or the signature never held.
    Mismatched,
    /// The text is too long to be hashed anew for so many signatures.
    Unchecked,
    /// The signature cannot be read, or uses a method that is not known here.
    Unread,
}

/// A signed field that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its name.
    pub name: String,
    /// As it was sent, shortened.
    pub sent: String,
    /// As it arrived, shortened; empty if it was removed.
    pub arrived: String,
}

/// The first place at which two texts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineChange {
    /// The line of the body as it was sent, from 1.
    pub line: u32,
    /// That line as it was sent, shortened; empty if the text was longer when it arrived.
    pub sent: String,
    /// What stands there now, shortened; empty if the text ends before.
    pub arrived: String,
}
