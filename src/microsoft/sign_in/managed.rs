//! Managed identity: Azure itself vouches for the machine (IMDS) or the service (App Service, Functions, Container Apps) on which this runs.
//!
//! App Service's way is a convention that no source at hand confirms; Azure Arc's challenge file is not spoken. These endpoints have no TLS;
//! so only addresses that cannot leave the machine's own link are asked.

use super::{Ask, Grant, SignInError};
use crate::microsoft::{Resource, cloud::is_loopback};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;

const IMDS: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// Which of a machine's identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Its own.
    System,
    /// A user-assigned one, by its client id.
    Client(String),
    /// A user-assigned one, by its object id.
    Object(String),
    /// A user-assigned one, by its resource id.
    ResourceId(String),
}

/// Where Azure is asked.
pub struct Managed {
    endpoint: Url,
    /// App Service's header; without it, the endpoint is the metadata service.
    header: Option<SecretString>,
    identity: Identity,
}

impl Managed {
    /// The metadata service of a virtual machine; `endpoint` stands for its well-known address in tests.
    ///
    /// # Errors
    /// A sentence, if `endpoint` is not on this machine's own link.
    pub fn imds(identity: Identity, endpoint: Option<&str>) -> Result<Self, String> {
        Ok(Self {
            endpoint: near(endpoint.unwrap_or(IMDS))?,
            header: None,
            identity,
        })
    }

    /// App Service and its kin: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
    ///
    /// # Errors
    /// A sentence, if `endpoint` is not on this machine's own link.
    pub fn app_service(identity: Identity, endpoint: &str, header: SecretString) -> Result<Self, String> {
        Ok(Self {
            endpoint: near(endpoint)?,
            header: Some(header),
            identity,
        })
    }

    pub(super) async fn grant(&self, ask: &Ask<'_>, resource: Resource) -> Result<Grant, SignInError> {
        let mut url = self.endpoint.clone();
        let version = if self.header.is_some() { "2019-08-01" } else { "2018-02-01" };
        url.query_pairs_mut()
            .append_pair("api-version", version)
            .append_pair("resource", &format!("{}/", ask.cloud.resource(resource)));
        match &self.identity {
            Identity::System => {}
            Identity::Client(id) => drop(url.query_pairs_mut().append_pair("client_id", id)),
            Identity::Object(id) => drop(url.query_pairs_mut().append_pair("object_id", id)),
            Identity::ResourceId(id) => drop(url.query_pairs_mut().append_pair("msi_res_id", id)),
        }
        let request = ask.http.direct(Method::GET, url);
        let request = match &self.header {
            None => request.header("metadata", "true"),
            Some(header) => request.header("x-identity-header", super::sensitive(header.expose_secret())?),
        };
        let reply = ask.send(request).await?;
        // The metadata service is not ready yet right after the start, and says so with these.
        if matches!(reply.status, 404 | 410) {
            let mut refused = ask.refused(&reply, &[]);
            refused.status = 503;
            return Err(SignInError::Refused(Box::new(refused)));
        }
        let secrets: Vec<&SecretString> = self.header.iter().collect();
        match ask.granted(&reply, &secrets) {
            Err(SignInError::Refused(refused)) if refused.status == 400 && refused.codes.is_empty() => {
                Err(SignInError::Credential(format!(
                    "Azure gives no token to this machine: it has no managed identity, or several and the site must say which ({} {})",
                    refused.error, refused.said
                )))
            }
            outcome => outcome,
        }
    }
}

/// A URL on this machine or its own link (169.254.0.0/16, RFC 3927).
fn near(text: &str) -> Result<Url, String> {
    let far = || "the endpoint of a managed identity must be on this machine or its own link (169.254.0.0/16)".to_owned();
    let url = Url::parse(text).map_err(|_| far())?;
    let link_local = url
        .host_str()
        .and_then(|host| host.parse::<IpAddr>().ok())
        .is_some_and(|address| matches!(address, IpAddr::V4(address) if address.is_link_local()));
    if matches!(url.scheme(), "http" | "https") && (link_local || is_loopback(&url)) {
        Ok(url)
    } else {
        Err(far())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_its_link_are_asked() {
        for good in [
            IMDS,
            "http://127.0.0.1:41471/msi/token",
            "http://169.254.129.2:8081/msi/token",
            "http://localhost:42356/msi/token",
        ] {
            assert!(near(good).is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1/",
            "http://metadata.example/",
            "ftp://127.0.0.1/",
            "169.254.169.254",
            "",
        ] {
            assert!(near(bad).is_err(), "{bad}");
        }
    }
}
