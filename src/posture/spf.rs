//! Who may send in a domain's name (RFC 7208), and whether the addresses from which the site's routes leave are among them.
//!
//! What it cannot see: the address from which a submission server or Microsoft 365 sends on, unless the site states it; and what one receiver
//! makes of the result.

use super::{
    Part,
    asker::{Asked, Found},
    judgement::{Judgement, listed, of_version, quoted},
};
use hickory_resolver::TokioResolver;
use mail_auth::{
    MessageAuthenticator, SpfResult,
    common::parse::TxtRecordParser,
    spf::{Spf, verify::SpfParameters},
};
use std::net::IpAddr;

/// A sending address, and what SPF says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tried {
    pub address: IpAddr,
    /// Whether the site states it: then it must pass.
    pub stated: bool,
    pub result: SpfResult,
}

/// What SPF says of mail from `domain` that comes from `address`. Bounded by the 10 look-ups of RFC 7208 section 4.6.4; the caller sets a time-out.
pub(super) async fn evaluate(resolver: TokioResolver, domain: &str, address: IpAddr) -> SpfResult {
    let sender = format!("postmaster@{domain}");
    let parameters = SpfParameters::verify_mail_from(address, domain, domain, &sender);
    MessageAuthenticator(resolver).check_host(parameters.into()).await.result()
}

/// The record, if there is just one and it can be read: only then is there anything to evaluate.
pub(super) fn record(answer: &Asked<Vec<u8>>) -> Option<&[u8]> {
    match of_version(answer.as_ref().ok()?.records(), "v=spf1").as_slice() {
        [record] if Spf::parse(record).is_ok() => Some(record),
        _ => None,
    }
}

/// What follows from the TXT records of a domain, and from what was tried. `untold`: why addresses are not known.
pub(super) fn judge(domain: &str, part: &Part, answer: &Asked<Vec<u8>>, tried: &[Tried], untold: &[String]) -> Vec<Judgement> {
    let found = match answer {
        Err(trouble) => return vec![Judgement::unknown(format!("SPF of {domain} is not known: {trouble}"))],
        Ok(found) => found,
    };
    let records = of_version(found.records(), "v=spf1");
    let one = match records.as_slice() {
        [] if *found == Found::NoSuchName => {
            return vec![Judgement::unknown(format!("{domain} does not exist, so it has no SPF"))];
        }
        [] => {
            return vec![Judgement::doubtful(
                format!("{domain} publishes no SPF record"),
                match part {
                    Part::Sender { .. } => "publish one TXT record such as `v=spf1 ip4:ADDRESS -all` with the addresses that send for it",
                    Part::Recipient { .. } => "tell whoever keeps the domain: without one, mail in its name is easily forged",
                },
            )];
        }
        [one] => one,
        several => {
            return vec![Judgement::doubtful(
                format!(
                    "{domain} publishes {} SPF records, so that SPF fails for good (permerror)",
                    several.len()
                ),
                "merge them into one TXT record",
            )];
        }
    };
    if Spf::parse(one).is_err() {
        return vec![Judgement::doubtful(
            format!("the SPF record of {domain} cannot be read (permerror): {}", quoted(one)),
            "correct it: RFC 7208 section 12 has the grammar",
        )];
    }
    let mut judged = of_addresses(domain, tried);
    if !untold.is_empty() {
        judged.push(
            Judgement::unknown(format!("whether SPF of {domain} passes cannot be told: {}", listed(untold)))
                .with_step("state the addresses from which its mail leaves, as `sending_addresses` of the sender"),
        );
    }
    match ending(one) {
        Ending::Everybody => judged.push(Judgement::doubtful(
            format!("SPF of {domain} lets everybody pass (+all)"),
            "end the record in -all or ~all",
        )),
        Ending::All(all) if judged.is_empty() => judged.push(Judgement::right(format!("{domain} publishes SPF, ending in {all}"))),
        _ if judged.is_empty() => judged.push(Judgement::right(format!("{domain} publishes SPF"))),
        _ => {}
    }
    judged
}

/// One judgement for each result.
fn of_addresses(domain: &str, tried: &[Tried]) -> Vec<Judgement> {
    const RESULTS: [SpfResult; 7] = [
        SpfResult::Pass,
        SpfResult::Fail,
        SpfResult::SoftFail,
        SpfResult::Neutral,
        SpfResult::None,
        SpfResult::PermError,
        SpfResult::TempError,
    ];
    let mut judged = Vec::new();
    for result in RESULTS {
        for stated in [true, false] {
            let of_result: Vec<IpAddr> = tried
                .iter()
                .filter(|tried| tried.result == result && tried.stated == stated)
                .map(|tried| tried.address)
                .collect();
            if !of_result.is_empty() {
                judged.push(of_result_of(domain, result, stated, &of_result));
            }
        }
    }
    judged
}

