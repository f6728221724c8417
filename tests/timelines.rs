//! Timelines: what happened to one probe, second by second, and what must be said of it. Each file in `tests/timelines/` is one; adding a
//! case is adding a file. Every timeline is judged twice: as its events come, and again from the journal's form of them.
//!
//! A file has a `story`, what is `given` (see `form::Given`), its `events` (see `form::Line`), what it `stands` at on the way, and `then` the verdict
//! with everything that goes with it: what is not written there must not be so.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test, outside its test functions too")]

#[path = "timelines/form.rs"]
mod form;
#[path = "timelines/world.rs"]
mod world;

use form::{Given, Line, OneOrMany, Standing, Then, Timeline};
use mailflow::{
    judge::{Ledger, Stand, judge, summarize},
    model::{Event, JudgedProbe, RequirementResult, Verdict, What},
};
use std::{fmt::Write, fs, path::Path, sync::Arc};
use world::{at, events, plan, seconds, start};

/// What is said of a probe, in lines: `expected` so that a difference is seen at once.
struct Said(String);

impl Said {
    fn of(judged: &JudgedProbe, then: &Then) -> Self {
        let place = judged.mailbox.as_ref().zip(judged.folder.as_ref());
        let members = judged.members.iter().map(|member| {
            let flags: Vec<&str> = member.flags.iter().map(|flag| flag.word()).collect();
            (member.mailbox.to_string(), [vec![member.verdict.word()], flags].concat().join(" "))
        });
        let required = |holds: bool, unseen: bool| {
            let such = |requirement: &&RequirementResult| (requirement.holds, requirement.unseen) == (holds, unseen);
            let names = judged.requirements.iter().filter(such).map(|requirement| requirement.name.clone());
            names.collect::<Vec<String>>()
        };
        let evidence = judged.requirements.iter().find(|requirement| !requirement.holds);
        let evidence = evidence.and_then(|requirement| requirement.evidence.as_deref());
        let reason = judged.reason.as_deref();
        let because = match (&then.because, reason) {
            (Some(words), Some(reason)) if reason.contains(words) => Some(words.clone()),
            (_, reason) => reason.map(str::to_owned),
        };
        Self::lines(&Then {
            verdict: judged.verdict.to_string(),
            outcome: judged.outcome.to_string(),
            basis: judged
                .basis
                .map(|basis| serde_json::to_value(basis).unwrap().as_str().unwrap().to_owned()),
            flags: judged.flags.iter().map(ToString::to_string).collect(),
            copies: judged.copies,
            place: place.map(|(mailbox, folder)| format!("{mailbox}/{folder}")),
            arrived: judged
                .arrived_after
                .zip(judged.arrived_at)
                .map(|(after, at)| (seconds(after), seconds(at))),
            dsn: judged.dsn.as_ref().map(|dsn| dsn.action),
            members: members.collect(),
            altered: judged.alterations.iter().map(|alteration| alteration.kind).collect(),
            held: required(true, false),
            broken: required(false, false),
            unseen: required(false, true),
            // What is said there is compared only where a timeline asks for it.
            against: match (&then.against, evidence) {
                (Some(words), Some(evidence)) if !evidence.contains(words) => Some(evidence.to_owned()),
                (Some(words), Some(_)) => Some(words.clone()),
                (Some(_), None) | (None, _) => None,
            },
            path: judged.path.clone(),
            because,
            never_left: judged.sent_at.is_none(),
        })
    }

    fn lines(then: &Then) -> Self {
        let mut text = format!("verdict {} on {:?}, {}\n", then.verdict, then.basis, then.outcome);
        let mut flags = then.flags.clone();
        flags.sort_unstable();
        let _ = writeln!(
            text,
            "flags {flags:?}, copies {}, in {:?}, arrived {:?}",
            then.copies, then.place, then.arrived
        );
        let _ = writeln!(text, "dsn {:?}, members {:?}", then.dsn, then.members);
        let _ = writeln!(text, "altered {:?}, held {:?}, broken {:?}", then.altered, then.held, then.broken);
        let _ = writeln!(text, "unseen {:?}, against {:?}, path {:?}", then.unseen, then.against, then.path);
        let _ = writeln!(text, "because {:?}, never left: {}", then.because, then.never_left);
        Self(text)
    }
}

