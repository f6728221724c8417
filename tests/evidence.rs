//! Every message in `tests/evidence/` is read, and what was found is compared with the JSON beside it. Adding a case is adding two files: an `.eml`
//! (with placeholders, see `fill_in`) and a `.json` with `about`, `probe` and `mailbox`; run the test once, look at the `.failed` file that it
//! writes, and rename it to `.json` if it is right. Of a notification that says `failed` or `delayed` the JSON also has the cause, the explanation and
//! the remedy; a `.eml` whose form is known from documents only says so in `X-Fixture-Note`. The probes as they were sent are in
//! `tests/evidence/original/`.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails, and says why")]

use data_encoding::BASE64;
use mail_parser::MessageParser;
use mailflow::{
    evidence::{Finding, Post, Recognizer, Spot},
    model::{
        AlterationKind, Evidence, MailboxName, MessageKind, Place, Plan, Probe, ProbeId, QuarantinePolicy, Recipient, RunId, RunInfo,
        Sender, Survived, TagKey, Time,
    },
    scrub::Scrubber,
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::{collections::HashSet, fmt::Write, fs, path::PathBuf, sync::Arc, time::Duration};

mod evidence {
    pub mod words;
}
use evidence::words;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/evidence");

/// The probes of the plan: how fixtures name them, the index of the recipient, the kind.
const PROBES: [(&str, usize, MessageKind); 6] = [
    ("plain", 0, MessageKind::Plain),
    ("html", 0, MessageKind::Html),
    ("link", 0, MessageKind::Link),
    ("attachment", 0, MessageKind::Attachment),
    ("group", 1, MessageKind::Plain),
    ("nobody", 2, MessageKind::Plain),
];
const RECIPIENTS: [&str; 3] = ["billing@contoso.example", "all-admins@contoso.example", "nobody@contoso.example"];

fn key() -> TagKey {
    TagKey::new(&[7; 32])
}

fn run() -> RunId {
    RunId::from_random([1, 2, 3, 4, 5, 6])
}

fn at() -> Time {
    "2026-11-23T10:01:00Z".parse().expect("a time")
}

fn plan() -> Plan {
    let recipient = |address: &str| Recipient {
        address: address.to_owned(),
        role: None,
        owner: None,
        backup: None,
        tags: vec![],
        meant: vec![],
        group: false,
        quarantine: QuarantinePolicy::Unsaid,
        expect: None,
        covered_by: None,
        known: None,
        place: Place::default(),
    };
    let probe = |(number, (_, recipient, message)): (u8, (&str, usize, MessageKind))| {
        let id = ProbeId::new(&run(), [number; 16]);
        let tag = key().tag(id);
        Probe {
            id,
            message_id: format!("<{tag}@sender.example>"),
            tag,
            recipient,
            sender: 0,
            route: "internet".to_owned(),
            hop: None,
            message,
            case: None,
            expected: vec![],
            expected_at: Place::default(),
            within: Duration::from_mins(5),
            give_up_after: Duration::from_mins(30),
            settle: Duration::from_secs(20),
            require: vec![],
            not_before: Duration::ZERO,
            internal: false,
        }
    };
    Plan {
        spacing: std::time::Duration::ZERO,
        paths: vec![],
        templates: std::collections::BTreeMap::new(),
        traces: std::collections::BTreeMap::new(),
        addresses: std::collections::BTreeMap::new(),
        run: RunInfo {
            id: run(),
            scenario: "gateway migration".to_owned(),
            site: "mailflow.yaml".to_owned(),
            started_at: "2026-11-23T10:00:00Z".parse().expect("a time"),
            finished_at: None,
            version: "0.1.0".to_owned(),
            change: None,
            description: None,
            compare: None,
        },
        recipients: RECIPIENTS.into_iter().map(recipient).collect(),
        senders: vec![Sender {
            name: "outside".to_owned(),
            address: "probe@sender.example".to_owned(),
            envelope: "bounces@sender.example".to_owned(),
            display_name: Some("Mail-flow probe".to_owned()),
            contact: Some("it@contoso.example".to_owned()),
            mailbox: Some(MailboxName::from("returns")),
            subaddress: Some("+".to_owned()),
            sending_addresses: vec![],
        }],
        mailboxes: vec![],
        probes: (1..).zip(PROBES).map(probe).collect(),
    }
}

/// The probe that a fixture names.
fn probe_named(name: &str) -> Probe {
    let index = PROBES
        .iter()
        .position(|(known, ..)| *known == name)
        .unwrap_or_else(|| panic!("no probe is called {name}"));
    plan().probes.remove(index)
}

fn original(probe: &Probe) -> String {
    let file = match probe.message {
        MessageKind::Plain => "plain",
        MessageKind::Html => "html",
        MessageKind::Link => "link",
        _ => "attachment",
    };
    let text = fs::read_to_string(format!("{FOLDER}/original/{file}.eml")).expect("the message as it was sent");
    fill_in(&text, probe)
}

/// Fills in the placeholders of a fixture: the tag in its forms, the message as it was sent, and what shall be encoded.
fn fill_in(text: &str, probe: &Probe) -> String {
    let tag = probe.tag.as_str();
    let mut forged = tag.to_owned();
    forged.replace_range(41.., if tag.ends_with('a') { "b" } else { "a" });
    let other_run = RunId::from_random([9, 9, 9, 9, 9, 9]);
    let mut filled = text.to_owned();
    if filled.contains("{{ORIGINAL") {
        let original = original(probe);
        let (header, body) = original.split_once("\n\n").expect("a header and a body");
        filled = filled
            .replace("{{ORIGINAL}}\n", &original)
            .replace("{{ORIGINAL_HEADER}}\n", &format!("{header}\n"))
            .replace("{{ORIGINAL_BODY}}\n", body);
    }
    if filled.contains("{{BODY_") {
        // The bodies as they were sent are in either canonical form already.
        let original = original(probe).replace('\n', "\r\n");
        let (_, body) = original.split_once("\r\n\r\n").expect("a header and a body");
        let hash = BASE64.encode(digest(&SHA256, body.as_bytes()).as_ref());
        filled = filled
            .replace("{{BODY_HASH}}", &hash)
            .replace("{{BODY_LENGTH}}", &body.len().to_string());
    }
    for (placeholder, value) in [
        ("{{TAG}}", tag),
        ("{{TAG_UPPER}}", &tag.to_ascii_uppercase()),
        ("{{TAG_HEAD}}", &tag[..20]),
        ("{{TAG_TAIL}}", &tag[20..]),
        ("{{FORGED_TAG}}", &forged),
        ("{{OTHER_RUN_TAG}}", key().tag(ProbeId::new(&other_run, [1; 16])).as_str()),
        ("{{UNPLANNED_TAG}}", key().tag(ProbeId::new(&run(), [99; 16])).as_str()),
        ("{{MESSAGE_ID}}", &probe.message_id),
        ("{{TO}}", RECIPIENTS[probe.recipient]),
    ] {
        filled = filled.replace(placeholder, value);
    }
    while let Some((before, rest)) = filled.split_once("{{BASE64}}\n") {
        let (plain, after) = rest.split_once("{{/BASE64}}\n").expect("the end of what shall be encoded");
        let encoded = BASE64.encode(plain.replace('\n', "\r\n").as_bytes());
        let lines: Vec<&str> = encoded
            .as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).expect("ASCII"))
            .collect();
        filled = format!("{before}{}\n{after}", lines.join("\n"));
    }
    while let Some((before, rest)) = filled.split_once("{{BASE64_WORD:") {
        let (plain, after) = rest.split_once("}}").expect("the end of the word");
        filled = format!("{before}=?utf-8?B?{}?={after}", BASE64.encode(plain.as_bytes()));
    }
    filled
}

