//! Names and addresses in a `Received` field: the peer's own name, the one that was found for its address, the address, and the host that wrote it.

use super::clauses::{Clauses, Part};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Who handed the message over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Peer {
    pub name: Option<String>,
    pub address: Option<IpAddr>,
    /// Whether the field says anything of a peer.
    pub stated: bool,
}

/// Words that stand where a name is not known.
const NO_NAMES: [&str; 4] = ["unknown", "localhost", "localhost.localdomain", "unverified"];

/// The peer: its name as it gave it, or the one that was found for its address where it gave none that names it.
pub(super) fn from(clauses: &Clauses) -> Peer {
    let mut given: Option<&str> = None;
    let mut found: Option<&str> = None;
    let mut address = None;
    let mut introduced = false;
    for (place, part) in clauses.from.iter().enumerate() {
        let (text, is_comment) = match part {
            Part::Word(word) => (*word, false),
            Part::Comment(comment) => (*comment, true),
        };
        for word in text.split(|character: char| character.is_whitespace() || matches!(character, '(' | ')' | ',')) {
            let greeting = greeting(word);
            if let Some(name) = greeting {
                introduced = name.is_empty();
                given = (!name.is_empty()).then_some(name).or(given);
            } else if let Some(of_peer) = parse_address(word) {
                address.get_or_insert(of_peer);
                introduced = false;
            } else if introduced {
                given = Some(word);
                introduced = false;
            } else if place == 0 && !is_comment && given.is_none() {
                given = Some(word);
            } else if is_comment && found.is_none() && is_domain(word) {
                found = Some(word);
            }
        }
    }
    let names_it = |name: &&str| !NO_NAMES.iter().any(|none| none.eq_ignore_ascii_case(name)) && parse_address(name).is_none();
    let name = given
        .filter(names_it)
        .or_else(|| found.filter(names_it))
        .or_else(|| given.or(found).filter(|name| is_local_name(name)))
        .map(|name| name.trim_end_matches('.').to_owned())
        .filter(|name| !name.is_empty());
    Peer {
        name,
        address,
        stated: !clauses.from.is_empty(),
    }
}

/// The host that wrote the field. Where it calls itself localhost, the name that it gives its address.
pub(super) fn by(clauses: &Clauses) -> Option<String> {
    let word = clauses.by.iter().find_map(Part::word)?;
    let named = if is_local_name(word) {
        let comments = clauses.by.iter().filter_map(Part::comment);
        comments
            .flat_map(str::split_whitespace)
            .find(|word| is_domain(word))
            .unwrap_or(word)
    } else {
        word
    };
    let shown = parse_address(named).map_or_else(|| named.trim_end_matches('.').to_owned(), |address| address.to_string());
    (!shown.is_empty()).then_some(shown)
}

/// The address of the host that wrote the field, where it states it beside its name.
pub(super) fn address_of_by(clauses: &Clauses) -> Option<IpAddr> {
    let parts = clauses.by.iter().map(|part| match part {
        Part::Word(text) | Part::Comment(text) => *text,
    });
    parts.flat_map(str::split_whitespace).find_map(parse_address)
}

/// What follows `HELO`, `helo=` and the like; empty where it is the next word.
fn greeting(word: &str) -> Option<&str> {
    let verb = word.get(..4)?;
    let verbs = ["helo", "ehlo", "lhlo"];
    if !verbs.iter().any(|known| verb.eq_ignore_ascii_case(known)) {
        return None;
    }
    match word.get(4..)? {
        "" => Some(""),
        rest => rest.strip_prefix('=').map(|name| name.trim_matches(|c| matches!(c, '[' | ']'))),
    }
}

/// An address as products write it: bare, in brackets, with `IPv6:` before it, a port or a zone behind it, or `user@` before it.
pub(super) fn parse_address(word: &str) -> Option<IpAddr> {
    let word = word.rsplit_once('@').map_or(word, |(_, address)| address);
    let inside = word
        .split_once('[')
        .and_then(|(before, rest)| before.is_empty().then_some(rest)?.split_once(']'))
        .map_or(word, |(inside, _)| inside);
    let prefixed = inside.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("ipv6:"));
    let bare = if prefixed { inside.get(5..)? } else { inside };
    let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
    let address: IpAddr = bare
        .parse()
        .ok()
        .or_else(|| bare.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(address.to_canonical())
}

/// Whether it is this machine's own.
pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// Whether it is one of those that Google gives its machines among themselves: private IPv4 addresses in the form of 6to4 (RFC 3056).
pub(super) fn is_inside_google(name: &str) -> bool {
    let inside = |address: Ipv6Addr| address.segments()[0] == 0x2002 && address.segments()[1] >> 8 == 0x0a;
    matches!(parse_address(name), Some(IpAddr::V6(address)) if inside(address))
}

pub(super) fn is_local_name(name: &str) -> bool {
    ["localhost", "localhost.localdomain", "localhost6"]
        .iter()
        .any(|local| local.eq_ignore_ascii_case(name))
}

/// Whether it looks like a host's full name: labels and dots, and no number at the end (RFC 3696 section 2).
fn is_domain(word: &str) -> bool {
    let word = word.trim_end_matches('.');
    word.contains('.')
        && word.len() <= 255
        && word.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || !byte.is_ascii())
        })
        && word
            .rsplit('.')
            .next()
            .is_some_and(|top| !top.bytes().all(|byte| byte.is_ascii_digit()))
}
