//! `mailflow notice`: what to tell the security team and the help desk before a run. Nothing leaves, and no mailbox is opened.

use super::{Code, Desk, Halt, world::host_name};
use crate::{
    model::Time,
    report::{
        Format, Style, notice,
        notice::{Circumstances, Notice},
        render_notice,
    },
};
use std::path::Path;

impl Desk {
    pub(super) async fn notice(&mut self, path: &Path, at: Option<Time>) -> Result<Code, Halt> {
        let targets = self.targets(false)?;
        notice::refuse_others(targets.formats())?;
        let (scenario, site) = self.scenario_and_site(path)?;
        let key = self.tag_key(&site).await?;
        let plan = self.make_plan(&site, &scenario, &key)?;
        let notice = Notice::of(
            &plan,
            &site,
            Circumstances {
                begins: at.unwrap_or(plan.run.started_at),
                planned: at.is_some(),
                host: &host_name(),
            },
        );
        let failed = self
            .output
            .show(&targets, false, &|format: Format, _: &Style| render_notice(format, &notice));
        for sentence in &failed {
            self.output.error(sentence);
        }
        Ok(if failed.is_empty() { Code::Passed } else { Code::Unknown })
    }
}
