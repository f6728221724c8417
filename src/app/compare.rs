//! `mailflow compare`: what changed between two runs, each a stored one, a baseline, or the JSON report of another machine.

use super::{Code, Desk, Halt};
use crate::{
    compare, explain,
    judge::{judge, roles},
    model::{Judged, JudgedProbe, Outcome, Subset, Summary},
    report::{ReportError, comparison, comparison::nagios, escape, nagios::State, read_json, render_comparison},
};
use std::{fs::File, io::Read, path::Path, sync::Arc};

/// A report of a hundred thousand probes has less; what is larger is no report.
const LARGEST: u64 = 1 << 30;

impl Desk {
    /// Ends with 1 if something regressed, and with 3 if nothing did but something could not be compared.
    pub(super) fn compare(&mut self, before: &str, after: &str) -> Result<Code, Halt> {
        let targets = self.targets(false)?;
        comparison::refuse_others(targets.formats())?;
        let sides = [self.judged(before)?, self.judged(after)?];
        if !self.shared.only.is_empty() && sides.iter().all(|side| side.probes.is_empty()) {
            return Err(
                "neither run has a probe of what `--only` names\n  help: `mailflow report` shows what a run holds"
                    .to_owned()
                    .into(),
            );
        }
        let compared = compare::runs(&sides[0], &sides[1], [before, after]);
        let outcome = comparison::headline::outcome(&compared);
        let all_well = outcome == Outcome::Passed && compared.probes.is_empty();
        let render = |format, style: &_| render_comparison(format, &compared, style);
        let failed = if targets.is_plugin() {
            let plugin = |untold: &[String]| nagios::render(&compared, untold);
            self.output.show_as_plugin(&targets, &render, &plugin)
        } else {
            self.output.show(&targets, all_well, &render)
        };
        for sentence in &failed {
            self.output.error(sentence);
        }
        Ok(match Code::of(std::iter::once(outcome)) {
            Code::Passed if !failed.is_empty() => Code::Unknown,
            Code::Failed if nagios::state(&compared) == State::Warning => Code::Late,
            code => code,
        })
    }

    /// What somebody calls a run: a file if there is a dot or a slash in it, else what the journal knows by that name.
    fn judged(&self, asked: &str) -> Result<Judged, Halt> {
        let mut judged = if asked.contains(['.', '/']) {
            read_report(asked)?
        } else {
            self.stored(asked)?
        };
        narrow(&mut judged, &self.shared.only);
        Ok(judged)
    }

    fn stored(&self, asked: &str) -> Result<Judged, Halt> {
        let loaded = self.journal()?.load(asked);
        let (plan, events) = loaded.map_err(|error| {
            let is_file = Path::new(asked).is_file();
            let file = format!("\n  help: the file of that name is ./{}", escape(asked));
            format!("{error}{}", if is_file { &file } else { "" })
        })?;
        let mut judged = judge(Arc::new(plan), &events);
        for probe in &mut judged.probes {
            (probe.explanation, probe.remedy) = explain::explain(probe);
        }
        Ok(judged)
    }
}

/// Leaves what `--only` names, counted anew.
fn narrow(judged: &mut Judged, only: &[Subset]) {
    if only.is_empty() {
        return;
    }
    let wanted = |probe: &JudgedProbe| Subset::all_allow(only, &probe.recipient, probe.role.as_deref(), &probe.route);
    judged.probes.retain(wanted);
    judged.summary = Summary::of(&judged.probes);
    judged.roles = roles(&judged.probes);
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
    Ok(read_json(&bytes).map_err(|error| {
        let help = match error {
            ReportError::Newer(_) => "compare with a mailflow that is at least as new as the one that wrote it",
            _ => "`mailflow report RUN --report json=FILE` writes one",
        };
        format!("{shown}: {error}\n  help: {help}")
    })?)
}
