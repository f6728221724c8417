//! Delivery: takes an accepted message and does with it, for each recipient, what the fate says.
//!
//! Cannot see SMTP sessions; refusals at RCPT and greylisting have happened before.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Reply};
use super::bounce::{self, Action, Notify, Report};
use super::directory::{CATCH_ALL, Destination, QUARANTINE, SOMEONE_ELSE, members};
use super::fate::{ALERTS, Fate, meaning};
use super::office::{Door, Office};
use super::store::{Place, Role, StoreError};
use super::tenant;
use super::{
    alter,
    content::{is_gtube, is_malware},
    headers,
};

/// The host that stores mail and writes notifications.
const STORE: &str = "store.contoso.example";
/// Who sends journal reports.
const JOURNAL: &str = "journal@contoso.example";
/// How long `delayed@` waits after its notification.
const DELAY: Duration = Duration::from_secs(2);
/// How long `moved@` and `vanishes@` leave the message where it was.
const SECOND_THOUGHT: Duration = Duration::from_millis(1500);
/// A message as it was accepted.
#[derive(Debug)]
pub struct Letter {
    /// Where it came in.
    pub door: Door,
    /// Who brought it.
    pub client: Client,
    /// The envelope sender; empty for the null sender.
    pub sender: String,
    /// `RET=FULL`
    pub full: bool,
    /// ENVID, decoded.
    pub envelope_id: Option<String>,
    /// The message.
    pub data: Vec<u8>,
    /// Whether it is the test for spam filters.
    pub gtube: bool,
    /// Whether it carries the test for virus scanners.
    pub malware: bool,
    /// The room it takes as long as a delivery is pending.
    pub _room: OwnedSemaphorePermit,
    /// The id that the reply named.
    pub queue_id: String,
    /// When it was accepted.
    pub arrived: DateTime<Utc>,
}

/// Who brought a message, for its Received header.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// What it said in EHLO.
    pub name: String,
    /// Its address.
    pub address: Option<IpAddr>,
    /// TLS version and cipher.
    pub tls: Option<(&'static str, &'static str)>,
    /// Whether it spoke EHLO.
    pub extended: bool,
    /// Whether it logged in.
    pub authenticated: bool,
}

/// One recipient of a message.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The address as given.
    pub address: String,
    /// When the sender wants to hear of it.
    pub notify: Notify,
    /// ORCPT, as `type;address`, decoded.
    pub original: Option<String>,
    /// What stands behind the address.
    pub destination: Destination,
}

impl Office {
    /// Delivers a message to one recipient, now or later.
    pub fn deliver(self: &Arc<Self>, letter: &Arc<Letter>, recipient: Recipient) {
        let delivery = Delivery {
            office: Arc::clone(self),
            letter: Arc::clone(letter),
            recipient,
        };
        delivery.begin();
    }

    /// Delivers mail that the tenant sent to an address here; what has none is dropped, as nobody is there to be told.
    pub fn take(self: &Arc<Self>, mail: tenant::Outgoing) {
        let Ok(destination) = self.directory.find(&mail.recipient) else {
            return;
        };
        let Some(room) = self.room(mail.raw.len()) else {
            return;
        };
        if mail.sender.is_empty() {
            return self.post("", &mail.recipient, &mail.raw);
        }
        let letter = Letter {
            door: Door::Edge,
            client: Client {
                name: Door::Edge.host().to_owned(),
                extended: true,
                ..Client::default()
            },
            sender: mail.sender,
            full: false,
            envelope_id: None,
            gtube: is_gtube(&mail.raw),
            malware: is_malware(&mail.raw),
            data: mail.raw,
            _room: room,
            queue_id: self.queue_id(),
            arrived: (self.clock)(),
        };
        let recipient = Recipient {
            address: mail.recipient,
            notify: Notify::default(),
            original: None,
            destination,
        };
        self.deliver(&Arc::new(letter), recipient);
    }

