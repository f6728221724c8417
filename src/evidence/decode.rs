//! Decoding what a mail carries: transfer encodings, character sets, encoded words, HTML. Nothing here fails: what is broken is decoded as far as
//! it goes, because gateways that break an encoding are among the things that we measure.

use mail_parser::{HeaderValue, decoders::charsets::map::charset_decoder, decoders::html::html_to_text, parsers::MessageStream};

/// The longest header value that is decoded; what is longer is cut.
pub(super) const LONGEST_VALUE: usize = 16 * 1024;

/// Quoted-printable (RFC 2045 section 6.7). An `=` that begins nothing valid stays.
pub(super) fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'=' {
            decoded.push(byte);
        } else if let [b'\r', b'\n', tail @ ..] | [b'\n', tail @ ..] = after {
            rest = tail;
        } else if let [high, low, tail @ ..] = after
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            decoded.push(high << 4 | low);
            rest = tail;
        } else {
            decoded.push(byte);
        }
    }
    decoded
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Base64 (RFC 2045 section 6.8). Everything outside its alphabet is skipped; padding ends a group.
pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len() / 4 * 3);
    let (mut group, mut count) = (0_u32, 0_u8);
    for &byte in bytes {
        if byte == b'=' {
            decoded.extend(incomplete(group, count));
            (group, count) = (0, 0);
        }
        let Some(value) = sextet(byte) else { continue };
        group = group << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            decoded.extend([low_byte(group >> 16), low_byte(group >> 8), low_byte(group)]);
            (group, count) = (0, 0);
        }
    }
    decoded.extend(incomplete(group, count));
    decoded
}

/// The octets that a group of fewer than four characters holds.
fn incomplete(group: u32, count: u8) -> Vec<u8> {
    match count {
        2 => vec![low_byte(group >> 4)],
        3 => vec![low_byte(group >> 10), low_byte(group >> 2)],
        _ => Vec::new(),
    }
}

/// What the runs of base64 lines in `bytes` decode to. The first line may be cut off at its start, so the first run is read in each of the four
/// ways in which its groups may lie.
pub(super) fn base64_runs(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut runs: Vec<Vec<u8>> = Vec::new();
    let mut run: Vec<u8> = Vec::new();
    let mut at_start = true;
    for line in bytes.split(|&byte| byte == b'\n').chain([&b"."[..]]) {
        let line = line.trim_ascii();
        if !line.is_empty() && line.iter().all(|&byte| sextet(byte).is_some() || byte == b'=') {
            run.extend_from_slice(line);
            continue;
        }
        if run.len() >= 16 {
            let shifts = if at_start { 0..4 } else { 0..1 };
            runs.extend(shifts.filter_map(|shift| run.get(shift..).map(base64)));
        }
        at_start = false;
        run.clear();
    }
    runs
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lowest eight bits are what is wanted")]
fn low_byte(bits: u32) -> u8 {
    bits as u8
}

/// Text in this character set; UTF-8, lossy, where the set is not known.
pub(super) fn text(bytes: &[u8], charset: Option<&str>) -> String {
    match charset
        .filter(|name| !name.is_empty())
        .and_then(|name| charset_decoder(name.as_bytes()))
    {
        Some(decoder) => decoder(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The value of a header field: unfolded, bounded, its encoded words (RFC 2047) decoded, surrounding white space removed.
pub(super) fn words(raw: &[u8]) -> String {
    let raw = bounded(raw);
    match MessageStream::new(&raw).parse_unstructured() {
        HeaderValue::Text(text) => text.into_owned(),
        _ => String::new(),
    }
}

/// A header value as mail-parser's parsers of single fields want it: bounded, unfolded, with a line end.
pub(super) fn bounded(raw: &[u8]) -> Vec<u8> {
    let mut value: Vec<u8> = raw
        .iter()
        .take(LONGEST_VALUE)
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    value.push(b'\n');
    value
}

/// The words of an HTML text, entities decoded, markup left out.
pub(super) fn html(text: &str) -> String {
    html_to_text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_encodings_are_decoded_as_far_as_they_go() {
        assert_eq!(quoted_printable(b"a=3Db=\r\nc=\nd=zz=4"), b"a=bcd=zz=4");
        assert_eq!(base64(b"TWFp\r\nbGZs b3c=!TQ=="), b"MailflowM");
        assert_eq!(
            base64(b"TWFpbGZ"),
            b"Mailf",
            "cut off: the groups that are whole, and no more than they hold"
        );
        assert_eq!(base64(b"===="), b"");
    }

    #[test]
    fn base64_is_found_wherever_a_part_was_cut_out() {
        let encoded = data_encoding::BASE64.encode("the words that are looked for in the middle".as_bytes());
        for cut in 0..8 {
            let part = format!("{}\r\n\r\nplain text follows", &encoded[cut..]);
            let found = base64_runs(part.as_bytes())
                .iter()
                .any(|run| run.windows(10).any(|ten| ten == b"looked for"));
            assert!(found, "cut at {cut}");
        }
        assert!(base64_runs(b"short\r\n").is_empty());
    }

    #[test]
    fn words_are_unfolded_and_decoded_in_any_character_set() {
        assert_eq!(words(b"one\r\n two"), "one two");
        assert_eq!(words(b"=?iso-8859-1?Q?Gesch=E4ft?= =?utf-8?b?c2bDvGhydW5n?="), "Geschäftsführung");
        assert_eq!(words("unencoded ü".as_bytes()), "unencoded ü");
        assert_eq!(words(b""), "");
        assert!(words("a".repeat(100_000).as_bytes()).len() <= LONGEST_VALUE);
        assert_eq!(text(b"\xE4", Some("windows-1252")), "ä");
        assert_eq!(text(b"\xE4", Some("unheard-of")), "\u{FFFD}");
    }
}
