//! Mail comes in: replies, fates, bounces and answers.

use data_encoding::BASE64;
use mail_parser::{MessageParser, MimeHeaders};

use super::*;

/// A submission session that has turned to TLS and said EHLO.
async fn submission(office: &PostOffice) -> Talk<TlsStream<TcpStream>> {
    let mut talk = connect(office.addresses().submission).await;
    talk.hear().await;
    let features = talk.smtp("EHLO client.example").await;
    assert!(features.contains("STARTTLS") && !features.contains("AUTH"), "{features}");
    assert!(
        talk.smtp("MAIL FROM:<probe@sender.example>")
            .await
            .starts_with("530 5.7.0 Must issue STARTTLS")
    );
    assert!(talk.smtp("AUTH PLAIN AAAA").await.starts_with("538 "));
    assert!(talk.smtp("STARTTLS").await.starts_with("220 "));
    let mut talk = Talk::new(tls(office, talk.0.into_inner(), "smtp.sender.example").await);
    let features = talk.smtp("EHLO client.example").await;
    assert!(
        features.contains("AUTH PLAIN LOGIN XOAUTH2") && !features.contains("STARTTLS"),
        "{features}"
    );
    assert!(
        talk.smtp("MAIL FROM:<probe@sender.example>")
            .await
            .starts_with("530 5.7.0 Authentication")
    );
    talk
}

#[tokio::test]
async fn submission_wants_tls_and_a_login() {
    let office = open().await;
    let (password, token) = (office.password(PROBE), office.token(PROBE));
    let base64 = |text: &str| BASE64.encode(text.as_bytes());

    let mut talk = submission(&office).await;
    assert!(
        talk.smtp(&format!("AUTH PLAIN {}", base64("\0probe@sender.example\0wrong")))
            .await
            .starts_with("535 5.7.8")
    );
    assert!(
        talk.smtp(&format!("AUTH PLAIN {}", base64(&format!("\0{PROBE}\0{password}"))))
            .await
            .starts_with("235 ")
    );
    assert!(talk.smtp("MAIL FROM:<probe+tag@sender.example>").await.starts_with("250 "));
    assert!(talk.smtp("RCPT TO:<ok@contoso.example>").await.starts_with("250 "));
    assert!(talk.smtp("DATA").await.starts_with("354 "));
    assert!(
        talk.smtp(&format!("{}\r\n.", message("one")))
            .await
            .starts_with("250 2.0.0 Ok: queued as ")
    );
    let copies = office.copies("<one@sender.example>");
    let raw = String::from_utf8_lossy(&copies[0].raw).into_owned();
    assert!(
        raw.starts_with("Return-Path: <probe+tag@sender.example>\r\nDelivered-To: ok@contoso.example\r\nReceived: "),
        "{raw}"
    );
    assert!(
        raw.contains("with ESMTPSA id ") && raw.contains("(using TLSv1.3 with cipher "),
        "{raw}"
    );
    assert!(raw.ends_with("\r\n.\r\nThe end.\r\n"), "dots are unstuffed: {raw}");

    let mut talk = submission(&office).await;
    assert_eq!(talk.smtp("AUTH LOGIN").await.trim(), "334 VXNlcm5hbWU6");
    assert!(talk.smtp(&base64(PROBE)).await.starts_with("334 "));
    assert!(talk.smtp(&base64(&password)).await.starts_with("235 "));

    let mut talk = submission(&office).await;
    let bearer = |token: &str| base64(&format!("user={PROBE}\x01auth=Bearer {token}\x01\x01"));
    assert!(
        talk.smtp(&format!("AUTH XOAUTH2 {}", bearer("expired")))
            .await
            .starts_with("334 eyJ")
    );
    assert!(talk.smtp("").await.starts_with("535 "));
    assert!(talk.smtp(&format!("AUTH XOAUTH2 {}", bearer(&token))).await.starts_with("235 "));

    let stream = TcpStream::connect(office.addresses().submissions).await.unwrap();
    let mut talk = Talk::new(tls(&office, stream, "smtp.sender.example").await);
    assert!(talk.hear().await.starts_with("220 smtp.sender.example"));
}

