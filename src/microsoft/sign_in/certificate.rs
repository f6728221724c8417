//! A certificate: an assertion signed with its key says who we are (RFC 7523, with PS256 of RFC 7518 section 3.5).
//!
//! Microsoft documents RSA alone for the certificates of apps. What it cannot see: whether the certificate was uploaded to the app.

use super::{Ask, Grant, SignInError, pfx};
use crate::{microsoft::Resource, model::Time};
use chrono::{DateTime, TimeDelta};
use data_encoding::BASE64URL_NOPAD;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::KeyPair,
    signature::RSA_PSS_SHA256,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::fmt;

/// So long an assertion holds: minutes, since it is used at once.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A certificate and its key.
pub struct Certificate {
    key: KeyPair,
    /// The SHA-256 of the certificate, as the assertion's header names it.
    thumbprint: String,
    not_after: Time,
}

impl Certificate {
    /// From PEM text that holds the certificate and its private key (PKCS#8 or PKCS#1, not encrypted), in either order; a chain may stand with
    /// them. Two files are simply put one behind the other.
    ///
    /// # Errors
    /// A sentence that says what is missing or of no use.
    pub fn from_pem(pem: &SecretString) -> Result<Self, String> {
        let text = pem.expose_secret();
        let certificates: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(text.as_bytes())
            .filter_map(Result::ok)
            .map(|certificate| certificate.to_vec())
            .collect();
        let key = match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
            Ok(key) => key,
            Err(_) if text.contains("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") => {
                return Err("the private key is encrypted: give a PFX file with its password, or a PEM file with the bare key".to_owned());
            }
            Err(_) => return Err("there is no private key in the PEM (`-----BEGIN PRIVATE KEY-----`)".to_owned()),
        };
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(NOT_RSA.to_owned()),
        };
        Self::of(key.map_err(|_| NOT_RSA.to_owned())?, &certificates)
    }

    /// From a PFX file (PKCS#12), the newer and the older ciphers alike.
    ///
    /// # Errors
    /// A sentence that says what is missing or of no use.
    pub fn from_pfx(file: &[u8], password: &SecretString) -> Result<Self, String> {
        let opened = pfx::open(file, password)?;
        let mut outcome = Err("there is no private key in the PFX file: export it with its key".to_owned());
        for key in &opened.keys {
            outcome = KeyPair::from_pkcs8(key)
                .map_err(|_| NOT_RSA.to_owned())
                .and_then(|key| Self::of(key, &opened.certificates));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Picks the certificate of this very key.
    fn of(key: KeyPair, certificates: &[Vec<u8>]) -> Result<Self, String> {
        if certificates.is_empty() {
            return Err("there is no certificate beside the private key".to_owned());
        }
        for der in certificates {
            let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else {
                continue;
            };
            if certificate.public_key().subject_public_key.data.as_ref() == key.public().as_ref() {
                return Ok(Self {
                    thumbprint: BASE64URL_NOPAD.encode(digest(&SHA256, der).as_ref()),
                    not_after: DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0).unwrap_or(Time::MAX_UTC),
                    key,
                });
            }
        }
        Err("the certificate and the private key do not belong together".to_owned())
    }

    /// When the certificate ends.
    pub fn not_after(&self) -> Time {
        self.not_after
    }

    /// The SHA-256 of the certificate in base64url without padding, by which the app registration knows it.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    pub(super) async fn grant(&self, ask: &Ask<'_>, resource: Resource) -> Result<Grant, SignInError> {
        let assertion = self.assertion(ask)?;
        with_assertion(ask, resource, &assertion).await
    }

    fn assertion(&self, ask: &Ask<'_>) -> Result<SecretString, SignInError> {
        let now = ask.clock.now();
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = json!({
            "aud": ask.cloud.token_endpoint(ask),
            "iss": ask.client,
            "sub": ask.client,
            "jti": ask.random.uuid(),
            "nbf": now.timestamp(),
            "iat": now.timestamp(),
            "exp": (now + LIFETIME).timestamp(),
        });
        let encode = |value: &serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let mut assertion = format!("{}.{}", encode(&header), encode(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), assertion.as_bytes(), &mut signature)
            .map_err(|_| SignInError::Credential("the certificate's key cannot sign".to_owned()))?;
        assertion.push('.');
        assertion.push_str(&BASE64URL_NOPAD.encode(&signature));
        Ok(assertion.into())
    }
}

const NOT_RSA: &str = "the private key is no RSA key of 2048 to 4096 bits, the only kind that Microsoft documents for apps";

/// Signs in with an assertion, whoever made it.
pub(super) async fn with_assertion(ask: &Ask<'_>, resource: Resource, assertion: &SecretString) -> Result<Grant, SignInError> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", ask.client),
        ("scope", &ask.cloud.scope(resource)),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion.expose_secret()),
    ];
    ask.token(&form, &[assertion]).await
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.thumbprint)
    }
}
