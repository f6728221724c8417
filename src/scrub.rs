//! Takes secrets out of what servers say: some echo the line that they refuse, credentials and all.

use secrecy::{ExposeSecret, SecretString};
use std::{collections::HashSet, fmt};

/// A secret is found by any run of so many of its bytes, so that an echo that was cut off is found too.
const WINDOW: usize = 8;
/// What stands in its place.
const MASK: &str = "[secret]";

/// Knows the secrets of a route or a mailbox, in every form in which they go over the wire.
#[derive(Default)]
pub struct Scrubber {
    windows: HashSet<[u8; WINDOW]>,
    /// Secrets shorter than the window; of these only those too long to stand in a sentence by chance.
    short: Vec<SecretString>,
}

impl Scrubber {
    /// One that takes out these.
    pub fn new(secrets: &[SecretString]) -> Self {
        let mut scrubber = Self {
            windows: HashSet::new(),
            short: Vec::new(),
        };
        for secret in secrets {
            // Servers that echo a line may have changed its case.
            let lower = secret.expose_secret().to_ascii_lowercase();
            if lower.len() >= WINDOW {
                scrubber.windows.extend(
                    lower
                        .as_bytes()
                        .windows(WINDOW)
                        .filter_map(|window| <[u8; WINDOW]>::try_from(window).ok()),
                );
            } else if lower.len() >= 4 {
                scrubber.short.push(lower.into());
            }
        }
        scrubber
    }

    /// `text` without them.
    pub fn scrub(&self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        let mut secret = vec![false; lower.len()];
        for (start, window) in lower.as_bytes().windows(WINDOW).enumerate() {
            if <[u8; WINDOW]>::try_from(window).is_ok_and(|window| self.windows.contains(&window)) {
                mark(&mut secret, start, WINDOW);
            }
        }
        for short in &self.short {
            for (start, found) in lower.match_indices(short.expose_secret()) {
                mark(&mut secret, start, found.len());
            }
        }
        let mut clean = String::with_capacity(text.len());
        let mut masked = false;
        for (at, character) in text.char_indices() {
            let hide = secret.iter().skip(at).take(character.len_utf8()).any(|&secret| secret);
            if !hide {
                clean.push(character);
            } else if !masked {
                clean.push_str(MASK);
            }
            masked = hide;
        }
        clean
    }
}

fn mark(secret: &mut [bool], start: usize, length: usize) {
    secret.iter_mut().skip(start).take(length).for_each(|byte| *byte = true);
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrubber(secrets)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(secrets: &[&str]) -> Scrubber {
        Scrubber::new(&secrets.iter().map(|&secret| secret.into()).collect::<Vec<_>>())
    }

    #[test]
    fn an_echo_is_masked_whole_cut_off_or_in_capitals() {
        let scrubber = scrubber(&["AHByb2JlAGh1bnRlcjIy", "hunter22"]);
        assert_eq!(
            scrubber.scrub("500 what is AUTH PLAIN AHByb2JlAGh1bnRlcjIy?"),
            "500 what is AUTH PLAIN [secret]?"
        );
        assert_eq!(scrubber.scrub("bad: AHByb2JlAGh1"), "bad: [secret]");
        assert_eq!(scrubber.scrub("HUNTER22 is é wrong"), "[secret] is é wrong");
        assert_eq!(scrubber.scrub("Authentication failed"), "Authentication failed");
    }

    #[test]
    fn short_secrets_are_masked_where_they_could_not_be_chance() {
        assert_eq!(scrubber(&["p4ss"]).scrub("wrong password P4SS"), "wrong password [secret]");
        assert_eq!(
            scrubber(&["a"]).scrub("a wrong password"),
            "a wrong password",
            "masking would spell it out"
        );
        assert_eq!(scrubber(&[""]).scrub("x"), "x");
    }

    #[test]
    fn nothing_but_the_mask_is_shown_of_a_secret_with_wide_letters() {
        let scrubber = scrubber(&["пароль123"]);
        assert_eq!(scrubber.scrub("«пароль123»"), "«[secret]»");
        assert_eq!(format!("{scrubber:?}"), "Scrubber(secrets)");
    }
}
