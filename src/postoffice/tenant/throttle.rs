//! The limits of Microsoft Graph, enforced and counted: who may ask now, and what would have been too much.
//!
//! Cannot see requests; each is announced here before it runs and taken off when it is done.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::config::Limits;
use super::usage::Usage;

/// The most breaches that are described; all are counted.
const DESCRIBED: usize = 100;
/// Of so many requests to a stormy mailbox, one is answered.
const STORM: u64 = 3;

/// Whom a request concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A mailbox.
    Mailbox {
        /// Its address.
        address: String,
        /// Whether requests to it are turned away two times out of three.
        stormy: bool,
    },
    /// The message trace.
    Trace,
    /// Advanced hunting.
    Hunting,
    /// The directory, at a cost in resource units.
    Directory(usize),
    /// Nobody in particular.
    Nobody,
}

/// Why a request must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The error's code.
    pub code: &'static str,
    /// The error's message.
    pub message: &'static str,
    /// Seconds to wait.
    pub retry_after: u32,
}

/// Windows and counters.
#[derive(Debug)]
pub struct Throttle {
    limits: Limits,
    usage: Usage,
    mailboxes: HashMap<(String, String), Window>,
    apps: HashMap<String, VecDeque<DateTime<Utc>>>,
    directory: HashMap<String, VecDeque<(DateTime<Utc>, usize)>>,
    trace: VecDeque<DateTime<Utc>>,
    hunting: VecDeque<DateTime<Utc>>,
    second: VecDeque<DateTime<Utc>>,
    in_flight: usize,
}

#[derive(Debug, Default)]
struct Window {
    requests: VecDeque<DateTime<Utc>>,
    uploads: VecDeque<(DateTime<Utc>, usize)>,
    in_flight: usize,
    seen: u64,
    closed_until: Option<DateTime<Utc>>,
}

impl Throttle {
    /// Nothing asked yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            usage: Usage::default(),
            mailboxes: HashMap::new(),
            apps: HashMap::new(),
            directory: HashMap::new(),
            trace: VecDeque::new(),
            hunting: VecDeque::new(),
            second: VecDeque::new(),
            in_flight: 0,
        }
    }

    /// What was asked so far.
    pub fn usage(&self) -> Usage {
        self.usage.clone()
    }

    /// Counts a request for a token.
    pub fn token_request(&mut self) {
        self.usage.token_requests += 1;
    }

    /// Counts a `$batch`.
    pub fn batch(&mut self) {
        self.usage.batches += 1;
    }

    /// A request of an app begins, with so many octets of body; a refused one does not.
    ///
    /// # Errors
    /// When a limit would be broken, or the mailbox is a stormy one.
    pub fn begin(&mut self, app: &str, target: &Target, octets: usize, now: DateTime<Utc>) -> Result<(), Refusal> {
        self.usage.requests += 1;
        self.usage.peak_per_second = self.usage.peak_per_second.max(count(&mut self.second, TimeDelta::seconds(1), now));
        let app_requests = count(self.apps.entry(app.to_owned()).or_default(), TimeDelta::seconds(10), now);
        let checked = if app_requests > self.limits.app_requests {
            Err(("TooManyRequests", "Too many requests", true))
        } else {
            match target {
                Target::Mailbox { address, stormy } => self.mailbox(app, address, *stormy, octets, now),
                Target::Trace => self.trace(now),
                Target::Hunting => self.hunting(now),
                Target::Directory(units) => self.directory(app, *units, now),
                Target::Nobody => Ok(()),
            }
        };
        match checked {
            Ok(()) => {
                self.in_flight += 1;
                self.usage.peak_in_flight = self.usage.peak_in_flight.max(self.in_flight);
                Ok(())
            }
            Err((code, message, is_violation)) => {
                self.usage.throttled += 1;
                if is_violation {
                    self.usage.violations += 1;
                    if self.usage.described.len() < DESCRIBED {
                        self.usage
                            .described
                            .push(format!("{}: {code} for {app} at {target:?}", now.to_rfc3339()));
                    }
                } else {
                    self.usage.storms += 1;
                }
                Err(Refusal {
                    code,
                    message,
                    retry_after: self.limits.retry_after,
                })
            }
        }
    }

    /// A request that began is done.
    pub fn end(&mut self, app: &str, target: &Target) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Target::Mailbox { address, .. } = target
            && let Some(window) = self.mailboxes.get_mut(&(app.to_owned(), address.clone()))
        {
            window.in_flight = window.in_flight.saturating_sub(1);
        }
    }

    fn mailbox(&mut self, app: &str, address: &str, stormy: bool, octets: usize, now: DateTime<Utc>) -> Checked {
        let limits = &self.limits;
        let usage = &mut self.usage;
        let window = self.mailboxes.entry((app.to_owned(), address.to_owned())).or_default();
        if window.closed_until.take().is_some_and(|until| now < until) {
            usage.early += 1;
        }
        window.seen += 1;
        let requests = count(&mut window.requests, TimeDelta::minutes(10), now);
        let uploaded = sum(&mut window.uploads, octets, TimeDelta::minutes(5), now);
        usage.peak_mailbox = usage.peak_mailbox.max(requests);
        usage.peak_concurrency = usage.peak_concurrency.max(window.in_flight + 1);
        let refusal = if window.in_flight >= limits.mailbox_concurrency {
            ("ApplicationThrottled", "Application is over its MailboxConcurrency limit.", true)
        } else if requests > limits.mailbox_requests {
            (
                "ApplicationThrottled",
                "Application is over its request limit for this mailbox.",
                true,
            )
        } else if uploaded > limits.upload_octets {
            (
                "ApplicationThrottled",
                "Application is over its upload limit for this mailbox.",
                true,
            )
        } else if stormy && !window.seen.is_multiple_of(STORM) {
            ("ApplicationThrottled", "Application is over its MailboxConcurrency limit.", false)
        } else {
            window.in_flight += 1;
            return Ok(());
        };
        window.closed_until = Some(now + TimeDelta::seconds(limits.retry_after.into()));
        Err(refusal)
    }

    fn trace(&mut self, now: DateTime<Utc>) -> Checked {
        self.usage.trace_requests += 1;
        let requests = count(&mut self.trace, TimeDelta::minutes(5), now);
        self.usage.peak_trace = self.usage.peak_trace.max(requests);
        if requests > self.limits.trace_requests {
            // Only what was answered counts against the next.
            self.trace.pop_back();
            return Err(("TooManyRequests", "Your recent queries have surpassed the permitted limit", true));
        }
        Ok(())
    }

    fn hunting(&mut self, now: DateTime<Utc>) -> Checked {
        if count(&mut self.hunting, TimeDelta::minutes(1), now) > self.limits.hunting_queries {
            self.hunting.pop_back();
            return Err(("TooManyRequests", "You have exceeded the number of queries per minute", true));
        }
        Ok(())
    }

    fn directory(&mut self, app: &str, units: usize, now: DateTime<Utc>) -> Checked {
        let window = self.directory.entry(app.to_owned()).or_default();
        if sum(window, units, TimeDelta::seconds(10), now) > self.limits.directory_units {
            return Err(("TooManyRequests", "Too many requests", true));
        }
        Ok(())
    }
}

