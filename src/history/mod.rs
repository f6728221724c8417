//! Histories: what the outcomes of many runs say of each recipient. Pure: outcomes in, sums out.
//!
//! - **Success** is the part of the measured probes that passed. What could not be measured is counted apart: it is no failure, and changes no state.
//! - **Since when**: the state is that of the newest measured probe; it has lasted since the first probe after which no other was measured otherwise.
//! - **Flapping**: among the last [`FLAP_WINDOW`] measured probes of a line it changed at least [`FLAP_CHANGES`] times between passing and failing. A
//!   failure that is waived counts as passing here, since nobody is to be told of it.
//! - **Latency** is counted by nearest rank; a 95th percentile is given from [`latency::ENOUGH`] arrivals on.
//!
//! What it cannot see: what happened between two runs, and why. Of that the events of a run tell, as long as they are kept.

mod course;
mod latency;

pub use latency::ENOUGH;

use crate::model::{
    Counts, FLAP_CHANGES, FLAP_WINDOW, HISTORY_SCHEMA, History, Line, Outcome, Past, Present, RecipientHistory, Series, Subset, Time,
};
use std::collections::{BTreeMap, BTreeSet};

/// From when to when, and in how many parts at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Outcomes before are not counted.
    pub since: Time,
    /// Nor are those after.
    pub until: Time,
    /// How many parts a course has at most.
    pub parts: usize,
}

/// Whether the series is of a recipient, a role, a route and a domain that are asked for: each kind of subset narrows further, several of one kind
/// widen each other. Patterns know `*` and `?`, and no case.
pub fn is_wanted(series: &Series, only: &[Subset]) -> bool {
    Subset::all_allow(only, &series.recipient, series.role.as_deref(), &series.route)
}

/// The history of these series, by recipient: the worst first, then by address.
pub fn history(series: &[Series], window: Window) -> History {
    let past = |series: &Series| -> Vec<Past> {
        let within = series.past.iter().filter(|past| (window.since..=window.until).contains(&past.at));
        within.copied().collect()
    };
    let mut kept: BTreeMap<String, Vec<(&Series, Vec<Past>)>> = BTreeMap::new();
    for series in series {
        let past = past(series);
        if !past.is_empty() {
            kept.entry(series.recipient.to_lowercase()).or_default().push((series, past));
        }
    }
    let firsts = kept.values().flatten().filter_map(|(_, past)| past.first());
    let grid = course::Grid::over(firsts.map(|past| past.at).min().unwrap_or(window.since), window);
    let mut recipients: Vec<RecipientHistory> = kept.values().filter_map(|lines| of_recipient(lines, &grid)).collect();
    recipients.sort_by_key(|recipient| rank(recipient.state.outcome, recipient.flapping));
    History {
        schema: HISTORY_SCHEMA.to_owned(),
        since: window.since,
        until: window.until,
        step_s: grid.step_s(),
        recipients,
    }
}

fn of_recipient(series: &[(&Series, Vec<Past>)], grid: &course::Grid) -> Option<RecipientHistory> {
    let (first, _) = series.first()?;
    let mut lines: Vec<Line> = series.iter().map(|(series, past)| of_line(series, past, grid)).collect();
    lines.sort_by_key(|line| rank(line.state.outcome, line.flapping));
    let mut all: Vec<Past> = series.iter().flat_map(|(_, past)| past.iter().copied()).collect();
    all.sort_by_key(|past| (past.at, past.run));
    Some(RecipientHistory {
        recipient: first.recipient.clone(),
        role: series.iter().find_map(|(series, _)| series.role.clone()),
        state: worst(&lines)?,
        flapping: lines.iter().any(|line| line.flapping),
        counts: counts(&all),
        latency: latency::of(&all),
        course: grid.course(&all),
        lines,
    })
}

fn of_line(series: &Series, past: &[Past], grid: &course::Grid) -> Line {
    let flaps = flaps(past);
    Line {
        route: series.route.clone(),
        message: series.message.clone(),
        case: series.case.clone(),
        state: present(past),
        flapping: flaps >= FLAP_CHANGES,
        flaps,
        counts: counts(past),
        latency: latency::of(past),
        course: grid.course(past),
    }
}

/// Failing before what could not be measured, before waived, before passing; what flaps before what does not.
fn rank(outcome: Outcome, flapping: bool) -> (u8, bool) {
    let rank = match outcome {
        Outcome::Failed => 0,
        Outcome::Unknown => 1,
        Outcome::Waived => 2,
        Outcome::Passed => 3,
    };
    (rank, !flapping)
}

/// The state of the worst line, which is the first; of several that are as bad, the one that has been so for longest.
fn worst(lines: &[Line]) -> Option<Present> {
    let outcome = lines.first()?.state.outcome;
    let as_bad = lines.iter().map(|line| &line.state).filter(|state| state.outcome == outcome);
    let mut state = if outcome == Outcome::Passed {
        // All pass only since the last of them does.
        as_bad.max_by_key(|state| (state.since, !state.at_least))?.clone()
    } else {
        as_bad.min_by_key(|state| (state.since, !state.at_least))?.clone()
    };
    state.unmeasured = lines.iter().map(|line| line.state.unmeasured).max().unwrap_or_default();
    Some(state)
}

pub(crate) fn counts(past: &[Past]) -> Counts {
    let mut counts = Counts::default();
    for past in past {
        counts.add(past.outcome);
    }
    counts
}

/// How a line stands.
fn present(past: &[Past]) -> Present {
    let measured: Vec<&Past> = past.iter().filter(|past| past.outcome != Outcome::Unknown).collect();
    let last_passed = measured
        .iter()
        .rev()
        .find(|past| past.outcome == Outcome::Passed)
        .map(|past| past.at);
    let Some(newest) = measured.last() else {
        return Present {
            outcome: Outcome::Unknown,
            verdict: None,
            since: None,
            at_least: true,
            runs: 0,
            last_passed: None,
            unmeasured: u32::try_from(past.len()).unwrap_or(u32::MAX),
        };
    };
    let streak: Vec<&&Past> = measured.iter().rev().take_while(|past| past.outcome == newest.outcome).collect();
    let runs: BTreeSet<i64> = streak.iter().map(|past| past.run).collect();
    let unmeasured = past.iter().rev().take_while(|past| past.outcome == Outcome::Unknown).count();
    Present {
        outcome: newest.outcome,
        verdict: Some(newest.verdict),
        since: streak.last().map(|past| past.at),
        at_least: streak.len() == measured.len(),
        runs: u32::try_from(runs.len()).unwrap_or(u32::MAX),
        last_passed,
        unmeasured: u32::try_from(unmeasured).unwrap_or(u32::MAX),
    }
}

/// How often it changed between passing and failing among the latest measured probes.
fn flaps(past: &[Past]) -> u32 {
    let latest: Vec<bool> = past
        .iter()
        .rev()
        .filter(|past| past.outcome != Outcome::Unknown)
        .take(FLAP_WINDOW)
        .map(|past| past.outcome == Outcome::Failed)
        .collect();
    let changes = latest.windows(2).filter(|pair| pair[0] != pair[1]).count();
    u32::try_from(changes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
