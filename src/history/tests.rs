use super::*;
use crate::model::Verdict;
use chrono::TimeDelta;

fn at(minutes: i64) -> Time {
    "2026-11-01T00:00:00Z".parse::<Time>().unwrap() + TimeDelta::minutes(minutes)
}

/// One probe an hour: `p`assed, `f`ailed, `w`aived, `u`nknown.
fn past(outcomes: &str) -> Vec<Past> {
    let one = |(hour, letter): (usize, char)| {
        let (outcome, verdict) = match letter {
            'p' => (Outcome::Passed, Verdict::Inbox),
            'f' => (Outcome::Failed, Verdict::Junk),
            'w' => (Outcome::Waived, Verdict::Junk),
            _ => (Outcome::Unknown, Verdict::Unknown),
        };
        let hour = i64::try_from(hour).unwrap();
        Past {
            at: at(60 * hour),
            run: hour,
            verdict,
            outcome,
            latency_ms: (letter == 'p').then_some(f64::from(u32::try_from(hour).unwrap()) * 10.0 + 100.0),
            latency_uncertainty_ms: None,
            late: false,
        }
    };
    outcomes.chars().enumerate().map(one).collect()
}

fn series(recipient: &str, route: &str, outcomes: &str) -> Series {
    Series {
        recipient: recipient.to_owned(),
        role: Some("Global Administrator".to_owned()),
        route: route.to_owned(),
        message: "plain".to_owned(),
        case: None,
        past: past(outcomes),
    }
}

fn window(hours: i64) -> Window {
    Window {
        since: at(0),
        until: at(60 * hours),
        parts: 24,
    }
}

#[test]
fn a_state_lasts_since_nothing_else_was_measured() {
    for (outcomes, outcome, since, at_least, runs, last_passed, unmeasured) in [
        ("ppp", Outcome::Passed, Some(0), true, 3, Some(2), 0),
        ("ppff", Outcome::Failed, Some(2), false, 2, Some(1), 0),
        // What could not be measured neither ends a state nor begins one.
        ("ppfufuu", Outcome::Failed, Some(2), false, 2, Some(1), 2),
        ("ufp", Outcome::Passed, Some(2), false, 1, Some(2), 0),
        ("ff", Outcome::Failed, Some(0), true, 2, None, 0),
        ("pw", Outcome::Waived, Some(1), false, 1, Some(0), 0),
        ("uuu", Outcome::Unknown, None, true, 0, None, 3),
    ] {
        let state = present(&past(outcomes));
        assert_eq!(state.outcome, outcome, "{outcomes}");
        assert_eq!(state.since, since.map(|hour| at(60 * hour)), "{outcomes}");
        assert_eq!((state.at_least, state.runs), (at_least, runs), "{outcomes}");
        assert_eq!(state.last_passed, last_passed.map(|hour| at(60 * hour)), "{outcomes}");
        assert_eq!(state.unmeasured, unmeasured, "{outcomes}");
    }
}

#[test]
fn several_probes_of_one_run_are_one_run() {
    let mut past = past("pff");
    past[2].run = past[1].run;
    assert_eq!(present(&past).runs, 1);
}

#[test]
fn success_is_the_part_of_what_was_measured() {
    let counts = counts(&past("pppfwuuuu"));
    assert_eq!(counts.share(), Some(0.6));
    assert_eq!((counts.measured(), counts.unknown), (5, 4));
    assert_eq!(super::counts(&past("uu")).share(), None, "no failure, and no success");
}

#[test]
fn flapping_takes_four_changes_among_the_last_twenty_measured() {
    let is_flapping = |outcomes: &str| flaps(&past(outcomes)) >= FLAP_CHANGES;
    assert!(is_flapping("pfpfp"));
    assert!(!is_flapping("ppfffp"), "broken once and mended is no flapping");
    assert!(!is_flapping("pupupup"), "what could not be measured is no change");
    assert!(!is_flapping("pwpwpw"), "nor is what is waived");
    assert!(!is_flapping(&format!("pfpfp{}", "p".repeat(FLAP_WINDOW))), "it has calmed down");
    assert!(is_flapping(&format!("pfpfp{}", "p".repeat(FLAP_WINDOW - 5))));
}

