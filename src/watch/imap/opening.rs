//! Opening a connection: TCP, TLS, greeting, sign-in, capabilities.

use super::{
    connection::{Connection, Outcome, Transport, word_of},
    fault::Fault,
    server::Server,
};
use crate::{
    clock::Clock,
    credentials::{Credentials, Door, Proof},
    model::TlsMode,
};
use ::imap::imap_proto::Response;
use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeSet;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

/// Connects and signs in.
///
/// # Errors
/// [`Fault::SignIn`] with the server's words if it does not let us in, or if there is no secret; otherwise [`Fault::Lost`].
pub(super) async fn open(server: &Server, credentials: &Credentials, clock: Clock) -> Result<Connection, Fault> {
    let secret = credentials.secret(Instant::now() + server.patience.command).await.map_err(|none| {
        if none.passing {
            Fault::Lost(none.why)
        } else {
            Fault::SignIn(none.why)
        }
    })?;
    let (host, port) = server.address();
    let connecting = timeout(server.patience.connect, TcpStream::connect((host, port))).await;
    let stream = connecting
        .map_err(|_| {
            Fault::Lost(format!(
                "{host}:{port} did not answer within {} s",
                server.patience.connect.as_secs()
            ))
        })?
        .map_err(|error| Fault::Lost(format!("{host}:{port} cannot be reached: {error}")))?;
    // Nagle's algorithm would hold back every second small command.
    let _ = stream.set_nodelay(true);
    let loopback = stream.peer_addr().is_ok_and(|address| address.ip().is_loopback());
    let mut connection = Box::pin(secure(server, Box::new(stream), clock)).await?;
    if connection.tls.is_none() && !loopback {
        return Err(Fault::SignIn(
            "there is no TLS, and a password does not travel in the clear except to this machine".to_owned(),
        ));
    }
    connection.scrubber = credentials.scrubber().clone();
    let let_in = if connection.preauthenticated {
        None
    } else {
        if connection.capabilities.is_empty() {
            ask_capabilities(&mut connection).await?;
        }
        Box::pin(authenticate(&mut connection, credentials, &secret)).await?.capabilities
    };
    match let_in {
        Some(capabilities) => connection.capabilities = capabilities,
        None => ask_capabilities(&mut connection).await?,
    }
    Ok(connection)
}

async fn secure(server: &Server, stream: Box<dyn Transport>, clock: Clock) -> Result<Connection, Fault> {
    let patience = server.patience.command;
    let mode = server.endpoint.tls;
    if mode == TlsMode::Implicit {
        let mut connection = lay_tls(server, stream, clock).await?;
        connection.preauthenticated = connection.greeting().await?;
        return Ok(connection);
    }
    let mut connection = Connection::new(stream, clock, patience);
    connection.preauthenticated = connection.greeting().await?;
    if mode == TlsMode::None {
        return Ok(connection);
    }
    if connection.preauthenticated && mode == TlsMode::Required {
        // STARTTLS is no longer possible then (RFC 3501 section 6.2.1): this is how an attacker would keep us in the clear.
        return Err(Fault::Lost(
            "the server signs us in before TLS, so that STARTTLS is not possible".to_owned(),
        ));
    }
    match connection.command("STARTTLS", &mut |_, _| {}).await {
        Ok(_) => lay_tls(server, connection.into_stream(), clock).await,
        Err(Fault::Refused(_)) if mode == TlsMode::Opportunistic => Ok(connection),
        Err(Fault::Refused(words)) => Err(Fault::Lost(format!("the server does not begin TLS (STARTTLS): {words}"))),
        Err(fault) => Err(fault),
    }
}

async fn lay_tls(server: &Server, stream: Box<dyn Transport>, clock: Clock) -> Result<Connection, Fault> {
    let patience = server.patience.command;
    let connector = server.connector().map_err(Fault::Lost)?;
    let (stream, tls) = timeout(patience, connector.wrap(stream, &server.endpoint.host))
        .await
        .map_err(|_| Fault::Lost(format!("the TLS handshake did not end within {} s", patience.as_secs())))?
        .map_err(|error| Fault::Lost(format!("no TLS: {error}")))?;
    let mut connection = Connection::new(Box::new(stream), clock, patience);
    connection.tls = Some(tls);
    Ok(connection)
}

async fn ask_capabilities(connection: &mut Connection) -> Result<(), Fault> {
    let mut found = BTreeSet::new();
    connection
        .command("CAPABILITY", &mut |response, _| {
            if let Response::Capabilities(capabilities) = response {
                found.extend(capabilities.iter().take(500).map(word_of));
            }
        })
        .await?;
    connection.capabilities = found;
    Ok(())
}

