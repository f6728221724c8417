//! Watching a real Dovecot: what it is told by the gateways of the lab, this must see, where and when it truly arrived.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails, and says why")]

mod lab;
mod watch;

use lab::{
    Lab,
    accounts::{OVERSEER, PASSWORD, QUARANTINE},
    talk::{Answer, Way, send},
};
use mailflow::{
    model::{Mailbox, MailboxAccess, Placement, SignIn, TlsMode, What},
    watch::{
        Watcher,
        imap::{Budget, Patience, Watched, watchers},
    },
};
use std::collections::HashMap;
use watch::{Desk, SENDER, mailbox, watched};

const ALL: [&str; 8] = [
    "ok@contoso.example",
    "junk@contoso.example",
    "folder@contoso.example",
    "moved@contoso.example",
    "twice@contoso.example",
    "deleted@contoso.example",
    "held@contoso.example",
    "bounce-5.1.1@contoso.example",
];

fn own(lab: &Lab, address: &str) -> Mailbox {
    let mut mailbox = mailbox(address, address, lab.imaps(), TlsMode::Implicit, Some(lab.ca_file()));
    if address == QUARANTINE {
        mailbox.placement = Some(Placement::Quarantine);
    }
    mailbox
}

fn watching(mailboxes: impl IntoIterator<Item = Watched>) -> Vec<Box<dyn Watcher>> {
    let watchers = watchers(mailboxes.into_iter().collect(), Patience::default(), Budget::default);
    watchers.into_iter().map(|watcher| Box::new(watcher) as Box<dyn Watcher>).collect()
}

