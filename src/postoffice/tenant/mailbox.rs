//! One mailbox: folders, items, and the log of changes that delta queries read.
//!
//! Cannot see who asks, nor other mailboxes. Nothing here fails: what is not there gives `None`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::fate::Fate;
use super::folders::{BORN, rule_folder};
use super::residents::Resident;

/// The number of the root folder, [`BORN`]'s first.
const ROOT: u32 = 0;

/// A mailbox.
#[derive(Debug)]
pub struct Mailbox {
    /// Its number in the tenant; every id in it bears it.
    pub number: u32,
    /// Whose it is.
    pub resident: Resident,
    /// Its folders, by number.
    pub folders: Vec<Folder>,
    items: BTreeMap<u64, Item>,
    log: Vec<Change>,
}

/// A folder.
#[derive(Debug)]
pub struct Folder {
    /// Its number in the mailbox.
    pub number: u32,
    /// Its well-known name, if it was born with the mailbox.
    pub well_known: Option<&'static str>,
    /// Its display name.
    pub name: String,
    /// The folder it lies in; the root lies in none.
    pub parent: Option<u32>,
    /// Whether lists leave it out.
    pub hidden: bool,
}

/// A message in a mailbox.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its number in the tenant, for good.
    pub serial: u64,
    /// How often it was moved.
    pub moves: u32,
    /// The folder it lies in.
    pub folder: u32,
    /// The message as stored.
    pub raw: Arc<[u8]>,
    /// When it was delivered.
    pub received: DateTime<Utc>,
    /// When anything about it last changed.
    pub modified: DateTime<Utc>,
    /// Whether Outlook shows it under *Other*.
    pub other: bool,
    /// Whether it was sent from here, which hides its headers.
    pub sent: bool,
}

/// Something that happened in a folder.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Its place in the log, from 1.
    pub sequence: u64,
    /// The folder.
    pub folder: u32,
    /// The item.
    pub serial: u64,
    /// What happened.
    pub what: What,
}

/// What happened to an item in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It came.
    Came,
    /// It left for another folder; it had moved so often before.
    Moved(u32),
    /// It is gone for good; it had moved so often before.
    Gone(u32),
}

impl Mailbox {
    /// A new mailbox with the folders that everybody has, and those that this resident's rules need.
    pub fn new(number: u32, resident: Resident) -> Self {
        let german = resident.meaning.german;
        let born = BORN.iter().zip(0_u32..).map(|(born, number)| Folder {
            number,
            well_known: Some(born.well_known),
            name: born.display(german).to_owned(),
            parent: (number != ROOT).then_some(ROOT),
            hidden: born.hidden,
        });
        let mut mailbox = Self {
            number,
            folders: born.collect(),
            items: BTreeMap::new(),
            log: Vec::new(),
            resident,
        };
        if mailbox.resident.meaning.fate == Fate::RuleMoved {
            let inbox = mailbox.well_known("inbox").map(|folder| folder.number);
            mailbox.folders.push(Folder {
                number: u32::try_from(mailbox.folders.len()).unwrap_or(u32::MAX),
                well_known: None,
                name: rule_folder(german).to_owned(),
                parent: inbox,
                hidden: false,
            });
        }
        mailbox
    }

    /// A folder by its well-known name, in any case.
    pub fn well_known(&self, name: &str) -> Option<&Folder> {
        self.folders
            .iter()
            .find(|f| f.well_known.is_some_and(|n| n.eq_ignore_ascii_case(name)))
    }

    /// The folder of the rule, if there is a rule.
    pub fn rule_folder(&self) -> Option<&Folder> {
        self.folders.iter().find(|folder| folder.well_known.is_none())
    }

    /// A folder by its number.
    pub fn folder(&self, number: u32) -> Option<&Folder> {
        self.folders.get(usize::try_from(number).ok()?)
    }

    /// The folders in a folder, without hidden ones.
    pub fn children(&self, parent: u32, hidden: bool) -> impl Iterator<Item = &Folder> {
        self.folders
            .iter()
            .filter(move |f| f.parent == Some(parent) && (hidden || !f.hidden))
    }

    /// Items of a folder, or of all visible folders, oldest first.
    pub fn items(&self, folder: Option<u32>) -> impl Iterator<Item = &Item> {
        self.items.values().filter(move |item| match folder {
            Some(folder) => item.folder == folder,
            None => self.folder(item.folder).is_some_and(|f| !f.hidden),
        })
    }

    /// An item by its number.
    pub fn item(&self, serial: u64) -> Option<&Item> {
        self.items.get(&serial)
    }

    /// Puts an item into its folder.
    pub fn put(&mut self, item: Item) {
        self.note(item.folder, item.serial, What::Came);
        self.items.insert(item.serial, item);
    }

    /// Moves an item into another folder; `None` if it is gone.
    pub fn shift(&mut self, serial: u64, to: u32, now: DateTime<Utc>) -> Option<Item> {
        let item = self.items.get_mut(&serial)?;
        let (from, moves) = (item.folder, item.moves);
        item.folder = to;
        item.moves += 1;
        item.modified = now;
        let copy = item.clone();
        self.note(from, serial, What::Moved(moves));
        self.note(to, serial, What::Came);
        Some(copy)
    }

    /// Takes an item out for good; `None` if it is gone already.
    pub fn remove(&mut self, serial: u64) -> Option<Item> {
        let item = self.items.remove(&serial)?;
        self.note(item.folder, serial, What::Gone(item.moves));
        Some(item)
    }

    /// The place of the last change in the log.
    pub fn sequence(&self) -> u64 {
        self.log.len() as u64
    }

    /// The last thing that happened to each item of a folder after `since`, up to `until`, in order.
    pub fn changes(&self, folder: u32, since: u64, until: u64) -> Vec<Change> {
        let start = usize::try_from(since).unwrap_or(usize::MAX).min(self.log.len());
        let mut last: BTreeMap<u64, Change> = BTreeMap::new();
        for change in self.log[start..].iter().take_while(|c| c.sequence <= until) {
            if change.folder == folder {
                last.insert(change.serial, *change);
            }
        }
        let mut changes: Vec<Change> = last.into_values().collect();
        changes.sort_by_key(|change| change.sequence);
        changes
    }

    fn note(&mut self, folder: u32, serial: u64, what: What) {
        let sequence = self.sequence() + 1;
        self.log.push(Change {
            sequence,
            folder,
            serial,
            what,
        });
    }
}
