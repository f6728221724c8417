//! Messages made to harm: whatever is read must end, stay bounded, and be about this plan.

use super::world::{at, fixtures, original, probe_named, recognizer, run};
use data_encoding::BASE64;
use mailflow::{
    evidence::{Finding, Recognizer, Spot},
    model::{Evidence, MailboxName},
};
use std::fmt::Write;

/// Numbers that look random and are the same in each run (xorshift).
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).expect("fits")
    }
}

/// Whatever is read must end, without a panic, and everything in it stays bounded and about this plan.
fn survive(recognizer: &Recognizer, message: &[u8]) {
    let _ = recognizer.spot(message, false);
    let _ = recognizer.peek(message);
    let _ = recognizer.own_probe(message);
    for finding in recognizer.read(message, &MailboxName::from("returns"), at()) {
        match finding {
            Finding::Copy { evidence, .. } => {
                let Evidence {
                    alterations,
                    header,
                    filters,
                    ..
                } = *evidence;
                assert!(header.len() <= 64 * 1024);
                assert!(filters.len() <= 32, "{} filters", filters.len());
                for filter in &filters {
                    assert!(filter.rules.len() <= 6 && filter.rules.iter().all(|rule| rule.chars().count() <= 80));
                    assert!(
                        filter.said.chars().count() <= 300 && !filter.said.contains(char::is_control),
                        "{filter:?}"
                    );
                    assert!([filter.score, filter.threshold].into_iter().flatten().all(f64::is_finite));
                }
                assert!(
                    alterations
                        .iter()
                        .all(|one| one.sent.chars().count() <= 200 && one.arrived.chars().count() <= 200)
                );
            }
            Finding::Dsn { dsn, .. } => {
                assert!(
                    [dsn.status, dsn.recipient, dsn.diagnostic, dsn.remote_mta]
                        .into_iter()
                        .flatten()
                        .all(|text| text.len() <= 4_000)
                );
            }
            Finding::Answer { .. } => {}
        }
    }
}

#[test]
fn nothing_that_a_message_holds_can_harm() {
    let recognizer = recognizer();
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let fixtures = fixtures();
    for (_, message, _) in &fixtures {
        let message = message.replace('\n', "\r\n").into_bytes();
        for _ in 0..12 {
            survive(&recognizer, &message[..noise.below(message.len())]);
            survive(&recognizer, &message[noise.below(message.len())..]);
        }
        for _ in 0..24 {
            let mut mutated = message.clone();
            for _ in 0..=noise.below(8) {
                let place = noise.below(mutated.len());
                match noise.below(5) {
                    0 => mutated[place] = u8::try_from(noise.below(256)).expect("a byte"),
                    1 => mutated.truncate(place.max(1)),
                    2 => mutated.splice(place..place, *b"\r\n\r\n").for_each(drop),
                    3 => mutated
                        .splice(place..place, [0xFF, 0, b'=', b'"', b'(', b'<', b'&', b';'])
                        .for_each(drop),
                    // A piece of another fixture in the middle of this one.
                    _ => {
                        let other = fixtures[noise.below(fixtures.len())].1.as_bytes();
                        let start = noise.below(other.len());
                        let end = (start + noise.below(400)).min(other.len());
                        mutated.splice(place..place, other[start..end].iter().copied()).for_each(drop);
                    }
                }
            }
            survive(&recognizer, &mutated);
        }
    }
}

#[test]
fn shapes_that_would_exhaust_a_parser_are_read_in_bounds() {
    let recognizer = recognizer();
    let tag = probe_named("plain").tag;
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(30_000);
    let boundaries: String = (0..20_000).fold(String::new(), |mut text, number| {
        let _ = write!(text, "Content-Type: multipart/mixed; boundary=b{number}\r\n\r\n--b{number}\r\n");
        text
    });
    let absent = "--b\r\nContent-Type: multipart/mixed; boundary=absent\r\n\r\nx\r\n".repeat(20_000);
    let absent = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{absent}");
    let prefixes = run().as_str().repeat(200_000);
    let fields = "A: b\r\n".repeat(200_000);
    let words = format!("Subject: {}\r\n\r\n", "=?utf-8?q?a?= ".repeat(100_000));
    let comments = format!("Authentication-Results: {}\r\nReceived: x\r\n\r\n", "(".repeat(500_000));
    let groups = format!(
        "Content-Type: multipart/report; boundary=b\r\nSubject: {tag}\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n{}\r\n--b--\r\n",
        "Final-Recipient: rfc822; a@b\r\nAction: failed\r\n\r\n".repeat(20_000)
    );
    let links = format!(
        "X-Mailflow-Probe: {tag}\r\nContent-Type: text/html\r\n\r\n{}",
        "<a href=\"https://x/\">".repeat(50_000)
    );
    let results = format!(
        "X-Mailflow-Probe: {tag}\r\nX-Spamd-Result: default: False [1.00 / 15.00]; {}\r\n\r\n",
        "A(1.00)[[[[".repeat(100_000)
    );
    let runs = "X-Spam-Status: Yes, score=1e308 required=inf tests=A_B\r\nX-Virus: yes\r\nReceived: from a by b.example\r\n".repeat(400);
    let runs = format!("{runs}X-Mailflow-Probe: {tag}\r\n{runs}\r\n");
    let part = format!(
        "--b\r\nContent-Type: text/html\r\n\r\n{}\r\n",
        "<div><style><a href=\"".repeat(24_000)
    );
    let pages = format!(
        "X-Mailflow-Probe: {tag}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}",
        part.repeat(40)
    );
    let signature =
        |number: u32| format!("DKIM-Signature: a=rsa-sha256; c=relaxed/relaxed; d=x.example; s=s; h=from; bh=AA==; l={number}\r\n");
    let signatures: String = (0..8).map(|number| signature(u32::MAX - number)).collect();
    let signed = format!("{signatures}X-Mailflow-Probe: {tag}\r\n\r\n{}", " \t x\r\n\r\n".repeat(3_000_000));
    for message in [
        nested, boundaries, absent, prefixes, fields, words, comments, groups, links, results, runs, pages, signed,
    ] {
        survive(&recognizer, message.as_bytes());
    }
}

