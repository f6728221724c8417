//! The mailboxes: folders, messages and UIDs in memory, behind one mutex, bounded in number and bytes.
//!
//! A change in a mailbox wakes all who watch that mailbox (IDLE). Cannot see fates or protocols.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::fate::{ALERTS, Fate};
use super::headers;

/// How much the store holds before it answers *full*.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Messages in all mailboxes together.
    pub messages: usize,
    /// Octets of all messages together.
    pub bytes: usize,
    /// Mailboxes.
    pub mailboxes: usize,
    /// Folders of one mailbox.
    pub folders: usize,
}

/// A special use of a folder (RFC 6154).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `\Junk`
    Junk,
    /// `\Trash`
    Trash,
    /// `\Sent`
    Sent,
    /// `\Drafts`
    Drafts,
}

/// A folder, by what it is or by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// `INBOX`
    Inbox,
    /// The folder with this special use.
    Role(Role),
    /// The folder of this name (UTF-8, case counts except in INBOX).
    Named(&'a str),
}

/// Why the store did not do as told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A limit is reached.
    #[error("the post office is full")]
    Full,
    /// There is no such folder.
    #[error("no such folder")]
    NoFolder,
}

/// One message in one folder.
#[derive(Debug)]
pub struct Message {
    /// Its UID, never used again in this folder while the UIDVALIDITY lasts.
    pub uid: u32,
    /// Its flags, as IMAP writes them (`\Seen`).
    pub flags: BTreeSet<String>,
    /// When it was stored (the internal date).
    pub received: DateTime<Utc>,
    /// Grows with each change of the flags.
    pub modified: u64,
    /// The octets.
    pub raw: Arc<[u8]>,
    /// Gives its room back when the message goes.
    _slot: Slot,
}

/// A folder and its messages, in order of UID.
#[derive(Debug)]
pub struct Folder {
    /// Its name in UTF-8.
    pub name: String,
    /// Its special use.
    pub role: Option<Role>,
    /// UIDVALIDITY
    pub uid_validity: u32,
    /// UIDNEXT
    pub uid_next: u32,
    /// The messages, ascending by UID.
    pub messages: Vec<Message>,
}

/// A mailbox: all folders of one login.
#[derive(Debug)]
pub struct Mailbox {
    /// The folders, INBOX first.
    pub folders: Vec<Folder>,
    changed: watch::Sender<u64>,
}

/// All mailboxes.
#[derive(Debug)]
pub struct Store {
    world: Mutex<World>,
    budget: Arc<Budget>,
    limits: Limits,
}

#[derive(Debug)]
struct World {
    mailboxes: BTreeMap<String, Mailbox>,
    next_uid_validity: u32,
    changes: u64,
}

#[derive(Debug)]
struct Budget {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// A place in the budget, given back when the message goes.
#[derive(Debug)]
struct Slot {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.budget.messages.fetch_sub(1, Ordering::Relaxed);
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Folder {
    fn new(name: &str, role: Option<Role>, uid_validity: u32) -> Self {
        Self {
            name: name.to_owned(),
            role,
            uid_validity,
            uid_next: 1,
            messages: Vec::new(),
        }
    }

    /// Puts a message at the end under a new UID, which is returned.
    fn push(&mut self, mut message: Message) -> u32 {
        let uid = self.uid_next;
        self.uid_next = uid.saturating_add(1);
        message.uid = uid;
        self.messages.push(message);
        uid
    }

    /// Takes the messages with these UIDs out, in order.
    pub fn take(&mut self, wanted: impl Fn(u32) -> bool) -> Vec<Message> {
        let (taken, kept) = std::mem::take(&mut self.messages).into_iter().partition(|m| wanted(m.uid));
        self.messages = kept;
        taken
    }
}

impl Mailbox {
    fn new(login: &str, mut uid_validity: impl FnMut() -> u32) -> Self {
        let local = login.split('@').next().unwrap_or_default();
        // One mailbox speaks French: the junk folder must be found by its special use, not by its name.
        let junk = if local == "junk" { "Courrier indésirable" } else { "Junk" };
        let mut folders = vec![Folder::new("INBOX", None, uid_validity())];
        for (name, role) in [
            (junk, Role::Junk),
            ("Trash", Role::Trash),
            ("Sent", Role::Sent),
            ("Drafts", Role::Drafts),
        ] {
            folders.push(Folder::new(name, Some(role), uid_validity()));
        }
        if Fate::of(local) == Some(Fate::Folder) {
            folders.push(Folder::new(ALERTS, None, uid_validity()));
        }
        Self {
            folders,
            changed: watch::Sender::new(0),
        }
    }