fn recognizer() -> Recognizer {
    let probes = plan().probes;
    let originals = move |id: ProbeId| {
        probes
            .iter()
            .find(|probe| probe.id == id)
            .map(|probe| original(probe).replace('\n', "\r\n").into_bytes())
    };
    Recognizer::new(key(), Arc::new(plan()), Box::new(originals), scrubber())
}

/// What the servers on the way were told.
fn scrubber() -> Scrubber {
    Scrubber::new("probe@sender.example", &"correct horse battery".into())
}

/// What was found, as fixtures write it: probes by name, tags as placeholders, and without what is the same in each.
fn shown(findings: &[Finding], tag: &str) -> Value {
    let name = |id: &ProbeId| {
        let index = plan().probes.iter().position(|probe| probe.id == *id).expect("a probe of the plan");
        PROBES[index].0
    };
    let shown: Vec<Value> = findings
        .iter()
        .map(|finding| match finding {
            Finding::Copy { probe, evidence } => {
                assert!(!evidence.header.is_empty() && evidence.header.len() <= 64 * 1024);
                let mut fields = serde_json::to_value(evidence).expect("what a copy tells");
                let object = fields.as_object_mut().expect("an object");
                object.shift_remove("header");
                object.shift_insert(0, "probe".to_owned(), name(probe).into());
                json!({ "copy": fields })
            }
            Finding::Dsn { probe, dsn } => {
                let mut fields = serde_json::to_value(dsn).expect("a notification");
                let object = fields.as_object_mut().expect("an object");
                object.retain(|field, value| !value.is_null() && field != "at" && field != "mailbox");
                object.insert("probe".to_owned(), name(probe).into());
                let plan = plan();
                let recipient = plan
                    .probes
                    .iter()
                    .find(|known| known.id == *probe)
                    .map(|known| plan.recipient(known));
                words::add_to(object, dsn, &recipient.expect("a recipient").address);
                json!({ "dsn": fields })
            }
            Finding::Answer { probe, automatic } => json!({ "answer": { "probe": name(probe), "automatic": automatic } }),
        })
        .collect();
    let text = Value::Array(shown)
        .to_string()
        .replace(tag, "{{TAG}}")
        .replace(&tag.to_ascii_uppercase(), "{{TAG_UPPER}}");
    serde_json::from_str(&text).expect("JSON")
}

