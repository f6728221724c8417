//! The tenant behind the doors of the post office: mail in by SMTP, mail out to the other domains, bounces back.

use std::collections::BTreeSet;

use data_encoding::BASE64;

use super::super::tenant::config::{ALL_ROLES, EXCHANGE_ROLES};
use super::super::tenant::{App, Config, Letter};
use super::*;

async fn with_tenant() -> PostOffice {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let mut settings = Settings::new(move || now);
    settings.tenant = Some(Config::new(App::with_secret("app", "secret")));
    PostOffice::open(settings).await.unwrap()
}

/// A tenant whose app may read and send as the prober over IMAP and SMTP.
async fn with_exchange(change: impl FnOnce(&mut Config)) -> PostOffice {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let mut settings = Settings::new(move || now);
    let roles = ALL_ROLES.iter().chain(&EXCHANGE_ROLES);
    let mut config = Config::new(App {
        roles: roles.map(|role| (*role).to_owned()).collect(),
        full_access: Some(BTreeSet::from([PROBE.to_owned()])),
        ..App::with_secret("app", "secret")
    });
    change(&mut config);
    settings.tenant = Some(config);
    PostOffice::open(settings).await.unwrap()
}

/// A token for a resource, as the token endpoint gives it.
async fn token(office: &PostOffice, resource: &str) -> String {
    let tenant = office.tenant().unwrap();
    let stream = TcpStream::connect(tenant.address()).await.unwrap();
    let mut talk = Talk::new(tls(office, stream, "localhost").await);
    let form = format!("grant_type=client_credentials&client_id=app&client_secret=secret&scope={resource}/.default");
    let request = format!(
        "POST /tenant.example/oauth2/v2.0/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    talk.say(&request).await;
    let answer = talk.hear_until("{").await;
    let (_, token) = answer.split_once(r#""access_token":""#).unwrap_or_else(|| panic!("{answer}"));
    token.split('"').next().unwrap().to_owned()
}

/// What the doors say to this user with this token: IMAP, and what a LIST then brings; SMTP.
async fn doors(office: &PostOffice, user: &str, token: &str) -> [String; 3] {
    let bearer = BASE64.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01").as_bytes());
    let stream = TcpStream::connect(office.addresses().imaps).await.unwrap();
    let mut imap = Talk::new(tls(office, stream, "imap.contoso.example").await);
    imap.hear().await;
    let entered = imap.imap(&format!("AUTHENTICATE XOAUTH2 {bearer}")).await;
    let listed = imap.imap("LIST \"\" INBOX").await;
    let stream = TcpStream::connect(office.addresses().submissions).await.unwrap();
    let mut smtp = Talk::new(tls(office, stream, "smtp.sender.example").await);
    smtp.smtp_reply().await;
    smtp.smtp("EHLO client.example").await;
    let submitted = smtp.smtp(&format!("AUTH XOAUTH2 {bearer}")).await;
    [entered, listed, submitted].map(|answer| answer.trim_end().to_owned())
}

#[tokio::test]
async fn exchange_takes_its_own_tokens_for_the_mailboxes_granted() {
    let office = with_exchange(|_| {}).await;
    let good = token(&office, EXCHANGE).await;
    let [entered, listed, submitted] = doors(&office, PROBE, &good).await;
    assert!(entered.starts_with("a OK ") && listed.contains("* LIST "), "{entered} {listed}");
    assert!(submitted.starts_with("235 2.7.0 "), "{submitted}");
    assert_eq!(
        doors(&office, "ok@contoso.example", &good).await,
        [
            "a OK AUTHENTICATE completed.",
            "a BAD User is authenticated but not connected.",
            REFUSED
        ],
        "no Full Access there"
    );
    for useless in [token(&office, "https://graph.microsoft.com").await, format!("{good}x")] {
        let [entered, _, submitted] = doors(&office, PROBE, &useless).await;
        assert_eq!([entered, submitted], ["a NO AUTHENTICATE failed.", REFUSED]);
    }
    office.tenant().unwrap().expire_tokens();
    let [entered, _, submitted] = doors(&office, PROBE, &good).await;
    assert_eq!([entered, submitted], ["a NO AUTHENTICATE failed.", REFUSED], "it has ended");
}

const EXCHANGE: &str = "https://outlook.office365.com";
const REFUSED: &str = "535 5.7.3 Authentication unsuccessful [smtp.sender.example]";

#[tokio::test]
async fn exchange_refuses_who_was_not_set_up_for_it() {
    let unregistered = with_exchange(|config| config.apps[0].full_access = None).await;
    let unconsented = with_exchange(|config| config.apps[0].roles.retain(|role| !EXCHANGE_ROLES.contains(&role.as_str()))).await;
    for office in [unregistered, unconsented] {
        let useless = token(&office, EXCHANGE).await;
        let [entered, _, submitted] = doors(&office, PROBE, &useless).await;
        assert_eq!([entered, submitted], ["a NO AUTHENTICATE failed.", REFUSED]);
    }
    let switched_off = with_exchange(|config| config.smtp_auth = false).await;
    let good = token(&switched_off, EXCHANGE).await;
    let [entered, _, submitted] = doors(&switched_off, PROBE, &good).await;
    assert!(entered.starts_with("a OK "), "{entered}");
    assert!(
        submitted.contains("SmtpClientAuthentication is disabled for the Tenant"),
        "{submitted}"
    );
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
