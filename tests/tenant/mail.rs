//! Reading, moving and deleting: where each fate ends, what is shown to whom, and how the service refuses.

use mailflow::postoffice::tenant::Config;
use serde_json::json;

use super::client::{World, column, encoded, world, world_with};

#[tokio::test]
async fn each_fate_ends_in_its_folder() {
    let world = world().await;
    for (local, folder) in [
        ("ok", "inbox"),
        ("ok-17", "inbox"),
        ("junk", "junkemail"),
        ("junk-de", "junkemail"),
        ("rule-deleted", "deleteditems"),
        ("shared", "inbox"),
        ("zap", "inbox"),
    ] {
        world.deliver(local, "a-probe");
        assert_eq!(
            world.subjects(&format!("{local}@tenant.example"), folder).await,
            ["a-probe"],
            "{local}"
        );
    }
    for local in [
        "quarantined",
        "filtered",
        "lost",
        "pending",
        "handed-over",
        "redirected",
        "ndr-5.1.10",
    ] {
        world.deliver(local, "a-probe");
        let all = world.get(&format!("/users/{local}@tenant.example/messages")).await;
        assert_eq!(column(&all, "id").len(), 0, "{local}");
    }
    world.deliver("twice", "a-probe");
    assert_eq!(world.subjects("twice@tenant.example", "inbox").await.len(), 2);
    world.deliver("late-30s", "a-probe");
    assert_eq!(world.subjects("late-30s@tenant.example", "inbox").await.len(), 0);
    world.time.pass(30);
    assert_eq!(world.subjects("late-30s@tenant.example", "inbox").await.len(), 1);
}

#[tokio::test]
async fn what_purging_finds_later_moves() {
    let world = world().await;
    for (local, then) in [("zap", vec!["junkemail"]), ("zap-quarantined", vec![])] {
        world.deliver(local, "a-probe");
        let address = format!("{local}@tenant.example");
        let folders = || {
            world
                .tenant
                .copies(&address)
                .into_iter()
                .map(|copy| copy.folder)
                .collect::<Vec<_>>()
        };
        assert_eq!(folders(), ["inbox"]);
        world.time.pass(2);
        assert_eq!(folders(), then);
    }
}

