//! What happened to a probe, in plain sentences for the administrator who is woken by it, and one next step.
//!
//! The first sentence tells the verdict: what was measured, where, when, and in whose words. What else is noteworthy follows in one
//! short sentence each. The next step is the first thing that is worth doing, and is missing where nothing is.
//!
//! What it cannot see: the inside of the mail system. It repeats what servers say, and says whose words they are.

mod altered;
mod arrival;
mod authentication;
mod cause;
mod dns;
mod exchange;
mod filtered;
mod later;
mod notes;
mod quote;
mod refusal;
mod remedy;
mod returned;
mod span;
mod status;
mod traced;
mod unproven;
mod vendor;
mod way;

pub use cause::Cause;
pub use quote::queue_id;
pub use span::{interval, span};
pub use way::off;

use crate::model::{Dsn, JudgedProbe, Outcome, Verdict};

/// A sentence, and what to do about it.
struct Finding {
    sentence: String,
    step: Option<String>,
}

impl Finding {
    fn new(sentence: impl Into<String>, step: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            step: Some(step.into()),
        }
    }

    fn without_step(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            step: None,
        }
    }
}

/// The explanation and the remedy of a judged probe; its own fields of these names are not looked at. `None`: there is nothing to do.
///
/// Both hold words of servers, shortened but not escaped: whoever shows them escapes them.
pub fn explain(probe: &JudgedProbe) -> (String, Option<String>) {
    let main = main_finding(probe);
    let notes = notes::of(probe);
    let mut explanation = main.sentence;
    for note in &notes {
        explanation.push(' ');
        explanation.push_str(&note.sentence);
    }
    let seen = dns::quoted(probe).filter(|_| probe.outcome != Outcome::Passed);
    if let Some((sentence, _)) = &seen {
        explanation.push(' ');
        explanation.push_str(sentence);
    }
    match probe.outcome {
        Outcome::Waived => match &probe.waiver {
            Some(waiver) => explanation.push_str(&format!(" The site accepts this for now (`known`, {waiver}).")),
            None => explanation.push_str(" The site accepts this for now (`known`)."),
        },
        Outcome::Passed | Outcome::Failed | Outcome::Unknown => {}
    }
    let later = later::finding(probe);
    if let Some(later) = &later {
        explanation.push(' ');
        explanation.push_str(&later.sentence);
    }
    let mut steps = later.into_iter().chain(notes).filter_map(|note| note.step);
    // A verdict that was expected needs no step of its own; where such a probe fails, a note says why.
    let step = if is_expected(probe) {
        steps.next()
    } else {
        // What the DNS shows to be missing is nearer than what the refusal lets guess.
        seen.and_then(|(_, step)| step).or(main.step).or_else(|| steps.next())
    };
    (explanation, step)
}

/// What the latest second look found of a probe, in one sentence, if that is worth a word.
pub fn later(probe: &JudgedProbe) -> Option<String> {
    later::finding(probe).map(|finding| finding.sentence)
}

/// Why a message came back, or waits, as its notification tells.
pub fn cause(notice: &Dsn) -> Cause {
    refusal::Refusal::of_notice(notice).cause()
}

fn main_finding(probe: &JudgedProbe) -> Finding {
    if let Some(finding) = arrival::against_expectation(probe) {
        return finding;
    }
    if let Some(finding) = traced::finding(probe) {
        return finding;
    }
    match probe.verdict {
        Verdict::Inbox => arrival::inbox(probe),
        Verdict::Folder => arrival::folder(probe),
        Verdict::Junk => arrival::junk(probe),
        Verdict::Quarantine => arrival::quarantine(probe),
        Verdict::Deleted => arrival::deleted(probe),
        Verdict::Delivered => arrival::delivered(probe),
        Verdict::Elsewhere => arrival::elsewhere(probe),
        Verdict::Rejected => returned::rejected(probe),
        Verdict::Bounced => returned::bounced(probe),
        Verdict::Lost => unproven::lost(probe),
        Verdict::Partial => unproven::partial(probe),
        Verdict::Accepted => unproven::accepted(probe),
        Verdict::Unknown => unproven::unknown(probe),
        Verdict::Pending => unproven::pending(probe),
    }
}

