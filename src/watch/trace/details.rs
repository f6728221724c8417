//! Which event in the details of a row explains its status, and its words. The events' names were seen by a third party (October 2026), the
//! `data` are opaque XML: both are read leniently, and what is not understood is left out.

use super::ask::{Detail, short};
use crate::{
    evidence::enhanced_status,
    model::{TraceCause, TraceStatus},
};

const LONGEST: usize = 600;
/// The names under which policies and rules stand in the data.
const NAMES: [&str; 6] = ["PolicyName", "Policy", "RuleName", "Rule", "DlpRule", "Verdict"];

/// Whether the details of a row with this status tell more than the status does.
pub(super) fn explain(status: &TraceStatus) -> bool {
    matches!(status, TraceStatus::Failed | TraceStatus::Quarantined | TraceStatus::FilteredAsSpam)
}

/// The event that explains the status, if one does.
pub(super) fn cause(status: &TraceStatus, details: &[Detail]) -> Option<TraceCause> {
    let telling: &[&str] = match status {
        TraceStatus::Failed => &["fail", "drop", "transport rule", "dlp rule", "malware", "spam", "defer"],
        _ => &["malware", "transport rule", "dlp rule", "spam", "quarantine", "fail", "drop"],
    };
    let (event, detail) = telling.iter().find_map(|name| {
        let named = |detail: &&Detail| detail.event.as_deref().is_some_and(|event| event.eq_ignore_ascii_case(name));
        let detail = details.iter().rev().find(named)?;
        Some((detail.event.clone().unwrap_or_default(), detail))
    })?;
    let description = detail.description.as_deref().unwrap_or_default();
    let mut text = part(description, "LED=").unwrap_or(description).trim().to_owned();
    for (name, value) in named(detail.data.as_deref().unwrap_or_default()) {
        if !text.contains(value.as_str()) {
            text = format!("{text} ({name}: {value})");
        }
    }
    Some(TraceCause {
        event: short(&event, 60),
        status: enhanced_status(&text),
        text: short(text.trim(), LONGEST),
        defender: None,
    })
}

/// What stands after `key` in `[{LED=…};{MSG=…};…]`.
fn part<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(key)?;
    let part = rest.split_once("};").map_or(rest, |(part, _)| part);
    Some(part.trim_end_matches([']', '}'])).filter(|part| !part.trim().is_empty())
}

/// The names of policies and rules in `<MEP Name="PolicyName" String="…"/>`.
fn named(data: &str) -> Vec<(String, String)> {
    let attribute = |element: &str, name: &str| {
        let (_, rest) = element.split_once(&format!("{name}=\""))?;
        let (value, _) = rest.split_once('"')?;
        Some(short(&unescaped(value), 120))
    };
    let elements = data.split("<MEP ").skip(1).take(50);
    elements
        .filter_map(|element| {
            let name = attribute(element, "Name")?;
            let value = attribute(element, "String")?;
            (NAMES.contains(&name.as_str()) && !value.trim().is_empty()).then_some((name, value))
        })
        .take(3)
        .collect()
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(event: &str, description: &str, data: &str) -> Detail {
        Detail {
            event: Some(event.to_owned()),
            description: Some(description.to_owned()),
            data: Some(data.to_owned()),
        }
    }

    #[test]
    fn a_failure_is_told_by_its_last_error() {
        let reason = "Reason: [{LED=550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup};{MSG=};{FQDN=};{IP=};{LRT=}]";
        let details = [
            detail("Receive", "Message received by: a.example", ""),
            detail("Fail", reason, "<root/>"),
        ];
        let cause = cause(&TraceStatus::Failed, &details).unwrap();
        assert_eq!(cause.event, "Fail");
        assert_eq!(cause.status.as_deref(), Some("5.1.10"));
        assert_eq!(
            cause.text,
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
        );
    }

    #[test]
    fn a_policy_is_named_once() {
        let data = r#"<root><MEP Name="ServerHostName" String="x"/><MEP Name="PolicyName" String="Strict &amp; hard"/></root>"#;
        let held = cause(&TraceStatus::Quarantined, &[detail("Spam", "The message was held.", data)]).unwrap();
        assert_eq!(held.text, "The message was held. (PolicyName: Strict & hard)");
        let known = cause(&TraceStatus::Quarantined, &[detail("Spam", "Held by Strict & hard", data)]).unwrap();
        assert_eq!(known.text, "Held by Strict & hard");
    }

    #[test]
    fn what_is_not_understood_explains_nothing() {
        assert_eq!(cause(&TraceStatus::Failed, &[detail("Receive", "x", "<MEP Name=\"Pol")]), None);
        assert_eq!(cause(&TraceStatus::Failed, &[]), None);
    }
}
