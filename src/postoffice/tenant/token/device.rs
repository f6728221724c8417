//! The device code flow (RFC 8628): a code to type elsewhere, and polls until somebody has signed in.
//!
//! Cannot see a browser: who signs in, and whether, is said by [`super::super::Tenant::sign_in`] or by the config.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use serde_json::json;

use super::super::answer::Answer;
use super::super::call::{Call, fields};
use super::super::config::App;
use super::super::world::World;
use super::refusal::Refusal;

/// How long a code holds, in seconds.
const LIFE: i64 = 900;

/// A sign-in that has begun.
pub struct Pending {
    app: String,
    scope: String,
    user_code: String,
    expires: DateTime<Utc>,
    polls: u32,
    last: Option<DateTime<Utc>>,
    decision: Option<Decision>,
}

/// How a sign-in by device code ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This mailbox's owner signs in.
    SignedIn(String),
    /// The person declines.
    Declined,
    /// Conditional Access blocks it.
    Blocked,
}

impl World {
    /// `/devicecode`: begins a sign-in.
    pub(super) fn device_code(&self, tenant: &str, call: &Call) -> Result<Answer, Refusal> {
        self.check_tenant(tenant)?;
        let form = fields(&String::from_utf8_lossy(&call.body));
        let field = |name: &str| form.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        let app = self.app(field("client_id"))?;
        let code = BASE64URL_NOPAD.encode(&[self.random()?, self.random()?].concat());
        let user_code = BASE32_NOPAD.encode(&self.random()?)[..9].to_owned();
        let pending = Pending {
            app: app.id.clone(),
            scope: field("scope").to_owned(),
            user_code: user_code.clone(),
            expires: self.now() + TimeDelta::seconds(LIFE),
            polls: 0,
            last: None,
            decision: None,
        };
        self.state().tokens.codes.insert(code.clone(), pending);
        let page = format!("{}/devicelogin", self.root());
        Ok(Answer::ok(json!({
            "device_code": code,
            "user_code": user_code,
            "verification_uri": page,
            "expires_in": LIFE,
            "interval": self.config.poll_interval,
            "message": format!("To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."),
        })))
    }

    /// One poll.
    pub(super) fn redeem(&self, app: &App, code: &str) -> Result<Answer, Refusal> {
        if !app.public {
            return Err(Refusal::NO_CREDENTIAL);
        }
        let now = self.now();
        let (user, scope) = {
            let mut state = self.state();
            let pending = state.tokens.codes.get_mut(code).filter(|p| p.app == app.id).ok_or(Refusal::CODE)?;
            if now >= pending.expires {
                return Err(Refusal::CODE_EXPIRED);
            }
            let interval = TimeDelta::seconds(self.config.poll_interval.into());
            if pending.last.replace(now).is_some_and(|last| now < last + interval) {
                return Err(Refusal::SLOW_DOWN);
            }
            pending.polls += 1;
            let by_itself = self.config.signs_in_after.is_some_and(|polls| pending.polls >= polls);
            let somebody = self.config.mailboxes.first().filter(|_| by_itself).cloned();
            let user = match pending.decision.clone().or(somebody.map(Decision::SignedIn)) {
                None => return Err(Refusal::PENDING),
                Some(Decision::Declined) => return Err(Refusal::DECLINED),
                Some(Decision::Blocked) => return Err(Refusal::BLOCKED),
                Some(Decision::SignedIn(user)) => user,
            };
            let scope = pending.scope.clone();
            state.tokens.codes.remove(code);
            (user, scope)
        };
        let refresh = scope.split_whitespace().any(|word| word == "offline_access");
        self.issue(app, super::audience(&scope), granted(app, &scope), Some(user), refresh)
    }

    /// Ends the sign-in with this user code; whether there is one.
    pub fn sign_in(&self, user_code: &str, decision: Decision) -> bool {
        let mut state = self.state();
        let pending = state.tokens.codes.values_mut().find(|p| p.user_code == user_code);
        pending.map(|p| p.decision = Some(decision)).is_some()
    }
}

/// What of a scope the app has: `Mail.Read` or `https://…/Mail.Read`, or everything by `.default`.
pub(super) fn granted(app: &App, scope: &str) -> BTreeSet<String> {
    let words: BTreeSet<&str> = scope.split_whitespace().map(|s| s.rsplit('/').next().unwrap_or(s)).collect();
    let all = words.contains(".default");
    app.roles
        .iter()
        .filter(|role| all || words.contains(role.as_str()))
        .cloned()
        .collect()
}
