//! The loop that keeps one site: what is due is begun, what has ended is told, and the files are read again when they change.

use super::{
    super::{Desk, Halt, alerts, alerts::Post, identity_of, run::is_interrupted},
    pages::{Planned, SiteView},
};
use crate::{
    config,
    journal::{FileLock, Journal},
    model::{RunId, Scenario, Schedule, Site, Time, time},
    report::{counted, escape, live::Live},
    schedule::{Act, Keeper},
};
use futures::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, RwLock},
    time::{Duration, SystemTime},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How often files are looked at, and whether something is due.
const BEAT: Duration = Duration::from_secs(1);
/// How often second looks are asked for.
const LOOKS: Duration = Duration::from_secs(20);
/// How long alerts may take once it is to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// What a job was.
enum Job {
    Scheduled(String),
    Open(BTreeSet<String>),
    Look,
    Delivery(Option<Instant>),
}

type Jobs<'a> = FuturesUnordered<LocalBoxFuture<'a, (Job, Option<String>)>>;
/// When a file was written, and how long it is.
type Print = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

/// What keeps one site.
pub struct Keeping {
    desk: Desk,
    site: Site,
    here: PathBuf,
    scenarios: BTreeMap<String, Scenario>,
    keeper: Keeper,
    journal: Journal,
    view: Arc<RwLock<SiteView>>,
    print: Print,
    _lock: FileLock,
}

impl Keeping {
    /// Reads the site and all that it schedules.
    ///
    /// # Errors
    /// Mistakes in these files, a journal that cannot be used, or another process that keeps this site.
    pub fn of(desk: Desk, view: Arc<RwLock<SiteView>>) -> Result<Self, Halt> {
        let site = desk.site()?;
        let scenarios = scenarios(&site)?;
        let journal = desk.journal()?;
        let here = identity_of(&site);
        let digest = ring::digest::digest(&ring::digest::SHA256, here.to_string_lossy().as_bytes());
        let name = format!("serve-{}", data_encoding::HEXLOWER.encode(&digest.as_ref()[..8]));
        let lock = FileLock::take(&desk.state()?, &name)?
            .ok_or_else(|| Halt::Sentence(format!("another process serves {} already, with this state folder", site.file)))?;
        let print = fingerprint(&desk, &site);
        let mut keeping = Self {
            desk,
            site,
            here,
            scenarios,
            keeper: Keeper::default(),
            journal,
            view,
            print,
            _lock: lock,
        };
        keeping.take_schedules()?;
        Ok(keeping)
    }

    pub fn site(&self) -> &Site {
        &self.site
    }

    fn take_schedules(&mut self) -> Result<(), Halt> {
        let now = self.desk.clock.now();
        let known: BTreeMap<String, Time> = self
            .journal
            .schedules(&self.here)?
            .into_iter()
            .map(|row| (row.name, row.dealt_with))
            .collect();
        self.keeper
            .take(&self.site.schedules, now, &known)
            .map_err(|(name, why)| Halt::Sentence(format!("schedule {}: {why}", escape(&name))))?;
        for schedule in self.site.schedules.iter().filter(|schedule| !known.contains_key(&schedule.name)) {
            self.journal.dealt_with(&self.here, &schedule.name, now)?;
        }
        Ok(())
    }

