//! What changed between two judged runs, and what two routes of one run do differently. Serialised, a [`Comparison`] is the schema
//! `mailflow.comparison/1`, and a [`Parity`] stands in the JSON report of its run.

use super::{Outcome, ProbeId, RunId, RunInfo};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The schema that [`Comparison`] follows.
pub const COMPARISON_SCHEMA: &str = "mailflow.comparison/1";

/// Two routes that a scenario sets side by side: mail came by the one until now, and is to come by the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutePair {
    /// The route that is in use.
    pub old: String,
    /// The route that is to replace it.
    pub new: String,
}

/// What changed between two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// `mailflow.comparison/1`.
    pub schema: String,
    /// The earlier one.
    pub before: Side,
    /// The later one.
    pub after: Side,
    /// Counts.
    pub summary: ComparisonSummary,
    /// How the two runs differ in themselves, so that some of what changed may be due to that: another scenario, site or expectation.
    pub remarks: Vec<String>,
    /// The probes that changed or could not be compared, regressions first. Those that came to the same are only counted.
    pub probes: Vec<ProbeChange>,
    /// Whether mail became slower: all routes together first, then each.
    pub latency: Vec<LatencyShift>,
    /// The roles whose reachability changed.
    pub roles: Vec<RoleChange>,
    /// What only the earlier run has.
    pub gone: Unmatched,
    /// What only the later run has.
    pub added: Unmatched,
}

/// One of the two sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// How it was asked for: a run, a baseline, a file.
    pub asked: String,
    /// Its runs; one, unless a report holds several.
    pub runs: Vec<RunInfo>,
    /// How many probes it has.
    pub probes: u32,
}

/// Counts of pairs, and of probes that have no counterpart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ComparisonSummary {
    /// Probes that both runs have.
    pub matched: u32,
    /// Of these: nothing changed.
    pub same: u32,
    /// Of these: passed before, and failed after.
    pub regressions: u32,
    /// Of these: failed before, and passed after.
    pub improvements: u32,
    /// Of these: something else changed.
    pub changed: u32,
    /// Of these: unknown before or after.
    pub not_compared: u32,
    /// Of these: failed before and after, whether something about it changed or not.
    #[serde(default)]
    pub still_failing: u32,
    /// Probes that only the earlier run has.
    pub gone: u32,
    /// Probes that only the later run has.
    pub added: u32,
}

/// What a change comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Passed before, failed after.
    Regression,
    /// Unknown before or after: neither better nor worse can be said.
    NotCompared,
    /// Something is different, and neither of the others.
    Changed,
    /// Failed before, passed after.
    Improvement,
}

impl Effect {
    /// The word of the schema.
    pub fn word(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::NotCompared => "not-compared",
            Self::Changed => "changed",
            Self::Improvement => "improvement",
        }
    }
}

/// One probe that both sides have, and what is different about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeChange {
    /// The address.
    pub recipient: String,
    /// The role of that address.
    pub role: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The route; null where two routes are set side by side.
    pub route: Option<String>,
    /// The kind of message.
    pub message: String,
    /// The case.
    pub case: Option<String>,
    /// What it comes to.
    pub effect: Effect,
    /// The outcome before.
    pub outcome_before: Outcome,
    /// The outcome after.
    pub outcome_after: Outcome,
    /// The probe before.
    pub before: ProbeId,
    /// The probe after.
    pub after: ProbeId,
    /// What is different, the verdict first.
    pub differences: Vec<Difference>,
    /// Why it could not be compared, where it could not.
    pub reason: Option<String>,
    /// What happened to the later probe, where it failed.
    pub explanation: Option<String>,
    /// One next step, where it failed.
    pub remedy: Option<String>,
}

/// One thing that is different: `verdict: inbox → junk`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Difference {
    /// What kind of thing.
    pub kind: DifferenceKind,
    /// Which one, where there are several of a kind: the requirement, the method, the filter, the member.
    pub of: Option<String>,
    /// As it was, in words that are the same for every probe with the same difference.
    pub before: String,
    /// As it is, in such words.
    pub after: String,
    /// What else there is to say of this probe, such as how late it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Difference {
    /// A difference of a kind of which there is one.
    pub fn new(kind: DifferenceKind, before: impl Into<String>, after: impl Into<String>) -> Self {
        Self {
            kind,
            of: None,
            before: before.into(),
            after: after.into(),
            note: None,
        }
    }

    /// The same, of one of several.
    #[must_use]
    pub fn of(self, which: impl Into<String>) -> Self {
        Self {
            of: Some(which.into()),
            ..self
        }
    }

    /// The same, with more to say.
    #[must_use]
    pub fn noting(self, note: Option<String>) -> Self {
        Self { note, ..self }
    }

    /// What makes two differences one and the same, wherever they are found.
    pub fn identity(&self) -> (DifferenceKind, Option<&str>, &str, &str) {
        (self.kind, self.of.as_deref(), &self.before, &self.after)
    }
}

/// `rspamd: clean → spam (LAB_MARKED is new)`; the kind is left to whoever shows it.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(of) = &self.of {
            write!(f, "{of}: ")?;
        }
        write!(f, "{} → {}", self.before, self.after)?;
        self.note.as_ref().map_or(Ok(()), |note| write!(f, " ({note})"))
    }
}

