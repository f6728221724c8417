use super::*;
use crate::model::{Place, ProbeId, QuarantinePolicy, Recipient, RunId, RunInfo, TagKey};
use mail_parser::{MessageParser, MimeHeaders};
use std::time::Duration;

mod kinds;
mod templates;

/// A plan with one probe of each kind, to a recipient with this role.
fn plan(role: &str) -> Plan {
    let id = RunId::from_random([1, 2, 3, 4, 5, 6]);
    let key = TagKey::new(&[7; 32]);
    let sender = Sender {
        name: "outside".to_owned(),
        address: "probe@sender.example".to_owned(),
        envelope: "probe@sender.example".to_owned(),
        display_name: Some("Prüfer, Mailfluß".to_owned()),
        contact: Some("it@contoso.example".to_owned()),
        mailbox: None,
        subaddress: None,
        sending_addresses: vec![],
    };
    let recipient = Recipient {
        address: "billing@contoso.example".to_owned(),
        role: Some(role.to_owned()),
        owner: None,
        backup: None,
        tags: vec![],
        meant: vec![],
        group: false,
        quarantine: QuarantinePolicy::Unsaid,
        expect: None,
        covered_by: None,
        known: None,
        place: Place::default(),
    };
    let probes = (0_u8..)
        .zip(MessageKind::ALL)
        .map(|(number, message)| {
            // Small, so that the tests that compose every kind many times are quick.
            let message = if let MessageKind::Large(_) = message {
                MessageKind::Large(50_000)
            } else {
                message
            };
            let id = ProbeId::new(&id, [number; 16]);
            let tag = key.tag(id);
            Probe {
                id,
                message_id: message_id(&sender, &tag),
                tag,
                recipient: 0,
                sender: 0,
                route: "internet".to_owned(),
                hop: None,
                message,
                case: None,
                expected: vec![],
                expected_at: Place::default(),
                within: Duration::from_mins(1),
                give_up_after: Duration::from_mins(5),
                settle: Duration::from_secs(5),
                require: vec![],
                not_before: Duration::ZERO,
                internal: false,
            }
        })
        .collect();
    Plan {
        addresses: std::collections::BTreeMap::new(),
        paths: vec![],
        run: RunInfo {
            id,
            scenario: "gateway migration".to_owned(),
            site: "mailflow.yaml".to_owned(),
            started_at: "2026-11-23T10:00:00Z".parse().unwrap(),
            finished_at: None,
            version: "0.1.0".to_owned(),
            change: Some("CHG-4711".to_owned()),
            description: None,
            compare: None,
            origin: crate::model::Origin::default(),
        },
        recipients: vec![recipient],
        senders: vec![sender],
        mailboxes: vec![],
        probes,
        spacing: std::time::Duration::ZERO,
        templates: std::collections::BTreeMap::new(),
        recheck: Vec::new(),
        scope: None,
        traces: std::collections::BTreeMap::new(),
    }
}

fn lines(message: &[u8]) -> Vec<&[u8]> {
    let text = message.strip_suffix(b"\r\n").expect("the last line ends like all others");
    text.split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect()
}

#[test]
fn every_kind_is_a_message_that_any_server_takes() {
    for role in [
        "Billing Administrator",
        "Geschäftsführung \"Süd\" <x>",
        "役割\r\nBcc: evil@example.net",
        &"word".repeat(100),
    ] {
        let plan = plan(role);
        for probe in &plan.probes {
            let message = compose(&plan, probe);
            assert_eq!(message, compose(&plan, probe), "the same probe, the same bytes");
            assert!(message.is_ascii(), "{}", probe.message);
            assert_eq!(
                message.split(|&byte| byte == b'\n').count() - 1,
                message.windows(2).filter(|pair| pair == b"\r\n").count(),
                "a bare line feed in {}",
                probe.message
            );
            assert!(
                !message.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n'),
                "a bare carriage return"
            );
            let lines = lines(&message);
            assert!(lines.iter().all(|line| line.len() < 998), "{}", probe.message);
            assert_ne!(lines.last(), Some(&&b""[..]), "no extra empty line");
            assert!(
                !lines
                    .iter()
                    .take_while(|line| !line.is_empty())
                    .any(|line| line.starts_with(b"Bcc:")),
                "a role injects no header"
            );
        }
    }
}

