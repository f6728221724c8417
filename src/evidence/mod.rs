//! Reading messages: whose tag, a copy or a notification or an answer, what was altered. Pure: bytes in, values out.

use crate::model::{Alteration, Authentication, Dsn, MailboxName, Plan, ProbeId, Survived, TagKey, Time};
use std::sync::Arc;

/// Gives the message of a probe as it was sent, or `None` for a probe that it does not know.
pub type Originals = dyn Fn(ProbeId) -> Option<Vec<u8>> + Send + Sync;

/// Tells our messages from all others. One for each run, shared by its watchers.
pub struct Recognizer {
    key: TagKey,
    plan: Arc<Plan>,
    originals: Box<Originals>,
}

/// What the header of a message alone says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// A tag of this run verifies in it: fetch it whole.
    Ours(ProbeId),
    /// No tag, but it has the looks of a bounce, a report, an answer or a wrapper: worth a bounded peek at its body where the site allows it
    /// (in the mailbox of one of our senders it always does).
    Perhaps,
    /// Nothing of ours in the header: leave it alone unless the server's search for a tag's prefix names it.
    Foreign,
}

/// What a message of ours turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// A copy of the probe.
    Copy {
        /// The probe.
        probe: ProbeId,
        /// Where the tag survived.
        survived: Vec<Survived>,
        /// What was changed on the way.
        alterations: Vec<Alteration>,
        /// What the receiving side says of SPF, DKIM, DMARC.
        authentication: Authentication,
        /// The header as it arrived, bounded.
        header: String,
    },
    /// A notification about the probe: one for each recipient that it speaks of.
    Dsn {
        /// The probe.
        probe: ProbeId,
        /// The notification.
        dsn: Dsn,
    },
    /// An answer to the probe.
    Answer {
        /// The probe.
        probe: ProbeId,
        /// Whether it was automatic.
        automatic: bool,
    },
}

impl Recognizer {
    /// For the probes of `plan`, tagged with `key`; `originals` composes them again, so that what arrived can be compared with what was sent.
    pub fn new(key: TagKey, plan: Arc<Plan>, originals: Box<Originals>) -> Self {
        Self { key, plan, originals }
    }

    /// What to search bodies for: the nine characters with which every tag of the run begins.
    pub fn search_prefix(&self) -> &str {
        self.plan.run.id.as_str()
    }

    /// Judges a message by its header alone. `of_sender`: whether the mailbox is that of one of our senders.
    pub fn spot(&self, header: &[u8], of_sender: bool) -> Spot {
        let _ = (header, of_sender, &self.key, &self.originals);
        Spot::Foreign
    }

    /// Whether a bounded part of a body holds a tag of this run that verifies.
    pub fn peek(&self, part: &[u8]) -> Option<ProbeId> {
        self.key.find_in(part).into_iter().find(|id| id.run() == self.plan.run.id)
    }

    /// Reads a whole message: what it is of ours, if anything. `mailbox` and `at` (when it was read) go into the findings.
    pub fn read(&self, message: &[u8], mailbox: &MailboxName, at: Time) -> Vec<Finding> {
        let _ = (message, mailbox, at);
        Vec::new()
    }
}
