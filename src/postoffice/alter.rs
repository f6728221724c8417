//! What gateways do to messages on the way: rewriting links, wrapping for a journal, stripping headers.
//!
//! Pure: octets in, octets out. Cannot see recipients' fates; `courier` decides who gets which treatment.

use data_encoding::{BASE64, HEXUPPER};
use mail_parser::{Encoding, MessageParser, PartType};

use super::headers;

/// Where rewritten links point to, in the manner of Microsoft's Safe Links.
pub const REWRITTEN_LINK: &str = "https://eur01.safelinks.protection.outlook.example/?url=";
const BANNER: &str = "CAUTION: This message came from outside the organisation.";
/// The length of a probe's tag: one token of these many letters of the base32 alphabet.
const TAG_LENGTH: usize = 42;

/// The message with every web link in its text parts rewritten; where there is none, with a banner above the first text.
pub fn links_rewritten(raw: &[u8]) -> Vec<u8> {
    let mut changes: Vec<(usize, usize, Vec<u8>)> = Vec::new();
    let mut banner = None;
    for part in MessageParser::default().parse(raw).map(|m| m.parts).unwrap_or_default() {
        let (PartType::Text(text) | PartType::Html(text)) = &part.body else {
            continue;
        };
        let (start, end) = (part.offset_body as usize, part.offset_end as usize);
        if start > end || end > raw.len() {
            continue;
        }
        if let Some(changed) = rewrite_links(text) {
            changes.push((start, end, encode(&changed, part.encoding)));
        } else if banner.is_none() {
            let html = matches!(part.body, PartType::Html(_));
            let top = if html {
                format!("<p>{BANNER}</p>\r\n")
            } else {
                format!("{BANNER}\r\n\r\n")
            };
            banner = Some((start, end, encode(&(top + text), part.encoding)));
        }
    }
    if changes.is_empty() {
        changes.extend(banner);
    }
    changes.sort_by_key(|(start, ..)| *start);
    let mut out = Vec::with_capacity(raw.len() + 1024);
    let mut at = 0;
    for (start, end, body) in changes {
        // Parts of a broken message may overlap; the first then wins.
        if start >= at {
            out.extend_from_slice(&raw[at..start]);
            out.extend_from_slice(&body);
            at = end;
        }
    }
    out.extend_from_slice(&raw[at..]);
    out
}

fn rewrite_links(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut found = false;
    while let Some(at) = ["https://", "http://"].iter().filter_map(|scheme| rest.find(scheme)).min() {
        let link = &rest[at..];
        let length = link
            .find(|c: char| c.is_whitespace() || "<>\"')]".contains(c))
            .unwrap_or(link.len());
        out.push_str(&rest[..at]);
        out.push_str(REWRITTEN_LINK);
        percent_encode(&link[..length], &mut out);
        out.push_str("&data=05%7C02&reserved=0");
        rest = &link[length..];
        found = true;
    }
    out.push_str(rest);
    found.then_some(out)
}

fn percent_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&HEXUPPER.encode(&[byte]));
        }
    }
}

/// The text in the transfer encoding that its part had (RFC 2045).
fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::None => text.as_bytes().to_vec(),
        Encoding::Base64 => {
            let lines = BASE64.encode(text.as_bytes());
            let mut out: Vec<u8> = lines.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
            out.extend_from_slice(b"\r\n");
            out
        }
        Encoding::QuotedPrintable => quoted_printable(text).into_bytes(),
    }
}

fn quoted_printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut column = 0;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().copied().enumerate() {
        let line_ends = matches!(bytes.get(at + 1), None | Some(b'\r' | b'\n'));
        let piece = match byte {
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => continue,
            b'\n' => {
                out.push_str("\r\n");
                column = 0;
                continue;
            }
            b' ' | b'\t' if !line_ends => char::from(byte).to_string(),
            b'!'..=b'<' | b'>'..=b'~' => char::from(byte).to_string(),
            _ => format!("={byte:02X}"),
        };
        if column + piece.len() > 75 {
            out.push_str("=\r\n");
            column = 0;
        }
        column += piece.len();
        out.push_str(&piece);
    }
    out
}

