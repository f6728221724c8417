//! What is known of one mailbox: which looks missed what, which messages were shown, which copies of probes lie where. Pure: looks in; what
//! must be read and what must be asked after out.
//!
//! It cannot see a message that came and went between two looks.

use super::{
    ask::Item,
    views::{Round, Shown, View, covered, missed},
};
use crate::{
    evidence::{Recognizer, Spot},
    model::{Copy, ProbeId, Time},
};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// In a sender's mailbox, what came so long before the run is no bounce: the clocks need not agree.
const BEFORE: TimeDelta = TimeDelta::hours(1);

/// When a message first showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    /// When the last look that missed it was sent.
    pub(super) after: Time,
    /// When the answer that showed it was read.
    pub(super) at: Time,
}

/// A message that must be read.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) folder: String,
    pub(super) interval: Interval,
    /// When the look that showed it was sent.
    pub(super) sent: Time,
    pub(super) received: Option<Time>,
    pub(super) header: Option<String>,
    /// The probe whose tag stands in our field.
    pub(super) probe: Option<ProbeId>,
    /// Whether the run's prefix stands in its subject.
    pub(super) named: bool,
    /// Whether it was on the move between two folders just then.
    pub(super) unclear: bool,
}

/// Copies of probes in one message; more than one only where somebody bundled them.
#[derive(Debug)]
pub(super) struct Lying {
    pub(super) folder: String,
    /// Whether `Seen` was said of where it lies.
    pub(super) told: bool,
    /// When the last look was sent that still showed it.
    pub(super) present: Time,
    pub(super) copies: Vec<(ProbeId, Copy)>,
}

/// The state of one mailbox.
pub(super) struct State {
    started_at: Time,
    of_sender: bool,
    pub(super) rounds: Vec<Round>,
    listed: Time,
    purged: Time,
    purged_folder: Option<String>,
    left_out: BTreeSet<String>,
    shown: HashMap<String, Interval>,
    /// Messages in which there is nothing more to be found.
    done: BTreeSet<String>,
    /// Copies, by message.
    pub(super) known: BTreeMap<String, Lying>,
    /// Messages with copies that may have moved or gone, and when that was noticed.
    pub(super) doubts: BTreeMap<String, Time>,
    /// Messages that must be read.
    pub(super) wanted: BTreeMap<String, Wanted>,
}

struct Merged<'a> {
    item: &'a Item,
    folder: String,
    named: bool,
    header: Option<String>,
    unclear: bool,
}

impl State {
    /// Nothing was there when the run started: no tag of it existed.
    pub(super) fn new(
        started_at: Time,
        of_sender: bool,
        followed: Vec<String>,
        purged_folder: Option<&str>,
        left_out: Vec<String>,
    ) -> Self {
        let round = |folder| Round {
            folder,
            link: None,
            missed: started_at,
        };
        Self {
            started_at,
            of_sender,
            rounds: followed.into_iter().map(round).collect(),
            listed: started_at,
            purged: started_at,
            purged_folder: purged_folder.map(str::to_owned),
            left_out: left_out.into_iter().collect(),
            shown: HashMap::new(),
            done: BTreeSet::new(),
            known: BTreeMap::new(),
            doubts: BTreeMap::new(),
            wanted: BTreeMap::new(),
        }
    }

    /// Takes in what one look showed that was sent at `sent` and read by `read`.
    pub(super) fn take(&mut self, looks: &[Shown], sent: Time, read: Time, recognizer: &Recognizer) {
        let (merged, removed) = self.merge(looks);
        for id in &removed {
            if self.known.contains_key(id) {
                self.doubts.entry(id.clone()).or_insert(read);
            }
        }
        self.compare(&merged, looks, sent, read);
        for (id, found) in merged {
            if !self.known.contains_key(id) {
                self.judge(id, found, sent, read, recognizer);
            }
        }
        for look in looks {
            match look.view {
                View::Round(number) => {
                    if let Some(round) = self.rounds.get_mut(number) {
                        round.missed = sent;
                    }
                }
                View::All => self.listed = sent,
                View::Purged => self.purged = sent,
                View::Named => {}
            }
        }
    }

