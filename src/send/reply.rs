//! SMTP replies (RFC 5321 section 4.2): what a line of one looks like, and how a whole one is kept as evidence.
//!
//! Strict where a mistake would matter (the code, the separator), lenient where it would not (line ends, codes that change within a reply). What
//! it cannot see: whether a reply was meant for the command that we take it for.

use crate::model::Reply;

/// As much of a reply's text is kept.
const TEXT_LIMIT: usize = 4096;

/// A whole reply, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawReply {
    /// The code of its last line, 200 to 599.
    pub code: u16,
    /// The lines without their codes.
    pub lines: Vec<String>,
}

/// One line of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub code: u16,
    /// Whether the reply ends with it.
    pub last: bool,
    pub text: &'a [u8],
}

impl<'a> Line<'a> {
    /// The line, given without its line end; `None` if it is not one of a reply.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (digits, rest) = line.split_at_checked(3)?;
        let code = digits.iter().try_fold(0_u16, |code, digit| {
            digit.is_ascii_digit().then(|| code * 10 + u16::from(digit - b'0'))
        })?;
        let (last, text) = match rest.split_first() {
            None => (true, rest),
            // Servers exist that write a tab; no other separator leaves the code's end beyond doubt.
            Some((b' ' | b'\t', text)) => (true, text),
            Some((b'-', text)) => (false, text),
            Some(_) => return None,
        };
        (200..600).contains(&code).then_some(Self { code, last, text })
    }
}

impl RawReply {
    /// Whether this is a positive completion (2xx).
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether this is a refusal (4xx, 5xx).
    pub fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// The reply as evidence: its enhanced code parted from the text, the text bounded and fit to be shown.
    pub fn kept(&self) -> Reply {
        let enhanced = self.lines.iter().find_map(|line| enhanced(self.code, line)).map(str::to_owned);
        let mut text = String::new();
        for line in &self.lines {
            // Taken away only where it stands as it was parsed: a line with a different code keeps it.
            let line = match (&enhanced, self::enhanced(self.code, line)) {
                (Some(kept), Some(here)) if kept == here => line[here.len()..].trim_start_matches(' '),
                _ => line,
            };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
            if text.len() > TEXT_LIMIT {
                break;
            }
        }
        Reply {
            code: Some(self.code),
            enhanced,
            text: shown(&text),
            ours: false,
        }
    }
}

/// The enhanced status code (RFC 3463) with which a line begins, if its class is the reply's (RFC 2034 section 4).
fn enhanced(code: u16, line: &str) -> Option<&str> {
    let end = line.find(' ').unwrap_or(line.len());
    let word = line.get(..end)?;
    let mut parts = word.split('.');
    let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let agrees = matches!((class, code / 100), ("2", 2) | ("4", 4) | ("5", 5));
    (agrees && number(subject) && number(detail) && parts.next().is_none()).then_some(word)
}

/// `text` as it may be shown: bounded, and without characters that move the cursor or turn the direction of writing.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(TEXT_LIMIT));
    for character in text.chars() {
        if shown.len() + character.len_utf8() > TEXT_LIMIT {
            shown.push_str(" [...]");
            break;
        }
        shown.push(match character {
            '\n' => '\n',
            '\t' => ' ',
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            character if character.is_control() => '\u{fffd}',
            character => character,
        });
    }
    shown
}

/// A reply of our own, for what no server said.
pub(super) fn ours(text: impl AsRef<str>) -> Reply {
    Reply {
        code: None,
        enhanced: None,
        text: shown(text.as_ref()),
        ours: true,
    }
}

/// A refusal of our own, with the codes that a mail server would give for it.
pub(super) fn our_refusal(code: u16, enhanced: &str, text: impl AsRef<str>) -> Reply {
    Reply {
        code: Some(code),
        enhanced: Some(enhanced.to_owned()),
        ..ours(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(code: u16, lines: &[&str]) -> RawReply {
        RawReply {
            code,
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
        }
    }

    #[test]
    fn a_line_has_a_code_and_a_separator() {
        let parse = |line: &'static str| Line::parse(line.as_bytes()).map(|line| (line.code, line.last, line.text));
        assert_eq!(parse("250 ok"), Some((250, true, b"ok".as_slice())));
        assert_eq!(parse("250-more"), Some((250, false, b"more".as_slice())));
        assert_eq!(parse("250"), Some((250, true, b"".as_slice())));
        assert_eq!(parse("354\tgo"), Some((354, true, b"go".as_slice())));
        for garbage in [
            "",
            "25",
            "2500 ok",
            "250_ok",
            "250.ok",
            "199 no",
            "600 no",
            "abc",
            "+OK",
            "* OK",
            "HTTP/1.1 400",
            "２50 ok",
        ] {
            assert_eq!(parse(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn the_enhanced_code_is_parted_from_every_line() {
        let reply = raw(550, &["5.7.25 The address has no", "5.7.25 PTR record", "5.7.1 and more"]).kept();
        assert_eq!(reply.enhanced.as_deref(), Some("5.7.25"));
        assert_eq!(reply.text, "The address has no\nPTR record\n5.7.1 and more");
        assert_eq!((reply.code, reply.ours), (Some(550), false));
    }

    #[test]
    fn only_an_exact_enhanced_code_counts() {
        for (code, line) in [
            (550, "4.7.1 class of another code"),
            (250, "2.0 short"),
            (250, "2.0.0.0 long"),
            (250, "2.0.1234 wide"),
            (250, "2.0.0: colon"),
            (354, "3.0.0 no such class"),
            (250, "ok 2.0.0"),
        ] {
            assert_eq!(raw(code, &[line]).kept().enhanced, None, "{line}");
            assert_eq!(raw(code, &[line]).kept().text, line);
        }
        assert_eq!(raw(250, &["2.1.5"]).kept().enhanced.as_deref(), Some("2.1.5"));
    }

    #[test]
    fn what_is_shown_is_bounded_and_tame() {
        let reply = raw(550, &["a\x1b[31mred\u{202e}\u{9b}", "b\tc"]).kept();
        assert_eq!(reply.text, "a\u{fffd}[31mred\u{fffd}\u{fffd}\nb c");
        let long = raw(550, &["é".repeat(5000).as_str()]).kept().text;
        assert!(long.len() < 4200 && long.ends_with(" [...]"), "{}", long.len());
    }
}
