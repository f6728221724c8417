//! A message by mail, for a server that is no part of the mail system under test. Doubles are told by the Message-ID, which is the same for every
//! attempt; answers of machines are asked not to come (RFC 3834).

use super::words;
use crate::model::{AlertMessage, Occasion};
use lettre::{
    Message,
    address::AddressError,
    message::{
        Mailbox, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};

/// The message to one recipient, in the format of RFC 5322.
///
/// # Errors
/// A sentence, if an address is of no use.
pub fn compose(from: &str, to: &str, message: &AlertMessage) -> Result<Vec<u8>, String> {
    let mailbox = |address: &str| {
        let parsed: Result<lettre::Address, AddressError> = address.parse();
        parsed
            .map(|address| Mailbox::new(None, address))
            .map_err(|error| format!("the address {address} is of no use: {error}"))
    };
    let domain = from.rsplit('@').next().unwrap_or("localhost");
    let word = match message.kind {
        Occasion::Failure => "failure",
        Occasion::Unknown => "not measured",
        Occasion::Missed => "missed run",
        Occasion::Recovery => "recovery",
        Occasion::Test => "trial",
    };
    let date = std::time::SystemTime::from(message.at);
    let mut built = Message::builder()
        .from(mailbox(from)?)
        .to(mailbox(to)?)
        .subject(words::shorten(&format!("[mailflow {word}] {}", message.title), 200))
        .date(date)
        .message_id(Some(format!("<{}@{domain}>", message.id)))
        .singlepart(
            SinglePart::builder()
                .header(ContentType::TEXT_PLAIN)
                .header(ContentTransferEncoding::QuotedPrintable)
                .body(format!("{}.\n\n{}\n", message.title, words::text(message, 30_000))),
        )
        .map_err(|error| error.to_string())?;
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
        ("X-Mailflow-Alert", message.id.as_str()),
    ] {
        if let Ok(name) = HeaderName::new_from_ascii(name.to_owned()) {
            built.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
        }
    }
    Ok(built.formatted())
}
