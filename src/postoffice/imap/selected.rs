//! The folder that a session has selected, as that session has been told of it: sequence numbers change only when the client hears so
//! (RFC 3501, sections 7.3 and 7.4.1).
//!
//! Cannot see commands.

use std::num::NonZeroU32;

use imap_codec::imap_types::core::Vec1;
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::response::Data;
use imap_codec::imap_types::sequence::SequenceSet;

use super::super::store::{Folder, Mailbox, Message, Place};
use super::fetch;
use super::search::Seen;
use super::sets::Numbers;

/// A selected folder.
#[derive(Debug)]
pub struct Selected {
    /// Its name in UTF-8.
    pub folder: String,
    /// Selected by EXAMINE: nothing changes.
    pub read_only: bool,
    uid_validity: u32,
    /// UID and last told change of each message, by sequence number.
    known: Vec<(u32, u64)>,
}

/// The folder is no longer the one that was selected: gone, or with another UIDVALIDITY. The session must end.
#[derive(Debug, PartialEq, Eq)]
pub struct Stale;

impl Selected {
    /// Selects a folder as it is now.
    pub fn new(folder: &Folder, read_only: bool) -> Self {
        let known = folder.messages.iter().map(|m| (m.uid, m.modified)).collect();
        Self {
            folder: folder.name.clone(),
            read_only,
            uid_validity: folder.uid_validity,
            known,
        }
    }

    /// What the client must be told: messages gone (if it may hear that now), flags changed, messages new.
    ///
    /// # Errors
    /// When the folder is not the same any more.
    pub fn news(&mut self, mailbox: &Mailbox, expunges: bool) -> Result<Vec<Data<'static>>, Stale> {
        let folder = self.current(mailbox)?;
        let mut news = Vec::new();
        if expunges {
            // From the end, so that the numbers of those before stay as they are.
            for at in (0..self.known.len()).rev() {
                if find(folder, self.known[at].0).is_none() {
                    self.known.remove(at);
                    news.extend(number(at).map(Data::Expunge));
                }
            }
        }
        for (at, (uid, told)) in self.known.iter_mut().enumerate() {
            let Some(message) = find(folder, *uid).filter(|m| m.modified != *told) else {
                continue;
            };
            *told = message.modified;
            let items = [
                NonZeroU32::new(*uid).map(MessageDataItem::Uid),
                Some(MessageDataItem::Flags(fetch::flags(&seen(at, message)))),
            ];
            if let (Some(seq), Ok(items)) = (number(at), Vec1::try_from(items.into_iter().flatten().collect::<Vec<_>>())) {
                news.push(Data::Fetch { seq, items });
            }
        }
        let last = self.known.last().map_or(0, |(uid, _)| *uid);
        let fresh = folder.messages.partition_point(|m| m.uid <= last);
        if fresh < folder.messages.len() {
            self.known.extend(folder.messages[fresh..].iter().map(|m| (m.uid, m.modified)));
            news.push(Data::Exists(u32::try_from(self.known.len()).unwrap_or(u32::MAX)));
        }
        Ok(news)
    }

    /// The messages of the session that are still there.
    ///
    /// # Errors
    /// When the folder is not the same any more.
    pub fn messages(&self, mailbox: &Mailbox) -> Result<Vec<Seen>, Stale> {
        let folder = self.current(mailbox)?;
        let known = self.known.iter().enumerate();
        Ok(known.filter_map(|(at, (uid, _))| find(folder, *uid).map(|m| seen(at, m))).collect())
    }

    /// The UIDs that a set names, be it of UIDs or of sequence numbers.
    pub fn uids(&self, set: &SequenceSet, uid: bool) -> Vec<u32> {
        let last = if uid {
            self.known.last().map_or(0, |(uid, _)| *uid)
        } else {
            u32::try_from(self.known.len()).unwrap_or(u32::MAX)
        };
        let numbers = Numbers::new(set, last);
        let named = |at: usize, known: u32| {
            if uid {
                numbers.contains(known)
            } else {
                number(at).is_some_and(|n| numbers.contains(n.get()))
            }
        };
        self.known
            .iter()
            .enumerate()
            .filter(|(at, (uid, _))| named(*at, *uid))
            .map(|(_, (uid, _))| *uid)
            .collect()
    }

    /// Notes that the client has been told of this change, which it made itself.
    pub fn told(&mut self, uid: u32, change: u64) {
        if let Ok(at) = self.known.binary_search_by_key(&uid, |(uid, _)| *uid) {
            self.known[at].1 = change;
        }
    }

    fn current<'a>(&self, mailbox: &'a Mailbox) -> Result<&'a Folder, Stale> {
        mailbox
            .folder(Place::Named(&self.folder))
            .filter(|f| f.uid_validity == self.uid_validity)
            .ok_or(Stale)
    }
}

fn find(folder: &Folder, uid: u32) -> Option<&Message> {
    folder
        .messages
        .binary_search_by_key(&uid, |m| m.uid)
        .ok()
        .map(|at| &folder.messages[at])
}

/// The sequence number of a place in the list.
fn number(at: usize) -> Option<NonZeroU32> {
    u32::try_from(at + 1).ok().and_then(NonZeroU32::new)
}

fn seen(at: usize, m: &Message) -> Seen {
    let number = number(at).map_or(0, NonZeroU32::get);
    Seen {
        number,
        uid: m.uid,
        flags: m.flags.clone(),
        received: m.received,
        raw: m.raw.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::store::{Limits, Store};
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    #[test]
    fn numbers_change_only_when_told() {
        let store = Store::new(
            Limits {
                messages: 9,
                bytes: 99,
                mailboxes: 1,
                folders: 9,
            },
            1,
        );
        let put = || {
            store
                .append(
                    "a@x",
                    Place::Inbox,
                    Arc::from(&b"x"[..]),
                    BTreeSet::new(),
                    chrono::DateTime::UNIX_EPOCH,
                )
                .unwrap()
        };
        put();
        put();
        let mut selected = store.read("a@x", |m| Selected::new(&m.folders[0], false)).unwrap();
        store.change("a@x", |m, _| m.folders[0].take(|uid| uid == 1).len()).unwrap();
        put();
        let tell = |selected: &mut Selected, expunges| store.read("a@x", |m| selected.news(m, expunges)).unwrap().unwrap();
        assert_eq!(tell(&mut selected, false), [Data::Exists(3)]);
        assert_eq!(selected.uids(&"2:*".parse().unwrap(), false), [2, 3]);
        assert_eq!(tell(&mut selected, true), [Data::Expunge(NonZeroU32::MIN)]);
        assert_eq!(selected.uids(&"2:*".parse().unwrap(), false), [3]);
        assert_eq!(tell(&mut selected, true), []);
        store.renumber("a@x", Place::Inbox).unwrap();
        assert_eq!(store.read("a@x", |m| selected.news(m, true)).unwrap(), Err(Stale));
    }
}