    /// Keeps the site until `stop`.
    ///
    /// # Errors
    /// If the journal can no longer be used.
    pub async fn keep(mut self, mut stop: watch::Receiver<bool>) -> Result<(), Halt> {
        let mut jobs: Jobs<'static> = FuturesUnordered::new();
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        self.finish_open(&mut jobs, &stop)?;
        let mut delivering = false;
        let mut deliver_at = Instant::now();
        let mut look_at = Instant::now();
        let mut looking = false;
        let said = self.site.schedules.len();
        self.desk
            .output
            .remark(&format!("{}: {}.", escape(&self.site.file), counted(said, "schedule", "schedules")));
        while !*stop.borrow() {
            self.begin_what_is_due(&mut jobs, &stop)?;
            if !delivering && self.desk.tells && Instant::now() >= deliver_at {
                delivering = true;
                jobs.push(self.delivery(Instant::now() + Duration::from_mins(1)));
            }
            if !looking && Instant::now() >= look_at {
                look_at = Instant::now() + LOOKS;
                looking = self.look_again(&mut jobs, &stop)?;
            }
            self.show();
            let next = self
                .keeper
                .wake_at()
                .map_or(Instant::now() + BEAT, |at| self.desk.clock.instant_of(at));
            tokio::select! {
                            Some((job, sentence)) = jobs.next(), if !jobs.is_empty() => {
                                if let Some(sentence) = sentence {
                                    self.trouble(sentence);
                                }
                                match job {
                                    Job::Scheduled(name) => {
                                        self.keeper.ended(&name);
                                        deliver_at = Instant::now();
                                    }
                                    Job::Open(names) => {
                                        for name in &names {
             self.keeper.ended(name);
            }
                                        deliver_at = Instant::now();
                                    }
                                    Job::Look => looking = false,
                                    Job::Delivery(next) => {
                                        delivering = false;
                                        // A run that ended meanwhile may have set it earlier, and is not forgotten.
                                        deliver_at = next.unwrap_or_else(|| Instant::now() + BEAT);
                                    }
                                }
                            }
                            () = sleep_until(next.min(Instant::now() + BEAT)) => {
                                let print = fingerprint(&self.desk, &self.site);
                                if print != self.print {
                                    self.print = print;
                                    self.read_again();
                                }
                            }
                            _ = hangup.recv() => self.read_again(),
                            _ = stop.changed() => {}
                        }
        }
        // Runs see the same sign: they send nothing more, and end.
        while let Some((_, sentence)) = jobs.next().await {
            if let Some(sentence) = sentence {
                self.trouble(sentence);
            }
        }
        if self.desk.tells {
            let (_, sentence) = self.delivery(Instant::now() + FAREWELL).await;
            if let Some(sentence) = sentence {
                self.trouble(sentence);
            }
            for letter in self.journal.outbox(&self.here)? {
                self.desk.output.insist(&alerts::in_words(&letter));
            }
        }
        Ok(())
    }

    fn trouble(&self, sentence: String) {
        self.desk.output.error(&sentence);
        if let Ok(mut view) = self.view.write() {
            view.trouble = Some((self.desk.clock.now(), sentence));
        }
    }

    /// Takes up what an earlier process left open.
    fn finish_open(&mut self, jobs: &mut Jobs<'static>, stop: &watch::Receiver<bool>) -> Result<(), Halt> {
        let open: BTreeSet<String> = self
            .journal
            .runs()?
            .into_iter()
            .filter(|stored| !stored.finished && stored.site == self.here)
            .map(|stored| stored.plan.run.id.as_str().to_owned())
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let rows = self.journal.schedules(&self.here)?.into_iter();
        let names: BTreeSet<String> = rows
            .filter(|row| row.run.as_ref().is_some_and(|run| open.contains(run)))
            .map(|row| row.name)
            .collect();
        for name in &names {
            self.keeper.began(name);
        }
        self.desk.output.remark(&format!(
            "{} of an earlier process is taken up.",
            counted(open.len(), "open run", "open runs")
        ));
        let (desk, site, stop) = (self.desk.clone(), self.site.clone(), stop.clone());
        jobs.push(
            async move {
                let finished = async { desk.finish_open_runs(&site, &desk.tag_key(&site).await?, &stop).await };
                let trouble = finished
                    .await
                    .err()
                    .map(|halt| format!("an open run could not be finished: {}", sentence(halt)));
                (Job::Open(names), trouble)
            }
            .boxed_local(),
        );
        Ok(())
    }

