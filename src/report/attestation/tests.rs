//! The page of a few roles, as it stands: its body without the style.

use super::*;
use crate::model::{LeftOut, Origin, Outcome, Scope, SourceFile, Summary, Verdict};
use crate::report::tests;

/// A few probes of the stored run, with what a journal would hold.
fn few() -> (Judged, Account) {
    let mut judged = tests::judged();
    let mut wanted = vec![Verdict::Inbox, Verdict::Junk, Verdict::Rejected, Verdict::Lost, Verdict::Unknown];
    judged.probes.retain(|probe| {
        let place = wanted.iter().position(|verdict| *verdict == probe.verdict);
        place.map(|place| wanted.remove(place)).is_some()
    });
    judged.summary = Summary::of(&judged.probes);
    judged.roles = crate::judge::roles(&judged.probes);
    let mut account = Account {
        made_at: judged.runs[0].finished_at,
        ..Account::default()
    };
    for probe in judged.probes.iter().filter(|probe| probe.outcome == Outcome::Passed) {
        account
            .last_proven
            .extend(probe.sent_at.map(|at| (probe.recipient.to_lowercase(), at)));
    }
    judged.runs[0].origin = Origin {
        operator: Some("Dana <script>alert(1)</script>".to_owned()),
        files: vec![SourceFile {
            kind: "site".to_owned(),
            file: "mailflow.yaml".to_owned(),
            sha256: "ab".repeat(32),
        }],
        night: None,
    };
    (judged, account)
}

fn body(judged: &Judged, account: &Account) -> String {
    let page = String::from_utf8(render_attestation(judged, account).unwrap()).unwrap();
    page.split_once("<body>").unwrap().1.to_owned()
}

#[test]
fn the_page_of_a_few_roles() {
    let (judged, account) = few();
    let body = body(&judged, &account);
    assert!(!body.contains("<script"), "what somebody typed shows as text");
    insta::assert_snapshot!("page", body);
}

#[test]
fn the_answer_is_yes_only_if_every_role_is_proven() {
    let (mut judged, _) = few();
    let asked = |judged: &Judged, untested: &[&str]| answer::answer(judged, &untested.iter().copied().collect());
    judged.roles.truncate(1);
    judged.roles[0].role = "Owner".to_owned();
    for (outcome, said, word) in [
        (Outcome::Passed, Outcome::Passed, "Yes: a notice can reach Owner."),
        (Outcome::Failed, Outcome::Failed, "No: nobody who holds Owner can be reached."),
        (
            Outcome::Waived,
            Outcome::Waived,
            "No: nobody who holds Owner can be reached, which was accepted for a time.",
        ),
        (
            Outcome::Unknown,
            Outcome::Unknown,
            "Not proven: whether anybody who holds Owner can be reached.",
        ),
    ] {
        judged.roles[0].outcome = outcome;
        assert_eq!(asked(&judged, &[]), (said, word.to_owned()));
    }
    judged.roles[0].outcome = Outcome::Passed;
    let (outcome, sentence) = asked(&judged, &["Auditor"]);
    assert_eq!(outcome, Outcome::Unknown, "a role that nobody tried is not reached");
    assert!(sentence.contains("Auditor") && !sentence.contains("Owner"), "{sentence}");
    judged.roles.clear();
    assert_eq!(asked(&judged, &[]).0, Outcome::Unknown, "no role, no yes");
}

#[test]
fn roles_of_the_site_that_took_no_part_are_not_passed_over() {
    let (judged, mut account) = few();
    assert!(limits::untested(&judged, &account).iter().any(|said| said.contains("was not kept")));
    let mut plan: Plan = serde_json::from_value(serde_json::json!({
        "run": judged.runs[0], "recipients": [], "senders": [], "mailboxes": [], "probes": [],
    }))
    .unwrap();
    plan.scope = Some(Scope {
        left_out: vec![LeftOut {
            address: "auditor@contoso.example".to_owned(),
            role: Some("Auditor".to_owned()),
            why: "not chosen by the scenario".to_owned(),
        }],
        routes: vec!["old-gateway".to_owned()],
        access: vec!["IMAP at imap.contoso.example, by password, as watcher".to_owned()],
    });
    account.plans.push(plan);
    assert_eq!(
        answer::untested_roles(&judged, &account).into_iter().collect::<Vec<_>>(),
        ["Auditor"]
    );
    let body = body(&judged, &account);
    for words in ["auditor@contoso.example", "old-gateway", "IMAP at imap.contoso.example"] {
        assert!(body.contains(words), "{words}");
    }
    assert!(!body.contains("was not kept"));
}

#[test]
fn what_was_removed_is_not_left() {
    let (judged, mut account) = few();
    let left = |account: &Account| limits::left(&judged, account).join(" ");
    assert!(left(&account).contains("mailflow clean"), "{}", left(&account));
    for sighting in judged.probes.iter().flat_map(|probe| &probe.sightings) {
        *account.removed.entry(sighting.mailbox.clone()).or_default() += 1;
    }
    assert!(
        left(&account).contains("No copy of a probe that was seen is known to be left."),
        "{}",
        left(&account)
    );
}
