//! FETCH: the data items of one message (RFC 3501, section 6.4.5), header and text whole or in part.
//!
//! Pure. ENVELOPE, BODYSTRUCTURE and numbered MIME parts are not offered: a mail-flow watcher needs none of them.

use std::num::NonZeroU32;

use imap_codec::imap_types::core::{AString, NString};
use imap_codec::imap_types::datetime::DateTime;
use imap_codec::imap_types::fetch::{Macro, MacroOrMessageDataItemNames, MessageDataItem, MessageDataItemName, Section};
use imap_codec::imap_types::flag::{Flag, FlagFetch};

use super::super::headers;
use super::search::Seen;

/// The items that a FETCH asks for, `None` if one is not offered.
pub fn wanted(names: &MacroOrMessageDataItemNames<'_>, uid: bool) -> Option<Vec<MessageDataItemName<'static>>> {
    use imap_codec::imap_types::IntoStatic;
    let mut items: Vec<MessageDataItemName<'static>> = match names {
        MacroOrMessageDataItemNames::Macro(Macro::Fast) => Macro::Fast.expand().into_static(),
        MacroOrMessageDataItemNames::Macro(_) => return None,
        MacroOrMessageDataItemNames::MessageDataItemNames(items) => items.clone().into_static(),
    };
    if uid && !items.contains(&MessageDataItemName::Uid) {
        items.insert(0, MessageDataItemName::Uid);
    }
    items.iter().all(is_offered).then_some(items)
}

fn is_offered(item: &MessageDataItemName<'_>) -> bool {
    use MessageDataItemName as Item;
    match item {
        Item::Flags | Item::InternalDate | Item::Uid | Item::Rfc822 | Item::Rfc822Header | Item::Rfc822Size | Item::Rfc822Text => true,
        Item::BodyExt { section, .. } => matches!(
            section,
            None | Some(Section::Header(None) | Section::HeaderFields(None, _) | Section::HeaderFieldsNot(None, _) | Section::Text(None))
        ),
        _ => false,
    }
}

