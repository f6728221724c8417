//! A client, and the server that plays Microsoft to it.

use crate::server::{Canned, Seen, Server};
use mailflow::{
    clock::Clock,
    microsoft::{Cloud, Graph, Http, HttpSettings, Limits, Random, Request, SignIn, Tokens, Toll, Turns, sign_in::Credential},
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

pub const TENANT: &str = "contoso.example";
pub const APP: &str = "e9a1f6f0-30ab-4a41-9d43-1f1f9bd3a9f0";
pub const SECRET: &str = "hunter2~hunter2.Hunter2";
pub const START: &str = "2026-11-23T09:00:00Z";

pub struct World {
    pub server: Server,
    pub graph: Graph,
    pub start: Instant,
}

impl World {
    /// One in which the sign-in works and `script` answers the calls.
    pub async fn new(script: impl Fn(&Seen) -> Canned + Send + Sync + 'static) -> Self {
        Self::with(Credential::Secret(SECRET.into()), move |seen| {
            if seen.target.ends_with("/token") {
                granted(seen.number)
            } else {
                script(seen)
            }
        })
        .await
    }

    /// One with another proof, in which `script` answers everything.
    pub async fn with(credential: Credential, script: impl Fn(&Seen) -> Canned + Send + Sync + 'static) -> Self {
        let server = Server::start(script).await;
        let cloud = Cloud::loopback(&server.url, &server.url).unwrap();
        let http = Http::new(&HttpSettings::default()).unwrap();
        let graph = graph(cloud, http, SignIn::new(TENANT, APP, credential).unwrap());
        Self {
            server,
            graph,
            start: Instant::now(),
        }
    }

    /// What was asked of the sign-in.
    pub fn sign_ins(&self) -> Vec<Seen> {
        self.server.at(&format!("/{TENANT}/oauth2/v2.0/token"))
    }

    /// What was asked of Graph.
    pub fn calls(&self) -> Vec<Seen> {
        self.server.at("/v1.0/")
    }

    /// When the calls came, in whole seconds after the start.
    pub fn call_times(&self) -> Vec<u64> {
        self.calls().iter().map(|seen| (seen.at - self.start).as_secs()).collect()
    }
}

pub fn graph(cloud: Cloud, http: Http, sign_in: SignIn) -> Graph {
    let clock = Clock::starting_at(START.parse().unwrap());
    let tokens = Arc::new(Tokens::new(sign_in, cloud.clone(), http.clone(), clock, random()));
    Graph::new(cloud, http, tokens, Arc::new(Turns::new(Limits::default())), clock, random())
}

/// Not random at all: a counter, and half of everything for jitter.
pub fn random() -> Random {
    let counter = AtomicU64::new(1);
    Random::new(move || {
        let mut bytes = [0; 16];
        bytes[0] = 0x80;
        bytes[8..].copy_from_slice(&counter.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bytes
    })
}

/// A token that holds for an hour and has a number.
pub fn granted(number: usize) -> Canned {
    Canned::json(
        200,
        &json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": bearer(number)}),
    )
}

/// `{"roles":["Mail.Send"]}` within.
pub fn bearer(number: usize) -> String {
    format!("eyJhbGciOiJub25lIn0.eyJyb2xlcyI6WyJNYWlsLlNlbmQiXX0.signature-number-{number}")
}

/// A call to the mailbox `id`.
pub fn messages(id: &str) -> Request {
    Request::get(&["users", id, "messages"], Toll::Mailbox(id.to_owned()))
}

pub fn refusal(status: u16, code: &str, message: &str) -> Canned {
    Canned::json(status, &refusal_body(code, message))
}

pub fn refusal_body(code: &str, message: &str) -> serde_json::Value {
    json!({"error": {"code": code, "message": message, "innerError": {"date": "2026-11-23T09:00:30", "request-id": "inner-id"}}})
}

/// A deadline that no test should come near.
pub fn soon() -> Instant {
    Instant::now() + Duration::from_mins(10)
}
