//! Collecting the mistakes of a file while it is read, and the words that their messages share.

use super::source::Span;
use std::collections::HashSet;

/// One mistake, where it stands in the file's text.
#[derive(Debug, Default)]
pub(super) struct Mistake {
    pub(super) span: Span,
    pub(super) title: String,
    pub(super) label: Option<String>,
    pub(super) help: Option<String>,
}

impl Mistake {
    /// What stands beside the caret.
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// What to do about it.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// The same, if there is something to say.
    pub(super) fn help_if(&mut self, help: Option<impl Into<String>>) -> &mut Self {
        self.help = help.map(Into::into);
        self
    }
}

/// How many mistakes of a file are kept. A file with more is of another kind altogether; the rest is counted.
const MOST_KEPT: usize = 100;

/// All mistakes of a file. The same one at the same place, as an anchor used twice gives it, is kept once.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    list: Vec<Mistake>,
    seen: HashSet<(usize, String)>,
    /// What is written to by the callers of mistakes that are not kept.
    ignored: Mistake,
}

impl Mistakes {
    /// Notes a mistake. No title may hold what could be a secret.
    pub(super) fn note(&mut self, span: Span, title: impl Into<String>) -> &mut Mistake {
        let title = title.into();
        if !self.seen.insert((span.start, title.clone())) || self.is_full() {
            return &mut self.ignored;
        }
        let index = self.list.len();
        self.list.push(Mistake {
            span,
            title,
            ..Mistake::default()
        });
        &mut self.list[index]
    }

    /// Notes that a name leads nowhere.
    pub(super) fn dangling<'a>(&mut self, span: Span, title: String, word: &str, known: impl IntoIterator<Item = &'a str>) {
        let help = suggestion(word, known);
        self.note(span, title).help_if(help);
    }

    /// Whether the file is free of mistakes so far.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether no more are kept, so that nobody needs to think of help for them.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MOST_KEPT
    }

    /// How many there are so far, those that are not kept included.
    pub(super) fn count(&self) -> usize {
        self.seen.len()
    }

    /// Those that are kept, in the order of the file.
    pub(super) fn into_sorted(mut self) -> Vec<Mistake> {
        self.list
            .sort_by(|one, other| (one.span.start, &one.title).cmp(&(other.span.start, &other.title)));
        self.list
    }
}

/// How many characters of a value a message repeats.
const QUOTED: usize = 60;

/// A value as messages show it: in backticks, bounded, control characters escaped, and the user part of a URL masked.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}

/// The same for a key, which may hold a secret behind a word that announces one.
pub(super) fn quoted_key(key: &str) -> String {
    match super::mask::after_word(key) {
        Some(end) => format!("`{}***`", shown(&key[..end])),
        None => quoted(key),
    }
}

/// The same without backticks.
pub(super) fn shown(text: &str) -> String {
    let mut safe = String::new();
    let masked = super::mask::without_userinfo(text);
    for (count, character) in masked.chars().enumerate() {
        if count == QUOTED {
            safe.push('…');
            break;
        }
        if character.is_control() || is_invisible(character) {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Characters that turn or hide the text around them on a terminal.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// "did you mean …?" with the known word that is nearest, or the list of them if they are few.
pub(super) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(word, &known) {
        return Some(format!("did you mean {}?", quoted(near)));
    }
    match known.len() {
        1..=20 => Some(format!(
            "known here: {}",
            known.iter().map(|word| shown(word)).collect::<Vec<_>>().join(", ")
        )),
        _ => None,
    }
}

/// The known word that `word` was probably meant to be.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // The distance costs the product of both lengths.
    const LONGEST: usize = 320;
    if word.len() > LONGEST {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let wanted = plain(word);
    let allowed = (wanted.chars().count() / 3).clamp(1, 4);
    known
        .iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_and_nothing_far() {
        let known = ["password", "user", "token"];
        assert_eq!(nearest("pasword", &known), Some("password"));
        assert_eq!(nearest("USER", &known), Some("user"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(suggestion("colour", known).as_deref(), Some("known here: password, user, token"));
        assert_eq!(suggestion("colour", []), None);
    }

    #[test]
    fn values_are_shown_bounded_and_escaped() {
        assert_eq!(quoted("a\u{1b}[31mb"), "`a\\u{1b}[31mb`");
        assert_eq!(quoted("smtp://bob:hunter2@host"), "`smtp://***@host`");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), QUOTED + 1);
    }

    #[test]
    fn the_same_mistake_at_the_same_place_is_kept_once() {
        let mut mistakes = Mistakes::default();
        mistakes.note(3..4, "one");
        mistakes.note(3..4, "one").label("again");
        mistakes.note(1..2, "two");
        let titles: Vec<String> = mistakes.into_sorted().into_iter().map(|mistake| mistake.title).collect();
        assert_eq!(titles, ["two", "one"]);
    }
}
