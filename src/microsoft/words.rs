//! What a service says, made fit to be shown: bounded, one line, nothing that could steer a terminal.

/// Longer sentences are cut off: the services' own stay far below.
const SENTENCE: usize = 600;
/// Codes and ids are short words; what is longer, is none.
const WORD: usize = 100;

/// A sentence of theirs.
pub(super) fn sentence(text: &str) -> String {
    plain(text, SENTENCE)
}

/// A code or an id of theirs.
pub(super) fn word(text: &str) -> String {
    plain(text, WORD)
}

fn plain(text: &str, limit: usize) -> String {
    let mut plain = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == limit {
            plain.push('…');
            break;
        }
        match character {
            // Line ends are part of the sign-in's sentences.
            '\r' | '\n' | '\t' => plain.push(' '),
            character if character.is_control() || turns_the_line(character) => plain.push('\u{fffd}'),
            character => plain.push(character),
        }
    }
    plain
}

/// Invisible characters that change the direction or the reading of what stands around them.
fn turns_the_line(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(sentence("no\u{1b}[31m\r\nline \u{202e}back"), "no\u{fffd}[31m  line \u{fffd}back");
        assert_eq!(word(&"é".repeat(200)).chars().count(), 101);
        assert_eq!(sentence("plain"), "plain");
    }
}
