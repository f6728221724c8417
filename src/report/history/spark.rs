//! Spark lines: a course in one line of characters, a character for each part of it.

use crate::model::{Counts, Outcome, Part};
use crate::report::paint::{DIM, PLAIN, Span, outcome_style};

/// What spark lines are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// Unicode's block elements.
    Unicode,
    /// For terminals whose locale is not UTF-8.
    Ascii,
}

/// The levels, lowest first.
const UNICODE: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII: [char; 8] = ['_', '.', '-', '~', '=', '+', '*', '#'];

impl Blocks {
    /// The character of a level between 0 and 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped before; a float casts to the nearest integer"
    )]
    fn level(self, level: f64) -> char {
        let levels = match self {
            Self::Unicode => UNICODE,
            Self::Ascii => ASCII,
        };
        let index = (level.clamp(0.0, 1.0) * 7.0).round() as usize;
        levels.get(index).copied().unwrap_or('?')
    }
}

/// Success over time: as high as the part that passed, in the colour of the worst that came of it. A gap: nothing was sent; `?`: nothing was measured.
pub fn success(course: &[Part], blocks: Blocks) -> Vec<Span> {
    course
        .iter()
        .map(|part| match (part.counts.share(), part.counts.unknown) {
            (Some(share), _) => Span::new(&blocks.level(share).to_string(), outcome_style(worst(&part.counts))),
            (None, 0) => Span::new(" ", PLAIN),
            (None, _) => Span::new("?", outcome_style(Outcome::Unknown)),
        })
        .collect()
}

/// The median latency over time, from nothing to the highest of them.
pub fn latency(course: &[Part], blocks: Blocks) -> Vec<Span> {
    let median = |part: &Part| part.latency.map(|latency| latency.median_ms);
    let highest = course.iter().filter_map(median).fold(0.0, f64::max);
    course
        .iter()
        .map(|part| match median(part) {
            Some(median) => Span::new(&blocks.level(if highest > 0.0 { median / highest } else { 0.0 }).to_string(), DIM),
            None => Span::new(" ", PLAIN),
        })
        .collect()
}

fn worst(counts: &Counts) -> Outcome {
    match counts {
        counts if counts.failed > 0 => Outcome::Failed,
        counts if counts.waived > 0 => Outcome::Waived,
        _ => Outcome::Passed,
    }
}
