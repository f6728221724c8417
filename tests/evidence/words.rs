//! What the explanation makes of a notification: the cause, the sentence, the step. The probe around it is that of `tests/explain/_probe.json`,
//! taken by the sender's own relay.

use mailflow::{
    explain::{cause, explain},
    model::{Dsn, DsnAction, JudgedProbe},
};
use serde_json::{Map, Value, json};
use std::fs;

/// Adds the cause of a failure or a delay to the fields of a notification, and of a failure the explanation and the remedy.
pub fn add_to(fields: &mut Map<String, Value>, dsn: &Dsn, recipient: &str) {
    if !matches!(dsn.action, DsnAction::Failed | DsnAction::Delayed) {
        return;
    }
    fields.insert("cause".to_owned(), cause(dsn).word().into());
    if dsn.action == DsnAction::Failed {
        let (explanation, remedy) = explain(&bounced(dsn, recipient));
        fields.insert("explanation".to_owned(), explanation.into());
        fields.insert("remedy".to_owned(), remedy.into());
    }
}

/// A probe to `recipient` that this notification returned.
fn bounced(dsn: &Dsn, recipient: &str) -> JudgedProbe {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/explain/_probe.json")).expect("the probe");
    let mut probe: Value = serde_json::from_str(&text).expect("JSON");
    let nothing = [
        "mailbox",
        "folder",
        "arrived_after",
        "arrived_at",
        "latency_ms",
        "latency_uncertainty_ms",
        "owner",
    ];
    for field in nothing {
        probe[field] = Value::Null;
    }
    probe["attempts"][0]["host"] = "smtp.sender.example [192.0.2.25]:587".into();
    for (field, value) in [
        ("recipient", json!(recipient)),
        ("outcome", json!("failed")),
        ("verdict", json!("bounced")),
        ("basis", json!("dsn")),
        ("copies", json!(0)),
        ("sightings", json!([])),
        ("dsn", serde_json::to_value(dsn).expect("a notification")),
    ] {
        probe[field] = value;
    }
    serde_json::from_value(probe).expect("a judged probe")
}

/// The causes that a fixture's JSON names.
pub fn causes(expected: &Value) -> impl Iterator<Item = &str> {
    let findings = expected["findings"].as_array().into_iter().flatten();
    findings.filter_map(|finding| finding["dsn"]["cause"].as_str())
}
