//! The commands of a logged-in session on mailboxes and messages (RFC 3501, sections 6.3 and 6.4; RFC 4315, 6851, 2342, 3691).
//!
//! Cannot see logins or the connection's state; `mod` lets only a logged-in client come here.

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::Utc;
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::core::{Charset, IString, Quoted, QuotedChar, Vec1};
use imap_codec::imap_types::extensions::binary::LiteralOrLiteral8;
use imap_codec::imap_types::extensions::namespace::Namespace;
use imap_codec::imap_types::extensions::uidplus::{UidElement, UidSet};
use imap_codec::imap_types::fetch::MessageDataItemName;
use imap_codec::imap_types::flag::{Flag, StoreResponse, StoreType};
use imap_codec::imap_types::mailbox::{ListMailbox, Mailbox as Name};
use imap_codec::imap_types::response::{Code, Data, StatusKind};
use imap_codec::imap_types::search::SearchKey;
use imap_codec::imap_types::sequence::SequenceSet;
use imap_codec::imap_types::status::StatusDataItemName;

use super::super::store::{Mailbox, Place, StoreError};
use super::list::{DELIMITER, Request};
use super::search::Seen;
use super::selected::Selected;
use super::{Done, OUTPUT, Session, fetch, list, search, utf7};

const MOST_FLAGS: usize = 50;
const LONGEST_FLAG: usize = 100;
const LONGEST_FOLDER: usize = 200;
const SYSTEM_FLAGS: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";

