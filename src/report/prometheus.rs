//! Metrics in the text format of Prometheus, for `node_exporter`'s textfile collector, a push gateway or a scrape.
//!
//! Written here and not by a client library: those write `OpenMetrics`, whose types and end mark the textfile collector does not read. All are
//! gauges, for a run that has ended counts nothing further. Labels come from the site and the scenario only, never from a message or a mail
//! server, so their number is that of the probes; the run's id, which is new each time, stands in `mailflow_run_info` alone.
//!
//! What they cannot tell: why. That is in the other reports. A latency that was not measured has no sample, least of all one of 0.

use super::escape;
use crate::judge::roles;
use crate::model::{Basis, Judged, JudgedProbe, Outcome, Parity, Ready, RunInfo, Summary, Time, Verdict, time};
use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

/// Label values are cut here. Addresses and names are shorter; nobody's mistake shall fill a database.
const LABEL_LIMIT: usize = 256;

const OUTCOMES: [Outcome; 4] = [Outcome::Passed, Outcome::Failed, Outcome::Waived, Outcome::Unknown];

/// Each metric: its name without the prefix, and what it means. In the order in which they are written.
const METRICS: [(&str, &str); 29] = [
    (
        "run_info",
        "The latest run of a scenario on a site, its id and change number; always 1.",
    ),
    ("run_started_timestamp_seconds", "When the run started, in seconds since 1970."),
    (
        "run_finished_timestamp_seconds",
        "When everything was decided, in seconds since 1970; missing while it is not.",
    ),
    ("run_duration_seconds", "How long the run took; missing while it has not ended."),
    ("run_probes", "Probes of the run by outcome."),
    ("run_verdicts", "Probes of the run by verdict."),
    ("run_recipients", "Addresses that the run sent to."),
    ("run_recipients_failed", "Addresses of which at least one probe failed."),
    ("probe_outcome", "1 for the outcome that the probe has, 0 for the others."),
    (
        "probe_success",
        "1 if the probe passed or is waived, 0 if it failed; missing if that is unknown.",
    ),
    ("probe_verdict_info", "The verdict of the probe and what it rests on; always 1."),
    ("probe_flag_info", "What else is true of the probe, one sample for each; always 1."),
    (
        "probe_latency_seconds",
        "From sending to the answer that showed the message in its mailbox; missing if it was not seen.",
    ),
    (
        "probe_latency_uncertainty_seconds",
        "The true arrival is at most this much earlier than the latency says.",
    ),
    ("probe_latency_limit_seconds", "What arrives later than this after sending is late."),
    ("probe_copies", "The most copies that were present at once."),
    (
        "probe_sent_timestamp_seconds",
        "When the first attempt started; missing if there was none.",
    ),
    ("role_holders", "Addresses that hold the role."),
    (
        "role_holders_reachable",
        "Addresses of the role that were proven to receive mail as they are expected to.",
    ),
    (
        "role_holders_covered",
        "Addresses of the role that do not receive mail, but are covered by one that does.",
    ),
    (
        "role_outcome",
        "1 for the outcome that the role has, 0 for the others; failed: nobody who holds it can be reached.",
    ),
    (
        "route_parity_ready",
        "1 if the new route does with every message what the old one does or better, 0 if not; missing if that cannot be told.",
    ),
    (
        "route_parity_differences",
        "Differences between two routes that stand against the new one.",
    ),
    (
        "mailbox_unreadable",
        "1 for a mailbox that could not be read when the run looked for the last time.",
    ),
    ("comparison_info", "The runs that were compared; always 1."),
    (
        "comparison_probes",
        "Probes by what comparing came to; gone and added: those that only one of the runs has.",
    ),
    ("comparison_probe_info", "A probe that changed or could not be compared; always 1."),
    ("comparison_role_info", "A role whose reachability changed; always 1."),
    (
        "comparison_latency_shift_seconds",
        "The bounds between which the true median shift of the latency lies with 99 % certainty; missing with too few pairs.",
    ),
];

