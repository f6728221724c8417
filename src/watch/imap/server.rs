//! One IMAP server: how to reach it, how patient to be with it, and how much to ask of it. Shared by all of its watchers.

use super::budget::Budget;
use crate::{
    model::{Endpoint, TlsMode},
    tls::{self, Connector, Verify},
};
use std::time::Duration;

/// How long the steps of talking to a server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Connecting, to all addresses of the host together.
    pub connect: Duration,
    /// The TLS handshake, the greeting, each step of signing in, and every command but the next.
    pub command: Duration,
    /// Fetching one whole message, listing the folders of many mailboxes, or deleting.
    pub bulk: Duration,
    /// From connecting until the folders are known; and how long to wait for a turn while nobody else gets in either. Then the mailbox is
    /// called blind, and opened again later.
    pub opening: Duration,
}

impl Patience {
    /// These, but no step longer than `longest`.
    #[must_use]
    pub fn at_most(self, longest: Duration) -> Self {
        Self {
            connect: self.connect.min(longest),
            command: self.command.min(longest),
            bulk: self.bulk.min(longest),
            opening: self.opening.min(longest),
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            command: Duration::from_secs(30),
            bulk: Duration::from_mins(2),
            opening: Duration::from_secs(45),
        }
    }
}

/// A server and what its watchers share.
#[derive(Debug)]
pub struct Server {
    pub(super) endpoint: Endpoint,
    pub(super) budget: Budget,
    pub(super) patience: Patience,
    /// Why there can be no TLS, if so: it is said when the connection is opened.
    connector: Result<Connector, String>,
}

impl Server {
    /// The server at `endpoint`.
    pub fn new(endpoint: Endpoint, budget: Budget, patience: Patience) -> Self {
        let verify = match endpoint.tls {
            TlsMode::Implicit | TlsMode::Required => Verify::Strict,
            TlsMode::Opportunistic | TlsMode::None => Verify::Record,
        };
        let connector = tls::connector(endpoint.ca.as_deref(), verify);
        Self {
            endpoint,
            budget,
            patience,
            connector,
        }
    }

    /// What opens TLS.
    pub(super) fn connector(&self) -> Result<&Connector, String> {
        self.connector.as_ref().map_err(Clone::clone)
    }

    /// Host and port to connect to.
    pub(super) fn address(&self) -> (&str, u16) {
        let Some(connect) = self.endpoint.connect.as_deref() else {
            return (bare(&self.endpoint.host), self.endpoint.port);
        };
        // `ADDRESS`, `ADDRESS:PORT`, `[V6]`, `[V6]:PORT`, or a bare IPv6 address, which has more than one colon.
        match connect.rsplit_once(':') {
            Some((host, port)) if !bare_v6(connect) => match port.parse() {
                Ok(port) => (bare(host), port),
                Err(_) => (bare(connect), self.endpoint.port),
            },
            _ => (bare(connect), self.endpoint.port),
        }
    }
}

fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn bare_v6(address: &str) -> bool {
    !address.starts_with('[') && address.matches(':').count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_may_go_elsewhere() {
        let address = |connect: Option<&str>| {
            let endpoint = Endpoint {
                host: "imap.example".into(),
                port: 993,
                connect: connect.map(str::to_owned),
                tls: TlsMode::None,
                ca: None,
            };
            let server = Server::new(endpoint, Budget::default(), Patience::default());
            let (host, port) = server.address();
            format!("{host} {port}")
        };
        assert_eq!(address(None), "imap.example 993");
        assert_eq!(address(Some("127.0.0.1")), "127.0.0.1 993");
        assert_eq!(address(Some("127.0.0.1:1143")), "127.0.0.1 1143");
        assert_eq!(address(Some("[::1]:1143")), "::1 1143");
        assert_eq!(address(Some("[::1]")), "::1 993");
        assert_eq!(address(Some("fe80::1")), "fe80::1 993");
    }
}
