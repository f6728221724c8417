//! The benchmark: a run over many mailboxes on one Dovecot, and the rate of sending beside that of Postfix's `smtp-source`.
//!
//! ```text
//! cargo bench --bench five_hundred               500 mailboxes in both ways of watching, a burst, then the rate of sending
//! cargo bench --bench five_hundred -- --mailboxes 2000 --part shared   only the run with one login for all, over more mailboxes
//! ```
//!
//! It prints figures, says which of the aims are met, and fails only for a wrong measurement: when a reported interval does not hold the true
//! arrival, which Dovecot's own log tells, or when a probe is not found in its inbox.
//!
//! All servers, the sink and mailflow itself share this machine's cores, so every duration is an upper bound of what mailflow alone would
//! need; run it while nothing else does. Two cores can deliver some 50 messages a second; so that the looks are measured and not the queue
//! for the processor, the runs send at a rate below that, and the burst shows what becomes of them without one. What it cannot see: the
//! delays of a real network.

#![expect(clippy::print_stdout, reason = "it shows its figures to whoever started it")]
#![allow(clippy::expect_used, clippy::panic, reason = "without a lab there is nothing to measure")]
#![allow(clippy::unnecessary_debug_formatting, reason = "a path in quotes, as YAML wants it")]
#![allow(clippy::zombie_processes, reason = "the sink is stopped when its guard is dropped")]

mod figures;
#[path = "../../tests/lab/mod.rs"]
mod lab;
mod run;
mod sending;

use clap::{Parser, ValueEnum};
use std::{fs, process::ExitCode, thread};

/// How long a probe's mailbox is watched on after its arrival.
const SETTLE_SECONDS: u32 = 5;

#[derive(Debug, Parser)]
struct Arguments {
    /// How many mailboxes a run covers.
    #[arg(long, default_value_t = 500)]
    mailboxes: usize,
    /// How many messages a second leave, except in the burst.
    #[arg(long, default_value_t = 25)]
    rate: u32,
    /// How many messages each round of sending has.
    #[arg(long, default_value_t = 5_000)]
    messages: usize,
    /// How many connections send.
    #[arg(long, default_value_t = 10)]
    sessions: u16,
    /// How many rounds of sending there are for each sender.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// What to measure; everything by default.
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Given by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A run with one login for each mailbox.
    Own,
    /// A run with one login for all mailboxes, in a shared namespace.
    Shared,
    /// A run with one login for each mailbox, as fast as the gateway takes the messages.
    Burst,
    /// The rate of sending.
    Sending,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.part.is_empty() {
        arguments.part = vec![Part::Own, Part::Shared, Part::Burst, Part::Sending];
    }
    circumstances();
    let mut wrong = 0;
    for part in &arguments.part {
        match part {
            Part::Own => wrong += run::measure(arguments.mailboxes, run::Login::Own, Some(arguments.rate)),
            Part::Shared => wrong += run::measure(arguments.mailboxes, run::Login::Shared, Some(arguments.rate)),
            Part::Burst => wrong += run::measure(arguments.mailboxes, run::Login::Own, None),
            Part::Sending => sending::measure(arguments.messages, arguments.sessions, arguments.rounds),
        }
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the figures depend on besides mailflow.
fn circumstances() {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    println!("this machine");
    figures::row("cores", thread::available_parallelism().map_or(0, usize::from));
    let load = read("/proc/loadavg");
    figures::row("load before (1, 5, 15 min)", load.split(' ').take(3).collect::<Vec<_>>().join(" "));
    // Dovecot tells an idling client of new mail by inotify, and polls every 30 s for those beyond this.
    figures::row("fs.inotify.max_user_instances", read("/proc/sys/fs/inotify/max_user_instances"));
}
