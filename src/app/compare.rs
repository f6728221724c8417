//! `mailflow compare`: what changed between two runs, each a stored one, a baseline, or the JSON report of another machine.

use super::{Code, Desk, Halt, output::Target};
use crate::{
    compare, explain,
    judge::judge,
    model::{Judged, Outcome},
    report::{comparison, escape, read_json, render_comparison},
};
use std::{fs::File, io::Read, sync::Arc};

/// A report of a hundred thousand probes has less; what is larger is no report.
const LARGEST: u64 = 1 << 30;

impl Desk {
    /// Ends with 1 if something regressed, and with 3 if nothing did but something could not be compared.
    pub(super) fn compare(&mut self, before: &str, after: &str) -> Result<Code, Halt> {
        let targets = Target::all(&self.shared.report)?;
        comparison::refuse_others(targets.iter().map(Target::format))?;
        let sides = [self.judged(before)?, self.judged(after)?];
        let compared = compare::runs(&sides[0], &sides[1], [before, after]);
        let outcome = comparison::text::outcome(&compared);
        let all_well = outcome == Outcome::Passed && compared.probes.is_empty();
        let failed = self
            .output
            .show(&targets, all_well, |format, style| render_comparison(format, &compared, style));
        for sentence in &failed {
            self.output.error(sentence);
        }
        Ok(match Code::of(std::iter::once(outcome)) {
            Code::Passed if !failed.is_empty() => Code::Unknown,
            code => code,
        })
    }

    /// What somebody calls a run: a file if there is a dot or a slash in it, else a baseline, `last`, `last~N`, or the beginning of an id.
    fn judged(&self, asked: &str) -> Result<Judged, Halt> {
        if asked.contains(['.', '/']) {
            return read_report(asked);
        }
        let journal = self.journal()?;
        let named = journal.baseline(asked)?;
        let (plan, events) = journal.load(named.as_deref().unwrap_or(asked))?;
        let mut judged = judge(Arc::new(plan), &events);
        for probe in &mut judged.probes {
            (probe.explanation, probe.remedy) = explain::explain(probe);
        }
        Ok(judged)
    }
}

fn read_report(path: &str) -> Result<Judged, Halt> {
    let shown = escape(path);
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        format!("the report {shown} cannot be read: {error}\n  help: a run is named by its id, `last`, `last~1` or a baseline; what has a dot or a slash in it is a file")
    })?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("{shown} is no report: it is larger than 1 GiB").into());
    }
    Ok(read_json(&bytes).map_err(|error| format!("{shown}: {error}\n  help: `mailflow report --report json=FILE` writes one"))?)
}
