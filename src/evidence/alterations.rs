//! What was changed on the way: the arrived message against the message as it was sent. What carries no meaning is no alteration: other line
//! breaks, white space at line ends, another transfer encoding or character set, and the fields that every hop adds.

use super::{
    attachments,
    copies::LONGEST_SHOWN,
    decode,
    links::{self, Link},
    mime::{Entity, Header},
    shorten,
};
use crate::model::{Alteration, AlterationKind};
use mail_parser::{HeaderValue, parsers::MessageStream};

/// The fields of ours that are compared, beside the subject.
const OWN_FIELDS: [&str; 8] = [
    "From",
    "To",
    "Reply-To",
    "Date",
    "Message-ID",
    "X-Mailflow-Probe",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
];
/// How many characters of context stand around a difference.
const CONTEXT: usize = 40;

/// Everything that differs, in the order subject, text, links, attachments, header.
pub(super) fn compare(original: &Entity, arrived: &Entity) -> Vec<Alteration> {
    let mut altered = Vec::new();
    altered.extend(subject(original, &arrived.header.text("Subject")));
    let (sent, got) = (Text::of(original), Text::of(arrived));
    altered.extend(body(&sent, &got));
    altered.extend(sent.altered_links(&got));
    altered.extend(attachments::compare(original, arrived));
    altered.extend(fields(&original.header, &arrived.header));
    altered
}

/// What differs in what a service shows of a message of which it gives away neither header nor source: the topic, if it is the message's own, and
/// the text in one version, into which the service may have turned the other.
pub(super) fn compare_shown(original: &Entity, topic: Option<&str>, arrived: Option<&Entity>) -> Vec<Alteration> {
    let mut altered: Vec<Alteration> = topic.and_then(|topic| subject(original, topic)).into_iter().collect();
    if let Some(arrived) = arrived {
        let (mut sent, got) = (Text::of(original), Text::of(arrived));
        // Only the version that is shown can be compared, where there were two.
        if got.html.is_some() && sent.html.is_some() {
            (sent.plain, sent.plain_links) = (None, Vec::new());
        } else if got.plain.is_some() && sent.plain.is_some() {
            (sent.html, sent.html_links) = (None, Vec::new());
        }
        altered.extend(body(&sent, &got));
        altered.extend(sent.altered_links(&got));
    }
    altered
}

/// The difference of the subjects, if there is one.
fn subject(original: &Entity, arrived: &str) -> Option<Alteration> {
    let (sent, got) = (collapsed(&original.header.text("Subject")), collapsed(arrived));
    (squeezed(&sent) != squeezed(&got))
        .then(|| Alteration::new(AlterationKind::Subject, shorten(&sent, LONGEST_SHOWN), shorten(&got, LONGEST_SHOWN)))
}

/// The words of a message, in its two versions, with a placeholder for each link.
#[derive(Default)]
struct Text {
    plain: Option<String>,
    html: Option<String>,
    plain_links: Vec<Link>,
    html_links: Vec<Link>,
}

impl Text {
    fn of(message: &Entity) -> Self {
        let mut found = Self::default();
        for leaf in message.leaves().into_iter().filter(|leaf| !leaf.is_attachment()) {
            let text = leaf.text();
            if leaf.media.kind == "text/html" {
                found.html_links.extend(links::in_html(&text));
                let (_, words) = links::in_text(&decode::html(&text));
                found.html.get_or_insert_default().push_str(&words);
            } else {
                let (links, words) = links::in_text(&text);
                found.plain_links.extend(links);
                found.plain.get_or_insert_default().push_str(&words);
            }
        }
        found
    }

