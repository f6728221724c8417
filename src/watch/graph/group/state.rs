//! What is known of one group: which threads are followed, which of their posts must be read, which are copies of probes. Pure: lists and posts
//! in, what must be read out.
//!
//! It cannot see a post that came and went between two looks.

use super::ask::Listed;
use crate::{
    evidence::Recognizer,
    model::{CopyId, ProbeId, Time},
};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// Threads count from so long before the run on: the clocks of this machine and of the service need not agree.
const MARGIN: TimeDelta = TimeDelta::days(1);
/// A thread with a new post is read so often: its time counts whole seconds, so one more post within that second does not change it.
const READS: u8 = 2;

/// A post that is a copy.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) thread: String,
    pub(super) probe: ProbeId,
    pub(super) copy: CopyId,
    /// When the last look was sent that still showed it.
    pub(super) present: Time,
}

/// A thread whose posts are read.
#[derive(Debug)]
struct Followed {
    /// Its topic, if that carries a tag of ours.
    topic: Option<String>,
    delivered: Option<Time>,
    /// When the last list was sent that showed it unchanged.
    quiet: Time,
    /// When the last list was sent that did not show yet what made it due.
    before: Option<Time>,
    /// When its posts were last asked for.
    read: Option<Time>,
    /// How often its posts are still to be read.
    due: u8,
}

/// The state of one group.
pub(super) struct State {
    started_at: Time,
    peek: bool,
    /// When the last list was sent that would have shown a thread with a new post.
    listed: Time,
    followed: BTreeMap<String, Followed>,
    /// Copies, by post.
    copies: BTreeMap<String, Arrival>,
}

impl State {
    /// Nothing was there when the run started: no tag of it existed. `peek`: whether threads with a foreign topic are read too.
    pub(super) fn new(started_at: Time, peek: bool) -> Self {
        Self {
            started_at,
            peek,
            listed: started_at,
            followed: BTreeMap::new(),
            copies: BTreeMap::new(),
        }
    }

    /// Begins anew.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.started_at, self.peek);
    }

    /// Threads without a post since then are of no concern.
    pub(super) fn since(&self) -> Time {
        self.started_at - MARGIN
    }

    /// Takes in a list of threads that was asked for at `sent`.
    pub(super) fn take(&mut self, list: &Listed, sent: Time, recognizer: &Recognizer) {
        for thread in &list.threads {
            let delivered = thread.delivered();
            if let Some(followed) = self.followed.get_mut(&thread.id) {
                if followed.delivered == delivered {
                    followed.quiet = sent;
                } else {
                    followed.delivered = delivered;
                    followed.before = followed.before.or(Some(followed.quiet));
                    followed.due = READS;
                }
                continue;
            }
            let topic = thread.topic.as_ref().filter(|topic| recognizer.in_topic(topic).is_some());
            if topic.is_some() || self.peek {
                let followed = Followed {
                    topic: topic.cloned(),
                    delivered,
                    quiet: sent,
                    before: Some(self.listed),
                    read: None,
                    due: READS,
                };
                self.followed.insert(thread.id.clone(), followed);
            }
        }
        if list.shows_news {
            self.listed = sent;
        }
    }

    /// Every thread that is ours, or holds a copy, is read again.
    pub(super) fn doubt_everything(&mut self) {
        for (id, followed) in &mut self.followed {
            let is_ours = followed.topic.is_some() || self.copies.values().any(|arrival| arrival.thread == *id);
            if is_ours {
                followed.due = followed.due.max(1);
            }
        }
    }

    /// Foreign threads that were there before the first probe left are read only when something comes into them.
    pub(super) fn forget_what_is_old(&mut self) {
        for followed in self.followed.values_mut().filter(|followed| followed.topic.is_none()) {
            followed.due = 0;
        }
    }

    /// The threads that must be read.
    pub(super) fn due(&self) -> Vec<String> {
        let due = self.followed.iter().filter(|(_, followed)| followed.due > 0);
        due.map(|(id, _)| id.clone()).collect()
    }

    /// The topic of a thread, if it is ours.
    pub(super) fn topic(&self, thread: &str) -> String {
        self.followed
            .get(thread)
            .and_then(|followed| followed.topic.clone())
            .unwrap_or_default()
    }

    /// When the last look was sent that missed a post that a thread shows now for the first time.
    pub(super) fn missed(&self, thread: &str) -> Time {
        let followed = self.followed.get(thread);
        followed
            .and_then(|followed| followed.read.max(followed.before))
            .unwrap_or(self.started_at)
    }

    /// A thread was read by a call sent at `sent`; it may have been `gone`.
    pub(super) fn was_read(&mut self, thread: &str, sent: Time, gone: bool) {
        if gone {
            self.followed.remove(thread);
        } else if let Some(followed) = self.followed.get_mut(thread) {
            followed.read = Some(sent);
            followed.before = None;
            followed.due = followed.due.saturating_sub(1);
        }
    }

    /// The posts of a thread that are copies.
    pub(super) fn known_in(&self, thread: &str) -> Vec<String> {
        let known = self.copies.iter().filter(|(_, arrival)| arrival.thread == thread);
        known.map(|(post, _)| post.clone()).collect()
    }

    /// A copy came.
    pub(super) fn keep(&mut self, post: &str, arrival: Arrival) {
        self.copies.insert(post.to_owned(), arrival);
    }

    /// A copy is still there.
    pub(super) fn confirm(&mut self, post: &str, sent: Time) {
        if let Some(arrival) = self.copies.get_mut(post) {
            arrival.present = arrival.present.max(sent);
        }
    }

    /// A copy went.
    pub(super) fn forget(&mut self, post: &str) -> Option<Arrival> {
        self.copies.remove(post)
    }
}
