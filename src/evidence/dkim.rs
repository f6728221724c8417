//! DKIM signatures (RFC 6376): whether what they cover is still what was signed. The hash of the body is computed anew and compared with `bh=`,
//! which needs no key and no DNS; where the message as it was sent is known, the first line and the fields that differ are named.
//!
//! What it cannot see: whether a signature verifies, for that takes the signer's key: one that is intact here may still have been made with a wrong
//! one. Nor what a signer of another domain saw in the header: lists and gateways sign what they have changed themselves. Fields are therefore
//! compared only for signatures of the sender's own domain, and lines only where the signed body is ours.

#[cfg(test)]
mod tests;

use super::{
    copies::LONGEST_SHOWN,
    decode,
    mime::{Entity, Field, Header},
    shorten,
};
use crate::model::{FieldChange, LineChange, Signature, SignedPart};
use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use std::borrow::Cow;

/// The most signatures that are read, from the top.
const MOST: usize = 8;
/// The longest signature, in octets.
const LONGEST: usize = 16 * 1024;
/// The most ways in which one body is hashed: signers agree on one or two.
const MOST_HASHES: usize = 4;
/// How much of a message is hashed, in octets of its body times the ways in which that is done: twice the largest message, and more than enough of
/// any other.
const MOST_OCTETS: usize = 64 * 1024 * 1024;
/// How many octets are given to the hash at once.
const BUFFER: usize = 16 * 1024;
/// The most signed fields that are compared.
const MOST_FIELDS: usize = 64;
/// The longest line that is shown, in octets, before it is shortened.
const LONGEST_LINE: usize = 1_000;

/// The signatures of a message, from the top. `original` is the message as it was sent, `domain` that of its sender.
pub(super) fn signatures(arrived: &Entity, original: Option<&Entity>, domain: &str) -> Vec<Signature> {
    let mut hashes = Hashes::default();
    let mut changes = Changes::default();
    let fields = arrived.header.all("DKIM-Signature").take(MOST);
    fields
        .map(|field| {
            let Some(tags) = Tags::parse(field.raw) else {
                return unread(field.raw);
            };
            let covers_ours = |original: &&Entity| body_hash(original.raw, tags.method) == tags.body_hash;
            let (body, first_change) = match hashes.of(arrived.raw, tags.method) {
                None => (SignedPart::Unchecked, None),
                Some(hash) if hash == tags.body_hash => (SignedPart::Intact, None),
                Some(_) => match original.filter(covers_ours) {
                    Some(original) => (SignedPart::Changed, changes.of(original, arrived, tags.method.canon)),
                    None => (SignedPart::Mismatched, None),
                },
            };
            let fields = original
                .filter(|_| is_of(&tags.domain, domain))
                .map(|original| changed_fields(&tags, &original.header, &arrived.header))
                .unwrap_or_default();
            Signature {
                domain: shorten(&tags.domain, LONGEST_SHOWN),
                selector: shorten(&tags.selector, LONGEST_SHOWN),
                body,
                fields,
                first_change,
            }
        })
        .collect()
}

/// Whether a signer is the domain of the sender, or an organisation's domain above it, or a host of its below.
fn is_of(signer: &str, domain: &str) -> bool {
    let below = |one: &str, other: &str| one.strip_suffix(other).is_some_and(|rest| rest.ends_with('.')) && other.contains('.');
    let (signer, domain) = (signer.to_ascii_lowercase(), domain.to_ascii_lowercase());
    signer == domain || below(&signer, &domain) || below(&domain, &signer)
}

/// A signature of which no more is known than who made it.
fn unread(raw: &[u8]) -> Signature {
    let tags = tag_list(raw);
    let value = |name: &str| shorten(&tag(&tags, name).unwrap_or_default(), LONGEST_SHOWN);
    Signature {
        domain: value("d"),
        selector: value("s"),
        body: SignedPart::Unread,
        fields: Vec::new(),
        first_change: None,
    }
}

