//! Requirements: what arrived copies must fulfil beside their place. Each is held against every copy; what a copy does not show is not known, which is
//! neither fulfilled nor broken.

use super::{Ledger, banner::is_banner, record::Held, way};
use crate::model::{
    Alteration, AlterationKind, Encryption, Evidence, Hop, How, Plan, Probe, Requirement, RequirementResult, matches, same_organisation,
};

/// How a copy stands to a requirement.
enum Found {
    Fulfilled,
    /// What speaks against it, both sides of it.
    Broken(String),
    /// Why it cannot be told.
    Unseen(String),
}

impl Ledger {
    /// Each requirement against every one of these copies; none where nothing arrived.
    pub(super) fn requirements(&self, index: usize, arrived: &[&Held]) -> Vec<RequirementResult> {
        let probe = self.probe(index);
        let result = |requirement: &Requirement| {
            let found: Vec<Found> = arrived
                .iter()
                .map(|held| against(requirement, &held.copy.evidence, self.plan(), probe))
                .collect();
            let broken = found
                .iter()
                .find_map(|found| if let Found::Broken(why) = found { Some(why) } else { None });
            let unseen = found
                .iter()
                .find_map(|found| if let Found::Unseen(why) = found { Some(why) } else { None });
            RequirementResult {
                name: requirement.to_string(),
                holds: broken.is_none() && unseen.is_none(),
                evidence: broken.or(unseen).cloned(),
                unseen: broken.is_none() && unseen.is_some(),
            }
        };
        probe.require.iter().filter(|_| !arrived.is_empty()).map(result).collect()
    }
}

fn against(requirement: &Requirement, evidence: &Evidence, plan: &Plan, probe: &Probe) -> Found {
    let changed = |kinds: &[AlterationKind]| altered(evidence, kinds, |_| true);
    let sender = plan.sender(probe);
    let passes = |method: &str, senders: &[&str]| passes(evidence, method, senders);
    match requirement {
        Requirement::LinksUnchanged => changed(&[AlterationKind::Links]),
        Requirement::SubjectUnchanged => changed(&[AlterationKind::Subject]),
        Requirement::BodyUnchanged => changed(&[AlterationKind::Body, AlterationKind::Links]),
        Requirement::AttachmentIntact => changed(&[AlterationKind::Attachments]),
        Requirement::LinksLeadHome => altered(evidence, &[AlterationKind::Links], Alteration::leads_astray),
        Requirement::NoExternalBanner => altered(evidence, &[AlterationKind::Body], is_banner),
        Requirement::SpfPass => passes("spf", &[&sender.envelope, &sender.address]),
        Requirement::DkimPass => passes("dkim", &[&sender.address]),
        Requirement::DmarcPass => passes("dmarc", &[&sender.address]),
        Requirement::TlsAllHops => tls(evidence),
        Requirement::Filtered => filtered(evidence, probe.internal),
        Requirement::Via(pattern) => by_hops(evidence, |hops| {
            (!way::passes(hops, pattern)).then(|| format!("no hop fits {pattern}; it came by {}", way::hosts(hops)))
        }),
        Requirement::NotVia(pattern) => by_hops(evidence, |hops| {
            way::host_that_fits(hops, pattern).map(|host| format!("it came by {host}, which fits {pattern}"))
        }),
        Requirement::Path(name) => by_hops(evidence, |hops| match way::fitting(hops, &plan.paths).as_slice() {
            [path] if path == name => None,
            [] => Some(format!("it fits no path of the site; it came by {}", way::hosts(hops))),
            [path] => Some(format!("it came by the path {path}: {}", way::hosts(hops))),
            several => Some(format!("its hops fit several paths ({}): {}", several.join(", "), way::hosts(hops))),
        }),
        Requirement::Header { name, matches: pattern } => field(evidence, name, pattern),
    }
}

/// Broken by the first alteration of one of these kinds that `counts`.
fn altered(evidence: &Evidence, kinds: &[AlterationKind], counts: impl Fn(&Alteration) -> bool) -> Found {
    let alteration = evidence.alterations.iter().find(|one| kinds.contains(&one.kind) && counts(one));
    if let Some(one) = alteration {
        if let (AlterationKind::Body | AlterationKind::Subject, Some(added)) = (one.kind, &one.added) {
            let place = match one.how {
                Some(How::AddedBefore) => "before it",
                Some(How::AddedAfter) => "after it",
                _ => "inside it",
            };
            return Found::Broken(format!(
                "{added:?} was added {place}: sent {:?}, arrived {:?}",
                one.sent, one.arrived
            ));
        }
        return Found::Broken(match (&one.service, &one.target) {
            (Some(service), Some(target)) => format!("sent {:?}, arrived {:?} ({service}, leads to {target})", one.sent, one.arrived),
            (Some(service), None) => format!("sent {:?}, arrived {:?} ({service}, hides where it leads)", one.sent, one.arrived),
            (None, _) => format!("sent {:?}, arrived {:?}", one.sent, one.arrived),
        });
    }
    match kinds.iter().find(|kind| evidence.unseen.contains(kind)) {
        Some(_) => Found::Unseen("the mailbox does not show what this is about".to_owned()),
        None => Found::Fulfilled,
    }
}

