//! The addresses from which a domain's mail leaves: those that the site states, or the one by which this machine would reach an MX.
//!
//! What it cannot see: what a NAT makes of this machine's address, and whence a submission server or Microsoft 365 sends on.

use super::{
    asker::{Asker, Found},
    judgement::is_global,
    mx,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Whence a domain's mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// From this address, as the site says.
    Stated(IpAddr),
    /// From this machine, by this route, straight to other people's hosts.
    Direct {
        /// The route's name.
        route: String,
        /// Where it leads.
        toward: Toward,
    },
    /// From somebody else's machine, to which this route hands it over.
    Elsewhere {
        /// The route's name.
        route: String,
        /// Whose: `a submission server`.
        through: String,
    },
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toward {
    /// To the MX hosts of this domain.
    Domain(String),
    /// To this host.
    Host(String),
}

/// The addresses found, and why others are not known.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// Each with whether the site states it.
    pub addresses: Vec<(IpAddr, bool)>,
    pub untold: Vec<String>,
}

/// Finds the addresses. What is stated is everything: nothing is guessed beside it.
pub(super) async fn leaving(asker: &Asker, outgoing: &[Outgoing]) -> Leaving {
    let mut leaving = Leaving::default();
    for way in outgoing {
        if let Outgoing::Stated(address) = way
            && !leaving.addresses.contains(&(*address, true))
        {
            leaving.addresses.push((*address, true));
        }
    }
    if !leaving.addresses.is_empty() {
        return leaving;
    }
    for way in outgoing {
        match way {
            Outgoing::Stated(_) => {}
            Outgoing::Elsewhere { route, through } => leaving
                .untold
                .push(format!("route {route} hands its mail to {through}, which sends it on")),
            Outgoing::Direct { route, toward } => match local_toward(asker, toward).await {
                Ok(found) => {
                    for address in found {
                        if !is_global(address) {
                            leaving.untold.push(format!(
                                "by route {route} this machine sends from {address}, which is behind a NAT: others see another"
                            ));
                        } else if !leaving.addresses.contains(&(address, false)) {
                            leaving.addresses.push((address, false));
                        }
                    }
                }
                Err(why) => leaving.untold.push(format!("route {route}: {why}")),
            },
        }
    }
    leaving.untold.dedup();
    leaving
}

/// This machine's addresses on the way there, one of each family that it has a route for.
async fn local_toward(asker: &Asker, toward: &Toward) -> Result<Vec<IpAddr>, String> {
    let remote = match toward {
        Toward::Domain(domain) => {
            let answer = mx::Answer::of(asker, domain).await;
            let first = answer.reachable().flat_map(|(_, addresses)| addresses.iter().copied()).collect();
            Found::Records(first)
        }
        Toward::Host(host) => match host.trim_matches(['[', ']']).parse() {
            Ok(address) => Found::Records(vec![address]),
            Err(_) => asker.addresses(host).await?,
        },
    };
    let mut local = Vec::new();
    for is_v4 in [true, false] {
        let first = remote.records().iter().find(|address| address.is_ipv4() == is_v4);
        local.extend(first.and_then(|address| local_address(*address)));
    }
    if local.is_empty() {
        let (Toward::Domain(name) | Toward::Host(name)) = toward;
        return Err(format!("there is no way from here to {name}"));
    }
    Ok(local)
}

/// The address that the system would send from. Connecting a UDP socket sends nothing.
fn local_address(remote: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(SocketAddr::new(remote, 25)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_whence_it_would_send() {
        assert_eq!(local_address(Ipv4Addr::LOCALHOST.into()), Some(Ipv4Addr::LOCALHOST.into()));
    }
}
