//! Defender's list of analysed messages: one request for each message and recipient. Reference: Graph v1.0, *List analyzedEmails* (2026-05-27).
//!
//! It is only read: `remediate`, which moves and deletes, is never called. How soon a message shows is documented as "near real time", no more.

use super::defender::{Asked, LARGEST, Span, member, telling, text, words};
use crate::{
    microsoft::{Error, Graph, Request, Toll},
    model::DefenderFinding,
};
use chrono::TimeDelta;
use serde_json::Value;
use std::collections::HashMap;
use tokio::time::Instant;

/// About so many messages at one time.
pub(super) const AT_ONCE: usize = 5;
const MOST_ROWS: usize = 50;

/// What the list knows of these messages, until it does not answer.
pub(super) async fn findings(
    graph: &Graph,
    asked: &[Asked],
    span: Span,
    until: Instant,
) -> (HashMap<Asked, DefenderFinding>, Option<Error>) {
    let mut found = HashMap::new();
    for of in asked.iter().take(AT_ONCE) {
        match graph.fetch::<Value>(&question(of, span), until).await {
            Ok(reply) => {
                if let Some(finding) = read(&reply, of) {
                    found.insert(of.clone(), finding);
                }
            }
            Err(error) => return (found, Some(error)),
        }
    }
    (found, None)
}

fn question((id, recipient): &Asked, span: Span) -> Request {
    // The bounds are days, the second one not counted.
    let day = |time: crate::model::Time| time.date_naive().to_string();
    let filter = format!(
        "networkMessageId eq '{}' and recipientEmailAddress eq '{}'",
        id.as_str(),
        recipient.replace('\'', "''")
    );
    Request::get(&["security", "collaboration", "analyzedEmails"], Toll::Other)
        .query("startTime", &day(span.from))
        .query("endTime", &day(span.to + TimeDelta::days(1)))
        .query("$filter", &filter)
        .at_most(LARGEST)
}

/// What a reply says of this message and recipient.
fn read(reply: &Value, (id, recipient): &Asked) -> Option<DefenderFinding> {
    let is = |row: &Value, name: &str, wanted: &str| member(row, name).as_str().is_some_and(|found| found.to_lowercase() == *wanted);
    let mut rows = member(reply, "value").as_array()?.iter().take(MOST_ROWS);
    let row = rows.find(|row| is(row, "networkMessageId", id.as_str()) && is(row, "recipientEmailAddress", recipient))?;
    let place = |name: &str| text(member(row, name), "location");
    let [latest, at_first] = ["latestDelivery", "originalDelivery"].map(place);
    let overrides = [text(row, "primaryOverrideSource"), words(member(row, "overrideSources")).join(", ")];
    telling(DefenderFinding {
        policy: text(row, "policy"),
        action: text(row, "policyAction"),
        threats: words(member(row, "threatTypes")),
        methods: words(member(row, "detectionMethods")),
        overridden: overrides.into_iter().find(|said| !said.is_empty()).unwrap_or_default(),
        latest: if latest.is_empty() { at_first } else { latest },
    })
}

#[cfg(test)]
mod tests {
    use super::{super::defender::NetworkId, *};
    use serde_json::json;

    #[test]
    fn a_question_is_about_one_message_and_one_recipient() {
        let time = |text: &str| text.parse::<crate::model::Time>().unwrap();
        let span = Span {
            from: time("2026-11-23T09:00:00Z"),
            to: time("2026-11-23T23:00:00Z"),
        };
        let asked = format!("{:?}", question(&(NetworkId::nil(), "o'brien@a.example".to_owned()), span));
        for part in [
            "2026-11-23",
            "2026-11-24",
            "00000000-0000-0000-0000-000000000000",
            "o''brien@a.example",
        ] {
            assert!(asked.contains(part), "{part}: {asked}");
        }
    }

    #[test]
    fn the_row_of_the_recipient_is_read() {
        let row = json!({
            "networkMessageId": NetworkId::nil().as_str(), "recipientEmailAddress": "Billing@contoso.example", "policy": "Anti-phishing",
            "policyAction": "Quarantine", "threatTypes": ["phish", "none"], "detectionMethods": ["Advanced filter"], "primaryOverrideSource": "none",
            "overrideSources": ["Allowed sender"], "originalDelivery": { "location": "inbox_folder" }, "latestDelivery": { "location": "quarantine" },
        });
        let of = |recipient: &str| (NetworkId::nil(), recipient.to_owned());
        let found = read(&json!({ "value": [row] }), &of("billing@contoso.example")).unwrap();
        assert_eq!((found.policy.as_str(), found.action.as_str()), ("Anti-phishing", "Quarantine"));
        assert_eq!(
            (found.threats, found.methods),
            (vec!["phish".to_owned()], vec!["Advanced filter".to_owned()])
        );
        assert_eq!((found.overridden.as_str(), found.latest.as_str()), ("Allowed sender", "quarantine"));
        assert_eq!(read(&json!({ "value": [row] }), &of("other@contoso.example")), None);
        assert_eq!(read(&json!({ "value": {} }), &of("billing@contoso.example")), None);
    }
}
