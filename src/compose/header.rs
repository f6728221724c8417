//! The header of a probe: who sends it, to whom, and where the tag stands in it.

use super::{MessageKind, Plan, Probe, Sender, Tag, Wording};
use lettre::{
    Address,
    message::{
        Mailbox,
        header::{self, HeaderName, HeaderValue, Headers},
    },
};

/// The Message-ID of the probe with this tag, with its angle brackets: `<TAG@DOMAIN>`, the domain being that of the sender's address.
pub fn message_id(sender: &Sender, tag: &Tag) -> String {
    format!("<{tag}@{}>", domain_of(sender))
}

/// The domain of the sender's address, in lower case; a name that cannot exist (RFC 2606) where that address has none that may stand in a header.
pub(super) fn domain_of(sender: &Sender) -> String {
    let domain = sender
        .address
        .rsplit_once('@')
        .map_or("", |(_, domain)| domain)
        .to_ascii_lowercase();
    let valid =
        !domain.is_empty() && domain.len() <= 253 && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if valid { domain } else { "mailflow.invalid".to_owned() }
}

/// Everything but the MIME fields of the content.
pub(super) fn header(plan: &Plan, probe: &Probe, wording: &Wording) -> Headers {
    let sender = plan.sender(probe);
    let name = sender.display_name.clone().unwrap_or_else(|| "Mail-flow test".to_owned());
    // The day it may leave at the earliest, so that a probe held back by `spacing` is not dated hours before it was sent.
    let date = crate::model::time::later(plan.run.started_at, probe.not_before);

    let mut headers = Headers::new();
    match sender.address.parse::<Address>() {
        Ok(address) => headers.set(header::From::from(lettre::message::Mailboxes::from(Mailbox::new(
            Some(name),
            address,
        )))),
        Err(_) => headers.insert_raw(encoded("From", format!("<{}>", sender.address))),
    }
    let recipient = &plan.recipient(probe).address;
    match recipient.parse::<Address>() {
        Ok(address) => headers.set(header::To::from(lettre::message::Mailboxes::from(Mailbox::new(None, address)))),
        Err(_) => headers.insert_raw(encoded("To", format!("<{recipient}>"))),
    }
    headers.insert_raw(encoded("Subject", wording.subject()));
    headers.insert_raw(encoded("Date", date.format("%a, %d %b %Y %H:%M:%S +0000").to_string()));
    headers.insert_raw(token("Message-ID", &probe.message_id));
    headers.insert_raw(token("X-Mailflow-Probe", wording.tag));
    if probe.message != MessageKind::AutoReply {
        // RFC 3834 section 5. Exchange obeys the second field; `NDR`, `DR` or `All` in it would suppress the reports that we want
        // ([MS-OXCMAIL] section 2.1.3.2.20).
        headers.insert_raw(token("Auto-Submitted", "auto-generated"));
        headers.insert_raw(token("X-Auto-Response-Suppress", "OOF, AutoReply"));
    }
    headers.set(header::MIME_VERSION_1_0);
    headers
}

/// A field whose value is folded, and encoded by RFC 2047 where it must be.
fn encoded(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// A field whose value must stand on one line, unbroken: no fold may part a tag. Whatever is not printable ASCII is left out.
fn token(name: &'static str, value: &str) -> HeaderValue {
    let value: String = value.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(900).collect();
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}
