//! Where to look, and how closely: from what the probes wait for to what the watchers are told.

use crate::{
    judge::{Ledger, Stand},
    model::{MailboxName, Time},
    watch::Attention,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio::sync::watch;

/// The attention that each mailbox deserves.
pub(super) struct Lookout {
    spots: BTreeMap<MailboxName, Spot>,
    /// Probes that none of their own mailboxes has: every mailbox is asked before the worst is said of them.
    everywhere: BTreeSet<usize>,
    /// Mailboxes whose attention may have changed.
    dirty: BTreeSet<MailboxName>,
}

struct Spot {
    attention: watch::Sender<Attention>,
    /// The undecided probes that could arrive here.
    probes: BTreeSet<usize>,
    /// When a probe that could arrive here last left.
    sent: Option<Time>,
}

impl Lookout {
    pub fn new(ledger: &Ledger) -> Self {
        let mut spots: BTreeMap<MailboxName, Spot> = ledger
            .plan()
            .mailboxes
            .iter()
            .map(|name| {
                (
                    name.clone(),
                    Spot {
                        attention: watch::Sender::new(Attention::default()),
                        probes: BTreeSet::new(),
                        sent: None,
                    },
                )
            })
            .collect();
        for index in 0..ledger.len() {
            for place in ledger.places(index) {
                if let Some(spot) = spots.get_mut(place) {
                    spot.probes.insert(index);
                    // An earlier process may have sent it: then it is looked for as rarely as its age allows.
                    spot.sent = spot.sent.max(ledger.sent_at(index));
                }
            }
        }
        Self {
            spots,
            everywhere: BTreeSet::new(),
            dirty: BTreeSet::new(),
        }
    }

    /// The attention of a mailbox, to be followed by its watcher.
    pub fn follow(&self, mailbox: &MailboxName) -> watch::Receiver<Attention> {
        self.spots
            .get(mailbox)
            .map_or_else(|| watch::channel(Attention::default()).1, |spot| spot.attention.subscribe())
    }

    /// The undecided probes that an event about this mailbox may decide.
    pub fn probes_to_ask(&self, mailbox: &MailboxName) -> impl Iterator<Item = usize> {
        let here = self.spots.get(mailbox).map(|spot| spot.probes.iter());
        here.into_iter().flatten().chain(&self.everywhere).copied()
    }

    /// A probe left for these places.
    pub fn sent(&mut self, places: Vec<&MailboxName>, at: Time) {
        for place in places {
            if let Some(spot) = self.spots.get_mut(place) {
                spot.sent = Some(at);
            }
        }
    }

    /// A probe stands differently now.
    pub fn changed(&mut self, ledger: &Ledger, index: usize, stand: &Stand) {
        for place in ledger.places(index) {
            if let Some(spot) = self.spots.get_mut(place) {
                if *stand == Stand::Decided {
                    spot.probes.remove(&index);
                }
                self.dirty.insert(place.clone());
            }
        }
        let wanted = matches!(stand, Stand::Waiting(wait) if wait.look_everywhere);
        let changed = if wanted {
            self.everywhere.insert(index)
        } else {
            self.everywhere.remove(&index)
        };
        if changed {
            self.dirty.extend(self.spots.keys().cloned());
        }
    }

    /// Tells the watchers what has changed for them.
    pub fn direct(&mut self, ledger: &Ledger, stands: &[Stand]) {
        let look_at = |index: &usize| {
            if let Stand::Waiting(wait) = &stands[*index] {
                wait.look_at
            } else {
                None
            }
        };
        let everywhere: BTreeSet<Time> = if self.dirty.is_empty() {
            BTreeSet::new()
        } else {
            self.everywhere.iter().filter_map(look_at).collect()
        };
        let mut per_spot: HashMap<&MailboxName, Attention> = HashMap::new();
        for name in &self.dirty {
            let Some(spot) = self.spots.get(name) else { continue };
            let looked = ledger.looked(name);
            let not_yet = |at: &Time| looked.is_none_or(|looked| *at > looked);
            let is_outstanding = |index: &&usize| matches!(&stands[**index], Stand::Waiting(wait) if wait.outstanding);
            let outstanding = spot.probes.iter().any(|index| is_outstanding(&index));
            // A trace shows nobody's stray copies, and of what is complete it has nothing to add.
            let is_trace = ledger.plan().traces.contains_key(name);
            let asked = spot.probes.iter().filter(|index| !is_trace || is_outstanding(index));
            let here = asked.filter_map(look_at).filter(not_yet).min();
            let led_astray = everywhere.iter().copied().find(not_yet).filter(|_| !is_trace);
            per_spot.insert(
                name,
                Attention {
                    outstanding,
                    since: spot.sent,
                    look_at: [here, led_astray].into_iter().flatten().min(),
                },
            );
        }
        for (name, attention) in per_spot {
            if let Some(spot) = self.spots.get(name) {
                spot.attention.send_if_modified(|old| {
                    let changed = *old != attention;
                    *old = attention;
                    changed
                });
            }
        }
        self.dirty.clear();
    }

    /// A mailbox was looked at: what is wanted of it next may have changed.
    pub fn looked(&mut self, mailbox: &MailboxName) {
        self.dirty.insert(mailbox.clone());
    }
}
