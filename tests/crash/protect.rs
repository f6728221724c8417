//! Who may take up a run, and from where; and what becomes of it if the mailboxes are not as they were.

use crate::{
    alone,
    rounds::{Begun, code, compare},
    world::{Embedded, RECIPIENTS, World},
};
use mailflow::model::Verdict;

#[test]
fn a_live_run_is_left_alone() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    desk.write(
        "long.yaml",
        &desk
            .read("submission.yaml")
            .replace("settle: 1s", "settle: 10m")
            .replace("4s", "10m"),
    );
    let mut run = desk.start(&["run", "long.yaml"]);
    let reached = run.comes_to(|| desk.newest().is_some_and(|(_, events)| Begun::of(&events).over.len() == RECIPIENTS));
    assert!(reached, "{:?}", run.end());
    let (nothing, ended) = desk.report(&["watch"]);
    assert!(
        nothing.runs.is_empty() && nothing.probes.is_empty() && ended.code() == Some(0),
        "{ended:?}"
    );
    assert!(ended.err.contains("held by a living process"), "{ended:?}");
    assert!(desk.finish(&["runs"]).out.contains("is running"));
    let refused = desk.finish(&["clean", "--yes"]);
    assert!(refused.code() == Some(2) && refused.err.contains("is still going"), "{refused:?}");
    // A watch is protected as a run is.
    run.kill();
    assert!(desk.finish(&["runs"]).out.contains("unfinished"));
    let mut watch = desk.start(&["watch"]);
    assert!(watch.says("taking up"));
    let (nothing, ended) = desk.report(&["watch"]);
    assert!(
        nothing.runs.is_empty() && ended.err.contains("held by a living process"),
        "{ended:?}"
    );
    watch.kill();
}

#[test]
fn a_run_is_taken_up_for_its_own_site_wherever_that_is_named_from() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    let plan = desk.kill_when(&["run", "submission.yaml"], |begun| begun.all.len() >= 10);
    desk.write("other.yaml", &desk.read("mailflow.yaml"));
    let (nothing, ended) = desk.report(&["watch", "--site", "other.yaml"]);
    assert!(nothing.runs.is_empty() && ended.code() == Some(0), "{ended:?}");
    assert!(
        ended.err.contains("1 unfinished run is of another site: mailflow watch --site /"),
        "{ended:?}"
    );
    let site = desk.path().join("mailflow.yaml");
    let (judged, ended) = desk.report(&["watch", "--site", site.to_str().unwrap()]);
    assert_eq!(
        judged.runs.iter().map(|run| &run.id).collect::<Vec<_>>(),
        [&plan.run.id],
        "{ended:?}"
    );
}

#[test]
fn a_scenario_that_carries_its_site_names_that_for_watch() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    let site: String = desk.read("mailflow.yaml").lines().map(|line| format!("  {line}\n")).collect();
    desk.write("alone.yaml", &format!("{}site:\n{site}", desk.read("submission.yaml")));
    std::fs::remove_file(desk.path().join("mailflow.yaml")).unwrap();
    let plan = desk.kill_when(&["run", "alone.yaml"], |begun| begun.all.len() >= 10);
    let events = desk.events(&plan);
    let (judged, ended) = desk.report(&["watch", "--site", "alone.yaml"]);
    assert_eq!((judged.probes.len(), ended.code()), (RECIPIENTS, Some(code(&judged))), "{ended:?}");
    compare(&judged, &Begun::of(&events), &world.copies(&[plan]), "carries its site");
}

#[test]
fn a_mailbox_that_opens_only_after_the_crash_hides_nothing() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    let closed = Embedded::address(1);
    world.office.close_mailbox(&closed);
    let plan = desk.kill_when(&["run", "submission.yaml"], |begun| begun.over.len() == RECIPIENTS);
    world.office.reopen_mailbox(&closed);
    let events = desk.events(&plan);
    let (judged, ended) = desk.report(&["watch"]);
    compare(&judged, &Begun::of(&events), &world.copies(&[plan]), "closed at first");
    assert_eq!(ended.code(), Some(0), "{ended:?}");
}

#[test]
fn a_run_whose_mailboxes_the_site_no_longer_has_ends_as_unknown() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    desk.kill_when(&["run", "submission.yaml"], |begun| begun.over.len() >= 2);
    desk.write(
        "mailflow.yaml",
        "sender: { address: probe@sender.example, contact: it@contoso.example }\n\
         routes: { mx: { mx: {} } }\n\
         recipients: [{ address: other@contoso.example, mailbox: none }]\n",
    );
    let (judged, ended) = desk.report(&["watch"]);
    assert_eq!(judged.probes.len(), RECIPIENTS, "{ended:?}");
    let mut reasons = 0;
    for probe in &judged.probes {
        // Some were seen, or said to be stored, while the mailboxes were still known.
        assert!(
            matches!(probe.verdict, Verdict::Inbox | Verdict::Delivered | Verdict::Unknown),
            "{probe:#?}"
        );
        assert_eq!(probe.verdict == Verdict::Unknown, probe.reason.is_some(), "{probe:#?}");
        let reason = probe.reason.as_deref().unwrap_or_default();
        reasons += usize::from(reason.contains("no longer describes this mailbox"));
    }
    assert!(reasons > 0, "{ended:?}");
    let (nothing, _) = desk.report(&["watch"]);
    assert!(nothing.runs.is_empty());
}
