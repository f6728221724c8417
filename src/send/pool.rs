//! Sessions that stand and wait for their next message.

use super::session::{Session, Target};
use futures::future::join_all;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A session that waited longer is not used again: servers and the boxes between forget connections without a word.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// The sessions of one route. The route's permits bound how many are in use; the pool sees to it that the idle ones do not go beyond that bound.
pub(super) struct Pool {
    capacity: usize,
    open: Arc<AtomicUsize>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    target: Target,
    session: Session,
    place: Place,
    since: Instant,
}

/// Counts one open connection while it lives.
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    /// A pool of at most `capacity` connections, those in use included.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            open: Arc::default(),
            idle: Mutex::default(),
        }
    }

    /// A session with the host at `target` that still stands, as far as can be seen.
    pub fn take(&self, target: &Target) -> Option<(Session, Place)> {
        let mut idle = self.idle();
        while let Some(newest) = idle.iter().rposition(|idle| idle.target == *target) {
            let mut found = idle.remove(newest);
            if !found.session.wire.is_quiet() {
                continue;
            }
            if found.since.elapsed() <= IDLE_LIMIT {
                return Some((found.session, found.place));
            }
            // Its farewell keeps nobody waiting.
            tokio::spawn(found.session.quit());
        }
        None
    }

    /// A place for a new connection; an idle one, to whatever host, is ended for it if need be.
    pub async fn place(&self) -> Place {
        while self.open.load(Ordering::Relaxed) >= self.capacity {
            let oldest = {
                let mut idle = self.idle();
                if idle.is_empty() {
                    break;
                }
                idle.remove(0)
            };
            oldest.session.quit().await;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(&self.open))
    }

    /// Takes a session back, if it can be used again.
    pub fn give(&self, target: &Target, session: Session, place: Place) {
        if session.usable {
            self.idle().push(Idle {
                target: target.clone(),
                session,
                place,
                since: Instant::now(),
            });
        }
    }

    /// Ends all idle sessions politely, at the same time.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle());
        join_all(idle.into_iter().map(|idle| idle.session.quit())).await;
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