/// A header of 50 MB, 100,000 hops, and multiparts a thousand deep, each of a copy of ours: what is kept of them is little.
#[test]
fn enormous_headers_chains_and_trees_are_read_in_bounds() {
    let recognizer = recognizer();
    let tag = probe_named("plain").tag;
    let own = format!("X-Mailflow-Probe: {tag}\r\n");
    let hop = "Received: from a.example (a.example [192.0.2.1]) by b.example with ESMTPS id 1; Mon, 23 Nov 2026 10:00:01 +0000\r\n";
    let field = format!("X-Long: {}\r\n", "word ".repeat(10_000));
    let header = format!("{own}{}\r\nx\r\n", field.repeat(1_000));
    assert!(header.len() > 50_000_000);
    let chain = format!("{own}{}\r\nx\r\n", hop.repeat(100_000));
    let tree: String = (0..1_000).fold(own, |mut text, number| {
        let _ = write!(text, "Content-Type: multipart/mixed; boundary=b{number}\r\n\r\n--b{number}\r\n");
        text
    });
    for message in [header, chain, tree] {
        let findings = recognizer.read(message.as_bytes(), &MailboxName::from("billing"), at());
        let [Finding::Copy { evidence, .. }] = &findings[..] else {
            panic!("one copy, not {}", findings.len())
        };
        assert!(
            evidence.header.len() <= 64 * 1024 && evidence.hops.len() <= 50,
            "{}",
            evidence.hops.len()
        );
        assert!(serde_json::to_string(evidence).expect("what a copy tells").len() < 200_000);
    }
}

#[test]
fn a_message_of_25_megabytes_is_read() {
    let recognizer = recognizer();
    let probe = probe_named("attachment");
    let filler = format!("{}\r\n", BASE64.encode(&[0x5A; 57])).repeat(340_000);
    let message = original(&probe)
        .replace('\n', "\r\n")
        .replace("JVBERi0xLjcK\r\n", &filler)
        .into_bytes();
    assert!(message.len() > 25_000_000);
    let findings = recognizer.read(&message, &MailboxName::from("billing"), at());
    let [Finding::Copy { evidence, .. }] = &findings[..] else {
        panic!("one copy, not {}", findings.len())
    };
    let [alteration] = &evidence.alterations[..] else {
        panic!("one alteration, not {:?}", evidence.alterations)
    };
    assert!(alteration.arrived.contains("19380000 bytes"), "{alteration:?}");
}

/// Whatever stands above our fields, a copy is recognised, and so it is by what deletes our own messages.
#[test]
fn a_copy_below_any_number_of_fields_is_a_copy() {
    let recognizer = recognizer();
    let probe = probe_named("plain");
    let sent = original(&probe).replace('\n', "\r\n");
    for above in [
        "X-A: b\r\n".repeat(1_100),
        "Received: by a.example; Mon, 23 Nov 2026 10:00:00 +0000\r\n".repeat(5_000),
        format!("X-A: {}\r\n", "b".repeat(270_000)),
        "X-From: x@evil.example\r\n".repeat(40_000),
    ] {
        let message = format!("{above}{sent}");
        assert_eq!(recognizer.own_probe(message.as_bytes()), Some(probe.id));
        assert_eq!(recognizer.spot(message.as_bytes(), false), Spot::Ours(probe.id));
        let findings = recognizer.read(message.as_bytes(), &MailboxName::from("billing"), at());
        let [Finding::Copy { probe: found, evidence }] = &findings[..] else {
            panic!("one copy, not {}", findings.len())
        };
        assert_eq!((*found, &evidence.alterations[..]), (probe.id, &[][..]));
    }
}
