//! A stored message as Graph's JSON.
//!
//! Cannot see permissions: `messages` has checked what may be selected.

use chrono::{DateTime, SecondsFormat, Utc};
use mail_parser::{Address, Message, MessageParser, MimeHeaders};
use serde_json::{Map, Value, json};

use super::super::super::headers;
use super::super::ids::Id;
use super::super::mailbox::{Item, Mailbox};

/// Every property of a message, in the order in which they are given.
pub const PROPERTIES: [&str; 30] = [
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "categories",
    "receivedDateTime",
    "sentDateTime",
    "hasAttachments",
    "internetMessageId",
    "subject",
    "bodyPreview",
    "importance",
    "parentFolderId",
    "conversationId",
    "conversationIndex",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "isRead",
    "isDraft",
    "webLink",
    "inferenceClassification",
    "body",
    "sender",
    "from",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "flag",
    "internetMessageHeaders",
];
/// What [`PROPERTIES`] are given only when selected.
const SELECTED_ONLY: [&str; 1] = ["internetMessageHeaders"];
/// What `Mail.ReadBasic` does not show.
pub const OF_THE_BODY: [&str; 2] = ["body", "bodyPreview"];

/// How a message is to be shown.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// The properties, or `None` for the usual ones.
    pub select: Option<Vec<&'a str>>,
    /// Whether ids are immutable ones.
    pub immutable: bool,
    /// Whether bodies come as plain text.
    pub text: bool,
    /// Whether bodies are shown at all when nothing is selected.
    pub bodies: bool,
    /// The extended properties asked for, by id (`String 0x001A`).
    pub extended: Vec<String>,
}

/// A time as Graph writes it.
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The id of an item as the client wants it.
pub fn id(mailbox: &Mailbox, item: &Item, immutable: bool) -> String {
    let id = if immutable {
        Id::Immutable { serial: item.serial }
    } else {
        Id::Item {
            serial: item.serial,
            moves: item.moves,
        }
    };
    id.write(mailbox.number)
}

/// The message.
pub fn message(mailbox: &Mailbox, item: &Item, view: &View<'_>) -> Value {
    let parsed = MessageParser::default().parse(&*item.raw).unwrap_or_default();
    let mut out = Map::new();
    out.insert("@odata.etag".to_owned(), json!(format!("W/\"{}\"", change_key(item))));
    for name in PROPERTIES {
        let wanted = match &view.select {
            Some(select) => name == "id" || select.contains(&name),
            None => !SELECTED_ONLY.contains(&name) && (view.bodies || !OF_THE_BODY.contains(&name)),
        };
        if wanted && let Some(value) = property(name, mailbox, item, &parsed, view) {
            out.insert(name.to_owned(), value);
        }
    }
    if !view.extended.is_empty() {
        let found = view
            .extended
            .iter()
            .filter_map(|id| Some(json!({ "id": id, "value": extended(id, item, &parsed)? })));
        out.insert("singleValueExtendedProperties".to_owned(), found.collect());
    }
    Value::Object(out)
}

fn property(name: &str, mailbox: &Mailbox, item: &Item, parsed: &Message<'_>, view: &View<'_>) -> Option<Value> {
    let from = || parsed.from().and_then(Address::first).map(recipient);
    let list = |address: Option<&Address<'_>>| Some(address.map_or_else(|| json!([]), recipients));
    Some(match name {
        "id" => json!(id(mailbox, item, view.immutable)),
        "createdDateTime" | "receivedDateTime" => json!(time(item.received)),
        "lastModifiedDateTime" => json!(time(item.modified)),
        "changeKey" => json!(change_key(item)),
        "categories" | "bccRecipients" => json!([]),
        "sentDateTime" => json!(sent(parsed).map_or_else(|| time(item.received), time)),
        "hasAttachments" => json!(parsed.attachment_count() > 0),
        "internetMessageId" => json!(headers::first(&item.raw, "Message-ID").unwrap_or_default()),
        "subject" => json!(parsed.subject().unwrap_or_default()),
        "bodyPreview" => json!(parsed.body_text(0).unwrap_or_default().chars().take(255).collect::<String>()),
        "importance" => json!("normal"),
        "parentFolderId" => json!(Id::Folder { number: item.folder }.write(mailbox.number)),
        "conversationId" => json!(Id::Other { serial: item.serial }.write(mailbox.number)),
        "isDeliveryReceiptRequested" | "isReadReceiptRequested" | "isDraft" | "isRead" => json!(name == "isRead" && item.sent),
        "inferenceClassification" => json!(if item.other { "other" } else { "focused" }),
        "body" => body(parsed, view.text),
        "sender" => parsed.sender().and_then(Address::first).map(recipient).or_else(from)?,
        "from" => from()?,
        "toRecipients" => list(parsed.to())?,
        "ccRecipients" => list(parsed.cc())?,
        "replyTo" => list(parsed.reply_to())?,
        "flag" => json!({ "flagStatus": "notFlagged" }),
        // The copy among the sent items has none.
        "internetMessageHeaders" if !item.sent => internet_headers(&item.raw),
        _ => return None,
    })
}

fn change_key(item: &Item) -> String {
    format!("CQAAABYAAA{:08X}{:04X}", item.serial, item.moves)
}

/// The date in the header.
fn sent(parsed: &Message<'_>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(parsed.date()?.to_timestamp(), 0)
}

fn recipient(address: &mail_parser::Addr<'_>) -> Value {
    let mail = address.address().unwrap_or_default();
    json!({ "emailAddress": { "name": address.name().unwrap_or(mail), "address": mail } })
}

fn recipients(addresses: &Address<'_>) -> Value {
    addresses.iter().map(recipient).collect()
}

/// From top to bottom, on one line each, names as often as they come.
fn internet_headers(raw: &[u8]) -> Value {
    let fields = headers::fields(raw).into_iter();
    fields
        .map(|field| json!({ "name": field.name, "value": headers::unfold(field.value) }))
        .collect()
}

/// The body as JSON, HTML unless plain text is preferred.
pub fn body(parsed: &Message<'_>, text: bool) -> Value {
    let (kind, content) = if text {
        ("text", parsed.body_text(0))
    } else {
        ("html", parsed.body_html(0))
    };
    json!({ "contentType": kind, "content": content.unwrap_or_default() })
}

/// The named properties of internet headers, `PS_INTERNET_HEADERS`: their names are those of header fields.
const OF_HEADERS: &str = "string {00020386-0000-0000-c000-000000000046} name ";

/// The extended properties that clients ask for: the message class, the header, the Message-ID, and single header fields by name. That every
/// field is kept as a property is a guess: the service may do so only for fields that it has met before.
fn extended(id: &str, item: &Item, parsed: &Message<'_>) -> Option<String> {
    if let Some(name) = id.to_ascii_lowercase().strip_prefix(OF_HEADERS) {
        return headers::first(&item.raw, name).filter(|_| !item.sent);
    }
    let report = parsed.content_type().is_some_and(|kind| kind.subtype() == Some("report"));
    let head = || String::from_utf8_lossy(headers::split(&item.raw).0).into_owned();
    match id.to_ascii_lowercase().as_str() {
        "string 0x001a" | "string 0x1a" => Some(if report { "REPORT.IPM.Note.NDR" } else { "IPM.Note" }.to_owned()),
        "string 0x007d" | "string 0x7d" => Some(head()),
        "string 0x1035" => headers::first(&item.raw, "Message-ID"),
        _ => None,
    }
}
