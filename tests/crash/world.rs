//! Mail worlds that outlive the killed process: the embedded post office inside the test's own process, and the lab of real servers.
//! What arrived is asked of their mailboxes, past everything that mailflow does.

use crate::{
    lab::{
        Lab,
        accounts::{CATCH_ALL, INSIDER, PASSWORD, QUARANTINE, SENDER, WATCHER_PASSWORD},
    },
    process::Desk,
};
use mailflow::{
    clock::Clock,
    model::Plan,
    postoffice::{PostOffice, Settings},
};
use std::{collections::BTreeMap, fs, net::SocketAddr};

/// How many recipients a run has.
pub const RECIPIENTS: usize = 50;

/// The copies that lie in the mailboxes, by Message-ID: mailbox and folder of each.
pub type Copies = BTreeMap<String, Vec<String>>;

/// A mail world.
pub trait World {
    /// Writes a site of this world, its secrets and a scenario for each route into a new folder.
    fn desk(&self) -> Desk;

    /// Its routes; the scenario of each is called after it.
    fn routes(&self) -> &'static [&'static str];

    /// The copies of every probe of these runs.
    fn copies(&self, plans: &[Plan]) -> Copies;
}

/// The post office, and the runtime on which it lives.
pub struct Embedded {
    pub office: PostOffice,
    _runtime: tokio::runtime::Runtime,
}

impl Embedded {
    pub fn open() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let office = runtime.block_on(async {
            let clock = Clock::start();
            PostOffice::open(Settings::new(move || clock.now())).await.unwrap()
        });
        Self { office, _runtime: runtime }
    }

    pub fn address(number: usize) -> String {
        format!("ok-{number}@contoso.example")
    }
}

impl World for Embedded {
    fn desk(&self) -> Desk {
        let at = self.office.addresses();
        desk(&Addresses {
            submission: at.submission,
            gateways: vec![("gateway-a", at.gateway_a)],
            imaps: at.imaps,
            ca: self.office.ca_pem().to_owned(),
            sender: self.office.password(SENDER),
            watcher: self.office.password("watcher"),
            recipients: (1..=RECIPIENTS).map(Self::address).collect(),
            // Delivered as soon as it is taken.
            give_up_after: "4s",
        })
    }

    fn routes(&self) -> &'static [&'static str] {
        &["submission", "gateway-a"]
    }

    fn copies(&self, plans: &[Plan]) -> Copies {
        let ids = plans.iter().flat_map(|plan| &plan.probes).map(|probe| &probe.message_id);
        let places = |id: &String| {
            self.office
                .copies(id)
                .into_iter()
                .map(|copy| format!("{} {}", copy.mailbox, copy.folder))
                .collect()
        };
        ids.map(|id| (id.clone(), places(id))).collect()
    }
}

/// The lab.
pub struct Real {
    lab: Lab,
    recipients: Vec<String>,
}

impl Real {
    pub fn start() -> Self {
        let mut lab = Lab::start();
        let recipients = lab
            .provision_mailboxes(RECIPIENTS)
            .into_iter()
            .map(|account| account.address)
            .collect();
        Self { lab, recipients }
    }
}

impl World for Real {
    fn desk(&self) -> Desk {
        desk(&Addresses {
            submission: self.lab.submission(),
            gateways: vec![("gateway-a", self.lab.gateway_a()), ("gateway-b", self.lab.gateway_b())],
            imaps: self.lab.imaps(),
            ca: fs::read_to_string(self.lab.ca_file()).unwrap(),
            sender: PASSWORD.to_owned(),
            watcher: WATCHER_PASSWORD.to_owned(),
            recipients: self.recipients.clone(),
            // Longer than these servers need to pass a message on, however busy the machine is.
            give_up_after: "12s",
        })
    }

    fn routes(&self) -> &'static [&'static str] {
        &["submission", "gateway-a", "gateway-b"]
    }

    /// Whatever lies in the mailboxes and where mail may be led astray to, with or without a run that knows it.
    fn copies(&self, _: &[Plan]) -> Copies {
        let mailboxes = self
            .recipients
            .iter()
            .map(String::as_str)
            .chain([QUARANTINE, CATCH_ALL, INSIDER, SENDER]);
        let list = tempfile::NamedTempFile::new().unwrap();
        fs::write(&list, mailboxes.map(|address| format!("{address}\n")).collect::<String>()).unwrap();
        let list = list.path().to_str().unwrap();
        let found = self
            .lab
            .doveadm(&["-f", "json", "fetch", "-F", list, "user mailbox hdr.message-id", "ALL"]);
        let found: Vec<BTreeMap<String, String>> = serde_json::from_str(&found).unwrap();
        let mut copies = Copies::new();
        // Notifications come back to the sender, with a Message-ID of their own.
        for row in found.iter().filter(|row| row["user"] != SENDER) {
            let place = format!("{} {}", row["user"], row["mailbox"]);
            copies.entry(row["hdr.message-id"].clone()).or_default().push(place);
        }
        copies
    }
}

struct Addresses {
    submission: SocketAddr,
    gateways: Vec<(&'static str, SocketAddr)>,
    imaps: SocketAddr,
    ca: String,
    sender: String,
    watcher: String,
    recipients: Vec<String>,
    give_up_after: &'static str,
}

fn desk(at: &Addresses) -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let conduct = "connections: 4, rate: 40/s";
    let submission = at.submission;
    let mut routes = format!(
        "  submission: {{ smtp: {{ url: \"smtp://smtp.sender.example\", connect: \"{submission}\", ca: {{ file: ca.pem }}, user: {SENDER}, \
         password: {{ file: sender.secret }} }}, default: true, {conduct} }}\n"
    );
    for (name, address) in &at.gateways {
        let host = name.replace("gateway", "gw");
        routes += &format!(
            "  {name}: {{ smtp: {{ url: \"smtp://{host}.contoso.example:25\", connect: \"{address}\", ca: {{ file: ca.pem }} }}, {conduct} }}\n"
        );
    }
    let imap = |user: &str| {
        let imaps = at.imaps;
        format!(
            "{{ imap: {{ url: \"imaps://mail.contoso.example\", connect: \"{imaps}\", ca: {{ file: ca.pem }}, user: \"{user}*watcher\", \
             password: {{ file: watcher.secret }} }} }}"
        )
    };
    let recipients: String = at
        .recipients
        .iter()
        .map(|address| format!("  - {{ address: {address} }}\n"))
        .collect();
    write(
        "mailflow.yaml",
        &format!(
            "sender: {{ address: {SENDER}, contact: it@contoso.example, mailbox: returns }}\nroutes:\n{routes}defaults: {{ quarantine: none, mailbox: {} }}\n\
             mailboxes: {{ returns: {} }}\nrecipients:\n{recipients}",
            imap("{address}"),
            imap(SENDER)
        ),
    );
    let give_up_after = at.give_up_after;
    for route in std::iter::once("submission").chain(at.gateways.iter().map(|(name, _)| *name)) {
        let scenario = format!("name: killed\nroutes: {route}\nwithin: {give_up_after}\ngive_up_after: {give_up_after}\nsettle: 1s\n");
        write(&format!("{route}.yaml"), &scenario);
    }
    write("ca.pem", &at.ca);
    write("sender.secret", &at.sender);
    write("watcher.secret", &at.watcher);
    Desk(folder)
}
