//! An invitation, as the usual clients send it: once as an alternative of the text, from which a calendar takes it (RFC 6047), and once as a file.
//! It takes no time from anybody: fifteen minutes of the next day, shown as free, with no alarm and no answer asked for.

use super::{Content, Wording, attached, multipart, nested};
use chrono::{Duration, Timelike};
use lettre::message::{Body, MultiPartKind, SinglePart, header::ContentTransferEncoding, header::ContentType};

/// The octets of a content line without its end (RFC 5545 section 3.1).
const LINE: usize = 75;

pub(super) fn content(wording: &Wording) -> Content {
    let text = wording.text(&[
        "An invitation comes with this message, so that the test shows whether invitations arrive. No answer is needed, and the entry may be deleted.",
    ]);
    let invitation = invitation(wording);
    let alternatives = nested(MultiPartKind::Alternative, wording).singlepart(SinglePart::plain(text));
    // The type is a constant that parses, and base64 takes everything; without them the file would go alone.
    let alternatives = match (
        ContentType::parse("text/calendar; method=REQUEST; charset=utf-8"),
        Body::new_with_encoding(invitation.clone(), ContentTransferEncoding::Base64),
    ) {
        (Ok(kind), Ok(body)) => alternatives.singlepart(SinglePart::builder().header(kind).body(body)),
        _ => alternatives,
    };
    Content::Multi(
        multipart(MultiPartKind::Mixed, wording)
            .multipart(alternatives)
            .singlepart(attached("invite.ics", "application/ics", invitation.into_bytes())),
    )
}

fn invitation(wording: &Wording) -> String {
    let stamp = "%Y%m%dT%H%M%SZ";
    let day = wording.started + Duration::days(1);
    let start = day.with_minute(0).and_then(|time| time.with_second(0)).unwrap_or(day);
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "PRODID:-//mailflow//mail-flow test//EN".to_owned(),
        "VERSION:2.0".to_owned(),
        "METHOD:REQUEST".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@{}", wording.tag, wording.domain),
        format!("DTSTAMP:{}", wording.started.format(stamp)),
        format!("DTSTART:{}", start.format(stamp)),
        format!("DTEND:{}", (start + Duration::minutes(15)).format(stamp)),
        format!("ORGANIZER;CN=\"Mail-flow test\":mailto:{}", in_uri(&wording.sender)),
        format!(
            "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=OPT-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=FALSE:mailto:{}",
            in_uri(&wording.recipient)
        ),
        format!("SUMMARY:{}", text(&wording.subject())),
        format!(
            "DESCRIPTION:{}",
            text(&format!(
                "A test of mailflow. This entry may be deleted.\nReference: {}",
                wording.tag
            ))
        ),
        "SEQUENCE:0".to_owned(),
        "STATUS:TENTATIVE".to_owned(),
        "TRANSP:TRANSPARENT".to_owned(),
        "CLASS:PUBLIC".to_owned(),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ];
    lines.iter().map(|line| folded(line)).collect()
}

/// A value of type TEXT (RFC 5545 section 3.3.11).
fn text(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace(';', "\\;")
        .replace(',', "\\,")
        .replace('\n', "\\n")
}

/// An address in a `mailto` URI (RFC 6068 section 2).
fn in_uri(address: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~@!$'*+".contains(byte);
    address
        .bytes()
        .map(|byte| {
            if plain(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// A content line with its end, folded where it is too long. No character is parted.
fn folded(line: &str) -> String {
    let mut folded = String::with_capacity(line.len() + line.len() / LINE * 3 + 2);
    let mut length = 0;
    for character in line.chars() {
        if length + character.len_utf8() > LINE {
            folded.push_str("\r\n ");
            length = 1;
        }
        folded.push(character);
        length += character.len_utf8();
    }
    folded.push_str("\r\n");
    folded
}
