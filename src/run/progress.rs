//! What the view is told: the course of a run in few words, at most ten times a second.

use super::{VIEW_PERIOD, View};
use crate::{
    clock::Clock,
    judge::{Ledger, Stand},
    model::{News, Phase, Progress, Time, Verdict, Waiting, time},
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;

/// How many of the probes that are waited for the view is told about.
const SHOWN: usize = 20;

pub(super) struct Viewer {
    view: Box<View>,
    decided: BTreeMap<Verdict, u32>,
    news: Vec<News>,
    shown_at: Option<Time>,
}

impl Viewer {
    pub fn new(view: Box<View>) -> Self {
        Self {
            view,
            decided: BTreeMap::new(),
            news: Vec::new(),
            shown_at: None,
        }
    }

    /// A probe is decided.
    pub fn decided(&mut self, ledger: &Ledger, index: usize, now: Time) {
        let judged = ledger.judged(index, now);
        *self.decided.entry(judged.verdict).or_default() += 1;
        self.news.push(News {
            recipient: judged.recipient,
            route: judged.route,
            message: judged.message,
            verdict: judged.verdict,
            outcome: judged.outcome,
            latency_ms: judged.latency_ms,
        });
    }

    pub fn is_due(&self, now: Time) -> bool {
        self.shown_at.is_none_or(|shown| now >= time::later(shown, VIEW_PERIOD))
    }

    pub fn next_due(&self, clock: &Clock) -> Option<Instant> {
        self.shown_at.map(|shown| clock.instant_of(time::later(shown, VIEW_PERIOD)))
    }

    /// Tells the view how things stand.
    pub fn show(&mut self, ledger: &Ledger, stands: &[Stand], undecided: &BTreeSet<usize>, phase: Phase, now: Time) {
        self.shown_at = Some(now);
        let plan = ledger.plan();
        let mut waiting: Vec<(Option<Time>, usize, &'static str)> = undecided
            .iter()
            .filter_map(|index| {
                if let Stand::Waiting(wait) = &stands[*index] {
                    Some((wait.until, *index, wait.state))
                } else {
                    None
                }
            })
            .collect();
        // What has a deadline comes first, the nearest at the top.
        waiting.sort_unstable_by_key(|(until, index, _)| (until.is_none(), *until, *index));
        let waiting = waiting.into_iter().take(SHOWN).map(|(deadline, index, state)| {
            let probe = &plan.probes[index];
            Waiting {
                recipient: plan.recipient(probe).address.clone(),
                route: probe.route.clone(),
                message: probe.message.to_string(),
                state,
                deadline,
            }
        });
        (self.view)(&Progress {
            at: now,
            started_at: plan.run.started_at,
            phase,
            probes: ledger.len(),
            sent: (0..ledger.len()).filter(|index| ledger.is_handed_over(*index)).count(),
            mailboxes: plan.mailboxes.len(),
            open: plan.mailboxes.iter().filter(|name| ledger.is_ready(name)).count(),
            decided: self.decided.clone(),
            waiting: waiting.collect(),
            news: std::mem::take(&mut self.news),
            blind: ledger.blind(),
        });
    }
}
