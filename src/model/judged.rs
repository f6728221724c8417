//! A judged run: what every report shows. Serialised, this is the JSON report, word for word.

use super::{
    Alteration, Attempt, Authentication, DomainFact, Dsn, Filter, Flag, HopRecord, Later, MailboxName, Outcome, Parity, Place, Placement,
    ProbeId, RunId, RunInfo, Signature, Survived, Tag, Time, TraceRow, Verdict, time,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One or more runs with their verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// `mailflow.report/1`.
    pub schema: String,
    /// The runs.
    pub runs: Vec<RunInfo>,
    /// Counts.
    pub summary: Summary,
    /// Every probe.
    pub probes: Vec<JudgedProbe>,
    /// Every role.
    pub roles: Vec<RoleSummary>,
    /// Mailboxes that could not be read, and why.
    #[serde(default)]
    pub blind: BTreeMap<String, String>,
    /// The routes that a scenario sets side by side, for each run that does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parity: Vec<Parity>,
}

/// The schema that [`Judged`] follows.
pub const REPORT_SCHEMA: &str = "mailflow.report/1";

/// Counts of outcomes and verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Probes in all.
    pub probes: u32,
    /// Passed.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
    /// Waived.
    pub waived: u32,
    /// Unknown.
    pub unknown: u32,
    /// How often each verdict was given.
    pub verdicts: BTreeMap<Verdict, u32>,
}

/// One probe with its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgedProbe {
    /// The probe's id.
    pub id: ProbeId,
    /// Its run.
    pub run: RunId,
    /// Its tag.
    pub tag: Tag,
    /// Its Message-ID.
    pub message_id: String,
    /// The address.
    pub recipient: String,
    /// The role of that address.
    pub role: Option<String>,
    /// Who answers for it: name and address, as far as the site says.
    pub owner: Option<String>,
    /// Who answers for it where the owner cannot.
    #[serde(default)]
    pub backup: Option<String>,
    /// The address that receives in its stead.
    pub covered_by: Option<String>,
    /// Who sent it: the address in `From`.
    #[serde(default)]
    pub sender: String,
    /// The route.
    pub route: String,
    /// The kind of message.
    pub message: String,
    /// The case.
    pub case: Option<String>,
    /// What would have passed.
    pub expected: Vec<String>,
    /// Where that is said.
    pub expected_at: Place,
    /// What later than this after `sent_at` is late, in milliseconds.
    #[serde(default)]
    pub within_ms: f64,
    /// The waiver that holds for it, in words: its last day, its ticket, who approved it.
    #[serde(default)]
    pub waiver: Option<String>,
    /// Whether it passed.
    pub outcome: Outcome,
    /// What was measured.
    pub verdict: Verdict,
    /// What the verdict rests on; null where nothing was proven.
    pub basis: Option<Basis>,
    /// What else is true.
    pub flags: Vec<Flag>,
    /// The mailbox that holds the best copy.
    pub mailbox: Option<MailboxName>,
    /// The folder that holds it.
    pub folder: Option<String>,
    /// The start of the first attempt.
    #[serde(with = "time::millis_option")]
    pub sent_at: Option<Time>,
    /// When the final reply was read.
    #[serde(with = "time::millis_option")]
    pub accepted_at: Option<Time>,
    /// When the last look that missed it was sent.
    #[serde(with = "time::millis_option")]
    pub arrived_after: Option<Time>,
    /// When the answer that showed it was read.
    #[serde(with = "time::millis_option")]
    pub arrived_at: Option<Time>,
    /// `arrived_at - sent_at`, in milliseconds.
    pub latency_ms: Option<f64>,
    /// `arrived_at - arrived_after`, in milliseconds.
    pub latency_uncertainty_ms: Option<f64>,
    /// The most copies that were present at once in the mailboxes meant, quarantine apart.
    pub copies: u32,
    /// Every copy seen.
    pub sightings: Vec<SightingRecord>,
    /// Every try to hand it over.
    pub attempts: Vec<Attempt>,
    /// The notification that speaks loudest: failed, else delivered, else delayed.
    pub dsn: Option<Dsn>,
    /// What the provider's message trace shows of it.
    #[serde(default)]
    pub trace: Vec<TraceRow>,
    /// Each member of a group.
    pub members: Vec<Member>,
    /// The hops of the best copy's Received chain, the first that took it first.
    pub hops: Vec<HopRecord>,
    /// The path, as the site's `paths` name it; null if the hops fit none, or several.
    pub path: Option<String>,
    /// What the receiving side says of SPF, DKIM, DMARC.
    pub authentication: Authentication,
    /// What the filters on the way said, the first on the way first.
    pub filters: Vec<Filter>,
    /// The DKIM signatures of the best copy.
    #[serde(default)]
    pub signatures: Vec<Signature>,
    /// What was changed on the way.
    pub alterations: Vec<Alteration>,
    /// Where the tag survived in the best copy.
    pub survived: Vec<Survived>,
    /// Each requirement, and whether it holds.
    pub requirements: Vec<RequirementResult>,
    /// What the DNS showed amiss of the sender's domains when the run began.
    #[serde(default)]
    pub sender_facts: Vec<DomainFact>,
    /// What second looks found after the run had decided, the first look first.
    #[serde(default)]
    pub later: Vec<Later>,
    /// Why it could not be measured, where it could not.
    pub reason: Option<String>,
    /// One plain sentence: what happened.
    pub explanation: String,
    /// One next step.
    pub remedy: Option<String>,
}

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// A copy was seen, or looked for everywhere.
    Seen,
    /// The provider's message trace.
    Trace,
    /// A delivery status notification.
    Dsn,
    /// The reply of the next hop.
    NextHop,
}

