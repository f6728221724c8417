//! Modified UTF-7, in which folder names travel (RFC 3501, section 5.1.3).
//!
//! Pure.

use data_encoding::BASE64_NOPAD;

/// The name as it goes over the wire.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut run: Vec<u8> = Vec::new();
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut run, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            run.extend(c.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut run, &mut out);
    out
}

fn flush(run: &mut Vec<u8>, out: &mut String) {
    if !run.is_empty() {
        out.push('&');
        out.push_str(&BASE64_NOPAD.encode(run).replace('/', ","));
        out.push('-');
        run.clear();
    }
}

/// The name that was meant, `None` if it is no modified UTF-7.
pub fn decode(wire: &str) -> Option<String> {
    let mut out = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (run, after) = rest[at + 1..].split_once('-')?;
        if run.is_empty() {
            out.push('&');
        } else {
            let octets = BASE64_NOPAD.decode(run.replace(',', "/").as_bytes()).ok()?;
            let (pairs, odd) = octets.as_chunks::<2>();
            if !odd.is_empty() {
                return None;
            }
            out.push_str(&String::from_utf16(&pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect::<Vec<_>>()).ok()?);
        }
        rest = after;
    }
    out.push_str(rest);
    out.chars().all(|c| !c.is_control()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("Courrier indésirable", "Courrier ind&AOk-sirable"),
            ("a&b", "a&-b"),
            ("台北", "&U,BTFw-"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire).as_deref(), Some(name));
        }
    }

    #[test]
    fn broken_names_are_refused() {
        for wire in ["&", "&AOk", "&A-", "&AO-", "&2D0-", "&!-", "a\u{7}"] {
            assert_eq!(decode(wire), None, "{wire:?}");
        }
    }
}
