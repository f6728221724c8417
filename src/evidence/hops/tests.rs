//! `Received` fields as products write them. Those of Mimecast, Barracuda, Cisco, Proofpoint, Domino, Zimbra and Symantec are built after published
//! samples, with names and addresses for documentation.

use super::*;

const DATE: &str = "Mon, 23 Nov 2026 10:00:02 +0000";

fn read_all(header: &str) -> Vec<Hop> {
    read(&Header::parse(header.as_bytes()).0)
}

/// From, address, by, protocol, TLS, cipher, encryption, in one line.
fn told(field: &str) -> String {
    let hops = read_all(&format!("Received: {field}\r\n"));
    assert_eq!(hops.len(), 1, "{field}");
    let hop = &hops[0];
    let said = [&hop.from, &hop.address, &hop.by, &hop.protocol, &hop.tls, &hop.cipher];
    let said: Vec<&str> = said.into_iter().map(|text| text.as_deref().unwrap_or("-")).collect();
    format!("{} | {:?}", said.join(" | "), hop.encryption)
}

#[test]
fn the_forms_of_the_products_are_read() {
    for (field, expected) in [
        // Postfix
        (
            "from smtp.sender.example (smtp.sender.example [192.0.2.25])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r\n\t(No client certificate requested)\r\n\tby mx.contoso.example (Postfix) with ESMTPS id 4XyZ\r\n\tfor <a@contoso.example>",
            "smtp.sender.example | 192.0.2.25 | mx.contoso.example | ESMTPS | TLSv1.3 | TLS_AES_256_GCM_SHA384 | Tls",
        ),
        (
            "from helo.example (unknown [192.0.2.25]) by mx.contoso.example (Postfix) with ESMTP id 4XyZ",
            "helo.example | 192.0.2.25 | mx.contoso.example | ESMTP | - | - | Clear",
        ),
        (
            "from localhost (mail.sender.example [IPv6:2001:db8::25]) by mx.contoso.example (Postfix) with SMTP id 4XyZ",
            "mail.sender.example | 2001:db8::25 | mx.contoso.example | SMTP | - | - | Clear",
        ),
        (
            "by mx.contoso.example (Postfix, from userid 1000) id 4XyZ",
            "- | - | mx.contoso.example | - | - | - | Local",
        ),
        (
            "by mx.contoso.example (Postfix) id 4XyZ",
            "- | - | mx.contoso.example | - | - | - | Local",
        ),
        (
            "from [192.0.2.7] (dsl.example [192.0.2.7]) (using TLSv1 with cipher DHE-RSA-AES256-SHA (256/256 bits)) (Authenticated sender: me) by mx.example (Postfix) with ESMTPSA id 1",
            "dsl.example | 192.0.2.7 | mx.example | ESMTPSA | TLSv1.0 | DHE-RSA-AES256-SHA | Tls",
        ),
        // Exim
        (
            "from a.example ([192.0.2.1]:54321 helo=b.example) by mx.example with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384 (Exim 4.96) (envelope-from <x@a.example>) id 1abc-0-2X for y@mx.example",
            "b.example | 192.0.2.1 | mx.example | ESMTPS | TLSv1.3 | TLS_AES_256_GCM_SHA384 | Tls",
        ),
        (
            "from [192.0.2.1] (helo=b.example) by mx.example with esmtps (TLSv1:DHE-RSA-AES256-SHA:256) (Exim 4.72) id 1",
            "b.example | 192.0.2.1 | mx.example | ESMTPS | TLSv1.0 | DHE-RSA-AES256-SHA | Tls",
        ),
        (
            "from a.example ([192.0.2.1]) by mx.example with esmtp (Exim 4.96) id 1",
            "a.example | 192.0.2.1 | mx.example | ESMTP | - | - | Clear",
        ),
        (
            "from root by mx.example with local (Exim 4.96) id 1",
            "root | - | mx.example | local | - | - | Local",
        ),
        // Sendmail
        (
            "from a.example (b.example [192.0.2.1] (may be forged)) by mx.example (8.17.1/8.17.1) with ESMTPS id 3AN (version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NO) for <x@mx.example>",
            "a.example | 192.0.2.1 | mx.example | ESMTPS | TLSv1.3 | TLS_AES_256_GCM_SHA384 | Tls",
        ),
        (
            "from a.example ([192.0.2.1]) by mx.example (8.14.4/8.14.4) with SMTP id 3AN",
            "a.example | 192.0.2.1 | mx.example | SMTP | - | - | Clear",
        ),
        (
            "(from root@localhost) by mx.example (8.17.1/8.17.1/Submit) id 3AN",
            "- | - | mx.example | from root@localhost | - | - | Local",
        ),
        // Exchange Online and on premises
        (
            "from AM0PR01.eurprd01.prod.outlook.com (2603:10a6:20b:1::5)\r\n by DB9PR01.eurprd01.prod.outlook.com (2603:10a6:10:2::9) with Microsoft SMTP\r\n Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id\r\n 15.20.8093.21",
            "AM0PR01.eurprd01.prod.outlook.com | 2603:10a6:20b:1::5 | DB9PR01.eurprd01.prod.outlook.com | Microsoft SMTP Server | TLSv1.2 | TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 | Tls",
        ),
        (
            "from smtp.sender.example (192.0.2.25) by AM0EUR02FT041.mail.protection.outlook.com (10.13.54.87) with Microsoft SMTP Server (version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384) id 15.20.6933.22 via Frontend Transport",
            "smtp.sender.example | 192.0.2.25 | AM0EUR02FT041.mail.protection.outlook.com | Microsoft SMTP Server | TLSv1.3 | TLS_AES_256_GCM_SHA384 | Tls",
        ),
        (
            "from DB9PR01.prod.outlook.com (::1) by VI1PR01.prod.outlook.com with HTTPS",
            "DB9PR01.prod.outlook.com | ::1 | VI1PR01.prod.outlook.com | HTTPS | - | - | Tls",
        ),
        (
            "from DB9PR01.prod.outlook.com ([fe80::1234]) by DB9PR01.prod.outlook.com ([fe80::1234%7]) with mapi id 15.20.8093.018",
            "DB9PR01.prod.outlook.com | fe80::1234 | DB9PR01.prod.outlook.com | mapi | - | - | Local",
        ),
        (
            "from EX01.contoso.local (10.0.0.5) by EX02.contoso.local (10.0.0.6) with Microsoft SMTP Server id 15.1.2507.6 via Mailbox Transport",
            "EX01.contoso.local | 10.0.0.5 | EX02.contoso.local | Microsoft SMTP Server | - | - | Local",
        ),
        (
            "from EX01.contoso.local (10.0.0.5) by EX02.contoso.local (10.0.0.6) with Microsoft SMTP Server id 15.1.2507.6 via Frontend Transport",
            "EX01.contoso.local | 10.0.0.5 | EX02.contoso.local | Microsoft SMTP Server | - | - | Unsaid",
        ),
        (
            "from mail.sender.example (192.0.2.5) by EX02.contoso.example (10.0.0.6) with Microsoft SMTP Server (TLS) id 14.3.123.3",
            "mail.sender.example | 192.0.2.5 | EX02.contoso.example | Microsoft SMTP Server | - | - | Tls",
        ),
        (
            "from mail.sender.example ([192.0.2.5]) by web.contoso.example with Microsoft SMTPSVC(8.5.9600.16384)",
            "mail.sender.example | 192.0.2.5 | web.contoso.example | Microsoft SMTPSVC | - | - | Unsaid",
        ),
        // Google
        (
            "from mail-sor-f41.google.com (mail-sor-f41.google.com. [209.85.220.41]) by mx.google.com with ESMTPS id 1-2.3.2026 for <x@y.example> (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128)",
            "mail-sor-f41.google.com | 209.85.220.41 | mx.google.com | ESMTPS | TLSv1.3 | TLS_AES_128_GCM_SHA256 | Tls",
        ),
        (
            "by 2002:a05:6402:50c8:b0:5a1:2:3 with SMTP id ab3csp12345eda",
            "- | - | 2002:a05:6402:50c8:b0:5a1:2:3 | SMTP | - | - | Local",
        ),
        (
            "by mail-ed1-f41.google.com with SMTP id ab3so12345eda",
            "- | - | mail-ed1-f41.google.com | SMTP | - | - | Unsaid",
        ),
        (
            "from 1234567890 named unknown by gmailapi.google.com with HTTPREST",
            "1234567890 | - | gmailapi.google.com | HTTPREST | - | - | Unsaid",
        ),
        // Proofpoint
        (
            "from pps.filterd (m0123456.ppops.example [127.0.0.1]) by mx0a.ppops.example (8.18.1.2/8.18.1.2) with ESMTP id 4AN",
            "pps.filterd | 127.0.0.1 | mx0a.ppops.example | ESMTP | - | - | Local",
        ),
        (
            "from smtp.sender.example (smtp.sender.example [192.0.2.25]) by mx0a.pphosted.example (PPS) with ESMTPS id 3x-1 (version=TLSv1.2 cipher=ECDHE-RSA-AES256-GCM-SHA384 bits=256 verify=NOT) for <x@y.example>",
            "smtp.sender.example | 192.0.2.25 | mx0a.pphosted.example | ESMTPS | TLSv1.2 | ECDHE-RSA-AES256-GCM-SHA384 | Tls",
        ),
        // Mimecast
        (
            "from smtp.sender.example (smtp.sender.example [192.0.2.25]) by relay.mimecast.example with ESMTP with STARTTLS (version=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384) id us-mta-1-abc",
            "smtp.sender.example | 192.0.2.25 | relay.mimecast.example | ESMTP | TLSv1.3 | TLS_AES_256_GCM_SHA384 | Tls",
        ),
        (
            "from smtp.sender.example ([192.0.2.25]) by relay.mimecast.example with UTF8SMTP id us-mta-1",
            "smtp.sender.example | 192.0.2.25 | relay.mimecast.example | UTF8SMTP | - | - | Clear",
        ),
        (
            "from smtp.sender.example ([192.0.2.25]) (Using TLS) by relay.mimecast.example with ESMTP id us-mta-1",
            "smtp.sender.example | 192.0.2.25 | relay.mimecast.example | ESMTP | - | - | Tls",
        ),
        // Barracuda, Cisco, Symantec
        (
            "from smtp.sender.example (smtp.sender.example [192.0.2.25]) by bar.contoso.example with ESMTP id aBcD (version=TLSv1.2 cipher=ECDHE-RSA-AES128-GCM-SHA256 bits=128 verify=NO)",
            "smtp.sender.example | 192.0.2.25 | bar.contoso.example | ESMTP | TLSv1.2 | ECDHE-RSA-AES128-GCM-SHA256 | Tls",
        ),
        (
            "from unknown (HELO smtp.sender.example) ([192.0.2.25]) by esa1.contoso.example with ESMTP/TLS/ECDHE-RSA-AES256-GCM-SHA384",
            "smtp.sender.example | 192.0.2.25 | esa1.contoso.example | ESMTP | - | ECDHE-RSA-AES256-GCM-SHA384 | Tls",
        ),
        (
            "from smtp.sender.example ([192.0.2.25]) by esa1.contoso.example with ESMTP",
            "smtp.sender.example | 192.0.2.25 | esa1.contoso.example | ESMTP | - | - | Clear",
        ),
        (
            "from smtp.sender.example (Unknown_Domain [192.0.2.25]) (using TLS with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)) (Client did not present a certificate) by smg.contoso.example (Symantec Messaging Gateway) with SMTP id AB.CD",
            "smtp.sender.example | 192.0.2.25 | smg.contoso.example | SMTP | - | ECDHE-RSA-AES256-GCM-SHA384 | Tls",
        ),
        (
            "from unknown (HELO x.example) (a@192.0.2.25) by server-13.tower.example with AES256-SHA encrypted SMTP",
            "x.example | 192.0.2.25 | server-13.tower.example | AES256-SHA encrypted SMTP | - | AES256-SHA | Tls",
        ),
        // qmail
        (
            "(qmail 1234 invoked by uid 0)",
            "- | - | - | qmail 1234 invoked by uid 0 | - | - | Local",
        ),
        (
            "(qmail 4710 invoked from network)",
            "- | - | - | qmail 4710 invoked from network | - | - | Local",
        ),
        (
            "from unknown (HELO x.example) (192.0.2.25) by mx.example with SMTP",
            "x.example | 192.0.2.25 | mx.example | SMTP | - | - | Unsaid",
        ),
        (
            "from mail.x.example (HELO x) (192.0.2.25) by mx.example with (DHE-RSA-AES256-SHA encrypted) SMTP",
            "x | 192.0.2.25 | mx.example | SMTP | - | DHE-RSA-AES256-SHA | Tls",
        ),
        // Others
        (
            "from a.example (a.example [192.0.2.1]) by mx.example (OpenSMTPD) with ESMTPS id 1a2b (TLSv1.3:AEAD-AES256-GCM-SHA384:256:NO) for <x@mx.example>",
            "a.example | 192.0.2.1 | mx.example | ESMTPS | TLSv1.3 | AEAD-AES256-GCM-SHA384 | Tls",
        ),
        (
            "from mx.contoso.example ([10.0.0.1])\r\n\tby store.contoso.example with LMTP\r\n\tid 2LbqMdGqImX0GwAAPyXEZw\r\n\t(envelope-from <x@a.example>)\r\n\tfor <y@contoso.example>",
            "mx.contoso.example | 10.0.0.1 | store.contoso.example | LMTP | - | - | Local",
        ),
        (
            "from mx.contoso.example ([10.0.0.1]) by store.contoso.example (Cyrus 3.8) with LMTPS (version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256 verify=NO)",
            "mx.contoso.example | 10.0.0.1 | store.contoso.example | LMTPS | TLSv1.3 | TLS_AES_256_GCM_SHA384 | Tls",
        ),
        (
            "from zimbra.contoso.example (LHLO zimbra.contoso.example) (10.0.0.1) by zimbra.contoso.example with LMTP",
            "zimbra.contoso.example | 10.0.0.1 | zimbra.contoso.example | LMTP | - | - | Local",
        ),
        (
            "from smtp.sender.example ([192.0.2.25]) by notes.contoso.example (HCL Domino Release 12.0.2) with ESMTP id 2026112310000212-1",
            "smtp.sender.example | 192.0.2.25 | notes.contoso.example | ESMTP | - | - | Unsaid",
        ),
        (
            "from a.example (b.example [192.0.2.1]) by mx.example (Haraka/2.8.28) with ESMTPS id AB.1 envelope-from <x@a.example> tls TLS_AES_256_GCM_SHA384 (authenticated bits=0)",
            "a.example | 192.0.2.1 | mx.example | ESMTPS | - | TLS_AES_256_GCM_SHA384 | Tls",
        ),
        (
            "from mx.example ([127.0.0.1]) by localhost (mx.example [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id abc",
            "mx.example | 127.0.0.1 | mx.example | ESMTP | - | - | Local",
        ),
        (
            "from pop.isp.example [192.0.2.9] by localhost with POP3 (fetchmail-6.4.37) for <me@localhost> (single-drop)",
            "pop.isp.example | 192.0.2.9 | localhost | POP3 | - | - | Unsaid",
        ),
        (
            "from a.example (a.example [192.0.2.1]) by inbound-smtp.eu-west-1.amazonaws.com with SMTP id abc",
            "a.example | 192.0.2.1 | inbound-smtp.eu-west-1.amazonaws.com | SMTP | - | - | Unsaid",
        ),
        (
            "from a.example ([2001:db8::1]) by mx.example with UTF8SMTPS id 1",
            "a.example | 2001:db8::1 | mx.example | UTF8SMTPS | - | - | Tls",
        ),
        (
            "from a.example ([192.0.2.1]) by [IPv6:2001:db8::2] with ESMTPSA (version=TLSv1/SSLv3 cipher=AES128-SHA)",
            "a.example | 192.0.2.1 | 2001:db8::2 | ESMTPSA | TLSv1/SSLv3 | AES128-SHA | Tls",
        ),
        ("from a.example by b.example", "a.example | - | b.example | - | - | - | Unsaid"),
        (
            "from a.example (no TLS) by b.example with ESMTP",
            "a.example | - | b.example | ESMTP | - | - | Clear",
        ),
    ] {
        assert_eq!(told(&format!("{field}; {DATE}")), expected, "{field}");
    }
}

