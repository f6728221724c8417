//! The service's limits as a budget that everybody who calls shares: a request waits here for its turn.
//!
//! The limits are those that Microsoft publishes (throttling limits of Graph, 2024; message trace, 2026), and a tenth is left to others.
//! What it cannot see: what other programs with the same app, or for the tenant-wide limits anybody in the tenant, use up; then a 429 says so.

mod window;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout_at},
};
use window::Window;

/// What a request counts against, beside the limit for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toll {
    /// The mailbox with this id: a user's or a group's.
    Mailbox(String),
    /// The directory: so many resource units (users 2, members of a group 3, all of its members 5, others 1).
    Directory(u32),
    /// The message trace and its details, which the whole tenant shares.
    Trace,
    /// Advanced hunting.
    Hunting,
    /// Nothing else.
    Other,
}

/// A number within a span of time.
pub type Rate = (u64, Duration);

/// How much may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Requests at once to one mailbox.
    pub at_once: u32,
    /// Requests at once in all; a batch is one.
    pub in_flight: u32,
    /// Requests to one mailbox.
    pub mailbox: Rate,
    /// Bytes sent to one mailbox.
    pub upload: Rate,
    /// All requests.
    pub all: Rate,
    /// Resource units of the directory.
    pub directory: Rate,
    /// Requests to the message trace.
    pub trace: Rate,
    /// Hunting queries.
    pub hunting: Rate,
}

impl Default for Limits {
    /// Nine tenths of what is published, for the directory of the smallest tenants. Four at once are allowed to a mailbox; one is left free.
    fn default() -> Self {
        Self {
            at_once: 3,
            in_flight: 50,
            mailbox: (9_000, Duration::from_mins(10)),
            upload: (135_000_000, Duration::from_mins(5)),
            all: (117_000, Duration::from_secs(10)),
            directory: (3_150, Duration::from_secs(10)),
            trace: (90, Duration::from_mins(5)),
            hunting: (40, Duration::from_mins(1)),
        }
    }
}

/// The budget of one app in one tenant.
#[derive(Debug)]
pub struct Turns {
    limits: Limits,
    state: Mutex<State>,
    in_flight: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    mailboxes: HashMap<String, Mailbox>,
    all: Window,
    directory: Window,
    trace: Window,
    hunting: Window,
    throttled: u64,
}

#[derive(Debug)]
struct Mailbox {
    at_once: Arc<Semaphore>,
    requests: Window,
    upload: Window,
}

/// A turn: whoever holds it may send. It ends when it is dropped.
#[derive(Debug)]
pub struct Turn {
    _held: Vec<OwnedSemaphorePermit>,
}

/// The turn would come after the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLate {
    /// When it would come, if that is known.
    pub at: Option<Instant>,
}

/// What was used, for the closing note of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Requests in all, those within batches counted each.
    pub requests: u64,
    /// How often the service said 429.
    pub throttled: u64,
    /// The most requests to one mailbox within ten minutes.
    pub busiest_mailbox: u64,
    /// The most requests in all within ten seconds.
    pub busiest: u64,
    /// The most requests to the trace within five minutes.
    pub busiest_trace: u64,
}

impl Turns {
    /// A fresh budget.
    pub fn new(limits: Limits) -> Self {
        Self {
            state: Mutex::new(State {
                mailboxes: HashMap::new(),
                all: Window::new(limits.all),
                directory: Window::new(limits.directory),
                trace: Window::new(limits.trace),
                hunting: Window::new(limits.hunting),
                throttled: 0,
            }),
            in_flight: Arc::new(Semaphore::new(limits.in_flight.max(1) as usize)),
            limits,
        }
    }

    /// Waits for the turn of a request that sends `bytes`.
    ///
    /// # Errors
    /// [`TooLate`] if it would come after `until`; then nothing is used up that is still waited for.
    pub async fn turn(&self, toll: &Toll, bytes: u64, until: Instant) -> Result<Turn, TooLate> {
        self.turns(&[(toll, bytes)], until).await
    }

