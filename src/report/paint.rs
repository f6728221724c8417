//! Colours, and the signs that stand beside them: nothing is told by colour alone.

use super::text;
use crate::model::Outcome;
use anstyle::{AnsiColor, Color, Effects, Style};
use std::fmt::Write;

/// No colour at all.
pub const PLAIN: Style = Style::new();
/// Headings.
pub const BOLD: Style = Style::new().bold();
/// What may be overlooked.
pub const DIM: Style = Style::new().effects(Effects::DIMMED);
/// Remarks that want a second look.
pub const REMARK: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Yellow)));

const GREEN: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green)));
const RED: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red))).bold();
const MAGENTA: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Magenta)));
const CYAN: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Cyan)));

/// The colour of an outcome.
pub fn outcome_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Passed => GREEN,
        Outcome::Failed => RED,
        Outcome::Waived => CYAN,
        Outcome::Unknown => MAGENTA,
    }
}

/// The sign of an outcome: one column, the same in black and white.
pub fn outcome_sign(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✓",
        Outcome::Failed => "✗",
        Outcome::Waived => "~",
        Outcome::Unknown => "?",
    }
}

/// A piece of one line in one style. Its text is escaped as it comes in, so that nothing else can reach the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    text: String,
    style: Style,
}

impl Span {
    /// `text` in `style`.
    pub fn new(text: &str, style: Style) -> Self {
        Self {
            text: text::escape(text).into_owned(),
            style,
        }
    }

    /// The text, escaped.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns it takes.
    pub fn width(&self) -> usize {
        text::width(&self.text)
    }

    /// The same style with another text, made from this one.
    #[must_use]
    pub fn with(&self, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style: self.style,
        }
    }

    /// Appends it to `out`, with its colour if `color`.
    pub fn write(&self, color: bool, out: &mut String) {
        if color && self.style != PLAIN {
            // Writing into a String cannot fail.
            let _ = write!(out, "{}{}{:#}", self.style, self.text, self.style);
        } else {
            out.push_str(&self.text);
        }
    }
}
