//! Microsoft Defender's view of the trace: advanced hunting in `EmailEvents`, and the list of analysed messages.
//!
//! Both tell of the same rows as the trace, at the same time. Of KQL they understand one table, `where … in~ (…)` and `where … has "…"` on its texts,
//! `project` and `limit`; anything else is refused. Cannot see folders: what was delivered lies in the inbox, as far as is known here.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};

use super::super::answer::Answer;
use super::super::trace::{Row, Status};
use super::Begun;
use super::odata::{self, Filter};
use super::render::time;

const POLICY: &str = "Anti-phishing";
const METHOD: &str = "Advanced filter";
/// The most rows of a query.
const MOST: usize = 100_000;

/// 403: no licence that holds Defender for Office 365. The words are ours, for Microsoft documents none.
pub fn not_licensed() -> Answer {
    Answer::error(403, "Forbidden", "The tenant does not have a license for this API.")
}

/// What Defender knows of a row.
struct Seen<'a> {
    row: &'a Row,
    original: Place,
    latest: Place,
}

/// Where a message was brought: action and place in the words of hunting, and of the list.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    hunting: (&'static str, &'static str),
    list: (&'static str, &'static str),
}

const INBOX: Place = Place {
    hunting: ("Delivered", "Inbox/folder"),
    list: ("delivered", "inbox_folder"),
};
const QUARANTINE: Place = Place {
    hunting: ("Blocked", "Quarantine"),
    list: ("blocked", "quarantine"),
};
const DROPPED: Place = Place {
    hunting: ("Blocked", "Dropped"),
    list: ("blocked", "dropped"),
};
const FAILED: Place = Place {
    hunting: ("Blocked", "Failed"),
    list: ("blocked", "failed"),
};

fn place(status: Status) -> Option<Place> {
    match status {
        Status::Delivered => Some(INBOX),
        Status::Quarantined => Some(QUARANTINE),
        Status::FilteredAsSpam => Some(DROPPED),
        Status::Failed => Some(FAILED),
        Status::Unknown | Status::Pending | Status::Expanded => None,
    }
}

impl<'a> Seen<'a> {
    fn of(row: &'a Row, now: DateTime<Utc>) -> Option<Self> {
        let latest = place(row.status(now)?)?;
        let original = row.steps.iter().find_map(|(_, status)| place(*status))?;
        Some(Self { row, original, latest })
    }

    /// What it was taken for, if for anything.
    fn threat(&self) -> Option<&'static str> {
        match self.latest {
            QUARANTINE => Some("Phish"),
            DROPPED => Some("Spam"),
            _ => None,
        }
    }

    /// The columns of `EmailEvents`, as many as are asked for here.
    fn columns(&self) -> Map<String, Value> {
        let threat = self.threat();
        let acted = |text: &str| if threat.is_some() { text.to_owned() } else { String::new() };
        let columns = [
            ("Timestamp", time(self.row.received)),
            ("NetworkMessageId", self.row.id.clone()),
            ("InternetMessageId", self.row.message_id.clone()),
            ("SenderMailFromAddress", self.row.sender.clone()),
            ("RecipientEmailAddress", self.row.recipient.clone()),
            ("Subject", self.row.subject.clone()),
            ("DeliveryAction", self.original.hunting.0.to_owned()),
            ("DeliveryLocation", self.original.hunting.1.to_owned()),
            ("LatestDeliveryAction", self.latest.hunting.0.to_owned()),
            ("LatestDeliveryLocation", self.latest.hunting.1.to_owned()),
            ("ThreatTypes", threat.unwrap_or_default().to_owned()),
            (
                "DetectionMethods",
                threat.map(|threat| json!({ threat: [METHOD] }).to_string()).unwrap_or_default(),
            ),
            ("EmailAction", acted("Send to quarantine")),
            ("EmailActionPolicy", acted(POLICY)),
            ("OrgLevelAction", String::new()),
            ("OrgLevelPolicy", String::new()),
            ("UserLevelAction", String::new()),
            ("UserLevelPolicy", String::new()),
        ];
        columns.into_iter().map(|(name, text)| (name.to_owned(), json!(text))).collect()
    }

    fn analyzed(&self) -> Value {
        let lower = self.threat().map(str::to_lowercase);
        let threats = self.threat().unwrap_or_default();
        let delivery = |place: Place| json!({ "action": place.list.0, "location": place.list.1, "originalThreats": threats, "latestThreats": threats });
        json!({
            "id": format!("{}-1", self.row.id),
            "loggedDateTime": time(self.row.received),
            "networkMessageId": self.row.id,
            "internetMessageId": self.row.message_id,
            "recipientEmailAddress": self.row.recipient,
            "subject": self.row.subject,
            "originalDelivery": delivery(self.original),
            "latestDelivery": delivery(self.latest),
            "threatTypes": [lower.as_deref().unwrap_or("none")],
            "detectionMethods": if lower.is_some() { json!([METHOD]) } else { json!([]) },
            "policy": lower.as_ref().map(|_| POLICY),
            "policyAction": lower.as_ref().map(|_| "Quarantine"),
            "sizeInBytes": self.row.size,
            "exchangeTransportRules": [],
        })
    }
}

