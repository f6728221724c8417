//! Device code (RFC 8628): a person signs in on another device while we ask again and again. Meant for trying mailflow out.
//!
//! What it cannot see: whether the tenant blocks this way, which many do; the refusal says so (AADSTS53003).

use super::{Ask, Grant, SignInError};
use crate::microsoft::{Resource, words};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::{fmt, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What RFC 8628 section 3.5 adds to the pace at each `slow_down`.
const SLOWER: Duration = Duration::from_secs(5);
/// No code is waited for longer, whatever the service says.
const LONGEST: Duration = Duration::from_mins(30);

/// What the person must see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Microsoft's whole sentence.
    pub message: String,
    /// The code to enter.
    pub code: String,
    /// Where to enter it.
    pub address: String,
}

/// Signing in as a person.
pub struct DeviceCode {
    show: Box<dyn Fn(&Prompt) + Send + Sync>,
    /// Renews the sign-in without the person; kept in memory only.
    refresh: Mutex<Option<SecretString>>,
}

#[derive(Deserialize)]
struct Started {
    device_code: SecretString,
    user_code: String,
    verification_uri: String,
    expires_in: u64,
    #[serde(default = "five")]
    interval: u64,
    #[serde(default)]
    message: String,
}

/// RFC 8628 section 3.2.
fn five() -> u64 {
    5
}

impl DeviceCode {
    /// One that shows the code through `show`, once for each sign-in.
    pub fn new(show: impl Fn(&Prompt) + Send + Sync + 'static) -> Self {
        Self {
            show: Box::new(show),
            refresh: Mutex::default(),
        }
    }

    pub(super) async fn grant(&self, ask: &Ask<'_>, resource: Resource) -> Result<Grant, SignInError> {
        let scope = format!("{} offline_access", ask.cloud.scope_of_a_person(resource));
        let mut refresh = self.refresh.lock().await;
        let outcome = match &*refresh {
            Some(token) => renew(ask, &scope, token).await,
            None => self.start(ask, &scope).await,
        };
        match &outcome {
            Ok(grant) => {
                if let Some(token) = &grant.refresh {
                    *refresh = Some(token.clone());
                }
            }
            // What is lapsed is lapsed: the next time, the person is asked.
            Err(SignInError::Refused(refused)) if refused.error == "invalid_grant" => *refresh = None,
            Err(_) => {}
        }
        outcome
    }

    async fn start(&self, ask: &Ask<'_>, scope: &str) -> Result<Grant, SignInError> {
        let url = ask.cloud.oauth(ask.tenant, "devicecode");
        let reply = ask.form(&url, &[("client_id", ask.client), ("scope", scope)]).await?;
        let started: Started = ask.read(&reply, &[])?;
        (self.show)(&Prompt {
            message: words::sentence(&started.message),
            code: words::word(&started.user_code),
            address: words::sentence(&started.verification_uri),
        });
        let end = (Instant::now() + Duration::from_secs(started.expires_in).min(LONGEST)).min(ask.until);
        let mut pace = Duration::from_secs(started.interval.clamp(1, 60));
        let form = [
            ("grant_type", GRANT),
            ("client_id", ask.client),
            ("device_code", started.device_code.expose_secret()),
        ];
        loop {
            let next = Instant::now() + pace;
            if next > end {
                return Err(SignInError::Unfinished("nobody entered the code in time; start again"));
            }
            sleep_until(next).await;
            match ask.token(&form, &[&started.device_code]).await {
                Err(SignInError::Refused(refused)) => match refused.error.as_str() {
                    "authorization_pending" => {}
                    "slow_down" => pace += SLOWER,
                    "authorization_declined" | "access_denied" => {
                        return Err(SignInError::Unfinished("the person declined the sign-in"));
                    }
                    "expired_token" => return Err(SignInError::Unfinished("nobody entered the code in time; start again")),
                    _ if refused.is_passing() => pace += SLOWER,
                    _ => return Err(SignInError::Refused(refused)),
                },
                // RFC 8628 section 3.5: a broken connection only slows the asking down.
                Err(SignInError::Transport(_)) => pace += SLOWER,
                outcome => return outcome,
            }
        }
    }
}

async fn renew(ask: &Ask<'_>, scope: &str, refresh: &SecretString) -> Result<Grant, SignInError> {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", ask.client),
        ("scope", scope),
        ("refresh_token", refresh.expose_secret()),
    ];
    ask.token(&form, &[refresh]).await
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceCode")
    }
}
