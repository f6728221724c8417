//! The book of rows: which of them are of our probes, what was told of them, and what is news. Pure: rows in, news out.
//!
//! It cannot see whether a row tells the truth: only that it is about a message of ours.

use super::ask::Row;
use crate::{
    evidence::Recognizer,
    model::{ProbeId, TraceCause, TraceStatus},
};
use std::collections::HashMap;

/// So often the details of a row are asked for, and Defender about it: nobody waits for them.
const DETAILS_TRIES: u8 = 3;
const DEFENDER_TRIES: u8 = 5;

/// A message and a recipient, in lower case.
pub(super) type Key = (String, String);

/// A row of one of our probes.
pub(super) struct Own {
    pub(super) probe: ProbeId,
    pub(super) row: Row,
    pub(super) key: Key,
}

/// A row as it was told.
#[derive(Debug, Clone)]
pub(super) struct Known {
    status: TraceStatus,
    to_ip: Option<String>,
    pub(super) cause: Option<TraceCause>,
    /// Whether its details are still wanted, and what Defender knows of it.
    pub(super) details: Want,
    pub(super) defender: Want,
}

/// Something that explains a row, and how often it may yet be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    open: bool,
    tries: u8,
}

impl Want {
    /// Whether to ask now; this counts as a try.
    pub(super) fn take(&mut self) -> bool {
        let may = self.open && self.tries > 0;
        self.tries -= u8::from(may);
        may
    }

    /// It is known, or never will be.
    pub(super) fn close(&mut self) {
        self.open = false;
    }
}

/// All rows that were told.
#[derive(Debug, Default)]
pub(super) struct Book(HashMap<Key, Known>);

impl Book {
    /// The rows of our probes: by a tag that verifies in the Message-ID, which answers and bounces have of their own; or in the subject, where the
    /// service gave the message another Message-ID, of a message from our sender to the probe's own recipient. Whatever bears that Message-ID
    /// then is the same message on its way to a list's members.
    pub(super) fn ours(rows: Vec<Row>, recognizer: &Recognizer, is_from_us: impl Fn(&str) -> bool) -> Vec<Own> {
        let of = |text: &str| recognizer.peek(text.as_bytes());
        let mut replaced: HashMap<String, ProbeId> = HashMap::new();
        for row in rows.iter().filter(|row| !row.message_id.is_empty() && is_from_us(&row.sender)) {
            if of(&row.message_id).is_none()
                && let Some(probe) = of(&row.subject)
                && recognizer
                    .recipient(probe)
                    .is_some_and(|recipient| recipient.eq_ignore_ascii_case(&row.recipient))
            {
                replaced.insert(row.message_id.clone(), probe);
            }
        }
        let own = |row: Row| {
            let by_replaced = || replaced.get(&row.message_id).copied().filter(|_| is_from_us(&row.sender));
            let probe = of(&row.message_id).or_else(by_replaced)?;
            let key = (row.id.to_ascii_lowercase(), row.recipient.to_lowercase());
            Some(Own { probe, row, key })
        };
        rows.into_iter().filter_map(own).collect()
    }

    /// Whether the row says something that was not told yet; it counts as told from now on. What explained an earlier status is forgotten.
    pub(super) fn is_news(&mut self, own: &Own, to_explain: bool) -> bool {
        let Row { status, to_ip, .. } = &own.row;
        let before = self.0.get(&own.key);
        if before.is_some_and(|known| known.status == *status && known.to_ip == *to_ip) {
            return false;
        }
        // A row that changes to and fro is not asked about each time.
        let want = |most: u8, tries: fn(&Known) -> u8| Want {
            open: to_explain,
            tries: before.map_or(most, tries),
        };
        let known = Known {
            status: status.clone(),
            to_ip: to_ip.clone(),
            cause: None,
            details: want(DETAILS_TRIES, |known| known.details.tries),
            defender: want(DEFENDER_TRIES, |known| known.defender.tries),
        };
        self.0.insert(own.key.clone(), known);
        true
    }

    /// What was told of this row.
    pub(super) fn known(&mut self, key: &Key) -> Option<&mut Known> {
        self.0.get_mut(key)
    }
}
