//! The rows of the terminal's table: a probe, the members of its group, or many passed probes in one.

use super::paint::{DIM, PLAIN, REMARK, Span, outcome_sign, outcome_style};
use super::table::{Cell, Column, Fit, Row};
use crate::explain::{interval, span};
use crate::model::{Flag, JudgedProbe, Verdict};
use std::collections::BTreeMap;

/// How many members of a group have a row of their own.
const MEMBERS: usize = 12;

const RECIPIENT: usize = 1;
const VERDICT: usize = 6;
const LATENCY: usize = 7;

/// The columns of every row.
pub const COLUMNS: [Column; 8] = [
    Column {
        title: "Outcome",
        fit: Fit::Whole,
        right: false,
    },
    Column {
        title: "Recipient",
        fit: Fit::Address,
        right: false,
    },
    Column {
        title: "Run",
        fit: Fit::Whole,
        right: false,
    },
    Column {
        title: "Route",
        fit: Fit::Shorten,
        right: false,
    },
    Column {
        title: "Message",
        fit: Fit::Whole,
        right: false,
    },
    Column {
        title: "Case",
        fit: Fit::Shorten,
        right: false,
    },
    Column {
        title: "Verdict",
        fit: Fit::Whole,
        right: false,
    },
    Column {
        title: "Latency",
        fit: Fit::Whole,
        right: true,
    },
];

/// The case of a probe; empty for the scenario's own round.
pub fn case(probe: &JudgedProbe) -> &str {
    probe.case.as_deref().unwrap_or_default()
}

/// How the rows of a table are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Everything in its column.
    Wide,
    /// Flags below the verdict, and the case below the address, so that the address has room.
    Narrow,
}

/// A row for the probe, and one for each member of its group.
pub fn of_probe(probe: &JudgedProbe, layout: Layout) -> Vec<Row> {
    let latency = latency(probe.latency_ms, probe.latency_uncertainty_ms);
    let mut rows = vec![row(probe, layout, &probe.recipient, &probe.message, latency)];
    for (index, member) in probe.members.iter().take(MEMBERS).enumerate() {
        let branch = if index + 1 == probe.members.len() { "└" } else { "├" };
        let latency = self::latency(member.latency_ms, member.latency_uncertainty_ms);
        rows.push(member_row(
            layout,
            branch,
            member.mailbox.as_str(),
            Some(member.verdict),
            &member.flags,
            latency,
        ));
    }
    if let Some(more) = probe.members.len().checked_sub(MEMBERS).filter(|more| *more > 0) {
        rows.push(member_row(layout, "└", &format!("{more} more members"), None, &[], Vec::new()));
    }
    rows
}

/// Rows for many passed probes: one for each role, route, case and verdict.
pub fn of_many(probes: &[&JudgedProbe], layout: Layout) -> Vec<Row> {
    type Kind<'a> = (Option<&'a str>, &'a str, &'a str, Option<&'a str>, Verdict, &'a [Flag]);
    let mut kinds: BTreeMap<Kind<'_>, Vec<&JudgedProbe>> = BTreeMap::new();
    for probe in probes {
        let kind = (
            probe.role.as_deref(),
            probe.run.as_str(),
            &*probe.route,
            probe.case.as_deref(),
            probe.verdict,
            &*probe.flags,
        );
        kinds.entry(kind).or_default().push(probe);
    }
    kinds.values().filter_map(|probes| many(probes, layout)).collect()
}

fn many(probes: &[&JudgedProbe], layout: Layout) -> Option<Row> {
    let first = probes.first()?;
    let noun = if probes.len() == 1 { "probe" } else { "probes" };
    let who = match &first.role {
        Some(role) => format!("{} {noun}: {role}", probes.len()),
        None => format!("{} {noun}", probes.len()),
    };
    let mut messages: Vec<&str> = probes.iter().map(|probe| probe.message.as_str()).collect();
    messages.sort_unstable();
    messages.dedup();
    let message = if let [message] = messages[..] {
        message.to_owned()
    } else {
        format!("{} kinds", messages.len())
    };
    let mut latencies: Vec<f64> = probes.iter().filter_map(|probe| probe.latency_ms).collect();
    latencies.sort_unstable_by(f64::total_cmp);
    let median = latencies
        .get(latencies.len() / 2)
        .map(|median| vec![Span::new("median", DIM), Span::new(&span(*median), PLAIN)]);
    Some(row(first, layout, &who, &message, median.unwrap_or_default()))
}

fn row(probe: &JudgedProbe, layout: Layout, who: &str, message: &str, latency: Cell) -> Row {
    let style = outcome_style(probe.outcome);
    let plain = |text: &str| vec![Span::new(text, PLAIN)];
    let outcome = vec![
        Span::new(outcome_sign(probe.outcome), style),
        Span::new(probe.outcome.word(), style),
    ];
    let verdict = plain(probe.verdict.word());
    let cells = vec![
        outcome,
        plain(who),
        plain(probe.run.as_str()),
        plain(&probe.route),
        plain(message),
        plain(case(probe)),
        verdict,
        latency,
    ];
    let mut row = Row::from(cells);
    place(&probe.flags, layout, &mut row);
    if layout == Layout::Narrow
        && let Some(case) = &probe.case
    {
        row.below.resize(COLUMNS.len(), Vec::new());
        row.below[RECIPIENT] = vec![Span::new(&format!("“{case}”"), DIM)];
    }
    row
}

fn member_row(layout: Layout, branch: &str, who: &str, verdict: Option<Verdict>, flags: &[Flag], latency: Cell) -> Row {
    let mut row = Row::from(vec![Vec::new(); COLUMNS.len()]);
    row.cells[RECIPIENT] = vec![Span::new(branch, DIM), Span::new(who, PLAIN)];
    row.cells[VERDICT].extend(verdict.map(|verdict| Span::new(verdict.word(), PLAIN)));
    row.cells[LATENCY] = latency;
    place(flags, layout, &mut row);
    if !row.below.is_empty() && branch != "└" {
        row.below[RECIPIENT] = vec![Span::new("│", DIM)];
    }
    row
}

/// Puts flags beside the verdict, or below it.
fn place(flags: &[Flag], layout: Layout, row: &mut Row) {
    let Some((last, before)) = flags.split_last() else { return };
    let flags = before
        .iter()
        .map(|flag| format!("{flag},"))
        .chain([last.to_string()])
        .map(|flag| Span::new(&flag, REMARK));
    match layout {
        Layout::Wide => row.cells[VERDICT].extend(flags),
        Layout::Narrow => {
            row.below.resize(COLUMNS.len(), Vec::new());
            row.below[VERDICT].extend(flags);
        }
    }
}

fn latency(milliseconds: Option<f64>, uncertainty: Option<f64>) -> Cell {
    milliseconds
        .map(|milliseconds| vec![Span::new(&interval(milliseconds, uncertainty), PLAIN)])
        .unwrap_or_default()
}
