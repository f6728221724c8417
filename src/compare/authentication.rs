//! What the receiving side says of SPF, DKIM and DMARC, and whether the signatures still fit. What a method says beside its result (`compauth.reason`)
//! is not compared: it changes with every rule of the receiver's that led to the same result.

use crate::model::{Difference, DifferenceKind, JudgedProbe, Signature};
use std::collections::BTreeSet;

/// Results that differ, and signatures that were broken or mended.
pub fn differences(before: &JudgedProbe, after: &JudgedProbe, all: &mut Vec<Difference>) {
    let methods: BTreeSet<&String> = before.authentication.keys().chain(after.authentication.keys()).collect();
    for method in methods.into_iter().filter(|method| !method.contains('.')) {
        let said = |probe: &JudgedProbe| probe.authentication.get(method).map_or("not stated", String::as_str).to_owned();
        let (was, is) = (said(before), said(after));
        if was != is {
            all.push(Difference::new(DifferenceKind::Authentication, was, is).of(method));
        }
    }
    for (signer, was) in signers(before) {
        let same = signers(after).find(|(other, _)| *other == signer);
        // Only what both have: a signature that is gone is a header that is gone.
        let Some((_, is)) = same.filter(|(_, is)| *is != was) else {
            continue;
        };
        let word = |broken: bool| if broken { "broken" } else { "intact" };
        let of = format!("{} (selector {})", signer.0, signer.1);
        all.push(Difference::new(DifferenceKind::Signature, word(was), word(is)).of(of));
    }
}

/// Each signer, by domain and selector, and whether its signature is broken.
fn signers(probe: &JudgedProbe) -> impl Iterator<Item = ((&str, &str), bool)> {
    let one = |signature: &'_ Signature| signature.is_broken();
    probe
        .signatures
        .iter()
        .map(move |signature| ((signature.domain.as_str(), signature.selector.as_str()), one(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};
    use serde_json::json;

    #[test]
    fn results_are_compared_method_by_method() {
        let before = with(
            &probe(),
            &[(
                "authentication",
                json!({ "spf": "pass", "dmarc": "pass", "compauth": "pass", "compauth.reason": "100" }),
            )],
        );
        let after = with(
            &probe(),
            &[(
                "authentication",
                json!({ "spf": "softfail", "dkim": "pass", "compauth": "pass", "compauth.reason": "130", "dmarc": "pass" }),
            )],
        );
        let mut all = Vec::new();
        differences(&before, &after, &mut all);
        let said: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["dkim: not stated → pass", "spf: pass → softfail"]);
    }
}
