//! Watching a mailbox over Microsoft Graph: a user's, a shared one, a room's.
//!
//! One task for each mailbox; all of one tenant share its client, and with it the sign-in, the connections and the budget. Whatever the service
//! does, the watcher goes on: it says that it is blind and what to do about it, looks again after growing pauses, and then everywhere. It cannot
//! see a message that came and went between two looks, what quarantine holds (the message trace knows), nor the archive mailbox.

mod ask;
mod check;
mod clean;
mod eyes;
mod fault;
mod folders;
mod pace;
mod reading;
mod state;
mod views;

use super::{Watcher, Watching, backoff::Backoff, wishes::Wishes};
use crate::{
    evidence::Recognizer,
    microsoft::Graph,
    model::{GraphAccess, Mailbox, MailboxName, Time, What},
};
use ask::Ask;
use async_trait::async_trait;
use eyes::Eyes;
pub(super) use fault::Reason;
use fault::{Fault, Needs};
use futures::FutureExt;
use reading::Reader;
use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

/// Watches one mailbox.
pub struct GraphWatcher {
    ask: Ask,
    mailbox: Mailbox,
    of_sender: bool,
}

/// What is known of the watch itself.
struct Watch {
    reader: Reader,
    wishes: Wishes,
    started_at: Time,
    /// Whether a baseline is to be told.
    fresh: bool,
    eyes: Option<Eyes>,
    backoff: Backoff,
    blind: Option<Reason>,
    /// The look that was answered with `Blind`.
    refused_look: Option<Time>,
}

impl GraphWatcher {
    /// A watcher of `mailbox`, which `graph`, the client of its tenant, shows as `access` says. `of_sender`: whether bounces and answers to one of
    /// our senders come back there; then every new message in it is read, bounded, because bounces do not bear our header field.
    pub fn new(graph: Graph, mailbox: Mailbox, access: GraphAccess, of_sender: bool) -> Self {
        Self {
            ask: Ask { graph, user: access.user },
            mailbox,
            of_sender,
        }
    }
}

#[async_trait]
impl Watcher for GraphWatcher {
    fn mailboxes(&self) -> Vec<MailboxName> {
        vec![self.mailbox.name.clone()]
    }

    async fn watch(self: Box<Self>, watching: Watching) {
        let name = self.mailbox.name.clone();
        let wishes = Wishes::new(watching.attention, watching.sending_since, watching.stop.clone());
        let mut stop = watching.stop;
        let mut watch = Watch {
            wishes,
            started_at: watching.started_at,
            fresh: !watching.baselines.contains_key(&name),
            eyes: None,
            backoff: Backoff::new(name.as_str(), pace::FIRST_ATTEMPT),
            blind: None,
            refused_look: None,
            reader: Reader {
                ask: self.ask,
                mailbox: self.mailbox,
                of_sender: self.of_sender,
                clock: watching.clock,
                recognizer: watching.recognizer,
                events: watching.events,
                stays: HashMap::new(),
            },
        };
        // Whatever is going on when the order to stop comes has a second to end well.
        let order = async {
            let _ = stop.wait_for(|stop| *stop).await;
            sleep(Duration::from_secs(1)).await;
        };
        tokio::select! {
            () = watch.go_on() => {}
            () = order => {}
        }
    }

    async fn check(self: Box<Self>) -> Vec<(MailboxName, Result<String, String>)> {
        let outcome = match check::check(&self.ask, &self.mailbox).await {
            Ok(sentence) => Ok(sentence),
            Err(error) => Err(Reason::of(&Fault::Graph(error), &self.ask, Needs::Read).await.sentence()),
        };
        vec![(self.mailbox.name, outcome)]
    }

    async fn clean(self: Box<Self>, recognizer: Arc<Recognizer>, dry_run: bool) -> Vec<(MailboxName, Result<u32, String>)> {
        let outcome = clean::clean(&self.ask, &recognizer, dry_run).await;
        vec![(self.mailbox.name, outcome)]
    }
}

impl Watch {
    /// One spell of seeing after the other, until told to stop or nobody listens.
    async fn go_on(&mut self) {
        while !self.wishes.stopped() {
            let looked = self.looked();
            // A parser that panics on what a server sends must not take the run's knowledge of all other mailboxes with it.
            let outcome = AssertUnwindSafe(Box::pin(self.see())).catch_unwind().await;
            let fault = match outcome {
                Ok(Ok(()) | Err(Fault::Unheard)) => return,
                Ok(Err(fault)) => fault,
                Err(_) => Fault::Odd("Graph showed what cannot be read"),
            };
            if self.looked() > looked {
                self.sees_again();
            }
            let reason = Reason::of(&fault, &self.reader.ask, Needs::Read).await;
            let until = Instant::now() + self.backoff.pause(reason.standing).max(reason.wait);
            if self.say_blind(reason).await.is_err() || self.wait_blind(until).await.is_err() {
                return;
            }
        }
    }

    /// Opens the mailbox, if that was not done yet, and watches. Ends well only when told to stop.
    async fn see(&mut self) -> Result<(), Fault> {
        let Self { reader, wishes, .. } = self;
        if let Some(eyes) = &mut self.eyes {
            // What is known outlives every fault.
            eyes.owes_look = true;
        } else {
            self.eyes = Some(Eyes::open(reader, self.started_at, self.fresh, &wishes.sending_since).await?);
            self.fresh = false;
            self.sees_again();
        }
        let Self { reader, wishes, eyes, .. } = self;
        match eyes {
            Some(eyes) => eyes.watch(reader, wishes).await,
            None => Ok(()),
        }
    }

    fn sees_again(&mut self) {
        self.backoff.restart();
        self.blind = None;
    }

    fn looked(&self) -> Option<Time> {
        self.eyes.as_ref().and_then(|eyes| eyes.looked)
    }

    /// Says that the mailbox cannot be looked at, unless that was just said.
    async fn say_blind(&mut self, reason: Reason) -> Result<(), Fault> {
        let news = self.blind.as_ref().is_none_or(|blind| blind.plain != reason.plain);
        self.blind = Some(reason);
        if news { self.tell_blind().await } else { Ok(()) }
    }

    async fn tell_blind(&mut self) -> Result<(), Fault> {
        let mailbox = self.reader.mailbox.name.clone();
        let reason = self.blind.as_ref().map(Reason::sentence).unwrap_or_default();
        self.reader.tell(What::Blind { mailbox, reason }).await
    }

    /// Waits until it may look again. Each look that becomes due in the meantime is answered: it cannot be made now.
    async fn wait_blind(&mut self, until: Instant) -> Result<(), Fault> {
        while !self.wishes.stopped() && Instant::now() < until {
            let now = self.reader.clock.now();
            let mut next = until;
            if let Some(at) = self
                .wishes
                .of(&self.reader.mailbox.name)
                .look_at
                .filter(|at| self.refused_look != Some(*at))
            {
                if at <= now {
                    self.refused_look = Some(at);
                    if self.looked().is_none_or(|since| since < at) {
                        self.tell_blind().await?;
                    }
                } else {
                    next = next.min(self.reader.clock.instant_of(at));
                }
            }
            tokio::select! {
                () = self.wishes.change() => {}
                () = sleep_until(next) => {}
            }
        }
        Ok(())
    }
}
