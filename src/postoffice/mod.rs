//! The embedded post office: a small mail world on loopback, for `mailflow demo` and the fast tests. SMTP in, IMAP out and, for its
//! simulated Microsoft 365 [`tenant`], Graph; real TCP and real TLS.
//!
//! The recipient's local part decides what becomes of a message (see [`fate::Fate`]). Everything lives in memory and ends with the
//! [`PostOffice`] value. It knows nothing of probes, tags or verdicts: it is the world, not the measurement. What it cannot show is the
//! slowness, the queues and the disk of real mail servers; the lab under `tests/` is for that.

mod alter;
mod answer;
mod bounce;
mod content;
mod courier;
pub mod directory;
pub mod fate;
mod headers;
mod imap;
mod office;
mod secrets;
mod smtp;
mod store;
pub mod tenant;
mod tls;
mod wire;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;

pub use self::store::{Limits, Place, Role, StoreError};

use self::office::{Door, Office};
use self::tenant::Tenant;

/// Tells the time for headers and internal dates.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How a post office is set up.
#[derive(Clone)]
pub struct Settings {
    /// The address to listen on. Anything but a loopback address is refused.
    pub bind: IpAddr,
    /// Plain mailboxes besides those that the fates bring: whole addresses.
    pub mailboxes: Vec<String>,
    /// Further names and addresses that the certificate is to be valid for.
    pub names: Vec<String>,
    /// Tells the time.
    pub clock: Clock,
    /// What the store may hold.
    pub limits: Limits,
    /// The largest message in octets (SIZE).
    pub message_bytes: usize,
    /// Connections at the same time, over all listeners.
    pub connections: usize,
    /// The simulated Microsoft 365 tenant, if there is to be one.
    pub tenant: Option<tenant::Config>,
}

impl Settings {
    /// Loopback, the mailboxes `probe@sender.example` and `probe@contoso.example`, and room enough for thousands of probes.
    pub fn new(clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self {
            bind: Ipv4Addr::LOCALHOST.into(),
            mailboxes: ["probe@sender.example", "probe@contoso.example"].map(str::to_owned).to_vec(),
            names: Vec::new(),
            clock: Arc::new(clock),
            limits: Limits {
                messages: 50_000,
                bytes: 256 << 20,
                mailboxes: 10_000,
                folders: 100,
            },
            message_bytes: 4 << 20,
            connections: 6_000,
            tenant: None,
        }
    }
}

/// Where the listeners are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Submission (RFC 6409): STARTTLS and AUTH required. Certificate name: `smtp.sender.example`.
    pub submission: SocketAddr,
    /// Submission over implicit TLS (RFC 8314): AUTH required.
    pub submissions: SocketAddr,
    /// An MX that offers STARTTLS and refuses GTUBE and the test virus. Certificate name: `gateway-a.contoso.example`.
    pub gateway_a: SocketAddr,
    /// An MX that offers STARTTLS, tags subjects and greylists. Certificate name: `gateway-b.contoso.example`.
    pub gateway_b: SocketAddr,
    /// The MX of the tenant, which offers STARTTLS, if there is a tenant. Certificate name: `mx.tenant.example`.
    pub edge: Option<SocketAddr>,
    /// IMAP with STARTTLS. Certificate name: `imap.contoso.example`.
    pub imap: SocketAddr,
    /// IMAP over implicit TLS.
    pub imaps: SocketAddr,
}

/// One stored copy of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The login of the mailbox.
    pub mailbox: String,
    /// The folder's name in UTF-8.
    pub folder: String,
    /// The octets.
    pub raw: Arc<[u8]>,
}

/// A running post office. Dropping it closes every listener and connection and forgets all mail.
pub struct PostOffice {
    office: Arc<Office>,
    addresses: Addresses,
    ca_pem: String,
}