#[tokio::test]
async fn recipients_are_refused_as_their_names_say() {
    let office = open().await;
    let gateway_a = office.addresses().gateway_a;
    for (rcpt, reply) in [
        ("<reject-550@contoso.example>", "550 5.1.1 "),
        ("<reject-552@contoso.example>", "552 5.2.2 "),
        ("<tempfail@fabrikam.example>", "450 4.2.0 "),
        ("<nobody@contoso.example>", "550 5.1.1 "),
        ("<ok@elsewhere.example>", "554 5.7.1 "),
        ("<insiders-only@contoso.example>", "550 5.7.1 "),
        ("<greylisted@contoso.example>", "450 4.7.1 "),
        ("<@relay:ok@contoso.example> FOO=BAR", "555 5.5.4 "),
    ] {
        let answer = send(gateway_a, "<probe@sender.example>", rcpt, &message("refused")).await;
        assert!(answer.starts_with(reply), "{rcpt}: {answer}");
    }
    let answer = send(
        gateway_a,
        "<probe@contoso.example>",
        "<insiders-only@contoso.example>",
        &message("insider"),
    )
    .await;
    assert!(answer.starts_with("250 "), "{answer}");
    assert_eq!(places(&office, "refused"), Vec::<String>::new());
}

#[tokio::test]
async fn each_fate_comes_true() {
    let office = open().await;
    for (rcpt, expected) in [
        ("ok@contoso.example", vec!["ok@contoso.example INBOX"]),
        ("OK+tag@Fabrikam.example", vec!["ok@fabrikam.example INBOX"]),
        ("junk@contoso.example", vec!["junk@contoso.example Courrier indésirable"]),
        ("held@contoso.example", vec!["quarantine@contoso.example INBOX"]),
        ("folder@contoso.example", vec!["folder@contoso.example Alerts"]),
        ("elsewhere@contoso.example", vec!["someone-else@contoso.example INBOX"]),
        (
            "list@contoso.example",
            vec!["member-1@contoso.example INBOX", "member-2@contoso.example INBOX"],
        ),
        ("lost@contoso.example", vec![]),
        ("full@contoso.example", vec![]),
        ("late-0s@contoso.example", vec!["late-0s@contoso.example INBOX"]),
        (
            "twice@contoso.example",
            vec!["twice@contoso.example INBOX", "twice@contoso.example INBOX"],
        ),
        ("deleted@contoso.example", vec!["deleted@contoso.example Trash"]),
        ("whoever@catchall.example", vec!["catch-all@contoso.example INBOX"]),
        ("refuses-login@contoso.example", vec!["refuses-login@contoso.example INBOX"]),
    ] {
        let id = rcpt.replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_lowercase();
        let answer = send(
            office.addresses().gateway_a,
            "<probe@sender.example>",
            &format!("<{rcpt}>"),
            &message(&id),
        )
        .await;
        assert!(answer.starts_with("250 "), "{rcpt}: {answer}");
        until(|| (places(&office, &id) == expected).then_some(())).await;
    }
}

#[tokio::test]
async fn some_messages_do_not_stay_where_they_were() {
    let office = open().await;
    for (login, later) in [
        ("moved@contoso.example", vec!["moved@contoso.example Junk"]),
        ("vanishes@contoso.example", vec![]),
    ] {
        assert!(
            send(office.addresses().gateway_a, "<>", &format!("<{login}>"), &message(login))
                .await
                .starts_with("250 ")
        );
        let next = office.office.store.read(login, |m| m.folders[0].uid_next).unwrap();
        assert_eq!(next, 2, "it was in the inbox first");
        until(|| (places(&office, login) == later).then_some(())).await;
    }
}

