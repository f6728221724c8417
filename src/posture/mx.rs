//! Where a domain's mail goes: MX, the null MX, the implicit MX (RFC 5321 section 5.1, RFC 7505).
//!
//! What it cannot see: whether the hosts take mail for the domain; a route that goes there shows that.

use super::{
    Part,
    asker::{Asked, Asker, Found, Mx},
    judgement::{Judgement, listed},
};
use futures::{StreamExt, stream};
use std::net::IpAddr;

/// So many MX hosts of one domain are considered, the preferred ones.
pub(super) const HOSTS: usize = 20;
/// So many are asked for at once.
const AT_ONCE: usize = 4;

/// A host that takes a domain's mail, and what the DNS says of its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub name: String,
    pub preference: u16,
    pub addresses: Asked<IpAddr>,
}

/// What the DNS says of where a domain's mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// What was asked for; also where the domain stands for itself.
    pub mx: Asked<Mx>,
    /// The hosts of it, the domain itself where it has no MX.
    pub hosts: Vec<Host>,
}

impl Answer {
    /// Asks for a domain's MX and for the addresses of its hosts.
    pub async fn of(asker: &Asker, domain: &str) -> Self {
        let mx = asker.mx(domain).await;
        let mut names: Vec<(u16, String)> = Vec::new();
        match &mx {
            Ok(Found::Records(records)) => {
                for Mx { preference, host } in records {
                    if !host.is_empty() && names.len() < HOSTS && names.iter().all(|(_, name)| name != host) {
                        names.push((*preference, host.clone()));
                    }
                }
            }
            Ok(Found::None) => names.push((0, domain.to_owned())),
            Ok(Found::NoSuchName) | Err(_) => {}
        }
        let hosts = stream::iter(names)
            .map(|(preference, name)| async move {
                Host {
                    preference,
                    addresses: asker.addresses(&name).await,
                    name,
                }
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        Self { mx, hosts }
    }

    /// The hosts that can be reached, as far as the DNS says: each with an address at least.
    pub fn reachable(&self) -> impl Iterator<Item = (&str, &[IpAddr])> {
        self.hosts.iter().filter_map(|host| match &host.addresses {
            Ok(Found::Records(addresses)) => Some((host.name.as_str(), addresses.as_slice())),
            _ => None,
        })
    }
}

/// What follows for a domain.
pub(super) fn judge(domain: &str, part: &Part, answer: &Answer) -> Judgement {
    let nowhere = |said: String, step: &str| match part {
        Part::Sender { .. } => Judgement::wrong(format!("{said}: bounces and replies cannot come back"), step),
        Part::Recipient { refuses: true } => Judgement::right(format!("{said}, and its recipients are expected to be refused")),
        Part::Recipient { refuses: false } => Judgement::wrong(format!("{said}: nothing can be delivered there"), step),
    };
    let records = match &answer.mx {
        Err(trouble) => return Judgement::unknown(format!("the MX of {domain} is not known: {trouble}")),
        Ok(Found::NoSuchName) => {
            return nowhere(
                format!("the domain {domain} does not exist"),
                "correct its spelling, or register it",
            );
        }
        Ok(Found::None) => {
            return match answer.hosts.first().map(|host| &host.addresses) {
                Some(Ok(Found::Records(_))) => Judgement::doubtful(
                    format!("{domain} has no MX; mail goes to the address of {domain} itself"),
                    format!("publish an MX record for {domain} that names its mail host"),
                ),
                Some(Err(trouble)) => Judgement::unknown(format!("{domain} has no MX, and its address is not known: {trouble}")),
                _ => nowhere(
                    format!("{domain} has neither an MX nor an address"),
                    "publish an MX record that names its mail host",
                ),
            };
        }
        Ok(Found::Records(records)) => records,
    };
    if answer.hosts.is_empty() {
        return nowhere(
            format!("{domain} takes no mail (null MX, RFC 7505)"),
            "publish the MX of the host that takes its mail, or use an address of another domain",
        );
    }
    let without: Vec<&str> = names(answer, |found| matches!(found, Ok(Found::None | Found::NoSuchName)));
    let untold = answer.hosts.iter().find_map(|host| host.addresses.as_ref().err());
    if answer.reachable().next().is_none() {
        return match untold {
            Some(trouble) => Judgement::unknown(format!("no address of an MX host of {domain} is known: {trouble}")),
            None => nowhere(
                format!("no MX host of {domain} has an address: {}", listed(&without)),
                "correct the hosts' names, or publish their addresses",
            ),
        };
    }
    if records.iter().any(|mx| mx.host.is_empty()) {
        return Judgement::doubtful(
            format!("{domain} has a null MX beside others, which RFC 7505 forbids"),
            "remove the null MX (`0 .`)",
        );
    }
    if !without.is_empty() {
        return Judgement::doubtful(
            format!("of the MX hosts of {domain}, {} has no address", listed(&without)),
            "correct the host's name, publish its address, or remove the MX record",
        );
    }
    if let Some(trouble) = untold {
        return Judgement::unknown(format!("not all addresses of the MX hosts of {domain} are known: {trouble}"));
    }
    let hosts: Vec<String> = answer
        .hosts
        .iter()
        .map(|host| format!("{} ({})", host.name, host.preference))
        .collect();
    Judgement::right(format!("mail for {domain} goes to {}", listed(&hosts)))
}

fn names(answer: &Answer, of: impl Fn(&Asked<IpAddr>) -> bool) -> Vec<&str> {
    answer
        .hosts
        .iter()
        .filter(|host| of(&host.addresses))
        .map(|host| host.name.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FactState::{self, Doubtful, Right, Unknown, Wrong};

    fn records(mx: &[(u16, &str)]) -> Asked<Mx> {
        let mx = mx.iter().map(|&(preference, host)| Mx {
            preference,
            host: host.to_owned(),
        });
        Ok(Found::Records(mx.collect()))
    }

    fn host(name: &str, addresses: Asked<IpAddr>) -> Host {
        Host {
            name: name.to_owned(),
            preference: 10,
            addresses,
        }
    }

    fn there() -> Asked<IpAddr> {
        Ok(Found::Records(vec!["192.0.2.1".parse().unwrap()]))
    }

    #[test]
    fn where_mail_goes_is_judged_by_whose_it_is() {
        let sender = Part::Sender { outgoing: vec![] };
        let recipient = Part::Recipient { refuses: false };
        let refuser = Part::Recipient { refuses: true };
        let no_answer = || Err("the DNS did not answer".to_owned());
        let no_mx = || Err("the DNS did not answer".to_owned());
        let table: Vec<(&Part, Asked<Mx>, Vec<Host>, FactState, &str)> = vec![
            (
                &sender,
                records(&[(10, "a")]),
                vec![host("a", there())],
                Right,
                "mail for d goes to a (10)",
            ),
            (
                &sender,
                Ok(Found::NoSuchName),
                vec![],
                Wrong,
                "the domain d does not exist: bounces and replies cannot come back",
            ),
            (
                &sender,
                records(&[(0, "")]),
                vec![],
                Wrong,
                "d takes no mail (null MX, RFC 7505): bounces and replies cannot come back",
            ),
            (
                &recipient,
                records(&[(0, "")]),
                vec![],
                Wrong,
                "d takes no mail (null MX, RFC 7505): nothing can be delivered there",
            ),
            (
                &refuser,
                records(&[(0, "")]),
                vec![],
                Right,
                "d takes no mail (null MX, RFC 7505), and its recipients are expected to be refused",
            ),
            (
                &refuser,
                Ok(Found::NoSuchName),
                vec![],
                Right,
                "the domain d does not exist, and its recipients are expected to be refused",
            ),
            (
                &recipient,
                Ok(Found::None),
                vec![host("d", there())],
                Doubtful,
                "d has no MX; mail goes to the address of d itself",
            ),
            (
                &recipient,
                Ok(Found::None),
                vec![host("d", Ok(Found::None))],
                Wrong,
                "d has neither an MX nor an address: nothing can be delivered there",
            ),
            (
                &recipient,
                Ok(Found::None),
                vec![host("d", no_answer())],
                Unknown,
                "d has no MX, and its address is not known: the DNS did not answer",
            ),
            (
                &sender,
                no_mx(),
                vec![],
                Unknown,
                "the MX of d is not known: the DNS did not answer",
            ),
            (
                &sender,
                records(&[(1, "a"), (2, "b")]),
                vec![host("a", there()), host("b", Ok(Found::NoSuchName))],
                Doubtful,
                "of the MX hosts of d, b has no address",
            ),
            (
                &sender,
                records(&[(1, "a"), (2, "b")]),
                vec![host("a", there()), host("b", no_answer())],
                Unknown,
                "not all addresses of the MX hosts of d are known: the DNS did not answer",
            ),
            (
                &sender,
                records(&[(1, "a")]),
                vec![host("a", no_answer())],
                Unknown,
                "no address of an MX host of d is known: the DNS did not answer",
            ),
            (
                &recipient,
                records(&[(1, "a")]),
                vec![host("a", Ok(Found::None))],
                Wrong,
                "no MX host of d has an address: a: nothing can be delivered there",
            ),
            (
                &recipient,
                records(&[(0, ""), (1, "a")]),
                vec![host("a", there())],
                Doubtful,
                "d has a null MX beside others, which RFC 7505 forbids",
            ),
        ];
        for (part, mx, hosts, state, said) in table {
            let judged = judge("d", part, &Answer { mx, hosts });
            assert_eq!((judged.state, judged.said.as_str()), (state, said));
            assert_eq!(judged.step.is_some(), matches!(state, Doubtful | Wrong), "{said}");
        }
    }
}
