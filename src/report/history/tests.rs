use super::*;
use crate::model::{Counts, Latencies, Line, Outcome, Part, Present, RecipientHistory, Time, Verdict};
use chrono::TimeDelta;

fn at(hours: i64) -> Time {
    "2026-11-01T00:00:00Z".parse::<Time>().unwrap() + TimeDelta::hours(hours)
}

fn latency(median_ms: f64) -> Latencies {
    Latencies {
        arrived: 20,
        median_ms,
        p95_ms: Some(median_ms * 2.0),
        longest_ms: median_ms * 3.0,
    }
}

/// A letter for each hour: `p`assed, `f`ailed, `h`alf of both, `u`nknown, a blank for nothing.
fn course(letters: &str) -> (Vec<Part>, Counts) {
    let mut all = Counts::default();
    let part = |(hour, letter): (usize, char)| {
        let (passed, failed, unknown) = match letter {
            'p' => (4, 0, 0),
            'h' => (2, 2, 0),
            'f' => (0, 4, 0),
            'u' => (0, 0, 4),
            _ => (0, 0, 0),
        };
        let counts = Counts {
            passed,
            failed,
            waived: 0,
            unknown,
        };
        all.passed += passed;
        all.failed += failed;
        all.unknown += unknown;
        let slow = if hour > 5 { 4.0 } else { 1.0 };
        Part {
            from: at(i64::try_from(hour).unwrap()),
            counts,
            latency: (passed > 0).then(|| latency(300.0 * slow)),
        }
    };
    let parts = letters.chars().enumerate().map(part).collect();
    (parts, all)
}

fn recipient(address: &str, letters: &str, outcome: Outcome) -> RecipientHistory {
    let (course, counts) = course(letters);
    let state = Present {
        outcome,
        verdict: match outcome {
            Outcome::Passed => Some(Verdict::Inbox),
            Outcome::Unknown => None,
            Outcome::Failed | Outcome::Waived => Some(Verdict::Junk),
        },
        since: (outcome != Outcome::Unknown).then(|| at(8)),
        at_least: outcome == Outcome::Passed,
        runs: 14,
        last_passed: Some(at(7)),
        unmeasured: 0,
    };
    let line = |route: &str, outcome| Line {
        route: route.to_owned(),
        message: "plain".to_owned(),
        case: None,
        state: Present { outcome, ..state.clone() },
        flapping: false,
        flaps: 0,
        counts,
        latency: Some(latency(300.0)),
        course: course.clone(),
    };
    RecipientHistory {
        recipient: address.to_owned(),
        role: Some("Global Administrator".to_owned()),
        flapping: address.starts_with("shaky"),
        counts,
        latency: Some(latency(300.0)),
        lines: vec![line("new-gateway", outcome), line("old-gateway", Outcome::Passed)],
        course,
        state,
    }
}

fn history(recipients: Vec<RecipientHistory>) -> History {
    History {
        schema: crate::model::HISTORY_SCHEMA.to_owned(),
        since: at(0),
        until: at(12),
        step_s: 3600,
        recipients,
    }
}

fn some() -> History {
    history(vec![
        recipient("billing@contoso.example", "pppppphhffff", Outcome::Failed),
        recipient("admin@contoso.example", "ppp puupppppp", Outcome::Passed),
    ])
}

fn many() -> History {
    history(vec![
        recipient("billing@contoso.example", "pppppphhffff", Outcome::Failed),
        recipient("unseen@contoso.example", "uuuuuuuuuuuu", Outcome::Unknown),
        recipient("shaky@contoso.example", "pfpfpfpfpfpp", Outcome::Passed),
        recipient(
            "a-very-long-local-part-of-an-address-that-does-not-fit@contoso.example",
            "pppppppppppp",
            Outcome::Passed,
        ),
        recipient("e@contoso.example", "pppppppppppp", Outcome::Waived),
    ])
}

fn told(history: &History, format: Format) -> String {
    String::from_utf8(render_history(format, history, &Style::default(), Blocks::Unicode).unwrap()).unwrap()
}

