//! Text on a terminal: made harmless, measured in columns, shortened and wrapped.
//!
//! What it cannot see: the reader's font. Columns are counted as Unicode says (UAX #11), which some terminals draw otherwise.

use std::{borrow::Cow, fmt::Write};
use unicode_width::UnicodeWidthChar;

/// `text` as one harmless line: whatever a mail server, a message or a folder's name brings, it can neither steer the terminal nor
/// disguise itself. Line breaks and tabs become one space; control characters (ANSI escapes begin with one), bidirectional overrides and
/// isolates, and characters that nobody can see become visible, as `\x1b` or `\u{202e}`.
///
/// Escaping twice changes nothing.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|character| is_break(character) || is_unseen(character)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let mut after_break = false;
    for character in text.chars() {
        if is_break(character) {
            after_break = true;
            continue;
        }
        if std::mem::take(&mut after_break) && !safe.is_empty() && !safe.ends_with(' ') && character != ' ' {
            safe.push(' ');
        }
        if !is_unseen(character) {
            safe.push(character);
        } else if u32::from(character) < 0x100 {
            // Writing into a String cannot fail.
            let _ = write!(safe, "\\x{:02x}", u32::from(character));
        } else {
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
        }
    }
    Cow::Owned(safe)
}

/// JSON in which the characters that act without being seen are written as `\uXXXX` (RFC 8259 section 7): the same values, and nothing that could
/// steer or disguise what shows them.
pub(super) fn visible_json(bytes: Vec<u8>) -> Vec<u8> {
    let is_hidden =
        |character: char| !character.is_ascii_control() && (is_unseen(character) || is_break(character)) || character == '\u{7f}';
    let text = match String::from_utf8(bytes) {
        Ok(text) if text.chars().any(is_hidden) => text,
        Ok(text) => return text.into_bytes(),
        Err(error) => return error.into_bytes(),
    };
    // All of these stand within strings, for outside of them JSON is ASCII.
    let mut visible = String::with_capacity(text.len() + 64);
    for character in text.chars() {
        if is_hidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(visible, "\\u{unit:04x}");
            }
        } else {
            visible.push(character);
        }
    }
    visible.into_bytes()
}

fn is_break(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Whether a character acts without being seen. The zero-width non-joiner is left alone: Persian folder names are spelt with it.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200d}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// How many columns `text` takes.
pub fn width(text: &str) -> usize {
    // Summed by character, because that is how shortening counts: both must agree, or columns would drift.
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}

/// The longest start of `text` that takes at most `columns`, with the combining marks of its last character.
fn start(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// The longest end of `text` that takes at most `columns` and does not begin with a combining mark.
fn end(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let mut from = text.len();
    for (at, character) in text.char_indices().rev() {
        let wide = character.width().unwrap_or(0);
        used += wide;
        if used > columns {
            break;
        }
        if wide > 0 {
            from = at;
        }
    }
    &text[from..]
}

/// `text` in at most `columns`: what does not fit is left out in the middle, and `…` stands there.
pub fn shorten(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(kept) = columns.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    Cow::Owned(format!("{}…{}", start(text, kept.div_ceil(2)), end(text, kept / 2)))
}

/// An address in at most `columns`. The local part is kept as long as possible, because in one list the domain is mostly the same.
pub fn shorten_address(address: &str, columns: usize) -> Cow<'_, str> {
    const DOMAIN: usize = 6;
    match address.rsplit_once('@') {
        Some((local, domain)) if width(address) > columns && columns > 2 * DOMAIN => {
            let for_local = width(local).min(columns - 1 - DOMAIN.min(width(domain)));
            let local = shorten(local, for_local);
            let domain = shorten(domain, columns - 1 - width(&local));
            Cow::Owned(format!("{local}@{domain}"))
        }
        _ => shorten(address, columns),
    }
}

