//! What the DNS and the mail hosts show of a domain before anything is sent: one file a check, each in two parts, asking and judging.
//!
//! Nothing here is a measurement of mail: a domain whose every check is right may still lose messages, and one with doubtful ones may lose none.
//! What it cannot see: the site's mail from where its recipients stand. It asks one DNS server, and connects from this machine.
//!
//! All is bounded: each question by [`Settings::step`], the whole by [`Settings::whole`], the domains, the hosts of each and the answers in number
//! and size. What was not done in time is [`FactState::Unknown`](crate::model::FactState::Unknown), and so is whatever the DNS did not answer.

mod asker;
mod dane;
mod dialogue;
mod dkim;
mod dmarc;
mod examiner;
mod judgement;
mod mta_sts;
mod mx;
mod outgoing;
mod reverse;
mod spf;
mod starttls;
mod tls_rpt;

pub use asker::is_reserved;
pub use outgoing::{Outgoing, Toward};

use crate::{
    clock::Clock,
    model::{CheckKind, DomainFact},
};
use asker::in_ascii;
use examiner::Examiner;
use futures::{StreamExt, stream};
use judgement::Judgement;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// So many domains are examined; of the others it is said that they are not.
pub const DOMAINS: usize = 200;
/// So many domains are examined at once.
const AT_ONCE: usize = 8;

/// How domains are examined.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The DNS server to ask; `None`: the system's, and then reserved names are not asked for.
    pub resolver: Option<SocketAddr>,
    /// The port of the MX hosts: 25, except in a lab.
    pub smtp_port: u16,
    /// The port of the policy hosts of MTA-STS: 443, except in a lab.
    pub https_port: u16,
    /// A PEM file with CAs to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// A file of DNSKEY records to trust instead of the root's, for DNSSEC.
    pub trust_anchor: Option<PathBuf>,
    /// What this machine calls itself in EHLO.
    pub host_name: String,
    /// How long one question, one connection, one reply may take.
    pub step: Duration,
    /// How long all of it may take.
    pub whole: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resolver: None,
            smtp_port: 25,
            https_port: 443,
            ca: None,
            trust_anchor: None,
            host_name: "localhost".to_owned(),
            step: Duration::from_secs(5),
            whole: Duration::from_secs(30),
        }
    }
}

/// A domain to examine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The domain; beyond ASCII it is asked for by its A-labels. An address literal is passed over.
    pub domain: String,
    /// What it is to the site.
    pub part: Part,
    /// What is looked at.
    pub checks: Vec<CheckKind>,
}

/// What a domain is to the site: it decides how grave a finding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// It sends, and bounces come back to it.
    Sender {
        /// Whence its mail leaves.
        outgoing: Vec<Outgoing>,
    },
    /// It receives.
    Recipient {
        /// Whether all of its recipients are expected to be refused or bounced.
        refuses: bool,
    },
}

/// Examines domains, a few at once: the facts of each, in the order of `subjects` and of [`CheckKind::ALL`]. `selectors` are the DKIM selectors with
/// their domains (in lower case); a domain without one is not asked for a key.
///
/// Sends no mail. Everything that cannot be told is a fact that says so; never an error.
pub async fn examine(settings: &Settings, clock: Clock, subjects: &[Subject], selectors: &[(String, String)]) -> Vec<DomainFact> {
    let examiner = match Examiner::new(settings, clock) {
        Ok(examiner) => examiner,
        Err(trouble) => return subjects.iter().filter_map(|subject| nothing_of(subject, &trouble)).collect(),
    };
    let mut examinations = Vec::new();
    for subject in subjects.iter().take(DOMAINS) {
        examinations.push(one(&examiner, settings, subject, selectors));
    }
    let examined: Vec<Vec<DomainFact>> = stream::iter(examinations).buffered(AT_ONCE).collect().await;
    let mut facts = examined.concat();
    let why = format!("no more than {DOMAINS} domains are examined");
    facts.extend(subjects.iter().skip(DOMAINS).filter_map(|subject| nothing_of(subject, &why)));
    facts
}

async fn one(examiner: &Examiner<'_>, settings: &Settings, subject: &Subject, selectors: &[(String, String)]) -> Vec<DomainFact> {
    let Some(domain) = in_ascii(&subject.domain) else {
        return Vec::new();
    };
    if settings.resolver.is_none() && is_reserved(&domain) {
        let why = "its name is reserved (RFC 2606), and the public DNS is not asked about it";
        return nothing_of(subject, why).into_iter().collect();
    }
    let of_domain = selectors.iter().filter(|(of, _)| *of == domain);
    let selectors: Vec<&str> = of_domain.map(|(_, selector)| selector.as_str()).collect();
    examiner.examine(&domain, subject, &selectors).await
}

/// One fact for a domain of which nothing is known.
fn nothing_of(subject: &Subject, why: &str) -> Option<DomainFact> {
    let domain = in_ascii(&subject.domain)?;
    let check = *subject.checks.first()?;
    Some(Judgement::unknown(format!("{domain} was not examined: {why}")).of(&domain, check))
}