#[test]
fn a_few_recipients_one_by_one() {
    insta::assert_snapshot!(told(&some(), Format::Terminal));
}

#[test]
fn many_recipients_in_a_table_that_fits() {
    for width in [60, 80, 120] {
        let style = Style { width, ..Style::default() };
        let text = String::from_utf8(render_history(Format::Terminal, &many(), &style, Blocks::Unicode).unwrap()).unwrap();
        assert!(
            text.lines().all(|line| crate::report::width(line) <= width),
            "wider than {width}:\n{text}"
        );
        assert!(text.lines().all(|line| line == line.trim_end()), "blanks at an end:\n{text}");
    }
    insta::assert_snapshot!(told(&many(), Format::Terminal));
}

#[test]
fn without_unicode_the_courses_are_ascii() {
    let (course, _) = course("pph f u");
    let signs = |blocks| {
        spark::success(&course, blocks)
            .iter()
            .map(|sign| sign.text().to_owned())
            .collect::<String>()
    };
    assert_eq!(signs(Blocks::Ascii), "##= _ ?");
    assert_eq!(signs(Blocks::Unicode), "██▅ ▁ ?");
    let slower = spark::latency(&course, Blocks::Ascii)
        .iter()
        .map(|sign| sign.text().to_owned())
        .collect::<String>();
    assert_eq!(slower, "###    ");
}

#[test]
fn colour_says_nothing_that_the_signs_do_not() {
    let style = Style {
        color: true,
        ..Style::default()
    };
    let colored = String::from_utf8(render_history(Format::Terminal, &some(), &style, Blocks::Unicode).unwrap()).unwrap();
    assert!(colored.contains("\u{1b}[32m█"), "passed is green: {colored:?}");
    let plain: String = anstream::adapter::strip_str(&colored).to_string();
    assert_eq!(plain, told(&some(), Format::Terminal));
}

#[test]
fn markdown_and_csv_hold_the_same_and_nothing_runs_in_them() {
    let mut hostile = some();
    hostile.recipients[0].recipient = "=cmd|<script>`x`\"@contoso.example".to_owned();
    let markdown = super::markdown::render(&hostile);
    assert!(markdown.contains("&#61;cmd&#124;&#60;script&#62;&#96;x&#96;"), "{markdown}");
    let csv = super::csv::render(&hostile);
    assert!(csv.contains("\"'=cmd|<script>`x`\"\"@contoso.example\","), "{csv}");
    insta::assert_snapshot!("markdown", super::markdown::render(&some()));
    insta::assert_snapshot!("csv", super::csv::render(&some()));
}

#[test]
fn json_is_read_again_as_what_it_was() {
    let bytes = render_history(Format::Json, &many(), &Style::default(), Blocks::Unicode).unwrap();
    assert_eq!(serde_json::from_slice::<History>(&bytes).unwrap(), many());
}

#[test]
fn the_page_is_whole_and_escapes_what_comes_from_elsewhere() {
    let mut hostile = some();
    hostile.recipients[0].recipient = "<script>alert(1)</script>@contoso.example".to_owned();
    hostile.recipients[0].lines[0].route = "\"><img src=x>".to_owned();
    let page = page(&hostile).unwrap();
    assert!(!page.html.contains("<script") && !page.html.contains("<img"), "{}", page.html);
    assert!(page.html.contains("&#60;script&#62;alert(1)"));
    assert_eq!(page.html.matches("<svg").count(), 2);
    assert!(
        page.html
            .contains("failing (junk) since 2026-11-01 08:00, 14 runs; last passed 2026-11-01 07:00")
    );
}

#[test]
fn formats_that_only_runs_have_are_refused() {
    assert!(refuse_others([Format::Terminal, Format::Json]).is_ok());
    let refused = refuse_others([Format::Json, Format::Junit]).unwrap_err().to_string();
    assert_eq!(
        refused,
        "a history has no format `junit`; it has terminal, json, html, markdown, csv"
    );
}
