//! Cisco Secure Email, formerly `IronPort`: what its fields say is encrypted for Cisco (`X-IronPort-Anti-Spam-Result`); open are the result of Advanced
//! Malware Protection, the sender group, and the tag that a policy puts before the subject (known by its defaults from documents only).

use super::{Family, Filter, filter, in_brackets, words::Words};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| {
        ["x-ironport-", "ironport-", "x-amp-", "x-ipas-", "x-talos-", "x-cse-", "x-sbrs"]
            .iter()
            .any(|own| name.starts_with(own))
    },
    read,
    heads: &["x-ironport-anti-spam-filtered"],
    hosts: &["iphmx.com"],
    once: false,
};

/// The default subject tags, by their beginnings, with what each means. Policies may have others.
const TAGS: [(&str, FilterVerdict, &str); 9] = [
    ("[SUSPECTED SPAM]", FilterVerdict::Spam, "took it for suspected spam"),
    ("[SPAM]", FilterVerdict::Spam, "took it for spam"),
    ("[MARKETING]", FilterVerdict::Bulk, "took it for marketing mail (graymail)"),
    (
        "[SOCIAL NETWORK]",
        FilterVerdict::Bulk,
        "took it for mail of a social network (graymail)",
    ),
    ("[BULK]", FilterVerdict::Bulk, "took it for bulk mail (graymail)"),
    ("[WARNING: VIRUS REMOVED]", FilterVerdict::Malware, "removed a virus from it"),
    ("[WARNING: VIRUS DETECTED]", FilterVerdict::Malware, "found a virus in it"),
    ("[WARNING: MALWARE DETECTED]", FilterVerdict::Malware, "found malware in it"),
    (
        "[SUSPICIOUS MESSAGE]",
        FilterVerdict::Phishing,
        "took it for suspicious (Outbreak Filters)",
    ),
];

fn read(words: &Words) -> Option<Filter> {
    let is_there = words.has_any("x-ironport-") || words.has_any("ironport-") || words.has_any("x-amp-");
    if !is_there {
        return None;
    }
    let amp = words.get("X-Amp-Result");
    let tag = words.subject_tag();
    let tagged = TAGS
        .iter()
        .find(|(start, ..)| tag.as_deref().is_some_and(|tag| tag.starts_with(start)));
    let group = words.get("X-IronPort-SenderGroup").map(|group| group.to_ascii_uppercase());
    let listed = group.filter(|group| ["WHITELIST", "ALLOWED_LIST", "ALLOW_LIST", "ALLOWLIST"].contains(&group.as_str()));
    let mut rules: Vec<String> = amp.iter().map(|result| format!("X-Amp-Result: {result}")).collect();
    rules.extend(tagged.map(|(start, ..)| format!("subject tag {start}")));
    rules.extend(
        ["X-IronPort-Reputation", "X-SBRS"]
            .iter()
            .find_map(|name| words.get(name).filter(|score| super::words::number(score).is_some()))
            .map(|score| format!("sender reputation {score}")),
    );
    let malicious = amp
        .as_deref()
        .is_some_and(|result| result.to_ascii_uppercase().starts_with("MALICIOUS"));
    let engines = ["X-IronPort-Anti-Spam-Filtered", "X-IronPort-AV"].map(|name| words.has(name));
    let (verdict, said) = match (malicious, tagged, engines) {
        (true, ..) => (
            FilterVerdict::Malware,
            "took an attachment for malicious by Advanced Malware Protection".to_owned(),
        ),
        (_, Some((start, verdict, said)), _) => (*verdict, format!("{said} (subject tag {start})")),
        _ if listed.is_some() => (
            FilterVerdict::Skipped,
            "took it from a trusted sender group, whose mail flow policy skips spam filtering".to_owned(),
        ),
        (.., [true, antivirus]) => {
            let also = if antivirus { " and viruses" } else { "" };
            (
                FilterVerdict::Scanned,
                format!(
                    "scanned it for spam{also}, and keeps what it found to itself{}",
                    in_brackets(&rules)
                ),
            )
        }
        (.., [false, true]) => (
            FilterVerdict::Scanned,
            format!("scanned it for viruses, and let it go on{}", in_brackets(&rules)),
        ),
        _ if amp
            .as_deref()
            .is_some_and(|result| result.to_ascii_uppercase().starts_with("CLEAN")) =>
        {
            (
                FilterVerdict::Clean,
                "found its attachment clean by Advanced Malware Protection".to_owned(),
            )
        }
        _ => (
            FilterVerdict::Scanned,
            format!("handled it, and does not say what it found{}", in_brackets(&rules)),
        ),
    };
    let allow_listed = listed
        .filter(|_| !verdict.is_against())
        .map(|group| format!("sender group {group}"));
    Some(Filter {
        rules,
        allow_listed,
        ..filter(FilterName::Cisco, verdict, said)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn results_groups_and_subject_tags_are_read() {
        let both = "X-IronPort-Anti-Spam-Filtered: true\r\nX-IronPort-Anti-Spam-Result: A2DoAAB6\r\nX-IronPort-AV: E=McAfee;i=\"6000\"\r\nX-IronPort-AV: E=Sophos;i=\"6.23\"\r\n";
        for (subject, fields, verdict, said) in [
            ("Test", both, V::Scanned, "scanned it for spam and viruses"),
            ("[SUSPECTED SPAM] Test", both, V::Spam, "suspected spam"),
            ("[Marketing] Test", both, V::Bulk, "graymail"),
            ("[EXTERNAL] Test", both, V::Scanned, "keeps what it found"),
            (
                "Test",
                "X-IronPort-AV: E=Sophos;i=\"6.23\"\r\nX-Amp-Result: SKIPPED(no attachment in message)\r\n",
                V::Scanned,
                "SKIPPED",
            ),
            (
                "Test",
                "X-IronPort-MID: 1\r\nX-Amp-Result: MALICIOUS\r\n",
                V::Malware,
                "Advanced Malware",
            ),
            ("Test", "X-IronPort-MID: 1\r\nX-Amp-Result: CLEAN\r\n", V::Clean, "clean"),
            (
                "Test",
                "X-IronPort-MID: 1\r\nX-IronPort-SenderGroup: ALLOWED_LIST\r\n",
                V::Skipped,
                "trusted sender group",
            ),
            ("Test", "X-IronPort-SenderGroup: RELAY_O365\r\n", V::Scanned, "handled"),
        ] {
            let header = format!("{fields}Received: from a by esa1.contoso.iphmx.com; Mon\r\nSubject: {subject}\r\n\r\n");
            let (sent, _) = Header::parse(b"Subject: Test\r\n\r\n");
            let found = read(
                &Header::parse(header.as_bytes()).0,
                Some(&sent),
                crate::evidence::sides::Sides::default(),
            );
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!(
                (one.verdict, one.host.as_deref()),
                (verdict, Some("esa1.contoso.iphmx.com")),
                "{fields}"
            );
            assert!(one.said.contains(said), "{}", one.said);
            assert_eq!(one.allow_listed.is_some(), verdict == V::Skipped);
        }
    }
}
