//! The kinds of message that a probe can be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of message that carries a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MessageKind {
    /// Plain text.
    Plain,
    /// HTML with a plain alternative.
    Html,
    /// A link to the sender's own domain.
    Link,
    /// A small PDF attached.
    Attachment,
    /// The string that every spam filter knows (GTUBE).
    Gtube,
    /// Leaves out `Auto-Submitted` (RFC 3834), so that automatic responders answer.
    AutoReply,
}

impl MessageKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Plain, Self::Html, Self::Link, Self::Attachment, Self::Gtube, Self::AutoReply];

    /// The word used in scenarios and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Html => "html",
            Self::Link => "link",
            Self::Attachment => "attachment",
            Self::Gtube => "gtube",
            Self::AutoReply => "auto-reply",
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
