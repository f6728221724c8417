//! What the header of a message looks like: a bounce, a report, an automatic reply, an answer, a wrapper. Looks only: whether a message is ours is
//! told by its tag, never by these.

use super::mime::Header;

/// The reply prefixes of mail programs, in lower case, without the colon.
const REPLY_PREFIXES: [&str; 16] = [
    "re", "aw", "antw", "sv", "vs", "rv", "rif", "odp", "res", "réf", "ref", "回复", "答复", "返信", "回覆", "отв",
];
/// Their prefixes of forwarded messages.
const FORWARD_PREFIXES: [&str; 10] = ["fw", "fwd", "wg", "tr", "i", "enc", "doorst", "vb", "rv", "转发"];
/// How the subjects of automatic replies begin, in lower case.
const AUTOMATIC_SUBJECTS: [&str; 26] = [
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto:",
    "auto response",
    "automatic response",
    "automated reply",
    "out of office",
    "out of the office",
    "out-of-office",
    "abwesenheit",
    "abwesend",
    "automatische antwort",
    "automatisch antwoord",
    "réponse automatique",
    "absence du bureau",
    "respuesta automática",
    "fuera de la oficina",
    "risposta automatica",
    "fuori sede",
    "resposta automática",
    "automatiskt svar",
    "autosvar",
    "vacation reply",
    "自动回复",
];
/// What the subjects of bounces hold, in lower case.
const BOUNCE_SUBJECTS: [&str; 20] = [
    "undeliverable",
    "undelivered",
    "returned mail",
    "returned to sender",
    "returning to sender",
    "delivery failure",
    "delivery failed",
    "delivery status notification",
    "delivery notification",
    "delivery delayed",
    "delivery problem",
    "failure notice",
    "failed delivery",
    "message delayed",
    "non-delivery",
    "could not be delivered",
    "mail system error",
    "unzustellbar",
    "non remis",
    "no se puede entregar",
];

/// Whether the envelope sender is null (RFC 5321 section 4.5.5), as `Return-Path` tells it.
pub(super) fn has_null_return_path(header: &Header) -> bool {
    header.get("Return-Path").is_some_and(|field| matches!(field.raw, b"<>" | b"< >"))
}

/// Whether a mail system, rather than a person, is named as the author.
pub(super) fn is_from_daemon(header: &Header) -> bool {
    header.mailboxes("From").iter().any(|(name, address)| {
        let local = address.split('@').next().unwrap_or_default();
        let name = name.to_lowercase();
        [
            "mailer-daemon",
            "mailerdaemon",
            "mail-daemon",
            "mdaemon",
            "postmaster",
            "mailsystem",
            "mail-system",
            "microsoftexchange",
        ]
        .iter()
        .any(|daemon| local.starts_with(daemon))
            || ["mail delivery", "mailer-daemon", "system administrator", "mail administrator"]
                .iter()
                .any(|daemon| name.contains(daemon))
    })
}

/// Whether the subject is a bounce's.
pub(super) fn has_bounce_subject(header: &Header) -> bool {
    let subject = header.text("Subject").to_lowercase();
    BOUNCE_SUBJECTS.iter().any(|words| subject.contains(words)) || subject.starts_with("warning: message ")
}

/// `multipart/report` (RFC 6522).
pub(super) fn is_report(header: &Header) -> bool {
    header.text("Content-Type").to_ascii_lowercase().starts_with("multipart/report")
}

/// Whether it is the note of somebody who is away, by its subject or by the fields that say so.
pub(super) fn is_vacation(header: &Header) -> bool {
    let subject = header.text("Subject").to_lowercase();
    header.text("Auto-Submitted").to_ascii_lowercase().contains("vacation")
        || [
            "X-Autoreply",
            "X-Autorespond",
            "X-Autoresponder",
            "X-Auto-Reply",
            "X-Mail-Autoreply",
            "X-MS-Exchange-Inbox-Rules-Loop",
        ]
        .iter()
        .any(|name| header.get(name).is_some())
        || AUTOMATIC_SUBJECTS.iter().any(|words| subject.starts_with(words))
}

/// Whether a program wrote it as an answer: RFC 3834, and what was in use before and beside it.
pub(super) fn is_automatic_reply(header: &Header) -> bool {
    let auto_submitted = header.text("Auto-Submitted").to_ascii_lowercase();
    let precedence = header.text("Precedence").to_ascii_lowercase();
    let answers = header.get("In-Reply-To").is_some() || header.get("References").is_some() || has_reply_prefix(header);
    is_vacation(header)
        || auto_submitted.starts_with("auto-replied")
        || precedence.contains("auto_reply")
        || (precedence == "bulk" || precedence == "junk" || auto_submitted.starts_with("auto-")) && answers
}

