//! Delivery status notifications: what a mail system writes back to the envelope sender (RFC 3461, RFC 3464).
//!
//! Pure. Cannot see who wants one: `courier` asks [`Notify`] before.

use chrono::{DateTime, TimeDelta, Utc};

use super::headers;

/// How long delivery is said to be tried again (RFC 5321, section 4.5.4.1).
const RETRIED_FOR: TimeDelta = TimeDelta::days(5);

/// When the sender wants to hear of a recipient (NOTIFY, RFC 3461 section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notify {
    /// Of a delivery.
    pub success: bool,
    /// Of a failure.
    pub failure: bool,
    /// Of a delay.
    pub delay: bool,
}

impl Default for Notify {
    /// Without the parameter: failures, and delays as the server likes; this one likes to tell.
    fn default() -> Self {
        Self {
            success: false,
            failure: true,
            delay: true,
        }
    }
}

/// What happened to a recipient (RFC 3464, section 2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet delivered, being tried again.
    Delayed,
    /// Stored in a mailbox.
    Delivered,
    /// Sent on to several addresses.
    Expanded,
}

impl Action {
    /// The word of the `Action` field.
    fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Expanded => "expanded",
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Failed => "Undelivered Mail Returned to Sender",
            Self::Delayed => "Delayed Mail (still being retried)",
            Self::Delivered | Self::Expanded => "Successful Mail Delivery Report",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Failed => "Your message could not be delivered to the recipient below. It will not be tried again.",
            Self::Delayed => "Your message has not been delivered yet. You need not send it again: delivery goes on.",
            Self::Delivered => "Your message was stored in the mailbox of the recipient below.",
            Self::Expanded => "Your message was sent on to the members of the list below.",
        }
    }
}

/// All that one notification says.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// The host that reports.
    pub host: &'a str,
    /// To whom: the envelope sender.
    pub to: &'a str,
    /// What happened.
    pub action: Action,
    /// The enhanced status code.
    pub status: &'a str,
    /// What the server said, behind `smtp;`.
    pub diagnostic: &'a str,
    /// ENVID as it came, decoded.
    pub envelope_id: Option<&'a str>,
    /// ORCPT, as `type;address`, or what stands for it.
    pub original_recipient: Option<&'a str>,
    /// The address that failed or was reached.
    pub final_recipient: &'a str,
    /// When the message was accepted.
    pub arrived: DateTime<Utc>,
    /// Whether to return all of the message (`RET=FULL`); only failures ever do.
    pub full: bool,
    /// The message as accepted.
    pub message: &'a [u8],
    /// The notification's own Message-ID, with its brackets.
    pub message_id: &'a str,
    /// Now.
    pub now: DateTime<Utc>,
}

/// The notification as a message, `multipart/report`.
pub fn render(report: &Report<'_>) -> Vec<u8> {
    let Report {
        host,
        to,
        action,
        diagnostic,
        final_recipient,
        message_id,
        ..
    } = report;
    let boundary = format!("=_report_{}", message_id.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    let date = report.now.to_rfc2822();
    let (subject, sentence) = (action.subject(), action.sentence());
    let (header, _) = headers::split(report.message);
    let whole = report.full && *action == Action::Failed;
    let (kind, quoted) = if whole {
        ("message/rfc822", report.message)
    } else {
        ("text/rfc822-headers", header)
    };
    let fields = fields(report);
    let top = format!(
        "From: Mail Delivery System <MAILER-DAEMON@{host}>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {date}\r\n\
         Message-ID: {message_id}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
         This is the mail system at host {host}.\r\n\r\n{sentence}\r\n\r\n<{final_recipient}>: {diagnostic}\r\n\r\n\
         --{boundary}\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n{fields}\r\n\
         --{boundary}\r\nContent-Description: Returned message\r\nContent-Type: {kind}\r\n\r\n"
    );
    let bottom = format!("\r\n--{boundary}--\r\n");
    [top.as_bytes(), quoted, bottom.as_bytes()].concat()
}

/// The fields of the message and of its one recipient (RFC 3464, sections 2.2 and 2.3).
fn fields(report: &Report<'_>) -> String {
    let field = |name: &str, value: &str| format!("{name}: {value}\r\n");
    let maybe = |name: &str, value: Option<&str>| value.map(|value| field(name, value)).unwrap_or_default();
    let retried_until = (report.action == Action::Delayed).then(|| (report.now + RETRIED_FOR).to_rfc2822());
    [
        field("Reporting-MTA", &format!("dns; {}", report.host)),
        maybe("Original-Envelope-Id", report.envelope_id),
        field("Arrival-Date", &report.arrived.to_rfc2822()),
        "\r\n".to_owned(),
        maybe("Original-Recipient", report.original_recipient),
        field("Final-Recipient", &format!("rfc822; {}", report.final_recipient)),
        field("Action", report.action.word()),
        field("Status", report.status),
        field("Diagnostic-Code", &format!("smtp; {}", report.diagnostic)),
        maybe("Will-Retry-Until", retried_until.as_deref()),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::{MessageParser, MimeHeaders};

    fn report(action: Action, full: bool) -> Vec<u8> {
        render(&Report {
            host: "store.contoso.example",
            to: "probe@sender.example",
            action,
            status: "5.2.2",
            diagnostic: "552 5.2.2 Mailbox full",
            envelope_id: Some("probe 7"),
            original_recipient: Some("rfc822;list@contoso.example"),
            final_recipient: "full@contoso.example",
            arrived: DateTime::UNIX_EPOCH,
            full,
            message: b"Message-ID: <1@x>\r\nSubject: s\r\n\r\nsecret body\r\n",
            message_id: "<2@po>",
            now: DateTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn a_failure_reads_back_as_written() {
        let raw = report(Action::Failed, false);
        let message = MessageParser::default().parse(&raw).unwrap();
        assert_eq!(
            message.content_type().and_then(|c| c.attribute("report-type")),
            Some("delivery-status")
        );
        let text = String::from_utf8(raw.clone()).unwrap();
        for line in [
            "Original-Envelope-Id: probe 7\r\n",
            "Original-Recipient: rfc822;list@contoso.example\r\n",
            "Final-Recipient: rfc822; full@contoso.example\r\n",
            "Action: failed\r\n",
            "Status: 5.2.2\r\n",
            "Diagnostic-Code: smtp; 552 5.2.2 Mailbox full\r\n",
            "Message-ID: <1@x>\r\n",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
        assert!(!text.contains("secret body"));
    }

    #[test]
    fn only_failures_return_the_whole_message() {
        let has_body = |raw: Vec<u8>| String::from_utf8(raw).unwrap().contains("secret body");
        assert!(has_body(report(Action::Failed, true)));
        assert!(!has_body(report(Action::Delivered, true)));
        assert!(
            String::from_utf8(report(Action::Delayed, true))
                .unwrap()
                .contains("Will-Retry-Until: ")
        );
    }
}
