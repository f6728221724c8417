//! A second look at a run that was decided: every place is looked at once more, and what lies there is told in one event. Nothing is sent, and no
//! verdict is given. What it cannot see: what happened between the run and this look, nor who did it.

use super::baselines_of;
use crate::{
    clock::Clock,
    evidence::Recognizer,
    model::{CopyId, Event, FoundCopy, FoundRow, MailboxName, Placement, Plan, ProbeId, SecondLook, Time, TraceRow, What},
    watch::{Attention, Watcher, Watching},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};

/// How long a mailbox may stay blind before that is its last word: sight may come back.
const GRACE: Duration = Duration::from_secs(20);
/// How long the whole look may take: above every time-out of a watcher. What has not been looked at by then counts as blind.
const LIMIT: Duration = Duration::from_mins(5);
/// How long watchers may take to log out.
const LEAVING: Duration = Duration::from_secs(3);

/// All that a second look needs.
pub struct Again {
    /// What had gone out.
    pub plan: Arc<Plan>,
    /// What the journal holds of the run.
    pub events: Vec<Event>,
    /// The clock.
    pub clock: Clock,
    /// The watchers; together they should cover [`Plan::mailboxes`].
    pub watchers: Vec<Box<dyn Watcher>>,
    /// Mailboxes that no watcher covers, with the reason.
    pub unwatched: BTreeMap<MailboxName, String>,
    /// Tells our messages from all others.
    pub recognizer: Arc<Recognizer>,
    /// Turns true when the look shall stop.
    pub stop: watch::Receiver<bool>,
}

/// What was seen so far.
struct Seen {
    since: Time,
    /// Mailboxes of which nothing was heard yet.
    silent: BTreeSet<MailboxName>,
    blind: BTreeMap<MailboxName, (String, Instant)>,
    copies: BTreeMap<(ProbeId, CopyId), Placement>,
    rows: Vec<(ProbeId, TraceRow)>,
    /// Those of the places that are message traces: what they show, they show late.
    traces: BTreeSet<MailboxName>,
}

/// Looks again at every place of the run. `None` if it was stopped before each of them had been looked at or had been found blind.
pub async fn look_again(again: Again) -> Option<Event> {
    let Again {
        plan,
        events,
        clock,
        watchers,
        unwatched,
        recognizer,
        mut stop,
    } = again;
    let since = clock.now();
    let mut seen = Seen {
        since,
        silent: plan
            .mailboxes
            .iter()
            .filter(|name| !unwatched.contains_key(*name))
            .cloned()
            .collect(),
        blind: BTreeMap::new(),
        copies: BTreeMap::new(),
        rows: Vec::new(),
        traces: plan.traces.keys().cloned().collect(),
    };
    let (tell, mut inbox) = mpsc::channel(1024);
    let (ending, ended) = watch::channel(false);
    // What was sent lies in the mailboxes by now: it is too late for a baseline that the journal does not hold.
    let sending = watch::channel(Some(plan.run.started_at)).0;
    let wanted = watch::channel(Attention {
        outstanding: false,
        since: None,
        look_at: Some(since),
    })
    .0;
    let baselines = baselines_of(&events);
    let mut watching = JoinSet::new();
    for watcher in watchers {
        let names = watcher.mailboxes();
        let known = |name: &MailboxName| Some((name.clone(), baselines.get(name)?.clone()));
        watching.spawn(watcher.watch(Watching {
            clock,
            recognizer: recognizer.clone(),
            baselines: names.iter().filter_map(known).collect::<HashMap<_, _>>(),
            started_at: plan.run.started_at,
            sending_since: sending.subscribe(),
            attention: names.iter().map(|name| (name.clone(), wanted.subscribe())).collect(),
            events: tell.clone(),
            stop: ended.clone(),
        }));
    }
    drop(tell);
    let end = Instant::now() + LIMIT;
    while !seen.is_complete() {
        tokio::select! {
            event = inbox.recv() => match event {
                Some(event) => seen.take_in(event.what),
                None => break,
            },
            () = tokio::time::sleep_until(seen.next_due().unwrap_or(end).min(end)) => {
                if Instant::now() >= end {
                    break;
                }
            }
            Ok(()) = stop.changed() => if *stop.borrow() { return None },
        }
    }
    let told = seen.tell(unwatched);
    let at = clock.now();
    let _ = ending.send(true);
    let left = async {
        loop {
            tokio::select! {
                more = inbox.recv() => if more.is_none() { break },
                gone = watching.join_next() => if gone.is_none() { break },
            }
        }
    };
    let _ = tokio::time::timeout(LEAVING, left).await;
    Some(Event {
        at,
        what: What::LookedAgain { look: Box::new(told) },
    })
}

impl Seen {
    fn take_in(&mut self, what: What) {
        match what {
            What::Seen { probe, copy } => drop(self.copies.insert((probe, copy.id.clone()), copy.placement)),
            What::Gone { probe, copy, .. } => drop(self.copies.remove(&(probe, copy))),
            What::Traced { probe, row } => {
                self.rows.retain(|(known, old)| *known != probe || !old.is_about_the_same(&row));
                self.rows.push((probe, *row));
            }
            What::Looked { mailbox, since } if since >= self.since || self.traces.contains(&mailbox) => {
                self.blind.remove(&mailbox);
                self.silent.remove(&mailbox);
            }
            What::Blind { mailbox, reason } if self.silent.contains(&mailbox) => {
                let since = self.blind.get(&mailbox).map_or_else(Instant::now, |(_, since)| *since);
                self.blind.insert(mailbox, (reason, since));
            }
            _ => {}
        }
    }

    /// Whether nothing more needs to come: each mailbox was looked at, or has been blind for long enough.
    fn is_complete(&self) -> bool {
        self.silent
            .iter()
            .all(|name| self.blind.get(name).is_some_and(|(_, since)| since.elapsed() >= GRACE))
    }

    /// When the next blindness has lasted long enough.
    fn next_due(&self) -> Option<Instant> {
        let due = self.blind.values().map(|(_, since)| *since + GRACE);
        due.filter(|due| *due > Instant::now()).min()
    }

    fn tell(self, unwatched: BTreeMap<MailboxName, String>) -> SecondLook {
        let never = || "it was not looked at within five minutes".to_owned();
        let mut blind = self.blind;
        let unseen = self.silent.into_iter().map(|name| {
            let reason = blind.remove(&name).map_or_else(never, |(reason, _)| reason);
            (name, reason)
        });
        let blind = unseen.chain(unwatched).collect();
        SecondLook {
            since: self.since,
            copies: self
                .copies
                .into_iter()
                .map(|((probe, copy), placement)| FoundCopy { probe, copy, placement })
                .collect(),
            rows: self.rows.into_iter().map(|(probe, row)| FoundRow { probe, row }).collect(),
            blind,
        }
    }
}
