//! The verbs and flags of the command line: declared here, acted on in `app`.

use crate::model::Subset;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures whether mail really reaches the people and roles it is meant for.
///
/// It sends uniquely tagged probe messages, watches the receiving mailboxes, and reports for each recipient where the message landed,
/// how long it took, and what to do about it. It never calls delivered what it did not see, nor lost what it did not look for.
#[derive(Debug, Parser)]
#[command(name = "mailflow", version, about, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 all passed or waived; 1 something failed; 2 usage, site or scenario error, nothing was sent; \
3 nothing failed, something is unknown; 130 interrupted (`mailflow watch` goes on).\n\nTo see it at work, with nothing to set up: mailflow demo"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// What every verb takes.
    #[command(flatten)]
    pub shared: Shared,
}

/// Options that the verbs share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every verb")]
pub struct Shared {
    /// The site file: who sends, by which routes, which mailboxes can be read, which addresses matter.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MAILFLOW_SITE",
        default_value = "mailflow.yaml",
        hide_env_values = true
    )]
    pub site: PathBuf,
    /// The folder of the journal and the tag key [default: the user's state folder].
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// With run, watch, report, compare and demo: also write a report; FORMAT is terminal, json or junit, FILE may be - for standard output. May be given several times.
    #[arg(long, global = true, value_name = "FORMAT=FILE")]
    pub report: Vec<String>,
    /// Narrow it down: recipient:PATTERN, role:PATTERN, route:PATTERN or domain:PATTERN (with * and ?). May be given several times.
    #[arg(long, global = true, value_name = "WHAT:PATTERN", value_parser = subset)]
    pub only: Vec<Subset>,
    /// A change number, kept with the run.
    #[arg(long, global = true, value_name = "TEXT")]
    pub change: Option<String>,
    /// Say nothing unless something failed or is unknown.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Show everything: passed probes one by one, and remarks on what passed.
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// When to use colours; auto also heeds `NO_COLOR`.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: When,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Parse, log in everywhere, find the folders; send nothing.
    Check {
        /// A scenario to check on the site as well.
        scenario: Option<PathBuf>,
    },
    /// Show what a scenario would send; send nothing.
    Plan {
        /// The scenario file.
        scenario: PathBuf,
    },
    /// Send a scenario's probes, watch for them, and report the verdicts.
    Run {
        /// The scenario file.
        scenario: PathBuf,
    },
    /// Finish what earlier runs of this site left open; send nothing.
    Watch,
    /// Show a stored run again, in any format.
    Report {
        /// The run: its id or the beginning of it, last, or last~1 for the one before.
        #[arg(default_value = "last")]
        run: String,
    },
    /// List the stored runs.
    Runs,
    /// Show what changed between two runs: verdicts, changes on the way, authentication, filters, latency.
    ///
    /// A run is named by its id, last, last~1, a baseline, or the file of a JSON report, which may be another machine's. Ends with 1 if a probe that
    /// passed before fails after, with 3 if none does but something could not be compared, else with 0.
    Compare {
        /// The earlier run.
        before: String,
        /// The later run.
        after: String,
    },
    /// Give a run a name, to compare later ones with; without arguments, list the names.
    #[command(override_usage = "mailflow baseline [RUN NAME]\n       mailflow baseline --remove NAME")]
    Baseline {
        /// The run: its id or the beginning of it, last, or last~1.
        #[arg(requires = "name")]
        run: Option<String>,
        /// The name.
        name: Option<String>,
        /// Take a name away; the run itself stays.
        #[arg(long, value_name = "NAME", conflicts_with_all = ["run", "name"])]
        remove: Option<String>,
    },
    /// Remove our own probes from the mailboxes, by verified tag; nothing else.
    Clean {
        /// The runs: ids, last, or last~N [default: every stored run of this site].
        runs: Vec<String>,
        /// Only count them.
        #[arg(long)]
        dry_run: bool,
        /// Do not ask first.
        #[arg(long)]
        yes: bool,
    },
    /// See it at work on an embedded mail world: no set-up, nothing leaves this machine.
    ///
    /// Without a scenario it shows every verdict in a quarter of a minute, and ends with 0. With one it is judged like any run; a scenario that
    /// waits half an hour for what is lost does so here too, unless `--only` leaves such recipients out.
    Demo {
        /// A scenario file to run there [default: one that shows every verdict].
        scenario: Option<PathBuf>,
    },
    /// Print the JSON Schema of a kind of file, for editors.
    Schema {
        /// The kind of file.
        kind: SchemaKind,
    },
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// The kinds of file that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    /// A site.
    Site,
    /// A scenario.
    Scenario,
}

fn subset(text: &str) -> Result<Subset, String> {
    let wanted = "write recipient:PATTERN, role:PATTERN, route:PATTERN or domain:PATTERN";
    let (kind, pattern) = text.split_once(':').ok_or(wanted)?;
    let pattern = pattern.trim().to_owned();
    if pattern.is_empty() {
        return Err(format!("the pattern after {kind}: is empty"));
    }
    match kind.trim() {
        "recipient" => Ok(Subset::Recipient(pattern)),
        "role" => Ok(Subset::Role(pattern)),
        "route" => Ok(Subset::Route(pattern)),
        "domain" => Ok(Subset::Domain(pattern)),
        _ => Err(wanted.to_owned()),
    }
}
