//! Signing in to Microsoft's identity platform: one file a way, and all end in the same few lines of a token endpoint.
//!
//! Secrets come in resolved, and leave only in the request that needs them. What it cannot see: whether the token it gets is good for
//! anything; that shows at the first call.

mod certificate;
mod device;
mod endpoint;
mod failure;
mod federation;
mod managed;
mod pfx;
mod secret;

pub use certificate::Certificate;
pub use device::{DeviceCode, Prompt};
pub use failure::{Refused, SignInError};
pub use federation::Federated;
pub use managed::{Identity, Managed};

pub(super) use endpoint::{Ask, Grant};

use super::{Cloud, Resource};
use reqwest::header::HeaderValue;
use secrecy::SecretString;
use std::fmt;

/// Who signs in, where, and by what proof.
#[derive(Debug)]
pub struct SignIn {
    tenant: String,
    client: String,
    credential: Credential,
}

/// The proof.
pub enum Credential {
    /// A client secret.
    Secret(SecretString),
    /// A certificate and its key.
    Certificate(Box<Certificate>),
    /// A token of an outside identity provider that the app trusts.
    Federated(Federated),
    /// The identity of the machine or the service in Azure on which this runs. Tenant and client id are then Azure's affair.
    Managed(Managed),
    /// A person, on another device.
    DeviceCode(DeviceCode),
}

impl SignIn {
    /// The app `client` (its application id) in `tenant`, a GUID or a verified domain.
    ///
    /// # Errors
    /// A sentence, if one of the two cannot be that.
    pub fn new(tenant: &str, client: &str, credential: Credential) -> Result<Self, String> {
        if !matches!(credential, Credential::Managed(_)) {
            let person = matches!(credential, Credential::DeviceCode(_)) && tenant.eq_ignore_ascii_case("organizations");
            let shared = ["common", "organizations", "consumers"]
                .iter()
                .any(|shared| tenant.eq_ignore_ascii_case(shared));
            if !is_name(tenant) || (shared && !person) {
                return Err("the tenant must be its GUID or one of its verified domains".to_owned());
            }
            if !is_name(client) {
                return Err("the client id must be the app's GUID".to_owned());
            }
        }
        Ok(Self {
            tenant: tenant.to_owned(),
            client: client.to_owned(),
            credential,
        })
    }

    /// The tenant as given.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The app's id as given.
    pub fn client(&self) -> &str {
        &self.client
    }

    /// The certificate, if that is the proof: its end is worth a word before it comes.
    pub fn certificate(&self) -> Option<&Certificate> {
        match &self.credential {
            Credential::Certificate(certificate) => Some(certificate),
            _ => None,
        }
    }

    /// Whether a person signs in, so that the token is that person's and not the app's own.
    pub fn is_person(&self) -> bool {
        matches!(self.credential, Credential::DeviceCode(_))
    }

    /// Asks once for a token.
    pub(super) async fn grant(&self, ask: &Ask<'_>, resource: Resource) -> Result<Grant, SignInError> {
        match &self.credential {
            Credential::Secret(secret) => secret::grant(ask, resource, secret).await,
            Credential::Certificate(certificate) => certificate.grant(ask, resource).await,
            Credential::Federated(federated) => federated.grant(ask, resource).await,
            Credential::Managed(managed) => managed.grant(ask, resource).await,
            Credential::DeviceCode(device) => device.grant(ask, resource).await,
        }
    }
}

/// What can stand in a URL as it is, and names a tenant or an app.
fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        && !text.contains("..")
        && !text.starts_with('.')
}

/// A header's value that no log shows.
fn sensitive(text: &str) -> Result<HeaderValue, SignInError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| SignInError::Credential("a secret cannot be sent in a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Cloud {
    fn token_endpoint(&self, ask: &Ask<'_>) -> String {
        self.oauth(ask.tenant, "token")
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Certificate(_) => "Certificate",
            Self::Federated(_) => "Federated",
            Self::Managed(_) => "Managed",
            Self::DeviceCode(_) => "DeviceCode",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_one_tenant() {
        let new = |tenant: &str, client: &str| SignIn::new(tenant, client, Credential::Secret("hunter22".into()));
        for good in ["contoso.onmicrosoft.com", "8d4d2d0c-6a70-4f6e-9d70-1d6f3f5a0001"] {
            let sign_in = new(good, "e9a1f6f0-30ab-4a41-9d43-1f1f9bd3a9f0").unwrap();
            assert!(!format!("{sign_in:?}").contains("hunter22"));
        }
        for bad in ["", "common", "Organizations", "consumers", "a/b", "a?b", "..", "a b", "é.example"] {
            assert!(new(bad, "app").is_err(), "{bad}");
            assert!(
                new("contoso.com", bad).is_err() || !bad.contains(['/', '?', ' ', 'é']) && !bad.is_empty() && bad != "..",
                "{bad}"
            );
        }
    }
}
