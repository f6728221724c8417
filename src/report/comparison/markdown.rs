//! A comparison as Markdown, and the parity table in the Markdown of its run: what got worse first, each with what is different and what to do.
//!
//! What comes from mail stands in code spans or escaped. What would make it longer than GitHub takes is left out, and it says so.

use super::{alike, headline, parity, text};
use crate::model::{Comparison, Effect, LatencyShift, Outcome, Parity, ProbeChange};
use crate::report::{
    counted,
    markdown::{LIMIT, ROWS, code, prose, sign},
    outcome_sign,
};
use std::fmt::Write;

/// The comparison.
pub fn render(comparison: &Comparison) -> Vec<u8> {
    let outcome = headline::outcome(comparison);
    let mut out = format!("## {} {}\n\n", outcome_sign(outcome), prose(&headline::headline(comparison)));
    for (word, side) in [("Before", &comparison.before), ("After", &comparison.after)] {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "- {word}: {}", prose(&text::side(side)));
    }
    for remark in &comparison.remarks {
        let _ = writeln!(out, "- ⚠️ {}", prose(remark));
    }
    changes(comparison, &mut out);
    unmatched(comparison, &mut out);
    roles(comparison, &mut out);
    if comparison.latency.iter().any(|shift| shift.before + shift.after > 0) {
        out.push_str("\n### Latency\n\n");
        shifts(&comparison.latency, &mut out);
    }
    let tally: Vec<String> = text::tally(&comparison.summary).into_iter().map(|(_, said)| said).collect();
    if !tally.is_empty() {
        let _ = writeln!(out, "\nProbes: {}.", tally.join(", "));
    }
    out.into_bytes()
}

fn changes(comparison: &Comparison, out: &mut String) {
    let groups = alike::changes(&comparison.probes);
    if groups.is_empty() {
        return;
    }
    out.push_str("\n### What changed\n\n| | Recipient | Sent | What is different |\n|---|---|---|---|\n");
    let mut left = 0;
    for (number, group) in groups.iter().enumerate() {
        let Some(row) = row(group) else { continue };
        if number >= ROWS || out.len() + row.len() > LIMIT {
            left += group.len();
        } else {
            out.push_str(&row);
        }
    }
    if left > 0 {
        let _ = writeln!(
            out,
            "\nand {}; the other formats have them.",
            counted(left, "probe more", "probes more")
        );
    }
}

/// One change, and who else has the same.
fn row(group: &[&ProbeChange]) -> Option<String> {
    let (change, others) = group.split_first()?;
    let owner = change
        .owner
        .as_deref()
        .map(|owner| format!("<br>owner {}", prose(owner)))
        .unwrap_or_default();
    let mut lines: Vec<String> = text::outcomes(change)
        .map(|outcomes| format!("**{}**", prose(&outcomes)))
        .into_iter()
        .collect();
    lines.extend(
        change
            .differences
            .iter()
            .map(|difference| format!("{}: {}", prose(text::label(difference)), prose(&text::sentence(difference)))),
    );
    let reason = change.reason.as_deref().map(text::capitalised);
    lines.extend(reason.iter().chain(&change.explanation).map(|said| prose(said)));
    lines.extend(change.remedy.as_deref().map(|remedy| format!("→ {}", prose(remedy))));
    if !others.is_empty() {
        let named: Vec<String> = others.iter().map(|other| text::named(other, change)).collect();
        lines.push(format!("The same for {}", prose(&text::listed(&named))));
    }
    Some(format!(
        "| {} {} | {}{owner} | {} | {} |\n",
        colored(change.effect),
        text::effect(change.effect),
        code(&change.recipient),
        prose(&text::via(change)),
        lines.join("<br>")
    ))
}

fn unmatched(comparison: &Comparison, out: &mut String) {
    for (title, unmatched) in [("Gone", &comparison.gone), ("Added", &comparison.added)] {
        let lines = text::unmatched(unmatched);
        if !lines.is_empty() {
            let _ = writeln!(out, "\n### {title}\n");
        }
        for line in lines {
            let _ = writeln!(out, "- {}", prose(&line));
        }
    }
}

fn roles(comparison: &Comparison, out: &mut String) {
    if comparison.roles.is_empty() {
        return;
    }
    out.push_str("\n### Roles\n\n| | Role | Before | After |\n|---|---|---|---|\n");
    for role in comparison.roles.iter().take(ROWS) {
        let (name, before, after) = (prose(&role.role), prose(&role.before), prose(&role.after));
        let _ = writeln!(
            out,
            "| {} {} | {name} | {before} | {after} |",
            colored(role.effect),
            text::effect(role.effect)
        );
    }
}

fn shifts(shifts: &[LatencyShift], out: &mut String) {
    let _ = writeln!(
        out,
        "| Mail | Pairs | Before | After | {} | Finding |\n|---|---:|---:|---:|---:|---|",
        text::SHIFT
    );
    for shift in shifts.iter().take(ROWS) {
        let [pairs, before, after] = text::latency(shift);
        let _ = writeln!(
            out,
            "| {} | {pairs} | {before} | {after} | {} | {} |",
            prose(&text::way(shift)),
            text::interval(shift).unwrap_or_default(),
            text::finding(shift)
        );
    }
}

/// The parity table as a section of its run's report.
pub fn section(parity: &Parity) -> String {
    let outcome = parity::outcome(parity);
    let mut out = format!(
        "\n### {}\n\n{} **{}**\n",
        prose(&parity::title(parity)),
        sign(outcome),
        prose(&parity::sentence(parity))
    );
    let lines = parity::lines(parity);
    if !lines.is_empty() {
        let (old, new) = (prose(&parity.routes.old), prose(&parity.routes.new));
        let _ = writeln!(out, "\n| | What | {old} | {new} | Which messages |\n|---|---|---|---|---|");
        for line in lines.iter().take(ROWS) {
            let [what, old, new, whose] = [&line.what, &line.old, &line.new, &line.whose].map(|text| prose(text));
            let _ = writeln!(out, "| {} | {what} | {old} | {new} | {whose} |", colored(line.effect));
        }
        if let Some(more) = lines.len().checked_sub(ROWS).filter(|more| *more > 0) {
            let _ = writeln!(out, "\nand {}.", counted(more, "difference more", "differences more"));
        }
    }
    for remark in &parity.remarks {
        let _ = writeln!(out, "\n⚠️ {}", prose(remark));
    }
    if parity.latency.before + parity.latency.after > 0 {
        out.push('\n');
        shifts(std::slice::from_ref(&parity.latency), &mut out);
    }
    out
}

/// The sign of an effect with colour, which Markdown has only in signs.
fn colored(effect: Effect) -> &'static str {
    match effect {
        Effect::Regression => sign(Outcome::Failed),
        Effect::NotCompared => sign(Outcome::Unknown),
        Effect::Changed => "🔶",
        Effect::Improvement => sign(Outcome::Passed),
    }
}
