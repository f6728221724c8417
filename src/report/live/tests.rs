use super::*;
use crate::model::{Verdict, Waiting};
use std::collections::BTreeMap;

fn at(seconds: f64) -> Time {
    Time::UNIX_EPOCH + Duration::from_secs_f64(seconds)
}

fn progress(seconds: f64) -> Progress {
    let waiting = |recipient: &str, state, deadline: Option<f64>| Waiting {
        recipient: recipient.to_owned(),
        route: "old-gateway".to_owned(),
        message: "attachment".to_owned(),
        state,
        deadline: deadline.map(at),
    };
    Progress {
        at: at(seconds),
        started_at: at(0.0),
        phase: Phase::Running,
        probes: 5000,
        sent: 312,
        mailboxes: 12,
        open: 11,
        decided: BTreeMap::from([(Verdict::Inbox, 210), (Verdict::Junk, 2), (Verdict::Quarantine, 1)]),
        waiting: vec![
            waiting("late@contoso.example", "arrival", Some(95.0)),
            waiting(
                "a.very.long.local.part.that.never.seems.to.end@subsidiary.contoso.example",
                "settling",
                Some(99.5),
            ),
            waiting("\u{1b}[2Jevil\u{202e}@contoso.example", "to be sent", None),
            waiting(
                "収件箱収件箱収件箱収件箱収件箱収件箱収件箱収件箱@例え.example",
                "last look",
                Some(80.0),
            ),
            waiting("x@contoso.example", "arrival", Some(200.0)),
            waiting("y@contoso.example", "arrival", Some(200.0)),
        ],
        news: Vec::new(),
        blind: BTreeMap::from([(
            "billing@contoso.example".to_owned(),
            "login refused by imap.contoso.example: AUTHENTICATIONFAILED, and so on".to_owned(),
        )]),
    }
}

fn news(number: usize, outcome: Outcome) -> News {
    News {
        recipient: format!("recipient-{number}@contoso.example"),
        route: "internet".to_owned(),
        message: "plain".to_owned(),
        verdict: if outcome == Outcome::Passed {
            Verdict::Inbox
        } else {
            Verdict::Junk
        },
        outcome,
        latency_ms: Some(412.7),
    }
}

/// What a view in that manner writes for these snapshots.
fn written(manner: Manner, size: fn() -> (usize, usize), snapshots: &[Progress]) -> String {
    let mut out = Vec::new();
    let mut live = Live::on(&mut out, manner, false, size);
    for progress in snapshots {
        live.show(progress);
    }
    drop(live);
    String::from_utf8(out).unwrap()
}

/// A terminal: the rows that are left after all that was written. Each line longer than `columns` takes several rows.
fn screen(written: &str, columns: usize) -> Vec<String> {
    let mut rows: Vec<String> = vec![String::new()];
    let mut rest = written;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\n' => rows.push(String::new()),
            '\r' => {}
            '\u{1b}' => {
                let end = rest.find(|character: char| character.is_ascii_alphabetic()).unwrap();
                let (parameter, command) = (&rest[1..end], &rest[end..=end]);
                rest = &rest[end + 1..];
                match command {
                    "A" => {
                        let up: usize = parameter.parse().unwrap();
                        let last = rows.len().checked_sub(1 + up).expect("never above the first row");
                        rows.truncate(last + 1);
                    }
                    "J" => rows.last_mut().unwrap().clear(),
                    "h" | "l" => assert_eq!(parameter, "?2026"),
                    other => panic!("the view writes no such sequence: {other}"),
                }
            }
            other => {
                let row = rows.last_mut().unwrap();
                if text::width(row) + text::width(&other.to_string()) > columns {
                    rows.push(other.to_string());
                } else {
                    row.push(other);
                }
            }
        }
    }
    rows
}

