//! Reading messages: whose tag, a copy or a notification or an answer, what was altered. Pure: bytes in, values out.
//!
//! How a message is judged, in this order: a report (`multipart/report`) is a notification, whatever it quotes. A message that carries the tag in
//! our own fields, or comes from our sender's address with the tag in its subject or text, is a copy, however much was changed. A bounce in words is
//! a notification. A message around a probe is a wrapped copy. Whatever else names a tag, and is addressed to our sender, is an answer.
//!
//! What it cannot see: a probe whose text somebody pasted into a message of their own (an inline forward) is not taken for a copy, because nothing
//! tells it from an answer; and a tag inside an archive, a picture, TNEF or an encrypted part is not found.

mod alterations;
mod answer;
mod attachments;
mod authentication;
mod binding;
mod codes;
mod copies;
mod decode;
mod dialect;
mod dkim;
mod dsn;
mod filters;
mod hops;
mod links;
mod looks;
mod mdn;
mod mime;
mod notification;
mod posts;
mod sides;
mod tags;
mod wording;

pub use codes::enhanced as enhanced_status;
pub use mime::LONGEST_HEADER;

use crate::model::{Dsn, Evidence, MailboxName, Plan, ProbeId, TagKey, Time};
use crate::scrub::Scrubber;
use mime::{Entity, Header};
use std::{collections::HashSet, sync::Arc};
use tags::Tags;

pub use posts::{Post, PostCopy};

/// How many messages inside each other are looked into.
const DEEPEST_WRAPPER: usize = 4;

/// Gives the message of a probe as it was sent, or `None` for a probe that it does not know.
pub type Originals = dyn Fn(ProbeId) -> Option<Vec<u8>> + Send + Sync;

/// Tells our messages from all others. One for each run, shared by its watchers.
pub struct Recognizer {
    tags: Tags,
    plan: Arc<Plan>,
    originals: Box<Originals>,
    known: Known,
    scrubber: Scrubber,
}

/// The addresses of the plan, in lower case.
struct Known {
    senders: HashSet<String>,
    recipients: HashSet<String>,
}

/// What the header of a message alone says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// A tag of this run verifies in it: fetch it whole.
    Ours(ProbeId),
    /// No tag, but it has the looks of a bounce, a report, an answer or a wrapper, or claims to come from one of our senders: worth a bounded peek
    /// at its body where the site allows it (in the mailbox of one of our senders it always does).
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
        /// What it tells of its way; its header is that of the outer message where the probe came wrapped.
        evidence: Box<Evidence>,
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

/// Where and when a message was read.
#[derive(Clone, Copy)]
struct Reading<'a> {
    mailbox: &'a MailboxName,
    at: Time,
}

impl Recognizer {
    /// For the probes of `plan`, tagged with `key`; `originals` composes them again, so that what arrived can be compared with what was sent.
    /// `scrubber` knows the secrets that some server on the way was told, and may have quoted.
    pub fn new(key: TagKey, plan: Arc<Plan>, originals: Box<Originals>, scrubber: Scrubber) -> Self {
        let lower = |address: &String| address.to_lowercase();
        let known = Known {
            senders: plan
                .senders
                .iter()
                .flat_map(|sender| [lower(&sender.address), lower(&sender.envelope)])
                .collect(),
            recipients: plan.recipients.iter().map(|recipient| lower(&recipient.address)).collect(),
        };
        Self {
            tags: Tags::new(key, &plan),
            plan,
            originals,
            known,
            scrubber,
        }
    }

    /// What to search bodies for: the nine characters with which every tag of the run begins.
    pub fn search_prefix(&self) -> &str {
        self.plan.run.id.as_str()
    }

    /// The address to which a probe was sent.
    pub fn recipient(&self, probe: ProbeId) -> Option<&str> {
        let probe = self.plan.probes.get(self.tags.index(probe)?)?;
        Some(&self.plan.recipient(probe).address)
    }

    /// A text without the secrets that some server on the way was told.
    pub fn scrubbed(&self, text: &str) -> String {
        self.scrubber.scrub(text)
    }

    /// Judges a message by its header alone. `of_sender`: whether the mailbox is that of one of our senders. There every message without a tag is
    /// `Perhaps`: bounces have no common look, and one that is overlooked would turn into a false `lost`.
    pub fn spot(&self, header: &[u8], of_sender: bool) -> Spot {
        let (header, _) = Header::parse(header);
        if let Some(probe) = self.in_header(&header) {
            return Spot::Ours(probe);
        }
        let is_from_sender = || header.addresses("From").iter().any(|address| self.known.senders.contains(address));
        if of_sender || looks::are_suspicious(&header) || is_from_sender() {
            Spot::Perhaps
        } else {
            Spot::Foreign
        }
    }

