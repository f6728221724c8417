//! Reading what is new in one folder: headers first; whole only what carries a verified tag of ours.
//!
//! A message without a tag in its header is left alone unless the server's search finds the run's prefix in it, or the site lets us peek at its
//! body. Nothing of a foreign message is kept, beyond the fact that its UID was read. It cannot see a tag that a server's search overlooks,
//! unless `peek_bodies` is set.

use super::{
    commands::{self, FolderStatus, Line},
    connection::{Connection, Spell},
    fault::Fault,
    folder::{Folder, Known, Vanished},
    mailbox::MailboxState,
};
use crate::{
    clock::Clock,
    evidence::{Finding, LONGEST_HEADER, Recognizer, Spot},
    model::{Copy, Event, MailboxName, ProbeId, Time, What},
    watch::study::study,
};
use chrono::TimeDelta;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;

/// Headers are asked for in portions of so many messages, so that no answer takes longer than a command may.
const PORTION: usize = 200;
/// So many of the newest messages are read where a search by date finds none.
const NEWEST: usize = 500;

/// What reading needs beside the connection.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) clock: Clock,
    pub(super) recognizer: Arc<Recognizer>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) started_at: Time,
    /// How long fetching one message may take.
    pub(super) patience: Duration,
}

/// What the headers of some messages say.
#[derive(Default)]
struct Sorted {
    ours: Vec<(Line, ProbeId)>,
    perhaps: Vec<Line>,
    foreign: Vec<Line>,
    /// Those whose header goes on after what was read of it, and shows nothing of ours so far.
    cut: Vec<Line>,
    /// The highest UID read.
    last: u32,
    /// How many headers were shown, wanted or not, and whether one of them was empty.
    shown: usize,
    empty: bool,
}

impl Sorted {
    fn put(&mut self, line: Line, spot: &Spot) {
        match spot {
            Spot::Ours(probe) => self.ours.push((line, *probe)),
            Spot::Perhaps | Spot::Foreign if line.cut => self.cut.push(line),
            Spot::Perhaps => self.perhaps.push(line),
            Spot::Foreign => self.foreign.push(line),
        }
    }
}

impl Reader {
    /// Says that something happened.
    pub(super) async fn tell(&self, what: What) -> Result<(), Fault> {
        let event = Event {
            at: self.clock.now(),
            what,
        };
        self.events.send(event).await.map_err(|_| Fault::Unheard)
    }

    /// Says which copies are gone.
    pub(super) async fn tell_gone(&self, gone: Vec<Vanished>, noticed: Time) -> Result<(), Fault> {
        for (known, last_present) in gone {
            let what = What::Gone {
                probe: known.probe,
                copy: known.id,
                last_present,
                noticed,
            };
            self.tell(what).await?;
        }
        Ok(())
    }

    /// Opens the folder, unless it is open and its state is beyond doubt. Returns what opening it showed.
    pub(super) async fn enter(
        &self,
        connection: &mut Connection,
        folder: &mut Folder,
    ) -> Result<Option<(Option<FolderStatus>, Spell)>, Fault> {
        let open = connection.selected.as_ref().is_some_and(|selected| selected.wire == folder.wire);
        if open && !folder.doubtful && !folder.by_date {
            return Ok(None);
        }
        let (status, spell) = commands::examine(connection, &folder.wire)
            .await
            .map_err(|fault| refused(fault, folder))?;
        folder.opened(spell, status.as_ref());
        if status.is_none() && !folder.by_date {
            // The server does not tell UIDNEXT.
            self.find_new(connection, folder).await?;
        }
        Ok(Some((status, spell)))
    }

    /// Asks for new messages in the open folder by UID, for servers whose word on its growth does not suffice.
    async fn find_new(&self, connection: &mut Connection, folder: &mut Folder) -> Result<(), Fault> {
        let set = format!("{}:*", folder.shown_to);
        let (uids, spell) = commands::uids(connection, &set).await.map_err(|fault| refused(fault, folder))?;
        if let Some(last) = uids.last() {
            folder.found(*last, spell.read);
        }
        folder.doubtful = false;
        Ok(())
    }

    /// Looks at a folder in a way that no stale status can deceive: opens it anew, and asks whether the copies known there are still there.
    pub(super) async fn look_closely(&self, connection: &mut Connection, folder: &mut Folder) -> Result<(), Fault> {
        folder.doubtful = true;
        self.enter(connection, folder).await?;
        self.ask_after(connection, folder).await
    }

