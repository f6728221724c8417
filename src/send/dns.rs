//! Where the DNS says that a domain's mail goes (RFC 5321 section 5.1, RFC 7505).
//!
//! The deciding part is a pure function of the DNS's answers. What it cannot see: whether an answer is authentic (no DNSSEC is asked for), and
//! what the DNS says later in the run, since an answer is kept to its end.

use super::reply::our_refusal;
use crate::{dns, model::Reply};
use futures::future::join_all;
use hickory_resolver::{
    TokioResolver,
    net::NetError,
    proto::rr::{Name, RData},
};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::OnceCell, time::timeout};

/// So many MX hosts of one domain are considered, the preferred ones.
const HOSTS: usize = 10;

/// What the DNS answered for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// These records.
    Records(T),
    /// The name exists, such records do not.
    None,
    /// The name does not exist.
    NoSuchName,
}

/// An MX record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mx {
    pub preference: u16,
    /// Without the root's dot: empty for the null MX.
    pub host: String,
}

/// A host that takes a domain's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MailHost {
    pub name: String,
    /// At least one; IPv6 first, as RFC 6724 would have it on a machine that has both.
    pub addresses: Vec<IpAddr>,
}

/// Where a domain's mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destination {
    /// To these hosts, in this order; at least one.
    Hosts(Vec<MailHost>),
    /// Nowhere, for good: the refusal that an MTA would give.
    Nowhere(Reply),
}

/// Which hosts are to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Candidates {
    Hosts(Vec<String>),
    Nowhere(Reply),
}

/// The hosts to look up for `domain`. Among equal preferences the DNS's own order is kept, not shuffled as an MTA would: all probes of a run then
/// take the same path, and a run can be repeated.
fn candidates(domain: &str, mx: Found<Vec<Mx>>) -> Candidates {
    let mut mx = match mx {
        Found::NoSuchName => return Candidates::Nowhere(our_refusal(550, "5.1.2", format!("the domain {domain} does not exist"))),
        // The implicit MX.
        Found::None => return Candidates::Hosts(vec![domain.to_owned()]),
        Found::Records(mx) => mx,
    };
    // A null MX beside others is a mistake that RFC 7505 section 3 forbids; the others then count.
    mx.retain(|mx| !mx.host.is_empty());
    if mx.is_empty() {
        let text = format!("the domain {domain} takes no mail (null MX, RFC 7505)");
        return Candidates::Nowhere(our_refusal(556, "5.1.10", text));
    }
    mx.sort_by_key(|mx| mx.preference);
    let mut hosts: Vec<String> = Vec::new();
    for Mx { host, .. } in mx {
        if !hosts.contains(&host) && hosts.len() < HOSTS {
            hosts.push(host);
        }
    }
    Candidates::Hosts(hosts)
}

/// A host, and what the DNS says of its addresses; a sentence if it could not be asked.
type Asked = (String, Result<Found<Vec<IpAddr>>, String>);

/// What follows from the hosts' addresses: hosts without one are passed over.
///
/// # Errors
/// If no host has an address, and at least one could not be asked for.
fn destination(domain: &str, hosts: Vec<Asked>) -> Result<Destination, String> {
    let mut usable = Vec::new();
    let mut troubles = Vec::new();
    let names: Vec<String> = hosts.iter().map(|(name, _)| name.clone()).collect();
    for (name, addresses) in hosts {
        match addresses {
            Ok(Found::Records(mut addresses)) if !addresses.is_empty() => {
                addresses.sort_by_key(IpAddr::is_ipv4);
                addresses.dedup();
                usable.push(MailHost { name, addresses });
            }
            Ok(_) => {}
            Err(trouble) => troubles.push(trouble),
        }
    }
    if !usable.is_empty() {
        return Ok(Destination::Hosts(usable));
    }
    if !troubles.is_empty() {
        return Err(troubles.join("; "));
    }
    let refusal = if names == [domain] {
        our_refusal(550, "5.1.2", format!("the domain {domain} has neither an MX nor an address"))
    } else {
        our_refusal(550, "5.4.4", format!("no MX host of {domain} has an address: {}", names.join(", ")))
    };
    Ok(Destination::Nowhere(refusal))
}

