//! Sweeps: what is in all folders, without opening one; and glances, which ask for few.

use super::{
    commands::{self, Listed, is_gmail},
    connection::Spell,
    eyes::{Eyes, SWEEP_EVERY},
    fault::Fault,
    folders,
    layout::{Layout, find_folders, fingerprint},
    pace,
};
use crate::{model::Placement, watch::wishes::Wishes};
use std::collections::{HashMap, HashSet};
use tokio::time::Instant;

/// How many folders one partial sweep asks for, where the server does not tell the status of all at once.
const PARTIAL: usize = 4;
/// How many folders are asked for in one breath: all of their answers count from the moment at which it was sent.
const BREATH: usize = 50;
/// In a shared namespace, how many times as long as a sweep takes the next one is put off while mailboxes are asked for one by one.
const BETWEEN_SWEEPS: u32 = 8;

impl Eyes<'_> {
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
        let patience = if self.is_own() {
            self.server.patience.command
        } else {
            self.server.patience.bulk
        };
        let (mut listed, spell) = commands::list(self.connection, &self.pattern, patience).await?;
        let open = self.connection.selected.as_ref().map(|selected| selected.wire.clone());
        let fingerprint = fingerprint(&listed);
        let settled = self.layout.fingerprint == fingerprint && self.layout.places.len() == listed.len();
        let found = if settled {
            Vec::new()
        } else {
            let told = |name: &str| self.reader.recognizer.scrubbed(&self.connection.scrubber.scrub(name));
            let found = find_folders(self.mailboxes, &listed, is_gmail(self.connection));
            found.into_iter().map(|folders| folders::tellable(folders, &told)).collect()
        };
        self.ask_one_by_one(&mut listed, &found, open.as_deref()).await?;
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
                    // A folder that never could be read is no place of this mailbox's mail: somebody else's, shared.
                    if status.is_none() && !mailbox.folders.contains_key(&folder.name) {
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
        self.swept = Some(started);
        Ok(spell)
    }

    /// Asks for the status of each watched folder that came without one.
    async fn ask_one_by_one(&mut self, listed: &mut [Listed], found: &[Vec<folders::Watched>], open: Option<&str>) -> Result<(), Fault> {
        let known = self.mailboxes.iter().flat_map(|mailbox| mailbox.folders.values());
        let known = known.map(|folder| folder.wire.clone());
        let watched: HashSet<String> = known.chain(found.iter().flatten().map(|folder| folder.wire.clone())).collect();
        let is_wanted = |folder: &Listed| folder.status.is_none() && watched.contains(&folder.wire) && open != Some(&folder.wire);
        for folder in listed.iter_mut().filter(|folder| is_wanted(folder)) {
            folder.status = match commands::status(self.connection, &folder.wire).await {
                Ok((status, _)) => Some(status),
                Err(Fault::Refused(_)) => self.status_by_opening(folder, found).await?,
                Err(fault) => return Err(fault),
            };
        }
        Ok(())
    }

    /// The state of a new folder whose status is refused. Where mail arrives or is held back (the inbox, junk, quarantine), it is opened to learn it:
    /// without that folder, the mailbox of a user of their own could not be called looked at.
    async fn status_by_opening(
        &mut self,
        folder: &Listed,
        found: &[Vec<folders::Watched>],
    ) -> Result<Option<commands::FolderStatus>, Fault> {
        let needed = |found: &&folders::Watched| {
            let holds_mail = found.name == "INBOX" || matches!(found.placement, Placement::Junk | Placement::Quarantine);
            found.wire == folder.wire && holds_mail
        };
        let Some(needed) = found.iter().flatten().find(needed).filter(|_| self.is_own()) else {
            return Ok(None);
        };
        match commands::examine(self.connection, &folder.wire).await {
            Ok((status, _)) => Ok(status),
            Err(Fault::Refused(words)) => Err(Fault::Lost(format!(
                "the server lists the folder {:?} and refuses to show it: {words}",
                needed.name
            ))),
            Err(fault) => Err(fault),
        }
    }

    /// Asks for the status of single folders: those that hold mail back, or, in turns, some of all.
    pub(super) async fn glance(&mut self, all: bool) -> Result<(), Fault> {
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

    /// Whether a sweep of a shared namespace was made just now, measured by what it takes.
    pub(super) fn is_sweep_early(&self) -> bool {
        let rest = (self.sweep_took * BETWEEN_SWEEPS).max(pace::QUICKEST * SWEEP_EVERY);
        self.swept.is_some_and(|swept| swept.elapsed() < rest)
    }

    /// One look at a shared namespace. A sweep tells of all mailboxes, but takes its time where there are thousands of folders; so it is made now
    /// and then, and between two sweeps only those mailboxes are asked for that a probe may reach at any moment.
    pub(super) async fn look_at_namespace(&mut self, wishes: &mut Wishes, at_rest: bool) -> Result<(), Fault> {
        if at_rest || !self.is_sweep_early() {
            return self.sweep_in_turn().await;
        }
        let open = self.connection.selected.as_ref().map(|selected| selected.wire.as_str());
        let held = self.looks.is_multiple_of(2);
        let mut wanted: Vec<(usize, String, String)> = Vec::new();
        let mailboxes = self.mailboxes.iter().enumerate();
        for (place, mailbox) in mailboxes.filter(|(_, mailbox)| wishes.of(mailbox.name()).outstanding) {
            let folders = mailbox.folders.values().filter(|folder| match folder.placement {
                Placement::Inbox => true,
                _ if folder.name == "INBOX" => true,
                Placement::Junk | Placement::Quarantine => held,
                Placement::Folder | Placement::Deleted => false,
            });
            let folders = folders.filter(|folder| Some(folder.wire.as_str()) != open);
            wanted.extend(folders.map(|folder| (place, folder.name.clone(), folder.wire.clone())));
        }
        let started = Instant::now();
        for breath in wanted.chunks(BREATH) {
            let weight = weight_of(breath.len());
            self.server.budget.take(weight).await;
            let wires: Vec<&str> = breath.iter().map(|(_, _, wire)| wire.as_str()).collect();
            let (told, spell) = commands::statuses(self.connection, &wires).await?;
            self.note_answer(spell, weight);
            for ((place, name, _), status) in breath.iter().zip(told) {
                let folder = self.mailboxes.get_mut(*place).and_then(|mailbox| mailbox.folders.get_mut(name));
                if let (Some(folder), Some(status)) = (folder, status) {
                    folder.look(spell.sent, &status);
                }
            }
        }
        self.look_took = started.elapsed();
        Ok(())
    }

    /// What a sweep costs of the budget.
    fn weight(&self) -> u32 {
        let folders: usize = self.mailboxes.iter().map(|mailbox| mailbox.folders.len()).sum();
        if commands::gives_status(self.connection) {
            weight_of(folders)
        } else {
            u32::try_from(folders).unwrap_or(u32::MAX).clamp(1, 100)
        }
    }

    /// A sweep within the server's budget.
    pub(super) async fn sweep_in_turn(&mut self) -> Result<(), Fault> {
        let weight = self.weight();
        self.server.budget.take(weight).await;
        let spell = self.sweep().await?;
        self.look_took = self.sweep_took;
        self.note_answer(spell, weight);
        Ok(())
    }

    fn note_answer(&self, spell: Spell, weight: u32) {
        let took = (spell.read - spell.sent).to_std().unwrap_or_default();
        self.server.budget.answered(took / weight);
    }
}

/// What it costs of the budget when the status of so many folders comes with one look.
fn weight_of(folders: usize) -> u32 {
    u32::try_from(folders / 50).unwrap_or(u32::MAX).clamp(1, 100)
}
