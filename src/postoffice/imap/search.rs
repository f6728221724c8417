//! SEARCH: which messages a client's criteria pick (RFC 3501, section 6.4.4). Text is compared without regard to case, decoded and as it stands.
//!
//! Pure: a folder's snapshot in, numbers out.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use imap_codec::imap_types::search::SearchKey;
use mail_parser::{Message as Parsed, MessageParser, PartType};

use super::super::headers;
use super::sets::Numbers;

/// How deep messages inside messages are looked into.
const DEEPEST: usize = 4;

/// One message as a session sees it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its sequence number in the session.
    pub number: u32,
    /// Its UID.
    pub uid: u32,
    /// Its flags.
    pub flags: BTreeSet<String>,
    /// Its internal date.
    pub received: DateTime<Utc>,
    /// Its octets.
    pub raw: Arc<[u8]>,
}

/// The messages that match all the criteria.
pub fn search<'a>(messages: &'a [Seen], criteria: &[SearchKey<'_>]) -> Vec<&'a Seen> {
    let largest = (
        messages.last().map_or(0, |m| m.number),
        messages.iter().map(|m| m.uid).max().unwrap_or(0),
    );
    let tests: Vec<Test> = criteria.iter().map(|key| Test::new(key, largest)).collect();
    messages.iter().filter(|m| tests.iter().all(|test| test.passes(m))).collect()
}

/// A criterion made ready: sets resolved, text in lower case.
enum Test {
    Always(bool),
    Every(Vec<Test>),
    Either(Box<Test>, Box<Test>),
    Not(Box<Test>),
    Numbers(Numbers),
    Uids(Numbers),
    Flag(String),
    Header(String, String),
    Body(String),
    Text(String),
    Received(fn(&NaiveDate, &NaiveDate) -> bool, NaiveDate),
    Sent(fn(&NaiveDate, &NaiveDate) -> bool, NaiveDate),
    Larger(usize),
    Smaller(usize),
}

impl Test {
    fn new(key: &SearchKey<'_>, largest: (u32, u32)) -> Self {
        let not = |key| Self::Not(Box::new(key));
        let flag = |name: &str| Self::Flag(name.to_owned());
        let text = |text: &[u8]| String::from_utf8_lossy(text).to_lowercase();
        let header = |name: &str, value: &[u8]| Self::Header(name.to_owned(), text(value));
        match key {
            SearchKey::And(keys) => Self::Every(keys.as_ref().iter().map(|key| Self::new(key, largest)).collect()),
            SearchKey::Or(one, other) => Self::Either(Box::new(Self::new(one, largest)), Box::new(Self::new(other, largest))),
            SearchKey::Not(key) => not(Self::new(key, largest)),
            SearchKey::SequenceSet(set) => Self::Numbers(Numbers::new(set, largest.0)),
            SearchKey::Uid(set) => Self::Uids(Numbers::new(set, largest.1)),
            // No message is ever recent here: `IMAP4rev2` has no such flag any more.
            SearchKey::All | SearchKey::Old => Self::Always(true),
            SearchKey::New | SearchKey::Recent => Self::Always(false),
            SearchKey::Answered => flag("\\Answered"),
            SearchKey::Deleted => flag("\\Deleted"),
            SearchKey::Draft => flag("\\Draft"),
            SearchKey::Flagged => flag("\\Flagged"),
            SearchKey::Seen => flag("\\Seen"),
            SearchKey::Keyword(word) => flag(word.inner()),
            SearchKey::Unanswered => not(flag("\\Answered")),
            SearchKey::Undeleted => not(flag("\\Deleted")),
            SearchKey::Undraft => not(flag("\\Draft")),
            SearchKey::Unflagged => not(flag("\\Flagged")),
            SearchKey::Unseen => not(flag("\\Seen")),
            SearchKey::Unkeyword(word) => not(flag(word.inner())),
            SearchKey::Bcc(value) => header("Bcc", value.as_ref()),
            SearchKey::Cc(value) => header("Cc", value.as_ref()),
            SearchKey::From(value) => header("From", value.as_ref()),
            SearchKey::To(value) => header("To", value.as_ref()),
            SearchKey::Subject(value) => header("Subject", value.as_ref()),
            SearchKey::Header(name, value) => header(&text(name.as_ref()), value.as_ref()),
            SearchKey::Body(value) => Self::Body(text(value.as_ref())),
            SearchKey::Text(value) => Self::Text(text(value.as_ref())),
            SearchKey::Before(date) => Self::Received(NaiveDate::lt, *date.as_ref()),
            SearchKey::On(date) => Self::Received(NaiveDate::eq, *date.as_ref()),
            SearchKey::Since(date) => Self::Received(NaiveDate::ge, *date.as_ref()),
            SearchKey::SentBefore(date) => Self::Sent(NaiveDate::lt, *date.as_ref()),
            SearchKey::SentOn(date) => Self::Sent(NaiveDate::eq, *date.as_ref()),
            SearchKey::SentSince(date) => Self::Sent(NaiveDate::ge, *date.as_ref()),
            SearchKey::Larger(size) => Self::Larger(usize::try_from(*size).unwrap_or(usize::MAX)),
            SearchKey::Smaller(size) => Self::Smaller(usize::try_from(*size).unwrap_or(usize::MAX)),
        }
    }

    fn passes(&self, message: &Seen) -> bool {
        match self {
            Self::Always(answer) => *answer,
            Self::Every(tests) => tests.iter().all(|test| test.passes(message)),
            Self::Either(one, other) => one.passes(message) || other.passes(message),
            Self::Not(test) => !test.passes(message),
            Self::Numbers(numbers) => numbers.contains(message.number),
            Self::Uids(uids) => uids.contains(message.uid),
            Self::Flag(flag) => message.flags.iter().any(|f| f.eq_ignore_ascii_case(flag)),
            Self::Header(name, value) => header_contains(&message.raw, name, value),
            Self::Body(value) => {
                let (_, body) = headers::split(&message.raw);
                contains(body, value) || decoded_contains(&message.raw, value)
            }
            Self::Text(value) => {
                contains(&message.raw, value) || decoded_contains(&message.raw, value) || header_contains(&message.raw, "Subject", value)
            }
            Self::Received(compare, date) => compare(&message.received.date_naive(), date),
            Self::Sent(compare, date) => {
                let sent = MessageParser::default()
                    .parse_headers(&message.raw[..])
                    .and_then(|m| m.date().copied());
                let day = sent.and_then(|d| NaiveDate::from_ymd_opt(d.year.into(), d.month.into(), d.day.into()));
                day.is_some_and(|day| compare(&day, date))
            }
            Self::Larger(size) => message.raw.len() > *size,
            Self::Smaller(size) => message.raw.len() < *size,
        }
    }
}

fn contains(octets: &[u8], text: &str) -> bool {
    text.is_empty() || String::from_utf8_lossy(octets).to_lowercase().contains(text)
}

fn header_contains(raw: &[u8], name: &str, text: &str) -> bool {
    let written = headers::fields(raw)
        .into_iter()
        .filter(|f| f.name.eq_ignore_ascii_case(name))
        .any(|f| {
            // An empty text asks whether the field is there at all.
            text.is_empty() || headers::unfold(f.value).to_lowercase().contains(text)
        });
    let decoded = || {
        MessageParser::default()
            .parse_headers(raw)
            .and_then(|m| m.subject().map(str::to_lowercase))
    };
    written || (name.eq_ignore_ascii_case("Subject") && decoded().is_some_and(|subject| subject.contains(text)))
}

fn decoded_contains(raw: &[u8], text: &str) -> bool {
    MessageParser::default()
        .parse(raw)
        .is_some_and(|message| parts_contain(&message, text, DEEPEST))
}

fn parts_contain(message: &Parsed<'_>, text: &str, depth: usize) -> bool {
    message.parts.iter().any(|part| match &part.body {
        PartType::Text(body) | PartType::Html(body) => body.to_lowercase().contains(text),
        PartType::Message(inner) if depth > 0 => {
            inner.subject().is_some_and(|s| s.to_lowercase().contains(text)) || parts_contain(inner, text, depth - 1)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use imap_codec::CommandCodec;
    use imap_codec::decode::Decoder;
    use imap_codec::imap_types::command::CommandBody;

    fn found(criteria: &str) -> Vec<u32> {
        let raw = |text: &str| Arc::from(text.as_bytes());
        let seen = |number, uid, raw| Seen {
            number,
            uid,
            flags: BTreeSet::new(),
            received: DateTime::UNIX_EPOCH,
            raw,
        };
        let encoded = "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: text/plain; charset=utf-8\r\n\
                       Content-Transfer-Encoding: base64\r\n\r\naGVsbG8gV09STEQ=\r\n";
        let mut messages = vec![
            seen(
                1,
                10,
                raw("Subject: First\r\nX-Probe: abc\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\n\r\nneedle here\r\n"),
            ),
            seen(2, 20, raw(encoded)),
            seen(3, 30, raw("Subject: Third\r\n\r\nnothing\r\n")),
        ];
        messages[2].flags.insert("\\Deleted".to_owned());
        let line = format!("A SEARCH {criteria}\r\n");
        let (_, command) = CommandCodec::default().decode(line.as_bytes()).unwrap();
        let CommandBody::Search { criteria, .. } = command.body else {
            panic!()
        };
        search(&messages, criteria.as_ref()).iter().map(|m| m.uid).collect()
    }

    #[test]
    fn by_number_uid_and_flag() {
        assert_eq!(found("ALL"), [10, 20, 30]);
        assert_eq!(found("2:*"), [20, 30]);
        assert_eq!(found("UID 15:25"), [20]);
        assert_eq!(found("UNDELETED NOT 1"), [20]);
        assert_eq!(found("OR DELETED 1"), [10, 30]);
        assert!(found("RECENT").is_empty());
    }

    #[test]
    fn by_text_decoded_and_as_written() {
        assert_eq!(found("BODY \"NEEDLE\""), [10]);
        assert_eq!(found("BODY hello"), [20], "base64 is decoded");
        assert_eq!(found("SUBJECT first"), [10]);
        assert_eq!(found("TEXT first"), [10]);
        assert_eq!(found("HEADER X-Probe \"\""), [10]);
        assert_eq!(found("HEADER X-Probe B"), [10]);
        assert_eq!(found("SUBJECT gr"), [20], "encoded words are decoded");
    }

    #[test]
    fn by_date_and_size() {
        assert_eq!(found("SINCE 1-Jan-1970"), [10, 20, 30]);
        assert!(found("BEFORE 1-Jan-1970").is_empty());
        assert_eq!(found("SENTON 1-Jan-1970"), [10]);
        assert_eq!(found("SMALLER 40"), [30]);
    }
}
