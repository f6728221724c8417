//! What each kind holds, read by others than those who wrote it.

use super::*;
use mail_parser::{Message, PartType};
use std::io::{Cursor, Read};

/// The plan, with its only probe of this kind, to this recipient.
fn only(kind: MessageKind, recipient: &str) -> Plan {
    let mut plan = plan("Billing Administrator");
    plan.recipients[0].address = recipient.to_owned();
    plan.probes.truncate(1);
    plan.probes[0].message = kind;
    plan
}

fn composed(kind: MessageKind) -> (Vec<u8>, Tag) {
    let plan = only(kind, "billing@contoso.example");
    (compose(&plan, &plan.probes[0]), plan.probes[0].tag.clone())
}

fn parsed(bytes: &[u8]) -> Message<'_> {
    MessageParser::default().parse(bytes).unwrap()
}

fn archive_in(bytes: &[u8]) -> ::zip::ZipArchive<Cursor<Vec<u8>>> {
    let file = parsed(bytes).attachment(0).unwrap().contents().to_vec();
    ::zip::ZipArchive::new(Cursor::new(file)).unwrap()
}

#[test]
fn a_notice_of_verification_has_a_code_a_link_and_a_deadline_and_says_that_it_is_a_test() {
    let (bytes, tag) = composed(MessageKind::Verification);
    let message = parsed(&bytes);
    let subject = message.subject().unwrap();
    let code = subject.split("code ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    assert!(subject.contains("test"), "{subject}");
    let link = format!("https://sender.example/mailflow/{tag}");
    for text in [message.body_text(0).unwrap(), message.body_html(0).unwrap()] {
        let text = text.replace("\r\n", " ");
        for expected in [
            code,
            &link,
            "26 November 2026, 10:00 UTC",
            "It is a test: there is nothing to verify.",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
}

#[test]
fn documents_are_packages_whose_parts_are_xml() {
    let (bytes, tag) = composed(MessageKind::Office);
    assert_eq!(parsed(&bytes).attachment(0).unwrap().attachment_name(), Some("mail-flow-test.docx"));
    let mut package = archive_in(&bytes);
    let names: Vec<String> = package.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names, ["[Content_Types].xml", "_rels/.rels", "word/document.xml"]);
    for name in names {
        let mut text = String::new();
        package.by_name(&name).unwrap().read_to_string(&mut text).unwrap();
        let mut open = Vec::new();
        let mut reader = quick_xml::Reader::from_str(&text);
        loop {
            match reader.read_event().unwrap() {
                quick_xml::events::Event::Start(start) => open.push(start.name().as_ref().to_vec()),
                quick_xml::events::Event::End(end) => assert_eq!(open.pop().unwrap(), end.name().as_ref(), "{name}"),
                quick_xml::events::Event::Eof => break,
                _ => {}
            }
        }
        assert!(open.is_empty(), "{name}");
        assert_eq!(text.contains(tag.as_str()), name == "word/document.xml");
    }
}

#[test]
fn an_archive_opens_and_an_encrypted_one_only_with_the_password_in_the_text() {
    let (bytes, tag) = composed(MessageKind::Archive);
    let mut text = String::new();
    archive_in(&bytes).by_index(0).unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains(tag.as_str()), "{text}");

    let (bytes, _) = composed(MessageKind::EncryptedZip);
    let words = parsed(&bytes).body_text(0).unwrap().replace("\r\n", " ");
    let password = words.split("password is ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let mut archive = archive_in(&bytes);
    assert!(archive.by_index(0).is_err(), "without a password");
    let mut opened = String::new();
    let mut file = archive.by_index_decrypt(0, password.as_bytes()).unwrap();
    file.read_to_string(&mut opened).unwrap();
    assert_eq!((&*file.name().unwrap(), opened), ("mail-flow-test.txt", text));
    drop(file);
    let wrong = archive
        .by_index_decrypt(0, b"mailflow-000000")
        .map(|mut file| file.read_to_end(&mut Vec::new()));
    assert!(!matches!(wrong, Ok(Ok(_))), "with another password");
}

#[test]
fn an_invitation_is_one_by_rfc_5545_in_the_text_and_as_a_file() {
    let plan = only(MessageKind::Calendar, "o'neil+role%1@contoso.example");
    let bytes = compose(&plan, &plan.probes[0]);
    let message = parsed(&bytes);
    let part = message.parts.iter().find(|part| part.is_content_type("text", "calendar")).unwrap();
    assert_eq!(part.content_type().unwrap().attribute("method"), Some("REQUEST"));
    let PartType::Text(calendar) = &part.body else { panic!("text") };
    let file = message
        .attachments()
        .find(|part| part.attachment_name() == Some("invite.ics"))
        .unwrap();
    assert_eq!(file.contents(), calendar.as_bytes());
    for line in calendar.strip_suffix("\r\n").unwrap().split("\r\n") {
        assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line}");
    }
    let unfolded = calendar.replace("\r\n ", "");
    let lines: Vec<(&str, &str)> = unfolded
        .lines()
        .map(|line| {
            let end = line.find([':', ';']).unwrap();
            // A colon inside of quotes ends no parameter; ours have none.
            (&line[..end], line.split_once(':').unwrap().1)
        })
        .collect();
    let value = |name: &str| {
        let found: Vec<&str> = lines.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value).collect();
        assert_eq!(found.len(), 1, "{name} stands once");
        found[0]
    };
    assert_eq!((lines[0], lines[lines.len() - 1]), (("BEGIN", "VCALENDAR"), ("END", "VCALENDAR")));
    assert_eq!((value("VERSION"), value("METHOD")), ("2.0", "REQUEST"));
    assert_eq!(value("UID"), format!("{}@sender.example", plan.probes[0].tag));
    assert_eq!(value("DTSTAMP"), "20261123T100000Z");
    assert_eq!((value("DTSTART"), value("DTEND")), ("20261124T100000Z", "20261124T101500Z"));
    assert_eq!(value("ORGANIZER"), "mailto:probe@sender.example");
    assert_eq!(value("ATTENDEE"), "mailto:o'neil+role%251@contoso.example");
    assert!(value("DESCRIPTION").contains(plan.probes[0].tag.as_str()));
}

