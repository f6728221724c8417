//! `mailflow baseline`: names for runs, to compare later ones with.

use super::{Code, Desk, Halt, runs::came_to};
use crate::{
    journal::{Journal, baseline_fault},
    model::{RunId, time},
    report::{escape, table},
};

impl Desk {
    pub(super) fn baseline(
        &mut self,
        run: Option<&str>,
        name: Option<&str>,
        rename: Option<&[String]>,
        remove: Option<&str>,
    ) -> Result<Code, Halt> {
        let journal = self.journal()?;
        match (run, name, rename, remove) {
            (_, _, _, Some(name)) => self.remove_baseline(&journal, name),
            (_, _, Some([from, to]), _) => self.rename_baseline(&journal, from, to),
            (Some(run), Some(name), ..) => self.set_baseline(&journal, run, name),
            _ => self.baselines(&journal),
        }
    }

    fn set_baseline(&self, journal: &Journal, run: &str, name: &str) -> Result<Code, Halt> {
        let shown = escape(name);
        refuse_fault(journal, name)?;
        let (plan, _) = journal.load(run)?;
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

    fn rename_baseline(&self, journal: &Journal, from: &str, to: &str) -> Result<Code, Halt> {
        refuse_fault(journal, to)?;
        if let Some(run) = journal.baseline(to)? {
            let shown = escape(to);
            return Err(
                format!("run {run} is called {shown} already\n  help: `mailflow baseline --remove {shown}` takes the name away").into(),
            );
        }
        if !journal.rename_baseline(from, to)? {
            return Err(no_baseline(from));
        }
        self.output
            .remark(&format!("What was called {} is {} now.", escape(from), escape(to)));
        Ok(Code::Passed)
    }

    fn remove_baseline(&self, journal: &Journal, name: &str) -> Result<Code, Halt> {
        if !journal.remove_baseline(name)? {
            return Err(no_baseline(name));
        }
        self.output
            .remark(&format!("No run is called {} any more; the run itself stays.", escape(name)));
        Ok(Code::Passed)
    }

    fn baselines(&self, journal: &Journal) -> Result<Code, Halt> {
        let runs = journal.runs()?;
        let mut rows: Vec<Vec<String>> = Vec::new();
        for baseline in journal.baselines()? {
            let stored = runs.iter().find(|stored| stored.plan.run.id == baseline.run);
            let mut row = vec![escape(&baseline.name).into_owned(), baseline.run.to_string()];
            match stored {
                Some(stored) => {
                    let run = &stored.plan.run;
                    row.push(time::shown(run.started_at)[..19].replace('T', " "));
                    row.push(escape(&run.scenario).into_owned());
                    row.push(came_to(journal, stored)?);
                    row.push(escape(run.change.as_deref().unwrap_or_default()).into_owned());
                }
                None => row.resize(COLUMNS.len(), String::new()),
            }
            rows.push(row);
        }
        if rows.is_empty() {
            self.output
                .remark("No run has a name yet. `mailflow baseline RUN NAME` gives it one.");
        } else {
            let text = table::plain(&COLUMNS, &rows, &self.output.list_style());
            self.output.print(text.as_bytes())?;
        }
        Ok(Code::Passed)
    }
}

/// The columns of the list: as those of `mailflow runs`.
const COLUMNS: [&str; 6] = ["baseline", "run", "started (UTC)", "scenario", "came to", "change"];

/// Refuses a name that would be taken for something else.
fn refuse_fault(journal: &Journal, name: &str) -> Result<(), Halt> {
    let shown = escape(name);
    if let Some(fault) = baseline_fault(name) {
        return Err(format!("a run cannot be called {shown}: {fault}").into());
    }
    let begins_one = |id: &RunId| id.as_str().starts_with(&name.to_ascii_lowercase());
    // From three characters on the beginning of an id is a name of its run already.
    if name.len() >= 3 && journal.runs()?.iter().any(|stored| begins_one(&stored.plan.run.id)) {
        return Err(format!("a run cannot be called {shown}: the id of a stored run begins so").into());
    }
    Ok(())
}

fn no_baseline(name: &str) -> Halt {
    format!("there is no baseline {}\n  help: `mailflow baseline` lists them", escape(name)).into()
}
