//! Composing probes: a plan and one of its probes go in, an RFC 5322 message comes out. Pure: the same probe always gives the same bytes, so that
//! what arrives can be compared with what was sent without keeping it. What it cannot see: what a submission server adds or changes on its way out.

mod archive;
mod attachment;
mod auto_reply;
mod calendar;
mod eicar;
mod gtube;
mod header;
mod html;
mod impersonation;
mod large;
mod link;
mod list;
mod noise;
mod office;
mod plain;
pub mod template;
mod unicode;
mod verification;
mod wording;
mod zip;

use crate::model::{MessageKind, Plan, Probe, Sender, Tag};
use lettre::message::{
    Attachment, Body, MultiPart, MultiPartKind, SinglePart,
    header::{ContentTransferEncoding, ContentType},
};
use wording::Wording;

pub use header::message_id;

/// The message of `probe`: lines end with CRLF and have fewer than 998 octets (RFC 5322 section 2.1.1), everything is 7-bit, no empty line at the end.
/// Only to or from an address beyond ASCII is it UTF-8 (RFC 6532).
///
/// The tag stands in the Message-ID, in `X-Mailflow-Probe`, in the subject and in the text. There is no `Reply-To`, on purpose: an answer shall come
/// back to the sender's own mailbox, where it is noticed; the person to ask is named in the text. Nor is a disposition notification asked for.
pub fn compose(plan: &Plan, probe: &Probe) -> Vec<u8> {
    let wording = Wording::new(plan, probe);
    let template = template(plan, probe, &wording);
    let subject = subject(probe, &wording, template.as_ref());
    let mut message = header::header(plan, probe, &wording, subject).to_string().into_bytes();
    if let Some(template) = template {
        template.write(&wording, &mut message);
    } else {
        let content = content(plan, probe, &wording, message.len());
        message.extend(content.formatted());
    }
    message
}

/// What people see of a probe before they open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The name in `From`.
    pub name: String,
    /// The address in `From`.
    pub address: String,
    /// The subject.
    pub subject: String,
}

/// The heading of the message of `probe`, without composing all of it.
pub fn heading(plan: &Plan, probe: &Probe) -> Heading {
    let wording = Wording::new(plan, probe);
    let (name, address) = impersonation::from(plan, probe);
    Heading {
        name,
        address,
        subject: subject(probe, &wording, template(plan, probe, &wording).as_ref()),
    }
}

fn template(plan: &Plan, probe: &Probe, wording: &Wording) -> Option<template::Filled> {
    match &probe.message {
        MessageKind::Template(file) => plan.templates.get(file).map(|text| template::Filled::of(text, wording)),
        _ => None,
    }
}

fn subject(probe: &Probe, wording: &Wording, template: Option<&template::Filled>) -> String {
    match (template, &probe.message) {
        (Some(template), _) => template.subject(wording),
        (None, MessageKind::Verification) => verification::subject(wording),
        (None, MessageKind::Unicode) => unicode::subject(wording),
        (None, _) => wording.subject(),
    }
}

/// What follows a header of `header` octets.
fn content(plan: &Plan, probe: &Probe, wording: &Wording, header: usize) -> Content {
    match &probe.message {
        // A plan holds the text of every template that it names; without it the message is a plain one, as the name says nothing of it.
        MessageKind::Plain | MessageKind::Template(_) => plain::content(wording),
        MessageKind::Html => html::content(wording),
        MessageKind::Link => link::content(wording),
        MessageKind::Attachment => attachment::content(wording),
        MessageKind::Verification => verification::content(wording),
        MessageKind::Office => office::content(wording),
        MessageKind::Archive => archive::open(wording),
        MessageKind::EncryptedZip => archive::encrypted(wording),
        MessageKind::Calendar => calendar::content(wording),
        MessageKind::Large(size) => {
            let frame = header + large::content(wording, 3).formatted().len();
            large::content(wording, large::octets(*size, frame as u64))
        }
        MessageKind::Unicode => unicode::content(wording, header::is_wide(plan, probe)),
        MessageKind::List => list::content(wording),
        MessageKind::Gtube => gtube::content(wording),
        MessageKind::Eicar => eicar::content(wording),
        MessageKind::AutoReply => auto_reply::content(wording),
        kind @ (MessageKind::SelfSpoof | MessageKind::DisplayName(_)) => impersonation::content(wording, kind),
    }
}

/// What follows the header of a message, its own MIME fields included.
enum Content {
    Single(SinglePart),
    Multi(MultiPart),
}

impl Content {
    fn text(text: &str) -> Self {
        Self::Single(SinglePart::plain(text.to_owned()))
    }

    /// A plain and an HTML version of one text (RFC 2046 section 5.1.4).
    fn alternatives(wording: &Wording, plain: &str, html: String) -> Self {
        Self::Multi(
            multipart(MultiPartKind::Alternative, wording)
                .singlepart(SinglePart::plain(plain.to_owned()))
                .singlepart(SinglePart::html(html)),
        )
    }

    /// A text with the `extra` paragraphs, and files: name, type, content.
    fn with_files<const N: usize>(wording: &Wording, extra: &[&str], files: [(&str, &str, Vec<u8>); N]) -> Self {
        let mut mixed = multipart(MultiPartKind::Mixed, wording).singlepart(SinglePart::plain(wording.text(extra)));
        for (name, kind, content) in files {
            mixed = mixed.singlepart(attached(name, kind, content));
        }
        Self::Multi(mixed)
    }

    fn formatted(&self) -> Vec<u8> {
        match self {
            Self::Single(part) => part.formatted(),
            Self::Multi(parts) => parts.formatted(),
        }
    }
}

/// An attached file, in base64 whatever it holds, so that its octets arrive as they are.
fn attached(name: &str, kind: &str, content: Vec<u8>) -> SinglePart {
    // The types are constants that parse, and base64 takes everything.
    let kind = ContentType::parse(kind).unwrap_or(ContentType::TEXT_PLAIN);
    let attachment = Attachment::new(name.to_owned());
    match Body::new_with_encoding(content, ContentTransferEncoding::Base64) {
        Ok(body) => attachment.body(body, kind),
        Err(content) => attachment.body(content, kind),
    }
}

/// A multipart whose boundary is the tag's: it differs from message to message, and yet it is the same each time this message is composed.
fn multipart(kind: MultiPartKind, wording: &Wording) -> MultiPart {
    MultiPart::builder()
        .kind(kind)
        .boundary(format!("mailflow-{}", wording.tag))
        .build()
}

/// The same, inside of another one.
fn nested(kind: MultiPartKind, wording: &Wording) -> MultiPart {
    MultiPart::builder()
        .kind(kind)
        .boundary(format!("mailflow-inner-{}", wording.tag))
        .build()
}

#[cfg(test)]
mod tests;
