//! `Authentication-Results` (RFC 8601): what the receiving side found about SPF, DKIM, DMARC and ARC. Only the topmost field counts, and only if its
//! place shows that the receiving side wrote it; everything below the first hop may be forged. `ARC-Authentication-Results`, and the fields that
//! gateways rename because somebody else wrote them, are no words of the receiving side. What it cannot see: whether the receiver's check is right.

mod field;
#[cfg(test)]
mod tests;

use super::mime::{Field, Header};
use crate::model::Authentication;
use field::{Parsed, Statement};

/// The longest value that is kept, in characters.
const LONGEST_VALUE: usize = 120;
/// The longest name of a domain (RFC 1035 section 2.3.4).
const LONGEST_DOMAIN: usize = 255;

/// The results of the receiving side: method to result, and what the method says beside it under `method.property`. A method that is reported
/// several times (DKIM, once for each signature) passes if any passes. SPF is read from `Received-SPF` (RFC 7208) where no result says anything of it.
pub(super) fn results(header: &Header) -> Authentication {
    let mut statements = of_receiver(header);
    if statements.iter().all(|statement| statement.method != "spf") {
        statements.extend(received_spf(header));
    }
    told(&statements)
}

fn of_receiver(header: &Header) -> Vec<Statement> {
    let mut statements = Vec::new();
    let Some(first) = header.fields.iter().position(|field| is(field, "Authentication-Results")) else {
        return statements;
    };
    let service = field::parse(header.fields[first].raw).service;
    if !is_receivers(header, first, service.as_deref()) {
        return statements;
    }
    // One server may write one field for each method: those of the same service count as well, down to the next hop.
    for field in header.fields.iter().skip(first).take_while(|field| !is(field, "Received")) {
        if !is(field, "Authentication-Results") {
            continue;
        }
        let Parsed {
            service: other,
            statements: more,
        } = field::parse(field.raw);
        if other != service {
            break;
        }
        statements.extend(more);
    }
    statements
}

/// The topmost `Received-SPF`, under the same condition as the results.
fn received_spf(header: &Header) -> Option<Statement> {
    let place = header.fields.iter().position(|field| is(field, "Received-SPF"))?;
    let (statement, receiver) = field::parse_received_spf(header.fields[place].raw)?;
    is_receivers(header, place, receiver.as_deref()).then_some(statement)
}

fn is(field: &Field, name: &str) -> bool {
    field.name.eq_ignore_ascii_case(name)
}

/// Whether a field at this place was written by a hop and not by the sender: either a hop stands below it, or (a filter may write below the
/// `Received` of the server that it serves) the hop directly above it has the name of the service.
fn is_receivers(header: &Header, place: usize, service: Option<&str>) -> bool {
    let above = header.fields[..place].iter().rev().find(|field| is(field, "Received"));
    let below = header.fields[place..].iter().any(|field| is(field, "Received"));
    below
        || above
            .zip(service)
            .is_some_and(|(received, service)| same_host(&received_by(received), service))
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
fn told(statements: &[Statement]) -> Authentication {
    let mut told = Authentication::new();
    for statement in statements {
        let result = told.entry(statement.method.clone()).or_insert_with(|| statement.result.clone());
        if statement.result == "pass" {
            result.clone_from(&statement.result);
        }
    }
    let author = chosen(statements, "dmarc", |_| false).and_then(|dmarc| domain(dmarc.property("header.from")));
    let methods: Vec<String> = told.keys().cloned().collect();
    for method in methods {
        let aligned = |statement: &Statement| {
            signer(statement)
                .zip(author.as_deref())
                .is_some_and(|(name, author)| same_host(&name, author))
        };
        let Some(statement) = chosen(statements, &method, aligned) else {
            continue;
        };
        let mut properties = vec![("reason", harmless(statement.property("reason")))];
        match method.as_str() {
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

/// The statement that speaks for its method: one that passes, of those one that is `preferred`; else the first.
fn chosen<'a>(statements: &'a [Statement], method: &str, preferred: impl Fn(&Statement) -> bool) -> Option<&'a Statement> {
    let of_method = || statements.iter().filter(|statement| statement.method == method);
    let passing = || of_method().filter(|statement| statement.result == "pass");
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
