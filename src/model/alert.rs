//! Alerts: who is told of what, and what they are told.

use super::{Place, SecretSource, SmtpRoute, Time, time};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, path::PathBuf, time::Duration};

/// Somebody who is told when a recipient fails or recovers, by a way of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertTarget {
    /// Its key under `alerts:`.
    pub name: String,
    /// The service that carries the alert.
    pub service: AlertService,
    /// What it is told of.
    pub on: BTreeSet<Occasion>,
    /// So many measurements in a row must come to the same before it is told: damps what flaps.
    pub after: u32,
    /// After this long it is told again of what has not changed; `None`: never.
    pub remind: Option<Duration>,
    /// A private CA, PEM.
    pub ca: Option<PathBuf>,
    /// Where the site describes it.
    pub place: Place,
}

/// What carries an alert. Addresses that admit whoever knows them are secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertService {
    /// Any HTTP endpoint: JSON, or what a template makes of it.
    Webhook {
        /// The address.
        url: SecretSource,
        /// A bearer token.
        token: Option<SecretSource>,
        /// The user's own body.
        template: Option<AlertTemplate>,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// The address.
        url: SecretSource,
    },
    /// A workflow of Microsoft Teams that takes a webhook request.
    Teams {
        /// The address.
        url: SecretSource,
    },
    /// The Events API v2 of `PagerDuty`.
    PagerDuty {
        /// The integration's key.
        key: SecretSource,
        /// Where the API is, if not in its usual place.
        url: Option<String>,
    },
    /// The alert API of Opsgenie, or of what takes its place in Jira Service Management.
    Opsgenie {
        /// The integration's key.
        key: SecretSource,
        /// Where the API is, if not in its usual place.
        url: Option<String>,
    },
    /// A topic of ntfy.
    Ntfy {
        /// The topic's address.
        url: SecretSource,
        /// An access token.
        token: Option<SecretSource>,
    },
    /// A message by a server that is no part of the mail system under test.
    Mail {
        /// The server.
        smtp: Box<SmtpRoute>,
        /// Who writes.
        from: String,
        /// To whom.
        to: Vec<String>,
    },
}

/// The text of a template, and the file it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertTemplate {
    /// The file, as the site names it. What ends in `.json` is JSON.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl AlertService {
    /// The word under which a site describes it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Opsgenie { .. } => "opsgenie",
            Self::Ntfy { .. } => "ntfy",
            Self::Mail { .. } => "mail",
        }
    }
}

/// What a target can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// What passed fails now.
    Failure,
    /// It could not be measured.
    Unknown,
    /// A schedule's run did not take place.
    Missed,
    /// What failed, or could not be measured, passes now.
    Recovery,
    /// Somebody tries whether alerts arrive.
    Test,
}

impl Occasion {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Unknown => "unknown",
            Self::Missed => "missed",
            Self::Recovery => "recovery",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What is measured again and again: the same in every run of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// The scenario, by name.
    pub scenario: String,
    /// The address, in lower case.
    pub recipient: String,
    /// The route.
    pub route: String,
    /// The kind of message.
    pub message: String,
    /// The case.
    pub case: Option<String>,
}

/// How a subject stood at the last measurement, and what a target was told of it. One that passes, and of which nothing was told, needs none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What it is about.
    pub subject: Subject,
    /// How often it failed without having passed in between.
    pub failing: u32,
    /// How often in a row it could not be measured.
    pub blind: u32,
    /// The start of the run in which that began.
    #[serde(with = "time::millis")]
    pub since: Time,
    /// What the target was told last: [`Occasion::Failure`] or [`Occasion::Unknown`].
    pub told: Option<Occasion>,
    /// When.
    #[serde(with = "time::millis_option", default)]
    pub told_at: Option<Time>,
}

/// The schema that [`AlertMessage`] follows.
pub const ALERT_SCHEMA: &str = "mailflow.alert/1";

/// What a target is told: all that one run changed for it. Serialised, this is the body of a webhook without a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertMessage {
    /// `mailflow.alert/1`.
    pub schema: String,
    /// The same for every attempt to deliver this message, so that a receiver can drop a double.
    pub id: String,
    /// The same for all messages to this target about one scenario, so that a receiver can tell what a recovery ends.
    pub thread: String,
    /// The gravest of its changes.
    pub kind: Occasion,
    /// Whether nothing is amiss any more of all that this target was told.
    pub resolved: bool,
    /// One sentence.
    pub title: String,
    /// When it was decided.
    #[serde(with = "time::millis")]
    pub at: Time,
    /// The site's file.
    pub site: String,
    /// The scenario.
    pub scenario: Option<String>,
    /// The run.
    pub run: Option<String>,
    /// The change number given with the run.
    pub change: Option<String>,
    /// How many subjects are still amiss of what this target was told.
    pub open: usize,
    /// What changed, the gravest first.
    pub changes: Vec<AlertChange>,
    /// How many further changes there are, too many to name.
    pub left_out: usize,
}

/// One subject that changed, or of which the target is reminded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertChange {
    /// What happened to it.
    pub kind: Occasion,
    /// Whether the target knows it already, and is only reminded.
    pub reminder: bool,
    /// The address.
    pub recipient: String,
    /// Its role.
    pub role: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Who does in that person's stead.
    pub backup: Option<String>,
    /// The route.
    pub route: String,
    /// The kind of message.
    pub message: String,
    /// The case.
    pub case: Option<String>,
    /// What would have passed.
    pub expected: Vec<String>,
    /// What was measured.
    pub verdict: String,
    /// The start of the run in which it began.
    #[serde(with = "time::millis")]
    pub since: Time,
    /// What happened, in one sentence.
    pub explanation: String,
    /// One next step.
    pub remedy: Option<String>,
}