/// Fine, or the code, the message, and whether the client broke a limit.
type Checked = Result<(), (&'static str, &'static str, bool)>;

/// Notes one more in a sliding window, and counts.
fn count(window: &mut VecDeque<DateTime<Utc>>, length: TimeDelta, now: DateTime<Utc>) -> usize {
    while window.front().is_some_and(|at| *at <= now - length) {
        window.pop_front();
    }
    window.push_back(now);
    window.len()
}

/// Notes an amount in a sliding window, and adds up.
fn sum(window: &mut VecDeque<(DateTime<Utc>, usize)>, amount: usize, length: TimeDelta, now: DateTime<Utc>) -> usize {
    while window.front().is_some_and(|(at, _)| *at <= now - length) {
        window.pop_front();
    }
    if amount > 0 {
        window.push_back((now, amount));
    }
    window.iter().map(|(_, amount)| amount).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Target {
        Target::Mailbox {
            address: address.to_owned(),
            stormy: false,
        }
    }

    #[test]
    fn four_at_once_for_a_mailbox_and_an_app() {
        let mut throttle = Throttle::new(Limits::default());
        let now = DateTime::UNIX_EPOCH;
        for _ in 0..4 {
            throttle.begin("app", &at("a"), 0, now).unwrap();
        }
        assert_eq!(throttle.begin("app", &at("a"), 0, now).unwrap_err().code, "ApplicationThrottled");
        throttle.begin("app", &at("b"), 0, now).unwrap();
        throttle.begin("other app", &at("a"), 0, now).unwrap();
        throttle.end("app", &at("a"));
        throttle.begin("app", &at("a"), 0, now).unwrap();
        let usage = throttle.usage();
        assert_eq!(
            (usage.violations, usage.throttled, usage.early, usage.peak_concurrency),
            (1, 1, 1, 5)
        );
    }

    #[test]
    fn windows_slide() {
        let limits = Limits {
            trace_requests: 2,
            mailbox_requests: 2,
            ..Limits::default()
        };
        let mut throttle = Throttle::new(limits);
        let now = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        for target in [Target::Trace, at("a")] {
            for _ in 0..2 {
                throttle.begin("app", &target, 0, now(0)).unwrap();
                throttle.end("app", &target);
            }
            assert!(throttle.begin("app", &target, 0, now(4)).is_err(), "{target:?}");
            assert!(throttle.begin("app", &target, 0, now(20)).is_ok(), "{target:?}");
        }
    }

    #[test]
    fn uploads_and_resource_units_add_up() {
        let mut throttle = Throttle::new(Limits::default());
        let now = DateTime::UNIX_EPOCH;
        throttle.begin("app", &at("a"), 100 << 20, now).unwrap();
        assert!(throttle.begin("app", &at("a"), 51 << 20, now).is_err());
        throttle.begin("app", &Target::Directory(3_000), 0, now).unwrap();
        assert!(throttle.begin("app", &Target::Directory(501), 0, now).is_err());
    }
}
