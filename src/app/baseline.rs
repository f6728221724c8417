//! `mailflow baseline`: names for runs, to compare later ones with.

use super::{Code, Desk, Halt};
use crate::{
    journal::{Journal, baseline_fault},
    model::RunId,
    report::{escape, table},
};

impl Desk {
    pub(super) fn baseline(&mut self, run: Option<&str>, name: Option<&str>, remove: Option<&str>) -> Result<Code, Halt> {
        let journal = self.journal()?;
        match (run, name, remove) {
            (_, _, Some(name)) => self.remove_baseline(&journal, name),
            (Some(run), Some(name), None) => self.set_baseline(&journal, run, name),
            _ => self.baselines(&journal),
        }
    }

    fn set_baseline(&self, journal: &Journal, run: &str, name: &str) -> Result<Code, Halt> {
        let shown = escape(name);
        if let Some(fault) = baseline_fault(name) {
            return Err(format!("a run cannot be called {shown}: {fault}").into());
        }
        let begins_one = |id: &RunId| id.as_str().starts_with(&name.to_ascii_lowercase());
        // From three characters on the beginning of an id is a name of its run already.
        if name.len() >= 3 && journal.runs()?.iter().any(|stored| begins_one(&stored.plan.run.id)) {
            return Err(format!("a run cannot be called {shown}: the id of a stored run begins so").into());
        }
        let known = journal.baseline(run)?;
        let (plan, _) = journal.load(known.as_deref().unwrap_or(run))?;
        let before = journal.baseline(name)?;
        journal.set_baseline(name, &plan.run.id, self.clock.now())?;
        let id = &plan.run.id;
        let moved = before.filter(|before| before != id.as_str());
        let moved = moved.map(|before| format!("; it was run {before} until now")).unwrap_or_default();
        self.output.remark(&format!(
            "{shown} is run {id} of “{}”{moved}. To compare: mailflow compare {shown} last{}",
            escape(&plan.run.scenario),
            self.named_state()
        ));
        Ok(Code::Passed)
    }

    fn remove_baseline(&self, journal: &Journal, name: &str) -> Result<Code, Halt> {
        if !journal.remove_baseline(name)? {
            return Err(format!("there is no baseline {}\n  help: `mailflow baseline` lists them", escape(name)).into());
        }
        self.output
            .remark(&format!("No run is called {} any more; the run itself stays.", escape(name)));
        Ok(Code::Passed)
    }

    fn baselines(&self, journal: &Journal) -> Result<Code, Halt> {
        let runs = journal.runs()?;
        let rows: Vec<Vec<String>> = journal
            .baselines()?
            .into_iter()
            .map(|baseline| {
                let run = runs.iter().map(|stored| &stored.plan.run).find(|run| run.id == baseline.run);
                let (started, scenario) = run.map_or_else(Default::default, |run| {
                    (
                        run.started_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                        escape(&run.scenario).into_owned(),
                    )
                });
                vec![escape(&baseline.name).into_owned(), baseline.run.to_string(), started, scenario]
            })
            .collect();
        if rows.is_empty() {
            self.output
                .remark("No run has a name yet. `mailflow baseline RUN NAME` gives it one.");
        } else {
            let text = table::plain(&["baseline", "run", "started (UTC)", "scenario"], &rows, &self.output.list_style());
            self.output.print(text.as_bytes())?;
        }
        Ok(Code::Passed)
    }
}
