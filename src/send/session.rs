//! An SMTP session: whom it is with, what was agreed on, and its commands and replies. How one is opened is told in `opening.rs`.

use super::{
    ehlo::Offers,
    failure::{Failure, Stage},
    reply::RawReply,
    settings::Timeouts,
    wire::Wire,
};
use crate::{
    credentials::Credentials,
    model::{Tls, TlsMode},
    tls::Connector,
};
use std::{net::SocketAddr, time::Duration};

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The host's name: shown, and what its certificate must bear.
    pub name: String,
    /// Its addresses, or how to find them.
    pub at: At,
}

/// Where a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// Behind a name that the system resolves (or an address), and a port.
    Name(String, u16),
    /// At the first of these addresses that answers.
    Addresses(Vec<SocketAddr>),
}

/// How a host is entered.
#[derive(Debug)]
pub(super) struct Access {
    pub mode: TlsMode,
    /// `None` only with [`TlsMode::None`].
    pub connector: Option<Connector>,
    pub credentials: Option<Credentials>,
    pub host_name: String,
    pub timeouts: Timeouts,
}

/// A session that stands.
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) peer: SocketAddr,
    pub(super) host: String,
    pub(super) tls: Option<Tls>,
    pub(super) offers: Offers,
    /// By which mechanism somebody signed in.
    pub(super) signed_in: Option<&'static str>,
    /// Whether a transaction was begun and not ended: RSET must come before the next.
    pub(super) unfinished: bool,
    /// Whether a further transaction may be tried.
    pub(super) usable: bool,
}

impl Session {
    /// A session on a connection that was just opened, to `peer`.
    pub fn new(wire: Wire, host: String, peer: SocketAddr) -> Self {
        Self {
            wire,
            peer,
            host,
            tls: None,
            offers: Offers::default(),
            signed_in: None,
            unfinished: false,
            usable: true,
        }
    }

    /// The host as connected to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What was negotiated.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// What the server offers now.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// By which mechanism somebody signed in.
    pub fn signed_in(&self) -> Option<&'static str> {
        self.signed_in
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.wire.is_encrypted()
    }

    /// Whether the server is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.peer.ip().to_canonical().is_loopback()
    }

    /// Writes a command and reads its reply. If the command cannot be written, the refusal that the server left behind is the reply.
    pub async fn exchange(&mut self, line: &str, stage: Stage, limit: Duration) -> Result<RawReply, Box<Failure>> {
        self.say(line, stage, limit).await?;
        self.hear(stage, limit).await
    }

    /// Writes without waiting for a reply.
    pub async fn say(&mut self, line: &str, stage: Stage, limit: Duration) -> Result<(), Box<Failure>> {
        let Err(broken) = self.wire.write(line.as_bytes(), limit).await else {
            return Ok(());
        };
        self.usable = false;
        Err(match self.wire.last_words().await {
            Some(reply) => Failure::refused(stage, &reply),
            None => Failure::broken(stage, &broken),
        })
    }

    /// Reads a reply.
    pub async fn hear(&mut self, stage: Stage, limit: Duration) -> Result<RawReply, Box<Failure>> {
        let reply = self.wire.reply(limit).await;
        if reply.as_ref().map_or(true, |reply| reply.code == 421) {
            self.usable = false;
        }
        reply.map_err(|broken| Failure::broken(stage, &broken))
    }

    /// Ends the session politely: QUIT, and its reply if that comes soon.
    pub async fn quit(mut self) {
        if self.wire.write(b"QUIT\r\n", FAREWELL).await.is_ok() {
            let _ = self.wire.reply(FAREWELL).await;
        }
    }
}
