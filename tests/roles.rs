//! The roles' summary: who holds each, who of them is reached or covered, and what that comes to.

use mailflow::{
    judge::roles,
    model::{JudgedProbe, KEY_LENGTH, Member, Outcome, Place, ProbeId, RunId, TagKey, Verdict},
};

fn probe(recipient: &str, verdict: Verdict, outcome: Outcome) -> JudgedProbe {
    let run = RunId::from_random([1; 6]);
    let id = ProbeId::new(&run, [2; 16]);
    JudgedProbe {
        id,
        run,
        tag: TagKey::new(&[3; KEY_LENGTH]).tag(id),
        message_id: String::new(),
        recipient: format!("{recipient}@x.example"),
        role: Some("Owner".to_owned()),
        owner: None,
        backup: None,
        covered_by: None,
        sender: String::new(),
        route: "internet".to_owned(),
        message: "plain".to_owned(),
        case: None,
        expected: Vec::new(),
        expected_at: Place::default(),
        within_ms: 0.0,
        waiver: None,
        outcome,
        verdict,
        basis: None,
        flags: Vec::new(),
        mailbox: None,
        folder: None,
        sent_at: None,
        accepted_at: None,
        arrived_after: None,
        arrived_at: None,
        latency_ms: None,
        latency_uncertainty_ms: None,
        copies: 0,
        sightings: Vec::new(),
        attempts: Vec::new(),
        dsn: None,
        trace: Vec::new(),
        members: Vec::new(),
        hops: Vec::new(),
        path: None,
        authentication: std::collections::BTreeMap::default(),
        filters: Vec::new(),
        signatures: Vec::new(),
        sender_facts: Vec::new(),
        alterations: Vec::new(),
        survived: Vec::new(),
        requirements: Vec::new(),
        later: Vec::new(),
        reason: None,
        explanation: String::new(),
        remedy: None,
    }
}

fn inbox(recipient: &str) -> JudgedProbe {
    probe(recipient, Verdict::Inbox, Outcome::Passed)
}

fn lost(recipient: &str) -> JudgedProbe {
    probe(recipient, Verdict::Lost, Outcome::Failed)
}

fn unknown(recipient: &str) -> JudgedProbe {
    probe(recipient, Verdict::Unknown, Outcome::Unknown)
}

/// Refuses mail as it should, and another address receives in its stead.
fn returned(recipient: &str, covered_by: &str) -> JudgedProbe {
    JudgedProbe {
        covered_by: Some(format!("{covered_by}@x.example")),
        ..probe(recipient, Verdict::Bounced, Outcome::Passed)
    }
}

fn without_role(probe: JudgedProbe) -> JudgedProbe {
    JudgedProbe { role: None, ..probe }
}

#[test]
fn a_role_passes_if_anybody_who_holds_it_is_reached_or_covered() {
    let junk = |outcome| probe("junk", Verdict::Junk, outcome);
    let of_case = JudgedProbe {
        case: Some("spam".to_owned()),
        ..lost("a")
    };
    let member = |verdict| Member {
        mailbox: "m".into(),
        verdict,
        basis: None,
        flags: Vec::new(),
        folder: None,
        arrived_after: None,
        arrived_at: None,
        latency_ms: None,
        latency_uncertainty_ms: None,
        reason: None,
    };
    let list = |verdicts: &[Verdict], outcome| JudgedProbe {
        members: verdicts.iter().copied().map(member).collect(),
        ..probe("list", Verdict::Partial, outcome)
    };
    let (passed, failed, waived) = (Outcome::Passed, Outcome::Failed, Outcome::Waived);
    for (what, probes, [holders, reachable, covered], outcome) in [
        ("one of two", vec![inbox("a"), lost("b")], [2, 1, 0], passed),
        ("nobody", vec![lost("a"), lost("b")], [2, 0, 0], failed),
        ("nobody that is known", vec![lost("a"), unknown("b")], [2, 0, 0], Outcome::Unknown),
        ("not by every route", vec![inbox("a"), lost("a")], [1, 0, 0], failed),
        ("cases do not count", vec![inbox("a"), of_case], [1, 1, 0], passed),
        ("nobody reads junk, expected or not", vec![junk(passed)], [1, 0, 0], failed),
        ("junk that is waived", vec![junk(waived)], [1, 0, 0], waived),
        ("known to be late", vec![probe("a", Verdict::Inbox, failed)], [1, 0, 0], failed),
        ("covered", vec![returned("b", "a"), without_role(inbox("a"))], [1, 0, 1], passed),
        (
            "covered, in other letters",
            vec![returned("b", "A"), without_role(inbox("a"))],
            [1, 0, 1],
            passed,
        ),
        (
            "covered by one that has lost it",
            vec![returned("b", "a"), without_role(lost("a"))],
            [1, 0, 0],
            failed,
        ),
        (
            "covered by one not measured",
            vec![returned("b", "a"), without_role(unknown("a"))],
            [1, 0, 0],
            Outcome::Unknown,
        ),
        (
            "covered by one that took no part",
            vec![returned("b", "a")],
            [1, 0, 0],
            Outcome::Unknown,
        ),
        (
            "a list that reaches a member",
            vec![list(&[Verdict::Inbox, Verdict::Junk], passed)],
            [1, 1, 0],
            passed,
        ),
        (
            "a list that reaches nobody",
            vec![list(&[Verdict::Bounced, Verdict::Junk], passed)],
            [1, 0, 0],
            failed,
        ),
        ("one address, written twice", vec![inbox("a"), inbox("A")], [1, 1, 0], passed),
    ] {
        let all = roles(&probes);
        let found: Vec<_> = all
            .iter()
            .map(|role| (role.role.as_str(), [role.holders, role.reachable, role.covered], role.outcome))
            .collect();
        assert_eq!(found, [("Owner", [holders, reachable, covered], outcome)], "{what}");
    }
}

#[test]
fn each_role_has_its_own_line_in_order() {
    let other = JudgedProbe {
        role: Some("Auditor".to_owned()),
        ..lost("c")
    };
    let all = roles(&[inbox("a"), other, without_role(inbox("d"))]);
    let found: Vec<_> = all.iter().map(|role| (role.role.as_str(), role.outcome)).collect();
    assert_eq!(found, [("Auditor", Outcome::Failed), ("Owner", Outcome::Passed)]);
}
