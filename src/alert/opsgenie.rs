//! Opsgenie's alert API, which Jira Service Management has taken over: one alert for each scenario and target, by its alias; a recovery of everything
//! closes it, a part of one is a note. A message has at most 130 characters, a description 15000. The same alias twice is one alert.

use super::{Keys, Request, words};
use crate::model::{AlertMessage, Occasion};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const URL: &str = "https://api.opsgenie.com/v2/alerts";

/// The request.
pub(super) fn request(keys: &Keys, url: Option<&str>, message: &AlertMessage) -> Result<Request, String> {
    let (path, body) = call(message);
    let url = format!("{}{path}", url.unwrap_or(URL).trim_end_matches('/'));
    let key = SecretString::from(format!("GenieKey {}", keys.main.expose_secret()));
    Request::json(url.into(), &body).map(|request| request.with("authorization", key).knowing(&keys.main))
}

/// What is added to the address, and the body.
pub(super) fn call(message: &AlertMessage) -> (String, Value) {
    // Ours are letters, digits and hyphens: nothing of an alias needs escaping in a path.
    let alias = &message.thread;
    let said = json!({ "source": "mailflow", "user": "mailflow", "note": words::shorten(&words::text(message, 20_000), 20_000) });
    if message.resolved {
        return (format!("/{alias}/close?identifierType=alias"), said);
    }
    if message.kind == Occasion::Recovery {
        return (format!("/{alias}/notes?identifierType=alias"), said);
    }
    let priority = match message.kind {
        Occasion::Failure => "P2",
        Occasion::Unknown | Occasion::Missed => "P3",
        Occasion::Recovery | Occasion::Test => "P5",
    };
    let body = json!({
        "message": words::shorten(&message.title, 130),
        "alias": alias,
        "description": words::text(message, 14_500),
        "source": "mailflow",
        "entity": words::shorten(message.scenario.as_deref().unwrap_or("mail flow"), 512),
        "priority": priority,
        "tags": ["mailflow", message.kind.word()],
        "details": { "id": message.id, "run": message.run.clone().unwrap_or_default(), "open": message.open.to_string() },
    });
    (String::new(), body)
}
