//! Signing in (RFC 4954): PLAIN (RFC 4616), LOGIN, and XOAUTH2 by Google's and Microsoft's description.
//!
//! Done by raw commands, so that the server's whole answer is kept: after XOAUTH2 that is the JSON of the challenge and the reply that follows it.

use super::{
    failure::{Failure, Stage, positive},
    reply::RawReply,
    session::Session,
};
use crate::{model::Tls, scrub::Scrubber};
use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// A user and the resolved proof of being that user. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A user name and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A bearer token.
    XOAuth2 {
        /// The user.
        user: String,
        /// The token.
        token: SecretString,
    },
}

/// A way of signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mechanism {
    Plain,
    Login,
    XOAuth2,
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOAuth2 => "XOAUTH2",
        }
    }
}

impl Credentials {
    fn user(&self) -> &str {
        match self {
            Self::Password { user, .. } | Self::XOAuth2 { user, .. } => user,
        }
    }

    /// The mechanisms that these credentials serve, the preferred one first.
    fn mechanisms(&self) -> &'static [Mechanism] {
        match self {
            Self::Password { .. } => &[Mechanism::Plain, Mechanism::Login],
            Self::XOAuth2 { .. } => &[Mechanism::XOAuth2],
        }
    }

    /// The initial response of PLAIN or XOAUTH2, in base64.
    fn initial(&self) -> SecretString {
        let text = match self {
            Self::Password { user, password } => format!("\0{user}\0{}", password.expose_secret()),
            Self::XOAuth2 { user, token } => format!("user={user}\x01auth=Bearer {}\x01\x01", token.expose_secret()),
        };
        BASE64.encode(text.as_bytes()).into()
    }

    fn secret(&self) -> &SecretString {
        match self {
            Self::Password { password, .. } => password,
            Self::XOAuth2 { token, .. } => token,
        }
    }

    /// Takes the secret out of what the server says.
    pub(super) fn scrubber(&self) -> Scrubber {
        Scrubber::new(self.user(), self.secret())
    }
}

/// Whether a secret may go over a connection to another machine.
fn safe_to_sign_in(tls: Option<&Tls>) -> Result<(), String> {
    match tls {
        None => Err("the connection is not encrypted, so no password was sent over it".to_owned()),
        // Opportunistic TLS would give the password to whoever stands in the way.
        Some(Tls { certificate: Err(why), .. }) => Err(format!("{why}, so no password was sent over the connection")),
        Some(_) => Ok(()),
    }
}

/// Signs in on a session whose EHLO is done; says by which mechanism.
pub(super) async fn sign_in(session: &mut Session, credentials: &Credentials, limit: Duration) -> Result<&'static str, Box<Failure>> {
    let trouble = |text: String| Failure::hopeless(Stage::Auth, text);
    if !session.is_loopback() {
        safe_to_sign_in(session.tls()).map_err(trouble)?;
    }
    if [credentials.user(), credentials.secret().expose_secret()]
        .iter()
        .any(|text| text.contains(char::is_control))
    {
        return Err(trouble("the user's name or the secret holds a control character".to_owned()));
    }
    let Some(offered) = session.offers().auth.clone() else {
        return Err(trouble("the server offers no sign-in (AUTH) on this connection".to_owned()));
    };
    let wanted = credentials.mechanisms();
    let Some(mechanism) = wanted
        .iter()
        .find(|mechanism| offered.iter().any(|offer| offer == mechanism.name()))
    else {
        let wanted: Vec<_> = wanted.iter().map(|mechanism| mechanism.name()).collect();
        return Err(trouble(format!(
            "the server offers AUTH {}, not {}",
            offered.join(" "),
            wanted.join(" or ")
        )));
    };
    let mut dialogue = Dialogue { session, limit };
    let reply = match mechanism {
        Mechanism::Plain => {
            dialogue
                .say(&format!("AUTH PLAIN {}", credentials.initial().expose_secret()))
                .await?
        }
        Mechanism::Login => dialogue.login(credentials).await?,
        Mechanism::XOAuth2 => dialogue.xoauth2(credentials).await?,
    };
    positive(Stage::Auth, reply).map(|_| mechanism.name())
}

struct Dialogue<'a> {
    session: &'a mut Session,
    limit: Duration,
}

impl Dialogue<'_> {
    async fn say(&mut self, line: &str) -> Result<RawReply, Box<Failure>> {
        self.session.exchange(&format!("{line}\r\n"), Stage::Auth, self.limit).await
    }

    async fn login(&mut self, credentials: &Credentials) -> Result<RawReply, Box<Failure>> {
        let Credentials::Password { user, password } = credentials else {
            return Err(Failure::hopeless(Stage::Auth, "AUTH LOGIN needs a password"));
        };
        let mut reply = self.say("AUTH LOGIN").await?;
        for answer in [BASE64.encode(user.as_bytes()), BASE64.encode(password.expose_secret().as_bytes())] {
            if reply.code != 334 {
                // Refused; a success before the password was asked for would be none of ours.
                return if reply.is_refusal() {
                    Ok(reply)
                } else {
                    Err(Failure::unexpected(Stage::Auth, &reply))
                };
            }
            reply = self.say(&answer).await?;
        }
        Ok(reply)
    }

    async fn xoauth2(&mut self, credentials: &Credentials) -> Result<RawReply, Box<Failure>> {
        let reply = self.say(&format!("AUTH XOAUTH2 {}", credentials.initial().expose_secret())).await?;
        if reply.code != 334 {
            return Ok(reply);
        }
        // The challenge of a refused token says why, as JSON in base64; the refusal itself comes after an empty answer.
        let why = reply
            .lines
            .iter()
            .filter_map(|line| BASE64.decode(line.trim().as_bytes()).ok())
            .map(|json| String::from_utf8_lossy(&json).into_owned());
        let why: Vec<String> = why.collect();
        let mut reply = self.say("").await?;
        reply.lines.extend(why);
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_only_where_nobody_else_can_read_it() {
        let tls = |certificate| Tls {
            version: "TLSv1.3".to_owned(),
            cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
            certificate,
        };
        assert_eq!(
            safe_to_sign_in(None),
            Err("the connection is not encrypted, so no password was sent over it".to_owned())
        );
        assert_eq!(
            safe_to_sign_in(Some(&tls(Err("the certificate has expired".to_owned())))),
            Err("the certificate has expired, so no password was sent over the connection".to_owned())
        );
        assert_eq!(safe_to_sign_in(Some(&tls(Ok(())))), Ok(()));
    }
}
