//! Questions to the DNS, each bounded in time and in what is taken of its answer.
//!
//! What it cannot see: what another resolver would say; and whether an answer is authentic, but where [`Asker::signed`] is asked.

use super::Settings;
use crate::dns;
use hickory_resolver::{
    TokioResolver,
    lookup::Lookup,
    net::NetError,
    proto::{
        dnssec::{Proof, TrustAnchors},
        rr::{Name, RData, RecordType, rdata::tlsa::TLSA},
    },
};
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

/// So many records of one answer are taken.
const RECORDS: usize = 50;
/// A TXT record longer than this is cut: no record that is read here is.
const TXT_LIMIT: usize = 8 << 10;

/// What the DNS answered for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// These records; at least one.
    Records(Vec<T>),
    /// The name exists, such records do not.
    None,
    /// The name does not exist.
    NoSuchName,
}

impl<T> Found<T> {
    /// The records, none where there are none.
    pub fn records(&self) -> &[T] {
        match self {
            Self::Records(records) => records,
            Self::None | Self::NoSuchName => &[],
        }
    }
}

/// What came of a question; `Err` is a sentence that says why nothing did.
pub(super) type Asked<T> = Result<Found<T>, String>;

/// An MX record; the null MX has an empty host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mx {
    pub preference: u16,
    pub host: String,
}

/// Whether an answer is signed (RFC 4033 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// Its signatures hold, up to the root.
    Yes,
    /// Its zone is proven not to be signed.
    No,
    /// It could not be told: signatures that do not hold, and a resolver that hides them, look the same from here.
    Untold,
}

/// Asks the DNS.
pub(super) struct Asker {
    resolver: TokioResolver,
    /// Verifies signatures by itself.
    verifying: TokioResolver,
    at: Option<SocketAddr>,
    limit: Duration,
}

impl Asker {
    /// Asks the server that the settings name, or the system's.
    ///
    /// # Errors
    /// A sentence, if the system's configuration cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let plain = resolver(settings.resolver, settings.step, Trust::Everybody)?;
        Ok(Self {
            resolver: plain,
            verifying: resolver(
                settings.resolver,
                settings.step,
                settings.trust_anchor.as_deref().map_or(Trust::Root, Trust::Anchors),
            )?,
            at: settings.resolver,
            limit: settings.step,
        })
    }

    /// The resolver itself, for the evaluation of SPF.
    pub fn resolver(&self) -> TokioResolver {
        self.resolver.clone()
    }

    /// The MX records of a domain, by preference.
    pub async fn mx(&self, domain: &str) -> Asked<Mx> {
        let found = self
            .ask(domain, RecordType::MX, |data| match data {
                RData::MX(mx) => Some(Mx {
                    preference: mx.preference,
                    host: without_dot(&mx.exchange).to_ascii_lowercase(),
                }),
                _ => None,
            })
            .await?;
        Ok(match found {
            Found::Records(mut mx) => {
                // Stable: equals keep the order of the DNS.
                mx.sort_by_key(|mx| mx.preference);
                Found::Records(mx)
            }
            nothing => nothing,
        })
    }

    /// The TXT records of a name, each in one piece.
    pub async fn txt(&self, name: &str) -> Asked<Vec<u8>> {
        self.ask(name, RecordType::TXT, |data| match data {
            RData::TXT(txt) => Some(txt.txt_data.iter().flat_map(|part| part.iter().copied()).take(TXT_LIMIT).collect()),
            _ => None,
        })
        .await
    }

    /// The addresses of a host, both families; an error only if neither is known and one could not be asked for.
    pub async fn addresses(&self, host: &str) -> Asked<IpAddr> {
        let address = |data: &RData| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        };
        let (v4, v6) = futures::future::join(self.ask(host, RecordType::A, address), self.ask(host, RecordType::AAAA, address)).await;
        match (v4, v6) {
            (Ok(Found::Records(mut all)), six) => {
                all.extend(six.iter().flat_map(Found::records));
                Ok(Found::Records(all))
            }
            (_, Ok(Found::Records(all))) => Ok(Found::Records(all)),
            (Err(trouble), _) | (_, Err(trouble)) => Err(trouble),
            (Ok(Found::NoSuchName), _) | (_, Ok(Found::NoSuchName)) => Ok(Found::NoSuchName),
            (Ok(Found::None), Ok(Found::None)) => Ok(Found::None),
        }
    }

    /// The names behind an address.
    pub async fn names(&self, address: IpAddr) -> Asked<String> {
        let name = Name::from(address);
        self.ask(&name.to_ascii(), RecordType::PTR, |data| match data {
            RData::PTR(name) => Some(without_dot(&name.0).to_ascii_lowercase()),
            _ => None,
        })
        .await
    }

    /// The TLSA records of a name.
    pub async fn tlsa(&self, name: &str) -> Asked<TLSA> {
        self.ask(name, RecordType::TLSA, |data| match data {
            RData::TLSA(tlsa) => Some(tlsa.clone()),
            _ => None,
        })
        .await
    }

    /// Whether the records of a name are signed.
    pub async fn signed(&self, name: &str, kind: RecordType) -> Signed {
        let Ok(name) = absolute(name) else { return Signed::Untold };
        let Ok(Ok(lookup)) = timeout(self.limit, self.verifying.lookup(name, kind)).await else {
            return Signed::Untold;
        };
        let mut proofs = lookup
            .answers()
            .iter()
            .filter(|record| record.record_type() == kind)
            .map(|record| record.proof);
        let Some(first) = proofs.next() else { return Signed::Untold };
        match proofs.fold(first, Ord::min) {
            Proof::Secure => Signed::Yes,
            Proof::Insecure => Signed::No,
            Proof::Bogus | Proof::Indeterminate => Signed::Untold,
        }
    }

    async fn ask<T>(&self, name: &str, kind: RecordType, take: impl Fn(&RData) -> Option<T>) -> Asked<T> {
        let full = absolute(name)?;
        let answer: Result<Lookup, NetError> = match timeout(self.limit, self.resolver.lookup(full, kind)).await {
            Ok(answer) => answer,
            Err(_) => return Err(format!("{} did not answer within {:?}", self.server(), self.limit)),
        };
        match answer {
            Ok(lookup) => {
                let records: Vec<T> = lookup
                    .answers()
                    .iter()
                    .filter_map(|record| take(&record.data))
                    .take(RECORDS)
                    .collect();
                Ok(if records.is_empty() { Found::None } else { Found::Records(records) })
            }
            Err(error) if error.is_nx_domain() => Ok(Found::NoSuchName),
            Err(error) if error.is_no_records_found() => Ok(Found::None),
            Err(error) => Err(format!(
                "{} could not say the {kind} of {}: {error}",
                self.server(),
                name.trim_end_matches('.')
            )),
        }
    }

    fn server(&self) -> String {
        self.at.map_or_else(|| "the DNS".to_owned(), |at| format!("the DNS server {at}"))
    }
}