    fn begin_what_is_due(&mut self, jobs: &mut Jobs<'static>, stop: &watch::Receiver<bool>) -> Result<(), Halt> {
        let now = self.desk.clock.now();
        for act in self.keeper.act(now) {
            match act {
                Act::Start { name, due } => {
                    let Some(scenario) = self.scenarios.get(&name).cloned() else {
                        continue;
                    };
                    jobs.push(self.run(name, due, scenario, stop.clone()));
                }
                Act::Overlap { name, due } => {
                    let told = format!(
                        "The run of {} that was due at {} was left out: the one before still goes on",
                        escape(&name),
                        time::shown(due)
                    );
                    self.missed(&name, &told, due, now)?;
                }
                Act::Missed { name, times, first, last } => {
                    let when = if times == 1 {
                        format!("at {}", time::shown(first))
                    } else {
                        format!("from {} to {}", time::shown(first), time::shown(last))
                    };
                    let told = format!(
                        "{} of {} missed, due {when}: nobody was there to run it",
                        counted(times, "run", "runs"),
                        escape(&name)
                    );
                    self.missed(&name, &told, last, now)?;
                }
            }
        }
        Ok(())
    }

    /// The note that it is dealt with comes last: whoever is killed in between tells it again, under the same id.
    fn missed(&self, name: &str, told: &str, due: Time, now: Time) -> Result<(), Halt> {
        self.desk.output.insist(told);
        if self.desk.tells {
            alerts::post_missed(&self.journal, &self.site, name, told, (due, now))?;
        }
        self.journal.dealt_with(&self.here, name, due)?;
        Ok(())
    }

