//! The way of a copy: how long it stayed at each hop, whose clock is off, and which path of the site it took.
//!
//! Hops took the message one after the other, between the time it left us and the time we saw it. Times that do not fit that are no spans but wrong
//! clocks. As many of the times as agree with each other and with our own clock are believed; the others are off, by as much at least as they lie
//! outside what those leave them.
//!
//! What it cannot see: clocks that are wrong by less than the message took, which of two that disagree is the right one where nothing else bounds
//! them (the earlier hop is believed then), and hosts that add no `Received` field.

use crate::model::{Hop, HopRecord, PathRule, Time, matches, time};
use chrono::TimeDelta;

/// Hosts write whole seconds: differences within this are no sign of a wrong clock.
const RESOLUTION: TimeDelta = TimeDelta::milliseconds(1_500);
/// The most hosts that a sentence lists.
const MOST_LISTED: usize = 8;

/// The hops with what their times mean. `left` is when the probe left us, `seen` when it was seen, both by our clock: every hop lies between.
pub(super) fn records(hops: &[Hop], left: Option<Time>, seen: Time) -> Vec<HopRecord> {
    let believed = believed(hops, left, seen);
    let record = |(place, hop): (usize, &Hop)| {
        let next = match hops.get(place + 1) {
            Some(_) => believed[place + 1],
            None => Some(seen),
        };
        HopRecord {
            hop: hop.clone(),
            // Within the resolution a next hop may seem to be earlier: no time was spent that whole seconds show.
            spent_ms: believed[place].zip(next).map(|(from, to)| time::milliseconds(from, to).max(0.0)),
            skew_ms: hop
                .at
                .filter(|_| believed[place].is_none())
                .map(|at| skew(at, &believed, place, left, seen)),
        }
    };
    hops.iter().enumerate().map(record).collect()
}

/// The times that agree with our clock and with each other: the most of them that follow one another. Of several choices the one that begins
/// earliest.
fn believed(hops: &[Hop], left: Option<Time>, seen: Time) -> Vec<Option<Time>> {
    let possible: Vec<(usize, Time)> = hops
        .iter()
        .enumerate()
        .filter_map(|(place, hop)| Some((place, hop.at?)))
        .filter(|(_, at)| left.is_none_or(|left| *at - left >= -RESOLUTION) && *at - seen <= RESOLUTION)
        .collect();
    // The longest run that begins with each, from the back.
    let mut runs: Vec<(usize, Option<usize>)> = vec![(1, None); possible.len()];
    for first in (0..possible.len()).rev() {
        for next in first + 1..possible.len() {
            if possible[next].1 - possible[first].1 >= -RESOLUTION && runs[next].0 + 1 > runs[first].0 {
                runs[first] = (runs[next].0 + 1, Some(next));
            }
        }
    }
    let mut believed = vec![None; hops.len()];
    let longest = runs.iter().map(|run| run.0).max();
    let mut current = runs.iter().position(|run| Some(run.0) == longest);
    while let Some(one) = current {
        believed[possible[one].0] = Some(possible[one].1);
        current = runs[one].1;
    }
    believed
}

/// How far a time lies before the latest, or after the earliest, that it can have been: the times believed before and after it, and our own.
fn skew(at: Time, believed: &[Option<Time>], place: usize, left: Option<Time>, seen: Time) -> f64 {
    let earliest = believed[..place].iter().rev().find_map(|at| *at).or(left);
    let latest = believed[place + 1..].iter().find_map(|at| *at).unwrap_or(seen);
    match earliest.filter(|earliest| at < *earliest) {
        Some(earliest) => time::milliseconds(earliest, at),
        None => time::milliseconds(latest, at),
    }
}

/// The names of the paths that the hops fit.
pub(super) fn fitting(hops: &[Hop], paths: &[PathRule]) -> Vec<String> {
    let fits = |path: &&PathRule| {
        (path.via.is_empty() || path.via.iter().any(|pattern| passes(hops, pattern)))
            && !path.not_via.iter().any(|pattern| passes(hops, pattern))
    };
    if hops.is_empty() {
        return Vec::new();
    }
    paths.iter().filter(fits).map(|path| path.name.clone()).collect()
}

/// Whether some hop's host fits.
pub(super) fn passes(hops: &[Hop], pattern: &str) -> bool {
    host_that_fits(hops, pattern).is_some()
}

/// The first host of the hops, by its name or address, that fits.
pub(super) fn host_that_fits<'a>(hops: &'a [Hop], pattern: &str) -> Option<&'a str> {
    let names = |hop: &'a Hop| [hop.from.as_deref(), hop.address.as_deref(), hop.by.as_deref()];
    hops.iter().flat_map(names).flatten().find(|name| matches(pattern, name))
}

