//! ntfy: a message in JSON is posted to the server, with the topic in it; the site names the topic's own address. A text has at most 4096 bytes, else
//! it becomes an attachment.

use super::{Keys, Request, words};
use crate::model::{AlertMessage, Occasion};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

/// Below the server's 4096.
const LONGEST: usize = 3_800;

/// The request.
pub(super) fn request(keys: &Keys, message: &AlertMessage) -> Result<Request, String> {
    let wrong = || "the address of the topic is none: it should look like https://ntfy.sh/TOPIC".to_owned();
    let mut url = Url::parse(keys.main.expose_secret()).map_err(|_| wrong())?;
    let topic = url.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
    if topic.is_empty() {
        return Err(wrong());
    }
    url.path_segments_mut().map_err(|()| wrong())?.pop().push("");
    let (priority, tag) = match message.kind {
        Occasion::Failure => (4, "rotating_light"),
        Occasion::Unknown | Occasion::Missed => (3, "warning"),
        Occasion::Recovery => (3, "white_check_mark"),
        Occasion::Test => (2, "information_source"),
    };
    let body = json!({
        "topic": topic,
        "title": words::shorten(&message.title, 200),
        "message": words::text(message, LONGEST),
        "priority": priority,
        "tags": [tag],
    });
    let request = Request::json(String::from(url).into(), &body)?.knowing(&keys.main);
    Ok(match &keys.token {
        Some(token) => request.with("authorization", bearer(token)).knowing(token),
        None => request,
    })
}

/// A bearer token as a header has it.
pub(super) fn bearer(token: &SecretString) -> SecretString {
    format!("Bearer {}", token.expose_secret()).into()
}
