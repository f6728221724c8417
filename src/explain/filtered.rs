//! What the filters on the way said, as a sentence repeats it, and where an administrator finds more.
//!
//! No step here opens a door wider than the one message needs: what the filter found comes first, then an exception for this one sender that keeps
//! the proof of who it is.

use super::{listed, quote};
use crate::model::{Filter, FilterName, FilterVerdict};

/// So many rules are named in a sentence; the evidence has them all.
const RULES: usize = 4;

/// The filter whose word decides: of those that speak against the message the last on its way, for the receiving side's own comes last; what a relay
/// says only where nobody else does.
pub fn decisive(filters: &[Filter]) -> Option<&Filter> {
    let against = || filters.iter().rev().filter(|filter| filter.verdict.is_against());
    against().find(|filter| !filter.relayed).or_else(|| against().next())
}

/// The filter that an allow-list told to let it through, and the list.
pub fn allowed(filters: &[Filter]) -> Option<(&Filter, &str)> {
    filters
        .iter()
        .rev()
        .find_map(|filter| Some((filter, filter.allow_listed.as_deref()?)))
}

/// Where an administrator finds the list of Exchange Online that these words name.
pub fn place_of_list(list: &str) -> Option<&'static str> {
    [
        ("SKA", "Microsoft Defender portal, Anti-spam policies, Allowed senders and domains"),
        ("SFE", "Outlook, Settings, Junk email, Safe senders"),
        (
            "CAL",
            "Microsoft Defender portal, Anti-spam policies, Connection filter policy, IP Allow List",
        ),
        ("SKN", "a mail flow rule, or the Tenant Allow/Block List"),
    ]
    .into_iter()
    .find_map(|(word, place)| list.contains(word).then_some(place))
}

/// Who it is, and on which host.
pub fn who(filter: &Filter) -> String {
    match &filter.host {
        Some(host) => format!("{} on {}", named(filter.name), quote::bounded(host)),
        None => named(filter.name).to_owned(),
    }
}

/// As a sentence begins with it.
fn named(name: FilterName) -> &'static str {
    match name {
        FilterName::Other => "Another filter",
        name => name.word(),
    }
}

/// What a filter did, as the rest of a sentence after its name: `took it for spam (16.2 of 6; GTUBE (10) and BAYES_99 (3.5))`.
pub fn told(filter: &Filter) -> String {
    let said = quote::bounded(&filter.said);
    let mut details: Vec<String> = Vec::new();
    // Some clauses name the score in the product's own terms.
    let named = said.contains("score") || said.contains("SCL");
    if let Some(score) = filter.score.filter(|_| !named) {
        details.push(match filter.threshold {
            Some(threshold) => format!("{score} points where {threshold} are too many"),
            None => format!("score {score}"),
        });
    }
    let rules: Vec<String> = filter
        .rules
        .iter()
        .filter(|rule| !said.contains(rule.as_str()))
        .map(|rule| quote::bounded(rule))
        .collect();
    if !rules.is_empty() {
        details.push(listed(&rules, RULES));
    }
    let details = details.join("; ");
    match said.strip_suffix(')') {
        _ if details.is_empty() => said,
        Some(open) if said.contains('(') => format!("{open}; {details})"),
        _ => format!("{said} ({details})"),
    }
}

/// What to do about a filter that stopped what it should let through. `proven`: the receiving side took the sender for proven (DMARC).
pub fn step(filter: &Filter, sender: &str, proven: bool) -> String {
    let name = filter.name;
    let look = place_to_look(name);
    match filter.verdict {
        FilterVerdict::Blocked if name == FilterName::ExchangeOnline => blocked_by_exchange_online(filter, sender),
        _ if name == FilterName::ExchangeOnline && has_rule(filter, "SFV:SKS") => blocked_by_exchange_online(filter, sender),
        FilterVerdict::Blocked => format!("Find the entry that blocks {sender} ({look}), and take out that one."),
        FilterVerdict::Spoofing if proven => format!(
            "Look up why, although DMARC passes ({look}); if it is wrong, except this one pair of domain and sending host{}.",
            if name == FilterName::ExchangeOnline {
                " (Tenant Allow/Block List, Spoofed senders)"
            } else {
                ""
            }
        ),
        FilterVerdict::Spoofing => format!(
            "Make SPF or DKIM of the sending domain pass in alignment with its From, for this route too; only if that cannot be, except this one \
             pair of domain and sending host{}.",
            if name == FilterName::ExchangeOnline {
                " (Tenant Allow/Block List, Spoofed senders)"
            } else {
                ""
            }
        ),
        FilterVerdict::Impersonation => format!(
            "See whom it was taken to imitate ({look}); if {sender} writes rightly under that name, name it alone among the policy's trusted senders."
        ),
        FilterVerdict::Malware => {
            format!(
                "See what was found in which attachment ({look}), and have the sender send that in a form that holds no active content."
            )
        }
        _ => {
            let rules: Vec<&str> = filter
                .rules
                .iter()
                .map(|rule| rule.split(' ').next().unwrap_or(rule))
                // What stands there of Exchange Online are categories, of others the field itself: no rules that somebody wrote.
                .filter(|rule| !rule.is_empty() && !matches!(name, FilterName::ExchangeOnline | FilterName::Other))
                .take(2)
                .collect();
            let found = match rules.as_slice() {
                [] => "what it found".to_owned(),
                rules => format!("what {} found", quote::bounded(&listed(rules, 2))),
            };
            format!(
                "Look it up by its Message-ID ({look}) and fix {found}; if it was wrong, {}.",
                exception(name, sender)
            )
        }
    }
}

