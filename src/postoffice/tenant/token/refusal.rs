//! How the token endpoint refuses: the OAuth word that clients branch on, and the AADSTS number that administrators search for.
//!
//! Pure. The numbers and words are those of Microsoft's list of error codes; 700211 to 700213 and 70018 are not confirmed by it.

use std::io;

use serde_json::json;

use super::super::answer::Answer;
use super::super::residents::guid;
use super::super::world::World;

/// Why there is no token.
#[derive(Debug)]
pub struct Refusal {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
    fixed: &'static str,
}

const fn refusal(status: u16, error: &'static str, code: u32, fixed: &'static str) -> Refusal {
    Refusal {
        status,
        error,
        code,
        text: String::new(),
        fixed,
    }
}

impl Refusal {
    /// The secret is wrong.
    pub const SECRET: Self = refusal(
        401,
        "invalid_client",
        7_000_215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.",
    );
    /// The secret was right once.
    pub const SECRET_EXPIRED: Self = refusal(401, "invalid_client", 7_000_222, "The provided client secret keys are expired.");
    /// Nothing proves who asks.
    pub const NO_CREDENTIAL: Self = refusal(
        401,
        "invalid_client",
        7_000_218,
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    );
    /// The service principal is disabled.
    pub const DISABLED: Self = refusal(401, "unauthorized_client", 7_000_112, "Application is disabled.");
    /// The assertion's signature or certificate is not known.
    pub const SIGNATURE: Self = refusal(
        401,
        "invalid_client",
        700_027,
        "The certificate with identifier used to sign the client assertion is not registered on application, or the signature is invalid.",
    );
    /// The assertion was used before, or is not about this client.
    pub const ASSERTION: Self = refusal(
        401,
        "invalid_client",
        700_027,
        "Client assertion failed validation: issuer, subject, audience or jti is not acceptable.",
    );
    /// The assertion is not valid yet or any more.
    pub const ASSERTION_TIME: Self = refusal(
        401,
        "invalid_client",
        700_024,
        "Client assertion is not within its valid time range.",
    );
    /// No credential with the assertion's issuer.
    pub const ISSUER: Self = refusal(
        401,
        "invalid_client",
        700_211,
        "No matching federated identity record found for presented assertion issuer.",
    );
    /// No credential with the assertion's audience.
    pub const AUDIENCE: Self = refusal(
        401,
        "invalid_client",
        700_212,
        "No matching federated identity record found for presented assertion audience.",
    );
    /// No credential with the assertion's subject.
    pub const SUBJECT: Self = refusal(
        401,
        "invalid_client",
        700_213,
        "No matching federated identity record found for presented assertion subject.",
    );
    /// The app has no federated credential.
    pub const FEDERATION: Self = refusal(
        401,
        "invalid_client",
        70_021,
        "No matching federated identity record found for presented assertion.",
    );
    /// The scope is none for client credentials.
    pub const SCOPE: Self = refusal(
        400,
        "invalid_scope",
        1_002_012,
        "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.",
    );
    /// The scope names several resources.
    pub const RESOURCES: Self = refusal(
        400,
        "invalid_scope",
        700_022,
        "The provided value for the input parameter scope is not valid because it contains more than one resource.",
    );
    /// A grant that is not offered.
    pub const GRANT_TYPE: Self = refusal(400, "unsupported_grant_type", 70_003, "The app returned an unsupported grant type.");
    /// A refresh token that is none, or of another app.
    pub const REFRESH: Self = refusal(
        400,
        "invalid_grant",
        70_008,
        "The provided authorization code or refresh token has expired due to inactivity.",
    );
    /// Nobody has signed in yet.
    pub const PENDING: Self = refusal(
        400,
        "authorization_pending",
        70_016,
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    );
    /// The client polls too often (RFC 8628, section 3.5).
    pub const SLOW_DOWN: Self = refusal(400, "slow_down", 70_016, "OAuth 2.0 device flow error. The client polls too often.");
    /// Who was asked said no.
    pub const DECLINED: Self = refusal(
        400,
        "authorization_declined",
        70_017,
        "The end user denied the authorization request.",
    );
    /// The code is none.
    pub const CODE: Self = refusal(
        400,
        "bad_verification_code",
        70_018,
        "Invalid verification code due to User typing in wrong user code for device code flow.",
    );
    /// The code is too old.
    pub const CODE_EXPIRED: Self = refusal(
        400,
        "expired_token",
        70_020,
        "The provided value for the input parameter 'device_code' has expired.",
    );
    /// The tenant's policy stops it.
    pub const BLOCKED: Self = refusal(
        400,
        "invalid_grant",
        53_003,
        "Access has been blocked by Conditional Access policies.",
    );

    /// There is no such tenant.
    pub fn no_tenant(tenant: &str) -> Self {
        Self {
            text: format!(
                "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
            ),
            ..refusal(400, "invalid_request", 90_002, "")
        }
    }

    /// There is no such app.
    pub fn no_app(client: &str) -> Self {
        Self {
            text: format!("Application with identifier '{client}' was not found in the directory."),
            ..refusal(400, "unauthorized_client", 700_016, "")
        }
    }

    /// There is no such resource.
    pub fn no_resource(resource: &str) -> Self {
        Self {
            text: format!("The resource principal named {resource} was not found in the tenant."),
            ..refusal(400, "invalid_resource", 500_011, "")
        }
    }

    /// The reply.
    pub fn answer(&self, world: &World) -> Answer {
        let now = world.now().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let trace = guid(&["trace", &now, &self.code.to_string()]);
        let text = if self.text.is_empty() { self.fixed } else { &self.text };
        let description = format!(
            "AADSTS{}: {text} Trace ID: {trace} Correlation ID: {trace} Timestamp: {now}",
            self.code
        );
        Answer::json(
            self.status,
            json!({
                "error": self.error,
                "error_description": description,
                "error_codes": [self.code],
                "timestamp": now,
                "trace_id": trace,
                "correlation_id": trace,
                "error_uri": format!("{}/error?code={}", world.root(), self.code),
            }),
        )
    }
}

impl From<io::Error> for Refusal {
    fn from(_: io::Error) -> Self {
        refusal(
            503,
            "temporarily_unavailable",
            90_033,
            "A transient error has occurred. Please try again.",
        )
    }
}
