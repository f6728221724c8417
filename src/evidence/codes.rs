//! Status codes in free text: an enhanced code (RFC 3463) such as `5.1.1`, told apart from addresses, versions and dates that look alike.

/// The enhanced status code of a text. One that follows a reply code of its class (`550 5.1.1`) or a `#` is surest; the first surest is taken.
pub fn enhanced(text: &str) -> Option<String> {
    let mut best: Option<(u8, String)> = None;
    let mut before = "";
    for word in text.split_ascii_whitespace().take(5_000) {
        if let Some((code, marked)) = code_in(word) {
            let sureness = if marked || follows_reply_code(word, before, code) {
                2
            } else {
                u8::from(!names_a_version(before))
            };
            if sureness > 0 && best.as_ref().is_none_or(|(known, _)| *known < sureness) {
                best = Some((sureness, code.to_owned()));
            }
        }
        before = word;
    }
    best.map(|(_, code)| code)
}

/// Whether the text holds an SMTP reply code of a refusal (RFC 5321 section 4.2), such as `550`, as a word that begins a line or follows a colon,
/// a bracket or `said`.
pub(super) fn has_refusal(text: &str) -> bool {
    text.lines().take(2_000).any(|line| {
        let mut before: Option<&str> = None;
        line.split_ascii_whitespace().take(200).any(|word| {
            let expected = before.is_none_or(|before| before.ends_with([':', ';', ')', ']']) || before.eq_ignore_ascii_case("error"));
            before = Some(word);
            expected && reply_code(word).is_some_and(|class| class == b'5' || class == b'4')
        })
    })
}

/// The enhanced code inside a word, and whether a `#` marks it as one.
fn code_in(word: &str) -> Option<(&str, bool)> {
    let inner = word
        .rsplit_once('-')
        .filter(|(reply, _)| reply_code(reply).is_some())
        .map_or(word, |(_, code)| code);
    let marked = inner.contains('#');
    let inner = inner.rsplit_once('#').map_or(inner, |(_, code)| code);
    let code = inner
        .trim_start_matches(['(', '[', '<', ':', '"', '\''])
        .trim_end_matches([')', ']', '>', ':', ';', ',', '.', '"', '\'']);
    let mut numbers = code.split('.');
    let (class, subject, detail) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let digits = |number: &str, most: usize| !number.is_empty() && number.len() <= most && number.bytes().all(|byte| byte.is_ascii_digit());
    let valid = matches!(class, "2" | "4" | "5") && digits(subject, 3) && digits(detail, 3) && numbers.next().is_none();
    valid.then_some((code, marked))
}

fn follows_reply_code(word: &str, before: &str, code: &str) -> bool {
    let reply = if word.contains('-') { word } else { before };
    reply_code(reply.trim_start_matches(['(', '[', '<', '"', '\''])).is_some_and(|class| code.bytes().next() == Some(class))
}

/// The class digit of a word that begins with a reply code and holds nothing else, or goes on with a hyphen.
fn reply_code(word: &str) -> Option<u8> {
    match word.as_bytes() {
        [class @ (b'2' | b'4' | b'5'), b'0'..=b'5', b'0'..=b'9']
        | [class @ (b'2' | b'4' | b'5'), b'0'..=b'5', b'0'..=b'9', b'-' | b':' | b',', ..] => Some(*class),
        _ => None,
    }
}

/// Whether the word before says that a version follows.
fn names_a_version(before: &str) -> bool {
    let before = before.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
    [
        "exim", "postfix", "sendmail", "version", "v", "server", "release", "smtpd", "qmail", "kernel", "port", "id",
    ]
    .contains(&before.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_from_what_looks_alike() {
        for (text, expected) in [
            ("550 5.1.1 <a@b>: Recipient address rejected", Some("5.1.1")),
            ("550-5.1.1 The email account that you tried to reach does not exist", Some("5.1.1")),
            ("host mx.example[192.0.2.1] said: 552-5.2.2 full", Some("5.2.2")),
            ("Sorry, no mailbox here by that name. (#5.1.1)", Some("5.1.1")),
            ("smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", Some("5.1.10")),
            ("Exim 4.94.2 said 550 5.7.1 no", Some("5.7.1")),
            ("by Exim 4.94.2 without a code", None),
            ("version 5.2.3 of something", None),
            ("from 5.1.1.2 at noon", None),
            ("[192.0.2.5] refused", None),
            ("Microsoft 5.2.3790 here", None),
            ("451 4.7.1 Greylisted, see 5.1.1", Some("4.7.1")),
            ("Remote host said: 5.4.4", Some("5.4.4")),
            ("", None),
        ] {
            assert_eq!(enhanced(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn refusals_are_told_from_other_numbers() {
        assert!(has_refusal("550 no such user"));
        assert!(has_refusal(
            "SMTP error from remote mail server after RCPT TO:<a@b>:\n host x [192.0.2.1]: 550 no"
        ));
        assert!(has_refusal("Remote host said: 452 later"));
        assert!(!has_refusal("Our office at 550 Main Street is closed until 5 May"));
        assert!(!has_refusal("call 555"));
    }
}
