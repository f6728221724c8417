//! Whether the certificates of a domain's MX hosts are those that the DNS pins (RFC 7672): TLSA records, the DNSSEC that they need, and the
//! certificates that the hosts showed.
//!
//! What it cannot see: signatures, where the DNS server that is asked hides them. With usage 2 (DANE-TA) it looks whether the pinned certificate
//! is in the chain, and does not verify the chain up to it.

use super::{
    asker::{Asked, Asker, Signed},
    judgement::{Judgement, listed},
    starttls::Shown,
};
use hickory_resolver::proto::rr::{RecordType, rdata::tlsa::TLSA};
use ring::digest::{SHA256, SHA512, digest};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The name at which a host's records are.
pub(super) fn name(host: &str, port: u16) -> String {
    format!("_{port}._tcp.{host}")
}

/// What the DNS says of a host.
#[derive(Debug, Clone)]
pub(super) struct Pins {
    pub host: String,
    pub records: Asked<TLSA>,
    pub signed: Signed,
}

impl Pins {
    /// Asks for a host's records, and whether they are signed if there are any.
    pub async fn of(asker: &Asker, host: &str, port: u16) -> Self {
        let name = name(host, port);
        let records = asker.tlsa(&name).await;
        let any = records.as_ref().is_ok_and(|found| !found.records().is_empty());
        Self {
            host: host.to_owned(),
            records,
            signed: if any {
                asker.signed(&name, RecordType::TLSA).await
            } else {
                Signed::Untold
            },
        }
    }
}

/// Whether a chain fits the records; `None` if SMTP can use none of them (RFC 7672 section 3.1.3: usages 2 and 3 only).
fn fits(records: &[TLSA], chain: &[Vec<u8>]) -> Option<bool> {
    let usable = records.iter().filter(|tlsa| {
        matches!(u8::from(tlsa.cert_usage), 2 | 3)
            && u8::from(tlsa.selector) <= 1
            && u8::from(tlsa.matching) <= 2
            && !tlsa.cert_data.is_empty()
    });
    let mut any = None;
    for tlsa in usable {
        let candidates = if u8::from(tlsa.cert_usage) == 3 {
            chain.get(..1)
        } else {
            Some(chain)
        };
        let fitting = candidates
            .unwrap_or_default()
            .iter()
            .any(|certificate| is_pinned(tlsa, certificate));
        any = Some(any == Some(true) || fitting);
    }
    any
}

fn is_pinned(tlsa: &TLSA, certificate: &[u8]) -> bool {
    let content = match u8::from(tlsa.selector) {
        0 => certificate,
        _ => match X509Certificate::from_der(certificate) {
            Ok((_, parsed)) => parsed.tbs_certificate.subject_pki.raw,
            Err(_) => return false,
        },
    };
    match u8::from(tlsa.matching) {
        0 => content == tlsa.cert_data,
        1 => digest(&SHA256, content).as_ref() == tlsa.cert_data,
        _ => digest(&SHA512, content).as_ref() == tlsa.cert_data,
    }
}

