//! Watching over an open connection: quick looks at the inbox, sweeps of all other folders, complete looks, and IDLE in between.
//!
//! One login for each mailbox: its inbox stays open, and `NOOP` or IDLE tells what is new there. One login for many mailboxes in a shared
//! namespace: one `LIST` with the status of every folder is the look. It cannot see a message that came and went between two looks.

use super::{
    commands,
    connection::{Connection, Spell},
    fault::Fault,
    folders,
    layout::{Layout, find_folders, fingerprint, pattern},
    mailbox::{Folder, MailboxState},
    pace,
    reading::Reader,
    server::Server,
};
use crate::{
    model::{MailboxName, Placement, Time, What},
    watch::Attention,
};
use futures::{StreamExt, stream::BoxStream, stream::SelectAll};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Among so many quick looks, one sweeps all folders; of the others, every second one asks for the junk and quarantine folders too.
const SWEEP_EVERY: u32 = 4;
/// How many folders one partial sweep asks for, where the server does not tell the status of all at once.
const PARTIAL: usize = 4;
/// Below this pause, IDLE is not worth its two commands.
const IDLE_FROM: Duration = Duration::from_secs(1);
/// A folder that a server refused is left alone for this long, except in complete looks; a complete look that failed is tried again after it.
const SHY: Duration = Duration::from_secs(10);

/// What the loop wants from the watcher.
pub(super) struct Wishes {
    attention: HashMap<MailboxName, watch::Receiver<Attention>>,
    /// When the first probe left, once it has.
    pub(super) sending_since: watch::Receiver<Option<Time>>,
    stop: watch::Receiver<bool>,
    /// Yields whenever any attention changes.
    changes: SelectAll<BoxStream<'static, ()>>,
}

impl Wishes {
    pub(super) fn new(
        attention: HashMap<MailboxName, watch::Receiver<Attention>>,
        sending_since: watch::Receiver<Option<Time>>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let changes = attention.values().cloned().map(|receiver| {
            futures::stream::unfold(receiver, |mut receiver| async {
                receiver.changed().await.ok()?;
                Some(((), receiver))
            })
            .boxed()
        });
        Self {
            changes: futures::stream::select_all(changes),
            attention,
            sending_since,
            stop,
        }
    }

    pub(super) fn of(&self, mailbox: &MailboxName) -> Attention {
        self.attention.get(mailbox).map(|receiver| *receiver.borrow()).unwrap_or_default()
    }

    /// Whether the watcher shall end, by its word or because nobody is there any more to say so.
    pub(super) fn stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Waits until something changes: an attention, or the order to stop.
    pub(super) async fn change(&mut self) {
        let Self { stop, changes, .. } = self;
        tokio::select! {
            // No sender left: `stopped` says so.
            _ = stop.changed() => {}
            change = changes.next() => if change.is_none() {
                // Nobody will change an attention any more; only the order to stop can come.
                let _ = stop.changed().await;
            }
        }
    }
}

/// The watcher's eyes on one connection.
pub(super) struct Eyes<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) server: &'a Server,
    pub(super) reader: &'a Reader,
    pub(super) mailboxes: &'a mut Vec<MailboxState>,
    /// The pattern of `LIST` that finds all folders.
    pub(super) pattern: String,
    looks: u32,
    last_look: Instant,
    next_look: Instant,
    /// When the newest probe left that the last look knew of.
    newest: Option<Time>,
    /// Where a partial sweep goes on.
    turn: usize,
    /// How long the last sweep took.
    sweep_took: Duration,
    layout: Layout,
}

impl<'a> Eyes<'a> {
    pub(super) fn new(
        connection: &'a mut Connection,
        server: &'a Server,
        reader: &'a Reader,
        mailboxes: &'a mut Vec<MailboxState>,
    ) -> Self {
        let pattern = pattern(mailboxes);
        Self {
            connection,
            server,
            reader,
            mailboxes,
            pattern,
            looks: 0,
            last_look: Instant::now(),
            next_look: Instant::now(),
            newest: None,
            layout: Layout::default(),
            turn: 0,
            sweep_took: Duration::ZERO,
        }
    }

