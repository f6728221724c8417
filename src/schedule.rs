//! When schedules are due: cron expressions in a time zone, what was missed, and what must not overlap.
//!
//! Pure: the time comes in. Where clocks are put forward, a time of day that does not exist is due at the first moment after the gap, and what recurs
//! within the hour goes on by the clock; where they are put back, a time of day is due once, and what recurs runs in both of the hours. What it
//! cannot see: whether the machine's clock is right.

use crate::model::{Schedule, Time};
use chrono::{TimeDelta, Utc};
use chrono_tz::Tz;
use croner::{Cron, parser::CronParser};
use std::{collections::BTreeMap, time::Duration};

/// A start that is more than this late was missed: the process was down, or the machine slept.
const GRACE: TimeDelta = TimeDelta::seconds(30);
/// So many missed times are counted one by one.
const COUNTED: usize = 10_000;

/// A cron expression in its time zone.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    zone: Tz,
}

/// Why an expression is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no cron expression.
    #[error("not a cron expression: {0}")]
    Cron(String),
    /// There is no such time zone.
    #[error("no time zone of the IANA database")]
    Zone,
    /// It names a time that never comes.
    #[error("it names a time that never comes")]
    Never,
}

impl Timetable {
    /// Reads an expression: five fields, or six with seconds first.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn new(cron: &str, zone: &str) -> Result<Self, Unusable> {
        let zone: Tz = zone.parse().map_err(|_| Unusable::Zone)?;
        let cron = CronParser::new().parse(cron).map_err(|error| Unusable::Cron(error.to_string()))?;
        let timetable = Self { cron, zone };
        // A day that no month has: the search ends without a find.
        match timetable.after(Time::UNIX_EPOCH) {
            Some(_) => Ok(timetable),
            None => Err(Unusable::Never),
        }
    }

    /// The first time after `time` at which it is due.
    pub fn after(&self, time: Time) -> Option<Time> {
        let found = self.cron.find_next_occurrence(&time.with_timezone(&self.zone), false).ok()?;
        Some(found.with_timezone(&Utc)).filter(|found| *found > time)
    }
}

/// How much later than due a schedule starts: the same for the same time on every machine and after every restart.
pub fn delay(name: &str, due: Time, jitter: Duration) -> Duration {
    let most = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
    if most == 0 {
        return Duration::ZERO;
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{name}\n{}", due.timestamp_millis()).as_bytes());
    let first = digest
        .as_ref()
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    Duration::from_millis(first % most)
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Run it.
    Start {
        /// The schedule.
        name: String,
        /// The time it was due.
        due: Time,
    },
    /// It was due while its last run still went on: it is left out.
    Overlap {
        /// The schedule.
        name: String,
        /// The time it was due.
        due: Time,
    },
    /// It was due while nobody was there to run it.
    Missed {
        /// The schedule.
        name: String,
        /// How often.
        times: usize,
        /// The first time.
        first: Time,
        /// The last time.
        last: Time,
    },
}

/// Keeps the schedules of a site.
#[derive(Debug, Default)]
pub struct Keeper {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    schedule: Schedule,
    timetable: Timetable,
    /// Everything due until then has been dealt with.
    dealt_with: Time,
    running: bool,
}

impl Keeper {
    /// Takes these schedules in place of those it has. One that it knows goes on where it is, and so does its run; of one that is new everything due
    /// until `since` counts as dealt with, or until what `known` says of it.
    ///
    /// # Errors
    /// The name of a schedule whose expression is of no use, with the reason.
    pub fn take(&mut self, schedules: &[Schedule], since: Time, known: &BTreeMap<String, Time>) -> Result<(), (String, Unusable)> {
        let mut entries = BTreeMap::new();
        for schedule in schedules {
            let timetable = Timetable::new(&schedule.cron, &schedule.time_zone).map_err(|unusable| (schedule.name.clone(), unusable))?;
            let before = self.entries.get(&schedule.name);
            // With other times it begins anew: what the new ones name in the past was never promised.
            let same = |entry: &&Entry| entry.schedule.cron == schedule.cron && entry.schedule.time_zone == schedule.time_zone;
            let dealt_with = match before {
                Some(entry) if same(&entry) => entry.dealt_with,
                Some(_) => since,
                None => known.get(&schedule.name).copied().unwrap_or(since),
            };
            let entry = Entry {
                schedule: schedule.clone(),
                timetable,
                dealt_with,
                running: before.is_some_and(|entry| entry.running),
            };
            entries.insert(schedule.name.clone(), entry);
        }
        self.entries = entries;
        Ok(())
    }

    /// What is due by `now`, in the order of the names. Whatever it returns counts as dealt with.
    pub fn act(&mut self, now: Time) -> Vec<Act> {
        let mut acts = Vec::new();
        for (name, entry) in &mut self.entries {
            let mut missed: Vec<Time> = Vec::new();
            let mut uncounted = 0;
            while let Some(due) = entry.timetable.after(entry.dealt_with) {
                let starts = due + TimeDelta::from_std(delay(name, due, entry.schedule.jitter)).unwrap_or_default();
                if starts > now {
                    break;
                }
                entry.dealt_with = due;
                let name = name.clone();
                if now - starts > GRACE {
                    if missed.len() < COUNTED {
                        missed.push(due);
                    } else {
                        // Nobody counts the seconds of a year.
                        uncounted += 1;
                        entry.dealt_with = now - GRACE;
                    }
                } else if entry.running {
                    acts.push(Act::Overlap { name, due });
                } else {
                    entry.running = true;
                    acts.push(Act::Start { name, due });
                }
            }
            if let (Some(&first), Some(&last)) = (missed.first(), missed.last()) {
                acts.push(Act::Missed {
                    name: name.clone(),
                    times: missed.len() + uncounted,
                    first,
                    last,
                });
                if entry.schedule.catch_up && !entry.running {
                    entry.running = true;
                    acts.push(Act::Start {
                        name: name.clone(),
                        due: last,
                    });
                }
            }
        }
        acts
    }

    /// The next time at which there will be something to do.
    pub fn wake_at(&self) -> Option<Time> {
        let starts = |(name, entry): (&String, &Entry)| {
            let due = entry.timetable.after(entry.dealt_with)?;
            due.checked_add_signed(TimeDelta::from_std(delay(name, due, entry.schedule.jitter)).ok()?)
        };
        self.entries.iter().filter_map(starts).min()
    }

    /// When a schedule starts next, its jitter included.
    pub fn next_start(&self, name: &str) -> Option<Time> {
        let entry = self.entries.get(name)?;
        let due = entry.timetable.after(entry.dealt_with)?;
        due.checked_add_signed(TimeDelta::from_std(delay(name, due, entry.schedule.jitter)).ok()?)
    }

    /// A run of this schedule goes on: one that an earlier process began is under way again.
    pub fn began(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.running = true;
        }
    }

    /// The run of this schedule has ended.
    pub fn ended(&mut self, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.running = false;
        }
    }

    /// The schedule of this name.
    pub fn schedule(&self, name: &str) -> Option<&Schedule> {
        self.entries.get(name).map(|entry| &entry.schedule)
    }
}

#[cfg(test)]
#[path = "schedule/tests.rs"]
mod tests;
