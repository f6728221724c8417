//! How probes are recognised, and queries that label them. None of them takes a row away: whoever hides probes also hides what is made to look like
//! one.
//!
//! What they cannot do: prove. Anybody who has seen a probe can write a message with its tag. Only mailflow, which holds the key, can tell a tag of
//! its own from one that was copied or made up, and of a copied one it knows the recipient.

use super::{Block, Part, TAG, Window};
use crate::model::{Plan, Time};
use std::collections::BTreeSet;

/// The form of a tag.
const FORM: &str = "[a-z2-7]{42}";

/// By what a message shows itself as a probe.
pub fn recognition(plan: &Plan) -> Part {
    let mut lines = vec![format!("X-Mailflow-Probe: {TAG}")];
    lines.extend(domains(plan).iter().map(|domain| format!("Message-ID: <{TAG}@{domain}>")));
    Part {
        title: "How to recognise a probe",
        blocks: vec![
            Block::Text("Each has these header fields, and the same tag in its subject and text:".to_owned()),
            Block::Literal(lines),
            Block::Text(
                "That is a likeness, not a proof: anybody can write such fields. A message that looks like a probe but has another sender, comes \
                 by another way or at another time is to be treated like any other; then please ask us."
                    .to_owned(),
            ),
        ],
    }
}

/// Queries for Microsoft's tables, and expressions for everything else.
pub fn labels(from: &BTreeSet<&str>, plan: &Plan, window: Window) -> Part {
    let domains = domains(plan);
    let any_domain = domains.iter().map(|domain| literal(domain)).collect::<Vec<_>>();
    let any_domain = match any_domain.as_slice() {
        [one] => one.clone(),
        several => format!("(?:{})", several.join("|")),
    };
    let senders: Vec<String> = from.iter().map(|sender| format!("    {}", quoted(sender))).collect();
    let stamp = |at: Time| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let kusto = format!(
        "let MailflowSenders = dynamic([\n{}\n]);\n\
         EmailEvents\n\
         | extend MailflowTag = coalesce(\n    \
             extract(@\"^<?({FORM})@{any_domain}>?$\", 1,\n        \
                 tolower(InternetMessageId)),\n    \
             extract(@\"\\b({FORM})\\b\", 1, tolower(Subject)))\n\
         | extend IsMailflowProbe = isnotempty(MailflowTag)\n    \
             and SenderFromAddress in~ (MailflowSenders)\n    \
             and Timestamp between (datetime({})\n        \
                 .. datetime({}))",
        senders.join(",\n"),
        stamp(window.begins),
        stamp(window.latest)
    );
    let expressions = format!(
        "header      (?im)^X-Mailflow-Probe:[ \\t]*{FORM}[ \\t]*\\r?$\n\
         Message-ID  (?i)<{FORM}@{any_domain}>\n\
         subject     (?i)\\b{FORM}\\b"
    );
    Part {
        title: "Label them, do not suppress them",
        blocks: vec![
            Block::Text(
                "Please put no sender, address or tag of this test on a list of what is let through, and close no alert unseen because of it: \
                 a filter that lets probes pass proves nothing, and a rule that hides them hides whoever copies them. The query adds a column \
                 and takes no row away."
                    .to_owned(),
            ),
            Block::Text("Defender XDR (advanced hunting) and Sentinel, in KQL:".to_owned()),
            Block::Code("kusto", kusto),
            Block::Text("Anything else, as regular expressions (PCRE, RE2):".to_owned()),
            Block::Code("text", expressions),
        ],
    }
}

/// The domains of the Message-IDs.
fn domains(plan: &Plan) -> BTreeSet<&str> {
    plan.probes
        .iter()
        .filter_map(|probe| probe.message_id.trim_end_matches('>').rsplit_once('@').map(|(_, domain)| domain))
        .collect()
}

/// A domain as a regular expression. Message-IDs have domains of letters, digits, dots and hyphens only.
fn literal(domain: &str) -> String {
    domain.replace('.', "\\.")
}

/// A string of KQL.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
