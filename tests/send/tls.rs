//! TLS: required, opportunistic, implicit; and what an attacker may try with it.

use super::{GREETS, TAKES, attempt, conduct, endpoint, peer, peer::Peer, script};
use mailflow::{
    model::{Attempt, TlsMode},
    send::{Sender, SmtpSender},
};
use std::path::Path;

const TAKEN: &str = "answer at body: 250 2.0.0 Ok: queued as 4XyZ";
const OFFERS: &str = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 STARTTLS";
const TURNS: &str = "C: STARTTLS\nS: 220 go\nTLS";
const EHLO: &str = "C: EHLO\nS: 250 x";
const UNTRUSTED: &str = "the certificate comes from a CA that is not trusted here";

/// One attempt, as told; its record; and what the server heard.
async fn outcome(mode: TlsMode, trusted: bool, scripts: &[&str]) -> (String, Attempt, Vec<String>) {
    let (acceptor, ca) = peer::certificate();
    let peer = Peer::plays_with(&acceptor, scripts).await;
    let ca: Option<&Path> = trusted.then(|| ca.path());
    let sender = SmtpSender::new(&endpoint(peer.port, mode, ca), None, &conduct()).unwrap();
    let permit = sender.ready().await;
    let outcome = sender.send(&permit, &super::parcel("x@b.example", b"x\r\n"), 0).await;
    sender.close().await;
    let told = super::told(&outcome);
    let attempt = outcome.map_or_else(|trouble| trouble.attempt, |answer| answer.attempt);
    (told, attempt, peer.heard().await)
}

#[tokio::test]
async fn required_tls_is_used_and_recorded() {
    let (told, attempt, heard) = outcome(TlsMode::Required, true, &[&script(&[OFFERS, TURNS, EHLO, TAKES])]).await;
    assert_eq!(told, TAKEN);
    let tls = attempt.tls.unwrap();
    assert_eq!((tls.version.as_str(), tls.certificate), ("TLSv1.3", Ok(())));
    assert_eq!(
        heard.iter().filter(|line| line.starts_with("EHLO")).count(),
        2,
        "what was offered in the clear counts no longer"
    );
}

#[tokio::test]
async fn without_required_tls_nothing_is_sent() {
    let refuses = "C: STARTTLS\nS: 454 4.7.0 not now";
    for (scripts, trusted, expected) in [
        (
            script(&[GREETS]),
            true,
            "trouble at starttls: the server does not offer STARTTLS, and the route requires TLS: nothing was sent (hopeless)",
        ),
        (script(&[OFFERS, refuses]), true, "trouble at starttls: 454 4.7.0 not now"),
        (
            script(&[OFFERS, "C: STARTTLS\nS: 502 no"]),
            true,
            "trouble at starttls: 502 no (hopeless)",
        ),
        (
            script(&[OFFERS, "C: STARTTLS\nS: 421 closing\nCLOSE"]),
            true,
            "answer at starttls: 421 closing",
        ),
        (
            script(&[OFFERS, TURNS]),
            false,
            &format!("trouble at starttls: {UNTRUSTED} (hopeless)"),
        ),
        (
            script(&[OFFERS, "C: STARTTLS\nS: 220 go\nONLY 1\nS: this is not TLS"]),
            true,
            "trouble at starttls: the server's answer to the TLS handshake is not TLS (hopeless)",
        ),
        (
            script(&[OFFERS, "C: STARTTLS\nS: 220 go\nONLY 1\nCLOSE"]),
            true,
            "trouble at starttls: the server closed the connection during the TLS handshake",
        ),
    ] {
        let (told, attempt, heard) = outcome(TlsMode::Required, trusted, &[&scripts]).await;
        assert_eq!(told, expected, "{scripts}");
        assert_eq!(attempt.tls, None);
        assert!(!heard.iter().any(|line| line.starts_with("MAIL")), "{heard:?}");
    }
}

