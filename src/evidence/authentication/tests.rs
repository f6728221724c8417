use super::*;

/// The results as `method=result`, one after the other.
fn of(header: &str) -> String {
    let sides = Sides {
        sender: "sender.example",
        recipient: "contoso.example",
    };
    let results = results(&Header::parse(header.as_bytes()).0, sides);
    let pairs: Vec<String> = results.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(" | ")
}

const HOP: &str = "Received: from a by b.example with ESMTP; Mon, 23 Nov 2026 10:00:00 +0000\r\n";

#[test]
fn the_forms_of_the_standard_and_of_the_products_are_read() {
    for (value, expected) in [
        // RFC 8601 appendix B.
        ("example.org 1; none", ""),
        (
            "example.com; spf=pass smtp.mailfrom=example.net",
            "spf=pass | spf.domain=example.net",
        ),
        (
            "example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n spf=pass smtp.mailfrom=example.net",
            "auth=pass | spf=pass | spf.domain=example.net",
        ),
        (
            "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy (A dot can go here) . (like that) expired",
            "dkim=fail",
        ),
        (
            "example.com; dkim=pass reason=\"good; signature=fail\" header.i=@mail-router.example.net; dkim=fail reason=\"bad (signature\" header.i=@newyork.example.com",
            "dkim=pass | dkim.domain=mail-router.example.net | dkim.reason=good; signature=fail",
        ),
        (
            "x; dkim=fail header.d=a; dkim=pass header.d=b header.s=key1; DMARC=Pass",
            "dkim=pass | dkim.domain=b | dkim.selector=key1 | dmarc=pass",
        ),
        (
            "x; dkim=pass header.d=esp.example; dkim=pass header.d=mail.a.example; dmarc=pass header.from=a.example",
            "dkim=pass | dkim.domain=mail.a.example | dmarc=pass | dmarc.domain=a.example",
        ),
        ("x; dkim=fail header.d=a; dkim=neutral header.d=b", "dkim=fail | dkim.domain=a"),
        (
            "x; dkim=pass (a (nested \\) one); dmarc=fail) header.d=a",
            "dkim=pass | dkim.domain=a",
        ),
        (
            "x; spf=none smtp.mailfrom=<> smtp.helo=host.example",
            "spf=none | spf.domain=host.example",
        ),
        (
            "\"a b=c\" 1; arc=fail smtp.remote-ip=192.0.2.1 arc.chain=\"a.example:b.example\"",
            "arc=fail | arc.chain=a.example:b.example",
        ),
        // Exchange Online: no name of the service.
        (
            "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=sender.example; dkim=none (message not signed)\r\n header.d=none;dmarc=bestguesspass action=none\r\n header.from=sender.example;compauth=pass reason=109",
            "compauth=pass | compauth.reason=109 | dkim=none | dmarc=bestguesspass | dmarc.action=none | dmarc.domain=sender.example | spf=pass | spf.domain=sender.example",
        ),
        // Google
        (
            "mx.google.com;\r\n dkim=pass header.i=@a.example header.s=s1 header.b=Ab+/;\r\n arc=pass (i=2 spf=pass spfdomain=b.example dkim=pass dkdomain=a.example);\r\n spf=pass (google.com: domain of x@b.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=x@b.example;\r\n dmarc=fail (p=QUARANTINE sp=NONE dis=NONE) header.from=a.example",
            "arc=pass | arc.instance=2 | dkim=pass | dkim.domain=a.example | dkim.selector=s1 | dmarc=fail | dmarc.action=none | dmarc.domain=a.example | dmarc.policy=quarantine | spf=pass | spf.domain=b.example",
        ),
        // rspamd
        (
            "mx; dmarc=fail reason=\"SPF not aligned (relaxed), No valid DKIM\" header.from=a.example (policy=none)",
            "dmarc=fail | dmarc.domain=a.example | dmarc.policy=none | dmarc.reason=spf not aligned relaxed, no valid dkim",
        ),
        ("x; spf=pass smtp.mailfrom=bücher.example", "spf=pass | spf.domain=bücher.example"),
    ] {
        assert_eq!(of(&format!("Authentication-Results: {value}\r\n{HOP}")), expected, "{value}");
    }
}

