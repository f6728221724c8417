//! Signing in (RFC 4954): PLAIN (RFC 4616), LOGIN, and XOAUTH2 by Google's and Microsoft's description.
//!
//! Done by raw commands, so that the server's whole answer is kept: after XOAUTH2 that is the JSON of the challenge and the reply that follows it.

use super::{
    failure::{Failure, Stage, positive},
    reply::RawReply,
    session::Session,
};
use crate::{
    credentials::{Credentials, Door, Proof},
    model::Tls,
};
use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use tokio::time::Instant;

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

/// The mechanisms for a proof, the preferred one first.
fn mechanisms(proof: Proof) -> &'static [Mechanism] {
    match proof {
        Proof::Password => &[Mechanism::Plain, Mechanism::Login],
        Proof::Token => &[Mechanism::XOAuth2],
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

/// Signs in on a session whose EHLO is done; says by which mechanism. A secret that is refused may be replaced by another, once.
pub(super) async fn sign_in(session: &mut Session, credentials: &Credentials, limit: Duration) -> Result<&'static str, Box<Failure>> {
    let trouble = |text: String| Failure::hopeless(Stage::Auth, text);
    if !session.is_loopback() {
        safe_to_sign_in(session.tls()).map_err(trouble)?;
    }
    let mechanism = choose(session, credentials.proof()).map_err(trouble)?;
    let until = Instant::now() + limit;
    let secret = credentials.secret(until).await.map_err(|none| {
        if none.passing {
            Failure::trouble(Stage::Auth, none.why)
        } else {
            Failure::hopeless(Stage::Auth, none.why)
        }
    })?;
    let mut dialogue = Dialogue { session, limit };
    let mut reply = dialogue.present(mechanism, credentials.user(), &secret).await?;
    if reply.code >= 500
        && let Some(another) = credentials.another(&secret, until).await
        // A server that ends the conversation instead has said its word before.
        && let Ok(second) = dialogue.present(mechanism, credentials.user(), &another).await
    {
        reply = second;
    }
    let said = reply.kept().to_string().replace('\n', " ");
    if reply.code >= 500
        && let Some(advice) = credentials.advice(Door::Smtp, &said)
    {
        let user = credentials.user();
        return Err(trouble(format!("the server refuses the token for {user} ({said}): {advice}")));
    }
    positive(Stage::Auth, reply).map(|_| mechanism.name())
}

/// The mechanism to use, of those that the server offers.
fn choose(session: &Session, proof: Proof) -> Result<Mechanism, String> {
    let Some(offered) = &session.offers().auth else {
        return Err("the server offers no sign-in (AUTH) on this connection".to_owned());
    };
    let wanted = mechanisms(proof);
    let chosen = wanted
        .iter()
        .find(|mechanism| offered.iter().any(|offer| offer == mechanism.name()));
    chosen.copied().ok_or_else(|| {
        let wanted: Vec<_> = wanted.iter().map(|mechanism| mechanism.name()).collect();
        format!("the server offers AUTH {}, not {}", offered.join(" "), wanted.join(" or "))
    })
}

struct Dialogue<'a> {
    session: &'a mut Session,
    limit: Duration,
}

impl Dialogue<'_> {
    async fn present(&mut self, mechanism: Mechanism, user: &str, secret: &SecretString) -> Result<RawReply, Box<Failure>> {
        let secret = secret.expose_secret();
        if [user, secret].iter().any(|text| text.contains(char::is_control)) {
            let text = "the user's name or the secret holds a control character";
            return Err(Failure::hopeless(Stage::Auth, text));
        }
        match mechanism {
            Mechanism::Plain => {
                let initial = encoded(&format!("\0{user}\0{secret}"));
                self.say(&format!("AUTH PLAIN {}", initial.expose_secret())).await
            }
            Mechanism::Login => self.login(user, secret).await,
            Mechanism::XOAuth2 => {
                let initial = encoded(&format!("user={user}\x01auth=Bearer {secret}\x01\x01"));
                self.xoauth2(&initial).await
            }
        }
    }

    async fn say(&mut self, line: &str) -> Result<RawReply, Box<Failure>> {
        self.session.exchange(&format!("{line}\r\n"), Stage::Auth, self.limit).await
    }

    async fn login(&mut self, user: &str, password: &str) -> Result<RawReply, Box<Failure>> {
        let mut reply = self.say("AUTH LOGIN").await?;
        for answer in [user, password] {
            if reply.code != 334 {
                // Refused; a success before the password was asked for would be none of ours.
                return if reply.is_refusal() {
                    Ok(reply)
                } else {
                    Err(Failure::unexpected(Stage::Auth, &reply))
                };
            }
            reply = self.say(encoded(answer).expose_secret()).await?;
        }
        Ok(reply)
    }

    async fn xoauth2(&mut self, initial: &SecretString) -> Result<RawReply, Box<Failure>> {
        let reply = self.say(&format!("AUTH XOAUTH2 {}", initial.expose_secret())).await?;
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

fn encoded(text: &str) -> SecretString {
    BASE64.encode(text.as_bytes()).into()
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