#[tokio::test]
async fn gateways_alter_wrap_and_strip() {
    let office = open().await;
    let gateway_b = office.addresses().gateway_b;
    for rcpt in ["altered", "wrapped", "stripped"] {
        let sent = send(
            gateway_b,
            "<probe@sender.example>",
            &format!("<{rcpt}@contoso.example>"),
            &message(rcpt),
        )
        .await;
        assert!(sent.starts_with("250 "));
    }
    let inbox = |login: &str| {
        let read = |m: &store::Mailbox| m.folders[0].messages[0].raw.to_vec();
        String::from_utf8(office.office.store.read(login, read).unwrap()).unwrap()
    };
    let altered = inbox("altered@contoso.example");
    assert!(altered.contains("Subject: [EXTERNAL] Probe altered\r\n") && altered.contains("safelinks.protection.outlook.example"));
    let wrapped = inbox("wrapped@contoso.example");
    let parsed = MessageParser::default().parse(wrapped.as_bytes()).unwrap();
    assert_eq!(parsed.header("X-Probe"), None);
    let inner = parsed.attachment(0).and_then(|p| p.message()).unwrap();
    assert_eq!(inner.message_id(), Some("wrapped@sender.example"));
    let stripped = inbox("stripped@contoso.example");
    assert!(!stripped.contains("X-Probe") && !stripped.contains("<stripped@sender.example>") && stripped.contains("The end."));
}

#[tokio::test]
async fn the_spam_test_is_rejected_or_junked() {
    let office = open().await;
    let gtube = format!(
        "{}\r\n{}{}",
        message("gtube"),
        "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-",
        "ANTI-UBE-TEST-EMAIL*C.34X"
    );
    let Addresses { gateway_a, gateway_b, .. } = office.addresses();
    assert!(
        send(gateway_a, "<probe@sender.example>", "<ok@contoso.example>", &gtube)
            .await
            .starts_with("554 5.7.1 ")
    );
    assert!(
        send(gateway_b, "<probe@sender.example>", "<ok@contoso.example>", &gtube)
            .await
            .starts_with("250 ")
    );
    assert_eq!(places(&office, "gtube"), ["ok@contoso.example Junk"]);
}

#[tokio::test]
async fn the_test_virus_is_rejected_or_held() {
    let office = open().await;
    let virus = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"].concat();
    let with_file = |name: &str, content: &str| {
        message(name).replacen(
            "\r\n\r\n",
            "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n",
            1,
        ) + "\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"eicar.com\"\r\n\
               Content-Transfer-Encoding: base64\r\n\r\n"
            + &data_encoding::BASE64.encode(content.as_bytes())
            + "\r\n--b--\r\n"
    };
    let Addresses { gateway_a, gateway_b, .. } = office.addresses();
    let (from, to) = ("<probe@sender.example>", "<ok@contoso.example>");
    assert!(
        send(gateway_a, from, to, &with_file("virus", &virus))
            .await
            .starts_with("554 5.7.1 ")
    );
    assert!(send(gateway_b, from, to, &with_file("virus", &virus)).await.starts_with("250 "));
    assert!(
        send(gateway_a, from, to, &with_file("harmless", "X5O, but no virus"))
            .await
            .starts_with("250 ")
    );
    assert_eq!(places(&office, "virus"), ["quarantine@contoso.example INBOX"]);
    assert_eq!(places(&office, "harmless"), ["ok@contoso.example INBOX"]);
}

