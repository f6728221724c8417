//! Mimecast: `X-Mimecast-Spam-Score` and `X-Mimecast-Impersonation-Protect`, as public mail archives show them. The levels at which spam scanning acts
//! (7 relaxed, 5 moderate, 3 aggressive) are known from documents only; which of them a policy has, the header does not tell.

use super::{
    Family, Filter, filter,
    words::{Words, number, shown},
};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| name.starts_with("x-mimecast-") || name == "x-mc-unique",
    read,
    heads: &["x-mimecast-spam-score"],
    hosts: &["mimecast.com", "mimecast-offshore.com", "mimecast.co.za"],
    once: false,
};

/// The scores from which the least, and the most, eager setting acts.
const RELAXED: f64 = 7.0;
const AGGRESSIVE: f64 = 3.0;

/// The checks of Impersonation Protection that speak of who the sender claims to be.
const IDENTITY: [&str; 6] = [
    "Similar Internal Domain",
    "Similar Monitored External Domain",
    "Custom External Domain",
    "Mimecast External Domain",
    "Internal User Name",
    "Custom Display Name List",
];

fn read(words: &Words) -> Option<Filter> {
    if !words.has_any("x-mimecast-") && !words.has("X-MC-Unique") {
        return None;
    }
    let score = words.get("X-Mimecast-Spam-Score").as_deref().and_then(number);
    let yes = |name: &str| words.get(name).is_some_and(|value| value.to_ascii_lowercase().starts_with("yes"));
    let (policy, hits) = impersonation(words);
    let identity = hits.iter().any(|hit| IDENTITY.contains(&hit.as_str()));
    let permitted = words
        .starting("x-mimecast-")
        .find(|(name, value)| name.contains("permitted") && !value.is_empty());
    let figure = score.map(|score| format!(" (score {})", shown(score))).unwrap_or_default();
    let (verdict, said) = if identity {
        let said = format!(
            "took the sender for an impersonation by Targeted Threat Protection: {}",
            hits.join(", ")
        );
        (
            FilterVerdict::Impersonation,
            format!("{said}{}", policy.map(|policy| format!(" (policy {policy})")).unwrap_or_default()),
        )
    } else if yes("X-Mimecast-Spam-Signature") {
        (FilterVerdict::Spam, format!("knows its text as spam{figure}"))
    } else if score.is_some_and(|score| score >= RELAXED) {
        (
            FilterVerdict::Spam,
            format!("took it for spam at every setting of spam scanning{figure}"),
        )
    } else if yes("X-Mimecast-Bulk-Signature") {
        (FilterVerdict::Bulk, format!("knows its text as bulk mail{figure}"))
    } else if score.is_some_and(|score| score >= AGGRESSIVE) {
        (
            FilterVerdict::Scanned,
            format!("gave it a score at which the more eager settings of spam scanning act{figure}"),
        )
    } else if score.is_some() {
        (FilterVerdict::Clean, format!("found nothing against it{figure}"))
    } else {
        (FilterVerdict::Scanned, "handled it, and does not say what it found".to_owned())
    };
    let allow_listed = permitted
        .filter(|_| !verdict.is_against())
        .map(|(name, _)| format!("{name}, a permitted sender policy"));
    let verdict = if allow_listed.is_some() { FilterVerdict::Skipped } else { verdict };
    Some(Filter {
        score,
        rules: hits,
        allow_listed,
        ..filter(FilterName::Mimecast, verdict, said)
    })
}

/// The policy and the checks that hit: `Policy=NAME; Similar Internal Domain=false; …`. Each policy writes a field of its own.
fn impersonation(words: &Words) -> (Option<String>, Vec<String>) {
    for (_, text) in words.starting("x-mimecast-impersonation-protect") {
        let statements = || text.split(';').take(40).filter_map(|statement| statement.split_once('='));
        let hits: Vec<String> = statements()
            .filter(|(_, value)| value.trim().eq_ignore_ascii_case("true"))
            .map(|(name, _)| name.trim().to_owned())
            .collect();
        if !hits.is_empty() {
            let policy = statements()
                .find(|(name, _)| name.trim() == "Policy")
                .map(|(_, policy)| policy.trim().to_owned());
            return (policy, hits);
        }
    }
    (None, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn scores_and_checks_are_read() {
        let checks = "X-Mimecast-Impersonation-Protect: Policy=Default; Similar Internal Domain=false;\r\n\tInternal User Name=VALUE; Reply-to Address Mismatch=false\r\n";
        for (fields, verdict, rules) in [
            (
                "X-Mimecast-Spam-Score: 0\r\nX-Mimecast-Originator: sender.example\r\n".to_owned(),
                V::Clean,
                &[][..],
            ),
            ("X-Mimecast-Spam-Score: 0.001\r\n".to_owned(), V::Clean, &[]),
            ("X-Mimecast-Spam-Score: 5\r\n".to_owned(), V::Scanned, &[]),
            ("X-Mimecast-Spam-Score: 28\r\n".to_owned(), V::Spam, &[]),
            (
                "X-Mimecast-Spam-Score: 1\r\nX-Mimecast-Bulk-Signature: yes\r\n".to_owned(),
                V::Bulk,
                &[],
            ),
            (
                "X-Mimecast-Spam-Score: 1\r\nX-Mimecast-Spam-Signature: yes\r\n".to_owned(),
                V::Spam,
                &[],
            ),
            (
                format!("X-Mimecast-Spam-Score: 1\r\n{}", checks.replace("VALUE", "false")),
                V::Clean,
                &[],
            ),
            (
                format!("X-Mimecast-Spam-Score: 1\r\n{}", checks.replace("VALUE", "true")),
                V::Impersonation,
                &["Internal User Name"],
            ),
            ("X-MC-Unique: 83EZiUlbNKmLkR6N7nAwDg-1\r\n".to_owned(), V::Scanned, &[]),
        ] {
            let header = format!("From: a@b\r\n{fields}\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!(
                (one.verdict, &one.rules[..]),
                (verdict, &rules.iter().map(|&rule| rule.to_owned()).collect::<Vec<_>>()[..]),
                "{fields}"
            );
        }
    }
}
