//! The mailbox of a group: threads and posts, what is asked of them, and what is said where they cannot be had.

use super::world::{SECRET, World, address, group};
use crate::contract::at_hand;
use mailflow::model::{AlterationKind, FolderMark, Placement, Survived, What};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

const GROUP: &str = "group@tenant.example";
const READS: &str = "id,receivedDateTime,from,sender,hasAttachments,body";

impl World {
    /// Watches a group, and says that probes leave when it is open.
    async fn open_group(&mut self, local: &str, peek: bool) {
        let watcher = group(&self.graph, local, peek);
        self.desk.start(watcher, HashMap::new());
        self.desk.baselines(&[&address(local)]).await;
        self.desk.send();
    }

    /// What is said of a group that cannot be watched.
    async fn blind_group(&mut self, local: &str) -> String {
        let watcher = group(&self.graph, local, false);
        self.desk.start(watcher, HashMap::new());
        let event = self.desk.until(|what| matches!(what, What::Blind { .. })).await;
        let What::Blind { reason, .. } = event.what else { unreachable!() };
        reason
    }

    /// The paths that were asked for about groups, with what was selected.
    fn asked_of_groups(&self) -> Vec<(String, String)> {
        let asked = self.tenant.requests().into_iter();
        let asked = asked.filter(|request| request.path.starts_with("/v1.0/groups/"));
        asked
            .map(|request| {
                let select = request.query.iter().find(|(name, _)| name == "$select");
                (request.path.clone(), select.map(|(_, value)| value.clone()).unwrap_or_default())
            })
            .collect()
    }
}

/// The probe of that number with another subject.
fn with_subject(world: &World, number: usize, subject: &str) -> String {
    let message = world.desk.message(number);
    let lines = message.lines().map(|line| {
        if line.starts_with("Subject:") {
            format!("Subject: {subject}")
        } else {
            line.to_owned()
        }
    });
    lines.map(|line| format!("{line}\r\n")).collect()
}

#[tokio::test]
async fn a_post_is_a_copy_within_honest_bounds_and_says_what_it_does_not_show() {
    let mut world = World::new(&["group"]).await;
    world.foreign("group", "before");
    world.open_group("group", false).await;
    let (before, after) = world.deliver(0);
    let copy = world.desk.seen(0, GROUP).await;
    assert_eq!((copy.id.folder.as_str(), copy.placement), ("group conversations", Placement::Inbox));
    assert!(
        copy.after <= after && copy.at >= before,
        "{copy:?} came between {before} and {after}"
    );
    assert!(
        copy.internal_date.is_some() && copy.evidence.header.is_empty() && copy.evidence.authentication.is_empty(),
        "{copy:?}"
    );
    assert_eq!(copy.evidence.survived, [Survived::Subject, Survived::Body]);
    assert_eq!(
        (copy.evidence.alterations.as_slice(), copy.evidence.unseen.as_slice()),
        (&[][..], &[AlterationKind::Headers][..])
    );
    world.desk.look(GROUP).await;
    assert_eq!(world.desk.copies(0), 1);
    assert_eq!(world.count(|what| matches!(what, What::Gone { .. } | What::Blind { .. })), 0);
    assert_eq!(world.tenant.usage().violations, 0, "{:?}", world.tenant.usage());
    world.desk.stop().await;
}