/// Whether the receiving side says that a method passes, for a domain of one of these addresses of the sender.
fn passes(evidence: &Evidence, method: &str, senders: &[&str]) -> Found {
    let said = |property: &str| evidence.authentication.get(&format!("{method}.{property}"));
    let domain = |address: &str| address.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
    match evidence.authentication.get(method).map(String::as_str) {
        Some("pass") => match said("domain") {
            Some(passing) if !senders.iter().any(|sender| same_organisation(passing, &domain(sender))) => Found::Broken(format!(
                "the receiving side says {method}=pass for {passing}, not for {}",
                senders.first().map(|sender| domain(sender)).unwrap_or_default()
            )),
            _ => Found::Fulfilled,
        },
        Some(result) => Found::Broken(format!("the receiving side says {method}={result}")),
        None if evidence.is_headless() => no_header(),
        None => Found::Unseen(match said("elsewhere") {
            Some(said) => {
                format!("the receiving side says nothing of {method}; a field that any host on the way may have written says {said}")
            }
            None => format!("the receiving side says nothing of {method}"),
        }),
    }
}

fn no_header() -> Found {
    Found::Unseen("the mailbox does not show the header".to_owned())
}

fn by_hops(evidence: &Evidence, broken: impl Fn(&[Hop]) -> Option<String>) -> Found {
    if evidence.is_headless() {
        return no_header();
    }
    if evidence.hops.is_empty() {
        return Found::Unseen("the copy shows no Received field".to_owned());
    }
    broken(&evidence.hops).map_or(Found::Fulfilled, Found::Broken)
}

/// Every hop between hosts by TLS. A chain that shows no such hop proves nothing: a gateway may have taken the fields off.
fn tls(evidence: &Evidence) -> Found {
    let name = |hop: &Hop| {
        let from = hop.from.as_deref().or(hop.address.as_deref()).unwrap_or("an unnamed host");
        format!("from {from} to {}", hop.by.as_deref().unwrap_or("an unnamed host"))
    };
    let first = |encryption: Encryption| evidence.hops.iter().find(|hop| hop.encryption == encryption);
    let found = by_hops(evidence, |_| {
        let clear = first(Encryption::Clear)?;
        let protocol = clear.protocol.as_deref().unwrap_or("a protocol without TLS");
        Some(format!("the hop {} used {protocol}, which is without TLS", name(clear)))
    });
    match (found, first(Encryption::Unsaid), first(Encryption::Tls)) {
        (Found::Fulfilled, Some(hop), _) => Found::Unseen(format!("the hop {} does not say whether TLS was used", name(hop))),
        (Found::Fulfilled, None, None) => Found::Unseen("the copy shows no hop from one host to another".to_owned()),
        (found, ..) => found,
    }
}

fn filtered(evidence: &Evidence, internal: bool) -> Found {
    if internal {
        return Found::Broken("it was sent from inside, so that no filter of the inbound edge saw it".to_owned());
    }
    if evidence.is_headless() {
        return no_header();
    }
    let allowed = evidence
        .filters
        .iter()
        .find_map(|filter| Some((filter.name, filter.allow_listed.as_ref()?)));
    allowed.map_or(Found::Fulfilled, |(name, list)| {
        Found::Broken(format!("{name} let it through by an allow-list ({list})"))
    })
}

/// Whether one field of this name has a value that fits. Names know no case; values are unfolded.
fn field(evidence: &Evidence, name: &str, pattern: &str) -> Found {
    if evidence.is_headless() {
        return no_header();
    }
    let values = values(&evidence.header, name);
    if values.iter().any(|value| matches(pattern, value)) {
        return Found::Fulfilled;
    }
    match values.first() {
        Some(value) => {
            let shown: String = value.chars().take(200).collect();
            Found::Broken(format!("wanted {pattern:?}, found {shown:?}"))
        }
        None => Found::Broken(format!("wanted {pattern:?}, and there is no such field")),
    }
}

/// The values of the fields of this name, unfolded (RFC 5322 section 2.2.3).
fn values(header: &str, name: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    let mut open = false;
    for line in header.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = values.last_mut().filter(|_| open) {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        let value = line
            .split_once(':')
            .filter(|(known, _)| known.trim_end().eq_ignore_ascii_case(name));
        open = value.is_some();
        values.extend(value.map(|(_, value)| value.trim().to_owned()));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_must_pass_for_the_sender_and_by_the_word_of_the_receiving_side() {
        let found = |said: &[(&str, &str)]| {
            let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let evidence = Evidence {
                authentication: said.collect(),
                ..Evidence::default()
            };
            match passes(&evidence, "dmarc", &["probe@sender.example"]) {
                Found::Fulfilled => "holds".to_owned(),
                Found::Broken(why) => format!("broken: {why}"),
                Found::Unseen(why) => format!("unseen: {why}"),
            }
        };
        assert_eq!(found(&[("dmarc", "pass")]), "holds");
        assert_eq!(found(&[("dmarc", "pass"), ("dmarc.domain", "mail.sender.example")]), "holds");
        assert_eq!(
            found(&[("dmarc", "pass"), ("dmarc.domain", "evil.example")]),
            "broken: the receiving side says dmarc=pass for evil.example, not for sender.example"
        );
        assert_eq!(found(&[("dmarc", "fail")]), "broken: the receiving side says dmarc=fail");
        assert_eq!(
            found(&[("dmarc.elsewhere", "pass, in the name of mx.contoso.example")]),
            "unseen: the receiving side says nothing of dmarc; a field that any host on the way may have written says pass, in the name of mx.contoso.example"
        );
    }

    #[test]
    fn fields_are_unfolded_and_all_of_a_name_count() {
        let header = "X-A: one\r\n two\r\nx-a : three\r\nX-B: four\r\n\tfive\r\n";
        assert_eq!(values(header, "X-A"), ["one two", "three"]);
        assert_eq!(values(header, "x-b"), ["four five"]);
        assert!(values(header, "X-C").is_empty());
    }
}
