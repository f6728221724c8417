//! A comparison of two runs, one file a format. Parity, which is of one run, stands in that run's own reports; how it is told is here too.

mod alike;
mod csv;
pub mod headline;
mod json;
mod junit;
mod markdown;
pub mod nagios;
pub mod page;
pub mod parity;
mod prometheus;
mod terminal;
pub mod text;

pub(super) use markdown::section;

use super::{Format, ReportError, Style};
use crate::model::Comparison;

/// The formats that a comparison has. It is no trace: nothing in it took time.
const FORMATS: [Format; 8] = [
    Format::Terminal,
    Format::Json,
    Format::Junit,
    Format::Html,
    Format::Markdown,
    Format::Csv,
    Format::Prometheus,
    Format::Nagios,
];

/// Refuses the formats that only a run has.
///
/// # Errors
/// If there is one of them.
pub fn refuse_others(formats: impl IntoIterator<Item = Format>) -> Result<(), ReportError> {
    match formats.into_iter().find(|format| !FORMATS.contains(format)) {
        Some(format) => Err(ReportError::NoComparison(format, FORMATS.map(Format::word).join(", "))),
        None => Ok(()),
    }
}

/// The comparison in that format, ready to be written, with a line break at the end.
///
/// # Errors
/// If it has no such format, or the format's own library fails.
pub fn render_comparison(format: Format, comparison: &Comparison, style: &Style) -> Result<Vec<u8>, ReportError> {
    match format {
        Format::Terminal => Ok(terminal::render(comparison, style).into_bytes()),
        Format::Json => json::render(comparison),
        Format::Junit => junit::render(comparison),
        Format::Html => Ok(page::render(comparison)?.html.into_bytes()),
        Format::Markdown => Ok(markdown::render(comparison)),
        Format::Csv => Ok(csv::render(comparison)),
        Format::Prometheus => Ok(prometheus::render(comparison).into_bytes()),
        Format::Nagios => Ok(nagios::render(comparison, &[])),
        other @ (Format::Otlp | Format::Attestation) => Err(ReportError::NoComparison(other, FORMATS.map(Format::word).join(", "))),
    }
}

#[cfg(test)]
mod tests;
