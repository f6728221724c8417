//! `sendMail`, as JSON or as MIME: 202 as soon as the message is taken, whatever becomes of it.
//!
//! Cannot see delivery: a wrong recipient comes back as a notification in the sender's inbox.

use std::sync::Arc;

use data_encoding::BASE64;
use mail_parser::{Address, MessageParser};
use serde::Deserialize;

use super::super::super::headers;
use super::super::answer::Answer;
use super::super::deliver::Letter;
use super::super::residents::Resident;
use super::super::store::{Parcel, Place};
use super::Begun;

/// The most headers of one's own in the JSON form.
const MOST_HEADERS: usize = 5;
/// Header fields that survive besides those that begin with `x-`.
const SURVIVE: [&str; 20] = [
    "auto-submitted",
    "bcc",
    "cc",
    "content-language",
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "importance",
    "in-reply-to",
    "message-id",
    "mime-version",
    "priority",
    "references",
    "reply-to",
    "sender",
    "subject",
    "thread-index",
    "thread-topic",
    "to",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SendMail {
    #[serde(alias = "Message")]
    message: Draft,
    #[serde(alias = "SaveToSentItems", default = "yes")]
    save_to_sent_items: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Draft {
    subject: String,
    body: Text,
    from: Option<Recipient>,
    to_recipients: Vec<Recipient>,
    cc_recipients: Vec<Recipient>,
    bcc_recipients: Vec<Recipient>,
    internet_message_headers: Option<Vec<Header>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Text {
    content_type: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: Mailbox,
}

#[derive(Deserialize)]
struct Mailbox {
    address: String,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

fn yes() -> bool {
    true
}

impl Begun {
    /// Takes a message and hands it to transport.
    pub fn send_mail(&self) -> Result<Answer, Answer> {
        let sender = self.mailbox()?.clone();
        let (raw, recipients, save) = if self.call.header("content-type").starts_with("text/plain") {
            let raw = self.taken_as_mime(&sender)?;
            let recipients = recipients(&raw);
            (raw, recipients, true)
        } else {
            self.taken_as_json(&sender)?
        };
        if recipients.is_empty() || recipients.iter().any(|r| !is_address(r)) {
            return Err(Answer::error(400, "ErrorInvalidRecipients", "At least one recipient isn't valid."));
        }
        if save {
            let parcel = Parcel {
                to: sender.clone(),
                place: Place::WellKnown("sentitems"),
                raw: Arc::from(raw.as_slice()),
                other: false,
                sent: true,
            };
            self.world.state().store.put(parcel, self.world.now());
        }
        for recipient in &recipients {
            self.world.deliver(Letter {
                sender: &sender.address,
                recipient,
                raw: &raw,
                from_ip: "",
                internal: true,
                spam: false,
            });
        }
        Ok(Answer::empty(202))
    }

    /// The message of the MIME form, as it goes out.
    fn taken_as_mime(&self, sender: &Resident) -> Result<Vec<u8>, Answer> {
        let invalid = || {
            Answer::error(
                400,
                "ErrorMimeContentInvalidBase64String",
                "Invalid base64 string for MIME content.",
            )
        };
        let body = self.call.body.trim_ascii();
        let raw = BASE64.decode(body).ok().filter(|raw| !raw.is_empty()).ok_or_else(invalid)?;
        let named = MessageParser::default()
            .parse_headers(&raw)
            .and_then(|parsed| Some(parsed.from()?.first()?.address()?.to_lowercase()));
        if named.as_ref().is_some_and(|address| *address != sender.address) {
            return Err(send_as_denied());
        }
        let replaced = self.world.config.replaces_message_id;
        let kept = headers::without(&raw, |name| {
            let name = name.to_ascii_lowercase();
            !(SURVIVE.contains(&name.as_str()) || name.starts_with("x-")) || (replaced && name == "message-id")
        });
        let mut top = String::new();
        if named.is_none() {
            top.push_str(&format!("From: <{}>\r\n", sender.address));
        }
        if headers::first(&kept, "Date").is_none() {
            top.push_str(&format!("Date: {}\r\n", self.world.now().to_rfc2822()));
        }
        if headers::first(&kept, "Message-ID").is_none() {
            top.push_str(&format!("Message-ID: {}\r\n", self.message_id()?));
        }
        Ok([top.as_bytes(), &kept].concat())
    }

    /// The message of the JSON form, its recipients, and whether a copy is kept.
    fn taken_as_json(&self, sender: &Resident) -> Result<(Vec<u8>, Vec<String>, bool), Answer> {
        let request: SendMail = serde_json::from_slice(&self.call.body)
            .map_err(|_| Answer::error(400, "UnableToDeserializePostBody", "were unable to deserialize"))?;
        let draft = request.message;
        if draft
            .from
            .as_ref()
            .is_some_and(|from| !from.email_address.address.eq_ignore_ascii_case(&sender.address))
        {
            return Err(send_as_denied());
        }
        let own = own_headers(draft.internet_message_headers.as_deref())?;
        let list = |recipients: &[Recipient]| -> Vec<String> { recipients.iter().map(|r| r.email_address.address.clone()).collect() };
        let (to, cc, bcc) = (list(&draft.to_recipients), list(&draft.cc_recipients), list(&draft.bcc_recipients));
        let all = [to.clone(), cc.clone(), bcc].concat();
        if all.iter().any(|address| !is_address(address)) {
            return Err(Answer::error(400, "ErrorInvalidRecipients", "At least one recipient isn't valid."));
        }
        let field = |name: &str, list: &[String]| {
            if list.is_empty() {
                String::new()
            } else {
                format!("{name}: <{}>\r\n", list.join(">, <"))
            }
        };
        let html = draft.body.content_type.eq_ignore_ascii_case("html");
        let kind = if html { "html" } else { "plain" };
        let top = format!(
            "From: <{}>\r\n{}{}Subject: {}\r\nDate: {}\r\nMessage-ID: {}\r\n{own}MIME-Version: 1.0\r\n\
             Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
            sender.address,
            field("To", &to),
            field("Cc", &cc),
            word(&draft.subject),
            self.world.now().to_rfc2822(),
            self.message_id()?,
        );
        let body = BASE64.encode(draft.body.content.as_bytes());
        let lines: Vec<&[u8]> = body.as_bytes().chunks(76).collect();
        Ok((
            [top.as_bytes(), &lines.join(&b"\r\n"[..]), b"\r\n"].concat(),
            all,
            request.save_to_sent_items,
        ))
    }

    fn message_id(&self) -> Result<String, Answer> {
        let id = self
            .world
            .guid()
            .map_err(|_| Answer::error(503, "serviceNotAvailable", "No random numbers."))?;
        Ok(format!("<{id}@prod.{}>", self.world.residents.domain()))
    }
}

fn send_as_denied() -> Answer {
    let message =
        "The user account which was used to submit this request does not have the right to send mail on behalf of the specified account.";
    Answer::error(403, "ErrorSendAsDenied", message)
}

/// At most five, each beginning with `x-`; an empty list is refused, a missing one is not.
fn own_headers(headers: Option<&[Header]>) -> Result<String, Answer> {
    let Some(headers) = headers else {
        return Ok(String::new());
    };
    if headers.is_empty() || headers.len() > MOST_HEADERS {
        let message = "The number of internet message headers must be between 1 and 5.";
        return Err(Answer::error(400, "InvalidInternetMessageHeaderCollection", message));
    }
    let mut out = String::new();
    for Header { name, value } in headers {
        let plain = name.bytes().all(|b| b.is_ascii_graphic() && b != b':') && !value.contains(['\r', '\n']);
        if !plain || !name.to_ascii_lowercase().starts_with("x-") {
            let message = format!("The internet message header name '{name}' should start with 'x-' or 'X-'.");
            return Err(Answer::error(400, "InvalidInternetMessageHeader", &message));
        }
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    Ok(out)
}

/// All addresses in To, Cc and Bcc.
fn recipients(raw: &[u8]) -> Vec<String> {
    let Some(parsed) = MessageParser::default().parse_headers(raw) else {
        return Vec::new();
    };
    let lists = [parsed.to(), parsed.cc(), parsed.bcc()].into_iter().flatten();
    let addresses = lists.flat_map(Address::iter).filter_map(|a| a.address().map(str::to_owned));
    addresses.collect()
}

fn is_address(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"<>,;\"()".contains(&b));
    plain
        && text.len() <= 254
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
}

/// A header value on one line, as an encoded word where it is not ASCII (RFC 2047).
fn word(text: &str) -> String {
    let text = text.replace(['\r', '\n'], " ");
    if text.is_ascii() {
        text
    } else {
        format!("=?utf-8?B?{}?=", BASE64.encode(text.as_bytes()))
    }
}