impl PostOffice {
    /// Opens all listeners on ports that the system chooses.
    ///
    /// # Errors
    /// When the address is no loopback address, or nothing can be bound there, or a name is no name.
    pub async fn open(settings: Settings) -> io::Result<Self> {
        if !settings.bind.is_loopback() {
            let why = format!("the post office listens on loopback only, not on {}", settings.bind);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let identity = tls::identity(certificate_names(&settings.names))?;
        let office = Arc::new(Office::new(&settings, identity.acceptor)?);
        let open = async |door| -> io::Result<SocketAddr> {
            let listener = TcpListener::bind((settings.bind, 0)).await?;
            let address = listener.local_addr()?;
            office.spawn(office::listen(Arc::clone(&office), listener, door));
            Ok(address)
        };
        let mut edge = None;
        if let Some(config) = settings.tenant.clone() {
            edge = Some(open(Door::Edge).await?);
            let (clock, acceptor) = (Arc::clone(&settings.clock), office.acceptor.clone());
            let tenant = Tenant::open(config, clock, settings.bind, acceptor, identity.ca_pem.clone()).await?;
            // The office owns the tenant, so the tenant must not own the office.
            let home = Arc::downgrade(&office);
            tenant.on_leaving(move |mail| {
                if let Some(office) = home.upgrade() {
                    office.take(mail);
                }
            });
            // Set here and nowhere else.
            let _ = office.tenant.set(tenant);
        }
        let addresses = Addresses {
            edge,
            submission: open(Door::Submission).await?,
            submissions: open(Door::Submissions).await?,
            gateway_a: open(Door::GatewayA).await?,
            gateway_b: open(Door::GatewayB).await?,
            imap: open(Door::Imap).await?,
            imaps: open(Door::Imaps).await?,
        };
        Ok(Self {
            office,
            addresses,
            ca_pem: identity.ca_pem,
        })
    }

    /// Where the listeners are.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The certificate of the CA that signed the servers' certificate, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The simulated Microsoft 365 tenant, if the settings asked for one.
    pub fn tenant(&self) -> Option<&Tenant> {
        self.office.tenant.get()
    }

    /// The password of a login: an address with a mailbox, or `watcher`, whose password opens any mailbox as `mailbox*watcher`.
    pub fn password(&self, login: &str) -> String {
        self.office.secrets.password(login)
    }

    /// The XOAUTH2 token of a login.
    pub fn token(&self, login: &str) -> String {
        self.office.secrets.token(login)
    }

    /// Puts a message straight into a folder and returns UIDVALIDITY and UID.
    ///
    /// # Errors
    /// When the folder does not exist or the store is full.
    pub fn append(&self, mailbox: &str, place: Place<'_>, raw: &[u8]) -> Result<(u32, u32), StoreError> {
        let now = (self.office.clock)();
        self.office
            .store
            .append(&mailbox.to_lowercase(), place, Arc::from(raw), BTreeSet::new(), now)
    }

    /// Every copy of a message in all mailboxes, by its Message-ID with the brackets.
    pub fn copies(&self, message_id: &str) -> Vec<Copy> {
        let found = self.office.store.find(message_id).into_iter();
        found.map(|(mailbox, folder, raw)| Copy { mailbox, folder, raw }).collect()
    }

    /// How many messages a mailbox holds, in all of its folders.
    pub fn messages(&self, mailbox: &str) -> usize {
        let count = |mailbox: &store::Mailbox| mailbox.folders.iter().map(|folder| folder.messages.len()).sum();
        self.office.store.read(&mailbox.to_lowercase(), count).unwrap_or_default()
    }

    /// Cuts every IMAP connection.
    pub fn cut_imap(&self) {
        self.office.cut(None);
    }

    /// Refuses logins to a mailbox, and cuts its IMAP connections, until [`PostOffice::reopen_mailbox`].
    pub fn close_mailbox(&self, mailbox: &str) {
        self.office.close_mailbox(&mailbox.to_lowercase());
    }

    /// Lets logins to a mailbox in again.
    pub fn reopen_mailbox(&self, mailbox: &str) {
        self.office.reopen_mailbox(&mailbox.to_lowercase());
    }

    /// Refuses mail for an address as if it did not exist, until it is told otherwise.
    pub fn refuse_mail(&self, address: &str, refuse: bool) {
        self.office.refuse_mail(address, refuse);
    }

    /// Gives a folder a new UIDVALIDITY, which is returned, and its messages new UIDs. Sessions that have it selected end.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn change_uid_validity(&self, mailbox: &str, place: Place<'_>) -> Result<u32, StoreError> {
        self.office.store.renumber(&mailbox.to_lowercase(), place)
    }
}

impl Drop for PostOffice {
    fn drop(&mut self) {
        self.office.close();
    }
}

impl std::fmt::Debug for PostOffice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostOffice")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

fn certificate_names(more: &[String]) -> Vec<String> {
    let ours = [
        "localhost",
        "127.0.0.1",
        "::1",
        "*.sender.example",
        "*.contoso.example",
        "*.fabrikam.example",
        "*.tenant.example",
    ];
    let mut names: Vec<String> = ours.map(str::to_owned).to_vec();
    names.extend(more.iter().filter(|name| !ours.contains(&name.as_str())).cloned());
    names
}

#[cfg(test)]
mod tests;
