//! The rows of the terminal's table: a probe, the members of its group, or many passed probes in one.

use super::paint::{DIM, PLAIN, REMARK, Span, outcome_sign, outcome_style};
use super::table::{Cell, Column, Fit};
use crate::explain::{interval, span};
use crate::model::{Flag, JudgedProbe, Verdict};
use std::collections::BTreeMap;

/// How many members of a group have a row of their own.
const MEMBERS: usize = 12;

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
        fit: Fit::Wrap,
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

/// A row for the probe, and one for each member of its group.
pub fn of_probe(probe: &JudgedProbe) -> Vec<Vec<Cell>> {
    let latency = latency(probe.latency_ms, probe.latency_uncertainty_ms);
    let mut rows = vec![row(
        probe,
        &probe.recipient,
        &probe.message,
        verdict(probe.verdict, &probe.flags),
        latency,
    )];
    for (index, member) in probe.members.iter().take(MEMBERS).enumerate() {
        let last = index + 1 == probe.members.len();
        rows.push(member_row(
            if last { "└" } else { "├" },
            member.mailbox.as_str(),
            verdict(member.verdict, &member.flags),
            self::latency(member.latency_ms, member.latency_uncertainty_ms),
        ));
    }
    if let Some(more) = probe.members.len().checked_sub(MEMBERS).filter(|more| *more > 0) {
        rows.push(member_row("└", &format!("{more} more members"), Vec::new(), Vec::new()));
    }
    rows
}

/// Rows for many passed probes: one for each role, route, case and verdict.
pub fn of_many(probes: &[&JudgedProbe]) -> Vec<Vec<Cell>> {
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
    kinds.values().filter_map(|probes| many(probes)).collect()
}

fn many(probes: &[&JudgedProbe]) -> Option<Vec<Cell>> {
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
    Some(row(
        first,
        &who,
        &message,
        verdict(first.verdict, &first.flags),
        median.unwrap_or_default(),
    ))
}

fn row(probe: &JudgedProbe, who: &str, message: &str, verdict: Cell, latency: Cell) -> Vec<Cell> {
    let style = outcome_style(probe.outcome);
    let plain = |text: &str| vec![Span::new(text, PLAIN)];
    let outcome = vec![
        Span::new(outcome_sign(probe.outcome), style),
        Span::new(probe.outcome.word(), style),
    ];
    vec![
        outcome,
        plain(who),
        plain(probe.run.as_str()),
        plain(&probe.route),
        plain(message),
        plain(case(probe)),
        verdict,
        latency,
    ]
}

fn member_row(branch: &str, who: &str, verdict: Cell, latency: Cell) -> Vec<Cell> {
    let who = vec![Span::new(branch, DIM), Span::new(who, PLAIN)];
    vec![Vec::new(), who, Vec::new(), Vec::new(), Vec::new(), Vec::new(), verdict, latency]
}

fn verdict(verdict: Verdict, flags: &[Flag]) -> Cell {
    std::iter::once(Span::new(verdict.word(), PLAIN))
        .chain(flags.iter().map(|flag| Span::new(flag.word(), REMARK)))
        .collect()
}

fn latency(milliseconds: Option<f64>, uncertainty: Option<f64>) -> Cell {
    milliseconds
        .map(|milliseconds| vec![Span::new(&interval(milliseconds, uncertainty), PLAIN)])
        .unwrap_or_default()
}
