//! How a hop was protected: the protocol's name (RFC 3848, RFC 6531), and the remarks of many products on TLS.
//!
//! A hop is called clear only where its protocol's name says so and its product is one that would have said otherwise: silence is no evidence.

use super::clauses::{Clauses, Part};
use super::peer::{self, Peer};
use crate::model::Encryption;

/// Names that mean TLS.
const WITH_TLS: [&str; 13] = [
    "ESMTPS",
    "ESMTPSA",
    "SMTPS",
    "SMTPSA",
    "LMTPS",
    "LMTPSA",
    "UTF8SMTPS",
    "UTF8SMTPSA",
    "UTF8LMTPS",
    "UTF8LMTPSA",
    "HTTPS",
    "IMAPS",
    "POP3S",
];
/// Names that mean none, where a product keeps to RFC 3848.
const WITHOUT_TLS: [&str; 4] = ["ESMTP", "ESMTPA", "UTF8SMTP", "UTF8SMTPA"];
/// Names of ways inside a host, or from a host to its store.
const WITHIN: [&str; 7] = ["LMTP", "LMTPA", "UTF8LMTP", "UTF8LMTPA", "MAPI", "PIPE", "STDIO"];

/// What is written of TLS: its version, its cipher suite, and whether TLS is named at all.
pub(super) fn stated(clauses: &Clauses) -> (Option<String>, Option<String>, bool) {
    let (mut tls, mut cipher, mut is_tls) = (None, None, false);
    // `ESMTP/TLS/CIPHER` is Cisco's.
    if let Some(mut rest) = clauses.with.iter().find_map(Part::word).map(|word| word.split('/').skip(1))
        && rest.next().is_some_and(|second| second.eq_ignore_ascii_case("TLS"))
    {
        is_tls = true;
        cipher = rest.next().filter(|suite| is_suite(suite)).map(str::to_owned);
    }
    let mut before = "";
    let words = clauses
        .remarks()
        .flat_map(|remark| remark.split([' ', '\t', '\r', '\n', ',', '(', ')']));
    for word in words.filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').unwrap_or(("", word));
        let key = if key.is_empty() { before } else { key };
        let denied = ["no", "not", "without"].iter().any(|no| no.eq_ignore_ascii_case(before));
        let mut pieces = value.split(':');
        let first = pieces.next().unwrap_or_default();
        if let Some(version) = version(first).filter(|_| !denied) {
            tls.get_or_insert(version);
            // `TLSv1.3:TLS_AES_256_GCM_SHA384:256`, of Exim and OpenSMTPD.
            if let Some(suite) = pieces.next().filter(|suite| is_suite(suite)) {
                cipher.get_or_insert_with(|| suite.to_owned());
            }
        } else if ["cipher", "tls"].iter().any(|known| key.eq_ignore_ascii_case(known)) && is_suite(value) {
            cipher.get_or_insert_with(|| value.to_owned());
        } else if value.eq_ignore_ascii_case("encrypted") && is_suite(before) {
            cipher.get_or_insert_with(|| before.to_owned());
        } else if ["TLS", "STARTTLS"].iter().any(|known| value.eq_ignore_ascii_case(known)) && !denied {
            is_tls = true;
        }
        before = value;
    }
    (tls, cipher, is_tls)
}

/// `TLSv1.3` and the like, from any of `TLS1_3`, `TLS1.3`, `tlsv1_3`. The `TLSv1/SSLv3` of old OpenSSL names a family and no version; it stays.
fn version(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    if lower == "tlsv1/sslv3" {
        return Some("TLSv1/SSLv3".to_owned());
    }
    if let Some(number) = lower.strip_prefix("ssl") {
        let number = number.trim_start_matches('v');
        return matches!(number, "2" | "3").then(|| format!("SSLv{number}"));
    }
    let number = lower.strip_prefix("tls")?.trim_start_matches(['v', '_']).replace('_', ".");
    match number.as_str() {
        "1" | "1.0" => Some("TLSv1.0".to_owned()),
        "1.1" | "1.2" | "1.3" => Some(format!("TLSv{number}")),
        _ => None,
    }
}

