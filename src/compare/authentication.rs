//! What the receiving side says of SPF, DKIM and DMARC, and whether the signatures still fit. What a method says beside its result (`compauth.reason`)
//! is not compared: it changes with every rule of the receiver's that led to the same result.

use crate::model::{Difference, DifferenceKind, JudgedProbe, Signature};
use std::collections::{BTreeMap, BTreeSet};

/// Results that differ, and signatures that were broken or mended.
pub fn differences(before: &JudgedProbe, after: &JudgedProbe, all: &mut Vec<Difference>) {
    let (was, is) = (results(before), results(after));
    if was.is_empty() == is.is_empty() {
        let methods: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
        for method in methods {
            let said = |results: &BTreeMap<&str, &str>| results.get(method).map_or("not stated", |result| *result).to_owned();
            let (was, is) = (said(&was), said(&is));
            if was != is {
                all.push(Difference::new(DifferenceKind::Authentication, was, is).of(method));
            }
        }
    } else {
        // Somebody does not check at all, or does not say so: that is one difference.
        let told = |results: &BTreeMap<&str, &str>| {
            if results.is_empty() {
                return "nothing stated".to_owned();
            }
            let stated: Vec<String> = results.iter().map(|(method, result)| format!("{method}={result}")).collect();
            stated.join(" ")
        };
        all.push(Difference::new(DifferenceKind::Authentication, told(&was), told(&is)));
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

/// The result of each method.
fn results(probe: &JudgedProbe) -> BTreeMap<&str, &str> {
    let methods = probe.authentication.iter().filter(|(method, _)| !method.contains('.'));
    methods.map(|(method, result)| (method.as_str(), result.as_str())).collect()
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

        all.clear();
        differences(&after, &probe(), &mut all);
        assert_eq!(all.len(), 1, "who says nothing at all differs in that alone");
        assert_eq!(
            all[0].to_string(),
            "compauth=pass dkim=pass dmarc=pass spf=softfail → nothing stated"
        );
    }
}
