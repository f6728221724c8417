//! Connections that serve more than one message.

use super::{GREETS, TAKES, attempt, attempt_of, conduct, parcel, peer::Peer, plain_sender, script};
use mailflow::send::Sender;

const TAKEN: &str = "answer at body: 250 2.0.0 Ok: queued as 4XyZ";
const REFUSES: &str = "C: MAIL\nS: 250 ok\nC: RCPT\nS: 450 4.2.0 greylisted";

/// What two attempts in a row see, and what the server hears.
async fn two(scripts: &[&str]) -> ([String; 2], Vec<String>) {
    let peer = Peer::plays(scripts).await;
    let sender = plain_sender(peer.port, &conduct());
    let first = attempt(&sender, 0).await;
    // What the server does unasked may still be under way.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let second = attempt(&sender, 1).await;
    sender.close().await;
    ([first, second], peer.heard().await)
}

#[tokio::test]
async fn two_messages_share_a_connection() {
    let (told, heard) = two(&[&script(&[GREETS, TAKES, TAKES])]).await;
    assert_eq!(told, [TAKEN, TAKEN]);
    assert_eq!(heard.last().map(String::as_str), Some("QUIT"));
    assert!(!heard.iter().any(|line| line == "RSET"), "{heard:?}");
}

#[tokio::test]
async fn a_refused_recipient_costs_a_reset_and_no_more() {
    let (told, _) = two(&[&script(&[GREETS, REFUSES, "C: RSET\nS: 250 ok", TAKES])]).await;
    assert_eq!(told, ["answer at rcpt: 450 4.2.0 greylisted", TAKEN]);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced_without_a_word() {
    let fresh = script(&[GREETS, TAKES]);
    for end in [
        "CLOSE",
        "RESET",
        "S: 421 4.4.2 timeout\nCLOSE",
        "C: MAIL\nCLOSE",
        "C: MAIL\nS: 421 4.7.0 enough for one connection\nCLOSE",
    ] {
        let (told, _) = two(&[&script(&[GREETS, TAKES, end]), &fresh]).await;
        assert_eq!(told, [TAKEN, TAKEN], "{end}");
    }
    let (told, _) = two(&[&script(&[GREETS, REFUSES, "C: RSET\nCLOSE"]), &fresh]).await;
    assert_eq!(told, ["answer at rcpt: 450 4.2.0 greylisted", TAKEN]);
}

#[tokio::test]
async fn a_connection_is_replaced_only_once_and_only_before_the_mail_was_answered() {
    let (told, _) = two(&[&script(&[GREETS, TAKES, "CLOSE"]), &script(&[GREETS, "C: MAIL\nCLOSE"])]).await;
    assert_eq!(told, [TAKEN, "trouble at mail: the server closed the connection"]);
    let (told, _) = two(&[&script(&[GREETS, TAKES, "C: MAIL\nS: 250 ok\nC: RCPT\nCLOSE"])]).await;
    assert_eq!(told, [TAKEN, "trouble at rcpt: the server closed the connection"]);
}

#[tokio::test]
async fn after_421_nothing_more_is_said_on_a_connection() {
    let (told, heard) = two(&[
        &script(&[GREETS, "C: MAIL\nS: 250 ok\nC: RCPT\nS: 421 4.3.2 closing\nSILENCE"]),
        &script(&[GREETS, TAKES]),
    ])
    .await;
    assert_eq!(told, ["answer at rcpt: 421 4.3.2 closing", TAKEN]);
    assert_eq!(heard.iter().filter(|line| line.starts_with("EHLO")).count(), 2);
}

#[tokio::test]
async fn hosts_have_their_own_connections_within_the_routes_bound() {
    // One connection for the route, two hosts: the first host's idle connection ends before the second's is opened.
    let first = Peer::plays(&[&script(&[GREETS, TAKES])]).await;
    let second = Peer::plays(&[&script(&[GREETS, TAKES])]).await;
    let sender = plain_sender(first.port, &conduct());
    let mut parcel = parcel("x@b.example", b"x\r\n");
    parcel.hop = Some(("a.example".to_owned(), Some(format!("127.0.0.1:{}", first.port))));
    assert_eq!(attempt_of(&sender, &parcel, 0).await, TAKEN);
    parcel.hop = Some(("b.example".to_owned(), Some(format!("127.0.0.1:{}", second.port))));
    assert_eq!(attempt_of(&sender, &parcel, 0).await, TAKEN);
    assert_eq!(
        first.heard().await.last().map(String::as_str),
        Some("QUIT"),
        "before the sender is closed"
    );
    sender.close().await;
    assert_eq!(second.heard().await.last().map(String::as_str), Some("QUIT"));
}

#[tokio::test]
async fn only_so_many_attempts_are_made_at_once() {
    let sender = plain_sender(1, &conduct());
    let permit = sender.ready().await;
    let mut second = Box::pin(sender.ready());
    assert!(futures::poll!(&mut second).is_pending());
    drop(permit);
    assert!(second.await.0.is_some());
}
