//! Links: finding them in text and HTML, and telling what became of ours: wrapped by a service, replaced, removed.
//!
//! What it cannot see: a link that a program in the page makes, and one that is no address any more (`hxxps://sender[.]example`): it is removed.

mod address;
mod unwrap;

use super::{copies::LONGEST_SHOWN, decode, shorten};
use crate::model::{Alteration, AlterationKind, How};
use address::{Address, canonical, percent_decoded};

/// The most links that are compared, and the longest.
const MOST: usize = 500;
const LONGEST: usize = 8 * 1024;
/// What stands for a link in a text that is compared without its links.
pub(super) const PLACEHOLDER: char = '\u{FFFC}';
/// How many letters tell a link's place in the text.
const NEAR: usize = 24;

/// A link, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Where it leads.
    pub address: String,
    /// The letters of its text, or in plain text of the words before it; empty if its place is not known.
    near: String,
}

impl Link {
    /// The same link without its place: for comparing one version of a text with another.
    pub fn anywhere(&self) -> Self {
        Self {
            address: self.address.clone(),
            near: String::new(),
        }
    }

    fn may_stand_for(&self, other: &Self) -> bool {
        self.near.is_empty() || other.near.is_empty() || self.near == other.near
    }
}

/// The links of a plain text, in order, and the text with each replaced by [`PLACEHOLDER`].
pub(super) fn in_text(text: &str) -> (Vec<Link>, String) {
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
        if links.len() < MOST {
            let mut near: Vec<char> = without
                .chars()
                .rev()
                .take(10 * NEAR)
                .filter(|c| c.is_alphanumeric())
                .take(NEAR)
                .collect();
            near.reverse();
            links.push(Link {
                address: link.chars().take(LONGEST).collect(),
                near: near.into_iter().collect(),
            });
        }
        without.push(PLACEHOLDER);
        rest = &from[link.len().max(1)..];
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
pub(super) fn in_html(html: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (link, from) in attributes(html, "href") {
        let after = html.get(from..).unwrap_or_default();
        let window = after.char_indices().nth(20 * NEAR).map_or(after, |(end, _)| &after[..end]);
        let text = window.split_once('>').map_or("", |(_, text)| text);
        // Same length, so that positions agree.
        let end = text.to_ascii_lowercase().find("</a").unwrap_or(0);
        let text = decode::html(text.get(..end).unwrap_or_default());
        let near = text.chars().filter(|c| c.is_alphanumeric()).take(NEAR).collect();
        links.push(Link { address: link, near });
    }
    links
}

/// The addresses from which an HTML text takes pictures.
pub(super) fn images(html: &str) -> Vec<String> {
    attributes(html, "src").into_iter().map(|(address, _)| address).collect()
}

/// The web addresses that stand in an attribute of an HTML text, entities decoded, each with the place after it; at most [`MOST`].
fn attributes(html: &str, name: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    // Same length as the text itself, so positions agree.
    let lower = html.to_ascii_lowercase();
    let mut from = 0;
    while let Some(place) = lower.get(from..).and_then(|rest| rest.find(name)).filter(|_| found.len() < MOST) {
        let is_whole = lower[..from + place].ends_with(|c: char| c.is_ascii_whitespace() || "\"'/".contains(c)) || from + place == 0;
        from += place + name.len();
        let Some(value) = html
            .get(from..)
            .map(str::trim_start)
            .and_then(|rest| rest.strip_prefix('='))
            .map(str::trim_start)
            .filter(|_| is_whole)
        else {
            continue;
        };
        // No more is looked at than is gone past afterwards: else a page full of beginnings would be read again from each.
        let value = &value[..value.floor_char_boundary(LONGEST)];
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
            _ => value.split(|c: char| c.is_whitespace() || c == '>').next().unwrap_or_default(),
        };
        from += value.len();
        let bounded: String = value.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let link = decode::html(&bounded).trim().to_owned();
        if start_of_link(&link) == Some(0) {
            found.push((link, from));
        }
    }
    found
}

/// A link that was not sent, and what is known of it.
struct Stranger<'a> {
    link: &'a Link,
    unwrapped: Option<unwrap::Unwrapped>,
    /// Where it leads, in the form that is compared, if that shows.
    leads_to: Option<String>,
    /// Its letters and digits, decoded as far as percent-encoding goes.
    essence: String,
}

