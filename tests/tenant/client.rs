//! A plain HTTP client on a tenant whose clock the test sets. Every reply of Graph is held against the contract.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use mailflow::postoffice::tenant::{App, Config, Tenant};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub use crate::contract::encoded;

use crate::contract;

pub const APP: &str = "9f20c0de-0000-4000-8000-00000000a001";
pub const SECRET: &str = "the-secret-of-the-app";
pub const PROBE: &str = "probe@tenant.example";

/// A clock that only the test moves.
#[derive(Clone)]
pub struct Time(Arc<Mutex<DateTime<Utc>>>);

impl Time {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new("2026-11-23T09:00:00Z".parse().unwrap())))
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    pub fn pass(&self, seconds: i64) {
        *self.0.lock().unwrap() += TimeDelta::seconds(seconds);
    }
}

/// A tenant and its client.
pub struct World {
    pub tenant: Tenant,
    pub time: Time,
    pub token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Status and error code.
    pub fn refusal(&self) -> (u16, String) {
        let code = self.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        (self.status, code)
    }
}

/// A tenant with this config, and a token of its first app if that has a secret.
pub async fn world_with(change: impl FnOnce(&mut Config)) -> World {
    let mut config = Config::new(App::with_secret(APP, SECRET));
    change(&mut config);
    let time = Time::new();
    let clock = time.clone();
    let tenant = Tenant::start(config, move || clock.now()).await.unwrap();
    let mut world = World {
        tenant,
        time,
        token: String::new(),
    };
    world.token = world.sign_in().await;
    world
}

pub async fn world() -> World {
    world_with(|_| ()).await
}

impl World {
    /// A new token by secret; empty where the tenant refuses.
    pub async fn sign_in(&self) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={APP}&client_secret={SECRET}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
        );
        let reply = self.token_request(&form).await;
        reply.json()["access_token"].as_str().unwrap_or_default().to_owned()
    }

    pub async fn token_request(&self, form: &str) -> Reply {
        self.post_form("/tenant.example/oauth2/v2.0/token", form).await
    }

    pub async fn post_form(&self, path: &str, form: &str) -> Reply {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        self.raw("POST", path, &headers, form.as_bytes()).await
    }

    /// `GET` below `/v1.0`.
    pub async fn get(&self, url: &str) -> Reply {
        self.ask("GET", url, &[], b"").await
    }

    pub async fn get_immutable(&self, url: &str) -> Reply {
        self.ask("GET", url, &[("Prefer", "IdType=\"ImmutableId\"")], b"").await
    }

    pub async fn post(&self, url: &str, body: &Value) -> Reply {
        let headers = [("Content-Type", "application/json")];
        self.ask("POST", url, &headers, body.to_string().as_bytes()).await
    }

    /// Any request below `/v1.0`, or a link of the tenant.
    pub async fn ask(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let root = format!("{}/v1.0", self.tenant.graph());
        let url = url.strip_prefix(&root).unwrap_or(url);
        let bearer = format!("Bearer {}", self.token);
        let headers = [&[("Authorization", bearer.as_str())], headers].concat();
        let reply = self.raw(method, &format!("/v1.0{url}"), &headers, body).await;
        contract::check(
            method,
            url,
            (&headers, body),
            reply.status,
            (reply.header("content-type").unwrap_or_default(), &reply.body),
        );
        reply
    }

    /// Any request at all.
    pub async fn raw(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(self.tenant.ca_pem().as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.tenant.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(url), |r, (n, v)| r.header(*n, *v));
        let request = request
            .header("Host", "localhost")
            .body(Full::new(Bytes::from(body.to_vec())))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let headers = head.headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()));
        Reply {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    /// The subjects of the messages in a folder.
    pub async fn subjects(&self, mailbox: &str, folder: &str) -> Vec<String> {
        let reply = self
            .get(&format!("/users/{mailbox}/mailFolders/{folder}/messages?$select=subject&$top=100"))
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let list = reply.json();
        let subjects = list["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["subject"].as_str().unwrap().to_owned());
        subjects.collect()
    }

    /// Delivers a message with this subject, as from outside.
    pub fn deliver(&self, local: &str, subject: &str) {
        self.tenant.deliver(&format!("{local}@tenant.example"), message(subject).as_bytes());
    }
}

pub fn message(subject: &str) -> String {
    format!(
        "Return-Path: <probe@sender.example>\r\nFrom: Probe <probe@sender.example>\r\nTo: somebody@tenant.example\r\nSubject: {subject}\r\n\
         Date: Mon, 23 Nov 2026 08:59:59 +0000\r\nMessage-ID: <{subject}@sender.example>\r\nX-Mailflow-Probe: {subject}\r\n\r\nHello {subject}.\r\n"
    )
}

/// The values of a list by one property.
pub fn column(reply: &Reply, name: &str) -> Vec<String> {
    let list = reply.json();
    let rows = list["value"].as_array().unwrap_or_else(|| panic!("no list: {list}")).iter();
    rows.map(|row| row[name].as_str().unwrap_or_default().to_owned()).collect()
}
