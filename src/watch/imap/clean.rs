//! `mailflow clean`: deletes our own probes, and nothing else.
//!
//! A message is deleted only if its own header makes it the copy of a probe, by a tag that verifies: not a bounce or an answer that quotes one,
//! nor a copy whose header was replaced on the way. It cannot delete where a legal hold forbids it: it says so, and carries on.

use super::{ImapWatcher, commands, connection::Connection, each_with, fault::Fault, folders, layout::pattern};
use crate::{evidence::Recognizer, model::MailboxName};
use std::{collections::BTreeSet, time::Duration};

/// So many headers are asked for at once.
const PORTION: usize = 200;

/// For each mailbox: how many messages were deleted (on a `dry_run`: would be), or what stood against it.
pub(super) async fn clean(watcher: &ImapWatcher, recognizer: &Recognizer, dry_run: bool) -> Vec<(MailboxName, Result<u32, String>)> {
    let states = watcher.states();
    let opened = async {
        let mut connection = watcher.open_in_turn().await?;
        let (listed, _) = commands::list(&mut connection, &pattern(&states), watcher.server.patience.bulk).await?;
        Ok::<_, Fault>((connection, listed))
    };
    let (connection, listed) = match opened.await {
        Ok(opened) => opened,
        Err(fault) => return each_with(watcher, &Err(watcher.told(&fault))),
    };
    let mut broom = Broom {
        connection,
        recognizer,
        dry_run,
        patience: watcher.server.patience.bulk,
    };
    let mut outcomes = Vec::new();
    for state in &states {
        let places = folders::stored(state.root.as_deref(), listed.iter());
        outcomes.push((state.name().clone(), broom.sweep(places).await));
    }
    broom.connection.leave().await;
    outcomes
}

struct Broom<'a> {
    connection: Connection,
    recognizer: &'a Recognizer,
    dry_run: bool,
    patience: Duration,
}

impl Broom<'_> {
    async fn sweep(&mut self, folders: Vec<folders::Watched>) -> Result<u32, String> {
        let mut count = 0;
        let mut against: Vec<String> = Vec::new();
        for folder in folders {
            match self.sweep_folder(&folder.wire).await {
                Ok(swept) => count += swept,
                Err(Fault::Refused(words)) => against.push(format!("{:?}: {words}", self.connection.scrubber.scrub(&folder.name))),
                Err(fault) => return Err(format!("{count} deleted, then: {fault}")),
            }
        }
        if against.is_empty() {
            Ok(count)
        } else {
            Err(format!("{count} deleted, but {}", against.join("; ")))
        }
    }

    async fn sweep_folder(&mut self, wire: &str) -> Result<u32, Fault> {
        let verb = if self.dry_run { "EXAMINE" } else { "SELECT" };
        commands::open(&mut self.connection, verb, wire).await?;
        let ours = self.ours().await?;
        if !ours.is_empty() && !self.dry_run {
            self.delete(&ours).await?;
        }
        Ok(u32::try_from(ours.len()).unwrap_or(u32::MAX))
    }

    /// Messages of the open folder that are copies of the run's probes.
    async fn ours(&mut self) -> Result<BTreeSet<u32>, Fault> {
        let prefix = self.recognizer.search_prefix().to_owned();
        let mut candidates = BTreeSet::new();
        let mut searchable = true;
        for criteria in ["HEADER X-Mailflow-Probe \"\"".to_owned(), format!("HEADER Message-ID \"{prefix}\"")] {
            match commands::search(&mut self.connection, &criteria, self.patience).await {
                Ok(uids) => candidates.extend(uids),
                Err(Fault::Refused(_)) => searchable = false,
                Err(fault) => return Err(fault),
            }
        }
        if !searchable {
            // Then every header is read.
            (candidates, _) = commands::uids(&mut self.connection, "1:*").await?;
        }
        let candidates: Vec<u32> = candidates.into_iter().collect();
        let recognizer = self.recognizer;
        let is_ours = |header: &[u8]| recognizer.own_probe(header).is_some_and(|probe| probe.run().as_str() == prefix);
        let (mut ours, mut cut) = (BTreeSet::new(), BTreeSet::new());
        for portion in candidates.chunks(PORTION) {
            let set = commands::set(portion.iter().copied());
            commands::headers(&mut self.connection, &set, false, self.patience, &mut |line, header| {
                if portion.contains(&line.uid) && is_ours(header) {
                    ours.insert(line.uid);
                } else if portion.contains(&line.uid) && line.cut {
                    cut.insert(line.uid);
                }
            })
            .await?;
        }
        for uid in cut {
            let (header, _) = commands::long_header(&mut self.connection, uid, self.patience).await?;
            if is_ours(&header) {
                ours.insert(uid);
            }
        }
        Ok(ours)
    }

    /// Deletes exactly these messages (RFC 4315). Without UIDPLUS, `EXPUNGE` takes everything that is flagged: then only if that is all ours.
    async fn delete(&mut self, ours: &BTreeSet<u32>) -> Result<(), Fault> {
        let set = commands::set(ours.iter().copied());
        let precise = self.connection.can("UIDPLUS") || self.connection.can("IMAP4REV2");
        if !precise {
            let flagged = commands::search(&mut self.connection, "DELETED", self.patience).await?;
            if flagged.difference(ours).next().is_some() {
                return Err(Fault::Refused(
                    "other messages are flagged as deleted here, and this server would remove them along with ours: empty the folder first"
                        .to_owned(),
                ));
            }
        }
        let patience = self.patience;
        let expunge = if precise {
            format!("UID EXPUNGE {set}")
        } else {
            "EXPUNGE".to_owned()
        };
        for line in [format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)"), expunge] {
            self.connection.bulk(&line, patience, &mut |_, _| {}).await?;
        }
        let (left, _) = commands::uids(&mut self.connection, &set).await?;
        if left.iter().any(|uid| ours.contains(uid)) {
            return Err(Fault::Refused(
                "the server keeps messages that it was told to delete (a legal hold?)".to_owned(),
            ));
        }
        Ok(())
    }
}
