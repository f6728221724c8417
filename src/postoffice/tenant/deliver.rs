//! Delivery: takes a message and does with it, for each recipient, what the fate says, and writes the trace of it.
//!
//! Cannot see how a message came in: by SMTP through the post office, by `sendMail`, or by the hand of a test.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use mail_parser::MessageParser;

use super::super::bounce::{self, Action, Report};
use super::super::headers;
use super::Outgoing;
use super::fate::Fate;
use super::ledger::diagnostic;
use super::residents::{Resident, guid};
use super::stamp::{Stamp, stamped};
use super::store::{Parcel, Place};
use super::trace::Status;
use super::world::{State, World};

/// Who writes notifications.
pub const HOST: &str = "store.prod.tenant.example";
/// The mail system that some addresses are handed over to (RFC 5737).
const ELSEWHERE: &str = "203.0.113.77";

/// A message for one recipient.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The envelope sender; empty for the null sender.
    pub sender: &'a str,
    /// The recipient.
    pub recipient: &'a str,
    /// The message as it came.
    pub raw: &'a [u8],
    /// Who brought it, as an IP address; empty for mail from inside.
    pub from_ip: &'a str,
    /// Whether it was submitted inside the tenant.
    pub internal: bool,
    /// Whether it is the test for spam filters.
    pub spam: bool,
}

impl World {
    /// Delivers a message to one recipient, of the tenant or outside.
    pub fn deliver(&self, letter: Letter<'_>) {
        let mut leaving = Vec::new();
        {
            let mut state = self.state();
            self.deliver_into(&mut state, letter, &mut leaving);
        }
        self.send_out(leaving);
    }

    fn deliver_into(&self, state: &mut State, letter: Letter<'_>, leaving: &mut Vec<Outgoing>) {
        let now = self.now();
        let message_id = headers::first(letter.raw, "Message-ID").unwrap_or_default();
        let network_id = guid(&[&message_id, letter.sender, &now.timestamp_millis().to_string()]);
        let delivery = Delivery {
            world: self,
            letter,
            now,
            network_id,
            message_id,
        };
        match self.residents.find(letter.recipient) {
            Some(resident) => delivery.to_resident(state, &resident, leaving),
            None if letter.recipient.rsplit_once('@').is_some_and(|(_, d)| self.residents.serves(d)) => {
                delivery.returned(state, "5.1.10", leaving);
            }
            None => delivery.to_outside(state, leaving),
        }
    }
}

/// A message on its way to one recipient.
pub struct Delivery<'a> {
    /// The tenant.
    pub world: &'a World,
    /// The message.
    pub letter: Letter<'a>,
    /// When it came.
    pub now: DateTime<Utc>,
    /// Its id in the trace.
    pub network_id: String,
    /// Its Message-ID.
    pub message_id: String,
}

