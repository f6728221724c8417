//! Watching servers that misbehave: whatever they do, the watcher says that it is blind, comes back, and misses nothing.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails, and says why")]

mod watch;

use mailflow::{
    model::{Event, TlsMode, What},
    watch::{
        Watcher,
        imap::{Budget, Patience, watchers},
    },
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use watch::{
    Desk, SENDER,
    fake::{Act, Fake},
    mailbox, watched,
};

const MAILBOX: &str = "billing@contoso.example";
const PASSWORD: &str = "hunter2";

fn watcher_of(fake: &Fake, name: &str, patience: Duration) -> Box<dyn Watcher> {
    let mailbox = mailbox(name, name, fake.address, TlsMode::None, None);
    let patience = Patience {
        connect: patience,
        command: patience,
        bulk: patience,
        opening: 4 * patience,
    };
    Box::new(watchers(vec![watched(mailbox, PASSWORD)], patience, Budget::default).remove(0))
}

fn watcher(fake: &Fake) -> Box<dyn Watcher> {
    watcher_of(fake, MAILBOX, Duration::from_secs(20))
}

fn reasons(heard: &[Event]) -> Vec<String> {
    let reasons = heard.iter().filter_map(|event| match &event.what {
        What::Blind { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    reasons.collect()
}

/// Does something once: at the first command for which `when` holds, on the first connection.
fn once(when: impl Fn(&str) -> bool + Send + Sync + 'static, act: impl Fn() -> Act + Send + Sync + 'static) -> impl Fn(usize, &str) -> Act {
    let done = AtomicBool::new(false);
    move |connection, command| {
        let now = connection == 1 && when(command) && !done.swap(true, Ordering::SeqCst);
        if now { act() } else { Act::Behave }
    }
}

/// A server that does `text` instead of answering the first fetch of headers, and behaves afterwards: blind with `reason`, then the probe.
async fn survives(text: &'static str, closes: bool, reason: &str) {
    let act = move || {
        if closes {
            Act::Last(text.to_owned())
        } else {
            Act::Instead(text.to_owned())
        }
    };
    let fake = Fake::start(once(|command| command.contains("PEEK[HEADER]"), act)).await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    fake.deliver(desk.message(0));
    desk.seen(0, MAILBOX).await;
    desk.until(|what| matches!(what, What::Looked { .. })).await;
    assert_eq!(reasons(&desk.heard), [reason], "{text:?}");
    assert_eq!(desk.copies(0), 1, "{text:?}");
    desk.stop().await;
}

#[tokio::test]
async fn bombs_garbage_and_cuts_end_a_connection_and_nothing_else() {
    let larger = "the server's answer is larger than what was asked for";
    survives("* 1 FETCH (UID 1 BODY[HEADER]<0> {999999999}\r\nabc", false, larger).await;
    survives("* 1 FETCH (UID 1 BODY[HEADER]<0> {99999999999999999999}\r\nabc", false, larger).await;
    survives("* 1 FETCH (UID x\r\nTAG OK\r\n", false, "the server sent what is no IMAP").await;
    survives("\u{0}\u{1}rubbish\r\n", false, "the server sent what is no IMAP").await;
    survives(
        "* 1 FETCH (UID 1 INTERNALDATE NIL)\r\nTAG OK\r\n",
        false,
        "the server's answer has a message without a date of arrival",
    )
    .await;
    survives("* BYE [ALERT]è tired\r\n", true, "the server ended the connection: � tired").await;
    survives("", true, "the server closed the connection").await;
    survives(
        "* 1 FETCH (UID 1 BODY[HEADER]<0> {100}\r\nabc",
        true,
        "the server closed the connection in the middle of an answer",
    )
    .await;
    survives("+ go on\r\n", false, "the server asks for more where nothing is to come").await;
}

#[tokio::test]
async fn an_endless_line_and_endless_nesting_are_cut_off() {
    let line: &'static str = Box::leak(format!("* OK {}", "x".repeat(2_000_000)).into_boxed_str());
    survives(line, false, "a line of the server's answer does not end").await;
    let nesting: &'static str = Box::leak(format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(500_000)).into_boxed_str());
    survives(
        nesting,
        false,
        "the server's answer is nested deeper than anything that was asked for",
    )
    .await;
}

#[tokio::test]
async fn noise_between_the_answers_is_harmless() {
    let count = Arc::new(AtomicUsize::new(0));
    let fake = Fake::start(move |_, command| {
        // Everything that nobody asked for, and an EXISTS before the continuation of IDLE.
        let storm = "* 5 FETCH (FLAGS (\\Seen))\r\n* OK still here\r\n* FLAGS (\\Seen)\r\n* 0 RECENT\r\n* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n\
            * ESEARCH (TAG \"x\") UID ALL 1:3\r\n* XYZZY {3}\r\nabc\r\n* ENABLED CONDSTORE\r\n";
        match command {
            "NOOP" | "IDLE" => {
                count.fetch_add(1, Ordering::SeqCst);
                Act::First(storm.repeat(20))
            }
            _ if command.contains("FETCH") => Act::First("* 1 FETCH (UID 4000000000 FLAGS ())\r\n".repeat(100)),
            _ => Act::Behave,
        }
    })
    .await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    fake.deliver(desk.message(0));
    let copy = desk.seen(0, MAILBOX).await;
    assert_eq!(copy.id.key, "7:1");
    desk.look(MAILBOX).await;
    assert_eq!(desk.copies(0), 1);
    assert!(reasons(&desk.stop().await).is_empty());
}

#[tokio::test]
async fn idle_that_is_refused_or_cut_off_is_no_loss() {
    for refusal in ["TAG NO not here\r\n", "TAG BAD what\r\n", "TAG OK that was it\r\n"] {
        let fake = Fake::start(move |_, command| {
            if command == "IDLE" {
                Act::Instead(refusal.to_owned())
            } else {
                Act::Behave
            }
        })
        .await;
        let mut desk = Desk::new(&[MAILBOX]);
        desk.start(watcher(&fake), HashMap::new());
        desk.baselines(&[MAILBOX]).await;
        desk.look(MAILBOX).await;
        desk.send();
        fake.deliver(desk.message(0));
        desk.seen(0, MAILBOX).await;
        assert!(reasons(&desk.stop().await).is_empty(), "{refusal:?}");
    }
    let fake = Fake::start(once(|command| command == "IDLING", || Act::Last(String::new()))).await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.until(|what| matches!(what, What::Blind { .. })).await;
    fake.deliver(desk.message(0));
    desk.seen(0, MAILBOX).await;
    desk.until(|what| matches!(what, What::Looked { .. })).await;
    desk.stop().await;
}

#[tokio::test]
async fn uids_that_are_void_cost_no_copy_and_make_none() {
    // Whenever its numbers change, the server ends the connections that know the old ones.
    let epoch = Arc::new(AtomicUsize::new(1));
    let now = Arc::clone(&epoch);
    let fake = Fake::start(move |connection, command| {
        let outdated = connection < now.load(Ordering::SeqCst) && command != "GREETING";
        if outdated {
            Act::Last("* BYE renumbered\r\n".to_owned())
        } else {
            Act::Behave
        }
    })
    .await;
    let mut desk = Desk::new(&[MAILBOX, "second@contoso.example", "third@contoso.example"]);
    fake.deliver("Subject: old\r\n\r\nold\r\n".to_owned());
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    fake.deliver(desk.message(0));
    let copy = desk.seen(0, MAILBOX).await;
    {
        // Restored from a backup: everything has another UID.
        let mut world = fake.world();
        world.uid_validity = 8;
        for (uid, _) in &mut world.inbox {
            *uid += 3_000_000_000;
        }
        epoch.store(2, Ordering::SeqCst);
    }
    fake.deliver(desk.message(1));
    desk.look(MAILBOX).await;
    let later = desk.seen(1, MAILBOX).await;
    assert!(later.id.key.starts_with("8:30000000"), "{later:?}");
    assert_eq!(
        (desk.copies(0), desk.copies(1)),
        (1, 1),
        "the first copy is the same one under another UID"
    );
    {
        // And again, backwards, under the same UIDVALIDITY: it must not do that, but it does.
        let mut world = fake.world();
        for (uid, _) in &mut world.inbox {
            *uid -= 2_999_999_000;
        }
        world.inbox.remove(1);
        epoch.store(3, Ordering::SeqCst);
    }
    fake.deliver(desk.message(2));
    let first = desk.probe(0).id;
    desk.look(MAILBOX).await;
    desk.look(MAILBOX).await;
    desk.seen(2, MAILBOX).await;
    let gone = desk.until(|what| matches!(what, What::Gone { probe, .. } if *probe == first)).await;
    assert!(
        matches!(gone.what, What::Gone { copy: id, .. } if id == copy.id),
        "under the name by which it was told"
    );
    desk.stop().await;
}

#[tokio::test]
async fn giant_uids_are_only_numbers() {
    let fake = Fake::start(|_, _| Act::Behave).await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    fake.world().inbox.push((u32::MAX, desk.message(0)));
    desk.seen(0, MAILBOX).await;
    desk.look(MAILBOX).await;
    desk.look(MAILBOX).await;
    assert_eq!(desk.copies(0), 1);
    assert!(reasons(&desk.stop().await).is_empty());
}

#[tokio::test]
async fn a_copy_that_is_removed_is_gone() {
    let fake = Fake::start(|_, _| Act::Behave).await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    fake.deliver(desk.message(0));
    let seen = desk.seen(0, MAILBOX).await;
    fake.world().inbox.clear();
    let gone = desk.until(|what| matches!(what, What::Gone { .. })).await;
    let What::Gone {
        last_present,
        noticed,
        copy,
        ..
    } = gone.what
    else {
        panic!("only that was waited for");
    };
    assert!(
        copy == seen.id && seen.at <= last_present && last_present <= noticed,
        "{seen:?} {last_present} {noticed}"
    );
    desk.stop().await;
}

#[tokio::test]
async fn a_refused_login_is_told_in_the_servers_words_without_the_secret() {
    let fake = Fake::start(|_, command| {
        if command.starts_with("AUTHENTICATE") {
            let echoed = command.rsplit(' ').next().unwrap_or_default();
            Act::Instead(format!(
                "TAG NO [AUTHENTICATIONFAILED] {PASSWORD} ({echoed}) is wrong\u{1b}[31m\r\n"
            ))
        } else {
            Act::Behave
        }
    })
    .await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.until(|what| matches!(what, What::Blind { .. })).await;
    // A look that becomes due in the meantime is answered too.
    desk.want_look(MAILBOX);
    let told = desk.heard.len();
    while desk.heard.len() == told {
        desk.until_new().await;
    }
    let heard = desk.stop().await;
    let refused = "the server refuses the login of billing@contoso.example: [AUTHENTICATIONFAILED] [secret] ([secret]) is wrong[31m";
    assert_eq!(reasons(&heard), [refused, refused]);
    assert!(
        !heard
            .iter()
            .any(|event| matches!(event.what, What::Baseline { .. } | What::Looked { .. }))
    );
    assert_eq!(fake.world().connections, 1, "accounts are locked after a few attempts");
}

#[tokio::test]
async fn a_server_that_hangs_is_left() {
    for silent in ["GREETING", "LIST", "NOOP", "IDLE"] {
        let fake = Fake::start(once(move |command| command.starts_with(silent), || Act::Hang)).await;
        let mut desk = Desk::new(&[MAILBOX]);
        desk.start(watcher_of(&fake, MAILBOX, Duration::from_millis(1500)), HashMap::new());
        desk.until(|what| matches!(what, What::Baseline { .. } | What::Blind { .. })).await;
        if silent == "NOOP" {
            desk.send();
        }
        desk.until(|what| matches!(what, What::Blind { .. })).await;
        fake.deliver(desk.message(0));
        desk.send();
        desk.until(|what| matches!(what, What::Looked { .. })).await;
        desk.look(MAILBOX).await;
        desk.stop().await;
    }
}

#[tokio::test]
async fn a_mailbox_that_opens_late_is_searched_by_date() {
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    let fake = Fake::start(move |_, _| {
        if gate.load(Ordering::SeqCst) {
            Act::Behave
        } else {
            Act::Last("* BYE not yet\r\n".to_owned())
        }
    })
    .await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.until(|what| matches!(what, What::Blind { .. })).await;
    desk.send();
    fake.deliver(desk.message(0));
    open.store(true, Ordering::SeqCst);
    desk.seen(0, MAILBOX).await;
    desk.until(|what| matches!(what, What::Looked { .. })).await;
    let heard = desk.stop().await;
    assert!(
        !heard.iter().any(|event| matches!(event.what, What::Baseline { .. })),
        "it would be none"
    );
}

#[tokio::test]
async fn foreign_messages_are_left_alone() {
    let fake = Fake::start(|_, _| Act::Behave).await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    for number in 0..50 {
        fake.deliver(format!(
            "From: <boss@contoso.example>\r\nSubject: secret {number}\r\n\r\nYour rise is approved.\r\n"
        ));
    }
    fake.deliver(desk.message(0));
    desk.seen(0, MAILBOX).await;
    desk.look(MAILBOX).await;
    let heard = desk.stop().await;
    assert!(!format!("{heard:?}").contains("secret"));
    let world = fake.world();
    let bodies: Vec<_> = world.commands.iter().filter(|command| command.contains("PEEK[]")).collect();
    assert_eq!(
        bodies,
        ["UID FETCH 51 (UID BODY.PEEK[]<0.26214400>)"],
        "only what carries a verified tag is fetched"
    );
    for forbidden in ["STORE", "SELECT", "EXPUNGE", "COPY", "MOVE", "APPEND", "RFC822 ", "BODY["] {
        assert!(!world.commands.iter().any(|command| command.contains(forbidden)), "{forbidden}");
    }
}

#[tokio::test]
async fn what_a_gateway_stripped_is_found_by_the_servers_search_or_by_a_peek() {
    let bare = |desk: &Desk| {
        format!(
            "From: <gateway@contoso.example>\r\nSubject: wrapped\r\n\r\n{}\r\n",
            desk.probe(0).tag
        )
    };
    // The search finds it.
    let fake = Fake::start(|_, command| {
        if command.contains("TEXT \"") {
            Act::First("* SEARCH 1\r\n".to_owned())
        } else {
            Act::Behave
        }
    })
    .await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    fake.deliver(bare(&desk));
    desk.look(MAILBOX).await;
    desk.stop().await;
    let fetched = |fake: &Fake, what: &str| fake.world().commands.iter().any(|command| command == what);
    assert!(fetched(&fake, "UID FETCH 1 (UID BODY.PEEK[]<0.262144>)") && fetched(&fake, "UID FETCH 1 (UID BODY.PEEK[]<0.26214400>)"));

    // The search is refused: in a mailbox of a sender, bodies are peeked at.
    let fake = Fake::start(|_, command| {
        if command.contains("SEARCH") {
            Act::Instead("TAG NO never\r\n".to_owned())
        } else {
            Act::Behave
        }
    })
    .await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher_of(&fake, SENDER, Duration::from_secs(20)), HashMap::new());
    desk.baselines(&[SENDER]).await;
    desk.send();
    fake.deliver(bare(&desk));
    desk.look(SENDER).await;
    desk.stop().await;
    assert!(fetched(&fake, "UID FETCH 1 (UID BODY.PEEK[]<0.26214400>)"));
}

#[tokio::test]
async fn a_folder_that_is_refused_blinds_its_mailbox_until_it_opens() {
    let refusing = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&refusing);
    let fake = Fake::start(move |_, command| {
        let junk = "* LIST () \"/\" INBOX\r\n* STATUS INBOX (UIDNEXT 1 UIDVALIDITY 7 MESSAGES 0)\r\n\
            * LIST (\\Junk) \"/\" Junk\r\n* STATUS Junk (UIDNEXT 2 UIDVALIDITY 1 MESSAGES 1)\r\nTAG OK done\r\n";
        match (gate.load(Ordering::SeqCst), command) {
            (true, "EXAMINE \"Junk\"") => Act::Instead("TAG NO [NOPERM] hands off\r\n".to_owned()),
            (true, _) if command.starts_with("LIST") => Act::Instead(junk.to_owned()),
            _ => Act::Behave,
        }
    })
    .await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    refusing.store(true, Ordering::SeqCst);
    desk.want_look(MAILBOX);
    desk.until(|what| matches!(what, What::Blind { .. })).await;
    assert_eq!(
        reasons(&desk.heard),
        ["the server refuses to show the folder \"Junk\": [NOPERM] hands off"]
    );
    assert!(!desk.heard.iter().any(|event| matches!(event.what, What::Looked { .. })));
    refusing.store(false, Ordering::SeqCst);
    desk.until(|what| matches!(what, What::Looked { .. })).await;
    assert_eq!(reasons(&desk.stop().await).len(), 1, "it is said once");
    assert_eq!(fake.world().connections, 1, "the connection is good");
}

#[tokio::test]
async fn a_probe_below_a_long_header_is_found() {
    let fake = Fake::start(|_, _| Act::Behave).await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    let filler = format!("X-Filter: {}\r\n", "words ".repeat(10));
    fake.deliver(format!("{}{}", filler.repeat(5_000), desk.message(0)));
    desk.seen(0, MAILBOX).await;
    desk.look(MAILBOX).await;
    assert_eq!((desk.copies(0), reasons(&desk.stop().await).len()), (1, 0));
}

#[tokio::test]
async fn a_header_without_an_end_is_never_called_looked_at() {
    let fake = Fake::start(|_, _| Act::Behave).await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    let message = format!("X-Long: {}\r\n\r\nx\r\n", "words ".repeat(200_000));
    fake.deliver(message);
    desk.want_look(MAILBOX);
    desk.until(|what| matches!(what, What::Blind { .. })).await;
    assert_eq!(
        reasons(&desk.heard),
        ["the header of a message in the folder \"INBOX\" goes on after its first 1024 kB, so it cannot be told from ours"]
    );
    fake.deliver(desk.message(0));
    desk.seen(0, MAILBOX).await;
    desk.stop().await;
}

#[tokio::test]
async fn an_inbox_whose_status_is_refused_is_opened_all_the_same() {
    let list = "* LIST () \"/\" INBOX\r\n* LIST (\\Junk) \"/\" Junk\r\nTAG OK done\r\n";
    let capabilities = "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR IDLE UIDPLUS\r\nTAG OK done\r\n";
    let refusing = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&refusing);
    let fake = Fake::start(move |_, command| match command {
        "CAPABILITY" => Act::Instead(capabilities.to_owned()),
        "EXAMINE \"INBOX\"" if gate.load(Ordering::SeqCst) => Act::Instead("TAG NO [NOPERM] hands off\r\n".to_owned()),
        _ if command.starts_with("LIST") => Act::Instead(list.to_owned()),
        _ if command.starts_with("STATUS") && command.contains("INBOX") => Act::Instead("TAG NO busy\r\n".to_owned()),
        _ => Act::Behave,
    })
    .await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    desk.send();
    fake.deliver(desk.message(0));
    desk.seen(0, MAILBOX).await;
    desk.stop().await;
    refusing.store(true, Ordering::SeqCst);
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.until(|what| matches!(what, What::Blind { .. })).await;
    assert_eq!(
        reasons(&desk.stop().await),
        ["the server lists the folder \"INBOX\" and refuses to show it: [NOPERM] hands off"]
    );
}

#[tokio::test]
async fn the_password_as_the_name_of_a_folder_is_not_told() {
    let list = "* LIST () \"/\" INBOX\r\n* STATUS INBOX (UIDNEXT 1 UIDVALIDITY 7 MESSAGES 0)\r\n\
        * LIST () \"/\" \"F HUNTER2\"\r\n* STATUS \"F HUNTER2\" (UIDNEXT 1 UIDVALIDITY 1 MESSAGES 0)\r\n\
        * LIST () \"/\" \"F hunt er2\"\r\n* STATUS \"F hunt er2\" (UIDNEXT 1 UIDVALIDITY 1 MESSAGES 0)\r\nTAG OK done\r\n";
    let fake = Fake::start(move |_, command| {
        if command.starts_with("LIST") {
            Act::Instead(list.to_owned())
        } else {
            Act::Behave
        }
    })
    .await;
    let mut desk = Desk::new(&[MAILBOX]);
    desk.start(watcher(&fake), HashMap::new());
    desk.baselines(&[MAILBOX]).await;
    let told = desk.stop().await;
    let marks = told.iter().find_map(|event| match &event.what {
        What::Baseline { folders, .. } => Some(folders.iter().map(|mark| mark.folder.clone()).collect::<Vec<_>>()),
        _ => None,
    });
    let mut marks = marks.expect("a baseline");
    marks.sort();
    let expected = ["F [secret]", "F hunt er2", "INBOX"];
    assert_eq!(marks, expected, "a short one is not found across blanks");
}
