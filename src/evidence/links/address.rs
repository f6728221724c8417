//! Web addresses: whether two of them are the same place, and what stands in their parts. An address is compared after what changes nothing:
//! the case of scheme, host and percent-encoding, punycode, a default port, an encoded character that needs no encoding, a final slash.
//!
//! What it cannot see: whether a server answers two different addresses alike.

use url::Url;

/// The longest address that is taken apart.
const LONGEST: usize = super::LONGEST;

/// A web address, taken apart.
pub(super) struct Address {
    url: Url,
    text: String,
}

impl Address {
    /// An absolute address of the web, of bounded length.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let text = with_both_slashes(text.trim());
        let url = Url::parse(&text).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.host().is_some()).then_some(Self { url, text })
    }

    /// All of it, as it stands there: an address inside it is not yet split at its own question mark.
    pub fn whole(&self) -> &str {
        &self.text
    }

    /// Its host, in lower case and punycode.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_end_matches('.')
    }

    /// Whether its host is this domain or stands below it.
    pub fn is_within(&self, domain: &str) -> bool {
        self.host()
            .strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Its path, still encoded.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The first parameter of that name in its query, names without regard to case: as it stands there.
    pub fn raw_parameter(&self, name: &str) -> Option<&str> {
        self.url
            .query()?
            .split('&')
            // A link taken out of a source in which `&` stood as an entity.
            .map(|pair| pair.strip_prefix("amp;").unwrap_or(pair))
            .find_map(|pair| pair.split_once('=').filter(|(known, _)| known.eq_ignore_ascii_case(name)))
            .map(|(_, value)| value)
    }

    /// The same, percent-encoding decoded. A `+` stays: none of the services writes a blank so.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.raw_parameter(name).map(percent_decoded)
    }

    /// The form in which addresses are compared.
    pub fn canonical(&self) -> String {
        let url = &self.url;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let tail = |mark: &str, part: Option<&str>| part.map(|part| format!("{mark}{}", plain(part))).unwrap_or_default();
        format!(
            "{}://{}{port}{}{}{}",
            url.scheme(),
            self.host(),
            plain(url.path()).trim_end_matches('/'),
            tail("?", url.query()),
            tail("#", url.fragment())
        )
    }
}

/// The form in which two links are compared; what is no address is compared as it stands.
pub(super) fn canonical(link: &str) -> String {
    Address::parse(link).map_or_else(|| link.to_owned(), |address| address.canonical())
}

/// Hosts on the way make `https:/host` out of `https://host` where the address stands in the path of another.
fn with_both_slashes(text: &str) -> String {
    match text.split_once(":/") {
        Some((scheme, rest)) if !rest.starts_with('/') => format!("{scheme}://{rest}"),
        _ => text.to_owned(),
    }
}

/// An encoded text with its percent-encoding in one form: upper case, and none for unreserved characters (RFC 3986 section 6.2.2).
fn plain(encoded: &str) -> String {
    let mut text = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        rest = after;
        let octet = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match octet.map(char::from) {
            Some(c) if c.is_ascii_alphanumeric() || "-._~".contains(c) => text.push(c),
            Some(_) => {
                text.push('%');
                text.push_str(&after[..2].to_ascii_uppercase());
            }
            None => {
                text.push('%');
                continue;
            }
        }
        rest = &after[2..];
    }
    text.push_str(rest);
    text
}

/// A text with its percent-encoding decoded as far as it goes.
pub(super) fn percent_decoded(encoded: &str) -> String {
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        let digit = |at: usize| after.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (octet, digit(0), digit(1)) {
            octets.extend(u8::try_from(high * 16 + low));
            rest = after.get(2..).unwrap_or_default();
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_makes_no_other_address() {
        for (one, other) in [
            ("https://Sender.Example/a/", "https://sender.example:443/a"),
            ("https://sender.example/%7ea%2fb", "HTTPS://sender.example/~a%2Fb"),
            ("https://bücher.example/x?y=%c3%bc", "https://xn--bcher-kva.example/x?y=ü"),
            ("https://sender.example", "https:/sender.example/"),
        ] {
            assert_eq!(canonical(one), canonical(other), "{one} and {other}");
        }
        for (one, other) in [
            ("https://sender.example/a", "http://sender.example/a"),
            ("https://sender.example/a", "https://sender.example/A"),
            ("https://sender.example/a", "https://sender.example/a?utm_source=x"),
            ("https://sender.example/a%2Fb", "https://sender.example/a/b"),
            ("https://sender.example/a", "https://sender.example.evil.example/a"),
            ("https://sender.example/a", "https://sender.example@evil.example/a"),
        ] {
            assert_ne!(canonical(one), canonical(other), "{one} and {other}");
        }
    }

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        let address = Address::parse("https://a.example/?xu=1&amp;u=2%26&U=3&d").expect("an address");
        assert_eq!(address.parameter("U").as_deref(), Some("2&"));
        assert_eq!(address.parameter("d"), None);
        assert_eq!(percent_decoded("%e4%zz%4"), "\u{FFFD}%zz%4");
        assert!(Address::parse("javascript:x").is_none() && Address::parse(&format!("https://a.example/{}", "x".repeat(9_000))).is_none());
        assert!(address.is_within("example") && !address.is_within("xample"));
    }
}
