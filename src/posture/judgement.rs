//! What a check comes to, before it is known as a fact of a domain; and the words that the checks share.

use crate::model::{CheckKind, DomainFact, FactState};
use std::net::IpAddr;

/// So many names are shown of a longer list.
const SHOWN: usize = 4;
/// So much is shown of a text that a stranger wrote.
const QUOTED: usize = 120;

/// What a check comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    pub state: FactState,
    pub said: String,
    pub step: Option<String>,
}

impl Judgement {
    /// As it should be.
    pub fn right(said: impl Into<String>) -> Self {
        Self {
            state: FactState::Right,
            said: said.into(),
            step: None,
        }
    }

    /// It could not be told.
    pub fn unknown(said: impl Into<String>) -> Self {
        Self {
            state: FactState::Unknown,
            ..Self::right(said)
        }
    }

    /// Somebody should look at it, and do this.
    pub fn doubtful(said: impl Into<String>, step: impl Into<String>) -> Self {
        Self {
            state: FactState::Doubtful,
            step: Some(step.into()),
            ..Self::right(said)
        }
    }

    /// Mail does not get through, or bounces do not come back; this mends it.
    pub fn wrong(said: impl Into<String>, step: impl Into<String>) -> Self {
        Self {
            state: FactState::Wrong,
            ..Self::doubtful(said, step)
        }
    }

    /// Wrong if `grave`, else doubtful.
    pub fn faulty(grave: bool, said: impl Into<String>, step: impl Into<String>) -> Self {
        if grave {
            Self::wrong(said, step)
        } else {
            Self::doubtful(said, step)
        }
    }

    /// With something to do.
    pub fn with_step(self, step: impl Into<String>) -> Self {
        Self {
            step: Some(step.into()),
            ..self
        }
    }

    /// The fact of a domain.
    pub fn of(self, domain: &str, check: CheckKind) -> DomainFact {
        DomainFact {
            domain: domain.to_owned(),
            check,
            state: self.state,
            said: self.said,
            step: self.step,
        }
    }
}

/// A list in words, shortened: `a, b, c, d and 3 more`.
pub(super) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().map(AsRef::as_ref).take(SHOWN).collect();
    match (names.len() - shown.len(), shown.split_last()) {
        (0, Some((last, []))) => (*last).to_owned(),
        (0, Some((last, others))) => format!("{} and {last}", others.join(", ")),
        (0, None) => "nothing".to_owned(),
        (more, _) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A stranger's text, as readable text of bounded length.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..QUOTED * 4).unwrap_or(bytes)).into_owned();
    let mut shown: String = text.chars().take(QUOTED).flat_map(char::escape_default).collect();
    if text.chars().count() > QUOTED {
        shown.push('…');
    }
    shown
}

/// The TXT records that begin with this version tag (`v=…`), with or without anything after it. Upper and lower case are one.
pub(super) fn of_version<'a>(records: &'a [Vec<u8>], version: &str) -> Vec<&'a [u8]> {
    let is_of = |record: &&Vec<u8>| {
        let (start, rest) = record.split_at_checked(version.len()).unwrap_or((&[], &[]));
        start.eq_ignore_ascii_case(version.as_bytes()) && rest.first().is_none_or(|byte| b" ;\t".contains(byte))
    };
    records.iter().filter(is_of).map(Vec::as_slice).collect()
}

/// Whether an address is one of the Internet: neither private, nor of this machine or link, nor of a carrier's NAT, nor of a group.
pub(super) fn is_global(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let carrier = a == 100 && (64..128).contains(&b);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || v4.is_broadcast()
                || carrier)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_quotations_are_short() {
        assert_eq!(listed::<&str>(&[]), "nothing");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
        assert_eq!(listed(&["a", "b", "c", "d", "e", "f"]), "a, b, c, d and 2 more");
        assert_eq!(quoted(b"v=\x1b[31m"), "v=\\u{1b}[31m");
        assert_eq!(quoted(&[b'x'; 4000]).chars().count(), QUOTED + 1);
    }

    #[test]
    fn records_are_known_by_their_version() {
        let records: Vec<Vec<u8>> = ["v=spf1", "V=SPF1 -all", "v=spf10 -all", "v=spf", "x v=spf1"]
            .map(|text| text.as_bytes().to_vec())
            .into();
        assert_eq!(of_version(&records, "v=spf1"), [b"v=spf1".as_slice(), b"V=SPF1 -all"]);
    }

    #[test]
    fn addresses_behind_nat_are_known() {
        for (address, global) in [
            ("192.168.1.1", false),
            ("10.0.0.1", false),
            ("172.31.0.1", false),
            ("172.32.0.1", true),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("::1", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("::ffff:10.0.0.1", false),
            ("2001:db8::1", true),
            ("192.0.2.1", true),
        ] {
            assert_eq!(is_global(address.parse().unwrap()), global, "{address}");
        }
    }
}
