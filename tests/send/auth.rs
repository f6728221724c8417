//! Signing in, and what a server may say when it refuses.

use super::{TAKES, attempt, conduct, endpoint, password, peer::Peer, script};
use async_trait::async_trait;
use data_encoding::BASE64;
use mailflow::{
    credentials::{Credentials, Door, NoSecret, Proof, Supply},
    model::TlsMode,
    send::{Sender, SmtpSender},
};
use secrecy::SecretString;
use std::sync::Arc;
use tokio::time::Instant;

const SECRET: &str = "hunter22";
const TAKEN: &str = "answer at body: 250 2.0.0 Ok: queued as 4XyZ";

fn offers(mechanisms: &str) -> String {
    format!("S: 220 x\nC: EHLO\nS: 250-x\nS: 250 AUTH {mechanisms}")
}

fn plain() -> String {
    BASE64.encode(format!("\0probe\0{SECRET}").as_bytes())
}

async fn outcome(credentials: Option<Credentials>, script: &str) -> String {
    let peer = Peer::plays(&[script]).await;
    let sender = SmtpSender::new(&endpoint(peer.port, TlsMode::None, None), credentials, &conduct()).unwrap();
    let told = attempt(&sender, 0).await;
    sender.close().await;
    peer.heard().await;
    told
}

#[tokio::test]
async fn plain_comes_before_login() {
    let auth = format!("C: AUTH PLAIN {}\nS: 235 2.7.0 welcome", plain());
    assert_eq!(
        outcome(password(SECRET), &script(&[&offers("LOGIN PLAIN"), &auth, TAKES])).await,
        TAKEN
    );
}

#[tokio::test]
async fn login_is_used_where_there_is_nothing_else() {
    let (user, secret) = (BASE64.encode(b"probe"), BASE64.encode(SECRET.as_bytes()));
    let auth = format!("C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {user}\nS: 334 UGFzc3dvcmQ6\nC: {secret}\nS: 235 ok");
    assert_eq!(outcome(password(SECRET), &script(&[&offers("LOGIN"), &auth, TAKES])).await, TAKEN);
    let refuses = format!("C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {user}\nS: 535 5.7.8 no such user");
    assert_eq!(
        outcome(password(SECRET), &script(&[&offers("LOGIN"), &refuses])).await,
        "trouble at auth: 535 5.7.8 no such user (hopeless)"
    );
    let premature = "C: AUTH LOGIN\nS: 235 come in";
    assert_eq!(
        outcome(password(SECRET), &script(&[&offers("LOGIN"), premature])).await,
        "trouble at auth: the server's reply makes no sense here: 235 come in"
    );
}

#[tokio::test]
async fn a_refused_login_is_trouble_with_the_servers_words() {
    for (reply, expected) in [
        ("S: 535 5.7.8 bad password", "trouble at auth: 535 5.7.8 bad password (hopeless)"),
        ("S: 454 4.7.0 try later", "trouble at auth: 454 4.7.0 try later"),
        ("S: 421 4.3.2 closing\nCLOSE", "answer at auth: 421 4.3.2 closing"),
        ("CLOSE", "trouble at auth: the server closed the connection"),
        ("S: 334 what", "trouble at auth: the server's reply makes no sense here: 334 what"),
    ] {
        assert_eq!(
            outcome(password(SECRET), &script(&[&offers("PLAIN"), "C: AUTH PLAIN", reply])).await,
            expected
        );
    }
}

#[tokio::test]
async fn an_echoed_secret_is_never_kept() {
    for (echo, expected) in [
        (
            format!("S: 500 what is AUTH PLAIN {}?", plain()),
            "trouble at auth: 500 what is AUTH PLAIN [secret]? (hopeless)",
        ),
        (
            format!("S: 535 5.7.8 {SECRET} is wrong"),
            "trouble at auth: 535 5.7.8 [secret] is wrong (hopeless)",
        ),
        (
            format!("S: {}", plain()),
            r#"trouble at auth: the server's answer is not SMTP: "[secret]""#,
        ),
    ] {
        let told = outcome(password(SECRET), &script(&[&offers("PLAIN"), "C: AUTH PLAIN", &echo])).await;
        assert_eq!(told, expected);
    }
    // Not even later on.
    let later = format!("C: AUTH PLAIN\nS: 235 ok\nC: MAIL\nS: 550 I know {SECRET}");
    assert_eq!(
        outcome(password(SECRET), &script(&[&offers("PLAIN"), &later])).await,
        "answer at mail: 550 I know [secret]"
    );
}

