//! The output of a monitoring plugin, as Nagios, Icinga and Checkmk read it (Monitoring Plugins Development Guidelines): one line with the state
//! and what matters most, performance data behind a bar, then a line for each trouble, then more performance data.
//!
//! What it leaves out: whatever would make it longer than such systems read. It says how many lines are missing.

use super::{comparison::parity, counted, escape, headline::headline, order::worst_first};
use crate::model::{Flag, Judged, JudgedProbe, Outcome, Verdict};
use std::fmt::Write;

/// Nagios cuts at 8 KiB, and escapes may still be added behind us.
pub(super) const LIMIT: usize = 7_000;
/// What is left of it for the performance data of single probes.
const ROOM_FOR_DATA: usize = 3_000;
/// The first line is what a text message or a list of services shows.
pub(super) const LINE: usize = 240;
/// One line of the long output.
pub(super) const LONG_LINE: usize = 600;
/// A label of performance data. RRD keeps 19 characters, but those who use it cut by themselves.
const LABEL: usize = 120;

/// The states of a plugin; their numbers are its exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All passed or waived.
    Ok = 0,
    /// What failed has arrived where it should, only late.
    Warning = 1,
    /// Something failed.
    Critical = 2,
    /// Nothing failed, something could not be measured; or the plugin could not do its work.
    Unknown = 3,
}

impl State {
    /// The state of judged runs.
    pub fn of(judged: &Judged) -> Self {
        let state = |probe: &JudgedProbe| match probe.outcome {
            Outcome::Passed | Outcome::Waived => Self::Ok,
            Outcome::Unknown => Self::Unknown,
            Outcome::Failed if is_only_late(probe) => Self::Warning,
            Outcome::Failed => Self::Critical,
        };
        // As plugins that aggregate do it: what was measured outranks what was not.
        let rank = |state: &Self| {
            [Self::Ok, Self::Unknown, Self::Warning, Self::Critical]
                .iter()
                .position(|known| known == state)
        };
        let side_by_side = judged.parity.iter().map(|parity| match parity::outcome(parity) {
            Outcome::Passed | Outcome::Waived => Self::Ok,
            Outcome::Unknown => Self::Unknown,
            Outcome::Failed => Self::Critical,
        });
        let all = judged.probes.iter().map(state).chain(side_by_side);
        all.max_by_key(rank).unwrap_or(Self::Ok)
    }

