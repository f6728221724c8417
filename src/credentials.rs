//! Who signs in at a mail server, and with which secret. The secret is asked for at each sign-in, because tokens end.
//!
//! What it cannot see: where a secret comes from, which its [`Supply`] knows, and whether a server takes it.

use crate::scrub::Scrubber;
use async_trait::async_trait;
use secrecy::SecretString;
use std::{fmt, sync::Arc};
use tokio::time::Instant;

/// Gives a secret as it is at that moment. Cheap to ask: it keeps what still holds.
#[async_trait]
pub trait Supply: Send + Sync {
    /// The secret with which to sign in now, before `until`.
    ///
    /// # Errors
    /// [`NoSecret`] if there is none.
    async fn secret(&self, until: Instant) -> Result<SecretString, NoSecret>;

    /// Another secret in place of one that a server has just refused; `None` if there is no point in trying again.
    async fn another(&self, _refused: &SecretString, _until: Instant) -> Option<SecretString> {
        None
    }

    /// What an administrator does about it that a server of this kind, in these words, will not let `user` in with this supply's secret.
    fn advice(&self, _door: Door, _user: &str, _words: &str) -> Option<String> {
        None
    }
}

/// Why there is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NoSecret {
    /// A sentence, without its full stop.
    pub why: String,
    /// Whether there may be one later although nobody changes anything.
    pub passing: bool,
}

/// What is signed in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A mailbox.
    Imap,
    /// Submission.
    Smtp,
}

/// What kind of proof the secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A password.
    Password,
    /// A bearer token, for SASL XOAUTH2.
    Token,
}

/// A user, and where the proof of being that user comes from. Its `Debug` shows no secret. Cheap to clone; clones share supply and scrubber.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    proof: Proof,
    supply: Arc<dyn Supply>,
    own: Scrubber,
    told: Scrubber,
}

impl Credentials {
    /// `user`, with what `supply` gives as `proof`.
    pub fn new(user: &str, proof: Proof, supply: Arc<dyn Supply>) -> Self {
        Self {
            user: user.to_owned(),
            proof,
            supply,
            own: Scrubber::default(),
            told: Scrubber::default(),
        }
    }

    /// A password that stays the same.
    pub fn password(user: &str, password: SecretString) -> Self {
        Self::new(user, Proof::Password, Arc::new(Fixed(Ok(password))))
    }

    /// A token that stays the same.
    pub fn token(user: &str, token: SecretString) -> Self {
        Self::new(user, Proof::Token, Arc::new(Fixed(Ok(token))))
    }

    /// No proof, for this reason: every sign-in fails with it.
    pub fn missing(user: &str, why: &str) -> Self {
        let passing = false;
        let why = why.to_owned();
        Self::new(user, Proof::Password, Arc::new(Fixed(Err(NoSecret { why, passing }))))
    }

    /// These, whose secrets `scrubber` learns too, each before a server is told it.
    #[must_use]
    pub fn known_to(self, scrubber: &Scrubber) -> Self {
        Self {
            told: scrubber.clone(),
            ..self
        }
    }

    /// These, with a scrubber shared with others whose secret is the same: what it knows grows with each secret.
    #[must_use]
    pub fn scrubbed_by(self, scrubber: &Scrubber) -> Self {
        Self {
            own: scrubber.clone(),
            ..self
        }
    }

    /// The user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What kind of proof it is.
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// Takes every secret given so far out of what the server says.
    pub fn scrubber(&self) -> &Scrubber {
        &self.own
    }

    /// The secret for a sign-in now.
    ///
    /// # Errors
    /// [`NoSecret`] if none can be had before `until`.
    pub async fn secret(&self, until: Instant) -> Result<SecretString, NoSecret> {
        let secret = self.supply.secret(until).await?;
        self.learn(&secret);
        Ok(secret)
    }

    /// Another secret in place of `refused`, if trying again makes sense.
    pub async fn another(&self, refused: &SecretString, until: Instant) -> Option<SecretString> {
        let secret = self.supply.another(refused, until).await?;
        self.learn(&secret);
        Some(secret)
    }

    /// What to do about a refusal in these words, where that is known.
    pub fn advice(&self, door: Door, words: &str) -> Option<String> {
        self.supply.advice(door, &self.user, words)
    }

    fn learn(&self, secret: &SecretString) {
        self.own.add(&self.user, secret);
        self.told.add(&self.user, secret);
    }
}

/// A secret that stays the same, or the reason for which there never is one.
struct Fixed(Result<SecretString, NoSecret>);

#[async_trait]
impl Supply for Fixed {
    async fn secret(&self, _until: Instant) -> Result<SecretString, NoSecret> {
        self.0.clone()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("proof", &self.proof)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_is_known_before_a_server_is_told_it() {
        let told = Scrubber::default();
        let credentials = Credentials::token("probe", "a-token-of-some-length".into()).known_to(&told);
        let echo = "you said a-token-of-some-length";
        assert_eq!(told.scrub(echo), echo);
        credentials.secret(Instant::now()).await.unwrap();
        assert_eq!(told.scrub(echo), "you said [secret]");
        assert_eq!(credentials.scrubber().scrub(echo), "you said [secret]");
        assert!(!format!("{credentials:?}").contains("a-token"));
    }

    #[tokio::test]
    async fn a_missing_secret_says_why_each_time() {
        let credentials = Credentials::missing("probe", "the environment variable `P` is not set");
        let none = credentials.secret(Instant::now()).await.unwrap_err();
        assert_eq!(none.to_string(), "the environment variable `P` is not set");
        assert!(!none.passing);
    }
}
