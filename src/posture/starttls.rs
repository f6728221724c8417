//! STARTTLS at an MX host: whether it is offered, and what certificate is shown (RFC 3207, RFC 7817 for the name).
//!
//! What it cannot see: TLS older than 1.2, which rustls does not speak; whether the certificate was revoked; and anything where the network
//! lets no connection to port 25 out, as many do.

use super::{
    dialogue::{Broken, Dialogue},
    judgement::{Judgement, listed, quoted},
};
use crate::{model::Time, tls::Connector};
use chrono::{DateTime, TimeDelta};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::time::timeout;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate that ends sooner should be on somebody's list by now.
const SOON: TimeDelta = TimeDelta::days(14);
/// So many addresses of a host are tried.
const ADDRESSES: usize = 3;
/// So many certificates of a chain are kept.
const CHAIN: usize = 10;

/// How a host is spoken to.
#[derive(Debug)]
pub(super) struct Way {
    pub port: u16,
    /// Takes every certificate, and notes whether it holds.
    pub tls: Connector,
    /// The same, with TLS 1.2 at most.
    pub old: Connector,
    pub host_name: String,
    pub limit: Duration,
}

/// What a host showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// No SMTP was spoken.
    Unreachable(String),
    /// STARTTLS is not offered.
    Clear,
    /// STARTTLS is offered, but TLS does not come to stand.
    Failed(String),
    Tls(Handshake),
}

/// A handshake that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Handshake {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// The oldest version that it takes, as far as it was tried.
    pub oldest: Option<String>,
    /// Whether the certificate holds for the host's name; otherwise why not.
    pub certificate: Result<(), String>,
    pub expires: Option<Time>,
    /// The certificates, the host's own first, DER.
    pub chain: Vec<Vec<u8>>,
}

/// Connects to a host and looks at its TLS. Sends nothing but EHLO, STARTTLS and QUIT.
pub(super) async fn look(way: &Way, name: &str, addresses: &[IpAddr]) -> Shown {
    let shown = at_one_of(way, &way.tls, name, addresses).await;
    match shown {
        Shown::Tls(mut handshake) if handshake.version != "TLSv1.2" => {
            if let Shown::Tls(old) = at_one_of(way, &way.old, name, addresses).await {
                handshake.oldest = Some(old.version);
            }
            Shown::Tls(handshake)
        }
        shown => shown,
    }
}

/// At the first address that can be connected to.
async fn at_one_of(way: &Way, tls: &Connector, name: &str, addresses: &[IpAddr]) -> Shown {
    let mut troubles = Vec::new();
    for &address in addresses.iter().take(ADDRESSES) {
        let address = SocketAddr::new(address, way.port);
        match Dialogue::connect(address, way.limit).await {
            Ok(dialogue) => return converse(way, tls, name, dialogue).await,
            Err(Broken(trouble)) => troubles.push(format!("{address}: {trouble}")),
        }
    }
    Shown::Unreachable(format!("no connection to {}", troubles.join("; ")))
}

async fn converse(way: &Way, tls: &Connector, name: &str, mut dialogue: Dialogue) -> Shown {
    let begun = async {
        dialogue.reply().await?.expect(220, "greets")?;
        dialogue.say(&format!("EHLO {}", way.host_name)).await
    };
    let offers = match begun.await {
        Ok(reply) => reply,
        Err(Broken(trouble)) => return Shown::Unreachable(trouble),
    };
    let offered = offers.code == 250 && offers.lines.iter().any(|line| line.trim().eq_ignore_ascii_case("STARTTLS"));
    if !offered {
        dialogue.quit().await;
        return Shown::Clear;
    }
    match dialogue.say("STARTTLS").await {
        Ok(reply) if reply.code == 220 => {}
        Ok(reply) => return Shown::Failed(format!("it refuses STARTTLS: {}", reply.shown())),
        Err(Broken(trouble)) => return Shown::Failed(trouble),
    }
    if dialogue.is_ahead() {
        return Shown::Failed("it sends plain text after its reply to STARTTLS: somebody may stand in between".to_owned());
    }
    let (stream, tls) = match timeout(way.limit, tls.wrap(dialogue.into_stream(), name)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Shown::Failed(quoted(error.to_string().as_bytes())),
        Err(_) => return Shown::Failed(format!("the handshake did not end within {:?}", way.limit)),
    };
    let chain: Vec<Vec<u8>> = stream
        .get_ref()
        .1
        .peer_certificates()
        .unwrap_or_default()
        .iter()
        .take(CHAIN)
        .map(|certificate| certificate.to_vec())
        .collect();
    Shown::Tls(Handshake {
        oldest: (tls.version == "TLSv1.2").then(|| tls.version.clone()),
        version: tls.version,
        certificate: tls.certificate,
        expires: chain.first().and_then(|certificate| expiry(certificate)),
        chain,
    })
}

fn expiry(certificate: &[u8]) -> Option<Time> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
}

