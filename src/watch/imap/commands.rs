//! The commands that watching needs, and what their answers mean. Nothing here changes a mailbox: folders are opened with `EXAMINE`, messages
//! are fetched with `PEEK`.

use super::{
    connection::{Connection, Selected, Spell},
    fault::Fault,
    opening::quoted,
};
use crate::{evidence, model::Time};
use ::imap::imap_proto::{
    AttributeValue, MailboxDatum, MessageSection, NameAttribute, Response, ResponseCode, SectionPath, StatusAttribute,
};
use chrono::{DateTime, Utc};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// More folders than this, and longer names, are not looked at: no mailbox has them, but a hostile server may say so.
const FOLDERS: usize = 50_000;
const NAME: usize = 1_000;
/// More messages than this are not listed at once.
const MESSAGES: usize = 500_000;
/// How much of a header is read at first: tags stand in its first fields, but filters put theirs above.
const HEADER: u32 = 65_536;
/// How much of it is read where it goes on after that.
const LONG_HEADER: usize = evidence::LONGEST_HEADER;
/// How much of a body is peeked at.
const PEEK: u32 = 262_144;
/// How much of a message of ours is fetched.
const WHOLE: u32 = 26_214_400;

/// The state of a folder, as `STATUS` or `EXAMINE` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FolderStatus {
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    pub(super) messages: u32,
    /// When this was read.
    pub(super) read: Time,
}

/// One folder of a `LIST` response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its name on the wire.
    pub(super) wire: String,
    pub(super) separator: Option<char>,
    /// Those of its attributes that tell what it is for, in lower case, with the backslash.
    pub(super) attributes: Vec<String>,
    /// Where the server gives it along.
    pub(super) status: Option<FolderStatus>,
}

/// What came along with a message's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) uid: u32,
    pub(super) sequence: u32,
    pub(super) internal_date: Option<Time>,
    /// Whether another folder shows this message too, by what Gmail says.
    pub(super) elsewhere: bool,
    /// Whether its header may go on after what was read of it.
    pub(super) cut: bool,
    /// When this was read.
    pub(super) read: Time,
}

/// Lists the folders that match `pattern`, with special-use, and with their status where the server gives it along (RFC 5258, 5819, 6154).
pub(super) async fn list(connection: &mut Connection, pattern: &str, patience: Duration) -> Result<(Vec<Listed>, Spell), Fault> {
    let pattern = quoted(pattern).ok_or_else(|| Fault::Refused("a folder's name holds a line break".to_owned()))?;
    let mut wanted = Vec::new();
    if connection.can("SPECIAL-USE") && connection.can("LIST-EXTENDED") {
        wanted.push("SPECIAL-USE");
    }
    if gives_status(connection) {
        wanted.push("STATUS (UIDNEXT UIDVALIDITY MESSAGES)");
    }
    let line = if wanted.is_empty() {
        format!("LIST \"\" {pattern}")
    } else {
        format!("LIST \"\" {pattern} RETURN ({})", wanted.join(" "))
    };
    let mut folders: Vec<Listed> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let spell = connection
        .bulk(&line, patience, &mut |response, read| match response {
            Response::MailboxData(MailboxDatum::List(listed))
                if folders.len() < FOLDERS && listed.name.len() <= NAME && !places.contains_key(&*listed.name) =>
            {
                places.insert(listed.name.clone().into_owned(), folders.len());
                folders.push(Listed {
                    wire: listed.name.clone().into_owned(),
                    separator: listed.delimiter.as_deref().and_then(|delimiter| delimiter.chars().next()),
                    attributes: listed.name_attributes.iter().take(16).filter_map(attribute).collect(),
                    status: None,
                });
            }
            Response::MailboxData(MailboxDatum::Status { mailbox, status }) => {
                if let Some(folder) = places.get(&**mailbox).and_then(|place| folders.get_mut(*place)) {
                    folder.status = status_of(status, read);
                }
            }
            _ => {}
        })
        .await?;
    Ok((folders, spell))
}

/// Whether the server is Gmail, whose folders are labels.
pub(super) fn is_gmail(connection: &Connection) -> bool {
    connection.can("X-GM-EXT-1")
}

/// Whether one command tells the status of all folders.
pub(super) fn gives_status(connection: &Connection) -> bool {
    connection.can("LIST-STATUS")
}

