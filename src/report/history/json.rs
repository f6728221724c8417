//! A history as JSON, schema `mailflow.history/1`: [`History`] as it is.

use crate::{model::History, report::ReportError};

pub fn render(history: &History) -> Result<Vec<u8>, ReportError> {
    let mut bytes = serde_json::to_vec_pretty(history)?;
    bytes.push(b'\n');
    Ok(bytes)
}
