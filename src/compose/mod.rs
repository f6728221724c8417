//! Composing probes: a plan and one of its probes go in, an RFC 5322 message comes out. Pure: the same probe always gives the same bytes, so that
//! what arrives can be compared with what was sent without keeping it. What it cannot see: what a submission server adds or changes on its way out.

mod attachment;
mod auto_reply;
mod gtube;
mod header;
mod html;
mod link;
mod plain;
mod wording;

use crate::model::{MessageKind, Plan, Probe, Sender, Tag};
use lettre::message::{MultiPart, MultiPartKind, SinglePart};
use wording::Wording;

pub use header::message_id;

/// The message of `probe`: lines end with CRLF and have fewer than 998 octets (RFC 5322 section 2.1.1), everything is 7-bit, no empty line at the end.
///
/// The tag stands in the Message-ID, in `X-Mailflow-Probe`, in the subject and in the text. There is no `Reply-To`, on purpose: an answer shall come
/// back to the sender's own mailbox, where it is noticed; the person to ask is named in the text. Nor is a disposition notification asked for.
pub fn compose(plan: &Plan, probe: &Probe) -> Vec<u8> {
    let wording = Wording::new(plan, probe);
    let content = match probe.message {
        MessageKind::Plain => plain::content(&wording),
        MessageKind::Html => html::content(&wording),
        MessageKind::Link => link::content(&wording, &header::domain_of(plan.sender(probe))),
        MessageKind::Attachment => attachment::content(&wording),
        MessageKind::Gtube => gtube::content(&wording),
        MessageKind::AutoReply => auto_reply::content(&wording),
    };
    let mut message = header::header(plan, probe, &wording).to_string().into_bytes();
    message.extend(content.formatted());
    message
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

    fn formatted(&self) -> Vec<u8> {
        match self {
            Self::Single(part) => part.formatted(),
            Self::Multi(parts) => parts.formatted(),
        }
    }
}

/// A multipart whose boundary is the tag's: it differs from message to message, and yet it is the same each time this message is composed.
fn multipart(kind: MultiPartKind, wording: &Wording) -> MultiPart {
    MultiPart::builder()
        .kind(kind)
        .boundary(format!("mailflow-{}", wording.tag))
        .build()
}

#[cfg(test)]
mod tests;
