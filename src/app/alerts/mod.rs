//! Telling people: what finished runs changed is decided once, put into the outbox in the same breath, and delivered until it has arrived.

mod post;

use super::{Code, Desk, Halt, identity_of};
use crate::{
    alert::{self, About},
    explain,
    journal::{Decided, Journal, Letter},
    judge::judge,
    model::{AlertService, AlertTarget, Judged, Site, time},
    report::{escape, table},
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::Instant;

pub(super) use post::Post;

/// So long a run waits for its alerts to arrive; what has not by then is left to the next process.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it asks whether another process has delivered them.
const BEAT: Duration = Duration::from_millis(250);

impl Desk {
    /// Notes that a run which is about to begin is to be told of.
    pub(super) fn will_tell(&self, journal: &Journal, site: &Site, run: &crate::model::RunId) -> Result<(), Halt> {
        if self.tells && !site.alerts.is_empty() {
            journal.tell_of(run, &identity_of(site), self.shared.only.is_empty())?;
        }
        Ok(())
    }

    /// Decides what the site's targets are told of all finished runs that they have not been told of, and delivers what can be delivered soon.
    /// Returns what did not arrive, in sentences.
    pub(super) async fn tell_targets(&self, site: &Site) -> Result<Vec<String>, Halt> {
        if !self.tells || site.alerts.is_empty() {
            return Ok(Vec::new());
        }
        let journal = self.journal()?;
        decide(&journal, site, &|| self.clock.now())?;
        let here = identity_of(site);
        let until = Instant::now() + PATIENCE;
        let post = Post::new(self.clone(), site.clone());
        loop {
            if journal.outbox(&here)?.iter().all(|letter| letter.refused) {
                break;
            }
            let next = match journal.courier(&here)? {
                Some(_lock) => post.deliver(&journal, until).await?,
                // `mailflow serve`, most likely, which delivers them as well.
                None => Some(Instant::now() + BEAT),
            };
            match next {
                Some(next) if next < until => tokio::time::sleep_until(next).await,
                _ => break,
            }
        }
        Ok(journal.outbox(&here)?.iter().map(in_words).collect())
    }

    /// `mailflow alert`: who is told of what, and what has not arrived; with `--test`, whether alerts arrive.
    pub(super) async fn alert(&mut self, test: bool, names: &[String]) -> Result<Code, Halt> {
        let site = self.site()?;
        if site.alerts.is_empty() {
            return Err(Halt::Sentence(format!(
                "{} names nobody to be alerted\n  help: `alerts:` names them, such as\n    alerts:\n      on-call: {{ slack: {{ url: {{ env: SLACK_WEBHOOK }} }} }}",
                site.file
            )));
        }
        if let Some(stranger) = names.iter().find(|name| !site.alerts.iter().any(|target| target.name == **name)) {
            let known: Vec<&str> = site.alerts.iter().map(|target| target.name.as_str()).collect();
            return Err(Halt::Sentence(format!(
                "there is no alert {stranger:?} in {}\n  help: known here: {}",
                site.file,
                known.join(", ")
            )));
        }
        let chosen = |target: &&AlertTarget| names.is_empty() || names.contains(&target.name);
        if test {
            let post = Post::new(self.clone(), site.clone());
            let mut all_well = true;
            for target in site.alerts.iter().filter(chosen) {
                let outcome = post.try_out(target).await;
                all_well &= outcome.is_ok();
                let word = outcome.map_or_else(|why| format!("FAILED  {why}"), |()| "arrived".to_owned());
                self.output
                    .print(format!("{} ({}): {word}\n", escape(&target.name), target.service.word()).as_bytes())?;
            }
            return Ok(if all_well { Code::Passed } else { Code::Failed });
        }
        let waiting = self.journal()?.outbox(&identity_of(&site))?;
        let rows: Vec<Vec<String>> = site.alerts.iter().filter(chosen).map(|target| row(target, &waiting)).collect();
        let list = table::plain(
            &["alert", "service", "told of", "reminded", "waiting"],
            &rows,
            &self.output.list_style(),
        );
        self.output.print(list.as_bytes())?;
        for letter in &waiting {
            self.output.insist(&in_words(letter));
        }
        Ok(if waiting.is_empty() { Code::Passed } else { Code::Unknown })
    }
}

fn row(target: &AlertTarget, waiting: &[Letter]) -> Vec<String> {
    let on: Vec<&str> = target.on.iter().map(|occasion| occasion.word()).collect();
    let after = if target.after > 1 {
        format!(", after {} in a row", target.after)
    } else {
        String::new()
    };
    vec![
        escape(&target.name).into_owned(),
        target.service.word().to_owned(),
        format!("{}{after}", on.join(", ")),
        target
            .remind
            .map_or_else(|| "never".to_owned(), |remind| format!("after {} h", remind.as_secs() / 3600)),
        waiting.iter().filter(|letter| letter.target == target.name).count().to_string(),
    ]
}

/// What is said of a message that has not arrived.
pub(super) fn in_words(letter: &Letter) -> String {
    let why = letter.trouble.as_deref().unwrap_or("not tried yet");
    let then = match (letter.refused, letter.not_before) {
        (true, _) => "it is not tried again".to_owned(),
        (false, Some(at)) => format!("the next try is due at {} UTC", &time::shown(at)[11..19]),
        (false, None) => "it is tried again".to_owned(),
    };
    format!(
        "the alert {} to {} has not arrived ({} tries): {}; {then}",
        letter.message.id,
        escape(&letter.target),
        letter.tries,
        escape(why)
    )
}

/// Decides what the targets are told of every finished run that they were not told of yet. Returns how many messages that makes.
pub(super) fn decide(journal: &Journal, site: &Site, now: &dyn Fn() -> crate::model::Time) -> Result<usize, Halt> {
    let here = identity_of(site);
    let mut made = 0;
    for (run, complete) in journal.to_tell_of(&here)? {
        let (plan, events) = journal.load(&run)?;
        let mut judged = judge(Arc::new(plan), &events);
        explained(&mut judged);
        let about = About {
            judged: &judged,
            complete,
            site: &here.to_string_lossy(),
            now: now(),
        };
        let names: Vec<&str> = site.alerts.iter().map(|target| target.name.as_str()).collect();
        let ids = journal.decide_alerts(&run, &here, &names, |name, before| {
            let target = site.alerts.iter().find(|target| target.name == name);
            let decision = target.map(|target| alert::decide(target, &about, before));
            decision.map_or_else(Decided::default, |decision| Decided {
                standings: decision.standings,
                message: decision.message,
            })
        })?;
        made += ids.len();
    }
    Ok(made)
}

fn explained(judged: &mut Judged) {
    for probe in &mut judged.probes {
        (probe.explanation, probe.remedy) = explain::explain(probe);
    }
}

/// Refuses a site whose alerts could never be sent: a template that does not work.
pub(super) fn check(site: &Site) -> Result<(), Halt> {
    for target in &site.alerts {
        if let AlertService::Webhook {
            template: Some(template), ..
        } = &target.service
        {
            alert::check_template(template).map_err(|why| Halt::Sentence(format!("{}: {why}", target.place)))?;
        }
    }
    Ok(())
}

/// What tells of missed runs, for every target that wants it.
pub(super) fn post_missed(
    journal: &Journal,
    site: &Site,
    schedule: &str,
    sentence: &str,
    (due, now): (crate::model::Time, crate::model::Time),
) -> Result<(), Halt> {
    let here = identity_of(site);
    let name = here.to_string_lossy();
    let messages: Vec<_> = site
        .alerts
        .iter()
        .filter_map(|target| {
            let message = alert::missed(target, (&name, &site.file), schedule, sentence, due, now)?;
            Some((target.name.clone(), message))
        })
        .collect();
    if !messages.is_empty() {
        journal.post(Path::new(&here), &messages)?;
    }
    Ok(())
}