    /// As it stands in the output.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Whether a failed probe arrived as it should, but for the time it took.
pub fn is_only_late(probe: &JudgedProbe) -> bool {
    let as_expected = probe.expected.iter().any(|expected| expected == probe.verdict.word());
    as_expected && probe.flags.contains(&Flag::Late) && probe.requirements.iter().all(|requirement| requirement.holds)
}

/// The output for judged runs. `untold`: places that could not be told of them, such as a report file that could not be written.
pub fn render(judged: &Judged, untold: &[String]) -> Vec<u8> {
    let state = match State::of(judged) {
        State::Ok if !untold.is_empty() => State::Unknown,
        state => state,
    };
    let mut first = format!(
        "MAILFLOW {} - {}",
        state.word(),
        plain(headline(judged).1.trim_end_matches('.'), LINE)
    );
    let troubles: Vec<&JudgedProbe> = worst_first(judged)
        .into_iter()
        .filter(|probe| matches!(probe.outcome, Outcome::Failed | Outcome::Unknown))
        .collect();
    if let Some(worst) = troubles.first() {
        let of = format!("; worst: {} {}", worst.recipient, worst.verdict);
        first.push_str(&plain(&of, LINE));
    }
    // Writing into a String cannot fail.
    let _ = write!(first, "|{}", totals(judged));
    let blind = judged
        .blind
        .iter()
        .map(|(mailbox, reason)| format!("Mailbox {mailbox} could not be read: {reason}"));
    let lines = untold
        .iter()
        .cloned()
        .chain(troubles.iter().map(|probe| trouble(probe)))
        .chain(blind);
    let mut out = first;
    let mut left = 0;
    for line in lines {
        let line = plain(&line, LONG_LINE);
        if left > 0 || out.len() + line.len() + 1 > LIMIT - ROOM_FOR_DATA {
            left += 1;
        } else {
            out.push('\n');
            out.push_str(&line);
        }
    }
    if left > 0 {
        let _ = write!(out, "\nand {}", counted(left, "line more", "lines more"));
    }
    // Without text in between, it goes on behind the first bar.
    let (mut bar, next) = if out.contains('\n') { (" | ", "\n") } else { (" ", " ") };
    for probe in &judged.probes {
        let Some(data) = latency(probe) else { continue };
        if out.len() + bar.len() + data.len() + 1 > LIMIT {
            break;
        }
        out.push_str(bar);
        out.push_str(&data);
        bar = next;
    }
    out.push('\n');
    out.into_bytes()
}

/// The output where the plugin could not do its work: what is wrong, in full below its first line.
pub fn trouble_line(sentence: &str) -> Vec<u8> {
    let mut lines = sentence.lines().filter(|line| !line.trim().is_empty());
    let mut out = format!("MAILFLOW UNKNOWN - {}\n", plain(lines.next().unwrap_or_default().trim(), LONG_LINE));
    for line in lines {
        let line = plain(line, LONG_LINE);
        if out.len() + line.len() + 1 > LIMIT {
            break;
        }
        out.push_str(&line);
        out.push('\n');
    }
    out.into_bytes()
}

fn trouble(probe: &JudgedProbe) -> String {
    let state = match probe.outcome {
        Outcome::Failed if is_only_late(probe) => State::Warning,
        Outcome::Failed => State::Critical,
        _ => State::Unknown,
    };
    let mut text = format!("[{}] {} ({} by {}", state.word(), probe.recipient, probe.message, probe.route);
    if let Some(case) = &probe.case {
        let _ = write!(text, ", case “{case}”");
    }
    let _ = write!(text, "): {} {}", probe.explanation, probe.remedy.as_deref().unwrap_or_default());
    text.trim_end().to_owned()
}

/// The numbers of the run as a whole, always the same labels: graphs are drawn by them.
fn totals(judged: &Judged) -> String {
    let summary = &judged.summary;
    let all = summary.probes;
    let mut text = format!(
        "passed={};;;0;{all} failed={};;0;0;{all} waived={};;;0;{all} unknown={};;;0;{all}",
        summary.passed, summary.failed, summary.waived, summary.unknown
    );
    let slowest = judged.probes.iter().filter_map(|probe| probe.latency_ms).max_by(f64::total_cmp);
    let slowest = slowest.map_or_else(|| "U".to_owned(), |slowest| format!("{}s", seconds(slowest)));
    let _ = write!(text, " latency_max={slowest};;;0;");
    text
}

/// The latency of one probe with what is late as the limit of warning: `U` where it was not measured.
fn latency(probe: &JudgedProbe) -> Option<String> {
    if matches!(probe.verdict, Verdict::Accepted | Verdict::Rejected | Verdict::Bounced) && probe.latency_ms.is_none() {
        return None;
    }
    let mut label = format!("{} {} {}", probe.recipient, probe.route, probe.message);
    if let Some(case) = &probe.case {
        let _ = write!(label, " {case}");
    }
    // A label ends at `=`, and a quote in it must be doubled.
    let label = plain(&label, LABEL).replace('=', "_").replace('\'', "''");
    let limit = if probe.within_ms > 0.0 {
        seconds(probe.within_ms)
    } else {
        String::new()
    };
    Some(match probe.latency_ms {
        Some(latency) => format!("'{label}'={}s;{limit};;0;", seconds(latency)),
        None => format!("'{label}'=U;{limit};;0;"),
    })
}

/// Seconds with what milliseconds tell, without needless zeros.
pub(super) fn seconds(milliseconds: f64) -> String {
    ((milliseconds).round() / 1000.0).to_string()
}

/// One line of at most `limit` bytes that neither ends the text (a bar begins performance data) nor is markup to a web page that shows it as such.
pub(super) fn plain(text: &str, limit: usize) -> String {
    let text = escape(text).replace('|', "¦").replace('<', "‹").replace('>', "›");
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit.saturating_sub('…'.len_utf8()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    format!("{}…", &text[..end.unwrap_or_default()])
}
