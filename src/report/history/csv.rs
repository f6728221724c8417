//! A history as CSV (RFC 4180): a line for each part of each course in which something was sent, so that a spreadsheet can draw it.

use crate::model::{Counts, History, Latencies};

const COLUMNS: &str = "recipient,role,route,message,case,from,step_s,passed,failed,waived,unknown,median_ms,p95_ms,longest_ms";

pub fn render(history: &History) -> String {
    let mut out = format!("{COLUMNS}\r\n");
    for recipient in &history.recipients {
        for line in &recipient.lines {
            for part in line.course.iter().filter(|part| part.counts != Counts::default()) {
                let Counts {
                    passed,
                    failed,
                    waived,
                    unknown,
                } = part.counts;
                let figure = |pick: fn(&Latencies) -> Option<f64>| {
                    let figure = part.latency.as_ref().and_then(pick);
                    figure.map(|figure| format!("{figure:.1}")).unwrap_or_default()
                };
                let cells = [
                    field(&recipient.recipient),
                    field(recipient.role.as_deref().unwrap_or_default()),
                    field(&line.route),
                    field(&line.message),
                    field(line.case.as_deref().unwrap_or_default()),
                    crate::model::time::shown(part.from),
                    history.step_s.to_string(),
                    passed.to_string(),
                    failed.to_string(),
                    waived.to_string(),
                    unknown.to_string(),
                    figure(|latency| Some(latency.median_ms)),
                    figure(|latency| latency.p95_ms),
                    figure(|latency| Some(latency.longest_ms)),
                ];
                out.push_str(&cells.join(","));
                out.push_str("\r\n");
            }
        }
    }
    out
}

/// A field in quotation marks where it needs them. What a spreadsheet would take for a formula gets an apostrophe before it.
fn field(text: &str) -> String {
    let text = crate::report::escape(text);
    let text = if text.starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text.into_owned()
    };
    if text.contains(['"', ',', ';', '\'']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
