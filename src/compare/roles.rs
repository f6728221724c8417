//! Roles whose reachability changed. What it cannot see: roles of recipients that took part in neither run.

use crate::model::{Effect, Outcome, RoleChange, RoleSummary};
use std::collections::BTreeSet;

/// The roles of which something else is true now, in the order of their names.
pub fn changes(before: &[RoleSummary], after: &[RoleSummary]) -> Vec<RoleChange> {
    let find = |roles: &'_ [RoleSummary], name: &str| roles.iter().find(|role| role.role == name).cloned();
    let names: BTreeSet<&str> = before.iter().chain(after).map(|role| role.role.as_str()).collect();
    let one = |name: &str| {
        let (was, is) = (find(before, name), find(after, name));
        if was == is {
            return None;
        }
        let effect = match (was.as_ref().map(|role| role.outcome), is.as_ref().map(|role| role.outcome)) {
            (Some(Outcome::Passed), Some(Outcome::Failed)) => Effect::Regression,
            (Some(Outcome::Failed), Some(Outcome::Passed)) => Effect::Improvement,
            (Some(Outcome::Unknown), _) | (_, Some(Outcome::Unknown)) => Effect::NotCompared,
            _ => Effect::Changed,
        };
        Some(RoleChange {
            role: name.to_owned(),
            effect,
            before: said(was.as_ref()),
            after: said(is.as_ref()),
        })
    };
    names.into_iter().filter_map(one).collect()
}

/// `3 of 4 holders reachable, 1 covered: passed`.
fn said(role: Option<&RoleSummary>) -> String {
    let Some(role) = role else { return "not tested".to_owned() };
    let noun = if role.holders == 1 { "holder" } else { "holders" };
    let covered = if role.covered > 0 {
        format!(", {} covered", role.covered)
    } else {
        String::new()
    };
    format!("{} of {} {noun} reachable{covered}: {}", role.reachable, role.holders, role.outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_nobody_answers_for_any_more_is_a_regression() {
        let role = |name: &str, reachable: u32, outcome| RoleSummary {
            role: name.to_owned(),
            holders: 2,
            reachable,
            covered: 0,
            outcome,
        };
        let before = [
            role("Billing", 2, Outcome::Passed),
            role("Global", 2, Outcome::Passed),
            role("Gone", 1, Outcome::Passed),
        ];
        let after = [role("Billing", 0, Outcome::Failed), role("Global", 1, Outcome::Passed)];
        let said: Vec<_> = changes(&before, &after)
            .into_iter()
            .map(|change| (change.role, change.effect, change.before, change.after))
            .collect();
        let expected = [
            (
                "Billing",
                Effect::Regression,
                "2 of 2 holders reachable: passed",
                "0 of 2 holders reachable: failed",
            ),
            (
                "Global",
                Effect::Changed,
                "2 of 2 holders reachable: passed",
                "1 of 2 holders reachable: passed",
            ),
            ("Gone", Effect::Changed, "1 of 2 holders reachable: passed", "not tested"),
        ];
        assert_eq!(
            said,
            expected.map(|(role, effect, was, is)| (role.to_owned(), effect, was.to_owned(), is.to_owned()))
        );
    }
}
