//! Reading messages beside the watching: what a hostile one costs must not keep the connections of other mailboxes waiting.
//!
//! What it cannot do: stop a reading. Its cost is bounded by what is read, see `evidence`.

use crate::evidence::Recognizer;
use std::sync::Arc;
use tokio::{sync::Semaphore, task};

/// How many messages are read at once, in the whole process.
static DESKS: Semaphore = Semaphore::const_new(4);

/// What `work` makes of a message, on a thread of its own. `None`: it could not be read, or the process ends.
pub(super) async fn study<T: Send + 'static>(
    recognizer: &Arc<Recognizer>,
    work: impl FnOnce(&Recognizer) -> T + Send + 'static,
) -> Option<T> {
    let _desk = DESKS.acquire().await.ok()?;
    let recognizer = Arc::clone(recognizer);
    task::spawn_blocking(move || work(&recognizer)).await.ok()
}
