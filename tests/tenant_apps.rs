//! What an app may do in a tenant, by the real binary against the simulated one: what `check` says of its permissions, and a second app that
//! deletes so that the one that reads cannot write.
//!
//! What it cannot show: how a live tenant words its refusals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on ends")]

mod lone;

use lone::{Lone, READER, Told, app};
use mailflow::postoffice::tenant::{App, Request};

const CLEANER: &str = "9f20c1d2-3a4b-4c5d-8e6f-7a8b9c0d1e30";
const WITH: &str = ", clean: { with: broom }";

/// The text in one line, as it reads.
fn flat(told: &Told) -> String {
    told.text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn says(told: &Told, code: i32, wanted: &[&str]) {
    assert_eq!(told.code, code, "{}", told.text);
    let flat = flat(told);
    for sentence in wanted {
        assert!(flat.contains(sentence), "{sentence:?} is not said:\n{}", told.text);
    }
    for line in told.text.lines() {
        assert!(line.chars().count() <= 80, "longer than a terminal's line: {line:?}");
    }
}

/// What `check` says of a site that reads and sends by one app.
async fn checked(app: App) -> Told {
    let world = Lone::start(vec![app], |_| {}).await;
    world.site(&[("lab", READER, "")], &["ok"]);
    world.mailflow(&["check"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_permissions_are_right() {
    let told = checked(app(READER, &["Mail.Read", "Mail.Send"])).await;
    says(
        &told,
        0,
        &[
            "ok tenant lab signed in as 9f20c1d2",
            "Every route, mailbox and tenant answers. Nothing was sent.",
        ],
    );
    assert!(!told.text.contains("look ") && !told.text.contains("WRONG"), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_fails_and_what_is_too_much_only_warns() {
    let told = checked(app(READER, &["Mail.ReadWrite", "Directory.ReadWrite.All"])).await;
    says(
        &told,
        1,
        &[
            "WRONG tenant lab: Mail.Send is missing without it, the site's Graph routes send nothing: add the application permission Mail.Send",
            "look tenant lab: Mail.ReadWrite is more than the site needs it lets the app change and delete every message",
            "Mail.Read is enough for what the site asks",
            "look tenant lab: Directory.ReadWrite.All is more than the site needs it lets the app change the directory",
            "1 permission is missing. 2 permissions need a look. Nothing was sent.",
        ],
    );
    let told = checked(app(READER, &["Mail.Read", "Mail.Send", "Mail.ReadWrite"])).await;
    says(
        &told,
        0,
        &["Mail.ReadWrite is more than the site needs", "1 permission needs a look."],
    );
    let told = checked(app(READER, &["Mail.ReadBasic.All", "Mail.Send"])).await;
    says(
        &told,
        1,
        &["WRONG tenant lab: Mail.Read is missing", "WRONG mailbox ok@tenant.example"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exchange_granted_is_not_called_missing_where_it_was_tried() {
    let mut granted = app(READER, &[]);
    granted.by_exchange = ["Mail.Read", "Mail.Send"].map(str::to_owned).into();
    says(
        &checked(granted).await,
        0,
        &[
            "its token shows no permission; it reads all the same: Exchange itself grants that",
            "look tenant lab: Mail.Send is not in the token Exchange itself grants this app its rights",
            "the role “Application Mail.Send” is there",
        ],
    );
    let refused = checked(app(READER, &[])).await;
    says(
        &refused,
        1,
        &["WRONG tenant lab: Mail.Read is missing", "WRONG tenant lab: Mail.Send is missing"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_read_is_not_guessed_at() {
    let world = Lone::start(vec![app(READER, &["Mail.Read"])], |config| config.opaque_tokens = true).await;
    world.site(&[("lab", READER, "")], &["ok"]);
    let told = world.mailflow(&["check"]).await;
    says(&told, 0, &["which permissions the app holds is not known"]);
    assert!(!told.text.contains("missing"), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_that_deletes_is_checked_too() {
    let roles = ["Mail.Read", "Mail.Send"];
    let world = Lone::start(vec![app(READER, &roles), app(CLEANER, &["Mail.Read"])], |_| {}).await;
    world.site(&[("lab", READER, WITH), ("broom", CLEANER, ""), ("spare", CLEANER, "")], &["ok"]);
    says(
        &world.mailflow(&["check"]).await,
        1,
        &[
            "WRONG tenant broom: Mail.ReadWrite is missing without it, `mailflow clean` deletes nothing",
            "ok mailbox ok@tenant.example, to be cleaned with tenant broom",
            "ok tenant spare no Graph mailbox, no Graph route, no message trace and no cleaning asks for it",
        ],
    );
}

fn deletions(requests: &[Request]) -> Vec<(&str, u16)> {
    let deletions = requests.iter().filter(|request| request.method == "DELETE");
    deletions
        .map(|request| (request.app.as_deref().unwrap_or_default(), request.status))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_app_deletes_our_own_probes_and_nothing_else() {
    let apps = vec![app(READER, &["Mail.Read", "Mail.Send"]), app(CLEANER, &["Mail.ReadWrite"])];
    let world = Lone::start(apps, |_| {}).await;
    world.site(&[("lab", READER, ""), ("broom", CLEANER, "")], &["ok", "junk-de"]);
    let foreign = |subject: &str, more: &str| {
        format!("From: Kim <kim@fabrikam.example>\r\nTo: <ok@tenant.example>\r\nSubject: {subject}\r\n{more}\r\nNot ours.\r\n")
    };
    let told = world.mailflow(&["run", "scenario.yaml"]).await;
    assert_eq!(told.code, 1, "one is junk\n{}", told.text);
    let ours = &world.tenant.copies("ok@tenant.example")[0].raw;
    let ours = String::from_utf8_lossy(ours).into_owned();
    let subject = ours.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap();
    // One with our words in its subject and no tag in its header, as an answer has them; one with a forged tag in its header.
    let forged = format!("X-Mailflow-Probe: {}\r\n", "a".repeat(42));
    for message in [
        foreign(&format!("Re: {subject}"), ""),
        foreign("lunch", &forged),
        foreign("dinner", ""),
    ] {
        world.tenant.deliver("ok@tenant.example", message.as_bytes());
    }
    let held = |address: &str| -> Vec<(String, bool)> {
        let copies = world.tenant.copies(address).into_iter();
        copies
            .map(|copy| {
                (
                    copy.folder,
                    copy.raw.starts_with(b"From: Kim") || String::from_utf8_lossy(&copy.raw).contains("Not ours."),
                )
            })
            .collect()
    };
    let before = held("ok@tenant.example");
    assert_eq!(before.iter().filter(|(_, foreign)| *foreign).count(), 3);

    world.tenant.forget_requests();
    let told = world.mailflow(&["clean", "--yes"]).await;
    assert_eq!(told.code, 1, "{}", told.text);
    assert!(
        flat(&told).contains("let a second app delete, by `clean: { with: TENANT }`"),
        "{}",
        told.text
    );
    let requests = world.tenant.requests();
    let refused = deletions(&requests);
    assert!(
        !refused.is_empty() && refused.iter().all(|deletion| *deletion == (READER, 403)),
        "{refused:?}"
    );
    assert_eq!(held("ok@tenant.example"), before, "nothing has gone");

    world.site(&[("lab", READER, WITH), ("broom", CLEANER, "")], &["ok", "junk-de"]);
    let told = world.mailflow(&["check"]).await;
    assert_eq!(told.code, 0, "{}", told.text);
    world.tenant.forget_requests();
    let told = world.mailflow(&["clean", "--yes"]).await;
    assert_eq!(told.code, 0, "{}", told.text);
    let requests = world.tenant.requests();
    let done = deletions(&requests);
    assert!(done.iter().all(|deletion| *deletion == (CLEANER, 204)), "{done:?}");
    let by_reader = requests.iter().any(|request| request.app.as_deref() == Some(READER));
    assert!(!by_reader, "the app that reads has no part in it");
    let after = held("ok@tenant.example");
    for (folder, foreign) in &after {
        assert_eq!(folder == "inbox", *foreign, "what is left to be seen is not ours: {after:?}");
    }
    assert_eq!(after.iter().filter(|(_, foreign)| *foreign).count(), 3);
    assert!(
        held("junk-de@tenant.example")
            .iter()
            .all(|(folder, _)| folder == "recoverableitemsdeletions")
    );
}
