//! What the pages of `serve` show: each path becomes bytes out of the journal, which is only read.

use super::super::{Halt, history::history_of};
use crate::{
    clock::Clock,
    compare, explain,
    journal::Journal,
    judge::judge,
    model::{Judged, REPORT_SCHEMA, Summary, Time, time},
    report::{self, Format, Style, status},
    web::Answer,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, RwLock},
    time::Duration,
};

/// How far back the pages look.
const WINDOW: Duration = Duration::from_hours(90 * 24);
/// The parts of a course.
const BARS: usize = 60;
/// So many runs are listed.
const RUNS: usize = 50;
/// A loop that has not turned for so long is stuck.
const STUCK: Duration = Duration::from_mins(1);

/// A schedule as the pages show it.
#[derive(Debug, Clone)]
pub struct Planned {
    pub name: String,
    pub when: String,
    pub next: Option<Time>,
}

/// What the loop of a site tells of itself.
#[derive(Debug, Clone)]
pub struct SiteView {
    pub file: String,
    pub here: PathBuf,
    pub schedules: Vec<Planned>,
    pub trouble: Option<(Time, String)>,
    pub alive_at: Time,
}

impl SiteView {
    pub fn new(now: Time) -> Self {
        Self {
            file: String::new(),
            here: PathBuf::new(),
            schedules: Vec::new(),
            trouble: None,
            alive_at: now,
        }
    }
}

/// Where the pages are taken from.
pub struct Shelf {
    pub state: PathBuf,
    pub clock: Clock,
    pub sites: Vec<Arc<RwLock<SiteView>>>,
}

impl Shelf {
    /// What is at this path.
    pub fn answer(&self, path: &str) -> Answer {
        let made = match path {
            "/" => self.status(),
            "/history" => self.history(),
            "/metrics" => self.metrics(),
            "/healthz" => return self.health(),
            "/favicon.ico" => {
                return Answer {
                    status: 204,
                    kind: "image/x-icon",
                    body: Vec::new(),
                };
            }
            _ => match path.strip_prefix("/runs/") {
                Some(name) => match self.run(name) {
                    Ok(Some(answer)) => return answer,
                    Ok(None) => return Answer::text(404, "there is no such run"),
                    Err(halt) => Err(halt),
                },
                None => return Answer::text(404, "there is no such page; there are /, /history, /runs/ID, /metrics and /healthz"),
            },
        };
        // The journal's own words name paths of this machine: they go to the log of whoever runs it, by `mailflow runs`.
        made.unwrap_or_else(|_| Answer::text(500, "the journal cannot be read; `mailflow runs` says why"))
    }

    fn views(&self) -> Vec<SiteView> {
        self.sites
            .iter()
            .filter_map(|view| view.read().ok().map(|view| view.clone()))
            .collect()
    }

    fn journal(&self) -> Result<Journal, Halt> {
        Ok(Journal::open(&self.state)?)
    }

    fn status(&self) -> Result<Answer, Halt> {
        let journal = self.journal()?;
        let now = self.clock.now();
        let history = history_of(&journal, &[], time::earlier(now, WINDOW), now, 1)?;
        let views = self.views();
        let here: BTreeSet<PathBuf> = views.iter().map(|view| view.here.clone()).collect();
        let stored = journal.runs()?;
        let runs = stored.iter().rev().filter(|stored| here.contains(&stored.site)).take(RUNS);
        let runs = runs
            .map(|stored| status::Run {
                id: stored.plan.run.id.to_string(),
                scenario: stored.plan.run.scenario.clone(),
                started: shown(stored.plan.run.started_at),
                finished: stored.finished,
            })
            .collect();
        let mut waiting = Vec::new();
        for view in &views {
            waiting.extend(journal.outbox(&view.here)?.iter().map(super::super::alerts::in_words));
        }
        let schedules = views.iter().flat_map(|view| &view.schedules);
        let schedules = schedules
            .map(|planned| status::Planned {
                name: planned.name.clone(),
                when: planned.when.clone(),
                next: planned.next.map_or_else(|| "never".to_owned(), shown),
            })
            .collect();
        let troubles = views.iter().filter_map(|view| view.trouble.as_ref());
        let troubles = troubles.map(|(at, said)| format!("{}: {said}", shown(*at))).collect();
        let page = status::page(
            &history,
            &status::State {
                at: shown(now),
                schedules,
                runs,
                waiting,
                troubles,
            },
        )?;
        Ok(html(page.html.into_bytes()))
    }

