//! The one sentence: can a notice reach each role?

use super::Account;
use crate::model::{Judged, Outcome};
use crate::report::counted;
use std::collections::BTreeSet;

/// So many roles are named in the answer.
const NAMED: usize = 6;

/// Roles of the site of which no holder took part.
pub fn untested_roles<'a>(judged: &Judged, account: &'a Account) -> BTreeSet<&'a str> {
    let tested = |role: &str| judged.roles.iter().any(|summary| summary.role == role);
    let scopes = account.plans.iter().filter_map(|plan| plan.scope.as_ref());
    scopes
        .flat_map(|scope| &scope.left_out)
        .filter_map(|recipient| recipient.role.as_deref())
        .filter(|role| !tested(role))
        .collect()
}

/// The answer, and how good it is. `untested`: the roles of the site that took no part.
pub fn answer(judged: &Judged, untested: &BTreeSet<&str>) -> (Outcome, String) {
    let of = |outcome: Outcome| -> Vec<&str> {
        let roles = judged.roles.iter().filter(|role| role.outcome == outcome);
        roles.map(|role| role.role.as_str()).collect()
    };
    let (failed, waived) = (of(Outcome::Failed), of(Outcome::Waived));
    let unproven: Vec<&str> = of(Outcome::Unknown).into_iter().chain(untested.iter().copied()).collect();
    if judged.roles.is_empty() && untested.is_empty() {
        return (Outcome::Unknown, "Not proven: no address that was tested holds a role.".to_owned());
    }
    let mut clauses = Vec::new();
    if !failed.is_empty() {
        clauses.push(format!("nobody who holds {} can be reached", listed(&failed, "or")));
    }
    if !waived.is_empty() {
        clauses.push(format!(
            "nobody who holds {} can be reached, which was accepted for a time",
            listed(&waived, "or")
        ));
    }
    if !unproven.is_empty() {
        clauses.push(format!(
            "whether anybody who holds {} can be reached{}",
            listed(&unproven, "or"),
            if clauses.is_empty() { "" } else { " is not proven" }
        ));
    }
    if clauses.is_empty() {
        return match judged.roles.as_slice() {
            [only] => (Outcome::Passed, format!("Yes: a notice can reach {}.", only.role)),
            roles => (
                Outcome::Passed,
                format!("Yes: a notice can reach each of the {} roles.", roles.len()),
            ),
        };
    }
    let (outcome, word) = match (failed.is_empty(), waived.is_empty()) {
        (false, _) => (Outcome::Failed, "No"),
        (true, false) => (Outcome::Waived, "No"),
        (true, true) => (Outcome::Unknown, "Not proven"),
    };
    (outcome, format!("{word}: {}.", clauses.join("; ")))
}

/// What the answer must not hide.
pub fn remarks(judged: &Judged) -> Vec<String> {
    let mut remarks = Vec::new();
    let holders: u32 = judged.roles.iter().map(|role| role.holders).sum();
    let reached: u32 = judged.roles.iter().map(|role| role.reachable + role.covered).sum();
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    if !judged.roles.is_empty() {
        remarks.push(format!(
            "A role counts as reached if at least one of its holders was proven to receive, or is covered by an address that was. That holds for \
             {reached} of {}.",
            counted(count(holders), "holder", "holders")
        ));
    }
    let open = judged.runs.iter().filter(|run| run.finished_at.is_none()).count();
    if open > 0 {
        remarks.push(format!(
            "{} not ended yet: this is not the last word.",
            counted(open, "run has", "runs have")
        ));
    }
    remarks
}

/// `a, b or c`, or the first few and how many more.
fn listed(names: &[&str], conjunction: &str) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        _ if names.len() > NAMED => format!(
            "{} {conjunction} {} more roles",
            names[..NAMED - 1].join(", "),
            names.len() + 1 - NAMED
        ),
        [before @ .., last] => format!("{} {conjunction} {last}", before.join(", ")),
    }
}
