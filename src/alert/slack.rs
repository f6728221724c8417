//! Slack's incoming webhooks: blocks, with a text for notifications. At most 50 blocks, 150 characters in a header, 3000 in a section; `&`, `<` and `>`
//! are escaped, so that nothing out of a mail becomes a mention or a link. Slack knows no key that would drop a double.

use super::words;
use crate::model::{AlertChange, AlertMessage, Occasion};
use serde_json::{Value, json};

/// So many changes get a section; the limit of a message's blocks is 50.
const SECTIONS: usize = 40;
/// Below Slack's 3000, since escaping makes text longer.
const SECTION: usize = 2900;

/// The body of the request.
pub(super) fn body(message: &AlertMessage) -> Value {
    let sign = match message.kind {
        Occasion::Failure => "🔴",
        Occasion::Unknown | Occasion::Missed => "🟠",
        Occasion::Recovery => "🟢",
        Occasion::Test => "🔵",
    };
    let head = words::shorten(&format!("{sign} {}", message.title), 150);
    let mut blocks = vec![json!({ "type": "header", "text": { "type": "plain_text", "text": head, "emoji": true } })];
    // Slack takes about 13 thousand characters of blocks, whatever their number.
    let mut room = 10_000_usize;
    let mut left_out = message.left_out + message.changes.len().saturating_sub(SECTIONS);
    for (index, change) in message.changes.iter().take(SECTIONS).enumerate() {
        let text = section(change);
        if text.len() > room {
            left_out += message.changes.len().min(SECTIONS) - index;
            break;
        }
        room -= text.len();
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } }));
    }
    let mut foot = escape(&words::foot(message));
    if let Some(rest) = words::rest(left_out) {
        foot = format!("{rest}\n{foot}");
    }
    blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": foot, "verbatim": true }] }));
    json!({ "text": escape(&format!("{sign} {}", message.title)), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}

fn section(change: &AlertChange) -> String {
    let lines: Vec<String> = words::lines(change).iter().map(|line| escape(line)).collect();
    let text = format!(
        "*{}* {}\n{}",
        words::head(change),
        escape(&words::subject(change)),
        lines.join("\n")
    );
    words::shorten(&text, SECTION)
}

/// What Slack asks to be escaped. Its marks for bold and the like may stand: they change nothing but the look.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