/// Whether reading these items sets `\Seen`.
pub fn marks_seen(items: &[MessageDataItemName<'_>]) -> bool {
    use MessageDataItemName as Item;
    items
        .iter()
        .any(|item| matches!(item, Item::Rfc822 | Item::Rfc822Text | Item::BodyExt { peek: false, .. }))
}

/// The items of one message.
pub fn items(message: &Seen, names: &[MessageDataItemName<'static>]) -> Vec<MessageDataItem<'static>> {
    names.iter().filter_map(|name| item(message, name)).collect()
}

fn item(message: &Seen, name: &MessageDataItemName<'static>) -> Option<MessageDataItem<'static>> {
    use MessageDataItemName as Name;
    let (head, body) = headers::split(&message.raw);
    let whole_head = &message.raw[..message.raw.len() - body.len()];
    Some(match name {
        Name::Uid => MessageDataItem::Uid(NonZeroU32::new(message.uid)?),
        Name::Flags => MessageDataItem::Flags(flags(message)),
        Name::InternalDate => MessageDataItem::InternalDate(internal_date(message)?),
        Name::Rfc822Size => MessageDataItem::Rfc822Size(u32::try_from(message.raw.len()).unwrap_or(u32::MAX)),
        Name::Rfc822 => MessageDataItem::Rfc822(octets(&message.raw)),
        Name::Rfc822Header => MessageDataItem::Rfc822Header(octets(whole_head)),
        Name::Rfc822Text => MessageDataItem::Rfc822Text(octets(body)),
        Name::BodyExt { section, partial, .. } => {
            let text = match section {
                None => message.raw.to_vec(),
                Some(Section::Text(None)) => body.to_vec(),
                Some(Section::Header(None)) => whole_head.to_vec(),
                Some(Section::HeaderFields(None, names)) => some_fields(head, |name| is_among(name, names.as_ref())),
                Some(Section::HeaderFieldsNot(None, names)) => some_fields(head, |name| !is_among(name, names.as_ref())),
                Some(_) => return None,
            };
            let text = partial.map_or(&text[..], |(from, length)| part(&text, from, length));
            MessageDataItem::BodyExt {
                section: section.clone(),
                origin: partial.map(|(from, _)| from),
                data: octets(text),
            }
        }
        _ => return None,
    })
}

/// The flags of a message.
pub fn flags(message: &Seen) -> Vec<FlagFetch<'static>> {
    message
        .flags
        .iter()
        .filter_map(|flag| Flag::try_from(flag.as_str()).ok())
        .map(|flag| FlagFetch::Flag(own(&flag)))
        .collect()
}

fn own(flag: &Flag<'_>) -> Flag<'static> {
    use imap_codec::imap_types::ToStatic;
    flag.to_static()
}

fn internal_date(message: &Seen) -> Option<DateTime> {
    let seconds = chrono::DateTime::from_timestamp(message.received.timestamp(), 0)?;
    DateTime::try_from(seconds.fixed_offset()).ok()
}

fn is_among(name: &str, names: &[AString<'_>]) -> bool {
    names.iter().any(|wanted| wanted.as_ref().eq_ignore_ascii_case(name.as_bytes()))
}

/// Some fields as written, and the empty line behind them.
fn some_fields(head: &[u8], wanted: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    for field in headers::fields(head).into_iter().filter(|f| wanted(f.name)) {
        out.extend_from_slice(field.whole);
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn part(text: &[u8], from: u32, length: NonZeroU32) -> &[u8] {
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(text.len());
    let length = usize::try_from(length.get()).unwrap_or(usize::MAX);
    &text[from..from.saturating_add(length).min(text.len())]
}

/// Octets as a string of the protocol. A literal cannot hold NUL (RFC 3501, section 9), which then shows as `?`.
fn octets(octets: &[u8]) -> NString<'static> {
    let clean: Vec<u8> = octets.iter().map(|b| if *b == 0 { b'?' } else { *b }).collect();
    NString::try_from(clean).unwrap_or(NString(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use imap_codec::CommandCodec;
    use imap_codec::decode::Decoder;
    use imap_codec::encode::Encoder;
    use imap_codec::imap_types::command::CommandBody;
    use imap_codec::imap_types::core::Vec1;
    use imap_codec::imap_types::response::{Data, Response};
    use std::sync::Arc;

    fn fetched(what: &str, raw: &[u8]) -> Option<String> {
        let line = format!("A UID FETCH 1 {what}\r\n");
        let (_, command) = CommandCodec::default().decode(line.as_bytes()).unwrap();
        let CommandBody::Fetch {
            macro_or_item_names, uid, ..
        } = command.body
        else {
            panic!()
        };
        let message = Seen {
            number: 1,
            uid: 7,
            flags: ["\\Seen".to_owned()].into(),
            received: chrono::DateTime::UNIX_EPOCH,
            raw: Arc::from(raw),
        };
        let items = items(&message, &wanted(&macro_or_item_names, uid)?);
        let data = Data::Fetch {
            seq: NonZeroU32::MIN,
            items: Vec1::try_from(items).unwrap(),
        };
        Some(String::from_utf8(imap_codec::ResponseCodec::default().encode(&Response::Data(data)).dump()).unwrap())
    }

    const RAW: &[u8] = b"Subject: one\r\nX-A: 1\r\n\t2\r\n\r\nbody\r\n";

    #[test]
    fn sections_and_parts() {
        assert_eq!(
            fetched("(FLAGS RFC822.SIZE)", RAW).unwrap(),
            "* 1 FETCH (UID 7 FLAGS (\\Seen) RFC822.SIZE 34)\r\n"
        );
        assert!(
            fetched("BODY.PEEK[HEADER]", RAW)
                .unwrap()
                .contains("{28}\r\nSubject: one\r\nX-A: 1\r\n\t2\r\n\r\n)")
        );
        assert!(
            fetched("BODY.PEEK[HEADER.FIELDS (x-a)]", RAW)
                .unwrap()
                .contains("{14}\r\nX-A: 1\r\n\t2\r\n\r\n)")
        );
        assert!(fetched("BODY.PEEK[TEXT]<1.2>", RAW).unwrap().contains("BODY[TEXT]<1> \"od\""));
        assert!(fetched("BODY[]<30.999>", RAW).unwrap().contains("<30>"));
        assert!(fetched("BODY[]<4000000000.4000000000>", RAW).unwrap().contains("<4000000000> \"\""));
        assert!(fetched("INTERNALDATE", RAW).unwrap().contains("01-Jan-1970 00:00:00 +0000"));
    }

    #[test]
    fn what_is_not_offered_says_so() {
        for what in ["ENVELOPE", "BODYSTRUCTURE", "BODY", "ALL", "FULL", "BODY[1]", "BODY[1.MIME]"] {
            assert_eq!(fetched(what, RAW), None, "{what}");
        }
    }

    #[test]
    fn octets_that_no_literal_can_hold_are_shown() {
        assert_eq!(octets(b"a\0b"), NString::try_from("a?b").unwrap());
        assert_eq!(octets(b"\xff").into_option().as_deref(), Some(&b"\xff"[..]));
    }
}
