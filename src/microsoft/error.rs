//! How a call to Graph ends badly: whose fault it is, and what the service said, with the id under which Microsoft finds the request again.
//!
//! What it cannot see: whether a 403 comes from a missing permission or from a mailbox outside the app's scope; Graph says the same of both.

use super::{TRACE_APP, http::Reply, sign_in::SignInError, words};
use serde_json::Value;
use std::{fmt, time::Duration};

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No token could be had.
    #[error("{0}")]
    SignIn(#[from] SignInError),
    /// The service, or the budget that keeps us inside its limits, has no room before the caller's deadline.
    #[error("throttled beyond the deadline{}{}", waiting(*wait), told(refusal.as_deref()))]
    Throttled {
        /// How long the wait would have been.
        wait: Option<Duration>,
        /// What the service said; `None` if our own budget was used up.
        refusal: Option<Box<Refusal>>,
    },
    /// A 3xx or 4xx: the service's answer.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// A 5xx: the service's trouble, after as many tries as make sense.
    #[error("{0}")]
    Server(Box<Refusal>),
    /// The service could not be talked to.
    #[error("{0}")]
    Transport(Transport),
    /// A reply that cannot be used, or a link that must not be followed.
    #[error("{0}")]
    Malformed(Malformed),
}

/// A refusal as Graph words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What follows from it.
    pub kind: Kind,
    /// Graph's code, such as `ErrorAccessDenied`; empty if there was none.
    pub code: String,
    /// Graph's sentence, bounded and without our secrets; empty if there was none.
    pub message: String,
    /// The id that Microsoft's support asks for.
    pub request_id: Option<String>,
    /// The service's time.
    pub at: Option<String>,
}

/// What follows from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The item, folder, user or object is not there.
    NotFound,
    /// There is no mailbox in Exchange Online behind this user.
    MailboxNotEnabled,
    /// No permission, or a mailbox outside the app's scope.
    AccessDenied,
    /// A freshly renewed token was refused, too.
    TokenRefused,
    /// The tenant does not know the message trace's own application ([`TRACE_APP`]) yet.
    TraceNotProvisioned,
    /// The delta link is too old: start over with a full round.
    SyncStateNotFound,
    /// Too many requests.
    Throttled,
    /// The service is busy or broken; later may be better.
    Unavailable,
    /// The service points elsewhere; mailflow does not follow.
    Redirected,
    /// Anything else.
    Other,
}

/// The connection failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// Why, in plain words.
    pub text: String,
    /// Whether the request may have been carried out all the same.
    pub in_doubt: bool,
}

/// What was wrong with a reply. Never quotes it: a reply may hold what is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// It is no JSON of the expected form; the place where that shows.
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 if the whole line is meant.
        column: usize,
    },
    /// It has more bytes than this.
    TooLarge(usize),
    /// A link to another host, or to something that is not a call.
    ForeignLink,
    /// A link that was followed already.
    Loop,
    /// More pages than this.
    TooManyPages(u32),
    /// A batch without an answer to this request.
    Unanswered,
    /// A batch with two answers to this request.
    AnsweredTwice,
    /// Ours: the request names nothing that could be asked for.
    Request,
}

impl Error {
    /// Whether the request may have been carried out although no good answer came: what must not happen twice, must not be asked again.
    pub fn in_doubt(&self) -> bool {
        match self {
            Self::Transport(transport) => transport.in_doubt,
            Self::Server(_)
            | Self::Malformed(Malformed::TooLarge(_) | Malformed::Json { .. } | Malformed::Unanswered | Malformed::AnsweredTwice) => true,
            _ => false,
        }
    }

    /// What the service said, if it said anything.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::Server(refusal) => Some(refusal),
            Self::Throttled { refusal, .. } => refusal.as_deref(),
            _ => None,
        }
    }

    /// What follows from the service's refusal, if it is one.
    pub fn kind(&self) -> Option<Kind> {
        self.refusal().map(|refusal| refusal.kind)
    }
}

impl Refusal {
    /// Reads what stands in a reply that is no success.
    pub(super) fn of(reply: &Reply) -> Self {
        let body = serde_json::from_slice(&reply.body).unwrap_or_default();
        let mut refusal = Self::of_parts(reply.status, &body, reply.header("www-authenticate"));
        let header = |name| reply.header(name).map(words::word);
        refusal.request_id = header("request-id").or(refusal.request_id);
        refusal.at = refusal.at.or_else(|| header("date"));
        refusal
    }

    /// The same for one answer of a batch.
    pub(super) fn of_parts(status: u16, body: &Value, challenge: Option<&str>) -> Self {
        let error = body.get("error").unwrap_or(&Value::Null);
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let inner = error.get("innerError").or_else(|| error.get("innererror")).unwrap_or(&Value::Null);
        let code = words::word(&text(error, "code").unwrap_or_default());
        let message = text(error, "message").unwrap_or_default();
        let inner_code = text(inner, "code").unwrap_or_default();
        let trace = [&code, &message, &inner_code].iter().any(|text| text.contains(TRACE_APP));
        let step_up = challenge.is_some_and(|challenge| challenge.contains("insufficient_claims"));
        Self {
            status,
            kind: if trace && matches!(status, 401 | 403) {
                Kind::TraceNotProvisioned
            } else {
                kind(status, &code, &inner_code)
            },
            code,
            message: if step_up && message.is_empty() {
                "Conditional Access asks for a stronger sign-in".to_owned()
            } else {
                words::sentence(&message)
            },
            request_id: text(inner, "request-id").map(|id| words::word(&id)),
            at: text(inner, "date").map(|at| words::word(&at)),
        }
    }

