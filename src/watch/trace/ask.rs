//! What is asked of the message trace, and what is read of its rows.
//!
//! The question is by sender, because `or` is accepted and ignored there, so that one by recipients would need one request for each (measured by a
//! third party in October 2026; unverified on a tenant of ours). A gateway on the way may have given the message another sender (SRS): so before
//! anything is called missing, the subjects are asked for our runs' prefix too. Rows of other mail from the same sender are passed over unread but for the
//! Message-ID and the subject, and nothing of them is kept. Reference: Graph v1.0, *List messageTraces* and *getDetailsByRecipient*.

use crate::{
    microsoft::{Error, Graph, Request, Resource, Toll},
    model::{Sender, Time, TraceStatus},
    scrub::Scrubber,
};
use chrono::{SecondsFormat, TimeDelta};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

const PATH: [&str; 4] = ["admin", "exchange", "tracing", "messageTraces"];
/// The most that a page can have.
const PAGE: &str = "5000";
/// Fifty thousand messages of one sender in the time of a run, by a tenth of what the whole tenant may ask in five minutes.
const MOST_PAGES: u32 = 10;
/// Rows are found by their tags: a margin costs nothing, and clocks go wrong.
const MARGIN: TimeDelta = TimeDelta::days(1);
/// What is not old enough to show need not be asked for, and a bound in the future is refused.
const SKEW: TimeDelta = TimeDelta::seconds(1);
/// A question may span no more.
const WIDEST: TimeDelta = TimeDelta::days(10);

/// Asks about the mail of our senders.
pub(super) struct Ask {
    graph: Graph,
    /// What `senderAddress` is compared with, each once.
    patterns: Vec<String>,
    senders: Vec<From>,
}

/// A sender as the trace shows it.
struct From {
    /// In lower case.
    address: String,
    /// With VERP: the local part up to the tag, and the domain behind it.
    tagged: Option<(String, String)>,
}

/// A row, of whoever's mail.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) sender: String,
    pub(super) recipient: String,
    pub(super) message_id: String,
    pub(super) subject: String,
    pub(super) status: TraceStatus,
    pub(super) to_ip: Option<String>,
    pub(super) received: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    id: String,
    sender_address: Option<String>,
    recipient_address: Option<String>,
    message_id: Option<String>,
    received_date_time: Option<String>,
    subject: Option<String>,
    #[serde(rename = "toIP")]
    to_ip: Option<String>,
    status: Option<String>,
}

/// One event in the details of a row.
#[derive(Debug, Deserialize)]
pub(super) struct Detail {
    #[serde(default)]
    pub(super) event: Option<String>,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) data: Option<String>,
}

#[derive(Deserialize)]
struct Details {
    value: Vec<Detail>,
}

impl Ask {
    pub(super) fn new(graph: Graph, senders: &[Sender]) -> Self {
        let mut patterns = Vec::new();
        let mut known = Vec::new();
        for sender in senders {
            let address = sender.envelope.to_lowercase();
            let tagged = sender.subaddress.as_ref().zip(address.rsplit_once('@'));
            let tagged = tagged.map(|(separator, (local, domain))| (format!("{local}{separator}").to_lowercase(), domain.to_owned()));
            // With VERP every probe has an envelope sender of its own; only a whole domain can stand for all of them.
            let pattern = tagged.as_ref().map_or_else(|| address.clone(), |(_, domain)| format!("*@{domain}"));
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
            known.push(From { address, tagged });
        }
        Self {
            graph,
            patterns,
            senders: known,
        }
    }

    /// How many requests one look takes at least.
    pub(super) fn questions(&self) -> usize {
        self.patterns.len()
    }

    /// Whether this is the envelope sender of a probe.
    pub(super) fn is_from_us(&self, sender: &str) -> bool {
        let sender = sender.to_lowercase();
        self.senders.iter().any(|from| {
            from.address == sender
                || from
                    .tagged
                    .as_ref()
                    .is_some_and(|(local, domain)| sender.starts_with(local) && sender.rsplit_once('@').is_some_and(|(_, of)| of == domain))
        })
    }

    /// Every row of mail from our senders between the start of the run and `now`; with a prefix, also of mail with that in its subject, whoever
    /// sent it.
    pub(super) async fn rows(&self, started_at: Time, now: Time, prefix: Option<&str>, until: Instant) -> Result<Vec<Row>, Error> {
        let by_sender = self.patterns.iter().map(|pattern| format!("senderAddress eq {}", literal(pattern)));
        let by_subject = prefix.map(|prefix| format!("contains(subject,{})", literal(prefix)));
        let mut rows = Vec::new();
        for condition in by_sender.chain(by_subject) {
            let pages = self.graph.pages::<Value>(question(&condition, started_at, now), MOST_PAGES);
            let (found, _) = pages.all(until).await?;
            // A row that cannot be read hides no other.
            rows.extend(
                found
                    .into_iter()
                    .filter_map(|row| serde_json::from_value(row).ok().and_then(Row::read)),
            );
        }
        Ok(rows)
    }