#[test]
fn the_tag_stands_in_message_id_header_subject_and_text() {
    let plan = plan("Geschäftsführung");
    for probe in &plan.probes {
        let tag = probe.tag.as_str();
        let bytes = compose(&plan, probe);
        let message = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(message.message_id(), Some(format!("{tag}@sender.example").as_str()));
        assert_eq!(message.header("X-Mailflow-Probe").unwrap().as_text(), Some(tag));
        let subject = message.subject().unwrap();
        assert!(subject.ends_with(&format!(" [tag {tag}]")), "{subject}");
        if !matches!(probe.message, MessageKind::Verification | MessageKind::Unicode) {
            assert!(subject.starts_with("Mail-flow test for Geschäftsführung ["), "{subject}");
        }
        let text = message.body_text(0).unwrap();
        for expected in [
            tag,
            "billing@contoso.example",
            "it@contoso.example",
            "gateway migration",
            "CHG-4711",
            "Geschäftsführung",
        ] {
            let text = text.replace("\r\n", " ");
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let raw = String::from_utf8(bytes.clone()).unwrap();
        for line in [
            format!("\r\nMessage-ID: <{tag}@sender.example>\r\n"),
            format!("\r\nX-Mailflow-Probe: {tag}\r\n"),
        ] {
            assert!(raw.contains(&line), "on one line, unfolded: {line}");
        }
        assert_eq!(message.from().unwrap().first().unwrap().name(), Some("Prüfer, Mailfluß"));
        let pretended = probe.message == MessageKind::SelfSpoof;
        assert_eq!(
            message.from().unwrap().first().unwrap().address(),
            Some(if pretended {
                "mailflow-probe@contoso.example"
            } else {
                "probe@sender.example"
            })
        );
        assert_eq!(message.to().unwrap().first().unwrap().address(), Some("billing@contoso.example"));
        assert_eq!(message.date().unwrap().to_rfc3339(), "2026-11-23T10:00:00Z");
    }
}

#[test]
fn responders_stay_silent_except_where_they_are_asked_to_answer() {
    let plan = plan("Billing Administrator");
    for probe in &plan.probes {
        let message = String::from_utf8(compose(&plan, probe)).unwrap();
        let quiet = probe.message != MessageKind::AutoReply;
        assert_eq!(
            message.contains("\r\nAuto-Submitted: auto-generated\r\n"),
            quiet,
            "{}",
            probe.message
        );
        assert_eq!(
            message.contains("\r\nX-Auto-Response-Suppress: OOF, AutoReply\r\n"),
            quiet,
            "{}",
            probe.message
        );
    }
}

#[test]
fn each_kind_holds_what_it_is_named_for() {
    let plan = plan("Billing Administrator");
    for probe in &plan.probes {
        let bytes = compose(&plan, probe);
        let raw = String::from_utf8(bytes.clone()).unwrap();
        let message = MessageParser::default().parse(&bytes).unwrap();
        let link = format!("https://sender.example/mailflow/{}", probe.tag);
        assert_eq!(
            message.is_content_type("multipart", "alternative"),
            matches!(probe.message, MessageKind::Html | MessageKind::Link | MessageKind::Verification)
        );
        assert_eq!(
            raw.contains(&link),
            matches!(probe.message, MessageKind::Link | MessageKind::Verification | MessageKind::List),
            "{}",
            probe.message
        );
        assert_eq!(
            raw.contains("\r\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"),
            probe.message == MessageKind::Gtube
        );
        let files = match probe.message {
            MessageKind::Eicar => 2,
            MessageKind::Attachment
            | MessageKind::Office
            | MessageKind::Archive
            | MessageKind::EncryptedZip
            | MessageKind::Calendar
            | MessageKind::Large(_) => 1,
            _ => 0,
        };
        let named = message.attachments().filter(|part| part.attachment_name().is_some()).count();
        assert_eq!(named, files, "{}", probe.message);
        if let Some(pdf) = message.attachment(0).filter(|_| probe.message == MessageKind::Attachment) {
            assert!(pdf.contents().starts_with(b"%PDF-1.7") && pdf.contents().trim_ascii_end().ends_with(b"%%EOF"));
            assert!(
                pdf.contents().windows(42).any(|part| part == probe.tag.as_str().as_bytes()),
                "it says which probe it is"
            );
            assert_eq!(pdf.attachment_name(), Some("mail-flow-test.pdf"));
        }
    }
}

#[test]
fn texts_differ_from_probe_to_probe() {
    let mut plan = plan("Billing Administrator");
    let mut probe = plan.probes.remove(0);
    let key = TagKey::new(&[7; 32]);
    let mut texts = std::collections::BTreeSet::new();
    for number in 0..100 {
        let tag = key.tag(ProbeId::new(&plan.run.id, [number; 16]));
        let text = String::from_utf8(compose(
            &plan,
            &Probe {
                tag: tag.clone(),
                ..probe.clone()
            },
        ))
        .unwrap();
        texts.insert(text.replace(tag.as_str(), "").split_off(400));
        probe.tag = tag;
    }
    assert!(texts.len() > 50, "{} texts for 100 probes", texts.len());
}

#[test]
fn a_sender_without_a_usable_domain_still_has_a_message_id() {
    let mut plan = plan("Billing Administrator");
    plan.senders[0].address = "prüfer@süd.example".to_owned();
    assert_eq!(
        message_id(&plan.senders[0], &plan.probes[0].tag),
        format!("<{}@mailflow.invalid>", plan.probes[0].tag)
    );
}
