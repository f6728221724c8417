//! `Authentication-Results` (RFC 8601): what the receiving side found about SPF, DKIM and DMARC. Only the topmost field counts, and only if its place
//! shows that the receiving side wrote it; everything below the first hop may be forged. What it cannot see: whether the receiver's check is right.

use super::mime::{Field, Header};
use crate::model::Authentication;

/// The longest field that is read, in octets, and the most results that are kept.
const LONGEST: usize = 16 * 1024;
const MOST_RESULTS: usize = 64;

/// The results of the receiving side: method to result. A method that is reported several times (DKIM, once for each signature) passes if any passes.
pub(super) fn results(header: &Header) -> Authentication {
    let mut results = Authentication::new();
    let Some(first) = header.fields.iter().position(|field| is(field, "Authentication-Results")) else {
        return results;
    };
    let service = parse(header.fields[first].raw).service;
    if !is_receivers(header, first, service.as_deref()) {
        return results;
    }
    // One server may write one field for each method: those of the same service count as well, down to the next hop.
    for field in header.fields.iter().skip(first).take_while(|field| !is(field, "Received")) {
        if !is(field, "Authentication-Results") {
            continue;
        }
        let parsed = parse(field.raw);
        if parsed.service != service {
            break;
        }
        for (method, result) in parsed.results {
            let known = results.entry(method).or_insert_with(|| result.clone());
            if result == "pass" {
                *known = result;
            }
        }
    }
    results
}

fn is(field: &Field, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

/// Whether a field at this place was written by a hop and not by the sender: either a hop stands below it, or (a filter may write below the
/// `Received` of the server that it serves) the hop directly above it has the name of the service.
fn is_receivers(header: &Header, place: usize, service: Option<&str>) -> bool {
    let above = header.fields[..place].iter().rev().find(|field| is(field, "Received"));
    let below = header.fields[place..].iter().any(|field| is(field, "Received"));
    below
        || above
            .zip(service)
            .is_some_and(|(received, service)| same_host(&received_by(received), service))
}

/// The host after `by` in a `Received` field (RFC 5321 section 4.4).
fn received_by(field: &Field) -> String {
    let text = field.text().to_ascii_lowercase();
    let mut words = text.split_ascii_whitespace();
    words
        .find(|&word| word == "by")
        .and_then(|_| words.next())
        .unwrap_or_default()
        .trim_end_matches(';')
        .to_owned()
}

/// Whether one name is the other, or a host inside it.
fn same_host(host: &str, service: &str) -> bool {
    let inside = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !host.is_empty() && !service.is_empty() && (inside(host, service) || inside(service, host))
}

/// One field, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parsed {
    /// The authserv-id. Exchange Online leaves it out.
    service: Option<String>,
    results: Vec<(String, String)>,
}

