//! What goes wrong between us and a server: never a measurement, always a reason for being blind.

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

/// The words of a server, fit to be shown: one line of bounded length, without control characters and without any of `secrets`.
pub(super) fn shown(words: &str, secrets: &[String]) -> String {
    const LIMIT: usize = 240;
    let mut words = words.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        words = words.replace(secret.as_str(), "***");
    }
    let plain = words.chars().map(|character| if character.is_control() { ' ' } else { character });
    let mut shown: String = plain.clone().take(LIMIT).collect();
    if plain.count() > LIMIT {
        shown.push('…');
    }
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_server_are_bounded_and_hold_no_secret() {
        assert_eq!(shown("no\u{1b}[2J hunter2\r\n", &["hunter2".into(), String::new()]), "no [2J ***");
        assert_eq!(shown(&"x".repeat(1000), &[]).chars().count(), 241);
    }
}
