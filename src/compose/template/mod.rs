//! A message of the administrator's own, such as the notice of a vendor that must get through: a file in the format of RFC 5322, with placeholders.
//!
//! The file sets the subject, the MIME structure and further fields. Who sends it to whom, when, under which Message-ID and tag is always ours, and
//! fields that would lead answers elsewhere or claim a way that was not taken are left out. Placeholders are filled in where text is: in the subject,
//! in further fields and in parts of type text, whatever their transfer encoding; parts are encoded anew. What it cannot see: placeholders inside of
//! attached documents and pictures, which go as they are.

mod part;

use super::{Wording, html};
use lettre::message::header::{HeaderName, HeaderValue, Headers};
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

/// The most octets of a template.
pub const LONGEST: u64 = 1024 * 1024;
/// The most parts of one.
const MOST_PARTS: usize = 100;
/// The most multiparts inside each other.
const DEEPEST: usize = 8;
/// The longest value of a further field that is kept, in octets.
const LONGEST_FIELD: usize = 2_000;

/// What may stand between braces.
pub const PLACEHOLDERS: [&str; 10] = [
    "tag",
    "recipient",
    "role",
    "sender",
    "contact",
    "scenario",
    "change",
    "date",
    "link",
    "code",
];

/// Fields that are ours, beside all that begin with `Content-` or `Resent-`.
const OURS: [&str; 24] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Return-Path",
    "Received",
    "Delivered-To",
    "MIME-Version",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Mailflow-Probe",
    "DKIM-Signature",
    "Authentication-Results",
    "ARC-Seal",
    "ARC-Message-Signature",
    "ARC-Authentication-Results",
    "Disposition-Notification-To",
];

/// Why a text is no template, and in which of its lines (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The line.
    pub line: usize,
    /// What is wrong with it, in words.
    pub what: String,
    /// The placeholder that is not known, if that is it.
    pub placeholder: Option<String>,
}

/// Checks a template.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(text: &str) -> Result<(), Flaw> {
    let flaw = |line: usize, what: &str| Flaw {
        line,
        what: what.to_owned(),
        placeholder: None,
    };
    let first = text.lines().next().unwrap_or_default();
    let is_field = first
        .split_once(':')
        .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
    if !is_field {
        return Err(flaw(1, "a template begins with its header, such as `Subject: …`"));
    }
    for (index, line) in text.lines().enumerate() {
        unknown_in(line, index + 1)?;
    }
    let crlf = with_crlf(text);
    let Some(message) = MessageParser::default().parse(crlf.as_bytes()) else {
        return Err(flaw(1, "it cannot be read as a message"));
    };
    if message.parts.len() > MOST_PARTS {
        return Err(flaw(1, &format!("it has more than {MOST_PARTS} parts")));
    }
    if part::depth(&message, 0) > DEEPEST {
        return Err(flaw(1, &format!("its parts are nested deeper than {DEEPEST}")));
    }
    for part in &message.parts {
        let line = line_of(&crlf, part.offset_header as usize);
        let is_signed = part
            .content_type()
            .is_some_and(|kind| kind.ctype() == "multipart" && kind.subtype().is_some_and(|kind| matches!(kind, "signed" | "encrypted")));
        if is_signed {
            return Err(flaw(line, "a signed or encrypted message cannot be filled in"));
        }
        // What an encoding hid: the line is that where its part begins.
        if let PartType::Text(text) | PartType::Html(text) = &part.body {
            unknown_in(text, line)?;
        }
    }
    Ok(())
}

fn unknown_in(text: &str, line: usize) -> Result<(), Flaw> {
    match names(text).find(|name| !PLACEHOLDERS.contains(name)) {
        Some(name) => Err(Flaw {
            line,
            what: format!("there is no placeholder {{{name}}}"),
            placeholder: Some(name.to_owned()),
        }),
        None => Ok(()),
    }
}