impl Delivery<'_> {
    fn to_resident(&self, state: &mut State, resident: &Resident, leaving: &mut Vec<Outgoing>) {
        if !state.store.has_room(self.letter.raw.len()) {
            return self.returned(state, "5.2.2", leaving);
        }
        let filtered = !self.letter.internal || self.world.config.filters_internal;
        let zap = self.now + self.world.config.zap_after;
        match &resident.meaning.fate {
            Fate::Lost => {}
            Fate::Pending => self.trace(state, &[(TimeDelta::zero(), Status::Pending)], "", vec![self.deferred()]),
            Fate::GettingStatus => self.trace(state, &[(TimeDelta::zero(), Status::Unknown)], "", Vec::new()),
            Fate::Quarantined if filtered => self.settled(state, Status::Quarantined, "", self.spam_event()),
            Fate::FilteredAsSpam if filtered => self.settled(state, Status::FilteredAsSpam, "", self.spam_event()),
            Fate::Returned(status) => self.returned(state, status, leaving),
            Fate::HandedOver => {
                let text = format!("Message transferred to: {ELSEWHERE}");
                self.settled(state, Status::Delivered, ELSEWHERE, self.event("Send", text));
            }
            Fate::Redirected => self.delivered(state),
            Fate::List => {
                self.settled(
                    state,
                    Status::Expanded,
                    "",
                    self.event("Expand", "The list was expanded.".to_owned()),
                );
                self.to_members(state, leaving);
            }
            Fate::Group { closed: true } if !self.letter.internal => self.returned(state, "5.7.133", leaving),
            Fate::Group { .. } => {
                let raw = self.stamped('I', false);
                let subject = MessageParser::default()
                    .parse_headers(&*raw)
                    .and_then(|message| message.subject().map(str::to_owned));
                state.store.post(&resident.address, &subject.unwrap_or_default(), raw, self.now);
                self.delivered(state);
            }
            Fate::Late(pause) => {
                let pause = TimeDelta::from_std(*pause).unwrap_or_default();
                state.store.put_at(self.now + pause, self.parcel(resident, "inbox", false));
                let steps = [(TimeDelta::zero(), Status::Pending), (pause, Status::Delivered)];
                self.trace(state, &steps, "", vec![self.deferred()]);
            }
            Fate::ZapJunk if filtered => {
                let serial = state.store.put(self.parcel(resident, "inbox", false), self.now);
                state.store.move_at(zap, resident, serial, Place::WellKnown("junkemail"));
                self.delivered(state);
            }
            Fate::ZapQuarantine if filtered => {
                let serial = state.store.put(self.parcel(resident, "inbox", false), self.now);
                state.store.remove_at(zap, resident, serial);
                let steps = [(TimeDelta::zero(), Status::Delivered), (zap - self.now, Status::Quarantined)];
                self.trace(state, &steps, "", vec![self.deliver_event()]);
            }
            fate => {
                self.store(state, resident, fate, filtered);
                self.delivered(state);
            }
        }
    }

    /// The fates that end in a folder at once.
    fn store(&self, state: &mut State, resident: &Resident, fate: &Fate, filtered: bool) {
        let spam = filtered && (self.letter.spam || *fate == Fate::Junk);
        let folder = match fate {
            _ if spam => "junkemail",
            Fate::RuleDeleted => "deleteditems",
            _ => "inbox",
        };
        let mut parcel = self.parcel(resident, folder, spam);
        parcel.other = *fate == Fate::Other;
        if *fate == Fate::RuleMoved && !spam {
            parcel.place = Place::OfRule;
        }
        if *fate == Fate::Twice {
            state.store.put(parcel.clone(), self.now);
        }
        state.store.put(parcel, self.now);
    }

    fn to_members(&self, state: &mut State, leaving: &mut Vec<Outgoing>) {
        for member in self.world.residents.members() {
            let letter = Letter {
                recipient: &member,
                ..self.letter
            };
            self.world.deliver_into(state, letter, leaving);
        }
    }

    fn to_outside(&self, state: &mut State, leaving: &mut Vec<Outgoing>) {
        let text = format!("Message transferred to: {ELSEWHERE}");
        self.settled(state, Status::Delivered, ELSEWHERE, self.event("Send", text));
        leaving.push(Outgoing {
            sender: self.letter.sender.to_owned(),
            recipient: self.letter.recipient.to_owned(),
            raw: headers::without(self.letter.raw, |name| name.eq_ignore_ascii_case("bcc")),
        });
    }

    fn parcel(&self, resident: &Resident, folder: &'static str, spam: bool) -> Parcel {
        Parcel {
            to: resident.clone(),
            place: Place::WellKnown(folder),
            raw: self.stamped(if spam { 'J' } else { 'I' }, spam),
            other: false,
            sent: false,
        }
    }

    fn stamped(&self, destination: char, spam: bool) -> Arc<[u8]> {
        let raw = stamped(
            self.letter.raw,
            &Stamp {
                tenant: &self.world.config.id,
                network_id: &self.network_id,
                internal: self.letter.internal,
                spam,
                destination,
                // The sender's own text, but without what could break a header field.
                domain: &domain(self.letter.sender),
                from_ip: self.letter.from_ip,
                now: self.now,
            },
        );
        Arc::from(raw)
    }

    /// Gives the message up and tells the sender.
    fn returned(&self, state: &mut State, status: &str, leaving: &mut Vec<Outgoing>) {
        let diagnostic = diagnostic(status);
        let mut fail = self.event(
            "Fail",
            format!("Reason: [{{LED={diagnostic}}};{{MSG=}};{{FQDN=}};{{IP=}};{{LRT=}}]"),
        );
        fail.data = format!("<root><MEP Name=\"RecipientStatus\" String=\"[{{LED={diagnostic}}}]\"/></root>");
        self.settled(state, Status::Failed, "", fail);
        let sender = self.letter.sender;
        if sender.is_empty() {
            return;
        }
        let message_id = format!("<{}@{HOST}>", guid(&["ndr", &self.network_id, self.letter.recipient]));
        let report = Report {
            host: HOST,
            to: sender,
            action: Action::Failed,
            status,
            diagnostic: &diagnostic,
            envelope_id: None,
            original_recipient: None,
            final_recipient: self.letter.recipient,
            arrived: self.now,
            full: false,
            message: self.letter.raw,
            message_id: &message_id,
            now: self.now,
        };
        let raw = bounce::render(&report);
        match self.world.residents.find(sender).filter(Resident::has_mailbox) {
            Some(resident) => {
                state.store.put(
                    Parcel {
                        to: resident,
                        place: Place::WellKnown("inbox"),
                        raw: Arc::from(raw),
                        other: false,
                        sent: false,
                    },
                    self.now,
                );
            }
            None => leaving.push(Outgoing {
                sender: String::new(),
                recipient: sender.to_owned(),
                raw,
            }),
        }
    }
}

fn domain(sender: &str) -> String {
    let domain = sender.rsplit_once('@').map_or("invalid", |(_, domain)| domain);
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    domain.chars().filter(plain).collect()
}
