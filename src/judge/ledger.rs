//! The ledger of a run: its events, folded into what is known of each probe and of each mailbox.

use super::{
    later::Afterwards,
    record::{Gone, HandingOver, Record, Try},
};
use crate::model::{CopyId, DomainFact, Dsn, Event, MailboxName, Plan, Probe, ProbeId, Time, What, time};
use chrono::SubsecRound;
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
    /// When the process that works on the run now took it up from another.
    taken_up: Option<Time>,
    stopped: Option<(Time, bool)>,
    /// What the DNS showed of the senders' domains.
    pub(super) facts: Vec<DomainFact>,
    /// What came after the measurement.
    pub(super) afterwards: Afterwards,
}

/// What is known of the view into one mailbox.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// The latest time such that every folder was looked at by commands sent then or later.
    pub looked: Option<Time>,
    /// Why it cannot be looked at now.
    pub blind: Option<String>,
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
            taken_up: None,
            stopped: None,
            facts: Vec::new(),
            afterwards: Afterwards::default(),
        }
    }

    /// From `at` on, another process works on the run, after the events so far. It sends nothing; it has no mailbox open yet; and what an
    /// earlier process waited for is waited for anew, so that nothing is called unseen because nobody was there to look.
    fn take_up(&mut self, at: Time) {
        self.taken_up = Some(at);
        self.stopped = None;
        for sight in self.sights.values_mut() {
            sight.opened = false;
            sight.blind = None;
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
    /// What a look brought to light (`Seen`, `Gone`) comes before its `Looked`.
    pub fn apply(&mut self, event: &Event) -> Option<usize> {
        if self.afterwards.take_in(event) {
            return None;
        }
        if matches!(self.stopped, Some((_, false))) && !matches!(event.what, What::Stopped { .. }) {
            // Somebody goes on with it.
            self.stopped = None;
        }
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
                self.sights.entry(mailbox.clone()).or_default().blind = Some(reason.clone());
                None
            }
            What::Examined { facts } => {
                self.facts.clone_from(facts);
                None
            }
            What::TakenUp => {
                self.take_up(event.at);
                None
            }
            // Kept in `afterwards`.
            What::LookedAgain { .. } | What::Cleaned { .. } => None,
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
                let mut attempt = attempt.clone();
                // The journal keeps milliseconds of these: a run read back must give the same report.
                attempt.at = attempt.at.trunc_subsecs(3);
                attempt.ended_at = attempt.ended_at.trunc_subsecs(3);
                record.attempts.push(Try {
                    attempt,
                    answered: *answered,
                });
                if *last {
                    record.handing_over = HandingOver::Ended;
                }
            }),
            What::Halted { probe } => self.with(*probe, |record| record.handing_over = HandingOver::Halted),
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
                let mut dsn = Dsn::clone(dsn);
                dsn.at = dsn.at.trunc_subsecs(3);
                record.notify(dsn);
            }),
            What::Traced { probe, row } => self.with(*probe, |record| record.trace(row)),
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
        self.taken_up.is_some()
    }

    pub(super) fn taken_up(&self) -> Option<Time> {
        self.taken_up
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
        let blind = |(name, sight): (&MailboxName, &Sight)| Some((name.to_string(), sight.blind.clone()?));
        self.sights.iter().filter_map(blind).collect()
    }

    /// Whether the mailbox has been opened, or has said why it cannot be.
    pub fn is_ready(&self, mailbox: &MailboxName) -> bool {
        self.sights.get(mailbox).is_some_and(|sight| sight.opened || sight.blind.is_some())
    }

    /// Whether handing this probe over has ended.
    pub fn is_handed_over(&self, index: usize) -> bool {
        self.records[index].over()
    }

    /// The copies of every probe in this mailbox that were there at last sight, each with the latest time at which it certainly was: when it
    /// was seen first, or when the last complete look was sent, which would have missed it.
    pub fn copies_in(&self, mailbox: &MailboxName) -> Vec<(ProbeId, CopyId, Time)> {
        let looked = self.looked(mailbox);
        let of_probe = |(probe, record): (&Probe, &Record)| {
            let held = record
                .copies
                .iter()
                .filter(|held| held.gone.is_none() && held.copy.id.mailbox == *mailbox);
            held.map(|held| {
                (
                    probe.id,
                    held.copy.id.clone(),
                    looked.map_or(held.news, |looked| looked.max(held.news)),
                )
            })
            .collect::<Vec<_>>()
        };
        self.plan.probes.iter().zip(&self.records).flat_map(of_probe).collect()
    }

    /// When the probe left: the start of the first attempt; failing that, when it was begun.
    pub fn sent_at(&self, index: usize) -> Option<Time> {
        let record = &self.records[index];
        record.attempts.first().map(|tried| tried.attempt.at).or(record.began)
    }

    /// [`Ledger::sent_at`] of a probe that an attempt or a trace shows to have left; merely begun, it may not have.
    pub(super) fn left_at(&self, index: usize) -> Option<Time> {
        let record = &self.records[index];
        self.sent_at(index).filter(|_| !record.attempts.is_empty() || record.shows_signs())
    }

    /// When the probe is late.
    pub(super) fn deadline(&self, index: usize) -> Option<Time> {
        self.sent_at(index).map(|sent| time::later(sent, self.probe(index).within))
    }

    /// When the probe is given up.
    pub fn give_up_at(&self, index: usize) -> Option<Time> {
        self.sent_at(index).map(|sent| time::later(sent, self.probe(index).give_up_after))
    }

    /// The mailboxes in which the probe could be: those meant, quarantines, the sender's; and the message traces that may tell of it.
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
