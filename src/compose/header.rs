//! The header of a probe: who sends it, to whom, and where the tag stands in it.

use super::{MessageKind, Plan, Probe, Sender, Tag, Wording, impersonation, list};
use lettre::{
    Address,
    message::{
        Mailbox, Mailboxes,
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
pub(super) fn header(plan: &Plan, probe: &Probe, wording: &Wording, subject: String) -> Headers {
    let (name, address) = impersonation::from(plan, probe);
    // The day it may leave at the earliest, so that a probe held back by `spacing` is not dated hours before it was sent.
    let date = crate::model::time::later(plan.run.started_at, probe.not_before);

    let mut headers = Headers::new();
    if !address.is_ascii() {
        headers.insert_raw(wide("From", &format!("{} <{address}>", quoted(&name))));
    } else if let Ok(address) = address.parse::<Address>() {
        headers.set(header::From::from(Mailboxes::from(Mailbox::new(Some(name), address))));
    } else {
        headers.insert_raw(encoded("From", format!("<{address}>")));
    }
    let recipient = &plan.recipient(probe).address;
    if !recipient.is_ascii() {
        headers.insert_raw(wide("To", &format!("<{recipient}>")));
    } else if let Ok(address) = recipient.parse::<Address>() {
        headers.set(header::To::from(Mailboxes::from(Mailbox::new(None, address))));
    } else {
        headers.insert_raw(encoded("To", format!("<{recipient}>")));
    }
    if probe.message == MessageKind::Unicode && is_wide(plan, probe) {
        headers.insert_raw(wide("Subject", &subject));
    } else {
        headers.insert_raw(encoded("Subject", subject));
    }
    headers.insert_raw(encoded("Date", date.format("%a, %d %b %Y %H:%M:%S +0000").to_string()));
    headers.insert_raw(token("Message-ID", &probe.message_id));
    headers.insert_raw(token("X-Mailflow-Probe", wording.tag));
    if probe.message != MessageKind::AutoReply {
        // RFC 3834 section 5. Exchange obeys the second field; `NDR`, `DR` or `All` in it would suppress the reports that we want
        // ([MS-OXCMAIL] section 2.1.3.2.20).
        headers.insert_raw(token("Auto-Submitted", "auto-generated"));
        headers.insert_raw(token("X-Auto-Response-Suppress", "OOF, AutoReply"));
    }
    if probe.message == MessageKind::List {
        for (name, value) in list::fields(wording) {
            headers.insert_raw(encoded(name, value));
        }
    }
    headers.set(header::MIME_VERSION_1_0);
    headers
}

/// Whether the header holds an address beyond ASCII: then it must be UTF-8 as it is (RFC 6532), since encoded words cannot stand in an address
/// (RFC 2047 section 5), and only servers with `SMTPUTF8` take it.
pub(super) fn is_wide(plan: &Plan, probe: &Probe) -> bool {
    !plan.recipient(probe).address.is_ascii() || !impersonation::from(plan, probe).1.is_ascii()
}

/// A display name as a quoted string (RFC 5322 section 3.2.4).
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A field in UTF-8 as it is, folded at spaces.
fn wide(name: &'static str, value: &str) -> HeaderValue {
    let value: String = value.chars().filter(|character| !character.is_control()).take(900).collect();
    let folded = super::wording::fill(&value).replace("\r\n", "\r\n ");
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value, folded)
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
