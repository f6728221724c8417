//! Ctrl-C and SIGTERM: a clean stop that says what is known and how to go on; a second one ends at once.

use crate::{
    alone,
    process::{Desk, Ended, Process},
    rounds::{Begun, code, compare},
    world::{Embedded, RECIPIENTS, World},
};
use mailflow::{
    model::{Flag, Judged, Plan, Verdict},
    report::read_json,
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    sync::mpsc::{Receiver, channel},
    thread::spawn,
};

/// A run that is interrupted once so many probes have begun; what it said, and its report.
fn interrupt(desk: &Desk, signal: &str, begun: usize) -> (Ended, Judged) {
    let mut process = desk.start(&["run", "submission.yaml", "--report", "json=report.json"]);
    assert!(process.says("opening "));
    assert!(process.comes_to(|| desk.newest().is_some_and(|(_, events)| Begun::of(&events).all.len() >= begun)));
    process.signal(signal);
    let ended = process.end();
    let judged = read_json(desk.read("report.json").as_bytes()).unwrap();
    (ended, judged)
}

/// Finishes an interrupted run, and compares it with the mailboxes.
fn finish(world: &dyn World, desk: &Desk) -> (Plan, Judged) {
    let (plan, events) = desk.newest().unwrap();
    let (judged, ended) = desk.report(&["watch"]);
    assert_eq!(judged.probes.len(), RECIPIENTS, "{ended:?}");
    compare(
        &judged,
        &Begun::of(&events),
        &world.copies(std::slice::from_ref(&plan)),
        "interrupted",
    );
    assert_eq!(ended.code(), Some(code(&judged)), "{ended:?}");
    (plan, judged)
}

fn count(judged: &Judged, verdict: Verdict) -> usize {
    judged.probes.iter().filter(|probe| probe.verdict == verdict).count()
}

#[test]
fn an_interrupted_run_ends_what_is_under_way_and_says_how_to_go_on() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    for signal in ["-INT", "-TERM"] {
        let (ended, judged) = interrupt(&desk, signal, 10);
        assert_eq!(ended.code(), Some(130), "{signal}: {ended:?}");
        assert!(
            ended.err.contains("mailflow watch --site mailflow.yaml --state state"),
            "{signal}: {ended:?}"
        );
        assert!(ended.out.contains("pending"), "{signal}: {ended:?}");
        let (_, events) = desk.newest().unwrap();
        let begun = Begun::of(&events);
        assert_eq!(begun.all, begun.over, "{signal}: what had begun was ended");
        let sent = begun.all.len();
        assert!((10..RECIPIENTS).contains(&sent), "{signal}: {sent} sent");
        assert!(
            count(&judged, Verdict::Pending) >= RECIPIENTS - sent,
            "{signal}: {:?}",
            judged.summary
        );
        let (_, judged) = finish(&world, &desk);
        assert_eq!(count(&judged, Verdict::Inbox), sent, "{signal}: {:?}", judged.summary);
    }
}

#[test]
fn a_run_that_is_interrupted_before_it_sends_has_sent_nothing() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    let (ended, judged) = interrupt(&desk, "-INT", 0);
    assert_eq!(ended.code(), Some(130), "{ended:?}");
    let begun = Begun::of(&desk.newest().unwrap().1).all.len();
    assert_eq!(count(&judged, Verdict::Pending), RECIPIENTS, "{:?}", judged.summary);
    let (_, judged) = finish(&world, &desk);
    let not_sent = judged.probes.iter().filter(|probe| probe.flags.contains(&Flag::NotSent)).count();
    assert_eq!(not_sent, RECIPIENTS - begun);
}

#[test]
fn an_interrupted_watch_is_taken_up_again() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    desk.kill_when(&["run", "submission.yaml"], |begun| begun.all.len() >= 10);
    let mut watch: Process = desk.start(&["watch", "--report", "json=report.json"]);
    assert!(watch.says("taking up 50 probes; nothing is sent"));
    watch.signal("-INT");
    let ended = watch.end();
    assert_eq!(ended.code(), Some(130), "{ended:?}");
    assert!(ended.err.contains("mailflow watch --site mailflow.yaml --state state"), "{ended:?}");
    let judged = read_json(desk.read("report.json").as_bytes()).unwrap();
    assert!(count(&judged, Verdict::Pending) > 0, "{:?}", judged.summary);
    finish(&world, &desk);
}

