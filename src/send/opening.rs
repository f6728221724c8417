//! The way from a connection to a session in which a message may be sent: greeting, EHLO, STARTTLS, sign-in.
//!
//! What it cannot see: whether the host that answers is the one meant, unless TLS is required and its certificate holds.

use super::{
    auth,
    ehlo::{self, Offers},
    failure::{Failure, Kind, Stage, positive},
    session::{Access, At, Session, Target},
    wire::{Wire, in_words},
};
use crate::{
    model::{Tls, TlsMode},
    tls::is_lasting,
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// So many addresses of one host are tried in one attempt.
const ADDRESSES: usize = 4;

/// A session in the making; keeps what an early end must tell.
pub(super) struct Opening<'a> {
    access: &'a Access,
    target: &'a Target,
    /// Why TLS is left alone this time.
    without_tls: Option<String>,
    host: String,
    tls: Option<Tls>,
}

impl<'a> Opening<'a> {
    pub fn new(access: &'a Access, target: &'a Target, without_tls: Option<String>) -> Self {
        Self {
            access,
            target,
            without_tls,
            host: target.name.clone(),
            tls: None,
        }
    }

    pub async fn run(mut self) -> Result<Session, Box<Failure>> {
        self.open().await.map_err(|failure| {
            Box::new(Failure {
                host: Some(self.host),
                tls: self.tls,
                ..*failure
            })
        })
    }

    async fn open(&mut self) -> Result<Session, Box<Failure>> {
        let limit = self.access.timeouts.command;
        let (stream, peer) = connect(&self.target.at, self.access.timeouts.connect).await?;
        self.host = shown(&self.target.name, peer);
        let local = stream.local_addr().unwrap_or(peer);
        let mut wire = Wire::new(stream);
        if self.access.mode == TlsMode::Implicit {
            wire = self.encrypt(wire, Stage::Connect).await?;
        }
        let mut session = Session {
            wire,
            peer,
            host: self.host.clone(),
            tls: self.tls.clone(),
            offers: Offers::default(),
            signed_in: None,
            unfinished: false,
            usable: true,
        };
        let greeting = session.hear(Stage::Greeting, limit).await?;
        if let Err(failure) = positive(Stage::Greeting, greeting) {
            session.quit().await;
            return Err(failure);
        }
        say_ehlo(&mut session, self.access, local).await?;
        if let Some(reason) = &self.without_tls {
            self.host = format!("{}, in the clear because TLS failed: {reason}", self.host);
            session.host.clone_from(&self.host);
        } else if matches!(self.access.mode, TlsMode::Required | TlsMode::Opportunistic) {
            session = self.starttls(session, local).await?;
        }
        if let Some(credentials) = &self.access.credentials {
            session.signed_in = Some(auth::sign_in(&mut session, credentials, limit).await?);
        }
        Ok(session)
    }

    async fn starttls(&mut self, mut session: Session, local: SocketAddr) -> Result<Session, Box<Failure>> {
        let required = self.access.mode == TlsMode::Required;
        if !session.offers.starttls {
            return if required {
                let text = "the server does not offer STARTTLS, and the route requires TLS: nothing was sent";
                Err(Failure::hopeless(Stage::Starttls, text))
            } else {
                Ok(session)
            };
        }
        let exchanged = session
            .exchange("STARTTLS\r\n", Stage::Starttls, self.access.timeouts.command)
            .await;
        let reply = exchanged.map_err(|failure| {
            let without_tls = failure.kind != Kind::Answer;
            Box::new(Failure { without_tls, ..*failure })
        })?;
        if !reply.is_positive() {
            if required || reply.code == 421 || !reply.is_refusal() {
                return positive(Stage::Starttls, reply).map(|_| session);
            }
            self.host = format!("{}, in the clear because STARTTLS was refused: {}", self.host, reply.kept());
            session.host.clone_from(&self.host);
            return Ok(session);
        }
        // What came before the handshake was not protected by it: an attacker's, or a broken server's (CVE-2011-0411).
        if session.wire.is_ahead() {
            let text =
                "the server sent plain text after its reply to STARTTLS; the connection was given up, as somebody may have put it there";
            return Err(Failure::trouble(Stage::Starttls, text));
        }
        let wire = self.encrypt(session.wire, Stage::Starttls).await?;
        let mut session = Session {
            wire,
            tls: self.tls.clone(),
            ..session
        };
        // What was offered in the clear counts no longer (RFC 3207 section 4.2).
        say_ehlo(&mut session, self.access, local).await?;
        Ok(session)
    }

    async fn encrypt(&mut self, wire: Wire, stage: Stage) -> Result<Wire, Box<Failure>> {
        let Some(connector) = &self.access.connector else {
            return Err(Failure::hopeless(stage, "TLS is not set up for this route"));
        };
        match wire.encrypt(connector, &self.target.name, self.access.timeouts.command).await {
            Ok((wire, tls)) => {
                self.tls = Some(tls);
                Ok(wire)
            }
            Err(error) => {
                let text = in_words(&error);
                let failure = if is_lasting(&error) {
                    Failure::hopeless(stage, text)
                } else {
                    Failure::trouble(stage, text)
                };
                Err(Box::new(Failure {
                    without_tls: true,
                    ..*failure
                }))
            }
        }
    }
}

/// EHLO, or HELO with a server that does not know it (RFC 5321 section 3.2).
async fn say_ehlo(session: &mut Session, access: &Access, local: SocketAddr) -> Result<(), Box<Failure>> {
    let limit = access.timeouts.command;
    let name = ehlo::our_name(&access.host_name, local.ip());
    let reply = session.exchange(&format!("EHLO {name}\r\n"), Stage::Ehlo, limit).await?;
    if reply.is_positive() {
        session.offers = Offers::of(&reply);
        return Ok(());
    }
    session.offers = Offers::default();
    if reply.code < 500 {
        return positive(Stage::Ehlo, reply).map(|_| ());
    }
    let reply = session.exchange(&format!("HELO {name}\r\n"), Stage::Ehlo, limit).await?;
    positive(Stage::Ehlo, reply).map(|_| ())
}

/// Connects to the first address that answers.
async fn connect(at: &At, limit: Duration) -> Result<(TcpStream, SocketAddr), Box<Failure>> {
    let addresses = match at {
        At::Addresses(addresses) => addresses.clone(),
        At::Name(host, port) => {
            let looked_up = timeout(limit, lookup_host((host.as_str(), *port))).await;
            let found = looked_up.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
            let found = found.map_err(|error| Failure::trouble(Stage::Dns, format!("no address for {host}: {}", in_words(&error))))?;
            found.collect()
        }
    };
    let mut tried = Vec::new();
    for address in addresses.into_iter().take(ADDRESSES) {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without this the final dot may wait for the server's delayed acknowledgement: 40 ms that are not the mail system's.
                let _ = stream.set_nodelay(true);
                return Ok((stream, address));
            }
            Ok(Err(error)) => tried.push(format!("{address}: {}", in_words(&error))),
            Err(_) => tried.push(format!("{address}: no answer within {limit:?}")),
        }
    }
    let tried = if tried.is_empty() {
        "it has no address".to_owned()
    } else {
        tried.join("; ")
    };
    Err(Failure::trouble(Stage::Connect, format!("no connection to {tried}")))
}

/// The host as attempts are kept with.
fn shown(name: &str, peer: SocketAddr) -> String {
    if name.trim_matches(['[', ']']) == peer.ip().to_string() {
        peer.to_string()
    } else {
        format!("{name} [{}]:{}", peer.ip(), peer.port())
    }
}
