//! What a delivery writes into the trace: rows with their statuses to come, and the events of the details.
//!
//! Cannot see mailboxes.

use chrono::{SubsecRound, TimeDelta};

use super::super::{fate::meaning, headers};
use super::deliver::{Delivery, HOST};
use super::trace::{Event, Row, Status};
use super::world::State;

impl Delivery<'_> {
    /// A row for a message that reached its mailbox.
    pub fn delivered(&self, state: &mut State) {
        self.settled(state, Status::Delivered, "", self.deliver_event());
    }

    /// A row that shows its last word after the delay and the lag.
    pub fn settled(&self, state: &mut State, status: Status, to_ip: &str, last: Event) {
        self.trace(state, &[(TimeDelta::zero(), status)], to_ip, vec![last]);
    }

    /// Writes a row whose statuses follow each other at these times after the arrival.
    pub fn trace(&self, state: &mut State, statuses: &[(TimeDelta, Status)], to_ip: &str, more: Vec<Event>) {
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

    /// An event of now.
    pub fn event(&self, name: &'static str, description: String) -> Event {
        Event {
            at: self.now,
            name,
            description,
            data: format!("<root><MEP Name=\"ServerHostName\" String=\"{HOST}\"/></root>"),
        }
    }

    /// The event of a delivery.
    pub fn deliver_event(&self) -> Event {
        self.event("Deliver", "The message was successfully delivered.".to_owned())
    }

    /// The event of a delay.
    pub fn deferred(&self) -> Event {
        self.event(
            "Defer",
            "Reason: [{LED=450 4.2.0 Mailbox temporarily unavailable};{MSG=};{FQDN=};{IP=};{LRT=}]".to_owned(),
        )
    }

    /// The event of the filter.
    pub fn spam_event(&self) -> Event {
        self.event("Spam", "The message was identified as spam by the content filter.".to_owned())
    }
}

/// What the service writes behind `LED=`.
pub fn diagnostic(status: &str) -> String {
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
