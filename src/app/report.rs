//! `mailflow report`: a stored run again, in any format.

use super::{Code, Desk, Halt};
use crate::{explain::span, judge::judge, model::time};
use std::{sync::Arc, time::Duration};

impl Desk {
    pub(super) async fn report(&mut self, run: &str, max_age: Option<Duration>) -> Result<Code, Halt> {
        let mut targets = self.targets(true)?;
        let journal = self.journal()?;
        let run = if run == "last" && self.output.is_plugin() {
            // One that is under way has nothing to say yet, and would turn the service unknown each time.
            let ended = journal.runs()?.into_iter().rfind(|stored| stored.finished);
            ended.ok_or("no run has ended yet".to_owned())?.plan.run.id.as_str().to_owned()
        } else {
            run.to_owned()
        };
        let (plan, events) = journal.load(&run)?;
        let mut judged = judge(Arc::new(plan), &events);
        for info in &judged.runs {
            let (ended, word) = info.finished_at.map_or((info.started_at, "started"), |at| (at, "ended"));
            if max_age.is_some_and(|max_age| time::later(ended, max_age) < self.clock.now()) {
                let ago = span(time::milliseconds(ended, self.clock.now()));
                targets.doubt(format!(
                    "run {} {word} {ago} ago, which proves nothing of today\n  help: find out why none has come since",
                    info.id
                ));
            }
        }
        Ok(self.conclude(&mut judged, &targets, None).await)
    }
}
