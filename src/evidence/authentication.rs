//! `Authentication-Results` (RFC 8601): what the receiving side found about SPF, DKIM, DMARC and ARC. Only the topmost field counts, and only if its
//! place in the trace shows that the receiving side wrote it: a relay on the way says what it found as well, and may forge the name of another.
//! `ARC-Authentication-Results`, and the fields that gateways rename because somebody else wrote them, are no words of the receiving side.
//!
//! What it cannot see: whether the receiver's check is right; and a receiving side that nothing ties to the last host or to the recipient's domain: a
//! gateway of a provider that is not known here, in front of a server that checks nothing. What such a host says is kept apart.

mod field;
#[cfg(test)]
mod tests;

use super::{
    filters::host,
    mime::{Field, Header},
    sides::Sides,
};
use crate::model::{Authentication, same_organisation};
use field::{Parsed, Statement};
use std::collections::BTreeSet;

/// The longest value that is kept, in characters.
const LONGEST_VALUE: usize = 120;
/// The longest name of a domain (RFC 1035 section 2.3.4).
const LONGEST_DOMAIN: usize = 255;
/// Services that write their results below their own `Received`, and take off what others wrote in their name (RFC 8601 section 5).
const STRIPPING: [&str; 1] = ["google.com"];

/// The results of the receiving side: method to result, and what the method says beside it under `method.property`. DKIM, which is reported once for
/// each signature, passes if any passes; of everything else the topmost result counts. SPF is read from `Received-SPF` (RFC 7208) where no result says
/// anything of it. What another host on the way may have written stands under `method.elsewhere`.
pub(super) fn results(header: &Header, sides: Sides) -> Authentication {
    let Some(first) = header.fields.iter().position(|field| is(field, "Authentication-Results")) else {
        return told(&received_spf(header, sides), sides);
    };
    let service = field::parse(header.fields[first].raw).service;
    let mut statements = said_at(header, first, service.as_deref());
    let elsewhere = if is_receivers(header, first, service.as_deref(), sides) {
        Vec::new()
    } else {
        std::mem::take(&mut statements)
    };
    if statements.iter().all(|statement| statement.method != "spf") {
        statements.extend(received_spf(header, sides));
    }
    let mut told = told(&statements, sides);
    for (statement, service) in elsewhere.into_iter().zip(service.iter().cycle()) {
        let said = format!("{}, in the name of {service}", statement.result);
        let key = format!("{}.elsewhere", statement.method);
        told.entry(key).or_insert_with(|| harmless(Some(&said)).unwrap_or_default());
    }
    told
}

/// What a service says from this place on. One server may write one field for each method: those of the same service count as well, down to the
/// next hop.
fn said_at(header: &Header, first: usize, service: Option<&str>) -> Vec<Statement> {
    let mut statements = Vec::new();
    for field in header.fields.iter().skip(first).take_while(|field| !is(field, "Received")) {
        if !is(field, "Authentication-Results") {
            continue;
        }
        let Parsed {
            service: other,
            statements: more,
        } = field::parse(field.raw);
        if other.as_deref() != service {
            break;
        }
        statements.extend(more);
    }
    statements
}

/// The topmost `Received-SPF`, under the same condition as the results.
fn received_spf(header: &Header, sides: Sides) -> Vec<Statement> {
    let place = header.fields.iter().position(|field| is(field, "Received-SPF"));
    let read = place.and_then(|place| Some((place, field::parse_received_spf(header.fields[place].raw)?)));
    let receivers = read.filter(|(place, (_, receiver))| is_receivers(header, *place, receiver.as_deref(), sides));
    receivers.map(|(_, (statement, _))| statement).into_iter().collect()
}