#[test]
fn times_are_read_in_every_form_and_nonsense_is_none() {
    for (date, expected) in [
        ("Mon, 23 Nov 2026 10:00:02 +0000 (UTC)", Some("2026-11-23T10:00:02Z")),
        ("23 Nov 2026 10:00:02 -0000", Some("2026-11-23T10:00:02Z")),
        ("Mon, 23 Nov 2026 02:00:02 -0800 (PST)", Some("2026-11-23T10:00:02Z")),
        ("Mon, 23 Nov 2026 05:00:02 EST", Some("2026-11-23T10:00:02Z")),
        ("Mon, 23 Nov 2026 15:30:02 +0530", Some("2026-11-23T10:00:02Z")),
        ("Sun, 23 Nov 2026 10:00:02 +0000", Some("2026-11-23T10:00:02Z")),
        ("Mon, 23 Nov 2026 10:00:02", None),
        ("Mon,\r\n\t23 Nov 2026\r\n\t10:00:02 GMT", Some("2026-11-23T10:00:02Z")),
        ("Mon, 23 Nov 2026 25:00:02 +0000", None),
        ("Mon, 99 Nov 2026 10:00:02 +0000", None),
        ("yesterday", None),
        ("", None),
    ] {
        let hops = read_all(&format!("Received: from a.example by b.example; {date}\r\n"));
        let expected = expected.map(|time| time.parse::<Time>().unwrap());
        assert_eq!(hops[0].at, expected, "{date}");
    }
    let undated = read_all("Received: from a.example by b.example with ESMTPS id 1\r\n");
    assert_eq!((undated[0].at, undated[0].encryption), (None, Encryption::Tls));
    let twice = read_all(&format!("Received: from a.example by b.example; id 1; {DATE}\r\n"));
    assert!(twice[0].at.is_some());
}

