//! `$batch`: up to 20 calls in one request, each with its own answer, and each throttled on its own.
//!
//! Graph works on four calls of one batch at a time; calls to one mailbox are spread so that none sees more at once than it allows. What it
//! cannot see: in which order the calls of a batch are carried out.

use super::{
    client::{Answer, Graph, beyond, clean},
    error::{Error, Kind, Malformed, Refusal},
    request::{Body, Request},
    retry,
    throttle::Toll,
    tokens::Token,
};
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// What the service takes.
const SIZE: usize = 20;
/// What stands around the answers of a batch: ids, headers, and base64 where there is any.
const ENVELOPE: usize = 64 << 10;
/// No batch brings more in one piece: every reply is held in memory whole.
const REPLY_LIMIT: usize = 32 << 20;

#[derive(Deserialize)]
struct Wire {
    responses: Vec<Part>,
}

/// One answer. Everything may be missing: only the one call suffers from that.
#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    headers: Value,
    #[serde(default)]
    body: Value,
}

/// A call that has no answer yet.
struct Open {
    index: usize,
    at: Instant,
    tries: u32,
    /// The answer that sent it back, in case no time is left for another try.
    last: Option<Error>,
}

/// What one round brought a call.
enum Turnout {
    Done(Result<Answer, Error>),
    Again(Instant, Error),
    Token(Refusal),
}

impl Graph {
    /// Makes all of `requests` in as few batches as the limits allow, and hands back their answers in the same order. A call that is throttled
    /// is asked for again alone, when its own `Retry-After` is over; everything ends at `until`.
    pub async fn batch(&self, requests: &[Request], until: Instant) -> Vec<Result<Answer, Error>> {
        let mut done: Vec<Option<Result<Answer, Error>>> = requests.iter().map(|_| None).collect();
        let now = Instant::now();
        let mut open: Vec<Open> = (0..requests.len())
            .map(|index| Open {
                index,
                at: now,
                tries: 0,
                last: None,
            })
            .collect();
        while let Some(first) = open.iter().map(|open| open.at).min() {
            if first >= until {
                for Open { index, at, last, .. } in open.drain(..) {
                    let late = Error::Throttled {
                        wait: Some(at.saturating_duration_since(Instant::now())),
                        refusal: None,
                    };
                    done[index] = Some(Err(last.map_or(late, |last| beyond(at, last))));
                }
                break;
            }
            sleep_until(first).await;
            let round = self.pick(&mut open, requests);
            self.round(round, requests, until, &mut open, &mut done).await;
        }
        done.into_iter()
            .map(|answer| answer.unwrap_or(Err(Error::Malformed(Malformed::Unanswered))))
            .collect()
    }

    /// Takes what may go now: no more than fits one batch, and to each mailbox no more than it takes at once.
    fn pick(&self, open: &mut Vec<Open>, requests: &[Request]) -> Vec<Open> {
        let now = Instant::now();
        let mut to: HashMap<&str, u32> = HashMap::new();
        let mut round = Vec::new();
        let mut left = Vec::new();
        for mut call in open.drain(..) {
            // One mailbox that must wait keeps the others of the batch waiting no longer.
            call.at = call.at.max(self.turns().earliest(&requests[call.index].toll, now));
            let fits = call.at <= now && round.len() < SIZE && {
                match &requests[call.index].toll {
                    Toll::Mailbox(id) => {
                        let places = to.entry(id).or_default();
                        *places += 1;
                        *places <= self.turns().at_once()
                    }
                    _ => true,
                }
            };
            if fits { &mut round } else { &mut left }.push(call);
        }
        *open = left;
        round
    }

