//! In what order people read probes, and which failures are one and the same to whoever mends them.
//!
//! What it cannot see: whether two alike failures truly have one cause. It compares what was said and measured.

use crate::explain::queue_id;
use crate::model::{Judged, JudgedProbe, Outcome, Verdict};
use std::collections::BTreeMap;

/// The probes by their outcome and, within it, by how bad the verdict is.
pub fn worst_first(judged: &Judged) -> Vec<&JudgedProbe> {
    const BAD: [Verdict; 8] = [
        Verdict::Lost,
        Verdict::Elsewhere,
        Verdict::Deleted,
        Verdict::Bounced,
        Verdict::Rejected,
        Verdict::Quarantine,
        Verdict::Junk,
        Verdict::Partial,
    ];
    let badness = |verdict: Verdict| BAD.iter().position(|bad| *bad == verdict).unwrap_or(BAD.len());
    let mut probes: Vec<&JudgedProbe> = judged.probes.iter().collect();
    probes.sort_by_key(|probe| (rank(probe.outcome), badness(probe.verdict)));
    probes
}

/// Worst first.
pub fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Failed => 0,
        Outcome::Unknown => 1,
        Outcome::Waived => 2,
        Outcome::Passed => 3,
    }
}

/// The probes in groups of those that failed alike, in the order of each group's first.
pub fn alike<'a>(probes: impl IntoIterator<Item = &'a JudgedProbe>) -> Vec<Vec<&'a JudgedProbe>> {
    let mut groups: Vec<Vec<&JudgedProbe>> = Vec::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for probe in probes {
        let at = *index.entry(cause(probe)).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.push(probe),
            None => groups.push(vec![probe]),
        }
    }
    groups
}

/// An address, and by what to find its message in the next hop's log.
pub fn named(probe: &JudgedProbe) -> String {
    let id = probe.attempts.last().and_then(|last| queue_id(&last.reply.text));
    id.map_or_else(|| probe.recipient.clone(), |id| format!("{} (queue id {id})", probe.recipient))
}

/// What makes two failures the same to whoever mends them: all that was said and measured, except of whom and when.
fn cause(probe: &JudgedProbe) -> String {
    let said = probe
        .attempts
        .last()
        .map(|attempt| (&attempt.host, &attempt.stage, attempt.reply.code, &attempt.reply.enhanced));
    let returned = probe.dsn.as_ref().map(|dsn| (dsn.action, &dsn.status, &dsn.reporting_mta));
    let unmet: Vec<&str> = probe
        .requirements
        .iter()
        .filter(|requirement| !requirement.holds)
        .map(|requirement| requirement.name.as_str())
        .collect();
    let what = (probe.outcome, probe.verdict, &probe.flags, &probe.folder, &probe.reason);
    let asked = (&probe.route, &probe.message, &probe.case, &probe.expected);
    // A remedy that names somebody is for that one address.
    let owner = probe
        .owner
        .as_ref()
        .filter(|owner| probe.remedy.as_ref().is_some_and(|remedy| remedy.contains(*owner)));
    let members: Vec<Verdict> = probe.members.iter().map(|member| member.verdict).collect();
    let further = (owner, &probe.waiver);
    format!("{what:?}{asked:?}{said:?}{returned:?}{unmet:?}{members:?}{further:?}")
}
