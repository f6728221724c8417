//! Two texts against each other: what was added before, after or inside what was sent, told from what was changed. Blanks, line breaks and what
//! cannot be seen carry no meaning, so that a text that was wrapped anew is the same text.
//!
//! What it cannot see: an addition so short, or so like what was sent, that the text reads on as if it were ours; and where more than
//! [`MOST`] pieces were added, the rest counts as changed.

use super::{copies::LONGEST_SHOWN, links, shorten};
use crate::model::{Alteration, AlterationKind, How};

/// How many characters of context stand around a difference.
const CONTEXT: usize = 40;
/// The most pieces that are told to be added.
const MOST: usize = 4;
/// How many characters must agree again behind an added piece.
const ANCHOR: usize = 16;
/// The same where no more agree or no more is left.
const SHORTEST_ANCHOR: usize = 6;

/// What differs: one alteration for each piece that was added, and one for what was changed.
pub(super) fn compare(kind: AlterationKind, sent: &str, arrived: &str) -> Vec<Alteration> {
    let (sent, arrived) = (Squeezed::of(sent), Squeezed::of(arrived));
    let (added, changed) = added(&sent.text, &arrived.text);
    let mut altered: Vec<Alteration> = added
        .iter()
        .map(|piece| {
            let (before, after) = (sent.words(0, piece.sent), sent.words(piece.sent, sent.text.len()));
            let words = arrived.words(piece.start, piece.end);
            let (sent_window, arrived_window) = differing(&joined(&[&before, &after]), &joined(&[&before, &words, &after]));
            Alteration {
                how: match piece.sent {
                    0 => Some(How::AddedBefore),
                    place if place == sent.text.len() => Some(How::AddedAfter),
                    _ => None,
                },
                added: Some(shown(&words)),
                ..Alteration::new(kind, sent_window, arrived_window)
            }
        })
        .collect();
    if let Some((in_sent, in_arrived)) = changed {
        // With the words before it as context, unless those hold what was added.
        let (in_sent, in_arrived) = if added.is_empty() { (0, 0) } else { (in_sent, in_arrived) };
        let rest = |text: &Squeezed, from| text.words(from, text.text.len());
        let (sent, arrived) = differing(&rest(&sent, in_sent), &rest(&arrived, in_arrived));
        altered.push(Alteration::new(kind, sent, arrived));
    }
    altered
}

/// A piece of the arrived text that was not sent, in octets of the texts without blanks.
struct Piece {
    /// Before which octet of the sent text it stands.
    sent: usize,
    start: usize,
    end: usize,
}

/// The pieces that were added, and from where on the texts differ otherwise.
fn added(sent: &str, arrived: &str) -> (Vec<Piece>, Option<(usize, usize)>) {
    if sent == arrived {
        return (Vec::new(), None);
    }
    let piece = |sent, start, end| Piece { sent, start, end };
    if let Some(start) = arrived.find(sent).filter(|_| !sent.is_empty()) {
        let end = start + sent.len();
        let around = [piece(0, 0, start), piece(sent.len(), end, arrived.len())];
        return (around.into_iter().filter(|piece| piece.start < piece.end).collect(), None);
    }
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut i, mut j) = (0, 0);
    loop {
        let agreed = agreement(&sent[i..], &arrived[j..]);
        (i, j) = (i + agreed, j + agreed);
        if i == sent.len() {
            if j < arrived.len() {
                pieces.push(piece(i, j, arrived.len()));
            }
            return (pieces, None);
        }
        // Two pieces may stand close to each other: then fewer characters agree between them.
        let anchor = |most: usize| sent[i..].chars().take(most).collect::<String>();
        let found = [ANCHOR, SHORTEST_ANCHOR]
            .map(anchor)
            .iter()
            .filter(|next| pieces.len() < MOST && next.chars().count() >= SHORTEST_ANCHOR)
            .find_map(|next| arrived[j..].find(next.as_str()));
        let Some(length) = found else { return (pieces, Some((i, j))) };
        // What the piece begins with may by chance be how ours goes on: then its end is moved forward to ours by as much.
        let (mut at, mut start, mut end) = (i, j, j + length);
        let earliest = pieces.last().map_or(0, |last| last.end);
        while let (true, Some(before), Some(last)) = (
            start > earliest,
            arrived[..start].chars().next_back(),
            arrived[start..end].chars().next_back(),
        ) && before == last
        {
            (at, start, end) = (at - before.len_utf8(), start - before.len_utf8(), end - before.len_utf8());
        }
        pieces.push(piece(at, start, end));
        (i, j) = (at, end);
    }
}

/// How many octets at the start are the same characters.
fn agreement(one: &str, other: &str) -> usize {
    one.chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum()
}

/// A text without blanks, and where each octet of it stands in the text with them.
struct Squeezed {
    whole: String,
    text: String,
    places: Vec<usize>,
}

impl Squeezed {
    fn of(text: &str) -> Self {
        let whole = without_marks(text);
        let mut squeezed = String::with_capacity(whole.len());
        let mut places = Vec::with_capacity(whole.len());
        for (place, c) in whole.char_indices().filter(|(_, c)| !is_blank(*c)) {
            squeezed.push(c);
            places.resize(squeezed.len(), place);
        }
        Self {
            whole,
            text: squeezed,
            places,
        }
    }

    /// The words between two octets of the text without blanks.
    fn words(&self, start: usize, end: usize) -> String {
        let place = |octet: usize| self.places.get(octet).copied().unwrap_or(self.whole.len());
        collapsed(self.whole.get(place(start)..place(end)).unwrap_or_default())
    }
}

