//! Taking a message apart: header fields, and the tree of its parts (RFC 5322, RFC 2046). Every bound is here: how many fields, how many parts, how
//! deep. What lies beyond stays one undivided part. The cost grows with the length of the message times the depth of its tree, which is bounded.
//! However many fields stand above them, those that tell whose message it is are kept.

use super::decode;
use mail_parser::{Address, HeaderValue, parsers::MessageStream};
use std::{borrow::Cow, cell::Cell};

/// How much of a part's text is read: ours are short, and what is longer only costs time and memory.
const LONGEST_TEXT: usize = 512 * 1024;
/// How much text of all the parts of one message is read.
const MOST_TEXT: usize = 2 * LONGEST_TEXT;
/// The longest header that is read, in octets. Whoever fetches one that goes on after that cannot say that a message is not ours.
pub const LONGEST_HEADER: usize = 1024 * 1024;
/// The most fields of one header, whatever their names are.
const MOST_FIELDS: usize = 1_000;
/// How many of each of the [`NEEDED`] fields are kept beyond them.
const MOST_OF_A_NAME: u8 = 4;
/// What the author writes, and we: they stand below whatever was added on the way, and a copy is recognised by them.
const NEEDED: [&str; 24] = [
    "X-Mailflow-Probe",
    "Message-ID",
    "Return-Path",
    "From",
    "Sender",
    "X-Original-From",
    "Original-From",
    "X-Original-Sender",
    "To",
    "Cc",
    "Delivered-To",
    "X-Original-To",
    "Reply-To",
    "Subject",
    "Date",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Forwarded-Message-Id",
    "X-Failed-Recipients",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
];
/// The most parts of a message, those of nested messages included.
const MOST_PARTS: usize = 500;
/// The most multiparts and messages inside each other.
const DEEPEST: usize = 16;

/// One field of a header.
pub(super) struct Field<'a> {
    /// Its name as it stands there.
    pub name: &'a str,
    /// What follows the colon, folds included, without the final line end.
    pub raw: &'a [u8],
}

impl Field<'_> {
    /// The value, unfolded, encoded words decoded.
    pub fn text(&self) -> String {
        decode::words(self.raw)
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The header of a message, of a part, or a group of fields in a report.
pub(super) struct Header<'a> {
    /// All of it.
    pub raw: &'a [u8],
    /// Its fields, from the top.
    pub fields: Vec<Field<'a>>,
}

impl<'a> Header<'a> {
    /// Splits `bytes` at the first empty line: the header before it, the body after it. Lines that are no fields are passed over (such as the
    /// `From ` line of an mbox).
    pub fn parse(bytes: &'a [u8]) -> (Self, &'a [u8]) {
        let mut fields = Kept::default();
        let mut position = 0;
        let mut open: Option<(&'a str, usize)> = None;
        let mut end = 0;
        while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
            let length = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |length| length + 1);
            let line = &rest[..length];
            if line.trim_ascii_end().is_empty() && !line.starts_with(b" ") && !line.starts_with(b"\t") || position > LONGEST_HEADER {
                position += length;
                break;
            }
            let folded = line.starts_with(b" ") || line.starts_with(b"\t");
            if !folded {
                fields.close(open.take(), bytes, end);
                open = name(line).map(|name| (name, position + name.len()));
            }
            position += length;
            end = position;
        }
        fields.close(open, bytes, end);
        let raw = bytes.get(..end).unwrap_or_default();
        let header = Self {
            raw,
            fields: fields.fields,
        };
        (header, bytes.get(position..).unwrap_or_default())
    }

    /// The topmost field of that name.
    pub fn get(&self, name: &str) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.is(name))
    }

    /// All fields of that name, from the top.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Field<'a>> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    /// The decoded value of the topmost field of that name; empty if there is none.
    pub fn text(&self, name: &str) -> String {
        self.get(name).map(Field::text).unwrap_or_default()
    }

    /// The addresses of the topmost field of that name, with their display names; addresses in lower case.
    pub fn mailboxes(&self, name: &str) -> Vec<(String, String)> {
        let Some(field) = self.get(name) else { return Vec::new() };
        let raw = decode::bounded(field.raw);
        let HeaderValue::Address(address) = MessageStream::new(&raw).parse_address() else {
            return Vec::new();
        };
        let list = match address {
            Address::List(list) => list,
            Address::Group(groups) => groups.into_iter().flat_map(|group| group.addresses).collect(),
        };
        list.into_iter()
            .map(|one| {
                (
                    one.name.unwrap_or_default().into_owned(),
                    one.address.unwrap_or_default().trim().to_ascii_lowercase(),
                )
            })
            .collect()
    }

    /// The addresses alone.
    pub fn addresses(&self, name: &str) -> Vec<String> {
        self.mailboxes(name).into_iter().map(|(_, address)| address).collect()
    }
}