#[test]
fn the_first_that_took_it_comes_first_and_nothing_but_received_counts() {
    let header =
        "Received: from b by c\r\nX-Received: by 2002:a05:6402:50c8:b0:5a1:2:3\r\nreceived : from a by b\r\nReceived-SPF: pass\r\n";
    let by: Vec<_> = read_all(header).into_iter().map(|hop| hop.by).collect();
    assert_eq!(by, [Some("b".to_owned()), Some("c".to_owned())]);
}

#[test]
fn a_long_chain_keeps_both_its_ends() {
    let chain = |count: usize| {
        let fields: Vec<String> = (0..count)
            .rev()
            .map(|number| format!("Received: by h{number} with ESMTPS\r\n"))
            .collect();
        read_all(&fields.concat())
    };
    assert_eq!(chain(50).len(), 50);
    let hops = chain(70);
    let by = |place: usize| hops[place].by.as_deref();
    assert_eq!(hops.len(), MOST_HOPS);
    assert_eq!(
        (by(0), by(23), by(24), by(25), by(49)),
        (Some("h0"), Some("h23"), None, Some("h45"), Some("h69"))
    );
    assert_eq!(hops[24].protocol.as_deref(), Some("21 hops left out"));
    assert_eq!(hops[24].encryption, Encryption::Unsaid);
    assert_eq!(chain(100_000).len(), MOST_HOPS);
}

