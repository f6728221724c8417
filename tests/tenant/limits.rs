//! Limits, batches, storms, and the record of what was asked.

use std::time::Duration;

use futures::future::join_all;
use mailflow::postoffice::tenant::{Config, Limits};
use serde_json::{Value, json};

use super::client::{SECRET, world, world_with};

const LIST: &str = "/users/ok@tenant.example/messages?$top=1";

fn get(id: usize, url: &str) -> Value {
    json!({ "id": id.to_string(), "method": "GET", "url": url })
}

/// The status of each part of a batch, by its id.
fn parts(reply: &Value) -> Vec<(usize, u64)> {
    let mut all: Vec<(usize, u64)> = reply["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| (part["id"].as_str().unwrap().parse().unwrap(), part["status"].as_u64().unwrap()))
        .collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn the_fifth_request_at_once_is_turned_away() {
    let world = world_with(|config: &mut Config| config.latency = Duration::from_secs(3)).await;
    let replies = join_all((0..6).map(|_| world.get(LIST))).await;
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0].refusal(), (429, "ApplicationThrottled".to_owned()));
    assert_eq!(refused[0].header("retry-after"), Some("1"));
    let usage = world.tenant.usage();
    assert_eq!(
        (
            usage.requests,
            usage.throttled,
            usage.violations,
            usage.peak_concurrency,
            usage.peak_in_flight
        ),
        (6, 2, 2, 5, 4)
    );
    assert!(usage.described[0].contains("ok@tenant.example"), "{:?}", usage.described);
    world.time.pass(1);
    assert_eq!(world.get(LIST).await.status, 200, "and then there is room again");
}

#[tokio::test]
async fn a_batch_is_throttled_part_by_part() {
    let world = world().await;
    let five: Vec<Value> = (0..5).map(|id| get(id, LIST)).collect();
    let reply = world.post("/$batch", &json!({ "requests": five })).await;
    assert_eq!(reply.status, 200);
    assert_eq!(parts(&reply.json()), [(0, 200), (1, 200), (2, 200), (3, 200), (4, 429)]);
    let refused = reply.json()["responses"][0].clone();
    assert_eq!(
        (
            refused["headers"]["Retry-After"].as_str(),
            refused["body"]["error"]["code"].as_str()
        ),
        (Some("1"), Some("ApplicationThrottled"))
    );

    world.time.pass(2);
    let mut chained = five.clone();
    chained[4]["dependsOn"] = json!(["0"]);
    let reply = world.post("/$batch", &json!({ "requests": chained })).await.json();
    assert!(
        parts(&reply).iter().all(|(_, status)| *status == 200),
        "chained requests do not run at the same time"
    );

    let spread: Vec<Value> = (0..20)
        .map(|id| get(id, &format!("/users/ok-{id}@tenant.example/mailFolders/inbox/messages")))
        .collect();
    let reply = world.post("/$batch", &json!({ "requests": spread })).await.json();
    assert!(parts(&reply).iter().all(|(_, status)| *status == 200));
    let failing = json!({ "requests": [get(0, "/users/nobody@tenant.example/messages"), { "id": "1", "method": "GET", "url": LIST, "dependsOn": ["0"] }] });
    assert_eq!(parts(&world.post("/$batch", &failing).await.json()), [(0, 404), (1, 424)]);

    let many: Vec<Value> = (0..21).map(|id| get(id, LIST)).collect();
    let circle = json!([{ "id": "1", "method": "GET", "url": LIST, "dependsOn": ["2"] }, { "id": "2", "method": "GET", "url": LIST, "dependsOn": ["1"] }]);
    for requests in [json!(many), json!([]), json!([get(1, LIST), get(1, LIST)]), circle] {
        assert_eq!(world.post("/$batch", &json!({ "requests": requests })).await.status, 400);
    }
}

#[tokio::test]
async fn a_thousand_mailboxes_are_read_in_fifty_batches() {
    let world = world().await;
    for at in 0..1000 {
        world.deliver(&format!("ok-{at}"), "a-probe");
    }
    for batch in 0..50 {
        let url = |at: usize| format!("/users/ok-{at}@tenant.example/mailFolders/inbox/messages?$select=id,internetMessageHeaders");
        let requests: Vec<Value> = (0..20).map(|at| get(at, &url(batch * 20 + at))).collect();
        let reply = world.post("/$batch", &json!({ "requests": requests })).await.json();
        let full = |part: &Value| part["body"]["value"].as_array().is_some_and(|list| list.len() == 1);
        assert!(reply["responses"].as_array().unwrap().iter().all(full), "batch {batch}");
    }
    let usage = world.tenant.usage();
    assert_eq!(
        (usage.requests, usage.batches, usage.violations, usage.peak_mailbox),
        (1000, 50, 0, 1)
    );
    assert_eq!(world.tenant.requests().iter().filter(|request| request.batched).count(), 1000);
}

