//! Copies: which messages are the probe itself, where its tag survived in them, and what was changed.

use super::{
    Finding, Recognizer, alterations, authentication, dkim, filters, hops, looks,
    mime::{Entity, Header},
    shorten,
    sides::Sides,
};
use crate::model::{Alteration, AlterationKind, Evidence, ProbeId, Survived};

/// The longest header that is kept with a copy, in octets.
const LONGEST_KEPT: usize = 64 * 1024;
/// The most characters that an alteration shows of each side.
pub(super) const LONGEST_SHOWN: usize = 200;

impl Recognizer {
    /// The probe that a message is a copy of. An answer, or a forward in words, has an author of its own: the copy's author is our sender, or it has
    /// kept a field that only the probe itself has.
    pub(super) fn identity(&self, message: &Entity) -> Option<ProbeId> {
        let header = &message.header;
        // A probe answers nothing; a responder that reflects our header says in these fields what it answers.
        if self.in_fields(header, &["In-Reply-To", "References"]).is_some() {
            return None;
        }
        let own = self.in_fields(header, &["X-Mailflow-Probe", "Message-ID", "Return-Path"]);
        own.or_else(|| {
            let probe = self.anywhere(message)?;
            let sender = self.plan.sender(self.plan.probes.get(self.tags.index(probe)?)?);
            let is_ours =
                |address: &String| address.eq_ignore_ascii_case(&sender.address) || address.eq_ignore_ascii_case(&sender.envelope);
            // A list or gateway that puts itself into `From` keeps the author in one of the others.
            let authors = ["From", "Sender", "X-Original-From", "Original-From", "X-Original-Sender"];
            let from_us = authors.iter().any(|name| header.addresses(name).iter().any(is_ours));
            (from_us && !looks::has_reply_prefix(header) && !looks::is_forward(header)).then_some(probe)
        })
    }

    /// The copy of `probe` that `message` is. A filter that puts it into a report of its own, and keeps our header outside, wraps it.
    pub(super) fn copy(&self, message: &Entity, probe: ProbeId) -> Finding {
        let mut inside = None;
        message.each_message(&mut |inner| {
            if inside.is_none() && self.identity(inner) == Some(probe) {
                inside = Some(self.finding(inner, probe));
            }
        });
        match inside {
            Some(mut finding) => {
                self.wrap(&mut finding, message);
                finding
            }
            None => self.finding(message, probe),
        }
    }

    fn finding(&self, message: &Entity, probe: ProbeId) -> Finding {
        let original = (self.originals)(probe);
        let original = original.as_deref().map(Entity::parse);
        let sides = self.sides(probe);
        let mut evidence = Evidence {
            survived: self.survived(message, probe),
            alterations: original
                .as_ref()
                .map(|original| alterations::compare(original, message))
                .unwrap_or_default(),
            signatures: dkim::signatures(message, original.as_ref(), sides.sender),
            ..Evidence::default()
        };
        let sent = original.as_ref().map(|original| &original.header);
        tell_of_the_way(&mut evidence, &message.header, sent, sides);
        let evidence = Box::new(evidence);
        Finding::Copy { probe, evidence }
    }

    /// Marks a copy as found inside `outer`: what the receiving side says, and the header, are then those of `outer`.
    pub(super) fn wrap(&self, finding: &mut Finding, outer: &Entity) {
        let Finding::Copy { probe, evidence } = finding else { return };
        tell_of_the_way(evidence, &outer.header, None, self.sides(*probe));
        let alterations = &mut evidence.alterations;
        if alterations.iter().all(|alteration| alteration.kind != AlterationKind::Wrapped) {
            let wrapper = format!(
                "inside a message from {}: {}",
                outer.header.text("From"),
                outer.header.text("Subject")
            );
            alterations.push(Alteration::new(
                AlterationKind::Wrapped,
                "a message of its own",
                shorten(&wrapper, LONGEST_SHOWN),
            ));
        }
    }

    /// The domains between which `probe` travels: the sender's, whose signatures cover what we sent, and the recipient's.
    fn sides(&self, probe: ProbeId) -> Sides<'_> {
        let planned = self.tags.index(probe).and_then(|index| self.plan.probes.get(index));
        planned.map_or_else(Sides::default, |planned| Sides {
            sender: domain_of(&self.plan.sender(planned).address),
            recipient: domain_of(&self.plan.recipient(planned).address),
        })
    }

    /// The places where the tag of `probe` still stands.
    fn survived(&self, message: &Entity, probe: ProbeId) -> Vec<Survived> {
        let in_field = |name: &str| {
            message
                .header
                .all(name)
                .any(|field| self.tags.holds(field.raw, probe) || self.tags.holds(field.text().as_bytes(), probe))
        };
        let in_text = || {
            message.texts(Entity::is_text).any(|(leaf, text)| {
                self.tags.holds(text.as_bytes(), probe)
                    || leaf.media.kind == "text/html" && self.tags.holds(super::decode::html(&text).as_bytes(), probe)
            })
        };
        let places = [
            (Survived::Header, in_field("X-Mailflow-Probe")),
            (Survived::MessageId, in_field("Message-ID")),
            (Survived::Subject, in_field("Subject")),
            (Survived::Body, in_text()),
            (Survived::Envelope, in_field("Return-Path")),
        ];
        places.into_iter().filter_map(|(place, there)| there.then_some(place)).collect()
    }
}

fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// Puts in what the header of the message that arrived tells of its way; `sent` is our own, where the two can be compared.
fn tell_of_the_way(evidence: &mut Evidence, header: &Header, sent: Option<&Header>, sides: Sides) {
    evidence.filters = filters::read(header, sent, sides);
    evidence.authentication = authentication::results(header, sides);
    evidence.hops = hops::read(header);
    evidence.header = kept(header);
}

fn kept(header: &Header) -> String {
    let raw = header.raw.get(..LONGEST_KEPT.min(header.raw.len())).unwrap_or_default();
    let mut kept = String::from_utf8_lossy(raw).into_owned();
    // Three octets of replacement for each invalid one may have made it longer again.
    kept.truncate(kept.floor_char_boundary(LONGEST_KEPT));
    kept
}