/// The hosts that took it over, in order, as a sentence lists them: those in the middle only counted where there are many.
pub(super) fn hosts(hops: &[Hop]) -> String {
    let mut hosts: Vec<&str> = hops.iter().filter_map(|hop| hop.by.as_deref()).collect();
    hosts.dedup();
    if hosts.is_empty() {
        return "hosts without a name".to_owned();
    }
    let more = hosts.len().saturating_sub(MOST_LISTED);
    if more == 0 {
        return hosts.join(", ");
    }
    let half = MOST_LISTED / 2;
    let (first, last) = (&hosts[..half], &hosts[hosts.len() - half..]);
    format!("{}, {more} more, {}", first.join(", "), last.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: f64) -> Time {
        let start: Time = "2026-11-23T10:00:00Z".parse().unwrap();
        let span = Duration::from_secs_f64(seconds.abs());
        if seconds < 0.0 {
            time::earlier(start, span)
        } else {
            time::later(start, span)
        }
    }

    fn chain(times: &[Option<f64>]) -> Vec<Hop> {
        let hop = |seconds: &Option<f64>| Hop {
            at: seconds.map(at),
            ..Hop::default()
        };
        times.iter().map(hop).collect()
    }

    #[test]
    fn spans_are_never_negative_and_wrong_clocks_have_a_sign() {
        const NO: Option<f64> = None;
        // The times of the hops; the probe left at 0.3 and was seen at 60. Then the seconds spent at each, and how far its clock is off.
        for (about, times, spent, skew) in [
            ("one hop", &[Some(1.0)][..], &[Some(59.0)][..], &[NO][..]),
            (
                "all agree",
                &[Some(1.0), Some(2.0), Some(10.0)],
                &[Some(1.0), Some(8.0), Some(50.0)],
                &[NO, NO, NO],
            ),
            (
                "whole seconds are cut off",
                &[Some(0.0), Some(0.0)],
                &[Some(0.0), Some(60.0)],
                &[NO, NO],
            ),
            (
                "equal, and one behind by a second",
                &[Some(5.0), Some(5.0), Some(4.0)],
                &[Some(0.0), Some(0.0), Some(56.0)],
                &[NO, NO, NO],
            ),
            (
                "ahead by an hour",
                &[Some(1.0), Some(3602.0), Some(3.0)],
                &[NO, NO, Some(57.0)],
                &[NO, Some(3599.0), NO],
            ),
            (
                "behind by two hours",
                &[Some(1.0), Some(-7198.0), Some(3.0)],
                &[NO, NO, Some(57.0)],
                &[NO, Some(-7199.0), NO],
            ),
            ("the last one ahead", &[Some(1.0), Some(90.0)], &[NO, NO], &[NO, Some(30.0)]),
            (
                "the first one behind",
                &[Some(-59.7), Some(2.0)],
                &[NO, Some(58.0)],
                &[Some(-60.0), NO],
            ),
            (
                "one against three",
                &[Some(1.0), Some(50.0), Some(2.0), Some(3.0)],
                &[NO, NO, Some(1.0), Some(57.0)],
                &[NO, Some(48.0), NO, NO],
            ),
            (
                "one against one: the earlier is believed",
                &[Some(10.0), Some(5.0)],
                &[NO, NO],
                &[NO, Some(-5.0)],
            ),
            ("no time stated", &[Some(1.0), NO, Some(3.0)], &[NO, NO, Some(57.0)], &[NO, NO, NO]),
            ("no time at all", &[NO, NO], &[NO, NO], &[NO, NO]),
            ("all ahead", &[Some(100.0), Some(200.0)], &[NO, NO], &[Some(40.0), Some(140.0)]),
        ] {
            let records = records(&chain(times), Some(at(0.3)), at(60.0));
            let found: Vec<_> = records.iter().map(|record| record.spent_ms.map(|spent| spent / 1000.0)).collect();
            assert_eq!(found, spent, "spent, {about}");
            let found: Vec<_> = records.iter().map(|record| record.skew_ms.map(|skew| skew / 1000.0)).collect();
            assert_eq!(found, skew, "skew, {about}");
        }
        assert!(records(&[], None, at(0.0)).is_empty());
    }

    #[test]
    fn any_time_that_can_be_stored_is_survived() {
        let hops: Vec<Hop> = [Time::MIN_UTC, Time::MAX_UTC]
            .map(|at| Hop {
                at: Some(at),
                ..Hop::default()
            })
            .to_vec();
        for left in [None, Some(at(0.0))] {
            let records = records(&hops, left, at(60.0));
            assert!(records[1].skew_ms.is_some_and(|skew| skew > 0.0), "{records:?}");
        }
    }

    #[test]
    fn paths_are_told_by_the_hosts_and_their_addresses() {
        let hop = |from: &str, address: &str, by: &str| Hop {
            from: Some(from.to_owned()),
            address: Some(address.to_owned()),
            by: Some(by.to_owned()),
            ..Hop::default()
        };
        let hops = [
            hop("smtp.sender.example", "192.0.2.25", "mxa.oldfilter.example"),
            hop("mxa.oldfilter.example", "192.0.2.80", "store.contoso.example"),
        ];
        let path = |name: &str, via: &[&str], not_via: &[&str]| PathRule {
            name: name.to_owned(),
            via: via.iter().map(ToString::to_string).collect(),
            not_via: not_via.iter().map(ToString::to_string).collect(),
        };
        let paths = [
            path("old", &["*.newfilter.example", "*.OldFilter.example"], &[]),
            path("new", &["*.protection.outlook.com"], &[]),
            path("not old", &[], &["mx?.oldfilter.example"]),
            path("by address", &["192.0.2.8?"], &[]),
        ];
        assert_eq!(fitting(&hops, &paths), ["old", "by address"]);
        assert!(fitting(&[], &paths).is_empty(), "no hop tells nothing");
        assert_eq!(host_that_fits(&hops, "*sender*"), Some("smtp.sender.example"));
        assert_eq!(hosts(&hops), "mxa.oldfilter.example, store.contoso.example");
        let many: Vec<Hop> = (0..20).map(|number| hop("x", "y", &format!("h{number}"))).collect();
        assert_eq!(hosts(&many), "h0, h1, h2, h3, 12 more, h16, h17, h18, h19");
        assert_eq!(hosts(&[Hop::default()]), "hosts without a name");
    }
}