    /// The folder at a place.
    pub fn folder(&self, place: Place<'_>) -> Option<&Folder> {
        self.position(place).and_then(|at| self.folders.get(at))
    }

    /// The folder at a place, to be changed.
    pub fn folder_mut(&mut self, place: Place<'_>) -> Option<&mut Folder> {
        self.position(place).and_then(|at| self.folders.get_mut(at))
    }

    fn position(&self, place: Place<'_>) -> Option<usize> {
        self.folders.iter().position(|folder| match place {
            Place::Inbox => folder.name == "INBOX",
            Place::Role(role) => folder.role == Some(role),
            Place::Named(name) => folder.name == name || (name.eq_ignore_ascii_case("INBOX") && folder.name == "INBOX"),
        })
    }
}

impl Store {
    /// An empty store whose UIDVALIDITY values count up from `uid_validity`.
    pub fn new(limits: Limits, uid_validity: u32) -> Self {
        let world = World {
            mailboxes: BTreeMap::new(),
            next_uid_validity: uid_validity.max(1),
            changes: 0,
        };
        let budget = Arc::new(Budget {
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        });
        Self {
            world: Mutex::new(world),
            budget,
            limits,
        }
    }

    /// Stores a message and returns UIDVALIDITY and UID.
    ///
    /// # Errors
    /// When a limit is reached or the folder does not exist.
    pub fn append(
        &self,
        login: &str,
        place: Place<'_>,
        raw: Arc<[u8]>,
        flags: BTreeSet<String>,
        received: DateTime<Utc>,
    ) -> Result<(u32, u32), StoreError> {
        let slot = self.slot(raw.len())?;
        self.change(login, |mailbox, modified| {
            let folder = mailbox.folder_mut(place).ok_or(StoreError::NoFolder)?;
            let uid = folder.push(Message {
                uid: 0,
                flags,
                received,
                modified,
                raw,
                _slot: slot,
            });
            Ok((folder.uid_validity, uid))
        })?
    }

    /// Copies messages into another folder of the same mailbox and returns its UIDVALIDITY and the UIDs, old and new.
    ///
    /// # Errors
    /// When a limit is reached or a folder does not exist.
    pub fn copy(&self, login: &str, from: &str, to: Place<'_>, wanted: impl Fn(u32) -> bool) -> Result<(u32, Vec<(u32, u32)>), StoreError> {
        self.change(login, |mailbox, modified| {
            mailbox.folder(to).ok_or(StoreError::NoFolder)?;
            let source = mailbox.folder(Place::Named(from)).ok_or(StoreError::NoFolder)?;
            let mut copies = Vec::new();
            for m in source.messages.iter().filter(|m| wanted(m.uid)) {
                let slot = self.slot(m.raw.len())?;
                let (flags, raw) = (m.flags.clone(), Arc::clone(&m.raw));
                copies.push(Message {
                    uid: m.uid,
                    flags,
                    received: m.received,
                    modified,
                    raw,
                    _slot: slot,
                });
            }
            let target = mailbox.folder_mut(to).ok_or(StoreError::NoFolder)?;
            Ok((target.uid_validity, copies.into_iter().map(|m| (m.uid, target.push(m))).collect()))
        })?
    }