/// What can be different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// Where it landed, or that it did not.
    Verdict,
    /// The status code with which it was refused or returned.
    Reply,
    /// In time, or late.
    Late,
    /// What was expected of it.
    Expected,
    /// Whether the site accepts the failure for now.
    Waiver,
    /// What a second look found after the run.
    Later,
    /// The verdict of a member of a group.
    Member,
    /// Whether a requirement holds.
    Requirement,
    /// What was changed on the way.
    Alteration,
    /// What the receiving side says of SPF, DKIM, DMARC.
    Authentication,
    /// Whether a DKIM signature still fits the message.
    Signature,
    /// What a filter decided.
    Filter,
    /// The path, as the site's `paths` name it.
    Path,
    /// Whether the next hop took it under TLS.
    Tls,
    /// Whether it was taken at once.
    Delay,
    /// Whether more copies arrived than were meant.
    Copies,
    /// Whether it was moved while the run looked.
    Moved,
    /// Whether something answers by itself.
    Answer,
}

impl DifferenceKind {
    /// The word of the schema.
    pub fn word(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Reply => "reply",
            Self::Late => "late",
            Self::Expected => "expected",
            Self::Waiver => "waiver",
            Self::Later => "later",
            Self::Member => "member",
            Self::Requirement => "requirement",
            Self::Alteration => "alteration",
            Self::Authentication => "authentication",
            Self::Signature => "signature",
            Self::Filter => "filter",
            Self::Path => "path",
            Self::Tls => "tls",
            Self::Delay => "delay",
            Self::Copies => "copies",
            Self::Moved => "moved",
            Self::Answer => "answer",
        }
    }
}

/// Whether mail became slower, of the probes that arrived on both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyShift {
    /// The route; null for all of them.
    pub route: Option<String>,
    /// How many arrived before.
    pub before: u32,
    /// How many arrived after.
    pub after: u32,
    /// How many arrived on both sides: those that the statistic rests on.
    pub pairs: u32,
    /// The median of those that arrived before, in milliseconds.
    pub median_before_ms: Option<f64>,
    /// The median of those that arrived after, in milliseconds.
    pub median_after_ms: Option<f64>,
    /// The median of the differences of the pairs, in milliseconds; positive: slower.
    pub shift_ms: Option<f64>,
    /// The lower end of the interval that holds the true median difference; null with too few pairs.
    pub low_ms: Option<f64>,
    /// Its upper end.
    pub high_ms: Option<f64>,
    /// What that comes to.
    pub finding: ShiftFinding,
}

/// What the latencies of two sides come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShiftFinding {
    /// There are too few pairs to tell.
    TooFew,
    /// No shift is proven, or none that anybody would notice.
    None,
    /// Slower.
    Slower,
    /// Faster.
    Faster,
}

/// A role whose reachability changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleChange {
    /// The role.
    pub role: String,
    /// What it comes to.
    pub effect: Effect,
    /// Before: `3 of 4 holders reachable: passed`, or that nobody held it.
    pub before: String,
    /// After.
    pub after: String,
}

/// What only one side has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unmatched {
    /// How many probes.
    pub probes: u32,
    /// Recipients that the other side does not have at all.
    pub recipients: Vec<String>,
    /// Such routes.
    pub routes: Vec<String>,
    /// Such kinds of message.
    pub messages: Vec<String>,
    /// Such cases.
    pub cases: Vec<String>,
}

impl Unmatched {
    /// The lists with something in them, each with its noun in the singular and the plural.
    pub fn lists(&self) -> impl Iterator<Item = (&'static str, &'static str, &[String])> {
        [
            ("recipient", "recipients", self.recipients.as_slice()),
            ("route", "routes", &self.routes),
            ("kind of message", "kinds of message", &self.messages),
            ("case", "cases", &self.cases),
        ]
        .into_iter()
        .filter(|(_, _, list)| !list.is_empty())
    }
}

/// Two routes of one run, side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parity {
    /// The run.
    pub run: RunId,
    /// The routes.
    pub routes: RoutePair,
    /// Whether the new route may replace the old one.
    pub ready: Ready,
    /// That in one sentence: `ready to cut over: no, 3 differences`.
    pub headline: String,
    /// Messages that went by both routes.
    pub pairs: u32,
    /// Of these: nothing is different.
    pub same: u32,
    /// How many differences there are that stand against it; what several messages have in common counts once.
    pub differences: u32,
    /// Messages of which nothing can be said: one of the two is unknown, or went by one route only.
    pub not_compared: u32,
    /// What else there is to know of it.
    pub remarks: Vec<String>,
    /// The messages with differences, and those that could not be compared; an [`Effect::Improvement`] does not stand against it.
    pub probes: Vec<ProbeChange>,
    /// Whether the new route is slower.
    pub latency: LatencyShift,
}

/// Whether a new route may replace the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// It does with every message what the old one does, or better.
    Yes,
    /// It does something else.
    No,
    /// Something could not be measured, and nothing else is different.
    CannotBeTold,
}

impl Ready {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::CannotBeTold => "cannot be told",
        }
    }
}
