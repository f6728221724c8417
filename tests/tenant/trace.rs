//! The message trace: late, changing, and with habits of its own.

use mailflow::postoffice::tenant::{Config, Trace};
use serde_json::{Value, json};

use super::client::{Reply, World, column, encoded, world, world_with};

async fn trace(world: &World, filter: &str) -> Reply {
    world
        .get(&format!("/admin/exchange/tracing/messageTraces?$filter={}", encoded(filter)))
        .await
}

async fn statuses(world: &World, filter: &str) -> Vec<(String, String)> {
    let reply = trace(world, filter).await;
    assert_eq!(reply.status, 200, "{filter}: {reply:?}");
    column(&reply, "recipientAddress")
        .into_iter()
        .zip(column(&reply, "status"))
        .collect()
}

#[tokio::test]
async fn each_fate_has_its_word_after_a_while() {
    let world = world().await;
    for (local, word) in [
        ("ok", "delivered"),
        ("junk", "delivered"),
        ("quarantined", "quarantined"),
        ("filtered", "filteredAsSpam"),
        ("ndr-5.1.10", "failed"),
        ("unlicensed", "failed"),
        ("out-of-scope", "delivered"),
        ("redirected", "delivered"),
        ("group", "delivered"),
        ("pending", "pending"),
        ("getting-status", "gettingStatus"),
        ("late-60s", "pending"),
    ] {
        let filter = format!("recipientAddress eq '{local}@tenant.example'");
        world.deliver(local, "a-probe");
        assert_eq!(statuses(&world, &filter).await, [], "{local} shows at once");
        world.time.pass(3);
        assert_eq!(statuses(&world, &filter).await[0].1, "gettingStatus", "{local}");
        world.time.pass(1);
        assert_eq!(statuses(&world, &filter).await[0].1, word, "{local}");
    }
    world.time.pass(100);
    assert_eq!(
        statuses(&world, "recipientAddress eq 'late-60s@tenant.example'").await[0].1,
        "delivered"
    );
    world.deliver("lost", "a-probe");
    world.deliver("zap-quarantined", "a-probe");
    world.deliver("handed-over", "a-probe");
    world.time.pass(4);
    assert_eq!(
        statuses(&world, "recipientAddress eq 'zap-quarantined@tenant.example'").await[0].1,
        "delivered"
    );
    let elsewhere = trace(&world, "recipientAddress eq 'handed-over@tenant.example'").await.json();
    assert_eq!(elsewhere["value"][0]["toIP"], "203.0.113.77");
    world.time.pass(100);
    assert_eq!(
        statuses(&world, "recipientAddress eq 'zap-quarantined@tenant.example'").await[0].1,
        "quarantined"
    );
    assert_eq!(statuses(&world, "recipientAddress eq 'lost@tenant.example'").await, []);
}

#[tokio::test]
async fn a_list_expands_to_the_rows_of_its_members() {
    let world = world().await;
    world.deliver("list", "a-probe");
    world.time.pass(10);
    let rows = statuses(&world, "senderAddress eq 'probe@sender.example'").await;
    let of = |local: &str| {
        rows.iter()
            .find(|(r, _)| *r == format!("{local}@tenant.example"))
            .map(|(_, s)| s.as_str())
    };
    assert_eq!(
        [of("list"), of("member-1"), of("member-2"), of("member-3")],
        [Some("expanded"), Some("delivered"), Some("delivered"), Some("quarantined")]
    );
}

