//! Courses: outcomes over time, in parts of equal length that begin where clocks and calendars (UTC) do.

use super::{Window, counts, latency};
use crate::model::{Part, Past, Time};
use chrono::{DateTime, TimeDelta};

/// The lengths of a part that people can read a scale in, in seconds: minutes, hours, days, weeks.
const STEPS: [i64; 13] = [
    60,
    5 * 60,
    15 * 60,
    30 * 60,
    3600,
    2 * 3600,
    6 * 3600,
    12 * 3600,
    86_400,
    2 * 86_400,
    7 * 86_400,
    14 * 86_400,
    28 * 86_400,
];

/// The parts that all courses of a history share.
#[derive(Debug)]
pub(super) struct Grid {
    from: i64,
    step: i64,
    parts: usize,
}

impl Grid {
    /// From the first outcome (or the window's beginning, if that is later) to the window's end, in the shortest parts that are few enough.
    pub fn over(first: Time, window: Window) -> Self {
        let (first, last) = (first.max(window.since).timestamp(), window.until.timestamp());
        let most = i64::try_from(window.parts.max(1)).unwrap_or(i64::MAX);
        let parts = |step: i64| last.div_euclid(step) - first.div_euclid(step) + 1;
        let step = STEPS.into_iter().find(|step| parts(*step) <= most).unwrap_or_else(|| {
            // Longer than any history so far: whole days, whatever their number.
            let days = (last - first).div_euclid(86_400) / most;
            let mut longer = (1..).map(|more| (days + more) * 86_400);
            longer.find(|step| parts(*step) <= most).unwrap_or(i64::MAX)
        });
        Self {
            from: first.div_euclid(step) * step,
            step,
            parts: usize::try_from(parts(step)).unwrap_or_default(),
        }
    }

    pub fn step_s(&self) -> u64 {
        u64::try_from(self.step).unwrap_or_default()
    }

    /// The course of these, which are sorted by time.
    pub fn course(&self, past: &[Past]) -> Vec<Part> {
        let mut rest = past;
        let mut course = Vec::with_capacity(self.parts);
        for part in 0..self.parts {
            let number = i64::try_from(part).unwrap_or(i64::MAX);
            let begin = self.from + number * self.step;
            let within = rest.partition_point(|past| past.at.timestamp() < begin + self.step);
            let (own, after) = rest.split_at(within);
            rest = after;
            course.push(Part {
                from: DateTime::from_timestamp(begin, 0).unwrap_or(DateTime::UNIX_EPOCH + TimeDelta::zero()),
                counts: counts(own),
                latency: latency::of(own),
            });
        }
        course
    }
}
