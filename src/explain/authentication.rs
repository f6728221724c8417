//! Why the receiving side did not believe the sender: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489) and Microsoft's composite authentication
//! in words, and the one record or signature to put right.
//!
//! What it cannot see: the records themselves. It repeats what the receiving side says of them; no step asks a receiver to check less.

use crate::model::Authentication;

/// What failed, for which domain and what that means, and one step. `None` where nothing failed, or where the receiving side took the sender for
/// authenticated all the same.
pub fn in_words(said: &Authentication) -> Option<(String, String)> {
    let said = Said(said);
    if said.is("compauth", "pass") {
        return None;
    }
    composite(said).or_else(|| dmarc(said)).or_else(|| spf(said)).or_else(|| dkim(said))
}

#[derive(Clone, Copy)]
struct Said<'a>(&'a Authentication);

impl<'a> Said<'a> {
    fn get(self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(String::as_str)
    }

    fn is(self, method: &str, result: &str) -> bool {
        self.get(method) == Some(result)
    }

    /// The domain that a method speaks of, in a sentence.
    fn domain(self, method: &str) -> &'a str {
        let fallback = match method {
            "dmarc" => "the domain in From",
            "dkim" => "the signing domain",
            _ => "the domain of the envelope sender",
        };
        self.get(&format!("{method}.domain")).unwrap_or(fallback)
    }
}

/// What Microsoft makes of everything (`compauth`), where its reason says more than DMARC does.
fn composite(said: Said) -> Option<(String, String)> {
    let result = said.get("compauth").filter(|result| matches!(*result, "fail" | "softpass"))?;
    let reason = said.get("compauth.reason").unwrap_or_default();
    let from = said.domain("dmarc");
    let (meaning, step) = match reason.as_bytes() {
        b"000" => return dmarc(said),
        b"002" => (
            format!("an administrator blocks this pair of sending host and {from} as spoofed"),
            format!(
                "Look the pair up under spoofed senders in the Tenant Allow/Block List, and remove that one entry if {from} is meant to send from there."
            ),
        ),
        b"010" | [b'6', ..] => (
            format!("{from} is a domain of the receiving organisation itself, and nothing proves that the message comes from it"),
            format!("{}, as for any other host that sends in its name.", prove(said)),
        ),
        // What is known of DMARC names more than a missing proof does.
        b"001" => match dmarc(said) {
            Some(found) => return Some(found),
            None => (
                format!("neither SPF nor DKIM proves {from}, whose records do not say what to do then"),
                format!("{}, and publish a DMARC record for it.", prove(said)),
            ),
        },
        [b'2', ..] => (format!("SPF and DKIM prove {from} only by likelihood"), format!("{}.", prove(said))),
        _ => return None,
    };
    let code = if reason.is_empty() {
        String::new()
    } else {
        format!(" reason={reason}")
    };
    Some((
        format!("Microsoft's composite authentication did not pass (compauth={result}{code}): {meaning}."),
        step,
    ))
}

/// DMARC passes where SPF or DKIM passes for a domain that is aligned with From (RFC 7489 section 3.1).
fn dmarc(said: Said) -> Option<(String, String)> {
    let from = said.domain("dmarc");
    match said.get("dmarc")? {
        "fail" | "oreject" | "quarantine" | "reject" | "pct.quarantine" | "pct.reject" => {}
        error @ ("permerror" | "temperror") => {
            let sentence = format!("The receiving side could not evaluate DMARC for {from} (dmarc={error}).");
            let step = format!("Query the TXT record _dmarc.{from} as outsiders see it: there must be exactly one, and it must be valid.");
            return Some((sentence, step));
        }
        _ => return None,
    }
    let spf = match said.get("spf") {
        Some("pass") => format!("SPF passes only for {}, which is not aligned with it", said.domain("spf")),
        Some("none") => format!("{} has no SPF record", said.domain("spf")),
        Some(result) => format!("SPF says {result} for {}", said.domain("spf")),
        None => "nothing is said of SPF".to_owned(),
    };
    let dkim = match said.get("dkim") {
        Some("pass") => format!("DKIM passes only for {}, which is not aligned with it", said.domain("dkim")),
        Some("none") => "there is no DKIM signature".to_owned(),
        Some(result) => format!("the DKIM signature of {} does not hold (dkim={result})", said.domain("dkim")),
        None => "nothing is said of DKIM".to_owned(),
    };
    let named = said.get("dmarc.domain").map(|domain| format!("{domain}, ")).unwrap_or_default();
    let mut sentence = format!("DMARC failed for {named}the domain in From: {spf}, and {dkim}");
    // What was done with it, or else what the domain asks for.
    if let Some(policy) = said
        .get("dmarc.action")
        .filter(|action| *action != "none")
        .or(said.get("dmarc.policy"))
    {
        sentence.push_str(&format!("; the policy is {policy}"));
    }
    sentence.push('.');
    let broken = said.get("dkim").is_some_and(|result| !matches!(result, "pass" | "none"));
    let step = if broken && said.get("dkim.domain").is_some_and(|signer| is_related(signer, from)) {
        mend_signature(said)
    } else {
        format!("{}.", prove(said))
    };
    Some((sentence, step))
}

