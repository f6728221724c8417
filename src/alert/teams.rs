//! Microsoft Teams: a workflow that begins with "When a Teams webhook request is received" takes a message whose attachment is an Adaptive Card. A
//! message may have 28 KB. Text blocks read a little Markdown, which is escaped; nothing in a card drops a double.

use super::words;
use crate::model::{AlertChange, AlertMessage, Occasion};
use serde_json::{Value, json};

/// So many bytes of changes: half of what a message may have, since JSON makes text longer.
const ROOM: usize = 14_000;

/// The body of the request.
pub(super) fn body(message: &AlertMessage) -> Value {
    let color = match message.kind {
        Occasion::Failure => "Attention",
        Occasion::Unknown | Occasion::Missed => "Warning",
        Occasion::Recovery => "Good",
        Occasion::Test => "Accent",
    };
    let mut body = vec![text(
        &message.title,
        json!({ "size": "Medium", "weight": "Bolder", "color": color, "style": "heading" }),
    )];
    let mut room = ROOM;
    let mut left_out = message.left_out;
    for (index, change) in message.changes.iter().enumerate() {
        let block = container(change);
        let size = block.to_string().len();
        if size > room {
            left_out += message.changes.len() - index;
            break;
        }
        room -= size;
        body.push(block);
    }
    if let Some(rest) = words::rest(left_out) {
        body.push(text(&rest, json!({})));
    }
    body.push(text(&words::foot(message), json!({ "isSubtle": true, "size": "Small" })));
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": message.title,
        "msteams": { "width": "Full" },
        "body": body,
    });
    json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card }] })
}

fn container(change: &AlertChange) -> Value {
    let head = format!("{} {}", words::head(change), words::subject(change));
    let mut items = vec![text(&head, json!({ "weight": "Bolder" }))];
    items.extend(words::lines(change).iter().map(|line| text(line, json!({ "spacing": "Small" }))));
    json!({ "type": "Container", "separator": true, "items": items })
}

fn text(text: &str, more: Value) -> Value {
    let mut block = json!({ "type": "TextBlock", "text": escape(text), "wrap": true });
    if let (Value::Object(block), Value::Object(more)) = (&mut block, more) {
        block.extend(more);
    }
    block
}

/// The Markdown that a text block reads, made plain.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '*' | '_' | '[' | ']' | '`' | '#') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
