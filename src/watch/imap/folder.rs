//! What is known of one folder: up to which message it was read, in which interval the messages after that arrived, and which copies of
//! probes lie there. Pure: looks in, intervals and disappearances out.

use super::{
    commands::{FolderStatus, Line},
    connection::Spell,
    folders::{FoundBy, Watched},
};
use crate::model::{CopyId, MailboxName, Placement, ProbeId, Time};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;

/// A folder of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) wire: String,
    pub(super) name: String,
    pub(super) placement: Placement,
    /// Whether it is Gmail's archive, where only what no other folder shows counts.
    pub(super) archive: bool,
    pub(super) uid_validity: u32,
    /// Messages from this UID on have not been shown by any look.
    pub(super) shown_to: u32,
    /// Messages from this UID on have not been read.
    pub(super) read_to: u32,
    /// When the last look was sent that showed nothing from `shown_to` on.
    pub(super) missed: Time,
    /// What has been shown and not been read.
    pub(super) spans: Vec<Span>,
    /// How many messages it held.
    pub(super) messages: Option<u32>,
    /// When the last look was sent after which every known copy was still there.
    pub(super) intact: Time,
    /// When something was shown to be gone.
    pub(super) suspect: Option<Time>,
    /// Whether its messages must be found by their date: it has no mark, or its UIDs were changed.
    pub(super) by_date: bool,
    /// Whether only opening it will tell its state.
    pub(super) doubtful: bool,
    /// The copies that lie here, by UID.
    pub(super) known: BTreeMap<u32, Known>,
    /// The copies that lay here before its UIDs were changed.
    pub(super) displaced: Vec<Known>,
    /// Messages beyond `read_to` that were read before the connection was lost.
    pub(super) handled: BTreeSet<u32>,
    /// Not to be opened before this: the server refused it.
    pub(super) refused_until: Option<Instant>,
    /// Why not every message that was read in it can be told from ours: what is not found in it is not therefore lost.
    pub(super) unsearched: Option<String>,
}

/// Messages that one look showed and the one before did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    limit: Limit,
    after: Time,
    at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// Messages below this UID.
    Uid(u32),
    /// Messages up to this sequence number.
    Sequence(u32),
}

/// A copy of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) probe: ProbeId,
    pub(super) id: CopyId,
    pub(super) at: Time,
}

/// A copy that is gone, and when the last look that still showed it was sent.
pub(super) type Vanished = (Known, Time);

impl Folder {
    /// A folder whose messages from `uid_next` on are new after `sent`.
    pub(super) fn at(found: Watched, uid_validity: u32, uid_next: u32, sent: Time) -> Self {
        Self {
            wire: found.wire,
            name: found.name,
            placement: found.placement,
            archive: found.found_by == FoundBy::Archive,
            uid_validity,
            shown_to: uid_next,
            read_to: uid_next,
            missed: sent,
            spans: Vec::new(),
            messages: None,
            intact: sent,
            suspect: None,
            by_date: false,
            doubtful: false,
            known: BTreeMap::new(),
            displaced: Vec::new(),
            handled: BTreeSet::new(),
            refused_until: None,
            unsearched: None,
        }
    }

    /// A folder that was not there, or not known, at `absent`.
    pub(super) fn unmarked(found: Watched, absent: Time) -> Self {
        let mut folder = Self::at(found, 0, 1, absent);
        folder.by_date = true;
        folder
    }

    /// Where it stands in the order of being read.
    pub(super) fn rank(&self) -> u8 {
        match self.placement {
            Placement::Inbox => 0,
            Placement::Quarantine => 1,
            Placement::Junk => 2,
            Placement::Folder if self.archive => 5,
            Placement::Folder => 3,
            Placement::Deleted => 4,
        }
    }

    pub(super) fn is_unread(&self) -> bool {
        self.by_date || !self.spans.is_empty() || self.shown_to > self.read_to || self.suspect.is_some()
    }

    /// Takes in what a list of folders sent at `sent` showed.
    pub(super) fn listed(&mut self, sent: Time, status: Option<&FolderStatus>) {
        match status {
            Some(status) => self.look(sent, status),
            None => self.doubtful = true,
        }
    }

    /// Takes in that the open folder holds messages up to `uid` that no look had shown before `at`.
    pub(super) fn found(&mut self, uid: u32, at: Time) {
        let next = uid.saturating_add(1);
        if next > self.shown_to {
            self.spans.push(Span {
                limit: Limit::Uid(next),
                after: self.missed,
                at,
            });
            self.shown_to = next;
        }
    }

    /// Takes in a look sent at `sent` at the open folder that showed, beside what was noted, nothing new and nothing gone.
    pub(super) fn unchanged(&mut self, sent: Time) {
        self.missed = sent;
        if self.suspect.is_none() {
            self.intact = sent;
        }
    }

    /// Takes in that something was shown to be gone.
    pub(super) fn shrank(&mut self, at: Time) {
        if !self.known.is_empty() {
            self.suspect.get_or_insert(at);
        }
    }