impl<'a> Stranger<'a> {
    fn new(link: &'a Link) -> Self {
        let unwrapped = unwrap::unwrap(&link.address);
        let leads_to = unwrapped.as_ref().and_then(|unwrapped| unwrapped.target.as_deref()).map(canonical);
        Self {
            link,
            unwrapped,
            leads_to,
            essence: essence(&link.address),
        }
    }

    /// Whether its wrapping hides where it leads, and shows no other domain than that of `address`.
    fn hides(&self, address: &str) -> bool {
        let Some(unwrapped) = self.unwrapped.as_ref().filter(|unwrapped| unwrapped.target.is_none()) else {
            return false;
        };
        let shown = unwrapped.domain.as_deref();
        shown.is_none_or(|domain| Address::parse(address).is_some_and(|address| address.is_within(&domain.to_ascii_lowercase())))
    }

    /// The alteration that put it in place of `sent`.
    fn instead_of(&self, sent: &Link) -> Alteration {
        let mut alteration = Alteration::new(
            AlterationKind::Links,
            shorten(&sent.address, LONGEST_SHOWN),
            shorten(&self.link.address, LONGEST_SHOWN),
        );
        let leads_home = self.leads_to.as_ref() == Some(&canonical(&sent.address));
        // Somebody unknown may have wrapped it: what carries ours whole need not lead to it.
        let carries = percent_decoded(&self.link.address)
            .get(1..)
            .is_some_and(|inside| inside.contains(&sent.address));
        alteration.how = Some(if leads_home || carries || self.hides(&sent.address) {
            How::Rewritten
        } else {
            How::Replaced
        });
        alteration.service = self.unwrapped.as_ref().map(|unwrapped| unwrapped.service.clone());
        alteration.target = match &self.unwrapped {
            // What leads home is said in the very words of what was sent.
            _ if leads_home => Some(alteration.sent.clone()),
            Some(unwrapped) => unwrapped.target.as_deref().map(|target| shorten(target, LONGEST_SHOWN)),
            None if carries => None,
            None => Some(alteration.arrived.clone()),
        };
        alteration
    }
}

/// Which links of ours did not arrive as they were sent, each with what stands in its place: what leads to it, else what hides where it leads, else
/// what still has its last words, else what stands in its place in the text.
pub(super) fn compare(sent: &[Link], arrived: &[Link]) -> Vec<Alteration> {
    let mut left: Vec<(&Link, String)> = arrived.iter().map(|link| (link, canonical(&link.address))).collect();
    let mut missing: Vec<&Link> = Vec::new();
    for link in sent {
        let wanted = canonical(&link.address);
        match left.iter().position(|(_, other)| *other == wanted) {
            Some(place) => drop(left.remove(place)),
            None => missing.push(link),
        }
    }
    if missing.is_empty() {
        return Vec::new();
    }
    let mut strangers: Vec<Stranger> = left.into_iter().map(|(link, _)| Stranger::new(link)).collect();
    let mut altered = Vec::new();
    for link in missing {
        let (home, kept) = (canonical(&link.address), essence(&link.address));
        let place = |is_it: &dyn Fn(&Stranger) -> bool| strangers.iter().position(is_it);
        let place = place(&|stranger| stranger.leads_to.as_ref() == Some(&home))
            .or_else(|| place(&|stranger| stranger.hides(&link.address) && stranger.link.may_stand_for(link)))
            .or_else(|| place(&|stranger| stranger.hides(&link.address)))
            .or_else(|| place(&|stranger| !kept.is_empty() && stranger.essence.contains(&kept)))
            .or_else(|| place(&|stranger| stranger.link.may_stand_for(link)));
        altered.push(match place {
            Some(place) => strangers.remove(place).instead_of(link),
            None => Alteration {
                how: Some(How::Removed),
                ..Alteration::new(AlterationKind::Links, shorten(&link.address, LONGEST_SHOWN), "removed")
            },
        });
    }
    altered
}

