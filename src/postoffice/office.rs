//! What all sessions of one post office share, and the loop that accepts connections.
//!
//! Cannot see protocols: `smtp` and `imap` speak them, `courier` delivers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::directory::Directory;
use super::secrets::Secrets;
use super::store::Store;
use super::tenant::Tenant;
use super::tenant::residents::Residents;
use super::wire::Wire;
use super::{Clock, Settings, imap, smtp};

/// How long a first contact is turned away by greylisting.
const GREY: Duration = Duration::from_secs(1);
/// The unit in which room for messages on their way is counted.
const ROOM: usize = 1024;
/// The most first contacts that are remembered; beyond, nothing is greylisted.
const GREYLIST_SIZE: usize = 10_000;

/// A listener, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// Submission with STARTTLS.
    Submission,
    /// Submission over implicit TLS.
    Submissions,
    /// The MX that refuses GTUBE.
    GatewayA,
    /// The MX that tags subjects and greylists.
    GatewayB,
    /// The MX of the simulated Microsoft 365 tenant.
    Edge,
    /// IMAP with STARTTLS.
    Imap,
    /// IMAP over implicit TLS.
    Imaps,
}

impl Door {
    /// The host name that greets there.
    pub fn host(self) -> &'static str {
        match self {
            Self::Submission | Self::Submissions => "smtp.sender.example",
            Self::GatewayA => "gateway-a.contoso.example",
            Self::GatewayB => "gateway-b.contoso.example",
            Self::Edge => "mx.tenant.example",
            Self::Imap | Self::Imaps => "imap.contoso.example",
        }
    }

    /// Whether mail of authenticated senders only is taken.
    pub fn is_submission(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }

    fn is_implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Imaps)
    }
}

/// The post office behind all doors.
pub struct Office {
    /// Who lives here.
    pub directory: Directory,
    /// Their mail.
    pub store: Store,
    /// Their passwords.
    pub secrets: Secrets,
    /// The time.
    pub clock: Clock,
    /// The servers' side of TLS.
    pub acceptor: TlsAcceptor,
    /// The largest message in octets.
    pub message_bytes: usize,
    /// The simulated Microsoft 365 tenant, if there is one.
    pub tenant: OnceLock<Tenant>,
    /// Orders to IMAP sessions to end: all, or those of one mailbox.
    cuts: broadcast::Sender<Option<String>>,
    closed: Mutex<BTreeSet<String>>,
    /// Addresses that no mail is taken for.
    refused: Mutex<BTreeSet<String>>,
    /// Whether a triple of door, sender and recipient has waited long enough.
    greylist: Mutex<BTreeMap<(Door, String, String), bool>>,
    serial: AtomicU64,
    connections: Arc<Semaphore>,
    /// Room for messages that are being received or wait for their delivery, in units of [`ROOM`] octets.
    rooms: Arc<Semaphore>,
    /// Everything that runs; `None` once closed.
    tasks: Mutex<Option<JoinSet<()>>>,
}

impl Office {
    /// An office without listeners.
    ///
    /// # Errors
    /// When the random numbers of the system fail.
    pub fn new(settings: &Settings, acceptor: TlsAcceptor) -> io::Result<Self> {
        let now = (settings.clock)().timestamp();
        Ok(Self {
            directory: Directory::new(
                &settings.mailboxes,
                settings.tenant.as_ref().map(|t| Residents::new(&t.domain, &t.mailboxes)),
            ),
            // Seconds of the clock, so that a later post office does not pass for the same store.
            store: Store::new(settings.limits, u32::try_from(now).unwrap_or(1)),
            secrets: Secrets::new()?,
            clock: Arc::clone(&settings.clock),
            acceptor,
            message_bytes: settings.message_bytes,
            tenant: OnceLock::new(),
            cuts: broadcast::Sender::new(64),
            closed: Mutex::default(),
            refused: Mutex::default(),
            greylist: Mutex::default(),
            serial: AtomicU64::new(1),
            connections: Arc::new(Semaphore::new(settings.connections)),
            rooms: Arc::new(Semaphore::new((settings.limits.bytes / ROOM).clamp(1, Semaphore::MAX_PERMITS))),
            tasks: Mutex::new(Some(JoinSet::new())),
        })
    }

