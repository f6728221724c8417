//! `admin/exchange/tracing/messageTraces` with its real habits: it ignores `or`, `in`, `ne` and `not`, and sorts as it likes.
//!
//! What is copied here was measured by a third party on one tenant in October 2026. Cannot see mailboxes.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::trace::Row;
use super::Begun;
use super::odata::{self, Filter, Literal, Op, time_of};
use super::render::time;

const PAGE: usize = 1000;
const LARGEST_PAGE: usize = 5000;
/// How far back is shown without a filter.
const USUAL: TimeDelta = TimeDelta::hours(48);
/// How far the bounds may lie apart.
const WIDEST: TimeDelta = TimeDelta::days(10);
/// How old the earlier bound may be.
const OLDEST: TimeDelta = TimeDelta::days(90);
/// How far into the future the later bound may lie: clocks differ.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// 401: Microsoft's service principal for the trace is missing in this tenant.
pub fn not_provisioned() -> Answer {
    let app = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373";
    let message = format!(
        "Service principal-less authentication failed: The service principal for App ID {app} was not found. Please create a service \
         principal for this app in your tenant. Provisioning may take several hours to complete."
    );
    Answer::error(401, "UnknownError", &message)
}

/// What of a filter is heeded.
#[derive(Debug, Default)]
struct Heeded {
    /// The last value of each property.
    equal: BTreeMap<String, String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    /// Functions on the subject, and what they look for.
    subject: Vec<(String, String)>,
}

impl Begun {
    /// The rows that pass, newest first.
    pub fn traces(&self) -> Result<Answer, Answer> {
        let now = self.world.now();
        let mut heeded = Heeded::default();
        if let Some(text) = self.call.option("$filter") {
            read(&Filter::parse(text)?, &mut heeded)?;
        }
        let (from, to) = bounds(&heeded, now)?;
        let top = odata::top(&self.call, PAGE, LARGEST_PAGE)?;
        let before = match self.call.option("$skiptoken") {
            Some(token) => token.parse().map_err(|_| Answer::bad_request("Invalid $skiptoken"))?,
            None => usize::MAX,
        };
        let state = self.world.state();
        let rows = state.trace.iter().enumerate().take(before).rev();
        let mut passing = rows.filter(|(_, row)| row.received >= from && row.received <= to && heeded.passes(row, now));
        let page: Vec<(usize, Value)> = passing
            .by_ref()
            .take(top)
            .filter_map(|(at, row)| Some((at, show(row, now)?)))
            .collect();
        let more = passing.next().is_some();
        let last = page.last().map(|(at, _)| *at);
        let values: Vec<Value> = page.into_iter().map(|(_, value)| value).collect();
        let mut reply = json!({ "@odata.context": self.context("admin/exchange/tracing/messageTraces"), "value": values });
        if let (true, Some(last)) = (more, last) {
            reply["@odata.nextLink"] = json!(self.link(&[("$skiptoken", &last.to_string())]));
        }
        Ok(Answer::ok(reply))
    }

    /// What happened to a message on its way to one recipient.
    pub fn trace_details(&self, id: &str, recipient: &str) -> Result<Answer, Answer> {
        let now = self.world.now();
        let state = self.world.state();
        let row = state
            .trace
            .iter()
            .find(|r| r.id == id && r.recipient.eq_ignore_ascii_case(recipient));
        let row = row.filter(|r| r.status(now).is_some()).ok_or_else(|| Answer::no_object(id))?;
        let events = row.events.iter().map(|event| {
            json!({
                "id": row.id, "messageId": row.message_id, "dateTime": time(event.at), "event": event.name, "action": "",
                "description": event.description, "data": event.data,
            })
        });
        let context = self.context("Collection(microsoft.graph.exchangeMessageTraceDetail)");
        Ok(Answer::ok(
            json!({ "@odata.context": context, "value": events.collect::<Vec<_>>() }),
        ))
    }
}

fn show(row: &Row, now: DateTime<Utc>) -> Option<Value> {
    Some(json!({
        "id": row.id,
        "senderAddress": row.sender,
        "recipientAddress": row.recipient,
        "messageId": row.message_id,
        "receivedDateTime": time(row.received),
        "subject": row.subject,
        "size": row.size,
        "fromIP": row.from_ip,
        "toIP": row.to_ip,
        "status": row.status(now)?.word(),
    }))
}

/// Everything is joined by AND, and of several values of a property only the last counts.
fn read(filter: &Filter, heeded: &mut Heeded) -> Result<(), Answer> {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| read(part, heeded)),
        Filter::Not(part) => read(part, heeded),
        Filter::Compare(path, op, literal) => compare(path, *op, literal, heeded),
        Filter::Call(function, path, part) if path == "subject" => {
            heeded.subject.push((function.clone(), part.clone()));
            Ok(())
        }
        // On addresses these are taken, and do nothing.
        Filter::Call(..) => Ok(()),
    }
}

fn compare(path: &str, op: Op, literal: &Literal, heeded: &mut Heeded) -> Result<(), Answer> {
    let invalid = || Answer::bad_request(&format!("Invalid filter clause on '{path}'."));
    match (path, op, literal) {
        ("receivedDateTime", Op::Ge, Literal::Bare(text)) => heeded.from = Some(time_of(text).ok_or_else(invalid)?),
        ("receivedDateTime", Op::Le, Literal::Bare(text)) => heeded.to = Some(time_of(text).ok_or_else(invalid)?),
        ("id" | "messageId" | "senderAddress" | "recipientAddress" | "fromIP" | "toIP" | "status", Op::Eq, literal) => {
            let (Literal::Text(text) | Literal::Bare(text)) = literal;
            heeded.equal.insert(path.to_owned(), text.clone());
        }
        ("id" | "messageId" | "senderAddress" | "recipientAddress" | "fromIP" | "toIP" | "status" | "subject", ..) => {}
        _ => return Err(invalid()),
    }
    Ok(())
}

/// Both bounds or none; not too far apart, not too old, not in the future.
fn bounds(heeded: &Heeded, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Answer> {
    match (heeded.from, heeded.to) {
        (None, None) => Ok((now - USUAL, now)),
        (Some(from), Some(to)) if from <= to && to - from <= WIDEST && now - from <= OLDEST && to <= now + SKEW => Ok((from, to)),
        _ => Err(Answer::bad_request(
            "The range of receivedDateTime is not valid: both bounds, at most 10 days apart, within the last 90 days.",
        )),
    }
}

impl Heeded {
    fn passes(&self, row: &Row, now: DateTime<Utc>) -> bool {
        let Some(status) = row.status(now) else {
            return false;
        };
        let equal = self.equal.iter().all(|(path, wanted)| match path.as_str() {
            "id" => row.id.eq_ignore_ascii_case(wanted),
            "messageId" => row.message_id == *wanted,
            "senderAddress" => is_address(&row.sender, wanted),
            "recipientAddress" => is_address(&row.recipient, wanted),
            "fromIP" => row.from_ip == *wanted,
            "toIP" => row.to_ip == *wanted,
            _ => status.word() == wanted,
        });
        let subject = |(function, part): &(String, String)| odata::contains(function, &row.subject, part).unwrap_or(false);
        equal && self.subject.iter().all(subject)
    }
}

/// `*@domain` is the only wildcard that finds anything.
fn is_address(address: &str, wanted: &str) -> bool {
    let of = |domain: &str| address.rsplit_once('@').is_some_and(|(_, d)| d.eq_ignore_ascii_case(domain));
    wanted.strip_prefix("*@").map_or_else(|| address.eq_ignore_ascii_case(wanted), of)
}
