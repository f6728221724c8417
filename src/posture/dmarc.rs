//! What receivers should do with mail of a domain that proves neither SPF nor DKIM: DMARC's policy, found by walking up the names (RFC 9989
//! section 4.10, which leads to the organisational domain of RFC 7489 without a list of public suffixes).
//!
//! What it cannot see: what receivers do; many soften a policy, some ignore it.

use super::{
    Part,
    asker::{Asked, Asker},
    judgement::{Judgement, of_version, quoted},
};
use mail_auth::{
    common::parse::TxtRecordParser,
    dmarc::{Dmarc, Policy, Psd},
};

/// RFC 9989 section 4.10: no more questions than this in one walk.
const STEPS: usize = 8;

/// The names at which a policy for `domain` may be, the nearest first.
fn walk(domain: &str) -> Vec<&str> {
    let mut names = vec![domain];
    let mut rest = domain;
    while let Some((_, parent)) = rest.split_once('.') {
        rest = parent;
        // Of a very long name all but the last seven labels are passed over.
        if rest.split('.').count() < STEPS {
            names.push(rest);
        }
    }
    names.truncate(STEPS);
    names
}

/// What was found at the names of a walk: each with the TXT records at its `_dmarc`.
pub(super) type Walked = Vec<(String, Asked<Vec<u8>>)>;

/// Asks along the walk until the policy is known.
pub(super) async fn ask(asker: &Asker, domain: &str) -> Walked {
    let mut walked = Walked::new();
    for name in walk(domain) {
        let answer = asker.txt(&format!("_dmarc.{name}")).await;
        // The domain's own policy ends the walk, and so does who says to be the organisation's.
        let ends = match &answer {
            Err(_) => true,
            Ok(found) => match of_version(found.records(), "v=DMARC1").as_slice() {
                [] => false,
                [record] => name == domain || Dmarc::parse(record).is_ok_and(|dmarc| dmarc.psd != Psd::Default),
                _ => name == domain,
            },
        };
        walked.push((name.to_owned(), answer));
        if ends {
            break;
        }
    }
    walked
}

