//! Outcomes: whether what was measured is what was expected, or what is known and waived.

use super::{Ledger, record::Held};
use crate::model::{
    AlterationKind, Copy, Expectation, Flag, JudgedProbe, Outcome, Recipient, Requirement, RequirementResult, Verdict, Waiver,
};

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

    /// Each requirement against every one of these copies; none where nothing arrived.
    pub(super) fn requirements(&self, index: usize, arrived: &[&Held]) -> Vec<RequirementResult> {
        let result = |requirement: &Requirement| {
            let evidence = arrived.iter().find_map(|held| against(*requirement, &held.copy));
            let unseen = evidence.is_none() && arrived.iter().any(|held| is_unseen(*requirement, &held.copy));
            RequirementResult {
                name: requirement.to_string(),
                holds: evidence.is_none() && !unseen,
                evidence: evidence.or_else(|| unseen.then(|| "the mailbox does not show what this is about".to_owned())),
                unseen,
            }
        };
        let required = self.probe(index).require.iter().filter(|_| !arrived.is_empty());
        required.map(result).collect()
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

/// The alterations that a requirement is about.
fn alterations(requirement: Requirement) -> &'static [AlterationKind] {
    match requirement {
        Requirement::LinksUnchanged => &[AlterationKind::Links],
        Requirement::SubjectUnchanged => &[AlterationKind::Subject],
        Requirement::BodyUnchanged => &[AlterationKind::Body, AlterationKind::Links],
        Requirement::AttachmentIntact => &[AlterationKind::Attachments],
        Requirement::SpfPass | Requirement::DkimPass | Requirement::DmarcPass => &[],
    }
}

/// Whether this copy's mailbox does not show what the requirement is about.
fn is_unseen(requirement: Requirement, copy: &Copy) -> bool {
    let kinds = match requirement.authentication_method() {
        Some(_) => &[AlterationKind::Headers],
        None => alterations(requirement),
    };
    copy.unseen.iter().any(|unseen| kinds.contains(unseen))
}

/// What speaks against a requirement in this copy, if anything.
fn against(requirement: Requirement, copy: &Copy) -> Option<String> {
    match requirement {
        Requirement::LinksUnchanged | Requirement::SubjectUnchanged | Requirement::BodyUnchanged | Requirement::AttachmentIntact => {
            let kinds = alterations(requirement);
            let alteration = copy.alterations.iter().find(|alteration| kinds.contains(&alteration.kind))?;
            Some(format!("sent {:?}, arrived {:?}", alteration.sent, alteration.arrived))
        }
        Requirement::SpfPass | Requirement::DkimPass | Requirement::DmarcPass => {
            let method = requirement.authentication_method()?;
            match copy.authentication.get(method).map(String::as_str) {
                Some("pass") => None,
                Some(result) => Some(format!("the receiving side says {method}={result}")),
                None if is_unseen(requirement, copy) => None,
                None => Some(format!("the receiving side says nothing of {method}")),
            }
        }
    }
}