    /// Whether the connection shows one mailbox as its own user sees it.
    fn is_own(&self) -> bool {
        self.mailboxes.iter().all(|mailbox| mailbox.root.is_none())
    }

    /// Gives up on the baselines that have not been told: probes have left already.
    pub(super) fn start_late(&mut self) {
        for mailbox in self.mailboxes.iter_mut().filter(|mailbox| mailbox.fresh) {
            mailbox.start_late(self.reader.started_at);
        }
        self.layout = Layout::default();
    }

    /// Lists all folders with their status, so that every mailbox knows its own.
    pub(super) async fn sweep(&mut self) -> Result<Spell, Fault> {
        let started = Instant::now();
        let (mut listed, spell) = commands::list(self.connection, &self.pattern).await?;
        let open = self.connection.selected.as_ref().map(|selected| selected.wire.clone());
        let fingerprint = fingerprint(&listed);
        let settled = self.layout.fingerprint == fingerprint && self.layout.places.len() == listed.len();
        let found = if settled {
            Vec::new()
        } else {
            find_folders(self.mailboxes, &listed)
        };
        if !commands::gives_status(self.connection) {
            let watched: HashSet<String> = self.watched_names(&found);
            for folder in listed
                .iter_mut()
                .filter(|folder| watched.contains(&folder.wire) && open.as_ref() != Some(&folder.wire))
            {
                folder.status = match commands::status(self.connection, &folder.wire).await {
                    Ok((status, _)) => Some(status),
                    Err(Fault::Refused(_)) => None,
                    Err(fault) => return Err(fault),
                };
            }
        }
        if settled {
            for (folder, place) in listed.iter().zip(&self.layout.places) {
                let Some((mailbox, name)) = place else {
                    continue;
                };
                let known = self.mailboxes.get_mut(*mailbox).and_then(|mailbox| mailbox.folders.get_mut(name));
                if let Some(known) = known.filter(|_| open.as_ref() != Some(&folder.wire)) {
                    known.listed(spell.sent, folder.status.as_ref());
                }
            }
            for mailbox in self.mailboxes.iter_mut() {
                mailbox.listed = Some(spell.sent);
            }
        } else {
            let places: HashMap<&str, usize> = listed
                .iter()
                .enumerate()
                .map(|(place, folder)| (folder.wire.as_str(), place))
                .collect();
            let mut layout: Vec<Option<(usize, String)>> = vec![None; listed.len()];
            for (index, (mailbox, found)) in self.mailboxes.iter_mut().zip(found).enumerate() {
                let mut folders = Vec::with_capacity(found.len());
                for folder in found {
                    let place = places.get(folder.wire.as_str()).copied();
                    let status = place.and_then(|place| listed.get(place)).and_then(|listed| listed.status);
                    // What cannot be read when all is well is no place of this mailbox's mail: somebody else's shared folder.
                    if mailbox.listed.is_none() && status.is_none() {
                        continue;
                    }
                    if let Some(place) = place.and_then(|place| layout.get_mut(place)) {
                        *place = Some((index, folder.name.clone()));
                    }
                    folders.push((folder, status));
                }
                let gone = mailbox.list(folders, open.as_deref(), spell.sent);
                self.reader.tell_gone(gone, spell.read).await?;
            }
            self.layout = Layout {
                fingerprint,
                places: layout,
            };
        }
        self.sweep_took = started.elapsed();
        Ok(spell)
    }

    /// The names on the wire of all folders that are watched, or have just been found.
    fn watched_names(&self, found: &[Vec<folders::Watched>]) -> HashSet<String> {
        let known = self
            .mailboxes
            .iter()
            .flat_map(|mailbox| mailbox.folders.values())
            .map(|folder| folder.wire.clone());
        known.chain(found.iter().flatten().map(|folder| folder.wire.clone())).collect()
    }

