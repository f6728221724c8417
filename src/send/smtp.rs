//! The route to a named host: submission to one's own server, or a gateway (RFC 5321, RFC 6409).

use super::{
    Answer, Parcel, Permit, Sender, Trouble,
    client::Client,
    failure::{Failure, Stage},
    pace::Pace,
    session::{At, Target},
    settings::Conduct,
};
use crate::{clock::Clock, credentials::Credentials, model::Endpoint};
use async_trait::async_trait;
use std::{net::IpAddr, sync::Arc};
use tokio::sync::Semaphore;

/// Sends to one host, or to the host that each parcel names.
pub struct SmtpSender {
    host: String,
    connect: Option<String>,
    port: u16,
    client: Client,
    pace: Pace,
    places: Arc<Semaphore>,
    clock: Clock,
}

impl SmtpSender {
    /// A sender to `endpoint`, signing in with `credentials` if there are any.
    ///
    /// # Errors
    /// A sentence: a CA file that cannot be used, or a `connect` that is no address.
    pub fn new(endpoint: &Endpoint, credentials: Option<Credentials>, conduct: &Conduct) -> Result<Self, String> {
        let connections = usize::from(conduct.connections.max(1));
        if let Some(connect) = endpoint.connect.as_ref().filter(|connect| !connect.contains('{')) {
            parse_connect(connect, endpoint.port)?;
        }
        Ok(Self {
            host: endpoint.host.clone(),
            connect: endpoint.connect.clone(),
            port: endpoint.port,
            client: Client::new(endpoint.tls, endpoint.ca.as_deref(), credentials, conduct, connections)?,
            pace: Pace::new(conduct.rate),
            places: Arc::new(Semaphore::new(connections)),
            clock: conduct.clock,
        })
    }

    fn target(&self, hop: Option<&(String, Option<String>)>) -> Result<Target, String> {
        let (host, connect) = hop.map_or((&self.host, &self.connect), |(host, connect)| (host, connect));
        let (at, port) = match connect {
            Some(connect) => parse_connect(connect, self.port)?,
            None => (bare(host).to_owned(), self.port),
        };
        Ok(Target {
            name: host.clone(),
            at: At::Name(at, port),
        })
    }
}

#[async_trait]
impl Sender for SmtpSender {
    async fn ready(&self) -> Permit {
        // Closed never, so it gives a permit always.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        self.pace.turn().await;
        Permit(place)
    }

    async fn send(&self, _permit: &Permit, parcel: &Parcel, _tries: u32) -> Result<Answer, Trouble> {
        let began = self.clock.now();
        match self.target(parcel.hop.as_ref()) {
            Ok(target) => self.client.deliver(&target, parcel, began, false).await,
            Err(text) => self
                .client
                .ended(*Failure::hopeless(Stage::Connect, text), began, &self.host, false),
        }
    }

    async fn check(&self, hop: Option<&(String, Option<String>)>, _recipient: &str) -> Result<String, String> {
        self.client.check(&self.target(hop)?).await
    }

    async fn close(&self) {
        self.client.close().await;
    }
}

/// `ADDRESS[:PORT]`, where the address is a name, an IPv4 address, or an IPv6 address (in brackets if a port follows).
fn parse_connect(text: &str, port: u16) -> Result<(String, u16), String> {
    let wrong = || format!("{text:?} is not ADDRESS or ADDRESS:PORT");
    let (host, port) = match text.rsplit_once(':') {
        _ if text.parse::<IpAddr>().is_ok() => (text, port),
        Some((host, digits)) if !text.ends_with(']') => (host, digits.parse().map_err(|_| wrong())?),
        _ => (text, port),
    };
    let host = bare(host);
    let valid = host.parse::<IpAddr>().is_ok() || (!host.is_empty() && !host.contains([':', '[', ']', ' ', '/']));
    if valid { Ok((host.to_owned(), port)) } else { Err(wrong()) }
}

/// A host without the brackets of an address literal.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_is_an_address_with_or_without_a_port() {
        for (text, host, port) in [
            ("10.0.0.1", "10.0.0.1", 25),
            ("10.0.0.1:2525", "10.0.0.1", 2525),
            ("::1", "::1", 25),
            ("[::1]", "::1", 25),
            ("[::1]:2525", "::1", 2525),
            ("mx.example", "mx.example", 25),
            ("mx.example:26", "mx.example", 26),
        ] {
            assert_eq!(parse_connect(text, 25), Ok((host.to_owned(), port)), "{text}");
        }
        for text in ["", ":25", "a:b", "a:99999", "[::1", "a b", "smtp://a", "::1:2525:x"] {
            assert!(parse_connect(text, 25).is_err(), "{text}");
        }
    }
}
