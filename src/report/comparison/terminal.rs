//! A comparison for people: what got worse first, each with what is different; then latency, roles, who is gone; one headline.

use super::{alike, headline, text};
use crate::model::{Comparison, Effect, LatencyShift, Outcome, ProbeChange, ShiftFinding};
use crate::report::{
    Style,
    paint::{BOLD, DIM, PLAIN, REMARK, Span, outcome_sign, outcome_style},
    sheet::Sheet,
    table::{Column, Fit, Row},
};

/// The comparison.
pub fn render(comparison: &Comparison, style: &Style) -> String {
    let mut sheet = Sheet::new(style);
    sheet.labelled("before", &text::side(&comparison.before), PLAIN);
    sheet.labelled("after", &text::side(&comparison.after), PLAIN);
    for remark in &comparison.remarks {
        sheet.prose(2, "! ", remark, REMARK);
    }
    let mut under = None;
    for group in alike::changes(&comparison.probes) {
        sheet.gap();
        let effect = group.first().map(|change| change.effect);
        if let Some(effect) = effect.filter(|_| effect != under) {
            let (_, style) = sign(effect);
            sheet.line(&[Span::new(text::title(effect), style.bold())]);
            under = Some(effect);
        }
        changed(&group, style.verbose, &mut sheet);
    }
    unmatched(comparison, &mut sheet);
    roles(comparison, &mut sheet);
    shifts(&comparison.latency, &mut sheet);
    sheet.gap();
    let outcome = headline::outcome(comparison);
    let sign = format!("{} ", outcome_sign(outcome));
    sheet.prose(0, &sign, &headline::headline(comparison), outcome_style(outcome).bold());
    sheet.out
}

/// The sign of an effect, and its colour.
pub fn sign(effect: Effect) -> (&'static str, anstyle::Style) {
    match effect {
        Effect::Regression => ("✗", outcome_style(Outcome::Failed)),
        Effect::NotCompared => ("?", outcome_style(Outcome::Unknown)),
        Effect::Changed => ("≠", REMARK),
        Effect::Improvement => ("✓", outcome_style(Outcome::Passed)),
    }
}

/// One change, and who else has the same.
fn changed(group: &[&ProbeChange], verbose: bool, sheet: &mut Sheet) {
    let [change, others @ ..] = group else { return };
    let (sign, style) = sign(change.effect);
    sheet.title(Span::new(sign, style), &change.recipient, &text::via(change));
    if let Some(outcomes) = text::outcomes(change) {
        sheet.labelled("outcome", &outcomes, style);
    }
    for difference in &change.differences {
        sheet.labelled(text::label(difference), &text::sentence(difference), PLAIN);
    }
    if let Some(reason) = &change.reason {
        sheet.labelled("why", reason, PLAIN);
    }
    if change.effect == Effect::Regression || verbose {
        if let Some(explanation) = &change.explanation {
            sheet.labelled("now", explanation, PLAIN);
        }
        if let Some(remedy) = &change.remedy {
            sheet.labelled("→", remedy, BOLD);
        }
    }
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(|other| text::named(other, change)).collect();
        sheet.labelled("the same for", &text::listed(&names), PLAIN);
    }
}

fn unmatched(comparison: &Comparison, sheet: &mut Sheet) {
    let both = [("Gone", &comparison.gone), ("Added", &comparison.added)].map(|(title, unmatched)| (title, text::unmatched(unmatched)));
    if both.iter().any(|(_, lines)| !lines.is_empty()) {
        sheet.gap();
    }
    for (title, lines) in &both {
        for (index, line) in lines.iter().enumerate() {
            sheet.labelled(if index == 0 { title } else { "" }, line, PLAIN);
        }
    }
}

fn roles(comparison: &Comparison, sheet: &mut Sheet) {
    if comparison.roles.is_empty() {
        return;
    }
    sheet.gap();
    sheet.line(&[Span::new("Roles", BOLD)]);
    for role in &comparison.roles {
        let (sign, style) = sign(role.effect);
        sheet.line(&[Span::new(&format!("{sign} "), style), Span::new(&role.role, BOLD)]);
        sheet.labelled("role", &text::role(role), style);
    }
}

/// The latencies in a table.
pub fn shifts(shifts: &[LatencyShift], sheet: &mut Sheet) {
    if shifts.iter().all(|shift| shift.before + shift.after == 0) {
        return;
    }
    let column = |title, right| Column {
        title,
        fit: if right { Fit::Whole } else { Fit::Shorten },
        right,
    };
    let columns = [
        column("Latency", false),
        column("Pairs", true),
        column("Before", true),
        column("After", true),
        column(text::SHIFT, true),
        column("Finding", false),
    ];
    let plain = |text: String| {
        if text.is_empty() {
            Vec::new()
        } else {
            vec![Span::new(&text, PLAIN)]
        }
    };
    let rows: Vec<Row> = shifts
        .iter()
        .map(|shift| {
            let style = match shift.finding {
                ShiftFinding::Slower => outcome_style(Outcome::Failed),
                ShiftFinding::Faster => outcome_style(Outcome::Passed),
                ShiftFinding::None | ShiftFinding::TooFew => DIM,
            };
            let [pairs, before, after] = text::latency(shift).map(plain);
            let interval = plain(text::interval(shift).unwrap_or_default());
            let finding = vec![Span::new(&text::finding(shift), style)];
            Row::from(vec![plain(text::way(shift)), pairs, before, after, interval, finding])
        })
        .collect();
    sheet.gap();
    sheet.table(&columns, &rows);
}
