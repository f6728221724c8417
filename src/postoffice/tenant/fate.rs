//! What becomes of a message in the tenant is written in its recipient's local part, as everywhere in the post office: `quarantined@`, `zap@`.
//!
//! Pure: words in, a fate out. Cannot see mailboxes or messages; `residents` decides which addresses exist.

use std::time::Duration;

/// The longest delay that `late-Ns` may ask for; more is an unknown recipient.
const LONGEST_DELAY: u64 = 3600;
/// A local part with this end has a mailbox whose folders are named in German.
const GERMAN: &str = "-de";

/// What the tenant does with a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Into the inbox.
    Inbox,
    /// Into the inbox, where Outlook shows it under *Other* instead of *Focused*.
    Other,
    /// Into the junk folder; the trace calls that delivered.
    Junk,
    /// Held in quarantine: no folder shows it, only the trace does.
    Quarantined,
    /// Blocked as spam: only the trace shows it.
    FilteredAsSpam,
    /// Refused inside the service with this enhanced status code (RFC 3463), and returned to the sender.
    Returned(String),
    /// Moved by an inbox rule into a folder of its own.
    RuleMoved,
    /// Into the deleted items by an inbox rule.
    RuleDeleted,
    /// Into the inbox, and later into the junk folder by zero-hour auto purge.
    ZapJunk,
    /// Into the inbox, and later into quarantine by zero-hour auto purge.
    ZapQuarantine,
    /// Accepted at the edge and never heard of again, not even in the trace.
    Lost,
    /// Into the inbox after this pause; pending in the trace until then.
    Late(Duration),
    /// Never delivered; pending in the trace for good.
    Pending,
    /// Never delivered; the trace is still getting its status.
    GettingStatus,
    /// Two copies into the inbox.
    Twice,
    /// Handed to a mail system outside: delivered in the trace, which names the host's address.
    HandedOver,
    /// Delivered, says the trace, but to somebody else's mailbox.
    Redirected,
    /// A distribution list without mailbox: expanded to its three members.
    List,
    /// A Microsoft 365 group: a post in the group's mailbox.
    Group {
        /// Whether it refuses senders outside the tenant, as groups do by default.
        closed: bool,
    },
}

/// What kind of mailbox stands behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A person's.
    User,
    /// Shared, without a sign-in of its own.
    Shared,
    /// None: a person without an Exchange licence.
    Unlicensed,
    /// A person's, but outside the scope of every app (RBAC for Applications).
    OutOfScope,
    /// A person's or a group's, requests to which are turned away two times out of three.
    Stormy,
}

/// What a local part says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// What becomes of a message.
    pub fate: Fate,
    /// What kind of mailbox it is.
    pub kind: Kind,
    /// Whether its folders are named in German.
    pub german: bool,
}

impl Meaning {
    /// A person's mailbox with English folders.
    pub fn plain(fate: Fate) -> Self {
        Self {
            fate,
            kind: Kind::User,
            german: false,
        }
    }

    /// What a local part says, `None` where it says nothing. Case does not matter.
    pub fn of(local: &str) -> Option<Self> {
        let local = local.to_ascii_lowercase();
        let (word, german) = local.strip_suffix(GERMAN).map_or((local.as_str(), false), |word| (word, true));
        let kind = match word {
            "shared" => Kind::Shared,
            "unlicensed" => Kind::Unlicensed,
            "out-of-scope" => Kind::OutOfScope,
            "storm" | "group-storm" => Kind::Stormy,
            _ => Kind::User,
        };
        let fate = match kind {
            Kind::Unlicensed => Fate::Returned("5.1.10".to_owned()),
            Kind::User => fate(word)?,
            Kind::Stormy if word == "group-storm" => Fate::Group { closed: false },
            _ => Fate::Inbox,
        };
        Some(Self { fate, kind, german })
    }
}

fn fate(word: &str) -> Option<Fate> {
    let fate = match word {
        "ok" | "member-1" => Fate::Inbox,
        "junk" | "member-2" => Fate::Junk,
        "quarantined" | "member-3" => Fate::Quarantined,
        "other" => Fate::Other,
        "filtered" => Fate::FilteredAsSpam,
        "rule-moved" => Fate::RuleMoved,
        "rule-deleted" => Fate::RuleDeleted,
        "zap" => Fate::ZapJunk,
        "zap-quarantined" => Fate::ZapQuarantine,
        "lost" => Fate::Lost,
        "pending" => Fate::Pending,
        "getting-status" => Fate::GettingStatus,
        "twice" => Fate::Twice,
        "handed-over" => Fate::HandedOver,
        "redirected" => Fate::Redirected,
        "list" => Fate::List,
        "group" => Fate::Group { closed: false },
        "group-closed" => Fate::Group { closed: true },
        other => return with_argument(other),
    };
    Some(fate)
}

/// The families: `ok-N`, `junk-N`, `quarantined-N`, `ndr-C.S.D` and `late-Ns`.
fn with_argument(word: &str) -> Option<Fate> {
    let (word, argument) = word.split_once('-')?;
    let numbered = argument.len() <= 6 && digits(argument);
    match word {
        "ok" => numbered.then_some(Fate::Inbox),
        "junk" => numbered.then_some(Fate::Junk),
        "quarantined" => numbered.then_some(Fate::Quarantined),
        "ndr" => is_permanent(argument).then(|| Fate::Returned(argument.to_owned())),
        "late" => {
            let seconds: u64 = argument.strip_suffix('s').filter(|n| digits(n))?.parse().ok()?;
            (seconds <= LONGEST_DELAY).then(|| Fate::Late(Duration::from_secs(seconds)))
        }
        _ => None,
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_permanent(status: &str) -> bool {
    let parts: Vec<&str> = status.split('.').collect();
    matches!(parts.as_slice(), ["4" | "5", subject, detail] if [subject, detail].iter().all(|p| p.len() <= 3 && digits(p)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_families_and_languages() {
        assert_eq!(Meaning::of("JUNK").unwrap().fate, Fate::Junk);
        assert!(Meaning::of("junk-de").unwrap().german);
        assert_eq!(Meaning::of("ok-999").unwrap(), Meaning::plain(Fate::Inbox));
        assert_eq!(Meaning::of("ndr-5.7.133").unwrap().fate, Fate::Returned("5.7.133".to_owned()));
        assert_eq!(Meaning::of("late-3s").unwrap().fate, Fate::Late(Duration::from_secs(3)));
        assert_eq!(Meaning::of("shared").unwrap().kind, Kind::Shared);
        assert_eq!(Meaning::of("out-of-scope-de").unwrap().kind, Kind::OutOfScope);
    }

    #[test]
    fn what_is_no_word_says_nothing() {
        for local in [
            "",
            "nobody",
            "ok-",
            "ok-1234567",
            "ndr-2.0.0",
            "ndr-5.1",
            "late-9999s",
            "late-3",
            "-de",
        ] {
            assert_eq!(Meaning::of(local), None, "{local}");
        }
    }
}