impl Begun {
    /// `runHuntingQuery`.
    pub fn hunt(&self) -> Result<Answer, Answer> {
        let body: Value = serde_json::from_slice(&self.call.body).map_err(|_| Answer::bad_request("The body is no JSON."))?;
        let query = body["Query"].as_str().ok_or_else(|| Answer::bad_request("The query is missing."))?;
        let spans = body
            .get("Timespan")
            .is_none_or(|span| span.as_str().is_some_and(|span| span.starts_with('P') || span.contains('/')));
        if !spans {
            return Err(Answer::bad_request("Timespan is no ISO 8601 span."));
        }
        let now = self.world.now();
        let state = self.world.state();
        let mut rows: Vec<Map<String, Value>> = state
            .trace
            .iter()
            .filter_map(|row| Seen::of(row, now))
            .map(|seen| seen.columns())
            .collect();
        let mut steps = parts(query, '|').into_iter();
        if steps.next().is_none_or(|table| table.trim() != "EmailEvents") {
            return Err(Answer::bad_request("Failed to resolve table or column expression."));
        }
        let mut shown: Vec<String> = known();
        for step in steps {
            let (operator, rest) = step.trim().split_once(' ').unwrap_or((step.trim(), ""));
            match operator {
                "where" => {
                    let passes = condition(rest)?;
                    rows.retain(|row| passes(row));
                }
                "project" => shown = columns(rest)?,
                "limit" | "take" => rows.truncate(rest.trim().parse().map_err(|_| syntax())?),
                _ => return Err(syntax()),
            }
        }
        rows.truncate(MOST);
        for row in &mut rows {
            row.retain(|name, _| shown.contains(name));
        }
        let kind = |name: &str| if name == "Timestamp" { "DateTime" } else { "String" };
        let schema: Vec<Value> = shown.iter().map(|name| json!({ "name": name, "type": kind(name) })).collect();
        let context = self.context("microsoft.graph.security.huntingQueryResults");
        Ok(Answer::ok(json!({ "@odata.context": context, "schema": schema, "results": rows })))
    }

    /// `analyzedEmails`: days and a filter.
    pub fn analyzed_emails(&self) -> Result<Answer, Answer> {
        let day = |name: &str| {
            self.call
                .option(name)
                .map(|text| text.get(..10).unwrap_or(text).parse::<NaiveDate>())
                .transpose()
        };
        let invalid = |_| Answer::bad_request("startTime or endTime is no date.");
        let (from, to) = (day("startTime").map_err(invalid)?, day("endTime").map_err(invalid)?);
        let filter = self.call.option("$filter").map(Filter::parse).transpose()?;
        let now = self.world.now();
        let state = self.world.state();
        let mut found = Vec::new();
        for seen in state.trace.iter().filter_map(|row| Seen::of(row, now)) {
            let date = seen.row.received.date_naive();
            let get = |path: &str| match path {
                "networkMessageId" => Some(odata::Value::Text(seen.row.id.clone())),
                "recipientEmailAddress" => Some(odata::Value::Text(seen.row.recipient.clone())),
                _ => None,
            };
            let passes = filter.as_ref().map_or(Ok(true), |filter| filter.passes(&get))?;
            if passes && from.is_none_or(|from| date >= from) && to.is_none_or(|to| date < to) {
                found.push(seen.analyzed());
            }
        }
        let context = self.context("security/collaboration/analyzedEmails");
        Ok(Answer::ok(json!({ "@odata.context": context, "value": found })))
    }
}

fn syntax() -> Answer {
    Answer::bad_request("Query could not be parsed.")
}

/// The columns of the table.
fn known() -> Vec<String> {
    let row = Row {
        id: String::new(),
        message_id: String::new(),
        sender: String::new(),
        recipient: String::new(),
        received: DateTime::UNIX_EPOCH,
        subject: String::new(),
        size: 0,
        from_ip: String::new(),
        to_ip: String::new(),
        steps: Vec::new(),
        events: Vec::new(),
    };
    let seen = Seen {
        row: &row,
        original: INBOX,
        latest: INBOX,
    };
    seen.columns().into_iter().map(|(name, _)| name).collect()
}

fn columns(text: &str) -> Result<Vec<String>, Answer> {
    let known = known();
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(Answer::bad_request(&format!("Failed to resolve scalar expression named '{name}'"))),
        None => Ok(names),
    }
}

type Condition = Box<dyn Fn(&Map<String, Value>) -> bool>;

/// `Column in~ ("a", "b")` or `Column has "a"`.
fn condition(text: &str) -> Result<Condition, Answer> {
    let mut words = text.trim().splitn(3, ' ');
    let (Some(column), Some(operator), Some(rest)) = (words.next(), words.next(), words.next()) else {
        return Err(syntax());
    };
    columns(column)?;
    let column = column.to_owned();
    let of = move |row: &Map<String, Value>| row.get(&column).and_then(Value::as_str).unwrap_or_default().to_lowercase();
    match operator {
        "in~" => {
            let list = rest
                .trim()
                .strip_prefix('(')
                .and_then(|rest| rest.strip_suffix(')'))
                .ok_or_else(syntax)?;
            let values: Vec<String> = parts(list, ',')
                .iter()
                .map(|value| literal(value))
                .collect::<Option<_>>()
                .ok_or_else(syntax)?;
            Ok(Box::new(move |row| values.contains(&of(row))))
        }
        "has" => {
            let value = literal(rest).ok_or_else(syntax)?;
            Ok(Box::new(move |row| of(row).contains(&value)))
        }
        _ => Err(syntax()),
    }
}

/// A text between double quotes, in lower case.
fn literal(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', '\\'])).then(|| inner.to_lowercase())
}

/// Parts between separators that stand in no quotes.
fn parts(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '"';
        match parts.last_mut() {
            Some(last) if quoted || c != separator => last.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts
}
