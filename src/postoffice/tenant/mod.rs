//! The simulated Microsoft 365 tenant: a token endpoint and Microsoft Graph over HTTPS on loopback, and mailboxes behind them.
//!
//! As everywhere in the post office, the recipient's local part decides what becomes of a message (see [`fate::Fate`]). Mail comes in by the post
//! office's SMTP doors, by `sendMail`, or by [`Tenant::deliver`]. It enforces Microsoft's documented limits and copies the service's known
//! oddities, and it remembers every request, so that a test can prove what a client asks for. What it cannot show is what nobody has written
//! down about the service; what is a guess is marked where it stands. It knows nothing of the client that it is there to test.

mod answer;
mod call;
pub mod config;
mod deliver;
mod exchange;
pub mod fate;
mod folders;
mod graph;
mod http;
mod ids;
mod ledger;
mod mailbox;
mod record;
pub mod residents;
mod stamp;
mod store;
mod throttle;
mod token;
mod trace;
mod usage;
mod world;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::{Clock, tls};

pub use self::config::{App, Config, Federation, Limits, Trace};
pub use self::record::Request;
pub use self::token::Decision;
pub use self::usage::Usage;

pub(super) use self::deliver::Letter;
pub(super) use self::exchange::{Entry, Protocol};
use self::world::World;

/// Mail that leaves the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The envelope sender; empty for a notification.
    pub sender: String,
    /// The recipient.
    pub recipient: String,
    /// The message.
    pub raw: Vec<u8>,
}

/// A copy of a message in a mailbox of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The well-known name of its folder, or the display name of one that has none.
    pub folder: String,
    /// The message as stored.
    pub raw: Arc<[u8]>,
}

/// A running tenant. Dropping it closes its listener and connections and forgets all mail.
pub struct Tenant {
    world: Arc<World>,
    address: SocketAddr,
    ca_pem: String,
    listener: JoinHandle<()>,
}

impl Tenant {
    /// Opens a tenant on loopback, on a port that the system chooses, with a certificate authority of its own.
    ///
    /// # Errors
    /// When nothing can be bound there, or the random numbers of the system fail.
    pub async fn start(config: Config, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> io::Result<Self> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let tls::Identity { ca_pem, acceptor } = tls::identity(names)?;
        Self::open(config, Arc::new(clock), Ipv4Addr::LOCALHOST.into(), acceptor, ca_pem).await
    }

    /// Opens a tenant with somebody else's certificate. Anything but a loopback address is refused.
    pub(super) async fn open(config: Config, clock: Clock, bind: IpAddr, acceptor: TlsAcceptor, ca_pem: String) -> io::Result<Self> {
        if !bind.is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the tenant listens on loopback only, not on {bind}"),
            ));
        }
        let listener = TcpListener::bind((bind, 0)).await?;
        let address = listener.local_addr()?;
        let world = Arc::new(World::new(config, clock));
        // Set here and nowhere else.
        let _ = world.root.set(format!("https://{address}"));
        Ok(Self {
            listener: tokio::spawn(http::listen(Arc::clone(&world), listener, acceptor)),
            world,
            address,
            ca_pem,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority that tokens are asked of: `{authority}/{tenant}/oauth2/v2.0/token`. The metadata service of a managed identity is here too.
    pub fn authority(&self) -> &str {
        self.world.root()
    }

    /// Where Graph is; its version follows: `{graph}/v1.0/users`. Its scope is `{graph}/.default`, or that of the real one.
    pub fn graph(&self) -> &str {
        self.world.root()
    }

    /// The certificate of the CA that signed the server's certificate, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Delivers a message that comes from outside, from its `Return-Path` or `From`, to an address of the tenant.
    pub fn deliver(&self, recipient: &str, raw: &[u8]) {
        let sender = super::headers::first(raw, "Return-Path").map(|path| path.trim_matches(['<', '>']).to_owned());
        let sender = sender.or_else(|| super::answer::from(raw)).unwrap_or_default();
        self.world.deliver(Letter {
            sender: &sender,
            recipient,
            raw,
            from_ip: "203.0.113.9",
            internal: false,
            spam: false,
        });
    }

    /// What was asked so far, in numbers: peaks, refusals, broken limits.
    pub fn usage(&self) -> Usage {
        self.world.throttle().usage()
    }

    /// What was asked so far, oldest first, without secrets.
    pub fn requests(&self) -> Vec<Request> {
        self.world.record().all()
    }

    /// Forgets what was asked so far; the numbers stay.
    pub fn forget_requests(&self) {
        self.world.record().clear();
    }

    /// Mail that left the tenant, if it stands alone; within a post office that takes it.
    pub fn outbox(&self) -> Vec<Outgoing> {
        self.world.state().outbox.clone()
    }

    /// The messages in a mailbox, hidden folders included, oldest first.
    pub fn copies(&self, address: &str) -> Vec<Copy> {
        let Some(resident) = self.world.residents.find(address) else {
            return Vec::new();
        };
        let mut state = self.world.state();
        let mailbox = state.store.open(&resident);
        let folders = mailbox.folders.iter();
        let copies = folders.flat_map(|folder| {
            let name = folder.well_known.map_or_else(|| folder.name.clone(), str::to_owned);
            mailbox.items(Some(folder.number)).map(move |item| Copy {
                folder: name.clone(),
                raw: Arc::clone(&item.raw),
            })
        });
        copies.collect()
    }

    /// Makes every token worthless that was issued so far.
    pub fn expire_tokens(&self) {
        let now = self.world.now();
        self.world.state().tokens.expire(now);
    }

    /// Makes every delta token worthless that was given so far: 410 `SyncStateNotFound`.
    pub fn expire_delta_tokens(&self) {
        self.world.state().delta_generation += 1;
    }

    /// Ends a sign-in by device code; whether there is one with this user code.
    pub fn sign_in(&self, user_code: &str, decision: Decision) -> bool {
        self.world.sign_in(user_code, decision)
    }

    /// Delivers a message that came in by a door of the post office.
    pub(super) fn take(&self, letter: Letter<'_>) {
        self.world.deliver(letter);
    }

    /// What becomes of a sign-in by XOAUTH2 at a door of the post office.
    pub(super) fn enter(&self, protocol: Protocol, user: &str, token: &str) -> Entry {
        self.world.enter(protocol, user, token)
    }

    /// Sets, once, who takes mail that leaves the tenant.
    pub(super) fn on_leaving(&self, post: impl Fn(Outgoing) + Send + Sync + 'static) {
        self.world.on_leaving(post);
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        // Its connections are tasks of the listener and end with it.
        self.listener.abort();
    }
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant").field("address", &self.address).finish_non_exhaustive()
    }
}
