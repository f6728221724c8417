//! Second looks, as people are told of them: when, what had become of how many probes, and each change that is news.

use super::paint::{BOLD, PLAIN, Span, outcome_sign, outcome_style};
use super::sheet::Sheet;
use super::text;
use crate::explain;
use crate::model::{Change, Judged, JudgedProbe, Later, Outcome};
use std::collections::BTreeMap;

/// With more changes than this, the rest is counted.
const SHOWN: usize = 20;
/// The order in which changes are counted, gravest first.
const CHANGES: [Change; 7] = [
    Change::Gone,
    Change::Moved,
    Change::Released,
    Change::Found,
    Change::Unseen,
    Change::Cleaned,
    Change::Same,
];

/// What the latest second looks found.
pub struct Looks<'a> {
    /// When, and what had become of how many probes.
    pub heading: String,
    /// The probes of which there is news, and those that could not be looked at; what became worse than its verdict first.
    pub news: Vec<News<'a>>,
}

/// What a second look found of one probe.
pub struct News<'a> {
    /// The probe.
    pub probe: &'a JudgedProbe,
    /// How it stands now, so that what is worse than its verdict stands out; unknown where it could not be looked at.
    pub outcome: Outcome,
    /// What became of it.
    pub sentence: Option<String>,
}

/// What the latest second looks found; nothing if nobody looked again.
pub fn looks(judged: &Judged) -> Option<Looks<'_>> {
    let looked: Vec<(&JudgedProbe, &Later)> = judged
        .probes
        .iter()
        .filter_map(|probe| Some((probe, probe.later.last()?)))
        .collect();
    let at = looked.iter().map(|(_, later)| later.at).max()?;
    let mut counts: BTreeMap<Change, usize> = BTreeMap::new();
    for (_, later) in &looked {
        *counts.entry(later.change).or_default() += 1;
    }
    let counted: Vec<String> = CHANGES
        .iter()
        .filter_map(|change| Some(format!("{} {}", counts.get(change)?, in_words(*change))))
        .collect();
    let mut news: Vec<(&JudgedProbe, &Later)> = looked
        .into_iter()
        .filter(|(_, later)| later.change.is_news() || later.change == Change::Unseen)
        .collect();
    news.sort_by_key(|(probe, later)| !later.is_worse_than(probe.outcome));
    Some(Looks {
        heading: format!("Second look at {} UTC: {}.", at.format("%Y-%m-%d %H:%M"), counted.join(", ")),
        news: news
            .into_iter()
            .map(|(probe, later)| News {
                probe,
                outcome: if later.change == Change::Unseen {
                    Outcome::Unknown
                } else {
                    later.outcome
                },
                sentence: explain::later(probe),
            })
            .collect(),
    })
}

/// Appends what the latest second looks found; nothing if nobody looked again.
pub fn write(judged: &Judged, sheet: &mut Sheet) {
    let Some(Looks { heading, news }) = looks(judged) else { return };
    sheet.gap();
    sheet.prose(0, "", &heading, BOLD);
    for News { probe, outcome, sentence } in news.iter().take(SHOWN) {
        let via = text::via(&probe.message, Some(&probe.route), probe.case.as_deref(), None);
        sheet.title(Span::new(outcome_sign(*outcome), outcome_style(*outcome)), &probe.recipient, &via);
        if let Some(sentence) = sentence {
            sheet.prose(2, "", sentence, PLAIN);
        }
    }
    if let Some(more) = news.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        sheet.prose(2, "", &format!("… and {more} more; the JSON report has all of them."), PLAIN);
    }
}

fn in_words(change: Change) -> &'static str {
    match change {
        Change::Same => "as before",
        Change::Moved => "moved",
        Change::Released => "released",
        Change::Found => "found only now",
        Change::Gone => "gone",
        Change::Cleaned => "removed by `mailflow clean`",
        Change::Unseen => "could not be looked at",
    }
}
