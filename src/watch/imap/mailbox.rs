//! What is known of a mailbox, whatever becomes of the connection: its folders, and what was told of it. Pure: values in, values out.

use super::{
    commands::FolderStatus,
    folder::{Folder, Vanished},
    folders::{FoundBy, Watched},
    utf7,
};
use crate::model::{FolderMark, Mailbox, MailboxName, Placement, Time};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;

/// A mailbox.
pub(super) struct MailboxState {
    pub(super) mailbox: Mailbox,
    /// Whether bounces to one of our senders come back here.
    pub(super) of_sender: bool,
    /// The path of its folders in a shared namespace.
    pub(super) root: Option<String>,
    /// Its folders, by decoded name.
    pub(super) folders: BTreeMap<String, Folder>,
    /// When the last list of its folders was asked for: a folder that is not in `folders` was not there then. `None`: the first list will be
    /// its baseline.
    pub(super) listed: Option<Time>,
    /// Whether that baseline has still to be told.
    pub(super) fresh: bool,
    /// Whether a complete look is owed, though nobody asked: it was opened without a baseline.
    pub(super) owes_look: bool,
    /// Why it cannot be looked at.
    pub(super) blind: Option<String>,
    /// When the first command of its last complete look was sent.
    pub(super) looked: Option<Time>,
    /// The wanted look that was answered with `Blind`.
    pub(super) refused_look: Option<Time>,
    /// When a complete look that failed is tried again.
    pub(super) again: Option<Instant>,
}

impl MailboxState {
    pub(super) fn new(mailbox: Mailbox, of_sender: bool, root: Option<String>) -> Self {
        Self {
            mailbox,
            of_sender,
            root,
            folders: BTreeMap::new(),
            listed: None,
            fresh: true,
            owes_look: false,
            blind: None,
            looked: None,
            refused_look: None,
            again: None,
        }
    }

    pub(super) fn name(&self) -> &MailboxName {
        &self.mailbox.name
    }

    /// Takes over the marks of an earlier process: what is beyond them arrived after `started_at`.
    pub(super) fn resume(&mut self, marks: &[FolderMark], started_at: Time) {
        self.listed = Some(started_at);
        self.fresh = false;
        self.owes_look = true;
        for mark in marks {
            // The name on the wire, the placement and everything else come with the first list.
            let wire = match &self.root {
                Some(root) => utf7::encode(&format!("{root}/{}", mark.folder)),
                None => utf7::encode(&mark.folder),
            };
            let watched = Watched {
                wire,
                name: mark.folder.clone(),
                placement: Placement::Folder,
                found_by: FoundBy::Nothing,
            };
            let folder = Folder::at(watched, mark.uid_validity, mark.uid_next, started_at);
            self.folders.insert(mark.folder.clone(), folder);
        }
    }

    /// Gives up on a baseline that has not been told: probes have left, so that only the date tells new messages from old ones.
    pub(super) fn start_late(&mut self, started_at: Time) {
        self.fresh = false;
        self.owes_look = true;
        self.folders.clear();
        self.listed = Some(started_at);
    }

    /// Takes in a complete list of its folders that was asked for at `sent`. The folder that is `open` is left to its own looks: there, only
    /// these agree with what can be fetched. Returns the copies that are gone with their folders.
    pub(super) fn list(&mut self, watched: Vec<(Watched, Option<FolderStatus>)>, open: Option<&str>, sent: Time) -> Vec<Vanished> {
        let mut gone = Vec::new();
        let names: BTreeSet<&String> = watched.iter().map(|(folder, _)| &folder.name).collect();
        self.folders.retain(|name, folder| {
            let stays = names.contains(name);
            if !stays {
                let known = std::mem::take(&mut folder.known).into_values();
                let all = known.chain(std::mem::take(&mut folder.displaced));
                gone.extend(
                    all.map(|known| (known.at.max(folder.intact), known))
                        .map(|(last, known)| (known, last)),
                );
            }
            stays
        });
        for (found, status) in watched {
            match (self.folders.get_mut(&found.name), self.listed, status) {
                (Some(folder), _, status) => {
                    folder.wire = found.wire;
                    folder.placement = found.placement;
                    folder.archive = found.found_by == FoundBy::Archive;
                    if open != Some(folder.wire.as_str()) {
                        folder.listed(sent, status.as_ref());
                    }
                }
                // The baseline.
                (None, None, Some(status)) => {
                    let name = found.name.clone();
                    let mut folder = Folder::at(found, status.uid_validity, status.uid_next, sent);
                    folder.messages = Some(status.messages);
                    self.folders.insert(name, folder);
                }
                // It never could be read.
                (None, _, None) => {}
                (None, Some(listed), Some(_)) => {
                    self.folders.insert(found.name.clone(), Folder::unmarked(found, listed));
                }
            }
        }
        self.listed = Some(sent);
        gone
    }

    /// The marks of its folders, for the journal.
    pub(super) fn marks(&self) -> Vec<FolderMark> {
        let marked = self.folders.values().filter(|folder| !folder.by_date);
        marked
            .map(|folder| FolderMark {
                folder: folder.name.clone(),
                uid_validity: folder.uid_validity,
                uid_next: folder.shown_to,
            })
            .collect()
    }

    /// The next folder that holds something unread: the inbox, then where mail is held back, then the rest.
    pub(super) fn unread(&self, now: Instant, complete: bool) -> Option<String> {
        let ready = self
            .folders
            .values()
            .filter(|folder| folder.is_unread() && (complete || folder.refused_until.is_none_or(|until| until <= now)));
        ready.min_by_key(|folder| folder.rank()).map(|folder| folder.name.clone())
    }
}
