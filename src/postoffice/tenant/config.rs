//! How a tenant is set up: its apps and what they may, its delays, its limits and its moods.
//!
//! Values only. Cannot see whether they are sensible: a tenant does as it is told.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;

/// What a tenant is.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a mood of the service that a test chooses by itself"
)]
pub struct Config {
    /// The tenant's id, a GUID.
    pub id: String,
    /// Its domain; local parts name fates.
    pub domain: String,
    /// Plain mailboxes besides: whole addresses of the domain.
    pub mailboxes: Vec<String>,
    /// The apps registered.
    pub apps: Vec<App>,
    /// The app that the managed identity of this machine is, if it has one.
    pub managed_identity: Option<String>,
    /// How long a token holds.
    pub token_life: TimeDelta,
    /// Whether tokens are such that nobody but the tenant can read them, as Microsoft may make them any day.
    pub opaque_tokens: bool,
    /// How the sign-in by device code ends when nobody says [`super::Tenant::sign_in`]: after so many polls, or never.
    pub signs_in_after: Option<u32>,
    /// The seconds between the polls of a device code.
    pub poll_interval: u32,
    /// Whether there is a message trace.
    pub trace: Trace,
    /// Whether the tenant has a licence of Defender for Office 365, without which hunting and the list of analysed messages are refused.
    pub defender: bool,
    /// How long after its arrival a message shows in the trace.
    pub trace_delay: TimeDelta,
    /// How long it then shows `gettingStatus`.
    pub status_lag: TimeDelta,
    /// How long zero-hour auto purge leaves a message where it was.
    pub zap_after: TimeDelta,
    /// How long a delta token holds.
    pub delta_life: TimeDelta,
    /// How long each call takes at least, so that calls can overlap.
    pub latency: Duration,
    /// Whether the filters see mail from inside the tenant. Microsoft's edge does not: such mail reaches the inbox whatever its fate.
    pub filters_internal: bool,
    /// Whether `sendMail` gives each message a Message-ID of its own, as the service may.
    pub replaces_message_id: bool,
    /// Whether SMTP AUTH is switched on.
    pub smtp_auth: bool,
    /// What clients must keep to.
    pub limits: Limits,
    /// How many requests are remembered.
    pub records: usize,
    /// Whether what Graph replied is remembered with them.
    pub keeps_replies: bool,
}

impl Config {
    /// A tenant with `tenant.example`, the mailbox `probe@tenant.example`, one app, the documented limits and short delays for a demonstration.
    pub fn new(app: App) -> Self {
        Self {
            id: "6c1e6a2e-5d5b-4c39-9d6e-0a4b7f1d2c3e".to_owned(),
            domain: "tenant.example".to_owned(),
            mailboxes: vec!["probe@tenant.example".to_owned()],
            managed_identity: None,
            apps: vec![app],
            token_life: TimeDelta::seconds(3599),
            opaque_tokens: false,
            signs_in_after: None,
            poll_interval: 5,
            trace: Trace::Ready,
            defender: true,
            trace_delay: TimeDelta::seconds(3),
            status_lag: TimeDelta::seconds(1),
            zap_after: TimeDelta::seconds(2),
            delta_life: TimeDelta::days(7),
            latency: Duration::ZERO,
            filters_internal: false,
            replaces_message_id: false,
            smtp_auth: true,
            limits: Limits::default(),
            records: 200_000,
            keeps_replies: false,
        }
    }
}

/// An app registration with its service principal.
#[derive(Clone, Default)]
pub struct App {
    /// The client id, a GUID.
    pub id: String,
    /// The client secret.
    pub secret: Option<String>,
    /// Whether the secret has expired.
    pub secret_expired: bool,
    /// The certificate uploaded, as DER.
    pub certificate: Option<Vec<u8>>,
    /// Whose assertions are taken instead of a secret (workload identity federation).
    pub federation: Option<Federation>,
    /// The application permissions consented, `Mail.ReadBasic.All` and so on; with device code the delegated ones.
    pub roles: BTreeSet<String>,
    /// What Exchange itself granted (RBAC for Applications): as good as the above, and in no token.
    pub by_exchange: BTreeSet<String>,
    /// The mailboxes of the post office to which its service principal in Exchange Online has Full Access and for which it may send, by IMAP and
    /// SMTP; `None` if it is not registered there.
    pub full_access: Option<BTreeSet<String>>,
    /// Whether the service principal is disabled.
    pub disabled: bool,
    /// Whether public client flows are allowed (device code).
    pub public: bool,
}

impl App {
    /// An app with a secret and all that reading, sending, deleting and tracing needs.
    pub fn with_secret(id: &str, secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: Some(secret.to_owned()),
            roles: ALL_ROLES.iter().map(|role| (*role).to_owned()).collect(),
            ..Self::default()
        }
    }
}

/// Every application permission that some call of the tenant asks for.
pub const ALL_ROLES: [&str; 12] = [
    "Mail.ReadBasic.All",
    "Mail.Read",
    "Mail.ReadWrite",
    "Mail.Send",
    "MailboxSettings.Read",
    "User.Read.All",
    "GroupMember.Read.All",
    "Group-Conversation.Read.All",
    "ExchangeMessageTrace.Read.All",
    "ThreatHunting.Read.All",
    "SecurityAnalyzedMessage.Read.All",
    "Application.Read.All",
];

/// The application permissions by which mail is read and sent with IMAP and SMTP. They stand in tokens for Exchange only.
pub const EXCHANGE_ROLES: [&str; 2] = ["IMAP.AccessAsApp", "SMTP.SendAsApp"];

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("id", &self.id)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// A federated identity credential: all three must equal what the assertion says.
#[derive(Debug, Clone)]
pub struct Federation {
    /// Who issues the assertions.
    pub issuer: String,
    /// For whom.
    pub subject: String,
    /// To whom.
    pub audience: String,
}

/// Whether there is a message trace, and whether it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// It answers.
    Ready,
    /// The service principal of the trace is missing: every request is refused with the 401 that says so.
    NotProvisioned,
    /// This cloud has none.
    Absent,
}

/// The limits of Microsoft Graph that the tenant enforces.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests of an app to a mailbox in ten minutes.
    pub mailbox_requests: usize,
    /// Requests of an app to a mailbox at the same time.
    pub mailbox_concurrency: usize,
    /// Octets that an app uploads to a mailbox in five minutes.
    pub upload_octets: usize,
    /// Requests to the message trace in five minutes, all apps together.
    pub trace_requests: usize,
    /// Hunting queries in a minute, all apps together.
    pub hunting_queries: usize,
    /// Requests of an app in ten seconds.
    pub app_requests: usize,
    /// Resource units that an app may use in the directory in ten seconds.
    pub directory_units: usize,
    /// What `Retry-After` says, in seconds.
    pub retry_after: u32,
}

impl Default for Limits {
    /// As documented; `Retry-After` is short, because a demonstration is.
    fn default() -> Self {
        Self {
            mailbox_requests: 10_000,
            mailbox_concurrency: 4,
            upload_octets: 150 << 20,
            trace_requests: 100,
            hunting_queries: 45,
            app_requests: 130_000,
            directory_units: 3_500,
            retry_after: 1,
        }
    }
}
