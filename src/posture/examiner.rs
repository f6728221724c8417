//! One examination: which checks ask what of whom, in which order, and until when. Hosts that serve many domains are looked at once.

use super::{
    Part, Settings, Subject,
    asker::{Asker, Found, Signed},
    dane::{self, Pins},
    dkim, dmarc,
    judgement::{Judgement, is_global},
    mta_sts, mx,
    outgoing::{Leaving, leaving},
    reverse, spf,
    starttls::{self, Shown, Way},
    tls_rpt,
};
use crate::{
    clock::Clock,
    model::{CheckKind, DomainFact},
    tls::{self, Verify},
};
use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt, join_all},
    stream,
};
use hickory_resolver::proto::rr::RecordType;
use rustls::ClientConfig;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, timeout_at},
};

/// So many hosts are spoken to at once.
const HOSTS_AT_ONCE: usize = 16;
/// So many hosts of one domain are asked about at once.
const AT_ONCE: usize = 4;
/// So many addresses are tried with SPF, and looked up in reverse.
const ADDRESSES: usize = 20;

/// Examines domains.
pub(super) struct Examiner<'a> {
    settings: &'a Settings,
    asker: Asker,
    way: Way,
    https: ClientConfig,
    clock: Clock,
    until: Instant,
    /// What each host showed, by its name.
    hosts: Mutex<HashMap<String, Arc<OnceCell<Shown>>>>,
    places: Semaphore,
}

impl<'a> Examiner<'a> {
    /// Begins an examination; its time runs from now.
    ///
    /// # Errors
    /// A sentence, if neither the DNS nor TLS can be set up.
    pub fn new(settings: &'a Settings, clock: Clock) -> Result<Self, String> {
        let ca = settings.ca.as_deref();
        Ok(Self {
            settings,
            asker: Asker::new(settings)?,
            way: Way {
                port: settings.smtp_port,
                tls: tls::connector(ca, Verify::Record)?,
                old: tls::old_connector(ca)?,
                host_name: settings.host_name.clone(),
                limit: settings.step,
            },
            https: tls::client_config(ca)?,
            clock,
            until: Instant::now() + settings.whole,
            hosts: Mutex::default(),
            places: Semaphore::new(HOSTS_AT_ONCE),
        })
    }

