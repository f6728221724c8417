//! What is known of one probe: every attempt, copy, notification and answer. What it cannot see: the mailboxes around them.

use crate::model::{Attempt, Copy, Dsn, DsnAction, MailboxName, Placement, Time, TraceRow};
use chrono::SubsecRound;

/// So many rows of a message trace are kept of one probe: more than a list that somebody probes has members.
const MOST_ROWS: usize = 2_000;

/// So many notifications are kept of one probe, whatever they say, and so many that say something new of somebody.
const MOST_NOTIFICATIONS: usize = 200;
const MOST_NEW_NOTIFICATIONS: usize = 2_000;

/// What is known of one probe.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub began: Option<Time>,
    pub attempts: Vec<Try>,
    pub handing_over: HandingOver,
    pub copies: Vec<Held>,
    pub notifications: Vec<Dsn>,
    pub traced: Vec<TraceRow>,
    /// Whether there were more rows than are kept.
    pub rows_left_out: bool,
    pub auto_replied: bool,
    pub replied: bool,
}

/// How far handing it over has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandingOver {
    /// Not begun, or under way: an attempt may have got further than is known.
    #[default]
    Open,
    /// The run was stopped between two attempts.
    Halted,
    /// No further attempt will follow.
    Ended,
}

#[derive(Debug)]
pub(super) struct Try {
    pub attempt: Attempt,
    pub answered: bool,
}

/// A copy, and whether it is still there.
#[derive(Debug)]
pub(super) struct Held {
    pub copy: Copy,
    pub gone: Option<Gone>,
    /// When it was news: first seen, or seen again after it had been gone.
    pub news: Time,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Gone {
    pub last_present: Time,
    pub noticed: Time,
}

impl Record {
    /// A copy was seen.
    pub fn see(&mut self, copy: &Copy) {
        if let Some(held) = self.copies.iter_mut().find(|held| held.copy.id == copy.id) {
            // Seen again, perhaps by a process that took up the run: the first bounds hold.
            if held.gone.take().is_some() {
                held.news = copy.at;
            }
        } else {
            self.copies.push(Held {
                copy: copy.clone(),
                gone: None,
                news: copy.at,
            });
        }
    }

    /// A notification was read. One that was read before, by a process that took up the run, is no other.
    pub fn notify(&mut self, dsn: Dsn) {
        let says_the_same = |known: &Dsn| (known.action, &known.recipient, known.guessed) == (dsn.action, &dsn.recipient, dsn.guessed);
        let is_known = |known: &Dsn| says_the_same(known) && is_the_same(known, &dsn);
        let kept = self.notifications.len();
        let is_needless = if kept < MOST_NOTIFICATIONS {
            self.notifications.iter().any(is_known)
        } else {
            kept >= MOST_NEW_NOTIFICATIONS || self.notifications.iter().any(says_the_same)
        };
        if !is_needless {
            self.notifications.push(dsn);
        }
    }

    /// The message trace showed a row.
    pub fn trace(&mut self, row: &TraceRow) {
        let mut row = row.clone();
        // The journal keeps milliseconds of these: a run read back must give the same report.
        row.at = row.at.trunc_subsecs(3);
        row.received = row.received.map(|received| received.trunc_subsecs(3));
        let room = self.traced.len() < MOST_ROWS;
        match self.traced.iter_mut().find(|known| known.is_about_the_same(&row)) {
            Some(known) => {
                if known.status == row.status && known.to_ip == row.to_ip {
                    // Told again with its cause, or by a process that took up the run: it was news then.
                    row.at = known.at;
                    let before = known.cause.take();
                    match (&mut row.cause, before) {
                        // A process that took up the run may find less than the one before it.
                        (Some(cause), Some(before)) if cause.defender.is_none() => cause.defender = before.defender,
                        (Some(_), _) => {}
                        (cause, before) => *cause = before,
                    }
                }
                *known = row;
            }
            None if room => self.traced.push(row),
            None => self.rows_left_out = true,
        }
    }

    /// Whether handing it over has ended.
    pub fn over(&self) -> bool {
        self.handing_over == HandingOver::Ended
    }