    /// Asks for the newest row of our mail, to see whether an answer comes, and by how much the service's clock is ahead of ours.
    pub(super) async fn try_it(&self, until: Instant) -> Result<Option<TimeDelta>, Error> {
        let pattern = self.patterns.first().map_or("", String::as_str);
        let request = listing()
            .query("$filter", &format!("senderAddress eq {}", literal(pattern)))
            .query("$top", "1");
        let answer = self.graph.call(&request, until).await?;
        Ok(answer.date.map(|date| date - self.graph.clock().now()))
    }

    /// A text without the token by which we ask.
    pub(super) async fn without_token(&self, text: &str) -> String {
        let token = self.graph.tokens().token(Resource::Graph, Instant::now()).await;
        token.map_or_else(|_| text.to_owned(), |token| Scrubber::new("", token.bearer()).scrub(text))
    }

    /// What happened to the message of this row on its way.
    pub(super) async fn details(&self, row: &Row, until: Instant) -> Result<Vec<Detail>, Error> {
        let function = format!("getDetailsByRecipient(recipientAddress={})", literal(&row.recipient));
        let path: Vec<&str> = PATH.into_iter().chain([row.id.as_str(), function.as_str()]).collect();
        let details: Details = self.graph.fetch(&Request::get(&path, Toll::Trace), until).await?;
        Ok(details.value)
    }
}

fn listing() -> Request {
    Request::get(&PATH, Toll::Trace)
}

fn question(condition: &str, started_at: Time, now: Time) -> Request {
    let from = started_at - MARGIN;
    // A run that is taken up after days was sent in its first ones.
    let to = (now - SKEW).min(from + WIDEST).max(from);
    let shown = |time: Time| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let filter = format!(
        "{condition} and receivedDateTime ge {} and receivedDateTime le {}",
        shown(from),
        shown(to)
    );
    listing().query("$filter", &filter).query("$top", PAGE)
}

/// A text as a filter takes it: a quote is doubled (`OData` 4.01, part 2, section 5.1.1.14.1).
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Row {
    /// A row without an id, a recipient or a status says nothing.
    fn read(wire: Wire) -> Option<Self> {
        let id = short(&wire.id, 100);
        let recipient = short(wire.recipient_address.as_deref()?, 320);
        let status = short(wire.status.as_deref()?, 40);
        if id.is_empty() || recipient.is_empty() || status.is_empty() {
            return None;
        }
        let received = wire.received_date_time.as_deref().unwrap_or_default();
        Some(Self {
            id,
            recipient,
            status: TraceStatus::from(status),
            sender: short(wire.sender_address.as_deref().unwrap_or_default(), 320),
            message_id: short(wire.message_id.as_deref().unwrap_or_default(), 1000),
            subject: short(wire.subject.as_deref().unwrap_or_default(), 1000),
            to_ip: wire
                .to_ip
                .map(|address| short(address.trim(), 64))
                .filter(|address| !address.is_empty()),
            received: chrono::DateTime::parse_from_rfc3339(received).ok().map(|time| time.to_utc()),
        })
    }
}

/// Without what steers a terminal or hides text, and no longer than this.
pub(super) fn short(text: &str, most: usize) -> String {
    let is_seen = |character: &char| {
        let hides = matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        !character.is_control() && !hides
    };
    text.chars().filter(is_seen).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_keeps_to_the_bounds_of_the_trace() {
        let time = |text: &str| text.parse::<Time>().unwrap();
        let asked = |now: &str| {
            format!(
                "{:?}",
                question(&literal("o'brien@a.example"), time("2026-11-23T09:00:00Z"), time(now))
            )
        };
        assert!(
            asked("2026-11-23T09:10:00Z").contains("2026-11-22T09:00:00Z"),
            "a margin before the run"
        );
        assert!(
            asked("2026-11-23T09:10:00Z").contains("2026-11-23T09:09:59Z"),
            "never into the future"
        );
        assert!(asked("2027-01-23T09:10:00Z").contains("2026-12-02T09:00:00Z"), "ten days at most");
        assert!(asked("2026-11-23T09:10:00Z").contains("o''brien"), "a quote ends no text");
    }

    #[test]
    fn a_row_is_bounded_and_needs_what_names_it() {
        let row = |json: &str| Row::read(serde_json::from_str(json).unwrap());
        let read = row(
            r#"{"id":"7b1f","recipientAddress":"a@b.example","status":"quarantined","toIP":"","receivedDateTime":"2026-11-23T09:00:05Z","messageId":"<x>","new":1}"#,
        )
        .unwrap();
        assert_eq!((read.status, read.to_ip), (TraceStatus::Quarantined, None));
        assert!(read.received.is_some());
        assert!(row(r#"{"id":"7b1f","recipientAddress":"a@b.example"}"#).is_none());
        assert!(row(r#"{"id":"","recipientAddress":"a@b.example","status":"failed"}"#).is_none());
        let odd = row(&format!(
            r#"{{"id":"7\n1","recipientAddress":"a@b.example","status":"{}"}}"#,
            "x".repeat(900)
        ))
        .unwrap();
        assert_eq!((odd.id.as_str(), odd.status.word().len()), ("71", 40));
    }
}
