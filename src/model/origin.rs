//! What a run came from: who started it, from which files, and as which round of which night. It stands in the plan, so that a later report can tell.

use super::{RunId, Time, time};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a run came from, as far as it was noted: runs of older versions have nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Who started it: what `--operator` said, else the user of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The files that it was made from, as they were then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SourceFile>,
    /// The night whose round it is; `None` for a run by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub night: Option<NightRound>,
}

/// A file that a run was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// `site` or `scenario`.
    pub kind: String,
    /// The file, as the user named it.
    pub file: String,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

/// One round of a night: a run that was started on a beat, whether or not earlier ones had ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NightRound {
    /// Names the night: the run of its first round.
    pub id: RunId,
    /// The beat on which it was started, from 1. A number that no round has was skipped.
    pub round: u32,
    /// The first beat.
    #[serde(with = "time::millis")]
    pub began_at: Time,
    /// From one beat to the next.
    #[serde(rename = "every_ms", with = "whole_millis")]
    pub every: Duration,
    /// What the night waits for, as `--until` said it.
    #[serde(default)]
    pub until: Option<String>,
}

impl NightRound {
    /// When the beat of that number is due.
    pub fn beat(&self, number: u32) -> Time {
        time::later(self.began_at, self.every.saturating_mul(number.saturating_sub(1)))
    }
}

/// A duration as whole milliseconds.
mod whole_millis {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// What a run could have tried and did not, and by what right it looked. Kept with the plan, for whoever must account for it later.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Recipients of the site that took no part.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// Routes of the site that no probe took.
    #[serde(default)]
    pub routes: Vec<String>,
    /// The sign-ins and permissions that the run made use of; never a secret.
    #[serde(default)]
    pub access: Vec<String>,
}

/// A recipient that took no part in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its address.
    pub address: String,
    /// Its role.
    pub role: Option<String>,
    /// Why, such as `left out by --only`.
    pub why: String,
}