/// The fixtures: path, message with LF, what stands beside it.
fn fixtures() -> Vec<(PathBuf, String, Value)> {
    let mut paths: Vec<_> = fs::read_dir(FOLDER)
        .expect("the folder of fixtures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let expected =
                fs::read_to_string(path.with_extension("json")).unwrap_or_else(|error| panic!("{} has no .json: {error}", path.display()));
            let expected: Value =
                serde_json::from_str(&expected).unwrap_or_else(|error| panic!("{}: {error}", path.with_extension("json").display()));
            let probe = probe_named(expected["probe"].as_str().unwrap_or("plain"));
            let text = fs::read(&path).expect("a fixture");
            (
                path,
                fill_in(&String::from_utf8(text).expect("fixtures are UTF-8"), &probe),
                expected,
            )
        })
        .collect()
}

/// What a message is found to be, in the form of the JSON files.
fn reading(recognizer: &Recognizer, message: &[u8], expected: &Value) -> Value {
    let mailbox = expected["mailbox"].as_str().unwrap_or("billing");
    let tag = probe_named(expected["probe"].as_str().unwrap_or("plain")).tag;
    let end = message
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .or_else(|| message.windows(2).position(|two| two == b"\n\n"));
    let (header, body) = message.split_at(end.unwrap_or(message.len()));
    let spot = match recognizer.spot(header, mailbox == "returns") {
        Spot::Ours(_) => "ours",
        Spot::Perhaps => "perhaps",
        Spot::Foreign => "foreign",
    };
    json!({
        "about": expected["about"],
        "probe": expected["probe"],
        "mailbox": mailbox,
        "spot": spot,
        "body_holds_tag": recognizer.peek(body).is_some(),
        "findings": shown(&recognizer.read(message, &MailboxName::from(mailbox), at()), tag.as_str()),
    })
}

