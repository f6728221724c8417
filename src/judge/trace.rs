//! The provider's message trace: which of its rows speaks for a mailbox, and what it proves. A copy outranks it, and so does a bounce. What it
//! cannot see: the folder in which a delivered message lies, and what became of it after it was handed to another system.

use super::{Ledger, verdict::Measured};
use crate::model::{Basis, MailboxName, Time, TraceRow, TraceStatus, Verdict, time};
use std::{cmp::Reverse, time::Duration};

/// What the trace says of one mailbox.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'a> {
    /// This.
    Row(&'a TraceRow),
    /// It has rows for other addresses only, such as this: that one of them is the same mailbox under another name is likely, but not proven.
    Foreign(&'a TraceRow),
}

impl Ledger {
    /// Whether this place is a message trace, or a mailbox for which only a trace may speak.
    pub(super) fn is_trace(&self, mailbox: &MailboxName) -> bool {
        self.plan().traces.contains_key(mailbox)
    }

    /// How long after an event it shows in this place; nothing of a mailbox that is read.
    pub(super) fn trace_delay(&self, mailbox: &MailboxName) -> Duration {
        self.plan().traces.get(mailbox).copied().unwrap_or_default()
    }

    /// Whether a message trace is among the places of this probe.
    pub(super) fn has_trace(&self, index: usize) -> bool {
        self.places(index).into_iter().any(|place| self.is_trace(place))
    }

    /// Whether no folder is read for the mailbox meant, so that the trace alone speaks.
    fn speaks_alone(&self, meant: Option<&MailboxName>) -> bool {
        meant.is_none_or(|mailbox| self.is_trace(mailbox))
    }

    /// What the trace says of the mailbox meant (`None`: of a probe for which no mailbox is meant).
    pub(super) fn said_by_trace(&self, index: usize, meant: Option<&MailboxName>) -> Option<Said<'_>> {
        let recipient = self.plan().recipient(self.probe(index));
        let rows = &self.record(index).traced;
        let is_own = |row: &&TraceRow| row.recipient.eq_ignore_ascii_case(&recipient.address);
        if recipient.group {
            let of_member = |row: &&TraceRow| meant.is_some() && self.member_called(recipient, &row.recipient) == meant;
            // What was stopped before it was expanded was stopped for each member.
            let of_all = |row: &&TraceRow| is_own(row) && !matches!(row.status, TraceStatus::Expanded | TraceStatus::Delivered);
            let row = loudest(rows.iter().filter(of_member)).or_else(|| loudest(rows.iter().filter(of_all)));
            return row.map(Said::Row);
        }
        // An alias shows under the address that it stands for: the site may know that as the mailbox's own.
        let addresses = &self.plan().addresses;
        let of_mailbox = |row: &&TraceRow| meant.is_some() && addresses.get(&row.recipient.to_lowercase()) == meant;
        let own = loudest(rows.iter().filter(is_own)).or_else(|| loudest(rows.iter().filter(of_mailbox)));
        own.map(Said::Row).or_else(|| loudest(rows.iter()).map(Said::Foreign))
    }

    /// Whether the trace proves that it is held.
    pub(super) fn is_held_by_trace(&self, index: usize, meant: Option<&MailboxName>) -> bool {
        matches!(self.said_by_trace(index, meant), Some(Said::Row(row)) if row.status == TraceStatus::Quarantined)
    }

    /// The row after which nothing more needs to come: a refusal, a hold, or a delivery to a mailbox that is not read.
    pub(super) fn decisive_row(&self, index: usize, meant: Option<&MailboxName>) -> Option<&TraceRow> {
        match self.said_by_trace(index, meant)? {
            Said::Row(row) if row.status == TraceStatus::Delivered => Some(row).filter(|row| row.is_stored() && self.speaks_alone(meant)),
            Said::Row(row) => Some(row).filter(|row| row.is_final()),
            Said::Foreign(_) => None,
        }
    }

    /// What the trace proves by itself, whatever the folders show: that it was given up or refused.
    pub(super) fn refused_by_trace(&self, index: usize, meant: Option<&MailboxName>) -> Option<Measured> {
        let Some(Said::Row(row)) = self.said_by_trace(index, meant) else {
            return None;
        };
        match row.status {
            TraceStatus::Failed => Some(Measured::proven(Verdict::Bounced, Basis::Trace)),
            TraceStatus::FilteredAsSpam => Some(Measured::proven(Verdict::Rejected, Basis::Trace)),
            _ => None,
        }
    }

    /// Whether the trace says that it was stored with the provider.
    pub(super) fn is_stored_by_trace(&self, index: usize, meant: Option<&MailboxName>) -> bool {
        matches!(self.said_by_trace(index, meant), Some(Said::Row(row)) if row.is_stored())
    }

    /// What the trace means where every folder at hand was looked at, and none has the probe.
    pub(super) fn missed_by_folders(&self, index: usize, meant: Option<&MailboxName>) -> Option<Measured> {
        if self.record(index).rows_left_out {
            return Some(Measured::unknown(
                "the message trace has more rows of it than any list has members, so not all were taken in",
            ));
        }
        let row = match self.said_by_trace(index, meant)? {
            Said::Row(row) => row,
            Said::Foreign(row) => {
                return Some(Measured::unknown(format!(
                    "the message trace has no row of it for this address, but one for {:?} ({}): whether that is the same mailbox cannot be told",
                    row.recipient, row.status
                )));
            }
        };
        Some(match (&row.status, &row.to_ip) {
            (TraceStatus::Delivered, Some(host)) if self.speaks_alone(meant) => Measured::unknown(format!(
                "the message trace shows that it was handed to another system, {host}, and what became of it there cannot be seen"
            )),
            (TraceStatus::Delivered, _) => Measured::proven(Verdict::Elsewhere, Basis::Trace),
            (TraceStatus::Pending | TraceStatus::GettingStatus, _) => Measured::unknown(format!(
                "after the give-up time the message trace still says {:?} of it: it may yet be delivered",
                row.status.word()
            )),
            (TraceStatus::Expanded, _) => Measured::unknown(
                "the message trace shows that the address is a list, which was expanded: name the mailboxes that it `reaches`",
            ),
            (status, _) => Measured::unknown(format!(
                "the message trace says {:?} of it, which mailflow does not know",
                status.word()
            )),
        })
    }

    /// The address in a row that belongs to no member we know, where this member's own address is not known: it may be that.
    pub(super) fn stranger_in_trace(&self, index: usize, meant: Option<&MailboxName>) -> Option<&str> {
        let recipient = self.plan().recipient(self.probe(index));
        let is_known = meant.is_none_or(|mailbox| self.plan().addresses.values().any(|owner| owner == mailbox));
        let is_stranger = |row: &&TraceRow| {
            !row.recipient.eq_ignore_ascii_case(&recipient.address) && self.member_called(recipient, &row.recipient).is_none()
        };
        let stranger = self.record(index).traced.iter().find(is_stranger)?;
        (recipient.group && !is_known).then_some(stranger.recipient.as_str())
    }

    /// Whether it was past the deadline when the trace first showed the delivery: when it was delivered, only another machine's clock knows.
    pub(super) fn is_shown_late(&self, index: usize, meant: Option<&MailboxName>) -> bool {
        let deadline = self.deadline(index);
        matches!(self.said_by_trace(index, meant), Some(Said::Row(row)) if row.is_stored() && deadline.is_some_and(|deadline| row.at > deadline))
    }

    /// When this place, looked at from `target` on, must have answered.
    pub(super) fn answer_due(&self, mailbox: &MailboxName, target: Time) -> Time {
        time::later(target, self.trace_delay(mailbox))
    }
}

/// The row that speaks loudest: of a message that stayed with the provider before one that was handed on, then the last word, then the latest.
fn loudest<'a>(rows: impl Iterator<Item = &'a TraceRow>) -> Option<&'a TraceRow> {
    rows.min_by_key(|row| (row.to_ip.is_some(), !row.is_final(), Reverse(row.at)))
}