fn capitalised(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

/// Whether the verdict is one of those expected, whatever the outcome: what is late was expected all the same.
fn is_expected(probe: &JudgedProbe) -> bool {
    probe.outcome == Outcome::Passed
        || probe
            .expected
            .iter()
            .any(|expected| meets(expected, probe.verdict, probe.folder.as_deref()))
}

/// Whether a measurement is what one word of `expected` names.
fn meets(expected: &str, verdict: Verdict, folder: Option<&str>) -> bool {
    match expected.strip_prefix("folder ") {
        Some(name) => verdict == Verdict::Folder && folder.is_some_and(|folder| folder.eq_ignore_ascii_case(name)),
        None if expected == "returned" => matches!(verdict, Verdict::Rejected | Verdict::Bounced),
        None => expected == verdict.word(),
    }
}

/// What was expected: `a`, `a or b`, `a, b or c`.
pub fn alternatives(expected: &[String]) -> String {
    match expected.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        Some((only, _)) => only.clone(),
        None => "nothing".to_owned(),
    }
}

/// `a`, `a and b`, `a, b and c`; after `most` of them only how many more there are.
fn listed<S: AsRef<str>>(items: &[S], most: usize) -> String {
    let mut shown: Vec<String> = items.iter().take(most).map(|item| item.as_ref().to_owned()).collect();
    if let Some(more) = items.len().checked_sub(most).filter(|more| *more > 0) {
        shown.push(format!("{more} more"));
    }
    match shown.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::{fs, path::Path};

    /// Each `NAME.json` in `tests/explain` holds what differs from `_probe.json`; `NAME.txt` holds the explanation and, after an arrow, the
    /// remedy. Where they differ, `NAME.failed` holds what came out.
    #[test]
    fn every_cause_is_explained_in_plain_words() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain");
        let read = |path: &Path| serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap();
        let base = read(&folder.join("_probe.json"));
        let mut cases = 0;
        let mut failed = Vec::new();
        let mut verdicts = std::collections::BTreeSet::new();
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_none_or(|extension| extension != "json") || file.ends_with("_probe.json") {
                continue;
            }
            let mut probe = base.clone();
            let fields = probe.as_object_mut().unwrap();
            for (key, value) in read(&file).as_object().unwrap() {
                assert!(
                    fields.insert(key.clone(), value.clone()).is_some(),
                    "{}: there is no field {key}",
                    file.display()
                );
            }
            let probe: JudgedProbe = serde_json::from_value(probe).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let (explanation, remedy) = explain(&probe);
            let said = format!(
                "{explanation}\n{}",
                remedy.map(|remedy| format!("-> {remedy}\n")).unwrap_or_default()
            );
            cases += 1;
            verdicts.insert(probe.verdict);
            // What an earlier run left behind.
            let _ = fs::remove_file(file.with_extension("failed"));
            if fs::read_to_string(file.with_extension("txt")).unwrap_or_default() != said {
                fs::write(file.with_extension("failed"), said).unwrap();
                failed.push(file.with_extension("failed").display().to_string());
            }
        }
        assert!(failed.is_empty(), "said otherwise than expected:\n{}", failed.join("\n"));
        assert!(cases > 0);
        assert!(
            Verdict::ALL.iter().all(|verdict| verdicts.contains(verdict)),
            "each verdict has a case: {verdicts:?}"
        );
    }

    #[test]
    fn lists_end_where_they_become_long() {
        assert_eq!(listed(&["a"], 3), "a");
        assert_eq!(listed(&["a", "b"], 3), "a and b");
        assert_eq!(listed(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(listed(&["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(listed::<&str>(&[], 2), "");
    }
}