    /// Asks for the status of single folders: those that hold mail back, or, in turns, some of all.
    async fn glance(&mut self, all: bool) -> Result<(), Fault> {
        let open = self.connection.selected.as_ref().map(|selected| selected.wire.clone());
        let mut wanted: Vec<(usize, String, String)> = Vec::new();
        for (place, mailbox) in self.mailboxes.iter().enumerate() {
            let folders = mailbox.folders.values().filter(|folder| Some(&folder.wire) != open.as_ref());
            let held = folders.filter(|folder| all || matches!(folder.placement, Placement::Junk | Placement::Quarantine));
            wanted.extend(held.map(|folder| (place, folder.name.clone(), folder.wire.clone())));
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let start = if all { self.turn % wanted.len() } else { 0 };
        self.turn = self.turn.wrapping_add(PARTIAL);
        let (before, after) = wanted.split_at(start);
        for (place, name, wire) in after.iter().chain(before).take(PARTIAL) {
            self.server.budget.take(1).await;
            let told = match commands::status(self.connection, wire).await {
                Ok(told) => told,
                Err(Fault::Refused(_)) => continue,
                Err(fault) => return Err(fault),
            };
            let folder = self.mailboxes.get_mut(*place).and_then(|mailbox| mailbox.folders.get_mut(name));
            if let Some(folder) = folder {
                folder.look(told.1.sent, &told.0);
            }
        }
        Ok(())
    }

    /// Opens the inbox, if this connection watches one, or asks what is new in it if it is open; and reads what is.
    pub(super) async fn look_at_inbox(&mut self) -> Result<(), Fault> {
        if !self.is_own() {
            return Ok(());
        }
        let Some(inbox) = self.inbox() else {
            return Err(Fault::Refused("the mailbox has no INBOX".to_owned()));
        };
        let wire = inbox.wire.clone();
        let is_open = self.connection.selected.as_ref().is_some_and(|selected| selected.wire == wire);
        if is_open {
            let spell = commands::noop(self.connection).await?;
            self.server.budget.answered((spell.read - spell.sent).to_std().unwrap_or_default());
            self.take_news(Some(spell.sent));
        } else {
            let reader = self.reader;
            let (Some(inbox), connection) = (own_inbox(self.mailboxes), &mut *self.connection) else {
                return Ok(());
            };
            reader.enter(connection, inbox).await?;
        }
        self.read_inbox().await
    }

    fn inbox(&self) -> Option<&Folder> {
        self.mailboxes.first().and_then(|mailbox| mailbox.folders.get("INBOX"))
    }

    async fn read_inbox(&mut self) -> Result<(), Fault> {
        let Some(mailbox) = self.mailboxes.first_mut() else {
            return Ok(());
        };
        if mailbox.folders.get("INBOX").is_some_and(Folder::is_unread) {
            self.reader.read(self.connection, mailbox, "INBOX").await?;
        }
        Ok(())
    }

    /// Takes in what the server has said of the open inbox, in a look sent at `sent` or, without one, while idling.
    fn take_news(&mut self, sent: Option<Time>) {
        let Some(selected) = self.connection.selected.as_mut() else {
            return;
        };
        let (exists, grown, shrunk) = (selected.exists, selected.grown.take(), selected.shrunk.take());
        let wire = selected.wire.clone();
        let Some(inbox) = own_inbox(self.mailboxes).filter(|inbox| inbox.wire == wire) else {
            return;
        };
        if let Some(at) = grown {
            inbox.grew(exists, at);
        }
        if let Some(at) = shrunk {
            inbox.shrank(at);
        }
        if let Some(sent) = sent {
            inbox.unchanged(sent);
        }
        inbox.messages = Some(exists);
    }

    /// Reads every folder that holds something unread. In a shared namespace, looks go on in between, so that many arrivals at once do not
    /// widen each other's intervals. Returns what a server refused, for each mailbox.
    async fn read_all(&mut self, complete: bool) -> Result<HashMap<MailboxName, String>, Fault> {
        let mut refused: HashMap<MailboxName, String> = HashMap::new();
        for place in 0..self.mailboxes.len() {
            while let Some(mailbox) = self.mailboxes.get_mut(place) {
                if refused.contains_key(mailbox.name()) {
                    break;
                }
                let Some(name) = mailbox.unread(Instant::now(), complete) else {
                    break;
                };
                match self.reader.read(self.connection, mailbox, &name).await {
                    Ok(()) => {}
                    Err(Fault::Refused(words)) => {
                        if let Some(folder) = mailbox.folders.get_mut(&name) {
                            folder.refused_until = Some(Instant::now() + SHY);
                        }
                        refused.insert(mailbox.name().clone(), words);
                    }
                    Err(fault) => return Err(fault),
                }
                if !self.is_own() && self.next_look <= Instant::now() {
                    self.next_look = Instant::now() + pace::QUICKEST;
                    self.sweep_in_turn().await?;
                }
            }
        }
        Ok(refused)
    }

    /// What a sweep costs of the budget.
    fn weight(&self) -> u32 {
        let folders: usize = self.mailboxes.iter().map(|mailbox| mailbox.folders.len()).sum();
        let cost = if commands::gives_status(self.connection) {
            folders / 50
        } else {
            folders
        };
        u32::try_from(cost).unwrap_or(u32::MAX).clamp(1, 100)
    }

    /// A sweep within the server's budget.
    async fn sweep_in_turn(&mut self) -> Result<(), Fault> {
        let weight = self.weight();
        self.server.budget.take(weight).await;
        let spell = self.sweep().await?;
        self.server
            .budget
            .answered((spell.read - spell.sent).to_std().unwrap_or_default() / weight);
        Ok(())
    }

    /// One quick look: at the inbox, and now and then (at rest always) at the other folders.
    async fn quick_look(&mut self, at_rest: bool) -> Result<(), Fault> {
        self.looks = self.looks.wrapping_add(1);
        if self.is_own() {
            self.server.budget.take(1).await;
            self.look_at_inbox().await?;
            if at_rest || self.looks.is_multiple_of(SWEEP_EVERY) {
                if at_rest || commands::gives_status(self.connection) {
                    self.sweep_in_turn().await?;
                } else {
                    self.glance(true).await?;
                }
            } else if self.looks.is_multiple_of(2) {
                self.glance(false).await?;
            }
        } else {
            self.sweep_in_turn().await?;
        }
        self.read_all(false).await?;
        self.return_to_inbox().await
    }

    /// Opens the inbox again after another folder was read.
    async fn return_to_inbox(&mut self) -> Result<(), Fault> {
        let away = match (&self.connection.selected, self.inbox()) {
            (Some(selected), Some(inbox)) => selected.wire != inbox.wire,
            _ => true,
        };
        if self.is_own() && away {
            self.look_at_inbox().await
        } else {
            Ok(())
        }
    }

    /// A complete look for the mailboxes at `places`: every folder, and every copy known there. Says `Looked` or `Blind` for each.
    pub(super) async fn complete_look(&mut self, places: &[usize]) -> Result<(), Fault> {
        let since = self.reader.clock.now();
        self.sweep_in_turn().await?;
        self.look_at_inbox().await?;
        let mut refused = self.read_all(true).await?;
        for place in places {
            let Some(mailbox) = self.mailboxes.get_mut(*place) else {
                continue;
            };
            let own = mailbox.root.is_none();
            for folder in mailbox.folders.values_mut() {
                let is_inbox = own && folder.name == "INBOX";
                if !(is_inbox || folder.doubtful || !folder.known.is_empty()) || refused.contains_key(&mailbox.mailbox.name) {
                    continue;
                }
                match self.reader.look_closely(self.connection, folder, is_inbox).await {
                    Ok(()) => {}
                    Err(Fault::Refused(words)) => {
                        refused.insert(mailbox.mailbox.name.clone(), words);
                    }
                    Err(fault) => return Err(fault),
                }
            }
        }
        // Looking closely may have shown something new.
        refused.extend(self.read_all(true).await?);
        self.return_to_inbox().await?;
        for place in places {
            let Some(state) = self.mailboxes.get_mut(*place) else {
                continue;
            };
            let mailbox = state.name().clone();
            if let Some(reason) = refused.remove(&mailbox) {
                state.again = Some(Instant::now() + SHY);
                state.blind = Some(reason.clone());
                self.reader.tell(What::Blind { mailbox, reason }).await?;
            } else {
                state.again = None;
                state.blind = None;
                state.owes_look = false;
                state.looked = Some(since);
                self.reader.tell(What::Looked { mailbox, since }).await?;
            }
        }
        Ok(())
    }

    /// Watches until told to stop. Returns then, with the connection in order.
    pub(super) async fn watch(&mut self, wishes: &mut Wishes) -> Result<(), Fault> {
        while !wishes.stopped() {
            let now = self.reader.clock.now();
            let due = self.due(wishes, now);
            if !due.is_empty() {
                self.complete_look(&due).await?;
                continue;
            }
            let (pause, newest) = self.pause(wishes, now);
            let mut next = self.next_look.min(Instant::now() + pause);
            if newest > self.newest {
                // A probe has just left: the sooner a look still misses it, the narrower its interval.
                next = self.last_look + pace::QUICKEST;
            }
            if next <= Instant::now() {
                self.newest = newest;
                self.last_look = Instant::now();
                self.quick_look(pause >= pace::AT_REST).await?;
                // A sweep that takes long is not begun again at once.
                let rest = if self.is_own() { Duration::ZERO } else { self.sweep_took };
                self.next_look = (self.last_look + pause).max(Instant::now() + rest);
                continue;
            }
            self.rest(wishes, next, pause).await?;
        }
        Ok(())
    }

    /// The mailboxes for which a complete look is due.
    fn due(&self, wishes: &Wishes, now: Time) -> Vec<usize> {
        let is_due = |mailbox: &MailboxState| {
            let wanted = wishes
                .of(mailbox.name())
                .look_at
                .is_some_and(|at| at <= now && mailbox.looked.is_none_or(|since| since < at));
            let again = mailbox.again.is_none_or(|again| again <= Instant::now());
            (wanted || mailbox.blind.is_some() || mailbox.owes_look) && again
        };
        let places = self.mailboxes.iter().enumerate();
        places.filter(|(_, mailbox)| is_due(mailbox)).map(|(place, _)| place).collect()
    }

    /// The pause between two looks just now, which is that of the mailbox with the newest probe; and when that one left.
    fn pause(&self, wishes: &Wishes, now: Time) -> (Duration, Option<Time>) {
        let outstanding = self
            .mailboxes
            .iter()
            .map(|mailbox| wishes.of(mailbox.name()))
            .filter(|attention| attention.outstanding);
        let newest = outstanding.map(|attention| attention.since.unwrap_or(now)).max();
        let pause = newest.map_or(pace::AT_REST, |since| pace::pause((now - since).to_std().unwrap_or_default()));
        (pause, newest)
    }

    /// Waits for the next look, for a wish, or, idling, for the server's notice.
    async fn rest(&mut self, wishes: &mut Wishes, next: Instant, pause: Duration) -> Result<(), Fault> {
        let wanted = self.mailboxes.iter().filter_map(|mailbox| {
            let at = wishes.of(mailbox.name()).look_at?;
            mailbox
                .looked
                .is_none_or(|since| since < at)
                .then(|| self.reader.clock.instant_of(at))
        });
        let again = self.mailboxes.iter().filter_map(|mailbox| mailbox.again);
        // A look that is due but was refused waits for `again`.
        let now = Instant::now();
        let until = wanted
            .filter(|at| *at > now)
            .chain(again.filter(|at| *at > now))
            .fold(next, Instant::min);
        let at_inbox = self.is_own() && self.connection.selected.is_some();
        let idling = pause >= IDLE_FROM && at_inbox && self.connection.can("IDLE") && self.connection.idle().await?;
        let noticed = if idling {
            let noticed = tokio::select! {
                changed = self.connection.changed() => changed.map(|()| true),
                () = wishes.change() => Ok(false),
                () = sleep_until(until) => Ok(false),
            };
            let noticed = noticed?;
            self.connection.done().await?;
            noticed
        } else {
            tokio::select! {
                () = wishes.change() => {}
                () = sleep_until(until) => {}
            }
            false
        };
        if noticed || self.connection.has_news() {
            self.take_news(None);
            self.read_inbox().await?;
            self.next_look = Instant::now();
        }
        Ok(())
    }
}

fn own_inbox(mailboxes: &mut [MailboxState]) -> Option<&mut Folder> {
    mailboxes.first_mut().and_then(|mailbox| mailbox.folders.get_mut("INBOX"))
}
