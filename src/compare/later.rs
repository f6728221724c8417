//! What second looks found after the runs: mail that a filter, a rule or a person moved since. Where both were moved to the same place, nothing changed.

use crate::model::{Difference, DifferenceKind, JudgedProbe, Later, Verdict};

/// Where it came to rest, if that is not where the run saw it, or the other one came to rest elsewhere.
pub fn differences(before: &JudgedProbe, after: &JudgedProbe, all: &mut Vec<Difference>) {
    if last(before).is_none() && last(after).is_none() {
        return;
    }
    let (was, is) = (rest(before), rest(after));
    // What the runs themselves saw is told by the verdicts.
    let seen = (
        place(before.verdict, before.folder.as_deref()),
        place(after.verdict, after.folder.as_deref()),
    );
    if was != is && (was.clone(), is.clone()) != seen {
        let when = [last(before), last(after)].into_iter().flatten().next_back();
        let note = when.map(|later| format!("second look of {} UTC", later.at.format("%Y-%m-%d %H:%M")));
        all.push(Difference::new(DifferenceKind::Later, was, is).noting(note));
    }
}

/// The last look that found something out.
fn last(probe: &JudgedProbe) -> Option<&Later> {
    probe.later.iter().rev().find(|later| later.verdict.is_proven())
}

fn rest(probe: &JudgedProbe) -> String {
    last(probe).map_or_else(
        || place(probe.verdict, probe.folder.as_deref()),
        |later| place(later.verdict, later.folder.as_deref()),
    )
}

fn place(verdict: Verdict, folder: Option<&str>) -> String {
    match (verdict, folder) {
        (Verdict::Folder, Some(folder)) => format!("folder “{folder}”"),
        _ => verdict.word().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};
    use serde_json::json;

    #[test]
    fn what_was_moved_since_is_a_change_unless_both_were() {
        let look = |verdict: &str| {
            json!({ "at": "2026-03-03T02:14:05.000Z", "change": "moved", "verdict": verdict, "outcome": "failed",
            "mailbox": null, "folder": null, "reason": null })
        };
        let moved = |verdicts: &[&str]| with(&probe(), &[("later", verdicts.iter().map(|verdict| look(verdict)).collect())]);
        let said = |before: &JudgedProbe, after: &JudgedProbe| {
            let mut all = Vec::new();
            differences(before, after, &mut all);
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let junk = moved(&["inbox", "junk"]);
        assert_eq!(said(&probe(), &junk), ["inbox → junk (second look of 2026-03-03 02:14 UTC)"]);
        assert_eq!(
            said(&junk, &moved(&["inbox"])),
            ["junk → inbox (second look of 2026-03-03 02:14 UTC)"]
        );
        assert!(said(&junk, &junk).is_empty() && said(&probe(), &moved(&["inbox"])).is_empty());
        assert_eq!(
            said(&probe(), &moved(&["junk", "unknown"])).len(),
            1,
            "a look that failed takes nothing back"
        );
        let lost = with(&probe(), &[("verdict", "lost".into())]);
        let still = with(&moved(&["lost"]), &[("verdict", "lost".into())]);
        assert!(
            said(&probe(), &still).is_empty() && said(&lost, &still).is_empty(),
            "the verdicts tell that"
        );
    }
}
