//! The parity table of two routes, in the report of their run: each difference once, as it is by the one and by the other, and which messages have
//! it; what could not be measured; whether the new route may replace the old one.

use super::{alike, terminal, text};
use crate::model::{Effect, Outcome, Parity, ProbeChange, Ready};
use crate::report::{
    Style,
    paint::{BOLD, PLAIN, REMARK, Span, outcome_sign, outcome_style},
    sheet::Sheet,
    table::{Column, Fit, Row},
};

/// As an exit code counts it: a route that does something else fails the run.
pub fn outcome(parity: &Parity) -> Outcome {
    match parity.ready {
        Ready::Yes => Outcome::Passed,
        Ready::No => Outcome::Failed,
        Ready::CannotBeTold => Outcome::Unknown,
    }
}

/// What stands above the table.
pub fn title(parity: &Parity) -> String {
    format!("{} → {}, side by side", parity.routes.old, parity.routes.new)
}

/// The headline as a sentence of its own.
pub fn sentence(parity: &Parity) -> String {
    format!("{}.", text::capitalised(&parity.headline))
}

/// A row of the table.
pub struct Line {
    /// What it comes to.
    pub effect: Effect,
    /// What is different.
    pub what: String,
    /// By the old route.
    pub old: String,
    /// By the new one.
    pub new: String,
    /// What else there is to say, and which messages have it.
    pub whose: String,
}

/// The rows: differences that stand against it, those to the better, what could not be measured.
pub fn lines(parity: &Parity) -> Vec<Line> {
    let mut lines: Vec<Line> = alike::differences(&parity.probes)
        .into_iter()
        .map(|shared| {
            let difference = shared.difference;
            let note = difference.note.as_ref().map(|note| format!("{note}; ")).unwrap_or_default();
            Line {
                effect: if shared.better { Effect::Improvement } else { Effect::Regression },
                what: text::whole_label(difference),
                old: difference.before.clone(),
                new: difference.after.clone(),
                whose: format!("{note}{}", whose(&shared.changes, parity.pairs)),
            }
        })
        .collect();
    for change in &parity.probes {
        let of = || whose(&[change], parity.pairs);
        match (&change.reason, change.effect) {
            (Some(reason), Effect::NotCompared) => lines.push(Line {
                effect: Effect::NotCompared,
                what: "not measured".to_owned(),
                old: change.outcome_before.word().to_owned(),
                new: change.outcome_after.word().to_owned(),
                whose: format!("{}: {reason}", of()),
            }),
            (_, effect) if change.differences.is_empty() => lines.push(Line {
                effect: if effect == Effect::Improvement {
                    effect
                } else {
                    Effect::Regression
                },
                what: "outcome".to_owned(),
                old: change.outcome_before.word().to_owned(),
                new: change.outcome_after.word().to_owned(),
                whose: of(),
            }),
            _ => {}
        }
    }
    lines
}

/// `all 12 messages`, or the kinds of message with the addresses that they went to: `plain, link to ok@contoso.example`.
fn whose(changes: &[&ProbeChange], pairs: u32) -> String {
    if changes.len() > 1 && changes.len() == pairs as usize {
        return format!("all {pairs} messages");
    }
    let mut kinds: Vec<(&str, Vec<String>)> = Vec::new();
    for change in changes {
        let kind = match &change.case {
            Some(case) => format!("{} “{case}”", change.message),
            None => change.message.clone(),
        };
        match kinds.iter_mut().find(|(who, _)| *who == change.recipient) {
            Some((_, kinds)) => kinds.push(kind),
            None => kinds.push((&change.recipient, vec![kind])),
        }
    }
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for (who, kinds) in kinds {
        let kinds = kinds.join(", ");
        match alike.iter_mut().find(|(known, _)| *known == kinds) {
            Some((_, all)) => all.push(who),
            None => alike.push((kinds, vec![who])),
        }
    }
    let said: Vec<String> = alike
        .iter()
        .map(|(kinds, who)| format!("{kinds} to {}", text::listed(who)))
        .collect();
    said.join("; ")
}

/// The table on a terminal.
pub fn terminal(parity: &Parity, style: &Style) -> String {
    let mut sheet = Sheet::new(style);
    sheet.line(&[Span::new(&title(parity), BOLD)]);
    let lines = lines(parity);
    if !lines.is_empty() {
        let column = |title, fit| Column { title, fit, right: false };
        let columns = [
            column("", Fit::Whole),
            column("What", Fit::Whole),
            column("Old", Fit::Shorten),
            column("New", Fit::Shorten),
        ];
        let plain = |text: &str| vec![Span::new(text, PLAIN)];
        let rows: Vec<Row> = lines
            .iter()
            .map(|line| {
                let (sign, style) = terminal::sign(line.effect);
                let words = line
                    .whose
                    .split(' ')
                    .map(|word| Span::new(word, crate::report::paint::DIM))
                    .collect();
                Row {
                    cells: vec![vec![Span::new(sign, style)], plain(&line.what), plain(&line.old), plain(&line.new)],
                    below: vec![Vec::new(), words],
                }
            })
            .collect();
        sheet.table(&columns, &rows);
    }
    terminal::shifts(std::slice::from_ref(&parity.latency), &mut sheet);
    for remark in &parity.remarks {
        sheet.prose(0, "! ", remark, REMARK);
    }
    let outcome = outcome(parity);
    let sign = format!("{} ", outcome_sign(outcome));
    sheet.prose(0, &sign, &sentence(parity), outcome_style(outcome).bold());
    sheet.out
}