#[test]
fn percentiles_are_ranks_and_wait_for_enough() {
    let few = latency::of(&past(&"p".repeat(19))).unwrap();
    assert_eq!((few.arrived, few.median_ms, few.p95_ms, few.longest_ms), (19, 190.0, None, 280.0));
    let enough = latency::of(&past(&"p".repeat(20))).unwrap();
    assert_eq!((enough.median_ms, enough.p95_ms, enough.longest_ms), (190.0, Some(280.0), 290.0));
    assert_eq!(latency::of(&past("ffu")), None);
}

#[test]
fn the_worst_recipient_comes_first_and_has_the_state_of_its_worst_line() {
    let all = [
        series("fine@contoso.example", "internet", "pppp"),
        series("broken@contoso.example", "internet", "pppp"),
        series("Broken@contoso.example", "new-gateway", "pppf"),
        series("unseen@contoso.example", "internet", "uuuu"),
    ];
    let history = history(&all, window(4));
    let names: Vec<&str> = history.recipients.iter().map(|recipient| recipient.recipient.as_str()).collect();
    assert_eq!(names, ["broken@contoso.example", "unseen@contoso.example", "fine@contoso.example"]);
    let broken = &history.recipients[0];
    assert_eq!(broken.lines.len(), 2, "an address has no case");
    assert_eq!(
        (broken.lines[0].route.as_str(), broken.state.outcome),
        ("new-gateway", Outcome::Failed)
    );
    assert_eq!((broken.state.since, broken.state.runs), (Some(at(180)), 1));
    assert_eq!((broken.counts.passed, broken.counts.failed), (7, 1));
}

#[test]
fn a_course_has_parts_that_begin_on_the_clock_and_leaves_nothing_out() {
    for (hours, parts, step) in [
        (5, 24, 900),
        (24, 24, 7200),
        (24, 25, 3600),
        (24 * 90, 48, 2 * 86_400),
        (24 * 3650, 24, 156 * 86_400),
    ] {
        let window = Window { parts, ..window(hours) };
        let all = series("a@x.example", "internet", &"pf".repeat(3));
        let history = history(&[all], window);
        assert_eq!(history.step_s, step, "{hours} h in {parts}");
        let course = &history.recipients[0].course;
        assert!(course.len() <= parts, "{} parts", course.len());
        assert_eq!(course.iter().map(|part| part.counts.measured()).sum::<u32>(), 6);
        assert!(course.iter().all(|part| part.from.timestamp() % i64::try_from(step).unwrap() == 0));
    }
}

#[test]
fn what_is_outside_the_window_is_not_counted() {
    let all = [series("a@x.example", "internet", "ffpp"), series("b@x.example", "internet", "p")];
    let since = Window {
        since: at(120),
        ..window(3)
    };
    let history = history(&all, since);
    assert_eq!(history.recipients.len(), 1);
    let state = &history.recipients[0].state;
    assert_eq!(
        (state.outcome, state.at_least),
        (Outcome::Passed, true),
        "whether it was so before is not known"
    );
}

#[test]
fn subsets_narrow_by_kind_and_widen_within_one() {
    let of = |recipient: &str, route: &str| series(recipient, route, "p");
    let only = [
        Subset::Recipient("a@*".to_owned()),
        Subset::Recipient("B@*".to_owned()),
        Subset::Route("new*".to_owned()),
    ];
    assert!(is_wanted(&of("a@x.example", "new-gateway"), &only));
    assert!(is_wanted(&of("b@x.example", "new-gateway"), &only));
    assert!(!is_wanted(&of("c@x.example", "new-gateway"), &only));
    assert!(!is_wanted(&of("a@x.example", "old-gateway"), &only));
    assert!(is_wanted(
        &of("a@x.example", "old-gateway"),
        &[Subset::Domain("x.*".to_owned()), Subset::Role("global*".to_owned())]
    ));
    assert!(is_wanted(&of("c@y.example", "any"), &[]));
}
