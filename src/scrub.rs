//! Takes secrets out of what servers say: some echo the line that they refuse, credentials and all.

use data_encoding::{BASE64, HEXLOWER};
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::HashSet,
    fmt,
    fmt::Write,
    sync::{Arc, PoisonError, RwLock},
};

/// A secret is found by any run of so many of its bytes, so that an echo that was cut off is found too.
const WINDOW: usize = 8;
/// What stands in its place.
const MASK: &str = "[secret]";

/// Knows secrets in every form in which they go over the wire, and in those that a server might show them in. Clones share what they know, so
/// that a secret learned later, such as a renewed token, is known everywhere at once.
#[derive(Default, Clone)]
pub struct Scrubber(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    windows: HashSet<[u8; WINDOW]>,
    /// Secrets shorter than the window; of these only those too long to stand in a sentence by chance.
    short: Vec<SecretString>,
}

impl Scrubber {
    /// One that takes out the secret with which `user` signs in.
    pub fn new(user: &str, secret: &SecretString) -> Self {
        let scrubber = Self::default();
        scrubber.add(user, secret);
        scrubber
    }

    /// Takes out the secret with which `user` signs in, too.
    pub fn add(&self, user: &str, secret: &SecretString) {
        let secret = secret.expose_secret();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms(user, secret) {
            // Servers that echo a line may have changed its case, or set its letters apart.
            let lower = Letters::of(&form, is_apart).text;
            if lower.len() >= WINDOW {
                known.windows.extend(
                    lower
                        .as_bytes()
                        .windows(WINDOW)
                        .filter_map(|window| <[u8; WINDOW]>::try_from(window).ok()),
                );
            } else if lower.len() >= 4 && !known.short.iter().any(|short| short.expose_secret() == lower) {
                known.short.push(lower.into());
            }
        }
    }

    /// `text`, if there is one, without them.
    pub fn scrub_some(&self, text: &mut Option<String>) {
        if let Some(text) = text {
            *text = self.scrub(text);
        }
    }

