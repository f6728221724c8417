//! Lists page by page, and links that must not be followed.

use crate::{
    server::{Canned, Server},
    world::{World, messages, soon},
};
use mailflow::microsoft::{Error, Malformed};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// A server whose script knows its own address.
async fn world(script: impl Fn(&str, &str) -> Value + Send + Sync + 'static) -> World {
    let url: Arc<OnceLock<String>> = Arc::default();
    let known = Arc::clone(&url);
    let world = World::new(move |seen| Canned::json(200, &script(known.get().unwrap(), &seen.target))).await;
    url.set(format!("{}/v1.0/users/a/messages", world.server.url)).unwrap();
    world
}

#[tokio::test]
async fn pages_end_in_a_delta_link() {
    let world = world(|url, target| match target.rsplit('=').next() {
        Some("two") => json!({"value": [3], "@odata.nextLink": format!("{url}/delta?$skiptoken=three")}),
        Some("three") => json!({"value": [], "@odata.deltaLink": format!("{url}/delta?$deltatoken=later")}),
        Some("later") => json!({"value": [4], "@odata.deltaLink": format!("{url}/delta?$deltatoken=latest")}),
        _ => json!({"value": [1, 2], "@odata.nextLink": format!("{url}/delta?$skiptoken=two")}),
    })
    .await;
    let request = messages("a").prefer("odata.maxpagesize=2");
    let (items, delta) = world.graph.pages::<u32>(request.clone(), 5).all(soon()).await.unwrap();
    assert_eq!(items, [1, 2, 3]);
    let delta = delta.unwrap();
    assert!(delta.as_str().ends_with("?$deltatoken=later"), "{delta:?}");
    let (items, delta) = world.graph.pages::<u32>(request.follow(delta), 5).all(soon()).await.unwrap();
    assert_eq!(items, [4]);
    assert!(delta.unwrap().as_str().ends_with("=latest"));
    let calls = world.calls();
    assert_eq!(calls[1].target, "/v1.0/users/a/messages/delta?$skiptoken=two", "verbatim");
    assert!(
        calls
            .iter()
            .all(|call| call.header("prefer") == "IdType=\"ImmutableId\", odata.maxpagesize=2")
    );
}

#[tokio::test]
async fn a_link_to_another_host_is_refused_and_never_contacted() {
    let stranger = Server::start(|_| Canned::json(200, &json!({"value": [9]}))).await;
    for (link, path) in [
        ("@odata.nextLink", "/v1.0/users/a/messages"),
        ("@odata.deltaLink", "/v1.0/users/a/messages"),
    ] {
        let foreign = format!("{}{path}", stranger.url);
        let world = world(move |_, _| json!({"value": [1], link: foreign.clone()})).await;
        let error = world.graph.pages::<u32>(messages("a"), 5).all(soon()).await.unwrap_err();
        assert_eq!(error, Error::Malformed(Malformed::ForeignLink), "{link}");
    }
    assert!(stranger.seen().is_empty());
}

#[tokio::test]
async fn a_link_out_of_the_api_is_refused() {
    for path in ["/beta/users", "/v1.0/../oauth2/token", "relative", "javascript:alert(1)"] {
        let world = world(move |url, _| json!({"value": [1], "@odata.nextLink": url.replace("/v1.0/users/a/messages", path)})).await;
        let error = world.graph.pages::<u32>(messages("a"), 5).all(soon()).await.unwrap_err();
        assert_eq!(error, Error::Malformed(Malformed::ForeignLink), "{path}");
        assert_eq!(world.calls().len(), 1);
    }
}

#[tokio::test]
async fn a_list_without_end_ends() {
    let circle = world(|url, _| json!({"value": [1], "@odata.nextLink": format!("{url}?$skiptoken=same")})).await;
    let error = circle.graph.pages::<u32>(messages("a"), 100).all(soon()).await.unwrap_err();
    assert_eq!(error, Error::Malformed(Malformed::Loop));
    assert_eq!(circle.calls().len(), 2);
    let endless = world(|url, target| json!({"value": [1], "@odata.nextLink": format!("{url}?$skiptoken={}", target.len())})).await;
    let error = endless.graph.pages::<u32>(messages("a"), 1).all(soon()).await.unwrap_err();
    assert_eq!(error, Error::Malformed(Malformed::TooManyPages(1)));
    assert_eq!(endless.calls().len(), 1);
}

#[tokio::test]
async fn after_an_error_the_same_page_is_asked_for_again() {
    let url: Arc<OnceLock<String>> = Arc::default();
    let known = Arc::clone(&url);
    let world = World::new(move |seen| match seen.number {
        1 => Canned::json(
            200,
            &json!({"value": [1], "@odata.nextLink": format!("{}?$skiptoken=two", known.get().unwrap())}),
        ),
        2 => Canned::new(400, "{}"),
        _ => Canned::json(200, &json!({"value": [2]})),
    })
    .await;
    url.set(format!("{}/v1.0/users/a/messages", world.server.url)).unwrap();
    let mut pages = world.graph.pages::<u32>(messages("a"), 5);
    assert_eq!(pages.next(soon()).await.unwrap().unwrap().items, [1]);
    pages.next(soon()).await.unwrap_err();
    assert_eq!(pages.next(soon()).await.unwrap().unwrap().items, [2]);
    assert_eq!(pages.next(soon()).await.unwrap(), None);
}