    async fn round(
        &self,
        round: Vec<Open>,
        requests: &[Request],
        until: Instant,
        open: &mut Vec<Open>,
        done: &mut [Option<Result<Answer, Error>>],
    ) {
        let mut calls = Vec::new();
        let mut parts = Vec::new();
        for call in round {
            match self.part(parts.len(), &requests[call.index]) {
                Ok(part) => {
                    parts.push(part);
                    calls.push(call);
                }
                Err(error) => done[call.index] = Some(Err(error)),
            }
        }
        if calls.is_empty() {
            return;
        }
        let (token, answers) = match self.exchange(&calls, parts, requests, until).await {
            Ok(exchanged) => exchanged,
            Err(error) => {
                for call in calls {
                    done[call.index] = Some(Err(error.clone()));
                }
                return;
            }
        };
        let mut refused = Vec::new();
        for (mut call, answer) in calls.into_iter().zip(answers) {
            call.tries += 1;
            match self.turnout(&requests[call.index], answer, call.tries, &token) {
                Turnout::Done(answer) => done[call.index] = Some(answer),
                Turnout::Again(at, error) => {
                    call.at = at;
                    call.last = Some(error);
                    open.push(call);
                }
                Turnout::Token(refusal) => refused.push((call, refusal)),
            }
        }
        if refused.is_empty() {
            return;
        }
        let fresh = self.another_token(&token, until).await;
        for (mut call, refusal) in refused {
            match &fresh {
                Ok(Some(_)) => {
                    call.last = Some(refusal.into_error());
                    open.push(call);
                }
                Ok(None) => done[call.index] = Some(Err(refusal.into_error())),
                Err(error) => done[call.index] = Some(Err(error.clone())),
            }
        }
    }

    /// Sends one batch, when all its calls have their turn. The token is the one with which the calls inside were made, as far as we know.
    async fn exchange(
        &self,
        calls: &[Open],
        parts: Vec<Value>,
        requests: &[Request],
        until: Instant,
    ) -> Result<(Token, Vec<Result<Part, Malformed>>), Error> {
        let bytes = |request: &Request| request.content().map_or(0, |(_, bytes)| bytes.len() as u64);
        let tolls: Vec<(&Toll, u64)> = calls
            .iter()
            .map(|call| &requests[call.index])
            .map(|request| (&request.toll, bytes(request)))
            .collect();
        let mut envelope = Request::post(&["$batch"], Toll::Other).json(&json!({"requests": parts}));
        let mut limit = ENVELOPE;
        for request in calls.iter().map(|call| &requests[call.index]) {
            limit = limit.saturating_add(request.limit);
        }
        envelope = envelope.at_most(limit.min(REPLY_LIMIT));
        if calls.iter().all(|call| requests[call.index].again) {
            envelope = envelope.repeatable();
        }
        let turn = self.turns().turns(&tolls, until).await?;
        let token = self.token(until).await?;
        let answer = self.call_within(&envelope, until, false).await;
        drop(turn);
        let wire: Wire = answer?.json()?;
        Ok((token, sorted(wire.responses, calls.len())))
    }

    /// A call as it stands in a batch.
    fn part(&self, id: usize, request: &Request) -> Result<Value, Error> {
        let relative = request.relative(&self.cloud().graph_root()).map_err(Error::Malformed)?;
        let mut headers = Map::new();
        headers.insert("Prefer".to_owned(), request.preferences().into());
        let mut part = json!({"id": id.to_string(), "method": request.verb.method().as_str(), "url": format!("/{relative}")});
        match &request.body {
            Body::None => {}
            Body::Json(value) => {
                headers.insert("Content-Type".to_owned(), "application/json".into());
                part["body"] = value.clone();
            }
            Body::Mime(message) => {
                headers.insert("Content-Type".to_owned(), "text/plain".into());
                part["body"] = BASE64.encode(message).into();
            }
        }
        part["headers"] = headers.into();
        Ok(part)
    }

