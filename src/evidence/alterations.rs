//! What was changed on the way: the arrived message against the message as it was sent. What carries no meaning is no alteration: other line
//! breaks, white space at line ends, another transfer encoding or character set, and the fields that every hop adds.

use super::{
    attachments,
    copies::LONGEST_SHOWN,
    decode,
    links::{self, Link},
    mime::{Entity, Header},
    shorten,
    wording::{self, squeezed},
};
use crate::model::{Alteration, AlterationKind, How};
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
/// The most pictures that are told to be added.
const MOST_PICTURES: usize = 3;

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
    let mut altered: Vec<Alteration> = topic.map(|topic| subject(original, topic)).unwrap_or_default();
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

/// What differs in the subjects: what was added before and after ours is told apart.
fn subject(original: &Entity, arrived: &str) -> Vec<Alteration> {
    wording::compare(AlterationKind::Subject, &original.header.text("Subject"), arrived)
}

/// The words of a message, in its two versions, with a placeholder for each link.
#[derive(Default)]
struct Text {
    plain: Option<String>,
    html: Option<String>,
    plain_links: Vec<Link>,
    html_links: Vec<Link>,
    pictures: Vec<String>,
}

impl Text {
    fn of(message: &Entity) -> Self {
        let mut found = Self::default();
        for (leaf, text) in message.texts(|leaf| !leaf.is_attachment()) {
            if leaf.media.kind == "text/html" {
                found.html_links.extend(links::in_html(&text));
                found.pictures.extend(links::images(&text));
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

/// What differs in the texts: in the plain version first, then in the HTML version. A banner or a footer in both is said once.
fn body(sent: &Text, arrived: &Text) -> Vec<Alteration> {
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
    let mut altered: Vec<Alteration> = Vec::new();
    for (sent, arrived) in pairs.into_iter().flatten() {
        let known = altered.len();
        for one in wording::compare(AlterationKind::Body, &sent, &arrived) {
            if altered[..known].iter().all(|other| other.how != one.how) {
                altered.push(one);
            }
        }
    }
    let missing = [("plain text", &sent.plain, &arrived.plain), ("HTML", &sent.html, &arrived.html)];
    for (version, ..) in missing
        .into_iter()
        .filter(|(_, sent, arrived)| sent.is_some() && arrived.is_none() && !turned)
    {
        altered.push(Alteration {
            how: Some(How::Removed),
            ..Alteration::new(AlterationKind::Body, format!("the text as {version}"), "removed")
        });
    }
    altered.extend(pictures(sent, arrived));
    altered
}

/// The pictures that the text takes from the web now, and did not before: a logo, or one that tells somebody when the message is read.
fn pictures(sent: &Text, arrived: &Text) -> Vec<Alteration> {
    let new = arrived.pictures.iter().filter(|address| !sent.pictures.contains(address));
    new.take(MOST_PICTURES)
        .map(|address| {
            let picture = shorten(&format!("a picture from {address}"), LONGEST_SHOWN);
            Alteration {
                added: Some(picture.clone()),
                ..Alteration::new(AlterationKind::Body, "no such picture", picture)
            }
        })
        .collect()
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
            Alteration {
                how: arrived.get(name).is_none().then_some(How::Removed),
                ..Alteration::new(
                    AlterationKind::Headers,
                    shorten(&format!("{name}: {}", sent.text(name)), LONGEST_SHOWN),
                    shorten(&became, LONGEST_SHOWN),
                )
            }
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
