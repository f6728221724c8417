//! A call to Graph, as values: what is asked for, what it counts against, and whether it may be asked twice.

use super::{error::Malformed, page::Link, throttle::Toll};
use data_encoding::BASE64;
use serde::Serialize;
use serde_json::Value;

/// No list of mailflow's is longer; the message trace's fullest pages are a quarter of this.
const REPLY_LIMIT: usize = 8 << 20;

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

/// Where a call goes: beneath the cloud's root, or along a link that the service gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Path { path: String, query: String, sound: bool },
    Link(Link),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    None,
    Json(Value),
    /// A message (RFC 5322) as it is; it travels in base64.
    Mime(Vec<u8>),
}

/// A call.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) verb: Verb,
    pub(super) target: Target,
    pub(super) toll: Toll,
    pub(super) prefer: Vec<String>,
    pub(super) body: Body,
    pub(super) again: bool,
    pub(super) limit: usize,
}

impl Request {
    /// Reads what stands at `segments` beneath `/v1.0`. Each is percent-encoded as a whole, so that an id cannot become a path.
    pub fn get(segments: &[&str], toll: Toll) -> Self {
        Self::new(Verb::Get, segments, toll)
    }

    /// Posts there. A post is asked again only after a 429, since anything else may have been carried out; see [`Request::repeatable`].
    pub fn post(segments: &[&str], toll: Toll) -> Self {
        Self::new(Verb::Post, segments, toll)
    }

    /// Changes what stands there.
    pub fn patch(segments: &[&str], toll: Toll) -> Self {
        Self::new(Verb::Patch, segments, toll)
    }

    /// Deletes what stands there.
    pub fn delete(segments: &[&str], toll: Toll) -> Self {
        Self::new(Verb::Delete, segments, toll)
    }

    /// Follows a link that the service gave, with the toll and the preferences of this request.
    #[must_use]
    pub fn follow(&self, link: Link) -> Self {
        Self {
            verb: Verb::Get,
            target: Target::Link(link),
            body: Body::None,
            again: true,
            ..self.clone()
        }
    }

    fn new(verb: Verb, segments: &[&str], toll: Toll) -> Self {
        // A dot segment would climb out of the path, encoded or not.
        let sound = !segments.is_empty() && segments.iter().all(|segment| !matches!(*segment, "" | "." | ".."));
        let path = segments
            .iter()
            .map(|segment| encode(segment, b"-._~$'()=@,:"))
            .collect::<Vec<_>>()
            .join("/");
        Self {
            verb,
            target: Target::Path {
                path,
                query: String::new(),
                sound,
            },
            toll,
            prefer: Vec::new(),
            body: Body::None,
            again: matches!(verb, Verb::Get | Verb::Delete),
            limit: REPLY_LIMIT,
        }
    }

    /// Adds a query option such as `$top`. A link has its own already, and takes none.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        if let Target::Path { query, .. } = &mut self.target {
            let separator = if query.is_empty() { "" } else { "&" };
            query.push_str(&format!(
                "{separator}{}={}",
                encode(name, b"-._~$"),
                encode(value, b"-._~$'()=,:/@")
            ));
        }
        self
    }

    /// Adds a preference (RFC 7240), such as `odata.maxpagesize=50`. That for immutable ids is always sent.
    #[must_use]
    pub fn prefer(mut self, preference: &str) -> Self {
        self.prefer.push(preference.to_owned());
        self
    }

    /// Sends `value` as JSON. What cannot be written as JSON makes the call fail before anything is sent.
    #[must_use]
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => self.body = Body::Json(value),
            Err(_) => self.spoil(),
        }
        self
    }

    /// Sends a whole message, as `sendMail` takes it.
    #[must_use]
    pub fn mime(mut self, message: &[u8]) -> Self {
        self.body = Body::Mime(message.to_vec());
        self
    }

    /// Says that this post changes nothing, so that it may be asked again like a read.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.again = true;
        self
    }

    /// Takes at most so many bytes of reply.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    fn spoil(&mut self) {
        if let Target::Path { sound, .. } = &mut self.target {
            *sound = false;
        }
    }

    /// Where the call goes, beneath the root and without a slash before it.
    pub(super) fn relative(&self, root: &str) -> Result<String, Malformed> {
        match &self.target {
            Target::Path { sound: false, .. } => Err(Malformed::Request),
            Target::Path { path, query, .. } if query.is_empty() => Ok(path.clone()),
            Target::Path { path, query, .. } => Ok(format!("{path}?{query}")),
            Target::Link(link) => link.as_str().strip_prefix(root).map(str::to_owned).ok_or(Malformed::ForeignLink),
        }
    }

    /// All preferences in one header's value.
    pub(super) fn preferences(&self) -> String {
        let mut all = "IdType=\"ImmutableId\"".to_owned();
        for preference in &self.prefer {
            all.push_str(", ");
            all.push_str(preference);
        }
        all
    }

    /// The body's bytes and their type.
    pub(super) fn content(&self) -> Option<(&'static str, Vec<u8>)> {
        match &self.body {
            Body::None => None,
            Body::Json(value) => Some(("application/json", value.to_string().into_bytes())),
            Body::Mime(message) => Some(("text/plain", BASE64.encode(message).into_bytes())),
        }
    }
}

impl Verb {
    pub fn method(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Post => reqwest::Method::POST,
            Self::Patch => reqwest::Method::PATCH,
            Self::Delete => reqwest::Method::DELETE,
        }
    }
}

/// `text` with everything but letters, digits and `keep` as `%XX` (RFC 3986 section 2.1).
fn encode(text: &str, keep: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_become_a_path_or_a_query() {
        let request = Request::get(&["users", "a/../b?c#d%2f é", "messages"], Toll::Other);
        assert_eq!(request.relative("").unwrap(), "users/a%2F..%2Fb%3Fc%23d%252f%20%C3%A9/messages");
        for climbing in ["..", ".", ""] {
            assert_eq!(
                Request::get(&["users", climbing], Toll::Other).relative(""),
                Err(Malformed::Request)
            );
        }
    }

    #[test]
    fn a_query_keeps_what_odata_reads() {
        let request = Request::get(&["users", "u", "messages"], Toll::Other)
            .query("$filter", "internetMessageId eq '<a+b@c>' & x")
            .query("$top", "5");
        assert_eq!(
            request.relative("").unwrap(),
            "users/u/messages?$filter=internetMessageId%20eq%20'%3Ca%2Bb@c%3E'%20%26%20x&$top=5"
        );
    }

    #[test]
    fn preferences_share_one_header() {
        let request = Request::get(&["users"], Toll::Other).prefer("odata.maxpagesize=50");
        assert_eq!(request.preferences(), "IdType=\"ImmutableId\", odata.maxpagesize=50");
    }

    #[test]
    fn a_post_is_not_repeated_unless_it_only_reads() {
        assert!(!Request::post(&["users", "u", "sendMail"], Toll::Other).again);
        assert!(Request::post(&["security", "runHuntingQuery"], Toll::Other).repeatable().again);
        assert_eq!(
            Request::post(&["x"], Toll::Other).mime(b"A: b\r\n").content(),
            Some(("text/plain", b"QTogYg0K".to_vec()))
        );
    }
}