/// The metrics of the judged runs: of each scenario on each site the latest run. Empty if there is no run.
///
/// No sample appears twice, whatever is given: Prometheus would refuse all of them.
pub fn metrics(judged: &Judged) -> String {
    let mut page = Page::default();
    for group in groups(judged) {
        page.run(&group);
    }
    page.written()
}

/// The latest run of a scenario on a site, with its probes.
#[derive(Debug)]
pub struct Group<'a> {
    /// The run.
    pub run: &'a RunInfo,
    probes: Vec<JudgedProbe>,
    parity: Vec<&'a Parity>,
    /// Mailboxes that could not be read. The report does not say in which run; where there are several, the first group tells of all.
    blind: Vec<&'a str>,
}

impl Group<'_> {
    /// The metrics of this run alone.
    pub fn metrics(&self) -> String {
        let mut page = Page::default();
        page.run(self);
        page.written()
    }
}

/// The latest run of each scenario on each site.
pub fn groups(judged: &Judged) -> Vec<Group<'_>> {
    let mut latest: BTreeMap<(&str, &str), &RunInfo> = BTreeMap::new();
    for run in &judged.runs {
        let known = latest.entry((&run.scenario, &run.site)).or_insert(run);
        if run.started_at > known.started_at {
            *known = run;
        }
    }
    let mut blind: Vec<&str> = judged.blind.keys().map(String::as_str).collect();
    latest
        .into_values()
        .map(|run| Group {
            run,
            probes: judged.probes.iter().filter(|probe| probe.run == run.id).cloned().collect(),
            parity: judged.parity.iter().filter(|parity| parity.run == run.id).collect(),
            blind: std::mem::take(&mut blind),
        })
        .collect()
}

/// Labels with their values.
pub(super) type Labels<'a> = [(&'static str, &'a str)];

