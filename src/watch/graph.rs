//! Watching a mailbox over Microsoft Graph: a user's, a shared one, a room's ([`GraphWatcher`]), or that of a Microsoft 365 group
//! ([`GroupWatcher`]).
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
mod group;
mod pace;
mod reading;
mod sight;
mod state;
mod views;
mod vigil;

pub use group::GroupWatcher;

use super::{Watcher, Watching};
use crate::{
    evidence::Recognizer,
    microsoft::Graph,
    model::{GraphAccess, Mailbox, MailboxName},
};
use ask::Ask;
use async_trait::async_trait;
use eyes::Eyes;
pub(super) use fault::Reason;
use fault::{Fault, Needs};
use reading::Reader;
use sight::Voice;
use std::{collections::HashMap, sync::Arc};

/// Watches one mailbox.
pub struct GraphWatcher {
    ask: Ask,
    mailbox: Mailbox,
    of_sender: bool,
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
        let voice = Voice {
            mailbox: self.mailbox.name.clone(),
            clock: watching.clock,
            events: watching.events.clone(),
        };
        let reader = Reader {
            ask: self.ask,
            mailbox: self.mailbox,
            of_sender: self.of_sender,
            recognizer: Arc::clone(&watching.recognizer),
            voice: voice.clone(),
            stays: HashMap::new(),
        };
        let eyes = Eyes::new(reader, watching.started_at);
        vigil::keep(Box::new(eyes), voice, watching).await;
    }

    async fn check(self: Box<Self>) -> Vec<(MailboxName, Result<String, String>)> {
        let outcome = match check::check(&self.ask, &self.mailbox).await {
            Ok(sentence) => Ok(sentence),
            Err(error) => {
                let fault = Fault::Graph(error);
                Err(Reason::of(&fault, &self.ask.graph, &self.ask.user, Needs::Read).await.sentence())
            }
        };
        vec![(self.mailbox.name, outcome)]
    }

    async fn clean(self: Box<Self>, recognizer: Arc<Recognizer>, dry_run: bool) -> Vec<(MailboxName, Result<u32, String>)> {
        let outcome = clean::clean(&self.ask, &recognizer, dry_run).await;
        vec![(self.mailbox.name, outcome)]
    }
}