/// What follows for a domain. `mx` says whether its MX records are signed; `shown`, what each host showed, in the order of `pins`.
pub(super) fn judge(domain: &str, mx: Signed, pins: &[Pins], shown: &[&Shown]) -> Vec<Judgement> {
    let mut judged = Vec::new();
    let (mut fitting, mut unpinned) = (Vec::new(), Vec::new());
    for (pins, shown) in pins.iter().zip(shown) {
        let host = pins.host.as_str();
        let records = match &pins.records {
            Err(trouble) => {
                judged.push(Judgement::unknown(format!(
                    "DANE at {host}, an MX of {domain}, is not known: {trouble}"
                )));
                continue;
            }
            Ok(found) if found.records().is_empty() => {
                unpinned.push(host);
                continue;
            }
            Ok(found) => found.records(),
        };
        // Unsigned records count for nobody, whatever they say.
        if pins.signed == Signed::No {
            judged.push(Judgement::doubtful(
                format!("{host}, an MX of {domain}, has TLSA records, but its zone is not signed: senders ignore them"),
                "sign the zone with DNSSEC, or remove the records",
            ));
            continue;
        }
        let untold = if pins.signed == Signed::Untold || mx == Signed::Untold {
            "; whether the DNS is signed cannot be told from here"
        } else {
            ""
        };
        match shown {
            Shown::Tls(handshake) => match fits(records, &handshake.chain) {
                None => judged.push(Judgement::doubtful(
                    format!("no TLSA record of {host}, an MX of {domain}, is of a kind that counts for mail (usage 2 or 3)"),
                    "publish one with usage 3, selector 1, SHA-256 (`3 1 1`)",
                )),
                Some(false) => judged.push(Judgement::doubtful(
                    format!("the certificate of {host}, an MX of {domain}, is none that its TLSA records pin: senders that use DANE deliver nothing there{untold}"),
                    "publish the TLSA record of the present certificate; before the next change, publish that one's too",
                )),
                Some(true) if untold.is_empty() => fitting.push(host),
                Some(true) => judged.push(Judgement::unknown(format!("the certificate of {host} is the one that its TLSA records pin{untold}"))),
            },
            Shown::Clear | Shown::Failed(_) => judged.push(Judgement::doubtful(
                format!("{host}, an MX of {domain}, has TLSA records, but no TLS comes to stand: senders that use DANE deliver nothing there{untold}"),
                format!("mend STARTTLS at {host}, or remove its TLSA records"),
            )),
            Shown::Unreachable(_) => judged.push(Judgement::unknown(format!(
                "{host}, an MX of {domain}, has TLSA records; its certificate could not be seen"
            ))),
        }
    }
    if !fitting.is_empty() {
        judged.insert(
            0,
            match mx {
                Signed::No => Judgement::doubtful(
                    format!(
                        "the certificates of {} are pinned (DANE), but the MX of {domain} is not signed: senders may ignore them",
                        listed(&fitting)
                    ),
                    format!("sign the zone of {domain} with DNSSEC"),
                ),
                Signed::Yes | Signed::Untold => {
                    Judgement::right(format!("the certificates of {} are those that DANE pins", listed(&fitting)))
                }
            },
        );
    } else if judged.is_empty() && !unpinned.is_empty() {
        judged.push(Judgement::right(format!("{domain} does not use DANE")));
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::FactState::{Doubtful, Right, Unknown},
        posture::{asker::Found, starttls::Handshake},
    };
    use hickory_resolver::proto::rr::rdata::tlsa::{CertUsage, Matching, Selector};
    use rcgen::{CertificateParams, KeyPair, PublicKeyData};

    fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> TLSA {
        TLSA::new(
            CertUsage::from(usage),
            Selector::from(selector),
            Matching::from(matching),
            data.to_vec(),
        )
    }

    #[test]
    fn certificates_are_matched_as_the_record_says() {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["mx.d".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap()
            .der()
            .to_vec();
        let ca = b"some other certificate".to_vec();
        let chain = [leaf.clone(), ca.clone()];
        let spki = key.subject_public_key_info();
        let sha256 = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().to_vec();
        let sha512 = |bytes: &[u8]| digest(&SHA512, bytes).as_ref().to_vec();
        let table = [
            (vec![tlsa(3, 1, 1, &sha256(&spki))], Some(true)),
            (vec![tlsa(3, 0, 1, &sha256(&leaf))], Some(true)),
            (vec![tlsa(3, 0, 2, &sha512(&leaf))], Some(true)),
            (vec![tlsa(3, 0, 0, &leaf)], Some(true)),
            (vec![tlsa(3, 1, 0, &spki)], Some(true)),
            (vec![tlsa(3, 1, 1, &sha256(&leaf))], Some(false)),
            (vec![tlsa(3, 0, 1, &sha256(&ca))], Some(false)),
            (vec![tlsa(2, 0, 1, &sha256(&ca))], Some(true)),
            (vec![tlsa(3, 1, 1, &[0; 32]), tlsa(3, 1, 1, &sha256(&spki))], Some(true)),
            (vec![tlsa(1, 1, 1, &sha256(&spki))], None),
            (vec![tlsa(3, 1, 9, &sha256(&spki))], None),
        ];
        for (records, fitting) in table {
            assert_eq!(fits(&records, &chain), fitting, "{records:?}");
        }
        assert_eq!(fits(&[tlsa(3, 0, 0, b"x")], &[]), Some(false));
    }

    #[test]
    fn hosts_are_judged() {
        let tls = Shown::Tls(Handshake {
            version: "TLSv1.3".to_owned(),
            oldest: None,
            certificate: Ok(()),
            expires: None,
            chain: vec![b"certificate".to_vec()],
        });
        let pins = |records: &[TLSA], signed| Pins {
            host: "h".to_owned(),
            records: Ok(if records.is_empty() {
                Found::NoSuchName
            } else {
                Found::Records(records.to_vec())
            }),
            signed,
        };
        let good = [tlsa(3, 0, 0, b"certificate")];
        let bad = [tlsa(3, 0, 0, b"another")];
        let useless = [tlsa(0, 0, 0, b"certificate")];
        let away = Shown::Unreachable("no connection".to_owned());
        let failing = Pins {
            records: Err("no answer".to_owned()),
            ..pins(&[], Signed::Untold)
        };
        let table = [
            (Signed::Untold, pins(&[], Signed::Untold), &tls, Right, "d does not use DANE"),
            (
                Signed::Yes,
                pins(&good, Signed::Yes),
                &tls,
                Right,
                "the certificates of h are those that DANE pins",
            ),
            (
                Signed::No,
                pins(&good, Signed::Yes),
                &tls,
                Doubtful,
                "the certificates of h are pinned (DANE), but the MX of d is not signed: senders may ignore them",
            ),
            (
                Signed::Yes,
                pins(&good, Signed::No),
                &tls,
                Doubtful,
                "h, an MX of d, has TLSA records, but its zone is not signed: senders ignore them",
            ),
            (
                Signed::Yes,
                pins(&good, Signed::Untold),
                &tls,
                Unknown,
                "the certificate of h is the one that its TLSA records pin; whether the DNS is signed cannot be told from here",
            ),
            (
                Signed::Yes,
                pins(&bad, Signed::Yes),
                &tls,
                Doubtful,
                "the certificate of h, an MX of d, is none that its TLSA records pin: senders that use DANE deliver nothing there",
            ),
            (
                Signed::Yes,
                pins(&useless, Signed::Yes),
                &tls,
                Doubtful,
                "no TLSA record of h, an MX of d, is of a kind that counts for mail (usage 2 or 3)",
            ),
            (
                Signed::Yes,
                pins(&good, Signed::Yes),
                &Shown::Clear,
                Doubtful,
                "h, an MX of d, has TLSA records, but no TLS comes to stand: senders that use DANE deliver nothing there",
            ),
            (
                Signed::Yes,
                pins(&good, Signed::Yes),
                &away,
                Unknown,
                "h, an MX of d, has TLSA records; its certificate could not be seen",
            ),
            (
                Signed::Yes,
                failing,
                &tls,
                Unknown,
                "DANE at h, an MX of d, is not known: no answer",
            ),
        ];
        for (mx, pins, shown, state, said) in table {
            let judged = judge("d", mx, &[pins], &[shown]);
            assert_eq!(judged.len(), 1, "{said}");
            assert_eq!((judged[0].state, judged[0].said.as_str()), (state, said));
        }
        assert_eq!(judge("d", Signed::Yes, &[], &[]), []);
    }
}
