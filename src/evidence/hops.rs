//! The way of a copy, from its `Received` fields (RFC 5321 section 4.4): who took it from whom, how, and when.
//!
//! Every field is what its host says of itself and its peer, and no two products say it alike. What is read is therefore what stands outside of
//! comments by the grammar, and in comments only what is known to be written there. What it cannot see: hosts that add no field, fields that a host
//! took off, and whether a host says the truth. mail-parser's reader of this field takes words in comments for clauses (`(Postfix, from userid 0)`,
//! `(qmail 7 invoked from network)`) and keeps no protocol that it does not know, so that only its reader of dates is used.

mod clauses;
mod peer;
mod protection;
#[cfg(test)]
mod tests;

use super::{decode, mime::Header, shorten};
use crate::model::{Encryption, Hop, Time};
use chrono::{DateTime, Datelike};
use clauses::Clauses;
use mail_parser::{HeaderValue, parsers::MessageStream};

/// The most hops that are kept: servers give a message up as looping after 25 to 100.
const MOST_HOPS: usize = 50;
/// How many of the oldest are kept of a chain that is longer; then one that stands for those left out, then the newest.
const OLDEST_KEPT: usize = 24;
/// The longest field that is read, in octets.
const LONGEST_FIELD: usize = 4 * 1024;
/// The longest name that is kept (RFC 1035 section 2.3.4), in characters.
const LONGEST_NAME: usize = 255;
/// The longest words of a product that are kept, in characters.
const LONGEST_WORDS: usize = 60;

/// The hops, the first that took it first. Of more than fifty the first 24 and the last 25 are kept, and between them one that says how many are
/// left out. Fields that [`Header`] does not read because there are too many of them are not counted.
pub(super) fn read(header: &Header) -> Vec<Hop> {
    // A message grows at the top.
    let fields: Vec<&[u8]> = header.all("Received").map(|field| field.raw).collect();
    let count = fields.len();
    let (left_out, newest) = if count > MOST_HOPS {
        let newest = MOST_HOPS - OLDEST_KEPT - 1;
        (count - OLDEST_KEPT - newest, newest)
    } else {
        (0, count)
    };
    let mut hops: Vec<Hop> = Vec::with_capacity(count.min(MOST_HOPS));
    for (place, raw) in fields.into_iter().enumerate() {
        if place < newest || place >= newest + left_out {
            hops.push(hop(raw));
        } else if place == newest {
            hops.push(Hop {
                protocol: Some(format!("{left_out} hops left out")),
                ..Hop::default()
            });
        }
    }
    hops.reverse();
    hops
}

fn hop(raw: &[u8]) -> Hop {
    let text = String::from_utf8_lossy(raw.get(..LONGEST_FIELD).unwrap_or(raw)).into_owned();
    let clauses = Clauses::read(&text);
    let peer = peer::from(&clauses);
    let by = peer::by(&clauses);
    let (tls, cipher, is_tls) = protection::stated(&clauses);
    let encryption = if is_tls || tls.is_some() || cipher.is_some() {
        Encryption::Tls
    } else {
        protection::by_protocol(&clauses, &peer, by.as_deref())
    };
    let shown = |text: String| shorten(&text, LONGEST_NAME);
    Hop {
        from: peer.name.map(shown),
        address: peer.address.map(|address| address.to_string()),
        by: by.map(shown),
        protocol: protection::protocol(&clauses).map(|words| shorten(&words, LONGEST_WORDS)),
        tls,
        cipher: cipher.map(|cipher| shorten(&cipher, LONGEST_WORDS)),
        encryption,
        at: clauses.date.and_then(at),
    }
}

/// The time of a date (RFC 5322 section 3.3), with a wrong day of the week as well, in years of four digits. One without a zone is none: to take it
/// for UTC would make a wrong clock of it.
fn at(date: &str) -> Option<Time> {
    let strictly = DateTime::parse_from_rfc2822(date.trim()).ok().map(|time| time.to_utc());
    let generously = || {
        let date = decode::bounded(date.as_bytes());
        let HeaderValue::DateTime(date) = MessageStream::new(&date).parse_date() else {
            return None;
        };
        date.is_valid().then(|| Time::from_timestamp(date.to_timestamp(), 0)).flatten()
    };
    strictly.or_else(generously).filter(|time| (1970..=9999).contains(&time.year()))
}