/// What follows for a domain from what its hosts showed: one judgement for those that are as they should be, one for each other.
pub(super) fn judge(domain: &str, hosts: &[(String, Shown)], now: Time) -> Vec<Judgement> {
    let mut right = Vec::new();
    let mut judged = Vec::new();
    for (name, shown) in hosts {
        match shown {
            Shown::Unreachable(trouble) => judged.push(
                Judgement::unknown(format!("STARTTLS at {name}, an MX of {domain}, is not known: {trouble}"))
                    .with_step("try it from where port 25 is open: many networks let no connection to it out"),
            ),
            Shown::Clear => judged.push(Judgement::doubtful(
                format!("{name}, an MX of {domain}, offers no STARTTLS: mail comes in the clear"),
                format!("switch STARTTLS on at {name}"),
            )),
            Shown::Failed(trouble) => judged.push(Judgement::doubtful(
                format!("STARTTLS at {name}, an MX of {domain}, fails: {trouble}"),
                format!("mend TLS at {name}; senders that insist on it deliver nothing meanwhile"),
            )),
            Shown::Tls(handshake) => match fault(domain, name, handshake, now) {
                Some(judgement) => judged.push(judgement),
                None => right.push((name, handshake)),
            },
        }
    }
    if !right.is_empty() {
        let until = right.iter().filter_map(|(_, handshake)| handshake.expires).min();
        let until = until.map_or_else(String::new, |until| format!(", until {} at least", until.format("%Y-%m-%d")));
        let hosts: Vec<String> = right
            .iter()
            .map(|(name, handshake)| {
                let older = handshake.oldest.as_ref().filter(|oldest| **oldest != handshake.version);
                match older {
                    Some(older) => format!("{name} ({}, and {older})", handshake.version),
                    None => format!("{name} ({})", handshake.version),
                }
            })
            .collect();
        judged.insert(
            0,
            Judgement::right(format!("STARTTLS and certificate hold at {}{until}", listed(&hosts))),
        );
    }
    judged
}

fn fault(domain: &str, name: &str, handshake: &Handshake, now: Time) -> Option<Judgement> {
    if let Err(trouble) = &handshake.certificate {
        return Some(Judgement::doubtful(
            format!("the certificate of {name}, an MX of {domain}, does not hold: {trouble}"),
            format!("give {name} a certificate for its name from a public CA: senders that insist on it (MTA-STS) deliver nothing without"),
        ));
    }
    let expires = handshake.expires?;
    (expires - now < SOON).then(|| {
        Judgement::doubtful(
            format!(
                "the certificate of {name}, an MX of {domain}, ends on {}",
                expires.format("%Y-%m-%d")
            ),
            "see that it is renewed in time",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FactState::{Doubtful, Right, Unknown};

    #[test]
    fn hosts_are_judged() {
        let now: Time = "2026-11-23T12:00:00Z".parse().unwrap();
        let tls = |version: &str, oldest: Option<&str>, days: i64, certificate: Result<(), &str>| {
            Shown::Tls(Handshake {
                version: version.to_owned(),
                oldest: oldest.map(str::to_owned),
                certificate: certificate.map_err(str::to_owned),
                expires: Some(now + TimeDelta::days(days)),
                chain: vec![],
            })
        };
        let hosts = [
            ("a", tls("TLSv1.3", Some("TLSv1.2"), 90, Ok(()))),
            ("b", tls("TLSv1.3", None, 60, Ok(()))),
            ("c", tls("TLSv1.2", Some("TLSv1.2"), 3, Ok(()))),
            ("d", tls("TLSv1.3", None, 60, Err("the certificate has expired"))),
            ("e", Shown::Clear),
            ("f", Shown::Failed("the server refused the TLS handshake".to_owned())),
            (
                "g",
                Shown::Unreachable("no connection to 192.0.2.1:25: no answer within 5s".to_owned()),
            ),
        ]
        .map(|(name, shown)| (name.to_owned(), shown));
        let judged = judge("x", &hosts, now);
        let said: Vec<_> = judged.iter().map(|judged| (judged.state, judged.said.as_str())).collect();
        assert_eq!(
            said,
            [
                (
                    Right,
                    "STARTTLS and certificate hold at a (TLSv1.3, and TLSv1.2) and b (TLSv1.3), until 2027-01-22 at least"
                ),
                (Doubtful, "the certificate of c, an MX of x, ends on 2026-11-26"),
                (
                    Doubtful,
                    "the certificate of d, an MX of x, does not hold: the certificate has expired"
                ),
                (Doubtful, "e, an MX of x, offers no STARTTLS: mail comes in the clear"),
                (Doubtful, "STARTTLS at f, an MX of x, fails: the server refused the TLS handshake"),
                (
                    Unknown,
                    "STARTTLS at g, an MX of x, is not known: no connection to 192.0.2.1:25: no answer within 5s"
                ),
            ]
        );
        assert!(judged.iter().skip(1).all(|judged| judged.step.is_some()));
        assert_eq!(judge("x", &[], now), []);
    }
}
