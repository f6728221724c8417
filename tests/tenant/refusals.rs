//! Mailboxes that cannot be opened, and what is no mailbox: groups, lists, the directory.

use super::client::{column, encoded, world, world_with};

#[tokio::test]
async fn mailboxes_that_cannot_be_opened_say_so_as_the_service_does() {
    let world = world().await;
    let ask = async |address: &str| world.get(&format!("/users/{address}/mailFolders/inbox/messages")).await.refusal();
    for _ in 0..2 {
        assert_eq!(
            ask("unlicensed@tenant.example").await,
            (404, "MailboxNotEnabledForRESTAPI".to_owned())
        );
        assert_eq!(
            ask("unlicensed@tenant.example").await,
            (404, "ResourceNotFound".to_owned()),
            "the codes alternate"
        );
    }
    assert_eq!(ask("out-of-scope@tenant.example").await, (403, "ErrorAccessDenied".to_owned()));
    assert_eq!(ask("nobody@tenant.example").await, (404, "ErrorInvalidUser".to_owned()));
    assert_eq!(
        world.get("/users/nobody@tenant.example").await.refusal(),
        (404, "Request_ResourceNotFound".to_owned())
    );
    let shared = world.get("/users/shared@tenant.example/mailboxSettings").await.json();
    assert_eq!(shared["userPurpose"], "shared");
    assert_eq!(
        world.get("/users/shared@tenant.example/mailboxSettings/userPurpose").await.json()["value"],
        "shared"
    );
    let id = world.get("/users/shared@tenant.example?$select=id").await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(world.get(&format!("/users/{id}/messages")).await.status, 200, "by object id too");
    assert_eq!(world.get("/me/messages").await.status, 400);
    assert_eq!(world.get("/users/ok@tenant.example/calendar").await.status, 400);
}

#[tokio::test]
async fn posts_with_one_subject_share_a_thread_and_a_closed_group_refuses_outsiders() {
    let world = world_with(|config| {
        config.apps[0].roles.insert("Group-Conversation.ReadWrite.All".to_owned());
    })
    .await;
    world.deliver("group", "one");
    world.time.pass(5);
    world.deliver("group", "two");
    world.time.pass(5);
    world.deliver("group", "Re: One");
    let by_former_address = "/groups?$filter=proxyAddresses/any(p:p%20eq%20'smtp:group-before@tenant.example')&$select=id,groupTypes";
    let group = column(&world.get(by_former_address).await, "id").remove(0);
    let shown = world
        .get(&format!("/groups/{group}?$select=id,allowExternalSenders,autoSubscribeNewMembers"))
        .await
        .json();
    assert_eq!(
        (&shown["allowExternalSenders"], &shown["autoSubscribeNewMembers"]),
        (&true.into(), &false.into())
    );
    assert!(shown.get("mail").is_none());
    let threads = world
        .get(&format!("/groups/{group}/threads?$select=id,topic,lastDeliveredDateTime&$top=50"))
        .await;
    assert_eq!(column(&threads, "topic"), ["one", "two"], "that with the newest post first");
    assert!(threads.json()["value"][0].get("preview").is_none());
    let thread = encoded(&column(&threads, "id").remove(0));
    let posts = format!("/groups/{group}/threads/{thread}/posts?$select=id,receivedDateTime,from,sender,hasAttachments,body");
    let first = world.get(&format!("{posts}&$top=1")).await;
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    let second = world.get(&next).await;
    assert!(second.json().get("@odata.nextLink").is_none());
    assert_ne!(column(&first, "id"), column(&second, "id"));
    let delete = format!("/groups/{group}/threads/{thread}");
    assert_eq!(world.ask("DELETE", &delete, &[], b"").await.status, 204);
    assert_eq!(world.get(&posts).await.status, 404);

    world.deliver("group-closed", "from-outside");
    let closed = column(&world.get("/groups?$filter=mail%20eq%20'group-closed@tenant.example'").await, "id").remove(0);
    assert_eq!(column(&world.get(&format!("/groups/{closed}/threads")).await, "id"), [""; 0]);
    let bounce = String::from_utf8(world.tenant.outbox().remove(0).raw).unwrap();
    assert!(bounce.contains("5.7.133"), "{bounce}");
}

#[tokio::test]
async fn a_group_has_threads_and_a_list_has_members_only() {
    let world = world().await;
    world.deliver("group", "a-probe");
    let found = world.get("/groups?$filter=mail%20eq%20'group@tenant.example'").await;
    let group = column(&found, "id").remove(0);
    let threads = world.get(&format!("/groups/{group}/threads?$top=5")).await;
    assert_eq!(column(&threads, "topic"), ["a-probe"]);
    let thread = encoded(&column(&threads, "id").remove(0));
    let posts = world.get(&format!("/groups/{group}/threads/{thread}/posts")).await.json();
    assert!(posts["value"][0]["body"]["content"].as_str().unwrap().contains("Hello a-probe."));
    assert_eq!(posts["value"][0]["from"]["emailAddress"]["address"], "probe@sender.example");
    let members = world.get(&format!("/groups/{group}/members")).await;
    assert_eq!(column(&members, "mail").len(), 3);
    assert_eq!(
        world
            .ask("DELETE", &format!("/groups/{group}/threads/{thread}"), &[], b"")
            .await
            .status,
        403,
        "reading is not writing"
    );

    world.deliver("list", "to-three");
    let list = column(&world.get("/groups?$filter=mail%20eq%20'list@tenant.example'").await, "id").remove(0);
    assert_eq!(world.get(&format!("/groups/{list}/threads")).await.status, 404);
    assert_eq!(world.subjects("member-1@tenant.example", "inbox").await, ["to-three"]);
    assert_eq!(world.subjects("member-2@tenant.example", "junkemail").await, ["to-three"]);
    let principal = world
        .get("/servicePrincipals?$filter=appId%20eq%20'8bd644d1-64a1-4d4b-ae52-2e0cbf64e373'")
        .await;
    assert_eq!(column(&principal, "displayName").len(), 1);
    assert_eq!(
        world.get("/users?$filter=mail%20eq%20'ok@tenant.example'").await.json()["value"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(world.get("/organization").await.status, 200);
}
