//! `mailflow clean`: deletes our own probes over Graph, and nothing else.
//!
//! What has the run's prefix in its subject or its Message-ID is read, and deleted only if its own header makes it the copy of a probe, by a tag
//! that verifies: not a bounce or an answer that quotes one. It is deleted as a person would, first into the deleted items and then out of them:
//! the service keeps it recoverable for some days, and a legal hold for longer. It cannot find a probe that lost both its subject and its
//! Message-ID.

use super::{
    ask::{self, Ask, Item},
    fault::{Fault, Needs, Reason},
};
use crate::{
    evidence::Recognizer,
    microsoft::{Error, Kind, Malformed},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// How long finding our messages may take, and how long deleting one.
const PATIENCE: Duration = Duration::from_mins(5);
/// So many messages are fetched in one batch.
const PORTION: usize = 6;

/// How many messages were deleted (on a `dry_run`: would be), or what stood against it.
pub(super) async fn clean(ask: &Ask, recognizer: &Recognizer, dry_run: bool) -> Result<u32, String> {
    let found = match find(ask, recognizer).await {
        Ok(found) => found,
        Err(error) => {
            return Err(Reason::of(&Fault::Graph(error), &ask.graph, &ask.user, Needs::Read)
                .await
                .sentence());
        }
    };
    let mut count = 0;
    for (id, in_deleted) in found {
        if !dry_run && let Err(error) = delete(ask, &id, in_deleted).await {
            let reason = Reason::of(&Fault::Graph(error), &ask.graph, &ask.user, Needs::Write).await;
            return Err(format!("{count} deleted, then: {}", reason.sentence()));
        }
        count += 1;
    }
    Ok(count)
}

/// Our messages, and whether each lies in the deleted items already.
async fn find(ask: &Ask, recognizer: &Recognizer) -> Result<Vec<(String, bool)>, Error> {
    let until = Instant::now() + PATIENCE;
    let prefix = recognizer.search_prefix();
    let deleted = match ask.graph.fetch::<ask::Folder>(&ask.folder("deleteditems"), until).await {
        Ok(folder) => Some(folder.id),
        Err(error) if error.kind() == Some(Kind::NotFound) => None,
        Err(error) => return Err(error),
    };
    let subjects = ask.ids(&format!("contains(subject,'{prefix}')"));
    let mut candidates: Vec<Item> = ask.all(&subjects, until).await?;
    match ask
        .all(&ask.ids(&format!("startswith(internetMessageId,'<{prefix}')")), until)
        .await
    {
        Ok(more) => candidates.extend(more),
        // Not every Message-ID can be searched; the subject then must do.
        Err(error) if error.kind() == Some(Kind::Other) => {}
        Err(error) => return Err(error),
    }
    let candidates: BTreeMap<String, bool> = candidates
        .into_iter()
        .map(|item| (item.id, deleted.is_some() && item.parent == deleted))
        .collect();
    let candidates: Vec<(String, bool)> = candidates.into_iter().collect();
    let mut ours = Vec::new();
    for portion in candidates.chunks(PORTION) {
        let ids: Vec<(&str, usize)> = portion.iter().map(|(id, _)| (id.as_str(), ask::WHOLE)).collect();
        for (candidate, answer) in portion.iter().zip(ask.mimes(&ids, until).await) {
            match answer {
                Ok(message) => {
                    let probe = recognizer.own_probe(&message.body);
                    if probe.is_some_and(|probe| probe.run().as_str() == prefix) {
                        ours.push(candidate.clone());
                    }
                }
                // No probe is as large as that; and what is gone need not be deleted.
                Err(Error::Malformed(Malformed::TooLarge(_))) => {}
                Err(error) if error.kind() == Some(Kind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(ours)
}

/// Deletes a message into the deleted items, and from there out of sight.
async fn delete(ask: &Ask, id: &str, in_deleted: bool) -> Result<(), Error> {
    let until = Instant::now() + PATIENCE;
    for _ in 0..if in_deleted { 1 } else { 2 } {
        match ask.graph.call(&ask.delete(id), until).await {
            Ok(_) => {}
            Err(error) if error.kind() == Some(Kind::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
