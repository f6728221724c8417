//! What goes wrong between us and a server: never a measurement, always a reason for being blind.

use crate::scrub::Scrubber;
use std::fmt;

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection could not be made, or is no longer usable.
    Lost(String),
    /// The server does not let us in: trying again soon would only repeat it, and may lock the account.
    SignIn(String),
    /// The server refused a command (`NO`, `BAD`); the connection is still good.
    Refused(String),
    /// Nobody listens to our events any more: the end.
    Unheard,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(reason) | Self::SignIn(reason) | Self::Refused(reason) => f.write_str(reason),
            Self::Unheard => f.write_str("nobody listens"),
        }
    }
}

/// The words of a server, fit to be shown: one line of bounded length, without control characters and without secrets.
pub(super) fn shown(words: &str, scrubber: &Scrubber) -> String {
    const LIMIT: usize = 240;
    // Control characters go first, and for good: one in the middle must not hide a secret.
    let plain: String = words.chars().filter(|character| !character.is_control()).collect();
    let plain = scrubber.scrub(&plain);
    let mut shown: String = plain.chars().take(LIMIT).collect();
    if plain.chars().count() > LIMIT {
        shown.push('…');
    }
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_server_are_bounded_and_hold_no_secret() {
        let scrubber = Scrubber::new("probe", &"hunter2".into());
        assert_eq!(shown("no\u{1b}[2J hun\u{7}ter2\r\n", &scrubber), "no[2J [secret]");
        assert_eq!(shown(&"x".repeat(1000), &Scrubber::default()).chars().count(), 241);
    }
}
