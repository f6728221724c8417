//! What the loop wants of one mailbox's watcher, and how the watcher learns of it.

use crate::{
    model::{MailboxName, Time},
    watch::{Attention, Watching},
};
use tokio::sync::watch;

/// What the loop wants.
pub(super) struct Wishes {
    attention: Option<watch::Receiver<Attention>>,
    sending_since: watch::Receiver<Option<Time>>,
    stop: watch::Receiver<bool>,
}

impl Wishes {
    pub(super) fn new(watching: &Watching, mailbox: &MailboxName) -> Self {
        Self {
            attention: watching.attention.get(mailbox).cloned(),
            sending_since: watching.sending_since.clone(),
            stop: watching.stop.clone(),
        }
    }

    pub(super) fn attention(&self) -> Attention {
        self.attention.as_ref().map(|receiver| *receiver.borrow()).unwrap_or_default()
    }

    /// When the first probe left, once it has.
    pub(super) fn sending_since(&self) -> Option<Time> {
        *self.sending_since.borrow()
    }

    /// Whether the watcher shall end, by the loop's word or because nobody is there any more to say so.
    pub(super) fn stopped(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Waits until something changes: the attention, or the order to stop.
    pub(super) async fn change(&mut self) {
        let Self { attention, stop, .. } = self;
        let attention_changed = async {
            let still_told = match attention {
                Some(receiver) => receiver.changed().await.is_ok(),
                None => false,
            };
            if !still_told {
                // Nobody will change it any more; only the order to stop can come.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            // No sender left: `stopped` says so.
            _ = stop.changed() => {}
            () = attention_changed => {}
        }
    }
}