    /// Takes in what a look sent at `sent` showed (`STATUS`, or opening the folder).
    pub(super) fn look(&mut self, sent: Time, status: &FolderStatus) {
        if self.by_date {
            return;
        }
        if status.uid_validity != self.uid_validity {
            self.renumber();
            return;
        }
        if status.uid_next < self.shown_to {
            // A status may be stale; opening the folder will tell.
            self.doubtful = true;
            return;
        }
        let grew = status.uid_next > self.shown_to;
        if !grew && self.messages.is_some_and(|before| status.messages > before) {
            // More messages, and none of them new by its UID: opening the folder will tell.
            self.doubtful = true;
        }
        if grew {
            self.spans.push(Span {
                limit: Limit::Uid(status.uid_next),
                after: self.missed,
                at: status.read,
            });
            self.shown_to = status.uid_next;
        }
        self.missed = sent;
        match self.messages {
            Some(before) if status.messages < before || grew => self.shrank(status.read),
            // As many as before, and none is new: they are the same.
            Some(before) if status.messages == before && !grew && self.suspect.is_none() => self.intact = sent,
            _ => {}
        }
        self.messages = Some(status.messages);
    }

    /// Takes in the status from opening the folder, which is never stale.
    pub(super) fn opened(&mut self, spell: Spell, status: Option<&FolderStatus>) {
        let Some(status) = status else {
            return;
        };
        if !self.by_date && status.uid_validity == self.uid_validity && status.uid_next < self.shown_to {
            // UIDs went backwards under the same UIDVALIDITY: against RFC 3501 section 2.3.1.1, and none can be trusted any more.
            self.renumber();
        }
        let before = self.messages;
        self.look(spell.sent, status);
        self.doubtful = false;
        let more = before.is_some_and(|before| status.messages > before) && status.uid_next <= self.read_to && self.spans.is_empty();
        if more && !self.by_date {
            self.doubt_uids();
        }
    }

    /// Notes that its UIDs cannot be trusted: it shows more messages than before, and none of them new by its UID.
    pub(super) fn doubt_uids(&mut self) {
        self.renumber();
    }

    /// Whether it was shown to hold more messages than before, the last of them in the places up to `exists`.
    pub(super) fn has_grown_within(&self, exists: u32) -> bool {
        let within = |span: &Span| matches!(span.limit, Limit::Sequence(sequence) if sequence <= exists);
        self.spans.iter().any(within)
    }

    /// Takes in that `exists` messages were shown at `at` in the open folder, and more than before.
    pub(super) fn grew(&mut self, exists: u32, at: Time) {
        self.spans.push(Span {
            limit: Limit::Sequence(exists),
            after: self.missed,
            at,
        });
    }

    /// All UIDs are void: its messages are looked for by date, and the copies known here are recognised again by their probes.
    fn renumber(&mut self) {
        self.unsearched = None;
        self.displaced.extend(std::mem::take(&mut self.known).into_values());
        self.by_date = true;
        self.spans.clear();
        self.handled.clear();
        self.messages = None;
    }

    /// The interval in which a message arrived: from the last look that missed it to the first that showed it.
    pub(super) fn interval(&self, line: Line) -> (Time, Time) {
        let shown = self.spans.iter().find(|span| match span.limit {
            Limit::Uid(uid) => line.uid < uid,
            Limit::Sequence(sequence) => line.sequence <= sequence,
        });
        shown.map_or((self.missed, line.read), |span| (span.after, span.at.min(line.read)))
    }

    /// Notes that everything below `uid` has been read, and that what was shown is read.
    pub(super) fn read(&mut self, uid: u32) {
        self.read_to = self.read_to.max(uid).max(self.shown_to);
        self.shown_to = self.read_to;
        self.spans.clear();
        self.handled.clear();
    }

    /// Notes that the folder, which has this UIDVALIDITY, will be searched by date.
    pub(super) fn begin_by_date(&mut self, uid_validity: u32) {
        if self.uid_validity != uid_validity {
            self.renumber();
            self.uid_validity = uid_validity;
        }
    }

    /// Notes that the whole folder was searched by date, and where it stands.
    pub(super) fn read_by_date(&mut self, spell: Spell, status: &FolderStatus, beyond: u32) -> Vec<Vanished> {
        self.by_date = false;
        self.uid_validity = status.uid_validity;
        self.read_to = status.uid_next.max(beyond);
        self.shown_to = self.read_to;
        self.missed = spell.sent;
        self.messages = Some(status.messages);
        self.spans.clear();
        self.handled.clear();
        let intact = std::mem::replace(&mut self.intact, spell.sent);
        let displaced = std::mem::take(&mut self.displaced);
        displaced
            .into_iter()
            .map(|known| (known.at.max(intact), known))
            .map(|(last, known)| (known, last))
            .collect()
    }

