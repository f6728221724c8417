//! All mail of the tenant: mailboxes, group threads, and what is still going to happen to a message.
//!
//! Cannot see the network or the trace. What lies in the future happens when somebody looks: [`Store::advance`] brings the store up to a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::mailbox::{Item, Mailbox};
use super::residents::Resident;

/// The most messages and posts; beyond, mail is refused as to a full mailbox.
const MOST_ITEMS: u64 = 100_000;
/// The most octets of mail.
const MOST_OCTETS: usize = 256 << 20;

/// All mail.
#[derive(Debug, Default)]
pub struct Store {
    mailboxes: Vec<Mailbox>,
    by_address: HashMap<String, usize>,
    by_object_id: HashMap<String, usize>,
    threads: Vec<Thread>,
    due: BTreeMap<(DateTime<Utc>, u64), Due>,
    serial: u64,
    octets: usize,
}

/// A conversation in the mailbox of a Microsoft 365 group: the posts with one subject, in the order in which they came.
#[derive(Debug, Clone)]
pub struct Thread {
    /// Its number in the tenant.
    pub serial: u64,
    /// The group's address.
    pub group: String,
    /// The subject of its posts, without what answers put before it.
    pub topic: String,
    /// Its posts; there is always one.
    pub posts: Vec<Post>,
}

/// A message in a group's mailbox.
#[derive(Debug, Clone)]
pub struct Post {
    /// Its number in the tenant.
    pub serial: u64,
    /// The message as it came.
    pub raw: Arc<[u8]>,
    /// When.
    pub received: DateTime<Utc>,
}

impl Thread {
    /// When the last post came.
    pub fn delivered(&self) -> DateTime<Utc> {
        self.posts.iter().map(|post| post.received).max().unwrap_or_default()
    }
}

/// A folder by the name of its purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One that every mailbox has.
    WellKnown(&'static str),
    /// The one that the mailbox's rule moves to.
    OfRule,
}

/// A message on its way into a mailbox.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The mailbox.
    pub to: Resident,
    /// The folder.
    pub place: Place,
    /// The message as it will be stored.
    pub raw: Arc<[u8]>,
    /// Whether Outlook shows it under *Other*.
    pub other: bool,
    /// Whether it was sent from here.
    pub sent: bool,
}

#[derive(Debug)]
enum Due {
    Put(Parcel),
    Move { mailbox: usize, serial: u64, place: Place },
    Remove { mailbox: usize, serial: u64 },
}

impl Store {
    /// The mailbox of a resident, opened if this is the first that is heard of it.
    pub fn open(&mut self, resident: &Resident) -> &mut Mailbox {
        let at = self.index(resident);
        &mut self.mailboxes[at]
    }

    fn index(&mut self, resident: &Resident) -> usize {
        if let Some(at) = self.by_address.get(&resident.address) {
            return *at;
        }
        let at = self.mailboxes.len();
        let number = u32::try_from(at).unwrap_or(u32::MAX).wrapping_add(0x4A11_0000);
        self.mailboxes.push(Mailbox::new(number, resident.clone()));
        self.by_address.insert(resident.address.clone(), at);
        self.by_object_id.insert(resident.object_id(), at);
        at
    }

    /// The resident with this object id, if the tenant has dealt with its mailbox.
    pub fn by_object_id(&self, id: &str) -> Option<&Resident> {
        self.by_object_id.get(&id.to_lowercase()).map(|at| &self.mailboxes[*at].resident)
    }

    /// Whether mail of this size still fits.
    pub fn has_room(&self, octets: usize) -> bool {
        self.serial < MOST_ITEMS && self.octets.saturating_add(octets) <= MOST_OCTETS
    }

    /// Puts a message into a mailbox and returns its number.
    pub fn put(&mut self, parcel: Parcel, now: DateTime<Utc>) -> u64 {
        let at = self.index(&parcel.to);
        let serial = self.next(parcel.raw.len());
        let folder = find(&self.mailboxes[at], parcel.place);
        self.mailboxes[at].put(Item {
            serial,
            moves: 0,
            folder,
            raw: parcel.raw,
            received: now,
            modified: now,
            other: parcel.other,
            sent: parcel.sent,
        });
        serial
    }

