//! Workload identity federation: a token of an outside identity provider is the proof, so that nothing secret is kept anywhere.
//!
//! The names of the variables and the way of GitHub Actions are long-standing conventions that no source at hand confirms.

use super::{Ask, Grant, SignInError, certificate::with_assertion};
use crate::microsoft::{Resource, cloud::is_loopback};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::PathBuf;
use tokio::io::AsyncReadExt;

/// A token has a few thousand bytes.
const TOKEN_LIMIT: u64 = 64 << 10;

/// Where the outside token comes from, each time anew: it rotates.
pub enum Federated {
    /// A file, as Kubernetes keeps one fresh (`AZURE_FEDERATED_TOKEN_FILE`).
    TokenFile(PathBuf),
    /// GitHub Actions, asked for a token of the running job.
    GitHub {
        /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
        url: String,
        /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
        token: SecretString,
    },
}

#[derive(Deserialize)]
struct Issued {
    value: SecretString,
}

impl Federated {
    pub(super) async fn grant(&self, ask: &Ask<'_>, resource: Resource) -> Result<Grant, SignInError> {
        let assertion = match self {
            Self::TokenFile(path) => read(path).await.map_err(SignInError::Credential)?,
            Self::GitHub { url, token } => issued(ask, url, token).await?,
        };
        if !looks_like_jwt(assertion.expose_secret()) {
            let source = match self {
                Self::TokenFile(path) => format!("the token file {}", path.display()),
                Self::GitHub { .. } => "GitHub's answer".to_owned(),
            };
            return Err(SignInError::Credential(format!(
                "{source} holds no token (three parts with dots between)"
            )));
        }
        with_assertion(ask, resource, &assertion).await
    }
}

async fn read(path: &PathBuf) -> Result<SecretString, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("the token file {shown} cannot be read: {error}");
    let mut text = String::new();
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    file.take(TOKEN_LIMIT).read_to_string(&mut text).await.map_err(failed)?;
    Ok(text.trim().into())
}

async fn issued(ask: &Ask<'_>, url: &str, token: &SecretString) -> Result<SecretString, SignInError> {
    let no_address = || SignInError::Credential("ACTIONS_ID_TOKEN_REQUEST_URL is not an https URL".to_owned());
    let mut url = Url::parse(url).map_err(|_| no_address())?;
    if url.scheme() != "https" && !is_loopback(&url) {
        return Err(no_address());
    }
    url.query_pairs_mut().append_pair("audience", ask.cloud.federation_audience());
    let request = ask
        .http
        .to(Method::GET, url)
        .header("authorization", super::sensitive(&format!("bearer {}", token.expose_secret()))?)
        .header("accept", "application/json");
    let reply = ask.send(request).await?;
    if reply.status != 200 {
        return Err(SignInError::Credential(format!(
            "GitHub issued no token (HTTP {}): the job needs `permissions: id-token: write`",
            reply.status
        )));
    }
    ask.read::<Issued>(&reply, &[token]).map(|issued| issued.value)
}

fn looks_like_jwt(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_is_sent() {
        assert!(looks_like_jwt("eyJh.eyJi.c2ln-_"));
        for other in ["", "a.b", "a.b.c.d", "a..c", "password", "a.b.c\nd", "a.b.c=="] {
            assert!(!looks_like_jwt(other), "{other}");
        }
    }
}
