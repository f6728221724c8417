//! What a probe still waits for. The loop asks this after each event; it never decides anything by itself.

use super::Ledger;
use crate::model::{Dsn, DsnAction, MailboxName, Time, time};
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
    /// Whether all other watched mailboxes must be looked at too, now that this time has come and none of those meant has it.
    pub look_everywhere: bool,
    /// When to ask again at the latest, without an event.
    pub wake: Option<Time>,
}

impl Ledger {
    /// How the probe stands at `now`.
    pub fn stand(&self, index: usize, now: Time) -> Stand {
        let record = self.record(index);
        let Some(sent_at) = self.sent_at(index) else {
            return if self.resumed() {
                Stand::Decided
            } else {
                Stand::Waiting(Wait::without_end("to be sent"))
            };
        };
        if record.halted() && self.resumed() && record.never_left() {
            return Stand::Decided;
        }
        if !record.over() && !self.resumed() {
            // It may arrive before the final reply is read.
            return Stand::Waiting(Wait {
                outstanding: true,
                ..Wait::without_end("sending")
            });
        }
        let never_left = record.unreachable() && !record.shows_signs();
        if never_left || (record.refused() && self.arrived(index).is_empty()) || self.places(index).is_empty() {
            return Stand::Decided;
        }
        let probe = self.probe(index);
        let complete = self.is_complete(index);
        let give_up = time::later(sent_at, probe.give_up_after);
        let settled = self.last_news(index).map(|news| time::later(news, probe.settle));
        // Whatever has vanished may lie where a look has just passed by: only a look that begins later proves that it is nowhere.
        let vanished = record.copies.iter().filter(|held| !self.is_present(index, held));
        let vanished = vanished.filter_map(|held| held.gone.map(|gone| gone.noticed)).max();
        let target = settled.max(vanished).max((!complete).then_some(give_up)).unwrap_or(give_up);
        // A loop brings copy after copy: the run does not wait for its end.
        let end = time::later(self.taken_up().map_or(give_up, |taken_up| taken_up.max(give_up)), probe.settle);
        self.wait_for_look(index, target.min(end), complete, now)
    }

    /// Waits for `target`, then for a look that began after it at every place that is not blind.
    fn wait_for_look(&self, index: usize, target: Time, complete: bool, now: Time) -> Stand {
        let grace = self.probe(index).settle;
        // Nobody is late with a look before anybody was there to make it.
        let from = self.taken_up().map_or(target, |taken_up| taken_up.max(target));
        let places = self.places(index);
        // A copy may also have been led astray: before the worst is said, every mailbox at hand is asked.
        let astray = self
            .plan()
            .mailboxes
            .iter()
            .filter(|name| !complete && !places.contains(name) && !self.is_trace(name));
        let mut wake = None;
        let mut answer_due = target;
        for mailbox in places.iter().copied().chain(astray) {
            // Nothing that a trace could add would change what is complete, and its answer takes its time.
            if self.looked(mailbox) >= Some(target) || (complete && self.is_trace(mailbox)) {
                continue;
            }
            // Blind: sight may come back within the grace; then it is decided without it.
            let blind = self.sight(mailbox).is_some_and(|sight| sight.blind.is_some());
            let end = if blind {
                time::later(from, grace)
            } else {
                let due = self.answer_due(mailbox, from);
                if self.is_trace(mailbox) {
                    answer_due = answer_due.max(due);
                }
                time::later(due, SILENCE)
            };
            if now < end {
                wake = wake.max(Some(end));
            }
        }
        if now >= target && wake.is_none() {
            return Stand::Decided;
        }
        let state = match (now < target, complete) {
            (true, true) => "settling",
            (true, false) => "arrival",
            (false, _) if answer_due > target => "the trace",
            (false, _) => "last look",
        };
        Stand::Waiting(Wait {
            state,
            until: Some(if now < target { target } else { answer_due }),
            outstanding: !complete,
            look_at: Some(target),
            look_everywhere: !complete && now >= target,
            wake: if now < target { Some(target) } else { wake },
        })
    }

    /// Whether nothing more needs to come: each mailbox meant has had its copy or its refusal, or is missing one that a quarantine holds.
    fn is_complete(&self, index: usize) -> bool {
        let recipient = self.plan().recipient(self.probe(index));
        let held = self.quarantined(index).filter(|held| self.is_present(index, held)).count();
        if recipient.meant.is_empty() {
            let returned = self.failure(index).is_some_and(is_certain);
            return held > 0 || returned || self.is_said_stored(index, None) || self.decisive_row(index, None).is_some();
        }
        // What vanished may have been taken into a quarantine that only a trace shows.
        let traced = self.has_trace(index);
        let is_there = |mailbox: &MailboxName| {
            self.has_arrived(index, mailbox) && (!traced || self.copies_of(index, mailbox).any(|held| self.is_present(index, held)))
        };
        let is_missing = |mailbox: &&MailboxName| {
            !is_there(mailbox)
                && !self.failure_of(index, mailbox).is_some_and(is_certain)
                && self.decisive_row(index, Some(mailbox)).is_none()
        };
        recipient.meant.iter().filter(is_missing).count() <= held
    }

    /// When the last copy, or the last notification that is final, was news.
    fn last_news(&self, index: usize) -> Option<Time> {
        let record = self.record(index);
        let is_final = |dsn: &&Dsn| is_certain(dsn) && matches!(dsn.action, DsnAction::Failed | DsnAction::Delivered);
        let notices = record.notifications.iter().filter(is_final).map(|dsn| dsn.at);
        let meant = &self.plan().recipient(self.probe(index)).meant;
        let meant = meant.iter().map(Some).chain(meant.is_empty().then_some(None));
        // What a copy or a bounce has decided already, a row does not prolong.
        let is_open = |meant: &Option<&MailboxName>| {
            let returned = meant.map_or_else(|| self.failure(index), |mailbox| self.failure_of(index, mailbox));
            !returned.is_some_and(is_certain) && !self.best_copy(index, *meant).is_some_and(|held| self.is_present(index, held))
        };
        let rows = meant
            .filter(is_open)
            .filter_map(|meant| self.decisive_row(index, meant))
            .map(|row| row.at);
        record.copies.iter().map(|held| held.news).chain(notices).chain(rows).max()
    }
}

/// Whether a notification is bound by a tag. One that is bound by a guess may be about another message: a copy may still come.
fn is_certain(dsn: &Dsn) -> bool {
    !dsn.guessed
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
