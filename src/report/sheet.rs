//! A sheet of terminal text: paragraphs and labelled lines, wrapped to its width.

use super::paint::{BOLD, DIM, PLAIN, Span};
use super::table::{self, Column, Row};
use super::{Style, text};

/// Sentences are not set wider than this: long lines are hard to read.
const PROSE: usize = 110;
/// How wide labels are.
const LABEL: usize = 13;

/// What is written so far, and how it looks.
pub struct Sheet {
    /// How many columns there are.
    pub width: usize,
    /// Whether ANSI colours are used.
    pub color: bool,
    /// The text.
    pub out: String,
}

impl Sheet {
    /// An empty one.
    pub fn new(style: &Style) -> Self {
        Self {
            width: style.width.max(40),
            color: style.color,
            out: String::new(),
        }
    }

    /// An empty line, but not at the beginning.
    pub fn gap(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    /// Spans on one line.
    pub fn line(&mut self, spans: &[Span]) {
        for span in spans {
            span.write(self.color, &mut self.out);
        }
        self.out.push('\n');
    }

    /// A sign, an address, and how the mail went: beside it where there is room, else below.
    pub fn title(&mut self, sign: Span, address: &str, via: &str) {
        let room = self.width.saturating_sub(2);
        let address = Span::new(address, BOLD);
        let address = address.with(text::shorten_address(address.text(), room));
        let via = Span::new(via, DIM);
        let space = |width| Span::new(&" ".repeat(width), PLAIN);
        if 2 + address.width() + 2 + via.width() <= self.width {
            self.line(&[sign, space(1), address, space(2), via]);
        } else {
            self.line(&[sign, space(1), address]);
            self.line(&[space(2), via.with(text::shorten(via.text(), room))]);
        }
    }

    /// A table that fits.
    pub fn table(&mut self, columns: &[Column], rows: &[Row]) {
        table::write(columns, rows, self.width, self.color, &mut self.out);
    }

    /// A wrapped paragraph, with `sign` before its first line.
    pub fn prose(&mut self, indent: usize, sign: &str, sentence: &str, style: anstyle::Style) {
        let hanging = indent + text::width(sign);
        let columns = self.width.min(PROSE).saturating_sub(hanging);
        for (index, line) in text::wrap(&text::escape(sentence), columns).into_iter().enumerate() {
            self.out.extend(std::iter::repeat_n(' ', if index == 0 { indent } else { hanging }));
            Span::new(&format!("{}{line}", if index == 0 { sign } else { "" }), style).write(self.color, &mut self.out);
            self.out.push('\n');
        }
    }

    /// A label and its text, wrapped beside it.
    pub fn labelled(&mut self, label: &str, line: &str, style: anstyle::Style) {
        let label = text::escape(label);
        let label = text::shorten(&label, LABEL - 1);
        let columns = self.width.saturating_sub(2 + LABEL);
        for (index, line) in text::wrap(&text::escape(line), columns).into_iter().enumerate() {
            let label = if index == 0 { &*label } else { "" };
            let pad = LABEL - text::width(label);
            self.out.push_str("  ");
            if !label.is_empty() {
                Span::new(label, DIM).write(self.color, &mut self.out);
            }
            self.out.extend(std::iter::repeat_n(' ', pad));
            Span::new(&line, style).write(self.color, &mut self.out);
            self.out.push('\n');
        }
    }
}
