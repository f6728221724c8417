//! The way of a copy: how long it stayed at each hop, whose clock is off, and which path of the site it took.
//!
//! What it cannot see: which of two clocks that disagree is the right one, unless our own clock bounds it; and hosts that add no `Received` field.

use crate::model::{Hop, HopRecord, PathRule, Time, matches, time};
use chrono::TimeDelta;

/// Hosts write whole seconds: differences within this are no sign of a wrong clock.
const RESOLUTION: TimeDelta = TimeDelta::milliseconds(1_500);

/// The hops with what their times mean. `left` is when the probe left us, `seen` when it was seen, both by our clock: every hop lies between.
pub(super) fn records(hops: &[Hop], left: Option<Time>, seen: Time) -> Vec<HopRecord> {
    let skews: Vec<Option<TimeDelta>> = hops.iter().map(|hop| hop.at.and_then(|at| skew(at, left, seen))).collect();
    let mut records: Vec<HopRecord> = Vec::with_capacity(hops.len());
    for (place, hop) in hops.iter().enumerate() {
        let next = match hops.get(place + 1) {
            Some(next) => next.at.filter(|_| skews[place + 1].is_none()),
            None => Some(seen),
        };
        let spent = hop.at.filter(|_| skews[place].is_none()).zip(next).map(|(at, next)| next - at);
        // A hop that seems to come before the one before it shows that their clocks disagree, though our own bounds neither of them.
        let before = place
            .checked_sub(1)
            .and_then(|before| hops[before].at.filter(|_| skews[before].is_none()));
        let behind = hop
            .at
            .zip(before)
            .map(|(at, before)| at - before)
            .filter(|difference| *difference < -RESOLUTION);
        records.push(HopRecord {
            hop: hop.clone(),
            spent_ms: spent
                .filter(|spent| *spent >= -RESOLUTION)
                .map(|spent| milliseconds(spent.max(TimeDelta::zero()))),
            skew_ms: skews[place].or(behind).map(milliseconds),
        });
    }
    records
}

/// How far a time lies outside what our clock allows: before it left, or after it was seen.
fn skew(at: Time, left: Option<Time>, seen: Time) -> Option<TimeDelta> {
    let early = left.map(|left| at - left).filter(|difference| *difference < -RESOLUTION);
    let late = Some(at - seen).filter(|difference| *difference > RESOLUTION);
    early.or(late)
}

fn milliseconds(delta: TimeDelta) -> f64 {
    time::milliseconds(Time::UNIX_EPOCH, Time::UNIX_EPOCH + delta)
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

/// The hosts that took it over, in order, as a sentence lists them.
pub(super) fn hosts(hops: &[Hop]) -> String {
    let mut hosts: Vec<&str> = hops.iter().map(|hop| hop.by.as_deref().unwrap_or("an unnamed host")).collect();
    hosts.dedup();
    hosts.join(", ")
}