    fn turnout(&self, request: &Request, answer: Result<Part, Malformed>, tries: u32, token: &Token) -> Turnout {
        let part = match answer {
            Ok(part) => part,
            Err(malformed) => return Turnout::Done(Err(Error::Malformed(malformed))),
        };
        let header = |name: &str| {
            part.headers
                .as_object()
                .and_then(|headers| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)))
                .and_then(|(_, value)| value.as_str())
        };
        let status = part
            .status
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or_default();
        if (200..300).contains(&status) {
            let request_id = header("request-id").map(super::words::word);
            let body = bytes(&part.body, header("content-type"));
            if body.len() > request.limit {
                return Turnout::Done(Err(Error::Malformed(Malformed::TooLarge(request.limit))));
            }
            return Turnout::Done(Ok(Answer {
                status,
                body,
                request_id,
                tries,
                date: None,
            }));
        }
        if !(300..600).contains(&status) {
            return Turnout::Done(Err(Error::Malformed(Malformed::Unanswered)));
        }
        let mut refusal = Refusal::of_parts(status, &part.body, header("www-authenticate"));
        clean(&mut refusal, token);
        refusal.request_id = header("request-id").map(super::words::word).or(refusal.request_id);
        let asked: Option<Duration> = header("retry-after").and_then(|value| retry::retry_after(value, self.clock().now()));
        match self.next_try(request, &refusal, asked, tries) {
            Some(at) => Turnout::Again(at, refusal.into_error()),
            None if refusal.kind == Kind::TokenRefused => Turnout::Token(refusal),
            None => Turnout::Done(Err(refusal.into_error())),
        }
    }
}

/// The answers in the order of the calls. They come in any order, and from a stranger: ids that we did not give are passed over.
fn sorted(parts: Vec<Part>, count: usize) -> Vec<Result<Part, Malformed>> {
    let mut answers: Vec<Result<Part, Malformed>> = (0..count).map(|_| Err(Malformed::Unanswered)).collect();
    let mut seen = BTreeSet::new();
    for part in parts {
        let index = part.id.as_str().and_then(|id| (0..count).find(|index| index.to_string() == id));
        if let Some(index) = index {
            // Which of two is the true one, nobody can say.
            answers[index] = if seen.insert(index) {
                Ok(part)
            } else {
                Err(Malformed::AnsweredTwice)
            };
        }
    }
    answers
}

/// The body as it would have come alone: JSON as JSON, everything else out of base64.
fn bytes(body: &Value, kind: Option<&str>) -> Vec<u8> {
    let json = kind.is_none_or(|kind| kind.to_ascii_lowercase().contains("json"));
    match body {
        Value::Null => Vec::new(),
        Value::String(text) if !json => BASE64.decode(text.as_bytes()).unwrap_or_else(|_| text.clone().into_bytes()),
        value => value.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(ids: &str) -> Vec<Part> {
        serde_json::from_str(ids).unwrap()
    }

    #[test]
    fn answers_find_their_calls_in_any_order_and_no_others() {
        let answers = sorted(
            parts(
                r#"[{"id":"2","status":200},{"id":"0","status":404},{"id":"7","status":200},{"id":2,"status":500},{"id":"00"},{},{"id":["1"]}]"#,
            ),
            3,
        );
        let status: Vec<_> = answers
            .iter()
            .map(|answer| answer.as_ref().map(|part| part.status.clone()))
            .collect();
        assert_eq!(status[0], Ok(json!(404)));
        assert_eq!(status[1], Err(&Malformed::Unanswered));
        assert_eq!(status[2], Ok(json!(200)));
    }

    #[test]
    fn two_answers_to_one_call_are_none() {
        for ids in [r#"[{"id":"0"},{"id":"0"}]"#, r#"[{"id":"0"},{"id":"0"},{"id":"0"}]"#] {
            assert_eq!(sorted(parts(ids), 1)[0].as_ref().err(), Some(&Malformed::AnsweredTwice));
        }
    }

    #[test]
    fn bodies_come_as_they_would_alone() {
        assert_eq!(
            bytes(&json!({"value": []}), Some("application/json; odata.metadata=minimal")),
            br#"{"value":[]}"#
        );
        assert_eq!(bytes(&json!("QTogYg0K"), Some("text/plain")), b"A: b\r\n");
        assert_eq!(bytes(&json!("no base64!"), Some("text/plain")), b"no base64!");
        assert_eq!(bytes(&Value::Null, None), b"");
    }
}
