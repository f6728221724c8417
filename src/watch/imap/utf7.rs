//! Folder names on the wire: modified UTF-7 (RFC 3501 section 5.1.3). What does not decode is shown as it came; it stays usable, because the
//! name that a server gave is always sent back byte for byte.

use data_encoding::{BitOrder, Encoding, Specification};
use std::sync::LazyLock;

/// Base64 with `,` for `/`, and without padding.
static BASE64: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,");
    specification.bit_order = BitOrder::MostSignificantFirst;
    // Some servers leave bits set after the last character; the name is meant all the same.
    specification.check_trailing_bits = false;
    specification.encoding().ok()
});

/// The name as people write it; the name as it is, where it is not modified UTF-7.
pub(super) fn decode(wire: &str) -> String {
    // INBOX is written in plain letters, or it is another folder.
    try_decode(wire)
        .filter(|name| !name.eq_ignore_ascii_case("INBOX") || wire.eq_ignore_ascii_case("INBOX"))
        .unwrap_or_else(|| wire.to_owned())
}

fn try_decode(wire: &str) -> Option<String> {
    let mut name = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some((plain, shifted)) = rest.split_once('&') {
        let (encoded, after) = shifted.split_once('-')?;
        name.push_str(plain);
        if encoded.is_empty() {
            name.push('&');
        } else {
            let bytes = BASE64.as_ref()?.decode(encoded.as_bytes()).ok()?;
            let (units, odd) = bytes.as_chunks::<2>();
            if !odd.is_empty() {
                return None;
            }
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            for character in char::decode_utf16(units) {
                name.push(character.ok()?);
            }
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

/// The name as it goes on the wire.
pub(super) fn encode(name: &str) -> String {
    let mut wire = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    for character in name.chars() {
        if matches!(character, ' '..='~') {
            flush(&mut wire, &mut shifted);
            wire.push(character);
            if character == '&' {
                wire.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(character.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut wire, &mut shifted);
    wire
}

fn flush(wire: &mut String, shifted: &mut Vec<u8>) {
    if let (false, Some(base64)) = (shifted.is_empty(), BASE64.as_ref()) {
        wire.push('&');
        wire.push_str(&base64.encode(shifted));
        wire.push('-');
    }
    shifted.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_languages_go_there_and_back() {
        for (wire, name) in [
            ("INBOX", "INBOX"),
            ("Courrier ind&AOk-sirable", "Courrier indésirable"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("R&-D", "R&D"),
            ("&2D3cjA-", "💌"),
            ("&BCEEPwQwBDw-", "Спам"),
        ] {
            assert_eq!(decode(wire), name);
            assert_eq!(encode(name), wire);
        }
    }

    #[test]
    fn what_is_no_utf_7_is_shown_as_it_came() {
        for wire in ["a&b", "&AO-", "&!!!!-", "&2D0-", "Entwürfe", "&"] {
            assert_eq!(decode(wire), wire);
        }
    }
}
