//! The names behind addresses, and whether those names lead back (RFC 1912 section 2.1; receivers call it FCrDNS or iprev, RFC 8601 section 2.7.3).
//!
//! What it cannot see: whether a receiver looks, and whether it wants the name of the EHLO to be the same.

use super::{
    asker::{Asked, Asker, Found},
    judgement::{Judgement, listed, quoted},
};
use std::net::IpAddr;

/// So many names of one address are followed.
const NAMES: usize = 5;

/// What the DNS says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub address: IpAddr,
    /// Its names, each with the addresses that it leads to.
    pub names: Result<Vec<(String, Asked<IpAddr>)>, String>,
}

impl Answer {
    /// Asks for the names of an address, and for the addresses of those.
    pub async fn of(asker: &Asker, address: IpAddr) -> Self {
        let names = match asker.names(address).await {
            Err(trouble) => Err(trouble),
            Ok(found) => {
                let mut led = Vec::new();
                for name in found.records().iter().take(NAMES) {
                    let addresses = asker.addresses(name).await;
                    led.push((name.clone(), addresses));
                }
                Ok(led)
            }
        };
        Self { address, names }
    }

    fn stand(&self) -> Stand {
        let names = match &self.names {
            Err(trouble) => return Stand::Untold(trouble.clone()),
            Ok(names) => names,
        };
        let leads_back = |found: &Found<IpAddr>| {
            found
                .records()
                .iter()
                .any(|address| address.to_canonical() == self.address.to_canonical())
        };
        if names.is_empty() {
            return Stand::Nameless;
        }
        for (name, addresses) in names {
            if addresses.as_ref().is_ok_and(leads_back) {
                return Stand::Confirmed(quoted(name.as_bytes()));
            }
        }
        match names.iter().find_map(|(_, addresses)| addresses.as_ref().err()) {
            Some(trouble) => Stand::Untold(trouble.clone()),
            None => Stand::Astray(names.iter().map(|(name, _)| quoted(name.as_bytes())).collect()),
        }
    }
}

enum Stand {
    Confirmed(String),
    Nameless,
    Astray(Vec<String>),
    Untold(String),
}

/// What follows of an address from which a domain's mail leaves.
pub(super) fn judge_sending(domain: &str, answer: &Answer) -> Judgement {
    let address = answer.address;
    let mend =
        || format!("have the provider of {address} set its reverse name to that of the sending host, and let that name lead to {address}");
    match answer.stand() {
        Stand::Confirmed(name) => Judgement::right(format!("{address}, which sends for {domain}, is {name}, and that leads back")),
        Stand::Nameless => Judgement::doubtful(
            format!("{address}, which sends for {domain}, has no reverse name: many receivers refuse such senders"),
            mend(),
        ),
        Stand::Astray(names) => Judgement::doubtful(
            format!(
                "{address}, which sends for {domain}, is called {}, but that does not lead back to it",
                listed(&names)
            ),
            mend(),
        ),
        Stand::Untold(trouble) => Judgement::unknown(format!(
            "the reverse name of {address}, which sends for {domain}, is not known: {trouble}"
        )),
    }
}

/// What follows of the MX hosts of a domain, each with what the DNS says of one address. Nothing here keeps mail from coming in; where such a host
/// sends too, it matters.
pub(super) fn judge_hosts(domain: &str, hosts: &[(String, Answer)]) -> Option<Judgement> {
    let (mut right, mut wanting, mut untold) = (Vec::new(), Vec::new(), Vec::new());
    for (host, answer) in hosts {
        match answer.stand() {
            Stand::Confirmed(_) => right.push(host.as_str()),
            Stand::Nameless | Stand::Astray(_) => wanting.push(format!("{host} ({})", answer.address)),
            Stand::Untold(trouble) => untold.push(trouble),
        }
    }
    if !wanting.is_empty() {
        return Some(Judgement::right(format!(
            "no reverse name leads back to {}, MX of {domain}: it matters only if it also sends",
            listed(&wanting)
        )));
    }
    if let Some(trouble) = untold.first() {
        return Some(Judgement::unknown(format!(
            "the reverse names of the MX hosts of {domain} are not known: {trouble}"
        )));
    }
    (!right.is_empty()).then(|| Judgement::right(format!("the reverse names of {} lead back", listed(&right))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FactState::{Doubtful, Right, Unknown};

    fn answer(names: Result<&[(&str, &str)], &str>) -> Answer {
        let lead = |to: &str| match to {
            "" => Ok(Found::NoSuchName),
            "?" => Err("no answer".to_owned()),
            address => Ok(Found::Records(vec![address.parse().unwrap()])),
        };
        Answer {
            address: "192.0.2.1".parse().unwrap(),
            names: names
                .map(|names| names.iter().map(|(name, to)| ((*name).to_owned(), lead(to))).collect())
                .map_err(str::to_owned),
        }
    }

    #[test]
    fn a_sending_address_has_a_name_that_leads_back() {
        let table: [(Result<&[(&str, &str)], &str>, _, &str); 6] = [
            (
                Ok(&[("m.d", "192.0.2.1")]),
                Right,
                "192.0.2.1, which sends for d, is m.d, and that leads back",
            ),
            (
                Ok(&[("x.d", ""), ("m.d", "192.0.2.1")]),
                Right,
                "192.0.2.1, which sends for d, is m.d, and that leads back",
            ),
            (
                Ok(&[]),
                Doubtful,
                "192.0.2.1, which sends for d, has no reverse name: many receivers refuse such senders",
            ),
            (
                Ok(&[("m.d", "192.0.2.2"), ("n.d", "")]),
                Doubtful,
                "192.0.2.1, which sends for d, is called m.d and n.d, but that does not lead back to it",
            ),
            (
                Ok(&[("m.d", "?")]),
                Unknown,
                "the reverse name of 192.0.2.1, which sends for d, is not known: no answer",
            ),
            (
                Err("no answer"),
                Unknown,
                "the reverse name of 192.0.2.1, which sends for d, is not known: no answer",
            ),
        ];
        for (names, state, said) in table {
            let judged = judge_sending("d", &answer(names));
            assert_eq!((judged.state, judged.said.as_str()), (state, said));
        }
    }

    #[test]
    fn a_receiving_host_may_lack_one() {
        let good = answer(Ok(&[("a.d", "192.0.2.1")]));
        let hosts = |answers: &[(&str, &Answer)]| -> Vec<(String, Answer)> {
            answers
                .iter()
                .map(|(name, answer)| ((*name).to_owned(), (*answer).clone()))
                .collect()
        };
        let table = [
            (
                hosts(&[("a", &good), ("b", &good)]),
                Right,
                "the reverse names of a and b lead back",
            ),
            (
                hosts(&[("a", &good), ("b", &answer(Ok(&[])))]),
                Right,
                "no reverse name leads back to b (192.0.2.1), MX of d: it matters only if it also sends",
            ),
            (
                hosts(&[("a", &good), ("b", &answer(Err("no answer")))]),
                Unknown,
                "the reverse names of the MX hosts of d are not known: no answer",
            ),
        ];
        for (hosts, state, said) in table {
            let judged = judge_hosts("d", &hosts).unwrap();
            assert_eq!((judged.state, judged.said.as_str()), (state, said));
        }
        assert_eq!(judge_hosts("d", &[]), None);
    }
}
