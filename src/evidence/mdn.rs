//! Message disposition notifications (RFC 8098), and the refusals that mailboxes send in their form (RFC 5429, Sieve `reject`).
//!
//! We never ask for an MDN. One that comes nonetheless and says `deleted`, `denied` or `failed` is therefore a mailbox that refused the message
//! after it was accepted. One that says `displayed`, `dispatched` or `processed` is no refusal: it counts as an automatic answer.

use super::{
    codes,
    dsn::{LONGEST_DIAGNOSTIC, Notice},
    mime::{Entity, Header, without_blank_lines},
    shorten,
};
use crate::model::DsnAction;

/// What an MDN says.
pub(super) enum Disposition {
    /// The mailbox refused it.
    Refused(Notice),
    /// Somebody's mail program read it, or put it somewhere.
    Handled,
}

/// The machine-readable part of a disposition report; `None` if the message has none.
pub(super) fn read(message: &Entity) -> Option<Disposition> {
    let leaves = message.leaves();
    let part = leaves.iter().find(|part| {
        matches!(
            part.media.kind.as_str(),
            "message/disposition-notification" | "message/global-disposition-notification"
        )
    })?;
    let content = part.content();
    let (fields, _) = Header::parse(without_blank_lines(&content));
    let disposition = fields.text("Disposition").to_ascii_lowercase();
    let kind = disposition.rsplit(';').next().unwrap_or_default().trim().to_owned();
    if !["deleted", "denied", "failed"].iter().any(|refusal| kind.starts_with(refusal)) {
        return Some(Disposition::Handled);
    }
    let field = |name: &str| Some(fields.text(name)).filter(|value| !value.is_empty());
    let without_type = |value: String| value.split_once(';').map_or(value.clone(), |(_, rest)| rest.trim().to_owned());
    let text = leaves
        .iter()
        .find(|part| part.media.kind.starts_with("text/"))
        .map(|part| reason(&part.text()))
        .unwrap_or_default();
    let words = ["Failure", "Error"].iter().find_map(|&name| field(name)).unwrap_or(text);
    Some(Disposition::Refused(Notice {
        action: DsnAction::Failed,
        status: codes::enhanced(&words),
        recipient: field("Final-Recipient").map(without_type),
        original_recipient: field("Original-Recipient").map(without_type),
        // The host, and the program after it (RFC 8098 section 3.2.1).
        reporting_mta: field("Reporting-UA").map(|agent| shorten(agent.split(';').next().unwrap_or_default(), 200)),
        remote_mta: None,
        diagnostic: Some(shorten(&words, LONGEST_DIAGNOSTIC)).filter(|words| !words.is_empty()),
    }))
}

/// The text for people, in one line.
fn reason(text: &str) -> String {
    let bounded: String = text.chars().take(LONGEST_DIAGNOSTIC * 2).collect();
    bounded.split_whitespace().collect::<Vec<_>>().join(" ")
}
