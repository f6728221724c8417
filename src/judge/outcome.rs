//! Outcomes: whether what was measured is what was expected, or what is known and waived.

use super::Ledger;
use crate::model::{Expectation, Flag, JudgedProbe, Outcome, Recipient, Verdict, Waiver};

impl Ledger {
    /// Passed, failed, waived or unknown. `today` of a waiver is the day (UTC) on which the run started.
    pub(super) fn outcome(&self, judged: &JudgedProbe, expected: &[Expectation], recipient: &Recipient) -> Outcome {
        let in_time = !judged.flags.contains(&Flag::Late);
        let as_expected = is_met(judged, expected) && in_time;
        if as_expected && judged.requirements.iter().all(|requirement| requirement.holds) {
            return Outcome::Passed;
        }
        let only_unseen = as_expected
            && judged
                .requirements
                .iter()
                .all(|requirement| requirement.holds || requirement.unseen);
        if only_unseen || !judged.verdict.is_proven() {
            return Outcome::Unknown;
        }
        match &recipient.known {
            Some(waiver) if self.is_in_force(waiver) && is_met(judged, &waiver.verdicts) => Outcome::Waived,
            _ => Outcome::Failed,
        }
    }

    /// Whether the waiver holds on the day (UTC) on which the run started.
    pub(super) fn is_in_force(&self, waiver: &Waiver) -> bool {
        self.plan().run.started_at.date_naive() <= waiver.until
    }
}

/// Whether the verdict is among `expectations`, or that of every member is. A folder is expected of each member by itself.
fn is_met(judged: &JudgedProbe, expectations: &[Expectation]) -> bool {
    let by = |verdict: Verdict, folder: Option<&str>| expectations.iter().any(|expectation| expectation.is_met_by(verdict, folder));
    if judged.members.is_empty() {
        return by(judged.verdict, judged.folder.as_deref());
    }
    by(judged.verdict, None) || judged.members.iter().all(|member| by(member.verdict, member.folder.as_deref()))
}
