//! Reports, one file a format: a judged run becomes bytes. Nothing is written or asked here; the application does that.
//!
//! What a report cannot tell: more than was judged. It counts nothing anew.

pub mod comparison;
mod evidence;
pub mod html;
mod json;
mod junit;
pub mod live;
mod paint;
mod rows;
mod sheet;
pub mod table;
mod terminal;
mod text;

pub use comparison::render_comparison;
pub use json::read as read_json;
pub use paint::{Span, outcome_sign, outcome_style};
pub use text::{counted, escape, shorten, shorten_address, width, wrap};

use crate::model::Judged;
use std::{fmt, str::FromStr};

/// The formats of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// For people: table, failures with their evidence, roles, headline.
    Terminal,
    /// `mailflow.report/1`.
    Json,
    /// `JUnit` XML, as continuous integration reads it.
    Junit,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Terminal, Self::Json, Self::Junit];

    /// The word used in `--report FORMAT=FILE`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Junit => "junit",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no report format `{word}`{hint} There are {}.", Format::ALL.map(Format::word).join(", "))]
pub struct UnknownFormat {
    word: String,
    hint: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        // Nearer than this and it is a slip; farther and a guess would only mislead.
        const SLIP: f64 = 0.75;
        let wanted = word.trim().to_lowercase();
        if let Some(format) = Self::ALL.into_iter().find(|format| format.word() == wanted) {
            return Ok(format);
        }
        let nearest = Self::ALL
            .into_iter()
            .map(|format| (strsim::jaro_winkler(&wanted, format.word()), format))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness >= SLIP);
        let hint = nearest.map_or_else(|| ".".to_owned(), |(_, format)| format!("; did you mean `{format}`?"));
        Err(UnknownFormat {
            word: escape(word).into_owned(),
            hint,
        })
    }
}

/// How a report for people looks. The other formats look the same always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours are used.
    pub color: bool,
    /// How many columns there are; 80 where nobody knows.
    pub width: usize,
    /// Whether everything is shown: passed probes and repeated failures one by one, and remarks on what passed.
    pub verbose: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            color: false,
            width: 80,
            verbose: false,
        }
    }
}

/// Why a report could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It cannot be written as JSON, or is not a report in JSON.
    #[error("not a report in JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It follows another schema.
    #[error("the report follows the schema `{0}`; this version reads `{REPORT_SCHEMA}`", REPORT_SCHEMA = crate::model::REPORT_SCHEMA)]
    Schema(String),
    /// The format is one for runs only.
    #[error("a comparison has no format `{0}`; it has {1}")]
    NoComparison(Format, String),
    /// It cannot be written as XML.
    #[error("the report cannot be written as XML: {0}")]
    Xml(#[from] quick_junit::SerializeError),
}

/// The judged runs in that format, ready to be written, with a line break at the end.
///
/// # Errors
/// If the format's own library fails; no judged run is known to make it.
pub fn render(format: Format, judged: &Judged, style: &Style) -> Result<Vec<u8>, ReportError> {
    match format {
        Format::Terminal => Ok(terminal::render(judged, style).into_bytes()),
        Format::Json => json::render(judged),
        Format::Junit => junit::render(judged),
    }
}

#[cfg(test)]
mod tests;
