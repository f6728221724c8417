//! The token endpoint (`/{tenant}/oauth2/v2.0/token`): who proves to be an app gets a token that holds for a while.
//!
//! Cannot see what a token is used for. Tokens look like JWTs and carry `roles`, but are only good because this tenant remembers them.

mod assertion;
mod device;
mod refusal;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, fields};
use super::config::App;
use super::world::World;

pub use self::device::Decision;
use self::device::Pending;
use self::refusal::Refusal;

const CLIENT_CREDENTIALS: &str = "client_credentials";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The resource that Graph is, besides the tenant's own URL.
const GRAPH: &str = "https://graph.microsoft.com";

/// The resource that Exchange is by IMAP and SMTP, for an app and for a person.
const EXCHANGE: [&str; 2] = ["https://outlook.office365.com", "https://outlook.office.com"];

/// What a token is for: of no use anywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Microsoft Graph.
    Graph,
    /// Exchange Online by IMAP and SMTP.
    Exchange,
}

impl Audience {
    /// Whether a permission belongs to this resource.
    fn has(self, role: &str) -> bool {
        let of_exchange = role.starts_with("IMAP.") || role.starts_with("SMTP.");
        of_exchange == (self == Self::Exchange)
    }
}

/// What the tenant remembers of signing in.
#[derive(Default)]
pub struct Tokens {
    issued: HashMap<String, Grant>,
    refresh: HashMap<String, Grant>,
    codes: HashMap<String, Pending>,
    /// The ids of assertions that were used, by client.
    used: HashSet<(String, String)>,
}

/// What a token lets an app do.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The client id.
    pub app: String,
    /// Where it is good.
    pub audience: Audience,
    /// The permissions.
    pub roles: BTreeSet<String>,
    /// The address of who signed in; `None` for the app by itself.
    pub user: Option<String>,
    /// Until when.
    pub expires: DateTime<Utc>,
}

impl Tokens {
    /// What a token lets its bearer do; `Err` says whether it was ever good.
    ///
    /// # Errors
    /// When the tenant never issued it, or issued it for another audience, or it has expired.
    pub fn check(&self, token: &str, audience: Audience, now: DateTime<Utc>) -> Result<Grant, &'static str> {
        match self.issued.get(token).filter(|grant| grant.audience == audience) {
            Some(grant) if now < grant.expires => Ok(grant.clone()),
            Some(_) => Err("Lifetime validation failed, the token is expired."),
            None => Err("Access token validation failure. Invalid audience."),
        }
    }

    /// Makes all tokens worthless that were issued so far.
    pub fn expire(&mut self, now: DateTime<Utc>) {
        for grant in self.issued.values_mut() {
            grant.expires = grant.expires.min(now);
        }
    }
}

/// Answers a request to the authority: tokens, device codes, discovery, and the metadata service of a managed identity.
pub fn answer(world: &World, call: &Call) -> Answer {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let answer = match (call.method.as_str(), segments.as_slice()) {
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => world.token(tenant, call),
        ("POST", [tenant, "oauth2", "v2.0", "devicecode"]) => world.device_code(tenant, call),
        ("GET", ["metadata", "identity", "oauth2", "token"]) => world.managed_identity(call),
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => Ok(world.discovery(tenant)),
        _ => return Answer::error(404, "NotFound", "There is no such endpoint."),
    };
    answer.unwrap_or_else(|refusal| refusal.answer(world))
}

impl World {
    fn token(&self, tenant: &str, call: &Call) -> Result<Answer, Refusal> {
        self.check_tenant(tenant)?;
        let form = fields(&String::from_utf8_lossy(&call.body));
        let field = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let (basic_id, basic_secret) = basic(call.header("authorization")).unzip();
        let client = field("client_id").map(str::to_owned).or(basic_id).unwrap_or_default();
        let app = self.app(&client)?;
        match field("grant_type") {
            Some(CLIENT_CREDENTIALS) => {
                let assertion = field("client_assertion").filter(|_| field("client_assertion_type") == Some(JWT_BEARER));
                match (field("client_secret").map(str::to_owned).or(basic_secret), assertion) {
                    (_, Some(jwt)) => self.check_assertion(app, tenant, jwt)?,
                    (Some(secret), None) => check_secret(app, &secret)?,
                    (None, None) => return Err(Refusal::NO_CREDENTIAL),
                }
                let audience = self.check_scope(field("scope").unwrap_or_default())?;
                self.issue(app, audience, app.roles.clone(), None, false)
            }
            Some(DEVICE_CODE) => self.redeem(app, field("device_code").unwrap_or_default()),
            Some("refresh_token") => {
                let known = self.state().tokens.refresh.get(field("refresh_token").unwrap_or_default()).cloned();
                let grant = known.filter(|g| g.app == app.id).ok_or(Refusal::REFRESH)?;
                // A refresh token is good for every resource to which the person consented.
                let (audience, roles) = match field("scope").filter(|scope| !scope.is_empty()) {
                    Some(scope) => (audience(scope), device::granted(app, scope)),
                    None => (grant.audience, grant.roles),
                };
                self.issue(app, audience, roles, grant.user, true)
            }
            _ => Err(Refusal::GRANT_TYPE),
        }
    }

