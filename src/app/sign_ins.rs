//! From a site's sign-ins to credentials: passwords are fetched once, tokens as often as somebody signs in.

use super::{environment, folder_of, tenants::Tenants};
use crate::{
    config::secrets,
    credentials::{Credentials, Door, NoSecret, Proof, Supply},
    microsoft,
    model::{SecretSource, SignIn, Site},
    scrub::Scrubber,
};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

/// So long a token that was fetched serves all who sign in with it: many mailboxes may share one, and a command may take its time.
const FRESH: Duration = Duration::from_mins(1);

/// What was fetched so recently is not fetched again because a server refused it.
const JUST_NOW: Duration = Duration::from_secs(5);

/// The sign-ins of a site. Each source of a secret is asked once, however many share it.
pub(super) struct SignIns {
    folder: PathBuf,
    passwords: Vec<(SecretSource, Result<SecretString, String>)>,
    tokens: Vec<Arc<Fetched>>,
    /// Learns every secret before a server is told it.
    scrubber: Scrubber,
}

impl SignIns {
    pub(super) fn of(site: &Site, scrubber: Scrubber) -> Self {
        Self {
            folder: folder_of(&site.file),
            passwords: Vec::new(),
            tokens: Vec::new(),
            scrubber,
        }
    }

    /// The credentials for a sign-in. Secrets that the site names are fetched already here, so that one that is not there shows before
    /// anything is sent; a tenant is asked only when somebody signs in, unless a person must do something for it.
    ///
    /// # Errors
    /// A sentence that says why there can be no secret.
    pub(super) async fn credentials(&mut self, sign_in: &SignIn, tenants: &mut Tenants<'_>) -> Result<Credentials, String> {
        let credentials = match sign_in {
            SignIn::Password { user, password } => Credentials::password(user, self.password(password).await?),
            SignIn::XOAuth2 { user, token } => {
                let supply = self.token(token);
                let first = supply.secret(Instant::now() + secrets::PATIENCE).await;
                first.map_err(|none| none.why)?;
                let scrubber = supply.scrubber.clone();
                Credentials::new(user, Proof::Token, supply).scrubbed_by(&scrubber)
            }
            SignIn::Tenant { user, tenant } => {
                let exchange = tenants.exchange(tenant).await?;
                let scrubber = exchange.scrubber().clone();
                Credentials::new(user, Proof::Token, exchange).scrubbed_by(&scrubber)
            }
        };
        Ok(credentials.known_to(&self.scrubber))
    }

    async fn password(&mut self, source: &SecretSource) -> Result<SecretString, String> {
        if let Some((_, secret)) = self.passwords.iter().find(|(known, _)| known == source) {
            return secret.clone();
        }
        let secret = secrets::resolve(source, &self.folder, &environment)
            .await
            .map_err(|error| error.to_string());
        self.passwords.push((source.clone(), secret.clone()));
        secret
    }

    fn token(&mut self, source: &SecretSource) -> Arc<Fetched> {
        if let Some(known) = self.tokens.iter().find(|known| known.source == *source) {
            return Arc::clone(known);
        }
        let fetched = Arc::new(Fetched {
            source: source.clone(),
            folder: self.folder.clone(),
            last: Mutex::default(),
            advice: std::sync::Mutex::default(),
            scrubber: Scrubber::default(),
        });
        self.tokens.push(Arc::clone(&fetched));
        fetched
    }
}

/// A token out of the site's own source: a file that somebody renews, a command that prints a fresh one.
struct Fetched {
    source: SecretSource,
    folder: PathBuf,
    last: Mutex<Option<(Instant, Result<SecretString, NoSecret>)>>,
    /// What is wrong with the last token. It has a lock of its own, which nobody holds while he fetches.
    advice: std::sync::Mutex<Option<String>>,
    /// Shared by all who sign in with it.
    scrubber: Scrubber,
}

impl Fetched {
    /// What was fetched within the last `fresh`, or what is fetched now.
    async fn not_older(&self, fresh: Duration, until: Instant) -> Result<SecretString, NoSecret> {
        let fetching = async {
            // One fetches, and the others wait for what comes of it.
            let mut last = self.last.lock().await;
            if let Some((at, secret)) = &*last
                && at.elapsed() < fresh
            {
                return secret.clone();
            }
            let fetched = secrets::resolve(&self.source, &self.folder, &environment).await;
            let secret = fetched.map_err(|error| NoSecret {
                why: error.to_string(),
                passing: true,
            });
            *self.advice.lock().unwrap_or_else(PoisonError::into_inner) = secret.as_ref().ok().and_then(microsoft::meant_for_graph);
            *last = Some((Instant::now(), secret.clone()));
            secret
        };
        timeout_at(until, fetching).await.unwrap_or_else(|_| {
            Err(NoSecret {
                why: "the token did not come in time".to_owned(),
                passing: true,
            })
        })
    }
}

#[async_trait]
impl Supply for Fetched {
    async fn secret(&self, until: Instant) -> Result<SecretString, NoSecret> {
        self.not_older(FRESH, until).await
    }

    async fn another(&self, refused: &SecretString, until: Instant) -> Option<SecretString> {
        let secret = self.not_older(JUST_NOW, until).await.ok()?;
        (secret.expose_secret() != refused.expose_secret()).then_some(secret)
    }

    fn advice(&self, _door: Door, _user: &str, _words: &str) -> Option<String> {
        self.advice.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_is_read_anew_for_each_sign_in_a_minute_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let supply = Fetched {
            source: SecretSource::File(path.clone()),
            folder: folder.path().to_owned(),
            last: Mutex::default(),
            advice: std::sync::Mutex::default(),
            scrubber: Scrubber::default(),
        };
        let token = async || {
            let secret = supply.secret(Instant::now() + FRESH).await;
            secret.map(|secret| secret.expose_secret().to_owned())
        };
        std::fs::write(&path, "first\n").unwrap();
        assert_eq!(token().await.unwrap(), "first");
        std::fs::write(&path, "second\n").unwrap();
        assert_eq!(token().await.unwrap(), "first", "many mailboxes may share it");
        let another = async || {
            let another = supply.another(&"first".into(), Instant::now() + FRESH).await;
            another.map(|secret| secret.expose_secret().to_owned())
        };
        assert_eq!(
            another().await,
            None,
            "a server that refuses everybody must not make us fetch for each"
        );
        tokio::time::advance(JUST_NOW).await;
        assert_eq!(another().await.unwrap(), "second", "it was renewed in the meantime");
        std::fs::write(&path, "third\n").unwrap();
        tokio::time::advance(FRESH).await;
        assert_eq!(token().await.unwrap(), "third");
        std::fs::remove_file(&path).unwrap();
        tokio::time::advance(FRESH).await;
        assert!(token().await.unwrap_err().passing);
    }
}
