//! The kinds of message that a probe can be.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The octets in a `MB`: as servers count in their limits, 1024 x 1024.
const MB: u64 = 1024 * 1024;
const KB: u64 = 1024;

/// The kind of message that carries a probe. Plans and journals hold a kind without data as its word, one with data as `{ WORD: DATA }`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The shape of a vendor's verification notice: a code, a link, a deadline. It impersonates nobody.
    Verification,
    /// A small Word document (docx) attached.
    Office,
    /// A zip archive with a text file attached.
    Archive,
    /// A zip archive that needs a password, which stands in the text.
    EncryptedZip,
    /// An invitation to a meeting (RFC 5545, RFC 6047).
    Calendar,
    /// A message of about so many octets, header included.
    Large(u64),
    /// Text in many scripts.
    Unicode,
    /// A message of a mailing list, by its header (RFC 2369, RFC 2919, RFC 8058).
    List,
    /// The string that every spam filter knows (GTUBE).
    Gtube,
    /// The file that every virus scanner knows (EICAR). Only where the scenario allows it.
    Eicar,
    /// Leaves out `Auto-Submitted` (RFC 3834), so that automatic responders answer.
    AutoReply,
    /// `From` in the recipient's own domain. Only towards domains that are proven to be the site's own.
    SelfSpoof,
    /// `From` with this person's name before the sender's own address. Only towards domains that are proven to be the site's own.
    DisplayName(String),
    /// A message of the administrator's own, by the name of its file in the plan's `templates`.
    Template(String),
}

impl MessageKind {
    /// The size of a `large` message that names none.
    pub const LARGE: u64 = 5 * MB;
    /// The least size that a `large` message may have: the texts alone take some of it.
    pub const LEAST: u64 = 8 * KB;
    /// The greatest size that a `large` message may have: more than any of the great providers takes.
    pub const MOST: u64 = 150 * MB;

    /// Every kind that its word alone names, each with that word; `large` in its usual size.
    pub const ALL: [Self; 16] = [
        Self::Plain,
        Self::Html,
        Self::Link,
        Self::Attachment,
        Self::Verification,
        Self::Office,
        Self::Archive,
        Self::EncryptedZip,
        Self::Calendar,
        Self::Large(Self::LARGE),
        Self::Unicode,
        Self::List,
        Self::Gtube,
        Self::Eicar,
        Self::AutoReply,
        Self::SelfSpoof,
    ];

    /// The word used in scenarios; reports add what else there is to say (see `Display`).
    pub fn word(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Html => "html",
            Self::Link => "link",
            Self::Attachment => "attachment",
            Self::Verification => "verification",
            Self::Office => "office",
            Self::Archive => "archive",
            Self::EncryptedZip => "encrypted-zip",
            Self::Calendar => "calendar",
            Self::Large(_) => "large",
            Self::Unicode => "unicode",
            Self::List => "list",
            Self::Gtube => "gtube",
            Self::Eicar => "eicar",
            Self::AutoReply => "auto-reply",
            Self::SelfSpoof => "self-spoof",
            Self::DisplayName(_) => "display-name",
            Self::Template(_) => "template",
        }
    }

    /// Whether it pretends to come from the recipient's own people, so that it may go only to domains that are proven to be the site's own.
    pub fn impersonates(&self) -> bool {
        matches!(self, Self::SelfSpoof | Self::DisplayName(_))
    }

    /// The octets in a size such as `20MB`, `512KB` or `9000B` (1 KB = 1024 B); `None` if it is no size.
    pub fn octets(size: &str) -> Option<u64> {
        let digits = size.trim_end_matches(|character: char| character.is_ascii_alphabetic());
        let unit = match size.get(digits.len()..)? {
            "MB" | "MiB" => MB,
            "KB" | "kB" | "KiB" => KB,
            "B" => 1,
            _ => return None,
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse::<u64>().ok()?.checked_mul(unit)
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Large(octets) if octets % MB == 0 => f.pad(&format!("large {}MB", octets / MB)),
            Self::Large(octets) if octets % KB == 0 => f.pad(&format!("large {}KB", octets / KB)),
            Self::Large(octets) => f.pad(&format!("large {octets}B")),
            Self::Template(file) => f.pad(&format!("template {file}")),
            simple => f.pad(simple.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_journals_hold_is_still_read() {
        for (stored, kind) in [
            ("\"plain\"", MessageKind::Plain),
            ("\"auto-reply\"", MessageKind::AutoReply),
            ("\"gtube\"", MessageKind::Gtube),
            ("{\"large\":20971520}", MessageKind::Large(20 * MB)),
            ("{\"template\":\"notice.eml\"}", MessageKind::Template("notice.eml".to_owned())),
            ("{\"display-name\":\"Kim Lee\"}", MessageKind::DisplayName("Kim Lee".to_owned())),
        ] {
            assert_eq!(serde_json::from_str::<MessageKind>(stored).unwrap(), kind);
            assert_eq!(serde_json::to_string(&kind).unwrap(), stored);
        }
    }

    #[test]
    fn sizes_are_read_and_shown() {
        for (size, octets) in [
            ("20MB", Some(20 * MB)),
            ("5MiB", Some(5 * MB)),
            ("300KB", Some(300 * KB)),
            ("9001B", Some(9001)),
            ("MB", None),
            ("20", None),
            ("20GB", None),
            ("-1MB", None),
            ("1.5MB", None),
            ("20 MB", None),
            ("99999999999999999999MB", None),
            ("18446744073709551615MB", None),
        ] {
            assert_eq!(MessageKind::octets(size), octets, "{size}");
        }
        let shown = [20 * MB, 300 * KB, 9001].map(|octets| MessageKind::Large(octets).to_string());
        assert_eq!(shown, ["large 20MB", "large 300KB", "large 9001B"]);
        assert_eq!(MessageKind::DisplayName("Kim".to_owned()).to_string(), "display-name");
        assert_eq!(MessageKind::Template("a.eml".to_owned()).to_string(), "template a.eml");
    }

    #[test]
    fn each_word_is_that_of_the_journal() {
        for kind in MessageKind::ALL {
            let stored = serde_json::to_value(&kind).unwrap();
            let word = stored
                .as_str()
                .map_or_else(|| stored.as_object().unwrap().keys().next().unwrap().clone(), str::to_owned);
            assert_eq!(word, kind.word());
        }
    }
}
