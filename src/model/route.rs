//! Routes: the ways a probe enters the mail system.

use super::{GraphAccess, Place, SignIn};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// A route of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its key under `routes:`.
    pub name: String,
    /// What it does.
    pub kind: RouteKind,
    /// The sender that it uses (a key under `senders:`).
    pub sender: String,
    /// Whether scenarios that name no route use it.
    pub default: bool,
    /// How many connections it may hold at once (with `mx`: to each host).
    pub connections: u16,
    /// How quickly messages may leave.
    pub rate: Option<Rate>,
    /// Where the site describes it.
    pub place: Place,
}

/// The kinds of route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteKind {
    /// To a named host: submission, or a gateway.
    Smtp(SmtpRoute),
    /// To the MX hosts of the recipient's domain (RFC 5321 section 5.1).
    Mx(MxRoute),
    /// From a mailbox of Microsoft 365, by Graph: from inside the tenant.
    Graph(GraphAccess),
}

/// A named SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpRoute {
    /// The server. Its host may hold `{domain.NAME}`, and so may its `connect`.
    pub endpoint: Endpoint,
    /// Who signs in, if anybody.
    pub sign_in: Option<SignIn>,
}

/// Delivery by DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxRoute {
    /// The DNS server to ask; `None`: the system's.
    pub resolver: Option<SocketAddr>,
    /// The port of the MX hosts: 25, except in a lab.
    pub port: u16,
    /// Opportunistic, or required.
    pub tls: TlsMode,
    /// A private CA, PEM.
    pub ca: Option<PathBuf>,
}

/// A server to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The host that the certificate must name.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Where to connect instead (`ADDRESS[:PORT]`), while the certificate must still name `host`.
    pub connect: Option<String>,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// A private CA to trust beside the system's, PEM.
    pub ca: Option<PathBuf>,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// STARTTLS, with a certificate that holds; without it nothing is sent.
    Required,
    /// STARTTLS where offered, whatever the certificate; what came of it is recorded (RFC 7435).
    Opportunistic,
    /// In the clear.
    None,
}

/// At most `messages` in each `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many messages.
    pub messages: u32,
    /// In which time.
    pub per: Duration,
}
