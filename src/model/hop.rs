//! Hops: what each host on the way wrote about taking the message over (`Received`, RFC 5321 section 4.4).

use super::Time;
use serde::{Deserialize, Serialize};

/// One hop, in the words of the host that took the message. Everything here is that host's claim, its clock included.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hop {
    /// Who handed it over: the name that it gave, or the one that was found for its address.
    pub from: Option<String>,
    /// The address that it came from.
    pub address: Option<String>,
    /// Who took it.
    pub by: Option<String>,
    /// The protocol, such as `ESMTPS` (RFC 3848), or the product's own words.
    pub protocol: Option<String>,
    /// The version of TLS, such as `TLSv1.3`, where it is stated.
    pub tls: Option<String>,
    /// The cipher suite, where it is stated.
    pub cipher: Option<String>,
    /// How it was protected.
    pub encryption: Encryption,
    /// When, by that host's clock.
    #[serde(with = "super::time::millis_option")]
    pub at: Option<Time>,
}

/// How a hop was protected, as its `Received` field tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// By TLS: the protocol's name or a remark says so.
    Tls,
    /// Not at all: the protocol's name is one without TLS.
    Clear,
    /// It did not leave the host, or not the machine's own network: LMTP, a pipe, a pick-up, loopback.
    Local,
    /// It does not say.
    #[default]
    Unsaid,
}

/// A hop as a report shows it: with what its time means beside those of its neighbours and our own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HopRecord {
    /// What the host wrote.
    #[serde(flatten)]
    pub hop: Hop,
    /// How long the message stayed there, by the clocks of this host and the next (of the last one: until it was seen), in milliseconds. An
    /// estimate. Null where a clock is off or not stated.
    pub spent_ms: Option<f64>,
    /// By how much this host's clock is off at least: positive where it is ahead, negative where it is behind. In milliseconds; null where
    /// nothing shows that it is.
    pub skew_ms: Option<f64>,
}

/// A way that the site gives a name, told by the hosts of its hops. Patterns know `*` and `?`, and no case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRule {
    /// Its name.
    pub name: String,
    /// Some hop's host (that took it, or handed it over) fits one of these. Empty: any way.
    pub via: Vec<String>,
    /// No hop's host fits any of these.
    pub not_via: Vec<String>,
}
