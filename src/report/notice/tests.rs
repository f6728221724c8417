//! The notice of a small plan, in both formats.

use super::*;
use crate::model::{Place, TagKey};

/// A plan of each look that a notice tells apart.
fn noticed() -> Notice {
    let key = TagKey::new(&[7; crate::model::KEY_LENGTH]);
    let run = crate::model::RunId::from_random([1, 2, 3, 4, 5, 6]);
    let place = serde_json::to_value(Place::default()).unwrap();
    let recipient = |address: &str, role: Option<&str>| {
        serde_json::json!({ "address": address, "role": role, "owner": null, "tags": [], "meant": ["m"], "group": false, "quarantine": "unsaid",
            "expect": null, "covered_by": null, "known": null, "place": place })
    };
    let probe = |number: u8, recipient: usize, message: serde_json::Value, case: Option<&str>| {
        let id = crate::model::ProbeId::new(&run, [number; 16]);
        let tag = key.tag(id);
        serde_json::json!({ "id": id, "tag": tag, "message_id": format!("<{tag}@sender.example>"), "recipient": recipient, "sender": 0,
            "route": "internet", "hop": ["smtp.sender.example", null], "message": message, "case": case, "expected": [], "expected_at": place,
            "within": { "secs": 300, "nanos": 0 }, "give_up_after": { "secs": 1800, "nanos": 0 }, "settle": { "secs": 20, "nanos": 0 },
            "require": [], "not_before": { "secs": 0, "nanos": 0 } })
    };
    let plan: Plan = serde_json::from_value(serde_json::json!({
        "run": { "id": run, "scenario": "weekly *check*", "site": "mailflow.yaml", "started_at": "2026-11-24T21:00:00.000Z", "version": "0.1.0",
            "change": "CHG-12", "description": "Whether the roles are reached.", "operator": "Dana\u{1b}[2J" },
        "recipients": [recipient("admin@contoso.example", Some("Global Administrator")), recipient("billing@contoso.example", None)],
        "senders": [{ "name": "outside", "address": "probe@sender.example", "envelope": "bounces@sender.example", "display_name": "Mail-flow probe",
            "contact": "it@contoso.example", "mailbox": null, "subaddress": "+", "sending_addresses": ["192.0.2.25"] }],
        "mailboxes": [],
        "probes": [probe(1, 0, "plain".into(), None), probe(2, 1, "verification".into(), None), probe(3, 0, "gtube".into(), Some("spam is stopped")),
            probe(4, 1, "self-spoof".into(), Some("spoofed"))],
    }))
    .unwrap();
    let site = Site {
        file: "mailflow.yaml".to_owned(),
        senders: plan.senders.clone(),
        domains: BTreeMap::new(),
        routes: Vec::new(),
        paths: Vec::new(),
        tenants: Vec::new(),
        mailboxes: Vec::new(),
        recipients: plan.recipients.clone(),
        tag_key: None,
        resolver: None,
        own_domains: vec!["contoso.example".to_owned()],
        dkim: BTreeMap::new(),
        alerts: Vec::new(),
        schedules: Vec::new(),
        serve_token: None,
    };
    let circumstances = Circumstances {
        begins: plan.run.started_at,
        planned: true,
        host: "probe-host",
    };
    Notice::of(&plan, &site, circumstances)
}

fn rendered(format: Format) -> String {
    String::from_utf8(render_notice(format, &noticed()).unwrap()).unwrap()
}

#[test]
fn it_reads_well_in_a_ticket() {
    let text = rendered(Format::Terminal);
    for line in text.lines() {
        assert!(crate::report::width(line) <= 80, "{line}");
    }
    assert!(!text.contains('\u{1b}'), "nothing of it steers a terminal");
    insta::assert_snapshot!("text", text);
}

#[test]
fn it_reads_well_as_markdown() {
    insta::assert_snapshot!("markdown", rendered(Format::Markdown));
}

#[test]
fn labels_take_nothing_away_and_fit_their_tags() {
    let text = rendered(Format::Terminal);
    let query = text.split_once("EmailEvents").unwrap().1.split_once("Anything else").unwrap().0;
    assert!(
        !query.contains("| where") && query.contains("extend IsMailflowProbe"),
        "a label, no filter"
    );
    assert!(
        text.contains("\"mailflow-probe@contoso.example\""),
        "a pretended sender is labelled too"
    );
}

#[test]
fn other_formats_are_refused() {
    let refused = refuse_others([Format::Markdown, Format::Json]).unwrap_err().to_string();
    assert_eq!(refused, "a notice has no format `json`; it has terminal, markdown");
}
