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
use crate::{model::TlsMode, tls::is_lasting};
use lettre::transport::smtp::extension::ClientId;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// So many addresses of one host are tried in one attempt.
const ADDRESSES: usize = 4;

/// Opens a session with the host at `target`. With opportunistic TLS whose handshake fails, once more without it.
pub(super) async fn open(access: &Access, target: &Target) -> Result<Session, Box<Failure>> {
    match open_once(access, target, None).await {
        Err(failure) if failure.without_tls && access.mode == TlsMode::Opportunistic => {
            open_once(access, target, Some(failure.reply.text)).await
        }
        outcome => outcome,
    }
}

/// `without_tls` says why TLS is left alone this time.
async fn open_once(access: &Access, target: &Target, without_tls: Option<String>) -> Result<Session, Box<Failure>> {
    let (stream, peer) = connect(&target.at, access.timeouts.connect).await?;
    let local = stream.local_addr().unwrap_or(peer).ip();
    let mut session = Session::new(Wire::new(stream), shown(&target.name, peer), peer);
    let opening = Opening {
        access,
        target,
        our_name: ehlo::our_name(&access.host_name, local),
    };
    match opening.run(&mut session, without_tls).await {
        Ok(()) => Ok(session),
        Err(failure) => {
            let failure = Box::new(Failure {
                host: Some(session.host.clone()),
                tls: session.tls.clone(),
                ..*failure
            });
            if session.usable {
                session.quit().await;
            }
            Err(failure)
        }
    }
}

/// A session in the making.
struct Opening<'a> {
    access: &'a Access,
    target: &'a Target,
    our_name: ClientId,
}

impl Opening<'_> {
    async fn run(&self, session: &mut Session, without_tls: Option<String>) -> Result<(), Box<Failure>> {
        let limit = self.access.timeouts.command;
        if self.access.mode == TlsMode::Implicit {
            self.encrypt(session, Stage::Connect).await?;
        }
        let greeting = session.hear(Stage::Greeting, limit).await?;
        positive(Stage::Greeting, greeting)?;
        self.ehlo(session).await?;
        if let Some(reason) = without_tls {
            session.host = format!("{}, in the clear because TLS failed: {reason}", session.host);
        } else if matches!(self.access.mode, TlsMode::Required | TlsMode::Opportunistic) {
            self.starttls(session).await?;
        }
        if let Some(credentials) = &self.access.credentials {
            session.signed_in = Some(auth::sign_in(session, credentials, limit).await?);
        }
        Ok(())
    }

    /// EHLO, or HELO with a server that does not know it (RFC 5321 section 3.2).
    async fn ehlo(&self, session: &mut Session) -> Result<(), Box<Failure>> {
        let limit = self.access.timeouts.command;
        let name = &self.our_name;
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

    async fn starttls(&self, session: &mut Session) -> Result<(), Box<Failure>> {
        let required = self.access.mode == TlsMode::Required;
        if !session.offers.starttls {
            return if required {
                let text = "the server does not offer STARTTLS, and the route requires TLS: nothing was sent";
                Err(Failure::hopeless(Stage::Starttls, text))
            } else {
                Ok(())
            };
        }
        let limit = self.access.timeouts.command;
        let reply = match session.exchange("STARTTLS\r\n", Stage::Starttls, limit).await {
            Ok(reply) => reply,
            Err(failure) => return Err(without_tls_perhaps(failure)),
        };
        if !reply.is_positive() {
            if required || reply.code == 421 || !reply.is_refusal() {
                return positive(Stage::Starttls, reply).map(|_| ());
            }
            session.host = format!("{}, in the clear because STARTTLS was refused: {}", session.host, reply.kept());
            return Ok(());
        }
        // What came before the handshake was not protected by it: an attacker's, or a broken server's (CVE-2011-0411).
        if session.wire.is_ahead() {
            session.usable = false;
            let text = "the server sent plain text after its reply to STARTTLS; the connection was given up: somebody may stand in between";
            return Err(Failure::trouble(Stage::Starttls, text));
        }
        self.encrypt(session, Stage::Starttls).await?;
        // What was offered in the clear counts no longer (RFC 3207 section 4.2).
        self.ehlo(session).await
    }

    async fn encrypt(&self, session: &mut Session, stage: Stage) -> Result<(), Box<Failure>> {
        let Some(connector) = &self.access.connector else {
            return Err(Failure::hopeless(stage, "TLS is not set up for this route"));
        };
        match session
            .wire
            .encrypt(connector, &self.target.name, self.access.timeouts.command)
            .await
        {
            Ok(tls) => {
                session.tls = Some(tls);
                Ok(())
            }
            Err(error) => {
                session.usable = false;
                let text = in_words(&error);
                Err(without_tls_perhaps(if is_lasting(&error) {
                    Failure::hopeless(stage, text)
                } else {
                    Failure::trouble(stage, text)
                }))
            }
        }
    }
}

/// Marks a failure of TLS: a connection without it may work, unless the server said that it will not.
fn without_tls_perhaps(mut failure: Box<Failure>) -> Box<Failure> {
    failure.without_tls = failure.kind != Kind::Answer;
    failure
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