fn spf(said: Said) -> Option<(String, String)> {
    let domain = said.domain("spf");
    let (meaning, step) = match said.get("spf")? {
        "fail" | "softfail" => (
            "its record does not list the address that handed the message over",
            format!(
                "If that address is your own gateway's, let the receiver look behind it (Exchange Online: enhanced filtering for connectors); if \
                 it sends for {domain}, add it to its SPF record."
            ),
        ),
        "permerror" => (
            "its record is not valid",
            format!("Correct the SPF record of {domain}: one record, of valid syntax, with at most ten lookups."),
        ),
        "temperror" => (
            "its record could not be looked up just then",
            format!("Query the TXT record of {domain} at each of its name servers from outside."),
        ),
        _ => return None,
    };
    let result = said.get("spf").unwrap_or_default();
    Some((format!("SPF says {result} for {domain}: {meaning}."), step))
}

fn dkim(said: Said) -> Option<(String, String)> {
    let result = said
        .get("dkim")
        .filter(|result| matches!(*result, "fail" | "permerror" | "temperror" | "neutral" | "policy"))?;
    let mut sentence = format!("The DKIM signature of {} does not hold (dkim={result})", said.domain("dkim"));
    if let Some(reason) = said.get("dkim.reason") {
        sentence.push_str(&format!(": {reason}"));
    }
    sentence.push('.');
    Some((sentence, mend_signature(said)))
}

/// How the domain in From comes to be proven, without the end of the sentence.
fn prove(said: Said) -> String {
    let from = said.domain("dmarc");
    match said.get("spf") {
        Some("pass") | None => format!("Have the sender's mail signed with DKIM as {from}"),
        Some(_) => format!(
            "Have the sender's mail signed with DKIM as {from}, or sent with an envelope sender of that domain by a host that its SPF record lists"
        ),
    }
}

fn mend_signature(said: Said) -> String {
    match said.get("dkim.selector").zip(said.get("dkim.domain")) {
        Some((selector, domain)) => format!(
            "Compare the key in {selector}._domainkey.{domain} with the signer's; if they agree, find what changes the message after it is signed."
        ),
        None => {
            "Compare the published DKIM key with the signer's; if they agree, find what changes the message after it is signed.".to_owned()
        }
    }
}