    /// Each message once, and what was said to be removed. Where the views disagree about its folder, it is on the move.
    fn merge<'a>(&self, looks: &'a [Shown]) -> (BTreeMap<&'a str, Merged<'a>>, BTreeSet<String>) {
        let mut merged: BTreeMap<&str, Merged<'_>> = BTreeMap::new();
        let mut removed = BTreeSet::new();
        for look in looks {
            let of_view = match look.view {
                View::Round(number) => self.rounds.get(number).map(|round| round.folder.clone()),
                View::Purged => self.purged_folder.clone(),
                View::All | View::Named => None,
            };
            // A name that cannot stand in a path cannot be asked after.
            for item in look.items.iter().filter(|item| !matches!(item.id.as_str(), "" | "." | "..")) {
                if item.is_removed() {
                    removed.insert(item.id.clone());
                    continue;
                }
                let folder = item.parent.clone().or_else(|| of_view.clone()).unwrap_or_default();
                let entry = merged.entry(&item.id).or_insert_with(|| Merged {
                    item,
                    folder: folder.clone(),
                    named: false,
                    header: None,
                    unclear: false,
                });
                entry.unclear |= entry.folder != folder;
                entry.named |= look.view == View::Named;
                entry.header = entry.header.take().or_else(|| item.header());
            }
        }
        (merged, removed)
    }

    /// What the looks say of the copies that are known.
    fn compare(&mut self, merged: &BTreeMap<&str, Merged<'_>>, looks: &[Shown], sent: Time, read: Time) {
        for (id, lying) in &mut self.known {
            if self.doubts.contains_key(id) {
                continue;
            }
            let confirmed = match merged.get(id.as_str()) {
                Some(found) => Some(found.folder == lying.folder && !found.unclear),
                None => covered(lying, looks, &self.rounds, self.purged_folder.as_deref()),
            };
            match confirmed {
                Some(true) => lying.present = lying.present.max(sent),
                Some(false) => {
                    self.doubts.insert(id.clone(), read);
                }
                None => {}
            }
        }
    }

    /// Decides whether a message is to be read.
    fn judge(&mut self, id: &str, found: Merged<'_>, sent: Time, read: Time, recognizer: &Recognizer) {
        let interval = *self.shown.entry(id.to_owned()).or_insert_with(|| Interval {
            after: missed(&self.rounds, self.listed, self.purged, self.purged_folder.as_deref(), &found.folder),
            at: read,
        });
        if self.done.contains(id) || self.left_out.contains(&found.folder) {
            return;
        }
        let received = found.item.received();
        let spot = found
            .header
            .as_deref()
            .map_or(Spot::Foreign, |header| recognizer.spot(header.as_bytes(), false));
        let probe = match spot {
            Spot::Ours(probe) => Some(probe),
            Spot::Perhaps | Spot::Foreign => None,
        };
        let may_be_bounce = self.of_sender && received.is_none_or(|received| received >= self.started_at - BEFORE);
        if probe.is_some() || found.named || may_be_bounce {
            let wanted = self.wanted.entry(id.to_owned()).or_insert(Wanted {
                folder: found.folder,
                interval,
                sent,
                received,
                header: found.header,
                probe,
                named: found.named,
                unclear: found.unclear,
            });
            wanted.named |= found.named;
        }
    }

    /// What lies in the mailbox before the first probe has left is not of this run.
    pub(super) fn forget_what_is_old(&mut self) {
        let foreign: Vec<String> = self
            .wanted
            .iter()
            .filter(|(_, wanted)| wanted.probe.is_none() && !wanted.named)
            .map(|(id, _)| id.clone())
            .collect();
        for id in foreign {
            self.wanted.remove(&id);
            self.done.insert(id);
        }
    }

    /// A message has been read.
    pub(super) fn done(&mut self, id: &str) {
        self.wanted.remove(id);
        self.done.insert(id.to_owned());
    }

    /// A message went before it could be read: should it show again, it is new.
    pub(super) fn forget(&mut self, id: &str) {
        self.wanted.remove(id);
        self.done.remove(id);
        self.shown.remove(id);
    }

    /// A round must begin with everything: what it knew is void.
    pub(super) fn restart(&mut self, number: usize) {
        if let Some(round) = self.rounds.get_mut(number) {
            round.link = None;
        }
    }
}