    fn check_tenant(&self, tenant: &str) -> Result<(), Refusal> {
        let known = [self.config.id.as_str(), &self.config.domain]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(tenant));
        if known || tenant == "organizations" {
            Ok(())
        } else {
            Err(Refusal::no_tenant(tenant))
        }
    }

    fn app(&self, client: &str) -> Result<&App, Refusal> {
        let app = self.config.apps.iter().find(|app| app.id.eq_ignore_ascii_case(client));
        match app {
            Some(app) if app.disabled => Err(Refusal::DISABLED),
            Some(app) => Ok(app),
            None => Err(Refusal::no_app(client)),
        }
    }

    /// Client credentials take exactly one resource with `/.default`.
    fn check_scope(&self, scope: &str) -> Result<Audience, Refusal> {
        let mut scopes = scope.split_whitespace();
        let (Some(one), None) = (scopes.next(), scopes.next()) else {
            return Err(if scope.trim().is_empty() {
                Refusal::SCOPE
            } else {
                Refusal::RESOURCES
            });
        };
        let resource = one.strip_suffix("/.default").ok_or(Refusal::SCOPE)?;
        if resource == GRAPH || resource == self.root() {
            Ok(Audience::Graph)
        } else if resource == EXCHANGE[0] {
            Ok(Audience::Exchange)
        } else {
            Err(Refusal::no_resource(resource))
        }
    }

    /// Issues a token and writes the reply.
    fn issue(
        &self,
        app: &App,
        audience: Audience,
        mut roles: BTreeSet<String>,
        user: Option<String>,
        refresh: bool,
    ) -> Result<Answer, Refusal> {
        roles.retain(|role| audience.has(role));
        let now = self.now();
        let (kind, words) = match user {
            Some(_) => ("scp", json!(roles.iter().cloned().collect::<Vec<_>>().join(" "))),
            None => ("roles", json!(roles)),
        };
        let mut claims = json!({
            "aud": match audience {
                Audience::Graph => GRAPH,
                Audience::Exchange => EXCHANGE[0],
            },
            "iss": format!("{}/{}/v2.0", self.root(), self.config.id),
            "tid": self.config.id,
            "appid": app.id,
            "iat": now.timestamp(),
            "nbf": now.timestamp(),
            "exp": (now + self.config.token_life).timestamp(),
        });
        if !roles.is_empty() {
            claims[kind] = words;
        }
        if let Some(user) = &user {
            claims["upn"] = json!(user);
        }
        let token = self.write(&claims)?;
        let mut reply = json!({
            "token_type": "Bearer",
            "expires_in": self.config.token_life.num_seconds(),
            "ext_expires_in": self.config.token_life.num_seconds(),
            "access_token": token,
        });
        let grant = Grant {
            app: app.id.clone(),
            audience,
            roles: roles.into_iter().chain(app.by_exchange.iter().cloned()).collect(),
            user,
            expires: now + self.config.token_life,
        };
        let mut state = self.state();
        if refresh {
            let text = format!("0.{}", BASE64URL_NOPAD.encode(&self.random()?));
            reply["refresh_token"] = json!(text);
            state.tokens.refresh.insert(text, grant.clone());
        }
        // What expired long ago only tells an old token from an invented one.
        state.tokens.issued.retain(|_, old| old.expires > now - TimeDelta::hours(1));
        state.tokens.issued.insert(token, grant);
        Ok(Answer::ok(reply))
    }

    fn write(&self, claims: &Value) -> io::Result<String> {
        if self.config.opaque_tokens {
            return Ok(BASE64URL_NOPAD.encode(&[self.random()?, self.random()?].concat()));
        }
        let header = BASE64URL_NOPAD.encode(br#"{"typ":"JWT","alg":"RS256"}"#);
        let payload = BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
        // No signature: whoever holds it cannot check it, as a client should not.
        let seal = BASE64URL_NOPAD.encode(&[self.random()?, self.random()?].concat());
        Ok(format!("{header}.{payload}.{seal}"))
    }

    /// The instance metadata service: it takes a resource instead of a scope, and answers numbers as strings.
    fn managed_identity(&self, call: &Call) -> Result<Answer, Refusal> {
        if call.header("metadata") != "true" {
            return Ok(Answer::json(
                400,
                json!({ "error": "invalid_request", "error_description": "Required metadata header not specified" }),
            ));
        }
        let Some(client) = &self.config.managed_identity else {
            return Ok(Answer::json(
                400,
                json!({ "error": "invalid_request", "error_description": "Identity not found" }),
            ));
        };
        let resource = call.option("resource").unwrap_or_default().trim_end_matches('/');
        let audience = self.check_scope(&format!("{resource}/.default"))?;
        let app = self.app(client)?;
        let answer = self.issue(app, audience, app.roles.clone(), None, false)?;
        let super::answer::Body::Json(mut reply) = answer.body else {
            return Ok(answer);
        };
        let life = self.config.token_life;
        reply["expires_in"] = json!(life.num_seconds().to_string());
        reply["expires_on"] = json!((self.now() + life).timestamp().to_string());
        reply["resource"] = json!(resource);
        Ok(Answer::ok(reply))
    }

    /// What official clients read first (the discovery of `OpenID` Connect).
    fn discovery(&self, tenant: &str) -> Answer {
        let base = format!("{}/{tenant}", self.root());
        Answer::ok(json!({
            "issuer": format!("{}/{}/v2.0", self.root(), self.config.id),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
            "tenant_region_scope": "EU",
        }))
    }
}

/// What a person's scope is for.
fn audience(scope: &str) -> Audience {
    let of_exchange = |word: &str| EXCHANGE.iter().any(|resource| word.starts_with(resource));
    if scope.split_whitespace().any(of_exchange) {
        Audience::Exchange
    } else {
        Audience::Graph
    }
}

fn check_secret(app: &App, secret: &str) -> Result<(), Refusal> {
    match &app.secret {
        Some(_) if app.secret_expired => Err(Refusal::SECRET_EXPIRED),
        Some(right) if right == secret => Ok(()),
        _ => Err(Refusal::SECRET),
    }
}

/// Name and password of a Basic authorization (RFC 7617).
fn basic(header: &str) -> Option<(String, String)> {
    let decoded = BASE64.decode(header.strip_prefix("Basic ")?.trim().as_bytes()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
