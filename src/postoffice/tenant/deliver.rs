//! Delivery: takes a message and does with it, for each recipient, what the fate says, and writes the trace of it.
//!
//! Cannot see how a message came in: by SMTP through the post office, by `sendMail`, or by the hand of a test.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::super::bounce::{self, Action, Report};
use super::super::{fate::meaning, headers};
use super::Outgoing;
use super::fate::Fate;
use super::residents::{Resident, guid};
use super::stamp::{Stamp, stamped};
use super::store::{Parcel, Place};
use super::trace::{Event, Row, Status};
use super::world::{State, World};

/// Who writes notifications.
const HOST: &str = "store.prod.tenant.example";
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

struct Delivery<'a> {
    world: &'a World,
    letter: Letter<'a>,
    now: DateTime<Utc>,
    network_id: String,
    message_id: String,
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
            Fate::Group => {
                let raw = self.stamped('I', false);
                state.store.post(&resident.address, raw, self.now);
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

    fn delivered(&self, state: &mut State) {
        self.settled(state, Status::Delivered, "", self.deliver_event());
    }

    /// A row that shows its last word after the delay and the lag.
    fn settled(&self, state: &mut State, status: Status, to_ip: &str, last: Event) {
        self.trace(state, &[(TimeDelta::zero(), status)], to_ip, vec![last]);
    }

    /// Writes a row whose statuses follow each other at these times after the arrival.
    fn trace(&self, state: &mut State, statuses: &[(TimeDelta, Status)], to_ip: &str, more: Vec<Event>) {
        let (delay, lag) = (self.world.config.trace_delay, self.world.config.status_lag);
        let mut steps = Vec::new();
        if lag > TimeDelta::zero() {
            steps.push((self.now + delay, Status::Unknown));
        }
        steps.extend(statuses.iter().map(|(after, status)| (self.now + *after + delay + lag, *status)));
        let receive = self.event("Receive", format!("Message received by: {HOST}"));
        state.trace.push(Row {
            id: self.network_id.clone(),
            message_id: self.message_id.clone(),
            sender: self.letter.sender.to_owned(),
            recipient: self.letter.recipient.to_owned(),
            // The trace knows whole seconds.
            received: self.now.trunc_subsecs(0),
            subject: headers::first(self.letter.raw, "Subject")
                .unwrap_or_default()
                .chars()
                .take(256)
                .collect(),
            size: self.letter.raw.len(),
            from_ip: self.letter.from_ip.to_owned(),
            to_ip: to_ip.to_owned(),
            steps,
            events: [vec![receive], more].concat(),
        });
    }

    fn event(&self, name: &'static str, description: String) -> Event {
        Event {
            at: self.now,
            name,
            description,
            data: format!("<root><MEP Name=\"ServerHostName\" String=\"{HOST}\"/></root>"),
        }
    }

    fn deliver_event(&self) -> Event {
        self.event("Deliver", "The message was successfully delivered.".to_owned())
    }

    fn deferred(&self) -> Event {
        self.event(
            "Defer",
            "Reason: [{LED=450 4.2.0 Mailbox temporarily unavailable};{MSG=};{FQDN=};{IP=};{LRT=}]".to_owned(),
        )
    }

    fn spam_event(&self) -> Event {
        self.event("Spam", "The message was identified as spam by the content filter.".to_owned())
    }
}

fn domain(sender: &str) -> String {
    let domain = sender.rsplit_once('@').map_or("invalid", |(_, domain)| domain);
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    domain.chars().filter(plain).collect()
}

/// What the service writes behind `LED=`.
fn diagnostic(status: &str) -> String {
    let code = if status.starts_with('4') { 450 } else { 550 };
    let text = match status {
        "5.1.10" => "RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "5.7.133" => "RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required",
        "5.7.124" => "RESOLVER.RST.NotAuthorizedToGroup; not authorised to send to the group",
        "5.7.900" => "TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy",
        "5.2.2" => "STOREDRV.Deliver; mailbox full",
        other => meaning(other),
    };
    format!("{code} {status} {text}")
}
