//! Schedules: which scenario is run when.

use super::Place;
use std::{path::PathBuf, time::Duration};

/// A scenario that is run again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name, one of a kind in the site.
    pub name: String,
    /// The scenario's file; the site's folder is already put before it.
    pub scenario: PathBuf,
    /// When: five fields, or six with seconds first, or a word such as `@daily`.
    pub cron: String,
    /// The time zone in which that is meant (IANA).
    pub time_zone: String,
    /// It starts up to so much later, by an amount that stays the same for the same time.
    pub jitter: Duration,
    /// Whether a run that was missed is made up for, once.
    pub catch_up: bool,
    /// Where the site describes it.
    pub place: Place,
}