/// Whether one is the other, or inside it: the relaxed alignment of DMARC, as far as it shows without a list of public suffixes.
fn is_related(one: &str, other: &str) -> bool {
    let inside = |name: &str, domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    inside(one, other) || inside(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentence and the step for results such as `spf=pass spf.domain=a.example`.
    fn words(results: &str) -> Option<(String, String)> {
        let pairs = results.split_whitespace().filter_map(|pair| pair.split_once('='));
        in_words(&pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn what_failed_is_named_with_its_domain_and_a_step() {
        for (results, sentence, step) in [
            (
                "dmarc=fail dmarc.domain=c.example dmarc.policy=quarantine spf=pass spf.domain=a.example dkim=pass dkim.domain=b.example",
                "DMARC failed for c.example, the domain in From: SPF passes only for a.example, which is not aligned with it, and DKIM passes only for b.example, which is not aligned with it; the policy is quarantine.",
                "Have the sender's mail signed with DKIM as c.example.",
            ),
            (
                "dmarc=fail dmarc.action=none spf=softfail spf.domain=a.example dkim=none",
                "DMARC failed for the domain in From: SPF says softfail for a.example, and there is no DKIM signature.",
                "Have the sender's mail signed with DKIM as the domain in From, or sent with an envelope sender of that domain by a host that its SPF record lists.",
            ),
            (
                "dmarc=fail dmarc.domain=c.example spf=none dkim=fail dkim.domain=mail.c.example dkim.selector=k1",
                "DMARC failed for c.example, the domain in From: the domain of the envelope sender has no SPF record, and the DKIM signature of mail.c.example does not hold (dkim=fail).",
                "Compare the key in k1._domainkey.mail.c.example with the signer's; if they agree, find what changes the message after it is signed.",
            ),
            (
                "dmarc=permerror dmarc.domain=c.example",
                "The receiving side could not evaluate DMARC for c.example (dmarc=permerror).",
                "Query the TXT record _dmarc.c.example as outsiders see it: there must be exactly one, and it must be valid.",
            ),
            (
                "compauth=fail compauth.reason=001 dmarc=none dmarc.domain=c.example spf=none dkim=none",
                "Microsoft's composite authentication did not pass (compauth=fail reason=001): neither SPF nor DKIM proves c.example, whose records do not say what to do then.",
                "Have the sender's mail signed with DKIM as c.example, or sent with an envelope sender of that domain by a host that its SPF record lists, and publish a DMARC record for it.",
            ),
            (
                "compauth=fail compauth.reason=601 dmarc=none dmarc.domain=c.example spf=pass",
                "Microsoft's composite authentication did not pass (compauth=fail reason=601): c.example is a domain of the receiving organisation itself, and nothing proves that the message comes from it.",
                "Have the sender's mail signed with DKIM as c.example, as for any other host that sends in its name.",
            ),
            (
                "compauth=fail compauth.reason=002 dmarc.domain=c.example",
                "Microsoft's composite authentication did not pass (compauth=fail reason=002): an administrator blocks this pair of sending host and c.example as spoofed.",
                "Look the pair up under spoofed senders in the Tenant Allow/Block List, and remove that one entry if c.example is meant to send from there.",
            ),
            (
                "spf=fail spf.domain=a.example dkim=pass dmarc=pass",
                "SPF says fail for a.example: its record does not list the address that handed the message over.",
                "If that address is your own gateway's, let the receiver look behind it (Exchange Online: enhanced filtering for connectors); if it sends for a.example, add it to its SPF record.",
            ),
            (
                "spf=pass dkim=fail dkim.domain=b.example dkim.reason=body",
                "The DKIM signature of b.example does not hold (dkim=fail): body.",
                "Compare the published DKIM key with the signer's; if they agree, find what changes the message after it is signed.",
            ),
        ] {
            assert_eq!(words(results), Some((sentence.to_owned(), step.to_owned())), "{results}");
        }
    }

    #[test]
    fn a_reason_of_000_is_what_dmarc_says() {
        let both = words("compauth=fail compauth.reason=000 dmarc=fail dmarc.domain=c.example dmarc.action=quarantine spf=fail dkim=none");
        assert!(both.is_some_and(
            |(sentence, _)| sentence.starts_with("DMARC failed for c.example") && sentence.ends_with("the policy is quarantine.")
        ));
    }

    #[test]
    fn what_passes_or_was_overridden_needs_no_words() {
        for results in [
            "",
            "spf=pass dkim=pass dmarc=pass",
            "spf=none dkim=none dmarc=none",
            "dmarc=bestguesspass spf=neutral",
            "compauth=pass compauth.reason=130 dmarc=fail spf=fail",
            "compauth=none compauth.reason=405",
        ] {
            assert_eq!(words(results), None, "{results}");
        }
    }
}
