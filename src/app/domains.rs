//! The part of `mailflow check` about domains: which of the site's are looked at and how, and what is shown of the facts.
//!
//! A sender's domain is looked at as one whose mail must be believed and whose bounces must come back, a recipients' domain as one that must take
//! mail. What this cannot see: which of the findings really costs mail; a run shows that.

use super::check::{Finding, State};
use crate::{
    clock::Clock,
    model::{CheckKind, DomainFact, Expectation, FactState, MxRoute, Recipient, RouteKind, Sender, Site, SmtpRoute},
    plan::hops,
    posture::{self, Outgoing, Part, Settings, Subject, Toward},
    report::counted,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// With more domains than this, what is right is only counted.
const FEW: usize = 3;
/// Where SMTP servers hand mail to each other.
const SMTP: u16 = 25;

/// What is to be examined, and what is left alone.
#[derive(Debug)]
pub(super) struct Domains {
    pub settings: Settings,
    pub subjects: Vec<Subject>,
    /// DKIM selectors, each with its domain.
    pub selectors: Vec<(String, String)>,
    /// Domains with reserved names, about which the public DNS is not asked.
    reserved: BTreeSet<String>,
}

/// What is shown of domains.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub findings: Vec<Finding>,
    /// What else is to be said.
    pub remark: Option<String>,
}

impl Domains {
    /// The domains of a site: first those that send.
    pub fn of(site: &Site, host_name: String) -> Self {
        let mx = site.routes.iter().find_map(|route| match &route.kind {
            RouteKind::Mx(mx) => Some(mx),
            RouteKind::Smtp(_) | RouteKind::Graph(_) => None,
        });
        let settings = Settings {
            resolver: site.resolver.or(mx.and_then(|mx| mx.resolver)),
            smtp_port: mx.map_or(SMTP, |mx: &MxRoute| mx.port),
            ca: mx.and_then(|mx| mx.ca.clone()),
            host_name,
            ..Settings::default()
        };
        let mut subjects = senders(site);
        let known: BTreeSet<String> = subjects
            .iter()
            .filter(|subject| subject.checks.contains(&CheckKind::Mx))
            .map(|subject| subject.domain.clone())
            .collect();
        subjects.extend(recipients(site).into_iter().filter(|subject| !known.contains(&subject.domain)));
        let is_left_alone = |subject: &Subject| settings.resolver.is_none() && posture::is_reserved(&subject.domain);
        let reserved = subjects
            .iter()
            .filter(|subject| is_left_alone(subject))
            .map(|subject| subject.domain.clone())
            .collect();
        subjects.retain(|subject| !is_left_alone(subject));
        Self {
            settings,
            subjects,
            selectors: site
                .dkim
                .values()
                .map(|dkim| (dkim.domain.clone(), dkim.selector.clone()))
                .collect(),
            reserved,
        }
    }

    /// Leaves only what tells whether the senders are believed, and gives it no longer than `limit`.
    pub fn only_senders(&mut self, limit: Duration) {
        const TELLING: [CheckKind; 5] = [CheckKind::Mx, CheckKind::Spf, CheckKind::Dkim, CheckKind::Dmarc, CheckKind::Reverse];
        self.subjects.retain(|subject| matches!(subject.part, Part::Sender { .. }));
        for subject in &mut self.subjects {
            subject.checks.retain(|check| TELLING.contains(check));
        }
        self.settings.whole = limit;
    }

    /// The facts.
    pub async fn examined(&self, clock: Clock) -> Vec<DomainFact> {
        if self.subjects.is_empty() {
            return Vec::new();
        }
        posture::examine(&self.settings, clock, &self.subjects, &self.selectors).await
    }