#[tokio::test]
async fn or_is_ignored_and_the_last_value_counts() {
    let world = world().await;
    for local in ["ok", "junk", "quarantined"] {
        world.deliver(local, local);
    }
    world.time.pass(10);
    let who = async |filter: &str| {
        statuses(&world, filter)
            .await
            .into_iter()
            .map(|(r, _)| r.replace("@tenant.example", ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        who("recipientAddress eq 'ok@tenant.example' or recipientAddress eq 'junk@tenant.example'").await,
        ["junk"]
    );
    assert_eq!(who("recipientAddress in ('junk@tenant.example','ok@tenant.example')").await, ["ok"]);
    assert_eq!(who("recipientAddress ne 'ok@tenant.example'").await.len(), 3);
    assert_eq!(who("not (recipientAddress eq 'ok@tenant.example')").await, ["ok"]);
    assert_eq!(who("startswith(recipientAddress,'nobody')").await.len(), 3, "ignored on addresses");
    assert_eq!(
        who("senderAddress eq '*@sender.example'").await,
        ["quarantined", "junk", "ok"],
        "newest first"
    );
    assert_eq!(who("senderAddress eq 'probe@*'").await.len(), 0);
    assert_eq!(who("contains(subject,'unk') and status eq 'delivered'").await, ["junk"]);
    assert_eq!(who("messageId eq '<ok@sender.example>'").await, ["ok"]);
}

#[tokio::test]
async fn times_have_bounds_and_lists_have_pages() {
    let world = world().await;
    for at in 0..3 {
        world.deliver("ok", &format!("probe-{at}"));
        world.time.pass(10);
    }
    let range = |from: &str, to: &str| format!("receivedDateTime ge {from} and receivedDateTime le {to}");
    let good = range("2026-11-23T09:00:05Z", "2026-11-23T09:00:30Z");
    assert_eq!(statuses(&world, &good).await.len(), 2);
    for filter in [
        "receivedDateTime ge 2026-11-23T09:00:00Z".to_owned(),
        "receivedDateTime ge 2026-11-23T09:00:00Z and receivedDateTime lt 2026-11-23T09:00:30Z".to_owned(),
        range("2026-11-10T00:00:00Z", "2026-11-23T00:00:00Z"),
        range("2026-08-20T00:00:00Z", "2026-08-21T00:00:00Z"),
        range("2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z"),
        "recipient eq 'x'".to_owned(),
    ] {
        assert_eq!(trace(&world, &filter).await.status, 400, "{filter}");
    }
    let mut subjects = Vec::new();
    let mut url = "/admin/exchange/tracing/messageTraces?$top=2".to_owned();
    loop {
        let page = world.get(&url).await;
        subjects.extend(column(&page, "subject"));
        match page.json()["@odata.nextLink"].as_str() {
            Some(next) => next.clone_into(&mut url),
            None => break,
        }
    }
    assert_eq!(subjects, ["probe-2", "probe-1", "probe-0"]);
}

#[tokio::test]
async fn details_name_the_cause() {
    let world = world().await;
    world.deliver("ndr-5.7.900", "a-probe");
    world.time.pass(10);
    let row = trace(&world, "status eq 'failed'").await.json()["value"][0].clone();
    let url = |id: &Value, to: &str| {
        let id = id.as_str().unwrap();
        format!("/admin/exchange/tracing/messageTraces/{id}/getDetailsByRecipient(recipientAddress='{to}')")
    };
    let details = world.get(&url(&row["id"], "ndr-5.7.900@tenant.example")).await;
    assert_eq!(column(&details, "event"), ["Receive", "Fail"]);
    assert!(column(&details, "description")[1].contains("{LED=550 5.7.900 TRANSPORT.RULES.RejectMessage"));
    assert_eq!(world.get(&url(&row["id"], "ok@tenant.example")).await.status, 404);
}

#[tokio::test]
async fn a_trace_that_is_not_there_says_why() {
    let missing = world_with(|config: &mut Config| config.trace = Trace::NotProvisioned).await;
    let reply = missing.get("/admin/exchange/tracing/messageTraces").await;
    assert_eq!(reply.refusal(), (401, "UnknownError".to_owned()));
    assert!(
        reply.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("8bd644d1-64a1-4d4b-ae52-2e0cbf64e373")
    );
    let principal = missing
        .get("/servicePrincipals?$filter=appId%20eq%20'8bd644d1-64a1-4d4b-ae52-2e0cbf64e373'")
        .await;
    assert_eq!(principal.json()["value"], json!([]));
    let absent = world_with(|config: &mut Config| config.trace = Trace::Absent).await;
    assert_eq!(
        absent.get("/admin/exchange/tracing/messageTraces").await.refusal(),
        (400, "BadRequest".to_owned())
    );
    let forbidden = world_with(|config: &mut Config| {
        config.apps[0].roles.remove("ExchangeMessageTrace.Read.All");
    })
    .await;
    assert_eq!(forbidden.get("/admin/exchange/tracing/messageTraces").await.status, 403);
}