#[test]
fn every_fixture_is_read_as_its_json_says() {
    let recognizer = recognizer();
    let fixtures = fixtures();
    assert!(fixtures.len() >= 140, "only {} fixtures in {FOLDER}", fixtures.len());
    let mut failures = String::new();
    for (path, message, expected) in &fixtures {
        let failed = path.with_extension("failed");
        for (line_end, message) in [("CRLF", message.replace('\n', "\r\n")), ("LF", message.clone())] {
            let found = reading(&recognizer, message.as_bytes(), expected);
            if found == *expected {
                let _ = fs::remove_file(&failed);
                continue;
            }
            let text = serde_json::to_string_pretty(&found).expect("JSON") + "\n";
            fs::write(&failed, text).expect("write what was found");
            let _ = writeln!(
                failures,
                "{} with {line_end}: what was found is in {}",
                path.display(),
                failed.display()
            );
            break;
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    let causes: Vec<&str> = fixtures.iter().flat_map(|(_, _, expected)| words::causes(expected)).collect();
    let different: HashSet<&str> = causes.iter().copied().collect();
    assert!(
        causes.len() >= 80 && different.len() >= 30,
        "{} bounces, of {different:?}",
        causes.len()
    );
}

/// What a post shows of the message of `probe`: its text as HTML, or as plain text.
fn body(message: &str, is_html: bool) -> String {
    let message = MessageParser::default().parse(message.as_bytes()).expect("a message");
    let body = if is_html { message.body_html(0) } else { message.body_text(0) };
    body.expect("it has a text").into_owned()
}

#[test]
fn a_post_is_compared_in_what_it_shows_and_nothing_else_is_claimed() {
    let recognizer = recognizer();
    for (name, ..) in &PROBES[..4] {
        let probe = probe_named(name);
        let message = original(&probe).replace('\n', "\r\n");
        let parsed = MessageParser::default().parse(message.as_bytes()).expect("a message");
        let topic = parsed.subject().expect("it has a subject").to_owned();
        for is_html in [true, false] {
            let body = body(&message, is_html);
            let whole = Post {
                topic: &topic,
                authors: &["Probe@sender.example"],
                body: Some((&body, is_html)),
                attachments: parsed.attachment_count() > 0,
            };
            let copy = recognizer.post(&whole).expect("it is ours");
            assert_eq!(
                (copy.probe, copy.alterations.as_slice()),
                (probe.id, &[][..]),
                "{name}, HTML: {is_html}"
            );
            assert_eq!(copy.survived, [Survived::Subject, Survived::Body]);
            let attached = [AlterationKind::Headers, AlterationKind::Attachments];
            let expected = if whole.attachments { &attached[..] } else { &attached[..1] };
            assert_eq!(copy.unseen, expected, "{name}");

            let disclaimed = format!("{body} External mail: do not click.");
            let topic = format!("[EXT] {topic}");
            let copy = recognizer.post(&Post {
                topic: &topic,
                body: Some((&disclaimed, is_html)),
                attachments: false,
                ..whole
            });
            let copy = copy.expect("it is ours");
            let mut kinds = vec![AlterationKind::Subject, AlterationKind::Body];
            kinds.extend(whole.attachments.then_some(AlterationKind::Attachments));
            assert_eq!(copy.alterations.iter().map(|one| one.kind).collect::<Vec<_>>(), kinds, "{name}");
            assert_eq!(copy.unseen, [AlterationKind::Headers], "{name}");
        }
    }
}

#[test]
fn a_post_is_ours_only_by_its_author_and_a_tag_that_verifies() {
    let recognizer = recognizer();
    let (plain, html) = (probe_named("plain"), probe_named("html"));
    let topic = format!("Mail-flow test [tag {}]", plain.tag);
    let post = |authors, body| {
        recognizer.post(&Post {
            topic: &topic,
            authors,
            body,
            attachments: false,
        })
    };
    let ours: &[&str] = &["probe@sender.example"];
    let body = format!("<p>{}</p>", html.tag);
    let other = post(ours, Some((&body, true))).expect("another probe in the thread");
    assert_eq!((other.probe, other.survived.as_slice()), (html.id, &[Survived::Body][..]));
    assert!(other.unseen.contains(&AlterationKind::Subject), "the topic is not its own");
    let bare = post(ours, None).expect("its topic tells");
    assert_eq!((bare.probe, bare.survived.as_slice()), (plain.id, &[Survived::Subject][..]));
    for kind in [AlterationKind::Body, AlterationKind::Links, AlterationKind::Headers] {
        assert!(bare.unseen.contains(&kind), "{bare:?}");
    }
    assert_eq!(post(&["kim@fabrikam.example"], Some((&body, true))), None, "an answer");
    assert_eq!(post(&[], Some((&body, true))), None);
    let forged = Post {
        topic: &topic.replace(plain.tag.as_str(), &"a".repeat(42)),
        authors: ours,
        body: Some(("nothing of ours", false)),
        attachments: false,
    };
    assert_eq!(recognizer.post(&forged), None);
}

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
    for message in [
        nested, boundaries, absent, prefixes, fields, words, comments, groups, links, results, runs,
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

#[test]
fn only_the_probe_itself_may_be_cleaned_away() {
    let recognizer = recognizer();
    let probe = probe_named("plain");
    let text = |template: &str| fill_in(template, &probe).replace('\n', "\r\n").into_bytes();
    assert_eq!(recognizer.own_probe(&text("Received: x\n{{ORIGINAL}}\n")), Some(probe.id));
    assert_eq!(recognizer.own_probe(&text("Message-ID: {{MESSAGE_ID}}\n\n")), Some(probe.id));
    assert!(
        recognizer.own_probe(&text("X-Mailflow-Probe: {{OTHER_RUN_TAG}}\n\n")).is_some(),
        "of an earlier run"
    );
    for foreign in [
        "X-Mailflow-Probe: {{FORGED_TAG}}\n\n",
        "Subject: Re: [tag {{TAG}}]\nIn-Reply-To: {{MESSAGE_ID}}\n\n",
        "Subject: about [tag {{TAG}}]\n\n",
        "X-Mailflow-Probe: {{TAG}}\nIn-Reply-To: {{MESSAGE_ID}}\n\n",
        "Content-Type: multipart/report; boundary=b\nX-Mailflow-Probe: {{TAG}}\n\n",
        "\nX-Mailflow-Probe: {{TAG}}\n",
        "Subject: x\n\nX-Mailflow-Probe: {{TAG}}\n",
    ] {
        assert_eq!(recognizer.own_probe(&text(foreign)), None, "{foreign}");
    }
}

#[test]
fn what_is_composed_arrives_unaltered() {
    for kind in MessageKind::ALL {
        let probe = Probe {
            message: kind.clone(),
            ..probe_named("plain")
        };
        let plan = Arc::new(Plan {
            probes: vec![probe.clone()],
            ..plan()
        });
        let sent = Arc::clone(&plan);
        let originals = move |_| Some(mailflow::compose::compose(&sent, &sent.probes[0]));
        let recognizer = Recognizer::new(key(), Arc::clone(&plan), Box::new(originals), scrubber());
        assert_eq!(recognizer.search_prefix(), run().as_str());

        let mut message = b"Return-Path: <bounces@sender.example>\r\nReceived: from a by b; Mon, 23 Nov 2026 10:00:01 +0000\r\n".to_vec();
        message.extend(mailflow::compose::compose(&plan, &probe));
        let findings = recognizer.read(&message, &MailboxName::from("billing"), at());
        let [Finding::Copy { probe: found, evidence }] = &findings[..] else {
            panic!("{kind}: {findings:?}")
        };
        assert_eq!((*found, evidence.survived.len()), (probe.id, 4), "{kind}");
        assert!(evidence.alterations.is_empty(), "{kind}: {:?}", evidence.alterations);
        let body = message.windows(4).position(|four| four == b"\r\n\r\n").expect("a body");
        assert_eq!(recognizer.peek(&message[body..]), Some(probe.id), "{kind}");
    }
}
