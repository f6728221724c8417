//! Microsoft Defender: hunting in KQL, and the list of analysed messages.

use mailflow::postoffice::tenant::Config;
use serde_json::{Value, json};

use super::client::{Reply, World, encoded, world, world_with};

const LIST: &str = "/security/collaboration/analyzedEmails";

async fn hunt(world: &World, query: &str) -> Reply {
    world
        .post("/security/runHuntingQuery", &json!({ "Query": query, "Timespan": "PT2H" }))
        .await
}

async fn rows(world: &World, query: &str) -> Vec<Value> {
    let reply = hunt(world, query).await;
    assert_eq!(reply.status, 200, "{query}: {reply:?}");
    reply.json()["results"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_was_held_has_its_policy_and_shows_when_the_trace_does() {
    let world = world().await;
    for local in ["ok", "quarantined", "zap-quarantined"] {
        world.deliver(local, &format!("a-probe-for-{local}"));
    }
    assert_eq!(rows(&world, "EmailEvents").await, Vec::<Value>::new());
    world.time.pass(30);
    let all = rows(&world, "EmailEvents").await;
    assert_eq!(all.len(), 3);
    let held = all
        .iter()
        .find(|row| row["RecipientEmailAddress"] == "quarantined@tenant.example")
        .unwrap();
    let id = held["NetworkMessageId"].as_str().unwrap();
    let query = format!(
        "EmailEvents | where NetworkMessageId in~ (\"{}\") | project EmailActionPolicy, ThreatTypes | limit 9",
        id.to_uppercase()
    );
    assert_eq!(
        rows(&world, &query).await,
        [json!({ "EmailActionPolicy": "Anti-phishing", "ThreatTypes": "Phish" })]
    );
    let zapped = all
        .iter()
        .find(|row| row["RecipientEmailAddress"] == "zap-quarantined@tenant.example")
        .unwrap();
    assert_eq!(
        (&zapped["DeliveryLocation"], &zapped["LatestDeliveryLocation"]),
        (&json!("Inbox/folder"), &json!("Quarantine"))
    );

    let filter = format!("networkMessageId eq '{id}' and recipientEmailAddress eq 'quarantined@tenant.example'");
    let today = held["Timestamp"].as_str().unwrap()[..10].to_owned();
    let reply = world.get(&format!("{LIST}?startTime={today}&$filter={}", encoded(&filter))).await;
    let found = reply.json()["value"].clone();
    assert_eq!(found.as_array().unwrap().len(), 1, "{reply:?}");
    assert_eq!(
        (&found[0]["policy"], &found[0]["latestDelivery"]["location"]),
        (&json!("Anti-phishing"), &json!("quarantine"))
    );
    assert_eq!(
        world.get(&format!("{LIST}?endTime={today}")).await.json()["value"],
        json!([]),
        "the last day is not counted"
    );
}

#[tokio::test]
async fn what_is_no_query_is_refused_and_so_are_too_many() {
    let world = world_with(|config: &mut Config| config.limits.hunting_queries = 9).await;
    for wrong in [
        "",
        "EmailEvent",
        "EmailEvents | wher NetworkMessageId in~ (\"x\")",
        "EmailEvents | where NetworkMessageID in~ (\"x\")",
        "EmailEvents | where NetworkMessageId in~ (x)",
        "EmailEvents | where NetworkMessageId in~ (\"x\"\")",
        "EmailEvents | project EmailPolicy",
    ] {
        assert_eq!(hunt(&world, wrong).await.status, 400, "{wrong}");
    }
    for _ in 0..2 {
        assert_eq!(hunt(&world, "EmailEvents | limit 1").await.status, 200);
    }
    let refused = hunt(&world, "EmailEvents | limit 1").await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("Retry-After").is_some());
    world.time.pass(61);
    assert_eq!(hunt(&world, "EmailEvents | limit 1").await.status, 200);
}

#[tokio::test]
async fn without_licence_or_permission_both_are_refused() {
    let unlicensed = world_with(|config: &mut Config| config.defender = false).await;
    let forbidden = world_with(|config: &mut Config| {
        let roles = &mut config.apps[0].roles;
        roles.remove("ThreatHunting.Read.All");
        roles.remove("SecurityAnalyzedMessage.Read.All");
    })
    .await;
    for (world, code) in [(unlicensed, "Forbidden"), (forbidden, "Authorization_RequestDenied")] {
        assert_eq!(hunt(&world, "EmailEvents").await.refusal(), (403, code.to_owned()));
        assert_eq!(world.get(LIST).await.refusal(), (403, code.to_owned()));
    }
}
