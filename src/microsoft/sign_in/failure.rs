//! Why no token could be had, and what an administrator does about it.

use crate::microsoft::{
    aadsts::{Advice, Then, advice},
    error::Transport,
    words,
};
use crate::scrub::Scrubber;
use serde_json::Value;
use std::{fmt, time::Duration};

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// Microsoft refused.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The service could not be talked to.
    #[error("no answer from the sign-in: {0}")]
    Transport(Transport),
    /// Its reply cannot be used; what is wrong with it, never what stands in it.
    #[error("the sign-in's reply cannot be used: {0}")]
    Malformed(&'static str),
    /// What we should prove ourselves with is not there or of no use.
    #[error("{0}")]
    Credential(String),
    /// The person did not finish.
    #[error("{0}")]
    Unfinished(&'static str),
    /// No time was left.
    #[error("there was no time left to sign in")]
    TooLate,
}

/// A refusal by Microsoft's sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// OAuth's word (RFC 6749 section 5.2), such as `invalid_client`.
    pub error: String,
    /// Microsoft's numbers, the first being the cause.
    pub codes: Vec<u32>,
    /// Microsoft's sentence, bounded and without our secrets.
    pub said: String,
    /// The ids and the time by which Microsoft finds the sign-in again.
    pub correlation_id: Option<String>,
    /// As above.
    pub trace_id: Option<String>,
    /// As above, as it was written.
    pub at: Option<String>,
    /// How long the service asks us to stay away.
    pub retry_after: Option<Duration>,
}

impl SignInError {
    /// Whether a later try may go better although nobody changes anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused(refused) => refused.is_passing(),
            Self::Transport(_) | Self::TooLate => true,
            Self::Malformed(_) | Self::Credential(_) | Self::Unfinished(_) => false,
        }
    }

    /// How long the service asks us to stay away, if it does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refused) => refused.retry_after,
            _ => None,
        }
    }
}

impl Refused {
    /// Reads the body of a refusal; `scrubber` knows what was sent.
    pub(super) fn of(status: u16, body: &[u8], scrubber: &Scrubber) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        // Azure's metadata service nests nothing; App Service says `{"error":{"code","message"}}` or `{"statusCode","message"}`.
        let error = body.get("error").unwrap_or(&Value::Null);
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let word = |name: &str| text(name).map(|text| scrubber.scrub(&words::word(text)));
        let nested = |name: &str| error.get(name).and_then(Value::as_str);
        let said = text("error_description")
            .or_else(|| nested("message"))
            .or_else(|| text("message"))
            .unwrap_or_default();
        // The ids and the time at the sentence's end are kept on their own.
        let sentence = said.split(" Trace ID:").next().unwrap_or_default().trim();
        Self {
            status,
            error: scrubber.scrub(&words::word(error.as_str().or_else(|| nested("code")).unwrap_or_default())),
            codes: codes(&body, said),
            said: scrubber.scrub(&words::sentence(sentence)),
            correlation_id: word("correlation_id"),
            trace_id: word("trace_id"),
            at: word("timestamp"),
            retry_after: None,
        }
    }

    /// What to do, for the first of the codes that we know.
    pub fn advice(&self) -> Option<Advice> {
        self.codes.iter().find_map(|code| advice(*code))
    }

    /// Whether the service was only busy.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 500..=599)
            || self.error == "temporarily_unavailable"
            || self.advice().is_some_and(|advice| advice.then == Then::TryLater)
    }
}

/// The numbers from their field, or else from the sentence.
fn codes(body: &Value, said: &str) -> Vec<u32> {
    let listed: Vec<u32> = body
        .get("error_codes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|code| code.as_u64().and_then(|code| u32::try_from(code).ok()))
        .take(8)
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    said.split_once("AADSTS")
        .and_then(|(_, rest)| rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok())
        .into_iter()
        .collect()
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Microsoft refused the sign-in")?;
        let numbers = self.codes.iter().map(|code| format!("AADSTS{code}"));
        let names: Vec<String> = numbers.chain((!self.error.is_empty()).then(|| self.error.clone())).collect();
        if names.is_empty() {
            write!(f, " (HTTP {})", self.status)?;
        } else {
            write!(f, " ({})", names.join(", "))?;
        }
        match self.advice() {
            Some(advice) => write!(f, ": {}", advice.sentence)?,
            None if !self.said.is_empty() => write!(f, ": {}", self.said)?,
            None => {}
        }
        let ids = [("correlation id", &self.correlation_id), ("time", &self.at)];
        let ids: Vec<String> = ids
            .into_iter()
            .filter_map(|(name, id)| Some(format!("{name} {}", id.as_ref()?)))
            .collect();
        if !ids.is_empty() {
            write!(f, " [{}]", ids.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG_SECRET: &str = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided: 'hunter2hunter2'. Trace ID: 255d1aef Correlation ID: fb3d2015 Timestamp: 2026-11-23 09:02:12Z","error_codes":[7000215],"timestamp":"2026-11-23 09:02:12Z","trace_id":"255d1aef","correlation_id":"fb3d2015"}"#;

    #[test]
    fn a_refusal_says_what_to_do_and_keeps_the_ids() {
        let refused = Refused::of(401, WRONG_SECRET.as_bytes(), &Scrubber::new("app", &"hunter2hunter2".into()));
        assert_eq!(
            refused.to_string(),
            "Microsoft refused the sign-in (AADSTS7000215, invalid_client): The client secret is wrong. Copy the secret's value, not its id, and \
             see that it belongs to this app. [correlation id fb3d2015, time 2026-11-23 09:02:12Z]"
        );
        assert_eq!(refused.said, "AADSTS7000215: Invalid client secret provided: '[secret]'.");
        assert!(!refused.is_passing());
    }

    #[test]
    fn an_unknown_refusal_is_quoted_and_any_body_is_survived() {
        let none = Scrubber::default();
        let unknown = br#"{"error":"invalid_request","error_description":"AADSTS99999: Something new. Trace ID: x"}"#;
        assert_eq!(
            Refused::of(400, unknown, &none).to_string(),
            "Microsoft refused the sign-in (AADSTS99999, invalid_request): AADSTS99999: Something new."
        );
        assert_eq!(
            Refused::of(502, b"<html>", &none).to_string(),
            "Microsoft refused the sign-in (HTTP 502)"
        );
        assert!(Refused::of(502, b"", &none).is_passing());
        let busy = br#"{"error":"server_error","error_codes":[50196]}"#;
        assert!(Refused::of(400, busy, &none).is_passing());
        for body in ["[]", "{\"error\":[],\"error_codes\":[-1,\"x\",99999999999]}", "null"] {
            assert!(Refused::of(400, body.as_bytes(), &none).codes.is_empty(), "{body}");
        }
    }
}
