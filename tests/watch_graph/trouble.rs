//! Trouble that a watcher gets over without a word: expired tokens, storms of 429, and what `check` and `clean` do.

use super::world::{SECRET, World, address};
use mailflow::model::{Placement, What};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

#[tokio::test]
async fn a_token_that_expires_in_the_middle_is_replaced() {
    let mut world = World::new(&["ok-1", "ok-1"]).await;
    world.open(&["ok-1"]).await;
    world.deliver(0);
    world.desk.seen(0, &address("ok-1")).await;
    world.tenant.expire_tokens();
    world.deliver(1);
    world.desk.seen(1, &address("ok-1")).await;
    world.desk.look(&address("ok-1")).await;
    assert_eq!(world.count(|what| matches!(what, What::Blind { .. })), 0);
    assert_eq!(world.graph.tokens().granted(), 2);
    world.desk.stop().await;
}

#[tokio::test]
async fn a_storm_of_refusals_only_widens_the_bounds() {
    let mut world = World::new(&["storm"]).await;
    world.open(&["storm"]).await;
    let (before, after) = world.deliver(0);
    let copy = world.desk.seen(0, &address("storm")).await;
    assert_eq!(copy.placement, Placement::Inbox);
    assert!(copy.after <= after && copy.at >= before, "{copy:?}");
    let usage = world.tenant.usage();
    assert!(usage.storms > 0, "{usage:?}");
    assert_eq!(usage.violations, 0, "{usage:?}");
    world.desk.stop().await;
}

#[tokio::test]
async fn many_mailboxes_share_one_sign_in_and_break_no_limit() {
    let locals: Vec<String> = (1..=60).map(|number| format!("ok-{number}")).collect();
    let locals: Vec<&str> = locals.iter().map(String::as_str).collect();
    let mut world = World::with(&locals, SECRET, |config| config.latency = Duration::from_millis(50)).await;
    world.open(&locals).await;
    for number in 0..locals.len() {
        world.deliver(number);
    }
    for (number, local) in locals.iter().enumerate() {
        let copy = world.desk.seen(number, &address(local)).await;
        assert!(copy.after <= copy.at, "{copy:?}");
    }
    assert_eq!(world.count(|what| matches!(what, What::Blind { .. })), 0);
    assert_eq!(world.graph.tokens().granted(), 1);
    let usage = world.tenant.usage();
    assert_eq!((usage.violations, usage.throttled), (0, 0), "{usage:?}");
    world.desk.stop().await;
}

#[tokio::test]
async fn check_names_the_folders_and_clean_deletes_only_ours() {
    let world = World::new(&["rule-moved-de", "rule-moved-de"]).await;
    world.foreign("rule-moved-de", "invoice");
    world.deliver(0);
    let prefix = world.desk.recognizer.search_prefix().to_owned();
    // Somebody's answer quotes the subject, and somebody else claims our prefix.
    world.foreign("rule-moved-de", &format!("Re: {}", world.desk.probe(1).tag));
    world.foreign("rule-moved-de", &format!("{prefix}aaaa"));
    let checked = world.watcher("rule-moved-de", false).check().await;
    let sentence = checked[0].1.as_ref().unwrap();
    for found in [
        "rule-moved-de@tenant.example",
        "inbox \"Posteingang\"",
        "junk \"Junk-E-Mail\"",
        "Gelöschte Elemente",
    ] {
        assert!(sentence.contains(found), "{sentence}");
    }
    let clean = async |dry_run| {
        let recognizer = Arc::clone(&world.desk.recognizer);
        world.watcher("rule-moved-de", false).clean(recognizer, dry_run).await.remove(0).1
    };
    let folders = || -> BTreeSet<(String, usize)> {
        let copies = world.tenant.copies(&address("rule-moved-de"));
        copies.iter().map(|copy| (copy.folder.clone(), copy.raw.len())).collect()
    };
    let before = folders();
    assert_eq!(clean(true).await, Ok(1));
    assert_eq!(folders(), before);
    assert_eq!(clean(false).await, Ok(1));
    let moved: Vec<_> = folders().difference(&before).cloned().collect();
    assert!(moved.len() == 1 && moved[0].0 == "recoverableitemsdeletions", "{moved:?}");
    assert_eq!(clean(false).await, Ok(0));
}