fn of_result_of(domain: &str, result: SpfResult, stated: bool, addresses: &[IpAddr]) -> Judgement {
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let shown = listed(&shown);
    let add = || {
        let terms: Vec<String> = addresses
            .iter()
            .map(|address| format!("`{}:{address}`", if address.is_ipv4() { "ip4" } else { "ip6" }))
            .collect();
        format!(
            "add {} to the SPF record of {domain}, or send by a host that it lists",
            listed(&terms)
        )
    };
    match result {
        SpfResult::Pass => Judgement::right(format!("SPF of {domain} lists {shown}")),
        SpfResult::Fail => Judgement::faulty(
            stated,
            format!("SPF of {domain} does not list {shown} (fail): receivers may refuse its mail"),
            add(),
        ),
        SpfResult::SoftFail => Judgement::doubtful(
            format!("SPF of {domain} does not list {shown} (softfail): receivers may take its mail for spam"),
            add(),
        ),
        SpfResult::Neutral | SpfResult::None => Judgement::doubtful(
            format!("SPF of {domain} says nothing of {shown} ({result}), which proves nothing"),
            add(),
        ),
        SpfResult::PermError => Judgement::doubtful(
            format!("SPF of {domain} fails for good for {shown} (permerror)"),
            "correct what it includes; more than 10 look-ups are an error too (RFC 7208 section 4.6.4)",
        ),
        SpfResult::TempError => Judgement::unknown(format!(
            "SPF of {domain} could not be evaluated for {shown}: the DNS gave no answer"
        )),
    }
}

/// How a record ends.
enum Ending {
    /// In this `all`.
    All(String),
    /// In one that lets everybody pass.
    Everybody,
    /// In a redirection, or in nothing, which is neutral.
    Otherwise,
}

fn ending(record: &[u8]) -> Ending {
    let text = String::from_utf8_lossy(record).to_ascii_lowercase();
    match text
        .split_ascii_whitespace()
        .find(|term| term.trim_start_matches(['+', '-', '~', '?']) == "all")
    {
        Some("all" | "+all") => Ending::Everybody,
        Some(all) => Ending::All(all.to_owned()),
        None => Ending::Otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FactState::{self, Doubtful, Right, Unknown, Wrong};

    fn txt(records: &[&str]) -> Asked<Vec<u8>> {
        Ok(Found::Records(records.iter().map(|text| text.as_bytes().to_vec()).collect()))
    }

    fn tried(address: &str, stated: bool, result: SpfResult) -> Tried {
        Tried {
            address: address.parse().unwrap(),
            stated,
            result,
        }
    }

    fn said(judged: &[Judgement]) -> Vec<(FactState, &str)> {
        judged.iter().map(|judged| (judged.state, judged.said.as_str())).collect()
    }

    #[test]
    fn records_are_judged() {
        let sender = Part::Sender { outgoing: vec![] };
        let table = [
            (txt(&["v=spf1 mx -all", "hello"]), Right, "d publishes SPF, ending in -all"),
            (txt(&["v=spf1 redirect=_spf.d.example"]), Right, "d publishes SPF"),
            (txt(&["v=spf1 +all"]), Doubtful, "SPF of d lets everybody pass (+all)"),
            (txt(&["hello"]), Doubtful, "d publishes no SPF record"),
            (Ok(Found::None), Doubtful, "d publishes no SPF record"),
            (Ok(Found::NoSuchName), Unknown, "d does not exist, so it has no SPF"),
            (
                txt(&["v=spf1 -all", "v=spf1 mx"]),
                Doubtful,
                "d publishes 2 SPF records, so that SPF fails for good (permerror)",
            ),
            (
                txt(&["v=spf1 ip4:1.2.3 -all"]),
                Doubtful,
                "the SPF record of d cannot be read (permerror): v=spf1 ip4:1.2.3 -all",
            ),
            (Err("no answer".to_owned()), Unknown, "SPF of d is not known: no answer"),
        ];
        for (answer, state, text) in table {
            assert_eq!(said(&judge("d", &sender, &answer, &[], &[])), [(state, text)]);
        }
    }

    #[test]
    fn a_stated_address_must_pass_and_a_guessed_one_should() {
        let sender = Part::Sender { outgoing: vec![] };
        let record = txt(&["v=spf1 ip4:192.0.2.0/24 -all"]);
        let of = |tried: &[Tried]| judge("d", &sender, &record, tried, &[]);
        let judged = of(&[
            tried("192.0.2.1", true, SpfResult::Pass),
            tried("192.0.2.2", true, SpfResult::Pass),
            tried("198.51.100.1", true, SpfResult::Fail),
            tried("2001:db8::1", true, SpfResult::Fail),
        ]);
        assert_eq!(
            said(&judged),
            [
                (Right, "SPF of d lists 192.0.2.1 and 192.0.2.2"),
                (
                    Wrong,
                    "SPF of d does not list 198.51.100.1 and 2001:db8::1 (fail): receivers may refuse its mail"
                ),
            ]
        );
        assert_eq!(
            judged[1].step.as_deref(),
            Some("add `ip4:198.51.100.1` and `ip6:2001:db8::1` to the SPF record of d, or send by a host that it lists")
        );
        for (result, stated, state) in [
            (SpfResult::Fail, false, Doubtful),
            (SpfResult::SoftFail, true, Doubtful),
            (SpfResult::Neutral, true, Doubtful),
            (SpfResult::PermError, true, Doubtful),
            (SpfResult::TempError, true, Unknown),
        ] {
            assert_eq!(of(&[tried("192.0.2.9", stated, result)])[0].state, state, "{result}");
        }
    }

    #[test]
    fn an_address_that_is_not_known_is_no_failure() {
        let sender = Part::Sender { outgoing: vec![] };
        let why = ["behind a submission server".to_owned()];
        let judged = judge("d", &sender, &txt(&["v=spf1 -all"]), &[], &why);
        assert_eq!(
            said(&judged),
            [(Unknown, "whether SPF of d passes cannot be told: behind a submission server")]
        );
        assert!(judged[0].step.is_some());
    }
}
