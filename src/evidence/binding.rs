//! Binding a notification to its probe. Surest first: the tag in what is returned, the envelope id, the address it came back to, the Message-ID it
//! refers to, the tag anywhere else. Only when there is none, the recipient and the time may decide, and that is marked as a guess.

use super::{
    Recognizer, dialect,
    dsn::Notice,
    mime::{Entity, Header, without_blank_lines},
};
use crate::model::{ProbeId, Time, time};
use chrono::{DateTime, TimeDelta};
use mail_parser::{HeaderValue, parsers::MessageStream};

/// How far the clock of a reporting server may be behind ours before its report is taken for one about an earlier message.
const SKEW: TimeDelta = TimeDelta::minutes(15);
/// How much of a message is searched for the tags of other runs.
const SEARCHED: usize = 256 * 1024;

/// What a notification is about, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Binding {
    pub probe: ProbeId,
    pub by: &'static str,
    pub guessed: bool,
}

impl Recognizer {
    /// The probe that a notification is about. `None` if it is about none of this plan.
    pub(super) fn bind(&self, message: &Entity, envelope_id: Option<&str>, notices: &[Notice], at: Time) -> Option<Binding> {
        let returned = Returned::of(message);
        let sure = |by: &'static str| move |probe: ProbeId| Binding { probe, by, guessed: false };
        self.tags
            .first(&returned.header)
            .map(sure("tag in the returned header"))
            .or_else(|| self.tags.first_encoded(&returned.body).map(sure("tag in the returned text")))
            .or_else(|| {
                envelope_id
                    .and_then(|id| self.tags.first(id.as_bytes()))
                    .map(sure("Original-Envelope-Id"))
            })
            .or_else(|| {
                let came_back_to = [
                    "To",
                    "Delivered-To",
                    "X-Original-To",
                    "Envelope-To",
                    "X-Envelope-To",
                    "X-Delivered-To",
                    "X-Rcpt-To",
                ];
                self.in_fields(&message.header, &came_back_to).map(sure("VERP address"))
            })
            .or_else(|| {
                self.in_fields(&message.header, &["In-Reply-To", "References"])
                    .map(sure("In-Reply-To or References"))
            })
            .or_else(|| self.anywhere(message).map(sure("tag in the text of the notification")))
            .or_else(|| {
                let probe = self.guess(message, &returned, notices, at)?;
                Some(Binding {
                    probe,
                    by: "final recipient and time, which is a guess",
                    guessed: true,
                })
            })
    }

    /// The probe whose tag stands in one of these fields.
    pub(super) fn in_fields(&self, header: &Header, names: &[&str]) -> Option<ProbeId> {
        names.iter().find_map(|name| {
            header
                .all(name)
                .find_map(|field| self.tags.first(field.raw).or_else(|| self.tags.first(field.text().as_bytes())))
        })
    }

    /// The probe whose tag stands anywhere in a message: in its header, in a text, in the header of a part.
    pub(super) fn anywhere(&self, message: &Entity) -> Option<ProbeId> {
        self.in_header(&message.header)
            .or_else(|| {
                let raw = |leaf: &&Entity| self.tags.first(leaf.header.raw).or_else(|| self.tags.first(&leaf.content()));
                message.leaves().iter().find_map(raw)
            })
            .or_else(|| {
                message.texts(Entity::is_text).find_map(|(leaf, text)| {
                    let in_html = || self.tags.first(super::decode::html(&text).as_bytes());
                    self.tags
                        .first(text.as_bytes())
                        .or_else(|| (leaf.media.kind == "text/html").then(in_html).flatten())
                })
            })
    }

    /// The one probe whose recipient a notification names, if there is but one that may have left by then, and if nothing says that the
    /// notification is about another message: a tag of another run, a returned header that is not ours, a date before the run.
    fn guess(&self, message: &Entity, returned: &Returned, notices: &[Notice], at: Time) -> Option<ProbeId> {
        let (header, _) = Header::parse(&returned.header);
        let foreign =
            header.get("Message-ID").is_some() || header.addresses("From").iter().any(|address| !self.known.senders.contains(address));
        let searched = message.raw.get(..SEARCHED.min(message.raw.len())).unwrap_or_default();
        let of_another_run = self
            .tags
            .first_of_any_run(message.header.raw)
            .or_else(|| self.tags.first_of_any_run(searched))
            .is_some();
        let too_old = date(&message.header).is_some_and(|date| date + SKEW < self.plan.run.started_at);
        if foreign || of_another_run || too_old {
            return None;
        }
        let named = |address: &str| {
            notices.iter().any(|notice| {
                [&notice.recipient, &notice.original_recipient]
                    .into_iter()
                    .flatten()
                    .any(|named| named.eq_ignore_ascii_case(address))
            })
        };
        let mut fitting = self.plan.probes.iter().filter(|probe| {
            let leaves = time::later(self.plan.run.started_at, probe.not_before);
            named(&self.plan.recipient(probe).address) && leaves <= at && at <= time::later(leaves, probe.give_up_after.saturating_mul(2))
        });
        let probe = fitting.next()?;
        fitting.next().is_none().then_some(probe.id)
    }
}

/// The date of a message, by its author's clock.
fn date(header: &Header) -> Option<Time> {
    let raw = super::decode::bounded(header.get("Date")?.raw);
    let HeaderValue::DateTime(date) = MessageStream::new(&raw).parse_date() else {
        return None;
    };
    DateTime::from_timestamp(date.to_timestamp(), 0)
}

/// What a notification returns of the original message.
struct Returned {
    header: Vec<u8>,
    body: Vec<u8>,
}

impl Returned {
    fn of(message: &Entity) -> Self {
        let mut returned = Self {
            header: Vec::new(),
            body: Vec::new(),
        };
        message.each_message(&mut |original| {
            returned.header.extend_from_slice(original.header.raw);
            returned.body.extend_from_slice(original.raw);
        });
        for leaf in message.leaves() {
            if matches!(
                leaf.media.kind.as_str(),
                "text/rfc822-headers" | "message/rfc822-headers" | "message/global-headers"
            ) {
                returned.header.extend_from_slice(&leaf.content());
            }
        }
        if returned.header.is_empty() {
            let quoted = dialect::quoted(message);
            // The marker stands on a line of its own before the quoted header.
            let start = quoted.find('\n').map_or(quoted.len(), |end| end + 1);
            let marked = quoted.starts_with(['-', '=']) || !quoted.lines().next().unwrap_or_default().contains(": ");
            let quoted = if marked { quoted.get(start..).unwrap_or_default() } else { &quoted };
            let (header, body) = Header::parse(without_blank_lines(quoted.as_bytes()));
            returned.header.extend_from_slice(header.raw);
            returned.body.extend_from_slice(body);
        }
        returned
    }
}
