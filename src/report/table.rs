//! Tables that fit their width: long cells are shortened in the middle or wrapped at spaces, columns never drift.

use super::paint::{BOLD, PLAIN, Span};
use super::{Style, text};

const GAP: usize = 2;
/// No column is made narrower than this while another can still give way.
const NARROW: usize = 8;

/// How a column gives way when the table is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does not.
    Whole,
    /// Its spans go on the next line; none is broken.
    Wrap,
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

/// Appends the table to `out`. Each row has as many cells as there are columns; lines are at most `width` columns wide, as long as
/// the columns that do not give way leave room for that.
pub fn write(columns: &[Column], rows: &[Vec<Cell>], width: usize, color: bool, out: &mut String) {
    let titles = titles(columns);
    let widths = widths(columns, &titles, rows, width);
    for row in std::iter::once(&titles).chain(rows) {
        let cells: Vec<Vec<Cell>> = columns
            .iter()
            .zip(row)
            .zip(&widths)
            .map(|((column, cell), width)| fit(column.fit, cell, *width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let mut blanks = 0;
            for ((column, cell), width) in columns.iter().zip(&cells).zip(&widths) {
                let spans = cell.get(line).map(Vec::as_slice).unwrap_or_default();
                let left = width.saturating_sub(taken(spans));
                // Blanks are held back until something follows them: no line ends in spaces.
                if column.right {
                    blanks += left;
                }
                for (index, span) in spans.iter().enumerate() {
                    out.extend(std::iter::repeat_n(' ', std::mem::take(&mut blanks) + usize::from(index > 0)));
                    span.write(color, out);
                }
                blanks += GAP + if column.right { 0 } else { left };
            }
            out.push('\n');
        }
    }
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
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let mut out = String::new();
    write(&columns, &rows, style.width, style.color, &mut out);
    out
}

/// How wide the table is if nothing gives way.
pub fn natural_width(columns: &[Column], rows: &[Vec<Cell>]) -> usize {
    let titles = titles(columns);
    widths(columns, &titles, rows, usize::MAX).iter().sum::<usize>() + GAP * columns.len().saturating_sub(1)
}

fn titles(columns: &[Column]) -> Vec<Cell> {
    columns.iter().map(|column| vec![Span::new(column.title, BOLD)]).collect()
}

/// The columns that spans take beside each other.
fn taken(spans: &[Span]) -> usize {
    spans.iter().map(Span::width).sum::<usize>() + spans.len().saturating_sub(1)
}

/// How wide each column is, so that all fit `width` if that can be.
fn widths(columns: &[Column], titles: &[Cell], rows: &[Vec<Cell>], width: usize) -> Vec<usize> {
    let cells = |index: usize| rows.iter().filter_map(move |row| row.get(index)).chain(titles.get(index));
    let mut widths: Vec<usize> = (0..columns.len())
        .map(|index| cells(index).map(|cell| taken(cell)).max().unwrap_or(0))
        .collect();
    let mut excess = (widths.iter().sum::<usize>() + GAP * columns.len().saturating_sub(1)).saturating_sub(width);
    for (index, column) in columns.iter().enumerate() {
        if column.fit == Fit::Wrap {
            let widest_span = cells(index).flatten().map(Span::width).max().unwrap_or(0);
            let given = excess.min(widths[index].saturating_sub(widest_span));
            widths[index] -= given;
            // What wraps seldom fills its lines: the column is as wide as the widest of them.
            let filled = cells(index)
                .flat_map(|cell| fit(Fit::Wrap, cell, widths[index]))
                .map(|line| taken(&line))
                .max()
                .unwrap_or(0);
            excess = excess.saturating_sub(given + widths[index] - filled);
            widths[index] = filled;
        }
    }
    // Column by column, always the widest: short ones stay whole as long as possible.
    while excess > 0 {
        let widest = (0..columns.len())
            .filter(|index| matches!(columns[*index].fit, Fit::Shorten | Fit::Address) && widths[*index] > NARROW)
            .max_by_key(|index| widths[*index]);
        let Some(widest) = widest else { break };
        widths[widest] -= 1;
        excess -= 1;
    }
    widths
}

/// The lines of a cell in a column of that width.
fn fit(fit: Fit, cell: &Cell, width: usize) -> Vec<Cell> {
    match fit {
        Fit::Whole => vec![cell.clone()],
        Fit::Wrap => {
            let mut lines: Vec<Cell> = vec![Vec::new()];
            for span in cell {
                if let Some(line) = lines.last_mut()
                    && (line.is_empty() || taken(line) + 1 + span.width() <= width)
                {
                    line.push(span.clone());
                } else {
                    lines.push(vec![span.clone()]);
                }
            }
            lines
        }
        // The last span gives way: what stands before it is a sign.
        Fit::Shorten | Fit::Address => {
            let Some((last, before)) = cell.split_last() else {
                return vec![Vec::new()];
            };
            let left = width.saturating_sub(taken(before) + usize::from(!before.is_empty()));
            let short = if fit == Fit::Address {
                text::shorten_address(last.text(), left)
            } else {
                text::shorten(last.text(), left)
            };
            vec![before.iter().cloned().chain([last.with(short)]).collect()]
        }
    }
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
            fit: Fit::Wrap,
            right: false,
        },
        Column {
            title: "ms",
            fit: Fit::Whole,
            right: true,
        },
    ];

    fn table(rows: &[[&str; 3]], width: usize) -> String {
        let cell = |text: &&str| text.split('|').map(|span| Span::new(span, PLAIN)).collect();
        let rows: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
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
    fn wrapping_comes_before_shortening() {
        let rows = [["admin@contoso.example", "inbox|late|moved", "7"]];
        assert_eq!(
            table(&rows, 40),
            "Who                    What        ms\nadmin@contoso.example  inbox late   7\n                       moved\n"
        );
        assert_eq!(
            table(&rows, 27),
            "Who               What   ms\nadmin@conto…mple  inbox   7\n                  late\n                  moved\n"
        );
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