/// The attributes that tell what a folder is for; others (`\Marked`, `\HasChildren`) change with every message.
fn attribute(attribute: &NameAttribute<'_>) -> Option<String> {
    let word = match attribute {
        NameAttribute::NoSelect => "\\noselect",
        NameAttribute::All => "\\all",
        NameAttribute::Drafts => "\\drafts",
        NameAttribute::Flagged => "\\flagged",
        NameAttribute::Junk => "\\junk",
        NameAttribute::Sent => "\\sent",
        NameAttribute::Trash => "\\trash",
        NameAttribute::Extension(word) if word.eq_ignore_ascii_case("\\NonExistent") => "\\nonexistent",
        NameAttribute::Extension(word) if word.eq_ignore_ascii_case("\\Important") => "\\important",
        _ => return None,
    };
    Some(word.to_owned())
}

fn status_of(attributes: &[StatusAttribute], read: Time) -> Option<FolderStatus> {
    let find = |pick: fn(&StatusAttribute) -> Option<u32>| attributes.iter().find_map(pick);
    Some(FolderStatus {
        uid_validity: find(|attribute| match attribute {
            StatusAttribute::UidValidity(value) => Some(*value),
            _ => None,
        })?,
        uid_next: find(|attribute| match attribute {
            StatusAttribute::UidNext(value) => Some(*value),
            _ => None,
        })?,
        messages: find(|attribute| match attribute {
            StatusAttribute::Messages(value) => Some(*value),
            _ => None,
        })?,
        read,
    })
}

/// The status of one folder.
pub(super) async fn status(connection: &mut Connection, wire: &str) -> Result<(FolderStatus, Spell), Fault> {
    let name = name(wire)?;
    let mut found = None;
    let spell = connection
        .command(&format!("STATUS {name} (UIDNEXT UIDVALIDITY MESSAGES)"), &mut |response, read| {
            if let Response::MailboxData(MailboxDatum::Status { status, .. }) = response {
                found = status_of(status, read);
            }
        })
        .await?;
    let found = found.ok_or_else(|| Fault::Refused("the server does not tell the folder's UIDNEXT".to_owned()))?;
    Ok((found, spell))
}

/// The status of several folders, asked for in one breath; `None` where the server refuses it.
pub(super) async fn statuses(connection: &mut Connection, wires: &[&str]) -> Result<(Vec<Option<FolderStatus>>, Spell), Fault> {
    let mut found = vec![None; wires.len()];
    let mut lines = Vec::with_capacity(wires.len());
    for wire in wires {
        lines.push(format!("STATUS {} (UIDNEXT UIDVALIDITY MESSAGES)", name(wire)?));
    }
    let places: HashMap<&str, usize> = wires.iter().enumerate().map(|(place, wire)| (*wire, place)).collect();
    let spell = connection
        .commands(&lines, &mut |response, read| {
            if let Response::MailboxData(MailboxDatum::Status { mailbox, status }) = response
                && let Some(found) = places.get(&**mailbox).and_then(|place| found.get_mut(*place))
            {
                *found = status_of(status, read);
            }
        })
        .await?;
    Ok((found, spell))
}

/// Opens a folder for reading only. Afterwards it is [`Connection::selected`].
pub(super) async fn examine(connection: &mut Connection, wire: &str) -> Result<(Option<FolderStatus>, Spell), Fault> {
    open(connection, "EXAMINE", wire).await
}

/// Opens a folder with `EXAMINE` or `SELECT`.
pub(super) async fn open(connection: &mut Connection, verb: &str, wire: &str) -> Result<(Option<FolderStatus>, Spell), Fault> {
    let name = name(wire)?;
    // A folder that cannot be opened closes the one before it (RFC 3501 section 6.3.1).
    connection.selected = None;
    let mut selected = Selected {
        wire: wire.to_owned(),
        uid_validity: None,
        uid_next: None,
        exists: 0,
        grown: Vec::new(),
        shrunk: None,
    };
    let spell = connection
        .command(&format!("{verb} {name}"), &mut |response, _| match response {
            Response::MailboxData(MailboxDatum::Exists(exists)) => selected.exists = *exists,
            Response::Data { outcome, .. } => match outcome.code {
                Some(ResponseCode::UidValidity(value)) => selected.uid_validity = Some(value),
                Some(ResponseCode::UidNext(value)) => selected.uid_next = Some(value),
                _ => {}
            },
            _ => {}
        })
        .await?;
    let status = match (selected.uid_validity, selected.uid_next) {
        (Some(uid_validity), Some(uid_next)) => Some(FolderStatus {
            uid_validity,
            uid_next,
            messages: selected.exists,
            read: spell.read,
        }),
        _ => None,
    };
    connection.selected = Some(selected);
    Ok((status, spell))
}

