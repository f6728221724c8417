//! Batches: who is asked again, when, and what a hostile answer does.

use crate::{
    server::{Canned, Seen},
    world::{World, messages, refusal, refusal_body, soon},
};
use mailflow::microsoft::{Answer, Error, Kind, Malformed, Request, Toll};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The calls in a batch: id and URL.
fn inside(seen: &Seen) -> Vec<(String, String)> {
    let requests = seen.json()["requests"].as_array().unwrap().clone();
    requests
        .iter()
        .map(|request| {
            (
                request["id"].as_str().unwrap().to_owned(),
                request["url"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// Answers every call by `each`, the last first.
fn answered(seen: &Seen, each: impl Fn(&str) -> Value) -> Canned {
    let responses: Vec<Value> = inside(seen)
        .iter()
        .rev()
        .map(|(id, url)| {
            let mut response = each(url);
            response["id"] = json!(id);
            response
        })
        .collect();
    Canned::json(200, &json!({"responses": responses}))
}

fn good(url: &str) -> Value {
    json!({"status": 200, "headers": {"Content-Type": "application/json"}, "body": {"value": url}})
}

fn value(answer: &Result<Answer, Error>) -> String {
    answer.as_ref().unwrap().json::<Value>().unwrap()["value"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn mailboxes(count: usize) -> Vec<Request> {
    (0..count).map(|number| messages(&format!("m{number}"))).collect()
}

#[tokio::test]
async fn calls_travel_by_twenties_and_answers_find_their_calls() {
    let world = World::new(|seen| answered(seen, good)).await;
    let answers = world.graph.batch(&mailboxes(45), soon()).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(value(answer), format!("/users/m{number}/messages"));
    }
    let calls = world.calls();
    assert_eq!(calls.iter().map(|call| inside(call).len()).collect::<Vec<_>>(), [20, 20, 5]);
    assert_eq!((calls[0].method.as_str(), calls[0].target.as_str()), ("POST", "/v1.0/$batch"));
    let first = &calls[0].json()["requests"][0];
    assert_eq!(
        (&first["method"], &first["headers"]["Prefer"]),
        (&json!("GET"), &json!("IdType=\"ImmutableId\""))
    );
    assert_eq!(world.graph.turns().usage().requests, 45, "each counts");
}

#[tokio::test]
async fn one_mailbox_gets_no_more_at_once_in_a_batch_than_alone() {
    let world = World::new(|seen| answered(seen, good)).await;
    let mut requests: Vec<Request> = (0..7).map(|_| messages("same")).collect();
    requests.extend(mailboxes(2));
    let answers = world.graph.batch(&requests, soon()).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(world.calls().iter().map(|call| inside(call).len()).collect::<Vec<_>>(), [5, 3, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_asked_again_alone_when_its_own_time_has_come() {
    let world = World::new(|seen| {
        answered(seen, |url| {
            let throttled = |seconds: &str| json!({"status": 429, "headers": {"retry-after": seconds}, "body": refusal_body("ApplicationThrottled", "")});
            match (seen.number, url) {
                (1, "/users/m1/messages") => throttled("10"),
                (1, "/users/m3/messages") => throttled("25"),
                (2, "/users/m1/messages") => throttled("40"),
                _ => good(url),
            }
        })
    })
    .await;
    let answers = world.graph.batch(&mailboxes(5), soon()).await;
    assert_eq!(
        answers.iter().map(|answer| answer.as_ref().unwrap().tries).collect::<Vec<_>>(),
        [1, 3, 1, 2, 1]
    );
    let calls = world.calls();
    let urls: Vec<Vec<String>> = calls
        .iter()
        .skip(1)
        .map(|call| inside(call).into_iter().map(|(_, url)| url).collect())
        .collect();
    assert_eq!(urls, [["/users/m1/messages"], ["/users/m3/messages"], ["/users/m1/messages"]]);
    assert_eq!(world.call_times(), [0, 10, 25, 50]);
}

#[tokio::test(start_paused = true)]
async fn what_would_come_too_late_says_so_and_keeps_nobody_else() {
    let world = World::new(|seen| {
        answered(seen, |url| match url {
            "/users/m0/messages" => {
                json!({"status": 429, "headers": {"Retry-After": "600"}, "body": refusal_body("ApplicationThrottled", "busy")})
            }
            url => good(url),
        })
    })
    .await;
    let until = Instant::now() + Duration::from_mins(1);
    let answers = world.graph.batch(&mailboxes(2), until).await;
    assert!(
        matches!(&answers[0], Err(Error::Throttled { refusal: Some(refusal), .. }) if refusal.message == "busy"),
        "{answers:?}"
    );
    assert!(answers[1].is_ok());
    assert_eq!(world.call_times(), [0]);
    // The mailbox stays held back, and the next batch goes without it.
    let answers = world.graph.batch(&mailboxes(2), until).await;
    assert!(
        matches!(answers[0], Err(Error::Throttled { .. })) && answers[1].is_ok(),
        "{answers:?}"
    );
    assert_eq!(inside(&world.calls()[1]).len(), 1);
}

#[tokio::test]
async fn each_call_has_its_own_refusal() {
    let world = World::new(|seen| {
        answered(seen, |url| match url {
            "/users/m0/messages" => json!({"status": 404, "body": refusal_body("MailboxNotEnabledForRESTAPI", "")}),
            "/users/m1/messages" => json!({"status": 403, "body": refusal_body("ErrorAccessDenied", "")}),
            "/users/m2/messages" => json!({"status": 410, "body": refusal_body("SyncStateNotFound", "")}),
            url => good(url),
        })
    })
    .await;
    let answers = world.graph.batch(&mailboxes(4), soon()).await;
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().and_then(Error::kind)).collect();
    assert_eq!(
        kinds,
        [
            Some(Kind::MailboxNotEnabled),
            Some(Kind::AccessDenied),
            Some(Kind::SyncStateNotFound),
            None
        ]
    );
    assert_eq!(
        answers[0].as_ref().unwrap_err().refusal().unwrap().request_id.as_deref(),
        Some("inner-id")
    );
}

#[tokio::test]
async fn a_token_that_ends_within_a_batch_is_replaced_for_the_calls_that_felt_it() {
    let world = World::new(|seen| {
        answered(seen, |url| match (seen.number, url) {
            (1, "/users/m1/messages") => json!({"status": 401, "body": refusal_body("InvalidAuthenticationToken", "")}),
            (_, url) => good(url),
        })
    })
    .await;
    let answers = world.graph.batch(&mailboxes(3), soon()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(world.sign_ins().len(), 2);
    assert_eq!(inside(&world.calls()[1]), [("0".to_owned(), "/users/m1/messages".to_owned())]);
}

#[tokio::test]
async fn hostile_answers_hurt_only_the_calls_that_they_are_for() {
    let world = World::new(|_| {
        Canned::json(
            200,
            &json!({"responses": [
                {"id": "3", "status": 200, "body": {"value": "three"}},
                {"id": "0", "status": 200, "body": {"value": "zero"}},
                {"id": "1", "status": 200, "body": {"value": "one"}},
                {"id": "1", "status": 404, "body": null},
                {"id": "99", "status": 200, "body": {"value": "foreign"}},
                {"id": 2, "status": 200, "body": {"value": "a number"}},
                {"status": "200"}, {"id": "4", "status": 99999}, {"id": "5", "status": "200"}, {},
            ]}),
        )
    })
    .await;
    let answers = world.graph.batch(&mailboxes(6), soon()).await;
    assert_eq!((value(&answers[0]), value(&answers[3])), ("zero".to_owned(), "three".to_owned()));
    let malformed = |index: usize| answers[index].clone().unwrap_err();
    assert_eq!(malformed(1), Error::Malformed(Malformed::AnsweredTwice));
    for index in [2, 4, 5] {
        assert_eq!(malformed(index), Error::Malformed(Malformed::Unanswered), "{index}");
    }
    assert_eq!(world.calls().len(), 1, "nothing of that is asked again");
}

#[tokio::test]
async fn a_batch_that_fails_whole_fails_for_all() {
    let world = World::new(|_| refusal(400, "BadRequest", "no such batch")).await;
    let answers = world.graph.batch(&mailboxes(2), soon()).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().unwrap_err().refusal().unwrap().code == "BadRequest")
    );
    let world = World::new(|_| Canned::new(200, "{\"responses\": 7}")).await;
    let answers = world.graph.batch(&mailboxes(1), soon()).await;
    assert!(matches!(answers[0], Err(Error::Malformed(Malformed::Json { .. }))));
    assert!(world.graph.batch(&[], soon()).await.is_empty());
}

#[tokio::test]
async fn a_message_within_a_batch_is_never_sent_twice() {
    let send = || Request::post(&["users", "u", "sendMail"], Toll::Mailbox("u".to_owned())).mime(b"A: b\r\n");
    let world = World::new(|seen| answered(seen, |_| json!({"status": 503, "body": refusal_body("ErrorServerBusy", "")}))).await;
    let answers = world.graph.batch(&[send()], soon()).await;
    assert!(answers[0].as_ref().unwrap_err().in_doubt());
    let part = &world.calls()[0].json()["requests"][0];
    assert_eq!(
        (&part["body"], &part["headers"]["Content-Type"]),
        (&json!("QTogYg0K"), &json!("text/plain"))
    );
    let world = World::new(|_| refusal(503, "", "")).await;
    assert!(world.graph.batch(&[send()], soon()).await[0].is_err());
    assert_eq!(world.calls().len(), 1);
}
