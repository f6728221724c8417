//! What is known of one group: which threads are followed, which of their posts must be read, which are copies of probes. Pure: lists and posts
//! in, what must be read out.
//!
//! It cannot see a post that came and went between two looks.

use super::ask::Listed;
use crate::model::{CopyId, ProbeId, Time};
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
    /// When the newest post came that any list has shown.
    newest: Option<Time>,
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
            newest: None,
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
    pub(super) fn take(&mut self, list: &Listed, sent: Time, is_ours: impl Fn(&str) -> bool) {
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
            let topic = thread.topic.as_ref().filter(|topic| is_ours(topic));
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
        // By the service's own clock: what came since the last list is newer than the newest in that.
        if list
            .back_to
            .is_some_and(|back_to| Some(back_to) < self.newest || back_to <= self.since())
        {
            self.listed = sent;
        }
        self.newest = self.newest.max(list.newest);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn time(second: u32) -> Time {
        format!("2026-11-23T09:00:{second:02}Z").parse().unwrap()
    }

    /// A list of threads: id, topic and the second of the last post, back to that second.
    fn list(threads: &[(&str, &str, u32)], back_to: Option<u32>) -> Listed {
        let thread = |(id, topic, second): &(&str, &str, u32)| {
            let thread = json!({ "id": id, "topic": topic, "lastDeliveredDateTime": time(*second).to_rfc3339() });
            serde_json::from_value(thread).unwrap()
        };
        Listed {
            threads: threads.iter().map(thread).collect(),
            newest: threads.iter().map(|(_, _, second)| time(*second)).max(),
            back_to: back_to.map(time),
        }
    }

    fn take(state: &mut State, threads: &[(&str, &str, u32)], back_to: Option<u32>, sent: u32) {
        state.take(&list(threads, back_to), time(sent), |topic| topic == "ours");
    }

    fn whole(state: &mut State, threads: &[(&str, &str, u32)], sent: u32) {
        let mut listed = list(threads, None);
        listed.back_to = Some(chrono::DateTime::UNIX_EPOCH);
        state.take(&listed, time(sent), |topic| topic == "ours");
    }

    #[test]
    fn a_new_thread_was_missed_by_the_last_list_that_would_have_shown_it() {
        let mut state = State::new(time(0), false);
        whole(&mut state, &[("f", "theirs", 1)], 10);
        assert!(state.due().is_empty() && state.followed.is_empty(), "nothing of it is kept");
        take(&mut state, &[("g", "theirs", 13), ("h", "theirs", 12)], Some(12), 20);
        take(&mut state, &[("a", "ours", 19)], Some(19), 30);
        assert_eq!(
            state.missed("a"),
            time(10),
            "the list of 20 reached back to 12 only, and there was news between 1 and that"
        );
        take(&mut state, &[("b", "ours", 29), ("a", "ours", 18)], Some(18), 40);
        assert_eq!(state.missed("b"), time(10), "that of 30 did not reach back far enough either");
        take(&mut state, &[("c", "ours", 39)], Some(39), 50);
        assert_eq!(state.missed("c"), time(40), "that of 40 reached back beyond what was known");
        take(&mut state, &[("d", "ours", 49)], None, 60);
        assert_eq!(state.missed("d"), time(40), "an order that cannot be relied on proves nothing");
    }

    #[test]
    fn a_thread_is_read_twice_after_each_change() {
        let mut state = State::new(time(0), false);
        whole(&mut state, &[("a", "ours", 5)], 10);
        for sent in [11, 12] {
            assert_eq!(state.due(), ["a"]);
            state.was_read("a", time(sent), false);
        }
        assert!(state.due().is_empty());
        assert_eq!(state.missed("a"), time(12), "nothing has changed since it was read");
        whole(&mut state, &[("a", "ours", 5)], 20);
        assert!(state.due().is_empty());
        whole(&mut state, &[("a", "ours", 25)], 30);
        assert_eq!(
            (state.due().len(), state.missed("a")),
            (1, time(20)),
            "the list of 20 showed it unchanged"
        );
        whole(&mut state, &[("a", "ours", 25)], 31);
        assert_eq!(state.missed("a"), time(20), "what changed it was not read yet");
        state.was_read("a", time(32), false);
        whole(&mut state, &[("a", "ours", 25)], 33);
        assert_eq!(
            (state.due().len(), state.missed("a")),
            (1, time(32)),
            "one more within the same second shows at the next read"
        );
        state.was_read("a", time(34), false);
        state.doubt_everything();
        assert_eq!(state.due(), ["a"]);
        state.was_read("a", time(35), true);
        assert!(state.followed.is_empty());
    }

    #[test]
    fn foreign_threads_are_followed_only_for_peeking_and_then_only_what_is_new() {
        let mut state = State::new(time(0), true);
        whole(&mut state, &[("f", "theirs", 5), ("a", "ours", 6)], 10);
        state.forget_what_is_old();
        assert_eq!((state.due(), state.topic("f")), (vec!["a".to_owned()], String::new()));
        whole(&mut state, &[("f", "theirs", 15)], 20);
        state.was_read("a", time(21), true);
        assert_eq!(state.due(), ["f"]);
        state.was_read("f", time(22), false);
        state.was_read("f", time(23), false);
        state.doubt_everything();
        assert!(state.due().is_empty(), "nothing of ours is in it");
    }
}
