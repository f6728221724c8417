//! What becomes of a message is written in its recipient's local part: `junk@` is junked, `late-2s@` waits two seconds.
//!
//! Pure: words in, a fate out. Cannot see domains, mailboxes or the message; `directory` decides whether an address exists at all.

use std::time::Duration;

/// The longest delay that `late-Ns` may ask for; more is an unknown recipient.
const LONGEST_DELAY: u64 = 3600;

/// What the post office does with a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Into the inbox.
    Inbox,
    /// Into the folder with the special use `\Junk`.
    Junk,
    /// Into the quarantine mailbox instead of the recipient's.
    Held,
    /// Into the folder [`ALERTS`].
    Folder,
    /// Into another person's mailbox only.
    Elsewhere,
    /// Expanded to three members, of whom one is over quota.
    List,
    /// Refused at RCPT with this reply.
    Reject(Refusal),
    /// Accepted, then returned with this enhanced status code (RFC 3463).
    Bounce(String),
    /// Accepted and dropped without a word.
    Lost,
    /// Into the inbox after this pause.
    Late(Duration),
    /// A *delayed* DSN at once, the message after two seconds.
    Delayed,
    /// Two copies into the inbox.
    Twice,
    /// The gateways turn the first contact away (4xx), later ones reach the inbox.
    Greylisted,
    /// Refused at RCPT unless the envelope sender is of the same domain.
    InsidersOnly,
    /// Into the inbox, and an automatic reply to the envelope sender (RFC 3834).
    Vacation,
    /// Into the inbox, and a reply as a person writes it.
    Answered,
    /// Into the folder with the special use `\Trash` only.
    Deleted,
    /// Into the inbox, and a moment later moved to `\Junk`.
    Moved,
    /// Into the inbox, and a moment later expunged.
    Vanishes,
    /// Into the inbox with its links rewritten, or with a banner where it has none.
    Altered,
    /// Into the inbox as an attachment of a journal message.
    Wrapped,
    /// Into the inbox with another Message-ID, without its X- headers and without the tag in the subject.
    Stripped,
    /// Into the inbox, but nobody can log in there.
    RefusesLogin,
    /// Into the inbox, but the IMAP server never answers the login. No success DSN is sent either.
    HangsLogin,
    /// Handed to the simulated Microsoft 365 tenant, which has fates of its own. No local part names it: the domain does.
    Tenant,
}

/// A reply to RCPT that turns the recipient away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reply code, 400 to 599.
    pub code: u16,
    /// The enhanced status code (RFC 3463).
    pub status: String,
}

/// The folder that `folder@` is sorted into.
pub const ALERTS: &str = "Alerts";

impl Fate {
    /// The fate that a local part names, `None` where it names none. Case does not matter.
    pub fn of(local: &str) -> Option<Self> {
        let local = local.to_ascii_lowercase();
        let fate = match local.as_str() {
            "ok" | "member-1" | "member-2" => Self::Inbox,
            "junk" => Self::Junk,
            "held" => Self::Held,
            "folder" => Self::Folder,
            "elsewhere" => Self::Elsewhere,
            "list" => Self::List,
            "full" => Self::Bounce("5.2.2".to_owned()),
            "lost" => Self::Lost,
            "delayed" => Self::Delayed,
            "twice" => Self::Twice,
            "insiders-only" => Self::InsidersOnly,
            "vacation" => Self::Vacation,
            "answered" => Self::Answered,
            "deleted" => Self::Deleted,
            "moved" => Self::Moved,
            "vanishes" => Self::Vanishes,
            "altered" => Self::Altered,
            "wrapped" => Self::Wrapped,
            "stripped" => Self::Stripped,
            "refuses-login" => Self::RefusesLogin,
            "hangs-login" => Self::HangsLogin,
            "tempfail" => Self::Reject(Refusal {
                code: 450,
                status: "4.2.0".to_owned(),
            }),
            other => return Self::with_argument(other),
        };
        Some(fate)
    }