    /// Puts mail that the office writes itself into the inbox behind an address, if it has one; fates do not apply.
    fn post(&self, envelope_sender: &str, to: &str, raw: &[u8]) {
        if let Ok(destination) = self.directory.find(to) {
            if let (Fate::Tenant, Some(tenant)) = (&destination.fate, self.tenant.get()) {
                tenant.take(tenant::Letter {
                    sender: envelope_sender,
                    recipient: to,
                    raw,
                    from_ip: "203.0.113.9",
                    internal: false,
                    spam: false,
                });
                return;
            }
            let now = (self.clock)();
            let head = format!("Return-Path: <{envelope_sender}>\r\nDelivered-To: {to}\r\n");
            let raw = [head.as_bytes(), raw].concat();
            // A full store drops its own reports, as a bounce of a bounce would be.
            let _ = self
                .store
                .append(&destination.mailbox, Place::Inbox, Arc::from(raw), BTreeSet::new(), now);
        }
    }
}

struct Delivery {
    office: Arc<Office>,
    letter: Arc<Letter>,
    recipient: Recipient,
}

impl Delivery {
    fn begin(self) {
        let office = Arc::clone(&self.office);
        match &self.recipient.destination.fate {
            Fate::List => self.expand(),
            Fate::Bounce(status) => self.bounce(status),
            Fate::Reject(refusal) => self.bounce(&refusal.status),
            Fate::Tenant => self.to_tenant(),
            Fate::Lost => {}
            Fate::Late(pause) => office.later(*pause, move |_| self.into_mailbox()),
            Fate::Delayed => {
                self.notify(Action::Delayed, "4.2.0", "450 4.2.0 Mailbox temporarily unavailable");
                office.later(DELAY, move |_| self.into_mailbox());
            }
            _ => self.into_mailbox(),
        }
    }

    /// Hands the message to the tenant, which does its own notifying.
    fn to_tenant(&self) {
        if let Some(tenant) = self.office.tenant.get() {
            let raw = [self.received().as_bytes(), &self.letter.data].concat();
            let from_ip = self.letter.client.address.map(|a| a.to_string()).unwrap_or_default();
            tenant.take(tenant::Letter {
                sender: &self.letter.sender,
                recipient: &self.recipient.address,
                raw: &raw,
                from_ip: &from_ip,
                internal: false,
                spam: self.letter.gtube || self.letter.malware,
            });
        }
    }

    /// Stores the message where its fate says, and tells the sender if that was asked for.
    fn into_mailbox(self) {
        let data = &self.letter.data;
        let mine = self.recipient.destination.mailbox.clone();
        let spam = self.letter.gtube;
        let inbox = if spam { Place::Role(Role::Junk) } else { Place::Inbox };
        let outcome = match &self.recipient.destination.fate {
            // A gateway that holds a message does not call it delivered.
            _ if self.letter.malware => self.put(QUARANTINE, Place::Inbox, data, true).map(|_| false),
            Fate::Held => self.put(QUARANTINE, Place::Inbox, data, true).map(|_| false),
            Fate::Elsewhere => self.put(SOMEONE_ELSE, inbox, data, spam).map(|_| true),
            Fate::Junk => self.put(&mine, Place::Role(Role::Junk), data, true).map(|_| true),
            Fate::Folder if !spam => self.put(&mine, Place::Named(ALERTS), data, spam).map(|_| true),
            Fate::Deleted => self.put(&mine, Place::Role(Role::Trash), data, spam).map(|_| true),
            Fate::Twice => self
                .put(&mine, inbox, data, spam)
                .and_then(|_| self.put(&mine, inbox, data, spam))
                .map(|_| true),
            Fate::HangsLogin => self.put(&mine, inbox, data, spam).map(|_| false),
            Fate::Altered => self.put(&mine, inbox, &alter::links_rewritten(data), spam).map(|_| true),
            Fate::Stripped => self
                .put(&mine, inbox, &alter::stripped(data, &self.office.message_id()), spam)
                .map(|_| true),
            Fate::Wrapped => {
                let arrived = self.letter.arrived.to_rfc2822();
                let inner = [self.received().as_bytes(), data].concat();
                self.put(&mine, inbox, &alter::wrapped(&inner, &self.office.message_id(), &arrived), spam)
                    .map(|_| true)
            }
            fate => {
                let stored = self.put(&mine, inbox, data, spam);
                if let Ok(uid) = stored {
                    self.afterwards(fate, &mine, uid, spam);
                }
                stored.map(|_| true)
            }
        };
        match outcome {
            Ok(true) => self.notify(Action::Delivered, "2.0.0", "250 2.0.0 Stored in the mailbox"),
            Ok(false) => {}
            Err(_) => self.notify(Action::Failed, "5.3.1", "552 5.3.1 The post office is full"),
        }
    }

