//! What the loop wants from a watcher, and how the watcher learns of it.

use crate::{
    model::{MailboxName, Time},
    watch::Attention,
};
use futures::{
    StreamExt,
    stream::{BoxStream, SelectAll},
};
use std::collections::HashMap;
use tokio::sync::watch;

/// What the loop wants from the watcher.
pub(super) struct Wishes {
    attention: HashMap<MailboxName, watch::Receiver<Attention>>,
    /// When the first probe left, once it has.
    pub(super) sending_since: watch::Receiver<Option<Time>>,
    stop: watch::Receiver<bool>,
    /// Yields whenever any attention changes.
    changes: SelectAll<BoxStream<'static, ()>>,
}

impl Wishes {
    pub(super) fn new(
        attention: HashMap<MailboxName, watch::Receiver<Attention>>,
        sending_since: watch::Receiver<Option<Time>>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let changes = attention.values().cloned().map(|receiver| {
            futures::stream::unfold(receiver, |mut receiver| async {
                receiver.changed().await.ok()?;
                Some(((), receiver))
            })
            .boxed()
        });
        Self {
            changes: futures::stream::select_all(changes),
            attention,
            sending_since,
            stop,
        }
    }

    pub(super) fn of(&self, mailbox: &MailboxName) -> Attention {
        self.attention.get(mailbox).map(|receiver| *receiver.borrow()).unwrap_or_default()
    }

    /// Whether the watcher shall end, by its word or because nobody is there any more to say so.
    pub(super) fn stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Waits until something changes: an attention, or the order to stop.
    pub(super) async fn change(&mut self) {
        let Self { stop, changes, .. } = self;
        tokio::select! {
            // No sender left: `stopped` says so.
            _ = stop.changed() => {}
            change = changes.next() => if change.is_none() {
                // Nobody will change an attention any more; only the order to stop can come.
                let _ = stop.changed().await;
            }
        }
    }
}