/// The line in which the octet at `offset` stands.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// The names between braces: letters and low lines only, so that braces of style sheets and programs are none.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|after| {
        let (name, _) = after.split_once('}')?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        is_name.then_some(name)
    })
}

fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

/// What the placeholders stand for.
struct Values([(&'static str, String); PLACEHOLDERS.len()]);

impl Values {
    fn of(wording: &Wording) -> Self {
        let recipient = &wording.recipient;
        Self([
            ("tag", wording.tag.to_owned()),
            ("recipient", recipient.clone()),
            ("role", wording.role.as_ref().unwrap_or(recipient).clone()),
            ("sender", wording.sender.clone()),
            ("contact", wording.contact.as_ref().unwrap_or(&wording.sender).clone()),
            ("scenario", wording.scenario.clone()),
            ("change", wording.change.clone().unwrap_or_default()),
            ("date", wording.started.format("%-d %B %Y").to_string()),
            ("link", wording.link()),
            ("code", wording.code()),
        ])
    }

    /// `text` with the values in their places, each changed by `write` first. What a value holds is not looked at again.
    fn fill(&self, text: &str, write: fn(&str) -> String) -> String {
        let mut filled = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let found = after.split_once('}').and_then(|(name, after)| {
                let (_, value) = self.0.iter().find(|(known, _)| *known == name)?;
                Some((write(value), after))
            });
            if let Some((value, after)) = found {
                filled.push_str(&value);
                rest = after;
            } else {
                filled.push('{');
                rest = after;
            }
        }
        filled.push_str(rest);
        filled
    }
}

/// A template for one probe.
pub(super) struct Filled {
    text: String,
    values: Values,
}

impl Filled {
    pub fn of(text: &str, wording: &Wording) -> Self {
        Self {
            text: with_crlf(text),
            values: Values::of(wording),
        }
    }

    fn message(&self) -> Option<Message<'_>> {
        MessageParser::default().parse(self.text.as_bytes())
    }

    /// The subject, with the tag.
    pub fn subject(&self, wording: &Wording) -> String {
        let subject = self.message().and_then(|message| message.subject().map(str::to_owned));
        let Some(subject) = subject else {
            return wording.subject();
        };
        let subject = on_one_line(&self.values.fill(&subject, str::to_owned));
        if subject.contains(wording.tag) {
            subject
        } else {
            format!("{subject} [tag {}]", wording.tag)
        }
    }

    /// Writes its further fields and its body behind the header in `out`.
    pub fn write(&self, wording: &Wording, out: &mut Vec<u8>) {
        let Some(message) = self.message() else {
            out.extend(super::plain::content(wording).formatted());
            return;
        };
        out.extend(self.further_fields(&message).to_string().into_bytes());
        part::Writer::new(&message, &self.values, wording.tag).write(out);
        while out.ends_with(b"\r\n\r\n") {
            out.truncate(out.len() - 2);
        }
        if !out.ends_with(b"\r\n") {
            out.extend(b"\r\n");
        }
    }

    fn further_fields(&self, message: &Message) -> Headers {
        let mut fields = Headers::new();
        for header in message.headers() {
            let name = header.name();
            let is_ours = OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name))
                || ["content-", "resent-"]
                    .iter()
                    .any(|start| name.to_ascii_lowercase().starts_with(start));
            let value = self
                .text
                .get(header.offset_start() as usize..header.offset_end() as usize)
                .unwrap_or_default();
            let value = on_one_line(&self.values.fill(value, str::to_owned));
            if let Ok(name) = HeaderName::new_from_ascii(name.to_owned())
                && !is_ours
                && !value.is_empty()
                && value.len() <= LONGEST_FIELD
            {
                fields.insert_raw(HeaderValue::new(name, value));
            }
        }
        fields
    }
}

/// A value in one line, unfolded.
fn on_one_line(value: &str) -> String {
    let words: Vec<&str> = value
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

fn in_html(value: &str) -> String {
    html::escaped(value)
}
