//! `$batch`: up to twenty requests in one, each throttled by itself.
//!
//! Those that wait for none run at the same time, so that more than four for one mailbox are too many unless they are chained. Replies come in
//! no particular order; here the last first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Body};
use super::super::call::Call;
use super::super::http::recorded;
use super::super::token::Grant;
use super::super::world::World;
use super::begin;

const MOST: usize = 20;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    depends_on: Vec<String>,
}

/// Answers a batch.
pub async fn answer(world: &Arc<World>, grant: &Grant, call: &Call) -> Answer {
    world.throttle().batch();
    let answer = run(world, grant, call).await.unwrap_or_else(|refused| refused);
    // Its parts are recorded each by itself, and once more as they stand in their envelope.
    world.record().note(recorded(world, call, Some(&grant.app), &answer));
    answer
}

async fn run(world: &Arc<World>, grant: &Grant, call: &Call) -> Result<Answer, Answer> {
    if call.method != "POST" {
        return Err(Answer::no_such_segment("$batch"));
    }
    let batch: Batch = serde_json::from_slice(&call.body).map_err(|_| Answer::bad_request("Invalid batch payload format."))?;
    let ids: BTreeSet<&String> = batch.requests.iter().map(|part| &part.id).collect();
    if batch.requests.is_empty() || batch.requests.len() > MOST {
        return Err(Answer::bad_request("Number of batch requests must be between 1 and 20."));
    }
    let known = batch.requests.iter().flat_map(|part| &part.depends_on).all(|id| ids.contains(id));
    if ids.len() < batch.requests.len() || !known {
        return Err(Answer::bad_request("Request ids must be unique, and dependsOn must name them."));
    }
    let mut waiting = batch.requests;
    let mut done: Vec<(String, Answer)> = Vec::new();
    while !waiting.is_empty() {
        let status = |id: &String| done.iter().find(|(d, _)| d == id).map(|(_, answer)| answer.status);
        let (ready, later): (Vec<Part>, Vec<Part>) = waiting
            .into_iter()
            .partition(|p| p.depends_on.iter().all(|id| status(id).is_some()));
        if ready.is_empty() {
            return Err(Answer::bad_request("The requests wait for each other in a circle."));
        }
        let failed = |part: &Part| part.depends_on.iter().any(|id| status(id).is_none_or(|s| s >= 400));
        let (hopeless, ready): (Vec<Part>, Vec<Part>) = ready.into_iter().partition(failed);
        waiting = later;
        done.extend(hopeless.into_iter().map(|part| (part.id, dependency())));
        // All begin before one ends: that is what `at the same time` means to the limits.
        let begun: Vec<_> = ready
            .into_iter()
            .map(|part| (part.id.clone(), begin(world, grant, part.into_call(call))))
            .collect();
        tokio::time::sleep(world.config.latency).await;
        for (id, begun) in begun {
            done.push((id, begun.map_or_else(|refused| refused, super::Begun::finish)));
        }
    }
    let responses: Vec<Value> = done.into_iter().rev().map(|(id, answer)| render(&id, answer)).collect();
    Ok(Answer::ok(json!({ "responses": responses })))
}

fn dependency() -> Answer {
    Answer::error(424, "FailedDependency", "A request that this one depends on failed.")
}

impl Part {
    fn into_call(self, outer: &Call) -> Call {
        let mut call = Call::new(&self.method, &format!("/v1.0/{}", self.url.trim_start_matches('/')));
        call.headers = self
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        call.headers
            .entry("client-request-id".to_owned())
            .or_insert_with(|| outer.header("client-request-id").to_owned());
        call.body = match self.body {
            Value::Null => Vec::new(),
            Value::String(text) => text.into_bytes(),
            other => other.to_string().into_bytes(),
        };
        call.batched = true;
        call
    }
}

fn render(id: &str, answer: Answer) -> Value {
    let mut headers: Map<String, Value> = answer
        .headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let body = match answer.body {
        Body::Empty => None,
        Body::Json(value) => {
            headers.insert("Content-Type".to_owned(), json!("application/json"));
            Some(value)
        }
        Body::Mime(raw) => {
            headers.insert("Content-Type".to_owned(), json!("text/plain"));
            Some(json!(BASE64.encode(&raw)))
        }
    };
    let mut response = json!({ "id": id, "status": answer.status, "headers": headers });
    if let Some(body) = body {
        response["body"] = body;
    }
    response
}