    /// Runs something until it ends or the office closes.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = lock(&self.tasks).as_mut() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(work);
        }
    }

    /// Does something after a pause, unless the office closes before.
    pub fn later(self: &Arc<Self>, pause: Duration, work: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let office = Arc::clone(self);
        self.spawn(async move {
            tokio::time::sleep(pause).await;
            work(&office);
        });
    }

    /// Stops everything.
    pub fn close(&self) {
        drop(lock(&self.tasks).take());
    }

    /// A queue id, unique in this office.
    pub fn queue_id(&self) -> String {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        format!("{:08X}{serial:06X}", (self.clock)().timestamp() & 0xffff_ffff)
    }

    /// A Message-ID for mail that the office writes itself, with its brackets.
    pub fn message_id(&self) -> String {
        format!("<{}@postoffice.example>", self.queue_id())
    }

    /// Tells IMAP sessions to end: all of them, or those of one mailbox.
    pub fn cut(&self, mailbox: Option<String>) {
        // Without a session nobody listens.
        let _ = self.cuts.send(mailbox);
    }

    /// Where IMAP sessions hear that they must end.
    pub fn cuts(&self) -> broadcast::Receiver<Option<String>> {
        self.cuts.subscribe()
    }

    /// Refuses logins to a mailbox and ends its sessions.
    pub fn close_mailbox(&self, mailbox: &str) {
        lock(&self.closed).insert(mailbox.to_owned());
        self.cut(Some(mailbox.to_owned()));
    }

    /// Lets logins in again.
    pub fn reopen_mailbox(&self, mailbox: &str) {
        lock(&self.closed).remove(mailbox);
    }

    /// Refuses mail for an address, or takes it again.
    pub fn refuse_mail(&self, address: &str, refuse: bool) {
        if refuse {
            lock(&self.refused).insert(address.to_lowercase());
        } else {
            lock(&self.refused).remove(&address.to_lowercase());
        }
    }

    /// Whether mail for an address is refused.
    pub fn refuses_mail(&self, address: &str) -> bool {
        lock(&self.refused).contains(&address.to_lowercase())
    }

    /// Whether logins are refused.
    pub fn is_closed(&self, mailbox: &str) -> bool {
        lock(&self.closed).contains(mailbox)
    }

    /// Room for so many octets on their way, until it is dropped; `None` if too much is on its way already.
    pub fn room(&self, octets: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(octets / ROOM + 1).ok()?;
        Arc::clone(&self.rooms).try_acquire_many_owned(units).ok()
    }

    /// Whether this contact is turned away for now: the first, and those that follow within a second.
    pub fn greylists(self: &Arc<Self>, door: Door, sender: &str, recipient: &str) -> bool {
        let key = (door, sender.to_lowercase(), recipient.to_lowercase());
        let mut greylist = lock(&self.greylist);
        if let Some(waited) = greylist.get(&key) {
            return !waited;
        }
        if greylist.len() >= GREYLIST_SIZE {
            return false;
        }
        greylist.insert(key.clone(), false);
        drop(greylist);
        self.later(GREY, move |office| {
            lock(&office.greylist).insert(key, true);
        });
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts connections at a door as long as the office is open.
pub async fn listen(office: Arc<Office>, listener: TcpListener, door: Door) {
    loop {
        let Ok(permit) = Arc::clone(&office.connections).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others must close first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // A failure here only costs latency.
        let _ = stream.set_nodelay(true);
        let peer = stream.peer_addr().ok();
        let inside = Arc::clone(&office);
        office.spawn(async move {
            let mut wire = Wire::new(stream);
            if door.is_implicit_tls() && wire.start_tls(&inside.acceptor).await.is_err() {
                return;
            }
            // A session's end by a broken connection is the peer's business.
            let _ = match door {
                Door::Imap | Door::Imaps => imap::serve(&inside, wire).await,
                _ => smtp::serve(&inside, wire, door, peer.map(|p| p.ip())).await,
            };
            drop(permit);
        });
    }
}
