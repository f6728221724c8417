//! Replies, and the errors of Graph in their own shape.
//!
//! Pure. Cannot see requests; `http` adds what every reply bears.

use serde_json::{Value, json};

/// A reply.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Header fields besides the content type.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Body,
}

/// What a reply holds.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Value),
    /// A message as MIME.
    Mime(Vec<u8>),
}

impl Answer {
    /// 200 with JSON.
    pub fn ok(value: Value) -> Self {
        Self::json(200, value)
    }

    /// Any status with JSON.
    pub fn json(status: u16, value: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Json(value),
        }
    }

    /// A status and nothing else.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    /// 200 with a message.
    pub fn mime(raw: &[u8]) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Body::Mime(raw.to_vec()),
        }
    }

    /// An error of Graph.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, json!({ "error": { "code": code, "message": message } }))
    }

    /// With one more header field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 400: a query that Graph does not understand.
    pub fn bad_request(message: &str) -> Self {
        Self::error(400, "BadRequest", message)
    }

    /// 400: the path leads nowhere.
    pub fn no_such_segment(segment: &str) -> Self {
        Self::bad_request(&format!("Resource not found for the segment '{segment}'."))
    }

    /// 404: no such message.
    pub fn no_item() -> Self {
        Self::error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    }

    /// 404: no such folder.
    pub fn no_folder() -> Self {
        Self::error(404, "ErrorFolderNotFound", "The specified folder could not be found in the store.")
    }

    /// 404: nothing of that kind in the directory.
    pub fn no_object(key: &str) -> Self {
        let message = format!("Resource '{key}' does not exist or one of its queried reference-property objects are not present.");
        Self::error(404, "Request_ResourceNotFound", &message)
    }

    /// 403: a mailbox that the app may not open.
    pub fn access_denied() -> Self {
        Self::error(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    }

    /// 403: something in the directory that the app may not read.
    pub fn privileges() -> Self {
        Self::error(
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }

    /// 401: a token that does not hold.
    pub fn bad_token(message: &str) -> Self {
        Self::error(401, "InvalidAuthenticationToken", message)
    }

    /// 429, with `Retry-After` in seconds.
    pub fn throttled(code: &str, message: &str, retry_after: u32) -> Self {
        Self::error(429, code, message).with("Retry-After", retry_after.to_string())
    }
}