/// The address in a domain literal, `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3).
fn literal(domain: &str) -> Option<Result<IpAddr, String>> {
    let inner = domain.strip_prefix('[')?.strip_suffix(']')?;
    let address = match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => inner.get(5..).unwrap_or_default().parse::<Ipv6Addr>().map(IpAddr::from),
        _ => inner.parse::<Ipv4Addr>().map(IpAddr::from),
    };
    Some(address.map_err(|_| format!("{domain} is not an address literal")))
}

/// Asks the DNS, each domain once in a run.
pub(super) struct Directory {
    resolver: TokioResolver,
    /// The resolver's address, if the site sets it: for the sentences.
    at: Option<SocketAddr>,
    limit: Duration,
    known: Mutex<HashMap<String, Arc<OnceCell<Destination>>>>,
}

impl Directory {
    /// Asks the DNS server at `at`, or the system's; answers within `limit`.
    ///
    /// # Errors
    /// A sentence, if the system's configuration cannot be read.
    pub fn new(at: Option<SocketAddr>, limit: Duration) -> Result<Self, String> {
        Ok(Self {
            resolver: dns::built(dns::asking(at)?)?,
            at,
            limit,
            known: Mutex::default(),
        })
    }

    /// Where the mail of `domain` goes. Whoever asks for the same domain at the same time waits for the same answer.
    ///
    /// # Errors
    /// A sentence, if the DNS could not be asked; then the next one asks anew.
    pub async fn destination(&self, domain: &str) -> Result<Destination, String> {
        let domain = domain.strip_suffix('.').unwrap_or(domain).to_lowercase();
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(domain.clone()).or_default())
        };
        let answer = cell.get_or_try_init(|| async {
            let looked_up = timeout(self.limit, self.look_up(&domain)).await;
            looked_up.unwrap_or_else(|_| Err(format!("{} did not answer within {:?}", self.server(), self.limit)))
        });
        answer.await.cloned()
    }

    async fn look_up(&self, domain: &str) -> Result<Destination, String> {
        if let Some(literal) = literal(domain) {
            return Ok(match literal {
                Ok(address) => Destination::Hosts(vec![MailHost {
                    name: address.to_string(),
                    addresses: vec![address],
                }]),
                Err(text) => Destination::Nowhere(our_refusal(550, "5.1.3", text)),
            });
        }
        let Ok(mut name) = Name::from_utf8(domain) else {
            return Ok(Destination::Nowhere(our_refusal(
                550,
                "5.1.2",
                format!("{domain:?} is no domain name"),
            )));
        };
        // No search list: a recipient's domain is always complete.
        name.set_fqdn(true);
        // Beyond ASCII, from here on by its A-labels (RFC 5890).
        let ascii = without_dot(&name);
        match candidates(&ascii, self.mx(name).await?) {
            Candidates::Nowhere(reply) => Ok(Destination::Nowhere(reply)),
            Candidates::Hosts(hosts) => {
                let asked = join_all(hosts.iter().map(|host| self.addresses(host))).await;
                destination(&ascii, hosts.into_iter().zip(asked).collect())
            }
        }
    }

    async fn mx(&self, name: Name) -> Result<Found<Vec<Mx>>, String> {
        let answer = self.resolver.mx_lookup(name.clone()).await;
        let answer = self.told_apart(&format!("the MX of {}", without_dot(&name)), answer)?;
        Ok(match answer {
            Found::NoSuchName => Found::NoSuchName,
            Found::None => Found::None,
            Found::Records(lookup) => {
                let mx = lookup.answers().iter().filter_map(|record| match &record.data {
                    RData::MX(mx) => Some(Mx {
                        preference: mx.preference,
                        host: without_dot(&mx.exchange),
                    }),
                    _ => None,
                });
                let mx: Vec<Mx> = mx.collect();
                if mx.is_empty() { Found::None } else { Found::Records(mx) }
            }
        })
    }

    async fn addresses(&self, host: &str) -> Result<Found<Vec<IpAddr>>, String> {
        let answer = self.resolver.lookup_ip(format!("{host}.")).await;
        let answer = self.told_apart(&format!("the addresses of {host}"), answer)?;
        Ok(match answer {
            Found::NoSuchName => Found::NoSuchName,
            Found::None => Found::None,
            Found::Records(addresses) => Found::Records(addresses.iter().collect()),
        })
    }

    fn told_apart<T>(&self, what: &str, answer: Result<T, NetError>) -> Result<Found<T>, String> {
        match answer {
            Ok(records) => Ok(Found::Records(records)),
            Err(error) if error.is_nx_domain() => Ok(Found::NoSuchName),
            Err(error) if error.is_no_records_found() => Ok(Found::None),
            Err(error) => Err(format!("{} could not say {what}: {error}", self.server())),
        }
    }

    fn server(&self) -> String {
        self.at.map_or_else(|| "the DNS".to_owned(), |at| format!("the DNS server {at}"))
    }
}