    /// The links of each version that arrived, against those sent in it; of the other version where a gateway turned one into the other. What was
    /// done alike to the same link in both versions is said once.
    fn altered_links(&self, arrived: &Self) -> Vec<Alteration> {
        let got = |version: &Option<String>, same: &Vec<Link>, other: &Vec<Link>| {
            if version.is_some() {
                same.clone()
            } else {
                other.iter().map(Link::anywhere).collect()
            }
        };
        let mut altered = links::compare(&self.plain_links, &got(&arrived.plain, &arrived.plain_links, &arrived.html_links));
        for one in links::compare(&self.html_links, &got(&arrived.html, &arrived.html_links, &arrived.plain_links)) {
            let what = |one: &Alteration| (one.sent.clone(), one.how, one.service.clone(), one.target.clone());
            if altered.iter().all(|known| what(known) != what(&one)) {
                altered.push(one);
            }
        }
        altered
    }
}

/// The difference of the texts, if there is one: of the plain version first, then of the HTML version.
fn body(sent: &Text, arrived: &Text) -> Option<Alteration> {
    let both = |plain: &Option<String>, other: &Option<String>| plain.clone().zip(other.clone());
    // A gateway that turns the only version into the other has changed its form, but not its words.
    let turned = sent.html.is_none() && arrived.plain.is_none() || sent.plain.is_none() && arrived.html.is_none();
    let pairs = if turned {
        [both(&sent.plain, &arrived.html), both(&sent.html, &arrived.plain)]
    } else if sent.html.is_none() {
        // A version that was added must say the same.
        [both(&sent.plain, &arrived.plain), both(&sent.plain, &arrived.html)]
    } else {
        [both(&sent.plain, &arrived.plain), both(&sent.html, &arrived.html)]
    };
    let difference = pairs
        .into_iter()
        .flatten()
        .find(|(sent, arrived)| squeezed(sent) != squeezed(arrived));
    if let Some((sent, arrived)) = difference {
        let (sent, arrived) = differing(&collapsed(&sent), &collapsed(&arrived));
        return Some(Alteration::new(AlterationKind::Body, sent, arrived));
    }
    let missing = [("plain text", &sent.plain, &arrived.plain), ("HTML", &sent.html, &arrived.html)];
    missing
        .into_iter()
        .find(|(_, sent, arrived)| sent.is_some() && arrived.is_none() && !turned)
        .map(|(version, ..)| Alteration::new(AlterationKind::Body, format!("the text as {version}"), "removed".to_owned()))
}

/// The fields of ours that were changed or taken away.
fn fields(sent: &Header, arrived: &Header) -> Vec<Alteration> {
    OWN_FIELDS
        .iter()
        .filter(|name| sent.get(name).is_some() && comparable(sent, name) != comparable(arrived, name))
        .map(|name| {
            let became = arrived
                .get(name)
                .map_or_else(|| format!("{name} removed"), |field| format!("{name}: {}", field.text()));
            Alteration::new(
                AlterationKind::Headers,
                shorten(&format!("{name}: {}", sent.text(name)), LONGEST_SHOWN),
                shorten(&became, LONGEST_SHOWN),
            )
        })
        .collect()
}

/// The meaning of a field: the address and name of an author, the moment of a date, otherwise the words without white space.
fn comparable(header: &Header, name: &str) -> Option<String> {
    let field = header.get(name)?;
    Some(match name {
        "From" => {
            let authors: Vec<String> = header
                .mailboxes(name)
                .into_iter()
                .map(|(name, address)| format!("{}<{address}>", squeezed(&name)))
                .collect();
            authors.join(",")
        }
        "To" | "Reply-To" => header.addresses(name).join(","),
        "Date" => {
            let raw = decode::bounded(field.raw);
            match MessageStream::new(&raw).parse_date() {
                HeaderValue::DateTime(date) => date.to_timestamp().to_string(),
                _ => squeezed(&field.text()),
            }
        }
        _ => squeezed(&field.text()),
    })
}

/// Whether a character carries no meaning: white space, and what cannot be seen.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200D}' | '\u{00AD}' | '\u{2060}' | '\u{FEFF}') || c == '\0'
}

/// The text without all blanks: what is compared. Lines that mbox files mark (`>From `) lose their mark.
fn squeezed(text: &str) -> String {
    text.replace("\n>From ", "\nFrom ").chars().filter(|&c| !is_blank(c)).collect()
}

/// The text with each run of blanks as one space: what is shown.
fn collapsed(text: &str) -> String {
    text.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
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