#[test]
fn nonsense_ends_and_stays_small() {
    let long = "x".repeat(100_000);
    for field in [
        "",
        ";",
        "(",
        ")",
        "((((",
        "))))",
        "\\",
        "from",
        "by",
        "from by with via id for ;",
        "from ( by b.example (Postfix with ESMTPS id 1; Mon, 23 Nov 2026 10:00:02 +0000",
        "from [ by ] with [",
        "from [[[1.2.3.4]]] (HELO) by (x",
        "from helo= (helo=) by é with ünï",
        "from \u{1b}[2J by \u{7}",
        &format!("from {long} by {long} with {long}; {long}"),
        &"(".repeat(100_000),
        &"from a (b by c ".repeat(5_000),
    ] {
        for hop in read_all(&format!("Received: {field}\r\n")) {
            let said = [hop.from, hop.address, hop.by, hop.protocol, hop.tls, hop.cipher];
            for text in said.into_iter().flatten() {
                assert!(text.chars().count() <= LONGEST_NAME && !text.contains(char::is_control), "{text:?}");
            }
        }
    }
    let unclosed = &read_all(&format!(
        "Received: from a.example (b [192.0.2.1 by b.example (Postfix with ESMTPS id 1; {DATE}\r\n"
    ))[0];
    assert_eq!((unclosed.by.as_deref(), unclosed.encryption), (Some("b.example"), Encryption::Tls));
    assert!(unclosed.at.is_some());
}