#[tokio::test]
async fn folders_are_named_in_the_language_of_the_mailbox() {
    let world = world().await;
    let names = async |local: &str| {
        let reply = world.get(&format!("/users/{local}@tenant.example/mailFolders?$top=100")).await;
        column(&reply, "displayName")
    };
    assert!(names("junk").await.contains(&"Junk Email".to_owned()));
    let german = names("junk-de").await;
    assert!(
        german.contains(&"Junk-E-Mail".to_owned()) && german.contains(&"Posteingang".to_owned()),
        "{german:?}"
    );
    assert!(!german.contains(&"Deletions".to_owned()), "hidden folders are hidden");
    let junk = world.get("/users/junk-de@tenant.example/mailFolders/junkemail").await.json();
    assert_eq!(junk["displayName"], "Junk-E-Mail");
    let by_id = world
        .get(&format!(
            "/users/junk-de@tenant.example/mailFolders/{}",
            encoded(junk["id"].as_str().unwrap())
        ))
        .await;
    assert_eq!(by_id.json(), junk);

    world.deliver("rule-moved", "a-probe");
    let children = world
        .get("/users/rule-moved@tenant.example/mailFolders/inbox/childFolders")
        .await
        .json();
    let rules = world
        .get("/users/rule-moved@tenant.example/mailFolders/inbox/messageRules")
        .await
        .json();
    let moved = world
        .get("/users/rule-moved@tenant.example/messages?$select=parentFolderId")
        .await
        .json();
    assert_eq!(rules["value"][0]["actions"]["moveToFolder"], children["value"][0]["id"]);
    assert_eq!(moved["value"][0]["parentFolderId"], children["value"][0]["id"]);
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let world = world().await;
    for subject in ["one", "two", "three"] {
        world.deliver("ok", subject);
        world.time.pass(60);
    }
    let list = async |query: &str| {
        let reply = world
            .get(&format!("/users/ok@tenant.example/mailFolders('inbox')/messages?{query}"))
            .await;
        assert_eq!(reply.status, 200, "{query}: {reply:?}");
        column(&reply, "subject")
    };
    assert_eq!(list("").await, ["three", "two", "one"]);
    assert_eq!(list("$orderby=receivedDateTime").await, ["one", "two", "three"]);
    assert_eq!(
        list("$filter=receivedDateTime%20ge%202026-11-23T09:01:00Z&$orderby=receivedDateTime%20desc").await,
        ["three", "two"]
    );
    let id = encoded("internetMessageId eq '<two@sender.example>'");
    assert_eq!(list(&format!("$filter={id}")).await, ["two"]);
    assert_eq!(list("$filter=startswith(subject,'t')").await, ["three", "two"]);

    let first = world.get("/users/ok@tenant.example/messages?$top=2&$select=subject").await;
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    let second = world.get(&next).await;
    assert_eq!(
        (column(&first, "subject"), column(&second, "subject")),
        (vec!["three".into(), "two".into()], vec!["one".into()])
    );
    assert!(second.json().get("@odata.nextLink").is_none());

    for (query, code) in [
        ("$filter=startswith(subject,'t')&$orderby=receivedDateTime", "InefficientFilter"),
        ("$filter=recievedDateTime%20ge%202026-11-23T09:01:00Z", "BadRequest"),
        ("$filter=receivedDateTime%20ge%20'2026-11-23T09:01:00Z'", "BadRequest"),
        ("$select=recievedDateTime", "BadRequest"),
        ("$top=0", "BadRequest"),
        ("$top=1001", "BadRequest"),
        ("$search=%22x%22", "SearchNotSupported"),
    ] {
        let reply = world.get(&format!("/users/ok@tenant.example/messages?{query}")).await;
        assert_eq!(reply.refusal(), (400, code.to_owned()), "{query}");
    }
}

async fn first(world: &World, mailbox: &str, query: &str) -> serde_json::Value {
    world.get(&format!("/users/{mailbox}/messages?{query}")).await.json()["value"][0].clone()
}

#[tokio::test]
async fn headers_show_when_selected_and_bodies_to_whom_may_see_them() {
    let world = world().await;
    world.deliver("junk", "a-probe");
    let message = first(&world, "junk@tenant.example", "").await;
    assert!(message.get("internetMessageHeaders").is_none());
    assert_eq!(message["from"]["emailAddress"]["address"], "probe@sender.example");
    assert!(message["body"]["content"].as_str().unwrap().contains("Hello a-probe."));
    let headers = first(&world, "junk@tenant.example", "$select=internetMessageHeaders").await;
    let value = |name: &str| {
        let all = headers["internetMessageHeaders"].as_array().unwrap();
        all.iter()
            .find(|h| h["name"] == name)
            .map(|h| h["value"].as_str().unwrap().to_owned())
    };
    assert_eq!(value("X-Mailflow-Probe").as_deref(), Some("a-probe"));
    assert!(value("X-Forefront-Antispam-Report").unwrap().contains("SFV:SPM"));
    assert!(value("X-Microsoft-Antispam-Mailbox-Delivery").unwrap().contains("dest:J"));
    let id = encoded(message["id"].as_str().unwrap());
    let mime = world.get(&format!("/users/junk@tenant.example/messages/{id}/$value")).await;
    assert!(String::from_utf8(mime.body).unwrap().ends_with("\r\n\r\nHello a-probe.\r\n"));
    let class = first(
        &world,
        "junk@tenant.example",
        "$expand=singleValueExtendedProperties($filter=id%20eq%20'String%200x001A')",
    )
    .await;
    assert_eq!(class["singleValueExtendedProperties"][0]["value"], "IPM.Note");

    let basic = world_with(|config: &mut Config| config.apps[0].roles = ["Mail.ReadBasic.All".to_owned()].into()).await;
    basic.deliver("junk", "a-probe");
    let message = first(&basic, "junk@tenant.example", "").await;
    assert!(message.get("body").is_none() && message["subject"] == "a-probe");
    for url in [
        "messages?$select=body",
        "messages?$expand=singleValueExtendedProperties($filter=id%20eq%20'String%200x007D')",
    ] {
        assert_eq!(
            basic.get(&format!("/users/junk@tenant.example/{url}")).await.refusal(),
            (403, "ErrorAccessDenied".to_owned())
        );
    }
    let id = encoded(message["id"].as_str().unwrap());
    assert_eq!(
        basic.get(&format!("/users/junk@tenant.example/messages/{id}/$value")).await.status,
        403
    );
    assert_eq!(basic.get("/users/junk@tenant.example/mailboxSettings").await.status, 403);
    assert_eq!(
        basic.get("/groups").await.refusal(),
        (403, "Authorization_RequestDenied".to_owned())
    );
}

