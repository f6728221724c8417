//! Templates: what a file may set, what stays ours, and what is refused.

use super::*;
use crate::compose::template;

fn filled(text: &str) -> (Vec<u8>, Tag) {
    assert_eq!(template::check(text), Ok(()), "{text}");
    let mut plan = plan("Sales & <Service>");
    plan.probes.truncate(1);
    plan.probes[0].message = MessageKind::Template("notice.eml".to_owned());
    plan.templates.insert("notice.eml".to_owned(), text.to_owned());
    let bytes = compose(&plan, &plan.probes[0]);
    assert_eq!(bytes, compose(&plan, &plan.probes[0]), "the same probe, the same bytes");
    assert!(bytes.is_ascii() && bytes.ends_with(b"\r\n") && !bytes.ends_with(b"\r\n\r\n"));
    assert!(lines(&bytes).iter().all(|line| line.len() < 998));
    (bytes, plan.probes[0].tag.clone())
}

#[test]
fn subject_further_fields_and_structure_are_the_files_and_the_rest_is_ours() {
    let (bytes, tag) = filled(
        "From: Vendor <no-reply@vendor.example>\nTo: everybody@contoso.example\nCc: boss@contoso.example\nBcc: x@y.example\n\
         Reply-To: vendor@vendor.example\nMessage-ID: <1@vendor.example>\nDate: Mon, 1 Jan 2001 00:00:00 +0000\nX-Mailflow-Probe: forged\n\
         Received: from a by b\nAuto-Submitted: no\nDKIM-Signature: v=1\nSubject: =?utf-8?Q?Pr=C3=BCfung_f=C3=BCr?=\n {role} \u{2013} {code}\n\
         X-Vendor-Notice: {recipient};\n level=high\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"outer\"\n\nPreamble\n--outer\n\
         Content-Type: multipart/alternative; boundary=inner\n\n--inner\nContent-Type: text/plain; charset=iso-8859-1; format=flowed\n\
         Content-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe an {role}: {li=\nnk} am {date}, {color:red} { tag }\n--inner\n\
         Content-Type: text/html; charset=utf-8\n\n<html><body><p style=\"x{color:red}\">{role}: <a href=\"{link}\">{tag}</a></p></body></html>\n\
         --inner--\n--outer\nContent-Type: application/octet-stream; name=\"a.bin\"\nContent-Transfer-Encoding: base64\n\
         Content-Disposition: attachment; filename=\"a.bin\"\n\nAAEC\n/w==\n--outer--\n",
    );
    let raw = String::from_utf8(bytes.clone()).unwrap();
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.from().unwrap().first().unwrap().address(), Some("probe@sender.example"));
    assert_eq!(message.to().unwrap().first().unwrap().address(), Some("billing@contoso.example"));
    assert_eq!(message.message_id(), Some(format!("{tag}@sender.example").as_str()));
    assert_eq!(message.header("X-Mailflow-Probe").unwrap().as_text(), Some(tag.as_str()));
    assert_eq!(message.header("Auto-Submitted").unwrap().as_text(), Some("auto-generated"));
    assert_eq!(message.date().unwrap().to_rfc3339(), "2026-11-23T10:00:00Z");
    for gone in ["Cc", "Bcc", "Reply-To", "Received", "DKIM-Signature"] {
        assert!(message.header(gone).is_none(), "{gone}");
    }
    for once in ["From", "To", "Subject", "Message-ID", "Date", "MIME-Version", "Content-Type"] {
        assert_eq!(
            raw.split("\r\n\r\n").next().unwrap().matches(&format!("\n{once}: ")).count() + usize::from(raw.starts_with(once)),
            1,
            "{once}"
        );
    }
    let subject = message.subject().unwrap();
    assert!(
        subject.starts_with("Prüfung für Sales & <Service> \u{2013} ") && subject.ends_with(&format!(" [tag {tag}]")),
        "{subject}"
    );
    assert_eq!(
        message.header("X-Vendor-Notice").unwrap().as_text(),
        Some("billing@contoso.example; level=high")
    );
    let link = format!("https://sender.example/mailflow/{tag}");
    assert_eq!(
        message.body_text(0).unwrap(),
        format!("Grüße an Sales & <Service>: {link} am 23 November 2026, {{color:red}} {{ tag }}")
    );
    let html = message.body_html(0).unwrap();
    assert!(
        html.contains(&format!("Sales &amp; &lt;Service&gt;: <a href=\"{link}\">{tag}</a>")),
        "{html}"
    );
    assert!(html.contains("x{color:red}"), "{html}");
    let file = message.attachment(0).unwrap();
    assert_eq!((file.attachment_name(), file.contents()), (Some("a.bin"), &[0, 1, 2, 255][..]));
    assert_eq!(message.parts[2].content_type().unwrap().attribute("format"), Some("flowed"));
}

