//! The folders of a mailbox: those of known purpose by their well-known names, which are the same in every language; all others by their path
//! of shown names, asked for when a message of ours first turns up there.
//!
//! It cannot see what a folder is for beyond that: one that people use as a quarantine must be named in the site.

use super::ask::{self, Ask};
use crate::{
    microsoft::{Error, Kind},
    model::{FolderMark, Mailbox, Placement},
};
use std::collections::HashMap;
use tokio::time::Instant;

/// No folder lies deeper.
const DEEPEST: usize = 30;
/// Longer names are cut off.
const LONGEST_NAME: usize = 200;
/// So many folders are listed for `check`.
const MOST_LISTED: usize = 1000;

/// The folders that are asked for by their well-known names: what a message in them means, or `None` where it is no copy.
const KNOWN: [(&str, Option<Placement>); 7] = [
    ("inbox", Some(Placement::Inbox)),
    ("junkemail", Some(Placement::Junk)),
    ("deleteditems", Some(Placement::Deleted)),
    ("recoverableitemsdeletions", Some(Placement::Deleted)),
    ("drafts", None),
    ("sentitems", None),
    ("outbox", None),
];
const ROOT: &str = "msgfolderroot";

/// What is known of the folders.
#[derive(Debug, Default)]
pub(super) struct Folders {
    places: HashMap<String, Place>,
    ids: HashMap<&'static str, String>,
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Its path of shown names.
    pub(super) name: String,
    /// What a message there means; `None`: what is sent or drafted there is no copy.
    pub(super) placement: Option<Placement>,
    /// What it is born to be.
    kind: Option<Placement>,
}

impl Folders {
    /// Finds the folders of known purpose. All but the inbox may be missing.
    pub(super) async fn open(ask: &Ask, mailbox: &Mailbox, until: Instant) -> Result<Self, Error> {
        let names: Vec<&'static str> = KNOWN.iter().map(|(name, _)| *name).chain([ROOT]).collect();
        let requests: Vec<_> = names.iter().map(|name| ask.folder(name)).collect();
        let answers = ask.graph.batch(&requests, until).await;
        let mut folders = Self::default();
        for (name, answer) in names.into_iter().zip(answers) {
            let shown: ask::Folder = match answer {
                Ok(answer) => answer.json()?,
                Err(error) if name != "inbox" && error.kind() == Some(Kind::NotFound) => continue,
                Err(error) => return Err(error),
            };
            folders.ids.insert(name, shown.id.clone());
            if let Some((_, kind)) = KNOWN.iter().find(|(known, _)| *known == name) {
                let name = plain(&shown.display_name);
                let placement = kind.map(|kind| meaning(mailbox, &name, &name, kind));
                folders.places.insert(
                    shown.id,
                    Place {
                        name,
                        placement,
                        kind: *kind,
                    },
                );
            }
        }
        Ok(folders)
    }

    /// The id of a folder of known purpose.
    pub(super) fn id(&self, well_known: &str) -> Option<&str> {
        self.ids.get(well_known).map(String::as_str)
    }

    /// A folder that was met before.
    pub(super) fn place(&self, id: &str) -> Option<&Place> {
        self.places.get(id)
    }

    /// The folders that are watched, with marks that hold nothing: over Graph, the date tells new messages from old ones.
    pub(super) fn marks(&self) -> Vec<FolderMark> {
        let watched = self.places.values().filter(|place| place.placement.is_some());
        let mut marks: Vec<FolderMark> = watched
            .map(|place| FolderMark {
                folder: place.name.clone(),
                uid_validity: 0,
                uid_next: 0,
            })
            .collect();
        marks.sort_by(|a, b| a.folder.cmp(&b.folder));
        marks
    }

    /// Finds out what and where the folder `id` is, unless that is known.
    pub(super) async fn meet(&mut self, ask: &Ask, mailbox: &Mailbox, id: &str, until: Instant) -> Result<(), Error> {
        if self.places.contains_key(id) {
            return Ok(());
        }
        let is_sound = |id: &str| !matches!(id, "" | "." | "..") && Some(id) != self.id(ROOT);
        // From the folder upwards, until one is known or there is nothing above.
        let mut way: Vec<(String, String)> = Vec::new();
        let mut next = Some(id.to_owned());
        while let Some(id) = next.clone().filter(|id| is_sound(id) && way.len() < DEEPEST) {
            if self.places.contains_key(&id) {
                next = Some(id);
                break;
            }
            match ask.graph.fetch::<ask::Folder>(&ask.folder(&id), until).await {
                Ok(shown) => {
                    way.push((id, plain(&shown.display_name)));
                    next = shown.parent_folder_id;
                }
                Err(error) if error.kind() == Some(Kind::NotFound) => {
                    next = None;
                }
                Err(error) => return Err(error),
            }
        }
        let mut above = next.and_then(|id| self.places.get(&id).cloned());
        for (id, name) in way.into_iter().rev() {
            let place = below(mailbox, above.as_ref(), &name);
            self.places.insert(id, place.clone());
            above = Some(place);
        }
        // A folder that is gone already.
        let unknown = || below(mailbox, None, "(unknown folder)");
        self.places.entry(id.to_owned()).or_insert_with(unknown);
        Ok(())
    }

    /// Lists the whole tree, for `check`.
    pub(super) async fn walk(&mut self, ask: &Ask, mailbox: &Mailbox, until: Instant) -> Result<(), Error> {
        let mut waiting: Vec<Option<String>> = vec![None];
        while let Some(parent) = waiting.pop() {
            let above = parent.as_deref().and_then(|id| self.places.get(id).cloned());
            let shown: Vec<ask::Folder> = ask.all(&ask.folders_in(parent.as_deref()), until).await?;
            for folder in shown {
                if self.places.len() >= MOST_LISTED {
                    return Ok(());
                }
                if folder.child_folder_count > 0 {
                    waiting.push(Some(folder.id.clone()));
                }
                let place = || below(mailbox, above.as_ref(), &plain(&folder.display_name));
                self.places.entry(folder.id.clone()).or_insert_with(place);
            }
        }
        Ok(())
    }

    /// All folders that were met.
    pub(super) fn all(&self) -> impl Iterator<Item = &Place> {
        self.places.values()
    }
}

/// An ordinary folder within another.
fn below(mailbox: &Mailbox, above: Option<&Place>, name: &str) -> Place {
    let path = above.map_or_else(|| name.to_owned(), |above| format!("{}/{name}", above.name));
    // A folder that was thrown away lies within the deleted items.
    let thrown_away = above.is_some_and(|above| above.kind == Some(Placement::Deleted));
    let kind = if thrown_away { Placement::Deleted } else { Placement::Folder };
    Place {
        placement: Some(meaning(mailbox, &path, name, kind)),
        name: path,
        kind: Some(kind),
    }
}

/// What a folder means: what the site says comes first.
fn meaning(mailbox: &Mailbox, path: &str, name: &str, kind: Placement) -> Placement {
    let is = |named: &str| named.to_lowercase() == path.to_lowercase() || named.to_lowercase() == name.to_lowercase();
    let by_site = || mailbox.folders.iter().find(|(_, named)| is(named)).map(|(placement, _)| *placement);
    mailbox.placement.or_else(by_site).unwrap_or(kind)
}

/// A name fit to be shown and kept: people can put anything into it.
fn plain(name: &str) -> String {
    let plain: String = name
        .chars()
        .filter(|character| !character.is_control())
        .take(LONGEST_NAME)
        .collect();
    if plain.is_empty() { "(unnamed)".to_owned() } else { plain }
}