/// The last part of a link's path in letters and digits only, or of a link with others inside all of it: what survives every encoding of a link
/// inside another.
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

    fn addresses(links: &[Link]) -> Vec<&str> {
        links.iter().map(|link| link.address.as_str()).collect()
    }

    fn link(near: &str, address: &str) -> Link {
        Link {
            address: address.to_owned(),
            near: near.to_owned(),
        }
    }

    #[test]
    fn links_are_found_in_text_and_html() {
        let (links, without) = in_text("See https://a.example/x?y=1, (HTTP://b.example/z). <https://c.example> ftp://d :// https://");
        assert_eq!(
            addresses(&links),
            ["https://a.example/x?y=1", "HTTP://b.example/z", "https://c.example"]
        );
        assert_eq!(links[0].near, "See");
        assert!(
            without.starts_with(&format!("See {PLACEHOLDER}, ({PLACEHOLDER}). <{PLACEHOLDER}> ftp://d ")),
            "{without}"
        );
        let html = "<A HREF = 'https://a.example/?x=1&amp;y=2'><b>an A</b></A><a href=https://b.example/z>b</a><a href=\"mailto:x@y\">c</a><a href=";
        assert_eq!(
            in_html(html),
            [link("anA", "https://a.example/?x=1&y=2"), link("b", "https://b.example/z")]
        );
        let bomb = format!("<a href=https://a.example/{}>", "xhref=".repeat(20_000));
        assert_eq!(in_html(&bomb).len(), 1, "one link, however often it looks like the next one");
        let noted = "https://safe.example/v3/__https://sender.example/x__ [sender[.]example] and https://b.example [";
        assert!(in_text(noted).1.contains(" and "), "{:?}", in_text(noted));
        assert_eq!(
            addresses(&in_html("href=\"\u{e4}\" href='https://\u{e4}.example")),
            ["https://\u{e4}.example"]
        );
        assert_eq!(
            images("<img data-src='https://a.example/1' src=\"https://a.example/2\"><img src=cid:x>"),
            ["https://a.example/2"]
        );
    }

    const HOME: &str = "https://sender.example/mailflow/abc123";

    #[test]
    fn each_link_is_paired_with_what_became_of_it() {
        let sent = [link("here", HOME)];
        let other = link("Learn", "https://other.example/learn");
        let wrapped = "https://eur05.safelinks.protection.outlook.com/?url=https%3A%2F%2FSENDER.example%2Fmailflow%2Fabc123%2f&data=1";
        let hidden = "https://protect-eu.mimecast.com/s/x?domain=sender.example";
        let another = "https://protect-eu.mimecast.com/s/x?domain=evil.example";
        let unknown = "https://safe.example/?to=https%3A%2F%2Fsender.example%2Fmailflow%2Fabc123";
        let tracked = "https://sender.example/mailflow/abc123?utm_source=x";
        for (near, arrived, how, service, target) in [
            ("here", wrapped, How::Rewritten, Some("Safe Links"), Some(HOME)),
            ("", wrapped, How::Rewritten, Some("Safe Links"), Some(HOME)),
            ("there", hidden, How::Rewritten, Some("Mimecast URL Protect"), None),
            ("here", another, How::Replaced, Some("Mimecast URL Protect"), None),
            ("here", unknown, How::Rewritten, None, None),
            ("there", tracked, How::Replaced, None, Some(tracked)),
            ("here", "https://evil.example/", How::Replaced, None, Some("https://evil.example/")),
        ] {
            let altered = compare(&sent, &[other.clone(), link(near, arrived)]);
            let [one] = &altered[..] else { panic!("{altered:?}") };
            assert_eq!((one.sent.as_str(), one.arrived.as_str(), one.how), (HOME, arrived, Some(how)));
            assert_eq!((one.service.as_deref(), one.target.as_deref()), (service, target), "{arrived}");
            assert_eq!(one.leads_astray(), target != Some(HOME));
        }
    }

    #[test]
    fn what_somebody_adds_stands_for_none_of_ours() {
        let sent = [link("here", HOME)];
        assert!(compare(&sent, &[sent[0].clone(), link("x", "https://other.example")]).is_empty());
        assert!(compare(&sent, &[link("x", "HTTPS://SENDER.example/mailflow/abc123/")]).is_empty());
        let removed = compare(&sent, &[link("Learn why", "https://other.example")]);
        assert_eq!((removed[0].arrived.as_str(), removed[0].how), ("removed", Some(How::Removed)));
        assert!(removed[0].leads_astray());
        let twice = [link("a", HOME), link("b", HOME)];
        assert_eq!(compare(&twice, &sent).len(), 1, "each of two equal links counts");
    }
}