    /// What happens to a message, or because of it, after it was stored.
    fn afterwards(&self, fate: &Fate, mailbox: &str, uid: u32, spam: bool) {
        let mailbox = mailbox.to_owned();
        match fate {
            Fate::Moved if !spam => self.office.later(SECOND_THOUGHT, move |office| {
                // Gone already if somebody deleted it meanwhile.
                let _ = office.store.shift(&mailbox, "INBOX", Place::Role(Role::Junk), |u| u == uid);
            }),
            Fate::Vanishes if !spam => self.office.later(SECOND_THOUGHT, move |office| {
                let _ = office
                    .store
                    .change(&mailbox, |m, _| m.folder_mut(Place::Inbox).map(|f| f.take(|u| u == uid)));
            }),
            Fate::Vacation if !self.letter.sender.is_empty() && !answer::must_not_answer(&self.letter.data) => {
                // RFC 3834 section 3.3: an automatic reply has a null return path.
                self.reply("", &self.letter.sender, answer::vacation);
            }
            Fate::Answered => {
                let author = answer::author(&self.letter.data).filter(|a| self.office.directory.find(a).is_ok());
                let person = &self.recipient.destination.mailbox;
                self.reply(person, author.as_deref().unwrap_or(&self.letter.sender), answer::by_person);
            }
            _ => {}
        }
    }