/// The fields of a header that are kept while it is read.
#[derive(Default)]
struct Kept<'a> {
    fields: Vec<Field<'a>>,
    /// How many of each needed field were kept beyond the most fields.
    beyond: [u8; NEEDED.len()],
}

impl<'a> Kept<'a> {
    /// Takes in the field that begins at `open`, with its name, and ends before `end`.
    fn close(&mut self, open: Option<(&'a str, usize)>, bytes: &'a [u8], end: usize) {
        let Some((name, start)) = open.filter(|(name, _)| self.has_room_for(name)) else {
            return;
        };
        let value = bytes.get(start..end).unwrap_or_default();
        let colon = value.iter().position(|&byte| byte == b':').map_or(value.len(), |colon| colon + 1);
        self.fields.push(Field {
            name,
            raw: value[colon..].trim_ascii(),
        });
    }

    fn has_room_for(&mut self, name: &str) -> bool {
        if self.fields.len() < MOST_FIELDS {
            return true;
        }
        let mut needed = NEEDED.iter().zip(&mut self.beyond);
        let of_this_name = needed.find(|(needed, _)| needed.eq_ignore_ascii_case(name));
        of_this_name.is_some_and(|(_, count)| {
            *count = count.saturating_add(1);
            *count <= MOST_OF_A_NAME
        })
    }
}

/// The name before the colon of a header line: printable ASCII without a space inside (RFC 5322 section 3.6.8).
fn name(line: &[u8]) -> Option<&str> {
    let colon = line.iter().take(200).position(|&byte| byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic))
        .then(|| std::str::from_utf8(name).ok())
        .flatten()
}

/// A media type (RFC 2045 section 5), in lower case, with the parameters that we need.
#[derive(Debug, Default)]
pub(super) struct Media {
    /// Such as `text/plain`.
    pub kind: String,
    boundary: Option<String>,
    charset: Option<String>,
    name: Option<String>,
}

impl Media {
    fn of(header: &Header, fallback: &str) -> Self {
        let attribute = |field: &str, name: &str| {
            let raw = decode::bounded(header.get(field)?.raw);
            let value = MessageStream::new(&raw).parse_content_type();
            value
                .as_content_type()
                .and_then(|kind| kind.attribute(name))
                .map(|value| value.chars().take(1_000).collect::<String>())
        };
        let kind = header.get("Content-Type").and_then(|field| {
            let raw = decode::bounded(field.raw);
            let value = MessageStream::new(&raw).parse_content_type();
            let kind = value.as_content_type()?;
            Some(format!("{}/{}", kind.ctype(), kind.subtype()?).to_ascii_lowercase())
        });
        Self {
            kind: kind.unwrap_or_else(|| fallback.to_owned()),
            boundary: attribute("Content-Type", "boundary").filter(|boundary| !boundary.is_empty()),
            charset: attribute("Content-Type", "charset"),
            name: attribute("Content-Disposition", "filename")
                .or_else(|| attribute("Content-Type", "name"))
                .map(|name| decode::words(name.as_bytes())),
        }
    }
}

/// A message or one part of it.
pub(super) struct Entity<'a> {
    /// Its header.
    pub header: Header<'a>,
    /// Its media type.
    pub media: Media,
    /// Its body as it stands there, still encoded.
    pub raw: &'a [u8],
    /// The parts of a multipart, or the one message inside a `message/rfc822` that is not encoded.
    pub parts: Vec<Self>,
}

impl<'a> Entity<'a> {
    /// Takes a message apart.
    pub fn parse(message: &'a [u8]) -> Self {
        Self::within(without_blank_lines(message), "text/plain", DEEPEST, &Cell::new(MOST_PARTS))
    }

    fn within(bytes: &'a [u8], fallback: &str, depth: usize, budget: &Cell<usize>) -> Self {
        budget.set(budget.get().saturating_sub(1));
        let (header, raw) = Header::parse(bytes);
        let media = Media::of(&header, fallback);
        let mut entity = Self {
            header,
            media,
            raw,
            parts: Vec::new(),
        };
        let Some(depth) = depth.checked_sub(1) else { return entity };
        if let (true, Some(boundary)) = (entity.media.kind.starts_with("multipart/"), &entity.media.boundary) {
            let fallback = if entity.media.kind == "multipart/digest" {
                "message/rfc822"
            } else {
                "text/plain"
            };
            for part in split(raw, boundary.as_bytes(), budget.get()) {
                entity.parts.push(Self::within(part, fallback, depth, budget));
            }
        } else if entity.is_message() && !entity.is_encoded() && budget.get() > 0 {
            entity
                .parts
                .push(Self::within(without_blank_lines(raw), "text/plain", depth, budget));
        }
        entity
    }