    fn history(&self) -> Result<Answer, Halt> {
        let now = self.clock.now();
        let history = history_of(&self.journal()?, &[], time::earlier(now, WINDOW), now, BARS)?;
        Ok(html(report::history::page(&history)?.html.into_bytes()))
    }

    /// `None`: there is none of this name, or it is of a site that is not served here.
    fn run(&self, name: &str) -> Result<Option<Answer>, Halt> {
        let (id, format, kind) = match name.strip_suffix(".json") {
            Some(id) => (id, Format::Json, "application/json"),
            None => (name, Format::Html, "text/html; charset=utf-8"),
        };
        let journal = self.journal()?;
        let views = self.views();
        let is_here = |site: &PathBuf| views.iter().any(|view| view.here == *site);
        let known = journal
            .runs()?
            .into_iter()
            .any(|stored| stored.plan.run.id.as_str() == id && is_here(&stored.site));
        if !known {
            return Ok(None);
        }
        let judged = judged(&journal, id)?;
        let body = report::render(format, &judged, &Style::default())?;
        Ok(Some(Answer { status: 200, kind, body }))
    }

    fn metrics(&self) -> Result<Answer, Halt> {
        let journal = self.journal()?;
        let views = self.views();
        let mut latest = BTreeMap::new();
        for stored in journal.runs()?.into_iter().filter(|stored| stored.finished) {
            if views.iter().any(|view| view.here == stored.site) {
                latest.insert((stored.site, stored.plan.run.scenario.clone()), stored.plan.run.id);
            }
        }
        let mut all = Judged {
            schema: REPORT_SCHEMA.to_owned(),
            runs: Vec::new(),
            summary: Summary::default(),
            probes: Vec::new(),
            roles: Vec::new(),
            blind: BTreeMap::new(),
            parity: Vec::new(),
        };
        for run in latest.values() {
            let judged = judged(&journal, run.as_str())?;
            all.runs.extend(judged.runs);
            all.probes.extend(judged.probes);
            all.blind.extend(judged.blind);
            all.parity.extend(judged.parity);
        }
        let mut text = report::metrics(&all);
        let mut waiting = 0;
        for view in &views {
            waiting += journal.outbox(&view.here)?.len();
        }
        text.push_str("# HELP mailflow_alerts_waiting Alerts that have not arrived yet.\n# TYPE mailflow_alerts_waiting gauge\n");
        text.push_str(&format!("mailflow_alerts_waiting {waiting}\n"));
        Ok(Answer {
            status: 200,
            kind: "text/plain; version=0.0.4; charset=utf-8",
            body: text.into_bytes(),
        })
    }

    /// Whether the loops turn and the journal can be read.
    fn health(&self) -> Answer {
        let now = self.clock.now();
        if self.views().iter().any(|view| time::later(view.alive_at, STUCK) < now) {
            return Answer::text(503, "a loop does not turn");
        }
        match self.journal().and_then(|journal| Ok(journal.schedules(&PathBuf::new())?)) {
            Ok(_) => Answer::text(200, "ok"),
            Err(_) => Answer::text(503, "the journal cannot be read"),
        }
    }
}

fn judged(journal: &Journal, id: &str) -> Result<Judged, Halt> {
    let (plan, events) = journal.load(id)?;
    let mut judged = judge(Arc::new(plan), &events);
    for probe in &mut judged.probes {
        (probe.explanation, probe.remedy) = explain::explain(probe);
    }
    judged.parity = compare::parity(&judged);
    Ok(judged)
}

fn html(body: Vec<u8>) -> Answer {
    Answer {
        status: 200,
        kind: "text/html; charset=utf-8",
        body,
    }
}

fn shown(at: Time) -> String {
    format!("{} UTC", time::shown(at)[..19].replace('T', " "))
}
