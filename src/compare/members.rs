//! The members of a group, each by its mailbox. A member of which nothing was proven is neither better nor worse.

use crate::model::{Difference, DifferenceKind, JudgedProbe, Member, Verdict};

/// Members whose verdicts differ, and members that only one side has.
pub fn differences(before: &JudgedProbe, after: &JudgedProbe, all: &mut Vec<Difference>) {
    if before.members.is_empty() && after.members.is_empty() {
        return;
    }
    let find = |probe: &'_ JudgedProbe, like: &Member| probe.members.iter().any(|member| member.mailbox == like.mailbox);
    for member in &before.members {
        let now = after.members.iter().find(|now| now.mailbox == member.mailbox);
        all.extend(one(member, Some(member), now));
    }
    for member in after.members.iter().filter(|member| !find(before, member)) {
        all.extend(one(member, None, Some(member)));
    }
}

fn one(named: &Member, before: Option<&Member>, after: Option<&Member>) -> Option<Difference> {
    let said = |member: Option<&Member>| match member {
        None => Some("no member".to_owned()),
        Some(member) if !member.verdict.is_proven() => None,
        Some(Member {
            verdict: Verdict::Folder,
            folder: Some(folder),
            ..
        }) => Some(format!("folder “{folder}”")),
        Some(member) => Some(member.verdict.word().to_owned()),
    };
    let (was, is) = (said(before)?, said(after)?);
    (was != is).then(|| Difference::new(DifferenceKind::Member, was, is).of(named.mailbox.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};
    use serde_json::{Value, json};

    #[test]
    fn each_member_is_compared_by_its_mailbox() {
        let member = |mailbox: &str, verdict: &str| -> Value {
            json!({ "mailbox": mailbox, "verdict": verdict, "basis": "seen", "flags": [], "folder": null, "arrived_after": null, "arrived_at": null,
                "latency_ms": null, "latency_uncertainty_ms": null, "reason": null })
        };
        let group = |members: &[(&str, &str)]| {
            let members = members.iter().map(|(mailbox, verdict)| member(mailbox, verdict)).collect();
            with(&probe(), &[("members", members)])
        };
        let before = group(&[("a", "inbox"), ("b", "inbox"), ("c", "inbox"), ("d", "unknown")]);
        let after = group(&[("b", "junk"), ("a", "inbox"), ("d", "inbox"), ("e", "inbox")]);
        let mut all = Vec::new();
        differences(&before, &after, &mut all);
        let said: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["b: inbox → junk", "c: inbox → no member", "e: no member → inbox"]);
    }
}
