//! `mailflow watch`: finishes what earlier runs of this site left open. It sends nothing.

use super::{
    Code, Desk, Halt,
    output::Target,
    run::{Work, interruption},
    world::World,
};
use crate::{
    journal::JournalError,
    model::{Judged, REPORT_SCHEMA, Site, Summary, TagKey},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

impl Desk {
    pub(super) async fn watch(&mut self) -> Result<Code, Halt> {
        let targets = Target::all(&self.shared.report)?;
        let site = self.site()?;
        let key = self.tag_key(&site).await?;
        let stop = interruption();
        let mut judged = self.finish_open_runs(&site, &key, &stop).await?;
        let interrupted = *stop.borrow();
        self.conclude(&mut judged, &targets, interrupted)
    }

    /// Finishes, all at the same time, every unfinished run of this site that no living process holds.
    async fn finish_open_runs(&self, site: &Site, key: &TagKey, stop: &watch::Receiver<bool>) -> Result<Judged, Halt> {
        let journal = self.journal()?;
        let mut runs = Vec::new();
        for stored in journal
            .runs()?
            .into_iter()
            .filter(|stored| !stored.finished && stored.plan.run.site == site.file)
        {
            let log = match journal.take_up(&stored.plan.run.id) {
                Ok(log) => log,
                Err(JournalError::Held(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            // Read after the lock is held: the process that wrote may have ended only now.
            let (plan, events) = journal.load(stored.plan.run.id.as_str())?;
            let plan = Arc::new(plan);
            let world = World::to_watch(site, &plan).await;
            let work = Work {
                log,
                taken_up: Some(events),
                view: self.output.live(),
                stop: stop.clone(),
            };
            runs.push(self.follow(plan, key, world, work));
        }
        let mut all = Judged {
            schema: REPORT_SCHEMA.to_owned(),
            runs: Vec::new(),
            summary: Summary::default(),
            probes: Vec::new(),
            roles: Vec::new(),
            blind: BTreeMap::new(),
        };
        for judged in futures::future::join_all(runs).await {
            let judged = judged?;
            all.runs.extend(judged.runs);
            all.probes.extend(judged.probes);
            all.blind.extend(judged.blind);
        }
        all.summary = Summary::of(&all.probes);
        all.roles = crate::judge::roles(&all.probes);
        Ok(all)
    }
}
