//! What the spam and malware filters on the way wrote into the header: one file a product, each from fields to a [`Filter`].
//!
//! A field that we sent ourselves is no filter's word; every other one was added on the way, because only we are the sender. What it cannot see: a
//! filter that writes nothing (Gmail's placement, a quarantine that deletes), one that removes what others wrote, and whether a word is true.

mod amavis;
mod barracuda;
mod check_point;
mod cisco;
mod exchange_online;
mod fortimail;
mod google;
mod mimecast;
mod other;
mod place;
mod proofpoint;
mod rspamd;
mod sophos;
mod spamassassin;
mod symantec;
mod trend_micro;
mod words;

use super::{mime::Header, shorten};
use crate::model::{Filter, FilterName, FilterVerdict};
use place::Stretch;
use std::cmp::Reverse;
use words::Words;

/// The most filters that are reported of one header, and the most of one product in one stretch of it.
const MOST_FILTERS: usize = 32;
const MOST_TURNS: usize = 4;
/// The most rules of one filter.
const MOST_RULES: usize = 6;
/// The longest rule, host and clause, in characters.
const LONGEST_RULE: usize = 80;
const LONGEST_HOST: usize = 120;
const LONGEST_CLAUSE: usize = 300;

/// A product: which fields are its own, and what they say.
struct Family {
    /// Whether a field of this name, in lower case, is one of its own.
    owns: fn(&str) -> bool,
    /// What it says in the fields of one stretch of the way.
    read: fn(&Words) -> Option<Filter>,
    /// The fields of which it writes one each time that it runs, in lower case.
    heads: &'static [&'static str],
    /// The domains of its hosts, if it is a service.
    hosts: &'static [&'static str],
    /// Whether it speaks once, wherever in the header its fields stand.
    once: bool,
}

/// The products. Their order is without meaning: places in the header decide.
static FAMILIES: [Family; 14] = [
    exchange_online::FAMILY,
    rspamd::FAMILY,
    amavis::FAMILY,
    spamassassin::FAMILY,
    proofpoint::FAMILY,
    mimecast::FAMILY,
    barracuda::FAMILY,
    cisco::FAMILY,
    sophos::FAMILY,
    trend_micro::FAMILY,
    google::FAMILY,
    symantec::FAMILY,
    check_point::FAMILY,
    fortimail::FAMILY,
];

/// A filter with its place in the header.
struct Placed {
    filter: Filter,
    /// The hop that it belongs to, by its place in the header; unknown for what was appended without a name.
    hop: Option<usize>,
    /// Of its first field.
    place: usize,
    appended: bool,
}

/// What the filters on the way say, the first on the way first. `header` is that of the message that arrived, `sent` what we sent, if it is known.
pub(super) fn read(header: &Header, sent: Option<&Header>) -> Vec<Filter> {
    let mut stretches = place::stretches(header, sent);
    let mut found = Vec::new();
    let fields = stretches.iter().flat_map(|stretch| stretch.fields.iter().copied()).collect();
    let whole = Stretch {
        fields,
        hop: None,
        appended: true,
    };
    for family in FAMILIES.iter().filter(|family| family.once) {
        if let Some(filter) = (family.read)(&Words::new(&whole.fields, header, sent, 0)) {
            found.push(placed(filter, family, &whole, header, 0));
        }
    }
    for stretch in &mut stretches {
        stretch.fields.retain(|(_, field)| {
            !FAMILIES
                .iter()
                .any(|family| family.once && (family.owns)(&field.name.to_ascii_lowercase()))
        });
        let mut silent: Vec<&Family> = Vec::new();
        for family in FAMILIES.iter().filter(|family| !family.once) {
            let before = found.len();
            for turn in 0..MOST_TURNS {
                let words = Words::new(&stretch.fields, header, sent, turn);
                if turn > 0 && !family.heads.iter().any(|head| words.has(head)) {
                    break;
                }
                if let Some(filter) = (family.read)(&words) {
                    found.push(placed(filter, family, stretch, header, turn));
                }
            }
            if found.len() == before {
                silent.push(family);
            }
        }
        let spoke = |name: &str| {
            FAMILIES
                .iter()
                .any(|family| (family.owns)(name) && !silent.iter().any(|one| std::ptr::eq(*one, family)))
        };
        for (place, filter) in other::read(&stretch.fields, spoke) {
            let host = stretch.hop.and_then(|hop| place::host(&header.fields[hop]));
            let filter = bounded(Filter { host, ..filter });
            found.push(Placed {
                filter,
                hop: stretch.hop,
                place,
                appended: stretch.appended,
            });
        }
    }
    in_order(found)
}

/// The first on the way first: a header grows at its top, so the lowest hop is the earliest. What was appended grew downwards; there a filter
/// without a host is put behind the one above it.
fn in_order(mut found: Vec<Placed>) -> Vec<Filter> {
    found.sort_by_key(|one| (one.appended, one.place));
    let mut earlier = usize::MAX;
    for one in &mut found {
        if one.appended {
            earlier = *one.hop.get_or_insert(earlier);
        }
    }
    found.sort_by_key(|one| {
        let downwards = if one.appended { one.place } else { usize::MAX - one.place };
        (Reverse(one.hop.unwrap_or(usize::MAX)), one.appended, downwards)
    });
    found.into_iter().map(|one| one.filter).take(MOST_FILTERS).collect()
}

/// Finds the host that a filter ran on: in its own words, by the hop of its service, or by its place.
fn placed(filter: Filter, family: &Family, stretch: &Stretch, header: &Header, turn: usize) -> Placed {
    let own = stretch
        .fields
        .iter()
        .filter(|(_, field)| (family.owns)(&field.name.to_ascii_lowercase()));
    let head = stretch
        .fields
        .iter()
        .filter(|(_, field)| family.heads.iter().any(|head| field.name.eq_ignore_ascii_case(head)));
    let place = head.chain(own).map(|(place, _)| *place).nth(turn).unwrap_or_default();
    let (host, hop) = if let Some(host) = filter.host.clone() {
        let hop = place::hop_called(header, &host).or(stretch.hop);
        (Some(host), hop)
    } else if let Some(hop) = stretch.hop {
        (place::host(&header.fields[hop]), Some(hop))
    } else if let Some((hop, host)) = place::hop_within(header, family.hosts) {
        (Some(host), Some(hop))
    } else {
        (None, None)
    };
    let filter = bounded(Filter { host, ..filter });
    Placed {
        filter,
        hop,
        place,
        appended: stretch.appended,
    }
}

/// Nothing longer than a report can show.
fn bounded(mut filter: Filter) -> Filter {
    filter.host = filter.host.map(|host| shorten(&host, LONGEST_HOST)).filter(|host| !host.is_empty());
    filter.said = shorten(&filter.said, LONGEST_CLAUSE);
    filter.rules.truncate(MOST_RULES);
    for rule in &mut filter.rules {
        *rule = shorten(rule, LONGEST_RULE);
    }
    filter.allow_listed = filter.allow_listed.map(|list| shorten(&list, LONGEST_RULE));
    filter
}

/// A filter with its verdict and its words; the rest is added by who knows it.
fn filter(name: FilterName, verdict: FilterVerdict, said: impl Into<String>) -> Filter {
    Filter {
        name,
        host: None,
        verdict,
        score: None,
        threshold: None,
        rules: Vec::new(),
        said: said.into(),
        allow_listed: None,
    }
}

/// ` (a, b)`, or nothing.
fn in_brackets(items: &[String]) -> String {
    if items.is_empty() {
        String::new()
    } else {
        format!(" ({})", items.join(", "))
    }
}
