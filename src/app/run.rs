//! `mailflow run`: the main job.

use super::{
    Code, Desk, Halt,
    domains::Domains,
    identity_of,
    origin::scope,
    output::Targets,
    proofs::sealed,
    world::{World, host_name},
};
use crate::{
    compose::compose,
    evidence::Recognizer,
    journal::RunLog,
    judge::summarize,
    model::{DomainFact, Event, Judged, Plan, ProbeId, RunId, Scenario, Site, TagKey},
    plan::{Start, plan, warnings},
    report::{comparison, escape, nagios::State},
    run::{Setup, run},
    scrub::Scrubber,
};
use std::{
    collections::HashMap,
    io::{self, Write},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

/// How long the DNS may take to tell of the senders' domains before a run begins without.
const DNS_PATIENCE: Duration = Duration::from_secs(3);

impl Desk {
    pub(super) async fn run(&mut self, path: &Path) -> Result<Code, Halt> {
        let targets = self.targets(true)?;
        let (scenario, site) = self.scenario_and_site(path)?;
        let key = self.tag_key(&site).await?;
        let (mut judged, interrupted) = self.measure(&site, &scenario, &key).await?;
        let code = self
            .conclude(&mut judged, &targets, interrupted.then(|| self.how_to_go_on(&site)))
            .await;
        Ok(self.told(&site, code).await)
    }

    /// What a verb comes to once the site's targets are told of its runs.
    pub(super) async fn told(&self, site: &Site, code: Code) -> Code {
        let untold = self.tell_targets(site).await.unwrap_or_else(|halt| match halt {
            Halt::Sentence(sentence) | Halt::Stopped(sentence) => vec![format!("nobody was alerted: {sentence}")],
            Halt::Held(run) => vec![format!("nobody was alerted: a living process holds run {run}")],
            Halt::Mistakes(_) | Halt::Both(_) => vec!["nobody was alerted: the site has mistakes".to_owned()],
        });
        for sentence in &untold {
            self.output.error(sentence);
        }
        match code {
            // All is well, but somebody was not told.
            Code::Passed if !untold.is_empty() => Code::Unknown,
            code => code,
        }
    }

    /// Runs a scenario on a site, to the end or until interrupted.
    pub(super) async fn measure(&mut self, site: &Site, scenario: &Scenario, key: &TagKey) -> Result<(Judged, bool), Halt> {
        self.measure_until(site, scenario, key, self.output.live(), interruption, |_| ())
            .await
    }

    /// The same, until `stop` says so; `began` is told the run's id once it stands in the journal.
    pub(super) async fn measure_until(
        &self,
        site: &Site,
        scenario: &Scenario,
        key: &TagKey,
        view: crate::report::live::Live,
        stop: impl FnOnce() -> watch::Receiver<bool>,
        began: impl FnOnce(&RunId),
    ) -> Result<(Judged, bool), Halt> {
        let plan = Arc::new(self.make_plan(site, scenario, key)?);
        self.prove_own_domains(site, &plan, key).await?;
        let mut domains = Domains::of(site, host_name());
        domains.only_senders(DNS_PATIENCE);
        let (world, facts) = tokio::join!(World::open(site, &plan, self.clock), domains.examined(self.clock));
        let world = world?;
        let journal = self.journal()?;
        // First, so that whoever finishes this run after a crash knows that somebody waits to be told.
        self.will_tell(&journal, site, &plan.run.id)?;
        let log = journal.begin(&plan, &identity_of(site))?;
        began(&plan.run.id);
        let stop = stop();
        let judged = self
            .follow(
                plan,
                key,
                world,
                Work {
                    log,
                    taken_up: None,
                    facts,
                    view,
                    stop: stop.clone(),
                },
            )
            .await?;
        let interrupted = is_interrupted(&judged, &stop);
        Ok((judged, interrupted))
    }

    pub(super) fn make_plan(&self, site: &Site, scenario: &Scenario, key: &TagKey) -> Result<Plan, Halt> {
        let start = Start {
            run: RunId::from_random(self.random_bytes()?),
            at: self.clock.now(),
            key,
            version: env!("CARGO_PKG_VERSION"),
            change: self.shared.change.clone(),
            origin: self.origin(site, scenario),
            only: &self.shared.only,
        };
        // Asked for once more than enough bytes at a time would gain nothing: the system's source is quick.
        let mut failed = None;
        let mut random = || {
            self.random_bytes().unwrap_or_else(|halt| {
                failed = Some(halt);
                [0; 16]
            })
        };
        let mut plan = plan(site, scenario, &start, &mut random)?;
        plan.scope = Some(scope(site, &plan, !self.shared.only.is_empty()));
        for warning in warnings(&plan) {
            self.output.remark(&format!("warning: {}", escape(&warning)));
        }
        failed.map_or(Ok(plan), Err)
    }

    /// Follows one run to its end.
    pub(super) async fn follow(&self, plan: Arc<Plan>, key: &TagKey, world: World, work: Work) -> Result<Judged, Halt> {
        let Work {
            log,
            taken_up,
            facts,
            mut view,
            stop,
        } = work;
        let ledger = run(Setup {
            recognizer: recognizer(key, &plan, world.scrubber),
            plan,
            taken_up,
            clock: self.clock,
            senders: world.senders,
            watchers: world.watchers,
            unwatched: world.unwatched,
            facts,
            composer: Arc::new(move |plan, probe| sealed(&world.signers, plan, probe, compose(plan, probe))),
            log: Arc::new(log),
            stop,
            view: Box::new(move |progress| view.show(progress)),
        })
        .await
        .map_err(|error| {
            Halt::Stopped(format!(
                "{error}\n  help: the run was stopped; once that is mended, `mailflow watch` finishes it"
            ))
        })?;
        Ok(summarize(&ledger, self.clock.now()))
    }

    /// Shows what came of it. `interrupted`: what to say of that, if it was.
    pub(super) async fn conclude(&self, judged: &mut Judged, targets: &Targets, interrupted: Option<String>) -> Code {
        let failed = self.publish(judged, targets).await;
        for sentence in &failed {
            self.output.error(sentence);
        }
        if let Some(sentence) = interrupted {
            self.output.insist(&sentence);
            // A plugin has said what is known by now.
            if !self.output.is_plugin() {
                return Code::Interrupted;
            }
        }
        // Routes that do not the same fail the run, although each probe may have come to what was expected.
        let side_by_side = judged.parity.iter().map(comparison::parity::outcome);
        match Code::of(judged.probes.iter().map(|probe| probe.outcome).chain(side_by_side)) {
            // All is well, but somebody was not told.
            Code::Passed if !failed.is_empty() => Code::Unknown,
            Code::Failed if State::of(judged) == State::Warning => Code::Late,
            code => code,
        }
    }
}

impl Desk {
    /// What to say of a run that was interrupted.
    pub(super) fn how_to_go_on(&self, site: &Site) -> String {
        format!(
            "Interrupted. To look for what was sent, and finish: mailflow watch --site {}{}\nIt sends nothing: what has not left by now never will.",
            quoted(&site.file),
            self.named_state()
        )
    }

    /// The state folder as a command must name it, with a space before it; empty for the usual one.
    pub(super) fn named_state(&self) -> String {
        let state = self.shared.state.as_ref();
        state
            .map(|state| format!(" --state {}", quoted(&state.to_string_lossy())))
            .unwrap_or_default()
    }
}

/// As a shell takes it for one word.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Whether it was stopped before everything was decided.
pub(super) fn is_interrupted(judged: &Judged, stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() && judged.runs.iter().any(|run| run.finished_at.is_none())
}

/// What following a run needs beside its plan and its world.
pub(super) struct Work {
    pub log: RunLog,
    /// What the DNS shows of the senders' domains.
    pub facts: Vec<DomainFact>,
    pub taken_up: Option<Vec<Event>>,
    pub view: crate::report::live::Live,
    pub stop: watch::Receiver<bool>,
}

/// The recogniser of a run; what was sent is composed again when a copy is compared with it.
pub(super) fn recognizer(key: &TagKey, plan: &Arc<Plan>, scrubber: Scrubber) -> Arc<Recognizer> {
    let index: HashMap<ProbeId, usize> = plan.probes.iter().enumerate().map(|(index, probe)| (probe.id, index)).collect();
    let originals = plan.clone();
    let original = move |id: ProbeId| index.get(&id).map(|index| compose(&originals, &originals.probes[*index]));
    Arc::new(Recognizer::new(key.clone(), plan.clone(), Box::new(original), scrubber))
}

/// Turns true at the first Ctrl-C or SIGTERM. The second ends the process at once, as a kill would: the journal holds what was sent.
pub(super) fn interruption() -> watch::Receiver<bool> {
    let (interrupted, stop) = watch::channel(false);
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
            return;
        };
        for further in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if further {
                let _ = writeln!(io::stderr(), "Stopped at once. `mailflow watch` looks for what was sent.");
                std::process::exit(130);
            }
            let _ = interrupted.send(true);
        }
    });
    stop
}
