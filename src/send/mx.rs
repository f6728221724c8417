//! The route straight to the recipient domain's own hosts, as an MTA goes (RFC 5321 section 5.1).
//!
//! Each attempt is at one host: the first at the preferred one, the next at the one after it. What it cannot see: what the hosts would say to
//! another machine; many refuse senders by their address.

use super::{
    Answer, Parcel, Permit, Sender, Trouble,
    client::Client,
    dns::{Destination, Directory, MailHost},
    failure::{Failure, Stage},
    pace::Pace,
    session::{At, Target},
    settings::Conduct,
};
use crate::{
    clock::Clock,
    model::{MxRoute, Time},
};
use async_trait::async_trait;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// So many connections to all hosts together: half of what a process may hold open by default is left for the mailboxes.
const CONNECTIONS: usize = 256;

/// Sends each parcel to a host of its recipient's domain.
pub struct MxSender {
    directory: Directory,
    port: u16,
    client: Client,
    pace: Pace,
    /// The places at each host, by its first address: many names may stand for one host.
    places: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
    connections: usize,
    all: Semaphore,
    clock: Clock,
}

impl MxSender {
    /// A sender by `route`.
    ///
    /// # Errors
    /// A sentence: a CA file that cannot be used, or a system whose DNS configuration cannot be read.
    pub fn new(route: &MxRoute, conduct: &Conduct) -> Result<Self, String> {
        Ok(Self {
            directory: Directory::new(route.resolver, conduct.timeouts.connect)?,
            port: route.port,
            client: Client::new(route.tls, route.ca.as_deref(), None, conduct, CONNECTIONS)?,
            pace: Pace::new(conduct.rate),
            places: Mutex::default(),
            connections: usize::from(conduct.connections.max(1)),
            all: Semaphore::new(CONNECTIONS),
            clock: conduct.clock,
        })
    }

    async fn hosts(&self, domain: &str) -> Result<Vec<MailHost>, Box<Failure>> {
        match self.directory.destination(domain).await {
            Ok(Destination::Hosts(hosts)) => Ok(hosts),
            Ok(Destination::Nowhere(refusal)) => Err(Failure::refused_by_us(Stage::Dns, refusal)),
            Err(text) => Err(Failure::trouble(Stage::Dns, text)),
        }
    }

    fn target(&self, host: &MailHost) -> Target {
        let at = host.addresses.iter().map(|&address| SocketAddr::new(address, self.port));
        Target {
            name: host.name.clone(),
            at: At::Addresses(at.collect()),
        }
    }

    fn places(&self, host: &MailHost) -> Arc<Semaphore> {
        let first = host.addresses.first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(first).or_insert_with(|| Arc::new(Semaphore::new(self.connections))))
    }

    /// A place among `places`; an attempt that has to wait for it begins when it has it.
    async fn place<'a>(&self, places: &'a Semaphore, began: &mut Time) -> Option<SemaphorePermit<'a>> {
        if let Ok(place) = places.try_acquire() {
            return Some(place);
        }
        // Never closed, so there is a place in the end.
        let place = places.acquire().await.ok();
        *began = self.clock.now();
        place
    }
}

/// The host of the `tries`-th attempt, and whether this round has a further one.
fn choice(hosts: &[MailHost], tries: u32) -> Option<(&MailHost, bool)> {
    let round = usize::try_from(tries).unwrap_or_default().checked_rem(hosts.len())?;
    Some((hosts.get(round)?, round + 1 < hosts.len()))
}

/// The domain of an address; the whole of it if it has no `@`.
fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, domain)| domain)
}

#[async_trait]
impl Sender for MxSender {
    /// Waits for the rate only: which host's connections are needed is known when the parcel is.
    async fn ready(&self) -> Permit {
        self.pace.turn().await;
        Permit(None)
    }

    async fn send(&self, _permit: &Permit, parcel: &Parcel, tries: u32) -> Result<Answer, Trouble> {
        let mut began = self.clock.now();
        let domain = domain_of(&parcel.recipient);
        let hosts = match self.hosts(domain).await {
            Ok(hosts) => hosts,
            Err(failure) => return self.client.ended(*failure, began, domain, false),
        };
        let Some((host, more_hosts)) = choice(&hosts, tries) else {
            return self.client.ended(*Failure::trouble(Stage::Dns, "no host"), began, domain, false);
        };
        let places = self.places(host);
        let _at_this_host = self.place(&places, &mut began).await;
        let _of_all = self.place(&self.all, &mut began).await;
        self.client.deliver(&self.target(host), parcel, began, more_hosts).await
    }

    async fn check(&self, _hop: Option<&(String, Option<String>)>, recipient: &str) -> Result<String, String> {
        let domain = domain_of(recipient);
        let hosts = self.hosts(domain).await.map_err(|failure| format!("{domain}: {}", failure.reply))?;
        let mut troubles = Vec::new();
        for host in &hosts {
            match self.client.check(&self.target(host)).await {
                Ok(found) => return Ok(found),
                Err(trouble) => troubles.push(trouble),
            }
        }
        Err(troubles.join("; "))
    }

    async fn close(&self) {
        self.client.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_takes_the_next_host_and_begins_anew_after_the_last() {
        let host = |name: &str| MailHost {
            name: name.to_owned(),
            addresses: vec![],
        };
        let hosts = [host("a"), host("b")];
        let choice = |tries| choice(&hosts, tries).map(|(host, more)| (host.name.as_str(), more));
        let chosen: Vec<_> = (0..4).filter_map(choice).collect();
        assert_eq!(chosen, [("a", true), ("b", false), ("a", true), ("b", false)]);
        assert_eq!(super::choice(&[], 0), None);
    }

    #[test]
    fn a_domain_is_what_follows_the_last_at() {
        assert_eq!(domain_of("\"a@b\"@c.example"), "c.example");
        assert_eq!(domain_of("c.example"), "c.example");
    }
}
