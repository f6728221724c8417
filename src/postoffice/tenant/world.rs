//! What all requests of one tenant share, and how they get at it.
//!
//! Cannot see HTTP. Everything that changes lies behind one lock, which is never held across a pause.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use ring::rand::{SecureRandom, SystemRandom};

use super::super::Clock;
use super::Outgoing;
use super::config::Config;
use super::record::Record;
use super::residents::{Resident, Residents};
use super::store::Store;
use super::throttle::Throttle;
use super::token::Tokens;
use super::trace::Row;

/// Takes mail that leaves the tenant.
type Post = Box<dyn Fn(Outgoing) + Send + Sync>;

/// A tenant behind its URLs.
pub struct World {
    /// How it is set up.
    pub config: Config,
    /// Who lives here.
    pub residents: Residents,
    /// Where its URLs start, without a slash at the end.
    pub root: OnceLock<String>,
    clock: Clock,
    random: SystemRandom,
    state: Mutex<State>,
    throttle: Mutex<Throttle>,
    record: Mutex<Record>,
    post: OnceLock<Post>,
}

/// What changes.
#[derive(Default)]
pub struct State {
    /// The mail.
    pub store: Store,
    /// The trace, oldest first.
    pub trace: Vec<Row>,
    /// Tokens, codes and assertions seen.
    pub tokens: Tokens,
    /// Mail that left the tenant while nobody took it.
    pub outbox: Vec<Outgoing>,
    /// How many delta tokens were made worthless at once.
    pub delta_generation: u32,
    /// How often a mailbox without licence was asked for, by address: the answers alternate.
    pub refusals: HashMap<String, u32>,
}

impl World {
    /// A tenant without mail.
    pub fn new(config: Config, clock: Clock) -> Self {
        Self {
            residents: Residents::new(&config.domain, &config.mailboxes),
            throttle: Mutex::new(Throttle::new(config.limits.clone())),
            record: Mutex::new(Record::new(config.records)),
            config,
            root: OnceLock::new(),
            clock,
            random: SystemRandom::new(),
            state: Mutex::default(),
            post: OnceLock::new(),
        }
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// What changes, brought up to now.
    pub fn state(&self) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        state.store.advance(self.now());
        state
    }

    /// Who asks how often.
    pub fn throttle(&self) -> MutexGuard<'_, Throttle> {
        lock(&self.throttle)
    }

    /// What was asked.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    /// Where URLs of Graph start: `https://127.0.0.1:4711`.
    pub fn root(&self) -> &str {
        self.root.get().map_or("", String::as_str)
    }

    /// Sets, once, who takes mail that leaves the tenant.
    pub fn on_leaving(&self, post: impl Fn(Outgoing) + Send + Sync + 'static) {
        // Whoever came first stays.
        let _ = self.post.set(Box::new(post));
    }

    /// Sends mail out of the tenant. Never called with the state locked: the post office may hand mail back at once.
    pub fn send_out(&self, outgoing: Vec<Outgoing>) {
        for letter in outgoing {
            match self.post.get() {
                Some(post) => post(letter),
                None => lock(&self.state).outbox.push(letter),
            }
        }
    }

    /// The resident that a URL names, by object id or by address.
    pub fn resident(&self, key: &str) -> Option<Resident> {
        if key.contains('@') {
            return self.residents.find(key).filter(|r| r.address == key.to_lowercase());
        }
        if let Some(resident) = lock(&self.state).store.by_object_id(key) {
            return Some(resident.clone());
        }
        self.residents
            .listed()
            .into_iter()
            .find(|r| r.object_id().eq_ignore_ascii_case(key))
    }

    /// Sixteen octets that nobody can guess.
    ///
    /// # Errors
    /// When the random numbers of the system fail.
    pub fn random(&self) -> io::Result<[u8; 16]> {
        let mut octets = [0; 16];
        match self.random.fill(&mut octets) {
            Ok(()) => Ok(octets),
            Err(_) => Err(io::Error::other("the system has no random numbers")),
        }
    }

    /// A new GUID.
    ///
    /// # Errors
    /// When the random numbers of the system fail.
    pub fn guid(&self) -> io::Result<String> {
        let octets = self.random()?;
        Ok(uuid::Builder::from_random_bytes(octets).into_uuid().to_string())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
