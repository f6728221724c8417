//! Advanced hunting: one query in KQL about all messages at once, in the table `EmailEvents`. Reference: Graph v1.0, *security: runHuntingQuery*.
//!
//! Nothing but GUIDs goes into a query; addresses and subjects never do. It cannot see more than thirty days back.

use super::{
    ask::short,
    defender::{Asked, LARGEST, NetworkId, Span, member, telling, text, words},
};
use crate::{
    microsoft::{Error, Graph, Request, Toll},
    model::DefenderFinding,
};
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::time::Instant;

/// About so many messages at one time.
pub(super) const AT_ONCE: usize = 200;
/// A list's message has a row for each of its members.
const MOST_ROWS: usize = 1000;
/// What hunting keeps, in minutes.
const MOST_MINUTES: i64 = 30 * 24 * 60;
const COLUMNS: [&str; 12] = [
    "NetworkMessageId",
    "RecipientEmailAddress",
    "DeliveryLocation",
    "LatestDeliveryLocation",
    "ThreatTypes",
    "DetectionMethods",
    "EmailAction",
    "EmailActionPolicy",
    "OrgLevelAction",
    "OrgLevelPolicy",
    "UserLevelAction",
    "UserLevelPolicy",
];

/// What hunting knows of these messages.
pub(super) async fn findings(graph: &Graph, asked: &[Asked], span: Span, until: Instant) -> Result<HashMap<Asked, DefenderFinding>, Error> {
    let mut ids: Vec<&NetworkId> = Vec::new();
    for (id, _) in asked.iter().take(AT_ONCE) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let minutes = (span.to - span.from).num_minutes().clamp(60, MOST_MINUTES);
    let request = Request::post(&["security", "runHuntingQuery"], Toll::Hunting)
        .json(&json!({ "Query": query(&ids), "Timespan": format!("PT{minutes}M") }))
        .repeatable()
        .at_most(LARGEST);
    let reply: Value = graph.fetch(&request, until).await?;
    let rows = member(&reply, "results").as_array().into_iter().flatten().take(MOST_ROWS);
    Ok(rows.filter_map(read).filter(|(of, _)| asked.contains(of)).collect())
}

/// The query for these messages.
fn query(ids: &[&NetworkId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.as_str())).collect();
    format!(
        "EmailEvents | where NetworkMessageId in~ ({}) | project {} | limit {MOST_ROWS}",
        ids.join(", "),
        COLUMNS.join(", ")
    )
}

/// A row, if it says of which message and recipient, and anything else.
fn read(row: &Value) -> Option<(Asked, DefenderFinding)> {
    let id = NetworkId::read(member(row, "NetworkMessageId").as_str()?)?;
    let recipient = short(member(row, "RecipientEmailAddress").as_str()?, 320).to_lowercase();
    let [policy, action, latest, at_first] =
        ["EmailActionPolicy", "EmailAction", "LatestDeliveryLocation", "DeliveryLocation"].map(|name| text(row, name));
    let overridden = ["OrgLevel", "UserLevel"].map(|level| {
        let [policy, action] = ["Policy", "Action"].map(|what| text(row, &format!("{level}{what}")));
        match (policy.as_str(), action.as_str()) {
            ("", action) => action.to_owned(),
            (policy, "") => policy.to_owned(),
            (policy, action) => format!("{policy} ({action})"),
        }
    });
    // The methods are JSON within a text, by threat.
    let methods = member(row, "DetectionMethods");
    let inner = methods.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let finding = DefenderFinding {
        policy,
        action,
        threats: words(member(row, "ThreatTypes")),
        methods: words(inner.as_ref().unwrap_or(methods)),
        overridden: overridden.into_iter().find(|said| !said.is_empty()).unwrap_or_default(),
        latest: if latest.is_empty() { at_first } else { latest },
    };
    Some(((id, recipient), telling(finding)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "7b1f2f0c-90aa-4a52-93a1-08dc2b1d77ab";

    #[test]
    fn a_query_holds_ids_and_our_own_words() {
        let (one, none) = (NetworkId::read(ID).unwrap(), NetworkId::nil());
        let query = query(&[&one, &none]);
        assert!(query.starts_with(&format!(
            "EmailEvents | where NetworkMessageId in~ (\"{ID}\", \"{}\") | project ",
            none.as_str()
        )));
        assert_eq!(query.matches('|').count(), 3);
        assert_eq!(query.matches('"').count(), 4);
    }

    #[test]
    fn a_row_is_read_in_any_case_and_leniently() {
        let row = json!({
            "networkmessageid": ID.to_uppercase(), "RecipientEmailAddress": "Billing@Contoso.example", "DeliveryLocation": "Inbox/folder",
            "LatestDeliveryLocation": "Quarantine", "ThreatTypes": "Phish, Spam", "DetectionMethods": "{\"Phish\":[\"URL detonation\"]}",
            "EmailAction": "Send to quarantine", "EmailActionPolicy": "Strict", "OrgLevelPolicy": "Allowed senders", "OrgLevelAction": "Allow",
            "New": 7,
        });
        let ((id, recipient), finding) = read(&row).unwrap();
        assert_eq!((id.as_str(), recipient.as_str()), (ID, "billing@contoso.example"));
        assert_eq!((finding.policy.as_str(), finding.action.as_str()), ("Strict", "Send to quarantine"));
        assert_eq!(
            (finding.threats, finding.methods),
            (vec!["Phish".to_owned(), "Spam".to_owned()], vec!["URL detonation".to_owned()])
        );
        assert_eq!(
            (finding.overridden.as_str(), finding.latest.as_str()),
            ("Allowed senders (Allow)", "Quarantine")
        );
        for nothing in [
            json!({ "NetworkMessageId": ID, "RecipientEmailAddress": "a@b.example", "ThreatTypes": null, "DetectionMethods": "{" , "EmailAction": 1 }),
            json!({ "NetworkMessageId": "x", "RecipientEmailAddress": "a@b.example", "EmailActionPolicy": "Strict" }),
            json!({ "NetworkMessageId": ID, "EmailActionPolicy": "Strict" }),
            json!([]),
        ] {
            let read = read(&nothing);
            assert!(read.as_ref().is_none_or(|(_, finding)| finding.policy.is_empty()), "{read:?}");
        }
    }
}