    /// Whether it is a whole message inside another (RFC 2046 section 5.2.1, RFC 6532).
    pub fn is_message(&self) -> bool {
        matches!(self.media.kind.as_str(), "message/rfc822" | "message/global")
    }

    /// Whether it has parts, rather than one content.
    pub fn is_multipart(&self) -> bool {
        self.media.kind.starts_with("multipart/") && !self.parts.is_empty()
    }

    /// Whether it is meant to be kept apart from the text (RFC 2183), or is no text at all.
    pub fn is_attachment(&self) -> bool {
        let disposition = self.header.text("Content-Disposition").to_ascii_lowercase();
        disposition.starts_with("attachment") || !self.is_text() || (self.media.name.is_some() && !disposition.starts_with("inline"))
    }

    /// The file name of an attachment.
    pub fn name(&self) -> Option<&str> {
        self.media.name.as_deref()
    }

    fn encoding(&self) -> String {
        self.header.text("Content-Transfer-Encoding").trim().to_ascii_lowercase()
    }

    fn is_encoded(&self) -> bool {
        matches!(self.encoding().as_str(), "base64" | "quoted-printable")
    }

    /// The content without its transfer encoding.
    pub fn content(&self) -> Cow<'a, [u8]> {
        match self.encoding().as_str() {
            "base64" => Cow::Owned(decode::base64(self.raw)),
            "quoted-printable" => Cow::Owned(decode::quoted_printable(self.raw)),
            _ => Cow::Borrowed(self.raw),
        }
    }

    /// The content as text, as far as texts are read.
    pub fn text(&self) -> String {
        let mut left = LONGEST_TEXT;
        self.text_within(&mut left)
    }

    /// As [`Entity::text`], as far as what is `left` of the text that is read of one message, which it then takes away.
    fn text_within(&self, left: &mut usize) -> String {
        let content = self.content();
        let read = content.get(..LONGEST_TEXT.min(*left)).unwrap_or(&content);
        *left -= read.len();
        decode::text(read, self.media.charset.as_deref())
    }

    /// The texts of those leaves of a message for which `wanted` holds, in order, as far as texts are read.
    pub fn texts<'s>(&'s self, wanted: impl Fn(&Self) -> bool + 's) -> impl Iterator<Item = (&'s Self, String)> + 's {
        let mut left = MOST_TEXT;
        let leaves = self.leaves().into_iter().filter(move |leaf| wanted(leaf));
        leaves.map_while(move |leaf| (left > 0).then(|| (leaf, leaf.text_within(&mut left))))
    }

    /// Whether its content is text of any kind.
    pub fn is_text(&self) -> bool {
        self.media.kind.starts_with("text/")
    }

    /// The parts that are no multiparts, in order, down to nested messages but not into them.
    pub fn leaves(&self) -> Vec<&Self> {
        if self.is_multipart() {
            self.parts.iter().flat_map(Self::leaves).collect()
        } else {
            vec![self]
        }
    }

    /// Calls `visit` with each message that stands in this one as `message/rfc822`, but not with those further inside.
    pub fn each_message(&self, visit: &mut dyn FnMut(&Entity)) {
        for leaf in self.leaves().into_iter().filter(|leaf| leaf.is_message()) {
            match leaf.parts.first() {
                Some(message) => visit(message),
                None => visit(&Entity::parse(&leaf.content())),
            }
        }
    }
}

/// What follows the empty lines at the start: in front of a message, or of a group of fields, they are a mistake that systems make.
pub(super) fn without_blank_lines(bytes: &[u8]) -> &[u8] {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    bytes.get(blank..).unwrap_or_default()
}