    /// What is to be shown of the facts.
    pub fn section(&self, facts: &[DomainFact]) -> Section {
        let mut findings = rights(facts);
        for check in CheckKind::ALL {
            let untold: Vec<&DomainFact> = facts
                .iter()
                .filter(|fact| fact.check == check && fact.state == FactState::Unknown)
                .collect();
            if untold.len() > FEW
                && let Some(first) = untold.first()
            {
                // Mostly one reason for all, such as a network that lets nothing out to port 25.
                let of: BTreeSet<&str> = untold.iter().map(|fact| fact.domain.as_str()).collect();
                let what = format!(
                    "{}: {check} (the first of {})",
                    counted(of.len(), "domain", "domains"),
                    untold.len()
                );
                findings.push(Finding::of_lines(&what, State::Doubtful, lines(first)));
            } else {
                findings.extend(untold.into_iter().map(|fact| finding(fact, State::Doubtful)));
            }
        }
        findings.extend(facts.iter().filter_map(|fact| match fact.state {
            FactState::Doubtful => Some(finding(fact, State::Doubtful)),
            FactState::Wrong => Some(finding(fact, State::Wrong)),
            FactState::Right | FactState::Unknown => None,
        }));
        let remark = (!self.reserved.is_empty()).then(|| {
            let names: Vec<&str> = self.reserved.iter().map(String::as_str).take(FEW).collect();
            let more = match self.reserved.len() - names.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "The DNS was not asked about {}{more}: reserved names (RFC 2606). With `resolver:` in the site, that server is.",
                names.join(", ")
            )
        });
        Section { findings, remark }
    }
}

/// What is right, together.
fn rights(facts: &[DomainFact]) -> Vec<Finding> {
    let mut by_domain: BTreeMap<&str, Vec<&DomainFact>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.state == FactState::Right) {
        by_domain.entry(&fact.domain).or_default().push(fact);
    }
    if by_domain.len() > FEW {
        let checks = by_domain.values().map(Vec::len).sum();
        let what = counted(by_domain.len(), "domain", "domains");
        return vec![Finding::new(
            &what,
            State::Right,
            &format!("{} as they should be", counted(checks, "check is", "checks are")),
        )];
    }
    by_domain
        .into_iter()
        .map(|(domain, facts)| {
            let lines = facts.iter().map(|fact| fact.said.clone()).collect();
            Finding::of_lines(&format!("domain {domain}"), State::Right, lines)
        })
        .collect()
}

fn finding(fact: &DomainFact, state: State) -> Finding {
    Finding::of_lines(&format!("domain {}: {}", fact.domain, fact.check), state, lines(fact))
}

fn lines(fact: &DomainFact) -> Vec<String> {
    let step = fact.step.iter().map(|step| format!("→ {step}"));
    std::iter::once(fact.said.clone()).chain(step).collect()
}

fn domain_of(address: &str) -> String {
    address.rsplit('@').next().unwrap_or_default().to_lowercase()
}

/// The domains that send: that of the envelope, to which bounces return, and that of `From` where it is another, by which DMARC goes.
fn senders(site: &Site) -> Vec<Subject> {
    let mut envelopes: BTreeMap<String, Vec<Outgoing>> = BTreeMap::new();
    let mut authors = BTreeSet::new();
    for sender in &site.senders {
        envelopes
            .entry(domain_of(&sender.envelope))
            .or_default()
            .extend(outgoing(site, sender));
        authors.insert(domain_of(&sender.address));
    }
    authors.retain(|domain| !envelopes.contains_key(domain));
    let of_envelope = envelopes.into_iter().map(|(domain, outgoing)| Subject {
        domain,
        part: Part::Sender { outgoing },
        checks: CheckKind::ALL.to_vec(),
    });
    let of_author = authors.into_iter().map(|domain| Subject {
        domain,
        part: Part::Sender { outgoing: vec![] },
        checks: vec![CheckKind::Dkim, CheckKind::Dmarc],
    });
    of_envelope.chain(of_author).collect()
}

