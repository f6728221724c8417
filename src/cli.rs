//! The verbs and flags of the command line: declared here, acted on in `app`.

use crate::model::{Subset, Time};
use chrono::{DateTime, NaiveDateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

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
    /// With run, watch, recheck, report, compare, history, notice and demo: also write a report; FORMAT is terminal, json, junit, html, prometheus, nagios, markdown, csv, otlp or attestation (for run, watch, recheck, report and demo: one page for the auditor), FILE may be - for standard output. May be given several times.
    #[arg(long, global = true, value_name = "FORMAT=FILE")]
    pub report: Vec<String>,
    /// With run, watch, recheck, report, compare, history, notice and demo: the format of standard output [default: terminal]. With nagios the exit codes are a plugin's: 0 OK, 1 WARNING (only late), 2 CRITICAL, 3 UNKNOWN.
    #[arg(long, global = true, value_name = "FORMAT")]
    pub format: Option<String>,
    /// With run, watch, recheck, report and demo: push the metrics to a Prometheus push gateway, such as `http://pushgateway:9091`. With run, watch, recheck and report `MAILFLOW_PUSH` says it too, out of sight of other users.
    #[arg(long, global = true, value_name = "URL")]
    pub push: Option<String>,
    /// With run, watch, recheck, report and demo: send the run as a trace by OTLP over HTTP (JSON). Without URL to where `OTEL_EXPORTER_OTLP_ENDPOINT` says; `OTEL_EXPORTER_OTLP_HEADERS` go along.
    #[arg(long, global = true, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub otlp: Option<String>,
    /// Narrow it down: recipient:PATTERN, role:PATTERN, route:PATTERN or domain:PATTERN (with * and ?). May be given several times.
    #[arg(long, global = true, value_name = "WHAT:PATTERN", value_parser = subset)]
    pub only: Vec<Subset>,
    /// A change number, kept with the run.
    #[arg(long, global = true, value_name = "TEXT")]
    pub change: Option<String>,
    /// Who does it, kept with the run [default: the user of the process].
    #[arg(long, global = true, value_name = "TEXT")]
    pub operator: Option<String>,
    /// Say nothing unless something failed or is unknown.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Show everything: passed probes one by one, and remarks on what passed.
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// With run, watch and recheck: afterwards remove what is stored of runs older than this, such as 400d; with runs: do only that.
    ///
    /// The outcomes of their probes stay for `mailflow history`. Runs that are not decided, that a baseline names, or that hold the newest proof of
    /// a recipient stay whole.
    #[arg(long, global = true, value_name = "AGE", value_parser = retention)]
    pub keep: Option<Duration>,
    /// With --keep: remove outcomes too that are older than this, such as 5y [default: they stay].
    #[arg(long, global = true, value_name = "AGE", value_parser = retention, requires = "keep")]
    pub keep_history: Option<Duration>,
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
    /// Print what to tell the security team and the help desk before a run; send nothing.
    ///
    /// Who sends what to whom, when, by which way; how to recognise a probe, and a query that labels them. With --format markdown for a ticket that
    /// shows it.
    Notice {
        /// The scenario file.
        scenario: PathBuf,
        /// When the run is to begin, such as 2026-11-24T22:00Z or 2026-11-24T22:00+01:00 [default: now].
        #[arg(long, value_name = "TIME", value_parser = moment)]
        at: Option<Time>,
    },
    /// Send a scenario's probes, watch for them, and report the verdicts.
    Run {
        /// The scenario file.
        scenario: PathBuf,
        /// Tell nobody: leave out the site's `alerts`.
        #[arg(long)]
        no_alerts: bool,
    },
    /// Finish what earlier runs of this site left open; send nothing.
    Watch {
        /// Tell nobody: leave out the site's `alerts`.
        #[arg(long)]
        no_alerts: bool,
    },
    /// Look again at probes already decided: what a purge, a rule or a person moved, deleted or released since; send nothing.
    ///
    /// The verdicts stay as they are; what is found goes into the run, and into every later report of it. Exit code 1: what had passed lies now
    /// where it would not pass; 3: something could not be looked at; 0: neither, whatever the verdicts were.
    Recheck {
        /// The run: its id or the beginning of it, last, last~1 for the one before, or a baseline.
        #[arg(default_value = "last", conflicts_with = "due")]
        run: String,
        /// Every run of this site whose scenario says `recheck:` and whose time has come: for a scheduler, as often as every few minutes.
        #[arg(long)]
        due: bool,
    },
    /// Show a stored run again, in any format.
    Report {
        /// The run: its id or the beginning of it, last, last~1 for the one before, or a baseline. With --format nagios, last is the last one that has ended.
        #[arg(default_value = "last")]
        run: String,
        /// A run that ended longer ago than this (such as 26h or 8d) proves nothing of today: it is told, and at best unknown.
        #[arg(long, value_name = "TIME", value_parser = age)]
        max_age: Option<Duration>,
    },
    /// List the stored runs; with --keep, remove old ones.
    Runs {
        /// With --keep: only say what would be removed.
        #[arg(long, requires = "keep")]
        dry_run: bool,
    },
    /// Show success and latency over many runs, and since when something fails.
    ///
    /// Success is the part of the measured probes that passed; what could not be measured is counted apart and changes no state. Flapping: at least 4
    /// changes between passing and failing among the last 20 measured. The exit code is 0, whatever it shows.
    History {
        /// The recipients: an address, or a pattern with * and ? [default: all].
        recipient: Option<String>,
        /// How far back, such as 36h, 90d, 12w or 1y.
        #[arg(long, value_name = "AGE", default_value = "90d", value_parser = age)]
        since: Duration,
    },
    /// Show what changed between two runs: verdicts, changes on the way, authentication, filters, latency.
    ///
    /// Compared is each probe with the one of the same recipient, route, message and case; `--only` leaves others out.
    ///
    /// Exit code 1: a probe that passed before fails after, or nobody can be reached any more for a role; 3: neither, but something could not be
    /// compared; 0: nothing is worse, whatever else changed.
    #[command(after_long_help = "Examples:
  mailflow compare last~1 last                        the two latest runs
  mailflow baseline last before                       give a run a name, then change something and run again
  mailflow compare before last --report html=diff.html  what changed since, as a page too
  mailflow compare paris.json ./london.json           JSON reports, which may be other machines'")]
    Compare {
        /// The earlier run: its id or the beginning of it, last, last~1, a baseline, or the file of a JSON report (with a dot or a slash in its name).
        before: String,
        /// The later run, named in the same ways.
        after: String,
    },
    /// Give a run a name, to compare later ones with; without arguments, list the names.
    ///
    /// The name stands for the run wherever one is named. Given again, it moves to the other run; `--keep` never removes a run with a name.
    #[command(
        override_usage = "mailflow baseline [RUN NAME]\n       mailflow baseline --rename NAME NEW\n       mailflow baseline --remove NAME"
    )]
    Baseline {
        /// The run: its id or the beginning of it, last, last~1, or another baseline.
        #[arg(requires = "name")]
        run: Option<String>,
        /// The name: letters, digits, - and _.
        name: Option<String>,
        /// Call a baseline something else.
        #[arg(long, num_args = 2, value_names = ["NAME", "NEW"], conflicts_with_all = ["run", "name", "remove"])]
        rename: Option<Vec<String>>,
        /// Take a name away; the run itself stays.
        #[arg(long, value_name = "NAME", conflicts_with_all = ["run", "name"])]
        remove: Option<String>,
    },
    /// Run the schedules of sites, deliver their alerts, look again where a scenario wants it, and show it all as pages; until it is stopped.
    ///
    /// SIGTERM stops it gracefully: nothing new is sent, and what is open is finished at the next start. It reads its files again when they change, and
    /// at SIGHUP; mistakes in them are told, and what was read before stays.
    Serve {
        /// The site files [default: that of --site].
        sites: Vec<PathBuf>,
        /// Where the pages are. Anything but loopback needs `serve: { token: .. }` in the first site, for the pages tell who can be reached and how.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8025")]
        listen: std::net::SocketAddr,
        /// Tell nobody: leave out the sites' `alerts`.
        #[arg(long)]
        no_alerts: bool,
    },
    /// List who is alerted and what has not arrived yet; with --test, try whether alerts arrive.
    Alert {
        /// Only these entries of the site's `alerts`.
        targets: Vec<String>,
        /// Send a trial to each.
        #[arg(long)]
        test: bool,
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

/// An age: a whole number of minutes, hours, days, weeks or years of 365 days.
fn age(text: &str) -> Result<Duration, String> {
    const WANTED: &str = "write a number and m, h, d, w or y, such as 90m, 36h, 90d or 1y";
    let text = text.trim();
    let unit = text.chars().last().ok_or(WANTED)?;
    let minutes = match unit {
        'm' => 1,
        'h' => 60,
        'd' => 24 * 60,
        'w' => 7 * 24 * 60,
        'y' => 365 * 24 * 60,
        _ => return Err(WANTED.to_owned()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default().trim_end();
    let number: u64 = number.parse().map_err(|_| WANTED)?;
    match number.checked_mul(minutes).and_then(|minutes| minutes.checked_mul(60)) {
        Some(seconds @ 1..=3_153_600_000) => Ok(Duration::from_secs(seconds)),
        _ => Err("an age is between 1m and 100y".to_owned()),
    }
}

/// A point in time with its zone; seconds may be left out.
fn moment(text: &str) -> Result<Time, String> {
    let text = text.trim().replacen(' ', "T", 1);
    let exact = DateTime::parse_from_rfc3339(&text).or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M%:z"));
    let of_utc = || NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%MZ").map(|time| time.and_utc());
    exact
        .map(|time| time.with_timezone(&Utc))
        .or_else(|_| of_utc())
        .map_err(|_| "write a date, a time and its zone, such as 2026-11-24T22:00Z or 2026-11-24T22:00+01:00".to_owned())
}

/// How long something is kept: in days or more, so that nobody who thinks of months loses all but the last minutes.
fn retention(text: &str) -> Result<Duration, String> {
    if text.trim().ends_with(['m', 'h']) {
        return Err("write a number and d, w or y, such as 400d, 52w or 5y".to_owned());
    }
    age(text)
}