#[tokio::test]
async fn ids_change_with_a_move_unless_they_are_immutable() {
    let world = world().await;
    world.deliver("ok", "a-probe");
    let list = "/users/ok@tenant.example/messages?$select=id";
    let ordinary = column(&world.get(list).await, "id").remove(0);
    let reply = world.get_immutable(list).await;
    assert_eq!(reply.header("preference-applied"), Some("IdType=\"ImmutableId\""));
    let immutable = column(&reply, "id").remove(0);
    assert_ne!(ordinary, immutable);

    let url = |id: &str| format!("/users/ok@tenant.example/messages/{}", encoded(id));
    let moved = world
        .post(&format!("{}/move", url(&ordinary)), &json!({ "destinationId": "junkemail" }))
        .await;
    assert_eq!(moved.status, 201);
    assert_ne!(moved.json()["id"], ordinary.as_str());
    assert_eq!(world.get(&url(&ordinary)).await.refusal(), (404, "ErrorItemNotFound".to_owned()));
    assert_eq!(world.get(&url(&immutable)).await.status, 200);
    assert_eq!(
        world.get(&url("nonsense")).await.refusal(),
        (400, "ErrorInvalidIdMalformed".to_owned())
    );
    world.deliver("junk", "another");
    let foreign = column(&world.get("/users/junk@tenant.example/messages").await, "id").remove(0);
    assert_eq!(
        world.get(&url(&foreign)).await.refusal(),
        (400, "ErrorInvalidMailboxItemId".to_owned())
    );
}

#[tokio::test]
async fn deleting_goes_by_way_of_the_deleted_items_or_at_once() {
    let world = world().await;
    let folders = || {
        world
            .tenant
            .copies("ok@tenant.example")
            .into_iter()
            .map(|copy| copy.folder)
            .collect::<Vec<_>>()
    };
    world.deliver("ok", "a-probe");
    let id = column(&world.get_immutable("/users/ok@tenant.example/messages").await, "id").remove(0);
    let url = format!("/users/ok@tenant.example/messages/{}", encoded(&id));
    for folder in ["deleteditems", "recoverableitemsdeletions"] {
        assert_eq!(world.ask("DELETE", &url, &[], b"").await.status, 204);
        assert_eq!(folders(), [folder]);
    }
    assert_eq!(
        world.get("/users/ok@tenant.example/messages").await.json()["value"],
        json!([]),
        "the list leaves hidden folders out"
    );
    assert_eq!(world.subjects("ok@tenant.example", "recoverableitemsdeletions").await, ["a-probe"]);
    assert_eq!(world.ask("POST", &format!("{url}/permanentDelete"), &[], b"").await.status, 204);
    assert_eq!(folders(), Vec::<String>::new());
    assert_eq!(
        world.ask("POST", &format!("{url}/permanentDelete"), &[], b"").await.refusal(),
        (404, "ErrorItemNotFound".to_owned())
    );
}
