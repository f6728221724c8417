//! The HTTP of `mailflow serve`: who may see its pages, and the headers that go with them. It reads `GET` and `HEAD` and changes nothing.
//!
//! On loopback the `Host` must name this machine, so that no page of a stranger can read along by a name that it points here (DNS rebinding).
//! Elsewhere a token is demanded. What it cannot do: TLS; whoever opens it to other machines puts a proxy before it.

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{self, HeaderMap, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

/// Connections at the same time.
const CONNECTIONS: usize = 64;
/// How long a client may take to send its head.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may live.
const LIFE: Duration = Duration::from_mins(2);
/// The path that everybody may ask for: it tells nothing of the mail.
const OPEN: &str = "/healthz";

/// What is sent back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The media type.
    pub kind: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A sentence.
    pub fn text(status: u16, text: &str) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            body: format!("{text}\n").into_bytes(),
        }
    }
}

/// Who may see the pages.
#[derive(Debug, Clone)]
pub enum Gate {
    /// Whoever is on this machine.
    Loopback,
    /// Whoever shows this token: as a bearer, or as the password of any user.
    Token(SecretString),
}

/// What answers a path.
pub type Pages = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

/// Answers requests until it is dropped.
pub async fn listen(listener: TcpListener, gate: Gate, pages: Pages) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let gate = Arc::new(gate);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others must close first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (gate, pages) = (Arc::clone(&gate), Arc::clone(&pages));
        connections.spawn(async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let (gate, pages) = (Arc::clone(&gate), Arc::clone(&pages));
                async move { Ok::<_, Infallible>(respond(&gate, &pages, request.method(), request.uri().path(), request.headers()).await) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            // A connection that breaks is the peer's business.
            let _ = tokio::time::timeout(LIFE, connection).await;
            drop(permit);
        });
    }
}

async fn respond(gate: &Gate, pages: &Pages, method: &Method, path: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
    let answer = if let Some(refused) = refusal(gate, method, path, headers) {
        refused
    } else {
        let (pages, path) = (Arc::clone(pages), path.to_owned());
        // It reads the journal, which may wait for the disk.
        tokio::task::spawn_blocking(move || pages(&path))
            .await
            .unwrap_or_else(|_| Answer::text(500, "this page could not be made"))
    };
    dressed(answer, method == Method::HEAD)
}

/// Why a request is not answered.
fn refusal(gate: &Gate, method: &Method, path: &str, headers: &HeaderMap) -> Option<Answer> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Some(Answer::text(405, "these pages are only read"));
    }
    if path == OPEN {
        return None;
    }
    match gate {
        Gate::Loopback if headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(is_here) => None,
        Gate::Loopback => Some(Answer::text(
            421,
            "these pages are asked for as http://localhost or http://127.0.0.1",
        )),
        Gate::Token(token) if headers.get(header::AUTHORIZATION).is_some_and(|shown| shows(shown, token)) => None,
        Gate::Token(_) => Some(Answer::text(401, "a token is needed: as a bearer, or as the password of any user")),
    }
}

fn is_here(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn shows(shown: &HeaderValue, token: &SecretString) -> bool {
    let Ok(shown) = shown.to_str() else { return false };
    let Some((scheme, value)) = shown.split_once(' ') else {
        return false;
    };
    let said = if scheme.eq_ignore_ascii_case("bearer") {
        Some(value.trim().as_bytes().to_vec())
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = data_encoding::BASE64.decode(value.trim().as_bytes()).unwrap_or_default();
        decoded
            .iter()
            .position(|byte| *byte == b':')
            .map(|colon| decoded[colon + 1..].to_vec())
    } else {
        None
    };
    // Digests are compared, so that the time it takes tells nothing of the token.
    said.is_some_and(|said| digest(&SHA256, &said).as_ref() == digest(&SHA256, token.expose_secret().as_bytes()).as_ref())
}

fn dressed(answer: Answer, head_only: bool) -> Response<Full<Bytes>> {
    let is_page = answer.kind.starts_with("text/html");
    let length = answer.body.len();
    let body = if head_only { Bytes::new() } else { Bytes::from(answer.body) };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set("content-type", answer.kind);
    // A page carries its own policy, which knows the hashes of its style and script; both hold.
    let policy = if is_page {
        "frame-ancestors 'none'; base-uri 'none'; object-src 'none'; connect-src 'self'; img-src 'none'; font-src 'none'"
    } else {
        "default-src 'none'; frame-ancestors 'none'"
    };
    set("content-security-policy", policy);
    set("x-content-type-options", "nosniff");
    set("x-frame-options", "DENY");
    set("referrer-policy", "no-referrer");
    set("cross-origin-opener-policy", "same-origin");
    set("cross-origin-resource-policy", "same-origin");
    set("cache-control", "no-store");
    if answer.status == 401 {
        set("www-authenticate", "Basic realm=\"mailflow\", charset=\"UTF-8\"");
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(gate: &Gate, method: &Method, path: &str, name: &'static str, value: &str) -> u16 {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        refusal(gate, method, path, &headers).map_or(200, |answer| answer.status)
    }

    #[test]
    fn on_loopback_the_host_names_this_machine() {
        let asked = |host| asked(&Gate::Loopback, &Method::GET, "/", "host", host);
        for host in ["localhost", "LOCALHOST:8025", "127.0.0.1:8025", "[::1]:8025", "127.0.0.1", "[::1]"] {
            assert_eq!(asked(host), 200, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8025",
            "192.0.2.1:8025",
            "",
            "127.0.0.1.evil.example",
        ] {
            assert_eq!(asked(host), 421, "{host}");
        }
    }

    #[test]
    fn elsewhere_the_token_counts_and_nothing_else() {
        let gate = Gate::Token("correct horse battery".to_owned().into());
        let asked = |shown: &str| asked(&gate, &Method::GET, "/metrics", "authorization", shown);
        assert_eq!(asked("Bearer correct horse battery"), 200);
        let basic = |pair: &str| format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()));
        assert_eq!(asked(&basic("anybody:correct horse battery")), 200);
        for wrong in [
            "Bearer correct horse",
            "Bearer ",
            "correct horse battery",
            "Basic !",
            "Digest correct horse battery",
        ] {
            assert_eq!(asked(wrong), 401, "{wrong}");
        }
        assert_eq!(asked(&basic("correct horse battery:")), 401);
        assert_eq!(asked(&basic("correct horse battery")), 401);
    }

    #[test]
    fn it_is_only_read_and_health_is_open() {
        let gate = Gate::Token("x".to_owned().into());
        assert_eq!(asked(&gate, &Method::POST, "/", "authorization", "Bearer x"), 405);
        assert_eq!(asked(&gate, &Method::GET, "/healthz", "host", "probe"), 200);
        assert_eq!(asked(&gate, &Method::GET, "/healthz/..", "host", "probe"), 401);
    }

    #[test]
    fn every_answer_carries_its_headers() {
        let response = dressed(Answer::text(401, "<script>"), true);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["content-length"], "9");
        assert!(response.headers().contains_key("www-authenticate"));
        assert!(
            response.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
    }
}
