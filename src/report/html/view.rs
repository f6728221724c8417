//! What the parts of the report show of a probe, in the words that the terminal uses too.

use crate::explain::interval;
use crate::model::{JudgedProbe, Outcome};
use crate::report::{evidence, headline, outcome_sign};

/// An outcome with its sign: `✗ failed`.
pub fn outcome(outcome: Outcome) -> String {
    format!("{} {outcome}", outcome_sign(outcome))
}

/// What came of a probe, with its outcome's sign: `✗ bounced`, `✓ inbox`.
pub fn word(probe: &JudgedProbe) -> String {
    let sign = outcome_sign(probe.outcome);
    match probe.outcome {
        Outcome::Passed => format!("{sign} {}", probe.verdict),
        _ => format!("{sign} {}", headline::in_a_word(probe)),
    }
}

/// What else is true of a probe, except what its word says already.
pub fn flags(probe: &JudgedProbe) -> Vec<&'static str> {
    let word = headline::in_a_word(probe);
    let said = |flag: &&str| probe.outcome != Outcome::Passed && **flag == word;
    probe.flags.iter().map(|flag| flag.word()).filter(|flag| !said(flag)).collect()
}

/// By which way which message went: `plain by internet`, and in which case.
pub fn way(probe: &JudgedProbe) -> String {
    let way = format!("{} by {}", probe.message, probe.route);
    match &probe.case {
        Some(case) => format!("{way}, case “{case}”"),
        None => way,
    }
}

/// How long it took, as far as that was measured.
pub fn latency(probe: &JudgedProbe) -> Option<String> {
    probe.latency_ms.map(|latency| interval(latency, probe.latency_uncertainty_ms))
}

/// One label of the evidence, and what belongs to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Fact {
    /// Such as `attempt` or `filter`.
    pub label: &'static str,
    /// A line each.
    pub lines: Vec<String>,
}

/// The evidence of a probe, line by line as every report has it.
pub fn facts(probe: &JudgedProbe) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for (label, line) in evidence::lines(probe) {
        match facts.last_mut().filter(|_| label.is_empty()) {
            Some(fact) => fact.lines.push(line),
            None => facts.push(Fact { label, lines: vec![line] }),
        }
    }
    facts
}
