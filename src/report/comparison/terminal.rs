//! A comparison for people: what got worse first, each with what is different; then latency, roles, who is gone; one headline.

use super::{alike, text};
use crate::model::{Comparison, Effect, LatencyShift, Outcome, ProbeChange, ShiftFinding, Unmatched};
use crate::report::{
    Style,
    paint::{BOLD, DIM, PLAIN, REMARK, Span, outcome_sign, outcome_style},
    sheet::Sheet,
    table::{self, Column, Fit, Row},
    text::{shorten, shorten_address},
};

/// The comparison.
pub fn render(comparison: &Comparison, style: &Style) -> String {
    let mut sheet = Sheet::new(style);
    sheet.labelled("before", &text::side(&comparison.before), PLAIN);
    sheet.labelled("after", &text::side(&comparison.after), PLAIN);
    for remark in &comparison.remarks {
        sheet.prose(2, "! ", remark, REMARK);
    }
    for group in alike::changes(&comparison.probes) {
        sheet.gap();
        changed(&group, style.verbose, &mut sheet);
    }
    unmatched("Gone", &comparison.gone, &mut sheet);
    unmatched("Added", &comparison.added, &mut sheet);
    roles(comparison, &mut sheet);
    shifts(&comparison.latency, &mut sheet);
    sheet.gap();
    let outcome = text::outcome(comparison);
    let sign = format!("{} ", outcome_sign(outcome));
    sheet.prose(0, &sign, &text::headline(comparison), outcome_style(outcome).bold());
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
    let room = sheet.width.saturating_sub(2);
    let address = Span::new(&change.recipient, BOLD);
    let address = address.with(shorten_address(address.text(), room));
    let via = Span::new(&text::via(change), DIM);
    let sign = Span::new(&format!("{sign} "), style);
    if 2 + address.width() + 2 + via.width() <= sheet.width {
        sheet.line(&[sign, address, Span::new("  ", PLAIN), via]);
    } else {
        sheet.line(&[sign, address]);
        sheet.line(&[Span::new("  ", PLAIN), via.with(shorten(via.text(), room))]);
    }
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
        let names: Vec<String> = others.iter().map(|other| named(other, change)).collect();
        sheet.labelled("the same for", &text::listed(&names), PLAIN);
    }
}

/// An address, with what differs from the first of its group.
fn named(change: &ProbeChange, first: &ProbeChange) -> String {
    let mut further = Vec::new();
    if change.message != first.message {
        further.push(change.message.clone());
    }
    if change.route != first.route {
        further.extend(change.route.as_ref().map(|route| format!("by {route}")));
    }
    if change.case != first.case {
        further.push(
            change
                .case
                .as_ref()
                .map_or_else(|| "no case".to_owned(), |case| format!("“{case}”")),
        );
    }
    if further.is_empty() {
        change.recipient.clone()
    } else {
        format!("{} ({})", change.recipient, further.join(", "))
    }
}

fn unmatched(title: &str, unmatched: &Unmatched, sheet: &mut Sheet) {
    let lines = text::unmatched(unmatched);
    if lines.is_empty() {
        return;
    }
    sheet.gap();
    for (index, line) in lines.iter().enumerate() {
        sheet.labelled(if index == 0 { title } else { "" }, line, PLAIN);
    }
}

fn roles(comparison: &Comparison, sheet: &mut Sheet) {
    if comparison.roles.is_empty() {
        return;
    }
    sheet.gap();
    for role in &comparison.roles {
        let (sign, style) = sign(role.effect);
        sheet.line(&[Span::new(&format!("{sign} "), style), Span::new(&role.role, BOLD)]);
        sheet.labelled("role", &text::role(role), PLAIN);
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
        column("Shift, 99 % sure", true),
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
    table::write(&columns, &rows, sheet.width, sheet.color, &mut sheet.out);
}
