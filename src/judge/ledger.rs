//! The ledger of a run: its events, folded into what is known of each probe and of each mailbox.

use crate::model::{Attempt, Copy, CopyId, Dsn, Event, MailboxName, Placement, Plan, Probe, ProbeId, Time, What, time};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What is known of a run so far.
pub struct Ledger {
    plan: Arc<Plan>,
    index: HashMap<ProbeId, usize>,
    records: Vec<Record>,
    sights: HashMap<MailboxName, Sight>,
    /// Whether the process that sent is gone: what it had not begun will never be sent.
    resumed: bool,
    stopped: Option<(Time, bool)>,
}

/// What is known of one probe.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub began: Option<Time>,
    pub attempts: Vec<Try>,
    /// Whether handing it over has ended.
    pub over: bool,
    pub copies: Vec<Held>,
    pub notifications: Vec<Dsn>,
    pub auto_replied: bool,
    pub replied: bool,
    /// When the last thing about it was news: a copy, or a failure notification.
    pub last_news: Option<Time>,
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
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Gone {
    pub last_present: Time,
    pub noticed: Time,
}

/// What is known of the view into one mailbox.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// The latest time such that every folder was looked at by commands sent then or later.
    pub looked: Option<Time>,
    /// Since when, and why, it cannot be looked at.
    pub blind: Option<(Time, String)>,
    /// The last reason for blindness, kept for the report.
    pub trouble: Option<String>,
    pub opened: bool,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(plan: Arc<Plan>) -> Self {
        let index = plan.probes.iter().enumerate().map(|(index, probe)| (probe.id, index)).collect();
        let records = plan.probes.iter().map(|_| Record::default()).collect();
        let sights = plan.mailboxes.iter().map(|name| (name.clone(), Sight::default())).collect();
        Self {
            plan,
            index,
            records,
            sights,
            resumed: false,
            stopped: None,
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// How many probes there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no probe.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes one event in; the index of the probe that it is about, if any. An event about a probe that the plan does not know is dropped.
    pub fn apply(&mut self, event: &Event) -> Option<usize> {
        match &event.what {
            What::Baseline { mailbox, .. } => {
                let sight = self.sights.entry(mailbox.clone()).or_default();
                sight.opened = true;
                sight.blind = None;
                None
            }
            What::Looked { mailbox, since } => {
                let sight = self.sights.entry(mailbox.clone()).or_default();
                sight.opened = true;
                sight.looked = sight.looked.max(Some(*since));
                sight.blind = None;
                None
            }
            What::Blind { mailbox, reason } => {
                let sight = self.sights.entry(mailbox.clone()).or_default();
                let since = sight.blind.take().map_or(event.at, |(since, _)| since);
                sight.blind = Some((since, reason.clone()));
                sight.trouble = Some(reason.clone());
                None
            }
            What::TakenUp => {
                self.resumed = true;
                self.stopped = None;
                None
            }
            What::Stopped { finished } => {
                self.stopped = Some((event.at, *finished));
                None
            }
            What::Began { probe } => self.with(*probe, |record| {
                record.began.get_or_insert(event.at);
            }),
            What::Attempted {
                probe,
                attempt,
                answered,
                last,
            } => self.with(*probe, |record| {
                record.attempts.push(Try {
                    attempt: attempt.clone(),
                    answered: *answered,
                });
                record.over |= *last;
            }),
            What::Seen { probe, copy } => self.with(*probe, |record| record.see(copy)),
            What::Gone {
                probe,
                copy,
                last_present,
                noticed,
            } => self.with(*probe, |record| {
                if let Some(held) = record.copies.iter_mut().find(|held| held.copy.id == *copy && held.gone.is_none()) {
                    held.gone = Some(Gone {
                        last_present: *last_present,
                        noticed: *noticed,
                    });
                }
            }),
            What::Returned { probe, dsn } => self.with(*probe, |record| {
                if !record.notifications.contains(dsn) {
                    record.notifications.push((**dsn).clone());
                    record.last_news = record.last_news.max(Some(dsn.at));
                }
            }),
            What::Answered { probe, automatic, .. } => self.with(*probe, |record| {
                record.auto_replied |= *automatic;
                record.replied |= !*automatic;
            }),
        }
    }

    fn with(&mut self, probe: ProbeId, change: impl FnOnce(&mut Record)) -> Option<usize> {
        let index = *self.index.get(&probe)?;
        change(self.records.get_mut(index)?);
        Some(index)
    }

    pub(super) fn probe(&self, index: usize) -> &Probe {
        &self.plan.probes[index]
    }

    pub(super) fn record(&self, index: usize) -> &Record {
        &self.records[index]
    }

    pub(super) fn sight(&self, mailbox: &MailboxName) -> Option<&Sight> {
        self.sights.get(mailbox)
    }

    pub(super) fn resumed(&self) -> bool {
        self.resumed
    }

    /// When and how the run ended, if it has.
    pub(super) fn stopped(&self) -> Option<(Time, bool)> {
        self.stopped
    }

    /// When everything was decided.
    pub fn finished_at(&self) -> Option<Time> {
        self.stopped.and_then(|(at, finished)| finished.then_some(at))
    }

    /// The latest time such that every folder of the mailbox was looked at then or later.
    pub fn looked(&self, mailbox: &MailboxName) -> Option<Time> {
        self.sights.get(mailbox)?.looked
    }

    /// The mailboxes that cannot be looked at now, with the reason.
    pub fn blind(&self) -> BTreeMap<String, String> {
        let blind = |(name, sight): (&MailboxName, &Sight)| sight.blind.as_ref().map(|(_, reason)| (name.to_string(), reason.clone()));
        self.sights.iter().filter_map(blind).collect()
    }

    /// Whether the mailbox has been opened, or has said why it cannot be.
    pub fn is_ready(&self, mailbox: &MailboxName) -> bool {
        self.sights.get(mailbox).is_some_and(|sight| sight.opened || sight.blind.is_some())
    }

    /// Whether handing this probe over has ended.
    pub fn is_handed_over(&self, index: usize) -> bool {
        self.records[index].over
    }

    /// The copies of every probe in this mailbox that were there at last sight.
    pub fn copies_in(&self, mailbox: &MailboxName) -> Vec<(ProbeId, CopyId, Time)> {
        let of_probe = |(probe, record): (&Probe, &Record)| {
            let held = record
                .copies
                .iter()
                .filter(|held| held.gone.is_none() && held.copy.id.mailbox == *mailbox);
            held.map(|held| (probe.id, held.copy.id.clone(), held.copy.at)).collect::<Vec<_>>()
        };
        self.plan.probes.iter().zip(&self.records).flat_map(of_probe).collect()
    }

    /// When the probe left: the start of the first attempt; failing that, when it was begun.
    pub fn sent_at(&self, index: usize) -> Option<Time> {
        let record = &self.records[index];
        record.attempts.first().map(|tried| tried.attempt.at).or(record.began)
    }

    /// When the probe is late.
    pub(super) fn deadline(&self, index: usize) -> Option<Time> {
        self.sent_at(index).map(|sent| time::later(sent, self.probe(index).within))
    }

    /// When the probe is given up.
    pub fn give_up_at(&self, index: usize) -> Option<Time> {
        self.sent_at(index).map(|sent| time::later(sent, self.probe(index).give_up_after))
    }

    /// The mailboxes in which the probe could be: those meant, quarantines, the sender's.
    pub fn places(&self, index: usize) -> Vec<&MailboxName> {
        let probe = self.probe(index);
        let recipient = self.plan.recipient(probe);
        let mut places: Vec<&MailboxName> = recipient
            .meant
            .iter()
            .chain(recipient.quarantine.mailboxes())
            .chain(&self.plan.sender(probe).mailbox)
            .collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

impl Record {
    fn see(&mut self, copy: &Copy) {
        if let Some(held) = self.copies.iter_mut().find(|held| held.copy.id == copy.id) {
            // Seen again, by a process that took up the run: the first bounds hold.
            held.gone = None;
        } else {
            self.last_news = self.last_news.max(Some(copy.at));
            self.copies.push(Held {
                copy: copy.clone(),
                gone: None,
            });
        }
    }

    /// The copies in `mailbox`.
    pub fn copies_in<'a>(&'a self, mailbox: &'a MailboxName) -> impl Iterator<Item = &'a Held> {
        self.copies.iter().filter(move |held| held.copy.id.mailbox == *mailbox)
    }

    /// Whether the next hop took it.
    pub fn accepted(&self) -> Option<&Attempt> {
        self.attempts
            .last()
            .filter(|tried| self.over && tried.answered && tried.attempt.reply.is_positive())
            .map(|tried| &tried.attempt)
    }

    /// The final refusal, if it was refused.
    pub fn refused(&self) -> bool {
        self.over
            && self
                .attempts
                .last()
                .is_some_and(|tried| tried.answered && !tried.attempt.reply.is_positive())
    }

    /// Whether it may have been taken although nobody said so.
    pub fn in_doubt(&self, resumed: bool) -> bool {
        self.attempts.last().is_some_and(|tried| tried.attempt.in_doubt) || (resumed && self.began.is_some() && !self.over)
    }

    /// Whether nothing ever left, because the mail system could not be talked to.
    pub fn unreachable(&self) -> bool {
        self.over && self.attempts.last().is_some_and(|tried| !tried.answered && !tried.attempt.in_doubt)
    }
}

impl Held {
    pub fn is_present(&self) -> bool {
        self.gone.is_none()
    }

    /// Whether both were certainly there at one moment.
    pub fn overlaps(&self, other: &Self) -> bool {
        let end = |held: &Self| held.gone.map_or(Time::MAX_UTC, |gone| gone.last_present);
        self.copy.at <= end(other) && other.copy.at <= end(self)
    }

    pub fn placement(&self) -> Placement {
        self.copy.placement
    }
}