#[tokio::test]
async fn a_batch_sends_and_reads_mime() {
    let world = world().await;
    let raw = "From: probe@tenant.example\r\nTo: ok@tenant.example\r\nSubject: batched\r\n\r\nx\r\n";
    let send = json!({
        "id": "0", "method": "POST", "url": "/users/probe@tenant.example/sendMail", "headers": { "Content-Type": "text/plain" },
        "body": data_encoding::BASE64.encode(raw.as_bytes()),
    });
    let reply = world.post("/$batch", &json!({ "requests": [send] })).await.json();
    assert_eq!(parts(&reply), [(0, 202)]);
    assert_eq!(world.subjects("ok@tenant.example", "inbox").await, ["batched"]);
    assert!(
        world
            .tenant
            .requests()
            .iter()
            .any(|request| request.batched && request.path.ends_with("/sendMail"))
    );
}

#[tokio::test]
async fn a_storm_is_weathered_by_coming_back() {
    let world = world().await;
    let statuses: Vec<u16> = [
        world.get("/users/storm@tenant.example/messages").await.status,
        world.get("/users/storm@tenant.example/messages").await.status,
        world.get("/users/storm@tenant.example/messages").await.status,
    ]
    .into();
    assert_eq!(statuses, [429, 429, 200]);
    let usage = world.tenant.usage();
    assert_eq!(
        (usage.storms, usage.violations, usage.early),
        (2, 0, 2),
        "nobody waited for Retry-After"
    );
}

#[tokio::test]
async fn the_trace_has_a_quota_for_the_whole_tenant() {
    let limits = Limits {
        trace_requests: 2,
        ..Limits::default()
    };
    let world = world_with(|config: &mut Config| config.limits = limits).await;
    let url = "/admin/exchange/tracing/messageTraces";
    assert_eq!((world.get(url).await.status, world.get(url).await.status), (200, 200));
    let third = world.get(url).await;
    assert_eq!(third.status, 429);
    assert!(
        third.json()["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Your recent queries")
    );
    world.time.pass(301);
    assert_eq!(world.get(url).await.status, 200);
    assert_eq!((world.tenant.usage().peak_trace, world.tenant.usage().violations), (3, 1));
}

#[tokio::test]
async fn what_was_asked_is_remembered_without_secrets() {
    let world = world().await;
    world.get_immutable("/users/ok@tenant.example/messages?$select=id,subject").await;
    let requests = world.tenant.requests();
    let last = requests.last().unwrap();
    assert_eq!(
        (last.method.as_str(), last.path.as_str(), last.status),
        ("GET", "/v1.0/users/ok@tenant.example/messages", 200)
    );
    assert_eq!(last.query, [("$select".to_owned(), "id,subject".to_owned())]);
    assert_eq!(last.prefer.as_deref(), Some("IdType=\"ImmutableId\""));
    let all = format!("{requests:?}");
    assert!(!all.contains(SECRET) && !all.contains(&world.token));
    world.tenant.forget_requests();
    assert_eq!(world.tenant.requests(), []);
}

#[tokio::test]
async fn hostile_requests_are_answered() {
    let world = world().await;
    for url in [
        "/",
        "/v1.0",
        "/v1.0/",
        "/v1.0//calendar///",
        "/v1.0/users/%00/messages",
        "/v1.0/users/%ff@x/messages",
        "/v1.0/users/a@b('/x",
    ] {
        let status = world
            .raw("GET", url, &[("Authorization", &format!("Bearer {}", world.token))], b"")
            .await
            .status;
        assert!((400..500).contains(&status), "{url}: {status}");
    }
    let large = vec![b'x'; 5 << 20];
    assert_eq!(
        world
            .raw("POST", "/v1.0/users/probe@tenant.example/sendMail", &[], &large)
            .await
            .status,
        413
    );
    assert_eq!(world.post("/$batch", &json!("x")).await.status, 400);
    let deep = format!("/users/ok@tenant.example/messages?$filter={}", "(".repeat(9000));
    assert_eq!(
        world
            .raw(
                "GET",
                &format!("/v1.0{deep}"),
                &[("Authorization", &format!("Bearer {}", world.token))],
                b""
            )
            .await
            .status,
        400
    );
}
