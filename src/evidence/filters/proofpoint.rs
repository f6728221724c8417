//! Proofpoint: `X-Proofpoint-Spam-Details` and its companions. The forms of clean mail are those of public mail archives; the names of the rules that
//! stop something are each administrator's own, so they are understood by the words in them. `-Details-Enc` is encrypted for Proofpoint alone.

use super::{
    Family, Filter, filter,
    words::{Words, after, number_after, shown},
};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| name.starts_with("x-proofpoint-") || name == "x-authority-analysis",
    read,
    heads: &["x-proofpoint-spam-details", "x-proofpoint-spam-details-enc"],
    hosts: &["pphosted.com", "ppops.net", "ppe-hosted.com"],
    once: false,
};

/// The scores that speak against a message, with what each means; the gravest first.
const CATEGORIES: [(&str, FilterVerdict); 6] = [
    ("malwarescore", FilterVerdict::Malware),
    ("phishscore", FilterVerdict::Phishing),
    ("impostorscore", FilterVerdict::Impersonation),
    ("spamscore", FilterVerdict::Spam),
    ("adultscore", FilterVerdict::Spam),
    ("bulkscore", FilterVerdict::Bulk),
];

fn read(words: &Words) -> Option<Filter> {
    let Some(details) = words.get("X-Proofpoint-Spam-Details") else {
        let is_there = words.has("X-Proofpoint-Spam-Details-Enc") || words.has("X-Proofpoint-Virus-Version");
        return is_there.then(|| {
            filter(
                FilterName::Proofpoint,
                FilterVerdict::Scanned,
                "scanned it, and keeps what it found to itself (X-Proofpoint-Spam-Details-Enc)",
            )
        });
    };
    let rule = after(&details, "rule=").unwrap_or_default().to_ascii_lowercase();
    let policy = after(&details, "policy=").unwrap_or_default();
    let score = number_after(&details, "score=");
    let mut scores: Vec<(&str, f64, FilterVerdict)> = CATEGORIES
        .iter()
        .filter_map(|(name, verdict)| {
            Some((
                *name,
                number_after(&details, &format!("{name}=")).filter(|score| *score > 0.0)?,
                *verdict,
            ))
        })
        .collect();
    scores.sort_by(|(_, one, _), (_, other, _)| other.total_cmp(one));
    let has = |parts: &[&str]| parts.iter().any(|part| rule.contains(part));
    let allowed = has(&["safelist", "safe_list", "whitelist", "allowlist", "allow_list", "welcomelist"]) || details.contains("reason=safe");
    let verdict = if rule.ends_with("notspam") || allowed {
        FilterVerdict::Clean
    } else if has(&["blocklist", "blacklist", "block_list", "denylist"]) {
        FilterVerdict::Blocked
    } else if has(&["malware", "virus"]) {
        FilterVerdict::Malware
    } else if has(&["phish"]) {
        FilterVerdict::Phishing
    } else if has(&["impost", "spoof", "bec"]) {
        FilterVerdict::Impersonation
    } else if has(&["bulk", "graymail"]) {
        FilterVerdict::Bulk
    } else if has(&["spam", "quarantine", "suspect", "adult"]) {
        // The rule names what it does with it; the highest score names why.
        scores.first().map_or(FilterVerdict::Spam, |(_, _, verdict)| *verdict)
    } else {
        FilterVerdict::Scanned
    };
    let mut rules = vec![format!("rule={rule}")];
    if !policy.is_empty() {
        rules.push(format!("policy={policy}"));
    }
    rules.extend(scores.iter().map(|(name, score, _)| format!("{name} ({})", shown(*score))));
    let outbound = policy.starts_with("outbound") || rule.starts_with("outbound");
    let what = match verdict {
        FilterVerdict::Clean if allowed => "let it through by a safe list",
        FilterVerdict::Clean if outbound => "found nothing against it on its way out of the sender's organization",
        FilterVerdict::Clean => "found nothing against it",
        FilterVerdict::Blocked => "took it for blocked",
        FilterVerdict::Malware => "took it for malware",
        FilterVerdict::Phishing => "took it for phishing",
        FilterVerdict::Impersonation => "took the sender for an impostor",
        FilterVerdict::Bulk => "took it for bulk mail",
        FilterVerdict::Spam => "took it for spam",
        _ => "applied a rule of its administrator",
    };
    let figure = score.map(|score| format!(", score {}", shown(score))).unwrap_or_default();
    let allow_listed = allowed.then(|| format!("rule={rule}, a safe list"));
    let verdict = if allowed { FilterVerdict::Skipped } else { verdict };
    let said = format!("{what} (rule={rule}{figure})");
    Some(Filter {
        score,
        rules,
        allow_listed,
        ..filter(FilterName::Proofpoint, verdict, said)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn rules_and_scores_are_read() {
        for (details, verdict, said) in [
            (
                "rule=notspam policy=default score=0 phishscore=0 bulkscore=0 spamscore=0 mlxlogscore=999",
                V::Clean,
                "found nothing against it (rule=notspam, score 0)",
            ),
            (
                "rule=outbound_notspam policy=outbound score=0 clxscore=1015",
                V::Clean,
                "on its way out",
            ),
            (
                "rule=spam policy=default score=100 spamscore=100 ipscore=0 phishscore=38 bulkscore=100 adultscore=1",
                V::Spam,
                "took it for spam (rule=spam, score 100)",
            ),
            (
                "rule=quarantine policy=default score=95 spamscore=40 phishscore=95",
                V::Phishing,
                "took it for phishing (rule=quarantine, score 95)",
            ),
            ("rule=inbound_bulk policy=default score=81 bulkscore=81", V::Bulk, "bulk mail"),
            ("rule=malware policy=default score=100 malwarescore=100", V::Malware, "malware"),
            (
                "rule=inbound_impostor policy=default score=70 impostorscore=70",
                V::Impersonation,
                "impostor",
            ),
            ("rule=user_blocklist policy=default score=100", V::Blocked, "blocked"),
            ("rule=safelist policy=default score=0", V::Skipped, "safe list"),
            ("rule=custom_tag policy=default score=12", V::Scanned, "rule of its administrator"),
        ] {
            let header = format!(
                "Received: from a by mx0a-00123.pphosted.com; Mon\r\nFrom: a@b\r\nX-Proofpoint-Virus-Version: vendor=baseguard\r\nX-Proofpoint-Spam-Details: {details} classifier=spam\r\n\r\n"
            );
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{details}: {found:?}") };
            assert_eq!(one.verdict, verdict, "{details}");
            assert!(one.said.contains(said), "{details}: {}", one.said);
            assert_eq!(one.allow_listed.is_some(), verdict == V::Skipped);
            assert_eq!(one.host.as_deref(), Some("mx0a-00123.pphosted.com"));
        }
    }

    #[test]
    fn two_runs_are_two_filters_and_a_closed_report_is_only_a_scan() {
        let header = "From: a@b\r\nX-Proofpoint-Spam-Details: rule=outbound_notspam policy=outbound score=0\r\nX-Proofpoint-Spam-Details: rule=spam policy=default score=80\r\n\r\n";
        let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
        assert_eq!(found.iter().map(|one| one.verdict).collect::<Vec<_>>(), [V::Clean, V::Spam]);
        let closed = "From: a@b\r\nX-Proofpoint-Spam-Details-Enc: AW1haW4tMjUwNzE5\r\nX-Proofpoint-GUID: x\r\n\r\n";
        assert_eq!(
            read(&Header::parse(closed.as_bytes()).0, None, crate::evidence::sides::Sides::default())[0].verdict,
            V::Scanned
        );
    }
}
