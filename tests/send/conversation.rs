//! Servers that speak SMTP, and what they may answer at each step.

use super::{GREETS, TAKES, attempt, attempt_of, conduct, parcel, peer::Peer, plain_sender, script};
use mailflow::send::Sender;

/// Plays one script to one attempt.
async fn outcome(script: &str) -> String {
    let peer = Peer::plays(&[script]).await;
    let sender = plain_sender(peer.port, &conduct());
    let told = attempt(&sender, 0).await;
    sender.close().await;
    peer.heard().await;
    told
}

#[tokio::test]
async fn a_message_is_taken() {
    assert_eq!(
        outcome(&script(&[GREETS, TAKES])).await,
        "answer at body: 250 2.0.0 Ok: queued as 4XyZ"
    );
}

#[tokio::test]
async fn refusals_are_answers_at_every_step() {
    let mail = script(&[GREETS, "C: MAIL"]);
    let rcpt = script(&[&mail, "S: 250 ok\nC: RCPT"]);
    let data = script(&[&rcpt, "S: 250 ok\nC: DATA"]);
    let body = script(&[&data, "S: 354 go\nMESSAGE"]);
    for (script, expected) in [
        (script(&["S: 554 5.7.1 go away"]), "answer at greeting: 554 5.7.1 go away"),
        (script(&["S: 421 4.3.2 busy\nCLOSE"]), "answer at greeting: 421 4.3.2 busy"),
        (script(&["S: 220 x\nC: EHLO\nS: 450 not now"]), "answer at ehlo: 450 not now"),
        (
            script(&["S: 220 x\nC: EHLO\nS: 502 what?\nC: HELO probe.example\nS: 550 no"]),
            "answer at ehlo: 550 no",
        ),
        (script(&[&mail, "S: 451 4.7.1 later"]), "answer at mail: 451 4.7.1 later"),
        (script(&[&mail, "S: 553 5.1.8 who?"]), "answer at mail: 553 5.1.8 who?"),
        (script(&[&rcpt, "S: 550 5.1.1 unknown"]), "answer at rcpt: 550 5.1.1 unknown"),
        (script(&[&rcpt, "S: 450 4.2.0 greylisted"]), "answer at rcpt: 450 4.2.0 greylisted"),
        (
            script(&[&rcpt, "S: 421 4.7.0 too many\nCLOSE"]),
            "answer at rcpt: 421 4.7.0 too many",
        ),
        (
            script(&[&data, "S: 554 5.5.1 no valid recipients"]),
            "answer at data: 554 5.5.1 no valid recipients",
        ),
        (script(&[&body, "S: 550 5.7.1 spam"]), "answer at body: 550 5.7.1 spam"),
        (script(&[&body, "S: 452 4.3.1 full"]), "answer at body: 452 4.3.1 full"),
    ] {
        assert_eq!(outcome(&script).await, expected, "{script}");
    }
}

#[tokio::test]
async fn a_reply_of_many_lines_is_kept_whole() {
    let script = script(&[
        GREETS,
        "C: MAIL
        S: 550-5.7.25 The IP address has no
        S: 550-5.7.25 PTR record: \u{1b}[31mred
        S! 550 5.7.25 see https://x\\n",
    ]);
    assert_eq!(
        outcome(&script).await,
        "answer at mail: 550 5.7.25 The IP address has no\nPTR record: \u{fffd}[31mred\nsee https://x"
    );
}

#[tokio::test]
async fn a_server_without_ehlo_is_spoken_to_without_extensions() {
    let helo = "S: 220 old.example\nC: EHLO probe.example\nS: 500 unknown command\nC: HELO probe.example\nS: 250 old.example";
    assert_eq!(
        outcome(&script(&[helo, TAKES])).await,
        "answer at body: 250 2.0.0 Ok: queued as 4XyZ"
    );
}

#[tokio::test]
async fn unusual_but_lawful_replies_are_understood() {
    let script = "S: 220\nC: EHLO\nS: 250\nC: MAIL\nS! 250\\tok\\r\\n\nC: RCPT\nS: 251 forwards\nC: DATA\nS: 354\nMESSAGE\nS: 250";
    assert_eq!(outcome(script).await, "answer at body: 250 ");
}

#[tokio::test]
async fn dsn_and_size_are_asked_for_where_offered() {
    let ehlo = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250-SIZE 1000\nS: 250-8BITMIME\nS: 250 DSN";
    let peer = Peer::plays(&[&script(&[ehlo, TAKES])]).await;
    let sender = plain_sender(peer.port, &conduct());
    let parcel = parcel("x@b.example", "é\r\n".as_bytes());
    attempt_of(&sender, &parcel, 0).await;
    sender.close().await;
    let heard = peer.heard().await;
    let tag = &parcel.tag;
    assert_eq!(
        heard,
        [
            "EHLO probe.example".to_owned(),
            format!("MAIL FROM:<probe@a.example> SIZE=4 BODY=8BITMIME RET=HDRS ENVID={tag}"),
            "RCPT TO:<x@b.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;x@b.example".to_owned(),
            "DATA".to_owned(),
            "QUIT".to_owned(),
        ]
    );
}

#[tokio::test]
async fn where_pipelining_is_offered_the_first_refusal_is_the_answer() {
    let ehlo = "S: 220 x\nC: EHLO\nS: 250-x\nS: 250 PIPELINING\nC: MAIL\nC: RCPT\nC: DATA";
    for (replies, expected) in [
        ("S: 250 a\nS: 250 b\nS: 354 c\nMESSAGE\nS: 250 d", "answer at body: 250 d"),
        ("S! 250 a\\r\\n250 b\\r\\n354 c\\r\\n\nMESSAGE\nS: 550 d", "answer at body: 550 d"),
        ("S: 451 a\nS: 503 b\nS: 503 c", "answer at mail: 451 a"),
        ("S: 250 a\nS: 550 5.1.1 b\nS: 554 c", "answer at rcpt: 550 5.1.1 b"),
        ("S: 250 a\nS: 550 b\nCLOSE", "answer at rcpt: 550 b"),
        ("S: 250 a\nS: 421 b\nCLOSE", "answer at rcpt: 421 b"),
        ("S: 250 a\nS: 250 b\nS: 451 c", "answer at data: 451 c"),
        ("S: 250 a\nCLOSE", "trouble at rcpt: the server closed the connection"),
        // The server waits for a message that would go to nobody: it gets the end of the connection, not a dot.
        ("S: 250 a\nS: 550 b\nS: 354 c\nSILENCE", "answer at rcpt: 550 b"),
    ] {
        assert_eq!(outcome(&script(&[ehlo, replies])).await, expected, "{replies}");
    }
}

#[tokio::test]
async fn a_host_is_checked_without_a_message() {
    let peer = Peer::plays(&[&script(&["S: 220 x\nC: EHLO\nS: 250-x\nS: 250 DSN"]), "S: 554 5.7.1 go away"]).await;
    let sender = plain_sender(peer.port, &conduct());
    let host = format!("mail.example [127.0.0.1]:{}", peer.port);
    let found = sender.check(None, "").await;
    assert_eq!(found, Ok(format!("{host} answers, in the clear; offers DSN")));
    let refused = sender.check(None, "").await;
    assert_eq!(refused, Err(format!("{host}, at greeting: 554 5.7.1 go away")));
    assert_eq!(peer.heard().await, ["EHLO probe.example", "QUIT", "QUIT"]);
}