/// Whence a sender's mail leaves: as the site states, or by each of its routes.
fn outgoing(site: &Site, sender: &Sender) -> Vec<Outgoing> {
    if !sender.sending_addresses.is_empty() {
        return sender.sending_addresses.iter().copied().map(Outgoing::Stated).collect();
    }
    let hops = hops(site);
    let mine = site.routes.iter().filter(|route| route.sender == sender.name);
    mine.filter_map(|route| {
        // One place that a route leads to is enough: the way out is the same.
        let (_, hop, recipient) = hops.iter().find(|(name, ..)| *name == route.name)?;
        let elsewhere = |through: String| Outgoing::Elsewhere {
            route: route.name.clone(),
            through,
        };
        Some(match &route.kind {
            RouteKind::Mx(_) => Outgoing::Direct {
                route: route.name.clone(),
                toward: Toward::Domain(domain_of(recipient)),
            },
            RouteKind::Smtp(SmtpRoute { endpoint, sign_in }) => {
                let (host, connect) = hop.as_ref()?;
                if endpoint.port == SMTP && sign_in.is_none() {
                    let toward = connect.as_deref().map_or(host.as_str(), without_port);
                    Outgoing::Direct {
                        route: route.name.clone(),
                        toward: Toward::Host(toward.to_owned()),
                    }
                } else {
                    elsewhere(host.clone())
                }
            }
            RouteKind::Graph(_) => elsewhere("Microsoft 365".to_owned()),
        })
    })
    .collect()
}

/// `ADDRESS` of `ADDRESS[:PORT]`.
fn without_port(connect: &str) -> &str {
    if connect.parse::<IpAddr>().is_ok() {
        return connect;
    }
    connect.rsplit_once(':').map_or(connect, |(address, _)| address)
}

/// The domains of the recipients.
fn recipients(site: &Site) -> Vec<Subject> {
    let mut refuses: BTreeMap<String, bool> = BTreeMap::new();
    for recipient in &site.recipients {
        let all = refuses.entry(domain_of(&recipient.address)).or_insert(true);
        *all &= is_refused(recipient);
    }
    refuses
        .into_iter()
        .map(|(domain, refuses)| Subject {
            domain,
            part: Part::Recipient { refuses },
            checks: CheckKind::ALL.into_iter().filter(|check| *check != CheckKind::Dkim).collect(),
        })
        .collect()
}

/// Whether nothing but a refusal or a bounce is expected.
fn is_refused(recipient: &Recipient) -> bool {
    let expected = recipient.expect.as_deref().unwrap_or_default();
    !expected.is_empty() && expected.iter().all(Expectation::is_returned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(domain: &str, check: CheckKind, state: FactState) -> DomainFact {
        DomainFact {
            domain: domain.to_owned(),
            check,
            state,
            said: format!("{check} of {domain}"),
            step: (state > FactState::Unknown).then(|| "mend it".to_owned()),
        }
    }

    fn shown(facts: &[DomainFact]) -> Vec<(State, String)> {
        let domains = Domains {
            settings: Settings::default(),
            subjects: vec![],
            selectors: vec![],
            reserved: BTreeSet::new(),
        };
        let section = domains.section(facts);
        section.findings.into_iter().map(|finding| (finding.state, finding.what)).collect()
    }

    #[test]
    fn of_few_domains_all_is_shown_and_of_many_what_needs_a_look() {
        let few = [
            fact("a", CheckKind::Mx, FactState::Right),
            fact("a", CheckKind::Spf, FactState::Wrong),
            fact("b", CheckKind::Mx, FactState::Right),
            fact("b", CheckKind::Starttls, FactState::Unknown),
        ];
        assert_eq!(
            shown(&few),
            [
                (State::Right, "domain a".to_owned()),
                (State::Right, "domain b".to_owned()),
                (State::Doubtful, "domain b: STARTTLS".to_owned()),
                (State::Wrong, "domain a: SPF".to_owned()),
            ]
        );
        let mut many: Vec<DomainFact> = Vec::new();
        for domain in ["a", "b", "c", "d", "e"] {
            many.push(fact(domain, CheckKind::Mx, FactState::Right));
            many.push(fact(domain, CheckKind::Starttls, FactState::Unknown));
        }
        many.push(fact("c", CheckKind::Dmarc, FactState::Doubtful));
        assert_eq!(
            shown(&many),
            [
                (State::Right, "5 domains".to_owned()),
                (State::Doubtful, "5 domains: STARTTLS (the first of 5)".to_owned()),
                (State::Doubtful, "domain c: DMARC".to_owned()),
            ]
        );
    }

    #[test]
    fn ports_are_taken_off_addresses() {
        for (connect, address) in [
            ("192.0.2.1:25", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("[::1]:25", "[::1]"),
            ("::1", "::1"),
        ] {
            assert_eq!(without_port(connect), address);
        }
    }
}