    /// Takes in which of the known copies were there when asked for at `sent`. Returns those that were not.
    pub(super) fn present(&mut self, there: &BTreeSet<u32>, sent: Time) -> Vec<Vanished> {
        let gone: Vec<u32> = self.known.keys().filter(|uid| !there.contains(uid)).copied().collect();
        let intact = self.intact;
        let gone = gone.into_iter().filter_map(|uid| self.known.remove(&uid));
        let gone = gone
            .map(|known| (known.at.max(intact), known))
            .map(|(last, known)| (known, last))
            .collect();
        self.intact = sent;
        self.suspect = None;
        gone
    }

    /// The name of a message here.
    pub(super) fn id_of(&self, mailbox: &MailboxName, uid: u32) -> CopyId {
        CopyId {
            mailbox: mailbox.clone(),
            folder: self.name.clone(),
            key: format!("{}:{uid}", self.uid_validity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;
    use chrono::{DateTime, TimeDelta};

    fn time(second: i64) -> Time {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    fn folder() -> Folder {
        let found = Watched {
            wire: "INBOX".into(),
            name: "INBOX".into(),
            placement: Placement::Inbox,
            found_by: FoundBy::Nothing,
        };
        let mut folder = Folder::at(found, 7, 10, time(0));
        folder.messages = Some(3);
        folder
    }

    fn status(uid_next: u32, messages: u32, read: i64) -> FolderStatus {
        FolderStatus {
            uid_validity: 7,
            uid_next,
            messages,
            read: time(read),
        }
    }

    fn line(uid: u32, sequence: u32, read: i64) -> Line {
        Line {
            uid,
            sequence,
            internal_date: None,
            elsewhere: false,
            cut: false,
            read: time(read),
        }
    }

    fn known(at: i64) -> Known {
        let probe = ProbeId::new(&RunId::from_random([1; 6]), [2; 16]);
        Known {
            probe,
            id: folder().id_of(&"m".into(), 10),
            at: time(at),
        }
    }

    #[test]
    fn an_arrival_lies_between_the_last_look_that_missed_it_and_the_first_that_showed_it() {
        let mut folder = folder();
        folder.look(time(10), &status(10, 3, 11));
        folder.look(time(20), &status(12, 5, 21));
        folder.look(time(30), &status(13, 6, 31));
        assert_eq!(folder.interval(line(11, 5, 40)), (time(10), time(21)));
        assert_eq!(folder.interval(line(12, 6, 40)), (time(20), time(31)));
        assert_eq!(folder.interval(line(13, 7, 40)), (time(30), time(40)), "shown by the fetch itself");
        folder.read(14);
        assert!(!folder.is_unread());
        assert_eq!((folder.read_to, folder.shown_to), (14, 14));
    }

    #[test]
    fn growth_of_the_open_folder_counts_by_sequence() {
        let mut folder = folder();
        folder.missed = time(10);
        folder.grew(5, time(21));
        folder.missed = time(20);
        assert_eq!(folder.interval(line(40, 5, 22)), (time(10), time(21)));
        assert_eq!(folder.interval(line(41, 6, 22)), (time(20), time(22)));
    }

    #[test]
    fn a_copy_that_is_gone_was_last_there_when_everything_was() {
        let mut folder = folder();
        folder.known.insert(10, known(5));
        folder.look(time(10), &status(10, 3, 11));
        assert_eq!(folder.intact, time(10));
        folder.look(time(20), &status(10, 2, 21));
        assert!(folder.is_unread(), "it must be asked for");
        let gone = folder.present(&BTreeSet::new(), time(22));
        assert_eq!(gone, vec![(known(5), time(10))]);
        assert!(folder.known.is_empty() && !folder.is_unread());
    }

    #[test]
    fn a_stale_status_is_no_change_but_uids_that_went_backwards_are() {
        let mut folder = folder();
        folder.known.insert(9, known(5));
        folder.look(time(10), &status(8, 3, 11));
        assert!(folder.doubtful && !folder.by_date);
        let spell = Spell {
            sent: time(12),
            read: time(13),
        };
        folder.opened(spell, Some(&status(8, 3, 13)));
        assert!(folder.by_date && folder.known.is_empty() && folder.displaced.len() == 1);
    }

    #[test]
    fn a_new_uid_validity_voids_every_uid_and_forgets_no_copy() {
        let mut folder = folder();
        folder.known.insert(9, known(5));
        let renumbered = FolderStatus {
            uid_validity: 8,
            ..status(3, 3, 11)
        };
        folder.look(time(10), &renumbered);
        assert!(folder.by_date && folder.displaced.len() == 1);
        let spell = Spell {
            sent: time(12),
            read: time(13),
        };
        let gone = folder.read_by_date(spell, &renumbered, 0);
        assert_eq!(gone, vec![(known(5), time(5))], "what was not found again is gone");
        assert_eq!((folder.uid_validity, folder.read_to), (8, 3));
    }

    #[test]
    fn giant_uids_do_no_harm() {
        let mut folder = folder();
        folder.look(time(10), &status(u32::MAX, 4, 11));
        folder.read(u32::MAX);
        assert_eq!(folder.read_to, u32::MAX);
        folder.look(time(20), &status(u32::MAX, 4, 21));
        assert!(!folder.is_unread());
    }
}