    /// Reads everything in the folder that was not read yet, and asks after the copies known there if one may be gone.
    pub(super) async fn read(&self, connection: &mut Connection, mailbox: &mut MailboxState, name: &str) -> Result<(), Fault> {
        let of = Of {
            mailbox: mailbox.name().clone(),
            is_senders: mailbox.of_sender,
            peek: mailbox.mailbox.peek_bodies,
        };
        let Some(folder) = mailbox.folders.get_mut(name) else {
            return Ok(());
        };
        let opened = self.enter(connection, folder).await?;
        if folder.by_date {
            self.read_by_date(connection, folder, &of, opened).await?;
        } else {
            let next = folder.read_to;
            // `n:*` names the last message even where all are below n (RFC 3501 section 6.4.8).
            let beyond = if usize::try_from(folder.shown_to.saturating_sub(next)).unwrap_or(usize::MAX) > PORTION {
                let (mut uids, _) = commands::uids(connection, &format!("{next}:*"))
                    .await
                    .map_err(|fault| refused(fault, folder))?;
                uids.retain(|uid| *uid >= next);
                self.read_these(connection, folder, &of, &uids).await?
            } else {
                self.read_set(connection, folder, &of, &format!("{next}:*"), &|uid| uid >= next)
                    .await?
            };
            let exists = connection.selected.as_ref().map_or(0, |selected| selected.exists);
            if beyond <= next && folder.has_grown_within(exists) {
                // It grew, and still holds what it grew by, but shows nothing new by its UID.
                folder.doubt_uids();
                self.read_by_date(connection, folder, &of, None).await?;
            } else {
                folder.read(beyond);
            }
        }
        if folder.suspect.is_some() && !folder.known.is_empty() {
            self.ask_after(connection, folder).await?;
        }
        folder.suspect = None;
        folder.refused_until = None;
        Ok(())
    }

    /// Asks whether the copies known in the open folder are still there.
    pub(super) async fn ask_after(&self, connection: &mut Connection, folder: &mut Folder) -> Result<(), Fault> {
        let wanted: BTreeSet<u32> = folder.known.keys().copied().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let set = commands::set(wanted.iter().copied());
        let (there, spell) = commands::uids(connection, &set).await.map_err(|fault| refused(fault, folder))?;
        let noticed = folder.suspect.unwrap_or(spell.read);
        let gone = folder.present(&there, spell.sent);
        self.tell_gone(gone, noticed).await
    }

    /// Reads the messages of a folder without a mark: those that the server dates from the day before the run on (its day may begin before ours).
    async fn read_by_date(
        &self,
        connection: &mut Connection,
        folder: &mut Folder,
        of: &Of,
        opened: Option<(Option<FolderStatus>, Spell)>,
    ) -> Result<(), Fault> {
        let (status, spell) = match opened {
            Some((Some(status), spell)) => (status, spell),
            // Opening it has told too little, or was done before its UIDs turned out to be void.
            _ => match commands::examine(connection, &folder.wire)
                .await
                .map_err(|fault| refused(fault, folder))?
            {
                (Some(status), spell) => (status, spell),
                (None, _) => commands::status(connection, &folder.wire)
                    .await
                    .map_err(|fault| refused(fault, folder))?,
            },
        };
        folder.begin_by_date(status.uid_validity);
        let day = (self.started_at - TimeDelta::days(1)).format("%-d-%b-%Y");
        let found = match commands::search(connection, &format!("SINCE {day}"), self.patience).await {
            Ok(uids) => uids,
            Err(Fault::Refused(_)) => BTreeSet::new(),
            Err(fault) => return Err(fault),
        };
        // A server that cannot search by date, or whose clock is wrong: the newest messages must do.
        let uids = if found.is_empty() && status.messages > 0 {
            let (uids, _) = commands::uids(connection, "1:*").await.map_err(|fault| refused(fault, folder))?;
            uids.into_iter().rev().take(NEWEST).collect()
        } else {
            found
        };
        let beyond = self.read_these(connection, folder, of, &uids).await?;
        let gone = folder.read_by_date(spell, &status, beyond);
        self.tell_gone(gone, self.clock.now()).await
    }

    /// Reads these messages in portions. Returns the UID after the last one.
    async fn read_these(&self, connection: &mut Connection, folder: &mut Folder, of: &Of, uids: &BTreeSet<u32>) -> Result<u32, Fault> {
        let mut beyond = 0;
        let mut waiting: VecDeque<u32> = uids.iter().copied().collect();
        while !waiting.is_empty() {
            let portion: BTreeSet<u32> = waiting.drain(..PORTION.min(waiting.len())).collect();
            let set = commands::set(portion.iter().copied());
            beyond = self
                .read_set(connection, folder, of, &set, &|uid| portion.contains(&uid))
                .await?
                .max(beyond);
        }
        Ok(beyond)
    }