impl Session<'_> {
    /// Answers a command that needs a login.
    pub(super) async fn mailbox_command(&mut self, body: CommandBody<'_>) -> io::Result<Done> {
        Ok(match body {
            CommandBody::List {
                reference,
                mailbox_wildcard,
            } => {
                let request = Request::basic(&wire_name(&reference), &pattern(&mailbox_wildcard));
                self.list(&request, false)
            }
            CommandBody::Lsub {
                reference,
                mailbox_wildcard,
            } => {
                let request = Request::basic(&wire_name(&reference), &pattern(&mailbox_wildcard));
                self.list(&request, true)
            }
            CommandBody::Namespace => {
                let personal = QuotedChar::try_from(DELIMITER).ok().map(namespace);
                self.put(Data::Namespace {
                    personal: personal.into_iter().collect(),
                    other: Vec::new(),
                    shared: Vec::new(),
                });
                Done::ok("Namespaces told")
            }
            CommandBody::Status { mailbox, item_names } => self.status(&mailbox, &item_names),
            CommandBody::Select { mailbox, .. } => self.select(&mailbox, false),
            CommandBody::Examine { mailbox, .. } => self.select(&mailbox, true),
            CommandBody::Create { mailbox } => self.create(&mailbox),
            CommandBody::Delete { mailbox } => self.delete(&mailbox),
            CommandBody::Subscribe { .. } | CommandBody::Unsubscribe { .. } => Done::ok("Every folder is subscribed"),
            CommandBody::Append {
                mailbox,
                flags,
                date,
                message,
            } => {
                let received = date.map_or_else(|| (self.office.clock)(), |date| date.as_ref().with_timezone(&Utc));
                let data = match &message {
                    LiteralOrLiteral8::Literal(literal) => literal.data(),
                    LiteralOrLiteral8::Literal8(literal) => literal.data.as_ref(),
                };
                self.append(&mailbox, &flags, received, data)
            }
            CommandBody::Unselect if self.selected.take().is_some() => Done::ok("Closed"),
            CommandBody::Close if self.selected.is_some() => {
                if let Some(selected) = self.selected.take().filter(|s| !s.read_only) {
                    self.expunge(&selected, None);
                }
                Done::ok("Closed")
            }
            body => match self.selected.take() {
                Some(mut selected) => {
                    let done = self.selected_command(&mut selected, body).await;
                    self.selected = Some(selected);
                    done?
                }
                None => Done::bad("Select a folder first, or the command is not offered here"),
            },
        })
    }

    /// Answers a command that needs a selected folder.
    async fn selected_command(&mut self, selected: &mut Selected, body: CommandBody<'_>) -> io::Result<Done> {
        Ok(match body {
            CommandBody::Check => Done::ok("Checked"),
            CommandBody::Search {
                charset: Some(charset), ..
            } if !is_known(&charset) => Done::no("Text is compared as UTF-8 only").code(Code::badcharset(Vec::new())),
            CommandBody::Search { criteria, uid, .. } => self.search(selected, criteria.as_ref(), uid),
            CommandBody::Fetch {
                sequence_set,
                macro_or_item_names,
                uid,
                ..
            } => match fetch::wanted(&macro_or_item_names, uid) {
                Some(names) => self.fetch(selected, &sequence_set, &names, uid).await?.keeping_numbers(!uid),
                None => Done::no("ENVELOPE, BODYSTRUCTURE and numbered parts are not offered here").word("CANNOT"),
            },
            CommandBody::Store { .. } | CommandBody::Expunge | CommandBody::ExpungeUid { .. } | CommandBody::Move { .. }
                if selected.read_only =>
            {
                Done::no("The folder is open for reading only")
            }
            CommandBody::Store {
                sequence_set,
                kind,
                response,
                flags,
                uid,
                ..
            } => {
                let uids = selected.uids(&sequence_set, uid);
                self.store(selected, &uids, kind, response, &flags).keeping_numbers(!uid)
            }
            CommandBody::Expunge => self.expunge(selected, None),
            CommandBody::ExpungeUid { sequence_set } => self.expunge(selected, Some(&selected.uids(&sequence_set, true))),
            CommandBody::Copy {
                sequence_set,
                mailbox,
                uid,
            } => self.transfer(selected, &selected.uids(&sequence_set, uid), &mailbox, false),
            CommandBody::Move {
                sequence_set,
                mailbox,
                uid,
            } => self.transfer(selected, &selected.uids(&sequence_set, uid), &mailbox, true),
            _ => Done::bad("Not offered here"),
        })
    }

    /// The open mailbox's login; only logged-in clients come here.
    fn mailbox(&self) -> &str {
        self.login.get().map_or("", String::as_str)
    }

    fn read<R>(&self, look: impl FnOnce(&Mailbox) -> R) -> Result<R, StoreError> {
        self.office.store.read(self.mailbox(), look)
    }

    /// LIST and LSUB; the basic and the extended form.
    pub(super) fn list(&mut self, request: &Request, lsub: bool) -> Done {
        if request.asks_for_delimiter() {
            self.out.extend_from_slice(if lsub {
                b"* LSUB (\\Noselect) \"/\" \"\"\r\n"
            } else {
                b"* LIST (\\Noselect) \"/\" \"\"\r\n"
            });
            return Done::ok("Listed");
        }
        let lines = self.read(|mailbox| {
            let mut lines = Vec::new();
            for folder in mailbox.folders.iter().filter(|folder| request.picks(folder)) {
                lines.push(match list::line(folder, request.subscribed) {
                    Data::List { items, delimiter, mailbox } if lsub => Data::Lsub { items, delimiter, mailbox },
                    line => line,
                });
                lines.extend(request.status.as_ref().map(|items| list::status(folder, items)));
            }
            lines
        });
        self.put_all(lines.unwrap_or_default());
        Done::ok("Listed")
    }

    fn status(&mut self, name: &Name<'_>, items: &[StatusDataItemName]) -> Done {
        let Some(folder) = folder_name(name) else { return no_name() };
        match self.read(|mailbox| mailbox.folder(Place::Named(&folder)).map(|folder| list::status(folder, items))) {
            Ok(Some(status)) => {
                self.put(status);
                Done::ok("Status told")
            }
            _ => no_folder(),
        }
    }

    fn select(&mut self, name: &Name<'_>, read_only: bool) -> Done {
        self.selected = None;
        let Some(folder) = folder_name(name) else { return no_name() };
        let looked = self.read(|mailbox| {
            let folder = mailbox.folder(Place::Named(&folder))?;
            let selected = Selected::new(folder, read_only);
            Some((selected, folder.messages.len(), folder.uid_validity, folder.uid_next))
        });
        let Ok(Some((selected, exists, uid_validity, uid_next))) = looked else {
            return no_folder();
        };
        let permanent = if read_only { String::new() } else { format!("{SYSTEM_FLAGS} \\*") };
        let text = format!(
            "* FLAGS ({SYSTEM_FLAGS})\r\n* {exists} EXISTS\r\n* 0 RECENT\r\n* OK [PERMANENTFLAGS ({permanent})] Flags that stay\r\n\
             * OK [UIDVALIDITY {uid_validity}] UIDs valid\r\n* OK [UIDNEXT {uid_next}] Next UID\r\n"
        );
        self.out.extend_from_slice(text.as_bytes());
        self.selected = Some(selected);
        Done::ok("Selected").code(if read_only { Code::ReadOnly } else { Code::ReadWrite })
    }

    fn create(&mut self, name: &Name<'_>) -> Done {
        match folder_name(name).map(|name| name.trim_end_matches(DELIMITER).to_owned()) {
            Some(folder) if !folder.is_empty() && folder.len() <= LONGEST_FOLDER => match self.office.store.create(self.mailbox(), &folder)
            {
                Ok(()) => Done::ok("Created"),
                Err(_) => Done::no("It exists, or there are too many"),
            },
            _ => no_name(),
        }
    }

    fn delete(&mut self, name: &Name<'_>) -> Done {
        let Some(folder) = folder_name(name) else { return no_name() };
        let deleted = self.office.store.change(self.mailbox(), |mailbox, _| {
            let at = mailbox
                .folders
                .iter()
                .position(|f| f.name == folder && f.name != "INBOX" && f.role.is_none());
            at.map(|at| mailbox.folders.remove(at)).is_some()
        });
        if deleted == Ok(true) {
            Done::ok("Deleted")
        } else {
            Done::no("No such folder, or one that must stay")
        }
    }

    fn append(&mut self, name: &Name<'_>, flags: &[Flag<'_>], received: chrono::DateTime<Utc>, data: &[u8]) -> Done {
        let (Some(folder), Some(flags)) = (folder_name(name), own_flags(flags)) else {
            return no_name();
        };
        match self
            .office
            .store
            .append(self.mailbox(), Place::Named(&folder), Arc::from(data), flags, received)
        {
            Ok((uid_validity, uid)) => match (NonZeroU32::new(uid_validity), NonZeroU32::new(uid)) {
                (Some(uid_validity), Some(uid)) => Done::ok("Stored").code(Code::AppendUid { uid_validity, uid }),
                _ => Done::ok("Stored"),
            },
            Err(error) => failed(error),
        }
    }

    fn search(&mut self, selected: &Selected, criteria: &[SearchKey<'_>], uid: bool) -> Done {
        let messages = self.seen(selected);
        let found = search::search(&messages, criteria);
        let numbers = found
            .iter()
            .filter_map(|m| NonZeroU32::new(if uid { m.uid } else { m.number }))
            .collect();
        self.put(Data::Search(numbers));
        Done::ok("Searched").keeping_numbers(!uid)
    }

    /// The selected messages as this session knows them; none if the folder is another one now, which the news will tell.
    fn seen(&self, selected: &Selected) -> Vec<Seen> {
        self.read(|mailbox| selected.messages(mailbox).unwrap_or_default())
            .unwrap_or_default()
    }

    async fn fetch(
        &mut self,
        selected: &Selected,
        set: &SequenceSet,
        names: &[MessageDataItemName<'static>],
        uid: bool,
    ) -> io::Result<Done> {
        let uids = selected.uids(set, uid);
        if fetch::marks_seen(names) && !selected.read_only {
            self.change_flags(selected, &uids, StoreType::Add, &["\\Seen".to_owned()].into(), false);
        }
        for message in self.seen(selected).iter().filter(|m| uids.binary_search(&m.uid).is_ok()) {
            let items = Vec1::try_from(fetch::items(message, names));
            if let (Some(seq), Ok(items)) = (NonZeroU32::new(message.number), items) {
                self.put(Data::Fetch { seq, items });
            }
            if self.out.len() > OUTPUT {
                self.flush().await?;
            }
        }
        Ok(Done::ok("Fetched"))
    }

    fn store(&mut self, selected: &mut Selected, uids: &[u32], kind: StoreType, response: StoreResponse, flags: &[Flag<'_>]) -> Done {
        let Some(flags) = own_flags(flags) else {
            return Done::no("Too many flags, or too long ones").word("LIMIT");
        };
        let serial = self.change_flags(selected, uids, kind, &flags, true);
        if response == StoreResponse::Silent {
            for uid in uids {
                selected.told(*uid, serial);
            }
        }
        Done::ok("Flags stored")
    }

    /// Changes flags and returns the serial of that change; the session hears of it with the news, as all others do.
    fn change_flags(&self, selected: &Selected, uids: &[u32], kind: StoreType, flags: &BTreeSet<String>, always: bool) -> u64 {
        let changed = self.office.store.change(self.mailbox(), |mailbox, serial| {
            let folder = mailbox.folder_mut(Place::Named(&selected.folder)).into_iter();
            for message in folder.flat_map(|f| &mut f.messages).filter(|m| uids.binary_search(&m.uid).is_ok()) {
                let before = message.flags.clone();
                match kind {
                    StoreType::Replace => message.flags.clone_from(flags),
                    StoreType::Add if message.flags.len() > MOST_FLAGS => {}
                    StoreType::Add => message.flags.extend(flags.iter().cloned()),
                    StoreType::Remove => message.flags.retain(|flag| !flags.contains(flag)),
                }
                // A STORE is answered even if it changed nothing; reading what is seen already is not.
                if always || before != message.flags {
                    message.modified = serial;
                }
            }
            serial
        });
        changed.unwrap_or_default()
    }

    /// Removes what is flagged deleted, of all messages or of these.
    fn expunge(&mut self, selected: &Selected, only: Option<&[u32]>) -> Done {
        let gone = self.office.store.change(self.mailbox(), |mailbox, _| {
            let Some(folder) = mailbox.folder_mut(Place::Named(&selected.folder)) else {
                return;
            };
            let deleted = folder.messages.iter().filter(|m| m.flags.contains("\\Deleted")).map(|m| m.uid);
            let doomed: Vec<u32> = deleted
                .filter(|uid| only.is_none_or(|uids| uids.binary_search(uid).is_ok()))
                .collect();
            folder.take(|uid| doomed.binary_search(&uid).is_ok());
        });
        if gone.is_ok() { Done::ok("Expunged") } else { no_folder() }
    }

    /// COPY and MOVE.
    fn transfer(&mut self, selected: &Selected, uids: &[u32], to: &Name<'_>, moves: bool) -> Done {
        let Some(to) = folder_name(to) else { return no_name() };
        let wanted = |uid| uids.binary_search(&uid).is_ok();
        let (store, place) = (&self.office.store, Place::Named(to.as_str()));
        let done = if moves {
            store.shift(self.mailbox(), &selected.folder, place, wanted)
        } else {
            store.copy(self.mailbox(), &selected.folder, place, wanted)
        };
        let (uid_validity, pairs) = match done {
            Ok(done) => done,
            Err(error) => return failed(error),
        };
        let code = copy_uid(uid_validity, &pairs);
        match code {
            // The new UIDs must be told before the messages go (RFC 6851, section 4.3).
            Some(code) if moves => {
                self.finish(None, Done::new(StatusKind::Ok, "Moved to new UIDs").code(code));
                Done::ok("Moved")
            }
            Some(code) => Done::ok("Copied").code(code),
            None => Done::ok("Nothing to do"),
        }
    }

    fn put_all(&mut self, lines: Vec<Data<'static>>) {
        for line in lines {
            self.put(line);
        }
    }
}

fn is_known(charset: &Charset<'_>) -> bool {
    ["UTF-8", "US-ASCII"]
        .iter()
        .any(|known| charset.as_ref().eq_ignore_ascii_case(known))
}

fn no_name() -> Done {
    Done::no("That is no folder name or flag").word("CANNOT")
}

fn no_folder() -> Done {
    Done::no("No such folder").word("NONEXISTENT")
}

fn failed(error: StoreError) -> Done {
    match error {
        StoreError::Full => Done::no("The post office is full").code(Code::OverQuota),
        StoreError::NoFolder => Done::no("No such folder").code(Code::TryCreate),
    }
}

fn wire_name(name: &Name<'_>) -> Vec<u8> {
    match name {
        Name::Inbox => b"INBOX".to_vec(),
        Name::Other(other) => other.as_ref().to_vec(),
    }
}

fn folder_name(name: &Name<'_>) -> Option<String> {
    utf7::decode(std::str::from_utf8(&wire_name(name)).ok()?)
}

fn pattern(pattern: &ListMailbox<'_>) -> Vec<u8> {
    match pattern {
        ListMailbox::Token(token) => token.as_ref().to_vec(),
        ListMailbox::String(string) => string.as_ref().to_vec(),
    }
}

fn own_flags(flags: &[Flag<'_>]) -> Option<BTreeSet<String>> {
    let flags: BTreeSet<String> = flags.iter().map(ToString::to_string).collect();
    (flags.len() <= MOST_FLAGS && flags.iter().all(|flag| flag.len() <= LONGEST_FLAG)).then_some(flags)
}

fn namespace(delimiter: QuotedChar) -> Namespace<'static> {
    Namespace {
        prefix: IString::Quoted(Quoted::unvalidated("")),
        delimiter: Some(delimiter),
        extensions: Vec::new(),
    }
}

fn copy_uid(uid_validity: u32, pairs: &[(u32, u32)]) -> Option<Code<'static>> {
    let set = |uids: Vec<u32>| {
        let elements: Vec<UidElement> = uids.into_iter().filter_map(NonZeroU32::new).map(UidElement::Single).collect();
        Vec1::try_from(elements).ok().map(UidSet)
    };
    Some(Code::CopyUid {
        uid_validity: NonZeroU32::new(uid_validity)?,
        source: set(pairs.iter().map(|(old, _)| *old).collect())?,
        destination: set(pairs.iter().map(|(_, new)| *new).collect())?,
    })
}