/// Whether it looks like the name of a cipher suite.
fn is_suite(word: &str) -> bool {
    word.len() >= 6
        && word.contains(['-', '_'])
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The protocol's name in capitals where it is one of the standards', else the product's words.
pub(super) fn protocol(clauses: &Clauses) -> Option<String> {
    let stops = |word: &&str| !word.eq_ignore_ascii_case("tls") && !word.contains('=');
    let words: Vec<&str> = clauses
        .with
        .iter()
        .skip_while(|part| part.word().is_none())
        .map_while(Part::word)
        .take_while(stops)
        .collect();
    let Some(first) = words.first() else {
        let said = clauses.before.iter().find_map(Part::comment)?;
        return Some(said.split_whitespace().collect::<Vec<_>>().join(" "));
    };
    // `envelope-from` and whatever else follows a name of the standards is no part of it.
    Some(keyword(first).unwrap_or_else(|| words.join(" ")))
}

/// The name in capitals, if it is one of the standards'.
fn keyword(word: &str) -> Option<String> {
    let name = word.split('/').next()?.to_ascii_uppercase();
    let known =
        name == "SMTP" || WITH_TLS.contains(&name.as_str()) || WITHOUT_TLS.contains(&name.as_str()) || WITHIN[..4].contains(&name.as_str());
    known.then_some(name)
}

/// What the protocol's name and the peer tell, where nothing is said of TLS.
pub(super) fn by_protocol(clauses: &Clauses, peer: &Peer, by: Option<&str>) -> Encryption {
    let first = clauses.with.iter().find_map(Part::word).unwrap_or_default();
    let name = first.split('/').next().unwrap_or_default().to_ascii_uppercase();
    if WITH_TLS.contains(&name.as_str()) {
        return Encryption::Tls;
    }
    if WITHIN.contains(&name.as_str()) || name.starts_with("LOCAL") || is_within(clauses, peer, by) {
        return Encryption::Local;
    }
    let products = || clauses.by.iter().chain(&clauses.with).filter_map(Part::comment);
    let is_by = |known: &[&str]| products().any(|said| known.iter().any(|product| said.contains(product)));
    let vague = is_by(&["Domino"]) || by.is_some_and(|by| by.to_ascii_lowercase().ends_with(".amazonaws.com"));
    // Hardly anybody speaks SMTP without extensions any more: who writes so writes it of every session, unless it is known to be exact.
    let is_exact = is_by(&["Postfix", "Exim", "Sendmail", "OpenSMTPD", "Haraka"]) || products().any(is_sendmail);
    let is_clear = WITHOUT_TLS.contains(&name.as_str()) && !vague || name == "SMTP" && is_exact;
    if is_clear { Encryption::Clear } else { Encryption::Unsaid }
}

/// Sendmail writes the versions of its program and of its configuration: `8.17.1/8.17.1`.
fn is_sendmail(comment: &str) -> bool {
    comment
        .split_once('/')
        .is_some_and(|(program, _)| program.starts_with("8.") && program.len() <= 12)
}

/// Whether the message stayed on its host, or among the machines of one service.
fn is_within(clauses: &Clauses, peer: &Peer, by: Option<&str>) -> bool {
    let same_name = peer.name.as_deref().zip(by).is_some_and(|(from, by)| from.eq_ignore_ascii_case(by));
    let same_address = peer.address.is_some() && peer.address == peer::address_of_by(clauses);
    let looped =
        peer.address.is_some_and(peer::is_loopback) || peer.address.is_none() && peer.name.as_deref().is_some_and(peer::is_local_name);
    let to_store = clauses.via.iter().filter_map(Part::word).eq(["Mailbox", "Transport"]);
    // Who names no peer and no protocol tells of a pick-up, or of a step between its own programs.
    let picked_up = !peer.stated && clauses.with.is_empty();
    let inside_google = peer.address.is_none() && by.is_some_and(peer::is_inside_google);
    same_name || same_address || looped || to_store || picked_up || inside_google
}