    /// Waits for the turn of several requests that travel together.
    ///
    /// # Errors
    /// As [`Turns::turn`].
    pub async fn turns(&self, tolls: &[(&Toll, u64)], until: Instant) -> Result<Turn, TooLate> {
        // Places at the mailboxes first, in one order for everybody, the place among all last: so nobody waits in a circle, and whoever waits
        // for one slow mailbox or for the trace keeps no place among all.
        let mut held = Vec::new();
        let mut mailboxes: BTreeMap<&str, u32> = BTreeMap::new();
        for (toll, _) in tolls {
            if let Toll::Mailbox(id) = toll {
                *mailboxes.entry(id).or_default() += 1;
            }
        }
        for (id, places) in mailboxes {
            let semaphore = Arc::clone(&self.state().mailbox(id, &self.limits).at_once);
            held.push(place(semaphore, places.min(self.limits.at_once.max(1)), until).await?);
        }
        let mut at = Instant::now();
        for (toll, bytes) in tolls {
            at = at.max(self.state().reserve(toll, *bytes, &self.limits, until)?);
        }
        wait_for(at).await;
        held.push(place(Arc::clone(&self.in_flight), 1, until).await?);
        let at = reserve(&mut self.state().all, tolls.len() as u64, until)?;
        wait_for(at).await;
        Ok(Turn { _held: held })
    }

    /// The service said 429: until `at`, nobody asks there again.
    pub fn hold(&self, toll: &Toll, at: Instant) {
        let mut state = self.state();
        state.throttled += 1;
        match toll {
            Toll::Mailbox(id) => state.mailbox(id, &self.limits).requests.hold(at),
            Toll::Directory(_) => state.directory.hold(at),
            Toll::Trace => state.trace.hold(at),
            Toll::Hunting => state.hunting.hold(at),
            // It may have been for anything: only the request itself waits.
            Toll::Other => {}
        }
    }

    /// The earliest time from `now` on at which a request could have its turn, should a place be free then; nothing is used up.
    pub fn earliest(&self, toll: &Toll, now: Instant) -> Instant {
        let state = self.state();
        match toll {
            Toll::Mailbox(id) => state.mailboxes.get(id).map_or(now, |mailbox| mailbox.requests.earliest(now, 1)),
            Toll::Directory(units) => state.directory.earliest(now, u64::from(*units)),
            Toll::Trace => state.trace.earliest(now, 1),
            Toll::Hunting => state.hunting.earliest(now, 1),
            Toll::Other => now,
        }
    }

