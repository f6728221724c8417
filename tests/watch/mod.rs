//! A desk to watch from: a plan of a few probes, the recognizer for it, and what a watcher is told and tells.

#![allow(dead_code, reason = "each test file compiles this for itself and uses a part of it")]

pub mod fake;

use mailflow::{
    clock::Clock,
    credentials::Credentials,
    evidence::Recognizer,
    model::{
        Copy, Endpoint, Event, FolderMark, ImapAccess, Mailbox, MailboxAccess, MailboxName, MessageKind, Place, Plan, Probe, ProbeId,
        QuarantinePolicy, Recipient, RunId, RunInfo, SecretSource, Sender, SignIn, TagKey, Time, TlsMode, What,
    },
    scrub::Scrubber,
    watch::{Attention, Watcher, Watching, imap::Watched},
};
use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

/// How long a test waits for what must come: far longer than it ever takes.
const PATIENCE: Duration = Duration::from_mins(2);
/// The envelope sender and the sender's mailbox.
pub const SENDER: &str = "probe@sender.example";

/// The probes of the run go to these.
pub struct Desk {
    pub clock: Clock,
    pub plan: Arc<Plan>,
    pub recognizer: Arc<Recognizer>,
    pub started_at: Time,
    events: mpsc::Receiver<Event>,
    told: mpsc::Sender<Event>,
    attention: HashMap<MailboxName, watch::Sender<Attention>>,
    sending: watch::Sender<Option<Time>>,
    stop: watch::Sender<bool>,
    watchers: JoinSet<()>,
    /// Everything that was told.
    pub heard: Vec<Event>,
}

fn key() -> TagKey {
    TagKey::new(&[7; 32])
}

fn recipient(address: &str) -> Recipient {
    Recipient {
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
    }
}

