//! Bounces that are no RFC 3464 reports: the dialects of mail systems that write for people only. Each dialect is a file here; what none of them
//! knows is read by [`plain`], which wants to see words or codes of failure before it calls anything a bounce.

mod exim;
mod plain;
mod qmail;

use super::{
    Known,
    dsn::{LONGEST_DIAGNOSTIC, Notice},
    looks,
    mime::Entity,
    shorten,
};
use crate::model::DsnAction;

/// The most text that is read of a notification, in characters.
const LONGEST_TEXT: usize = 64 * 1024;
/// The most recipients that one notification may name.
const MOST_RECIPIENTS: usize = 256;

/// A notification, cut in two.
struct Words {
    /// What the mail system says.
    said: String,
    /// The message it quotes, or what of it.
    quoted: String,
}

/// Lines that say that the original message follows, in lower case, without dashes and blanks around them.
const MARKERS: [&str; 13] = [
    "this is a copy of the message",
    "this is a copy of your message",
    "below this line is a copy of the message",
    "below this line is the original bounce",
    "original message",
    "original message follows",
    "possibly truncated original message follows",
    "unsent message below",
    "message header follows",
    "the header of the original message is following",
    "forwarded message",
    "returned message",
    "undelivered message",
];

/// Reads a message as a bounce in words: a notice for each recipient, at least one; `None` if it is no bounce. `report`: whether it calls itself a
/// report, though it holds nothing that can be read as one.
pub(super) fn read(message: &Entity, report: bool, known: &Known) -> Option<Vec<Notice>> {
    let header = &message.header;
    let failed = header.get("X-Failed-Recipients").is_some();
    let null = looks::has_null_return_path(header);
    let daemon = looks::is_from_daemon(header) || null && !looks::is_automatic_reply(header);
    // A postmaster is a person as well, who answers and goes on holiday.
    let human = looks::has_reply_prefix(header) && !null || looks::is_vacation(header);
    if looks::is_journal(header) || !(failed || report || !human && (daemon || looks::has_bounce_subject(header))) {
        return None;
    }
    let words = words(message);
    let subject = header.text("Subject");
    if let Some(notices) = qmail::read(&words.said) {
        Some(notices)
    } else if failed {
        Some(exim::read(&header.text("X-Failed-Recipients"), &words.said, &subject))
    } else {
        plain::read(&words.said, &subject, known)
    }
}

/// What a report says in words of a recipient whose fields give no reason; everything that it says where it does not name that recipient.
pub(super) fn reason(said: &str, recipient: &str) -> Option<String> {
    let paragraph = if recipient.is_empty() {
        String::new()
    } else {
        paragraph_of(said, &recipient.to_lowercase())
    };
    notice(DsnAction::Failed, None, if paragraph.is_empty() { said } else { &paragraph }).diagnostic
}

/// What a report says in words, without the message that it quotes.
pub(super) fn said(report: &Entity) -> String {
    words(report).said
}

/// The message that a bounce quotes in its own text.
pub(super) fn quoted(message: &Entity) -> String {
    words(message).quoted
}

fn words(message: &Entity) -> Words {
    let text = message
        .leaves()
        .iter()
        .filter(|leaf| !leaf.is_message())
        .find_map(|leaf| match leaf.media.kind.as_str() {
            "text/html" => Some(super::decode::html(&leaf.text())),
            kind if kind.starts_with("text/") && !kind.ends_with("rfc822-headers") => Some(leaf.text()),
            _ => None,
        });
    let text: String = text.unwrap_or_default().chars().take(LONGEST_TEXT).collect();
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        let bare = line
            .trim_matches(|c: char| c.is_whitespace() || "-=*_.:>".contains(c))
            .to_lowercase();
        let dashed = line.trim_start().starts_with("--") || line.trim_start().starts_with("==");
        // A quoted header without any marker begins with a trace field.
        let trace = line.starts_with("Return-Path: <") || line.starts_with("Received: ");
        if trace || MARKERS.iter().any(|marker| bare == *marker || dashed && bare.starts_with(marker)) {
            let (said, quoted) = text.split_at(position);
            return Words {
                said: said.to_owned(),
                quoted: quoted.to_owned(),
            };
        }
        position += line.len();
    }
    Words {
        said: text,
        quoted: String::new(),
    }
}

/// A notice about a recipient in these words.
fn notice(action: DsnAction, recipient: Option<String>, words: &str) -> Notice {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    Notice {
        action,
        status: super::codes::enhanced(&words),
        recipient,
        original_recipient: None,
        reporting_mta: None,
        remote_mta: None,
        diagnostic: Some(shorten(&words, LONGEST_DIAGNOSTIC)).filter(|words| !words.is_empty()),
    }
}

/// The mail address in a word, without the brackets and stops around it, in lower case.
fn address_in(word: &str) -> Option<String> {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && !"+-_=".contains(c));
    let (local, domain) = word.rsplit_once('@')?;
    let valid = !local.is_empty()
        && word.len() <= 320
        && domain.contains('.')
        && domain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte) || !byte.is_ascii())
        && !local.contains(['<', '>', '(', ')', ',', ';', ':', '"']);
    valid.then(|| word.to_lowercase())
}

/// The paragraph that speaks of `recipient`: from the first line that holds its address to the next empty line, or to the next address at the same
/// indentation. An empty line after nothing but the address, or after a colon, does not end it.
fn paragraph_of(text: &str, recipient: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.to_lowercase().contains(recipient));
    let Some(first) = lines.next() else { return String::new() };
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut paragraph = vec![first.trim()];
    for line in lines.take(40) {
        let words = line.trim();
        let other = indent(line) <= indent(first) && address_in(words).is_some_and(|address| address != recipient);
        let announces = paragraph.last().is_some_and(|last| last.ends_with(':')) || paragraph.len() == 1 && !first.trim().contains(' ');
        if other || words.is_empty() && !announces {
            break;
        }
        if !words.is_empty() {
            paragraph.push(words);
        }
    }
    paragraph.join("\n")
}

/// Whether a text says that a message waits and will be tried again.
fn says_delayed(text: &str) -> bool {
    let text = text.to_lowercase();
    [
        "has not yet been delivered",
        "not yet been delivered",
        "delivery is delayed",
        "delivery has been delayed",
        "delivery delayed",
        "will be retried",
        "will retry",
        "will keep trying",
        "will continue to try",
        "delivery attempts will continue",
        "no action is required on your part",
        "you do not need to resend",
        "do not need to resend your message",
        "warning message only",
    ]
    .iter()
    .any(|words| text.contains(words))
}