    /// Moves messages into another folder of the same mailbox and returns its UIDVALIDITY and the UIDs, old and new.
    ///
    /// # Errors
    /// When a folder does not exist.
    pub fn shift(
        &self,
        login: &str,
        from: &str,
        to: Place<'_>,
        wanted: impl Fn(u32) -> bool,
    ) -> Result<(u32, Vec<(u32, u32)>), StoreError> {
        self.change(login, |mailbox, _| {
            mailbox.folder(to).ok_or(StoreError::NoFolder)?;
            let taken = mailbox.folder_mut(Place::Named(from)).ok_or(StoreError::NoFolder)?.take(wanted);
            let target = mailbox.folder_mut(to).ok_or(StoreError::NoFolder)?;
            Ok((target.uid_validity, taken.into_iter().map(|m| (m.uid, target.push(m))).collect()))
        })?
    }

    /// Looks into a mailbox, which comes into being with its first use.
    ///
    /// # Errors
    /// When there are too many mailboxes.
    pub fn read<R>(&self, login: &str, look: impl FnOnce(&Mailbox) -> R) -> Result<R, StoreError> {
        let mut world = self.lock();
        Ok(look(world.mailbox(login, self.limits.mailboxes)?))
    }

    /// Changes a mailbox and wakes its watchers. The closure gets a number that grows with each change.
    ///
    /// # Errors
    /// When there are too many mailboxes.
    pub fn change<R>(&self, login: &str, change: impl FnOnce(&mut Mailbox, u64) -> R) -> Result<R, StoreError> {
        let mut world = self.lock();
        world.changes += 1;
        let serial = world.changes;
        let mailbox = world.mailbox(login, self.limits.mailboxes)?;
        let result = change(mailbox, serial);
        mailbox.changed.send_replace(serial);
        Ok(result)
    }

    /// A receiver that is woken by each change in a mailbox.
    ///
    /// # Errors
    /// When there are too many mailboxes.
    pub fn watch(&self, login: &str) -> Result<watch::Receiver<u64>, StoreError> {
        self.read(login, |mailbox| mailbox.changed.subscribe())
    }

    /// Makes an empty folder; one that exists stays as it is and is refused as [`StoreError::Full`] is: with an error.
    ///
    /// # Errors
    /// When it exists or the mailbox has too many.
    pub fn create(&self, login: &str, name: &str) -> Result<(), StoreError> {
        let uid_validity = self.lock().uid_validity();
        let most = self.limits.folders;
        self.change(login, |mailbox, _| {
            if mailbox.folders.len() >= most || mailbox.folder(Place::Named(name)).is_some() {
                return Err(StoreError::Full);
            }
            mailbox.folders.push(Folder::new(name, None, uid_validity));
            Ok(())
        })?
    }

    /// Gives a folder a new UIDVALIDITY and its messages new UIDs from 1.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn renumber(&self, login: &str, place: Place<'_>) -> Result<u32, StoreError> {
        let uid_validity = self.lock().uid_validity();
        self.change(login, |mailbox, _| {
            let folder = mailbox.folder_mut(place).ok_or(StoreError::NoFolder)?;
            folder.uid_validity = uid_validity;
            folder.uid_next = 1;
            for message in std::mem::take(&mut folder.messages) {
                folder.push(message);
            }
            Ok(uid_validity)
        })?
    }

    /// Every copy of a Message-ID, as mailbox, folder and octets.
    pub fn find(&self, message_id: &str) -> Vec<(String, String, Arc<[u8]>)> {
        let world = self.lock();
        let mut found = Vec::new();
        for (login, mailbox) in &world.mailboxes {
            for folder in &mailbox.folders {
                let same = |raw: &[u8]| headers::first(raw, "Message-ID").is_some_and(|id| id == message_id);
                let copies = folder.messages.iter().filter(|m| same(&m.raw));
                found.extend(copies.map(|m| (login.clone(), folder.name.clone(), Arc::clone(&m.raw))));
            }
        }
        found
    }

    /// Whether another message of this size would fit.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.slot(bytes).is_ok()
    }