    /// How many requests one batch may carry to one mailbox.
    pub fn at_once(&self) -> u32 {
        self.limits.at_once.max(1)
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        let state = self.state();
        Usage {
            requests: state.all.total,
            throttled: state.throttled,
            busiest_mailbox: state.mailboxes.values().map(|mailbox| mailbox.requests.peak).max().unwrap_or(0),
            busiest: state.all.peak,
            busiest_trace: state.trace.peak,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn mailbox(&mut self, id: &str, limits: &Limits) -> &mut Mailbox {
        self.mailboxes.entry(id.to_owned()).or_insert_with(|| Mailbox {
            at_once: Arc::new(Semaphore::new(limits.at_once.max(1) as usize)),
            requests: Window::new(limits.mailbox),
            upload: Window::new(limits.upload),
        })
    }

    fn reserve(&mut self, toll: &Toll, bytes: u64, limits: &Limits, until: Instant) -> Result<Instant, TooLate> {
        match toll {
            Toll::Mailbox(id) => {
                let mailbox = self.mailbox(id, limits);
                let sent = if bytes == 0 {
                    Instant::now()
                } else {
                    reserve(&mut mailbox.upload, bytes, until)?
                };
                Ok(sent.max(reserve(&mut mailbox.requests, 1, until)?))
            }
            Toll::Directory(units) => reserve(&mut self.directory, u64::from(*units), until),
            Toll::Trace => reserve(&mut self.trace, 1, until),
            Toll::Hunting => reserve(&mut self.hunting, 1, until),
            Toll::Other => Ok(Instant::now()),
        }
    }
}

fn reserve(window: &mut Window, weight: u64, until: Instant) -> Result<Instant, TooLate> {
    window.reserve(Instant::now(), weight, until).map_err(|at| TooLate { at: Some(at) })
}

/// A timer rounds up to a millisecond, which nobody should wait for whose time has come.
async fn wait_for(at: Instant) {
    if at > Instant::now() {
        sleep_until(at).await;
    }
}

async fn place(semaphore: Arc<Semaphore>, places: u32, until: Instant) -> Result<OwnedSemaphorePermit, TooLate> {
    match timeout_at(until, semaphore.acquire_many_owned(places)).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(TooLate { at: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const FAR: Duration = Duration::from_hours(10);

    fn mailbox(id: &str) -> Toll {
        Toll::Mailbox(id.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn no_mailbox_sees_more_than_its_share_at_once() {
        let turns = Arc::new(Turns::new(Limits::default()));
        let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let until = Instant::now() + FAR;
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let (turns, now, most) = (Arc::clone(&turns), Arc::clone(&now), Arc::clone(&most));
                tokio::spawn(async move {
                    let _turn = turns.turn(&mailbox("a"), 0, until).await.unwrap();
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert_eq!(turns.usage().requests, 40);
    }

    #[tokio::test(start_paused = true)]
    async fn a_mailbox_that_is_out_of_budget_keeps_nobody_else_waiting() {
        let limits = Limits {
            mailbox: (2, Duration::from_mins(10)),
            trace: (1, Duration::from_mins(5)),
            ..Limits::default()
        };
        let turns = Turns::new(limits);
        let start = Instant::now();
        let until = start + FAR;
        for _ in 0..2 {
            turns.turn(&mailbox("a"), 0, until).await.unwrap();
        }
        let soon = start + Duration::from_mins(1);
        let late = turns.turn(&mailbox("a"), 0, soon).await.unwrap_err();
        assert_eq!(late.at, Some(start + Duration::from_mins(10)));
        turns.turn(&mailbox("b"), 0, soon).await.unwrap();
        turns.turn(&Toll::Trace, 0, soon).await.unwrap();
        assert_eq!(Instant::now(), start);
        turns.turn(&Toll::Trace, 0, until).await.unwrap();
        assert_eq!(Instant::now(), start + Duration::from_mins(5));
        turns.turn(&mailbox("a"), 0, until).await.unwrap();
        assert_eq!(Instant::now(), start + Duration::from_mins(10));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_service_asks_for_holds_for_everybody() {
        let turns = Turns::new(Limits::default());
        let start = Instant::now();
        turns.hold(&mailbox("a"), start + Duration::from_secs(30));
        turns.turn(&mailbox("b"), 0, start + FAR).await.unwrap();
        assert_eq!(Instant::now(), start);
        turns.turn(&mailbox("a"), 0, start + FAR).await.unwrap();
        assert_eq!(Instant::now(), start + Duration::from_secs(30));
        assert_eq!(turns.usage().throttled, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn batches_over_crossing_mailboxes_do_not_block_each_other() {
        let turns = Arc::new(Turns::new(Limits::default()));
        let until = Instant::now() + FAR;
        let tasks: Vec<_> = (0..20)
            .map(|task| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move {
                    let (a, b) = (mailbox("a"), mailbox("b"));
                    let both = if task % 2 == 0 {
                        [(&a, 0), (&b, 0), (&a, 0)]
                    } else {
                        [(&b, 0), (&a, 0), (&b, 0)]
                    };
                    let _turn = turns.turns(&both, until).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(turns.usage().requests, 60);
        assert_eq!(turns.usage().busiest_mailbox, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_place_ends_at_the_deadline() {
        let turns = Turns::new(Limits {
            at_once: 1,
            ..Limits::default()
        });
        let until = Instant::now() + Duration::from_secs(5);
        let _held = turns.turn(&mailbox("a"), 0, until).await.unwrap();
        assert_eq!(turns.turn(&mailbox("a"), 0, until).await.unwrap_err(), TooLate { at: None });
    }
}