#[test]
fn a_large_message_has_the_size_that_was_asked_for() {
    for size in [MessageKind::LEAST, 8_193, 8_194, 8_195, 8_267, 10_000, 300 * 1024, 1024 * 1024 + 7] {
        let length = composed(MessageKind::Large(size)).0.len() as u64;
        assert!(length <= size && size - length < 6, "{length} octets for {size}");
    }
    let (bytes, _) = composed(MessageKind::Large(100_000));
    let message = parsed(&bytes);
    let mut octets = [0_u32; 256];
    let file = message.attachment(0).unwrap().contents();
    file.iter().for_each(|&octet| octets[usize::from(octet)] += 1);
    let expected = u32::try_from(file.len() / 256).unwrap();
    assert!(
        octets.iter().all(|&count| count > expected / 2 && count < expected * 2),
        "each octet comes about as often as any other"
    );
}

#[test]
fn scripts_go_encoded_to_ascii_addresses_and_as_they_are_to_others() {
    let (encoded, tag) = composed(MessageKind::Unicode);
    assert!(encoded.is_ascii());
    let plan = only(MessageKind::Unicode, "büro@süd.example");
    let wide = compose(&plan, &plan.probes[0]);
    let raw = String::from_utf8(wide.clone()).unwrap();
    assert!(raw.contains("\r\nTo: <büro@süd.example>\r\n"), "{raw}");
    assert!(raw.contains("\r\nSubject: Mail-flow test: Grüße, Привет, 你好, שלום 📬"), "{raw}");
    assert!(raw.contains("\r\nContent-Transfer-Encoding: 8bit\r\n"), "{raw}");
    assert!(lines(&wide).iter().all(|line| line.len() < 998));
    let (encoded, wide) = (parsed(&encoded), parsed(&wide));
    assert_eq!(encoded.subject(), wide.subject());
    for message in [encoded, wide] {
        let text = message.body_text(0).unwrap();
        for expected in [
            "Съешь ещё этих",
            "דג סקרן",
            "e\u{301} n\u{303}",
            "👩🏽\u{200d}💻",
            "視野無限廣",
            tag.as_str(),
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
    let plain = only(MessageKind::Plain, "büro@süd.example");
    let raw = String::from_utf8(compose(&plain, &plain.probes[0])).unwrap();
    assert!(
        raw.contains("\r\nTo: <büro@süd.example>\r\n"),
        "no encoded word in an address: {raw}"
    );
}

#[test]
fn a_list_says_so_in_its_header_with_the_senders_own_domain_only() {
    let (bytes, tag) = composed(MessageKind::List);
    let message = parsed(&bytes);
    let field = |name: &str| {
        message
            .header_raw(name)
            .unwrap_or_else(|| panic!("{name}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(field("List-Id"), "Mail-flow test <mailflow-test.sender.example>");
    assert_eq!(
        field("List-Unsubscribe"),
        format!("<https://sender.example/mailflow/{tag}/unsubscribe>, <mailto:probe@sender.example?subject=unsubscribe%20{tag}>")
    );
    assert_eq!(field("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert_eq!(field("Precedence"), "list");
}

#[test]
fn the_test_virus_is_attached_whole_and_stands_in_no_clear() {
    let (bytes, _) = composed(MessageKind::Eicar);
    let virus = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"].concat();
    let message = parsed(&bytes);
    let files: Vec<_> = message
        .attachments()
        .map(|part| (part.attachment_name().unwrap(), part.contents()))
        .collect();
    assert_eq!(files, [("eicar.com", virus.as_bytes()), ("eicar.txt", virus.as_bytes())]);
    assert_eq!(virus.len(), 68);
}

#[test]
fn only_the_name_or_the_address_in_from_pretends() {
    for (kind, name, address) in [
        (MessageKind::SelfSpoof, "Prüfer, Mailfluß", "mailflow-probe@contoso.example"),
        (
            MessageKind::DisplayName("Kim \"K\" Lee".to_owned()),
            "Kim \"K\" Lee",
            "probe@sender.example",
        ),
    ] {
        let (bytes, tag) = composed(kind);
        let message = parsed(&bytes);
        let from = message.from().unwrap().first().unwrap();
        assert_eq!((from.name(), from.address()), (Some(name), Some(address)));
        assert_eq!(message.message_id(), Some(format!("{tag}@sender.example").as_str()));
        assert_eq!(message.header("X-Mailflow-Probe").unwrap().as_text(), Some(tag.as_str()));
        assert!(message.body_text(0).unwrap().replace("\r\n", " ").contains("that is not true"));
    }
}
