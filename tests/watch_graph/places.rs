//! Where copies lie, and since when.

use super::world::{RETURNS, World, address};
use mailflow::model::{FolderMark, Placement, What};
use std::collections::{BTreeSet, HashMap};

const ALL: [&str; 8] = [
    "ok-1",
    "junk-de",
    "rule-moved-de",
    "rule-deleted",
    "other",
    "shared",
    "twice",
    "late-3s",
];

#[tokio::test]
async fn every_copy_is_seen_where_it_lies_and_within_honest_bounds() {
    let mut world = World::new(&ALL).await;
    world.open(&ALL).await;
    for local in ALL {
        let name = address(local);
        let baseline = world
            .desk
            .until(|what| matches!(what, What::Baseline { mailbox, .. } if mailbox.as_str() == name))
            .await;
        let What::Baseline { folders, .. } = baseline.what else {
            unreachable!()
        };
        assert!(
            folders.iter().any(|mark| ["Inbox", "Posteingang"].contains(&mark.folder.as_str())),
            "{folders:?}"
        );
        assert!(!folders.iter().any(|mark| mark.folder == "Sent Items"), "{folders:?}");
    }
    let bounds: Vec<_> = (0..ALL.len()).map(|number| world.deliver(number)).collect();
    for (number, folder, placement) in [
        (0, "Inbox", Placement::Inbox),
        (1, "Junk-E-Mail", Placement::Junk),
        (2, "Posteingang/Warnungen", Placement::Folder),
        (3, "Deleted Items", Placement::Deleted),
        (4, "Inbox", Placement::Inbox),
        (5, "Inbox", Placement::Inbox),
        (6, "Inbox", Placement::Inbox),
        (7, "Inbox", Placement::Inbox),
    ] {
        let copy = world.desk.seen(number, &address(ALL[number])).await;
        assert_eq!((copy.id.folder.as_str(), copy.placement), (folder, placement), "{}", ALL[number]);
        let (before, after) = bounds[number];
        if number == 7 {
            let arrived = before + chrono::TimeDelta::seconds(3);
            assert!(
                copy.after <= after + chrono::TimeDelta::seconds(3) && copy.at >= arrived,
                "{copy:?}"
            );
            assert!(copy.after > before, "looks in between have missed it: {copy:?}");
        } else {
            assert!(
                copy.after <= after && copy.at >= before,
                "{copy:?} came between {before} and {after}"
            );
        }
        assert!(
            copy.internal_date.is_some() && copy.evidence.header.contains("Authentication-Results"),
            "{copy:?}"
        );
    }
    for local in ALL {
        world.desk.look(&address(local)).await;
    }
    let copies: Vec<usize> = (0..ALL.len()).map(|number| world.desk.copies(number)).collect();
    assert_eq!(copies, [1, 1, 1, 1, 1, 1, 2, 1]);
    assert_eq!(world.count(|what| matches!(what, What::Gone { .. } | What::Blind { .. })), 0);
    assert_eq!(world.tenant.usage().violations, 0, "{:?}", world.tenant.usage());
    world.desk.stop().await;
}

#[tokio::test]
async fn a_bounce_comes_back_to_the_sender() {
    let mut world = World::new(&["ndr-5.7.133", "ok-1"]).await;
    world.foreign("probe", "before-the-run");
    world.open(&["probe", "ok-1"]).await;
    // What is too large for a bounce does not hide one that came with it.
    world.foreign("probe", &"lunch ".repeat(400_000));
    world.deliver(0);
    let probe = world.desk.probe(0).id;
    let returned = world.desk.until(|what| matches!(what, What::Returned { .. })).await;
    let What::Returned { probe: of, dsn } = returned.what else {
        unreachable!()
    };
    assert_eq!((of, dsn.status.as_deref(), dsn.guessed), (probe, Some("5.7.133"), false));
    assert_eq!(dsn.mailbox.as_str(), RETURNS);
    for _ in 0..2 {
        world.desk.look(RETURNS).await;
    }
    assert_eq!(world.count(|what| matches!(what, What::Returned { .. })), 1, "told once");
    assert_eq!(
        world.count(|what| matches!(what, What::Seen { .. })),
        0,
        "what a bounce quotes is no copy"
    );
    let asked = world.asked("probe");
    let read: BTreeSet<&str> = asked.iter().filter_map(|request| request.path.strip_suffix("/$value")).collect();
    assert_eq!(read.len(), 2, "the bounce and the message after the start of the run: {read:?}");
    world.desk.stop().await;
}

#[tokio::test]
async fn a_probe_that_lost_its_header_is_found_by_its_subject() {
    let mut world = World::new(&["ok-1", "rule-moved"]).await;
    world.open(&["ok-1", "rule-moved"]).await;
    for number in 0..2 {
        let stripped: String = world
            .desk
            .message(number)
            .lines()
            .filter(|line| !line.starts_with("X-Mailflow-Probe"))
            .map(|line| format!("{line}\r\n"))
            .collect();
        world.deliver_as(number, &stripped);
    }
    assert_eq!(world.desk.seen(0, &address("ok-1")).await.placement, Placement::Inbox);
    assert_eq!(world.desk.seen(1, &address("rule-moved")).await.id.folder, "Inbox/Alerts");
    for local in ["ok-1", "rule-moved"] {
        world.desk.look(&address(local)).await;
    }
    assert_eq!((world.desk.copies(0), world.desk.copies(1)), (1, 1));
    world.desk.stop().await;
}

#[tokio::test]
async fn a_run_that_is_taken_up_finds_what_came_meanwhile() {
    let mut world = World::new(&["ok-1"]).await;
    world.deliver(0);
    let mark = FolderMark {
        folder: "Inbox".to_owned(),
        uid_validity: 0,
        uid_next: 0,
    };
    let watcher = world.watcher("ok-1", false);
    world.desk.start(watcher, HashMap::from([(address("ok-1").into(), vec![mark])]));
    let copy = world.desk.seen(0, &address("ok-1")).await;
    assert_eq!(copy.after, world.desk.started_at, "nobody has looked since");
    world.desk.until(|what| matches!(what, What::Looked { .. })).await;
    assert_eq!(world.count(|what| matches!(what, What::Baseline { .. })), 0);
    world.desk.stop().await;
}

#[tokio::test]
async fn a_mailbox_that_opens_late_looks_back() {
    let mut world = World::new(&["ok-1", "ndr-5.1.1"]).await;
    world.deliver(0);
    world.deliver(1);
    world.desk.send();
    for (local, of_sender) in [("ok-1", false), ("probe", true)] {
        let watcher = world.watcher(local, of_sender);
        world.desk.start(watcher, HashMap::new());
    }
    let copy = world.desk.seen(0, &address("ok-1")).await;
    assert_eq!(copy.after, world.desk.started_at, "nobody has looked since");
    let probe = world.desk.probe(1).id;
    world
        .desk
        .until(|what| matches!(what, What::Returned { probe: of, .. } if *of == probe))
        .await;
    world.desk.stop().await;
}
