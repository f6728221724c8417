//! Handing probes to the mail system. A [`Sender`] makes one attempt at a time and tells what came of it; whether, when and how often to try
//! again is the loop's business. What a sender cannot see: what happens to a message after the next hop took it.
//!
//! From the bottom up: `wire` (bounded bytes and replies), `session` (one conversation) and `opening` (how it comes about: EHLO, STARTTLS, `auth`),
//! `transaction` (one message), `pool` and `client` (one attempt at one host), and the senders on top: `smtp` to a named host, `mx` to the
//! hosts that the DNS names. Beside them, `dkim` signs what leaves, and `ownership` asks the DNS whose a domain is.

mod auth;
mod client;
mod dkim;
mod dns;
mod ehlo;
mod envelope;
mod failure;
mod graph;
mod mx;
mod opening;
mod ownership;
mod pace;
mod pool;
mod reply;
mod session;
mod settings;
mod smtp;
mod transaction;
mod wire;

pub use dkim::Signer;
pub use graph::GraphSender;
pub use mx::MxSender;
pub use ownership::{OwnershipRecord, prove};
pub use settings::{Conduct, Timeouts};
pub use smtp::SmtpSender;

use crate::model::{Attempt, ProbeId, Tag};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A message ready to go.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The probe it carries.
    pub probe: ProbeId,
    /// Its tag: the `ENVID` of RFC 3461.
    pub tag: Tag,
    /// The envelope sender.
    pub envelope_sender: String,
    /// The one recipient.
    pub recipient: String,
    /// For a named host: the host, and the address to connect to instead.
    pub hop: Option<(String, Option<String>)>,
    /// The message: RFC 5322, lines ended by CRLF, not yet dot-stuffed.
    pub message: Arc<[u8]>,
}

/// The mail system's answer: any SMTP reply, refusals included, or what the DNS says for good.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The attempt, with the reply.
    pub attempt: Attempt,
    /// Whether a further host may be asked at once (the next MX).
    pub more_hosts: bool,
}

/// The mail system could not be talked to: no connection, no TLS, a refused login, a reply that is none, a cut connection.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", attempt.reply)]
pub struct Trouble {
    /// The attempt, with a reply of our own that says what went wrong, and `in_doubt` if the message may have been taken.
    pub attempt: Attempt,
    /// Whether a further host may be asked at once (the next MX).
    pub more_hosts: bool,
    /// Whether trying again would only repeat it (a refused login, no TLS where it is required).
    pub hopeless: bool,
}

/// The right to make one attempt: a place among the route's connections, within its rate. Held until the attempt has ended.
#[derive(Debug)]
pub struct Permit(pub Option<OwnedSemaphorePermit>);

/// One route into the mail system. Cheap to share; the attempts of many probes run at the same time.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Waits for a place among the route's connections and for its rate.
    async fn ready(&self) -> Permit;

    /// Makes one attempt: the `tries`-th for this probe, counted from 0 (a route with several hosts takes the next one each time). Ends within a
    /// bounded time, whatever the peer does.
    ///
    /// # Errors
    /// [`Trouble`] if the mail system could not be talked to. A refusal is an [`Answer`].
    async fn send(&self, permit: &Permit, parcel: &Parcel, tries: u32) -> Result<Answer, Trouble>;

    /// Connects, negotiates TLS and signs in, and sends nothing: for `mailflow check`. `hop` as in [`Parcel`]; `recipient` tells an MX route
    /// the domain to look up. Returns a sentence that says what was found.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    async fn check(&self, hop: Option<&(String, Option<String>)>, recipient: &str) -> Result<String, String>;

    /// Ends idle connections politely (`QUIT`).
    async fn close(&self);
}