    fn slot(&self, bytes: usize) -> Result<Slot, StoreError> {
        let slot = Slot {
            budget: Arc::clone(&self.budget),
            bytes,
        };
        let messages = self.budget.messages.fetch_add(1, Ordering::Relaxed) + 1;
        let total = self.budget.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        // The slot is made first, so that its drop gives back what was just taken.
        if messages > self.limits.messages || total > self.limits.bytes {
            Err(StoreError::Full)
        } else {
            Ok(slot)
        }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn uid_validity(&mut self) -> u32 {
        let value = self.next_uid_validity;
        self.next_uid_validity = value.checked_add(1).unwrap_or(1);
        value
    }

    fn mailbox(&mut self, login: &str, most: usize) -> Result<&mut Mailbox, StoreError> {
        if !self.mailboxes.contains_key(login) {
            if self.mailboxes.len() >= most {
                return Err(StoreError::Full);
            }
            let mailbox = Mailbox::new(login, || self.uid_validity());
            self.mailboxes.insert(login.to_owned(), mailbox);
        }
        self.mailboxes.get_mut(login).ok_or(StoreError::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(messages: usize) -> Store {
        Store::new(
            Limits {
                messages,
                bytes: 1000,
                mailboxes: 2,
                folders: 6,
            },
            7,
        )
    }

    fn put(store: &Store, login: &str, place: Place<'_>, raw: &str) -> Result<(u32, u32), StoreError> {
        store.append(login, place, Arc::from(raw.as_bytes()), BTreeSet::new(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn uids_grow_and_are_not_used_again() {
        let store = store(10);
        assert_eq!(put(&store, "a@x", Place::Inbox, "Message-ID: <1>\r\n\r\n"), Ok((7, 1)));
        assert_eq!(put(&store, "a@x", Place::Named("inbox"), "Message-ID: <2>\r\n\r\n"), Ok((7, 2)));
        let (_, moved) = store.shift("a@x", "INBOX", Place::Role(Role::Junk), |uid| uid == 2).unwrap();
        assert_eq!(moved, [(2, 1)]);
        assert_eq!(put(&store, "a@x", Place::Inbox, "x"), Ok((7, 3)));
        assert_eq!(
            store.find("<2>").iter().map(|(_, folder, _)| folder.as_str()).collect::<Vec<_>>(),
            ["Junk"]
        );
    }

    #[test]
    fn limits_hold_and_are_given_back() {
        let store = store(2);
        put(&store, "a@x", Place::Inbox, "x").unwrap();
        put(&store, "a@x", Place::Inbox, "x").unwrap();
        assert_eq!(put(&store, "a@x", Place::Inbox, "x"), Err(StoreError::Full));
        assert_eq!(
            store.copy("a@x", "INBOX", Place::Role(Role::Trash), |_| true),
            Err(StoreError::Full)
        );
        store.change("a@x", |m, _| m.folders[0].take(|_| true).len()).unwrap();
        assert!(put(&store, "a@x", Place::Inbox, "x").is_ok());
        store.read("b@x", |_| ()).unwrap();
        assert_eq!(store.read("c@x", |_| ()), Err(StoreError::Full));
        assert_eq!(put(&store, "a@x", Place::Inbox, &"x".repeat(1001)), Err(StoreError::Full));
    }

    #[test]
    fn a_new_uid_validity_renumbers() {
        let store = store(10);
        put(&store, "a@x", Place::Inbox, "one").unwrap();
        put(&store, "a@x", Place::Inbox, "two").unwrap();
        store.change("a@x", |m, _| m.folders[0].take(|uid| uid == 1).len()).unwrap();
        let validity = store.renumber("a@x", Place::Inbox).unwrap();
        assert!(validity > 7);
        store
            .read("a@x", |m| assert_eq!((m.folders[0].messages[0].uid, m.folders[0].uid_next), (1, 2)))
            .unwrap();
    }

    #[test]
    fn the_junk_folder_of_one_mailbox_is_french() {
        let store = store(10);
        let name = |login: &str| {
            store
                .read(login, |m| m.folder(Place::Role(Role::Junk)).map(|f| f.name.clone()))
                .unwrap()
        };
        assert_eq!(name("junk@contoso.example").as_deref(), Some("Courrier indésirable"));
        assert_eq!(name("ok@contoso.example").as_deref(), Some("Junk"));
    }
}
