//! Calls as they go over the wire, and what is tried again, when and how often.

use crate::{
    server::Canned,
    world::{World, bearer, messages, refusal, soon},
};
use futures::future::join_all;
use mailflow::microsoft::{Error, Kind, Request, TRACE_APP, Toll};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug, Deserialize, PartialEq)]
struct List {
    value: Vec<Item>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Item {
    id: String,
}

#[tokio::test]
async fn a_read_asks_for_immutable_ids_and_passes_over_what_it_does_not_know() {
    let world = World::new(|_| {
        Canned::json(
            200,
            &json!({"@odata.context": "x", "value": [{"id": "AAMk=", "sizeInBytes": 12}], "new": {"deep": []}}),
        )
        .header("request-id", "outer-id")
    })
    .await;
    let request = messages("0f3c7a52")
        .query("$filter", "receivedDateTime ge 2026-11-23T08:59:00Z")
        .query("$top", "50");
    let answer = world.graph.call(&request, soon()).await.unwrap();
    assert_eq!(answer.json::<List>().unwrap().value, [Item { id: "AAMk=".to_owned() }]);
    assert_eq!((answer.request_id.as_deref(), answer.tries), (Some("outer-id"), 1));
    let seen = &world.calls()[0];
    assert_eq!(seen.method, "GET");
    assert_eq!(
        seen.target,
        "/v1.0/users/0f3c7a52/messages?$filter=receivedDateTime%20ge%202026-11-23T08:59:00Z&$top=50"
    );
    assert_eq!(seen.header("prefer"), "IdType=\"ImmutableId\"");
    assert_eq!(seen.header("authorization"), format!("Bearer {}", bearer(0)));
    assert_eq!(seen.header("accept-encoding"), "gzip");
    assert!(seen.header("user-agent").starts_with("mailflow/"));
    assert_eq!(seen.header("client-request-id").len(), 36);
}

#[tokio::test]
async fn a_message_travels_in_base64_and_json_as_it_is() {
    let world = World::new(|seen| Canned::new(if seen.method == "POST" { 202 } else { 204 }, "")).await;
    let toll = || Toll::Mailbox("u".to_owned());
    let send = Request::post(&["users", "u", "sendMail"], toll()).mime(b"Subject: x\r\n\r\nbody");
    assert_eq!(world.graph.call(&send, soon()).await.unwrap().status, 202);
    let mark = Request::patch(&["users", "u", "messages", "m"], toll()).json(&json!({"isRead": true}));
    world.graph.call(&mark, soon()).await.unwrap();
    let delete = Request::delete(&["users", "u", "messages", "m/../x"], toll());
    world.graph.call(&delete, soon()).await.unwrap();
    let calls = world.calls();
    assert_eq!(
        (calls[0].header("content-type"), calls[0].body.as_slice()),
        ("text/plain", b"U3ViamVjdDogeA0KDQpib2R5".as_slice())
    );
    assert_eq!(
        (calls[1].method.as_str(), calls[1].header("content-type"), calls[1].json()),
        ("PATCH", "application/json", json!({"isRead": true}))
    );
    assert_eq!(
        (calls[2].method.as_str(), calls[2].target.as_str()),
        ("DELETE", "/v1.0/users/u/messages/m%2F..%2Fx")
    );
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_in_seconds_and_as_a_date() {
    let world = World::new(|seen| match seen.number {
        1 => refusal(429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.").header("retry-after", "17"),
        2 => refusal(429, "TooManyRequests", "").header("Retry-After", "Mon, 23 Nov 2026 09:01:00 GMT"),
        _ => Canned::json(200, &json!({"value": []})),
    })
    .await;
    let answer = world.graph.call(&messages("a"), soon()).await.unwrap();
    assert_eq!(answer.tries, 3);
    let times: Vec<u128> = world.calls().iter().map(|seen| (seen.at - world.start).as_millis() / 100).collect();
    assert!(matches!(times[..], [0, 170, 598..=601]), "{times:?}");
    assert_eq!(world.graph.turns().usage().throttled, 2);
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let world = World::new(|_| refusal(429, "ApplicationThrottled", "slow down").header("retry-after", "3600")).await;
    let until = Instant::now() + Duration::from_mins(1);
    let error = world.graph.call(&messages("a"), until).await.unwrap_err();
    let Error::Throttled { wait: Some(wait), refusal } = &error else {
        panic!("{error:?}")
    };
    assert!(wait.as_secs().abs_diff(3600) <= 1);
    assert_eq!(refusal.as_ref().unwrap().code, "ApplicationThrottled");
    let error = world.graph.call(&messages("a"), until).await.unwrap_err();
    assert!(
        matches!(error, Error::Throttled { refusal: None, .. }),
        "the mailbox stays held back: {error:?}"
    );
    assert_eq!(world.call_times(), [0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_word_waits_grow_and_tries_end() {
    let world = World::new(|_| refusal(503, "serviceNotAvailable", "")).await;
    let error = world.graph.call(&messages("a"), soon()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Server(refusal) if refusal.kind == Kind::Unavailable),
        "{error:?}"
    );
    // Half a second of jitter in each second: 0.75, 1.5, 3, 6, 12 s.
    assert_eq!(world.call_times(), [0, 0, 2, 5, 11, 23]);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_sent_is_not_sent_again() {
    let send = Request::post(&["users", "u", "sendMail"], Toll::Mailbox("u".to_owned())).mime(b"x");
    let broken = Canned {
        hang_up: true,
        ..Canned::new(0, "")
    };
    for reply in [
        refusal(503, "ErrorServerBusy", ""),
        refusal(504, "UnknownError", ""),
        broken.clone(),
    ] {
        let world = World::new(move |_| reply.clone()).await;
        let error = world.graph.call(&send, soon()).await.unwrap_err();
        assert!(error.in_doubt(), "{error}");
        assert_eq!(world.calls().len(), 1);
    }
    let world = World::new(move |seen| {
        if seen.number == 1 {
            refusal(429, "", "")
        } else {
            Canned::new(202, "")
        }
    })
    .await;
    world.graph.call(&send, soon()).await.unwrap();
    assert_eq!(world.calls().len(), 2, "a 429 was never taken");
    let world = World::new(move |seen| if seen.number < 3 { broken.clone() } else { Canned::new(200, "{}") }).await;
    world.graph.call(&messages("a"), soon()).await.unwrap();
    assert_eq!(world.calls().len(), 3, "a read may be repeated");
}

#[tokio::test]
async fn no_connection_means_that_nothing_was_sent() {
    let world = World::new(|_| Canned::new(200, "{}")).await;
    // The sign-in stands; Graph does not listen.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cloud = mailflow::microsoft::Cloud::loopback(&world.server.url, &format!("http://{free}")).unwrap();
    let http = mailflow::microsoft::Http::new(&mailflow::microsoft::HttpSettings::default()).unwrap();
    let sign_in =
        mailflow::microsoft::SignIn::new("t", "a", mailflow::microsoft::sign_in::Credential::Secret("secret-secret".into())).unwrap();
    let graph = crate::world::graph(cloud, http, sign_in);
    let send = Request::post(&["users", "u", "sendMail"], Toll::Other).mime(b"x");
    let error = graph.call(&send, Instant::now() + Duration::from_millis(300)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Transport(transport) if transport.text.starts_with("no connection: ")),
        "{error}"
    );
    assert!(!error.in_doubt());
}

#[tokio::test]
async fn the_trace_that_is_not_set_up_is_told_apart() {
    for status in [401, 403] {
        let text = format!("Service principal-less authentication failed: The service principal for App ID {TRACE_APP} was not found.");
        let world = World::new(move |_| refusal(status, "UnknownError", &text)).await;
        let trace = Request::get(&["admin", "exchange", "tracing", "messageTraces"], Toll::Trace);
        let error = world.graph.call(&trace, soon()).await.unwrap_err();
        assert_eq!(error.kind(), Some(Kind::TraceNotProvisioned));
        assert_eq!(error.refusal().unwrap().request_id.as_deref(), Some("inner-id"));
        assert_eq!((world.calls().len(), world.sign_ins().len()), (1, 1), "no other token would help");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_never_sees_more_than_three_at_once() {
    let world = World::new(|_| Canned {
        delay: Duration::from_millis(200),
        ..Canned::new(200, "{}")
    })
    .await;
    let (one, other) = (messages("a"), messages("b"));
    let until = soon();
    join_all((0..12).map(|_| world.graph.call(&one, until))).await;
    assert_eq!(world.server.most_at_once(), 3);
    join_all((0..12).flat_map(|_| [world.graph.call(&one, until), world.graph.call(&other, until)])).await;
    assert_eq!(world.server.most_at_once(), 6, "each mailbox for itself");
    assert_eq!(world.graph.turns().usage().busiest_mailbox, 24);
}
