//! What an attestation needs of the journal beside the judged runs.

use super::{Desk, Halt, output::Targets};
use crate::{
    journal::JournalError,
    model::{Judged, Outcome, Series, Time, Verdict, What},
    report::{Format, attestation::Account},
};
use std::collections::BTreeMap;

impl Desk {
    /// Tells of the judged runs everywhere it is wanted; what failed comes back.
    pub(super) async fn publish(&self, judged: &mut Judged, targets: &Targets) -> Vec<String> {
        let mut failed = Vec::new();
        let account = if targets.formats().any(|format| format == Format::Attestation) {
            match self.account(judged) {
                Ok(account) => Some(account),
                Err(trouble) => {
                    failed.push(format!("the attestation lacks what only the journal knows: {trouble}"));
                    None
                }
            }
        } else {
            None
        };
        failed.extend(
            self.output
                .publish(judged, targets, account.as_ref())
                .await
                .err()
                .unwrap_or_default(),
        );
        failed
    }

    fn account(&self, judged: &Judged) -> Result<Account, String> {
        let journal = self.journal().map_err(|halt| match halt {
            Halt::Sentence(sentence) | Halt::Stopped(sentence) => sentence,
            _ => "it cannot be opened".to_owned(),
        })?;
        let mut account = Account {
            made_at: Some(self.clock.now()),
            change: self.shared.change.clone(),
            ..Account::default()
        };
        let sentence = |error: JournalError| error.to_string();
        for run in &judged.runs {
            let (plan, events) = journal.load(run.id.as_str()).map_err(sentence)?;
            account.plans.push(plan);
            for event in events {
                if let What::Cleaned { mailbox, removed } = event.what {
                    *account.removed.entry(mailbox).or_default() += removed;
                }
            }
        }
        account.last_proven = last_proven(&journal.history(Time::UNIX_EPOCH).map_err(sentence)?);
        Ok(account)
    }
}

/// When each address (lower case) was last proven to be reached, by probes of the scenarios' own rounds: cases try what filters do.
fn last_proven(history: &[Series]) -> BTreeMap<String, Time> {
    let mut last: BTreeMap<String, Time> = BTreeMap::new();
    for series in history.iter().filter(|series| series.case.is_none()) {
        let reached = series.past.iter().filter(|past| {
            past.outcome == Outcome::Passed && matches!(past.verdict, Verdict::Inbox | Verdict::Folder | Verdict::Delivered)
        });
        if let Some(at) = reached.map(|past| past.at).max() {
            let known = last.entry(series.recipient.to_lowercase()).or_insert(at);
            *known = at.max(*known);
        }
    }
    last
}
