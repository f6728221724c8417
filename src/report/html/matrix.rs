//! Recipients x routes x messages at a glance, a table for each run: a word and a colour in each cell, which leads to the probe.
//!
//! What it cannot show: thousands of recipients for whom all is well. Beyond a number they are counted in its last row.

use super::view;
use crate::model::{Judged, JudgedProbe, Outcome};
use crate::report::counted;
use crate::report::order::rank;
use std::collections::BTreeMap;

/// With more recipients than this, those for whom everything passed are counted.
const ROWS: usize = 150;

/// The table of one run.
#[derive(Debug)]
pub struct Matrix {
    /// What it shows, and of which run where there are several.
    pub caption: String,
    /// The rows of headings above the columns: the case, the route, the message, as far as they tell columns apart.
    pub heads: Vec<Vec<Head>>,
    /// A row for each recipient.
    pub rows: Vec<Row>,
    /// How many recipients are only counted, if any.
    pub counted: Option<String>,
    /// How many columns there are beside the recipient's.
    pub width: usize,
}

/// A heading over one or more columns.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// What it says.
    pub text: String,
    /// Over how many columns.
    pub span: usize,
}

/// A recipient.
#[derive(Debug)]
pub struct Row {
    /// Its address.
    pub recipient: String,
    /// Its role.
    pub role: Option<String>,
    /// A cell for each column.
    pub cells: Vec<Option<Cell>>,
    /// The numbers of its probes, for the filter.
    pub probes: String,
    worst: u8,
}

/// What came of the probe of one recipient, route and message.
#[derive(Debug)]
pub struct Cell {
    /// Its outcome.
    pub outcome: Outcome,
    /// What came of it: `✗ bounced`.
    pub word: String,
    /// Its flags, in words.
    pub flags: String,
    /// Where it is told of.
    pub link: String,
    /// How many more probes there were here; the worst is shown.
    pub more: usize,
}

/// A column: the case, the route, the message.
type Column<'a> = (Option<&'a str>, &'a str, &'a str);

/// The tables of all runs.
pub fn matrices(judged: &Judged, worst_first: &[(usize, &JudgedProbe)], link: impl Fn(usize) -> String) -> Vec<Matrix> {
    let mut matrices = Vec::new();
    for run in &judged.runs {
        let of_run: Vec<(usize, &JudgedProbe)> = worst_first.iter().filter(|(_, probe)| probe.run == run.id).copied().collect();
        if let Some(mut matrix) = matrix(&of_run, &link) {
            if judged.runs.len() > 1 {
                matrix.caption = format!("Run {} of “{}”: {}", run.id, run.scenario, matrix.caption);
            }
            matrices.push(matrix);
        }
    }
    matrices
}

fn matrix(probes: &[(usize, &JudgedProbe)], link: &impl Fn(usize) -> String) -> Option<Matrix> {
    let mut columns: Vec<Column<'_>> = Vec::new();
    let mut by_number = probes.to_vec();
    by_number.sort_unstable_by_key(|(number, _)| *number);
    for (_, probe) in &by_number {
        let column = column(probe);
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    // What belongs together stands together; within it, the order of the run.
    let first_case = |case| columns.iter().position(|column| column.0 == case);
    let first_route = |case, route| columns.iter().position(|column| (column.0, column.1) == (case, route));
    let mut ordered = columns.clone();
    ordered.sort_by_key(|(case, route, _)| (first_case(*case), first_route(*case, *route)));

    let mut rows: Vec<Row> = Vec::new();
    let mut index: BTreeMap<&str, usize> = BTreeMap::new();
    let places: BTreeMap<Column<'_>, usize> = ordered.iter().enumerate().map(|(place, column)| (*column, place)).collect();
    // Worst first: the first probe of a cell is its worst, and the first of a row the row's.
    for (number, probe) in probes {
        let at = *index.entry(&probe.recipient).or_insert(rows.len());
        if at == rows.len() {
            rows.push(Row {
                recipient: probe.recipient.clone(),
                role: probe.role.clone(),
                cells: std::iter::repeat_with(|| None).take(ordered.len()).collect(),
                probes: String::new(),
                worst: rank(probe.outcome),
            });
        }
        let (Some(row), Some(place)) = (rows.get_mut(at), places.get(&column(probe))) else {
            continue;
        };
        if !row.probes.is_empty() {
            row.probes.push(' ');
        }
        row.probes.push_str(&number.to_string());
        match row.cells.get_mut(*place) {
            Some(Some(cell)) => cell.more += 1,
            Some(empty) => *empty = Some(cell(probe, link(*number))),
            None => {}
        }
    }
    let passed = rows.iter().filter(|row| row.worst == rank(Outcome::Passed)).count();
    let recipients = rows.len();
    let mut spared = 0;
    if recipients > ROWS {
        rows.retain(|row| row.worst < rank(Outcome::Passed));
        spared = passed;
    }
    let width = ordered.len();
    (recipients > 0).then(|| Matrix {
        caption: counted(recipients, "recipient", "recipients"),
        heads: heads(&ordered),
        rows,
        counted: (spared > 0).then(|| format!("{}: everything passed", counted(spared, "more recipient", "more recipients"))),
        width,
    })
}

fn column(probe: &JudgedProbe) -> Column<'_> {
    (probe.case.as_deref(), &probe.route, &probe.message)
}

fn cell(probe: &JudgedProbe, link: String) -> Cell {
    Cell {
        outcome: probe.outcome,
        word: view::word(probe),
        flags: view::flags(probe).join(", "),
        link,
        more: 0,
    }
}

/// The headings, row by row. A row that says the same of every column is needed only where no other row is.
fn heads(columns: &[Column<'_>]) -> Vec<Vec<Head>> {
    type Said = fn(&Column<'_>) -> String;
    let says: [Said; 3] = [
        |(case, _, _)| case.map(|case| format!("“{case}”")).unwrap_or_default(),
        |(_, route, _)| format!("by {route}"),
        |(_, _, message)| (*message).to_owned(),
    ];
    let mut heads = Vec::new();
    for level in 0..says.len() {
        // A heading ends where it changes, and where one above it does.
        let texts: Vec<Vec<String>> = columns
            .iter()
            .map(|column| says[..=level].iter().map(|say| say(column)).collect())
            .collect();
        if level == 0 && texts.iter().all(|text| text[0].is_empty()) {
            continue;
        }
        let runs = texts.chunk_by(|a, b| a == b);
        heads.push(
            runs.map(|run| Head {
                text: run[0][level].clone(),
                span: run.len(),
            })
            .collect(),
        );
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_span_what_belongs_together() {
        let head = |text: &str, span| Head {
            text: text.to_owned(),
            span,
        };
        let columns = [
            (None, "old", "plain"),
            (None, "old", "link"),
            (None, "new", "plain"),
            (Some("spam"), "new", "gtube"),
        ];
        assert_eq!(
            heads(&columns),
            [
                vec![head("", 3), head("“spam”", 1)],
                vec![head("by old", 2), head("by new", 1), head("by new", 1)],
                vec![head("plain", 1), head("link", 1), head("plain", 1), head("gtube", 1)],
            ]
        );
        assert_eq!(heads(&columns[..1]), [vec![head("by old", 1)], vec![head("plain", 1)]]);
    }
}
