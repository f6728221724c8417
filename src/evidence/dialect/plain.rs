//! Bounces in words only, of any system: what fails must be said, by a phrase or by a code. A vacation note that comes from the null sender, or a
//! quarantine's digest, says neither.

use super::{MOST_RECIPIENTS, address_in, notice, paragraph_of, says_delayed};
use crate::{
    evidence::{Known, codes, dsn::Notice},
    model::DsnAction,
};

/// What bounces say, in lower case.
const FAILURES: [&str; 31] = [
    "could not be delivered",
    "couldn't be delivered",
    "cannot be delivered",
    "can not be delivered",
    "was not delivered",
    "wasn't delivered",
    "has not been delivered",
    "did not reach",
    "unable to deliver",
    "not able to deliver",
    "undeliverable",
    "delivery failed",
    "delivery failure",
    "delivery to the following",
    "permanent fatal errors",
    "permanent error",
    "user unknown",
    "unknown user",
    "no such user",
    "mailbox unavailable",
    "mailbox is full",
    "recipient rejected",
    "was rejected",
    "returned mail",
    "nicht zugestellt werden",
    "nicht zustellbar",
    "n'a pas pu être remis",
    "n'a pas pu être distribué",
    "no se pudo entregar",
    "no se ha podido entregar",
    "impossibile recapitare",
];

/// The one notice that such a bounce gives; `None` if it says of no failure.
pub(super) fn read(text: &str, subject: &str, known: &Known) -> Option<Vec<Notice>> {
    let said = format!("{subject}\n{text}");
    let lower = said.to_lowercase();
    let action = if says_delayed(&said) {
        DsnAction::Delayed
    } else if FAILURES.iter().any(|words| lower.contains(words))
        || codes::has_refusal(text)
        || codes::enhanced(text).is_some_and(|code| code.starts_with('5'))
    {
        DsnAction::Failed
    } else {
        return None;
    };
    let addresses: Vec<String> = text
        .split_whitespace()
        .take(5_000)
        .filter_map(address_in)
        .take(MOST_RECIPIENTS)
        .collect();
    let is_system = |address: &String| ["postmaster@", "mailer-daemon@"].iter().any(|system| address.starts_with(system));
    let recipient = addresses
        .iter()
        .find(|address| known.recipients.contains(*address))
        .or_else(|| {
            addresses
                .iter()
                .find(|address| !known.senders.contains(*address) && !is_system(address))
        })
        .cloned();
    let paragraph = recipient
        .as_ref()
        .map(|recipient| paragraph_of(text, recipient))
        .filter(|paragraph| paragraph.split_whitespace().nth(1).is_some());
    let words = paragraph.filter(|paragraph| codes::enhanced(paragraph).is_some() || codes::enhanced(text).is_none());
    let mut one = notice(action, recipient, words.as_deref().unwrap_or(text));
    one.status = one.status.or_else(|| codes::enhanced(text));
    Some(vec![one])
}
