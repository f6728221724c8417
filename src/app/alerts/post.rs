//! The way of a message from the outbox to its service: keys are fetched, the request is made and carried, and what came of it is noted at once.

use super::super::{Desk, Halt, environment, folder_of, identity_of, sign_ins::SignIns, tenants::Tenants, world::host_name};
use crate::{
    alert::{self, Courier, Keys, Outcome},
    config::secrets,
    journal::{Delivery, Journal, Letter},
    model::{AlertMessage, AlertService, AlertTarget, ProbeId, RunId, Site, SmtpRoute, time},
    scrub::Scrubber,
    send::{Conduct, Parcel, Sender, SmtpSender, Timeouts},
};
use secrecy::SecretString;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// How long each step of a delivery by mail may take.
const STEP: Duration = Duration::from_secs(20);

/// Delivers a site's messages.
pub struct Post {
    desk: Desk,
    site: Site,
}

impl Post {
    pub fn new(desk: Desk, site: Site) -> Self {
        Self { desk, site }
    }

    /// Delivers all that is due, each target's messages in their order. Returns when the next try is due, if one is. Nothing is begun after `until`.
    ///
    /// Whoever calls holds the right to deliver ([`Journal::courier`]).
    ///
    /// # Errors
    /// If the journal cannot be used.
    pub async fn deliver(&self, journal: &Journal, until: Instant) -> Result<Option<Instant>, Halt> {
        let mut by_target: BTreeMap<String, Vec<Letter>> = BTreeMap::new();
        for letter in journal
            .outbox(&identity_of(&self.site))?
            .into_iter()
            .filter(|letter| !letter.refused)
        {
            by_target.entry(letter.target.clone()).or_default().push(letter);
        }
        let targets = by_target
            .into_iter()
            .map(|(name, letters)| async move { self.deliver_to(journal, &name, letters, until).await });
        let mut next: Option<Instant> = None;
        for due in futures::future::join_all(targets).await {
            if let Some(due) = due? {
                next = Some(next.map_or(due, |known| known.min(due)));
            }
        }
        Ok(next)
    }

    async fn deliver_to(&self, journal: &Journal, name: &str, letters: Vec<Letter>, until: Instant) -> Result<Option<Instant>, Halt> {
        let clock = self.desk.clock;
        for letter in letters {
            // A recovery must not overtake the failure that it ends.
            if let Some(at) = letter.not_before.filter(|at| *at > clock.now()) {
                return Ok(Some(clock.instant_of(at)));
            }
            if Instant::now() >= until {
                return Ok(Some(until));
            }
            let outcome = match self.site.alerts.iter().find(|target| target.name == name) {
                Some(target) => self.carry(target, &letter.message).await,
                None => Outcome::Refused {
                    why: format!("{} no longer names this alert", self.site.file),
                },
            };
            let delivery = match outcome {
                Outcome::Delivered => Delivery::Delivered(clock.now()),
                Outcome::Refused { why } => Delivery::Refused { trouble: why },
                Outcome::Later { why, wish } => Delivery::Postponed {
                    not_before: time::later(clock.now(), alert::pause(letter.tries + 1, wish)),
                    trouble: why,
                },
            };
            // At once: what is not noted here is delivered again.
            journal.note_delivery(&letter.message.id, &delivery)?;
            self.log(&letter, &delivery);
            if let Delivery::Postponed { not_before, .. } = delivery {
                return Ok(Some(clock.instant_of(not_before)));
            }
        }
        Ok(None)
    }

    fn log(&self, letter: &Letter, delivery: &Delivery) {
        let what = format!("alert {} to {}", letter.message.id, crate::report::escape(&letter.target));
        let output = &self.desk.output;
        match delivery {
            Delivery::Delivered(_) => output.remark(&format!("{what}: delivered ({})", letter.message.kind)),
            Delivery::Postponed { not_before, trouble } => output.insist(&format!(
                "{what}: not delivered: {}; next try at {}",
                crate::report::escape(trouble),
                time::shown(*not_before)
            )),
            Delivery::Refused { trouble } => {
                output.insist(&format!("{what}: refused, and not tried again: {}", crate::report::escape(trouble)));
            }
        }
    }

