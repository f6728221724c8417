//! A simulated tenant, its client, and a desk to watch its mailboxes from.

use crate::watch::Desk;
use mailflow::{
    clock::Clock,
    microsoft::{Cloud, Graph, Http, HttpSettings, Limits, Random, SignIn, Tokens, Turns, sign_in::Credential},
    model::{GraphAccess, GroupAccess, Mailbox, MailboxAccess, Place, Time, What},
    postoffice::tenant::{App, Config, Request, Tenant},
    watch::{
        Watcher,
        graph::{GraphWatcher, GroupWatcher},
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tempfile::NamedTempFile;

pub const APP: &str = "9f20c0de-0000-4000-8000-00000000a001";
pub const SECRET: &str = "the-secret-of-the-app";
/// The sender's mailbox in the tenant.
pub const RETURNS: &str = "probe@tenant.example";

pub struct World {
    pub tenant: Tenant,
    pub graph: Graph,
    pub desk: Desk,
    _ca: NamedTempFile,
}

impl World {
    /// A tenant as `change` wants it, and probes to these of its addresses.
    pub async fn with(recipients: &[&str], secret: &str, change: impl FnOnce(&mut Config)) -> Self {
        let addresses: Vec<String> = recipients.iter().map(|local| address(local)).collect();
        let desk = Desk::new(&addresses.iter().map(String::as_str).collect::<Vec<_>>());
        let mut config = Config::new(App::with_secret(APP, SECRET));
        change(&mut config);
        let clock = desk.clock;
        let tenant = Tenant::start(config, move || clock.now()).await.expect("loopback can be bound");
        let mut ca = NamedTempFile::new().expect("there is room for a file");
        ca.write_all(tenant.ca_pem().as_bytes()).expect("the file takes it");
        let cloud = Cloud::loopback(tenant.authority(), tenant.graph()).expect("it is on loopback");
        let graph = client(cloud, Some(ca.path().to_owned()), clock, secret);
        Self {
            tenant,
            graph,
            desk,
            _ca: ca,
        }
    }

    pub async fn new(recipients: &[&str]) -> Self {
        Self::with(recipients, SECRET, |_| {}).await
    }

    pub fn watcher(&self, local: &str, of_sender: bool) -> Box<dyn Watcher> {
        watcher(&self.graph, local, of_sender)
    }

    /// Watches these mailboxes, and says that probes leave when all are open.
    pub async fn open(&mut self, locals: &[&str]) {
        for local in locals {
            let watcher = self.watcher(local, address(local) == RETURNS);
            self.desk.start(watcher, HashMap::new());
        }
        let names: Vec<String> = locals.iter().map(|local| address(local)).collect();
        self.desk.baselines(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        self.desk.send();
    }

    /// Delivers the probe of that number; the arrival lies between the two times.
    pub fn deliver(&self, number: usize) -> (Time, Time) {
        self.deliver_as(number, &self.desk.message(number))
    }

    pub fn deliver_as(&self, number: usize, message: &str) -> (Time, Time) {
        let before = self.desk.clock.now();
        // The notifications of the tenant come back into it.
        let message = format!("Return-Path: <{RETURNS}>\r\n{message}");
        self.tenant.deliver(&self.desk.plan.recipients[number].address, message.as_bytes());
        (before, self.desk.clock.now())
    }

    /// A message of somebody else, to somebody in the tenant.
    pub fn foreign(&self, local: &str, subject: &str) {
        let message = format!(
            "From: Kim <kim@fabrikam.example>\r\nTo: <{0}>\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\
             Message-ID: <{1}@fabrikam.example>\r\n\r\nConfidential: {subject}.\r\n",
            address(local),
            subject.len()
        );
        self.tenant.deliver(&address(local), message.as_bytes());
    }

    /// What was asked about that mailbox.
    pub fn asked(&self, local: &str) -> Vec<Request> {
        let start = format!("/v1.0/users/{}/", address(local));
        let all = self.tenant.requests().into_iter();
        all.filter(|request| request.path.starts_with(&start)).collect()
    }

    /// How often it was told that something of the kind happened.
    pub fn count(&self, wanted: impl Fn(&What) -> bool) -> usize {
        self.desk.heard.iter().filter(|event| wanted(&event.what)).count()
    }
}

pub fn address(local: &str) -> String {
    format!("{local}@tenant.example")
}

/// Watches a mailbox of the tenant.
pub fn watcher(graph: &Graph, local: &str, of_sender: bool) -> Box<dyn Watcher> {
    let address = address(local);
    let access = GraphAccess {
        tenant: "contoso".to_owned(),
        user: address.clone(),
    };
    let mailbox = Mailbox {
        name: address.into(),
        access: MailboxAccess::Graph(access.clone()),
        folders: BTreeMap::new(),
        placement: None,
        peek_bodies: false,
        place: Place::default(),
    };
    Box::new(GraphWatcher::new(graph.clone(), mailbox, access, of_sender))
}

/// Watches a group of the tenant.
pub fn group(graph: &Graph, local: &str, peek_bodies: bool) -> Box<dyn Watcher> {
    let address = address(local);
    let access = GroupAccess {
        tenant: "contoso".to_owned(),
        group: address.clone(),
    };
    let mailbox = Mailbox {
        name: address.into(),
        access: MailboxAccess::Group(access.clone()),
        folders: BTreeMap::new(),
        placement: None,
        peek_bodies,
        place: Place::default(),
    };
    Box::new(GroupWatcher::new(graph.clone(), mailbox, access))
}

/// The client of an app that signs in with `secret`.
pub fn client(cloud: Cloud, ca: Option<PathBuf>, clock: Clock, secret: &str) -> Graph {
    let settings = HttpSettings {
        ca,
        ..HttpSettings::default()
    };
    let http = Http::new(&settings).expect("the CA can be read");
    let counter = Arc::new(AtomicU64::new(1));
    let random = move || {
        let counter = Arc::clone(&counter);
        Random::new(move || {
            let mut bytes = [0; 16];
            bytes[8..].copy_from_slice(&counter.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            bytes
        })
    };
    let sign_in = SignIn::new("tenant.example", APP, Credential::Secret(secret.into())).expect("both can stand in a URL");
    let tokens = Arc::new(Tokens::new(sign_in, cloud.clone(), http.clone(), clock, random()));
    Graph::new(cloud, http, tokens, Arc::new(Turns::new(Limits::default())), clock, random())
}
