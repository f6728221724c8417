//! The words of others, as a sentence of ours repeats them.

use super::status;
use crate::model::{Attempt, Reply};

/// Longer quotations are cut: the evidence has the whole.
const QUOTED: usize = 160;

/// A text of somebody else's in quotation marks: on one line, cut where it is long.
pub fn quoted(text: &str) -> String {
    format!("“{}”", bounded(text))
}

/// A word or name of somebody else's as part of a sentence: on one line, cut where it is long.
pub fn bounded(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((at, _)) = line.char_indices().nth(QUOTED) {
        line.truncate(at);
        line.push('…');
    }
    line
}

/// A reply with its codes, and the enhanced code in words.
pub fn reply(reply: &Reply) -> String {
    with_meaning(&reply.to_string(), reply.enhanced.as_deref())
}

/// A text in quotation marks, followed by what its enhanced status code means.
pub fn with_meaning(text: &str, code: Option<&str>) -> String {
    let code = code.filter(|code| status::in_words(code).is_some()).or_else(|| status::find(text));
    match code.and_then(|code| status::in_words(code).map(|words| (code, words))) {
        Some((code, words)) if text.contains(code) => format!("{} ({words})", quoted(text)),
        Some((code, words)) => format!("{} ({code}: {words})", quoted(text)),
        None => quoted(text),
    }
}

/// The host of an attempt by its name alone: the evidence has its address.
pub fn host(attempt: &Attempt) -> &str {
    attempt.host.split_whitespace().next().unwrap_or("the host")
}

/// When in the dialogue an attempt ended.
pub fn stage(attempt: &Attempt) -> &str {
    match attempt.stage.as_str() {
        "connect" => "while connecting",
        "greeting" => "in its greeting",
        "ehlo" => "at EHLO",
        "starttls" => "while starting TLS",
        "auth" => "at sign-in",
        "mail" => "at MAIL FROM",
        "rcpt" => "at RCPT TO",
        "data" => "at DATA",
        "body" => "after the whole message",
        "dns" => "in the DNS",
        other => other,
    }
}

/// The name by which the next hop filed a message, as its reply tells it: Postfix's `queued as ID`, Exim's `OK id=ID`.
pub fn queue_id(text: &str) -> Option<&str> {
    let after = ["queued as ", "id="]
        .iter()
        .find_map(|marker| text.find(marker).map(|at| &text[at + marker.len()..]))?;
    let id = after
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '-')
        .next()?;
    (4..=40).contains(&id.len()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_one_line_and_bounded() {
        assert_eq!(quoted("no\r\n  such user"), "“no such user”");
        assert_eq!(quoted(&"é".repeat(500)).chars().count(), QUOTED + 3);
    }

    #[test]
    fn codes_are_translated_once() {
        assert_eq!(with_meaning("550 5.1.1 no", Some("5.1.1")), "“550 5.1.1 no” (no such mailbox)");
        assert_eq!(with_meaning("no", Some("5.1.1")), "“no” (5.1.1: no such mailbox)");
        assert_eq!(with_meaning("550 5.2.2 no", Some("5.0.0")), "“550 5.2.2 no” (the mailbox is full)");
        assert_eq!(with_meaning("550 no", None), "“550 no”");
    }

    #[test]
    fn queue_ids_are_found() {
        assert_eq!(queue_id("Ok: queued as 4XyZ12"), Some("4XyZ12"));
        assert_eq!(queue_id("OK id=1r2s3t-000abc-4D"), Some("1r2s3t-000abc-4D"));
        assert_eq!(queue_id("2.0.0 accepted"), None);
        assert_eq!(queue_id("queued as \u{1b}[2J"), None);
    }
}
