//! `mailflow runs`: the stored runs, newest first; and what `--keep` removes of them.

use super::{Code, Desk, Halt};
use crate::{
    journal::{Journal, Retention, StoredRun, Tidied},
    judge::judge,
    model::time,
    report::{counted, escape, table},
};
use std::{sync::Arc, time::Duration};

impl Desk {
    pub(super) fn runs(&mut self, dry_run: bool) -> Result<Code, Halt> {
        let journal = self.journal()?;
        if let Some(keep) = self.shared.keep {
            let tidied = journal.tidy(&self.retention(keep, dry_run), true)?;
            self.output.print(said_of(&tidied, dry_run).as_bytes())?;
            return Ok(Code::Passed);
        }
        journal.summarise_older_runs()?;
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

impl Desk {
    /// What `--keep` and `--keep-history` leave.
    fn retention(&self, keep: Duration, dry_run: bool) -> Retention {
        let now = self.clock.now();
        Retention {
            events_from: time::earlier(now, keep),
            outcomes_from: self
                .shared
                .keep_history
                .map(|keep_history| time::earlier(now, keep_history.max(keep))),
            dry_run,
        }
    }

    /// Removes what `--keep` does not leave, after another verb has done its work. It says what it removed, and what kept it from that.
    pub(super) fn tidy_up(&self) {
        let Some(keep) = self.shared.keep else { return };
        let tidied = self
            .journal()
            .and_then(|journal| Ok(journal.tidy(&self.retention(keep, false), false)?));
        match tidied {
            Ok(tidied) if tidied.removed.is_empty() && tidied.outcomes == 0 => {}
            Ok(tidied) => self.output.remark(said_of(&tidied, false).trim_end()),
            Err(Halt::Sentence(sentence)) => self.output.error(&sentence),
            Err(_) => {}
        }
    }
}

fn said_of(tidied: &Tidied, dry_run: bool) -> String {
    let verb = if dry_run { "would be removed" } else { "removed" };
    let mut text = format!("{} {verb}", counted(tidied.removed.len(), "run", "runs"));
    if tidied.outcomes > 0 {
        let outcomes = usize::try_from(tidied.outcomes).unwrap_or(usize::MAX);
        text.push_str(&format!(", and {} of older ones", counted(outcomes, "outcome", "outcomes")));
    }
    if tidied.freed > 0 {
        text.push_str(&format!("; {} MB given back", tidied.freed.div_ceil(1_000_000)));
    }
    text.push_str(".\n");
    for (run, why) in &tidied.kept {
        text.push_str(&format!("Run {run} is older and stays: {}.\n", escape(why)));
    }
    text
}

/// What a run came to, in a few words.
pub(super) fn came_to(journal: &Journal, stored: &StoredRun) -> Result<String, Halt> {
    let id = &stored.plan.run.id;
    if !stored.finished {
        let live = journal.is_held(id);
        return Ok(if live {
            "is running".to_owned()
        } else {
            "unfinished: `mailflow watch` goes on".to_owned()
        });
    }
    // A run that cannot be read has no outcomes, and says why.
    let summary = if let Some(summary) = journal.came_to(id)? {
        summary
    } else {
        let (plan, events) = journal.load(id.as_str())?;
        judge(Arc::new(plan), &events).summary
    };
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
