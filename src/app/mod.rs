//! The verbs, one file each: the only place that knows everybody, reads the environment and writes the bytes.

mod alerts;
mod attestation;
mod baseline;
mod check;
mod clean;
mod compare;
mod demo;
mod domains;
mod history;
mod notice;
mod origin;
mod output;
mod permissions;
mod plan;
mod proofs;
mod recheck;
mod report;
mod run;
mod runs;
mod serve;
mod shell;
mod sign_ins;
mod tenants;
mod upload;
mod watch;
mod world;

use crate::{
    cli::{Cli, Shared, Verb},
    clock::Clock,
    config::{self, Diagnostics, secrets},
    journal::{self, Journal, JournalError, StateError},
    model::{KEY_LENGTH, Outcome, RunId, Scenario, Site, TagKey},
    report::nagios,
};
use output::{Output, Targets};
use ring::rand::{SecureRandom, SystemRandom};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What a verb came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// All passed or waived.
    Passed,
    /// Something failed.
    Failed,
    /// As [`Code::Failed`], but all that failed has arrived where it should, only late.
    Late,
    /// Usage, site or scenario error; nothing was sent.
    Refused,
    /// Nothing failed, something is unknown.
    Unknown,
    /// Interrupted; it can be taken up again.
    Interrupted,
}

impl Code {
    /// What the process ends with: by the contract or, with `--format nagios`, by the convention of monitoring plugins.
    fn exit(self, plugin: bool) -> ExitCode {
        ExitCode::from(match (self, plugin) {
            (Self::Passed, _) => 0,
            (Self::Failed, false) | (Self::Late, _) => 1,
            (Self::Refused, false) | (Self::Failed, true) => 2,
            (Self::Unknown, _) | (Self::Refused | Self::Interrupted, true) => 3,
            (Self::Interrupted, false) => 130,
        })
    }

    fn of(outcomes: impl Iterator<Item = Outcome>) -> Self {
        let rank = |outcome| match outcome {
            Outcome::Passed | Outcome::Waived => (0, Self::Passed),
            Outcome::Unknown => (1, Self::Unknown),
            Outcome::Failed => (2, Self::Failed),
        };
        outcomes
            .map(rank)
            .max_by_key(|(rank, _)| *rank)
            .map_or(Self::Passed, |(_, code)| code)
    }
}

/// Why a verb could not do its work.
#[derive(Debug)]
enum Halt {
    /// Mistakes in a site or scenario file.
    Mistakes(Box<Diagnostics>),
    /// Mistakes in a scenario, and in its site.
    Both(Box<(Diagnostics, Diagnostics)>),
    /// One sentence, with a hint where there is one.
    Sentence(String),
    /// The same, of a run that could not go on: something may have been sent, and `watch` can finish it.
    Stopped(String),
    /// A living process holds the run.
    Held(RunId),
}

impl From<Diagnostics> for Halt {
    fn from(mistakes: Diagnostics) -> Self {
        Self::Mistakes(Box::new(mistakes))
    }
}

/// Errors that already are the sentence to show.
macro_rules! sentences {
    ($($error:ty),*) => { $(impl From<$error> for Halt {
        fn from(error: $error) -> Self {
            Self::Sentence(error.to_string())
        }
    })* };
}
sentences!(
    JournalError,
    StateError,
    crate::plan::PlanError,
    crate::report::ReportError,
    std::io::Error
);

impl From<String> for Halt {
    fn from(sentence: String) -> Self {
        Self::Sentence(sentence)
    }
}

/// What every verb works with.
#[derive(Clone)]
struct Desk {
    shared: Shared,
    clock: Clock,
    output: Output,
    random: SystemRandom,
    /// Whether runs are told of by alerts.
    tells: bool,
}

