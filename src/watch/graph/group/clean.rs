//! `mailflow clean` for a group: Graph deletes threads, not posts, so a thread goes only when every post in it is a probe of the run, told by its
//! author and by a tag that verifies in the text of each, or in the topic of an only one.
//!
//! It cannot remove a probe in whose thread somebody answered, nor find one that lost its subject.

use super::{
    super::fault::{Fault, Needs},
    ask::{Ask, Post},
    is_gone,
};
use crate::{evidence::Recognizer, model::Survived};
use chrono::DateTime;
use std::time::Duration;
use tokio::time::Instant;

/// How long finding our threads may take, and how long deleting one.
const PATIENCE: Duration = Duration::from_mins(5);

/// How many posts were deleted (on a `dry_run`: would be), or what stood against it.
pub(super) async fn clean(ask: &Ask, recognizer: &Recognizer, dry_run: bool) -> Result<u32, String> {
    match remove(ask, recognizer, dry_run).await {
        Ok(count) => Ok(count),
        Err((0, fault)) => Err(ask.reason(&fault).await.sentence()),
        Err((count, fault)) => Err(format!("{count} deleted, then: {}", ask.reason(&fault).await.sentence())),
    }
}

async fn remove(ask: &Ask, recognizer: &Recognizer, dry_run: bool) -> Result<u32, (u32, Fault)> {
    let (id, ours) = find(ask, recognizer).await.map_err(|fault| (0, fault))?;
    let mut count = 0;
    for (thread, posts) in ours {
        if !dry_run {
            let deleted = ask.delete(&id, &thread, Instant::now() + PATIENCE).await;
            deleted.map_err(|error| (count, Fault::Needing(Needs::WriteThreads, error)))?;
        }
        count += posts;
    }
    Ok(count)
}

/// The group's id, and the threads that are ours, with how many posts each has.
async fn find(ask: &Ask, recognizer: &Recognizer) -> Result<(String, Vec<(String, u32)>), Fault> {
    let until = Instant::now() + PATIENCE;
    let needing = |error| Fault::Needing(Needs::Threads, error);
    let id = ask.find(until).await?.id;
    // The run may be old, and so may be its threads.
    let listed = ask.threads(&id, DateTime::UNIX_EPOCH, true, until).await?;
    let mut ours = Vec::new();
    for thread in listed.threads {
        let topic = thread.topic.unwrap_or_default();
        if recognizer.in_topic(&topic).is_none() {
            continue;
        }
        let (full, bare) = (ask.posts(&id, &thread.id), ask.bare_posts(&id, &thread.id));
        let first = ask.graph.call(&full, until).await;
        match ask.all_posts((&full, &bare), first, until).await {
            Ok(posts) if !posts.is_empty() && are_ours(&posts, &topic, recognizer) => {
                ours.push((thread.id, u32::try_from(posts.len()).unwrap_or(u32::MAX)));
            }
            Ok(_) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(needing(error)),
        }
    }
    Ok((id, ours))
}

fn are_ours(posts: &[Post], topic: &str, recognizer: &Recognizer) -> bool {
    let alone = posts.len() == 1;
    posts.iter().all(|post| {
        let copy = recognizer.post(&post.shown(topic).as_evidence());
        copy.is_some_and(|copy| alone || copy.survived.contains(&Survived::Body))
    })
}
