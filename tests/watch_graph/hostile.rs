//! A service that lies, breaks off and comes back: nothing is doubled, nothing called gone that only could not be seen.

use super::world::{SECRET, address, client, watcher};
use crate::{
    server::{Canned, Seen, Server},
    watch::Desk,
};
use mailflow::{microsoft::Cloud, model::What};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// What the service is up to.
const SOUND: u8 = 0;
const GARBAGE: u8 = 1;
const FOREIGN_LINK: u8 = 2;
const EXCHANGED: u8 = 3;
const UNREADABLE: u8 = 4;
const DELETED: u8 = 5;

/// One mailbox with one message of ours in its inbox.
struct World {
    desk: Desk,
    mood: Arc<AtomicU8>,
    server: Server,
}

impl World {
    async fn new(mood: u8) -> Self {
        let mut desk = Desk::new(&["ok-1@tenant.example"]);
        let (tag, message) = (desk.probe(0).tag.to_string(), desk.message(0));
        let mood = Arc::new(AtomicU8::new(mood));
        let shared = Arc::clone(&mood);
        let server = Server::start(move |seen| script(seen, shared.load(Ordering::Relaxed), &tag, &message)).await;
        let cloud = Cloud::loopback(&server.url, &server.url).unwrap();
        let graph = client(cloud, None, desk.clock, SECRET);
        desk.start(watcher(&graph, "ok-1", false), HashMap::new());
        Self { desk, mood, server }
    }

    fn becomes(&self, mood: u8) {
        self.mood.store(mood, Ordering::Relaxed);
    }

    async fn blind(&mut self) -> String {
        let event = self.desk.until(|what| matches!(what, What::Blind { .. })).await;
        let What::Blind { reason, .. } = event.what else { unreachable!() };
        reason
    }

    fn count(&self, wanted: impl Fn(&What) -> bool) -> usize {
        self.desk.heard.iter().filter(|event| wanted(&event.what)).count()
    }
}

fn script(seen: &Seen, mood: u8, tag: &str, message: &str) -> Canned {
    if seen.target.ends_with("/token") {
        return Canned::json(200, &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "opaque"}));
    }
    let batch = seen.json();
    let answers: Vec<Value> = batch["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            let (status, body) = answer(part["url"].as_str().unwrap(), mood, tag, message);
            let kind = if body.is_string() { "text/plain" } else { "application/json" };
            json!({"id": part["id"], "status": status, "headers": {"Content-Type": kind}, "body": body})
        })
        .collect();
    Canned::json(200, &json!({ "responses": answers }))
}

fn answer(url: &str, mood: u8, tag: &str, message: &str) -> (u16, Value) {
    let ours = json!({"id": "m-1", "parentFolderId": "inbox", "receivedDateTime": "2026-11-23T09:00:00Z", "subject": "not asked for",
        "singleValueExtendedProperties": [{"id": "String {00020386-0000-0000-c000-000000000046} Name x-mailflow-probe", "value": tag}]});
    let gone = || (404, json!({"error": {"code": "ErrorItemNotFound", "message": "gone"}}));
    let shown = if mood == DELETED { json!([]) } else { json!([ours]) };
    if url.contains("$value") {
        match mood {
            EXCHANGED => (
                200,
                json!("From: kim@fabrikam.example\r\nSubject: Confidential\r\n\r\nNot ours.\r\n"),
            ),
            UNREADABLE => (
                400,
                json!({"error": {"code": "ErrorContentConversionFailed", "message": "It cannot be written."}}),
            ),
            _ => (200, json!(message)),
        }
    } else if url.contains("/messages/m-1") {
        if mood == DELETED { gone() } else { (200, ours) }
    } else if url.contains("/messages") && mood == GARBAGE {
        (200, json!({"value": [{"id": 7}]}))
    } else if url.contains("/messages") && mood == FOREIGN_LINK {
        (
            200,
            json!({"value": [], "@odata.nextLink": "https://graph.attacker.example/v1.0/users"}),
        )
    } else if url.contains("/messages") && !url.contains("delta") {
        (200, json!({ "value": shown }))
    } else if url.contains("/messages") {
        (200, json!({"value": []}))
    } else {
        let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
        (
            200,
            json!({"id": name, "displayName": format!("\u{1b}[31m{name}"), "parentFolderId": "above"}),
        )
    }
}

#[tokio::test]
async fn what_went_while_nothing_could_be_seen_is_told_with_its_bounds() {
    let mut world = World::new(SOUND).await;
    let copy = world.desk.seen(0, &address("ok-1")).await;
    assert_eq!(copy.id.folder, "[31minbox", "nothing that steers a terminal");
    world.becomes(GARBAGE);
    world.desk.want_look(&address("ok-1"));
    let reason = world.blind().await;
    assert!(reason.starts_with("Microsoft Graph gave an answer that cannot be used"), "{reason}");
    world.becomes(DELETED);
    let wanted = world.desk.clock.now();
    let looked = world
        .desk
        .until(|what| matches!(what, What::Looked { since, .. } if *since >= wanted))
        .await;
    let gone = world.desk.until(|what| matches!(what, What::Gone { .. })).await;
    let What::Gone { last_present, noticed, .. } = gone.what else {
        unreachable!()
    };
    assert!(last_present <= wanted && noticed >= wanted && gone.at <= looked.at);
    assert_eq!(world.desk.copies(0), 1);
    world.desk.stop().await;
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let mut world = World::new(FOREIGN_LINK).await;
    let reason = world.blind().await;
    assert!(reason.contains("links to another host") && !reason.contains("attacker"), "{reason}");
    world.becomes(SOUND);
    world.desk.seen(0, &address("ok-1")).await;
    world.desk.until(|what| matches!(what, What::Baseline { .. })).await;
    assert!(!world.server.at("/v1.0/").is_empty());
    world.desk.stop().await;
}

#[tokio::test]
async fn a_message_that_is_exchanged_makes_blind_and_one_that_cannot_be_written_is_seen_by_its_field() {
    let mut world = World::new(EXCHANGED).await;
    let reason = world.blind().await;
    assert!(reason.contains("then another message in its place"), "{reason}");
    assert_eq!(world.count(|what| matches!(what, What::Seen { .. })), 0);
    world.becomes(UNREADABLE);
    let copy = world.desk.seen(0, &address("ok-1")).await;
    assert!(
        copy.evidence.alterations.is_empty() && copy.evidence.header.starts_with("X-Mailflow-Probe: "),
        "{copy:?}"
    );
    let heard = world.desk.stop().await;
    assert!(!format!("{heard:?}").contains("Confidential"));
}