/// The message as an attachment of a journal report; nothing of its header stands in the outer one.
pub fn wrapped(raw: &[u8], message_id: &str, date: &str) -> Vec<u8> {
    let boundary = format!(
        "=_journal_{}",
        message_id
            .trim_matches(['<', '>'])
            .replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    );
    let mut out = format!(
        "From: Journal <journal@contoso.example>\r\nTo: Recipients <journal@contoso.example>\r\nSubject: Journal report\r\n\
         Date: {date}\r\nMessage-ID: {message_id}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nThe journaled message is attached.\r\n\
         --{boundary}\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n"
    )
    .into_bytes();
    out.extend_from_slice(raw);
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    out
}

/// The message with another Message-ID, without its X- headers, and without the tag in the subject; the body is kept.
pub fn stripped(raw: &[u8], message_id: &str) -> Vec<u8> {
    let subject = MessageParser::default()
        .parse_headers(raw)
        .and_then(|m| m.subject().map(str::to_owned))
        .unwrap_or_default();
    let plain = headers::without(raw, |name| name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-")));
    let renamed = headers::replaced(&plain, "Message-ID", |_| message_id.to_owned());
    headers::replaced(&renamed, "Subject", |_| encoded_words(&without_tag(&subject)))
}

fn without_tag(subject: &str) -> String {
    let is_tag = |token: &str| token.len() == TAG_LENGTH && token.bytes().all(|b| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(&b));
    let kept = subject.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).map(|piece| {
        let token = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_tag(token) { &piece[token.len()..] } else { piece }
    });
    let text: String = kept.collect();
    text.replace("[]", "")
        .replace("()", "")
        .replace("<>", "")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// A header's text, as encoded words where it is not ASCII (RFC 2047).
fn encoded_words(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        if words.last().is_some_and(|word| word.len() + c.len_utf8() > 42) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words
        .iter()
        .map(|word| format!("=?utf-8?B?{}?=", BASE64.encode(word.as_bytes())))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(raw: &[u8]) -> String {
        MessageParser::default()
            .parse(raw)
            .and_then(|m| m.body_text(0).map(std::borrow::Cow::into_owned))
            .unwrap_or_default()
    }

    #[test]
    fn links_are_rewritten_in_each_transfer_encoding() {
        let plain = "See https://contoso.example/a?b=1 please.\r\n";
        let part = |encoding: &str, body: &str| {
            format!("Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}")
        };
        for raw in [
            part("7bit", plain),
            part("quoted-printable", "See https://contoso.exam=\r\nple/a?b=3D1 please.\r\n"),
            part("base64", &BASE64.encode(plain.as_bytes())),
        ] {
            let text = text_of(&links_rewritten(raw.as_bytes()));
            assert!(
                text.contains(REWRITTEN_LINK) && text.contains("https%3A%2F%2Fcontoso.example%2Fa%3Fb%3D1"),
                "{text}"
            );
            assert!(text.ends_with(" please.\r\n") || text.ends_with(" please.\n"), "{text:?}");
        }
    }

    #[test]
    fn a_text_without_links_gets_a_banner() {
        let text = text_of(&links_rewritten(b"Subject: x\r\n\r\nHello.\r\n"));
        assert!(text.starts_with(BANNER) && text.contains("Hello."), "{text}");
    }

    #[test]
    fn the_wrapped_message_is_whole_inside() {
        let inner = b"Subject: secret\r\nX-Probe: 1\r\n\r\nbody\r\n";
        let outer = wrapped(inner, "<9@po>", "Thu, 1 Jan 1970 00:00:00 +0000");
        assert_eq!(headers::first(&outer, "Subject").as_deref(), Some("Journal report"));
        let message = MessageParser::default().parse(&outer).unwrap();
        let attached = message.attachment(0).and_then(|p| p.message()).unwrap();
        assert_eq!(attached.subject(), Some("secret"));
    }

    #[test]
    fn stripping_leaves_the_body() {
        let tag = "a2b3c4d5e6f7".repeat(4)[..42].to_owned();
        let raw = format!("Message-ID: <1@x>\r\nX-Probe: {tag}\r\nSubject: Mail flow probe [{tag}]\r\n\r\n{tag}\r\n");
        let out = String::from_utf8(stripped(raw.as_bytes(), "<2@po>")).unwrap();
        assert_eq!(out, format!("Message-ID: <2@po>\r\nSubject: Mail flow probe\r\n\r\n{tag}\r\n"));
        assert_eq!(without_tag(&format!("Über {tag}: ja")), "Über : ja");
        assert!(encoded_words("Über").starts_with("=?utf-8?B?"));
    }
}