    /// Sends a trial, past the outbox.
    ///
    /// # Errors
    /// Why it did not arrive.
    pub async fn try_out(&self, target: &AlertTarget) -> Result<(), String> {
        let here = identity_of(&self.site);
        let name = here.to_string_lossy();
        let [begin, end] = alert::trial(target, (&name, &self.site.file), self.desk.clock.now());
        let ends = matches!(target.service, AlertService::PagerDuty { .. } | AlertService::Opsgenie { .. });
        for message in [Some(begin), ends.then_some(end)].into_iter().flatten() {
            match self.carry(target, &message).await {
                Outcome::Delivered => {}
                Outcome::Later { why, .. } | Outcome::Refused { why } => return Err(why),
            }
        }
        Ok(())
    }

    async fn carry(&self, target: &AlertTarget, message: &AlertMessage) -> Outcome {
        let attempt = async {
            match &target.service {
                AlertService::Mail { smtp, from, to } => self.mail(smtp, from, to, message).await,
                service => self.post(target, service, message).await,
            }
        };
        // What stands in the way here is ours, and may be mended: a secret that is missing, a template.
        attempt.await.unwrap_or_else(|why| Outcome::Later { why, wish: None })
    }

    async fn post(&self, target: &AlertTarget, service: &AlertService, message: &AlertMessage) -> Result<Outcome, String> {
        let Some((main, token)) = alert::sources(service) else {
            return Err("there is no address".to_owned());
        };
        let folder = folder_of(&self.site.file);
        let fetch = |source| secrets::resolve(source, &folder, &environment);
        let keys = Keys {
            main: fetch(main).await.map_err(|error| error.to_string())?,
            token: match token {
                Some(token) => Some(fetch(token).await.map_err(|error| error.to_string())?),
                None => None,
            },
        };
        let request = alert::request(service, &keys, message)?;
        let proxy = environment("HTTPS_PROXY")
            .or_else(|| environment("https_proxy"))
            .map(SecretString::from);
        let courier = Courier::new(target.ca.as_deref(), proxy.as_ref())?;
        Ok(courier.carry(&request, self.desk.clock.now()).await)
    }

    /// By SMTP, one transaction for each recipient. If one of them is not reached all are tried again; the Message-ID stays the same.
    async fn mail(&self, route: &SmtpRoute, from: &str, to: &[String], message: &AlertMessage) -> Result<Outcome, String> {
        let scrubber = Scrubber::default();
        let mut tenants = Tenants::of(&self.site, self.desk.clock);
        let credentials = match &route.sign_in {
            Some(sign_in) => Some(SignIns::of(&self.site, scrubber).credentials(sign_in, &mut tenants).await?),
            None => None,
        };
        let conduct = Conduct {
            clock: self.desk.clock,
            host_name: host_name(),
            connections: 1,
            rate: None,
            timeouts: Timeouts::default().at_most(STEP),
        };
        let sender = SmtpSender::new(&route.endpoint, credentials, &conduct)?;
        let key = self.desk.tag_key(&self.site).await.map_err(|_| "there is no tag key".to_owned())?;
        let mut outcome = Outcome::Delivered;
        for recipient in to {
            // Notifications name it; that it is of no probe of ours, every reader sees by the run, which does not exist.
            let random = || self.desk.random_bytes().map_err(|_| "the system gives no random bytes".to_owned());
            let run = RunId::from_random(
                self.desk
                    .random_bytes()
                    .map_err(|_| "the system gives no random bytes".to_owned())?,
            );
            let probe = ProbeId::new(&run, random()?);
            let parcel = Parcel {
                probe,
                tag: key.tag(probe),
                envelope_sender: from.to_owned(),
                recipient: recipient.clone(),
                hop: None,
                message: alert::compose_mail(from, recipient, message)?.into(),
            };
            let permit = sender.ready().await;
            let failed = match sender.send(&permit, &parcel, 0).await {
                Ok(answer) if answer.attempt.reply.is_positive() => continue,
                Ok(answer) if answer.attempt.reply.is_permanent() => Outcome::Refused {
                    why: format!("{recipient}: {}", answer.attempt.reply),
                },
                Ok(answer) => Outcome::Later {
                    why: format!("{recipient}: {}", answer.attempt.reply),
                    wish: None,
                },
                Err(trouble) => Outcome::Later {
                    why: format!("{recipient}, at {}: {trouble}", trouble.attempt.stage),
                    wish: None,
                },
            };
            outcome = failed;
        }
        sender.close().await;
        Ok(outcome)
    }
}
