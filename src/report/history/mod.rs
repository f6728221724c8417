//! A history of many runs, one file a format. It counts nothing anew.

mod csv;
mod html;
mod json;
mod markdown;
pub mod spark;
mod terminal;
pub(super) mod words;

pub use html::page;

use super::{Format, ReportError, Style};
use crate::model::History;
use spark::Blocks;

/// The formats that a history has, by their words.
const FORMATS: [&str; 5] = ["terminal", "json", "html", "markdown", "csv"];

/// Refuses the formats that only a run has.
///
/// # Errors
/// If there is one of them.
pub fn refuse_others(formats: impl IntoIterator<Item = Format>) -> Result<(), ReportError> {
    match formats.into_iter().find(|format| !FORMATS.contains(&format.word())) {
        Some(format) => Err(ReportError::NoHistory(format, FORMATS.join(", "))),
        None => Ok(()),
    }
}

/// The history in that format, ready to be written, with a line break at the end.
///
/// # Errors
/// If it has no such format, or the format's own library fails.
pub fn render_history(format: Format, history: &History, style: &Style, blocks: Blocks) -> Result<Vec<u8>, ReportError> {
    match format.word() {
        "terminal" => Ok(terminal::render(history, style, blocks).into_bytes()),
        "json" => json::render(history),
        "html" => Ok(html::page(history)?.html.into_bytes()),
        "markdown" => Ok(markdown::render(history).into_bytes()),
        "csv" => Ok(csv::render(history).into_bytes()),
        _ => Err(ReportError::NoHistory(format, FORMATS.join(", "))),
    }
}

#[cfg(test)]
mod tests;