/// The parts between the delimiter lines of a multipart body (RFC 2046 section 5.1.1), at most `most`. A missing closing delimiter is forgiven.
fn split<'a>(body: &'a [u8], boundary: &[u8], most: usize) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut position = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let delimiter = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary));
        if let Some(tail) = delimiter {
            let closing = tail.trim_ascii_end() == b"--";
            if closing || tail.trim_ascii().is_empty() {
                parts.extend(start.and_then(|start| body.get(start..position)).map(without_line_end));
                start = (!closing).then_some(position + line.len());
                if closing || parts.len() >= most {
                    return parts;
                }
            }
        }
        position += line.len();
    }
    parts.extend(start.and_then(|start| body.get(start..)));
    parts
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_whatever_their_line_ends() {
        let (header, body) =
            Header::parse(b"From a@b Mon Nov 23\nSubject: one\n two\r\nX-Empty:\r\nnonsense\r\nTo : <A@b.example>\r\n\r\nbody\r\n");
        let names: Vec<&str> = header.fields.iter().map(|field| field.name).collect();
        assert_eq!(names, ["Subject", "X-Empty", "To"]);
        assert_eq!(header.text("subject"), "one two");
        assert_eq!(header.text("X-Empty"), "");
        assert_eq!(header.addresses("To"), ["a@b.example"]);
        assert_eq!(body, b"body\r\n");
    }

    #[test]
    fn a_header_without_a_body_is_a_header() {
        for bytes in [&b""[..], b"\r\n", b"Subject: x", b"Subject: x\r\n", b":\r\n", b"\xFF\xFE: x\r\n"] {
            assert_eq!(Header::parse(bytes).1, b"", "{bytes:?}");
        }
    }

    #[test]
    fn the_fields_that_tell_whose_message_it_is_are_kept_below_any_number_of_others() {
        let own = "Message-ID: <x@y>\r\nFrom: a@b.example\r\n";
        let above = "X-A: b\r\n".repeat(20_000);
        let many = format!("{above}{own}{}Subject: last\r\n{above}\r\nbody", "Subject: x\r\n".repeat(20_000));
        let (header, body) = Header::parse(many.as_bytes());
        assert_eq!(header.addresses("From"), ["a@b.example"]);
        assert_eq!((header.text("Message-ID").as_str(), body), ("<x@y>", &b"body"[..]));
        let most = MOST_FIELDS + NEEDED.len() * usize::from(MOST_OF_A_NAME);
        assert!(header.fields.len() <= most, "{}", header.fields.len());
        let long = format!("X-A: {}\r\n{own}\r\n", "b".repeat(LONGEST_HEADER - 100));
        assert_eq!(Header::parse(long.as_bytes()).0.addresses("From"), ["a@b.example"]);
    }

    fn kinds(message: &str) -> Vec<String> {
        Entity::parse(message.as_bytes())
            .leaves()
            .iter()
            .map(|leaf| leaf.media.kind.clone())
            .collect()
    }

    #[test]
    fn parts_are_found_as_the_standard_says_and_as_systems_send_them() {
        let nested = "Content-Type: multipart/mixed; boundary=\"a b\"\n\npreamble\n--a b\nContent-Type: multipart/alternative; boundary=a\n\n--a\n\none\n--a  \nContent-Type: text/html\n\ntwo\n--a--\n--a b\nContent-Type: message/rfc822\n\nSubject: x\n\nthree\n--a b--\nepilogue\n--a b\n\nfour\n";
        assert_eq!(kinds(nested), ["text/plain", "text/html", "message/rfc822"]);
        let unclosed = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo";
        assert_eq!(kinds(unclosed), ["text/plain", "text/html"]);
        let absent = "Content-Type: multipart/mixed; boundary=b\n\nno delimiter at all";
        assert_eq!(kinds(absent), ["multipart/mixed"]);
        assert_eq!(kinds("Content-Type: nonsense\n\nx"), ["text/plain"]);
        let digest = "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\ny\n--b--\n";
        assert_eq!(kinds(digest), ["message/rfc822"]);
    }

    #[test]
    fn the_line_end_before_a_delimiter_is_not_content() {
        let message = Entity::parse(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n\r\n--b--\r\n");
        assert_eq!(message.leaves()[0].raw, b"one\r\n");
    }

    #[test]
    fn no_more_text_is_read_of_many_parts_than_of_a_few() {
        let part = format!("--b\n\n{}\n", "word ".repeat(20_000));
        let message = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", part.repeat(100));
        let message = Entity::parse(message.as_bytes());
        let read: usize = message.texts(Entity::is_text).map(|(_, text)| text.len()).sum();
        assert_eq!(read, MOST_TEXT);
        assert_eq!(message.texts(Entity::is_message).count(), 0);
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = "Content-Type: message/rfc822\n\n".repeat(1_000);
        let mut entity = &Entity::parse(deep.as_bytes());
        let mut depth = 0;
        while let Some(inner) = entity.parts.first() {
            entity = inner;
            depth += 1;
        }
        assert_eq!(depth, DEEPEST);
        let wide = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(5_000));
        assert!(kinds(&wide).len() <= MOST_PARTS);
    }
}