    /// Puts a message into a mailbox at a later time.
    pub fn put_at(&mut self, when: DateTime<Utc>, parcel: Parcel) {
        self.wait(when, Due::Put(parcel));
    }

    /// Moves a message at a later time.
    pub fn move_at(&mut self, when: DateTime<Utc>, resident: &Resident, serial: u64, place: Place) {
        let mailbox = self.index(resident);
        self.wait(when, Due::Move { mailbox, serial, place });
    }

    /// Takes a message away at a later time.
    pub fn remove_at(&mut self, when: DateTime<Utc>, resident: &Resident, serial: u64) {
        let mailbox = self.index(resident);
        self.wait(when, Due::Remove { mailbox, serial });
    }

    /// Puts a post into a group's mailbox: into the thread with its subject, or into one of its own.
    pub fn post(&mut self, group: &str, subject: &str, raw: Arc<[u8]>, now: DateTime<Utc>) {
        let serial = self.next(raw.len());
        let post = Post {
            serial,
            raw,
            received: now,
        };
        let topic = topic(subject);
        let same = |thread: &&mut Thread| thread.group == group && thread.topic.eq_ignore_ascii_case(topic);
        if let Some(thread) = self.threads.iter_mut().find(same) {
            thread.posts.push(post);
            return;
        }
        let serial = self.next(0);
        self.threads.push(Thread {
            serial,
            group: group.to_owned(),
            topic: topic.to_owned(),
            posts: vec![post],
        });
    }

    /// The threads of a group, that with the newest post first.
    pub fn threads(&self, group: &str) -> Vec<&Thread> {
        let mut threads: Vec<&Thread> = self.threads.iter().filter(|thread| thread.group == group).collect();
        threads.sort_by_key(|thread| std::cmp::Reverse((thread.delivered(), thread.serial)));
        threads
    }

    /// Deletes a thread of a group; whether there was one.
    pub fn delete_thread(&mut self, group: &str, serial: u64) -> bool {
        let before = self.threads.len();
        self.threads.retain(|thread| thread.group != group || thread.serial != serial);
        self.threads.len() < before
    }

    /// Lets everything happen that was to happen until now, in order.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        while let Some(entry) = self.due.first_entry() {
            let (when, _) = *entry.key();
            if when > now {
                return;
            }
            match entry.remove() {
                Due::Put(parcel) => {
                    self.put(parcel, when);
                }
                Due::Move { mailbox, serial, place } => {
                    let folder = find(&self.mailboxes[mailbox], place);
                    // Nothing to move if somebody deleted it meanwhile.
                    let _ = self.mailboxes[mailbox].shift(serial, folder, when);
                }
                Due::Remove { mailbox, serial } => {
                    let _ = self.mailboxes[mailbox].remove(serial);
                }
            }
        }
    }

    fn wait(&mut self, when: DateTime<Utc>, due: Due) {
        let serial = self.next(0);
        self.due.insert((when, serial), due);
    }

    fn next(&mut self, octets: usize) -> u64 {
        self.serial += 1;
        self.octets += octets;
        self.serial
    }
}

/// A subject without what answers and forwards put before it.
fn topic(subject: &str) -> &str {
    let mut topic = subject.trim();
    while let Some((before, after)) = topic.split_once(':') {
        if !["re", "fw", "fwd", "aw", "wg"].contains(&before.to_ascii_lowercase().as_str()) {
            break;
        }
        topic = after.trim_start();
    }
    topic
}

fn find(mailbox: &Mailbox, place: Place) -> u32 {
    let folder = match place {
        Place::WellKnown(name) => mailbox.well_known(name),
        Place::OfRule => mailbox.rule_folder(),
    };
    // The root is always there.
    folder.map_or(0, |folder| folder.number)
}