    /// The facts of one domain.
    pub async fn examine(&self, domain: &str, subject: &Subject, selectors: &[&str]) -> Vec<DomainFact> {
        let asked = |check| subject.checks.contains(&check);
        let needs_hosts = [
            CheckKind::Mx,
            CheckKind::MtaSts,
            CheckKind::Dane,
            CheckKind::Starttls,
            CheckKind::Reverse,
        ];
        let mx = if needs_hosts.into_iter().any(asked) {
            match timeout_at(self.until, mx::Answer::of(&self.asker, domain)).await {
                Ok(answer) => answer,
                Err(_) => mx::Answer {
                    mx: Err(self.out_of_time()),
                    hosts: vec![],
                },
            }
        } else {
            mx::Answer {
                mx: Ok(Found::None),
                hosts: vec![],
            }
        };
        let (mx, part) = (&mx, &subject.part);
        let leaving = match part {
            Part::Sender { outgoing } if asked(CheckKind::Spf) || asked(CheckKind::Reverse) => {
                let found = timeout_at(self.until, leaving(&self.asker, outgoing)).await;
                found.unwrap_or_else(|_| Leaving {
                    untold: vec![self.out_of_time()],
                    ..Leaving::default()
                })
            }
            _ => Leaving::default(),
        };
        let leaving = &leaving;
        let checks = CheckKind::ALL.into_iter().filter(|check| asked(*check)).map(|check| async move {
            let judging: BoxFuture<'_, Vec<Judgement>> = match check {
                CheckKind::Mx => async { vec![mx::judge(domain, part, mx)] }.boxed(),
                CheckKind::Spf => self.spf(domain, part, leaving).boxed(),
                CheckKind::Dkim => self.dkim(domain, selectors).boxed(),
                CheckKind::Dmarc => async { vec![dmarc::judge(domain, part, &dmarc::ask(&self.asker, domain).await)] }.boxed(),
                CheckKind::Starttls => self.starttls(domain, mx).boxed(),
                CheckKind::MtaSts => self.mta_sts(domain, mx).boxed(),
                CheckKind::TlsRpt => async { vec![tls_rpt::judge(domain, &self.asker.txt(&tls_rpt::name(domain)).await)] }.boxed(),
                CheckKind::Dane => self.dane(domain, mx).boxed(),
                CheckKind::Reverse => self.reverse(domain, mx, leaving).boxed(),
            };
            let judged = timeout_at(self.until, judging).await;
            let judged = judged.unwrap_or_else(|_| {
                vec![Judgement::unknown(format!(
                    "{check} of {domain} is not known: {}",
                    self.out_of_time()
                ))]
            });
            judged.into_iter().map(|judgement| judgement.of(domain, check)).collect::<Vec<_>>()
        });
        join_all(checks).await.concat()
    }

    fn out_of_time(&self) -> String {
        format!("the examination took longer than {:?}", self.settings.whole)
    }

    async fn spf(&self, domain: &str, part: &Part, leaving: &Leaving) -> Vec<Judgement> {
        let answer = self.asker.txt(domain).await;
        let mut tried = Vec::new();
        if spf::record(&answer).is_some() {
            for &(address, stated) in leaving.addresses.iter().take(ADDRESSES) {
                tried.push(spf::Tried {
                    address,
                    stated,
                    result: spf::evaluate(self.asker.resolver(), domain, address).await,
                });
            }
        }
        spf::judge(domain, part, &answer, &tried, &leaving.untold)
    }

    async fn dkim(&self, domain: &str, selectors: &[&str]) -> Vec<Judgement> {
        let mut judged = Vec::new();
        for selector in selectors {
            let answer = self.asker.txt(&dkim::name(domain, selector)).await;
            judged.push(dkim::judge(domain, selector, &answer));
        }
        judged
    }

    /// What a host showed; it is spoken to once, whoever asks.
    async fn shown(&self, name: &str, addresses: &[IpAddr]) -> Shown {
        let cell = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry(name.to_owned()).or_default())
        };
        let look = async {
            // Never closed, so there is a place in the end.
            let _place = self.places.acquire().await.ok();
            starttls::look(&self.way, name, addresses).await
        };
        cell.get_or_init(|| look).await.clone()
    }

    /// What each host of a domain showed. A host that did not in time does not take the others' answers along.
    async fn all_shown(&self, mx: &mx::Answer) -> Vec<(String, Shown)> {
        let looks = mx.reachable().map(|(name, addresses)| async move {
            let margin = self.until.checked_sub(self.settings.step / 10).unwrap_or(self.until);
            let shown = timeout_at(margin, self.shown(name, addresses)).await;
            (name.to_owned(), shown.unwrap_or_else(|_| Shown::Unreachable(self.out_of_time())))
        });
        join_all(looks).await
    }

    async fn starttls(&self, domain: &str, mx: &mx::Answer) -> Vec<Judgement> {
        starttls::judge(domain, &self.all_shown(mx).await, self.clock.now())
    }

    async fn mta_sts(&self, domain: &str, mx: &mx::Answer) -> Vec<Judgement> {
        let answer = self.asker.txt(&mta_sts::name(domain)).await;
        let policy = if mta_sts::is_used(&answer) {
            Some(mta_sts::fetch(&self.asker, &self.https, domain, self.settings.https_port, self.settings.step).await)
        } else {
            None
        };
        let hosts: Vec<&str> = mx.hosts.iter().map(|host| host.name.as_str()).collect();
        vec![mta_sts::judge(domain, &answer, policy.as_ref(), &hosts)]
    }

    async fn dane(&self, domain: &str, mx: &mx::Answer) -> Vec<Judgement> {
        let mut asked = Vec::new();
        for (name, _) in mx.reachable() {
            asked.push(Pins::of(&self.asker, name, self.settings.smtp_port));
        }
        let pins: Vec<Pins> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        let any = pins
            .iter()
            .any(|pins| pins.records.as_ref().is_ok_and(|found| !found.records().is_empty()));
        let (signed, shown) = if any {
            (self.asker.signed(domain, RecordType::MX).await, self.all_shown(mx).await)
        } else {
            // Nobody is spoken to for records that are not there.
            (Signed::Untold, pins.iter().map(|pins| (pins.host.clone(), Shown::Clear)).collect())
        };
        let shown: Vec<&Shown> = shown.iter().map(|(_, shown)| shown).collect();
        dane::judge(domain, signed, &pins, &shown)
    }

    async fn reverse(&self, domain: &str, mx: &mx::Answer, leaving: &Leaving) -> Vec<Judgement> {
        let mut judged = Vec::new();
        for &(address, _) in leaving.addresses.iter().take(ADDRESSES) {
            judged.push(if self.has_reverse(address) {
                reverse::judge_sending(domain, &reverse::Answer::of(&self.asker, address).await)
            } else {
                Judgement::unknown(format!(
                    "{address}, which sends for {domain}, is a private address: nobody outside can look up its name"
                ))
            });
        }
        let mut asked = Vec::new();
        for (name, addresses) in mx.reachable() {
            if let Some(address) = addresses.iter().copied().find(|address| self.has_reverse(*address)) {
                asked.push(async move { (name.to_owned(), reverse::Answer::of(&self.asker, address).await) });
            }
        }
        let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        judged.extend(reverse::judge_hosts(domain, &answers));
        judged
    }

    /// Whether it makes sense to ask for an address's name: of a private one only a DNS server of the site's own knows, and of loopback nobody.
    fn has_reverse(&self, address: IpAddr) -> bool {
        is_global(address) || self.settings.resolver.is_some() && !address.to_canonical().is_loopback()
    }
}