fn without_dot(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mx(records: &[(u16, &str)]) -> Found<Vec<Mx>> {
        Found::Records(
            records
                .iter()
                .map(|&(preference, host)| Mx {
                    preference,
                    host: host.to_owned(),
                })
                .collect(),
        )
    }

    fn hosts(names: &[&str]) -> Candidates {
        Candidates::Hosts(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn hosts_come_by_preference_and_equals_in_the_order_of_the_dns() {
        assert_eq!(
            candidates("d", mx(&[(20, "c"), (10, "b"), (10, "a"), (5, "z"), (30, "b")])),
            hosts(&["z", "b", "a", "c"])
        );
        assert_eq!(candidates("d", Found::None), hosts(&["d"]));
        assert_eq!(
            candidates("d", mx(&[(0, ""), (10, "a")])),
            hosts(&["a"]),
            "a null MX beside others is a mistake"
        );
    }

    #[test]
    fn a_domain_may_say_for_good_that_it_takes_no_mail() {
        for (mx, code, enhanced) in [(mx(&[(0, "")]), 556, "5.1.10"), (Found::NoSuchName, 550, "5.1.2")] {
            let Candidates::Nowhere(reply) = candidates("d", mx) else {
                panic!("there is no host")
            };
            assert_eq!(
                (reply.code, reply.enhanced.as_deref(), reply.ours),
                (Some(code), Some(enhanced), true)
            );
        }
    }

    #[test]
    fn a_flood_of_hosts_is_bounded() {
        let names: Vec<String> = (0..500).map(|number| number.to_string()).collect();
        let records: Vec<(u16, &str)> = names.iter().map(|name| (1, name.as_str())).collect();
        let Candidates::Hosts(hosts) = candidates("d", mx(&records)) else {
            panic!("there are hosts")
        };
        assert_eq!(hosts.len(), HOSTS);
    }

    #[test]
    fn one_usable_host_is_enough_and_doubt_is_no_refusal() {
        let v4: IpAddr = Ipv4Addr::LOCALHOST.into();
        let v6: IpAddr = Ipv6Addr::LOCALHOST.into();
        let asked = |name: &str, found| (name.to_owned(), found);
        let usable = destination(
            "d",
            vec![
                asked("a", Err("no answer".to_owned())),
                asked("b", Ok(Found::NoSuchName)),
                asked("c", Ok(Found::Records(vec![v4, v6]))),
            ],
        );
        let host = MailHost {
            name: "c".to_owned(),
            addresses: vec![v6, v4],
        };
        assert_eq!(usable, Ok(Destination::Hosts(vec![host])));
        let doubt = destination("d", vec![asked("a", Err("no answer".to_owned())), asked("b", Ok(Found::None))]);
        assert_eq!(doubt, Err("no answer".to_owned()));
        for (name, enhanced) in [("d", "5.1.2"), ("a", "5.4.4")] {
            let Ok(Destination::Nowhere(reply)) = destination("d", vec![asked(name, Ok(Found::None))]) else {
                panic!("{name}")
            };
            assert_eq!(reply.enhanced.as_deref(), Some(enhanced));
        }
    }

    #[test]
    fn address_literals_are_read() {
        assert_eq!(literal("[127.0.0.1]"), Some(Ok(Ipv4Addr::LOCALHOST.into())));
        assert_eq!(literal("[ipv6:::1]"), Some(Ok(Ipv6Addr::LOCALHOST.into())));
        assert_eq!(literal("b.example"), None);
        for bad in ["[]", "[::1]", "[IPv6:127.0.0.1]", "[b.example]", "[é]"] {
            assert!(literal(bad).is_some_and(|address| address.is_err()), "{bad}");
        }
    }
}