/// Lines that mbox files mark (`>From `) lose their mark.
fn without_marks(text: &str) -> String {
    text.replace("\n>From ", "\nFrom ")
}

/// Whether a character carries no meaning: white space, and what cannot be seen.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200D}' | '\u{00AD}' | '\u{034F}' | '\u{2060}' | '\u{FEFF}') || c == '\0'
}

/// The text without all blanks: what is compared.
pub(super) fn squeezed(text: &str) -> String {
    without_marks(text).chars().filter(|&c| !is_blank(c)).collect()
}

/// The text with each run of blanks as one space: what is shown.
fn collapsed(text: &str) -> String {
    text.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn joined(texts: &[&str]) -> String {
    texts.iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

/// What was added, without the rules and frames around it.
fn shown(words: &str) -> String {
    let bare = words.trim_matches(|c: char| c.is_whitespace() || "*-=_~#|+<>".contains(c));
    let bare = if bare.is_empty() { words } else { bare };
    if bare.chars().all(|c| c == links::PLACEHOLDER) {
        return "a link".to_owned();
    }
    shorten(&bare.replace(links::PLACEHOLDER, "…"), LONGEST_SHOWN)
}

/// Where two texts differ, with some context, each shortened.
fn differing(sent: &str, arrived: &str) -> (String, String) {
    let (sent, arrived): (Vec<char>, Vec<char>) = (sent.chars().collect(), arrived.chars().collect());
    let start = sent.iter().zip(&arrived).take_while(|(a, b)| a == b).count();
    let most = sent.len().min(arrived.len()) - start;
    let end = sent
        .iter()
        .rev()
        .zip(arrived.iter().rev())
        .take(most)
        .take_while(|(a, b)| a == b)
        .count();
    let window = |text: &[char]| {
        // Whole words of context, unless a word is longer than that.
        let earliest = start.saturating_sub(CONTEXT);
        let from = (start.saturating_sub(2 * CONTEXT)..=earliest)
            .rev()
            .find(|&from| from == 0 || text[from - 1] == ' ')
            .unwrap_or(earliest);
        let latest = (text.len() - end + CONTEXT).min(text.len());
        let to = (latest..text.len().min(latest + CONTEXT))
            .find(|&to| text[to] == ' ')
            .unwrap_or(latest);
        let shown: String = text[from..to]
            .iter()
            .map(|&c| if c == links::PLACEHOLDER { '…' } else { c })
            .collect();
        let shown = if from > 0 { format!("… {shown}") } else { shown };
        shorten(&if to < text.len() { format!("{shown} …") } else { shown }, LONGEST_SHOWN)
    };
    (window(&sent), window(&arrived))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "Good day,\n\nthis is a test message. Nothing needs to be done.\n\nReference: abc\n";

    fn pieces(arrived: &str) -> Vec<(Option<How>, String)> {
        let altered = compare(AlterationKind::Body, SENT, arrived);
        altered.into_iter().map(|one| (one.how, one.added.unwrap_or_default())).collect()
    }

    #[test]
    fn what_was_added_is_told_wherever_it_stands() {
        let before = (Some(How::AddedBefore), "EXTERNAL: be careful".to_owned());
        let after = (Some(How::AddedAfter), "Confidential".to_owned());
        let inside = (None, "Get out your magnifying glass: this is from outside.".to_owned());
        for (arrived, expected) in [
            (SENT.replace('\n', " \u{200B}\r\n"), vec![]),
            (format!("*** EXTERNAL: be careful ***\n\n{SENT}"), vec![before.clone()]),
            (
                format!("EXTERNAL: be careful\n{SENT}-----\nConfidential"),
                vec![before.clone(), after.clone()],
            ),
            (
                SENT.replace("day,\n", "day,\nGet out your magnifying glass: this is from outside.\n"),
                vec![inside.clone()],
            ),
            (
                format!(
                    "EXTERNAL: be careful\n{}Confidential\n",
                    SENT.replace("day,\n", "day,\n> Get out your magnifying glass: this is from outside.\n")
                ),
                vec![before, inside, after],
            ),
            (
                format!("Going out: be careful\n{}", SENT.replace("abc", "abc \u{FEFF}")),
                vec![(Some(How::AddedBefore), "Going out: be careful".to_owned())],
            ),
            (
                format!("{}{SENT}", links::PLACEHOLDER),
                vec![(Some(How::AddedBefore), "a link".to_owned())],
            ),
        ] {
            assert_eq!(pieces(&arrived), expected, "{arrived}");
        }
    }

    #[test]
    fn what_was_changed_is_no_addition() {
        let changed = (None, String::new());
        assert_eq!(pieces(&SENT.replace("Nothing", "Something")), std::slice::from_ref(&changed));
        assert_eq!(pieces(""), std::slice::from_ref(&changed));
        let banner = format!("EXTERNAL: be careful\n{}", SENT.replace("Nothing", "Something"));
        assert_eq!(
            pieces(&banner),
            [(Some(How::AddedBefore), "EXTERNAL: be careful".to_owned()), changed]
        );
        let altered = compare(AlterationKind::Body, SENT, &banner);
        assert_eq!(
            (altered[1].sent.as_str(), altered[1].arrived.as_str()),
            (
                "Nothing needs to be done. Reference: abc",
                "Something needs to be done. Reference: abc"
            )
        );
        assert_eq!(compare(AlterationKind::Body, "", "new").len(), 1);
    }
}