#[test]
fn what_the_sender_wrote_does_not_count() {
    for (about, header, expected) in [
        (
            "below every hop",
            format!("{HOP}Authentication-Results: evil.example; dmarc=pass\r\nFrom: a@b\r\n"),
            "dmarc.elsewhere=pass, in the name of evil.example",
        ),
        (
            "no hop at all",
            "Authentication-Results: b.example; dmarc=pass\r\nFrom: a@b\r\n".to_owned(),
            "dmarc.elsewhere=pass, in the name of b.example",
        ),
        (
            "a filter of the hop above it",
            format!("{HOP}Authentication-Results: b.example; spf=pass\r\nFrom: a@b\r\n"),
            "spf=pass",
        ),
        (
            "only the topmost",
            format!("Authentication-Results: b.example; spf=fail\r\n{HOP}Authentication-Results: b.example; dmarc=pass\r\n{HOP}"),
            "spf=fail",
        ),
        (
            "one service may write several",
            format!(
                "Authentication-Results: b; spf=pass\r\nX-A: 1\r\nAuthentication-Results: b; dkim=pass\r\nAuthentication-Results: c; dmarc=pass\r\n{HOP}"
            ),
            "dkim=pass | spf=pass",
        ),
        (
            "other fields of that kind",
            format!(
                "ARC-Authentication-Results: i=1; b.example; dmarc=pass\r\nAuthentication-Results-Original: b.example; dmarc=pass\r\n\
                 X-Authentication-Results-Untrusted: b.example; spf=pass\r\n{HOP}"
            ),
            "",
        ),
    ] {
        assert_eq!(of(&header), expected, "{about}");
    }
}

#[test]
fn what_a_relay_says_is_not_what_the_receiving_side_says() {
    let results = |service: &str| format!("Authentication-Results: {service}; spf=pass; dmarc=pass\r\n");
    let to_store = "Received: from mx.contoso.example by store.contoso.example with LMTP; Mon, 23 Nov 2026 10:00:03 +0000\r\n";
    let to_mx = "Received: from relay.other.example by mx.contoso.example with ESMTP; Mon, 23 Nov 2026 10:00:02 +0000\r\n";
    let to_relay = "Received: from out.sender.example by relay.other.example with ESMTP; Mon, 23 Nov 2026 10:00:01 +0000\r\n";
    let to_own = "Received: from localhost by out.sender.example with ESMTP; Mon, 23 Nov 2026 10:00:00 +0000\r\n";
    let to_google = to_mx.replace("mx.contoso.example", "mx.google.com");
    let said = "dmarc=pass | spf=pass";
    let by = |host: &str| format!("dmarc.elsewhere=pass, in the name of {host} | spf.elsewhere=pass, in the name of {host}");
    for (about, header, expected) in [
        (
            "of a relay",
            format!("{to_mx}{}{to_relay}", results("relay.other.example")),
            by("relay.other.example"),
        ),
        (
            "of a relay, in the name of the receiving side",
            format!("{to_mx}{}{to_relay}", results("mx.contoso.example")),
            by("mx.contoso.example"),
        ),
        (
            "appended by a relay",
            format!("{to_mx}{to_relay}{}", results("relay.other.example")),
            by("relay.other.example"),
        ),
        (
            "of the border, above its hop",
            format!("{to_store}{}{to_mx}{to_relay}", results("x")),
            said.to_owned(),
        ),
        ("of the last host", format!("{}{to_mx}{to_relay}", results("x")), said.to_owned()),
        (
            "below its hop, and handed over by ourselves",
            format!("{to_mx}{}{to_own}", results("mx.contoso.example")),
            said.to_owned(),
        ),
        (
            "of a service in front of the last host",
            format!(
                "{to_mx}{}{}",
                results("x"),
                to_relay.replace("relay.other.example", "mx1.pphosted.com")
            ),
            said.to_owned(),
        ),
        (
            "below its hop, of a service that strips what is forged",
            format!("{to_google}{}{to_relay}", results("mx.google.com")),
            said.to_owned(),
        ),
    ] {
        assert_eq!(of(&header), expected, "{about}");
    }
}