/// Whose answers a resolver takes.
#[derive(Clone, Copy)]
enum Trust<'a> {
    /// Everybody's.
    Everybody,
    /// Those that the root's keys prove.
    Root,
    /// Those that the keys in this file prove.
    Anchors(&'a Path),
}

/// A resolver.
fn resolver(at: Option<SocketAddr>, step: Duration, trust: Trust<'_>) -> Result<TokioResolver, String> {
    let mut builder = dns::asking(at)?;
    let options = builder.options_mut();
    // Two tries end within the step.
    options.timeout = options.timeout.min(step / 2);
    options.attempts = options.attempts.min(2);
    options.validate = !matches!(trust, Trust::Everybody);
    // The option of that name only switches validation on; the file is left to the caller.
    if let Trust::Anchors(path) = trust {
        let anchors =
            TrustAnchors::from_file(path).map_err(|error| format!("the trust anchors in {} cannot be read: {error}", path.display()))?;
        builder = builder.with_trust_anchor(Arc::new(anchors));
    }
    dns::built(builder)
}

/// A name that is complete: no search list is tried.
fn absolute(name: &str) -> Result<Name, String> {
    let mut full = Name::from_utf8(name).map_err(|_| format!("{name:?} is no domain name"))?;
    full.set_fqdn(true);
    Ok(full)
}

/// The domain in lower case, by its A-labels (RFC 5890) and without the root's dot; `None` if it is no domain name, such as an address literal.
pub(super) fn in_ascii(domain: &str) -> Option<String> {
    let text = without_dot(&absolute(domain).ok()?).to_ascii_lowercase();
    let is_name = |text: &str| {
        text.split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)))
    };
    is_name(&text).then_some(text)
}

fn without_dot(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// Whether the public DNS says nothing of a domain: it is reserved for documentation and tests (RFC 2606, RFC 6761).
pub fn is_reserved(domain: &str) -> bool {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let within = |name: &str| domain == name || domain.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
    ["example", "test", "invalid", "localhost"].into_iter().any(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_known() {
        for (domain, reserved) in [
            ("contoso.example", true),
            ("EXAMPLE", true),
            ("a.test.", true),
            ("x.localhost", true),
            ("example.com", false),
            ("example.de", false),
            ("notest", false),
        ] {
            assert_eq!(is_reserved(domain), reserved, "{domain}");
        }
    }

    #[test]
    fn domains_are_asked_for_in_ascii() {
        assert_eq!(in_ascii("Bücher.Example."), Some("xn--bcher-kva.example".to_owned()));
        for wrong in ["[192.0.2.1]", "a..b", "", "a b.example", "a\\.example"] {
            assert_eq!(in_ascii(wrong), None, "{wrong}");
        }
    }
}
