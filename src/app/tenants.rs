//! From a site's tenants to clients of Microsoft Graph: one for each, shared by everything that reads or sends there.

use super::environment;
use crate::{
    clock::Clock,
    config::secrets,
    credentials::Supply,
    microsoft::{
        Cloud, Exchange, Graph, Http, HttpSettings, Limits, Random, SignIn, Tokens, Turns,
        sign_in::{Certificate, Credential, DeviceCode, Federated, Identity, Managed},
    },
    model::{Proof, Site, Tenant, TenantCloud},
    scrub::Scrubber,
};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::SecretString;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// So long a code that a person types is waited for: Microsoft's own limit.
const A_PERSON: Duration = Duration::from_mins(15);

/// The clients of a site's tenants, each made when it is first needed.
pub(super) struct Tenants<'a> {
    site: &'a Site,
    folder: PathBuf,
    clock: Clock,
    made: HashMap<String, Result<Graph, String>>,
    exchange: HashMap<String, Result<Arc<Exchange>, String>>,
    /// Knows the secrets that were needed.
    pub scrubber: Scrubber,
}

impl<'a> Tenants<'a> {
    pub(super) fn of(site: &'a Site, clock: Clock) -> Self {
        Self {
            site,
            folder: super::folder_of(&site.file),
            clock,
            made: HashMap::new(),
            exchange: HashMap::new(),
            scrubber: Scrubber::default(),
        }
    }

    /// The client for the tenant of this name. Nothing is asked of Microsoft yet.
    ///
    /// # Errors
    /// A sentence: a secret that cannot be had, a certificate that is of no use.
    pub(super) async fn graph(&mut self, name: &str) -> Result<Graph, String> {
        if let Some(made) = self.made.get(name) {
            return made.clone();
        }
        let made = match self.site.tenant(name) {
            Some(tenant) => self.make(tenant).await.map_err(|trouble| format!("{}: {trouble}", tenant.place)),
            None => Err(format!("there is no tenant {name:?} in {}", self.site.file)),
        };
        self.made.insert(name.to_owned(), made.clone());
        made
    }

    /// The entry whose app deletes in the stead of that of the tenant `name`.
    pub(super) fn cleaner_of(&self, name: &str) -> Option<&'a str> {
        self.site.tenant(name)?.clean_with.as_deref()
    }

    /// The tokens of the tenant of this name for Exchange Online. A person who must sign in does so now: a server waits for nobody to type a code.
    ///
    /// # Errors
    /// As [`Tenants::graph`]; and why the person did not sign in.
    pub(super) async fn exchange(&mut self, name: &str) -> Result<Arc<Exchange>, String> {
        if let Some(known) = self.exchange.get(name) {
            return known.clone();
        }
        let made = match self.graph(name).await {
            Ok(graph) => {
                let person = graph.tokens().sign_in().is_person();
                let exchange = Arc::new(Exchange::new(graph));
                let first = if person {
                    exchange.secret(Instant::now() + A_PERSON).await.map(drop)
                } else {
                    Ok(())
                };
                first.map(|()| exchange).map_err(|none| none.why)
            }
            Err(trouble) => Err(trouble),
        };
        self.exchange.insert(name.to_owned(), made.clone());
        made
    }

    async fn make(&mut self, tenant: &Tenant) -> Result<Graph, String> {
        let mut settings = HttpSettings {
            proxy: environment("HTTPS_PROXY")
                .or_else(|| environment("https_proxy"))
                .map(SecretString::from),
            ..HttpSettings::default()
        };
        let cloud = match &tenant.cloud {
            TenantCloud::Global => Cloud::global(),
            TenantCloud::UsGovL4 => Cloud::us_government_l4(),
            TenantCloud::UsGovL5 => Cloud::us_government_l5(),
            TenantCloud::China => Cloud::china(),
            TenantCloud::Loopback { authority, graph, ca } => {
                settings.ca.clone_from(ca);
                Cloud::loopback(authority, graph)?
            }
        };
        let http = Http::new(&settings)?;
        let credential = self.credential(tenant).await?;
        let sign_in = SignIn::new(&tenant.tenant_id, &tenant.client_id, credential)?;
        let system = SystemRandom::new();
        let random = Random::new(move || {
            let mut bytes = [0; 16];
            // Only ids and the jitter of waits hang on it.
            let _ = system.fill(&mut bytes);
            bytes
        });
        let tokens = Arc::new(Tokens::new(sign_in, cloud.clone(), http.clone(), self.clock, random.clone()));
        Ok(Graph::new(
            cloud,
            http,
            tokens,
            Arc::new(Turns::new(Limits::default())),
            self.clock,
            random,
        ))
    }

    async fn credential(&mut self, tenant: &Tenant) -> Result<Credential, String> {
        Ok(match &tenant.proof {
            Proof::Secret(source) => {
                let secret = self.secret(source).await?;
                self.scrubber.add(&tenant.client_id, &secret);
                Credential::Secret(secret)
            }
            Proof::Certificate { file, password } => Credential::Certificate(Box::new(self.certificate(file, password.as_ref()).await?)),
            Proof::TokenFile(path) => Credential::Federated(Federated::TokenFile(path.clone())),
            Proof::GitHub => Credential::Federated(github()?),
            Proof::Managed => Credential::Managed(managed()?),
            Proof::DeviceCode => Credential::DeviceCode(DeviceCode::new(|prompt| {
                // Whoever signs in must see this, wherever the report goes.
                anstream::eprintln!("{}", crate::report::escape(&prompt.message));
            })),
        })
    }

    async fn certificate(&self, file: &Path, password: Option<&crate::model::SecretSource>) -> Result<Certificate, String> {
        let failed = |trouble: &dyn std::fmt::Display| format!("the certificate {}: {trouble}", file.display());
        let bytes = std::fs::read(file).map_err(|error| failed(&error))?;
        let is_pem = bytes.starts_with(b"-----") || bytes.windows(11).any(|window| window == b"-----BEGIN ");
        if is_pem {
            let text = String::from_utf8(bytes).map_err(|error| failed(&error))?;
            return Certificate::from_pem(&text.into()).map_err(|trouble| failed(&trouble));
        }
        let password = match password {
            Some(source) => self.secret(source).await?,
            None => SecretString::from(String::new()),
        };
        Certificate::from_pfx(&bytes, &password).map_err(|trouble| failed(&trouble))
    }

    async fn secret(&self, source: &crate::model::SecretSource) -> Result<SecretString, String> {
        secrets::resolve(source, &self.folder, &environment)
            .await
            .map_err(|error| error.to_string())
    }
}

/// The token of a job in GitHub Actions, which must be allowed to ask for one.
fn github() -> Result<Federated, String> {
    let of = |name: &str| {
        environment(name)
            .ok_or_else(|| format!("{name} is not set: give the job `permissions: {{ id-token: write }}`, and run it in GitHub Actions"))
    };
    Ok(Federated::GitHub {
        url: of("ACTIONS_ID_TOKEN_REQUEST_URL")?,
        token: of("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?.into(),
    })
}

/// The identity of the service on which this runs, or of the machine.
fn managed() -> Result<Managed, String> {
    let identity = environment("AZURE_CLIENT_ID").map_or(Identity::System, Identity::Client);
    match (environment("IDENTITY_ENDPOINT"), environment("IDENTITY_HEADER")) {
        (Some(endpoint), Some(header)) => Managed::app_service(identity, &endpoint, header.into()),
        _ => Managed::imds(identity, None),
    }
}
