//! What the vigil over any mailbox of Graph needs to know of it: how it is looked at, and how that is told.

use super::fault::{Fault, Reason};
use crate::{
    clock::Clock,
    model::{Event, FolderMark, MailboxName, Time, What},
};
use async_trait::async_trait;
use tokio::{sync::mpsc, time::Instant};

/// How much a look takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Where new mail shows first.
    Quick,
    /// Everything that arrived since the run began.
    Sweep,
    /// That, and every copy that is known.
    Complete,
}

/// A mailbox as looks show it. What it knows outlives every fault.
#[async_trait]
pub(super) trait Sight: Send {
    /// Takes in everything that is there, as if nothing had been known. Returns when the first call for it was sent.
    async fn open(&mut self, until: Instant) -> Result<Time, Fault>;

    /// What lies in the mailbox before the first probe has left is not of this run.
    fn forget_what_is_old(&mut self);

    /// The folders that are watched.
    fn marks(&self) -> Vec<FolderMark>;

    /// Takes in what a look shows. Returns when the first call for it was sent.
    async fn take_in(&mut self, depth: Depth, until: Instant) -> Result<Time, Fault>;

    /// Reads what must be read, asks after what may have gone, and tells. What cannot be done now stays to be done.
    async fn settle(&mut self, until: Instant) -> Result<(), Fault>;

    /// What `fault` means, and what to do about it.
    async fn reason(&self, fault: &Fault) -> Reason;
}

/// Tells what happens in one mailbox.
#[derive(Clone)]
pub(super) struct Voice {
    pub(super) mailbox: MailboxName,
    pub(super) clock: Clock,
    pub(super) events: mpsc::Sender<Event>,
}

impl Voice {
    /// Says that something happened.
    pub(super) async fn tell(&self, what: What) -> Result<(), Fault> {
        let event = Event {
            at: self.clock.now(),
            what,
        };
        self.events.send(event).await.map_err(|_| Fault::Unheard)
    }
}
