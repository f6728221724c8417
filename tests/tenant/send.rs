//! `sendMail` in both forms: what is refused, what survives, and how a wrong recipient comes back.

use data_encoding::BASE64;
use mailflow::postoffice::tenant::{Config, Outgoing};
use serde_json::{Value, json};

use super::client::{PROBE, Reply, World, column, message, world, world_with};

const SEND: &str = "/users/probe@tenant.example/sendMail";

fn letter(to: &str) -> Value {
    json!({
        "message": {
            "subject": "[probe] Grüße",
            "body": { "contentType": "text", "content": "Hello." },
            "toRecipients": [{ "emailAddress": { "address": to } }],
            "internetMessageHeaders": [{ "name": "X-Mailflow-Probe", "value": "tag" }],
        },
        "saveToSentItems": false,
    })
}

async fn send_mime(world: &World, raw: &str) -> Reply {
    let body = BASE64.encode(raw.as_bytes());
    world.ask("POST", SEND, &[("Content-Type", "text/plain")], body.as_bytes()).await
}

fn raw(world: &World, address: &str) -> String {
    let copies = world.tenant.copies(address);
    String::from_utf8(copies.last().unwrap_or_else(|| panic!("no mail for {address}")).raw.to_vec()).unwrap()
}

#[tokio::test]
async fn json_takes_five_headers_of_ones_own_and_no_other() {
    let world = world().await;
    let reply = world.post(SEND, &letter("ok@tenant.example")).await;
    assert_eq!((reply.status, reply.body.len()), (202, 0));
    let text = raw(&world, "ok@tenant.example");
    assert!(
        text.contains("X-Mailflow-Probe: tag\r\n") && text.contains("AuthAs: Internal") && text.contains("DIR:INT"),
        "{text}"
    );
    assert_eq!(world.subjects("ok@tenant.example", "inbox").await, ["[probe] Grüße"]);
    assert_eq!(world.tenant.copies(PROBE), []);
    let header = |name: &str| json!({ "name": name, "value": "v" });
    for (headers, code) in [
        (json!([]), "InvalidInternetMessageHeaderCollection"),
        (json!(vec![header("X-A"); 6]), "InvalidInternetMessageHeaderCollection"),
        (json!([header("Reply-By")]), "InvalidInternetMessageHeader"),
        (
            json!([{ "name": "X-A", "value": "v\r\nBcc: x@y.z" }]),
            "InvalidInternetMessageHeader",
        ),
    ] {
        let mut body = letter("ok@tenant.example");
        body["message"]["internetMessageHeaders"] = headers;
        assert_eq!(world.post(SEND, &body).await.refusal(), (400, code.to_owned()));
    }
    assert_eq!(
        world.post(SEND, &letter("nobody")).await.refusal(),
        (400, "ErrorInvalidRecipients".to_owned())
    );
    assert_eq!(world.post(SEND, &json!({ "massage": {} })).await.status, 400);
    let denied = world
        .post("/users/out-of-scope@tenant.example/sendMail", &letter("ok@tenant.example"))
        .await;
    assert_eq!(denied.status, 403);
    let mut body = letter("ok@tenant.example");
    body["message"]["from"] = json!({ "emailAddress": { "address": "ceo@tenant.example" } });
    assert_eq!(world.post(SEND, &body).await.refusal(), (403, "ErrorSendAsDenied".to_owned()));
}

#[tokio::test]
async fn mime_keeps_our_headers_and_drops_strange_ones() {
    let world = world().await;
    let text = message("mime")
        .replace("Return-Path: <probe@sender.example>\r\n", "")
        .replace("probe@sender.example", PROBE);
    let text = text.replace("somebody@", "ok@").replace("X-Mailflow", "Strange: yes\r\nX-Mailflow");
    assert_eq!(send_mime(&world, &text).await.status, 202);
    let stored = raw(&world, "ok@tenant.example");
    assert!(stored.contains("Message-ID: <mime@sender.example>\r\n") && stored.contains("X-Mailflow-Probe: mime\r\n"));
    assert!(!stored.contains("Strange:"));
    let sent = world
        .get("/users/probe@tenant.example/mailFolders/sentitems/messages?$select=subject,internetMessageHeaders")
        .await
        .json();
    assert_eq!(sent["value"][0]["subject"], "mime");
    assert!(sent["value"][0].get("internetMessageHeaders").is_none(), "the sent copy has none");
    let broken = world.ask("POST", SEND, &[("Content-Type", "text/plain")], b"%%%").await;
    assert_eq!(broken.refusal(), (400, "ErrorMimeContentInvalidBase64String".to_owned()));
    let foreign = send_mime(&world, &message("x").replace("somebody@", "ok@")).await;
    assert_eq!(foreign.refusal(), (403, "ErrorSendAsDenied".to_owned()));

    let other = world_with(|config: &mut Config| config.replaces_message_id = true).await;
    assert_eq!(send_mime(&other, &text).await.status, 202);
    assert!(!raw(&other, "ok@tenant.example").contains("<mime@sender.example>"));
}

#[tokio::test]
async fn mail_from_inside_passes_the_edge_by() {
    let world = world().await;
    for local in ["junk", "quarantined", "filtered", "zap"] {
        world.post(SEND, &letter(&format!("{local}@tenant.example"))).await;
        world.time.pass(60);
        assert_eq!(
            world.subjects(&format!("{local}@tenant.example"), "inbox").await.len(),
            1,
            "{local}"
        );
    }
    let filtering = world_with(|config: &mut Config| config.filters_internal = true).await;
    filtering.post(SEND, &letter("junk@tenant.example")).await;
    assert_eq!(filtering.subjects("junk@tenant.example", "junkemail").await.len(), 1);
}

#[tokio::test]
async fn a_wrong_recipient_comes_back_to_the_senders_inbox() {
    let world = world().await;
    for to in ["ndr-5.7.133@tenant.example", "nobody@tenant.example"] {
        assert_eq!(world.post(SEND, &letter(to)).await.status, 202, "202 says nothing of delivery");
    }
    let text = raw(&world, PROBE);
    assert!(text.contains("Status: 5.1.10") && text.contains("X-Mailflow-Probe: tag"), "{text}");
    assert!(String::from_utf8_lossy(&world.tenant.copies(PROBE)[0].raw).contains("Status: 5.7.133"));
    let class =
        "/users/probe@tenant.example/mailFolders/inbox/messages?$expand=singleValueExtendedProperties($filter=id%20eq%20'String%200x001A')";
    let reports = world.get(class).await;
    assert_eq!(
        reports.json()["value"][0]["singleValueExtendedProperties"][0]["value"],
        "REPORT.IPM.Note.NDR"
    );
    assert_eq!(column(&reports, "id").len(), 2);
}

#[tokio::test]
async fn mail_to_others_leaves_the_tenant() {
    let world = world().await;
    world.post(SEND, &letter("ok@contoso.example")).await;
    world.deliver("ndr-5.1.10", "a-probe");
    let out = world.tenant.outbox();
    let ways: Vec<(&str, &str)> = out
        .iter()
        .map(|Outgoing { sender, recipient, .. }| (sender.as_str(), recipient.as_str()))
        .collect();
    assert_eq!(ways, [(PROBE, "ok@contoso.example"), ("", "probe@sender.example")]);
}