fn deliver(lab: &Lab, desk: &Desk, number: usize) {
    let (probe, to) = (desk.probe(number), &desk.plan.recipients[number].address);
    let body = format!("A probe: {}", probe.tag);
    let answer = send(lab, Way::GatewayA, SENDER, to, &probe.message_id, &body);
    assert!(matches!(answer, Answer::Accepted { .. }), "{to}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_copy_is_seen_where_it_lies_and_when_it_came() {
    let lab = Lab::start();
    let mut desk = Desk::new(&ALL);
    let mailboxes: Vec<&str> = ALL[..6].iter().copied().chain([QUARANTINE, SENDER]).collect();
    for watcher in watching(mailboxes.iter().map(|address| watched(own(&lab, address), PASSWORD))) {
        desk.start(watcher, HashMap::new());
    }
    desk.baselines(&mailboxes).await;
    desk.send();
    for number in 0..ALL.len() {
        deliver(&lab, &desk, number);
    }

    for (number, place, folder, placement) in [
        (0, ALL[0], "INBOX", Placement::Inbox),
        (1, ALL[1], "Courrier indésirable", Placement::Junk),
        (2, ALL[2], "Alerts", Placement::Folder),
        (3, ALL[3], "INBOX", Placement::Inbox),
        (5, ALL[5], "Trash", Placement::Deleted),
        (6, QUARANTINE, "INBOX", Placement::Quarantine),
    ] {
        let copy = desk.seen(number, place).await;
        assert_eq!((copy.id.folder.as_str(), copy.placement), (folder, placement), "{place}");
        assert!(copy.after <= copy.at, "{copy:?}");
        let arrivals = lab.true_arrivals();
        let truth = arrivals
            .iter()
            .find(|arrival| arrival.message_id == desk.probe(number).message_id && arrival.mailbox == place);
        let truth = truth.expect("the store logs what it saves");
        // The log is written after the message can be seen, so that only the lower bound is beyond doubt.
        assert!(
            copy.after <= truth.at,
            "{place}: it came at {}, and was missed at {}",
            truth.at,
            copy.after
        );
        assert!(
            copy.internal_date.is_some() && copy.evidence.header.contains("Message-ID"),
            "{copy:?}"
        );
    }

    // The store moves it after some seconds.
    let moved = desk.probe(3).id;
    let gone = desk.until(|what| matches!(what, What::Gone { probe, .. } if *probe == moved)).await;
    let What::Gone { last_present, noticed, .. } = gone.what else {
        panic!("only that was waited for");
    };
    assert!(last_present <= noticed);
    desk.until(|what| matches!(what, What::Seen { probe, copy } if *probe == moved && copy.placement == Placement::Junk))
        .await;

    // The gateway returns what the store refuses.
    let refused = desk.probe(7).id;
    desk.until(|what| matches!(what, What::Returned { probe, dsn } if *probe == refused && dsn.status.as_deref() == Some("5.1.1")))
        .await;

    desk.calm_down();
    for address in &mailboxes {
        desk.look(address).await;
    }
    assert_eq!(desk.copies(0), 1);
    assert_eq!(desk.copies(4), 2, "one message delivered twice is two copies");
    let recognizer = std::sync::Arc::clone(&desk.recognizer);
    let heard = desk.stop().await;
    assert!(!heard.iter().any(|event| matches!(event.what, What::Blind { .. })), "{heard:#?}");

    // What was sent is removed, and nothing else.
    let count = |address: &str, query: &str| lab.doveadm(&["search", "-u", address, query]).lines().count();
    for address in &mailboxes {
        assert_eq!(count(address, "UNSEEN"), count(address, "ALL"), "watching sets no flag");
    }
    for (dry_run, expected) in [(true, 8), (false, 8), (false, 0)] {
        let mut removed = 0;
        for watcher in watching(mailboxes.iter().map(|address| watched(own(&lab, address), PASSWORD))) {
            for (name, count) in watcher.clean(std::sync::Arc::clone(&recognizer), dry_run).await {
                removed += count.unwrap_or_else(|reason| panic!("{name}: {reason}"));
            }
        }
        assert_eq!(removed, expected, "dry run: {dry_run}");
    }
    assert_eq!(count(SENDER, "ALL"), 1, "the bounce stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_login_sees_many_mailboxes() {
    let lab = Lab::start();
    let mut desk = Desk::new(&ALL[..5]);
    let shared = |address: &str| {
        let mut mailbox = own(&lab, address);
        let MailboxAccess::Imap(access) = &mut mailbox.access else {
            unreachable!()
        };
        if let SignIn::Password { user, .. } = &mut access.sign_in {
            OVERSEER.clone_into(user);
        }
        access.root = Some(format!("All/{}", address.split('@').next().expect("a local part")));
        watched(mailbox, PASSWORD)
    };
    let mut watchers = watching(ALL[..5].iter().map(|address| shared(address)));
    assert_eq!(watchers.len(), 1, "one connection");
    desk.start(watchers.remove(0), HashMap::new());
    desk.baselines(&ALL[..5]).await;
    desk.send();
    for number in 0..5 {
        deliver(&lab, &desk, number);
    }
    for (number, address) in ALL[..5].iter().enumerate() {
        let copy = desk.seen(number, address).await;
        let arrivals = lab.true_arrivals();
        let truth = arrivals
            .iter()
            .find(|arrival| arrival.message_id == desk.probe(number).message_id)
            .expect("it was saved");
        assert!(copy.after <= truth.at, "{copy:?} {truth:?}");
    }
    assert_eq!(desk.seen(0, ALL[0]).await.id.folder, "INBOX");
    assert_eq!(desk.seen(2, ALL[2]).await.id.folder, "Alerts");
    let moved = desk.probe(3).id;
    desk.until(|what| matches!(what, What::Gone { probe, .. } if *probe == moved)).await;
    desk.calm_down();
    for address in &ALL[..5] {
        desk.look(address).await;
    }
    assert_eq!(desk.copies(4), 2);
    assert!(!desk.stop().await.iter().any(|event| matches!(event.what, What::Blind { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_taken_up_finds_what_arrived_meanwhile() {
    let lab = Lab::start();
    let mut desk = Desk::new(&ALL[..2]);
    for address in &ALL[..2] {
        for watcher in watching([watched(own(&lab, address), PASSWORD)]) {
            desk.start(watcher, HashMap::new());
        }
    }
    desk.baselines(&ALL[..2]).await;
    let marks = desk.heard.iter().find_map(|event| match &event.what {
        What::Baseline { mailbox, folders } if mailbox.as_str() == ALL[0] => Some(folders.clone()),
        _ => None,
    });
    let marks = marks.expect("it was waited for");
    desk.stop().await;

    let mut desk = Desk::new(&ALL[..2]);
    for number in 0..2 {
        deliver(&lab, &desk, number);
    }
    // One mailbox has its baseline; the other was blind, and probes have left: it is searched by date.
    desk.send();
    for (address, marks) in [(ALL[0], Some(marks)), (ALL[1], None)] {
        let baselines = marks.into_iter().map(|marks| (address.into(), marks)).collect();
        let watcher = watching([watched(own(&lab, address), PASSWORD)]).remove(0);
        desk.start(watcher, baselines);
    }
    desk.until(|what| matches!(what, What::Looked { mailbox, .. } if mailbox.as_str() == ALL[0]))
        .await;
    desk.until(|what| matches!(what, What::Looked { mailbox, .. } if mailbox.as_str() == ALL[1]))
        .await;
    assert_eq!((desk.copies(0), desk.copies(1)), (1, 1));
    assert!(desk.seen(0, ALL[0]).await.after >= desk.started_at);
    assert!(!desk.heard.iter().any(|event| matches!(event.what, What::Baseline { .. })));
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_what_it_found_or_what_is_wrong() {
    let lab = Lab::start();
    let mut sentences = Vec::new();
    let mut strange = own(&lab, ALL[0]);
    strange.folders.insert(Placement::Quarantine, "Held for review".to_owned());
    for watcher in watching([
        watched(own(&lab, ALL[1]), PASSWORD),
        watched(strange, PASSWORD),
        watched(own(&lab, ALL[2]), "wrong password"),
    ]) {
        sentences.extend(watcher.check().await.into_iter().map(|(_, sentence)| sentence));
    }
    assert_eq!(
        sentences[0].as_deref(),
        Ok(
            "INBOX, junk \"Courrier indésirable\" (by special-use), deleted items \"Trash\" (by special-use), 4 folders; \
            IDLE, LIST-STATUS, SPECIAL-USE, UIDPLUS; TLSv1.3, the certificate holds"
        )
    );
    let with_warning = sentences[1].as_ref().expect("it can be opened");
    assert!(
        with_warning.ends_with("warning: the site's quarantine folder \"Held for review\" is not there"),
        "{with_warning}"
    );
    let refused = sentences[2].as_ref().expect_err("nobody signs in with that");
    assert!(
        refused.contains("refuses the login of folder@contoso.example") && !refused.contains("wrong password"),
        "{refused}"
    );
}