    /// Reads the messages of `set` for which `wanted` holds. Returns the UID after the last one.
    async fn read_set(
        &self,
        connection: &mut Connection,
        folder: &mut Folder,
        of: &Of,
        set: &str,
        wanted: &(dyn Fn(u32) -> bool + Sync),
    ) -> Result<u32, Fault> {
        let mut sorted = Sorted::default();
        let skip = |uid: u32| !wanted(uid) || folder.known.contains_key(&uid) || folder.handled.contains(&uid);
        commands::headers(connection, set, folder.archive, self.patience, &mut |line, header| {
            sorted.shown += 1;
            sorted.empty |= header.is_empty();
            if wanted(line.uid) {
                sorted.last = sorted.last.max(line.uid);
            }
            if !skip(line.uid) && !line.elsewhere {
                sorted.put(line, &self.recognizer.spot(header, of.is_senders));
            }
        })
        .await
        .map_err(|fault| refused(fault, folder))?;
        // `n:*` shows one at least, wherever there is any; and no message is without a header. What is withheld may be ours.
        let any = connection.selected.as_ref().is_some_and(|selected| selected.exists > 0);
        if sorted.empty || (any && sorted.shown == 0 && set.ends_with('*')) {
            return Err(refused(
                Fault::Refused("it says that there are messages, and shows no header".to_owned()),
                folder,
            ));
        }
        for line in std::mem::take(&mut sorted.cut) {
            let (header, cut) = commands::long_header(connection, line.uid, self.patience)
                .await
                .map_err(|fault| refused(fault, folder))?;
            let spot = self.recognizer.spot(&header, of.is_senders);
            if cut && !matches!(spot, Spot::Ours(_)) {
                folder.unsearched = Some(format!(
                    "the header of a message in the folder {:?} goes on after its first {} kB, so it cannot be told from ours",
                    folder.name,
                    LONGEST_HEADER / 1024
                ));
            }
            sorted.put(Line { cut: false, ..line }, &spot);
        }
        // Intervals are drawn from the looks so far, before reading changes what is known.
        for (line, probe) in std::mem::take(&mut sorted.ours) {
            self.take(connection, folder, of, line, Some(probe)).await?;
        }
        self.read_rest(connection, folder, of, sorted.perhaps, sorted.foreign).await?;
        Ok(if sorted.last == 0 { 0 } else { sorted.last.saturating_add(1) })
    }

    /// Finds ours among messages whose header holds no tag.
    async fn read_rest(
        &self,
        connection: &mut Connection,
        folder: &mut Folder,
        of: &Of,
        perhaps: Vec<Line>,
        foreign: Vec<Line>,
    ) -> Result<(), Fault> {
        if perhaps.is_empty() && foreign.is_empty() {
            return Ok(());
        }
        let all: BTreeSet<u32> = perhaps.iter().chain(&foreign).map(|line| line.uid).collect();
        let named = self.search_bodies(connection, &all).await?;
        let perhaps = perhaps.into_iter().map(|line| (line, true));
        for (line, is_perhaps) in perhaps.chain(foreign.into_iter().map(|line| (line, false))) {
            // A bounce that quotes nothing is bound by its recipient and its time; only where bounces to us come back.
            let guessable = is_perhaps && of.is_senders;
            if named.contains(&line.uid) || guessable || of.peek {
                let part = commands::peek(connection, line.uid, self.patience)
                    .await
                    .map_err(|fault| refused(fault, folder))?;
                let mut part = part.map(|(part, _)| part);
                let mut is_ours = self.holds_tag(&mut part).await?;
                // What the server's search names may hold the tag further down than a peek reaches.
                if part.is_some() && !is_ours && named.contains(&line.uid) {
                    let whole = commands::whole(connection, line.uid, self.patience)
                        .await
                        .map_err(|fault| refused(fault, folder))?;
                    part = whole.map(|(whole, _)| whole);
                    is_ours = self.holds_tag(&mut part).await?;
                }
                match part {
                    Some(_) if is_ours => self.take(connection, folder, of, line, None).await?,
                    // Without a tag it can be no copy, and it is not fetched whole.
                    Some(part) if guessable => self.say_returned(part, of, line.read).await?,
                    _ => {}
                }
            }
            folder.handled.insert(line.uid);
        }
        Ok(())
    }

