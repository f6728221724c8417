//! The text of a configuration file: byte offsets to lines and columns.

use std::ops::Range;

/// Where something stands: bytes of the file's text.
pub(super) type Span = Range<usize>;

/// A text, and where its lines begin.
pub(super) struct Source<'a> {
    /// The whole text.
    pub(super) text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Finds the lines of `text`. They end in LF, CRLF or CR (YAML 1.2 section 5.4).
    pub(super) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|&(at, &byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The number of the line that holds this byte, from 0.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// The same from 1, as people count.
    pub(super) fn line_number(&self, offset: usize) -> u32 {
        u32::try_from(self.line_of(offset) + 1).unwrap_or(u32::MAX)
    }

    /// The bytes of a line, without its end.
    pub(super) fn line(&self, number: usize) -> Span {
        let start = self.starts.get(number).copied().unwrap_or(self.text.len());
        let end = self.starts.get(number + 1).copied().unwrap_or(self.text.len());
        let length = self.slice(&(start..end)).trim_end_matches(['\r', '\n']).len();
        start..start + length
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.starts.len()
    }

    /// The text in a span; empty where the span does not fit the text.
    pub(super) fn slice(&self, span: &Span) -> &'a str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// The byte at which the `number`-th character of the text begins.
    pub(super) fn offset_of_character(&self, number: usize) -> usize {
        self.text.char_indices().nth(number).map_or(self.text.len(), |(offset, _)| offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_every_way_that_yaml_knows() {
        let source = Source::new("a\r\nbb\rc\n\nd");
        let lines: Vec<&str> = (0..source.lines()).map(|line| source.slice(&source.line(line))).collect();
        assert_eq!(lines, ["a", "bb", "c", "", "d"]);
        assert_eq!(source.line_number(0), 1);
        assert_eq!(source.line_number(3), 2);
        assert_eq!(source.line_number(99), 5, "past the end is the last line");
        assert_eq!(source.slice(&(3..99)), "");
    }
}
