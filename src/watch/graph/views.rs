//! The views of a mailbox: what each covers, so that what it does not show is known to be missing there. Pure.
//!
//! It cannot see whether two views agree at one moment: the service keeps them apart, and one may lag behind the other.

use super::{ask::Item, state::Lying};
use crate::{
    microsoft::Link,
    model::{Survived, Time},
};

/// A way of looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// The changes in the round numbered so.
    Round(usize),
    /// Everything that arrived since the run began, in every visible folder.
    All,
    /// What has the run's prefix in its subject, in every visible folder.
    Named,
    /// What was deleted from the deleted items too, or by a rule for good, as long as it can be recovered.
    Purged,
}

/// What one view showed.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) view: View,
    pub(super) items: Vec<Item>,
    /// Whether it shows all there is, not only changes.
    pub(super) whole: bool,
}

/// A folder that is followed by its changes.
#[derive(Debug)]
pub(super) struct Round {
    /// The folder's id.
    pub(super) folder: String,
    /// Where the next round begins; `None`: with everything.
    pub(super) link: Option<Link>,
    /// When the last round was sent.
    pub(super) missed: Time,
}

/// Whether a copy that no view showed is confirmed all the same (`true`), must be asked after (`false`), or was not looked at.
pub(super) fn covered(lying: &Lying, looks: &[Shown], rounds: &[Round], purged: Option<&str>) -> Option<bool> {
    let in_purged = purged == Some(lying.folder.as_str());
    let mut quiet = None;
    for look in looks {
        match look.view {
            View::Round(number) if rounds.get(number).is_some_and(|round| round.folder == lying.folder) => {
                if look.whole {
                    return Some(false);
                }
                quiet = Some(true);
            }
            View::All if !in_purged => return Some(false),
            View::Purged if in_purged => return Some(false),
            View::Named
                if !in_purged
                    && lying
                        .copies
                        .iter()
                        .any(|(_, copy)| copy.evidence.survived.contains(&Survived::Subject)) =>
            {
                return Some(false);
            }
            _ => {}
        }
    }
    quiet
}

/// When the last look was sent that would have shown a message in `folder`.
pub(super) fn missed(rounds: &[Round], listed: Time, purged: Time, purged_folder: Option<&str>, folder: &str) -> Time {
    if purged_folder == Some(folder) {
        return purged;
    }
    let round = rounds.iter().find(|round| round.folder == folder).map(|round| round.missed);
    round.map_or(listed, |round| round.max(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: u32) -> Time {
        format!("2026-11-23T09:00:{second:02}Z").parse().unwrap()
    }

    fn rounds() -> Vec<Round> {
        vec![Round {
            folder: "inbox".to_owned(),
            link: None,
            missed: time(20),
        }]
    }

    fn silent(view: View, whole: bool) -> Shown {
        Shown {
            view,
            items: Vec::new(),
            whole,
        }
    }

    fn lying(folder: &str) -> Lying {
        Lying {
            folder: folder.to_owned(),
            told: true,
            present: time(0),
            copies: Vec::new(),
        }
    }

    #[test]
    fn silence_means_what_the_view_covers() {
        let says = |folder, looks: &[Shown]| covered(&lying(folder), looks, &rounds(), Some("purged"));
        let (changes, everything) = (silent(View::Round(0), false), silent(View::Round(0), true));
        assert_eq!(says("inbox", std::slice::from_ref(&changes)), Some(true), "no change is told");
        assert_eq!(
            says("inbox", &[everything]),
            Some(false),
            "a round from the start shows all there is"
        );
        assert_eq!(says("alerts", std::slice::from_ref(&changes)), None, "another folder");
        assert_eq!(says("inbox", &[changes, silent(View::All, true)]), Some(false), "any doubt counts");
        assert_eq!(says("purged", &[silent(View::All, true)]), None, "lists leave that folder out");
        assert_eq!(says("purged", &[silent(View::Purged, true)]), Some(false));
        assert_eq!(says("inbox", &[silent(View::Named, true)]), None, "its subject was lost");
    }

    #[test]
    fn the_last_look_that_would_have_shown_it_counts() {
        let at = |folder, listed| missed(&rounds(), time(listed), time(5), Some("purged"), folder);
        assert_eq!(at("inbox", 10), time(20));
        assert_eq!(at("inbox", 30), time(30));
        assert_eq!(at("alerts", 10), time(10));
        assert_eq!(at("purged", 30), time(5));
    }
}