#[test]
fn the_topmost_result_counts_except_of_several_signatures() {
    for (value, expected) in [
        ("dmarc=fail; spf=fail; spf=pass; dmarc=pass", "dmarc=fail | spf=fail"),
        ("dmarc=pass; dmarc=fail", "dmarc=pass"),
        (
            "dkim=fail header.d=sender.example; dkim=pass header.d=esp.example; dkim=pass header.d=mail.sender.example",
            "dkim=pass | dkim.domain=mail.sender.example",
        ),
    ] {
        assert_eq!(of(&format!("Authentication-Results: mx; {value}\r\n{HOP}")), expected, "{value}");
        let split = value.replace("; ", "\r\nAuthentication-Results: mx; ");
        assert_eq!(of(&format!("Authentication-Results: mx; {split}\r\n{HOP}")), expected, "{split}");
    }
}

#[test]
fn received_spf_speaks_where_no_result_does() {
    let outlook = "Received-SPF: Fail (protection.outlook.com: domain of a.example does not designate\r\n 192.0.2.1 as permitted sender) receiver=protection.outlook.com; client-ip=192.0.2.1; helo=h.example;\r\n";
    let policyd = "Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.1; helo=h.example; envelope-from=\"x y\"@a.example; receiver=b.example\r\n";
    for (about, header, expected) in [
        ("alone, above a hop", format!("{outlook}{HOP}"), "spf=fail | spf.domain=h.example"),
        (
            "below every hop, by its host",
            format!("{HOP}{policyd}"),
            "spf=pass | spf.domain=a.example",
        ),
        ("below every hop, by another", format!("{HOP}{outlook}"), ""),
        (
            "beside a result of another method",
            format!("Authentication-Results: b.example; dkim=none\r\n{policyd}{HOP}"),
            "dkim=none | spf=pass | spf.domain=a.example",
        ),
        (
            "beside a result of its own",
            format!("Authentication-Results: b.example; spf=neutral\r\n{policyd}{HOP}"),
            "spf=neutral",
        ),
        ("nonsense", format!("Received-SPF: hurray (yes)\r\n{HOP}"), ""),
    ] {
        assert_eq!(of(&header), expected, "{about}");
    }
}

#[test]
fn nonsense_is_nothing_and_values_are_bounded() {
    for value in [
        "",
        ";;;;",
        "=",
        "x; =; a=; =b; (((",
        "x; a=\"",
        "\"",
        "x; \u{e4}=\u{f6}",
        "x; dkim=pass\\",
    ] {
        assert_eq!(of(&format!("Authentication-Results: {value}\r\n{HOP}")), "", "{value}");
    }
    let long = "y".repeat(5_000);
    let header = format!(
        "Authentication-Results: x; dmarc=fail reason=\"{long}\" header.from={long} action=\"<b>\u{1b}[2J\"; dkim=pass header.d=a/b{}\r\n{HOP}",
        " a=b".repeat(1_000)
    );
    let reason = "y".repeat(LONGEST_VALUE);
    assert_eq!(
        of(&header),
        format!("dkim=pass | dmarc=fail | dmarc.action=b 2j | dmarc.reason={reason}")
    );
    let many: String = (0..1_000).map(|number| format!("m{number}=pass;")).collect();
    assert_eq!(of(&format!("Authentication-Results: x;{many}\r\n{HOP}")).split(" | ").count(), 64);
}