fn has_rule(filter: &Filter, word: &str) -> bool {
    filter.rules.iter().any(|rule| rule == word) || filter.said.contains(word)
}

/// Each list of Exchange Online has a place of its own, which `SFV` names.
fn blocked_by_exchange_online(filter: &Filter, sender: &str) -> String {
    let says = |word: &str| has_rule(filter, word);
    if says("SFV:BLK") || filter.said.contains("dest:J") && !says("SFV:SKB") && !says("SFV:SKS") {
        format!("Have the owner of the mailbox take {sender} off its blocked senders (Outlook, Settings, Junk email).")
    } else if says("SFV:SKB") {
        format!(
            "Take {sender} alone off the blocked senders and domains of the anti-spam policy (Microsoft Defender portal, Policies & rules, Threat \
             policies, Anti-spam), or off the Tenant Allow/Block List."
        )
    } else if says("SFV:SKS") {
        "Find the mail flow rule that sets its spam confidence level (Exchange admin center, Mail flow, Rules), and narrow its conditions."
            .to_owned()
    } else {
        format!("Find the entry that blocks it (Microsoft Defender portal, Tenant Allow/Block List), and take out {sender} alone.")
    }
}

/// Where each product shows what it did with a message, in its own terms.
fn place_to_look(name: FilterName) -> &'static str {
    match name {
        FilterName::ExchangeOnline => "Microsoft Defender portal, Explorer: its Email entity page names the policy and the detection",
        FilterName::SpamAssassin => "its log; `spamassassin -t` on the saved message shows each rule with its points",
        FilterName::Rspamd => "rspamd's web interface, History; or its log by the Message-ID",
        FilterName::Proofpoint => "Proofpoint's Smart Search",
        FilterName::Mimecast => "Mimecast Administration Console, Message Center, Message Tracking",
        FilterName::Barracuda => "Barracuda's Message Log",
        FilterName::Cisco => "Cisco's Message Tracking",
        FilterName::Sophos => "Sophos Central, Email Security, Message History",
        FilterName::TrendMicro => "Trend Micro's Mail Tracking log",
        FilterName::Google => "Google Admin console, Reporting, Email Log Search",
        FilterName::Amavis => "Amavis' lines in the mail log of that host",
        FilterName::Symantec => "Symantec's Email Track and Trace",
        FilterName::CheckPoint => "Check Point's Mail Explorer",
        FilterName::FortiMail => "FortiMail's History log",
        FilterName::Other => "the log of the host that wrote that field",
    }
}

/// The narrowest exception of each product: one sender, and only where it proves who it is.
fn exception(name: FilterName, sender: &str) -> String {
    match name {
        FilterName::ExchangeOnline => {
            format!("report it to Microsoft as a false positive (Submissions), which can allow {sender} alone for a limited time")
        }
        FilterName::SpamAssassin => format!("`welcomelist_auth {sender}` excepts this sender, and only where SPF or DKIM proves it"),
        FilterName::Rspamd => format!(
            "lower the score for the domain of {sender} in the module `whitelist`, with `valid_dmarc = true`, or for {sender} alone by a multimap \
             that demands its DKIM signature"
        ),
        FilterName::Google => format!("put {sender} on an approved senders list that requires authentication"),
        FilterName::Mimecast => format!("write a Permitted Senders policy for {sender} alone, bound to its address or to a passing SPF"),
        _ => format!("report it as a false positive, or except {sender} alone, and only where it passes SPF or DKIM"),
    }
}
