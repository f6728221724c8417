//! Watching mailboxes over IMAP (RFC 3501, RFC 9051): one connection for each mailbox, or one for all mailboxes that a single login sees in a
//! shared namespace.
//!
//! Whatever a server does, the watcher goes on: it says that it is blind, opens the connection again after growing pauses, and then looks
//! everywhere, from the marks that it kept. Folders are opened read-only; no flag is ever changed, except by `clean`. It cannot see a message
//! that came and went between two looks, nor what a server keeps from the user who signs in.

mod budget;
mod check;
mod clean;
mod commands;
mod connection;
mod eyes;
mod fault;
mod folder;
mod folders;
mod guard;
mod layout;
mod mailbox;
mod names;
mod opening;
mod pace;
mod reading;
mod server;
mod sweep;
mod utf7;

pub use budget::Budget;
pub use server::{Patience, Server};

use super::{Watcher, Watching, backoff::Backoff, wishes::Wishes};
use crate::{
    clock::Clock,
    credentials::{Credentials, Door},
    evidence::Recognizer,
    model::{ImapAccess, Mailbox, MailboxName, SignIn, What},
};
use async_trait::async_trait;
use connection::Connection;
use eyes::Eyes;
use fault::Fault;
use futures::FutureExt;
use mailbox::MailboxState;
use reading::Reader;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// A mailbox to be watched, and what the site alone cannot say of it.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The mailbox.
    pub mailbox: Mailbox,
    /// The way into it.
    pub access: ImapAccess,
    /// Who signs in, by `access`. Without a secret the mailbox is blind, and says why.
    pub credentials: Credentials,
    /// Whether bounces and answers to one of our senders come back here.
    pub of_sender: bool,
}

/// Watches one mailbox, or all that one login sees in a shared namespace.
pub struct ImapWatcher {
    server: Arc<Server>,
    sign_in: SignIn,
    credentials: Credentials,
    mailboxes: Vec<(Mailbox, bool, Option<String>)>,
}

/// The watchers for these mailboxes: one for each, or one for all that share a server, a sign-in and a namespace (`watch_as`). Watchers of one
/// server share what it is asked for: `budget` makes a new one for each server.
pub fn watchers(mailboxes: Vec<Watched>, patience: Patience, budget: impl Fn() -> Budget) -> Vec<ImapWatcher> {
    let mut servers: Vec<Arc<Server>> = Vec::new();
    let mut watchers: Vec<ImapWatcher> = Vec::new();
    for watched in mailboxes {
        let ImapAccess { endpoint, sign_in, root } = watched.access;
        let known = servers.iter().find(|server| server.endpoint == endpoint).map(Arc::clone);
        let server = known.unwrap_or_else(|| {
            let server = Arc::new(Server::new(endpoint, budget(), patience));
            servers.push(Arc::clone(&server));
            server
        });
        let entry = (watched.mailbox, watched.of_sender, root);
        let shared = watchers.iter_mut().find(|watcher| {
            entry.2.is_some() && watcher.is_shared() && Arc::ptr_eq(&watcher.server, &server) && watcher.sign_in == sign_in
        });
        match shared {
            Some(watcher) => watcher.mailboxes.push(entry),
            None => watchers.push(ImapWatcher {
                server,
                sign_in,
                credentials: watched.credentials,
                mailboxes: vec![entry],
            }),
        }
    }
    watchers
}

impl ImapWatcher {
    /// Watches one mailbox of `server`.
    pub fn new(server: Arc<Server>, watched: Watched) -> Self {
        let ImapAccess { sign_in, root, .. } = watched.access;
        Self {
            server,
            sign_in,
            credentials: watched.credentials,
            mailboxes: vec![(watched.mailbox, watched.of_sender, root)],
        }
    }

    fn is_shared(&self) -> bool {
        self.mailboxes.iter().any(|(_, _, root)| root.is_some())
    }

    fn states(&self) -> Vec<MailboxState> {
        let each = self.mailboxes.iter().cloned();
        each.map(|(mailbox, of_sender, root)| MailboxState::new(mailbox, of_sender, root))
            .collect()
    }

    /// Opens a connection for a single errand, when it is this watcher's turn.
    async fn open_in_turn(&self) -> Result<Connection, Fault> {
        let patience = self.server.patience.opening;
        let late = || Fault::Lost(format!("nobody was let in for {} s", patience.as_secs()));
        let _turn = self.server.budget.opening(patience).await.ok_or_else(late)?;
        let connection = self.open(Clock::start()).await?;
        self.server.budget.opened();
        Ok(connection)
    }

    async fn open(&self, clock: Clock) -> Result<Connection, Fault> {
        opening::open(&self.server, &self.credentials, clock).await
    }

    /// What a fault means to the administrator. A server may let a token in and then refuse what it is for.
    fn told(&self, fault: &Fault) -> String {
        let advice = match fault {
            Fault::Refused(words) => self.credentials.advice(Door::Imap, words),
            Fault::Lost(_) | Fault::SignIn(_) | Fault::Unheard => None,
        };
        advice.map_or_else(
            || fault.to_string(),
            |advice| format!("{}: {advice}", fault.to_string().trim_end_matches('.')),
        )
    }

