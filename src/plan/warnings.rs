//! What a plan can never show, though nothing in it is wrong: said before it runs.

use crate::model::{Expectation, MailboxName, Plan, Verdict};
use std::{collections::BTreeSet, time::Duration};

/// What should be known before the plan is carried out: where times are too short for what only a message trace can show.
pub fn warnings(plan: &Plan) -> Vec<String> {
    let mut warnings = BTreeSet::new();
    for probe in &plan.probes {
        let recipient = plan.recipient(probe);
        let trace = |name: &MailboxName| Some((name.clone(), *plan.traces.get(name)?));
        let unread = recipient.meant.iter().find_map(trace);
        if let Some((name, delay)) = unread.filter(|(_, delay)| probe.within < *delay) {
            warnings.insert(format!(
                "`within` ({}) is shorter than the delay of the message trace ({}): of {name}, which is not read, it cannot be proven that a \
                 delivery was in time",
                words(probe.within),
                words(delay)
            ));
        }
        if let Some((name, _)) = recipient.meant.iter().find_map(trace).filter(|_| !recipient.group) {
            if !probe.expected.iter().any(can_be_traced) {
                warnings.insert(format!(
                    "of {name}, which is not read, `delivered` is the best that can be measured, and it is not expected: such a probe cannot pass"
                ));
            }
            if !probe.require.is_empty() {
                warnings.insert(format!(
                    "of {name}, which is not read, no requirement is looked at: nothing of what arrived is seen"
                ));
            }
        }
        let any = recipient.meant.iter().chain(recipient.quarantine.mailboxes()).find_map(trace);
        if let Some((_, delay)) = any.filter(|(_, delay)| probe.give_up_after < *delay) {
            warnings.insert(format!(
                "`give_up_after` ({}) is shorter than the delay of the message trace ({}): what it shows comes after that, so the run goes on for \
                 {} before anything is called lost",
                words(probe.give_up_after),
                words(delay),
                words(probe.give_up_after + delay)
            ));
        }
    }
    warnings.into_iter().collect()
}

/// Whether the message trace alone can show this.
fn can_be_traced(expected: &Expectation) -> bool {
    match expected {
        Expectation::Returned => true,
        Expectation::Folder(_) => false,
        Expectation::Verdict(verdict) => matches!(
            verdict,
            Verdict::Delivered | Verdict::Quarantine | Verdict::Rejected | Verdict::Bounced | Verdict::Lost
        ),
    }
}

/// `15m`, as a site writes it.
fn words(period: Duration) -> String {
    let seconds = period.as_secs();
    match (period.subsec_millis(), seconds % 60, seconds % 3600) {
        (0, 0, 0) if seconds > 0 => format!("{}h", seconds / 3600),
        (0, 0, _) if seconds > 0 => format!("{}m", seconds / 60),
        (0, ..) => format!("{seconds}s"),
        _ => format!("{}ms", period.as_millis()),
    }
}
