//! Links: finding them in text and HTML, and telling which ones of ours were rewritten. Protection services put their own address in place of ours
//! and carry ours inside (Safe Links, URL Defense) or not at all (Mimecast, Cisco).

use super::{copies::LONGEST_SHOWN, decode, shorten};
use crate::model::{Alteration, AlterationKind};

/// The most links that are compared, and the longest.
const MOST: usize = 500;
const LONGEST: usize = 8 * 1024;
/// What stands for a link in a text that is compared without its links.
pub(super) const PLACEHOLDER: char = '\u{FFFC}';

/// The links of a plain text, in order, and the text with each replaced by [`PLACEHOLDER`].
pub(super) fn in_text(text: &str) -> (Vec<String>, String) {
    let mut links = Vec::new();
    let mut without = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = start_of_link(rest) {
        let (before, from) = rest.split_at(start);
        without.push_str(before);
        let end = from
            .find(|c: char| c.is_whitespace() || c.is_control() || "<>\"\u{201C}\u{201D}".contains(c))
            .unwrap_or(from.len());
        let link = from[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'']);
        without.push(PLACEHOLDER);
        rest = &from[link.len().max(1)..];
        if links.len() < MOST {
            links.push(link.chars().take(LONGEST).collect());
        }
        // URL Defense writes the original host after the link that it put there: `… [sender[.]example]`.
        if let Some(after) = after_note(rest) {
            rest = after;
        }
    }
    without.push_str(rest);
    (links, without)
}

/// What follows a note such as `[sender[.]example]`, if one stands at the beginning.
fn after_note(text: &str) -> Option<&str> {
    const LONGEST: usize = 300;
    let note = text.trim_start().strip_prefix('[')?;
    let end = note.char_indices().take(LONGEST).find(|(_, c)| *c == ']')?.0;
    let (first, rest) = note.split_at(end);
    let rest = rest.get(1..)?;
    let end = rest
        .char_indices()
        .take(LONGEST)
        .take_while(|(_, c)| !c.is_whitespace())
        .find(|(_, c)| *c == ']')?
        .0;
    first.ends_with("[.").then(|| rest.get(end + 1..))?
}

/// Where the next `http://` or `https://` begins.
fn start_of_link(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(colon) = text.get(from..)?.find("://") {
        let colon = from + colon;
        let has_host = text[colon + 3..].starts_with(|c: char| c.is_alphanumeric() || c == '[');
        for scheme in ["https", "http"] {
            let start = colon.checked_sub(scheme.len());
            if let Some(start) = start.filter(|&start| has_host && bytes[start..colon].eq_ignore_ascii_case(scheme.as_bytes())) {
                return Some(start);
            }
        }
        from = colon + 3;
    }
    None
}

/// The links of an HTML text: the `href` of its elements, entities decoded, in order. Only those to the web.
pub(super) fn in_html(html: &str) -> Vec<String> {
    let mut links = Vec::new();
    // Same length as the text itself, so positions agree.
    let lower = html.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = lower.get(from..).and_then(|rest| rest.find("href")).filter(|_| links.len() < MOST) {
        from += found + 4;
        let Some(value) = html
            .get(from..)
            .map(str::trim_start)
            .and_then(|rest| rest.strip_prefix('='))
            .map(str::trim_start)
        else {
            continue;
        };
        // No more is looked at than is kept: else a page full of beginnings would be read again from each.
        let end = value.char_indices().nth(LONGEST).map_or(value.len(), |(end, _)| end);
        let value = value.get(..end).unwrap_or_default();
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
            _ => value.split(|c: char| c.is_whitespace() || c == '>').next().unwrap_or_default(),
        };
        from += value.len();
        let bounded: String = value.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let link = decode::html(&bounded).trim().to_owned();
        if start_of_link(&link) == Some(0) {
            links.push(link);
        }
    }
    links
}

/// Which links of ours did not arrive as they were sent, each with what stands in its place.
pub(super) fn compare(sent: &[String], arrived: &[String]) -> Vec<Alteration> {
    let mut strangers: Vec<&String> = arrived.iter().filter(|link| !sent.contains(link)).collect();
    let mut altered: Vec<Alteration> = Vec::new();
    for link in sent.iter().filter(|link| !arrived.contains(link)) {
        let kept = essence(link);
        let place = strangers
            .iter()
            .position(|stranger| essence(stranger).contains(&kept))
            .or(if strangers.is_empty() { None } else { Some(0) });
        let became = place.map_or_else(|| "removed".to_owned(), |place| shorten(strangers.remove(place), LONGEST_SHOWN));
        altered.push(Alteration::new(AlterationKind::Links, shorten(link, LONGEST_SHOWN), became));
    }
    altered
}

/// The last part of a link's path in letters and digits only: what survives every encoding of a link inside another.
fn essence(link: &str) -> String {
    let tail = link.trim_end_matches('/').rsplit_once("://").map_or(link, |(_, rest)| rest);
    let tail = if link.matches("://").count() > 1 || link.contains('%') {
        link
    } else {
        tail.rsplit('/').next().unwrap_or(tail)
    };
    tail.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_text_and_html() {
        let (links, without) = in_text("See https://a.example/x?y=1, (HTTP://b.example/z). <https://c.example> ftp://d :// https://");
        assert_eq!(links, ["https://a.example/x?y=1", "HTTP://b.example/z", "https://c.example"]);
        assert!(
            without.starts_with(&format!("See {PLACEHOLDER}, ({PLACEHOLDER}). <{PLACEHOLDER}> ftp://d ")),
            "{without}"
        );
        let html = "<A HREF = 'https://a.example/?x=1&amp;y=2'>a</A><a href=https://b.example/z>b</a><a href=\"mailto:x@y\">c</a><a href=";
        assert_eq!(in_html(html), ["https://a.example/?x=1&y=2", "https://b.example/z"]);
        let bomb = format!("<a href=https://a.example/{}>", "xhref=".repeat(20_000));
        assert_eq!(in_html(&bomb).len(), 1, "one link, however often it looks like the next one");
        let noted = "https://safe.example/v3/__https://sender.example/x__ [sender[.]example] and https://b.example [";
        assert!(in_text(noted).1.contains(" and "), "{:?}", in_text(noted));
        assert_eq!(in_html("href=\"\u{e4}\" href='https://\u{e4}.example"), ["https://\u{e4}.example"]);
    }

    #[test]
    fn rewritten_links_are_paired_with_what_they_became() {
        let sent = ["https://sender.example/mailflow/abc123".to_owned()];
        for (arrived, became) in [
            (
                vec![
                    "https://other.example/learn",
                    "https://safe.example/?url=https%3A%2F%2Fsender.example%2Fmailflow%2Fabc123&x=1",
                ],
                1,
            ),
            (vec!["https://opaque.example/s/1"], 0),
        ] {
            let arrived: Vec<String> = arrived.into_iter().map(str::to_owned).collect();
            let altered = compare(&sent, &arrived);
            assert_eq!(
                (altered[0].sent.as_str(), &altered[0].arrived),
                (sent[0].as_str(), &arrived[became])
            );
        }
        assert_eq!(compare(&sent, &[])[0].arrived, "removed");
        assert!(
            compare(&sent, &[sent[0].clone(), "https://other.example".to_owned()]).is_empty(),
            "added links alter none of ours"
        );
    }
}