/// Whether the author's address is one that nobody reads, or that of a quarantine or a challenge-response system.
pub(super) fn is_from_machine(header: &Header) -> bool {
    is_from_daemon(header)
        || header.addresses("From").iter().any(|address| {
            let local = address.split('@').next().unwrap_or_default();
            [
                "noreply",
                "no-reply",
                "no_reply",
                "donotreply",
                "do-not-reply",
                "quarantine",
                "autoreply",
                "auto-reply",
                "autoresponder",
                "challenge",
                "tmda",
            ]
            .iter()
            .any(|machine| local.starts_with(machine))
                || local.contains("+confirm+")
                || local.contains("-confirm-")
        })
}

/// Whether the subject says that it answers.
pub(super) fn has_reply_prefix(header: &Header) -> bool {
    has_prefix(header, &REPLY_PREFIXES)
}

/// Whether it says that it forwards something.
pub(super) fn is_forward(header: &Header) -> bool {
    has_prefix(header, &FORWARD_PREFIXES) || header.get("X-Forwarded-Message-Id").is_some()
}

/// `Re:`, `Re[2]:`, `RE :`, also after a tag in brackets such as `[EXTERNAL]`.
fn has_prefix(header: &Header, prefixes: &[&str]) -> bool {
    let subject = header.text("Subject").to_lowercase();
    let mut rest = subject.trim();
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        rest = after.trim_start();
    }
    let Some((word, _)) = rest.split_once([':', '：']) else {
        return false;
    };
    let word = word.split('[').next().unwrap_or_default().trim();
    prefixes.contains(&word)
}

/// Whether it is the envelope in which a journal puts every message.
pub(super) fn is_journal(header: &Header) -> bool {
    [
        "X-MS-Journal-Report",
        "X-MS-Exchange-Organization-Journal-Report",
        "X-Journal-Report",
    ]
    .iter()
    .any(|name| header.get(name).is_some())
}

/// Whether it may hold another message: a journal's envelope, a forward, a filter's report.
pub(super) fn is_wrapper(header: &Header) -> bool {
    let content = header.text("Content-Type").to_ascii_lowercase();
    content.starts_with("message/")
        || content.starts_with("multipart/digest")
        || is_journal(header)
        || header.get("X-Forwarded-Message-Id").is_some()
        || is_forward(header) && content.starts_with("multipart/")
}

/// Whether the header alone has the looks of a bounce, a report, an automatic reply or a wrapper.
pub(super) fn are_suspicious(header: &Header) -> bool {
    is_report(header)
        || has_null_return_path(header)
        || is_from_daemon(header)
        || has_bounce_subject(header)
        || header.get("X-Failed-Recipients").is_some()
        || is_automatic_reply(header)
        || is_wrapper(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_subject(subject: &str, look: fn(&Header) -> bool) -> bool {
        look(&Header::parse(format!("Subject: {subject}\r\n").as_bytes()).0)
    }

    #[test]
    fn prefixes_are_read_in_many_languages_and_behind_tags() {
        for subject in [
            "Re: x",
            "RE : x",
            "Re[2]: x",
            "AW: WG: x",
            "[EXTERNAL] Re: x",
            "=?utf-8?q?R=C3=A9f:_x?=",
            "回复：x",
        ] {
            assert!(with_subject(subject, has_reply_prefix), "{subject}");
        }
        for subject in ["Mail-flow test [tag re: x]", "Release: 1.0", "[Re] x", "", ":", "[", "Fwd: x"] {
            assert!(!with_subject(subject, has_reply_prefix), "{subject}");
        }
        assert!(with_subject("WG: x", is_forward) && with_subject("FW: x", is_forward));
    }

    #[test]
    fn notes_of_absence_are_told_from_bounces() {
        for subject in ["Automatic reply: x", "Abwesenheitsnotiz: x", "Out of Office: Delivery", "Auto: x"] {
            assert!(
                with_subject(subject, is_automatic_reply) && !with_subject(subject, has_bounce_subject),
                "{subject}"
            );
        }
        for subject in [
            "Undeliverable: x",
            "failure notice",
            "Warning: message 1a-2b delayed 24 hours",
            "Mail delivery failed: returning message to sender",
        ] {
            assert!(!with_subject(subject, is_automatic_reply), "{subject}");
            assert!(with_subject(subject, has_bounce_subject), "{subject}");
        }
    }
}