    /// Whether a bounded part of a message holds a tag of this run that verifies: as it stands, or in quoted-printable or base64, wherever in the
    /// message the part was cut out.
    pub fn peek(&self, part: &[u8]) -> Option<ProbeId> {
        self.tags.first_encoded(part)
    }

    /// Reads a whole message: what it is of ours, if anything. `mailbox` and `at` (when it was read) go into the findings.
    ///
    /// A message in the mailbox of a sender that is `Perhaps` and shows no tag may be given here as far as it was peeked at: a bounce without any
    /// tag is then bound by its recipient, and marked as guessed.
    pub fn read(&self, message: &[u8], mailbox: &MailboxName, at: Time) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.judge(&Entity::parse(message), Reading { mailbox, at }, 0, &mut findings);
        for finding in &mut findings {
            self.take_secrets_from(finding);
        }
        findings
    }

    /// The probe, of whatever run, that a message is a copy of, by its own `X-Mailflow-Probe` or `Message-ID`: for `mailflow clean`, which deletes
    /// nothing else. The tag verifies; the run need not be that of the plan.
    pub fn own_probe(&self, header: &[u8]) -> Option<ProbeId> {
        let (header, _) = Header::parse(header);
        let answers = ["In-Reply-To", "References"].iter().any(|name| header.get(name).is_some());
        let of = |name: &str| header.get(name).and_then(|field| self.tags.first_of_any_run(field.raw));
        (!answers && !looks::is_report(&header))
            .then(|| of("X-Mailflow-Probe").or_else(|| of("Message-ID")))
            .flatten()
    }

    fn take_secrets_from(&self, finding: &mut Finding) {
        match finding {
            Finding::Copy { evidence, .. } => {
                for words in evidence.words_mut() {
                    *words = self.scrubber.scrub(words);
                }
                // The names of the methods are the message's words too.
                let results = std::mem::take(&mut evidence.authentication);
                evidence.authentication = results
                    .into_iter()
                    .map(|(name, result)| (self.scrubber.scrub(&name), result))
                    .collect();
            }
            Finding::Dsn { dsn, .. } => {
                for words in [
                    &mut dsn.diagnostic,
                    &mut dsn.reporting_mta,
                    &mut dsn.remote_mta,
                    &mut dsn.status,
                    &mut dsn.recipient,
                    &mut dsn.original_recipient,
                ] {
                    self.scrubber.scrub_some(words);
                }
            }
            Finding::Answer { .. } => {}
        }
    }

    fn judge(&self, message: &Entity, reading: Reading, depth: usize, findings: &mut Vec<Finding>) {
        if let Some(notification) = self.report(message, reading) {
            findings.extend(notification);
        } else if let Some(probe) = self.identity(message) {
            findings.push(self.copy(message, probe));
        } else if let Some(notification) = self.bounce(message, reading) {
            findings.extend(notification);
        } else {
            let wrapped = if self.is_answer(&message.header) {
                Vec::new()
            } else {
                self.wrapped(message, reading, depth)
            };
            if wrapped.is_empty() {
                findings.extend(self.answer(message, reading));
            } else {
                findings.extend(wrapped);
            }
        }
    }

    /// What stands in the messages inside this one: copies, marked as wrapped, and notifications.
    fn wrapped(&self, message: &Entity, reading: Reading, depth: usize) -> Vec<Finding> {
        let mut findings = Vec::new();
        if depth < DEEPEST_WRAPPER {
            message.each_message(&mut |inner| self.judge(inner, reading, depth + 1, &mut findings));
        }
        let mut seen = HashSet::new();
        findings.retain(|finding| match finding {
            Finding::Copy { probe, .. } => seen.insert(*probe),
            Finding::Dsn { .. } => true,
            Finding::Answer { .. } => false,
        });
        for finding in &mut findings {
            self.wrap(finding, message);
        }
        findings
    }

    /// The probe whose tag stands in a header: in our own field first, then in any field, as it stands there or decoded.
    fn in_header(&self, header: &Header) -> Option<ProbeId> {
        let own = ["X-Mailflow-Probe", "Message-ID"];
        own.iter()
            .find_map(|name| self.tags.first(header.get(name)?.raw))
            .or_else(|| self.tags.first(header.raw))
            .or_else(|| {
                header
                    .fields
                    .iter()
                    .filter(|field| field.raw.contains(&b'?'))
                    .find_map(|field| self.tags.first(field.text().as_bytes()))
            })
    }
}

/// `text` in one line of at most `most` characters: control characters turned into blanks, cut off with an ellipsis.
fn shorten(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown.trim().to_owned()
}
