use super::*;
use crate::model::Place;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn times(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let timetable = Timetable::new(cron, zone).unwrap();
    let mut time = at(after);
    (0..count)
        .map(|_| {
            time = timetable.after(time).unwrap();
            time.with_timezone(&timetable.zone).format("%d %H:%M:%S %z").to_string()
        })
        .collect()
}

fn schedule(name: &str, cron: &str) -> Schedule {
    Schedule {
        name: name.to_owned(),
        scenario: "weekly.yaml".into(),
        cron: cron.to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        jitter: Duration::ZERO,
        catch_up: false,
        place: Place::default(),
    }
}

fn keeper(schedules: &[Schedule], since: &str) -> Keeper {
    let mut keeper = Keeper::default();
    keeper.take(schedules, at(since), &BTreeMap::new()).unwrap();
    keeper
}

fn start(name: &str, due: &str) -> Act {
    Act::Start {
        name: name.to_owned(),
        due: at(due),
    }
}

#[test]
fn a_time_of_day_in_the_gap_is_due_after_it_and_once_where_clocks_go_back() {
    assert_eq!(
        times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
        ["29 03:00:00 +0200", "30 02:30:00 +0200"]
    );
    assert_eq!(
        times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["25 02:30:00 +0200", "26 02:30:00 +0100"]
    );
    assert_eq!(
        times("0 6 * * MON", "Europe/Berlin", "2026-10-23T12:00:00Z", 1),
        ["26 06:00:00 +0100"],
        "the wall clock counts, not the hours since"
    );
}

#[test]
fn what_recurs_goes_on_by_the_clock() {
    assert_eq!(
        times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:29:59Z", 3),
        ["29 01:30:00 +0100", "29 03:00:00 +0200", "29 03:30:00 +0200"]
    );
    assert_eq!(
        times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 4),
        ["25 02:30:00 +0200", "25 02:00:00 +0100", "25 02:30:00 +0100", "25 03:00:00 +0100"]
    );
    assert_eq!(
        times("*/20 * * * * *", "UTC", "2026-01-01T00:00:01Z", 3),
        ["01 00:00:20 +0000", "01 00:00:40 +0000", "01 00:01:00 +0000"]
    );
}

#[test]
fn an_expression_of_no_use_says_why() {
    assert!(matches!(Timetable::new("61 * * * *", "UTC"), Err(Unusable::Cron(_))));
    assert!(matches!(Timetable::new("* * *", "UTC"), Err(Unusable::Cron(_))));
    assert_eq!(Timetable::new("* * * * *", "Europe/Berln").unwrap_err(), Unusable::Zone);
    assert_eq!(Timetable::new("0 0 30 2 *", "UTC").unwrap_err(), Unusable::Never);
}

#[test]
fn the_delay_is_the_same_for_the_same_time_and_below_the_jitter() {
    let jitter = Duration::from_mins(2);
    let delays: Vec<Duration> = (0..50)
        .map(|minute| delay("weekly", at("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute), jitter))
        .collect();
    assert!(delays.iter().all(|delay| *delay < jitter));
    assert!(delays.iter().any(|delay| *delay != delays[0]), "it differs from time to time");
    assert_eq!(delays[7], delay("weekly", at("2026-01-01T00:07:00Z"), jitter));
    assert_ne!(delays[7], delay("daily", at("2026-01-01T00:07:00Z"), jitter));
    assert_eq!(delay("weekly", at("2026-01-01T00:07:00Z"), Duration::ZERO), Duration::ZERO);
}

#[test]
fn a_run_that_goes_on_is_not_joined_by_a_second_one() {
    let mut keeper = keeper(&[schedule("often", "* * * * *")], "2026-01-01T00:00:10Z");
    assert_eq!(keeper.act(at("2026-01-01T00:00:59Z")), []);
    assert_eq!(keeper.wake_at(), Some(at("2026-01-01T00:01:00Z")));
    assert_eq!(keeper.act(at("2026-01-01T00:01:00Z")), [start("often", "2026-01-01T00:01:00Z")]);
    assert_eq!(keeper.act(at("2026-01-01T00:01:00Z")), [], "once");
    assert_eq!(
        keeper.act(at("2026-01-01T00:02:01Z")),
        [Act::Overlap {
            name: "often".to_owned(),
            due: at("2026-01-01T00:02:00Z")
        }]
    );
    keeper.ended("often");
    assert_eq!(keeper.act(at("2026-01-01T00:03:00Z")), [start("often", "2026-01-01T00:03:00Z")]);
}

#[test]
fn what_was_due_while_nobody_was_there_is_told_and_not_made_up_for() {
    let known = BTreeMap::from([("daily".to_owned(), at("2026-01-01T05:00:00Z"))]);
    let mut daily = schedule("daily", "0 6 * * *");
    let mut keeper = Keeper::default();
    keeper.take(&[daily.clone()], at("2026-01-04T12:00:00Z"), &known).unwrap();
    let missed = Act::Missed {
        name: "daily".to_owned(),
        times: 3,
        first: at("2026-01-02T05:00:00Z"),
        last: at("2026-01-04T05:00:00Z"),
    };
    assert_eq!(keeper.act(at("2026-01-04T12:00:00Z")), std::slice::from_ref(&missed));
    assert_eq!(keeper.act(at("2026-01-04T12:00:01Z")), []);

    daily.catch_up = true;
    let mut keeper = Keeper::default();
    keeper.take(&[daily], at("2026-01-04T12:00:00Z"), &known).unwrap();
    assert_eq!(
        keeper.act(at("2026-01-04T12:00:00Z")),
        [missed, start("daily", "2026-01-04T05:00:00Z")],
        "made up for once, not three times"
    );
}

#[test]
fn many_missed_times_end_in_a_bounded_time() {
    let known = BTreeMap::from([("seconds".to_owned(), at("2026-01-01T00:00:00Z"))]);
    let mut keeper = Keeper::default();
    keeper
        .take(&[schedule("seconds", "* * * * * *")], at("2026-02-01T00:00:00Z"), &known)
        .unwrap();
    let acts = keeper.act(at("2026-02-01T00:00:00Z"));
    assert!(matches!(acts.iter().find(|act| matches!(act, Act::Missed { .. })), Some(Act::Missed { times, .. }) if *times > COUNTED));
}

#[test]
fn a_reload_keeps_what_runs_and_does_not_invent_missed_runs() {
    let mut keeper = keeper(&[schedule("often", "* * * * *")], "2026-01-01T00:00:10Z");
    keeper.act(at("2026-01-01T00:01:00Z"));
    let more = [schedule("often", "* * * * *"), schedule("new", "0 0 * * *")];
    keeper.take(&more, at("2026-01-01T00:01:30Z"), &BTreeMap::new()).unwrap();
    let acts = keeper.act(at("2026-01-01T00:02:00Z"));
    assert!(matches!(acts.as_slice(), [Act::Overlap { .. }]), "its run still goes on: {acts:?}");
    let other = [schedule("often", "*/10 * * * *")];
    keeper.take(&other, at("2026-01-01T00:35:00Z"), &BTreeMap::new()).unwrap();
    assert_eq!(keeper.act(at("2026-01-01T00:39:00Z")), []);
    let wrong = [schedule("often", "never")];
    assert!(keeper.take(&wrong, at("2026-01-01T00:39:00Z"), &BTreeMap::new()).is_err());
    assert!(keeper.schedule("often").is_some(), "a wrong one changes nothing");
}