fn probe(number: usize) -> Probe {
    let run = RunId::from_random([1, 2, 3, 4, 5, 6]);
    let mut random = [0; 16];
    random[12..].copy_from_slice(&u32::try_from(number).expect("not that many").to_be_bytes());
    let id = ProbeId::new(&run, random);
    let tag = key().tag(id);
    Probe {
        id,
        message_id: format!("<{tag}@sender.example>"),
        tag,
        recipient: number,
        sender: 0,
        route: "internet".to_owned(),
        hop: None,
        message: MessageKind::Plain,
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
}

impl Desk {
    /// One probe for each recipient.
    pub fn new(recipients: &[&str]) -> Self {
        let clock = Clock::start();
        let started_at = clock.now();
        let plan = Arc::new(Plan {
            addresses: BTreeMap::new(),
            run: RunInfo {
                id: RunId::from_random([1, 2, 3, 4, 5, 6]),
                scenario: "watching".to_owned(),
                site: "mailflow.yaml".to_owned(),
                started_at,
                finished_at: None,
                version: "0.1.0".to_owned(),
                change: None,
                description: None,
                compare: None,
                origin: mailflow::model::Origin::default(),
            },
            recipients: recipients.iter().map(|address| recipient(address)).collect(),
            senders: vec![Sender {
                name: "outside".to_owned(),
                address: SENDER.to_owned(),
                envelope: SENDER.to_owned(),
                display_name: None,
                contact: None,
                mailbox: Some(SENDER.into()),
                subaddress: None,
                sending_addresses: vec![],
            }],
            mailboxes: vec![],
            probes: (0..recipients.len()).map(probe).collect(),
            spacing: std::time::Duration::ZERO,
            paths: Vec::new(),
            templates: std::collections::BTreeMap::new(),
            recheck: Vec::new(),
            scope: None,
            traces: std::collections::BTreeMap::new(),
        });
        let (told, events) = mpsc::channel(1024);
        Self {
            clock,
            recognizer: Arc::new(Recognizer::new(key(), Arc::clone(&plan), Box::new(|_| None), Scrubber::default())),
            plan,
            started_at,
            events,
            told,
            attention: HashMap::new(),
            sending: watch::Sender::new(None),
            stop: watch::Sender::new(false),
            watchers: JoinSet::new(),
            heard: Vec::new(),
        }
    }

    /// The probe to the recipient of that number.
    pub fn probe(&self, number: usize) -> &Probe {
        &self.plan.probes[number]
    }

    /// A message that carries that probe.
    pub fn message(&self, number: usize) -> String {
        let Probe { tag, message_id, .. } = self.probe(number);
        let to = &self.plan.recipients[number].address;
        format!(
            "From: <{SENDER}>\r\nTo: <{to}>\r\nSubject: Mail-flow probe {tag}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\
             Message-ID: {message_id}\r\nX-Mailflow-Probe: {tag}\r\n\r\nA probe: {tag}\r\n"
        )
    }

    /// Sets a watcher to work; `baselines` as an earlier process left them.
    pub fn start(&mut self, watcher: Box<dyn Watcher>, baselines: HashMap<MailboxName, Vec<FolderMark>>) {
        let names = watcher.mailboxes();
        for name in &names {
            self.attention
                .entry(name.clone())
                .or_insert_with(|| watch::Sender::new(Attention::default()));
        }
        self.watchers.spawn(watcher.watch(Watching {
            clock: self.clock,
            recognizer: Arc::clone(&self.recognizer),
            baselines,
            started_at: self.started_at,
            sending_since: self.sending.subscribe(),
            attention: names.iter().map(|name| (name.clone(), self.attention[name].subscribe())).collect(),
            events: self.told.clone(),
            stop: self.stop.subscribe(),
        }));
    }

    /// Says that probes leave now, to every mailbox.
    pub fn send(&self) {
        let now = self.clock.now();
        self.sending.send_replace(Some(now));
        for attention in self.attention.values() {
            attention.send_modify(|attention| {
                attention.outstanding = true;
                attention.since = Some(now);
            });
        }
    }

    /// What tells the watcher of `mailbox` how closely to watch.
    pub fn attention(&self, mailbox: &str) -> watch::Sender<Attention> {
        self.attention[&MailboxName::from(mailbox)].clone()
    }

    /// Says that nothing is waited for any more.
    pub fn calm_down(&self) {
        for attention in self.attention.values() {
            attention.send_modify(|attention| attention.outstanding = false);
        }
    }

    /// Wants a complete look at `mailbox` from now on. Returns that time.
    pub fn want_look(&self, mailbox: &str) -> Time {
        let now = self.clock.now();
        self.attention[&MailboxName::from(mailbox)].send_modify(|attention| attention.look_at = Some(now));
        now
    }

    /// Wants a complete look, and waits for it.
    pub async fn look(&mut self, mailbox: &str) {
        let wanted = self.want_look(mailbox);
        self.until(|what| matches!(what, What::Looked { mailbox: of, since } if of.as_str() == mailbox && *since >= wanted))
            .await;
    }

    /// Waits for the first event, among those heard already too, for which `wanted` holds.
    pub async fn until(&mut self, wanted: impl Fn(&What) -> bool) -> Event {
        if let Some(event) = self.heard.iter().find(|event| wanted(&event.what)) {
            return event.clone();
        }
        loop {
            let event = timeout(PATIENCE, self.events.recv()).await;
            let Ok(Some(event)) = event else {
                panic!("it never came; what came: {:#?}", self.heard);
            };
            self.heard.push(event.clone());
            if wanted(&event.what) {
                return event;
            }
        }
    }

    /// Waits for any event.
    pub async fn until_new(&mut self) {
        let event = timeout(PATIENCE, self.events.recv()).await.ok().flatten();
        self.heard.push(event.expect("something happens"));
    }

    /// Waits until each of these mailboxes has said its baseline.
    pub async fn baselines(&mut self, mailboxes: &[&str]) {
        for name in mailboxes {
            self.until(|what| matches!(what, What::Baseline { mailbox, .. } if mailbox.as_str() == *name))
                .await;
        }
    }

    /// Waits for a copy of the probe of that number in `mailbox`.
    pub async fn seen(&mut self, number: usize, mailbox: &str) -> Box<Copy> {
        let id = self.probe(number).id;
        let event = self
            .until(|what| matches!(what, What::Seen { probe, copy } if *probe == id && copy.id.mailbox.as_str() == mailbox))
            .await;
        match event.what {
            What::Seen { copy, .. } => copy,
            _ => unreachable!("only that was waited for"),
        }
    }

    /// How many copies of that probe were told.
    pub fn copies(&self, number: usize) -> usize {
        let id = self.probe(number).id;
        let seen = self
            .heard
            .iter()
            .filter(|event| matches!(&event.what, What::Seen { probe, .. } if *probe == id));
        seen.count()
    }

    /// Stops the watchers, and waits until each has ended.
    pub async fn stop(mut self) -> Vec<Event> {
        self.stop.send_replace(true);
        drop(self.told);
        while timeout(PATIENCE, self.watchers.join_next())
            .await
            .expect("watchers end when told to")
            .is_some()
        {}
        while let Ok(event) = self.events.try_recv() {
            self.heard.push(event);
        }
        self.heard
    }
}

/// A mailbox on a server of the test.
pub fn mailbox(name: &str, user: &str, server: SocketAddr, tls: TlsMode, ca: Option<PathBuf>) -> Mailbox {
    Mailbox {
        name: name.into(),
        access: MailboxAccess::Imap(ImapAccess {
            endpoint: Endpoint {
                host: "localhost".to_owned(),
                port: server.port(),
                connect: Some(server.to_string()),
                tls,
                ca,
            },
            sign_in: SignIn::Password {
                user: user.to_owned(),
                password: SecretSource::Env("PASSWORD".to_owned()),
            },
            root: None,
        }),
        folders: BTreeMap::new(),
        placement: None,
        peek_bodies: false,
        place: Place::default(),
    }
}

/// That mailbox, with its password.
pub fn watched(mailbox: Mailbox, password: &str) -> Watched {
    let MailboxAccess::Imap(access) = mailbox.access.clone() else {
        unreachable!("the tests' mailboxes are read by IMAP")
    };
    Watched {
        credentials: Credentials::password(access.sign_in.user(), password.into()),
        access,
        of_sender: mailbox.name.as_str() == SENDER,
        mailbox,
    }
}
