//! What is drawn while a run goes: a bar, the counts, who is still waited for, which mailboxes cannot be looked at.

#![expect(
    clippy::format_push_string,
    reason = "the texts are short, and `write!` would make each line ignore an error that cannot be"
)]

use super::Line;
use crate::explain::span;
use crate::model::{Phase, Progress, Time, Verdict, time};
use crate::report::paint::{BOLD, DIM, PLAIN, REMARK, Span};
use crate::report::text::{self, counted};

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// How many of those that are waited for are named, and how many blind mailboxes.
const WAITING: usize = 5;
const BLIND: usize = 3;

/// The lines for a terminal with that much room; none is wider than `width`.
pub fn frame(progress: &Progress, width: usize, rows: usize) -> Vec<Line> {
    let mut lines = vec![head(progress, width), counts(progress)];
    let named = progress.waiting.len().min(WAITING);
    for waiting in progress.waiting.iter().take(named) {
        let address = Span::new(&waiting.recipient, PLAIN);
        let until = waiting
            .deadline
            .map(|deadline| format!(", {} left", left(progress.at, deadline)))
            .unwrap_or_default();
        let state = format!("{}{until}", waiting.state);
        let room = width.saturating_sub(4 + text::width(&state));
        let via = Span::new(&format!("{} by {}", waiting.message, waiting.route), DIM);
        let for_via = via.width().min(room.saturating_sub(address.width() + 2));
        let short = address.with(text::shorten_address(address.text(), room));
        let mut line = Line::default().then("  ", PLAIN).span(short);
        if for_via > 4 {
            line = line.then("  ", PLAIN).span(via.with(text::shorten(via.text(), for_via)));
        }
        lines.push(line.then("  ", PLAIN).then(&state, DIM));
    }
    let decided = decided(progress);
    let unnamed = progress.probes.saturating_sub(decided).saturating_sub(named);
    if unnamed > 0 && named > 0 {
        lines.push(Line::default().then(&format!("  and {unnamed} more are waited for"), DIM));
    }
    for (mailbox, reason) in progress.blind.iter().take(BLIND) {
        lines.push(Line::default().then("  ? ", REMARK).then(&format!("{mailbox}: {reason}"), REMARK));
    }
    if let Some(more) = progress.blind.len().checked_sub(BLIND).filter(|more| *more > 0) {
        lines.push(Line::default().then(&format!("  ? and {more} more mailboxes that cannot be looked at"), REMARK));
    }
    lines.truncate(rows.max(1));
    lines.into_iter().map(|line| line.within(width)).collect()
}

/// Spinner, bar and elapsed time.
fn head(progress: &Progress, width: usize) -> Line {
    let (done, all, what) = match progress.phase {
        Phase::Opening => (
            progress.open,
            progress.mailboxes,
            format!("{} of {} open", progress.open, counted(progress.mailboxes, "mailbox", "mailboxes")),
        ),
        Phase::Stopping => (
            progress.sent,
            progress.probes,
            "stopping, once the attempts under way have ended".to_owned(),
        ),
        Phase::Running | Phase::TakenUp | Phase::Ended => {
            let decided = decided(progress);
            (
                decided,
                progress.probes,
                format!("{decided} of {} decided", counted(progress.probes, "probe", "probes")),
            )
        }
    };
    let elapsed = running(time::milliseconds(progress.started_at, progress.at));
    let bar = width.saturating_sub(8 + text::width(&what) + text::width(&elapsed)).min(30);
    let full = (bar * done).checked_div(all).unwrap_or(0).min(bar);
    Line::default()
        .then(spinner(progress), BOLD)
        .then(" ", PLAIN)
        .then(&"━".repeat(full), BOLD)
        .then(&"╌".repeat(bar - full), DIM)
        .then("  ", PLAIN)
        .then(&what, BOLD)
        .then("  ", PLAIN)
        .then(&elapsed, DIM)
}

/// One turn a second, by the run's own clock.
fn spinner(progress: &Progress) -> &'static str {
    let tenths = (progress.at - progress.started_at).num_milliseconds() / 100;
    usize::try_from(tenths)
        .ok()
        .and_then(|tenths| SPINNER.get(tenths % SPINNER.len()))
        .copied()
        .unwrap_or(SPINNER[0])
}

/// How many are sent, and what the decided ones came to.
fn counts(progress: &Progress) -> Line {
    let mut line = Line::default()
        .then("  ", PLAIN)
        .then(&format!("{} of {} sent", progress.sent, progress.probes), DIM);
    for verdict in Verdict::ALL {
        if let Some(count) = progress.decided.get(&verdict).filter(|count| **count > 0) {
            line = line.then(", ", DIM).then(&format!("{count} {verdict}"), PLAIN);
        }
    }
    line
}

fn decided(progress: &Progress) -> usize {
    progress
        .decided
        .values()
        .fold(0, |sum, count| sum.saturating_add(usize::try_from(*count).unwrap_or(usize::MAX)))
}

/// How things stand, as one plain line.
pub fn status(progress: &Progress) -> String {
    let elapsed = running(time::milliseconds(progress.started_at, progress.at));
    let mut line = match progress.phase {
        Phase::Opening => format!(
            "{elapsed}: {} of {} open",
            progress.open,
            counted(progress.mailboxes, "mailbox", "mailboxes")
        ),
        Phase::Running | Phase::TakenUp | Phase::Stopping | Phase::Ended => {
            format!(
                "{elapsed}: {} of {} decided, {} sent",
                decided(progress),
                counted(progress.probes, "probe", "probes"),
                progress.sent
            )
        }
    };
    if let Some(next) = progress.waiting.first() {
        line.push_str(&format!("; waiting for {}", text::escape(&next.recipient)));
        if let Some(deadline) = next.deadline {
            line.push_str(&format!(" ({}, {} left)", next.state, left(progress.at, deadline)));
        }
    }
    if let Some((mailbox, reason)) = progress.blind.first_key_value() {
        line.push_str(&format!(
            "; {} cannot be looked at, such as {} ({})",
            counted(progress.blind.len(), "mailbox", "mailboxes"),
            text::escape(mailbox),
            text::escape(reason)
        ));
    }
    line
}

fn left(now: Time, deadline: Time) -> String {
    running(time::milliseconds(now, deadline).max(0.0))
}

/// A span that changes while it is read: in tenths of a second.
fn running(milliseconds: f64) -> String {
    if milliseconds < 10_000.0 {
        format!("{:.1} s", milliseconds / 1000.0)
    } else {
        span(milliseconds)
    }
}