/// Makes the server say what is new in the open folder.
pub(super) async fn noop(connection: &mut Connection) -> Result<Spell, Fault> {
    connection.command("NOOP", &mut |_, _| {}).await
}

/// The UIDs in the open folder that match `set`, in rising order.
pub(super) async fn uids(connection: &mut Connection, set: &str) -> Result<(BTreeSet<u32>, Spell), Fault> {
    let mut found = BTreeSet::new();
    let spell = connection
        .command(&format!("UID FETCH {set} (UID)"), &mut |response, _| {
            if let Some((_, uid)) = fetched(response)
                && found.len() < MESSAGES
            {
                found.insert(uid);
            }
        })
        .await?;
    Ok((found, spell))
}

/// The UIDs in the open folder for which a search of the server holds.
pub(super) async fn search(connection: &mut Connection, criteria: &str, patience: Duration) -> Result<BTreeSet<u32>, Fault> {
    let mut found = BTreeSet::new();
    connection
        .bulk(&format!("UID SEARCH {criteria}"), patience, &mut |response, _| {
            if let Response::MailboxData(MailboxDatum::Search(uids)) = response {
                found.extend(uids.iter().take(MESSAGES).copied());
            }
        })
        .await?;
    Ok(found)
}

/// Reads the headers of the messages in `set`, one after the other, each into `each`; with Gmail's labels, if these are wanted.
pub(super) async fn headers(
    connection: &mut Connection,
    set: &str,
    labels: bool,
    patience: Duration,
    each: &mut (dyn FnMut(Line, &[u8]) + Send),
) -> Result<Spell, Fault> {
    let labels = if labels { "X-GM-LABELS " } else { "" };
    let line = format!("UID FETCH {set} (UID INTERNALDATE {labels}BODY.PEEK[HEADER]<0.{HEADER}>)");
    connection
        .bulk(&line, patience, &mut |response, read| {
            let (Some((sequence, uid)), Response::Fetch(_, attributes)) = (fetched(response), response) else {
                return;
            };
            let header = header_in(attributes);
            // An unsolicited FETCH has no header, and says nothing of an arrival.
            if let Some(header) = header {
                let line = Line {
                    uid,
                    sequence,
                    internal_date: internal_date(attributes),
                    elsewhere: is_elsewhere(attributes),
                    cut: header.len() >= usize::try_from(HEADER).unwrap_or(usize::MAX),
                    read,
                };
                each(line, header);
            }
        })
        .await
}

/// What a header that was cut says, read as far as any header is, and whether it was cut even there. A server that does not show it has cut it.
pub(super) async fn long_header(connection: &mut Connection, uid: u32, patience: Duration) -> Result<(Vec<u8>, bool), Fault> {
    let mut found = Vec::new();
    let line = format!("UID FETCH {uid} (UID BODY.PEEK[HEADER]<0.{LONG_HEADER}>)");
    connection
        .bulk(&line, patience, &mut |response, _| {
            if let (Some((_, of)), Response::Fetch(_, attributes)) = (fetched(response), response)
                && of == uid
                && let Some(header) = header_in(attributes)
            {
                found = header.to_vec();
            }
        })
        .await?;
    let cut = found.is_empty() || found.len() >= LONG_HEADER;
    Ok((found, cut))
}

