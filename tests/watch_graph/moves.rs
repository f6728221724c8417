//! Copies that move or go.

use super::world::{World, address};
use mailflow::{
    microsoft::{Request, Toll},
    model::{Copy, CopyId, Placement, Time, What},
};
use std::time::Duration;
use tokio::time::Instant;

fn user(local: &str, tail: &[&str]) -> Vec<String> {
    ["users".to_owned(), address(local)]
        .into_iter()
        .chain(tail.iter().map(|part| (*part).to_owned()))
        .collect()
}

impl World {
    /// Moves or deletes a message as its owner would.
    async fn owner(&self, local: &str, id: &str, verb: &str, to: Option<&str>) {
        let path = user(local, &["messages", id, verb]);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut request = Request::post(&path, Toll::Mailbox(address(local)));
        if let Some(to) = to {
            request = request.json(&serde_json::json!({ "destinationId": to }));
        }
        let until = Instant::now() + Duration::from_mins(1);
        self.graph.call(&request, until).await.unwrap();
    }

    /// Waits until that copy is gone: when it was last there, and when that was noticed.
    async fn gone(&mut self, wanted: &CopyId) -> (Time, Time) {
        let event = self
            .desk
            .until(|what| matches!(what, What::Gone { copy, .. } if copy == wanted))
            .await;
        match event.what {
            What::Gone { last_present, noticed, .. } => (last_present, noticed),
            _ => unreachable!("only that was waited for"),
        }
    }

    /// Waits for a copy in that folder whose key is not among `but`.
    async fn seen_in(&mut self, folder: &str, but: &[&CopyId]) -> Box<Copy> {
        let event = self
            .desk
            .until(|what| matches!(what, What::Seen { copy, .. } if copy.id.folder == folder && !but.contains(&&copy.id)))
            .await;
        match event.what {
            What::Seen { copy, .. } => copy,
            _ => unreachable!("only that was waited for"),
        }
    }
}

#[tokio::test]
async fn zero_hour_purge_moves_a_copy_into_junk() {
    let mut world = World::with(&["zap"], super::world::SECRET, |config| {
        config.zap_after = chrono::TimeDelta::seconds(3);
    })
    .await;
    world.open(&["zap"]).await;
    world.deliver(0);
    let first = world.seen_in("Inbox", &[]).await;
    let second = world.seen_in("Junk Email", &[]).await;
    let (last_present, noticed) = world.gone(&first.id).await;
    assert_eq!((first.placement, second.placement), (Placement::Inbox, Placement::Junk));
    assert_eq!(first.id.key, second.id.key, "an immutable id");
    assert!(
        last_present <= noticed && second.after == last_present && second.at >= noticed,
        "{second:?}"
    );
    world.desk.look(&address("zap")).await;
    assert_eq!(world.desk.copies(0), 2);
    world.desk.stop().await;
}

#[tokio::test]
async fn a_copy_that_is_purged_after_delivery_is_gone() {
    let mut world = World::with(&["zap-quarantined"], super::world::SECRET, |config| {
        config.zap_after = chrono::TimeDelta::seconds(3);
    })
    .await;
    world.open(&["zap-quarantined"]).await;
    world.deliver(0);
    let copy = world.seen_in("Inbox", &[]).await;
    let (last_present, noticed) = world.gone(&copy.id).await;
    assert!(last_present >= copy.after && last_present <= noticed);
    world.desk.look(&address("zap-quarantined")).await;
    assert_eq!(world.desk.copies(0), 1);
    world.desk.stop().await;
}

#[tokio::test]
async fn a_copy_that_comes_back_is_a_new_copy_there() {
    let mut world = World::new(&["ok-1"]).await;
    world.open(&["ok-1"]).await;
    world.deliver(0);
    let inbox = world.seen_in("Inbox", &[]).await;
    world.owner("ok-1", &inbox.id.key, "move", Some("archive")).await;
    let archive = world.seen_in("Archive", &[]).await;
    assert_eq!(archive.placement, Placement::Folder);
    world.owner("ok-1", &inbox.id.key, "move", Some("inbox")).await;
    let again = world.seen_in("Inbox", &[&inbox.id]).await;
    world.gone(&archive.id).await;
    assert!(again.at > archive.at && again.after >= archive.after);
    world.owner("ok-1", &inbox.id.key, "move", Some("drafts")).await;
    world.gone(&again.id).await;
    world.owner("ok-1", &inbox.id.key, "move", Some("recoverableitemsdeletions")).await;
    world.desk.look(&address("ok-1")).await;
    let purged = world.seen_in("Deletions", &[]).await;
    assert_eq!(purged.placement, Placement::Deleted);
    assert_eq!(world.desk.copies(0), 4);
    world.desk.stop().await;
}

#[tokio::test]
async fn lapsed_rounds_begin_anew_and_nothing_is_missed_or_doubled() {
    let mut world = World::new(&["ok-1", "ok-1", "ok-1"]).await;
    world.open(&["ok-1"]).await;
    world.deliver(0);
    world.deliver(1);
    let first = world.desk.seen(0, &address("ok-1")).await;
    world.desk.seen(1, &address("ok-1")).await;
    // Between two rounds, one copy goes and another comes.
    world.tenant.expire_delta_tokens();
    world.owner("ok-1", &first.id.key, "permanentDelete", None).await;
    world.deliver(2);
    world.desk.seen(2, &address("ok-1")).await;
    world.gone(&first.id).await;
    world.desk.look(&address("ok-1")).await;
    assert_eq!([0, 1, 2].map(|number| world.desk.copies(number)), [1, 1, 1]);
    assert_eq!(world.count(|what| matches!(what, What::Gone { .. })), 1);
    assert_eq!(world.count(|what| matches!(what, What::Blind { .. })), 0);
    assert!(world.asked("ok-1").iter().any(|request| request.status == 410));
    world.desk.stop().await;
}
