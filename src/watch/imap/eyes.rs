//! Watching over an open connection: quick looks at the inbox, sweeps of all other folders, complete looks, and IDLE in between.
//!
//! One login for each mailbox: its inbox stays open, and `NOOP` or IDLE tells what is new there. One login for many mailboxes in a shared
//! namespace: one `LIST` with the status of every folder is the look. It cannot see a message that came and went between two looks.

use super::{
    commands,
    connection::Connection,
    fault::Fault,
    folder::Folder,
    layout::{Layout, pattern},
    mailbox::MailboxState,
    pace,
    reading::Reader,
    server::Server,
};
use crate::{
    model::{MailboxName, Time, What},
    watch::{Attention, wishes::Wishes},
};
use std::{collections::HashMap, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Among so many quick looks, one sweeps all folders; of the others, every second one asks for the junk and quarantine folders too.
pub(super) const SWEEP_EVERY: u32 = 4;
/// Below this pause, IDLE is not worth its two commands.
const IDLE_FROM: Duration = Duration::from_secs(1);
/// A folder that a server refused is left alone for this long, except in complete looks; a complete look that failed is tried again after it.
const SHY: Duration = Duration::from_secs(10);

/// The watcher's eyes on one connection.
pub(super) struct Eyes<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) server: &'a Server,
    pub(super) reader: &'a Reader,
    pub(super) mailboxes: &'a mut Vec<MailboxState>,
    /// The pattern of `LIST` that finds all folders.
    pub(super) pattern: String,
    pub(super) looks: u32,
    last_look: Instant,
    next_look: Instant,
    /// When the newest probe left that the last look knew of.
    newest: Option<Time>,
    /// Since when a probe has been leaving.
    leaving: Option<Time>,
    /// Where a partial sweep goes on.
    pub(super) turn: usize,
    /// When the last sweep was made, and how long it took.
    pub(super) swept: Option<Instant>,
    pub(super) sweep_took: Duration,
    /// How long the last look at a shared namespace took.
    pub(super) look_took: Duration,
    pub(super) layout: Layout,
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
            leaving: None,
            layout: Layout::default(),
            turn: 0,
            swept: None,
            sweep_took: Duration::ZERO,
            look_took: Duration::ZERO,
        }
    }

    /// Whether the connection shows one mailbox as its own user sees it.
    pub(super) fn is_own(&self) -> bool {
        self.mailboxes.iter().all(|mailbox| mailbox.root.is_none())
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
        let (exists, grown, shrunk) = (selected.exists, std::mem::take(&mut selected.grown), selected.shrunk.take());
        let wire = selected.wire.clone();
        let Some(inbox) = own_inbox(self.mailboxes).filter(|inbox| inbox.wire == wire) else {
            return;
        };
        for (exists, at) in grown {
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

    /// Reads every folder that holds something unread. Returns what a server refused, for each mailbox.
    async fn read_all(&mut self, complete: bool, wishes: &mut Wishes) -> Result<HashMap<MailboxName, String>, Fault> {
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
                self.look_meanwhile(wishes).await?;
            }
        }
        Ok(refused)
    }

    /// In a shared namespace, looks go on while one mailbox after the other is read, so that many arrivals at once do not widen each other's intervals.
    async fn look_meanwhile(&mut self, wishes: &mut Wishes) -> Result<(), Fault> {
        if !self.is_own() && self.next_look <= Instant::now() {
            self.looks = self.looks.wrapping_add(1);
            self.look_at_namespace(wishes, false).await?;
            // As much time for reading as for looking, at least.
            self.next_look = Instant::now() + self.look_took.max(pace::QUICKEST);
        }
        Ok(())
    }

    /// One quick look: at the inbox, and now and then (at rest always) at the other folders.
    async fn quick_look(&mut self, wishes: &mut Wishes, at_rest: bool) -> Result<(), Fault> {
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
            self.look_at_namespace(wishes, at_rest).await?;
        }
        self.read_all(false, wishes).await?;
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
    async fn complete_look(&mut self, places: &[usize], wishes: &mut Wishes) -> Result<(), Fault> {
        let since = self.reader.clock.now();
        self.sweep_in_turn().await?;
        let mut refused = self.read_all(true, wishes).await?;
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
                match self.reader.look_closely(self.connection, folder).await {
                    Ok(()) => {}
                    Err(Fault::Refused(words)) => {
                        refused.insert(mailbox.mailbox.name.clone(), words);
                    }
                    Err(fault) => return Err(fault),
                }
            }
            self.look_meanwhile(wishes).await?;
        }
        // Looking closely may have shown something new, in the inbox above all.
        refused.extend(self.read_all(true, wishes).await?);
        self.return_to_inbox().await?;
        for place in places {
            let Some(state) = self.mailboxes.get_mut(*place) else {
                continue;
            };
            let mailbox = state.name().clone();
            let unsearched = || state.folders.values().find_map(|folder| folder.unsearched.clone());
            if let Some(reason) = refused.remove(&mailbox).or_else(unsearched) {
                state.again = Some(Instant::now() + SHY);
                // Said once, and to each wish for a look.
                let wanted = wishes.of(&mailbox).look_at;
                if state.blind.as_ref() != Some(&reason) || state.refused_look != wanted {
                    state.blind = Some(reason.clone());
                    state.refused_look = wanted;
                    self.reader.tell(What::Blind { mailbox, reason }).await?;
                }
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
            if !due.is_empty() && self.has_time_for_complete_look(wishes) {
                self.complete_look(&due, wishes).await?;
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
                self.quick_look(wishes, pause >= pace::AT_REST).await?;
                // A look that takes long is not begun again at once.
                let rest = if self.is_own() { Duration::ZERO } else { self.look_took };
                self.next_look = (self.last_look + pause).max(Instant::now() + rest);
                continue;
            }
            self.rest(wishes, next, pause).await?;
        }
        Ok(())
    }

    /// Whether a complete look may be made now: in a shared namespace, while probes may arrive at any moment, not one after the other, since each
    /// sweeps all mailboxes. Those that become due meanwhile share the next one.
    fn has_time_for_complete_look(&self, wishes: &Wishes) -> bool {
        self.is_own() || !self.is_sweep_early() || !self.mailboxes.iter().any(|mailbox| wishes.of(mailbox.name()).outstanding)
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
    fn pause(&mut self, wishes: &Wishes, now: Time) -> (Duration, Option<Time>) {
        let attentions = self.mailboxes.iter().map(|mailbox| wishes.of(mailbox.name()));
        let outstanding: Vec<Attention> = attentions.filter(|attention| attention.outstanding).collect();
        // A probe that is only just leaving has no time yet: it counts from when it was first heard of.
        let leaving = outstanding.iter().any(|attention| attention.since.is_none());
        self.leaving = leaving.then(|| self.leaving.unwrap_or(now));
        let since = |attention: &Attention| attention.since.or(self.leaving);
        let newest = outstanding.iter().filter_map(since).max();
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