    /// The error that it is, once nothing more is tried.
    pub(super) fn into_error(self) -> Error {
        if self.status >= 500 {
            Error::Server(Box::new(self))
        } else {
            Error::Refused(Box::new(self))
        }
    }
}

/// Codes come in either case, and the inner one is sometimes the precise one.
fn kind(status: u16, code: &str, inner: &str) -> Kind {
    let is = |known: &[&str]| {
        known
            .iter()
            .any(|known| code.eq_ignore_ascii_case(known) || inner.eq_ignore_ascii_case(known))
    };
    if status == 429 {
        Kind::Throttled
    } else if status >= 500 || is(&["ErrorMailboxStoreUnavailable", "ErrorMailboxMoveInProgress"]) {
        Kind::Unavailable
    } else if status == 410 || is(&["SyncStateNotFound", "resyncRequired", "ErrorInvalidSyncStateData"]) {
        Kind::SyncStateNotFound
    } else if is(&[
        "MailboxNotEnabledForRESTAPI",
        "ResourceNotFound",
        "MailboxNotFound",
        "ErrorInvalidUser",
        "ErrorMissingEmailAddress",
    ]) {
        Kind::MailboxNotEnabled
    } else {
        match status {
            300..=399 => Kind::Redirected,
            401 => Kind::TokenRefused,
            403 => Kind::AccessDenied,
            404 => Kind::NotFound,
            _ => Kind::Other,
        }
    }
}

fn waiting(wait: Option<Duration>) -> String {
    wait.map(|wait| format!(" (the wait would be {} s)", wait.as_secs()))
        .unwrap_or_default()
}

fn told(refusal: Option<&Refusal>) -> String {
    refusal.map_or_else(|| ": our own budget for it is used up".to_owned(), |refusal| format!(": {refusal}"))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph answered {}", self.status)?;
        for text in [&self.code, &self.message] {
            if !text.is_empty() {
                write!(f, " {text}")?;
            }
        }
        if let Some(id) = &self.request_id {
            write!(f, " [request {id}]")?;
        }
        Ok(())
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { line, column } => write!(f, "the reply is not what the service promises (line {line}, column {column})"),
            Self::TooLarge(limit) => write!(f, "the reply has more than {limit} bytes"),
            Self::ForeignLink => f.write_str("the reply links to another host; it is not followed"),
            Self::Loop => f.write_str("the reply links to a page that was read already"),
            Self::TooManyPages(limit) => write!(f, "the list has more than {limit} pages"),
            Self::Unanswered => f.write_str("the batch brought no answer to this request"),
            Self::AnsweredTwice => f.write_str("the batch brought two answers to this request"),
            Self::Request => f.write_str("the request names nothing that could be asked for"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(status: u16, code: &str, message: &str) -> Refusal {
        let body = json!({"error": {"code": code, "message": message, "innerError": {"request-id": "r-1", "date": "2026-11-23T09:00:30"}}});
        Refusal::of_parts(status, &body, None)
    }

    #[test]
    fn codes_are_told_apart() {
        let sp = "Service principal-less authentication failed: The service principal for App ID 8bd644d1-64a1-4d4b-ae52-2e0cbf64e373 was not found.";
        for (status, code, message, kind) in [
            (404, "ErrorItemNotFound", "", Kind::NotFound),
            (404, "Request_ResourceNotFound", "", Kind::NotFound),
            (404, "MailboxNotEnabledForRESTAPI", "", Kind::MailboxNotEnabled),
            (
                404,
                "ResourceNotFound",
                "Resource could not be discovered.",
                Kind::MailboxNotEnabled,
            ),
            (403, "ErrorAccessDenied", "", Kind::AccessDenied),
            (401, "InvalidAuthenticationToken", "", Kind::TokenRefused),
            (401, "UnknownError", sp, Kind::TraceNotProvisioned),
            (403, "UnauthorizedAccess", sp, Kind::TraceNotProvisioned),
            (400, "UnknownError", sp, Kind::Other),
            (410, "", "", Kind::SyncStateNotFound),
            (400, "syncStateNotFound", "", Kind::SyncStateNotFound),
            (403, "ErrorMailboxStoreUnavailable", "", Kind::Unavailable),
            (400, "InefficientFilter", "", Kind::Other),
            (302, "", "", Kind::Redirected),
        ] {
            assert_eq!(refusal(status, code, message).kind, kind, "{status} {code}");
        }
    }

    #[test]
    fn a_body_of_any_shape_is_survived() {
        for body in [
            json!(null),
            json!("error"),
            json!({"error": "x"}),
            json!({"error": {"code": 7, "innererror": []}}),
        ] {
            let refusal = Refusal::of_parts(400, &body, None);
            assert_eq!((refusal.code.as_str(), refusal.message.as_str()), ("", ""), "{body}");
        }
    }

    #[test]
    fn the_sentence_names_the_request() {
        let error = refusal(403, "ErrorAccessDenied", "Access\u{1b} is denied.").into_error();
        assert_eq!(
            error.to_string(),
            "Graph answered 403 ErrorAccessDenied Access\u{fffd} is denied. [request r-1]"
        );
        assert!(!error.in_doubt());
        assert!(refusal(503, "", "").into_error().in_doubt());
    }
}
