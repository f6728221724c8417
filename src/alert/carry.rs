//! Carrying a request to a service: TLS verified, no redirects, bounded in time and size. No error holds an address or a key.

use crate::{scrub::Scrubber, tls};
use reqwest::{
    Client, Proxy, Url,
    header::{HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::{error::Error as _, path::Path, time::Duration};

use super::words;
use crate::model::Time;

/// How long a request may take, from the connection to the end of the answer.
const REQUEST: Duration = Duration::from_secs(20);
/// How long the connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// So many octets of an answer are read.
const ANSWER: usize = 4 * 1024;
/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
/// No service can keep us waiting for longer.
const LONGEST_WISH: Duration = Duration::from_hours(6);

/// A request that tells a service of a message. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Request {
    url: SecretString,
    headers: Vec<(&'static str, SecretString)>,
    content_type: &'static str,
    body: Vec<u8>,
    scrubber: Scrubber,
}

impl Request {
    /// A request with this body.
    pub fn new(url: SecretString, content_type: &'static str, body: Vec<u8>) -> Self {
        let scrubber = Scrubber::new("", &url);
        Self {
            url,
            headers: Vec::new(),
            content_type,
            body,
            scrubber,
        }
    }

    /// A request with a body in JSON.
    pub(super) fn json(url: SecretString, body: &Value) -> Result<Self, String> {
        let body = serde_json::to_vec(body).map_err(|error| error.to_string())?;
        Ok(Self::new(url, "application/json", body))
    }

    /// With a header.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: SecretString) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With a secret that no answer may show again.
    #[must_use]
    pub(super) fn knowing(self, secret: &SecretString) -> Self {
        self.scrubber.add("", secret);
        self
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service took it.
    Delivered,
    /// Not now: it is worth another try.
    Later {
        /// Why.
        why: String,
        /// How long the service asks us to wait.
        wish: Option<Duration>,
    },
    /// The service will never take this message.
    Refused {
        /// Why.
        why: String,
    },
}

/// Carries requests.
#[derive(Debug, Clone)]
pub struct Courier {
    services: Client,
    /// For this machine, which is never asked through a proxy.
    local: Client,
}

impl Courier {
    /// A courier that trusts `ca` beside the system's, and takes `proxy` for everything but this machine.
    ///
    /// # Errors
    /// A sentence, if the CA file or the proxy's URL is of no use.
    pub fn new(ca: Option<&Path>, proxy: Option<&SecretString>) -> Result<Self, String> {
        let tls = tls::client_config(ca)?;
        let client = || {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("mailflow/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .referer(false)
                .no_proxy()
                .connect_timeout(CONNECT)
                .timeout(REQUEST)
        };
        let failed = |error: reqwest::Error| format!("HTTP cannot be set up: {error}");
        let mut services = client();
        if let Some(proxy) = proxy {
            services = services.proxy(Proxy::all(proxy.expose_secret()).map_err(|_| "the proxy's URL cannot be used".to_owned())?);
        }
        Ok(Self {
            services: services.build().map_err(failed)?,
            local: client().build().map_err(failed)?,
        })
    }

    /// Carries a request, and ends within a bounded time. `now` is when, for an answer that names a time to wait for.
    pub async fn carry(&self, request: &Request, now: Time) -> Outcome {
        let later = |why: &str| Outcome::Later {
            why: why.to_owned(),
            wish: None,
        };
        let Ok(url) = Url::parse(request.url.expose_secret()) else {
            return later("its address is no URL");
        };
        let is_local = url.host_str().is_some_and(is_loopback);
        if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
            return later("its address must begin with https:// (http:// only to this machine)");
        }
        let client = if is_local { &self.local } else { &self.services };
        let mut post = client
            .post(url)
            .header("content-type", request.content_type)
            .body(request.body.clone());
        for (name, value) in &request.headers {
            post = post.header(*name, value.expose_secret());
        }
        match post.send().await {
            Ok(response) => answer(response, &request.scrubber, now).await,
            Err(error) => Outcome::Later {
                why: request.scrubber.scrub(&reason(error)),
                wish: None,
            },
        }
    }
}

async fn answer(mut response: reqwest::Response, scrubber: &Scrubber, now: Time) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return Outcome::Delivered;
    }
    let wish = wish(response.headers(), now);
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER - body.len())]);
        if body.len() >= ANSWER {
            break;
        }
    }
    let said = words::plain(scrubber.scrub(&String::from_utf8_lossy(&body)).trim(), 160);
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let why = format!("it answered {status}{said}");
    match status.as_u16() {
        // What it dislikes is the message itself; anything else may be mended, or pass by.
        400 | 413 | 415 | 422 => Outcome::Refused { why },
        _ => Outcome::Later { why, wish },
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.
fn wish(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wish = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
        (date.with_timezone(&chrono::Utc) - now).to_std().ok()?
    };
    Some(wish.min(LONGEST_WISH))
}

/// How long to wait after the `tries`-th failure, counted from 1; at least what the service wished.
pub fn pause(tries: u32, wish: Option<Duration>) -> Duration {
    let grown = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1).min(20)));
    grown.min(LONGEST_PAUSE).max(wish.unwrap_or_default())
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// The innermost reason in plain words, and never the address.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let timed_out = error.is_timeout();
    let what = if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    if timed_out {
        return format!("{what}: no answer in time");
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    words::plain(&format!("{what}: {text}"), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_heed_the_service() {
        let pauses: Vec<u64> = (1..=10).map(|tries| pause(tries, None).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(pause(1, Some(Duration::from_secs(30))), Duration::from_secs(30));
        assert_eq!(pause(9, Some(Duration::from_secs(30))), LONGEST_PAUSE);
        assert_eq!(pause(u32::MAX, None), LONGEST_PAUSE);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Time = "2026-03-01T12:00:00Z".parse().unwrap();
        let wished = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            wish(&headers, now)
        };
        assert_eq!(wished("7"), Some(Duration::from_secs(7)));
        assert_eq!(wished("Sun, 01 Mar 2026 12:00:09 GMT"), Some(Duration::from_secs(9)));
        assert_eq!(wished("Sun, 01 Mar 2026 11:00:00 GMT"), None, "it has passed");
        assert_eq!(wished("99999999"), Some(LONGEST_WISH));
        assert_eq!(wished("soon"), None);
    }
}