    fn run(
        &self,
        name: String,
        due: Time,
        scenario: Scenario,
        stop: watch::Receiver<bool>,
    ) -> LocalBoxFuture<'static, (Job, Option<String>)> {
        let (desk, site, here) = (self.desk.clone(), self.site.clone(), self.here.clone());
        async move {
            let measured = async {
                let journal = desk.journal()?;
                let key = desk.tag_key(&site).await?;
                let mut noted = Ok(());
                let began = |run: &RunId| {
                    noted = journal
                        .dealt_with(&here, &name, due)
                        .and_then(|()| journal.scheduled_run(&here, &name, run));
                };
                let quiet = Live::new(false, false, true);
                let view = stop.clone();
                let result = desk.measure_until(&site, &scenario, &key, quiet, move || view, began).await;
                if result.is_err() {
                    // It was tried; the next time is the next try.
                    journal.dealt_with(&here, &name, due)?;
                }
                noted?;
                result
            };
            let result: Result<_, Halt> = measured.await;
            let trouble = match result {
                Ok((judged, _)) => {
                    let word = if is_interrupted(&judged, &stop) { "interrupted" } else { "ended" };
                    let count = &judged.summary;
                    desk.output.remark(&format!(
                        "{}: run {} {word}: {} passed, {} failed, {} unknown",
                        escape(&name),
                        judged.runs.first().map(|run| run.id.to_string()).unwrap_or_default(),
                        count.passed,
                        count.failed,
                        count.unknown
                    ));
                    None
                }
                Err(halt) => Some(format!("{}: the run could not be done: {}", escape(&name), sentence(halt))),
            };
            (Job::Scheduled(name), trouble)
        }
        .boxed_local()
    }

    fn delivery(&self, until: Instant) -> LocalBoxFuture<'static, (Job, Option<String>)> {
        let (desk, site, here) = (self.desk.clone(), self.site.clone(), self.here.clone());
        async move {
            let delivered = async {
                let journal = desk.journal()?;
                alerts::decide(&journal, &site, &|| desk.clock.now())?;
                match journal.courier(&here)? {
                    Some(_lock) => Post::new(desk.clone(), site.clone()).deliver(&journal, until).await,
                    // A `run` that delivers just now.
                    None => Ok(Some(Instant::now() + BEAT)),
                }
            };
            let result: Result<Option<Instant>, Halt> = delivered.await;
            match result {
                // New ones may come at any time.
                Ok(next) => (Job::Delivery(next.map(|next| next.min(Instant::now() + BEAT))), None),
                Err(halt) => {
                    let said = format!("alerts could not be delivered: {}", sentence(halt));
                    (Job::Delivery(Some(Instant::now() + LOOKS)), Some(said))
                }
            }
        }
        .boxed_local()
    }

    /// Looks again at decided runs, one after the other. Whether there is one.
    fn look_again(&self, jobs: &mut Jobs<'static>, stop: &watch::Receiver<bool>) -> Result<bool, Halt> {
        let due = self.desk.due_rechecks(&self.journal, &self.site)?;
        if due.is_empty() {
            return Ok(false);
        }
        let (desk, site, stop) = (self.desk.clone(), self.site.clone(), stop.clone());
        jobs.push(
            async move {
                let looked = async {
                    let journal = desk.journal()?;
                    let key = desk.tag_key(&site).await?;
                    for run in due {
                        match desk.look_again(&journal, &site, &key, &run, &stop).await {
                            Ok(Some(_)) => desk.output.remark(&format!("Run {run} was looked at again.")),
                            Err(Halt::Held(_)) => {}
                            Ok(None) => break,
                            Err(halt) => return Err(halt),
                        }
                    }
                    Ok(())
                };
                let trouble = looked.await.err().map(|halt| format!("a second look failed: {}", sentence(halt)));
                (Job::Look, trouble)
            }
            .boxed_local(),
        );
        Ok(true)
    }

    /// Reads the files again; with mistakes in them everything stays as it was.
    fn read_again(&mut self) {
        let before = (self.site.clone(), self.scenarios.clone());
        let read = || -> Result<_, Halt> {
            let site = self.desk.site()?;
            let scenarios = scenarios(&site)?;
            Ok((site, scenarios))
        };
        let taken = read().and_then(|(site, scenarios)| {
            self.site = site;
            self.scenarios = scenarios;
            self.take_schedules()
        });
        match taken {
            Ok(()) => {
                self.print = fingerprint(&self.desk, &self.site);
                if let Ok(mut view) = self.view.write() {
                    view.trouble = None;
                }
                self.desk.output.insist(&format!("{}: read again.", escape(&self.site.file)));
            }
            Err(halt) => {
                (self.site, self.scenarios) = before;
                self.trouble(format!(
                    "the files have mistakes, and what was read before stays in force:\n{}",
                    sentence(halt)
                ));
            }
        }
    }

    fn show(&self) {
        let Ok(mut view) = self.view.write() else { return };
        view.file.clone_from(&self.site.file);
        view.here.clone_from(&self.here);
        view.alive_at = self.desk.clock.now();
        view.schedules = self
            .site
            .schedules
            .iter()
            .map(|schedule: &Schedule| Planned {
                name: schedule.name.clone(),
                when: format!("{} ({})", schedule.cron, schedule.time_zone),
                next: self.keeper.next_start(&schedule.name),
            })
            .collect();
    }
}

/// The scenarios of a site's schedules, each fit for the site.
fn scenarios(site: &Site) -> Result<BTreeMap<String, Scenario>, Halt> {
    let read = |schedule: &Schedule| {
        let text = config::load(&schedule.scenario)?;
        let scenario = config::read_scenario(&schedule.scenario, &text)?;
        config::check_scenario_on_site(&schedule.scenario, &text, site)?;
        Ok((schedule.name.clone(), scenario))
    };
    site.schedules.iter().map(read).collect()
}

fn fingerprint(desk: &Desk, site: &Site) -> Print {
    let files = std::iter::once(desk.shared.site.clone()).chain(site.schedules.iter().map(|schedule| schedule.scenario.clone()));
    files
        .map(|file| {
            let print = std::fs::metadata(&file).and_then(|found| Ok((found.modified()?, found.len()))).ok();
            (file, print)
        })
        .collect()
}

fn sentence(halt: Halt) -> String {
    match halt {
        Halt::Sentence(sentence) | Halt::Stopped(sentence) => sentence,
        Halt::Mistakes(mistakes) => mistakes.render(false),
        Halt::Both(both) => format!("{}\n{}", both.0.render(false), both.1.render(false)),
        Halt::Held(run) => format!("a living process holds run {run}"),
    }
}
