//! Where senders report failures of TLS (RFC 8460 section 3).

use super::{
    asker::{Asked, Found},
    judgement::{Judgement, listed, of_version, quoted},
};
use mail_auth::{
    common::parse::TxtRecordParser,
    mta_sts::{ReportUri, TlsRpt},
};

/// The name at which the record is.
pub(super) fn name(domain: &str) -> String {
    format!("_smtp._tls.{domain}")
}

/// What follows from the TXT records there.
pub(super) fn judge(domain: &str, answer: &Asked<Vec<u8>>) -> Judgement {
    let found = match answer {
        Err(trouble) => return Judgement::unknown(format!("TLS-RPT of {domain} is not known: {trouble}")),
        Ok(found) => found,
    };
    let records = of_version(found.records(), "v=TLSRPTv1");
    let mend = || format!("publish one TXT record at {}, `v=TLSRPTv1; rua=mailto:ADDRESS`", name(domain));
    match (found, records.as_slice()) {
        (_, [record]) => match TlsRpt::parse(record) {
            Ok(TlsRpt { rua }) => {
                let to: Vec<String> = rua
                    .iter()
                    .map(|uri| match uri {
                        ReportUri::Mail(address) | ReportUri::Http(address) => quoted(address.as_bytes()),
                    })
                    .collect();
                Judgement::right(format!("failures of TLS towards {domain} are reported to {}", listed(&to)))
            }
            Err(_) => Judgement::doubtful(
                format!("the TLS-RPT record of {domain} names nobody to report to: {}", quoted(record)),
                mend(),
            ),
        },
        (_, [_, _, ..]) => Judgement::doubtful(
            format!("{domain} has {} TLS-RPT records, so that none counts", records.len()),
            mend(),
        ),
        (Found::Records(_), []) => Judgement::right(format!("{domain} does not use TLS-RPT: {} holds something else", name(domain))),
        (_, []) => Judgement::right(format!("{domain} does not use TLS-RPT")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FactState::{Doubtful, Right, Unknown};

    #[test]
    fn records_are_judged() {
        let txt = |records: &[&str]| Ok(Found::Records(records.iter().map(|text| text.as_bytes().to_vec()).collect()));
        let table = [
            (
                txt(&["v=TLSRPTv1; rua=mailto:tls@d.example"]),
                Right,
                "failures of TLS towards d are reported to tls@d.example",
            ),
            (
                txt(&["v=TLSRPTv1;rua=mailto:a@d.example,https://r.example/x"]),
                Right,
                "failures of TLS towards d are reported to a@d.example and https://r.example/x",
            ),
            (
                txt(&["v=TLSRPTv1"]),
                Doubtful,
                "the TLS-RPT record of d names nobody to report to: v=TLSRPTv1",
            ),
            (
                txt(&["v=TLSRPTv1; rua=mailto:a@d", "v=TLSRPTv1; rua=mailto:b@d"]),
                Doubtful,
                "d has 2 TLS-RPT records, so that none counts",
            ),
            (txt(&["hello"]), Right, "d does not use TLS-RPT: _smtp._tls.d holds something else"),
            (Ok(Found::None), Right, "d does not use TLS-RPT"),
            (Ok(Found::NoSuchName), Right, "d does not use TLS-RPT"),
            (Err("no answer".to_owned()), Unknown, "TLS-RPT of d is not known: no answer"),
        ];
        for (answer, state, said) in table {
            let judged = judge("d", &answer);
            assert_eq!((judged.state, judged.said.as_str()), (state, said));
        }
    }
}