#[test]
fn a_frame_fits_its_width_and_height() {
    for width in [20, 40, 60, 79, 139] {
        for rows in [1, 4, 24] {
            let lines = frame(&progress(12.4), width, rows);
            assert!(lines.len() <= rows);
            for line in &lines {
                assert!(line.width() <= width, "{width}: {line:?}");
            }
        }
    }
}

#[test]
fn a_frame_reads_well() {
    let mut out = String::new();
    for line in frame(&progress(12.4), 79, 24) {
        line.write(false, &mut out);
    }
    let mut opening = progress(0.3);
    opening.phase = Phase::Opening;
    opening.waiting.clear();
    opening.decided.clear();
    opening.sent = 0;
    for line in frame(&opening, 79, 24) {
        line.write(false, &mut out);
    }
    insta::assert_snapshot!(out);
}

#[test]
fn the_screen_is_clean_when_it_ends() {
    let mut first = progress(1.0);
    first.news = vec![news(1, Outcome::Passed), news(2, Outcome::Failed)];
    let mut ended = progress(2.0);
    ended.phase = Phase::Ended;
    ended.news = vec![news(3, Outcome::Passed)];
    let rows = |snapshots: &[Progress]| screen(&written(Manner::Drawn, || (80, 24), snapshots), 80);
    let told = [
        "✓ recipient-1@contoso.example  plain by internet  inbox 0.41 s",
        "✗ recipient-2@contoso.example  plain by internet  junk 0.41 s",
        "✓ recipient-3@contoso.example  plain by internet  inbox 0.41 s",
        "",
    ];
    assert_eq!(
        rows(&[first.clone(), progress(1.5), ended]),
        [&told[..], &[""]].concat(),
        "and set off from what follows"
    );
    assert_eq!(
        rows(&[first, progress(1.5)]),
        [told[0], told[1], ""],
        "interrupted: dropped while it was drawn"
    );
}

#[test]
fn a_terminal_that_becomes_narrower_is_cleaned_all_the_same() {
    let mut out = Vec::new();
    let mut live = Live::on(&mut out, Manner::Drawn, false, || (80, 24));
    live.show(&progress(1.0));
    live.size = || (50, 24);
    live.show(&progress(2.0));
    drop(live);
    // The rows of the first frame as they are after the change.
    assert_eq!(screen(&String::from_utf8(out).unwrap(), 50), [""]);
}

#[test]
fn thousands_of_probes_do_not_flood_it() {
    let snapshots: Vec<Progress> = (0..500_u32)
        .map(|tick| {
            let mut progress = progress(f64::from(tick) / 10.0);
            progress.news = (0..10)
                .map(|number| news(number, if tick % 2 == 0 { Outcome::Passed } else { Outcome::Failed }))
                .collect();
            progress
        })
        .collect();
    let drawn = screen(&written(Manner::Drawn, || (80, 24), &snapshots), 80);
    assert!(drawn.len() < NEWS + TROUBLES + 3, "{}", drawn.len());
    assert_eq!(drawn.iter().filter(|row| row.starts_with("… further ones")).count(), 1);
    let said = written(Manner::Lines, || (80, 24), &snapshots);
    assert!(said.lines().count() < TROUBLES + 5, "{said}");
}

#[test]
fn without_a_terminal_there_are_few_plain_lines() {
    let mut opening = progress(0.0);
    opening.phase = Phase::Opening;
    let mut failed = progress(2.0);
    failed.news = vec![news(1, Outcome::Passed), news(2, Outcome::Failed)];
    let mut ended = progress(70.0);
    ended.phase = Phase::Ended;
    ended.news = vec![news(4, Outcome::Unknown)];
    let snapshots = [
        opening,
        progress(1.0),
        failed,
        progress(20.0),
        progress(31.9),
        progress(32.0),
        progress(40.0),
        progress(65.0),
        ended,
    ];
    let said = written(Manner::Lines, || (80, 24), &snapshots);
    insta::assert_snapshot!(said);
    assert_eq!(written(Manner::Silent, || (80, 24), &snapshots), "");
}
