//! What is told, and in which form: each payload against the limits that its service documents.

use super::{webhook::sample, *};
use crate::{
    alert::decide::Decision,
    model::{
        AlertTarget, AlertTemplate, Judged, JudgedProbe, Occasion, Outcome as Came, Place, RunId, RunInfo, Standing, Summary, Time, Verdict,
    },
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

const START: &str = "2026-03-01T06:00:00Z";

fn target(after: u32, remind: Option<u64>, on: &[Occasion]) -> AlertTarget {
    AlertTarget {
        name: "chat".to_owned(),
        service: AlertService::Slack {
            url: SecretSource::Env("SLACK".to_owned()),
        },
        on: on.iter().copied().collect::<BTreeSet<_>>(),
        after,
        remind: remind.map(Duration::from_hours),
        ca: None,
        place: Place::default(),
    }
}

const ALL: [Occasion; 3] = [Occasion::Failure, Occasion::Unknown, Occasion::Recovery];

fn at(hours: i64) -> Time {
    START.parse::<Time>().unwrap() + chrono::TimeDelta::hours(hours)
}

/// A run whose probes came to this: address, outcome, verdict.
fn run(number: u8, probes: &[(&str, Came, Verdict)]) -> Judged {
    let id = RunId::from_random([number; 6]);
    let info = RunInfo {
        id: id.clone(),
        scenario: "weekly".to_owned(),
        site: "mailflow.yaml".to_owned(),
        started_at: at(i64::from(number)),
        finished_at: Some(at(i64::from(number))),
        version: "0".to_owned(),
        change: None,
        description: None,
        compare: None,
        origin: crate::model::Origin::default(),
    };
    let text = include_str!("tests/probe.json");
    let probes: Vec<JudgedProbe> = probes
        .iter()
        .map(|(address, outcome, verdict)| {
            let mut probe: JudgedProbe = serde_json::from_str(text).unwrap();
            probe.run = id.clone();
            probe.recipient = (*address).to_owned();
            probe.outcome = *outcome;
            probe.verdict = *verdict;
            probe
        })
        .collect();
    Judged {
        schema: crate::model::REPORT_SCHEMA.to_owned(),
        runs: vec![info],
        summary: Summary::of(&probes),
        roles: Vec::new(),
        parity: Vec::new(),
        probes,
        blind: std::collections::BTreeMap::new(),
    }
}

fn told(target: &AlertTarget, judged: &Judged, standings: &mut Vec<Standing>, hours: i64) -> Option<AlertMessage> {
    told_of(target, judged, standings, hours, true)
}

fn told_of(target: &AlertTarget, judged: &Judged, standings: &mut Vec<Standing>, hours: i64, complete: bool) -> Option<AlertMessage> {
    let about = About {
        judged,
        complete,
        site: "/etc/mailflow.yaml",
        now: at(hours),
    };
    let decision: Decision = decide(target, &about, std::mem::take(standings));
    *standings = decision.standings;
    decision.message
}

const OK: (Came, Verdict) = (Came::Passed, Verdict::Inbox);
const JUNK: (Came, Verdict) = (Came::Failed, Verdict::Junk);
const DARK: (Came, Verdict) = (Came::Unknown, Verdict::Unknown);

fn one(number: u8, (outcome, verdict): (Came, Verdict)) -> Judged {
    run(number, &[("admin@contoso.example", outcome, verdict)])
}

/// What is told in a row of runs, an hour apart.
fn story(target: &AlertTarget, findings: &[(Came, Verdict)]) -> Vec<String> {
    let mut standings = Vec::new();
    (0..)
        .zip(findings)
        .map(|(number, finding)| {
            let message = told(target, &one(number, *finding), &mut standings, i64::from(number));
            message.map_or_else(String::new, |message| {
                let change = &message.changes[0];
                format!("{}{}", if change.reminder { "still " } else { "" }, change.kind)
            })
        })
        .collect()
}

#[test]
fn only_changes_are_told() {
    let target = target(1, None, &ALL);
    assert_eq!(
        story(&target, &[OK, OK, JUNK, JUNK, OK, OK]),
        ["", "", "failure", "", "recovery", ""]
    );
    assert_eq!(story(&target, &[DARK, DARK, OK]), ["unknown", "", "recovery"]);
    assert_eq!(
        story(&target, &[JUNK, DARK, JUNK, OK]),
        ["failure", "", "", "recovery"],
        "what could not be measured takes no failure back"
    );
    assert_eq!(story(&target, &[DARK, JUNK, OK]), ["unknown", "failure", "recovery"]);
    let waived = (Came::Waived, Verdict::Junk);
    assert_eq!(story(&target, &[waived, JUNK, waived]), ["", "failure", "recovery"]);
}

#[test]
fn what_flaps_is_damped_and_what_lasts_is_told_again() {
    assert_eq!(
        story(&target(2, None, &ALL), &[JUNK, OK, JUNK, OK, JUNK, DARK, JUNK, OK]),
        ["", "", "", "", "", "", "failure", "recovery"]
    );
    assert_eq!(
        story(&target(1, Some(2), &ALL), &[JUNK, JUNK, JUNK, JUNK, JUNK, OK]),
        ["failure", "", "still failure", "", "still failure", "recovery"]
    );
}

#[test]
fn a_target_hears_only_what_it_asked_for() {
    let failures = target(1, None, &[Occasion::Failure]);
    assert_eq!(story(&failures, &[DARK, JUNK, OK, JUNK]), ["", "failure", "", "failure"]);
    let unknowns = target(1, None, &[Occasion::Unknown, Occasion::Recovery]);
    assert_eq!(story(&unknowns, &[JUNK, OK, DARK, OK]), ["", "", "unknown", "recovery"]);
}

#[test]
fn what_was_not_tried_is_no_measurement() {
    let mut judged = one(0, DARK);
    judged.probes[0].flags = vec![crate::model::Flag::NotSent];
    judged.probes[0].attempts.clear();
    let mut standings = Vec::new();
    assert_eq!(told(&target(1, None, &ALL), &judged, &mut standings, 0), None);
    let pending = one(1, (Came::Unknown, Verdict::Pending));
    assert_eq!(told(&target(1, None, &ALL), &pending, &mut standings, 1), None);
    assert_eq!(standings, []);
}

#[test]
fn a_run_is_told_of_in_one_bounded_message_with_names_that_stay() {
    let addresses: Vec<String> = (0..100).map(|number| format!("member-{number}@contoso.example")).collect();
    let all = |finding: (Came, Verdict)| -> Vec<_> {
        addresses
            .iter()
            .map(|address| (address.as_str(), finding.0, finding.1))
            .collect::<Vec<_>>()
    };
    let target = target(1, None, &ALL);
    let mut standings = Vec::new();
    let message = told(&target, &run(0, &all(JUNK)), &mut standings, 0).unwrap();
    assert_eq!((message.changes.len(), message.left_out, message.open), (40, 60, 100));
    assert!(message.title.starts_with("Mail to 100 recipients"), "{}", message.title);
    let again = told(&target, &run(0, &all(JUNK)), &mut Vec::new(), 5).unwrap();
    assert_eq!(
        (&again.id, &again.thread),
        (&message.id, &message.thread),
        "decided anew after a crash"
    );
    let mut some = all(OK);
    some[7] = ("member-7@contoso.example", Came::Failed, Verdict::Lost);
    let recovery = told(&target, &run(1, &some), &mut standings, 1).unwrap();
    assert_eq!((recovery.kind, recovery.resolved, recovery.open), (Occasion::Recovery, false, 1));
    assert_ne!(recovery.id, message.id);
    assert_eq!(recovery.thread, message.thread);
    let last = told(&target, &run(2, &all(OK)), &mut standings, 2).unwrap();
    assert_eq!((last.kind, last.resolved, last.open), (Occasion::Recovery, true, 0));
    assert_eq!(standings, []);
}

#[test]
fn what_is_no_longer_there_is_taken_back_by_a_complete_run() {
    let target = target(1, None, &ALL);
    let mut standings = Vec::new();
    told(&target, &one(0, JUNK), &mut standings, 0).unwrap();
    let other = run(1, &[("other@contoso.example", Came::Passed, Verdict::Inbox)]);
    assert_eq!(
        told_of(&target, &other, &mut standings, 1, false),
        None,
        "it was only narrowed down"
    );
    let message = told(&target, &other, &mut standings, 2).unwrap();
    assert_eq!((message.changes[0].verdict.as_str(), message.resolved), ("withdrawn", true));
}

#[test]
fn owner_and_backup_are_named() {
    let mut judged = one(0, JUNK);
    judged.probes[0].owner = Some("Dana Reyes".to_owned());
    judged.probes[0].backup = Some("Kim Okafor".to_owned());
    let message = told(&target(1, None, &ALL), &judged, &mut Vec::new(), 0).unwrap();
    let text = words::text(&message, 10_000);
    assert!(text.contains("Owner: Dana Reyes; backup: Kim Okafor"), "{text}");
    assert!(text.contains("FAILED admin@contoso.example"), "{text}");
}

/// A message that fills every limit, and is hostile wherever it can be.
fn huge() -> AlertMessage {
    let mut message = sample();
    message.title = format!("<!channel> \"{}\" & *x*", "ä".repeat(2_000));
    let mut change = message.changes[0].clone();
    change.explanation = format!("</script>\"\\ <https://evil.example|click> [a](b) {}", "日".repeat(340));
    message.changes = vec![change; 40];
    message.left_out = 60;
    message
}

fn body(service: &AlertService, message: &AlertMessage) -> Value {
    let keys = Keys {
        main: "https://hooks.example/services/T0/B0/verysecret".into(),
        token: None,
    };
    serde_json::from_slice(request(service, &keys, message).unwrap().body()).unwrap()
}

fn secret() -> SecretSource {
    SecretSource::Env("X".to_owned())
}

#[test]
fn slack_gets_blocks_within_its_limits_and_no_mention() {
    for message in [sample(), huge()] {
        let body = body(&AlertService::Slack { url: secret() }, &message);
        let blocks = body["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        assert!(blocks[0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
        let sections: Vec<&str> = blocks.iter().filter_map(|block| block["text"]["text"].as_str()).collect();
        assert!(sections.iter().all(|text| text.chars().count() <= 3000));
        assert!(sections.iter().map(|text| text.chars().count()).sum::<usize>() < 13_000);
        // A header is plain text, in which nothing is read as a mention.
        assert!(!body["text"].as_str().unwrap().contains("<!channel>"));
        assert!(sections.iter().skip(1).all(|text| !text.contains('<')), "{sections:?}");
    }
}

#[test]
fn teams_gets_an_adaptive_card_of_less_than_28_kb() {
    for message in [sample(), huge()] {
        let body = body(&AlertService::Teams { url: secret() }, &message);
        assert_eq!(body["type"], "message");
        let attachment = &body["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(attachment["content"]["type"], "AdaptiveCard");
        assert!(attachment["content"]["body"].as_array().unwrap().len() >= 3);
        assert!(body.to_string().len() < 28 * 1024, "{}", body.to_string().len());
    }
}

#[test]
fn pagerduty_gets_an_event_and_its_end() {
    let service = AlertService::PagerDuty { key: secret(), url: None };
    for message in [sample(), huge()] {
        let event = body(&service, &message);
        assert_eq!(event["event_action"], "trigger");
        assert_eq!(event["routing_key"], "https://hooks.example/services/T0/B0/verysecret");
        let payload = &event["payload"];
        assert!(payload["summary"].as_str().unwrap().chars().count() <= 1024);
        assert!(["critical", "error", "warning", "info"].contains(&payload["severity"].as_str().unwrap()));
        assert!(payload["source"].is_string() && event["dedup_key"].as_str().unwrap().len() <= 255);
        assert!(event.to_string().len() < 512 * 1024);
    }
    let mut over = sample();
    (over.kind, over.resolved) = (Occasion::Recovery, true);
    let event = body(&service, &over);
    assert_eq!(
        (&event["event_action"], &event["dedup_key"]),
        (&json!("resolve"), &json!(over.thread))
    );
    over.resolved = false;
    assert_eq!(body(&service, &over)["event_action"], "trigger", "something is still amiss");
}

#[test]
fn opsgenie_gets_an_alert_a_note_and_its_end() {
    for message in [sample(), huge()] {
        let (path, body) = opsgenie::call(&message);
        assert_eq!(path, "");
        assert!(body["message"].as_str().unwrap().chars().count() <= 130);
        assert!(body["alias"].as_str().unwrap().len() <= 512);
        assert!(body["description"].as_str().unwrap().chars().count() <= 15_000);
        assert!(
            body["details"].as_object().unwrap().values().all(Value::is_string),
            "details are texts"
        );
    }
    let mut over = sample();
    (over.kind, over.resolved) = (Occasion::Recovery, true);
    assert_eq!(opsgenie::call(&over).0, format!("/{}/close?identifierType=alias", over.thread));
    over.resolved = false;
    assert_eq!(opsgenie::call(&over).0, format!("/{}/notes?identifierType=alias", over.thread));
}

#[test]
fn ntfy_gets_a_text_short_enough_to_stay_one() {
    let keys = |url: &str| Keys {
        main: url.into(),
        token: None,
    };
    for message in [sample(), huge()] {
        let request = ntfy::request(&keys("https://ntfy.example/base/admins"), &message).unwrap();
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(body["topic"], "admins");
        assert!(body["message"].as_str().unwrap().len() <= 4096);
        assert!((1..=5).contains(&body["priority"].as_u64().unwrap()));
    }
    assert!(ntfy::request(&keys("https://ntfy.example/"), &sample()).is_err());
}

#[test]
fn a_webhook_gets_the_message_or_what_a_template_makes_of_it() {
    let webhook = |template: Option<AlertTemplate>| AlertService::Webhook {
        url: secret(),
        token: None,
        template,
    };
    let read: AlertMessage = serde_json::from_value(body(&webhook(None), &huge())).unwrap();
    assert_eq!(read, huge());
    let json = |text: &str| {
        Some(AlertTemplate {
            file: "alert.json".to_owned(),
            text: text.to_owned(),
        })
    };
    let text = r#"{ "text": {{ alert.title }}, "who": [{% for change in alert.changes %}{{ change.explanation }}{% if not loop.last %}, {% endif %}{% endfor %}] }"#;
    let made = body(&webhook(json(text)), &huge());
    assert_eq!(made["text"], huge().title.as_str(), "nothing breaks out of its place");
    assert_eq!(made["who"].as_array().unwrap().len(), 40);
    assert_eq!(made["who"][0], huge().changes[0].explanation.as_str());
    for (text, why) in [
        (r#"{ "text": "{{ alert.title }}" }"#, "not JSON"),
        ("{{ alert.titel }}", "undefined"),
        ("{{ alert.title", "syntax error"),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "fuel",
        ),
    ] {
        let flaw = check_template(&json(text).unwrap()).expect_err(text);
        assert!(flaw.starts_with("alert.json") && flaw.contains(why), "{text}: {flaw}");
    }
}

#[test]
fn a_message_by_mail_is_one_and_tells_doubles_by_its_id() {
    let mail = compose_mail("alerts@other.example", "oncall@other.example", &huge()).unwrap();
    let parsed = mail_parser::MessageParser::default().parse(&mail).unwrap();
    assert_eq!(parsed.message_id(), Some("mailflow-0123456789abcdef@other.example"));
    assert_eq!(parsed.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
    assert!(parsed.subject().unwrap().starts_with("[mailflow failure] "));
    assert!(parsed.body_text(0).unwrap().contains("Owner: Dana Reyes"));
    assert!(compose_mail("alerts@other.example", "nobody", &sample()).is_err());
}

#[test]
fn nothing_of_a_key_shows() {
    let keys = Keys {
        main: "https://hooks.example/services/T0/B0/verysecret".into(),
        token: Some("tk_alsosecret".into()),
    };
    let service = AlertService::Ntfy {
        url: secret(),
        token: None,
    };
    let shown = format!("{:?} {:?}", request(&service, &keys, &sample()).unwrap(), keys);
    assert!(!shown.contains("alsosecret"), "{shown}");
    let shown = format!("{:?}", request(&AlertService::Slack { url: secret() }, &keys, &sample()).unwrap());
    assert!(!shown.contains("verysecret"), "{shown}");
    assert_eq!(keys.token.unwrap().expose_secret(), "tk_alsosecret");
}
