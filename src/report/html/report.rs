//! The report of runs as one page: what is wrong first, then roles, everything at a glance, times, every probe.
//!
//! What it cannot show: more than was judged, nor anything of foreign messages. Of thousands of probes it shows the evidence of the first few
//! hundred and says so; the JSON report has all of it.

use super::charts::{self, Chart};
use super::findings::{Findings, findings};
use super::hero::{Hero, hero};
use super::matrix::{Matrix, matrices};
use super::probes::{Probes, probes};
use super::{Frame, Link, Reach, page, view};
use crate::explain::span;
use crate::model::{Judged, Outcome, RoleSummary, RunInfo, time};
use crate::report::later::{self, Looks};
use crate::report::order::{rank, worst_first};
use crate::report::{ReportError, comparison};
use askama::Template;
use std::collections::{BTreeMap, BTreeSet};

/// So many second looks are told one by one.
const LOOKS: usize = 200;
const SCRIPT: &str = include_str!("report.js");

#[derive(Template)]
#[template(path = "report.html", config = "src/report/html/askama.toml")]
struct Report<'a> {
    judged: &'a Judged,
    hero: Hero<'a>,
    runs: Vec<Run<'a>>,
    findings: &'a [Findings<'a>],
    /// The parity tables: markup, made by their own template.
    parity: Vec<String>,
    looks: Option<Looks<'a>>,
    roles: Vec<&'a RoleSummary>,
    matrices: Vec<Matrix>,
    charts: Vec<Chart>,
    probes: Probes<'a>,
}

/// What there is to know of a run.
struct Run<'a> {
    info: &'a RunInfo,
    started: String,
    took: String,
}

/// The report.
pub fn render(judged: &Judged) -> Result<Vec<u8>, ReportError> {
    let numbers: BTreeMap<_, usize> = judged
        .probes
        .iter()
        .enumerate()
        .map(|(index, probe)| (probe.id, index + 1))
        .collect();
    let sorted: Vec<_> = worst_first(judged)
        .into_iter()
        .filter_map(|probe| Some((*numbers.get(&probe.id)?, probe)))
        .collect();
    let (findings, told) = findings(&sorted);
    let firsts: BTreeSet<_> = findings
        .iter()
        .flat_map(|part| &part.told)
        .map(|finding| finding.probe.id)
        .collect();
    let link = |number: usize| match told.get(&number) {
        Some(finding) => format!("#f{finding}"),
        None => format!("#p{number}"),
    };
    let mut roles: Vec<&RoleSummary> = judged.roles.iter().collect();
    roles.sort_by_key(|role| rank(role.outcome));
    let charts = [charts::latency(&judged.probes)?, charts::hops(&judged.probes)?];
    let report = Report {
        judged,
        hero: hero(judged, &findings),
        runs: judged.runs.iter().map(run).collect(),
        roles,
        matrices: matrices(judged, &sorted, link),
        charts: charts.into_iter().flatten().collect(),
        probes: probes(&sorted, &told, |probe| firsts.contains(&probe.id)),
        findings: &findings,
        parity: judged.parity.iter().map(comparison::page::section).collect::<Result<_, _>>()?,
        looks: later::looks(judged),
    };
    let (title, footer) = (report.title(), report.footer());
    let frame = Frame {
        title: &title,
        kind: "report",
        links: &report.links(),
        footer: &footer,
        script: SCRIPT,
        reach: Reach::Alone,
    };
    Ok(page(&frame, &report)?.html.into_bytes())
}

impl Report<'_> {
    /// The way through the page: its parts, as far as they are there.
    fn links(&self) -> Vec<Link> {
        let outcomes = self.findings.iter().map(|part| (part.outcome.word(), part.title.as_str()));
        let parts = [
            ("looks", "Second look", self.looks.is_none()),
            ("blind", "Unread mailboxes", self.judged.blind.is_empty()),
            ("roles", "Roles", self.roles.is_empty()),
            ("matrix", "At a glance", self.matrices.is_empty()),
            ("times", "Times", self.charts.is_empty()),
            ("probes", "Every probe", self.probes.items.is_empty()),
        ];
        let parts = parts.into_iter().filter(|(_, _, missing)| !missing).map(|(id, text, _)| (id, text));
        let parity = (!self.parity.is_empty()).then_some(("parity", "Side by side"));
        parity
            .into_iter()
            .chain(outcomes)
            .chain(parts)
            .map(|(id, text)| Link::within(id, text))
            .collect()
    }

    fn title(&self) -> String {
        let scenario = match self.runs.as_slice() {
            [run] => format!("{}, {}", run.info.scenario, run.started),
            runs => format!("{} runs", runs.len()),
        };
        format!("{}: {scenario} – mailflow", self.hero.outcome)
    }

    fn footer(&self) -> Vec<String> {
        let versions: BTreeSet<&str> = self.runs.iter().map(|run| run.info.version.as_str()).collect();
        let measured = versions.into_iter().collect::<Vec<_>>().join(", ");
        let by = if measured.is_empty() {
            String::new()
        } else {
            format!("Measured by mailflow {measured}. ")
        };
        vec![
            format!("{by}Times are in UTC, by the clock of the machine that measured. Words of servers stand as they were said."),
            "Delivered is only what was seen, lost only what was looked for everywhere. What could not be measured is called unknown."
                .to_owned(),
        ]
    }
}

fn run(info: &RunInfo) -> Run<'_> {
    Run {
        info,
        started: info.started_at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        took: info.finished_at.map_or_else(
            || "not ended yet".to_owned(),
            |finished| span(time::milliseconds(info.started_at, finished)),
        ),
    }
}
