//! What the spam and malware filters on the way wrote into the header: one file a product, each from fields to a [`Filter`].
//!
//! A field that we sent ourselves is no filter's word; every other one was added on the way, because only we are the sender. By whom, its place in the
//! trace tells, and not the host that it claims. What it cannot see: a filter that writes nothing (Gmail's placement, a quarantine that deletes), one
//! that removes what others wrote, whether a word is true, and who appended what stands below the author's own fields.

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

use super::{mime::Header, shorten, sides::Sides};
use crate::model::{Filter, FilterName, FilterVerdict, same_organisation};
use place::Stretch;
pub(super) use place::host;
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
pub(super) fn read(header: &Header, sent: Option<&Header>, sides: Sides) -> Vec<Filter> {
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
            found.push(placed(filter, family, &whole, &Way { header, sides }, 0));
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
                    found.push(placed(filter, family, stretch, &Way { header, sides }, turn));
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
            let host = stretch.hop.and_then(|hop| place::host_at(header, hop));
            let filter = bounded(Filter { host, ..filter });
            found.push(Placed {
                filter,
                hop: stretch.hop,
                place,
                appended: stretch.appended,
            });
        }
    }
    for one in &mut found {
        // What stands above a hop was written by that host or after it, wherever a product's own hop may be.
        let hop = one.hop.or_else(|| place::hop_below(header, one.place));
        let host = hop.and_then(|hop| place::host_at(header, hop));
        if host.is_some_and(|host| !sides.is_receiving(header, &host)) {
            one.filter.relayed = true;
            // What somebody else's list lets through, the receiving side need not.
            one.filter.allow_listed = None;
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

/// The way that a message came.
struct Way<'a> {
    header: &'a Header<'a>,
    sides: Sides<'a>,
}

/// Finds the host that a filter ran on: in its own words where its place does not speak against them, by its place, or by the hop of its service.
fn placed(filter: Filter, family: &Family, stretch: &Stretch, way: &Way, turn: usize) -> Placed {
    let header = way.header;
    let is_own = |name: &str| (family.owns)(&name.to_ascii_lowercase());
    let is_head = |name: &str| family.heads.iter().any(|head| name.eq_ignore_ascii_case(head));
    let heads = stretch.fields.iter().filter(|(_, field)| is_head(field.name));
    let own = stretch.fields.iter().filter(|(_, field)| is_own(field.name));
    let place = heads.clone().chain(own).map(|(place, _)| *place).nth(turn).unwrap_or_default();
    // What a product that speaks once puts above its hop tells where it ran.
    let hop = stretch.hop.or_else(|| {
        heads
            .clone()
            .find_map(|(place, _)| place::hop_below(header, *place))
            .filter(|_| family.once)
    });
    let (host, hop) = if let Some(host) = filter.host.clone() {
        match hop.and_then(|hop| place::host_at(header, hop)) {
            Some(of_place) if host.contains('.') && !same_organisation(&host, &of_place) => claimed(&host, of_place, place, hop, way),
            _ => {
                let called = place::hop_called(header, &host).or(hop);
                (Some(host), called)
            }
        }
    } else if let Some(hop) = hop {
        (place::host_at(header, hop), Some(hop))
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

/// The host and the hop of a filter that claims another host than that of its place: one above whose `Received` it stands below may have written it,
/// and is believed where nobody else can have.
fn claimed(host: &str, of_place: String, place: usize, hop: Option<usize>, way: &Way) -> (Option<String>, Option<usize>) {
    let above = place::hop_above(way.header, place)
        .filter(|above| place::host_at(way.header, *above).is_some_and(|above| same_organisation(&above, host)));
    match above {
        Some(above) if way.sides.nobody_is_before(way.header, place) => (Some(host.to_owned()), Some(above)),
        Some(_) => (None, hop),
        None => (Some(of_place), hop),
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
        relayed: false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wrote_it_is_told_by_its_place_and_not_by_what_it_claims() {
        let sides = Sides {
            sender: "sender.example",
            recipient: "contoso.example",
        };
        let claims = "X-Spam-Status: No, score=-100 required=5 tests=USER_IN_WELCOMELIST\r\nX-Spam-Checker-Version: SpamAssassin 4.0 on mx.contoso.example\r\n";
        let to_mx = "Received: from x by mx.contoso.example; Mon\r\n";
        let to_relay = "Received: from x by relay.other.example; Mon\r\n";
        let to_own = "Received: from x by out.sender.example; Mon\r\n";
        let mx = Some("mx.contoso.example");
        for (about, header, expected) in [
            ("of the last host", format!("{claims}{to_mx}{to_relay}"), (mx, false, true)),
            (
                "of a host of the receiving side",
                format!("{to_mx}{claims}{}", to_mx.replace("mx", "gw")),
                (mx, false, true),
            ),
            (
                "of a relay that claims to be another, or of its filter",
                format!("{to_mx}{claims}{to_relay}"),
                (None, true, false),
            ),
            (
                "of a relay that claims to be a host that stands elsewhere",
                format!("{}{claims}{to_relay}", to_mx.replace("mx.contoso", "store.fabrikam")),
                (Some("relay.other.example"), true, false),
            ),
            (
                "of a filter below the hop of its host",
                format!("{to_mx}{claims}{to_own}"),
                (mx, false, true),
            ),
        ] {
            let header = format!("{header}From: a@sender.example\r\n\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, sides);
            let [one] = &found[..] else { panic!("{about}: {found:?}") };
            assert_eq!((one.host.as_deref(), one.relayed, one.allow_listed.is_some()), expected, "{about}");
        }
        let exchange = "X-Forefront-Antispam-Report: SFV:SKA;SCL:-1;CAT:NONE\r\n";
        for (header, expected) in [
            (format!("{to_mx}{exchange}{to_relay}"), (true, false)),
            (format!("{to_mx}{to_relay}From: a@sender.example\r\n{exchange}"), (false, true)),
            (
                format!(
                    "{}{exchange}{}",
                    to_mx,
                    to_relay.replace("relay.other.example", "x.mail.protection.outlook.com")
                ),
                (false, true),
            ),
        ] {
            let header = format!("{header}To: b@contoso.example\r\n\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, sides);
            assert_eq!((found[0].relayed, found[0].allow_listed.is_some()), expected, "{header}");
        }
    }
}
