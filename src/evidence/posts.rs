//! Posts: messages in the mailbox of a group, of which the service shows topic, author and text, but neither header nor source.
//!
//! What it cannot see: the header, with it what the receiving side says of SPF, DKIM and DMARC; what an attachment has become; and the subject of
//! a post that shares its thread with others, for a thread shows that of its first post alone. What cannot be seen is said to be unseen, never to
//! be unchanged.

use super::{Recognizer, alterations, attachments, mime::Entity};
use crate::model::{Alteration, AlterationKind, ProbeId, Survived};

/// A post, as far as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// The topic of its thread: the subject of the first post.
    pub topic: &'a str,
    /// The addresses in `from` and `sender`.
    pub authors: &'a [&'a str],
    /// Its text, if it could be had, and whether that is HTML.
    pub body: Option<(&'a str, bool)>,
    /// Whether anything is attached.
    pub attachments: bool,
}

/// A post that is a copy of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostCopy {
    /// The probe.
    pub probe: ProbeId,
    /// Where the tag survived: in the topic, in the text.
    pub survived: Vec<Survived>,
    /// What was changed on the way.
    pub alterations: Vec<Alteration>,
    /// What is not shown, so that nothing is known of its alteration.
    pub unseen: Vec<AlterationKind>,
}

impl Recognizer {
    /// The probe whose tag stands in the topic of a thread.
    pub fn in_topic(&self, topic: &str) -> Option<ProbeId> {
        self.tags.first(topic.as_bytes())
    }

    /// The copy that a post is, if its author is the probe's sender and a tag verifies: in the text, or else in the topic. A post of somebody else
    /// is an answer or a forward.
    pub fn post(&self, post: &Post<'_>) -> Option<PostCopy> {
        let source = post.body.map(|(body, is_html)| {
            let kind = if is_html { "html" } else { "plain" };
            format!("Content-Type: text/{kind}; charset=utf-8\r\n\r\n{body}")
        });
        let arrived = source.as_ref().map(|source| Entity::parse(source.as_bytes()));
        let in_body = arrived.as_ref().and_then(|arrived| self.anywhere(arrived));
        let in_topic = self.in_topic(post.topic);
        let probe = in_body.or(in_topic)?;
        let sender = self.plan.sender(self.plan.probes.get(self.tags.index(probe)?)?);
        let is_ours = |address: &&str| address.eq_ignore_ascii_case(&sender.address) || address.eq_ignore_ascii_case(&sender.envelope);
        if !post.authors.iter().any(is_ours) {
            return None;
        }
        let has_own_topic = in_topic == Some(probe);
        let mut survived = Vec::new();
        let mut unseen = vec![AlterationKind::Headers];
        if has_own_topic {
            survived.push(Survived::Subject);
        } else {
            unseen.push(AlterationKind::Subject);
        }
        if in_body == Some(probe) {
            survived.push(Survived::Body);
        }
        if arrived.is_none() {
            unseen.extend([AlterationKind::Body, AlterationKind::Links]);
        }
        let mut altered = Vec::new();
        if let Some(original) = (self.originals)(probe) {
            let original = Entity::parse(&original);
            let topic = has_own_topic.then_some(post.topic);
            altered = alterations::compare_shown(&original, topic, arrived.as_ref());
            match attachments::removed(&original) {
                Some(removed) if !post.attachments => altered.push(removed),
                None if !post.attachments => {}
                _ => unseen.push(AlterationKind::Attachments),
            }
        }
        for words in altered.iter_mut().flat_map(|one| [&mut one.sent, &mut one.arrived]) {
            *words = self.scrubber.scrub(words);
        }
        Some(PostCopy {
            probe,
            survived,
            alterations: altered,
            unseen,
        })
    }
}
