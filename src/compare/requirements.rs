//! Requirements that held and do not, or the other way round. One that only one side asks for differs by the scenario, which `runs` tells once.

use crate::model::{Difference, DifferenceKind, JudgedProbe};

/// Requirements of both sides whose answer differs. What a mailbox does not show is no answer.
pub fn differences(before: &JudgedProbe, after: &JudgedProbe, all: &mut Vec<Difference>) {
    for was in before.requirements.iter().filter(|requirement| !requirement.unseen) {
        let same = after.requirements.iter().find(|is| is.name == was.name && !is.unseen);
        let Some(is) = same.filter(|is| is.holds != was.holds) else {
            continue;
        };
        let word = |holds: bool| if holds { "holds" } else { "does not hold" };
        all.push(Difference::new(DifferenceKind::Requirement, word(was.holds), word(is.holds)).of(&*was.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};
    use serde_json::json;

    #[test]
    fn what_held_and_does_not_is_named() {
        let of = |holds: bool, unseen: bool, further: &str| {
            let list = json!([{ "name": "dmarc-pass", "holds": holds, "evidence": null, "unseen": unseen }, { "name": further, "holds": true, "evidence": null }]);
            with(&probe(), &[("requirements", list)])
        };
        let said = |before: &JudgedProbe, after: &JudgedProbe| {
            let mut all = Vec::new();
            differences(before, after, &mut all);
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let (holds, broken, hidden) = (of(true, false, "a"), of(false, false, "b"), of(false, true, "a"));
        assert_eq!(said(&holds, &broken), ["dmarc-pass: holds → does not hold"]);
        assert_eq!(said(&broken, &holds), ["dmarc-pass: does not hold → holds"]);
        assert!(said(&holds, &hidden).is_empty() && said(&holds, &holds).is_empty());
    }
}