/// `authserv-id [version] *( ; method [/version] = result [propspec …] )`.
fn parse(raw: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    for (number, statement) in statements(raw).into_iter().enumerate() {
        let Some((method, rest)) = statement.split_once('=') else {
            if number == 0 {
                parsed.service = statement.split_ascii_whitespace().next().map(str::to_owned);
            }
            continue;
        };
        let method = method.split('/').next().unwrap_or_default().trim();
        let result = rest.split_ascii_whitespace().next().unwrap_or_default();
        let valid = |word: &str| {
            !word.is_empty() && word.len() <= 40 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if valid(method) && valid(result) && parsed.results.len() < MOST_RESULTS {
            parsed.results.push((method.to_owned(), result.to_owned()));
        }
    }
    parsed
}

/// The statements between the semicolons, in lower case: comments (which nest) left out, a quoted string kept as one word without its quotes.
fn statements(raw: &[u8]) -> Vec<String> {
    let mut statements = vec![String::new()];
    let (mut comments, mut quoted, mut escaped) = (0_u32, false, false);
    for byte in raw.iter().take(LONGEST).copied() {
        let plain = comments == 0 && !quoted && !escaped;
        match byte {
            b'\\' if (quoted || comments > 0) && !escaped => {
                escaped = true;
                continue;
            }
            b'"' if comments == 0 && !escaped => quoted = !quoted,
            b'(' if !quoted && !escaped => comments += 1,
            b')' if comments > 0 && !escaped => comments -= 1,
            b';' if plain => statements.push(String::new()),
            _ if comments == 0 => {
                let special = quoted && (byte.is_ascii_whitespace() || matches!(byte, b';' | b'='));
                let shown = if special {
                    '_'
                } else if byte.is_ascii_whitespace() {
                    ' '
                } else {
                    char::from(byte)
                };
                if let Some(statement) = statements.last_mut() {
                    statement.push(shown.to_ascii_lowercase());
                }
            }
            _ => {}
        }
        escaped = false;
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Vec<(String, String)> {
        results(&Header::parse(header.as_bytes()).0).into_iter().collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|&(method, result)| (method.to_owned(), result.to_owned()))
            .collect()
    }

    const HOP: &str = "Received: from a by b.example with ESMTP; Mon, 23 Nov 2026 10:00:00 +0000\r\n";

    #[test]
    fn the_forms_of_the_standard_are_read() {
        // RFC 8601 appendix B.
        for (value, expected) in [
            ("example.org 1; none", &[][..]),
            ("example.com; spf=pass smtp.mailfrom=example.net", &[("spf", "pass")]),
            (
                "example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n spf=pass smtp.mailfrom=example.net",
                &[("auth", "pass"), ("spf", "pass")],
            ),
            (
                "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy (A dot can go here) . (like that) expired",
                &[("dkim", "fail")],
            ),
            (
                "example.com; dkim=pass reason=\"good; signature=fail\" header.i=@mail-router.example.net; dkim=fail reason=\"bad (signature\" header.i=@newyork.example.com",
                &[("dkim", "pass")],
            ),
            (
                "x; dkim=fail header.d=a; dkim=pass header.d=b; DMARC=Pass",
                &[("dkim", "pass"), ("dmarc", "pass")],
            ),
            ("x; dkim=pass (a (nested \\) one); dmarc=fail) header.d=a", &[("dkim", "pass")]),
        ] {
            assert_eq!(of(&format!("Authentication-Results: {value}\r\n{HOP}")), pairs(expected), "{value}");
        }
    }

    #[test]
    fn exchange_online_leaves_the_service_out() {
        let value = "spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom=sender.example; dkim=none (message not signed)\r\n header.d=none;dmarc=bestguesspass action=none\r\n header.from=sender.example;compauth=pass reason=109";
        let expected = [("compauth", "pass"), ("dkim", "none"), ("dmarc", "bestguesspass"), ("spf", "pass")];
        assert_eq!(of(&format!("Authentication-Results: {value}\r\n{HOP}")), pairs(&expected));
    }

    #[test]
    fn what_the_sender_wrote_does_not_count() {
        assert_eq!(
            of(&format!("{HOP}Authentication-Results: evil.example; dmarc=pass\r\nFrom: a@b\r\n")),
            pairs(&[]),
            "below every hop"
        );
        assert_eq!(
            of("Authentication-Results: b.example; dmarc=pass\r\nFrom: a@b\r\n"),
            pairs(&[]),
            "no hop at all"
        );
        let filter = format!("{HOP}Authentication-Results: b.example; spf=pass\r\nFrom: a@b\r\n");
        assert_eq!(of(&filter), pairs(&[("spf", "pass")]), "a filter of the hop above it");
        let two = format!("Authentication-Results: b.example; spf=fail\r\n{HOP}Authentication-Results: b.example; dmarc=pass\r\n{HOP}");
        assert_eq!(of(&two), pairs(&[("spf", "fail")]), "only the topmost");
        let several = format!(
            "Authentication-Results: b; spf=pass\r\nX-A: 1\r\nAuthentication-Results: b; dkim=pass\r\nAuthentication-Results: c; dmarc=pass\r\n{HOP}"
        );
        assert_eq!(
            of(&several),
            pairs(&[("dkim", "pass"), ("spf", "pass")]),
            "one service may write several"
        );
    }

    #[test]
    fn nonsense_is_nothing() {
        for value in [
            "",
            ";;;;",
            "=",
            "x; =; a=; =b; (((",
            "x; a=\"",
            "\"",
            "x; \u{e4}=\u{f6}",
            "x; dkim=pass\\",
        ] {
            let found = of(&format!("Authentication-Results: {value}\r\n{HOP}"));
            assert!(found.is_empty(), "{value}: {found:?}");
        }
    }
}
