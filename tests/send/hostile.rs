//! Servers that are broken or mean harm. Each attempt ends in bounded time, and says exactly what could be known.

use super::{GREETS, attempt, attempt_of, conduct, impatient, parcel, peer::Peer, plain_sender, script};
use mailflow::{
    model::TlsMode,
    send::{Conduct, Sender, SmtpSender},
};

/// Plays one script to one attempt.
async fn outcome(conduct: &Conduct, script: &str) -> String {
    let peer = Peer::plays(&[script]).await;
    let told = attempt(&plain_sender(peer.port, conduct), 0).await;
    peer.heard().await;
    told
}

#[tokio::test]
async fn what_is_not_smtp_is_quoted() {
    for (script, expected) in [
        ("S: hello", r#"trouble at greeting: the server's answer is not SMTP: "hello""#),
        (
            "S: HTTP/1.1 400 Bad Request\nS: Content-Length: 0",
            r#"trouble at greeting: the server's answer is not SMTP: "HTTP/1.1 400 Bad Request""#,
        ),
        ("S: +OK POP3", r#"trouble at greeting: the server's answer is not SMTP: "+OK POP3""#),
        (
            "S: * OK IMAP",
            r#"trouble at greeting: the server's answer is not SMTP: "* OK IMAP""#,
        ),
        (
            "S: 354 go on",
            "trouble at greeting: the server's reply makes no sense here: 354 go on",
        ),
        (
            "S! 220 x\\r\\n\nC: EHLO\nS: 250_x",
            r#"trouble at ehlo: the server's answer is not SMTP: "250_x""#,
        ),
        (
            "S: 220 x\nC: EHLO\nS: 250-a\nS: b",
            r#"trouble at ehlo: the server's answer is not SMTP: "b""#,
        ),
    ] {
        assert_eq!(outcome(&conduct(), script).await, expected, "{script}");
    }
}

#[tokio::test]
async fn a_connection_cut_before_the_message_leaves_no_doubt() {
    let data = script(&[GREETS, "C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA"]);
    for (script, expected) in [
        ("CLOSE".to_owned(), "trouble at greeting: the server closed the connection"),
        (
            "S! 220 mail.exam\nCLOSE".to_owned(),
            "trouble at greeting: the server closed the connection in the midst of a reply",
        ),
        (
            "S: 220 x\nC: EHLO\nCLOSE".to_owned(),
            "trouble at ehlo: the server closed the connection",
        ),
        (
            "S: 220 x\nC: EHLO\nS: 250-x\nCLOSE".to_owned(),
            "trouble at ehlo: the server closed the connection in the midst of a reply",
        ),
        (
            script(&[GREETS, "C: MAIL\nCLOSE"]),
            "trouble at mail: the server closed the connection",
        ),
        (
            script(&[GREETS, "C: MAIL\nRESET"]),
            "trouble at mail: the connection failed: Connection reset by peer",
        ),
        (script(&[&data, "CLOSE"]), "trouble at data: the server closed the connection"),
        (
            script(&[&data, "S: 250 ok"]),
            "trouble at data: the server's reply makes no sense here: 250 ok",
        ),
    ] {
        assert_eq!(outcome(&conduct(), &script).await, expected, "{script}");
    }
}

#[tokio::test]
async fn a_message_cut_off_midway_was_not_taken() {
    // Larger than all buffers between the two, so that the dot cannot have left.
    let large = parcel("x@b.example", "0123456789abcdef\r\n".repeat(1 << 20).as_bytes());
    let data = script(&[GREETS, "C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nONLY 5000"]);
    for (end, expected) in [
        (
            "RESET",
            "trouble at body: the connection failed: Connection reset by peer, before the whole message had been sent",
        ),
        ("S: 552 5.3.4 too large\nSILENCE", "answer at body: 552 5.3.4 too large"),
    ] {
        let peer = Peer::plays(&[&script(&[&data, end])]).await;
        let sender = plain_sender(peer.port, &conduct());
        assert_eq!(attempt_of(&sender, &large, 0).await, expected, "{end}");
    }
}

#[tokio::test]
async fn a_server_that_takes_no_more_of_the_message_is_left() {
    let large = parcel("x@b.example", "0123456789abcdef\r\n".repeat(1 << 20).as_bytes());
    let data = script(&[GREETS, "C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nONLY 5000"]);
    // The script reads no further while it talks.
    let peer = Peer::plays(&[&script(&[&data, "DRIP 250-thinking"])]).await;
    let sender = plain_sender(peer.port, &impatient());
    assert_eq!(
        attempt_of(&sender, &large, 0).await,
        "trouble at body: the server did not take the whole message within 1s"
    );
    peer.heard().await;
}

#[tokio::test]
async fn after_the_final_dot_only_a_whole_reply_ends_the_doubt() {
    let sent = script(&[GREETS, "C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\nMESSAGE"]);
    for (end, why) in [
        ("CLOSE", "the server closed the connection"),
        ("RESET", "the connection failed: Connection reset by peer"),
        ("S! 250 ok\nCLOSE", "the server closed the connection in the midst of a reply"),
        ("S! 550 no\\r\nCLOSE", "the server closed the connection in the midst of a reply"),
        ("S: 250-2.0.0 ok\nCLOSE", "the server closed the connection in the midst of a reply"),
        ("S: thanks", r#"the server's answer is not SMTP: "thanks""#),
        ("S: 354 more", "the server's reply makes no sense here: 354 more"),
        ("SILENCE", "the server did not answer within 1s"),
    ] {
        let expected = format!("trouble at body: {why}, after the message and its final dot had been sent (in doubt)");
        assert_eq!(outcome(&impatient(), &script(&[&sent, end])).await, expected, "{end}");
    }
}

#[tokio::test]
async fn silence_ends() {
    for (script, stage) in [
        ("SILENCE", "greeting"),
        ("S: 220 x\nC: EHLO\nSILENCE", "ehlo"),
        ("S: 220 x\nC: EHLO\nS: 250 x\nC: MAIL\nSILENCE", "mail"),
    ] {
        let expected = format!("trouble at {stage}: the server did not answer within 1s");
        assert_eq!(outcome(&impatient(), script).await, expected);
    }
}

#[tokio::test]
async fn a_reply_without_end_ends() {
    for (script, expected) in [
        ("FLOOD 220-more\\r\\n", "trouble at greeting: the server's reply does not end"),
        ("FLOOD 220x", "trouble at greeting: the server's reply does not end"),
        (
            "S: 220 x\nC: EHLO\nFLOOD 250-more\\n",
            "trouble at ehlo: the server's reply does not end",
        ),
        // Slowly enough never to be too much: then it is the time.
        ("DRIP 220-more", "trouble at greeting: the server did not answer within 1s"),
        (
            "S: 220 x\nC: EHLO\nDRIP 250-more",
            "trouble at ehlo: the server did not answer within 1s",
        ),
    ] {
        assert_eq!(outcome(&impatient(), script).await, expected, "{script}");
    }
}

#[tokio::test]
async fn a_server_that_answers_before_it_is_asked_is_not_believed() {
    let early = script(&[
        GREETS,
        "C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS! 354 go\\r\\n250 queued\\r\\n\nSILENCE",
    ]);
    assert_eq!(
        outcome(&conduct(), &early).await,
        "trouble at data: the server hung up, or spoke out of turn, before the message was sent"
    );
}

#[tokio::test]
async fn a_host_that_is_not_there_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    assert_eq!(
        attempt(&plain_sender(port, &conduct()), 0).await,
        format!("trouble at connect: no connection to 127.0.0.1:{port}: Connection refused")
    );
    let mut nowhere = super::endpoint(25, TlsMode::None, None);
    nowhere.connect = Some("nowhere.invalid".to_owned());
    let sender = SmtpSender::new(&nowhere, None, &conduct()).unwrap();
    let told = attempt(&sender, 0).await;
    assert!(told.starts_with("trouble at dns: no address for nowhere.invalid: "), "{told}");
    let mut parcel = parcel("x@b.example", b"");
    parcel.hop = Some(("gw.example".to_owned(), Some("not an address".to_owned())));
    assert_eq!(
        attempt_of(&sender, &parcel, 0).await,
        r#"trouble at connect: "not an address" is not ADDRESS or ADDRESS:PORT (hopeless)"#
    );
    sender.close().await;
}