/// How a text is brought into one form before it is signed (RFC 6376 section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Canon {
    Simple,
    Relaxed,
}

/// How a body is hashed.
#[derive(Clone, Copy, PartialEq)]
struct Method {
    canon: Canon,
    is_sha1: bool,
    /// How many octets of the canonical body are signed (`l=`); `None`: all.
    limit: Option<u64>,
}

/// What of a signature is needed here (RFC 6376 section 3.5).
struct Tags {
    domain: String,
    selector: String,
    method: Method,
    header_canon: Canon,
    body_hash: Vec<u8>,
    /// The names of the signed fields.
    fields: Vec<String>,
}

impl Tags {
    fn parse(raw: &[u8]) -> Option<Self> {
        let list = tag_list(raw);
        let canon = tag(&list, "c").unwrap_or_else(|| "simple".to_owned()).to_ascii_lowercase();
        let (header, body) = canon.split_once('/').unwrap_or((&canon, "simple"));
        let canon_of = |word: &str| match word {
            "simple" => Some(Canon::Simple),
            "relaxed" => Some(Canon::Relaxed),
            _ => None,
        };
        let method = Method {
            canon: canon_of(body)?,
            is_sha1: match tag(&list, "a")?.to_ascii_lowercase().as_str() {
                "rsa-sha256" | "ed25519-sha256" => false,
                "rsa-sha1" => true,
                _ => return None,
            },
            limit: tag(&list, "l").map(|limit| limit.parse()).transpose().ok()?,
        };
        Some(Self {
            domain: tag(&list, "d")?,
            selector: tag(&list, "s")?,
            method,
            header_canon: canon_of(header)?,
            body_hash: decode::base64(tag(&list, "bh")?.as_bytes()),
            fields: tag(&list, "h")?
                .split(':')
                .filter(|name| !name.is_empty())
                .take(MOST_FIELDS)
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// `name=value; …` (RFC 6376 section 3.2): without any white space, which has no meaning in the tags that are read here.
fn tag_list(raw: &[u8]) -> Vec<(String, String)> {
    let raw = raw.get(..LONGEST).unwrap_or(raw);
    let text: String = String::from_utf8_lossy(raw).chars().filter(|c| !c.is_whitespace()).collect();
    text.split(';')
        .filter_map(|tag| tag.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn tag(list: &[(String, String)], name: &str) -> Option<String> {
    list.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

/// The hashes of one body, each computed once.
#[derive(Default)]
struct Hashes(Vec<(Method, Vec<u8>)>);

impl Hashes {
    /// `None`: it would be one hash too many, or too many octets.
    fn of(&mut self, body: &[u8], method: Method) -> Option<Vec<u8>> {
        if let Some((_, known)) = self.0.iter().find(|(known, _)| *known == method) {
            return Some(known.clone());
        }
        if self.0.len() == MOST_HASHES || (self.0.len() + 1).saturating_mul(body.len()) > MOST_OCTETS {
            return None;
        }
        let hash = body_hash(body, method);
        self.0.push((method, hash.clone()));
        Some(hash)
    }
}

/// Where one body differs from what was sent, in each form found once.
#[derive(Default)]
struct Changes(Vec<(Canon, Option<LineChange>)>);

impl Changes {
    fn of(&mut self, original: &Entity, arrived: &Entity, canon: Canon) -> Option<LineChange> {
        if let Some((_, known)) = self.0.iter().find(|(known, _)| *known == canon) {
            return known.clone();
        }
        let change = first_change(original, arrived, canon);
        self.0.push((canon, change.clone()));
        change
    }
}

/// The hash of a body in its canonical form, in one pass that ends where the signed octets end, and without a copy of it.
fn body_hash(body: &[u8], method: Method) -> Vec<u8> {
    let algorithm: &'static Algorithm = if method.is_sha1 { &SHA1_FOR_LEGACY_USE_ONLY } else { &SHA256 };
    let mut context = Context::new(algorithm);
    let mut left = method
        .limit
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut gathered: Vec<u8> = Vec::with_capacity(BUFFER);
    for line in CanonicalLines::new(body, method.canon) {
        for piece in [&*line, b"\r\n"] {
            let piece = piece.get(..left).unwrap_or(piece);
            left -= piece.len();
            if gathered.len() + piece.len() > BUFFER {
                context.update(&gathered);
                gathered.clear();
            }
            if piece.len() > BUFFER {
                context.update(piece);
            } else {
                gathered.extend_from_slice(piece);
            }
        }
        if left == 0 {
            break;
        }
    }
    context.update(&gathered);
    context.finish().as_ref().to_vec()
}

/// The lines of a body in canonical form, without their ends, and without the empty ones at the end of it. A bare LF ends a line too: mail is
/// stored with it and sent with CRLF.
struct CanonicalLines<'a> {
    rest: &'a [u8],
    canon: Canon,
    /// An empty body is one line end in the simple form.
    is_bare: bool,
    empty: usize,
    pending: Option<Cow<'a, [u8]>>,
}

impl<'a> CanonicalLines<'a> {
    fn new(body: &'a [u8], canon: Canon) -> Self {
        Self {
            rest: body,
            canon,
            is_bare: canon == Canon::Simple,
            empty: 0,
            pending: None,
        }
    }

    fn line(&mut self) -> Option<Cow<'a, [u8]>> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|&octet| octet == b'\n');
        let line = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = end.and_then(|end| self.rest.get(end + 1..)).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(match self.canon {
            Canon::Simple => Cow::Borrowed(line),
            Canon::Relaxed => without_blanks(line),
        })
    }
}

impl<'a> Iterator for CanonicalLines<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(emptied) = self.empty.checked_sub(1) {
            self.empty = emptied;
            return Some(Cow::Borrowed(b""));
        }
        if let Some(pending) = self.pending.take() {
            return Some(pending);
        }
        let mut empty = 0;
        while let Some(line) = self.line() {
            if line.is_empty() {
                empty += 1;
                continue;
            }
            self.is_bare = false;
            if empty == 0 {
                return Some(line);
            }
            (self.empty, self.pending) = (empty - 1, Some(line));
            return Some(Cow::Borrowed(b""));
        }
        std::mem::take(&mut self.is_bare).then_some(Cow::Borrowed(b""))
    }
}

/// A line in relaxed form: each run of blanks one space, none at the end.
fn without_blanks(line: &[u8]) -> Cow<'_, [u8]> {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let end = line.iter().rposition(|octet| !is_blank(octet)).map_or(0, |last| last + 1);
    let line = &line[..end];
    let is_plain = !line.contains(&b'\t') && !line.windows(2).any(|two| two == b"  ");
    if is_plain {
        return Cow::Borrowed(line);
    }
    let mut relaxed = Vec::with_capacity(line.len());
    for octet in line {
        if !is_blank(octet) {
            relaxed.push(*octet);
        } else if relaxed.last() != Some(&b' ') {
            relaxed.push(b' ');
        }
    }
    Cow::Owned(relaxed)
}

/// The first line of the body that is another than it was. Where only the transfer encoding is another, that is said beside what stands there now.
fn first_change(original: &Entity, arrived: &Entity, canon: Canon) -> Option<LineChange> {
    let (mut sent, mut got) = (CanonicalLines::new(original.raw, canon), CanonicalLines::new(arrived.raw, canon));
    let mut number: u32 = 0;
    loop {
        number = number.saturating_add(1);
        let (sent, got) = (sent.next(), got.next());
        if sent.is_none() && got.is_none() {
            return None;
        }
        if sent != got {
            let shown = |line: Option<Cow<[u8]>>| {
                let line = line.unwrap_or_default();
                shorten(&String::from_utf8_lossy(line.get(..LONGEST_LINE).unwrap_or(&line)), LONGEST_SHOWN)
            };
            let mut arrived_line = shown(got);
            if let Some(encoding) = encoded_anew(original, arrived) {
                arrived_line = format!(
                    "{} (the same content, now in {encoding})",
                    shorten(&arrived_line, LONGEST_SHOWN / 2)
                );
            }
            return Some(LineChange {
                line: number,
                sent: shown(sent),
                arrived: arrived_line,
            });
        }
    }
}

/// The transfer encoding of the first part whose content is the same and whose encoding is not, if all the parts have kept their content.
fn encoded_anew(original: &Entity, arrived: &Entity) -> Option<String> {
    // No encoding makes a content so much longer.
    if arrived.raw.len() / 4 > original.raw.len() {
        return None;
    }
    let (sent, got) = (original.leaves(), arrived.leaves());
    let encoding = |leaf: &Entity| {
        let encoding = leaf.header.text("Content-Transfer-Encoding").trim().to_ascii_lowercase();
        if encoding.is_empty() { "7bit".to_owned() } else { encoding }
    };
    let hash = |leaf: &Entity| {
        let content = leaf.content();
        if leaf.media.kind.starts_with("text/") {
            body_hash(
                &content,
                Method {
                    canon: Canon::Relaxed,
                    is_sha1: false,
                    limit: None,
                },
            )
        } else {
            digest(&SHA256, &content).as_ref().to_vec()
        }
    };
    if sent.len() != got.len() || sent.iter().zip(&got).any(|(sent, got)| hash(sent) != hash(got)) {
        return None;
    }
    let mut pairs = sent.iter().zip(&got).map(|(sent, got)| (encoding(sent), encoding(got)));
    pairs.find(|(sent, got)| sent != got).map(|(_, got)| shorten(&got, 40))
}

/// The signed fields of which the lowest one of that name, which is the first that signers take, is another than ours.
fn changed_fields(tags: &Tags, sent: &Header, arrived: &Header) -> Vec<FieldChange> {
    let mut seen: Vec<&str> = Vec::new();
    let mut changed = Vec::new();
    for name in &tags.fields {
        if seen.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            continue;
        }
        seen.push(name);
        let Some(ours) = sent.all(name).last() else { continue };
        let theirs = arrived.all(name).last();
        let canonical = |raw: &[u8]| canonical_value(raw, tags.header_canon);
        if theirs.is_some_and(|theirs| canonical(theirs.raw) == canonical(ours.raw)) {
            continue;
        }
        let mut words = [ours.text(), theirs.map(Field::text).unwrap_or_default()];
        // Where they say the same, only the source shows the difference.
        if words[0] == words[1] {
            words = [ours.raw, theirs.map_or(&b""[..], |field| field.raw)]
                .map(|raw| String::from_utf8_lossy(&decode::bounded(raw)).into_owned());
        }
        let [sent, arrived] = words.map(|words| shorten(&words, LONGEST_SHOWN));
        changed.push(FieldChange {
            name: shorten(ours.name, 80),
            sent,
            arrived,
        });
    }
    changed
}

/// The value of a field in canonical form, without what surrounds it (RFC 6376 sections 3.4.1 and 3.4.2).
fn canonical_value(raw: &[u8], canon: Canon) -> Vec<u8> {
    let raw = raw.get(..LONGEST).unwrap_or(raw);
    let without = |skip: &dyn Fn(&u8) -> bool| raw.iter().copied().filter(|octet| !skip(octet)).collect::<Vec<u8>>();
    match canon {
        // Line ends are stored as LF and sent as CRLF.
        Canon::Simple => without(&|octet| *octet == b'\r'),
        Canon::Relaxed => without_blanks(&without(&|octet| matches!(octet, b'\r' | b'\n'))).into_owned(),
    }
}
