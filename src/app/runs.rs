//! `mailflow runs`: the stored runs, newest first.

use super::{Code, Desk, Halt};
use crate::{
    journal::{Journal, StoredRun},
    judge::judge,
    model::time,
    report::{escape, table},
};
use std::sync::Arc;

impl Desk {
    pub(super) fn runs(&mut self) -> Result<Code, Halt> {
        let journal = self.journal()?;
        let mut rows = Vec::new();
        for stored in journal.runs()?.into_iter().rev() {
            let run = stored.plan.run.clone();
            rows.push(vec![
                run.id.to_string(),
                time::shown(run.started_at)[..19].replace('T', " "),
                escape(&run.scenario).into_owned(),
                came_to(&journal, &stored)?,
                escape(run.change.as_deref().unwrap_or_default()).into_owned(),
            ]);
        }
        if rows.is_empty() {
            self.output.remark("No run is stored yet. `mailflow run SCENARIO` makes one.");
        } else {
            let text = table::plain(
                &["run", "started (UTC)", "scenario", "came to", "change"],
                &rows,
                &self.output.list_style(),
            );
            self.output.print(text.as_bytes())?;
        }
        Ok(Code::Passed)
    }
}

fn came_to(journal: &Journal, stored: &StoredRun) -> Result<String, Halt> {
    let id = &stored.plan.run.id;
    if !stored.finished {
        let live = journal.is_held(id);
        return Ok(if live {
            "is running".to_owned()
        } else {
            "unfinished: `mailflow watch` goes on".to_owned()
        });
    }
    let (plan, events) = journal.load(id.as_str())?;
    let summary = judge(Arc::new(plan), &events).summary;
    let counts = [
        ("passed", summary.passed),
        ("failed", summary.failed),
        ("waived", summary.waived),
        ("unknown", summary.unknown),
    ];
    Ok(counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect::<Vec<_>>()
        .join(", "))
}