/// Samples by metric: a metric's samples must stand together.
#[derive(Default)]
pub(super) struct Page(BTreeMap<&'static str, BTreeMap<String, f64>>);

impl Page {
    fn run(&mut self, group: &Group<'_>) {
        let run = group.run;
        let of = [("scenario", run.scenario.as_str()), ("site", run.site.as_str())];
        let change = run.change.as_deref().unwrap_or_default();
        let info = [("run", run.id.as_str()), ("version", run.version.as_str()), ("change", change)];
        self.set("run_info", &[&of, &info], 1.0);
        self.set("run_started_timestamp_seconds", &[&of], seconds(run.started_at));
        if let Some(finished) = run.finished_at {
            self.set("run_finished_timestamp_seconds", &[&of], seconds(finished));
            self.set(
                "run_duration_seconds",
                &[&of],
                time::milliseconds(run.started_at, finished) / 1000.0,
            );
        }
        let summary = Summary::of(&group.probes);
        let counts = [summary.passed, summary.failed, summary.waived, summary.unknown];
        for (outcome, count) in OUTCOMES.into_iter().zip(counts) {
            self.set("run_probes", &[&of, &[("outcome", outcome.word())]], f64::from(count));
        }
        for verdict in Verdict::ALL {
            let count = summary.verdicts.get(&verdict).copied().unwrap_or_default();
            self.set("run_verdicts", &[&of, &[("verdict", verdict.word())]], f64::from(count));
        }
        let mut failing: BTreeMap<&str, bool> = BTreeMap::new();
        for probe in &group.probes {
            *failing.entry(&probe.recipient).or_default() |= probe.outcome == Outcome::Failed;
            self.probe(&of, probe);
        }
        self.set("run_recipients", &[&of], count(failing.len()));
        let failing = failing.values().filter(|failing| **failing).count();
        self.set("run_recipients_failed", &[&of], count(failing));
        for role in roles(&group.probes) {
            let named = [("role", role.role.as_str())];
            let labels: [&Labels<'_>; 2] = [&of, &named];
            self.set("role_holders", &labels, f64::from(role.holders));
            self.set("role_holders_reachable", &labels, f64::from(role.reachable));
            self.set("role_holders_covered", &labels, f64::from(role.covered));
            for outcome in OUTCOMES {
                let has = f64::from(u8::from(outcome == role.outcome));
                self.set("role_outcome", &[&of, &named, &[("outcome", outcome.word())]], has);
            }
        }
        for parity in &group.parity {
            let routes = [("old_route", parity.routes.old.as_str()), ("new_route", parity.routes.new.as_str())];
            let ready = match parity.ready {
                Ready::Yes => Some(1.0),
                Ready::No => Some(0.0),
                Ready::CannotBeTold => None,
            };
            if let Some(ready) = ready {
                self.set("route_parity_ready", &[&of, &routes], ready);
            }
            self.set("route_parity_differences", &[&of, &routes], f64::from(parity.differences));
        }
        for mailbox in &group.blind {
            self.set("mailbox_unreadable", &[&of, &[("mailbox", mailbox)]], 1.0);
        }
    }

    fn probe(&mut self, of: &Labels<'_>, probe: &JudgedProbe) {
        let which = [
            ("recipient", probe.recipient.as_str()),
            ("role", probe.role.as_deref().unwrap_or_default()),
            ("route", &probe.route),
            ("message", &probe.message),
            ("case", probe.case.as_deref().unwrap_or_default()),
        ];
        for outcome in OUTCOMES {
            let has = f64::from(u8::from(outcome == probe.outcome));
            self.set("probe_outcome", &[of, &which, &[("outcome", outcome.word())]], has);
        }
        if probe.outcome != Outcome::Unknown {
            let success = f64::from(u8::from(probe.outcome != Outcome::Failed));
            self.set("probe_success", &[of, &which], success);
        }
        let basis = probe.basis.map_or("", Basis::word);
        let verdict = [("verdict", probe.verdict.word()), ("basis", basis)];
        self.set("probe_verdict_info", &[of, &which, &verdict], 1.0);
        for flag in &probe.flags {
            self.set("probe_flag_info", &[of, &which, &[("flag", flag.word())]], 1.0);
        }
        let measured = [
            ("probe_latency_seconds", probe.latency_ms),
            (
                "probe_latency_uncertainty_seconds",
                probe.latency_ms.and(probe.latency_uncertainty_ms),
            ),
            // Reports of versions that did not write it read as 0.
            ("probe_latency_limit_seconds", Some(probe.within_ms).filter(|within| *within > 0.0)),
        ];
        for (metric, milliseconds) in measured {
            if let Some(milliseconds) = milliseconds {
                self.set(metric, &[of, &which], milliseconds / 1000.0);
            }
        }
        self.set("probe_copies", &[of, &which], f64::from(probe.copies));
        if let Some(sent_at) = probe.sent_at {
            self.set("probe_sent_timestamp_seconds", &[of, &which], seconds(sent_at));
        }
    }

    /// A later value replaces an earlier one of the same labels.
    pub(super) fn set(&mut self, metric: &'static str, labels: &[&Labels<'_>], value: f64) {
        let labels: Vec<String> = labels
            .iter()
            .flat_map(|labels| labels.iter())
            .map(|(name, value)| format!("{name}=\"{}\"", quoted(value)))
            .collect();
        self.0.entry(metric).or_default().insert(labels.join(","), value);
    }

    /// The samples, with the help and the type of each metric.
    pub(super) fn written(&self) -> String {
        let mut text = String::new();
        for (name, help) in METRICS {
            let Some(samples) = self.0.get(name) else { continue };
            // Writing into a String cannot fail.
            let _ = writeln!(text, "# HELP mailflow_{name} {help}\n# TYPE mailflow_{name} gauge");
            for (labels, value) in samples {
                let _ = writeln!(text, "mailflow_{name}{{{labels}}} {value}");
            }
        }
        text
    }
}

/// A label's value: one line, bounded, with the three escapes of the format.
fn quoted(value: &str) -> String {
    let value = escape(value);
    let value = match value.char_indices().nth(LABEL_LIMIT) {
        Some((end, _)) => Cow::Owned(format!("{}…", &value[..end])),
        None => value,
    };
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Seconds since 1970, with milliseconds.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit a double's 53 bits")]
fn seconds(time: Time) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 recipients")]
fn count(number: usize) -> f64 {
    number as f64
}
