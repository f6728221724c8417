//! Header fields of raw messages: found, removed, replaced and put before, without touching any other octet (RFC 5322, section 2.2).
//!
//! Pure. Cannot see MIME parts; `alter` changes bodies.

/// One header field inside a raw message.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// The name as written.
    pub name: &'a str,
    /// The value with its folding, without the last line break.
    pub value: &'a [u8],
    /// The whole field, with its line breaks.
    pub whole: &'a [u8],
}

/// Where the body starts: after the empty line, or at the end of a message without body.
pub fn body_start(raw: &[u8]) -> usize {
    let mut at = 0;
    while let Some(end) = line_end(raw, at) {
        if matches!(&raw[at..end], b"\r\n" | b"\n") {
            return end;
        }
        at = end;
    }
    raw.len()
}

/// The header and the body of a message; the empty line between belongs to neither.
pub fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    let body = body_start(raw);
    let head = raw[..body]
        .strip_suffix(b"\r\n")
        .filter(|h| h.is_empty() || h.ends_with(b"\n"))
        .unwrap_or(&raw[..body]);
    (head, &raw[body..])
}

/// The fields of a header, in order. Lines that are no field belong to the field before, or are left out at the start.
pub fn fields(raw: &[u8]) -> Vec<Field<'_>> {
    let (head, _) = split(raw);
    let mut starts = Vec::new();
    let mut at = 0;
    while at < head.len() {
        let end = line_end(head, at).unwrap_or(head.len());
        if let Some(colon) = name_length(&head[at..end]) {
            starts.push((at, colon));
        }
        at = end;
    }
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([head.len()]);
    let field = |((start, colon), end): (&(usize, usize), usize)| {
        let whole = &head[*start..end];
        let name = std::str::from_utf8(&whole[..*colon]).ok()?.trim_end();
        let value = &whole[colon + 1..];
        let value = value.strip_suffix(b"\n").map_or(value, |v| v.strip_suffix(b"\r").unwrap_or(v));
        Some(Field { name, value, whole })
    };
    starts.iter().zip(ends).filter_map(field).collect()
}

/// The first field of this name, unfolded and trimmed; octets that are no UTF-8 are replaced.
pub fn first(raw: &[u8], name: &str) -> Option<String> {
    let field = fields(raw).into_iter().find(|f| f.name.eq_ignore_ascii_case(name))?;
    Some(unfold(field.value))
}

/// A value on one line.
pub fn unfold(value: &[u8]) -> String {
    String::from_utf8_lossy(value).replace(['\r', '\n'], "").trim().to_owned()
}

/// The message without the fields that `unwanted` picks.
pub fn without(raw: &[u8], unwanted: impl Fn(&str) -> bool) -> Vec<u8> {
    rebuild(raw, |field, out| {
        if !unwanted(field.name) {
            out.extend_from_slice(field.whole);
        }
    })
}

/// The message with the value of each field of this name replaced by what `change` makes of it.
pub fn replaced(raw: &[u8], name: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
    rebuild(raw, |field, out| {
        if field.name.eq_ignore_ascii_case(name) {
            out.extend_from_slice(format!("{}: {}\r\n", field.name, change(&unfold(field.value))).as_bytes());
        } else {
            out.extend_from_slice(field.whole);
        }
    })
}

fn rebuild(raw: &[u8], mut each: impl FnMut(&Field<'_>, &mut Vec<u8>)) -> Vec<u8> {
    let (_, body) = split(raw);
    let mut out = Vec::with_capacity(raw.len());
    for field in fields(raw) {
        each(&field, &mut out);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

fn line_end(raw: &[u8], from: usize) -> Option<usize> {
    let rest = raw.get(from..)?;
    rest.iter().position(|b| *b == b'\n').map(|at| from + at + 1)
}

/// How long the field's name is, if the line starts a field.
fn name_length(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(colon)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"Subject: Hello\r\n\tthere\r\nX-One: 1\r\nTo: a@b\r\n\r\nbody: no field\r\n";

    #[test]
    fn folded_fields_are_read_whole() {
        assert_eq!(first(MESSAGE, "subject").as_deref(), Some("Hello\tthere"));
        assert_eq!(first(MESSAGE, "body"), None);
        assert_eq!(fields(MESSAGE).len(), 3);
    }

    #[test]
    fn removing_and_replacing_leave_the_rest_alone() {
        let plain = without(MESSAGE, |name| name.to_ascii_lowercase().starts_with("x-"));
        assert_eq!(plain, b"Subject: Hello\r\n\tthere\r\nTo: a@b\r\n\r\nbody: no field\r\n");
        let tagged = replaced(MESSAGE, "Subject", |s| format!("[EXTERNAL] {s}"));
        assert!(tagged.starts_with(b"Subject: [EXTERNAL] Hello\tthere\r\nX-One"));
    }

    #[test]
    fn odd_messages_do_not_confuse() {
        for raw in [
            &b""[..],
            b"\r\n",
            b"no field",
            b":\r\n\r\n",
            b"a:b",
            b"\r\n\r\nx",
            b" cont\r\nA: 1\r\n\r\n",
            b"\xff\xfe: x\r\n\r\n",
            b"\n",
        ] {
            let (head, body) = split(raw);
            assert!(head.len() + body.len() <= raw.len());
            let _ = fields(raw);
            let _ = without(raw, |_| false);
        }
        assert_eq!(split(b"\r\nbody"), (&b""[..], &b"body"[..]));
        assert_eq!(split(b"A: 1\r\n\r\nbody"), (&b"A: 1\r\n"[..], &b"body"[..]));
    }
}
