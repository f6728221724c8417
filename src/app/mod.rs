//! The verbs, one file each: the only place that knows everybody, reads the environment and writes the bytes.

mod baseline;
mod check;
mod clean;
mod compare;
mod demo;
mod domains;
mod output;
mod permissions;
mod plan;
mod proofs;
mod report;
mod run;
mod runs;
mod shell;
mod sign_ins;
mod tenants;
mod watch;
mod world;

use crate::{
    cli::{Cli, Shared, Verb},
    clock::Clock,
    config::{self, Diagnostics, secrets},
    journal::{self, Journal, JournalError, StateError},
    model::{KEY_LENGTH, Outcome, Scenario, Site, TagKey},
};
use output::Output;
use ring::rand::{SecureRandom, SystemRandom};
use std::{
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
    /// Usage, site or scenario error; nothing was sent.
    Refused,
    /// Nothing failed, something is unknown.
    Unknown,
    /// Interrupted; it can be taken up again.
    Interrupted,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Passed => 0,
            Code::Failed => 1,
            Code::Refused => 2,
            Code::Unknown => 3,
            Code::Interrupted => 130,
        })
    }
}

impl Code {
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
struct Desk {
    shared: Shared,
    clock: Clock,
    output: Output,
    random: SystemRandom,
}

/// Does what the command line asks for.
pub fn main(cli: Cli) -> ExitCode {
    let mut output = Output::new(&cli.shared);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.error(&format!("the runtime cannot be started: {error}"));
            return Code::Refused.into();
        }
    };
    // The clock rests on tokio's time, which belongs to a runtime.
    let clock = runtime.block_on(async { Clock::start() });
    let desk = Desk {
        shared: cli.shared,
        clock,
        output: output.clone(),
        random: SystemRandom::new(),
    };
    let result = runtime.block_on(desk.act(cli.verb));
    // A resolver or a reader that still hangs must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(code) => code.into(),
        Err(Halt::Mistakes(mistakes)) => {
            output.mistakes(&mistakes);
            Code::Refused.into()
        }
        Err(Halt::Both(both)) => {
            output.mistakes(&both.0);
            output.mistakes(&both.1);
            Code::Refused.into()
        }
        Err(Halt::Sentence(sentence)) => {
            output.error(&sentence);
            Code::Refused.into()
        }
        Err(Halt::Stopped(sentence)) => {
            output.error(&sentence);
            Code::Interrupted.into()
        }
    }
}

impl Desk {
    async fn act(mut self, verb: Verb) -> Result<Code, Halt> {
        let reports = matches!(
            verb,
            Verb::Run { .. } | Verb::Watch | Verb::Report { .. } | Verb::Compare { .. } | Verb::Demo { .. }
        );
        if !reports && !self.shared.report.is_empty() {
            return Err(Halt::Sentence(
                "this verb writes no report\n  help: `--report` goes with run, watch, report, compare and demo".to_owned(),
            ));
        }
        match verb {
            Verb::Check { scenario } => self.check(scenario.as_deref()).await,
            Verb::Plan { scenario } => self.plan(&scenario).await,
            Verb::Run { scenario } => self.run(&scenario).await,
            Verb::Watch => self.watch().await,
            Verb::Report { run } => self.report(&run),
            Verb::Runs => self.runs(),
            Verb::Compare { before, after } => self.compare(&before, &after),
            Verb::Baseline { run, name, remove } => self.baseline(run.as_deref(), name.as_deref(), remove.as_deref()),
            Verb::Clean { runs, dry_run, yes } => self.clean(&runs, dry_run, yes).await,
            Verb::Demo { scenario } => self.demo(scenario.as_deref()).await,
            Verb::Schema { kind } => self.schema(kind),
            Verb::Completions { shell } => self.completions(shell),
            Verb::Man => self.man(),
        }
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
        config::read_site(path, &text).or_else(|mistakes| match config::read_scenario(path, &text) {
            // A scenario that carries its site.
            Ok(Scenario { site: Some(site), .. }) => Ok(site),
            _ => Err(mistakes.into()),
        })
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
