//! `mailflow history`: success and latency over many runs, and since when something fails.

use super::{Code, Desk, Halt, environment};
use crate::{
    history::{Window, history, is_wanted},
    journal::Journal,
    model::{History, Outcome, Subset, Time, time},
    report::{Format, ReportError, Style, history as pages, history::spark::Blocks, render_history},
};
use std::time::Duration;

/// The parts of a course: as many as a line of a terminal has room for, and as many as a chart shows.
const SIGNS: usize = 24;
const BARS: usize = 60;

impl Desk {
    /// Shows the history of all recipients, or of those that are named.
    pub(super) fn history(&mut self, recipient: Option<String>, since: Duration) -> Result<Code, Halt> {
        let targets = self.targets(false)?;
        pages::refuse_others(targets.formats())?;
        let journal = self.journal()?;
        let mut only = self.shared.only.clone();
        only.extend(recipient.map(Subset::Recipient));
        let now = self.clock.now();
        let since = time::earlier(now, since);
        let told = history_of(&journal, &only, since, now, SIGNS)?;
        let drawn = history_of(&journal, &only, since, now, BARS)?;
        let all_well = told
            .recipients
            .iter()
            .all(|one| one.state.outcome == Outcome::Passed && !one.flapping);
        let failed = self.output.show(&targets, all_well, &|format: Format,
                                                            style: &Style|
         -> Result<Vec<u8>, ReportError> {
            let history = if format == Format::Terminal { &told } else { &drawn };
            render_history(format, history, style, blocks())
        });
        for sentence in &failed {
            self.output.error(sentence);
        }
        Ok(if failed.is_empty() { Code::Passed } else { Code::Unknown })
    }
}

/// The history that the journal holds, in at most so many parts.
pub(super) fn history_of(journal: &Journal, only: &[Subset], since: Time, until: Time, parts: usize) -> Result<History, Halt> {
    let mut series = journal.history(since)?;
    series.retain(|series| is_wanted(series, only));
    Ok(history(&series, Window { since, until, parts }))
}

/// What the terminal can show, by its locale (POSIX: `LC_ALL` before `LC_CTYPE` before `LANG`). Where nothing is said, it is taken for UTF-8.
fn blocks() -> Blocks {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(environment)
        .find(|value| !value.is_empty());
    let utf8 = |locale: String| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    };
    if said.is_none_or(utf8) { Blocks::Unicode } else { Blocks::Ascii }
}