fn stands(ledger: &Ledger, standing: &Standing) -> Result<(), String> {
    let stand = ledger.stand(0, at(standing.at));
    let (mut is, mut wake) = ("decided".to_owned(), None);
    if let Stand::Waiting(wait) = stand {
        wait.state.clone_into(&mut is);
        if let Some(until) = wait.until {
            let _ = write!(is, " until {}", seconds(until));
        }
        is.push_str(if wait.look_everywhere { ", everywhere" } else { "" });
        wake = wait.wake.map(seconds);
    }
    let as_said = is == standing.is && (standing.wake.is_none() || standing.wake == wake);
    let said = (&standing.is, standing.wake);
    as_said
        .then_some(())
        .ok_or_else(|| format!("at {}: expected {said:?}, measured {:?}", standing.at, (is, wake)))
}

/// Plays a timeline; what differs, if anything.
fn play(timeline: &Timeline) -> Result<(), String> {
    let plan = Arc::new(plan(&timeline.given));
    let mut ledger = Ledger::new(plan.clone());
    let open = plan
        .mailboxes
        .iter()
        .filter(|name| !timeline.given.closed.iter().any(|closed| closed == name.as_str()));
    let mut all: Vec<Event> = open
        .map(|mailbox| {
            let (mailbox, folders) = (mailbox.clone(), Vec::new());
            Event {
                at: start(),
                what: What::Baseline { mailbox, folders },
            }
        })
        .collect();
    for event in &all {
        ledger.apply(event);
    }
    let mut standings = timeline.stands.iter().peekable();
    for line in &timeline.events {
        while let Some(standing) = standings.next_if(|standing| standing.at < line.at) {
            stands(&ledger, standing)?;
        }
        for event in events(line, &plan) {
            ledger.apply(&event);
            all.push(event);
        }
    }
    let last = timeline.events.last().map_or(0.0, |line| line.at);
    let mut now = at(last + 0.3);
    for standing in standings {
        stands(&ledger, standing)?;
        now = now.max(at(standing.at));
    }
    let judged = &summarize(&ledger, now).probes[0];
    let (expected, measured) = (Said::lines(&timeline.then), Said::of(judged, &timeline.then));
    if expected.0 != measured.0 {
        return Err(format!("expected:\n{}measured:\n{}", expected.0, measured.0));
    }
    if judged.verdict != Verdict::Pending {
        let finished = What::Stopped { finished: true };
        all.push(Event { at: now, what: finished });
        let lines: Vec<String> = all.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let read: Vec<Event> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let again = &judge(plan, &read).probes[0];
        if again != judged {
            return Err(format!("from the journal:\n{again:#?}\nwhile it went:\n{judged:#?}"));
        }
    }
    Ok(())
}

#[test]
fn every_timeline_ends_in_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/timelines");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are no timelines");
    let mut failures = String::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        let played = match serde_yaml::from_str::<Timeline>(&fs::read_to_string(file).unwrap()) {
            Ok(timeline) => play(&timeline).map_err(|difference| format!("{}\n{difference}", timeline.story)),
            Err(error) => Err(error.to_string()),
        };
        if let Err(difference) = played {
            let _ = writeln!(failures, "--- {name}: {difference}");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn what_comes_after_an_interruption_counts() {
    let plan = Arc::new(plan(&Given::default()));
    let line = |line: Line| events(&line, &plan);
    let sent = line(Line {
        sent: Some("250 Ok".to_owned()),
        ..Line::default()
    });
    let seen = line(Line {
        at: 2.0,
        seen: Some("admin/INBOX".to_owned()),
        ..Line::default()
    });
    let stopped = line(Line {
        at: 5.0,
        stopped: Some("interrupted".to_owned()),
        ..Line::default()
    });
    let looked = line(Line {
        at: 22.0,
        looked: Some(OneOrMany::One("everywhere".to_owned())),
        ..Line::default()
    });
    let verdict = |events: &[Event]| judge(plan.clone(), events).probes[0].verdict;
    assert_eq!(verdict(&[sent.clone(), seen.clone(), stopped.clone()].concat()), Verdict::Pending);
    assert_eq!(verdict(&[sent, seen, stopped, looked].concat()), Verdict::Inbox);
}