#[test]
fn a_template_that_names_no_tag_gets_it() {
    let (bytes, tag) = filled("Subject: Notice\r\n\r\nHello.\r\n\r\n\r\n");
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(message.subject(), Some(format!("Notice [tag {tag}]").as_str()));
    assert_eq!(message.body_text(0).unwrap(), format!("Hello.\r\n\r\nReference: {tag}\r\n"));
    let (bytes, tag) = filled("Content-Type: text/html\n\n<html><body>Grüße</body></html>\n");
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert!(
        message.subject().unwrap().starts_with("Mail-flow test for Sales"),
        "without one, it is ours"
    );
    assert!(
        message
            .body_html(0)
            .unwrap()
            .contains(&format!("Grüße<p>Reference: {tag}</p>\r\n</body>"))
    );
}

#[test]
fn a_value_is_not_filled_in_again() {
    let mut plan = plan("{tag} {nothing}");
    plan.probes.truncate(1);
    plan.probes[0].message = MessageKind::Template("a".to_owned());
    plan.templates
        .insert("a".to_owned(), "Subject: {role}\n\n{role} {tag}\n".to_owned());
    let bytes = compose(&plan, &plan.probes[0]);
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert!(
        message.subject().unwrap().starts_with("{tag} {nothing} [tag "),
        "{:?}",
        message.subject()
    );
    assert!(message.body_text(0).unwrap().starts_with("{tag} {nothing} "));
}

#[test]
fn what_is_no_template_is_refused_with_its_line() {
    let deep: String = (0..12)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"))
        .collect();
    let many = format!("Content-Type: multipart/mixed; boundary=b\n\n{}--b--\n", "--b\n\nx\n".repeat(200));
    for (text, line, what) in [
        ("", 1, "begins with its header"),
        ("Hello {tag},\n", 1, "begins with its header"),
        ("Subject: x\n\nHello {tag}\nand {reciepient}\n", 4, "no placeholder {reciepient}"),
        ("Subject: {Tag}\n\nx\n", 1, "no placeholder {Tag}"),
        (
            "Subject: x\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nSGVsbG8ge25hbWV9IQ==\n",
            1,
            "no placeholder {name}",
        ),
        (
            "Subject: x\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n",
            1,
            "signed",
        ),
        (&deep, 1, "nested deeper"),
        (&many, 1, "more than 100 parts"),
    ] {
        let flaw = template::check(text).unwrap_err();
        assert!(
            flaw.line == line && flaw.what.contains(what),
            "{flaw:?} for {}",
            &text[..text.len().min(60)]
        );
    }
}

#[test]
fn hostile_templates_end() {
    for text in [
        "a: ".to_owned() + &"{".repeat(500_000),
        format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n".repeat(200_000)),
        format!("Subject: {}\n\n{}", "{tag}".repeat(100_000), "\0".repeat(1000)),
        "Content-Type: multipart/mixed\n\n--\n--\n----\n".to_owned(),
        "x:\n\n\u{feff}\u{202e}".to_owned(),
    ] {
        let _ = template::check(&text);
        let mut plan = plan("Billing");
        plan.probes.truncate(1);
        plan.probes[0].message = MessageKind::Template("a".to_owned());
        plan.templates.insert("a".to_owned(), text);
        let bytes = compose(&plan, &plan.probes[0]);
        assert!(MessageParser::default().parse(&bytes).is_some());
    }
}