#[tokio::test]
async fn posts_that_share_a_thread_are_copies_of_their_own() {
    let mut world = World::new(&["group", "group"]).await;
    world.open_group("group", false).await;
    world.deliver(0);
    world.desk.seen(0, GROUP).await;
    // A second copy of the same probe, another probe with the same subject, and somebody's answer to them.
    let subject = format!("Mail-flow probe {}", world.desk.probe(0).tag);
    world.deliver(0);
    let second = with_subject(&world, 1, &subject);
    let (before, after) = world.deliver_as(1, &second);
    world.foreign("group", &format!("Re: {subject}"));
    let copy = world.desk.seen(1, GROUP).await;
    assert!(
        copy.after <= after && copy.at >= before,
        "{copy:?} came between {before} and {after}"
    );
    assert_eq!(
        copy.evidence.unseen,
        [AlterationKind::Headers, AlterationKind::Subject],
        "the topic is that of the first post"
    );
    world.desk.look(GROUP).await;
    assert_eq!((world.desk.copies(0), world.desk.copies(1)), (2, 1));
    let keys: BTreeSet<String> = world
        .desk
        .heard
        .iter()
        .filter_map(|event| match &event.what {
            What::Seen { copy, .. } => Some(copy.id.key.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(keys.len(), 3);
    let heard = world.desk.stop().await;
    assert!(!format!("{heard:?}").contains("Confidential"));
}

#[tokio::test]
async fn of_foreign_threads_nothing_but_id_topic_and_time_is_asked_for() {
    let mut world = World::new(&["group"]).await;
    world.foreign("group", "before");
    world.open_group("group", false).await;
    world.foreign("group", "while");
    // Somebody else claims the run's prefix.
    let prefix = world.desk.recognizer.search_prefix().to_owned();
    world.foreign("group", &format!("{prefix}aaaa"));
    world.deliver(0);
    let ours = world.desk.seen(0, GROUP).await;
    world.desk.look(GROUP).await;
    let mut read: BTreeMap<String, usize> = BTreeMap::new();
    for (path, select) in world.asked_of_groups() {
        if path.ends_with("/posts") {
            assert_eq!(select, READS);
            *read.entry(path).or_default() += 1;
        } else {
            assert!(path.ends_with("/threads"), "{path}");
            assert_eq!(select, "id,topic,lastDeliveredDateTime");
        }
    }
    if let Some(contract) = at_hand() {
        for asked in world.tenant.requests() {
            assert_eq!(contract.recorded(&asked), Vec::<String>::new(), "{asked:?}");
        }
    }
    assert_eq!(read.len(), 1, "the posts of one thread, {ours:?}: {read:?}");
    let told = format!("{:?}", world.desk.stop().await);
    for word in ["before", "while", "fabrikam", "Confidential", "aaaa"] {
        assert!(
            !told.contains(&format!("\"{word}")) && !told.contains(&format!("{word}@")),
            "{word} is not ours to tell"
        );
    }
}

#[tokio::test]
async fn a_probe_without_its_subject_is_found_where_the_site_allows_peeking() {
    let mut world = World::new(&["group"]).await;
    world.foreign("group", "before");
    world.open_group("group", true).await;
    let stripped = with_subject(&world, 0, "[held] see inside");
    world.deliver_as(0, &stripped);
    let copy = world.desk.seen(0, GROUP).await;
    assert_eq!(
        (copy.evidence.survived, copy.evidence.unseen),
        (vec![Survived::Body], vec![AlterationKind::Headers, AlterationKind::Subject])
    );
    let heard = world.desk.stop().await;
    assert!(!format!("{heard:?}").contains("Confidential"));
}

#[tokio::test]
async fn what_is_deleted_is_told_and_a_run_that_is_taken_up_finds_what_came_meanwhile() {
    let mut world = World::with(&["group"], SECRET, |config| {
        config.apps[0].roles.insert("Group-Conversation.ReadWrite.All".to_owned());
    })
    .await;
    world.deliver(0);
    let mark = FolderMark {
        folder: "group conversations".to_owned(),
        uid_validity: 0,
        uid_next: 0,
    };
    let watcher = group(&world.graph, "group", false);
    world.desk.start(watcher, HashMap::from([(GROUP.into(), vec![mark])]));
    let copy = world.desk.seen(0, GROUP).await;
    assert_eq!(copy.after, world.desk.started_at, "nobody has looked since");
    world.desk.until(|what| matches!(what, What::Looked { .. })).await;
    assert_eq!(world.count(|what| matches!(what, What::Baseline { .. })), 0);
    let recognizer = Arc::clone(&world.desk.recognizer);
    let cleaned = group(&world.graph, "group", false).clean(recognizer, false).await;
    assert_eq!(cleaned[0].1, Ok(1));
    let wanted = world.desk.want_look(GROUP);
    let gone = world.desk.until(|what| matches!(what, What::Gone { .. })).await;
    let What::Gone { copy: of, noticed, .. } = gone.what else {
        unreachable!()
    };
    assert!(of == copy.id && noticed >= wanted);
    world
        .desk
        .until(|what| matches!(what, What::Looked { since, .. } if *since >= wanted))
        .await;
    world.desk.stop().await;
}

#[tokio::test]
async fn a_group_is_found_by_an_address_it_had_before() {
    let mut world = World::new(&["group"]).await;
    let before = "group-before@tenant.example";
    let watcher = group(&world.graph, "group-before", false);
    world.desk.start(watcher, HashMap::new());
    world.desk.baselines(&[before]).await;
    world.desk.send();
    world.deliver(0);
    assert_eq!(world.desk.seen(0, before).await.placement, Placement::Inbox);
    world.desk.stop().await;
}

#[tokio::test]
async fn what_has_no_mailbox_is_called_what_it_is() {
    let mut world = World::new(&["list"]).await;
    let reason = world.blind_group("list").await;
    assert!(
        reason.starts_with("list@tenant.example is a distribution list, which has no mailbox of its own: name its members' mailboxes"),
        "{reason}"
    );
    let checked = group(&world.graph, "ok", false).check().await;
    let reason = checked[0].1.as_ref().unwrap_err();
    assert!(
        reason.starts_with("the tenant has no group with the address ok@tenant.example"),
        "{reason}"
    );
    world.desk.stop().await;
}

#[tokio::test]
async fn a_missing_consent_is_called_by_its_name_and_every_wish_is_answered() {
    let mut world = World::with(&["group"], SECRET, |config| {
        config.apps[0].roles.remove("Group-Conversation.Read.All");
    })
    .await;
    let reason = world.blind_group("group").await;
    assert!(
        reason.contains("add the application permission Group-Conversation.Read.All,"),
        "{reason}"
    );
    world.desk.want_look(GROUP);
    while world.count(|what| matches!(what, What::Blind { .. })) < 2 {
        world.desk.until_new().await;
    }
    assert_eq!(world.count(|what| matches!(what, What::Baseline { .. } | What::Looked { .. })), 0);
    world.desk.stop().await;

    let world = World::with(&["group"], SECRET, |config| {
        config.apps[0].roles.remove("GroupMember.Read.All");
    })
    .await;
    let checked = group(&world.graph, "group", false).check().await;
    let reason = checked[0].1.as_ref().unwrap_err();
    assert!(
        reason.contains("may not look up the group") && reason.contains("GroupMember.Read.All"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_storm_of_refusals_only_widens_the_bounds() {
    let mut world = World::new(&["group-storm"]).await;
    world.open_group("group-storm", false).await;
    let (before, after) = world.deliver(0);
    let copy = world.desk.seen(0, &address("group-storm")).await;
    assert!(copy.after <= after && copy.at >= before, "{copy:?}");
    let usage = world.tenant.usage();
    assert!(usage.storms > 0 && usage.violations == 0, "{usage:?}");
    world.desk.stop().await;
}

#[tokio::test]
async fn check_warns_of_a_closed_group() {
    let world = World::new(&["group"]).await;
    let open = group(&world.graph, "group", false).check().await.remove(0).1.unwrap();
    assert!(
        open.starts_with("group@tenant.example, Microsoft 365 group \"group\", its conversations can be read"),
        "{open}"
    );
    assert!(open.contains("not subscribed") && !open.contains("5.7.133"), "{open}");
    let closed = group(&world.graph, "group-closed", false).check().await.remove(0).1.unwrap();
    assert!(closed.contains("refused (5.7.133): allow external senders"), "{closed}");
}

#[tokio::test]
async fn clean_deletes_only_threads_that_are_ours_alone() {
    let world = World::with(&["group", "group", "group"], SECRET, |config| {
        config.apps[0].roles.insert("Group-Conversation.ReadWrite.All".to_owned());
    })
    .await;
    let subject = |number: usize| format!("Mail-flow probe {}", world.desk.probe(number).tag);
    world.foreign("group", "invoice");
    world.deliver(0);
    world.deliver(0);
    world.deliver(1);
    world.foreign("group", &format!("Re: {}", subject(1)));
    // Somebody else begins a thread with our subject.
    world.foreign("group", &subject(2));
    let clean = async |dry_run| {
        let recognizer = Arc::clone(&world.desk.recognizer);
        group(&world.graph, "group", false).clean(recognizer, dry_run).await.remove(0).1
    };
    assert_eq!(clean(true).await, Ok(2));
    assert_eq!(clean(false).await, Ok(2));
    assert_eq!(clean(false).await, Ok(0));
    let deleted = world.tenant.requests().into_iter().filter(|request| request.method == "DELETE");
    assert_eq!(deleted.count(), 1, "one thread with two posts");

    let world = World::new(&["group"]).await;
    world.deliver(0);
    let refused = group(&world.graph, "group", false)
        .clean(Arc::clone(&world.desk.recognizer), false)
        .await
        .remove(0)
        .1
        .unwrap_err();
    assert!(refused.contains("Group-Conversation.ReadWrite.All"), "{refused}");
}
