//! What was asked of the tenant, so that a test can prove what a client does and does not ask for.
//!
//! Secrets and tokens are taken out before anything is kept. Cannot see the network: each call is told here once.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

/// The longest body that is kept, in octets.
const LONGEST_BODY: usize = 64 * 1024;
/// Fields of a token request that hold a secret.
const SECRET_FIELDS: [&str; 5] = ["client_secret", "client_assertion", "refresh_token", "device_code", "assertion"];

/// A request, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// When it came.
    pub at: DateTime<Utc>,
    /// The client id of the app, if its token was good.
    pub app: Option<String>,
    /// The method.
    pub method: String,
    /// The path, decoded, from `/v1.0/` or the tenant's name on.
    pub path: String,
    /// The query, name and value decoded, in order.
    pub query: Vec<(String, String)>,
    /// The `Prefer` header.
    pub prefer: Option<String>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// The names of all header fields, in lower case and in order.
    pub header_names: Vec<String>,
    /// The body without secrets; empty if there was none.
    pub body: String,
    /// Whether it came in a `$batch`.
    pub batched: bool,
    /// The status of the reply.
    pub status: u16,
    /// The JSON of a reply of Graph, if the tenant is to keep replies.
    pub reply: Option<String>,
}

/// The requests of a tenant, oldest first.
#[derive(Debug)]
pub struct Record {
    requests: VecDeque<Request>,
    most: usize,
}

impl Record {
    /// Remembers this many; older ones are forgotten.
    pub fn new(most: usize) -> Self {
        Self {
            requests: VecDeque::new(),
            most,
        }
    }

    /// Remembers a request.
    pub fn note(&mut self, request: Request) {
        if self.requests.len() >= self.most {
            self.requests.pop_front();
        }
        if self.most > 0 {
            self.requests.push_back(request);
        }
    }

    /// All that is remembered.
    pub fn all(&self) -> Vec<Request> {
        self.requests.iter().cloned().collect()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.requests.clear();
    }
}

/// A body as it may be kept.
pub fn body(octets: &[u8]) -> String {
    let kept = &octets[..octets.len().min(LONGEST_BODY)];
    String::from_utf8_lossy(kept).into_owned()
}

/// The body of a token request with its secrets blacked out.
pub fn form(fields: &[(String, String)]) -> String {
    let field = |(name, value): &(String, String)| {
        let secret = SECRET_FIELDS.contains(&name.as_str());
        format!("{name}={}", if secret { "***" } else { value })
    };
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}
