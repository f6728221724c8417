//! A comparison of two runs, one file a format. Parity, which is of one run, stands in that run's own reports; how it is told is here too.

mod alike;
mod json;
mod junit;
pub mod parity;
mod terminal;
pub mod text;

use super::{Format, ReportError, Style};
use crate::model::Comparison;

/// The formats that a comparison has.
const FORMATS: [Format; 3] = [Format::Terminal, Format::Json, Format::Junit];

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
    }
}
