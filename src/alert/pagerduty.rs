//! `PagerDuty`'s Events API v2: one incident for each scenario and target, by `dedup_key`; a recovery of everything resolves it. Summaries have at most
//! 1024 characters, an event 512 KB. The same event sent twice is one incident.

use super::{Keys, Request, words};
use crate::model::{AlertMessage, Occasion, time};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const URL: &str = "https://events.pagerduty.com/v2/enqueue";

/// The request.
pub(super) fn request(keys: &Keys, url: Option<&str>, message: &AlertMessage) -> Result<Request, String> {
    let mut body = body(message);
    // The key is part of the body here; it goes nowhere else.
    if let Value::Object(fields) = &mut body {
        fields.insert("routing_key".to_owned(), keys.main.expose_secret().into());
    }
    Request::json(url.unwrap_or(URL).into(), &body).map(|request| request.knowing(&keys.main))
}

/// The body without its key.
pub(super) fn body(message: &AlertMessage) -> Value {
    if message.resolved {
        return json!({ "event_action": "resolve", "dedup_key": message.thread });
    }
    let severity = match message.kind {
        Occasion::Failure => "error",
        Occasion::Unknown | Occasion::Missed => "warning",
        Occasion::Recovery | Occasion::Test => "info",
    };
    json!({
        "event_action": "trigger",
        "dedup_key": message.thread,
        "client": "mailflow",
        "payload": {
            "summary": words::shorten(&message.title, 1024),
            "source": words::shorten(&message.site, 255),
            "severity": severity,
            "timestamp": time::shown(message.at),
            "component": message.scenario,
            "group": "mail flow",
            "class": message.kind.word(),
            "custom_details": { "text": words::text(message, 30_000), "alert": message },
        },
    })
}
