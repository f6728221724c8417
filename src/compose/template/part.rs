//! Writing the parts of a template anew: structure and types as in the file, texts filled in and encoded as they then need.

use super::{DEEPEST, Values, in_html};
use lettre::message::{Body, header::ContentTransferEncoding};
use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

/// How deep multiparts are nested below this part; counted no further than anybody needs.
pub(super) fn depth(message: &Message, index: usize) -> usize {
    fn below(message: &Message, index: usize, above: usize) -> usize {
        match message.parts.get(index).map(|part| &part.body) {
            Some(PartType::Multipart(children)) if above <= DEEPEST => {
                let deeper = children.iter().map(|&child| below(message, child as usize, above + 1)).max();
                1 + deeper.unwrap_or_default()
            }
            _ => 0,
        }
    }
    below(message, index, 0)
}

pub(super) struct Writer<'a> {
    message: &'a Message<'a>,
    values: &'a Values,
    tag: &'a str,
    /// The texts to which the tag is added, because it stands in none: the first plain one and the first in HTML.
    without_tag: [Option<usize>; 2],
}

impl<'a> Writer<'a> {
    pub fn new(message: &'a Message<'a>, values: &'a Values, tag: &'a str) -> Self {
        let mut writer = Self {
            message,
            values,
            tag,
            without_tag: [None, None],
        };
        let texts = || message.parts.iter().enumerate().filter(|(_, part)| !is_file(part));
        if !texts().any(|(_, part)| writer.text(part).is_some_and(|text| text.contains(tag))) {
            writer.without_tag = [
                texts()
                    .find(|(_, part)| matches!(part.body, PartType::Text(_)))
                    .map(|(index, _)| index),
                texts()
                    .find(|(_, part)| matches!(part.body, PartType::Html(_)))
                    .map(|(index, _)| index),
            ];
        }
        writer
    }

    /// Writes the MIME fields of the message, the empty line and the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.part(0, 0, out);
    }

    fn part(&self, index: usize, depth: usize, out: &mut Vec<u8>) {
        let Some(part) = self.message.parts.get(index) else { return };
        match &part.body {
            PartType::Multipart(children) if depth <= DEEPEST => {
                self.fields(part, &["content-transfer-encoding"], out);
                out.extend(b"\r\n");
                let boundary = part.content_type().and_then(|kind| kind.attribute("boundary")).unwrap_or_default();
                for &child in children {
                    out.extend(format!("--{boundary}\r\n").bytes());
                    self.part(child as usize, depth + 1, out);
                    out.extend(b"\r\n");
                }
                out.extend(format!("--{boundary}--\r\n").bytes());
            }
            PartType::Multipart(_) => out.extend(b"\r\n"),
            PartType::Text(_) | PartType::Html(_) => {
                let text = self.tagged(index, self.text(part).unwrap_or_default(), matches!(part.body, PartType::Html(_)));
                let body = Body::new(text);
                self.content_type(part, out);
                self.fields(part, &["content-type", "content-transfer-encoding"], out);
                finish(&body, out);
            }
            PartType::Binary(content) | PartType::InlineBinary(content) => {
                self.fields(part, &["content-transfer-encoding"], out);
                match Body::new_with_encoding(content.to_vec(), ContentTransferEncoding::Base64) {
                    Ok(body) => finish(&body, out),
                    Err(_) => out.extend(b"\r\n"),
                }
            }
            PartType::Message(_) => {
                self.fields(part, &[], out);
                out.extend(b"\r\n");
                out.extend(self.raw(part.offset_body, part.offset_end));
            }
        }
    }

    /// The text of a part, filled in.
    fn text(&self, part: &MessagePart) -> Option<String> {
        match &part.body {
            PartType::Text(text) => Some(self.values.fill(text, str::to_owned)),
            PartType::Html(text) => Some(self.values.fill(text, in_html)),
            _ => None,
        }
    }

    fn tagged(&self, index: usize, text: String, is_html: bool) -> String {
        if !self.without_tag.contains(&Some(index)) {
            return text;
        }
        let tag = self.tag;
        if !is_html {
            return format!("{}\r\n\r\nReference: {tag}\r\n", text.trim_end());
        }
        let end = text.to_ascii_lowercase().rfind("</body").unwrap_or(text.len());
        let (before, after) = text.split_at(end);
        format!("{before}<p>Reference: {tag}</p>\r\n{after}")
    }

    /// The type of a text, which is UTF-8 now, with its other parameters.
    fn content_type(&self, part: &MessagePart, out: &mut Vec<u8>) {
        let kind = part.content_type();
        let (main, sub) = kind.map_or(("text", "plain"), |kind| (kind.ctype(), kind.subtype().unwrap_or("plain")));
        out.extend(format!("Content-Type: {main}/{sub}; charset=utf-8").bytes());
        for attribute in kind.and_then(|kind| kind.attributes()).into_iter().flatten() {
            let is_plain = attribute
                .value
                .bytes()
                .all(|byte| (byte.is_ascii_graphic() || byte == b' ') && !b"\"\\".contains(&byte));
            if !attribute.name.eq_ignore_ascii_case("charset") && is_plain && attribute.value.len() < 200 {
                out.extend(format!(";\r\n {}=\"{}\"", attribute.name, attribute.value).bytes());
            }
        }
        out.extend(b"\r\n");
    }

    /// The MIME fields of a part as they stand in the file, but for some.
    fn fields(&self, part: &MessagePart, but: &[&str], out: &mut Vec<u8>) {
        for header in &part.headers {
            let name = header.name();
            let lower = name.to_ascii_lowercase();
            if lower.starts_with("content-") && !but.contains(&lower.as_str()) {
                let value = self.raw(header.offset_start, header.offset_end).trim_ascii();
                out.extend(name.as_bytes());
                out.extend(b": ");
                out.extend(value);
                out.extend(b"\r\n");
            }
        }
    }

    fn raw(&self, start: u32, end: u32) -> &[u8] {
        self.message.raw_message.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// Whether a part is a file, and not a text that is read.
fn is_file(part: &MessagePart) -> bool {
    part.content_disposition()
        .is_some_and(|disposition| disposition.ctype().eq_ignore_ascii_case("attachment"))
}

fn finish(body: &Body, out: &mut Vec<u8>) {
    out.extend(format!("Content-Transfer-Encoding: {}\r\n\r\n", body.encoding()).bytes());
    out.extend(body.as_ref());
}