    /// `text` without them.
    pub fn scrub(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut secret = vec![false; text.len()];
        let letters = Letters::of(text, is_apart);
        for (start, window) in letters.text.as_bytes().windows(WINDOW).enumerate() {
            if <[u8; WINDOW]>::try_from(window).is_ok_and(|window| known.windows.contains(&window)) {
                letters.mark(&mut secret, start, WINDOW);
            }
        }
        if !known.short.is_empty() {
            // The letters of two words may by chance be those of a short one.
            let letters = Letters::of(text, is_unseen);
            for short in &known.short {
                for (start, found) in letters.text.match_indices(short.expose_secret()) {
                    letters.mark(&mut secret, start, found.len());
                }
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

/// The secret as it is; in base64, alone and as it travels with the user's name (SASL PLAIN, RFC 4616; XOAUTH2); within quotation marks
/// (RFC 3501 section 9, quoted); in hexadecimal digits; with every byte but letters and digits as `%XX`.
fn forms(user: &str, secret: &str) -> [String; 7] {
    let percent = secret.bytes().fold(String::new(), |mut percent, byte| {
        if byte.is_ascii_alphanumeric() {
            percent.push(char::from(byte));
        } else {
            let _ = write!(percent, "%{byte:02x}");
        }
        percent
    });
    [
        secret.to_owned(),
        BASE64.encode(secret.as_bytes()),
        BASE64.encode(format!("\0{user}\0{secret}").as_bytes()),
        BASE64.encode(format!("user={user}\x01auth=Bearer {secret}\x01\x01").as_bytes()),
        secret.replace('\\', "\\\\").replace('"', "\\\""),
        HEXLOWER.encode(secret.as_bytes()),
        percent,
    ]
}

/// A text in lower case without what may stand between the letters of a secret, and where each octet of it stands in the whole.
struct Letters {
    text: String,
    places: Vec<usize>,
}

impl Letters {
    fn of(whole: &str, is_left_out: fn(char) -> bool) -> Self {
        let mut letters = Self {
            text: String::with_capacity(whole.len()),
            places: Vec::with_capacity(whole.len()),
        };
        for (place, letter) in whole.char_indices().filter(|(_, letter)| !is_left_out(*letter)) {
            letters.text.push(letter.to_ascii_lowercase());
            letters.places.extend(place..place + letter.len_utf8());
        }
        letters
    }

    /// Marks, in the whole, what stands between two octets of the letters.
    fn mark(&self, secret: &mut [bool], start: usize, length: usize) {
        let last = (start + length).checked_sub(1).and_then(|last| self.places.get(last));
        if let (Some(&first), Some(&last)) = (self.places.get(start), last) {
            secret.iter_mut().take(last + 1).skip(first).for_each(|octet| *octet = true);
        }
    }
}

/// Whether a character may stand between the letters of a secret that is still read as one: blanks, and what is not seen.
fn is_apart(character: char) -> bool {
    character.is_whitespace() || is_unseen(character)
}

/// Whether a character takes no place: controls, and those that join, part or turn others.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}')
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrubber(secrets)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(secret: &str) -> Scrubber {
        Scrubber::new("probe", &secret.into())
    }

    #[test]
    fn an_echo_is_masked_whole_cut_off_or_in_capitals() {
        let scrubber = scrubber("hunter22");
        assert_eq!(
            scrubber.scrub("500 what is AUTH PLAIN AHByb2JlAGh1bnRlcjIy?"),
            "500 what is AUTH PLAIN [secret]?"
        );
        assert_eq!(scrubber.scrub("bad: AHByb2JlAGh1"), "bad: [secret]");
        assert_eq!(scrubber.scrub("HUNTER22 is é wrong"), "[secret] is é wrong");
        assert_eq!(scrubber.scrub("Authentication failed"), "Authentication failed");
    }

    #[test]
    fn an_echo_is_masked_in_whatever_way_it_is_written() {
        let scrubber = scrubber("Hunter2\"S3cretXyz");
        for echo in [
            "SHVudGVyMiJTM2NyZXRYeXo=",
            "AHByb2JlAEh1bnRlcjIiUzNjcmV0WHl6",
            "dXNlcj1wcm9iZQFhdXRoPUJlYXJlciBIdW50ZXIyIlMzY3JldFh5egEB",
            "\"Hunter2\\\"S3cretXyz\"",
            "48756E74657232225333637265745879 7a",
            "Hunter2%22S3cretXyz",
        ] {
            let shown = scrubber.scrub(&format!("you said {echo}"));
            let rest = shown.replace(MASK, "");
            assert!(shown.contains(MASK) && rest.len() < "you said ".len() + 8, "{shown}");
        }
    }

    #[test]
    fn short_secrets_are_masked_where_they_could_not_be_chance() {
        assert_eq!(scrubber("p4ss").scrub("wrong password P4SS"), "wrong password [secret]");
        assert_eq!(
            scrubber("a").scrub("a wrong password"),
            "a wrong password",
            "masking would spell it out"
        );
        assert_eq!(scrubber("").scrub("x"), "x");
    }

    #[test]
    fn what_sets_its_letters_apart_hides_no_secret() {
        let guard = scrubber("Hunter2 S3cret");
        let apart = |gap: &str| "Hunter2 S3cret".chars().map(String::from).collect::<Vec<_>>().join(gap);
        for gap in ["", " ", "  ", "\u{200B}", "\u{2060} ", "\u{AD}", "\u{202E}", "\t"] {
            assert_eq!(guard.scrub(&format!("you said {}.", apart(gap))), "you said [secret].", "{gap:?}");
        }
        assert_eq!(guard.scrub("a hunter saw two secrets"), "a hunter saw two secrets");
        let short = scrubber("pass");
        assert_eq!(
            short.scrub("p\u{200B}ass, and the top assembly"),
            "[secret], and the top assembly",
            "a short one is not found across words"
        );
    }

    #[test]
    fn clones_learn_together() {
        let (one, other) = (scrubber("hunter22"), Scrubber::default());
        let clone = one.clone();
        one.add("probe", &"another-secret".into());
        assert_eq!(clone.scrub("hunter22 another-secret"), "[secret] [secret]");
        assert_eq!(other.scrub("hunter22"), "hunter22");
    }

    #[test]
    fn nothing_but_the_mask_is_shown_of_a_secret_with_wide_letters() {
        let scrubber = scrubber("пароль123");
        assert_eq!(scrubber.scrub("«пароль123»"), "«[secret]»");
        assert_eq!(format!("{scrubber:?}"), "Scrubber(secrets)");
    }
}