    /// Which of these messages the server finds the prefix of the run's tags in. A server that refuses finds none.
    async fn search_bodies(&self, connection: &mut Connection, uids: &BTreeSet<u32>) -> Result<BTreeSet<u32>, Fault> {
        let set = commands::set(uids.iter().copied());
        let prefix = self.recognizer.search_prefix();
        for key in ["TEXT", "BODY"] {
            match commands::search(connection, &format!("UID {set} {key} \"{prefix}\""), self.patience).await {
                Ok(mut found) => {
                    found.retain(|uid| uids.contains(uid));
                    return Ok(found);
                }
                Err(Fault::Refused(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(BTreeSet::new())
    }

    /// Fetches a message of ours whole, and says what it is. `spotted`: the probe whose tag its header held, if it did.
    async fn take(
        &self,
        connection: &mut Connection,
        folder: &mut Folder,
        of: &Of,
        line: Line,
        spotted: Option<ProbeId>,
    ) -> Result<(), Fault> {
        let (after, at) = folder.interval(line);
        let fetched = commands::whole(connection, line.uid, self.patience)
            .await
            .map_err(|fault| refused(fault, folder))?;
        // Its header held our tag a moment ago. Gone between two commands, withheld or exchanged: either way it must not be called lost.
        let is_the_same = |message: &[u8]| spotted.is_none_or(|probe| self.recognizer.spot(message, of.is_senders) == Spot::Ours(probe));
        let Some((message, spell)) = fetched.filter(|(message, _)| is_the_same(message)) else {
            return Err(Fault::Lost(
                "the server showed the header of a message of ours, then another message there, or none".to_owned(),
            ));
        };
        for finding in self.findings(message, of, at).await? {
            let Finding::Copy { probe, evidence } = finding else {
                self.say(finding, of).await?;
                continue;
            };
            // The same copy under a new UID is no new copy.
            if let Some(place) = folder.displaced.iter().position(|displaced| displaced.probe == probe) {
                let displaced = folder.displaced.swap_remove(place);
                folder.known.insert(line.uid, displaced);
                continue;
            }
            let id = folder.id_of(&of.mailbox, line.uid);
            let known = Known {
                probe,
                id: id.clone(),
                at: spell.sent,
            };
            let copy = Copy {
                id,
                placement: folder.placement,
                after,
                at,
                internal_date: line.internal_date,
                evidence: *evidence,
            };
            folder.known.insert(line.uid, known);
            let copy = Box::new(copy);
            self.tell(What::Seen { probe, copy }).await?;
        }
        folder.handled.insert(line.uid);
        Ok(())
    }

    /// Whether a part of a message holds a tag of ours.
    async fn holds_tag(&self, part: &mut Option<Vec<u8>>) -> Result<bool, Fault> {
        let Some(bytes) = part.take() else { return Ok(false) };
        let (bytes, found) = study(&self.recognizer, |recognizer| {
            let found = recognizer.peek(&bytes).is_some();
            (bytes, found)
        })
        .await
        .ok_or_else(unreadable)?;
        *part = Some(bytes);
        Ok(found)
    }

    /// What a message is of ours.
    async fn findings(&self, message: Vec<u8>, of: &Of, at: Time) -> Result<Vec<Finding>, Fault> {
        let mailbox = of.mailbox.clone();
        study(&self.recognizer, move |recognizer| recognizer.read(&message, &mailbox, at))
            .await
            .ok_or_else(unreadable)
    }

    /// Says what the beginning of a message without a tag tells of a probe.
    async fn say_returned(&self, part: Vec<u8>, of: &Of, at: Time) -> Result<(), Fault> {
        for finding in self.findings(part, of, at).await? {
            self.say(finding, of).await?;
        }
        Ok(())
    }

    /// Says what a notification or an answer tells. A copy is more than a sentence, and told elsewhere.
    async fn say(&self, finding: Finding, of: &Of) -> Result<(), Fault> {
        match finding {
            Finding::Copy { .. } => Ok(()),
            Finding::Dsn { probe, dsn } => self.tell(What::Returned { probe, dsn: Box::new(dsn) }).await,
            Finding::Answer { probe, automatic } => {
                let mailbox = of.mailbox.clone();
                self.tell(What::Answered { probe, automatic, mailbox }).await
            }
        }
    }
}

/// The mailbox that a folder belongs to.
struct Of {
    mailbox: MailboxName,
    is_senders: bool,
    peek: bool,
}

fn unreadable() -> Fault {
    Fault::Lost("the server sent what cannot be read".to_owned())
}

/// Names the folder in a refusal.
fn refused(fault: Fault, folder: &Folder) -> Fault {
    match fault {
        Fault::Refused(words) => Fault::Refused(format!("the server refuses to show the folder {:?}: {words}", folder.name)),
        fault => fault,
    }
}
