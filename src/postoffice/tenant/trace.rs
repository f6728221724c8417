//! The message trace: one row a message and recipient, which shows late and changes its status.
//!
//! Pure: rows in, rows out at a given time. Cannot see requests; `graph::trace` reads their filters.

use chrono::{DateTime, Utc};

/// What the trace says of a message, in Microsoft's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Received, nothing known yet.
    Unknown,
    /// Being delivered, or tried again.
    Pending,
    /// Given up.
    Failed,
    /// In the mailbox, whichever folder, or handed over.
    Delivered,
    /// Sent on to the members, which have rows of their own.
    Expanded,
    /// Held.
    Quarantined,
    /// Blocked as spam.
    FilteredAsSpam,
}

impl Status {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "gettingStatus",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Expanded => "expanded",
            Self::Quarantined => "quarantined",
            Self::FilteredAsSpam => "filteredAsSpam",
        }
    }
}

/// A row, and how it changes.
#[derive(Debug, Clone)]
pub struct Row {
    /// The network message id.
    pub id: String,
    /// The Message-ID with its brackets.
    pub message_id: String,
    /// The envelope sender.
    pub sender: String,
    /// The recipient.
    pub recipient: String,
    /// When the message came.
    pub received: DateTime<Utc>,
    /// The subject.
    pub subject: String,
    /// Its size in octets.
    pub size: usize,
    /// Who brought it.
    pub from_ip: String,
    /// Whom it was handed to, empty within the service.
    pub to_ip: String,
    /// From when on it shows which status; before the first it does not show at all.
    pub steps: Vec<(DateTime<Utc>, Status)>,
    /// What happened, oldest first.
    pub events: Vec<Event>,
}

/// A line of the details.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// `Receive`, `Deliver`, `Fail` and so on.
    pub name: &'static str,
    /// What a person reads.
    pub description: String,
    /// What a machine reads, XML.
    pub data: String,
}

impl Row {
    /// What the row shows at a time; `None` while it does not show.
    pub fn status(&self, now: DateTime<Utc>) -> Option<Status> {
        self.steps.iter().rev().find(|(from, _)| *from <= now).map(|(_, status)| *status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_row_shows_late_and_changes() {
        let start = DateTime::UNIX_EPOCH;
        let at = |seconds| start + TimeDelta::seconds(seconds);
        let row = Row {
            id: String::new(),
            message_id: String::new(),
            sender: String::new(),
            recipient: String::new(),
            received: start,
            subject: String::new(),
            size: 0,
            from_ip: String::new(),
            to_ip: String::new(),
            steps: vec![(at(5), Status::Unknown), (at(9), Status::Quarantined)],
            events: Vec::new(),
        };
        assert_eq!(row.status(at(4)), None);
        assert_eq!(row.status(at(5)), Some(Status::Unknown));
        assert_eq!(row.status(at(99)), Some(Status::Quarantined));
    }
}