/// What follows from the walk.
pub(super) fn judge(domain: &str, part: &Part, walked: &Walked) -> Judgement {
    if let Some((name, Err(trouble))) = walked.iter().find(|(_, answer)| answer.is_err()) {
        return Judgement::unknown(format!("DMARC of {domain} is not known, for _dmarc.{name} is not: {trouble}"));
    }
    let mut chosen: Option<(&str, Dmarc)> = None;
    for (name, answer) in walked {
        let records = answer
            .as_ref()
            .map(|found| of_version(found.records(), "v=DMARC1"))
            .unwrap_or_default();
        match records.as_slice() {
            [] => {}
            [record] => match Dmarc::parse(record) {
                // A public suffix speaks for what lies below it only where nobody nearer does.
                Ok(dmarc) if dmarc.psd == Psd::Yes && chosen.is_some() => {}
                Ok(dmarc) => chosen = Some((name, dmarc)),
                Err(_) => {
                    return Judgement::doubtful(
                        format!("the DMARC record at _dmarc.{name} cannot be read: {}", quoted(record)),
                        "correct it, such as `v=DMARC1; p=none; rua=mailto:ADDRESS`",
                    );
                }
            },
            several => {
                return Judgement::doubtful(
                    format!("_dmarc.{name} has {} DMARC records, so that none counts", several.len()),
                    "leave one of them",
                );
            }
        }
    }
    let Some((from, dmarc)) = chosen else {
        return Judgement::doubtful(
            format!("{domain} has no DMARC policy"),
            match part {
                Part::Sender { .. } => format!(
                    "publish a TXT record at _dmarc.{domain}, `v=DMARC1; p=none; rua=mailto:ADDRESS` to begin with: large receivers refuse bulk mail without one"
                ),
                Part::Recipient { .. } => "tell whoever keeps the domain: without one, mail in its name is easily forged".to_owned(),
            },
        );
    };
    let (tag, policy) = if from == domain { ("p", dmarc.p) } else { ("sp", dmarc.sp) };
    let of = if from == domain {
        String::new()
    } else {
        format!(", by the record of {from}")
    };
    let policy = match policy {
        Policy::None => "none",
        Policy::Quarantine => "quarantine",
        Policy::Reject => "reject",
        Policy::Unspecified if dmarc.rua.is_empty() => {
            return Judgement::doubtful(
                format!("the DMARC record at _dmarc.{from} has no policy (p=), so it does not count"),
                "give it `p=none`, `p=quarantine` or `p=reject`",
            );
        }
        // RFC 9989 section 4.7: with somebody to report to, it counts as none.
        Policy::Unspecified => "none",
    };
    let test = if dmarc.t { ", as a test (t=y)" } else { "" };
    Judgement::right(format!("DMARC of {domain}: {tag}={policy}{test}{of}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::FactState::{Doubtful, Right, Unknown},
        posture::asker::Found,
    };

    #[test]
    fn the_walk_leads_up_and_is_bounded() {
        assert_eq!(walk("a.b.c"), ["a.b.c", "b.c", "c"]);
        assert_eq!(walk("c"), ["c"]);
        let long = walk("a.b.c.d.e.f.g.h.i.j");
        assert_eq!(long.len(), STEPS);
        assert_eq!((long[0], long[1], long[7]), ("a.b.c.d.e.f.g.h.i.j", "d.e.f.g.h.i.j", "j"));
        assert_eq!(walk(&"x.".repeat(200)).len(), STEPS);
    }

    #[test]
    fn policies_are_judged() {
        let at = |name: &str, records: &[&str]| {
            let records: Vec<Vec<u8>> = records.iter().map(|text| text.as_bytes().to_vec()).collect();
            let found = if records.is_empty() {
                Found::NoSuchName
            } else {
                Found::Records(records)
            };
            (name.to_owned(), Ok(found))
        };
        let table: Vec<(Walked, _, &str)> = vec![
            (vec![at("m.d.x", &["v=DMARC1; p=reject"])], Right, "DMARC of m.d.x: p=reject"),
            (
                vec![at("m.d.x", &["v=DMARC1; p=quarantine; t=y"])],
                Right,
                "DMARC of m.d.x: p=quarantine, as a test (t=y)",
            ),
            (
                vec![at("m.d.x", &[]), at("d.x", &["v=DMARC1; p=reject; sp=none"]), at("x", &[])],
                Right,
                "DMARC of m.d.x: sp=none, by the record of d.x",
            ),
            (
                vec![
                    at("m.d.x", &[]),
                    at("d.x", &["v=DMARC1; p=reject"]),
                    at("x", &["v=DMARC1; p=none; psd=y"]),
                ],
                Right,
                "DMARC of m.d.x: sp=reject, by the record of d.x",
            ),
            (
                vec![at("m.d.x", &[]), at("d.x", &[]), at("x", &["v=DMARC1; p=none; psd=y"])],
                Right,
                "DMARC of m.d.x: sp=none, by the record of x",
            ),
            (vec![at("m.d.x", &["v=DMARC1; rua=mailto:a@d.x"])], Right, "DMARC of m.d.x: p=none"),
            (
                vec![at("m.d.x", &["v=DMARC1"])],
                Doubtful,
                "the DMARC record at _dmarc.m.d.x has no policy (p=), so it does not count",
            ),
            (
                vec![at("m.d.x", &["v=DMARC1; p=perhaps"])],
                Doubtful,
                "the DMARC record at _dmarc.m.d.x cannot be read: v=DMARC1; p=perhaps",
            ),
            (
                vec![at("m.d.x", &["v=DMARC1; p=none", "v=DMARC1; p=reject"])],
                Doubtful,
                "_dmarc.m.d.x has 2 DMARC records, so that none counts",
            ),
            (
                vec![at("m.d.x", &["hello"]), at("d.x", &[]), at("x", &[])],
                Doubtful,
                "m.d.x has no DMARC policy",
            ),
            (
                vec![("m.d.x".to_owned(), Err("no answer".to_owned()))],
                Unknown,
                "DMARC of m.d.x is not known, for _dmarc.m.d.x is not: no answer",
            ),
        ];
        let sender = Part::Sender { outgoing: vec![] };
        for (walked, state, said) in table {
            let judged = judge("m.d.x", &sender, &walked);
            assert_eq!((judged.state, judged.said.as_str()), (state, said));
        }
    }
}