#[test]
fn a_second_interruption_ends_at_once() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    let (address, taken) = mute_server();
    let site = desk.read("mailflow.yaml").replace(
        "routes:\n",
        &format!("routes:\n  mute: {{ smtp: {{ url: \"smtp://{address}\", tls: none }}, connections: 1 }}\n"),
    );
    desk.write("mailflow.yaml", &site);
    desk.write("mute.yaml", &desk.read("submission.yaml").replace("submission", "mute"));
    let mut run = desk.start(&["run", "mute.yaml", "--report", "json=report.json"]);
    taken.recv().unwrap();
    run.signal("-INT");
    // It waits for the reply of the server, which never comes.
    assert!(run.says("stopping"));
    run.signal("-INT");
    let ended = run.end();
    assert_eq!(ended.code(), Some(130), "{ended:?}");
    assert!(
        !fs::exists(desk.path().join("report.json")).unwrap(),
        "it ended before its report: {ended:?}"
    );
    let (_, judged) = finish(&world, &desk);
    let doubtful = judged.probes.iter().filter(|probe| !probe.flags.contains(&Flag::NotSent));
    let reasons: Vec<_> = doubtful
        .map(|probe| (probe.verdict, probe.reason.clone().unwrap_or_default()))
        .collect();
    assert!(
        matches!(reasons.as_slice(), [(Verdict::Unknown, reason)] if reason.contains("before the final reply")),
        "{reasons:?}"
    );
}

#[test]
fn a_run_whose_journal_cannot_be_written_stops_and_can_be_taken_up() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    // The journal grows until a file may not: as on a full disk. Each probe takes a page of it before it leaves.
    let (run, ended) = desk.limited(400, &["run", "submission.yaml", "--report", "json=report.json"]);
    assert_eq!(ended.code(), Some(130), "{ended:?}");
    assert!(
        ended.err.contains("journal.db cannot be used") && ended.err.contains("`mailflow watch` finishes it"),
        "{ended:?}"
    );
    let sent = Begun::of(&desk.events(&run)).all.len();
    assert!(sent < RECIPIENTS, "{sent} sent");
    finish(&world, &desk);
}

#[test]
fn a_report_that_cannot_be_written_keeps_nobody_from_seeing_the_others() {
    let _alone = alone();
    let world = Embedded::open();
    let desk = world.desk();
    desk.write("folder/report.xml", "");
    let mut run = desk.start(&[
        "run",
        "submission.yaml",
        "--report",
        "junit=folder/report.xml",
        "--report",
        "json=report.json",
    ]);
    assert!(run.says("opening "));
    fs::remove_dir_all(desk.path().join("folder")).unwrap();
    let ended = run.end();
    assert_eq!(ended.code(), Some(3), "all passed, but somebody was not told: {ended:?}");
    assert!(
        ended.err.contains("folder/report.xml cannot be written") && ended.out.contains("50 of 50 probes passed"),
        "{ended:?}"
    );
    assert_eq!(
        count(&read_json(desk.read("report.json").as_bytes()).unwrap(), Verdict::Inbox),
        RECIPIENTS
    );
}

/// A mail server that takes one message and never says so; tells when it has it.
fn mute_server() -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, taken) = channel();
    spawn(move || {
        for stream in listener.incoming() {
            let mut answers = stream.unwrap();
            let lines = BufReader::new(answers.try_clone().unwrap()).lines();
            let mut say = |text: &str| answers.write_all(text.as_bytes()).unwrap();
            say("220 mute.example\r\n");
            let mut in_message = false;
            for line in lines.map_while(Result::ok) {
                match line.as_str() {
                    "." => tell.send(()).unwrap(),
                    _ if in_message => {}
                    "DATA" => {
                        in_message = true;
                        say("354 go on\r\n");
                    }
                    _ => say("250 mute.example\r\n"),
                }
            }
        }
    });
    (address, taken)
}
