//! Replies to a message: by a vacation responder (RFC 3834) and as by a person.
//!
//! Pure. Cannot see mailboxes; `courier` puts the reply where it belongs.

use mail_parser::MessageParser;

use super::headers;

/// The most lines of the text that a person quotes.
const QUOTED_LINES: usize = 40;

/// Who answers what, and when.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The address of the mailbox that answers.
    pub from: &'a str,
    /// To whom.
    pub to: &'a str,
    /// The message answered.
    pub message: &'a [u8],
    /// The reply's own Message-ID, with its brackets.
    pub message_id: &'a str,
    /// Its date, as in RFC 5322.
    pub date: &'a str,
}

/// Whether an automatic responder must keep silent: the message is automatic itself, or from a list (RFC 3834, section 2).
pub fn must_not_answer(message: &[u8]) -> bool {
    let automatic = headers::first(message, "Auto-Submitted")
        .is_some_and(|value| !value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("no"));
    let precedence = headers::first(message, "Precedence").unwrap_or_default().to_ascii_lowercase();
    let list = headers::fields(message)
        .iter()
        .any(|f| f.name.to_ascii_lowercase().starts_with("list-"));
    automatic || list || ["bulk", "junk", "list"].contains(&precedence.as_str())
}

/// The automatic reply of somebody on vacation.
pub fn vacation(reply: &Reply<'_>) -> Vec<u8> {
    let subject = subject(reply.message);
    let text = "I am out of the office until the end of the month and shall read your message then.\r\n";
    render(
        reply,
        &format!("Auto: {subject}"),
        "Auto-Submitted: auto-replied (vacation)\r\n",
        text,
    )
}

/// The reply of a person who read the message and quotes it.
pub fn by_person(reply: &Reply<'_>) -> Vec<u8> {
    let subject = subject(reply.message);
    let subject = if subject.to_ascii_lowercase().starts_with("re:") {
        subject
    } else {
        format!("Re: {subject}")
    };
    let text = MessageParser::default()
        .parse(reply.message)
        .and_then(|m| m.body_text(0).map(std::borrow::Cow::into_owned));
    let mut body = "Thank you, your message has arrived. Is there anything I should do?\r\n\r\n".to_owned();
    for line in text.unwrap_or_default().lines().take(QUOTED_LINES) {
        body.extend(["> ", line, "\r\n"]);
    }
    render(reply, &subject, "", &body)
}

/// The address in `From`.
pub fn from(message: &[u8]) -> Option<String> {
    let parsed = MessageParser::default().parse_headers(message)?;
    Some(parsed.from()?.first()?.address()?.to_owned())
}

/// The address a person would answer to: `Reply-To`, else `From`.
pub fn author(message: &[u8]) -> Option<String> {
    let parsed = MessageParser::default().parse_headers(message)?;
    let address = parsed
        .reply_to()
        .or_else(|| parsed.from())
        .and_then(|a| a.first())
        .and_then(|a| a.address())?;
    Some(address.to_owned())
}

fn subject(message: &[u8]) -> String {
    headers::first(message, "Subject").unwrap_or_default()
}

fn render(reply: &Reply<'_>, subject: &str, extra: &str, text: &str) -> Vec<u8> {
    let Reply {
        from,
        to,
        message_id,
        date,
        message,
    } = reply;
    let mut out = format!("From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: {message_id}\r\n{extra}");
    if let Some(id) = headers::first(message, "Message-ID") {
        out.extend(["In-Reply-To: ", &id, "\r\nReferences: ", &id, "\r\n"]);
    }
    let charset = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
    out.extend([charset, "\r\n", text]);
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responders_keep_silent_towards_machines() {
        assert!(must_not_answer(b"Auto-Submitted: auto-generated\r\n\r\n"));
        assert!(must_not_answer(b"List-Id: <x>\r\n\r\n"));
        assert!(must_not_answer(b"Precedence: bulk\r\n\r\n"));
        assert!(!must_not_answer(b"Auto-Submitted: no\r\n\r\n"));
        assert!(!must_not_answer(b"Subject: hello\r\n\r\n"));
    }

    #[test]
    fn a_person_quotes_and_is_not_automatic() {
        let message = b"Message-ID: <1@x>\r\nFrom: A <a@x>\r\nSubject: Hi\r\n\r\nline one\r\nline two\r\n";
        let reply = Reply {
            from: "b@y",
            to: "a@x",
            message,
            message_id: "<2@y>",
            date: "Thu, 1 Jan 1970 00:00:00 +0000",
        };
        let text = String::from_utf8(by_person(&reply)).unwrap();
        assert!(text.contains("Subject: Re: Hi\r\n") && text.contains("In-Reply-To: <1@x>\r\n") && text.contains("> line two\r\n"));
        assert!(!text.contains("Auto-Submitted"));
        assert_eq!(author(message).as_deref(), Some("a@x"));
        let automatic = String::from_utf8(vacation(&reply)).unwrap();
        assert!(automatic.contains("Auto-Submitted: auto-replied (vacation)\r\n") && automatic.contains("Subject: Auto: Hi\r\n"));
    }
}