    /// Whether the run was stopped between two attempts.
    pub fn halted(&self) -> bool {
        self.handing_over == HandingOver::Halted
    }

    /// Whether the next hop took it.
    pub fn accepted(&self) -> Option<&Attempt> {
        let last = self.attempts.last().filter(|last| self.over() && last.answered);
        last.map(|last| &last.attempt).filter(|attempt| attempt.reply.is_positive())
    }

    /// Whether it was refused in the end.
    pub fn refused(&self) -> bool {
        let last = self.attempts.last().filter(|last| self.over() && last.answered);
        last.is_some_and(|last| !last.attempt.reply.is_positive())
    }

    /// Whether it was cut off after the final dot, so that it may have been taken although nobody said so.
    pub fn cut_off(&self) -> bool {
        self.attempts.iter().any(|tried| tried.attempt.in_doubt) && self.accepted().is_none()
    }

    /// Whether nothing ever left, because the mail system could not be talked to.
    pub fn unreachable(&self) -> bool {
        self.over() && !self.cut_off() && self.attempts.last().is_some_and(|last| !last.answered)
    }

    /// Whether it certainly never left: no attempt was made, or every one ended before the message was handed over.
    pub fn never_left(&self) -> bool {
        (self.began.is_none() || self.unreachable() || self.halted()) && !self.shows_signs()
    }

    /// Whether something came of it that proves that it did leave.
    pub fn shows_signs(&self) -> bool {
        !self.copies.is_empty() || !self.notifications.is_empty() || !self.traced.is_empty()
    }

    /// Whether it had to wait on its way.
    pub fn is_delayed(&self) -> bool {
        let deferred = |tried: &Try| tried.answered && tried.attempt.reply.is_transient();
        self.attempts.iter().any(deferred) || self.notifications.iter().any(|dsn| dsn.action == DsnAction::Delayed)
    }
}

/// Whether two readings are of one notification, whenever it was read.
fn is_the_same(one: &Dsn, other: &Dsn) -> bool {
    let at_one_time = Dsn {
        at: other.at,
        ..one.clone()
    };
    at_one_time == *other
}

impl Held {
    /// Whether both were certainly there at one moment.
    pub fn overlaps(&self, other: &Self) -> bool {
        let end = |held: &Self| held.gone.map_or(Time::MAX_UTC, |gone| gone.last_present);
        self.copy.at <= end(other) && other.copy.at <= end(self)
    }

    pub fn mailbox(&self) -> &MailboxName {
        &self.copy.id.mailbox
    }

    pub fn placement(&self) -> Placement {
        self.copy.placement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_notifications_hides_none_that_says_something_new() {
        let dsn = |action: DsnAction, recipient: &str, diagnostic: u32| Dsn {
            action,
            status: None,
            recipient: Some(recipient.to_owned()),
            original_recipient: None,
            reporting_mta: None,
            remote_mta: None,
            diagnostic: Some(diagnostic.to_string()),
            bound_by: String::new(),
            guessed: false,
            mailbox: MailboxName::from("returns"),
            at: Time::UNIX_EPOCH,
        };
        let mut record = Record::default();
        let first = dsn(DsnAction::Delayed, "a@b.example", 0);
        record.notify(first.clone());
        record.notify(Dsn {
            at: Time::MAX_UTC,
            ..first
        });
        assert_eq!(record.notifications.len(), 1, "the same one, read again");
        for number in 0..3_000 {
            record.notify(dsn(DsnAction::Delayed, "a@b.example", number));
        }
        assert_eq!(record.notifications.len(), MOST_NOTIFICATIONS);
        record.notify(dsn(DsnAction::Failed, "a@b.example", 1));
        record.notify(dsn(DsnAction::Delayed, "c@b.example", 1));
        assert_eq!(record.notifications.len(), MOST_NOTIFICATIONS + 2);
        for number in 0..5_000 {
            record.notify(dsn(DsnAction::Failed, &format!("{number}@b.example"), 1));
        }
        assert_eq!(record.notifications.len(), MOST_NEW_NOTIFICATIONS);
    }
}
