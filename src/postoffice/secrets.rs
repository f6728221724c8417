//! Passwords and tokens of this one post office, derived from a random key, and the answers of SASL clients (RFC 4616, XOAUTH2).
//!
//! Cannot see which logins exist, which `directory` knows, nor what a token of the tenant is good for, which the tenant knows.

use data_encoding::{BASE32_NOPAD, BASE64};
use ring::hmac;
use ring::rand::SystemRandom;

use super::directory::{Directory, WATCHER};
use super::tenant::{Entry, Protocol, Tenant};

/// The key behind all passwords.
pub struct Secrets(hmac::Key);

/// Who logs in, by what a client said.
#[derive(Debug, PartialEq, Eq)]
pub enum Login {
    /// The mailbox may be opened.
    Welcome(String),
    /// It may not.
    Refused,
    /// The tenant does not let its bearer in.
    RefusedByTenant,
    /// The tenant takes no sign-in to SMTP.
    SwitchedOff,
    /// The tenant's token is good, and its mailbox does not open.
    NotConnected,
}

impl Secrets {
    /// New secrets, different in each post office.
    ///
    /// # Errors
    /// When the random numbers of the system fail.
    pub fn new() -> std::io::Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        key.map(Self).map_err(|_| std::io::Error::other("the system has no random numbers"))
    }

    /// The password of a login.
    pub fn password(&self, login: &str) -> String {
        self.derive("password", login)
    }

    /// The bearer token of a login, for XOAUTH2.
    pub fn token(&self, login: &str) -> String {
        self.derive("token", login)
    }

    fn derive(&self, kind: &str, login: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{kind} {}", login.to_lowercase()).as_bytes());
        BASE32_NOPAD.encode(tag.as_ref()).to_lowercase()[..24].to_owned()
    }

    /// Checks a name and a password. `mailbox*watcher` opens any mailbox with the watcher's password.
    pub fn check(&self, directory: &Directory, name: &str, password: &str) -> Login {
        let (mailbox, keeper) = match name.rsplit_once('*') {
            Some((mailbox, keeper)) if keeper == WATCHER => (mailbox, keeper),
            Some(_) => return Login::Refused,
            None => (name, name),
        };
        let right = directory.has_mailbox(mailbox) && self.password(keeper) == password;
        if right {
            Login::Welcome(mailbox.to_lowercase())
        } else {
            Login::Refused
        }
    }

    /// Checks the decoded answer of a client to AUTH PLAIN: authorisation identity, name and password, NUL between them.
    pub fn check_plain(&self, directory: &Directory, answer: &[u8]) -> Login {
        let Ok(answer) = std::str::from_utf8(answer) else {
            return Login::Refused;
        };
        let mut parts = answer.split('\0');
        let (Some(identity), Some(name), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Login::Refused;
        };
        if name == WATCHER && !identity.is_empty() {
            return self.check(directory, &format!("{identity}*{name}"), password);
        }
        match self.check(directory, name, password) {
            Login::Welcome(mailbox) if identity.is_empty() || identity.eq_ignore_ascii_case(&mailbox) => Login::Welcome(mailbox),
            _ => Login::Refused,
        }
    }

    /// Checks the decoded answer of a client to AUTH XOAUTH2: a token of the post office, or one of its tenant.
    pub fn check_xoauth2(&self, directory: &Directory, tenant: Option<&Tenant>, protocol: Protocol, answer: &[u8]) -> Login {
        let Some((user, token)) = bearer(answer) else {
            return Login::Refused;
        };
        let welcome = || Login::Welcome(user.to_lowercase());
        let here = directory.has_mailbox(user);
        // The tenant's tokens look like JWTs; ours have no dots.
        let Some(tenant) = tenant.filter(|_| token.contains('.')) else {
            return if here && token == self.token(user) {
                welcome()
            } else {
                Login::Refused
            };
        };
        match tenant.enter(protocol, user, token) {
            Entry::Welcome if here => welcome(),
            Entry::NotConnected => Login::NotConnected,
            Entry::SwitchedOff => Login::SwitchedOff,
            Entry::Welcome | Entry::Refused => Login::RefusedByTenant,
        }
    }
}

/// User and token of `user=NAME^Aauth=Bearer TOKEN^A^A`.
fn bearer(answer: &[u8]) -> Option<(&str, &str)> {
    let answer = std::str::from_utf8(answer).ok()?;
    let field = |key: &str| answer.split('\x01').find_map(|part| part.strip_prefix(key));
    let (scheme, token) = field("auth=")?.split_once(' ')?;
    let user = field("user=")?;
    scheme.eq_ignore_ascii_case("bearer").then_some((user, token))
}

/// What a server says, in base64, before it refuses a token; the client answers with an empty line.
pub const TOKEN_REFUSED: &str = r#"{"status":"400","schemes":"bearer","scope":"mail"}"#;

/// The octets of a client's base64 answer; `=` alone is an empty one (RFC 4954).
pub fn decode(answer: &str) -> Option<Vec<u8>> {
    if answer == "=" {
        Some(Vec::new())
    } else {
        BASE64.decode(answer.as_bytes()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_log_in() {
        let secrets = Secrets::new().unwrap();
        let directory = Directory::new(&["probe@sender.example".to_owned()], None);
        let mine = secrets.password("probe@sender.example");
        let master = secrets.password(WATCHER);
        let welcome = |login: &str| Login::Welcome(login.to_owned());
        let plain = |text: String| secrets.check_plain(&directory, text.as_bytes());
        assert_eq!(plain(format!("\0Probe@sender.example\0{mine}")), welcome("probe@sender.example"));
        assert_eq!(plain(format!("\0probe@sender.example\0{master}")), Login::Refused);
        assert_eq!(
            plain(format!("\0ok@contoso.example*watcher\0{master}")),
            welcome("ok@contoso.example")
        );
        assert_eq!(
            plain(format!("ok@contoso.example\0watcher\0{master}")),
            welcome("ok@contoso.example")
        );
        assert_eq!(plain(format!("ok@contoso.example\0probe@sender.example\0{mine}")), Login::Refused);
        assert_eq!(plain(format!("\0watcher\0{master}")), Login::Refused, "the watcher has no mailbox");
        assert_eq!(plain(format!("\0ok@contoso.example*probe@sender.example\0{mine}")), Login::Refused);
        let token = secrets.token("probe@sender.example");
        let bearer = |token: &str| {
            secrets.check_xoauth2(
                &directory,
                None,
                Protocol::Imap,
                format!("user=probe@sender.example\x01auth=Bearer {token}\x01\x01").as_bytes(),
            )
        };
        assert_eq!(bearer(&token), welcome("probe@sender.example"));
        assert_eq!(bearer(&mine), Login::Refused);
    }

    #[test]
    fn odd_answers_are_refused() {
        let secrets = Secrets::new().unwrap();
        let directory = Directory::new(&[], None);
        for answer in [&b""[..], b"\0", b"\0\0", b"\0\0\0", b"\xff\0\0", b"user=\x01auth=\x01"] {
            assert_eq!(secrets.check_plain(&directory, answer), Login::Refused);
            assert_eq!(secrets.check_xoauth2(&directory, None, Protocol::Smtp, answer), Login::Refused);
        }
        assert_eq!(decode("="), Some(Vec::new()));
        assert_eq!(decode("!"), None);
    }
}