/// Does what the command line asks for.
pub fn main(cli: Cli) -> ExitCode {
    let output = Output::new(&cli.shared);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let halt = Halt::Sentence(format!("the runtime cannot be started: {error}"));
            return output.halted(halt).exit(output.is_plugin());
        }
    };
    // The clock rests on tokio's time, which belongs to a runtime.
    let clock = runtime.block_on(async { Clock::start() });
    let desk = Desk {
        shared: cli.shared,
        clock,
        output: output.clone(),
        random: SystemRandom::new(),
        tells: !matches!(
            cli.verb,
            Verb::Demo { .. } | Verb::Run { no_alerts: true, .. } | Verb::Watch { no_alerts: true } | Verb::Serve { no_alerts: true, .. }
        ),
    };
    let result = runtime.block_on(desk.act(cli.verb));
    // A resolver or a reader that still hangs must not keep the process.
    runtime.shutdown_background();
    let code = match result {
        Ok(code) => code,
        Err(halt) => output.halted(halt),
    };
    code.exit(output.is_plugin())
}

/// Shows why the command line cannot be acted on, or the help that it asks for.
pub fn misused(error: &clap::Error) -> ExitCode {
    // The arguments could not be parsed, but a monitoring system reads standard output alone, and takes 2 for CRITICAL.
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let plugin =
        arguments.iter().any(|argument| argument == "--format=nagios") || arguments.windows(2).any(|pair| pair == ["--format", "nagios"]);
    if plugin && error.use_stderr() {
        let mut out = std::io::stdout().lock();
        // Nobody is left who could be told that it failed.
        let _ = out.write_all(&nagios::trouble_line(&error.render().to_string()));
        return Code::Refused.exit(true);
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

impl Desk {
    async fn act(mut self, verb: Verb) -> Result<Code, Halt> {
        let reports = matches!(
            verb,
            Verb::Run { .. } | Verb::Watch { .. } | Verb::Recheck { .. } | Verb::Report { .. } | Verb::Demo { .. }
        );
        let shows = reports || matches!(verb, Verb::Compare { .. } | Verb::History { .. } | Verb::Notice { .. });
        if !shows && (!self.shared.report.is_empty() || self.shared.format.is_some()) {
            return Err(Halt::Sentence(
                "this verb writes no report\n  help: `--report` and `--format` go with run, watch, recheck, report, compare, history, notice and demo".to_owned(),
            ));
        }
        if !reports && (self.shared.push.is_some() || self.shared.otlp.is_some()) {
            return Err(Halt::Sentence(
                "this verb has nothing to send\n  help: `--push` and `--otlp` go with run, watch, recheck, report and demo".to_owned(),
            ));
        }
        let tidies = matches!(verb, Verb::Run { .. } | Verb::Watch { .. } | Verb::Recheck { .. }) && self.shared.keep.is_some();
        if self.shared.keep.is_some() && !tidies && !matches!(verb, Verb::Runs { .. }) {
            return Err(Halt::Sentence(
                "this verb removes nothing from the journal\n  help: `--keep` goes with run, watch, recheck and runs".to_owned(),
            ));
        }
        let code = match verb {
            Verb::Check { scenario } => self.check(scenario.as_deref()).await,
            Verb::Plan { scenario } => self.plan(&scenario).await,
            Verb::Notice { scenario, at } => self.notice(&scenario, at).await,
            Verb::Run { scenario, .. } => self.run(&scenario).await,
            Verb::Watch { .. } => self.watch().await,
            Verb::Recheck { run, due } => self.recheck(&run, due).await,
            Verb::Report { run, max_age } => self.report(&run, max_age).await,
            Verb::Runs { dry_run } => self.runs(dry_run),
            Verb::History { recipient, since } => self.history(recipient, since),
            Verb::Compare { before, after } => self.compare(&before, &after),
            Verb::Baseline { run, name, rename, remove } => {
                self.baseline(run.as_deref(), name.as_deref(), rename.as_deref(), remove.as_deref())
            }
            Verb::Clean { runs, dry_run, yes } => self.clean(&runs, dry_run, yes).await,
            Verb::Serve { sites, listen, .. } => self.serve(&sites, listen).await,
            Verb::Alert { test, targets } => self.alert(test, &targets).await,
            Verb::Demo { scenario } => self.demo(scenario.as_deref()).await,
            Verb::Schema { kind } => self.schema(kind),
            Verb::Completions { shell } => self.completions(shell),
            Verb::Man => self.man(),
        }?;
        if tidies {
            // What was measured counts; what is in the way of tidying up is only said.
            self.tidy_up();
        }
        Ok(code)
    }

    /// Where the reports go; refused before anything is sent if that cannot be. `heeded`: whether the environment has a say in this.
    fn targets(&self, heeded: bool) -> Result<Targets, Halt> {
        let heeded = |name: &str| if heeded { environment(name) } else { None };
        Ok(Targets::of(&self.shared, &heeded)?)
    }

    /// The site of `--site`.
    fn site(&self) -> Result<Site, Halt> {
        let path = &self.shared.site;
        if !path.exists() {
            return Err(Halt::Sentence(format!(
                "there is no site file {}\n  help: name one with `--site FILE`; examples/mailflow.yaml shows what it holds, and `mailflow demo` needs none",
                path.display()
            )));
        }
        let text = config::load(path)?;
        let site = config::read_site(path, &text).or_else(|mistakes| match config::read_scenario(path, &text) {
            // A scenario that carries its site.
            Ok(Scenario { site: Some(site), .. }) => Ok(site),
            _ => Err(Halt::from(mistakes)),
        })?;
        alerts::check(&site)?;
        Ok(site)
    }

    /// A scenario, and the site that it is to run on: its own, or that of `--site`.
    fn scenario_and_site(&self, path: &Path) -> Result<(Scenario, Site), Halt> {
        let text = config::load(path)?;
        let mut scenario = match config::read_scenario(path, &text) {
            Ok(scenario) => scenario,
            Err(mistakes) => {
                // The site's mistakes too: whoever mends one file should not find the other one broken afterwards.
                if let Err(Halt::Mistakes(of_site)) = self.site() {
                    return Err(Halt::Both(Box::new((mistakes, *of_site))));
                }
                return Err(mistakes.into());
            }
        };
        let site = match scenario.site.take() {
            Some(site) => site,
            None => self.site()?,
        };
        config::check_scenario_on_site(path, &text, &site)?;
        Ok((scenario, site))
    }

    fn state(&self) -> Result<PathBuf, Halt> {
        let state = match &self.shared.state {
            Some(state) => state.clone(),
            None => journal::default_state()?,
        };
        journal::open_state(&state)?;
        Ok(state)
    }

    fn journal(&self) -> Result<Journal, Halt> {
        Ok(Journal::open(&self.state()?)?)
    }

    /// The key of the tags: the site's shared one, or that of the state folder.
    async fn tag_key(&self, site: &Site) -> Result<TagKey, Halt> {
        match &site.tag_key {
            Some(source) => {
                let secret = secrets::resolve(source, &folder_of(&site.file), &environment).await;
                Ok(secret
                    .and_then(|secret| secrets::tag_key(&secret))
                    .map_err(|error| format!("tag_key: {error}"))?)
            }
            None => Ok(journal::tag_key(&self.state()?, self.random_bytes::<KEY_LENGTH>()?)?),
        }
    }

    fn random_bytes<const N: usize>(&self) -> Result<[u8; N], Halt> {
        let mut bytes = [0; N];
        self.random
            .fill(&mut bytes)
            .map_err(|_| Halt::Sentence("the system gives no random bytes".to_owned()))?;
        Ok(bytes)
    }
}

/// What names a site wherever it is named from: its runs are known by this.
fn identity_of(site: &Site) -> PathBuf {
    let path = PathBuf::from(&site.file);
    path.canonicalize().unwrap_or(path)
}

/// The folder that a site's relative paths start from.
fn folder_of(site_file: &str) -> PathBuf {
    Path::new(site_file).parent().map(Path::to_owned).unwrap_or_default()
}

/// One variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the application hands the environment in")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