#[tokio::test]
async fn xoauth2_keeps_the_challenge_that_says_why() {
    let credentials = || Some(Credentials::token("probe", "ya29.token-that-is-long".into()));
    let initial = BASE64.encode(b"user=probe\x01auth=Bearer ya29.token-that-is-long\x01\x01");
    let accepts = format!("C: AUTH XOAUTH2 {initial}\nS: 235 2.7.0 accepted");
    assert_eq!(
        outcome(credentials(), &script(&[&offers("PLAIN XOAUTH2"), &accepts, TAKES])).await,
        TAKEN
    );
    let why = BASE64.encode(br#"{"status":"401","scope":"https://mail.example/"}"#);
    let refuses = format!("C: AUTH XOAUTH2\nS: 334 {why}\nC: \nS: 535 5.7.3 Authentication unsuccessful");
    assert_eq!(
        outcome(credentials(), &script(&[&offers("XOAUTH2"), &refuses])).await,
        "trouble at auth: 535 5.7.3 Authentication unsuccessful\n{\"status\":\"401\",\"scope\":\"https://mail.example/\"} (hopeless)"
    );
}

/// Has a second token, and knows what a refusal means.
struct Renewed;

#[async_trait]
impl Supply for Renewed {
    async fn secret(&self, _until: Instant) -> Result<SecretString, NoSecret> {
        Ok("token-that-has-ended".into())
    }

    async fn another(&self, _refused: &SecretString, _until: Instant) -> Option<SecretString> {
        Some("token-that-is-fresh".into())
    }

    fn advice(&self, door: Door, user: &str, words: &str) -> Option<String> {
        (door == Door::Smtp && words.starts_with("535 ")).then(|| format!("set {user} up"))
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let credentials = || Some(Credentials::new("probe", Proof::Token, Arc::new(Renewed)));
    let initial = |token: &str| BASE64.encode(format!("user=probe\x01auth=Bearer {token}\x01\x01").as_bytes());
    let (ended, fresh) = (initial("token-that-has-ended"), initial("token-that-is-fresh"));
    let refused = format!("C: AUTH XOAUTH2 {ended}\nS: 535 5.7.3 Authentication unsuccessful");
    let accepted = format!("C: AUTH XOAUTH2 {fresh}\nS: 235 2.7.0 accepted");
    assert_eq!(
        outcome(credentials(), &script(&[&offers("XOAUTH2"), &refused, &accepted, TAKES])).await,
        TAKEN
    );
    let again = format!("C: AUTH XOAUTH2 {fresh}\nS: 535 5.7.3 Still token-that-is-fresh");
    assert_eq!(
        outcome(credentials(), &script(&[&offers("XOAUTH2"), &refused, &again])).await,
        "trouble at auth: the server refuses the token for probe (535 5.7.3 Still [secret]): set probe up (hopeless)"
    );
    assert_eq!(
        outcome(credentials(), &script(&[&offers("XOAUTH2"), &refused])).await,
        "trouble at auth: the server refuses the token for probe (535 5.7.3 Authentication unsuccessful): set probe up (hopeless)",
        "the server hung up"
    );
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_our_trouble() {
    let credentials = Some(Credentials::missing("probe", "the environment variable `P` is not set"));
    assert_eq!(
        outcome(credentials, &offers("PLAIN")).await,
        "trouble at auth: the environment variable `P` is not set (hopeless)"
    );
}

#[tokio::test]
async fn a_sign_in_that_is_not_offered_is_not_tried() {
    assert_eq!(
        outcome(password(SECRET), super::GREETS).await,
        "trouble at auth: the server offers no sign-in (AUTH) on this connection (hopeless)"
    );
    assert_eq!(
        outcome(password(SECRET), &offers("CRAM-MD5 XOAUTH2")).await,
        "trouble at auth: the server offers AUTH CRAM-MD5 XOAUTH2, not PLAIN or LOGIN (hopeless)"
    );
}

#[tokio::test]
async fn a_session_that_leads_nowhere_is_ended_politely() {
    let peer = Peer::plays(&[super::GREETS]).await;
    let endpoint = endpoint(peer.port, TlsMode::None, None);
    let sender = SmtpSender::new(&endpoint, password(SECRET), &conduct()).unwrap();
    attempt(&sender, 0).await;
    assert_eq!(peer.heard().await, ["EHLO probe.example", "QUIT"]);
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?}", password(SECRET));
    assert!(shown.contains("probe") && !shown.contains(SECRET), "{shown}");
}
