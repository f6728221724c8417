//! The report as JSON, schema `mailflow.report/1`: [`Judged`] as it is, but for the TLS of an attempt.
//!
//! The journal keeps TLS as one value. The report gives the version alone as `tls`, and the rest beside it: `tls_cipher`, and
//! `tls_certificate`, which is `holds` or says why it does not. Both forms hold the same, so that a stored report can be read again.

use super::{ReportError, text::visible_json};
use crate::model::{Judged, REPORT_SCHEMA, Tls};
use serde_json::{Map, Value};

const HOLDS: &str = "holds";

/// The report.
pub fn render(judged: &Judged) -> Result<Vec<u8>, ReportError> {
    let mut report = serde_json::to_value(judged)?;
    for attempt in attempts(&mut report) {
        flatten(attempt)?;
    }
    let mut bytes = visible_json(serde_json::to_vec_pretty(&report)?);
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a report that [`render`](super::render) made, by this version or another one of the same schema.
///
/// # Errors
/// If it is not JSON, follows another schema, or lacks what every report has.
pub fn read(bytes: &[u8]) -> Result<Judged, ReportError> {
    let mut report: Value = serde_json::from_slice(bytes)?;
    if let Some(schema) = report.get("schema").and_then(Value::as_str)
        && schema != REPORT_SCHEMA
    {
        let shown = super::escape(schema).into_owned();
        let version = |schema: &str| {
            schema
                .strip_prefix("mailflow.report/")
                .and_then(|version| version.parse::<u64>().ok())
        };
        return Err(match version(schema) {
            Some(_) if version(schema) > version(REPORT_SCHEMA) => ReportError::Newer(shown),
            _ => ReportError::Schema(shown),
        });
    }
    for attempt in attempts(&mut report) {
        gather(attempt)?;
    }
    Ok(serde_json::from_value(report)?)
}

/// Every attempt of every probe.
fn attempts(report: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let probes = report.get_mut("probes").and_then(Value::as_array_mut).into_iter().flatten();
    probes
        .filter_map(|probe| probe.get_mut("attempts").and_then(Value::as_array_mut))
        .flatten()
        .filter_map(Value::as_object_mut)
}

/// From the journal's form to the report's.
fn flatten(attempt: &mut Map<String, Value>) -> Result<(), ReportError> {
    let Some(tls) = attempt.get_mut("tls").filter(|tls| tls.is_object()) else {
        return Ok(());
    };
    let Tls {
        version,
        cipher,
        certificate,
    } = serde_json::from_value(tls.take())?;
    *tls = Value::String(version);
    attempt.insert("tls_cipher".to_owned(), Value::String(cipher));
    attempt.insert(
        "tls_certificate".to_owned(),
        Value::String(certificate.err().unwrap_or_else(|| HOLDS.to_owned())),
    );
    Ok(())
}

/// From the report's form to the journal's.
fn gather(attempt: &mut Map<String, Value>) -> Result<(), ReportError> {
    let mut text = |key: &str| attempt.shift_remove(key).and_then(|value| value.as_str().map(str::to_owned));
    let (cipher, certificate) = (text("tls_cipher"), text("tls_certificate"));
    let Some(tls) = attempt.get_mut("tls").filter(|tls| tls.is_string()) else {
        return Ok(());
    };
    *tls = serde_json::to_value(Tls {
        version: tls.as_str().unwrap_or_default().to_owned(),
        cipher: cipher.unwrap_or_default(),
        certificate: match certificate.as_deref() {
            Some(HOLDS) => Ok(()),
            other => Err(other.unwrap_or("the report does not say").to_owned()),
        },
    })?;
    Ok(())
}
