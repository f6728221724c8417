//! Tokens, one for each resource, in memory only: renewed before they end, by one at a time, and once more when Graph refuses one.
//!
//! What it cannot see: rights that were granted inside Exchange alone do not stand in a token, so a missing role is a warning and no proof.

use super::{
    Cloud, Http, Random, Resource, retry,
    sign_in::{Ask, SignIn, SignInError},
};
use crate::clock::Clock;
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until, timeout_at},
};

/// So long before its end a token is renewed.
const EARLY: Duration = Duration::from_mins(5);
/// A token that is said to end at once is used so long all the same: a service that says so must not make us ask for each call.
const SHORTEST: Duration = Duration::from_secs(10);
/// So long a refusal stands before we ask again: wrong secrets by the thousand lock accounts.
const REFUSED: Duration = Duration::from_mins(1);
/// So long after a passing failure.
const FAILED: Duration = Duration::from_secs(5);
/// Within so long, a refused token is replaced only once: a service that refuses each token must not make us ask for ever more.
const REPLACED: Duration = Duration::from_mins(1);

/// A token. Its text is never shown.
#[derive(Clone)]
pub struct Token {
    bearer: SecretString,
    id: u64,
    renew_at: Instant,
    ends: Instant,
    roles: Option<Arc<[String]>>,
}

impl Token {
    /// The text that goes over the wire.
    pub fn bearer(&self) -> &SecretString {
        &self.bearer
    }

    /// The application permissions (`roles`), or a person's (`scp`), that the token carries; empty if none was consented to. `None` if the
    /// token cannot be read. Microsoft says that tokens are opaque to whoever asks for them and may change at any time: so this serves to warn
    /// and to explain, nothing hangs on it, and what cannot be read is unknown, not guessed.
    pub fn roles(&self) -> Option<&[String]> {
        self.roles.as_deref()
    }

    /// When it ends, by the service's word.
    pub fn ends(&self) -> Instant {
        self.ends
    }

    /// Whether both are one token.
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// The tokens of one app in one tenant.
pub struct Tokens {
    sign_in: SignIn,
    cloud: Cloud,
    http: Http,
    clock: Clock,
    random: Random,
    slots: std::sync::Mutex<HashMap<Resource, Arc<Mutex<Slot>>>>,
    granted: AtomicU64,
}

#[derive(Default)]
struct Slot {
    token: Option<Token>,
    /// The last failure, and until when it stands.
    failed: Option<(SignInError, Instant)>,
    /// When a refused token was last replaced.
    replaced: Option<Instant>,
}

impl Tokens {
    /// None yet; the first is asked for when it is needed.
    pub fn new(sign_in: SignIn, cloud: Cloud, http: Http, clock: Clock, random: Random) -> Self {
        Self {
            sign_in,
            cloud,
            http,
            clock,
            random,
            slots: std::sync::Mutex::default(),
            granted: AtomicU64::new(0),
        }
    }

    /// Who signs in.
    pub fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }

    /// How many tokens were granted so far.
    pub fn granted(&self) -> u64 {
        self.granted.load(Ordering::Relaxed)
    }

    /// A token for `resource` that still holds for a while.
    ///
    /// # Errors
    /// If none can be had before `until`, or the sign-in was refused within the last minute. A device code needs minutes: a person types it.
    pub async fn token(&self, resource: Resource, until: Instant) -> Result<Token, SignInError> {
        let slot = self.slot(resource);
        let mut slot = timeout_at(until, slot.lock()).await.map_err(|_| SignInError::TooLate)?;
        self.current(&mut slot, resource, until).await
    }

    /// A token in place of `refused`, which the service did not take although it should still hold. If another caller has replaced it already,
    /// that one; if it was itself such a replacement a moment ago, the same again ([`Token::is`]): then it is not the token's fault.
    ///
    /// # Errors
    /// As [`Tokens::token`].
    pub async fn replace(&self, resource: Resource, refused: &Token, until: Instant) -> Result<Token, SignInError> {
        let slot = self.slot(resource);
        let mut slot = timeout_at(until, slot.lock()).await.map_err(|_| SignInError::TooLate)?;
        if slot.token.as_ref().is_some_and(|token| token.is(refused)) {
            let now = Instant::now();
            if slot.replaced.is_some_and(|at| now.saturating_duration_since(at) < REPLACED) {
                return Ok(refused.clone());
            }
            slot.replaced = Some(now);
            slot.token = None;
        }
        self.current(&mut slot, resource, until).await
    }

