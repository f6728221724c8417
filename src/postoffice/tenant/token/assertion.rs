//! Assertions that stand for a secret: signed with the app's certificate (RFC 7523, PS256), or issued by somebody the app trusts.
//!
//! Cannot see who really issued a federated assertion: the tenant does not fetch the issuer's keys, it compares what the assertion says.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use webpki::EndEntityCert;
use webpki::ring::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256_LEGACY_KEY};

use super::super::config::{App, Federation};
use super::super::world::World;
use super::refusal::Refusal;

/// The longest assertion.
const LONGEST: usize = 16 * 1024;
/// How far the clocks may differ, in seconds.
const SKEW: i64 = 300;

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(rename = "x5t#S256")]
    sha256: Option<String>,
    x5t: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    #[serde(default)]
    nbf: i64,
    #[serde(default)]
    jti: String,
}

impl World {
    /// Checks an assertion of an app, of either kind: only the app's own is issued by itself.
    pub(super) fn check_assertion(&self, app: &App, tenant: &str, jwt: &str) -> Result<(), Refusal> {
        let mut parts = jwt.split('.');
        let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(Refusal::SIGNATURE);
        };
        if jwt.len() > LONGEST {
            return Err(Refusal::SIGNATURE);
        }
        let claims: Claims = part(payload).ok_or(Refusal::ASSERTION)?;
        let now = self.now().timestamp();
        if claims.exp <= now || claims.nbf > now.saturating_add(SKEW) {
            return Err(Refusal::ASSERTION_TIME);
        }
        if !claims.iss.eq_ignore_ascii_case(&app.id) {
            return federated(app.federation.as_ref(), &claims);
        }
        let signed = &jwt[..header.len() + 1 + payload.len()];
        let header: Header = part(header).ok_or(Refusal::SIGNATURE)?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|_| Refusal::SIGNATURE)?;
        verify(app.certificate.as_deref(), &header, signed.as_bytes(), &signature)?;
        let audience = format!("{}/{tenant}/oauth2/v2.0/token", self.root());
        let fits = claims.sub.eq_ignore_ascii_case(&app.id) && claims.aud == audience && !claims.jti.is_empty();
        // An assertion is good once.
        if fits && self.state().tokens.used.insert((app.id.clone(), claims.jti)) {
            Ok(())
        } else {
            Err(Refusal::ASSERTION)
        }
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    let octets = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    serde_json::from_slice(&octets).ok()
}

/// All three must be equal, letter by letter.
fn federated(credential: Option<&Federation>, claims: &Claims) -> Result<(), Refusal> {
    let credential = credential.ok_or(Refusal::FEDERATION)?;
    if credential.issuer != claims.iss {
        return Err(Refusal::ISSUER);
    }
    if credential.audience != claims.aud {
        return Err(Refusal::AUDIENCE);
    }
    if credential.subject != claims.sub {
        return Err(Refusal::SUBJECT);
    }
    Ok(())
}

/// The header must name the certificate by its thumbprint, and the certificate's key must have signed.
fn verify(certificate: Option<&[u8]>, header: &Header, signed: &[u8], signature: &[u8]) -> Result<(), Refusal> {
    let der = certificate.ok_or(Refusal::SIGNATURE)?;
    let thumbprint = |algorithm| digest::digest(algorithm, der);
    let (algorithm, named, right) = match header.alg.as_str() {
        "PS256" => (
            RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            header.sha256.as_ref(),
            thumbprint(&digest::SHA256),
        ),
        // The older form, which is still taken.
        "RS256" => (
            RSA_PKCS1_2048_8192_SHA256,
            header.x5t.as_ref(),
            thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        ),
        _ => return Err(Refusal::SIGNATURE),
    };
    let right = right.as_ref();
    let fits = named.is_some_and(|n| *n == BASE64URL_NOPAD.encode(right) || n.to_lowercase() == HEXLOWER.encode(right));
    let der = rustls::pki_types::CertificateDer::from(der);
    let certificate = EndEntityCert::try_from(&der).map_err(|_| Refusal::SIGNATURE)?;
    if fits && certificate.verify_signature(algorithm, signed, signature).is_ok() {
        Ok(())
    } else {
        Err(Refusal::SIGNATURE)
    }
}
