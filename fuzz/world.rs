//! The world in which hostile messages are read: a plan with one probe of each kind that has a fixed form, and the recogniser of that run.

use mailflow::{
    compose::{compose, message_id},
    evidence::{Finding, Recognizer},
    model::{MailboxName, MessageKind, Place, Plan, Probe, ProbeId, QuarantinePolicy, Recipient, RunId, RunInfo, Sender, TagKey, Time},
    scrub::Scrubber,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

/// What all targets share.
pub struct World {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Its recogniser.
    pub recognizer: Recognizer,
    /// The mailbox in which everything is found.
    pub mailbox: MailboxName,
    /// When.
    pub at: Time,
}

/// Made once: a target only reads.
pub static WORLD: LazyLock<World> = LazyLock::new(World::new);

impl World {
    fn new() -> Self {
        let key = TagKey::new(&[7; 32]);
        let run = RunId::from_random([1, 2, 3, 4, 5, 6]);
        let at: Time = "2026-11-23T10:01:00Z".parse().expect("a time");
        let mailbox = MailboxName::from("returns");
        let sender = Sender {
            name: "outside".to_owned(),
            address: "probe@sender.example".to_owned(),
            envelope: "bounces@sender.example".to_owned(),
            display_name: Some("Mail-flow probe".to_owned()),
            contact: Some("it@contoso.example".to_owned()),
            mailbox: Some(mailbox.clone()),
            subaddress: None,
            sending_addresses: vec![],
        };
        let kinds = [MessageKind::Plain, MessageKind::Html, MessageKind::Link, MessageKind::Attachment];
        let probes = (1..)
            .zip(kinds)
            .map(|(number, message)| {
                let id = ProbeId::new(&run, [number; 16]);
                let tag = key.tag(id);
                Probe {
                    id,
                    message_id: message_id(&sender, &tag),
                    tag,
                    recipient: 0,
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
            })
            .collect();
        let recipient = Recipient {
            address: "billing@contoso.example".to_owned(),
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
        let plan = Arc::new(Plan {
            run: RunInfo {
                id: run,
                scenario: "fuzzed".to_owned(),
                site: "mailflow.yaml".to_owned(),
                started_at: "2026-11-23T10:00:00Z".parse().expect("a time"),
                finished_at: None,
                version: "0.1.0".to_owned(),
                change: None,
                description: None,
                compare: None,
                origin: mailflow::model::Origin::default(),
            },
            recipients: vec![recipient],
            senders: vec![sender],
            mailboxes: vec![],
            addresses: BTreeMap::new(),
            probes,
            spacing: Duration::ZERO,
            traces: BTreeMap::new(),
            paths: vec![],
            templates: BTreeMap::new(),
            recheck: vec![],
            scope: None,
        });
        let of = plan.clone();
        let originals = move |id: ProbeId| of.probes.iter().find(|probe| probe.id == id).map(|probe| compose(&of, probe));
        Self {
            recognizer: Recognizer::new(key, plan.clone(), Box::new(originals), Scrubber::default()),
            plan,
            mailbox,
            at,
        }
    }

    /// The fixtures write `{{TAG}}`, `{{ORIGINAL…}}` and so on; with real tags in their place the way into the depth is open.
    pub fn filled_in(&self, bytes: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return bytes.to_vec();
        };
        let Some(probe) = self.plan.probes.get(text.len() % self.plan.probes.len()) else {
            return bytes.to_vec();
        };
        let original = String::from_utf8_lossy(&compose(&self.plan, probe)).into_owned();
        let (header, body) = original.split_once("\r\n\r\n").unwrap_or((&original, ""));
        // Each once: a text full of placeholders is no more hostile than one full of letters, but much larger.
        text.replacen("{{ORIGINAL}}", &original, 1)
            .replacen("{{ORIGINAL_HEADER}}", header, 1)
            .replacen("{{ORIGINAL_BODY}}", body, 1)
            .replace("{{TAG}}", probe.tag.as_str())
            .replace("{{MESSAGE_ID}}", &probe.message_id)
            .into_bytes()
    }

    /// Reads a message as a watcher does, and holds what was found to its bounds.
    pub fn read(&self, message: &[u8]) {
        let _ = self.recognizer.spot(message, true);
        let _ = self.recognizer.peek(message);
        let _ = self.recognizer.own_probe(message);
        let findings = self.recognizer.read(message, &self.mailbox, self.at);
        for finding in findings {
            match finding {
                Finding::Copy { evidence, .. } => {
                    assert!(evidence.header.len() <= 64 * 1024);
                    assert!(evidence.hops.len() <= 64 && evidence.filters.len() <= 64 && evidence.signatures.len() <= 16);
                    assert!(evidence.alterations.len() <= 1_200);
                }
                Finding::Dsn { dsn, .. } => assert!(dsn.diagnostic.is_none_or(|text| text.chars().count() <= 1_100)),
                Finding::Answer { .. } => {}
            }
        }
    }
}