    /// Opens a connection and watches over it. Ends well only when told to stop.
    async fn session(
        &self,
        reader: &Reader,
        states: &mut Vec<MailboxState>,
        wishes: &mut Wishes,
        backoff: &mut Backoff,
    ) -> Result<(), Fault> {
        let sending_since = wishes.sending_since.clone();
        let opening = async {
            let mut connection = self.open(reader.clock).await?;
            let mut eyes = Eyes::new(&mut connection, &self.server, reader, states);
            let listed = eyes.sweep().await?;
            let late = sending_since.borrow().is_some_and(|since| since <= listed.read);
            if late {
                eyes.start_late();
                eyes.sweep().await?;
            }
            Ok(connection)
        };
        let Patience {
            opening: patience, bulk, ..
        } = self.server.patience;
        // Many mailboxes at once may take their server its time.
        let patience = if self.is_shared() { patience.max(2 * bulk) } else { patience };
        let late = || Fault::Lost(format!("the mailbox did not open within {} s", patience.as_secs()));
        let turn = self.server.budget.opening(patience).await.ok_or_else(late)?;
        let mut connection = timeout(patience, Box::pin(opening)).await.map_err(|_| late())??;
        self.server.budget.opened();
        drop(turn);
        backoff.restart();
        let outcome = Box::pin(async {
            for state in states.iter_mut().filter(|state| state.fresh) {
                state.fresh = false;
                let mailbox = state.name().clone();
                let folders = state.marks();
                reader.tell(What::Baseline { mailbox, folders }).await?;
            }
            let mut eyes = Eyes::new(&mut connection, &self.server, reader, states);
            eyes.look_at_inbox().await?;
            eyes.watch(wishes).await
        })
        .await;
        if outcome.is_ok() {
            connection.leave().await;
        }
        outcome
    }
}

#[async_trait]
impl Watcher for ImapWatcher {
    fn mailboxes(&self) -> Vec<MailboxName> {
        self.mailboxes.iter().map(|(mailbox, _, _)| mailbox.name.clone()).collect()
    }

    async fn watch(self: Box<Self>, watching: Watching) {
        let reader = Reader {
            clock: watching.clock,
            recognizer: watching.recognizer,
            events: watching.events,
            started_at: watching.started_at,
            patience: self.server.patience.bulk,
        };
        let mut states = self.states();
        for state in &mut states {
            if let Some(marks) = watching.baselines.get(state.name()) {
                state.resume(marks, watching.started_at);
            }
        }
        let mut wishes = Wishes::new(watching.attention, watching.sending_since, watching.stop.clone());
        let mut stop = watching.stop;
        // Whatever is going on when the order to stop comes has a second to end well.
        let order = async {
            let _ = stop.wait_for(|stop| *stop).await;
            sleep(Duration::from_secs(1)).await;
        };
        tokio::select! {
            () = self.go_on(&reader, &mut states, &mut wishes) => {}
            () = order => {}
        }
    }

    async fn check(self: Box<Self>) -> Vec<(MailboxName, Result<String, String>)> {
        check::check(&self).await
    }

    async fn clean(self: Box<Self>, recognizer: Arc<Recognizer>, dry_run: bool) -> Vec<(MailboxName, Result<u32, String>)> {
        clean::clean(&self, &recognizer, dry_run).await
    }
}

impl ImapWatcher {
    /// One connection after the other, until told to stop or nobody listens.
    async fn go_on(&self, reader: &Reader, states: &mut Vec<MailboxState>, wishes: &mut Wishes) {
        let name = states.first().map(|state| state.name().to_string()).unwrap_or_default();
        let mut backoff = Backoff::new(&name, pace::FIRST_ATTEMPT);
        while !wishes.stopped() {
            let session = AssertUnwindSafe(Box::pin(self.session(reader, states, wishes, &mut backoff)));
            // A parser that panics on what a server sends must not take the run's knowledge of all other mailboxes with it.
            let outcome = session.catch_unwind().await;
            let fault = match outcome {
                Ok(Ok(()) | Err(Fault::Unheard)) => return,
                Ok(Err(fault)) => fault,
                Err(_) => Fault::Lost("the server sent what cannot be read".to_owned()),
            };
            if say_blind(reader, states, &self.told(&fault)).await.is_err() {
                return;
            }
            let until = Instant::now() + backoff.pause(matches!(fault, Fault::SignIn(_)));
            if wait_blind(reader, states, wishes, until).await.is_err() {
                return;
            }
        }
    }
}

/// Says of every mailbox that it cannot be looked at, unless that was just said.
async fn say_blind(reader: &Reader, states: &mut [MailboxState], reason: &str) -> Result<(), Fault> {
    for state in states {
        if state.blind.as_deref() != Some(reason) {
            state.blind = Some(reason.to_owned());
            tell_blind(reader, state).await?;
        }
    }
    Ok(())
}

async fn tell_blind(reader: &Reader, state: &MailboxState) -> Result<(), Fault> {
    let reason = state.blind.clone().unwrap_or_default();
    let mailbox = state.name().clone();
    reader.tell(What::Blind { mailbox, reason }).await
}

/// Waits until the connection may be opened again. Each look that becomes due in the meantime is answered: it cannot be made now.
async fn wait_blind(reader: &Reader, states: &mut [MailboxState], wishes: &mut Wishes, until: Instant) -> Result<(), Fault> {
    while !wishes.stopped() && Instant::now() < until {
        let now = reader.clock.now();
        let mut next = until;
        for state in states.iter_mut() {
            let Some(at) = wishes.of(state.name()).look_at.filter(|at| state.refused_look != Some(*at)) else {
                continue;
            };
            if at <= now {
                state.refused_look = Some(at);
                if state.looked.is_none_or(|since| since < at) {
                    tell_blind(reader, state).await?;
                }
            } else {
                next = next.min(reader.clock.instant_of(at));
            }
        }
        tokio::select! {
            () = wishes.change() => {}
            () = sleep_until(next) => {}
        }
    }
    Ok(())
}

/// The mailboxes of a watcher, each with the same outcome.
fn each_with<T: Clone>(watcher: &ImapWatcher, outcome: &T) -> Vec<(MailboxName, T)> {
    watcher
        .mailboxes
        .iter()
        .map(|(mailbox, _, _)| (mailbox.name.clone(), outcome.clone()))
        .collect()
}
