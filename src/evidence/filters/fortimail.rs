//! Fortinet `FortiMail`: `X-FEAS-…` names the check that hit, `X-FE-Policy-ID` the policies (access control, IP, recipient, domain). `X-FEAS-Client-IP`,
//! `-AUTH-USER` and `-SYSTEM-WL` are seen in public mail archives; the fields of checks that hit are known from documents only.

use super::{Family, Filter, filter, in_brackets, words::Words};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| name.starts_with(OWN) || name.starts_with("x-fe-"),
    read,
    heads: &["x-fe-policy-id"],
    hosts: &["fortimailcloud.com", "fortimail.com"],
    once: false,
};

const OWN: &str = "x-feas-";

/// Fields that say who sent it, and nothing of what was found.
const BY_THE_WAY: [&str; 9] = [
    "client-ip",
    "auth-user",
    "spf",
    "dkim",
    "dmarc",
    "bec-info",
    "hash",
    "last-public-client-ip",
    "original-client-ip",
];

fn read(words: &Words) -> Option<Filter> {
    let policy = words.get("X-FE-Policy-ID");
    if policy.is_none() && !words.has_any(OWN) {
        return None;
    }
    let hits: Vec<(String, String)> = words
        .starting(OWN)
        .map(|(name, value)| (name.get(OWN.len()..).unwrap_or_default().to_owned(), value))
        .filter(|(name, _)| !BY_THE_WAY.contains(&name.as_str()))
        .take(20)
        .collect();
    let listed = |parts: &[&str]| hits.iter().find(|(name, _)| name.split('-').any(|part| parts.contains(&part)));
    let allowed = listed(&["wl", "whitelist", "safelist", "allowlist"]);
    let blocked = listed(&["bl", "blacklist", "blocklist"]);
    let against = hits
        .iter()
        .find(|(name, _)| allowed.is_none_or(|(own, _)| own != name) && blocked.is_none_or(|(own, _)| own != name));
    let rules: Vec<String> = hits
        .iter()
        .map(|(name, value)| format!("X-FEAS-{}: {value}", name.to_ascii_uppercase()))
        .collect();
    let policies: Vec<String> = policy.map(|policy| format!("policy {policy}")).into_iter().collect();
    let tag = words.subject_tag().is_some_and(|tag| tag.starts_with("[SPAM]"));
    let (verdict, said) = match (blocked, allowed, against) {
        (Some((name, _)), ..) => (
            FilterVerdict::Blocked,
            format!("took it for spam by its block list {}", name.to_ascii_uppercase()),
        ),
        (_, Some((name, _)), _) => (
            FilterVerdict::Skipped,
            format!("let it through by its safe list {}", name.to_ascii_uppercase()),
        ),
        (.., Some((name, _))) if name.contains("virus") || name.contains("malware") => (
            FilterVerdict::Malware,
            format!("took it for malware by its check {}", name.to_ascii_uppercase()),
        ),
        (.., Some((name, _))) if name.contains("impersonation") => {
            (FilterVerdict::Impersonation, "took the sender for an impersonation".to_owned())
        }
        (.., Some((name, _))) => (
            FilterVerdict::Spam,
            format!("took it for spam by its check {}", name.to_ascii_uppercase()),
        ),
        _ if tag => (FilterVerdict::Spam, "took it for spam (subject tag [SPAM])".to_owned()),
        _ => (FilterVerdict::Clean, "let it pass".to_owned()),
    };
    let allow_listed = allowed
        .filter(|_| verdict == FilterVerdict::Skipped)
        .map(|(name, value)| format!("X-FEAS-{}: {value}, a safe list", name.to_ascii_uppercase()));
    Some(Filter {
        rules,
        allow_listed,
        ..filter(FilterName::FortiMail, verdict, format!("{said}{}", in_brackets(&policies)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn policies_checks_and_lists_are_read() {
        for (fields, verdict, said) in [
            (
                "X-FEAS-Client-IP: 192.0.2.31\r\nX-FE-Policy-ID: 52:10:53:SYSTEM\r\n",
                V::Clean,
                "let it pass (policy 52:10:53:SYSTEM)",
            ),
            (
                "X-FEAS-SYSTEM-WL: probe@sender.example, 192.0.2.25\r\n",
                V::Skipped,
                "safe list SYSTEM-WL",
            ),
            ("X-FEAS-SYSTEM-BL: probe@sender.example\r\n", V::Blocked, "block list SYSTEM-BL"),
            (
                "X-FEAS-SPAM-OUTBREAK: fortiguard\r\nX-FE-Policy-ID: 1:2:3:contoso.example\r\n",
                V::Spam,
                "check SPAM-OUTBREAK (policy",
            ),
            ("X-FEAS-ANTIVIRUS: Eicar\r\n", V::Malware, "malware"),
        ] {
            let header = format!("From: a@b\r\n{fields}\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!(
                (one.verdict, one.allow_listed.is_some()),
                (verdict, verdict == V::Skipped),
                "{fields}"
            );
            assert!(one.said.contains(said), "{}", one.said);
        }
    }
}