fn is(field: &Field, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

/// Whether a field at this place was written by the receiving side. A host writes above its own `Received`; a filter of it may write right below,
/// where only the name tells it from the host before.
fn is_receivers(header: &Header, place: usize, service: Option<&str>, sides: Sides) -> bool {
    let (above, below) = header.fields.split_at(place);
    let Some(above) = above.iter().rev().find(|field| is(field, "Received")) else {
        return below.iter().any(|field| is(field, "Received"));
    };
    // A hand-over inside a host names none.
    let before = below.iter().filter(|field| is(field, "Received")).take(2).find_map(host);
    if before.is_some_and(|before| sides.is_receiving(header, &before)) {
        return true;
    }
    let above = received_by(above);
    let is_of_above = service.is_some_and(|service| same_host(&above, service)) && sides.is_receiving(header, &above);
    let strips = || service.is_some_and(|service| STRIPPING.iter().any(|known| is_inside(service, known)));
    is_of_above && (sides.nobody_is_before(header, place) || strips())
}

/// The host after `by` in a `Received` field (RFC 5321 section 4.4).
fn received_by(field: &Field) -> String {
    let text = field.text().to_ascii_lowercase();
    let mut words = text.split_ascii_whitespace();
    words
        .find(|&word| word == "by")
        .and_then(|_| words.next())
        .unwrap_or_default()
        .trim_end_matches(';')
        .to_owned()
}

/// Whether one name is the other, or a host inside it.
fn same_host(host: &str, service: &str) -> bool {
    !host.is_empty() && !service.is_empty() && (is_inside(host, service) || is_inside(service, host))
}

/// Whether a name is this domain, or one inside it.
fn is_inside(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The statements as one map.
fn told(statements: &[Statement], sides: Sides) -> Authentication {
    let mut told = Authentication::new();
    let author = chosen(statements, "dmarc", |_| false).and_then(|dmarc| domain(dmarc.property("header.from")));
    let aligned = |statement: &Statement| {
        let authors = [Some(sides.sender), author.as_deref()].into_iter().flatten();
        signer(statement).is_some_and(|name| authors.into_iter().any(|author| same_organisation(&name, author)))
    };
    let methods: BTreeSet<&str> = statements.iter().map(|statement| statement.method.as_str()).collect();
    for method in methods {
        let Some(statement) = chosen(statements, method, aligned) else {
            continue;
        };
        told.insert(method.to_owned(), statement.result.clone());
        let mut properties = vec![("reason", harmless(statement.property("reason")))];
        match method {
            "spf" => properties.push(("domain", envelope(statement))),
            "dkim" => {
                let selector = domain(statement.property("header.s").or_else(|| statement.remarked("s")));
                properties.extend([("domain", signer(statement)), ("selector", selector)]);
            }
            "dmarc" => {
                let action = statement.property("action").or_else(|| statement.remarked("dis"));
                let action = action.or_else(|| statement.property("policy.applied-disposition"));
                let policy = statement.remarked("p").or_else(|| statement.remarked("policy"));
                let policy = policy.or_else(|| statement.property("policy.published-domain-policy"));
                let said = [
                    ("action", harmless(action)),
                    ("policy", harmless(policy)),
                    ("domain", author.clone()),
                ];
                properties.extend(said);
            }
            "arc" => {
                let said = [("chain", statement.property("arc.chain")), ("instance", statement.remarked("i"))];
                properties.extend(said.map(|(name, value)| (name, harmless(value))));
            }
            _ => {}
        }
        for (name, value) in properties {
            if let Some(value) = value {
                told.insert(format!("{method}.{name}"), value);
            }
        }
    }
    told
}

/// The statement that speaks for its method: the topmost; of several signatures one that passes, of those one that is `preferred`.
fn chosen<'a>(statements: &'a [Statement], method: &str, preferred: impl Fn(&Statement) -> bool) -> Option<&'a Statement> {
    let of_method = || statements.iter().filter(|statement| statement.method == method);
    let passing = || of_method().filter(|statement| method == "dkim" && statement.result == "pass");
    passing()
        .find(|statement| preferred(statement))
        .or_else(|| passing().next())
        .or_else(|| of_method().next())
}

/// The domain that SPF was asked of: that of the envelope sender, or of the greeting where there is none.
fn envelope(spf: &Statement) -> Option<String> {
    let names = ["smtp.mailfrom", "smtp.mail", "envelope-from", "smtp.helo", "helo"];
    names.iter().find_map(|name| domain(spf.property(name)))
}

/// The domain that signed.
fn signer(dkim: &Statement) -> Option<String> {
    domain(dkim.property("header.d")).or_else(|| domain(dkim.property("header.i")))
}

/// The domain in a domain or an address; `none`, as Exchange Online writes, is none.
fn domain(text: Option<&str>) -> Option<String> {
    let text = text?.trim_matches(['<', '>', '.', ' ']);
    let name = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
    let fits = !name.is_empty()
        && name != "none"
        && name.chars().count() <= LONGEST_DOMAIN
        && name
            .chars()
            .all(|character| character.is_alphanumeric() || "-_.".contains(character));
    fits.then(|| name.to_owned())
}

/// A value without whatever could mean something elsewhere.
fn harmless(text: Option<&str>) -> Option<String> {
    let plain = |character: &char| character.is_alphanumeric() || " .,:;/_@+-=".contains(*character);
    let value: String = text?.chars().filter(plain).take(LONGEST_VALUE).collect();
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}
