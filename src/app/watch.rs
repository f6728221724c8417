//! `mailflow watch`: finishes what earlier runs of this site left open. It sends nothing.

use super::{
    Code, Desk, Halt, identity_of,
    run::{Work, interruption, is_interrupted, quoted},
    world::World,
};
use crate::{
    journal::{Journal, JournalError, StoredRun},
    model::{Judged, REPORT_SCHEMA, Site, Summary, TagKey, What},
};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tokio::sync::watch;

impl Desk {
    pub(super) async fn watch(&mut self) -> Result<Code, Halt> {
        let targets = self.targets(true)?;
        let site = self.site()?;
        let key = self.tag_key(&site).await?;
        let stop = interruption();
        let mut judged = self.finish_open_runs(&site, &key, &stop).await?;
        let interrupted = is_interrupted(&judged, &stop).then(|| self.how_to_go_on(&site));
        let code = self.conclude(&mut judged, &targets, interrupted).await;
        Ok(self.told(&site, code).await)
    }

    /// Finishes, all at the same time, every unfinished run of this site that no living process holds.
    pub(super) async fn finish_open_runs(&self, site: &Site, key: &TagKey, stop: &watch::Receiver<bool>) -> Result<Judged, Halt> {
        let journal = self.journal()?;
        let here = identity_of(site);
        let (own, others): (Vec<_>, Vec<_>) = journal
            .runs()?
            .into_iter()
            .filter(|stored| !stored.finished)
            .partition(|stored| stored.site == here);
        self.tell_of_others(&journal, &others);
        let mut runs = Vec::new();
        for stored in own {
            let log = match journal.take_up(&stored.plan.run.id) {
                Ok(log) => log,
                Err(JournalError::Held(run)) => {
                    self.output
                        .remark(&format!("Run {run} is held by a living process, and left to it."));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // Read after the lock is held: the process that wrote may have ended only now.
            let (plan, events) = journal.load(stored.plan.run.id.as_str())?;
            if events.iter().any(|event| event.what == (What::Stopped { finished: true })) {
                continue;
            }
            let plan = Arc::new(plan);
            let world = World::to_watch(site, &plan, self.clock).await;
            let work = Work {
                log,
                facts: Vec::new(),
                taken_up: Some(events),
                view: self.output.live(),
                stop: stop.clone(),
            };
            runs.push(self.follow(plan, key, world, work));
        }
        let judged = futures::future::join_all(runs).await;
        Ok(gathered(judged.into_iter().collect::<Result<_, _>>()?))
    }

    /// Says which sites have runs that nobody works on: they are not forgotten, but need their own site's access.
    fn tell_of_others(&self, journal: &Journal, others: &[StoredRun]) {
        let mut sites: BTreeMap<&Path, usize> = BTreeMap::new();
        for stored in others.iter().filter(|stored| !journal.is_held(&stored.plan.run.id)) {
            *sites.entry(&stored.site).or_default() += 1;
        }
        for (site, count) in sites {
            let runs = if count == 1 {
                "1 unfinished run is".to_owned()
            } else {
                format!("{count} unfinished runs are")
            };
            self.output.remark(&format!(
                "{runs} of another site: mailflow watch --site {}{}",
                quoted(&site.to_string_lossy()),
                self.named_state()
            ));
        }
    }
}

/// Several judged runs as one report.
pub(super) fn gathered(runs: Vec<Judged>) -> Judged {
    let mut all = Judged {
        schema: REPORT_SCHEMA.to_owned(),
        runs: Vec::new(),
        summary: Summary::default(),
        probes: Vec::new(),
        roles: Vec::new(),
        blind: BTreeMap::new(),
        parity: Vec::new(),
    };
    for judged in runs {
        all.runs.extend(judged.runs);
        all.probes.extend(judged.probes);
        all.blind.extend(judged.blind);
    }
    all.summary = Summary::of(&all.probes);
    all.roles = crate::judge::roles(&all.probes);
    all
}
