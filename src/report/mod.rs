//! Reports, one file a format: a judged run becomes bytes. Nothing is written or asked here; the application does that.
//!
//! What a report cannot tell: more than was judged. It counts nothing anew.

pub mod attestation;
pub mod comparison;
mod csv;
mod evidence;
mod headline;
pub mod history;
pub mod html;
mod json;
mod junit;
mod later;
pub mod live;
mod markdown;
pub mod nagios;
pub mod notice;
mod order;
mod otlp;
mod paint;
pub mod prometheus;
mod rows;
mod sheet;
pub mod status;
pub mod table;
mod terminal;
mod text;

pub use attestation::render_attestation;
pub use comparison::render_comparison;
pub use history::render_history;
pub use json::read as read_json;
pub use notice::render_notice;
pub use paint::{Span, outcome_sign, outcome_style};
pub use prometheus::metrics;
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
    /// One page for people, to be opened, mailed and printed.
    Html,
    /// Metrics for Prometheus: the textfile collector of its `node_exporter`.
    Prometheus,
    /// The output of a plugin, for Nagios, Icinga and Checkmk.
    Nagios,
    /// Markdown, as for the summary of a job on GitHub.
    Markdown,
    /// A line for each probe.
    Csv,
    /// `OpenTelemetry` traces in OTLP's JSON, a line as its file exporter writes it.
    Otlp,
    /// One printed page for whoever must sign or audit.
    Attestation,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 10] = [
        Self::Terminal,
        Self::Json,
        Self::Junit,
        Self::Html,
        Self::Prometheus,
        Self::Nagios,
        Self::Markdown,
        Self::Csv,
        Self::Otlp,
        Self::Attestation,
    ];

    /// The word used in `--report FORMAT=FILE`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Html => "html",
            Self::Prometheus => "prometheus",
            Self::Nagios => "nagios",
            Self::Markdown => "markdown",
            Self::Csv => "csv",
            Self::Otlp => "otlp",
            Self::Attestation => "attestation",
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
    /// It is something else.
    #[error("this is no report of a run: it follows the schema `{0}`, and a report `{REPORT_SCHEMA}`", REPORT_SCHEMA = crate::model::REPORT_SCHEMA)]
    Schema(String),
    /// It follows a later schema.
    #[error("a later version of mailflow wrote this report: it follows the schema `{0}`, and this version reads `{REPORT_SCHEMA}`", REPORT_SCHEMA = crate::model::REPORT_SCHEMA)]
    Newer(String),
    /// The format is one for runs only.
    #[error("a comparison has no format `{0}`; it has {1}")]
    NoComparison(Format, String),
    /// The format is one for runs only.
    #[error("a history has no format `{0}`; it has {1}")]
    NoHistory(Format, String),
    /// The format is one for runs only.
    #[error("a notice has no format `{0}`; it has {1}")]
    NoNotice(Format, String),
    /// A course cannot be drawn.
    #[error("a chart cannot be drawn: {0}")]
    Course(String),
    /// It cannot be written as XML.
    #[error("the report cannot be written as XML: {0}")]
    Xml(#[from] quick_junit::SerializeError),
    /// It cannot be laid out as a page.
    #[error("the report cannot be laid out as a page: {0}")]
    Page(#[from] askama::Error),
    /// A chart of it cannot be drawn.
    #[error(transparent)]
    Chart(#[from] html::Undrawn),
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
        Format::Html => html::render(judged),
        Format::Prometheus => Ok(prometheus::metrics(judged).into_bytes()),
        Format::Nagios => Ok(nagios::render(judged, &[])),
        Format::Markdown => Ok(markdown::render(judged)),
        Format::Csv => Ok(csv::render(judged)),
        Format::Otlp => otlp::render(judged),
        // Without the journal it says what is not known; the application hands in what is.
        Format::Attestation => render_attestation(judged, &attestation::Account::default()),
    }
}

#[cfg(test)]
mod machines_tests;
#[cfg(test)]
mod tests;
