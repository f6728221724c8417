//! The report as comma-separated values (RFC 4180): a header, and a line for each probe. UTF-8, lines end in CRLF.
//!
//! The columns are a promise: none is ever renamed or moved, new ones come at the end. Fields begin with an apostrophe where a spreadsheet would
//! otherwise take them for a formula: what stands in a server's reply must not act in somebody's table.
//!
//! What it leaves out: sightings, hops and members one by one. They are in the JSON report.

use super::escape;
use crate::model::{Basis, Judged, JudgedProbe, MailboxName, RunInfo, Time, time};
use std::borrow::Cow;

/// The columns, in their order. An empty field: not measured, or not said.
const COLUMNS: [&str; 36] = [
    "run",
    "scenario",
    "site",
    "change",
    "case",
    "recipient",
    "role",
    "owner",
    "covered_by",
    "sender",
    "route",
    "message",
    "expected",
    "outcome",
    "verdict",
    "basis",
    "flags",
    "mailbox",
    "folder",
    "sent_at",
    "accepted_at",
    "arrived_after",
    "arrived_at",
    "latency_ms",
    "latency_uncertainty_ms",
    "within_ms",
    "copies",
    "attempts",
    "reply",
    "dsn_status",
    "path",
    "waiver",
    "explanation",
    "remedy",
    "message_id",
    "id",
];

/// The report.
pub fn render(judged: &Judged) -> Vec<u8> {
    let run = |probe: &JudgedProbe| judged.runs.iter().find(|run| run.id == probe.run);
    written(COLUMNS, judged.probes.iter().map(|probe| fields(run(probe), probe)))
}

/// A header and lines of fields, each in quotes where it must be.
pub(super) fn written<const N: usize>(columns: [&str; N], lines: impl IntoIterator<Item = [String; N]>) -> Vec<u8> {
    let mut text = columns.join(",");
    text.push_str("\r\n");
    for fields in lines {
        let fields: Vec<Cow<'_, str>> = fields.iter().map(|field| quoted(field)).collect();
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// What somebody else may have written: escaped, and no formula.
pub(super) fn foreign(text: &str) -> String {
    guarded(&escape(text))
}

fn fields(run: Option<&RunInfo>, probe: &JudgedProbe) -> [String; COLUMNS.len()] {
    let text = foreign;
    let some = |said: Option<&str>| said.map(text).unwrap_or_default();
    let at = |time: Option<Time>| time.map(time::shown).unwrap_or_default();
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let flags: Vec<&str> = probe.flags.iter().map(|flag| flag.word()).collect();
    let last = probe.attempts.last();
    [
        text(probe.run.as_str()),
        some(run.map(|run| run.scenario.as_str())),
        some(run.map(|run| run.site.as_str())),
        some(run.and_then(|run| run.change.as_deref())),
        some(probe.case.as_deref()),
        text(&probe.recipient),
        some(probe.role.as_deref()),
        some(probe.owner.as_deref()),
        some(probe.covered_by.as_deref()),
        text(&probe.sender),
        text(&probe.route),
        text(&probe.message),
        text(&probe.expected.join(" ")),
        probe.outcome.word().to_owned(),
        probe.verdict.word().to_owned(),
        probe.basis.map_or("", Basis::word).to_owned(),
        flags.join(" "),
        some(probe.mailbox.as_ref().map(MailboxName::as_str)),
        some(probe.folder.as_deref()),
        at(probe.sent_at),
        at(probe.accepted_at),
        at(probe.arrived_after),
        at(probe.arrived_at),
        number(probe.latency_ms),
        number(probe.latency_uncertainty_ms),
        number(Some(probe.within_ms)),
        probe.copies.to_string(),
        probe.attempts.len().to_string(),
        last.map(|attempt| text(&attempt.reply.to_string())).unwrap_or_default(),
        some(probe.dsn.as_ref().and_then(|dsn| dsn.status.as_deref())),
        some(probe.path.as_deref()),
        some(probe.waiver.as_deref()),
        text(&probe.explanation),
        some(probe.remedy.as_deref()),
        text(&probe.message_id),
        probe.id.to_string(),
    ]
}

/// With an apostrophe before it where a spreadsheet would calculate. The wide forms are taken for the narrow ones by East Asian editions.
fn guarded(text: &str) -> String {
    let acts = |character: char| matches!(character, '=' | '+' | '-' | '@' | '\t' | '\r' | '＝' | '＋' | '－' | '＠');
    if text.trim_start().starts_with(acts) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// As RFC 4180 section 2 has it: in double quotes where it must be, those within doubled.
fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains([',', '"', '\r', '\n']) || field.starts_with(' ') || field.ends_with(' ') {
        Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(field)
    }
}