/// SASL PLAIN (RFC 4616).
fn plain(user: &str, password: &str) -> String {
    format!("\0{user}\0{password}")
}

/// SASL XOAUTH2, as Google and Microsoft describe it.
fn bearer(user: &str, token: &str) -> String {
    format!("user={user}\x01auth=Bearer {token}\x01\x01")
}

/// A quoted string (RFC 3501 section 4.3); `None` if `text` does not fit into one.
pub(super) fn quoted(text: &str) -> Option<String> {
    let fits = !text.contains(['\r', '\n', '\0']);
    fits.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Signs in. A secret that is refused may be replaced by another, once.
async fn authenticate(connection: &mut Connection, credentials: &Credentials, secret: &SecretString) -> Result<Outcome, Fault> {
    let mut outcome = present(connection, credentials, secret).await?;
    if is_refused(&outcome)
        && let Some(another) = credentials.another(secret, Instant::now() + connection.patience()).await
        // A server that ends the conversation instead has said its word before.
        && let Ok(second) = present(connection, credentials, &another).await
    {
        outcome = second;
    }
    match &outcome.result {
        Ok(()) => Ok(outcome),
        Err(words) if is_busy(words) => Err(Fault::Lost(format!("the server cannot let us in just now: {words}"))),
        Err(words) => {
            let advice = credentials.advice(Door::Imap, words).map(|advice| format!(": {advice}"));
            let user = credentials.user();
            Err(Fault::SignIn(format!(
                "the server refuses the login of {user}: {}{}",
                if advice.is_some() { words.trim_end_matches('.') } else { words },
                advice.unwrap_or_default()
            )))
        }
    }
}

fn is_refused(outcome: &Outcome) -> bool {
    outcome.result.as_ref().is_err_and(|words| !is_busy(words))
}

/// RFC 5530: these speak of the server, not of the account.
fn is_busy(words: &str) -> bool {
    ["[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]"]
        .iter()
        .any(|code| words.starts_with(code))
}

async fn present(connection: &mut Connection, credentials: &Credentials, secret: &SecretString) -> Result<Outcome, Fault> {
    let user = credentials.user();
    let secret = secret.expose_secret();
    let ascii = user.is_ascii() && secret.is_ascii();
    let outcome = match credentials.proof() {
        Proof::Token => sasl(connection, "XOAUTH2", &bearer(user, secret)).await?,
        Proof::Password if connection.can("AUTH=PLAIN") || !ascii => sasl(connection, "PLAIN", &plain(user, secret)).await?,
        Proof::Password if connection.can("LOGINDISABLED") => {
            return Err(Fault::SignIn(
                "the server takes no password: it offers neither AUTH=PLAIN nor LOGIN".to_owned(),
            ));
        }
        Proof::Password => {
            let (Some(user), Some(password)) = (quoted(user), quoted(secret)) else {
                return Err(Fault::SignIn("the user or the password holds a line break".to_owned()));
            };
            let patience = connection.patience();
            connection
                .dialogue(&format!("LOGIN {user} {password}"), patience, &mut |_, _| {})
                .await?
        }
    };
    if outcome.asked.is_some() {
        return Err(Fault::SignIn("the server asks for more than a user and a secret".to_owned()));
    }
    Ok(outcome)
}

/// One SASL exchange with a single message of ours (RFC 3501 section 6.2.2, RFC 4959).
async fn sasl(connection: &mut Connection, mechanism: &str, message: &str) -> Result<Outcome, Fault> {
    let message = BASE64.encode(message.as_bytes());
    let patience = connection.patience();
    let initial = connection.can("SASL-IR");
    let line = if initial {
        format!("AUTHENTICATE {mechanism} {message}")
    } else {
        format!("AUTHENTICATE {mechanism}")
    };
    let mut outcome = connection.dialogue(&line, patience, &mut |_, _| {}).await?;
    if !initial && outcome.asked.is_some() {
        outcome = connection.go_on(&message, outcome.spell.sent).await?;
    }
    if let Some(challenge) = outcome.asked.take() {
        // XOAUTH2 explains a refusal in a challenge, and says NO only after an empty answer.
        let explained = BASE64.decode(challenge.trim().as_bytes()).unwrap_or_default();
        let explained = connection.shown(&String::from_utf8_lossy(&explained));
        outcome = connection.go_on("", outcome.spell.sent).await?;
        if let (Err(words), false) = (&mut outcome.result, explained.is_empty()) {
            *words = format!("{words} ({explained})");
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_strings_hold_what_they_can() {
        assert_eq!(quoted(r#"a"b\c"#).unwrap(), r#""a\"b\\c""#);
        assert_eq!(quoted("a\r\nm1 LOGOUT"), None, "a name must not become a command");
    }
}
