//! A request as the tenant sees it: decoded, bounded, whether it came alone or in a batch.
//!
//! Pure. Cannot see connections or tokens.

use std::collections::HashMap;

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The method, upper case.
    pub method: String,
    /// The path, decoded.
    pub path: String,
    /// The segments of the path, decoded; `name('key')` gives two, and `()` is left out.
    pub segments: Vec<String>,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The path and query as they came.
    pub url: String,
    /// Header fields, names in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it came in a batch.
    pub batched: bool,
}

impl Call {
    /// A request without header and body, from its URL's path and query.
    pub fn new(method: &str, url: &str) -> Self {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        Self {
            method: method.to_ascii_uppercase(),
            path: decoded(path, false),
            segments: path.split('/').filter(|s| !s.is_empty()).flat_map(segments).collect(),
            query: fields(query),
            url: url.to_owned(),
            ..Self::default()
        }
    }

    /// A query option; case matters little to Graph, and nothing here.
    pub fn option(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// A header field by its name in lower case.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The value of a preference (RFC 7240), without quotes.
    pub fn preference(&self, name: &str) -> Option<String> {
        self.header("prefer").split(',').find_map(|preference| {
            let (key, value) = preference.trim().split_once('=')?;
            key.trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().trim_matches('"').to_owned())
        })
    }

    /// Whether ids are to be immutable.
    pub fn wants_immutable_ids(&self) -> bool {
        self.preference("IdType")
            .is_some_and(|value| value.eq_ignore_ascii_case("ImmutableId"))
    }
}

/// `messages` gives itself, `mailFolders('inbox')` two segments, `delta()` one without the parentheses.
fn segments(segment: &str) -> Vec<String> {
    let segment = decoded(segment, false);
    let Some((name, rest)) = segment.split_once('(') else {
        return vec![plain(&segment)];
    };
    let Some(inner) = rest.strip_suffix(')') else {
        return vec![segment];
    };
    // `recipientAddress='a@b'`: the name of the argument says nothing new.
    let inner = inner
        .split_once('=')
        .filter(|(n, _)| n.chars().all(char::is_alphanumeric))
        .map_or(inner, |(_, v)| v);
    let key = inner.strip_prefix('\'').and_then(|i| i.strip_suffix('\'')).unwrap_or(inner);
    let mut both = vec![plain(name)];
    both.extend((!key.is_empty()).then(|| key.replace("''", "'")));
    both
}

fn plain(name: &str) -> String {
    name.strip_prefix("microsoft.graph.").unwrap_or(name).to_owned()
}

/// The fields of a query or a form, decoded.
pub fn fields(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(name, true), decoded(value, true))
        })
        .collect()
}

/// Undoes percent-encoding (RFC 3986, section 2.1); what is none stays.
fn decoded(text: &str, plus: bool) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        match first {
            b'+' if plus => octets.push(b' '),
            b'%' => {
                let hex = more
                    .get(..2)
                    .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
                octets.push(hex.unwrap_or(b'%'));
                rest = if hex.is_some() { &more[2..] } else { more };
            }
            other => octets.push(*other),
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// Encodes what may not stand in a query as it is.
pub fn encoded(text: &str) -> String {
    let octet = |b: u8| {
        if b.is_ascii_alphanumeric() || b"-._~'(),:$".contains(&b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(octet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_both_spellings() {
        let call = Call::new(
            "get",
            "/v1.0/users/a%40b.c/mailFolders('inbox')/messages/delta()?$top=2&$filter=a%20eq+'x''y'",
        );
        assert_eq!(
            call.segments,
            ["v1.0", "users", "a@b.c", "mailFolders", "inbox", "messages", "delta"]
        );
        assert_eq!(call.option("$TOP"), Some("2"));
        assert_eq!(call.option("$filter"), Some("a eq 'x''y'"));
        let details = Call::new("GET", "/v1.0/x/1/getDetailsByRecipient(recipientAddress='o''brien@b.c')");
        assert_eq!(details.segments[3..], ["getDetailsByRecipient", "o'brien@b.c"]);
    }

    #[test]
    fn hostile_escapes_do_no_harm() {
        for text in ["%", "%4", "%zz", "%e2%82", "a%", "((", "x('", "x(')", "=&=&%=%"] {
            let _ = Call::new("GET", text);
            let _ = fields(text);
        }
        assert_eq!(decoded(&encoded("a b&c=<é>"), true), "a b&c=<é>");
    }

    #[test]
    fn preferences() {
        let mut call = Call::new("GET", "/");
        call.headers
            .insert("prefer".into(), "odata.maxpagesize=7, IdType=\"ImmutableId\"".into());
        assert!(call.wants_immutable_ids());
        assert_eq!(call.preference("odata.maxpagesize").as_deref(), Some("7"));
    }
}
