//! The tenant behind the doors of the post office: mail in by SMTP, mail out to the other domains, bounces back.

use super::super::tenant::{App, Config, Letter};
use super::*;

async fn with_tenant() -> PostOffice {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let mut settings = Settings::new(move || now);
    settings.tenant = Some(Config::new(App::with_secret("app", "secret")));
    PostOffice::open(settings).await.unwrap()
}

fn inbox(office: &PostOffice, mailbox: &str) -> Vec<String> {
    let texts = office.office.store.read(mailbox, |m| {
        let messages = m.folder(Place::Inbox).map(|folder| folder.messages.iter());
        messages
            .into_iter()
            .flatten()
            .map(|m| String::from_utf8_lossy(&m.raw).into_owned())
            .collect()
    });
    texts.unwrap_or_default()
}

#[tokio::test]
async fn mail_comes_in_at_its_mx_and_at_the_gateways() {
    let office = with_tenant().await;
    let tenant = office.tenant().unwrap();
    for (door, id) in [(office.addresses().edge.unwrap(), "t1"), (office.addresses().gateway_a, "t2")] {
        let reply = send(door, &format!("<{PROBE}>"), "<ok@tenant.example>", &message(id)).await;
        assert!(reply.starts_with("250 2.0.0 Ok"), "{reply}");
    }
    let copies = tenant.copies("ok@tenant.example");
    assert_eq!(copies.len(), 2);
    let raw = String::from_utf8_lossy(&copies[0].raw);
    assert!(
        raw.contains("by mx.tenant.example with ESMTP id") && raw.contains("CIP:127.0.0.1;"),
        "{raw}"
    );
    let reply = send(office.addresses().gateway_a, &format!("<{PROBE}>"), "<nobody@tenant.example>", "x").await;
    assert!(reply.starts_with("550 5.1.1"), "{reply}");
    assert!(
        office.copies("<t1@sender.example>").is_empty(),
        "nothing of it is in the IMAP store"
    );
}

#[tokio::test]
async fn what_the_tenant_cannot_deliver_comes_back() {
    let office = with_tenant().await;
    send(
        office.addresses().edge.unwrap(),
        &format!("<{PROBE}>"),
        "<ndr-5.7.133@tenant.example>",
        &message("t3"),
    )
    .await;
    let bounces = inbox(&office, PROBE);
    assert!(
        bounces.len() == 1 && bounces[0].contains("Status: 5.7.133") && bounces[0].contains("X-Probe: t3"),
        "{bounces:?}"
    );
}

#[tokio::test]
async fn what_leaves_the_tenant_arrives_at_the_other_domains() {
    let office = with_tenant().await;
    let tenant = office.tenant().unwrap();
    let send = |recipient: &str| {
        let raw = message("t4");
        tenant.take(Letter {
            sender: "probe@tenant.example",
            recipient,
            raw: raw.as_bytes(),
            from_ip: "",
            internal: true,
            spam: false,
        });
    };
    send("ok@contoso.example");
    assert_eq!(places(&office, "t4"), ["ok@contoso.example INBOX"]);
    send("full@contoso.example");
    let back = tenant.copies("probe@tenant.example");
    assert!(
        back.len() == 1 && String::from_utf8_lossy(&back[0].raw).contains("Status: 5.2.2"),
        "a bounce goes home"
    );
}
