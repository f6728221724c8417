//! What a route's connections may do and how long they may take.

use crate::{clock::Clock, model::Rate};
use std::time::Duration;

/// How a sender behaves, whatever its route.
#[derive(Debug, Clone)]
pub struct Conduct {
    /// The clock of every attempt.
    pub clock: Clock,
    /// This machine's name, for EHLO; if it is not fully qualified, our address stands in its place.
    pub host_name: String,
    /// The most connections at once (with MX: to each host).
    pub connections: u16,
    /// How quickly messages may leave, evenly spaced; `None`: as quickly as they can.
    pub rate: Option<Rate>,
    /// How long each step may take.
    pub timeouts: Timeouts,
}

/// How long each step of a conversation may take, as a whole: a server that sends a byte now and then gains nothing by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect to one address, and to find the addresses.
    pub connect: Duration,
    /// Greeting, TLS handshake and each command, from its last byte to the end of the reply.
    pub command: Duration,
    /// To write the message.
    pub body: Duration,
    /// From the final dot to the end of the reply.
    pub final_reply: Duration,
}

impl Timeouts {
    /// These, but no step longer than `longest`.
    #[must_use]
    pub fn at_most(self, longest: Duration) -> Self {
        Self {
            connect: self.connect.min(longest),
            command: self.command.min(longest),
            body: self.body.min(longest),
            final_reply: self.final_reply.min(longest),
        }
    }
}

impl Default for Timeouts {
    /// RFC 5321 section 4.5.3.2 asks for five minutes a command, since giving up there costs an MTA a retry in its queue. Here it only costs one
    /// more attempt, and the probes that wait for the connection gain by it: a minute. After the final dot it would cost the certainty whether
    /// the message was taken, so there the RFC's ten minutes stand.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            command: Duration::from_mins(1),
            body: Duration::from_mins(3),
            final_reply: Duration::from_mins(10),
        }
    }
}
