//! The sentences of a history, the same in every format for people.

use crate::explain::span;
use crate::model::{Counts, History, Latencies, Line, Outcome, Present, RecipientHistory, Time};
use crate::report::counted;

/// `failing`, `passing`, `waived`, `not measured`.
pub fn state(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passing",
        Outcome::Failed => "failing",
        Outcome::Waived => "failing, waived",
        Outcome::Unknown => "not measured",
    }
}

/// The state in one sentence: `failing (junk) since 2026-11-02 14:00, 14 runs; last passed 2026-11-02 13:00`.
pub fn sentence(present: &Present, flapping: bool) -> String {
    let mut sentence = state(present.outcome).to_owned();
    if let Some(verdict) = present
        .verdict
        .filter(|_| matches!(present.outcome, Outcome::Failed | Outcome::Waived))
    {
        sentence.push_str(&format!(" ({verdict})"));
    }
    if let Some(since) = present.since {
        let or_longer = if present.at_least { " or longer" } else { "" };
        sentence.push_str(&format!(
            " since {}{or_longer}, {}",
            minute(since),
            counted(usize::try_from(present.runs).unwrap_or_default(), "run", "runs")
        ));
    }
    if matches!(present.outcome, Outcome::Failed | Outcome::Waived) {
        match present.last_passed {
            Some(at) => sentence.push_str(&format!("; last passed {}", minute(at))),
            None => sentence.push_str("; never passed in this time"),
        }
    }
    if flapping {
        sentence.push_str("; flapping");
    }
    if present.unmeasured > 0 && present.outcome != Outcome::Unknown {
        sentence.push_str(&format!(
            "; since then {} could not be measured",
            counted(usize::try_from(present.unmeasured).unwrap_or_default(), "probe", "probes")
        ));
    }
    sentence
}

/// `96.2 %`: cut, not rounded, so that 100 % means all.
pub fn share(counts: &Counts) -> String {
    counts
        .share()
        .map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", (share * 1000.0).floor() / 10.0))
}

/// `1385 of 1440 measured (3 could not be)`.
pub fn tally(counts: &Counts) -> String {
    let mut tally = format!("{} of {} measured", counts.passed, counts.measured());
    if counts.waived > 0 {
        tally.push_str(&format!(", {} waived", counts.waived));
    }
    if counts.unknown > 0 {
        tally.push_str(&format!(" ({} could not be)", counts.unknown));
    }
    tally
}

/// `0.41 s median, 0.96 s for 19 of 20`.
pub fn latencies(latency: &Latencies) -> String {
    match latency.p95_ms {
        Some(p95) => format!("{} median, {} for 19 of 20", span(latency.median_ms), span(p95)),
        None => format!("{} median, {} at most", span(latency.median_ms), span(latency.longest_ms)),
    }
}

/// `plain by internet, case “spam”`.
pub fn way(line: &Line) -> String {
    let case = line.case.as_deref().map(|case| format!(", case “{case}”")).unwrap_or_default();
    format!("{} by {}{case}", line.message, line.route)
}

/// All in one sentence.
pub fn headline(history: &History) -> (Outcome, String) {
    let count = |outcome: Outcome| history.recipients.iter().filter(|one| one.state.outcome == outcome).count();
    let flapping = history.recipients.iter().filter(|one| one.flapping).count();
    let (failing, unseen, waived) = (count(Outcome::Failed), count(Outcome::Unknown), count(Outcome::Waived));
    let outcome = if failing > 0 {
        Outcome::Failed
    } else if unseen > 0 {
        Outcome::Unknown
    } else {
        Outcome::Passed
    };
    let mut sentence = format!(
        "{} of {} passing",
        count(Outcome::Passed),
        counted(history.recipients.len(), "recipient", "recipients")
    );
    for (number, word) in [
        (failing, "failing"),
        (waived, "waived"),
        (unseen, "not measured"),
        (flapping, "flapping"),
    ] {
        if number > 0 {
            sentence.push_str(&format!(", {number} {word}"));
        }
    }
    sentence.push_str(&format!("; {} to {} UTC.", minute(history.since), minute(history.until)));
    (outcome, sentence)
}

/// Whether the lines of a recipient differ in what they came to, so that each must be told.
pub fn lines_differ(recipient: &RecipientHistory) -> bool {
    let kind = |line: &Line| (line.state.outcome, line.flapping, line.counts.failed > 0);
    recipient.lines.windows(2).any(|pair| kind(&pair[0]) != kind(&pair[1]))
}

/// The length of a part: `1 h`, `7 days`.
pub fn step(seconds: u64) -> String {
    match seconds {
        60.. if seconds.is_multiple_of(86_400) => counted(usize::try_from(seconds / 86_400).unwrap_or_default(), "day", "days"),
        60.. if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ => format!("{} min", seconds / 60),
    }
}

/// A time to the minute, UTC.
pub fn minute(time: Time) -> String {
    time.format("%Y-%m-%d %H:%M").to_string()
}
