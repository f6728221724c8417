//! What a probe still waits for. The loop asks this after each event; it never decides anything by itself.

use super::{Ledger, ledger::Record};
use crate::model::{DsnAction, MailboxName, Time, time};
use std::time::Duration;

/// How long after the wanted time a watcher may stay silent before its mailbox counts as blind: far above every time-out that it has itself.
const SILENCE: Duration = Duration::from_mins(5);

/// How a probe stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
    /// Its verdict will not change any more.
    Decided,
    /// It waits.
    Waiting(Wait),
}

/// What a probe waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// In words, for the live view.
    pub state: &'static str,
    /// The time that must come first, if it is known.
    pub until: Option<Time>,
    /// Whether a copy may turn up at any moment.
    pub outstanding: bool,
    /// A look at every place, begun at this time or later, must follow.
    pub look_at: Option<Time>,
    /// Whether all other watched mailboxes must be looked at too, since none of those meant has it.
    pub look_everywhere: bool,
    /// When to ask again at the latest, without an event.
    pub wake: Option<Time>,
}

impl Ledger {
    /// How the probe stands at `now`.
    pub fn stand(&self, index: usize, now: Time) -> Stand {
        let record = self.record(index);
        let Some(sent_at) = self.sent_at(index) else {
            let state = "to be sent";
            return if self.resumed() {
                Stand::Decided
            } else {
                Stand::Waiting(Wait::without_end(state))
            };
        };
        if !record.over && !self.resumed() {
            return Stand::Waiting(Wait {
                outstanding: !record.attempts.is_empty(),
                ..Wait::without_end("sending")
            });
        }
        if record.copies.is_empty() && (record.refused() || record.unreachable()) {
            return Stand::Decided;
        }
        if self.places(index).is_empty() {
            return Stand::Decided;
        }
        let probe = self.probe(index);
        let settled = record.last_news.map(|news| time::later(news, probe.settle));
        let complete = self.is_complete(index);
        let give_up = time::later(sent_at, probe.give_up_after);
        let target = if complete {
            settled.unwrap_or(give_up)
        } else {
            settled.map_or(give_up, |settled| settled.max(give_up))
        };
        self.wait_for_look(index, target, complete, now)
    }

    /// Waits for `target`, then for a look that began after it at every place that is not blind.
    fn wait_for_look(&self, index: usize, target: Time, complete: bool, now: Time) -> Stand {
        let grace = self.probe(index).settle;
        let places = self.places(index);
        // A copy may also have been led astray: before the worst is said, every mailbox at hand is asked.
        let astray = self.plan().mailboxes.iter().filter(|name| !complete && !places.contains(name));
        let mut wake = None;
        let mut missing = false;
        for mailbox in places.iter().copied().chain(astray) {
            let sight = self.sight(mailbox);
            if sight.and_then(|sight| sight.looked).is_some_and(|looked| looked >= target) {
                continue;
            }
            // Blind: sight may come back within the grace; then it is decided without it.
            let patience = if sight.is_some_and(|sight| sight.blind.is_some()) {
                grace
            } else {
                SILENCE
            };
            let end = time::later(target, patience);
            if now < end {
                missing = true;
                wake = wake.max(Some(end));
            }
        }
        if !missing {
            return Stand::Decided;
        }
        let state = match (now < target, complete) {
            (true, true) => "settling",
            (true, false) => "arrival",
            (false, _) => "last look",
        };
        Stand::Waiting(Wait {
            state,
            until: Some(target),
            outstanding: !complete,
            look_at: Some(target),
            look_everywhere: !complete,
            wake: if now < target { Some(target) } else { wake },
        })
    }

    /// Whether nothing more needs to come: each mailbox meant has had its copy or its refusal, or a quarantine holds the message.
    fn is_complete(&self, index: usize) -> bool {
        let record = self.record(index);
        let recipient = self.plan().recipient(self.probe(index));
        let held = recipient
            .quarantine
            .mailboxes()
            .iter()
            .any(|mailbox| record.copies_in(mailbox).next().is_some());
        let reached = |mailbox: &MailboxName| record.copies_in(mailbox).next().is_some() || self.failure_of(index, mailbox).is_some();
        if recipient.meant.is_empty() {
            return held
                || record
                    .notifications
                    .iter()
                    .any(|dsn| matches!(dsn.action, DsnAction::Failed | DsnAction::Delivered));
        }
        held || recipient.meant.iter().all(reached)
    }
}

impl Wait {
    fn without_end(state: &'static str) -> Self {
        Self {
            state,
            until: None,
            outstanding: false,
            look_at: None,
            look_everywhere: false,
            wake: None,
        }
    }
}

impl Record {
    /// Whether a notification says that it is on its way, only later.
    pub fn is_delayed(&self) -> bool {
        self.attempts
            .iter()
            .any(|tried| tried.answered && tried.attempt.reply.is_transient())
            || self.notifications.iter().any(|dsn| dsn.action == DsnAction::Delayed)
    }
}