/// CVE-2011-0411: what is put before the handshake must not be taken for what came under its protection.
#[tokio::test]
async fn plain_text_before_the_handshake_is_not_believed() {
    let injects = script(&[OFFERS, "C: STARTTLS\nS! 220 go\\r\\n250-x\\r\\n250 AUTH PLAIN\\r\\n\nSILENCE"]);
    for mode in [TlsMode::Required, TlsMode::Opportunistic] {
        let (told, _, _) = outcome(mode, true, &[&injects]).await;
        assert_eq!(
            told,
            "trouble at starttls: the server sent plain text after its reply to STARTTLS; \
             the connection was given up: somebody may stand in between"
        );
    }
}

#[tokio::test]
async fn opportunistic_tls_takes_any_certificate_and_says_so() {
    let (told, attempt, _) = outcome(TlsMode::Opportunistic, false, &[&script(&[OFFERS, TURNS, EHLO, TAKES])]).await;
    assert_eq!(told, TAKEN);
    assert_eq!(attempt.tls.unwrap().certificate, Err(UNTRUSTED.to_owned()));
}

#[tokio::test]
async fn opportunistic_tls_goes_on_in_the_clear_where_it_must() {
    let in_the_clear = script(&[OFFERS, TAKES]);
    let garbage = script(&[OFFERS, "C: STARTTLS\nS: 220 go\nONLY 1\nS: this is not TLS"]);
    let cut = script(&[OFFERS, "C: STARTTLS\nCLOSE"]);
    let refuses = script(&[OFFERS, "C: STARTTLS\nS: 454 4.7.0 not now", TAKES]);
    let not_offered = script(&[GREETS, TAKES]);
    for (scripts, note) in [
        (vec![not_offered.as_str()], ""),
        (vec![&refuses], ", in the clear because STARTTLS was refused: 454 4.7.0 not now"),
        (
            vec![&garbage, &in_the_clear],
            ", in the clear because TLS failed: the server's answer to the TLS handshake is not TLS",
        ),
        (
            vec![&cut, &in_the_clear],
            ", in the clear because TLS failed: the server closed the connection",
        ),
    ] {
        let (told, attempt, _) = outcome(TlsMode::Opportunistic, true, &scripts).await;
        assert_eq!(told, TAKEN, "{scripts:?}");
        assert_eq!(attempt.tls, None);
        assert!(
            attempt.host.starts_with("mail.example [127.0.0.1]:") && attempt.host.ends_with(note),
            "{}",
            attempt.host
        );
    }
}

#[tokio::test]
async fn implicit_tls_comes_first() {
    let (told, attempt, _) = outcome(TlsMode::Implicit, true, &[&script(&["TLS", GREETS, TAKES])]).await;
    assert_eq!(told, TAKEN);
    assert!(attempt.tls.is_some());
    let (told, _, _) = outcome(TlsMode::Implicit, true, &["S: 220 plain.example\nSILENCE"]).await;
    assert_eq!(
        told,
        "trouble at connect: the server's answer to the TLS handshake is not TLS (hopeless)"
    );
}

#[tokio::test]
async fn a_cut_within_tls_is_seen_as_one() {
    let sent = "C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nMESSAGE\nCLOSE";
    let (told, _, _) = outcome(TlsMode::Required, true, &[&script(&[OFFERS, TURNS, EHLO, sent])]).await;
    assert_eq!(
        told,
        "trouble at body: the server closed the connection, after the message and its final dot had been sent (in doubt)"
    );
}

#[tokio::test]
async fn a_wrong_ca_file_is_told_before_anything_is_sent() {
    let wrong = endpoint(25, TlsMode::Required, Some(Path::new("/nowhere/ca.pem")));
    let error = SmtpSender::new(&wrong, None, &conduct()).err().unwrap();
    assert_eq!(
        error,
        "the CA file /nowhere/ca.pem cannot be read: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_does_not_hold() {
    let (acceptor, ca) = peer::certificate();
    let peer = Peer::plays_with(&acceptor, &[&script(&[OFFERS, TURNS])]).await;
    let mut other = endpoint(peer.port, TlsMode::Required, Some(ca.path()));
    other.host = "other.example".to_owned();
    let sender = SmtpSender::new(&other, None, &conduct()).unwrap();
    assert_eq!(
        attempt(&sender, 0).await,
        "trouble at starttls: the certificate is not for other.example but for mail.example, 127.0.0.1 (hopeless)"
    );
}
