//! Watching mailboxes. A [`Watcher`] is told once what to look for, then sends events as things happen: nobody polls it. It says what it saw,
//! when it looked everywhere, and when it was blind. What it cannot see: a message that came and went between two looks.

mod backoff;
pub mod graph;
pub mod imap;
mod study;
pub mod trace;
mod wishes;

use crate::{
    clock::Clock,
    evidence::Recognizer,
    model::{Event, FolderMark, MailboxName, Time},
};
use async_trait::async_trait;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{mpsc, watch};

/// How closely a mailbox deserves to be watched just now. The loop changes it; the watcher reacts at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attention {
    /// Whether a probe may arrive here at any moment: look often (from some 100 ms on, growing), within the server's budget.
    pub outstanding: bool,
    /// When this changed to a newly sent probe, so that the growing pauses start afresh.
    pub since: Option<Time>,
    /// A complete look (every folder, and every copy known there) is wanted that *begins* at this time or later, as soon as that time has come.
    /// It is answered by a `Looked` whose `since` is not before this, or by `Blind`.
    pub look_at: Option<Time>,
}

/// What a watcher needs for its work.
pub struct Watching {
    /// The clock of every time that it reports.
    pub clock: Clock,
    /// Tells our messages from all others.
    pub recognizer: Arc<Recognizer>,
    /// Folder states taken earlier in this run (from the journal): where one is given it holds, and no new baseline is taken for that mailbox.
    pub baselines: HashMap<MailboxName, Vec<FolderMark>>,
    /// When the run started: a mailbox that could not be opened before the first probe left is searched from that day on.
    pub started_at: Time,
    /// When the first probe left, once it has: a mailbox that is opened after that is too late for a baseline, and is searched as above.
    pub sending_since: watch::Receiver<Option<Time>>,
    /// For each of its mailboxes, how closely to watch.
    pub attention: HashMap<MailboxName, watch::Receiver<Attention>>,
    /// Where the events go: `Baseline`, `Seen`, `Gone`, `Returned`, `Answered`, `Looked`, `Blind`. When nobody listens any more, the watcher ends.
    pub events: mpsc::Sender<Event>,
    /// Turns true when the watcher shall log out and end.
    pub stop: watch::Receiver<bool>,
}

/// A way of watching one or several mailboxes.
#[async_trait]
pub trait Watcher: Send {
    /// The mailboxes that it watches.
    fn mailboxes(&self) -> Vec<MailboxName>;

    /// Opens the mailboxes and sends, for each, a `Baseline` or a `Blind`, within a bounded time. Then watches until told to stop.
    /// Never ends because of what a server does: it says `Blind`, and tries again with growing pauses.
    async fn watch(self: Box<Self>, watching: Watching);

    /// Opens each mailbox, finds its folders, and changes nothing: for `mailflow check`. A sentence for each mailbox, or what is wrong with it.
    async fn check(self: Box<Self>) -> Vec<(MailboxName, Result<String, String>)>;

    /// Deletes every message in the watched mailboxes whose verified tag is of one of these runs (all runs, if none is named), or only counts
    /// them on a `dry_run`. For each mailbox: how many, or what stood against it.
    async fn clean(self: Box<Self>, recognizer: Arc<Recognizer>, dry_run: bool) -> Vec<(MailboxName, Result<u32, String>)>;
}