#[tokio::test]
async fn greylisting_ends() {
    let office = open().await;
    let gateway_b = office.addresses().gateway_b;
    let mut talk = gateway(gateway_b).await;
    talk.smtp("MAIL FROM:<probe@sender.example>").await;
    assert!(talk.smtp("RCPT TO:<greylisted@contoso.example>").await.starts_with("451 4.7.1 "));
    for _ in 0..2000 {
        if talk.smtp("RCPT TO:<greylisted@contoso.example>").await.starts_with("250 ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still greylisted");
}

/// Sends to a recipient and returns what the prober's inbox then holds.
async fn reports(mail: &str, rcpt: &str, many: usize) -> Vec<String> {
    let office = open().await;
    let answer = send(office.addresses().gateway_a, mail, rcpt, &message("reported")).await;
    assert!(answer.starts_with("250 "), "{answer}");
    until(|| Some(returned(&office)).filter(|r| r.len() >= many)).await
}

#[tokio::test]
async fn bounces_name_the_envelope_and_the_recipients() {
    let raw = reports(
        "<probe+t@sender.example> ENVID=probe+2D7 RET=HDRS",
        "<bounce-5.7.26@contoso.example> ORCPT=rfc822;a+2Bb@c",
        1,
    )
    .await;
    let message = MessageParser::default().parse(raw[0].as_bytes()).unwrap();
    assert!(message.is_content_type("multipart", "report"));
    assert_eq!(message.header_raw("Auto-Submitted").map(str::trim), Some("auto-replied"));
    let part = message
        .parts
        .iter()
        .find(|p| p.is_content_type("message", "delivery-status"))
        .unwrap();
    let text = std::str::from_utf8(part.contents()).unwrap();
    for line in [
        "Reporting-MTA: dns; ",
        "Original-Envelope-Id: probe-7\r\n",
        "Original-Recipient: rfc822;a+b@c\r\n",
        "Final-Recipient: rfc822; bounce-5.7.26@contoso.example\r\n",
        "Action: failed\r\n",
        "Status: 5.7.26\r\n",
        "Diagnostic-Code: smtp; 554 5.7.26 ",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    let quoted = message.parts.iter().find(|p| p.is_content_type("text", "rfc822-headers")).unwrap();
    let quoted = std::str::from_utf8(quoted.contents()).unwrap();
    assert!(quoted.contains("X-Probe: reported") && !quoted.contains("The end."), "{quoted}");
}

#[tokio::test]
async fn a_full_member_bounces_for_the_list() {
    let raw = reports("<probe@sender.example>", "<list@contoso.example> NOTIFY=SUCCESS,FAILURE", 2).await;
    assert!(raw[0].contains("Action: expanded\r\n") && raw[0].contains("Final-Recipient: rfc822; list@contoso.example\r\n"));
    assert!(raw[1].contains("Final-Recipient: rfc822; full@contoso.example\r\nAction: failed\r\nStatus: 5.2.2\r\n"));
    assert!(raw[1].contains("Original-Recipient: rfc822;list@contoso.example\r\n"));
}

#[tokio::test]
async fn senders_hear_only_what_they_asked_for() {
    let delayed = reports("<probe@sender.example>", "<delayed@contoso.example> NOTIFY=SUCCESS,DELAY", 2).await;
    assert!(delayed[0].contains("Action: delayed\r\n") && delayed[1].contains("Action: delivered\r\n"));

    let office = open().await;
    let gateway_a = office.addresses().gateway_a;
    for (mail, rcpt) in [
        ("<probe@sender.example>", "<full@contoso.example> NOTIFY=NEVER"),
        ("<probe@sender.example>", "<full@contoso.example> NOTIFY=SUCCESS"),
        ("<probe@sender.example>", "<ok@contoso.example> NOTIFY=FAILURE"),
        ("<probe@sender.example>", "<held@contoso.example> NOTIFY=SUCCESS"),
        ("<probe@sender.example>", "<lost@contoso.example> NOTIFY=SUCCESS"),
        ("<>", "<full@contoso.example>"),
        ("<>", "<vacation@contoso.example>"),
    ] {
        assert!(send(gateway_a, mail, rcpt, &message("quiet")).await.starts_with("250 "));
    }
    assert_eq!(returned(&office), Vec::<String>::new());
}

#[tokio::test]
async fn machines_and_people_answer() {
    let office = open().await;
    let gateway_a = office.addresses().gateway_a;
    let automatic = format!("Auto-Submitted: auto-generated\r\n{}", message("machine"));
    assert!(
        send(gateway_a, "<probe@sender.example>", "<vacation@contoso.example>", &automatic)
            .await
            .starts_with("250 ")
    );
    assert_eq!(returned(&office).len(), 0);
    assert!(
        send(
            gateway_a,
            "<probe@sender.example>",
            "<vacation@contoso.example>",
            &message("person")
        )
        .await
        .starts_with("250 ")
    );
    let replies = returned(&office);
    assert!(
        replies[0].contains("Auto-Submitted: auto-replied (vacation)\r\n") && replies[0].contains("In-Reply-To: <person@sender.example>")
    );
    assert!(
        send(gateway_a, "<probe@sender.example>", "<answered@contoso.example>", &automatic)
            .await
            .starts_with("250 ")
    );
    let replies = returned(&office);
    assert!(
        !replies[1].contains("Auto-Submitted") && replies[1].contains("> Hello, see https://contoso.example/machine."),
        "{}",
        replies[1]
    );
}

#[tokio::test]
async fn pipelines_and_hostile_lines() {
    let office = open().await;
    let mut talk = gateway(office.addresses().gateway_a).await;
    talk.say("MAIL FROM:<probe@sender.example>\r\nRCPT TO:<ok@contoso.example>\r\nRCPT TO:<nobody@contoso.example>\r\nDATA\r\n")
        .await;
    for code in ["250 ", "250 ", "550 ", "354 "] {
        assert!(talk.smtp_reply().await.starts_with(code));
    }
    // Neither LF.LF nor CRLF.LF ends the message, and a bare LF refuses it.
    talk.say("Subject: x\r\n\r\nhello\n.\nMAIL FROM:<evil@sender.example>\r\n.\nmore\r\n.\r\n")
        .await;
    assert!(talk.smtp_reply().await.starts_with("550 5.6.0 "));
    assert!(talk.smtp("DATA").await.starts_with("503 "));
    assert!(talk.smtp(&"x".repeat(100_000)).await.starts_with("500 5.5.2 "));
    assert!(
        talk.smtp("MAIL FROM:<a@sender.example> SIZE=999999999999")
            .await
            .starts_with("552 5.3.4")
    );
    for _ in 0..100 {
        let reply = talk.smtp("\u{1}\u{2}").await;
        if reply.starts_with("421 ") {
            assert!(talk.ends().await);
            return;
        }
        assert!(reply.starts_with("500 "), "{reply}");
    }
    panic!("the session goes on for ever");
}

#[tokio::test]
async fn what_is_too_big_or_too_much_is_refused() {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let mut settings = Settings::new(move || now);
    settings.message_bytes = 2000;
    settings.limits.messages = 1;
    let office = PostOffice::open(settings).await.unwrap();
    let gateway_a = office.addresses().gateway_a;
    let big = format!("Subject: x\r\n\r\n{}", "0123456789\r\n".repeat(300));
    assert!(send(gateway_a, "<>", "<ok@contoso.example>", &big).await.starts_with("552 5.3.4"));
    assert!(
        send(gateway_a, "<>", "<ok@contoso.example>", &message("first"))
            .await
            .starts_with("250 ")
    );
    assert!(
        send(gateway_a, "<>", "<ok@contoso.example>", &message("second"))
            .await
            .starts_with("452 4.3.1")
    );
}

#[tokio::test]
async fn messages_in_messages_without_end_do_no_harm() {
    let office = open().await;
    let level = |at| format!("Content-Type: multipart/mixed; boundary=b{at}\r\n\r\n--b{at}\r\nContent-Type: message/rfc822\r\n\r\n");
    let nested = (0..5000).map(level).collect::<Vec<_>>().concat();
    for rcpt in [
        "<altered@contoso.example>",
        "<stripped@contoso.example>",
        "<answered@contoso.example>",
        "<wrapped@contoso.example>",
    ] {
        let sent = send(office.addresses().gateway_b, "<probe@sender.example>", rcpt, &nested).await;
        assert!(sent.starts_with("250 "), "{sent}");
    }
}
