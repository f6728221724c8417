//! Tables that fit their width: long cells are shortened in the middle, columns never drift.

use super::paint::{BOLD, PLAIN, Span};
use super::{Style, text};

const GAP: usize = 2;
/// No column is made narrower than this while another can still give way.
const NARROW: usize = 8;

/// Most addresses fit so many columns.
const COMFORT: usize = 32;

/// How a column gives way when the table is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does not.
    Whole,
    /// Left out in the middle.
    Shorten,
    /// Left out in the middle of an address.
    Address,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// How it gives way.
    pub fit: Fit,
    /// Whether its cells stand at its right edge, as numbers do.
    pub right: bool,
}

/// What stands in one cell: spans, set apart by one space.
pub type Cell = Vec<Span>;

/// A row, and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// As many cells as there are columns.
    pub cells: Vec<Cell>,
    /// Nothing, or a cell for each column, which may go on over the columns to its right, up to the next that is not empty.
    pub below: Vec<Cell>,
}

impl From<Vec<Cell>> for Row {
    fn from(cells: Vec<Cell>) -> Self {
        Self { cells, below: Vec::new() }
    }
}

impl Row {
    /// Takes a column out.
    pub fn remove(&mut self, column: usize) {
        self.cells.remove(column);
        if column < self.below.len() {
            self.below.remove(column);
        }
    }
}

/// Appends the table to `out`. Lines are at most `width` columns wide, as long as the columns that do not give way leave room for that.
pub fn write(columns: &[Column], rows: &[Row], width: usize, color: bool, out: &mut String) {
    let titles = Row::from(titles(columns));
    let widths = widths(columns, rows, width);
    for row in std::iter::once(&titles).chain(rows) {
        let cells = columns.iter().zip(&row.cells).zip(&widths);
        line(
            cells.map(|((column, cell), width)| (column.right, *width, fit(column.fit, cell, *width))),
            color,
            out,
        );
        below(&row.below, &widths, color, out);
    }
}

/// The lines below a row.
fn below(cells: &[Cell], widths: &[usize], color: bool, out: &mut String) {
    let starts: Vec<usize> = widths
        .iter()
        .scan(0, |start, width| Some(std::mem::replace(start, *start + width + GAP)))
        .collect();
    let edge = widths.iter().sum::<usize>() + GAP * widths.len();
    let filled: Vec<(usize, &Cell)> = starts.into_iter().zip(cells).filter(|(_, cell)| !cell.is_empty()).collect();
    let ends = filled.iter().skip(1).map(|(start, _)| *start).chain([edge]);
    let mut cells: Vec<(usize, Vec<Cell>)> = filled
        .iter()
        .zip(ends)
        .map(|((start, cell), end)| (end - start - GAP, wrap(cell, end - start - GAP)))
        .collect();
    if let Some((start, _)) = filled.first().filter(|(start, _)| *start > 0) {
        cells.insert(0, (start - GAP, Vec::new()));
    }
    for number in 0..cells.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0) {
        line(
            cells
                .iter()
                .map(|(width, lines)| (false, *width, lines.get(number).cloned().unwrap_or_default())),
            color,
            out,
        );
    }
}

/// One line of cells: whether it stands at the right, its column's width, its spans.
fn line(cells: impl Iterator<Item = (bool, usize, Cell)>, color: bool, out: &mut String) {
    // Blanks are held back until something follows them: no line ends in spaces.
    let mut blanks = 0;
    for (right, width, spans) in cells {
        let left = width.saturating_sub(taken(&spans));
        if right {
            blanks += left;
        }
        for (index, span) in spans.iter().enumerate() {
            out.extend(std::iter::repeat_n(' ', std::mem::take(&mut blanks) + usize::from(index > 0)));
            span.write(color, out);
        }
        blanks += GAP + if right { 0 } else { left };
    }
    out.push('\n');
}

/// Spans in lines of that width. None is broken; one that is wider alone is shortened.
fn wrap(spans: &[Span], width: usize) -> Vec<Cell> {
    let mut lines: Vec<Cell> = Vec::new();
    for span in spans {
        let span = span.with(text::shorten(span.text(), width));
        match lines.last_mut() {
            Some(line) if taken(line) + 1 + span.width() <= width => line.push(span),
            _ => lines.push(vec![span]),
        }
    }
    lines
}

/// A table of plain words, all of whose columns give way where it is too wide for the terminal.
pub fn plain(titles: &[&'static str], rows: &[Vec<String>], style: &Style) -> String {
    let columns: Vec<Column> = titles
        .iter()
        .map(|title| Column {
            title,
            fit: Fit::Shorten,
            right: false,
        })
        .collect();
    let cell = |text: &String| {
        if text.is_empty() {
            Vec::new()
        } else {
            vec![Span::new(text, PLAIN)]
        }
    };
    let rows: Vec<Row> = rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().into()).collect();
    let mut out = String::new();
    write(&columns, &rows, style.width, style.color, &mut out);
    out
}

/// How wide the table would like to be: whole, but for addresses and names that are unusually long.
pub fn comfortable_width(columns: &[Column], rows: &[Row]) -> usize {
    let widths = widths(columns, rows, usize::MAX);
    let comfort = |(column, width): (&Column, usize)| if column.fit == Fit::Whole { width } else { width.min(COMFORT) };
    columns.iter().zip(widths).map(comfort).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}

