//! The world that the fixtures speak of: one run's plan with its key, the probes as they were sent, and a recogniser that knows them.

use super::words;
use data_encoding::BASE64;
use mailflow::{
    evidence::{Finding, Recognizer, Spot},
    model::{MailboxName, MessageKind, Place, Plan, Probe, ProbeId, QuarantinePolicy, Recipient, RunId, RunInfo, Sender, TagKey, Time},
    scrub::Scrubber,
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};

pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/evidence");

/// The probes of the plan: how fixtures name them, the index of the recipient, the kind.
pub const PROBES: [(&str, usize, MessageKind); 6] = [
    ("plain", 0, MessageKind::Plain),
    ("html", 0, MessageKind::Html),
    ("link", 0, MessageKind::Link),
    ("attachment", 0, MessageKind::Attachment),
    ("group", 1, MessageKind::Plain),
    ("nobody", 2, MessageKind::Plain),
];
pub const RECIPIENTS: [&str; 3] = ["billing@contoso.example", "all-admins@contoso.example", "nobody@contoso.example"];

pub fn key() -> TagKey {
    TagKey::new(&[7; 32])
}

pub fn run() -> RunId {
    RunId::from_random([1, 2, 3, 4, 5, 6])
}

pub fn at() -> Time {
    "2026-11-23T10:01:00Z".parse().expect("a time")
}

pub fn plan() -> Plan {
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
        recheck: Vec::new(),
        scope: None,
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
            origin: mailflow::model::Origin::default(),
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
pub fn probe_named(name: &str) -> Probe {
    let index = PROBES
        .iter()
        .position(|(known, ..)| *known == name)
        .unwrap_or_else(|| panic!("no probe is called {name}"));
    plan().probes.remove(index)
}

pub fn original(probe: &Probe) -> String {
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
pub fn fill_in(text: &str, probe: &Probe) -> String {
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

pub fn recognizer() -> Recognizer {
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
pub fn scrubber() -> Scrubber {
    Scrubber::new("probe@sender.example", &"correct horse battery".into())
}

/// What was found, as fixtures write it: probes by name, tags as placeholders, and without what is the same in each.
pub fn shown(findings: &[Finding], tag: &str) -> Value {
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
pub fn fixtures() -> Vec<(PathBuf, String, Value)> {
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
pub fn reading(recognizer: &Recognizer, message: &[u8], expected: &Value) -> Value {
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
