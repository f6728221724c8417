//! Answers: automatic replies and people who write back. Vacation notes and challenges come to the same mailbox as bounces and are none.

use super::{
    Finding, Reading, Recognizer, looks,
    mime::{Entity, Header},
};

impl Recognizer {
    /// Whether a header says that the message answers one of ours, and is no forward of it.
    pub(super) fn is_answer(&self, header: &Header) -> bool {
        let refers = self.in_fields(header, &["In-Reply-To", "References"]).is_some();
        (refers || looks::has_reply_prefix(header) || looks::is_automatic_reply(header)) && !looks::is_forward(header)
    }

    /// The answer that a message is: somebody else wrote it, it names a tag, and it is addressed to one of our senders or lies in its mailbox.
    pub(super) fn answer(&self, message: &Entity, reading: Reading) -> Option<Finding> {
        let header = &message.header;
        let probe = self
            .in_fields(header, &["In-Reply-To", "References", "Subject"])
            .or_else(|| self.anywhere(message))
            .or_else(|| self.in_quoted_message(message))?;
        let is_ours = |address: &String| self.known.senders.contains(address);
        let from_us = header.addresses("From").iter().any(is_ours);
        // With VERP the address of the sender holds the tag itself.
        let to_us = ["To", "Cc", "Delivered-To", "X-Original-To"]
            .iter()
            .any(|name| header.addresses(name).iter().any(is_ours))
            || self.in_fields(header, &["To", "Cc", "Delivered-To", "X-Original-To"]).is_some();
        let in_senders_mailbox = self
            .plan
            .senders
            .iter()
            .any(|sender| sender.mailbox.as_ref() == Some(reading.mailbox));
        let by_machine = looks::is_from_machine(header) && !looks::has_reply_prefix(header);
        let automatic = looks::is_automatic_reply(header) || looks::has_null_return_path(header) || by_machine;
        (!from_us && (to_us || in_senders_mailbox)).then_some(Finding::Answer { probe, automatic })
    }

    /// The tag in a message that the answer attaches.
    fn in_quoted_message(&self, message: &Entity) -> Option<crate::model::ProbeId> {
        let mut found = None;
        message.each_message(&mut |inner| found = found.or_else(|| self.anywhere(inner)));
        found
    }
}