fn header_in<'r>(attributes: &'r [AttributeValue<'_>]) -> Option<&'r [u8]> {
    attributes.iter().find_map(|attribute| match attribute {
        AttributeValue::BodySection {
            section: Some(SectionPath::Full(MessageSection::Header)),
            data,
            ..
        } => Some(data.as_deref().unwrap_or_default()),
        _ => None,
    })
}

/// The beginning of a message, for a peek.
pub(super) async fn peek(connection: &mut Connection, uid: u32, patience: Duration) -> Result<Option<(Vec<u8>, Spell)>, Fault> {
    body(connection, uid, PEEK, patience).await
}

/// A whole message of ours; one beyond 25 MB is cut there. `None`: it is no longer there.
pub(super) async fn whole(connection: &mut Connection, uid: u32, patience: Duration) -> Result<Option<(Vec<u8>, Spell)>, Fault> {
    body(connection, uid, WHOLE, patience).await
}

async fn body(connection: &mut Connection, uid: u32, limit: u32, patience: Duration) -> Result<Option<(Vec<u8>, Spell)>, Fault> {
    let mut found = None;
    let line = format!("UID FETCH {uid} (UID BODY.PEEK[]<0.{limit}>)");
    let spell = connection
        .bulk(&line, patience, &mut |response, _| {
            let (Some((_, of)), Response::Fetch(_, attributes)) = (fetched(response), response) else {
                return;
            };
            for attribute in attributes {
                if let (true, AttributeValue::BodySection { section: None, data, .. }) = (of == uid, attribute) {
                    found = data.as_deref().map(<[u8]>::to_vec);
                }
            }
        })
        .await?;
    Ok(found.map(|body| (body, spell)))
}

/// Sequence number and UID of a `FETCH` response that has a UID.
fn fetched(response: &Response<'_>) -> Option<(u32, u32)> {
    let Response::Fetch(sequence, attributes) = response else {
        return None;
    };
    attributes.iter().find_map(|attribute| match attribute {
        AttributeValue::Uid(uid) => Some((*sequence, *uid)),
        _ => None,
    })
}

/// Whether Gmail's labels put a message into another folder: the inbox, what we sent or drafted, or a label of the user's own. Those that begin
/// with a backslash and are none of these (`\Important`, `\Starred`) are only views.
fn is_elsewhere(attributes: &[AttributeValue<'_>]) -> bool {
    attributes.iter().any(|attribute| match attribute {
        AttributeValue::GmailLabels(labels) => labels.iter().any(|label| match label.strip_prefix('\\') {
            None => true,
            Some(system) => ["Inbox", "Sent", "Draft"]
                .iter()
                .any(|word| system.trim_start_matches('\\').eq_ignore_ascii_case(word)),
        }),
        _ => false,
    })
}

fn internal_date(attributes: &[AttributeValue<'_>]) -> Option<Time> {
    attributes.iter().find_map(|attribute| match attribute {
        AttributeValue::InternalDate(date) => DateTime::parse_from_str(date.trim(), "%d-%b-%Y %H:%M:%S %z")
            .ok()
            .map(|date| date.with_timezone(&Utc)),
        _ => None,
    })
}

/// A folder's name as an argument.
fn name(wire: &str) -> Result<String, Fault> {
    quoted(wire).ok_or_else(|| Fault::Refused("the folder's name holds a line break".to_owned()))
}

/// A set of UIDs (RFC 3501 section 9, sequence-set), in which neighbours are drawn together.
pub(super) fn set(uids: impl IntoIterator<Item = u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    let ranges: Vec<String> = ranges
        .iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}:{last}")
            }
        })
        .collect();
    ranges.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_draw_neighbours_together() {
        assert_eq!(set([1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
        assert_eq!(set([u32::MAX]), "4294967295");
    }

    #[test]
    fn gmail_shows_again_what_lies_elsewhere() {
        let elsewhere = |labels: &[&str]| {
            let labels = labels.iter().map(|label| (*label).into()).collect();
            is_elsewhere(&[AttributeValue::Uid(1), AttributeValue::GmailLabels(labels)])
        };
        assert!(elsewhere(&["\\Inbox", "\\Important"]) && elsewhere(&["\\\\Sent"]) && elsewhere(&["Projects"]));
        assert!(!elsewhere(&[]) && !elsewhere(&["\\Important", "\\\\Starred"]), "archived");
        assert!(!is_elsewhere(&[AttributeValue::Uid(1)]), "not Gmail");
    }

    #[test]
    fn internal_dates_have_one_or_two_digits_of_the_day() {
        for text in [" 7-Feb-2026 22:01:02 +0100", "07-Feb-2026 22:01:02 +0100"] {
            let date = internal_date(&[AttributeValue::InternalDate(text.into())]).unwrap();
            assert_eq!(date.to_rfc3339(), "2026-02-07T21:01:02+00:00");
        }
        assert_eq!(internal_date(&[AttributeValue::InternalDate("yesterday".into())]), None);
    }
}
