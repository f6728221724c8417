//! What the DNS showed amiss on the sender's side, where that is why the message was refused, returned or not believed.
//!
//! What it cannot see: the DNS as the receiver saw it. The sentence says from where it was looked at.

use super::{authentication, quote, refusal::Refusal};
use crate::model::{CheckKind, DomainFact, JudgedProbe};

/// What proves a sender.
const PROOFS: &[CheckKind] = &[CheckKind::Spf, CheckKind::Dkim, CheckKind::Dmarc];

/// The sentence, if there is something to quote, and the step that the first fact asks for.
pub fn quoted(probe: &JudgedProbe) -> Option<(String, Option<String>)> {
    let asked: &[CheckKind] = match cause(probe) {
        Some(super::Cause::Authentication) => PROOFS,
        Some(super::Cause::SendingHost) => &[CheckKind::Reverse],
        Some(super::Cause::Sender) => &[CheckKind::Mx],
        None if is_disbelieved(probe) => PROOFS,
        _ => &[],
    };
    let facts: Vec<&DomainFact> = probe
        .sender_facts
        .iter()
        .filter(|fact| asked.contains(&fact.check))
        .take(2)
        .collect();
    let said: Vec<String> = facts.iter().map(|fact| quote::bounded(fact.said.trim_end_matches('.'))).collect();
    let step = facts.iter().find_map(|fact| fact.step.clone());
    (!said.is_empty()).then(|| (format!("The DNS, as seen from here: {}.", said.join("; ")), step))
}

/// Why it was refused or returned.
fn cause(probe: &JudgedProbe) -> Option<super::Cause> {
    use crate::model::Verdict;
    match probe.verdict {
        Verdict::Rejected => probe.attempts.last().map(|attempt| Refusal::of_attempt(attempt).cause()),
        Verdict::Bounced => probe.dsn.as_ref().map(super::cause),
        _ => None,
    }
}

/// Whether it arrived, but the receiving side did not take its sender for proven.
fn is_disbelieved(probe: &JudgedProbe) -> bool {
    authentication::in_words(&probe.authentication).is_some()
}
