//! Delta queries: rounds, pages, what left, and tokens that end.

use mailflow::postoffice::tenant::Config;
use serde_json::{Value, json};

use super::client::{Reply, World, column, encoded, world, world_with};

const INBOX: &str = "/users/ok@tenant.example/mailFolders/inbox/messages/delta";

fn link(reply: &Reply, name: &str) -> String {
    let json = reply.json();
    json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned()
}

/// The rest of a round: its values, and where the next one begins.
async fn round(world: &World, url: &str, headers: &[(&str, &str)]) -> (Vec<Value>, String) {
    let mut url = url.to_owned();
    let mut all = Vec::new();
    loop {
        let reply = world.ask("GET", &url, headers, b"").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        all.extend(reply.json()["value"].as_array().unwrap().clone());
        match reply.json()["@odata.nextLink"].as_str() {
            Some(next) => next.clone_into(&mut url),
            None => return (all, link(&reply, "@odata.deltaLink")),
        }
    }
}

#[tokio::test]
async fn a_round_comes_in_pages_and_the_next_tells_what_changed() {
    let world = world().await;
    for at in 0..5 {
        world.deliver("ok", &format!("probe-{at}"));
    }
    let prefer = [("Prefer", "odata.maxpagesize=2, IdType=\"ImmutableId\"")];
    let page = world.ask("GET", &format!("{INBOX}?$select=subject"), &prefer, b"").await;
    assert_eq!(column(&page, "subject"), ["probe-0", "probe-1"]);
    let (rest, delta) = round(&world, &link(&page, "@odata.nextLink"), &prefer).await;
    assert_eq!(rest.len(), 3);
    assert!(rest[0].get("receivedDateTime").is_none(), "the link keeps the selection");
    let (nothing, delta) = round(&world, &delta, &prefer).await;
    assert_eq!(nothing, Vec::<Value>::new());

    world.deliver("ok", "probe-5");
    let id = |at: usize| rest[at]["id"].as_str().unwrap().to_owned();
    let item = |id: &str| format!("/users/ok@tenant.example/messages/{}", encoded(id));
    world
        .post(&format!("{}/move", item(&id(0))), &json!({ "destinationId": "junkemail" }))
        .await;
    world.ask("POST", &format!("{}/permanentDelete", item(&id(1))), &[], b"").await;
    let (changes, _) = round(&world, &delta, &prefer).await;
    assert_eq!(changes[0]["subject"], "probe-5");
    assert_eq!(changes[1], json!({ "id": id(0), "@removed": { "reason": "changed" } }));
    assert_eq!(changes[2], json!({ "id": id(1), "@removed": { "reason": "deleted" } }));
    let (again, _) = round(&world, &delta, &prefer).await;
    assert_eq!(again, changes, "a link may be used again");
    let (junk, _) = round(
        &world,
        "/users/ok@tenant.example/mailFolders('junkemail')/messages/delta()",
        &prefer,
    )
    .await;
    assert_eq!(junk[0]["id"], id(0).as_str());
}

#[tokio::test]
async fn what_a_round_leaves_out_stays_out() {
    let world = world().await;
    world.deliver("ok", "old");
    world.time.pass(60);
    let filter = encoded("receivedDateTime ge 2026-11-23T09:01:00Z");
    let (none, delta) = round(&world, &format!("{INBOX}?$filter={filter}&changeType=created"), &[]).await;
    assert_eq!(none, Vec::<Value>::new());
    world.deliver("ok", "new");
    let (new, delta) = round(&world, &delta, &[]).await;
    assert_eq!(new.len(), 1);
    let id = encoded(new[0]["id"].as_str().unwrap());
    world
        .ask("DELETE", &format!("/users/ok@tenant.example/messages/{id}"), &[], b"")
        .await;
    assert_eq!(
        round(&world, &delta, &[]).await.0,
        Vec::<Value>::new(),
        "removals were not asked for"
    );
    let wrong = world.get(&format!("{INBOX}?$filter={}", encoded("subject eq 'x'"))).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn an_ordinary_id_of_what_left_is_the_one_it_had() {
    let world = world().await;
    world.deliver("zap", "a-probe");
    let url = "/users/zap@tenant.example/mailFolders/inbox/messages/delta";
    let (first, delta) = round(&world, url, &[]).await;
    world.time.pass(5);
    let (then, _) = round(&world, &delta, &[]).await;
    assert_eq!(then[0]["id"], first[0]["id"]);
    assert_eq!(then[0]["@removed"]["reason"], "changed");
}

#[tokio::test]
async fn tokens_end_and_cannot_be_made_up() {
    let world = world_with(|config: &mut Config| config.delta_life = chrono::TimeDelta::seconds(100)).await;
    let (_, delta) = round(&world, INBOX, &[]).await;
    world.time.pass(99);
    let (_, delta) = round(&world, &delta, &[]).await;
    world.time.pass(100);
    let gone = world.get(&delta).await;
    assert_eq!(gone.refusal(), (410, "SyncStateNotFound".to_owned()));
    let (_, delta) = round(&world, gone.header("location").unwrap(), &[]).await;
    world.tenant.expire_delta_tokens();
    assert_eq!(world.get(&delta).await.status, 410);
    let (_, delta) = round(&world, INBOX, &[]).await;
    let forged = delta.replace("deltatoken=", "deltatoken=AAAA");
    assert_eq!(world.get(&forged).await.refusal(), (400, "ErrorInvalidSyncStateData".to_owned()));
    let elsewhere = delta.replace("/inbox/", "/junkemail/");
    assert_eq!(world.get(&elsewhere).await.status, 400, "a token belongs to its folder");
}

#[tokio::test]
async fn a_header_field_is_shown_as_a_named_property_and_the_link_keeps_that() {
    let world = world().await;
    let field = encoded("String {00020386-0000-0000-C000-000000000046} Name X-Mailflow-Probe");
    let options = format!("$select=id&$expand=singleValueExtendedProperties($filter=id%20eq%20'{field}')");
    let values = |rows: &Value| -> Vec<Value> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| {
            assert!(row.get("subject").is_none());
            row["singleValueExtendedProperties"][0]["value"].clone()
        })
        .collect()
    };
    world.deliver("ok", "probe-0");
    world.tenant.deliver("ok@tenant.example", b"Subject: without\r\n\r\nHello.\r\n");
    let list = world.get(&format!("/users/ok@tenant.example/messages?{options}")).await;
    assert_eq!(values(&list.json()["value"]), [Value::Null, json!("probe-0")]);
    let (first, delta) = round(&world, &format!("{INBOX}?{options}"), &[("Prefer", "odata.maxpagesize=1")]).await;
    assert_eq!(values(&json!(first)), [json!("probe-0"), Value::Null]);
    world.deliver("ok", "probe-1");
    let (changes, _) = round(&world, &delta, &[]).await;
    assert_eq!(values(&json!(changes)), [json!("probe-1")]);
}
