//! `mailflow recheck`: a second look at runs that are decided. It sends nothing and changes no verdict.

use super::{
    Code, Desk, Halt, identity_of,
    run::{interruption, quoted, recognizer},
    watch::gathered,
    world::World,
};
use crate::{
    journal::{Journal, JournalError, Log},
    judge::judge,
    model::{Change, Judged, RunId, Site, TagKey},
    run::{Again, look_again},
};
use std::sync::Arc;
use tokio::sync::watch;

impl Desk {
    /// Looks again at one run, or at all whose scenario wants it by now.
    pub(super) async fn recheck(&mut self, run: &str, due: bool) -> Result<Code, Halt> {
        let targets = self.targets(true)?;
        let site = self.site()?;
        let key = self.tag_key(&site).await?;
        let journal = self.journal()?;
        let stop = interruption();
        let runs = if due {
            self.due_rechecks(&journal, &site)?
        } else {
            vec![self.decided(&journal, &site, run)?]
        };
        let mut looked = Vec::new();
        for run in runs {
            match self.look_again(&journal, &site, &key, &run, &stop).await {
                Ok(Some(judged)) => looked.push(judged),
                Ok(None) => {
                    self.output.insist(&format!(
                        "Interrupted. Run {run} was not looked at again, and nothing of it was kept."
                    ));
                    return Ok(Code::Interrupted);
                }
                // Whoever works on it just now may do the same.
                Err(Halt::Held(run)) if due => self
                    .output
                    .remark(&format!("Run {run} is held by a living process, and left to it.")),
                Err(halt) => return Err(halt),
            }
        }
        if looked.is_empty() {
            self.output.remark("No second look is due.");
            if targets.formats().next().is_none() {
                return Ok(Code::Passed);
            }
        }
        let mut judged = gathered(looked);
        let code = code_of(&judged);
        let failed = self.publish(&mut judged, &targets).await;
        for sentence in &failed {
            self.output.error(sentence);
        }
        Ok(match code {
            Code::Passed if !failed.is_empty() => Code::Unknown,
            code => code,
        })
    }

    /// The decided runs of this site for which a second look is due (`recheck:` of their scenario) and not yet done, the oldest first.
    pub(super) fn due_rechecks(&self, journal: &Journal, site: &Site) -> Result<Vec<RunId>, Halt> {
        Ok(journal.due_looks(self.clock.now(), &identity_of(site))?)
    }

    /// Looks again at every place of a decided run, writes down what is there, and judges the run with it. `None`: it was interrupted, and nothing
    /// was written.
    pub(super) async fn look_again(
        &self,
        journal: &Journal,
        site: &Site,
        key: &TagKey,
        run: &RunId,
        stop: &watch::Receiver<bool>,
    ) -> Result<Option<Judged>, Halt> {
        let log = journal.take_up(run).map_err(|error| match error {
            JournalError::Held(run) => Halt::Held(run),
            error => error.into(),
        })?;
        // Read after the lock is held: nobody else adds to it now.
        let (plan, mut events) = journal.load(run.as_str())?;
        let plan = Arc::new(plan);
        let world = World::to_watch(site, &plan, self.clock).await;
        let again = Again {
            recognizer: recognizer(key, &plan, world.scrubber),
            plan: plan.clone(),
            events: events.clone(),
            clock: self.clock,
            watchers: world.watchers,
            unwatched: world.unwatched,
            stop: stop.clone(),
        };
        let Some(looked) = look_again(again).await else { return Ok(None) };
        log.write(&looked).await?;
        events.push(looked);
        Ok(Some(judge(plan, &events)))
    }

    /// The run of that name, if it is decided and of this site.
    fn decided(&self, journal: &Journal, site: &Site, name: &str) -> Result<RunId, Halt> {
        let stored = journal.find(name)?;
        let id = stored.plan.run.id;
        if !stored.finished {
            return Err(Halt::Sentence(format!(
                "run {id} is not decided yet, so there is nothing to compare a second look with\n  help: `mailflow watch` finishes it"
            )));
        }
        if stored.site != identity_of(site) {
            return Err(Halt::Sentence(format!(
                "run {id} is of another site, whose access it takes\n  help: mailflow recheck {id} --site {}{}",
                quoted(&stored.site.to_string_lossy()),
                self.named_state()
            )));
        }
        Ok(id)
    }
}

/// What the second looks came to, whatever the verdicts were: failed if what had passed would not pass where it lies now, unknown if something
/// could not be looked at.
fn code_of(judged: &Judged) -> Code {
    let latest = || judged.probes.iter().filter_map(|probe| Some((probe, probe.later.last()?)));
    if latest().any(|(probe, later)| later.is_worse_than(probe.outcome)) {
        Code::Failed
    } else if latest().any(|(_, later)| later.change == Change::Unseen) {
        Code::Unknown
    } else {
        Code::Passed
    }
}
