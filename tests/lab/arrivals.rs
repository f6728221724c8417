//! When mail truly arrived: the store's own log of what LMTP saved.
//!
//! Dovecot logs a save right after its commit, with microseconds, on the machine's clock; the line can come a fraction of a
//! millisecond after the message could be seen. Moves and copies made later (by IMAP, or by the store) are no arrivals.

use chrono::{DateTime, Utc};

/// One copy saved by LMTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When the store logged it.
    pub at: DateTime<Utc>,
    /// The mailbox's address.
    pub mailbox: String,
    /// The folder, as Dovecot logs it.
    pub folder: String,
    /// Its UID there.
    pub uid: u32,
    /// The Message-ID, with its angle brackets.
    pub message_id: String,
}

pub(super) fn parse(log: &str) -> Vec<Arrival> {
    log.lines().filter_map(arrival).collect()
}

/// `2026-11-23T11:00:12.054561+0000 lmtp(ok@contoso.example)<32084><PfcC>: Info: save: box=INBOX, uid=1, msgid=<a@b>, size=784`
fn arrival(line: &str) -> Option<Arrival> {
    let (time, rest) = line.split_once(' ')?;
    let (mailbox, rest) = rest.strip_prefix("lmtp(")?.split_once(')')?;
    let (folder, rest) = rest.split_once(": save: box=")?.1.split_once(", uid=")?;
    let (uid, rest) = rest.split_once(", msgid=")?;
    Some(Arrival {
        at: DateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%.f%z").ok()?.to_utc(),
        mailbox: mailbox.to_owned(),
        folder: folder.to_owned(),
        uid: uid.parse().ok()?,
        message_id: rest.rsplit_once(", size=")?.0.to_owned(),
    })
}
