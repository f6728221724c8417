//! The two sides of a way: who on it sends, and who receives. What it cannot see: a receiving side that nothing ties to the last host, to the
//! recipient's domain or to a service that is known here.

use super::{filters::host, mime::Header};
use crate::model::{is_mail_service, same_organisation};

/// Between whom a message travelled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sides<'a> {
    /// The domain of the author.
    pub sender: &'a str,
    /// The domain of the recipient.
    pub recipient: &'a str,
}

impl Sides<'_> {
    /// Whether a host in the trace of a message is of the receiving side: of the organisation that took it last or of the recipient's, or one of a
    /// service that filters mail for others.
    pub fn is_receiving(&self, header: &Header, name: &str) -> bool {
        let last = header.all("Received").find_map(host).unwrap_or_default();
        same_organisation(name, &last) || same_organisation(name, self.recipient) || is_mail_service(name)
    }

    /// Whether what stands at a place, between the hop of a host and the one below it, can be of nobody but that host: if the sender itself handed
    /// the message over to it. Any other host before it could have written in its name.
    pub fn nobody_is_before(&self, header: &Header, place: usize) -> bool {
        let below = || {
            header
                .fields
                .iter()
                .skip(place)
                .filter(|field| field.name.eq_ignore_ascii_case("Received"))
        };
        let before = below().take(2).find_map(host);
        below().next().is_none() || before.is_some_and(|before| same_organisation(&before, self.sender))
    }
}
