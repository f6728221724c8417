//! Crash safety: the real binary is killed, interrupted and taken up again, against mail worlds that outlive it.
//!
//! `kill -9` comes at random moments of runs over 50 recipients; then `watch` finishes them, and the mailboxes themselves are asked: each
//! message is there exactly once, or its probe is unknown and says why; none is there twice, none is pending, and nothing was sent again.
//! `MAILFLOW_CRASH_ROUNDS` sets how many kills each world gets, `MAILFLOW_CRASH_SEED` repeats a sequence of moments.
//!
//! What it can NOT show: a power failure, in which what the disk had not yet written is lost too.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stderr, reason = "what the rounds came to is shown with --nocapture")]

mod interrupt;
#[path = "../lab/mod.rs"]
mod lab;
mod process;
mod protect;
mod random;
mod rounds;
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};
use world::{Embedded, Real};

/// One at a time: fifty mailboxes each, and kills that shall hit what they are meant for.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "tests hand the environment in")]
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}"))
    })
}

fn rounds(default: u64) -> usize {
    usize::try_from(number("MAILFLOW_CRASH_ROUNDS", default)).unwrap()
}

fn seed() -> u64 {
    number("MAILFLOW_CRASH_SEED", 1)
}

#[test]
fn killed_runs_are_finished_on_the_post_office() {
    let _alone = alone();
    rounds::kill_and_take_up(&Embedded::open(), rounds(12), seed());
}

#[test]
fn killed_runs_are_finished_on_the_lab() {
    let _alone = alone();
    rounds::kill_and_take_up(&Real::start(), rounds(10), seed());
}