fn titles(columns: &[Column]) -> Vec<Cell> {
    columns.iter().map(|column| vec![Span::new(column.title, BOLD)]).collect()
}

/// The columns that spans take beside each other.
fn taken(spans: &[Span]) -> usize {
    spans.iter().map(Span::width).sum::<usize>() + spans.len().saturating_sub(1)
}

/// How wide each column is, so that all fit `width` if that can be.
fn widths(columns: &[Column], rows: &[Row], width: usize) -> Vec<usize> {
    let titles = titles(columns);
    let widest = |index: usize| {
        rows.iter()
            .filter_map(|row| row.cells.get(index))
            .chain(titles.get(index))
            .map(|cell| taken(cell))
            .max()
    };
    let mut widths: Vec<usize> = (0..columns.len()).map(|index| widest(index).unwrap_or(0)).collect();
    let mut excess = (widths.iter().sum::<usize>() + GAP * columns.len().saturating_sub(1)).saturating_sub(width);
    // Column by column, always the widest: short ones stay whole as long as possible.
    while excess > 0 {
        let widest = (0..columns.len())
            .filter(|index| columns[*index].fit != Fit::Whole && widths[*index] > NARROW)
            .max_by_key(|index| widths[*index]);
        let Some(widest) = widest else { break };
        widths[widest] -= 1;
        excess -= 1;
    }
    widths
}

/// A cell in a column of that width. The last span gives way: what stands before it is a sign.
fn fit(fit: Fit, cell: &Cell, width: usize) -> Cell {
    let Some((last, before)) = cell.split_last().filter(|_| fit != Fit::Whole) else {
        return cell.clone();
    };
    let left = width.saturating_sub(taken(before) + usize::from(!before.is_empty()));
    let short = if fit == Fit::Address {
        text::shorten_address(last.text(), left)
    } else {
        text::shorten(last.text(), left)
    };
    before.iter().cloned().chain([last.with(short)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column {
            title: "Who",
            fit: Fit::Address,
            right: false,
        },
        Column {
            title: "What",
            fit: Fit::Whole,
            right: false,
        },
        Column {
            title: "ms",
            fit: Fit::Whole,
            right: true,
        },
    ];

    fn table(rows: &[[&str; 3]], width: usize) -> String {
        let cell = |text: &&str| vec![Span::new(text, PLAIN)];
        let rows: Vec<Row> = rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().into()).collect();
        let mut out = String::new();
        write(&COLUMNS, &rows, width, false, &mut out);
        out
    }

    #[test]
    fn a_table_with_room_is_as_narrow_as_its_cells() {
        assert_eq!(
            table(&[["a@b", "inbox", "7"], ["収@b", "junk", "1234"]], 80),
            "Who   What     ms\na@b   inbox     7\n収@b  junk   1234\n"
        );
    }

    #[test]
    fn a_table_without_room_shortens_what_may_be_shortened() {
        let rows = [["admin@contoso.example", "inbox", "7"]];
        assert_eq!(table(&rows, 27), "Who               What   ms\nadmin@conto…mple  inbox   7\n");
        assert_eq!(table(&rows, 3), "Who       What   ms\nadmi…ple  inbox   7\n");
    }

    #[test]
    fn what_stands_below_may_go_on_to_the_right() {
        let cell = |words: &[&str]| words.iter().map(|text| Span::new(text, PLAIN)).collect::<Cell>();
        let cells = vec![cell(&["admin@contoso.example"]), cell(&["inbox"]), cell(&["0.32"])];
        let row = |below: [&[&str]; 3]| Row {
            cells: cells.clone(),
            below: below.map(cell).into(),
        };
        let mut out = String::new();
        write(
            &COLUMNS,
            &[
                row([&[], &["late,", "duplicated,", "quarantine-unchecked"], &[]]),
                row([&["case"], &["late"], &[]]),
                row([&["a", "case"], &[], &[]]),
            ],
            80,
            false,
            &mut out,
        );
        let expected = [
            "Who                    What     ms",
            "admin@contoso.example  inbox  0.32",
            "                       late,",
            "                       duplicated,",
            "                       quara…ecked",
            "admin@contoso.example  inbox  0.32",
            "case                   late",
            "admin@contoso.example  inbox  0.32",
            "a case",
        ];
        assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn plain_tables_take_any_words() {
        let style = Style {
            width: 24,
            ..Style::default()
        };
        let rows = [
            vec!["k3v7q2m4x".to_owned(), "a scenario with a name".to_owned()],
            vec!["\u{1b}[2J".to_owned(), String::new()],
        ];
        assert_eq!(
            plain(&["run", "scenario"], &rows, &style),
            "run        scenario\nk3v7q2m4x  a scen…a name\n\\x1b[2J\n"
        );
    }

    #[test]
    fn columns_stand_in_line_whatever_the_width() {
        let rows = [
            [
                "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}@contoso.example",
                "inbox",
                "7",
            ],
            ["収件箱収件箱@例え.example", "junk", "12"],
        ];
        for width in 25..60 {
            for line in table(&rows, width).lines() {
                assert!(text::width(line) <= width, "{width}: {line}");
            }
            let ends: Vec<usize> = table(&rows, width).lines().map(text::width).collect();
            assert!(ends.iter().all(|end| *end == ends[0]), "{width}: {ends:?}");
        }
    }
}