    fn slot(&self, resource: Resource) -> Arc<Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(resource).or_default())
    }

    /// The caller holds the slot: so one renews, and the others wait for what comes of it.
    async fn current(&self, slot: &mut Slot, resource: Resource, until: Instant) -> Result<Token, SignInError> {
        let now = Instant::now();
        if let Some(token) = &slot.token
            && now < token.renew_at
        {
            return Ok(token.clone());
        }
        let usable = slot.token.clone().filter(|token| now < token.ends);
        if let Some((error, stands)) = &slot.failed
            && now < *stands
        {
            return usable.ok_or_else(|| error.clone());
        }
        // While the old one holds, one try is enough: the next caller tries again.
        let tries = if usable.is_some() { 1 } else { retry::TRIES };
        match self.granted_within(resource, tries, until).await {
            Ok(token) => {
                slot.failed = None;
                slot.token = Some(token.clone());
                Ok(token)
            }
            Err(error) => {
                let stands = if error.is_passing() {
                    error.retry_after().unwrap_or_default().max(FAILED)
                } else {
                    REFUSED
                };
                // A caller who ran out of time says nothing about the service.
                if !error.is_passing() || Instant::now() < until {
                    slot.failed = Some((error.clone(), Instant::now() + stands));
                }
                usable.ok_or(error)
            }
        }
    }

    async fn granted_within(&self, resource: Resource, tries: u32, until: Instant) -> Result<Token, SignInError> {
        let ask = Ask {
            http: &self.http,
            cloud: &self.cloud,
            tenant: self.sign_in.tenant(),
            client: self.sign_in.client(),
            clock: &self.clock,
            random: &self.random,
            until,
        };
        let mut count = 0;
        loop {
            if Instant::now() >= until {
                return Err(SignInError::TooLate);
            }
            count += 1;
            match self.sign_in.grant(&ask, resource).await {
                Ok(grant) => {
                    let id = self.granted.fetch_add(1, Ordering::Relaxed);
                    let now = Instant::now();
                    // One that lives shorter than that is used for half its life.
                    let early = EARLY.min(grant.lifetime / 2);
                    return Ok(Token {
                        roles: roles(grant.bearer.expose_secret()),
                        bearer: grant.bearer,
                        id,
                        renew_at: now + grant.lifetime.saturating_sub(early).max(SHORTEST),
                        ends: now + grant.lifetime,
                    });
                }
                Err(error) => {
                    let next = Instant::now() + retry::wait(count, error.retry_after(), self.random.fraction());
                    if count >= tries || !error.is_passing() || next >= until {
                        return Err(error);
                    }
                    sleep_until(next).await;
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Audience {
    aud: String,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scp: String,
}

/// Reads a token's middle part (RFC 7519), without judging its signature: it is for warnings only.
fn claims<T: DeserializeOwned>(bearer: &str) -> Option<T> {
    let middle = bearer.split('.').nth(1)?;
    let json = BASE64URL_NOPAD.decode(middle.trim_end_matches('=').as_bytes()).ok()?;
    serde_json::from_slice(&json).ok()
}

/// For which resource a token is, if it can be read.
pub(super) fn audience(bearer: &str) -> Option<String> {
    claims(bearer).map(|claims: Audience| claims.aud)
}

/// The permissions in a token.
fn roles(bearer: &str) -> Option<Arc<[String]>> {
    let claims: Claims = claims(bearer)?;
    let roles = claims.roles.into_iter().chain(claims.scp.split_whitespace().map(str::to_owned));
    Some(roles.take(200).map(|role| super::words::word(&role)).collect())
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({:?}, {:?})", self.sign_in, self.cloud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(claims: &str) -> Option<Vec<String>> {
        roles(&format!("e30.{}.sig", BASE64URL_NOPAD.encode(claims.as_bytes()))).map(|roles| roles.to_vec())
    }

    #[test]
    fn permissions_are_read_out_of_a_token() {
        assert_eq!(
            read(r#"{"roles":["Mail.Send","Mail.ReadBasic.All"],"aud":1}"#).unwrap(),
            ["Mail.Send", "Mail.ReadBasic.All"]
        );
        assert_eq!(read(r#"{"scp":"Mail.Read User.Read"}"#).unwrap(), ["Mail.Read", "User.Read"]);
        assert_eq!(read("{}").unwrap(), [""; 0], "nothing was consented to");
    }

    #[test]
    fn a_token_that_cannot_be_read_is_no_fault() {
        for opaque in ["", "opaque", "a.b", "a.!!!.c", "a.e30x.c"] {
            assert_eq!(roles(opaque), None, "{opaque}");
        }
        assert_eq!(read(r#"{"roles":"Mail.Send"}"#), None);
    }
}