    fn reply(&self, envelope_sender: &str, to: &str, write: fn(&Reply<'_>) -> Vec<u8>) {
        let (message_id, date) = (self.office.message_id(), (self.office.clock)().to_rfc2822());
        let from = self.recipient.destination.mailbox.as_str();
        self.office.post(
            envelope_sender,
            to,
            &write(&Reply {
                from,
                to,
                message: &self.letter.data,
                message_id: &message_id,
                date: &date,
            }),
        );
    }

    /// A list: its members get the message, and hear of it as RFC 3461, section 5.2.7, lets them.
    fn expand(&self) {
        self.notify(Action::Expanded, "2.0.0", "250 2.0.0 Sent on to the members");
        let original = self
            .recipient
            .original
            .clone()
            .unwrap_or_else(|| format!("rfc822;{}", self.recipient.address));
        let notify = Notify {
            success: false,
            ..self.recipient.notify
        };
        for address in members(&self.recipient.destination.domain) {
            if let Ok(destination) = self.office.directory.find(&address) {
                let member = Recipient {
                    address,
                    notify,
                    original: Some(original.clone()),
                    destination,
                };
                self.office.deliver(&self.letter, member);
            }
        }
    }

    fn bounce(&self, status: &str) {
        let code = match status {
            "5.2.2" | "5.2.3" => 552,
            "5.7.1" | "5.7.26" => 554,
            _ if status.starts_with('4') => 451,
            _ => 550,
        };
        let diagnostic = format!("{code} {status} {}", meaning(status));
        self.notify(Action::Failed, status, &diagnostic);
    }

    /// Writes a notification to the sender, if there is one who wants it (RFC 3461, section 6.2).
    fn notify(&self, action: Action, status: &str, diagnostic: &str) {
        let letter = &self.letter;
        let Notify { success, failure, delay } = self.recipient.notify;
        let wanted = match action {
            Action::Failed => failure,
            Action::Delayed => delay,
            Action::Delivered | Action::Expanded => success,
        };
        if letter.sender.is_empty() || !wanted {
            return;
        }
        let message = [self.received().as_bytes(), &letter.data].concat();
        let report = Report {
            host: STORE,
            to: &letter.sender,
            action,
            status,
            diagnostic,
            envelope_id: letter.envelope_id.as_deref(),
            original_recipient: self.recipient.original.as_deref(),
            final_recipient: &self.recipient.address,
            arrived: letter.arrived,
            full: letter.full,
            message: &message,
            message_id: &self.office.message_id(),
            now: (self.office.clock)(),
        };
        self.office.post("", &letter.sender, &bounce::render(&report));
    }

    /// Final delivery: trace headers on top, then the message; returns its UID.
    fn put(&self, mailbox: &str, place: Place<'_>, raw: &[u8], spam: bool) -> Result<u32, StoreError> {
        let own = self.recipient.destination.mailbox == mailbox || mailbox == CATCH_ALL;
        let to = if own { self.recipient.address.as_str() } else { mailbox };
        let now = (self.office.clock)();
        let Letter {
            sender, queue_id, door, ..
        } = &*self.letter;
        // A journal report is the journal's own mail.
        let sender = if self.recipient.destination.fate == Fate::Wrapped {
            JOURNAL
        } else {
            sender
        };
        let (host, date) = (door.host(), now.to_rfc2822());
        let verdict = match (spam, self.letter.gtube) {
            (_, true) => "X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=1000.0 required=5.0 tests=GTUBE autolearn=no\r\n",
            (true, false) => "X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=7.3 required=5.0 tests=BAYES_99,URIBL_BLACK autolearn=no\r\n",
            (false, false) => "X-Spam-Status: No, score=-0.1 required=5.0 tests=NONE autolearn=no\r\n",
        };
        let received = self.received();
        let authentication = if door.is_submission() {
            String::new()
        } else {
            self.authentication()
        };
        let top = format!(
            "Return-Path: <{sender}>\r\nDelivered-To: {to}\r\n\
             Received: from {host} ({host} [127.0.0.1])\r\n\tby {STORE} with LMTP id {queue_id}\r\n\tfor <{to}>; {date}\r\n\
             X-Spam-Checker-Version: SpamAssassin 4.0.1 on {STORE}\r\n{verdict}{received}{authentication}"
        );
        let stored = if *door == Door::GatewayB {
            headers::replaced(raw, "Subject", |subject| format!("[EXTERNAL] {subject}"))
        } else {
            raw.to_vec()
        };
        let raw = [top.as_bytes(), &stored].concat();
        let (_, uid) = self.office.store.append(mailbox, place, Arc::from(raw), BTreeSet::new(), now)?;
        Ok(uid)
    }

    /// The Received header of the door (RFC 5321, section 4.4).
    fn received(&self) -> String {
        let Letter {
            client,
            door,
            queue_id,
            arrived,
            ..
        } = &*self.letter;
        let address = client.address.map_or_else(|| "unknown".to_owned(), |a| a.to_string());
        let tls = client
            .tls
            .map(|(version, cipher)| format!("\r\n\t(using {} with cipher {cipher})", version.replace('_', ".")));
        let with = match (client.extended, client.tls.is_some(), client.authenticated) {
            (false, ..) => "SMTP",
            (true, false, false) => "ESMTP",
            (true, true, false) => "ESMTPS",
            (true, false, true) => "ESMTPA",
            (true, true, true) => "ESMTPSA",
        };
        format!(
            "Received: from {} (localhost [{address}]){}\r\n\tby {} with {with} id {queue_id}\r\n\tfor <{}>; {}\r\n",
            client.name,
            tls.unwrap_or_default(),
            door.host(),
            self.recipient.address,
            arrived.to_rfc2822()
        )
    }

    /// What a gateway of this little world thinks of the sender: a domain of ours that agrees with From passes (RFC 8601).
    fn authentication(&self) -> String {
        let domain = |address: &str| address.rsplit_once('@').map(|(_, d)| d.to_ascii_lowercase()).unwrap_or_default();
        let envelope = domain(&self.letter.sender);
        let from = answer::from(&self.letter.data).map(|a| domain(&a)).unwrap_or_default();
        let ours = |d: &str| self.office.directory.serves(d);
        let spf = if envelope.is_empty() {
            "none"
        } else if ours(&envelope) {
            "pass"
        } else {
            "fail"
        };
        let dmarc = if spf == "pass" && from == envelope { "pass" } else { "fail" };
        let host = self.letter.door.host();
        // The name in From is the sender's text: it only stands here if it is a domain of ours.
        let from = if ours(&from) { from } else { "invalid".to_owned() };
        let envelope = if ours(&envelope) { envelope } else { "invalid".to_owned() };
        format!("Authentication-Results: {host};\r\n\tspf={spf} smtp.mailfrom={envelope}; dkim=none; dmarc={dmarc} header.from={from}\r\n")
    }
}
