//! The comparison as JSON, schema `mailflow.comparison/1`: the value as it is.

use crate::model::Comparison;
use crate::report::{ReportError, text::visible_json};

/// The comparison.
pub fn render(comparison: &Comparison) -> Result<Vec<u8>, ReportError> {
    let mut bytes = visible_json(serde_json::to_vec_pretty(comparison)?);
    bytes.push(b'\n');
    Ok(bytes)
}
