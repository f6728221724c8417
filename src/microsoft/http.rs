//! HTTP as every call here uses it: TLS verified by rustls, no redirects, no cookies, no proxy but the one given, bounded replies.
//!
//! What it cannot see: revoked certificates, like everywhere in mailflow.

use super::{error::Transport, words};
use crate::tls;
use reqwest::{Client, Proxy, Url, header::HeaderMap, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use std::{error::Error as _, path::PathBuf, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How the services are reached.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// What we call ourselves.
    pub user_agent: String,
    /// A PEM file with further trusted certificates, such as that of a simulated tenant or of an inspecting proxy.
    pub ca: Option<PathBuf>,
    /// The proxy for everything but this machine and the metadata service. Its URL may carry a password.
    pub proxy: Option<SecretString>,
    /// How long one request may take, from the connection to the last byte of its reply.
    pub request: Duration,
    /// How long opening a connection may take.
    pub connect: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            user_agent: concat!("mailflow/", env!("CARGO_PKG_VERSION")).to_owned(),
            ca: None,
            proxy: None,
            request: Duration::from_mins(1),
            connect: Duration::from_secs(15),
        }
    }
}

/// The connections to the services. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub struct Http {
    services: Client,
    /// For this machine and the metadata service, which must never be asked through a proxy.
    local: Client,
    request: Duration,
}

/// A reply, whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why there is no whole reply.
#[derive(Debug)]
pub(super) enum NoReply {
    Transport(Transport),
    /// The reply has more bytes than this.
    TooLarge {
        limit: usize,
        status: u16,
    },
}

impl Http {
    /// Connections by `settings`. None is opened yet.
    ///
    /// # Errors
    /// A sentence, if the CA file or the proxy's URL is of no use.
    pub fn new(settings: &HttpSettings) -> Result<Self, String> {
        let tls = tls::client_config(settings.ca.as_deref())?;
        let client = || {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(&settings.user_agent)
                .redirect(Policy::none())
                .referer(false)
                .no_proxy()
                .connect_timeout(settings.connect)
                .tcp_nodelay(true)
        };
        let failed = |error: reqwest::Error| format!("HTTP cannot be set up: {}", reason(error));
        let mut services = client();
        if let Some(proxy) = &settings.proxy {
            // The URL may carry a password, so the reason stays unsaid.
            services = services.proxy(Proxy::all(proxy.expose_secret()).map_err(|_| "the proxy's URL cannot be used".to_owned())?);
        }
        Ok(Self {
            services: services.build().map_err(failed)?,
            local: client().build().map_err(failed)?,
            request: settings.request,
        })
    }

    /// A request to a service, or to this machine.
    pub(super) fn to(&self, method: reqwest::Method, url: Url) -> reqwest::RequestBuilder {
        if super::cloud::is_loopback(&url) {
            self.local.request(method, url)
        } else {
            self.services.request(method, url)
        }
    }

    /// A request that never takes a proxy.
    pub(super) fn direct(&self, method: reqwest::Method, url: Url) -> reqwest::RequestBuilder {
        self.local.request(method, url)
    }

    /// Sends `request`, and reads at most `limit` bytes of what comes back, unpacked.
    pub(super) async fn send(&self, request: reqwest::RequestBuilder, limit: usize, until: Instant) -> Result<Reply, NoReply> {
        let end = Instant::now().checked_add(self.request).map_or(until, |end| end.min(until));
        match timeout_at(end, exchange(request, limit)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(NoReply::Transport(Transport {
                text: "no whole reply came in time".to_owned(),
                in_doubt: true,
            })),
        }
    }
}

async fn exchange(request: reqwest::RequestBuilder, limit: usize) -> Result<Reply, NoReply> {
    let broken = |error: reqwest::Error| {
        // What failed before the connection stood cannot have been carried out.
        let in_doubt = !error.is_connect() && !error.is_builder();
        NoReply::Transport(Transport {
            text: reason(error),
            in_doubt,
        })
    };
    let mut response = request.send().await.map_err(broken)?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let too_large = NoReply::TooLarge { limit, status };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if chunk.len() > limit - body.len() {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, headers, body })
}

/// The innermost reason in plain words, and never the URL: a query may hold what nobody else should read.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    let what = if error.is_connect() {
        "no connection: "
    } else {
        "the connection broke: "
    };
    words::sentence(&format!("{what}{text}"))
}

impl Reply {
    /// A header's value, if it is readable text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