impl Basis {
    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Trace => "trace",
            Self::Dsn => "dsn",
            Self::NextHop => "next-hop",
        }
    }
}

/// A copy, as the report shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SightingRecord {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// The folder.
    pub folder: String,
    /// What that folder means.
    pub placement: Placement,
    /// When the last look that missed it was sent.
    #[serde(with = "time::millis")]
    pub after: Time,
    /// When the answer that showed it was read.
    #[serde(with = "time::millis")]
    pub at: Time,
    /// When it was found to be gone; null while it is there.
    #[serde(with = "time::millis_option")]
    pub until: Option<Time>,
    /// The server's own date of arrival.
    #[serde(with = "time::millis_option")]
    pub internal_date: Option<Time>,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The member's mailbox.
    pub mailbox: MailboxName,
    /// What was measured for it.
    pub verdict: Verdict,
    /// What the verdict rests on.
    pub basis: Option<Basis>,
    /// What else is true of it.
    pub flags: Vec<Flag>,
    /// The folder of its best copy.
    pub folder: Option<String>,
    /// When the last look that missed it was sent.
    #[serde(with = "time::millis_option")]
    pub arrived_after: Option<Time>,
    /// When the answer that showed it was read.
    #[serde(with = "time::millis_option")]
    pub arrived_at: Option<Time>,
    /// `arrived_at` minus the probe's `sent_at`, in milliseconds.
    pub latency_ms: Option<f64>,
    /// `arrived_at - arrived_after`, in milliseconds.
    pub latency_uncertainty_ms: Option<f64>,
    /// Why it is not known, where it is not.
    pub reason: Option<String>,
}

/// One requirement and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementResult {
    /// The requirement.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// What speaks against it, the two sides of it.
    pub evidence: Option<String>,
    /// Whether it does not hold only because the mailbox does not show what it is about.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
}

/// Who holds a role, and whether any of them can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSummary {
    /// The role.
    pub role: String,
    /// How many addresses hold it.
    pub holders: u32,
    /// How many of these were proven to receive mail in an inbox, or as they are expected to.
    pub reachable: u32,
    /// How many do not, but are covered by one that does.
    pub covered: u32,
    /// Failed if nobody who holds it can be reached.
    pub outcome: Outcome,
}

/// A run as it stands while it goes: what a live view shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// When this was so.
    pub at: Time,
    /// When the run started.
    pub started_at: Time,
    /// What the run is doing.
    pub phase: Phase,
    /// Probes in all.
    pub probes: usize,
    /// Probes whose handing over has ended, whatever came of it.
    pub sent: usize,
    /// Mailboxes that are watched, and how many of them are open.
    pub mailboxes: usize,
    /// How many of them are open.
    pub open: usize,
    /// Decided probes by verdict.
    pub decided: BTreeMap<Verdict, u32>,
    /// Undecided probes, next deadline first.
    pub waiting: Vec<Waiting>,
    /// What was decided since the last snapshot: recipient, route, verdict, latency in milliseconds.
    pub news: Vec<News>,
    /// Mailboxes that cannot be looked at now, with the reason.
    pub blind: BTreeMap<String, String>,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Opening mailboxes.
    Opening,
    /// Sending and watching.
    Running,
    /// Watching for what an earlier process has sent.
    TakenUp,
    /// Waiting for attempts that were under way when it was told to stop.
    Stopping,
    /// Everything is decided, or the run was stopped.
    Ended,
}

/// One undecided probe.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The address.
    pub recipient: String,
    /// The route.
    pub route: String,
    /// The kind of message.
    pub message: String,
    /// What it waits for, such as `to be sent`, `arrival`, `settling`, `last look`.
    pub state: &'static str,
    /// When that ends at the latest; `None` while it is not sent.
    pub deadline: Option<Time>,
}

/// One probe that has been decided.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// The address.
    pub recipient: String,
    /// The route.
    pub route: String,
    /// The kind of message.
    pub message: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether it is as expected.
    pub outcome: Outcome,
    /// How long it took, in milliseconds.
    pub latency_ms: Option<f64>,
}
