//! The token endpoint: a form goes out, a token or a refusal comes back (RFC 6749 sections 4.4 and 5).

use super::{Refused, SignInError};
use crate::{
    clock::Clock,
    microsoft::{
        Cloud, Http, Random,
        error::Transport,
        http::{NoReply, Reply},
        retry,
    },
    scrub::Scrubber,
};
use reqwest::{Method, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::time::Duration;
use tokio::time::Instant;

/// A token with all its claims has a few thousand bytes.
pub(super) const REPLY_LIMIT: usize = 256 << 10;
/// No header takes more.
const TOKEN_LIMIT: usize = 64 << 10;
/// A lifetime that no service gives; longer ones are not believed.
const LIFETIME: Duration = Duration::from_hours(48);

/// What every way of signing in needs.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub http: &'a Http,
    pub cloud: &'a Cloud,
    pub tenant: &'a str,
    pub client: &'a str,
    pub clock: &'a Clock,
    pub random: &'a Random,
    pub until: Instant,
}

/// A token as it was granted.
pub struct Grant {
    pub bearer: SecretString,
    pub lifetime: Duration,
    /// What a person's sign-in is renewed with.
    pub refresh: Option<SecretString>,
}

#[derive(Deserialize)]
struct Granted {
    #[serde(default)]
    token_type: Option<String>,
    access_token: SecretString,
    #[serde(deserialize_with = "seconds")]
    expires_in: u64,
    #[serde(default)]
    refresh_token: Option<SecretString>,
}

/// A number, or one in quotation marks, as managed identities write it.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.trim().parse().map_err(serde::de::Error::custom),
    }
}

impl Ask<'_> {
    /// Posts `form` and reads what it grants. Nothing of `secrets` gets into an error.
    pub async fn token(&self, form: &[(&str, &str)], secrets: &[&SecretString]) -> Result<Grant, SignInError> {
        let url = self.cloud.token_endpoint(self);
        let reply = self.form(&url, form).await?;
        self.granted(&reply, secrets)
    }

    /// Reads what a reply grants.
    pub fn granted(&self, reply: &Reply, secrets: &[&SecretString]) -> Result<Grant, SignInError> {
        let granted: Granted = self.read(reply, secrets)?;
        let bearer = granted.access_token.expose_secret();
        if granted.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(SignInError::Malformed("the token is no bearer token"));
        }
        if bearer.is_empty() || bearer.len() > TOKEN_LIMIT || !bearer.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SignInError::Malformed("the token cannot be sent in a header"));
        }
        Ok(Grant {
            bearer: granted.access_token,
            lifetime: Duration::from_secs(granted.expires_in).min(LIFETIME),
            refresh: granted.refresh_token,
        })
    }

    /// Posts `form` and hands back whatever comes.
    pub async fn form(&self, url: &str, form: &[(&str, &str)]) -> Result<Reply, SignInError> {
        let url = Url::parse(url).map_err(|_| SignInError::Malformed("the sign-in has no address"))?;
        let request = self
            .http
            .to(Method::POST, url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .header("client-request-id", self.random.uuid())
            .body(encoded(form));
        self.send(request).await
    }

    /// Sends a request, with the bounds of the sign-in.
    pub async fn send(&self, request: RequestBuilder) -> Result<Reply, SignInError> {
        self.http
            .send(request, REPLY_LIMIT, self.until)
            .await
            .map_err(|no_reply| match no_reply {
                NoReply::Transport(transport) => SignInError::Transport(transport),
                NoReply::TooLarge { status: 200, .. } => SignInError::Malformed("it has too many bytes"),
                NoReply::TooLarge { status, .. } => SignInError::Transport(Transport {
                    text: format!("HTTP {status} with too many bytes"),
                    in_doubt: false,
                }),
            })
    }

    /// The JSON of a success; everything else is a refusal.
    pub fn read<T: DeserializeOwned>(&self, reply: &Reply, secrets: &[&SecretString]) -> Result<T, SignInError> {
        if reply.status != 200 {
            return Err(SignInError::Refused(Box::new(self.refused(reply, secrets))));
        }
        // The parser's own words would quote what it met, which may be the token.
        serde_json::from_slice(&reply.body).map_err(|_| SignInError::Malformed("it is not the JSON that was expected"))
    }

    /// A refusal, without the secrets that were sent.
    pub fn refused(&self, reply: &Reply, secrets: &[&SecretString]) -> Refused {
        let scrubber = Scrubber::default();
        for secret in secrets {
            scrubber.add(self.client, secret);
        }
        Refused {
            retry_after: reply
                .header("retry-after")
                .and_then(|value| retry::retry_after(value, self.clock.now())),
            ..Refused::of(reply.status, &reply.body, &scrubber)
        }
    }
}

/// `application/x-www-form-urlencoded`, as the URL standard has it.
fn encoded(form: &[(&str, &str)]) -> String {
    let mut url = super::super::cloud::empty_url();
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_come_as_numbers_and_as_text() {
        let read = |expires: &str| {
            serde_json::from_str::<Granted>(&format!(r#"{{"access_token":"t","expires_in":{expires},"more":1}}"#))
                .map(|granted| granted.expires_in)
        };
        assert_eq!(read("3599").unwrap(), 3599);
        assert_eq!(read("\"86399\"").unwrap(), 86399);
        assert!(read("\"soon\"").is_err() && read("-1").is_err() && read("null").is_err());
    }

    #[test]
    fn a_form_is_encoded() {
        assert_eq!(
            encoded(&[("client_secret", "a b&c=d+é~"), ("x", "")]),
            "client_secret=a+b%26c%3Dd%2B%C3%A9%7E&x="
        );
    }
}