/// `text` in lines of at most `columns`, broken at spaces; words that are longer than a line are broken anywhere.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        if !line.is_empty() {
            if width(&line) + 1 + width(word) <= columns {
                line.push(' ');
                line.push_str(word);
                continue;
            }
            lines.push(std::mem::take(&mut line));
        }
        while width(word) > columns {
            let piece = start(word, columns);
            // A character that is wider than the line stands alone, or this would never end.
            let piece = if piece.is_empty() {
                &word[..word.chars().next().map_or(0, char::len_utf8)]
            } else {
                piece
            };
            lines.push(piece.to_owned());
            word = &word[piece.len()..];
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// `1 probe`, `2 probes`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How a message went: `plain by new-gateway, case “spam”, Billing Administrator`.
pub fn via(message: &str, route: Option<&str>, case: Option<&str>, role: Option<&str>) -> String {
    let by = route.map(|route| format!(" by {route}"));
    let case = case.map(|case| format!(", case “{case}”"));
    let role = role.map(|role| format!(", {role}"));
    [Some(message.to_owned()), by, case, role].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal_or_hides() {
        for (hostile, shown) in [
            ("plain, ünïcode, 収件箱", "plain, ünïcode, 収件箱"),
            ("\u{1b}[2J\u{1b}]0;owned\u{7}", "\\x1b[2J\\x1b]0;owned\\x07"),
            ("\u{9b}31mred", "\\x9b31mred"),
            ("550 no\r\n250 yes", "550 no 250 yes"),
            ("\n\tlead and trail\n", "lead and trail"),
            ("a \n b", "a  b"),
            ("exe\u{202e}gnp.", "exe\\u{202e}gnp."),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("ad\u{200b}min", "ad\\u{200b}min"),
            ("\u{e0041}tag", "\\u{e0041}tag"),
            ("پیش\u{200c}نویس", "پیش\u{200c}نویس"),
        ] {
            assert_eq!(escape(hostile), shown);
            assert_eq!(escape(shown), shown, "twice is once");
        }
    }

    #[test]
    fn columns_are_counted_not_bytes() {
        assert_eq!(width("abc"), 3);
        assert_eq!(width("収件箱"), 6);
        assert_eq!(width("e\u{301}"), 1, "a combining mark takes none");
    }

    #[test]
    fn shortening_leaves_out_the_middle_and_never_exceeds() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("abcdefghij", 7), "abc…hij");
        assert_eq!(shorten("abcdefghij", 6), "abc…ij");
        assert_eq!(shorten("収件箱収件箱", 7), "収…箱");
        assert_eq!(shorten("xe\u{301}e\u{301}e\u{301}e\u{301}e\u{301}y", 5), "xe\u{301}…e\u{301}y");
        assert_eq!(shorten_address("all-admins@contoso.example", 18), "all-admins@con…ple");
        assert_eq!(
            shorten_address("a-local-part-that-never-ends@contoso.example", 18),
            "a-loc…-ends@con…le"
        );
        assert_eq!(shorten_address("a@b.example", 20), "a@b.example");
        for text in [
            "収件箱収件箱@例え.example",
            "e\u{301}e\u{301}e\u{301}@x",
            "abcdefghijklmnopqrstuvwxyz@contoso.example",
            "",
        ] {
            for columns in 0..40 {
                assert!(width(&shorten(text, columns)) <= columns);
                assert!(width(&shorten_address(text, columns)) <= columns);
            }
        }
    }

    #[test]
    fn wrapping_keeps_every_word() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("箱箱", 1), ["箱", "箱"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn json_shows_what_would_not_be_seen_and_means_the_same() {
        let hostile = "a\u{202e}b\u{9b}2J\u{7f}\u{200b}\u{e0041}\u{2028}é\u{85}\n\t😀";
        let json = serde_json::to_vec_pretty(&[hostile]).unwrap();
        let visible = String::from_utf8(visible_json(json)).unwrap();
        assert_eq!(
            visible,
            "[\n  \"a\\u202eb\\u009b2J\\u007f\\u200b\\udb40\\udc41\\u2028é\\u0085\\n\\t😀\"\n]"
        );
        let back: Vec<String> = serde_json::from_str(&visible).unwrap();
        assert_eq!(back, [hostile]);
        assert_eq!(visible_json(b"{\"plain\": 1}\n".to_vec()), b"{\"plain\": 1}\n");
    }
}
