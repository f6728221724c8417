//! Whether the key of a domain's signatures is published (RFC 6376 section 3.6.1).
//!
//! What it cannot see: whether it is the key that signs; a signed probe that arrives shows that.

use super::{
    asker::{Asked, Found},
    judgement::{Judgement, quoted},
};
use mail_auth::{
    Error,
    common::{parse::TxtRecordParser, verify::DomainKey},
    dkim::DkimError,
};

/// RFC 8301 section 3.2: verifiers must not take fewer bits, and signers should use 2048.
const LEAST_BITS: usize = 1024;
const GOOD_BITS: usize = 2048;

/// The name at which the key is.
pub(super) fn name(domain: &str, selector: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

/// What follows from the TXT records there.
pub(super) fn judge(domain: &str, selector: &str, answer: &Asked<Vec<u8>>) -> Judgement {
    let name = name(domain, selector);
    let found = match answer {
        Err(trouble) => return Judgement::unknown(format!("the DKIM key {name} is not known: {trouble}")),
        Ok(found) => found,
    };
    let record = match found {
        Found::Records(records) => match records.as_slice() {
            [record] => record,
            several => {
                return Judgement::doubtful(
                    format!("{name} has {} TXT records: which one counts is up to the verifier", several.len()),
                    "leave only the one with the key",
                );
            }
        },
        Found::None | Found::NoSuchName => {
            return Judgement::wrong(
                format!("there is no DKIM key at {name}: signatures with it fail"),
                format!("publish the public key as a TXT record at {name}, or sign with another selector"),
            );
        }
    };
    let key = match DomainKey::parse(record) {
        Ok(key) => key,
        Err(Error::Dkim(DkimError::RevokedPublicKey)) => {
            return Judgement::wrong(
                format!("the DKIM key at {name} is revoked (an empty p=): signatures with it fail"),
                "sign with a selector whose key is published",
            );
        }
        Err(_) => {
            return Judgement::wrong(
                format!("the DKIM key at {name} cannot be read: {}", quoted(record)),
                "publish it as `v=DKIM1; k=rsa; p=BASE64`, in one TXT record",
            );
        }
    };
    if let Some(services) = tag(record, "s").filter(|services| !services.split(':').any(|service| ["*", "email"].contains(&service.trim())))
    {
        return Judgement::wrong(
            format!("the DKIM key at {name} is not for mail (s={})", quoted(services.as_bytes())),
            "remove its tag `s`, or set it to `email`",
        );
    }
    let bits = key.p.public_key_bits();
    if bits < LEAST_BITS {
        return Judgement::wrong(
            format!("the DKIM key at {name} has {bits} bits: verifiers take none below {LEAST_BITS}"),
            format!("make a key of {GOOD_BITS} bits"),
        );
    }
    if tag(record, "t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y")) {
        return Judgement::doubtful(
            format!("the DKIM key at {name} is marked as a test (t=y): verifiers may treat its mail as unsigned"),
            "remove the flag `y` when the test is over",
        );
    }
    if bits < GOOD_BITS {
        return Judgement::doubtful(
            format!("the DKIM key at {name} has {bits} bits, fewer than the {GOOD_BITS} that RFC 8301 asks for"),
            format!("make a key of {GOOD_BITS} bits at a new selector"),
        );
    }
    Judgement::right(format!("the DKIM key at {name} is published"))
}

/// The value of a tag, if the record has it.
fn tag(record: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(record).into_owned();
    text.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FactState::{Doubtful, Right, Unknown, Wrong};
    use data_encoding::BASE64;

    /// The SubjectPublicKeyInfo of an RSA key with so many bits, as good as any for reading.
    fn rsa(bits: usize) -> String {
        let length = |length: usize| match length {
            0..128 => vec![u8::try_from(length).unwrap()],
            128..256 => vec![0x81, u8::try_from(length).unwrap()],
            _ => vec![0x82, u8::try_from(length >> 8).unwrap(), u8::try_from(length & 0xff).unwrap()],
        };
        let wrap = |tag: u8, content: &[u8]| [vec![tag], length(content.len()), content.to_vec()].concat();
        let modulus = wrap(2, &[vec![0], vec![0xc5; bits / 8]].concat());
        let key = wrap(0x30, &[modulus, wrap(2, &[1, 0, 1])].concat());
        let algorithm = wrap(0x30, &[6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0]);
        BASE64.encode(&wrap(0x30, &[algorithm, wrap(3, &[vec![0], key].concat())].concat()))
    }

    #[test]
    fn keys_are_judged() {
        let txt = |records: &[String]| Ok(Found::Records(records.iter().map(|text| text.clone().into_bytes()).collect()));
        let one = |text: &str| txt(&[text.to_owned()]);
        let ed25519 = format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(&[7; 32]));
        let table = [
            (
                one(&format!("v=DKIM1; k=rsa; p={}", rsa(2048))),
                Right,
                "the DKIM key at s._domainkey.d is published",
            ),
            (
                one(&format!("p={}", rsa(2048))),
                Right,
                "the DKIM key at s._domainkey.d is published",
            ),
            (one(&ed25519), Right, "the DKIM key at s._domainkey.d is published"),
            (
                one(&format!("v=DKIM1; p={}", rsa(1024))),
                Doubtful,
                "the DKIM key at s._domainkey.d has 1024 bits, fewer than the 2048 that RFC 8301 asks for",
            ),
            (
                one(&format!("v=DKIM1; p={}", rsa(512))),
                Wrong,
                "the DKIM key at s._domainkey.d has 512 bits: verifiers take none below 1024",
            ),
            (
                one(&format!("v=DKIM1; t=s:y; p={}", rsa(2048))),
                Doubtful,
                "the DKIM key at s._domainkey.d is marked as a test (t=y): verifiers may treat its mail as unsigned",
            ),
            (
                one(&format!("v=DKIM1; s=tlsrpt; p={}", rsa(2048))),
                Wrong,
                "the DKIM key at s._domainkey.d is not for mail (s=tlsrpt)",
            ),
            (
                one("v=DKIM1; p="),
                Wrong,
                "the DKIM key at s._domainkey.d is revoked (an empty p=): signatures with it fail",
            ),
            (
                one("v=spf1 -all"),
                Wrong,
                "the DKIM key at s._domainkey.d cannot be read: v=spf1 -all",
            ),
            (
                txt(&["p=".to_owned(), ed25519.clone()]),
                Doubtful,
                "s._domainkey.d has 2 TXT records: which one counts is up to the verifier",
            ),
            (
                Ok(Found::NoSuchName),
                Wrong,
                "there is no DKIM key at s._domainkey.d: signatures with it fail",
            ),
            (
                Ok(Found::None),
                Wrong,
                "there is no DKIM key at s._domainkey.d: signatures with it fail",
            ),
            (
                Err("no answer".to_owned()),
                Unknown,
                "the DKIM key s._domainkey.d is not known: no answer",
            ),
        ];
        for (answer, state, said) in table {
            let judged = judge("d", "s", &answer);
            assert_eq!((judged.state, judged.said.as_str()), (state, said));
        }
    }
}
