//! The past of a probe: what came of the same probe in one run after the other, and what that says in sum.

use super::{Outcome, Time, Verdict, time};
use serde::{Deserialize, Serialize};

/// The same probe, run after run: a recipient, by a route, with a kind of message, in a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The address.
    pub recipient: String,
    /// The role that it had last.
    pub role: Option<String>,
    /// The route.
    pub route: String,
    /// The kind of message.
    pub message: String,
    /// The case; `None`: the scenario's own round.
    pub case: Option<String>,
    /// What came of it, the oldest first.
    pub past: Vec<Past>,
}

/// What came of one probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past {
    /// When it was sent; if it never was, when its run started.
    pub at: Time,
    /// A number for its run: the same for all probes of one run.
    pub run: i64,
    /// What was measured.
    pub verdict: Verdict,
    /// Whether it was as expected.
    pub outcome: Outcome,
    /// How long it took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// How uncertain that is, in milliseconds.
    pub latency_uncertainty_ms: Option<f64>,
    /// Whether it was late.
    pub late: bool,
}

/// The schema that [`History`] follows.
pub const HISTORY_SCHEMA: &str = "mailflow.history/1";

/// Among so many of the latest measured probes changes are counted.
pub const FLAP_WINDOW: usize = 20;
/// With so many changes among them a line is flapping.
pub const FLAP_CHANGES: u32 = 4;

/// What the outcomes of many runs say in sum. Serialised, this is the JSON form of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// `mailflow.history/1`.
    pub schema: String,
    /// From when on outcomes are counted.
    #[serde(with = "time::millis")]
    pub since: Time,
    /// Until when.
    #[serde(with = "time::millis")]
    pub until: Time,
    /// How long each part of a course is, in seconds.
    pub step_s: u64,
    /// Every recipient that a probe was sent to, the worst first.
    pub recipients: Vec<RecipientHistory>,
}

/// The history of one address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecipientHistory {
    /// The address.
    pub recipient: String,
    /// The role that it had last.
    pub role: Option<String>,
    /// Its state: that of its worst line.
    pub state: Present,
    /// Whether any of its lines is flapping.
    pub flapping: bool,
    /// All of its probes.
    pub counts: Counts,
    /// How long all of them took.
    pub latency: Option<Latencies>,
    /// All of them over time.
    pub course: Vec<Part>,
    /// One for each route, message and case.
    pub lines: Vec<Line>,
}

/// The history of one recipient by one route, with one kind of message, in one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The route.
    pub route: String,
    /// The kind of message.
    pub message: String,
    /// The case; null: the scenario's own round.
    pub case: Option<String>,
    /// How it stands.
    pub state: Present,
    /// Whether it goes up and down: see `flaps`.
    pub flapping: bool,
    /// How often it changed between passing and failing among the last results by which flapping is told.
    pub flaps: u32,
    /// Its probes.
    pub counts: Counts,
    /// How long they took.
    pub latency: Option<Latencies>,
    /// Its course over time.
    pub course: Vec<Part>,
}

/// How something stands, and since when. What could not be measured changes no state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Present {
    /// The outcome of the newest probe that was measured; unknown if none was.
    pub outcome: Outcome,
    /// The verdict of that probe; null if none was measured.
    pub verdict: Option<Verdict>,
    /// When the first probe of this state was sent; null if none was measured.
    #[serde(with = "time::millis_option")]
    pub since: Option<Time>,
    /// Whether nothing else was seen since the history began, so that it may be so for longer.
    pub at_least: bool,
    /// In how many runs it was so, one after the other.
    pub runs: u32,
    /// When a probe last passed.
    #[serde(with = "time::millis_option")]
    pub last_passed: Option<Time>,
    /// How many newer probes could not be measured.
    pub unmeasured: u32,
}

/// How many came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Passed.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
    /// Failed as a waiver says.
    pub waived: u32,
    /// Could not be measured: no failure, and no success.
    pub unknown: u32,
}

impl Counts {
    /// How many were measured.
    pub fn measured(&self) -> u32 {
        self.passed + self.failed + self.waived
    }

    /// The part of those measured that passed, between 0 and 1; `None` if none was measured.
    pub fn share(&self) -> Option<f64> {
        let measured = self.measured();
        (measured > 0).then(|| f64::from(self.passed) / f64::from(measured))
    }

    /// Counts one.
    pub fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Waived => &mut self.waived,
            Outcome::Unknown => &mut self.unknown,
        } += 1;
    }
}

/// How long messages took, by nearest rank: each figure is one that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// How many arrived.
    pub arrived: u32,
    /// Half of them took no longer, in milliseconds.
    pub median_ms: f64,
    /// 19 of 20 took no longer; null for fewer than 20.
    pub p95_ms: Option<f64>,
    /// The longest.
    pub longest_ms: f64,
}

/// A part of a course.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// When it begins.
    #[serde(with = "time::millis")]
    pub from: Time,
    /// What came of the probes that were sent in it.
    pub counts: Counts,
    /// How long they took.
    pub latency: Option<Latencies>,
}
