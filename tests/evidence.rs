//! Every message in `tests/evidence/` is read, and what was found is compared with the JSON beside it. Adding a case is adding two files: an `.eml`
//! (with placeholders, see `fill_in`) and a `.json` with `about`, `probe` and `mailbox`; run the test once, look at the `.failed` file that it
//! writes, and rename it to `.json` if it is right. Of a notification that says `failed` or `delayed` the JSON also has the cause, the explanation and
//! the remedy; a `.eml` whose form is known from documents only says so in `X-Fixture-Note`. The probes as they were sent are in
//! `tests/evidence/original/`.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails, and says why")]

use mail_parser::MessageParser;
use mailflow::{
    evidence::{Finding, Post, Recognizer},
    model::{AlterationKind, MailboxName, MessageKind, Plan, Probe, Survived},
    scrub::Scrubber,
};
use std::{collections::HashSet, fmt::Write, fs, sync::Arc};

mod evidence {
    mod hostile;
    pub mod words;
    pub mod world;
}
use evidence::{
    words,
    world::{FOLDER, PROBES, at, fill_in, fixtures, key, original, plan, probe_named, reading, recognizer, run, scrubber},
};

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

#[test]
fn a_secret_that_comes_back_as_the_name_of_a_method_is_not_told() {
    let probe = probe_named("plain");
    let arrived = format!(
        "Authentication-Results: mx.contoso.example; correct-horse=pass\r\nReceived: from a by mx.contoso.example; Mon, 23 Nov 2026 10:00:00 +0000\r\n{}",
        original(&probe).replace('\n', "\r\n")
    );
    let told = |scrubber: Scrubber| {
        let plan = Arc::new(plan());
        let recognizer = Recognizer::new(key(), plan, Box::new(|_| None), scrubber);
        let findings = recognizer.read(arrived.as_bytes(), &MailboxName::from("billing"), at());
        let [Finding::Copy { evidence, .. }] = &findings[..] else {
            panic!("{findings:?}")
        };
        evidence.authentication.keys().cloned().collect::<Vec<_>>()
    };
    assert!(told(scrubber()).contains(&"correct-horse".to_owned()), "it is read");
    let guarded = told(Scrubber::new("probe@sender.example", &"correct-horse".into()));
    assert!(
        !guarded.is_empty() && guarded.iter().all(|name| !name.contains("correct-horse")),
        "{guarded:?}"
    );
}