    /// The families: `ok-N`, `reject-NNN`, `bounce-C.S.D`, `late-Ns` and everything that starts with `greylisted`.
    fn with_argument(local: &str) -> Option<Self> {
        if local.starts_with("greylisted") {
            return Some(Self::Greylisted);
        }
        let (word, argument) = local.split_once('-')?;
        match word {
            "ok" => (argument.len() <= 6 && digits(argument)).then_some(Self::Inbox),
            "reject" => refusal(argument).map(Self::Reject),
            "bounce" => permanent_or_expired(argument).then(|| Self::Bounce(argument.to_owned())),
            "late" => {
                let seconds: u64 = argument.strip_suffix('s').filter(|n| digits(n))?.parse().ok()?;
                (seconds <= LONGEST_DELAY).then(|| Self::Late(Duration::from_secs(seconds)))
            }
            _ => None,
        }
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn refusal(code: &str) -> Option<Refusal> {
    let code: u16 = (code.len() == 3 && digits(code)).then(|| code.parse().ok())??;
    let status = match code {
        421 => "4.3.2",
        450 => "4.2.0",
        451 => "4.7.1",
        452 => "4.2.2",
        550 => "5.1.1",
        551 => "5.1.6",
        552 => "5.2.2",
        553 => "5.1.3",
        554 => "5.7.1",
        400..=499 => "4.0.0",
        500..=599 => "5.0.0",
        _ => return None,
    };
    Some(Refusal {
        code,
        status: status.to_owned(),
    })
}

/// A status code that may stand in a *failed* DSN: class 5, or class 4 whose retries ran out (RFC 3463).
fn permanent_or_expired(status: &str) -> bool {
    let mut parts = status.split('.');
    let class = parts.next();
    let (subject, detail) = (parts.next(), parts.next());
    let number = |part: Option<&str>| part.is_some_and(|p| p.len() <= 3 && digits(p));
    matches!(class, Some("4" | "5")) && number(subject) && number(detail) && parts.next().is_none()
}

/// What an enhanced status code says in words, as a mail server would write it behind the code.
pub fn meaning(status: &str) -> &'static str {
    match status.split_once('.').map_or("", |(_, rest)| rest) {
        "1.1" => "No such mailbox",
        "1.2" => "No such domain",
        "1.3" => "Bad mailbox address",
        "1.6" => "The mailbox has moved",
        "2.0" => "Mailbox temporarily unavailable",
        "2.1" => "Mailbox disabled",
        "2.2" => "Mailbox full",
        "2.3" => "Message too long for this mailbox",
        "3.2" => "System not accepting messages",
        "4.1" => "No answer from host",
        "4.7" => "Delivery time expired",
        "7.1" => "Delivery not authorised",
        "7.26" => "Sender is not authenticated",
        _ => "Delivery refused by this post office",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_in_any_case() {
        assert_eq!(Fate::of("ok"), Some(Fate::Inbox));
        assert_eq!(Fate::of("JUNK"), Some(Fate::Junk));
        assert_eq!(Fate::of("full"), Some(Fate::Bounce("5.2.2".into())));
        assert_eq!(Fate::of("member-2"), Some(Fate::Inbox));
        assert_eq!(Fate::of("nobody"), None);
        assert_eq!(Fate::of(""), None);
    }

    #[test]
    fn families_with_an_argument() {
        assert_eq!(Fate::of("ok-250"), Some(Fate::Inbox));
        assert_eq!(Fate::of("late-2s"), Some(Fate::Late(Duration::from_secs(2))));
        assert_eq!(Fate::of("greylisted-twice"), Some(Fate::Greylisted));
        assert_eq!(Fate::of("bounce-5.7.26"), Some(Fate::Bounce("5.7.26".into())));
        assert_eq!(
            Fate::of("reject-552"),
            Some(Fate::Reject(Refusal {
                code: 552,
                status: "5.2.2".into()
            }))
        );
        assert_eq!(
            Fate::of("reject-417"),
            Some(Fate::Reject(Refusal {
                code: 417,
                status: "4.0.0".into()
            }))
        );
        assert_eq!(
            Fate::of("tempfail"),
            Some(Fate::Reject(Refusal {
                code: 450,
                status: "4.2.0".into()
            }))
        );
    }

    #[test]
    fn nonsense_is_no_fate() {
        for local in [
            "ok-",
            "ok-x",
            "ok-1234567",
            "late-s",
            "late-2",
            "late--2s",
            "late-99999999999999999999s",
            "late-3601s",
            "reject-",
            "reject-250",
            "reject-5500",
            "reject-+55",
            "bounce-2.0.0",
            "bounce-5.1",
            "bounce-5.1.1.1",
            "bounce-5.1234.1",
            "bounce-5..1",
            "bounce-5.1.1\r\n",
        ] {
            assert_eq!(Fate::of(local), None, "{local:?}");
        }
    }

    #[test]
    fn codes_are_put_into_words() {
        assert_eq!(meaning("5.2.2"), "Mailbox full");
        assert_eq!(meaning("nonsense"), "Delivery refused by this post office");
    }
}
