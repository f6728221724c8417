//! Barracuda: `X-Barracuda-Spam-Status` with its three levels, the report of its rules, `X-ASG-Whitelist` (appliances), and `X-BESS-…` (the cloud
//! gateway). All as public mail archives show them. A level of 1000 means that it is switched off.

use super::{
    Family, Filter, filter, in_brackets,
    words::{self, Words, number, number_after, shown},
};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| OWN.iter().any(|own| name.starts_with(own)),
    read,
    heads: &["x-asg-debug-id"],
    hosts: &["ess.barracudanetworks.com", "barracudanetworks.com"],
    once: true,
};

/// How the names of its fields begin.
const OWN: [&str; 3] = ["x-barracuda-", "x-asg-", "x-bess-"];

/// What it does from which score on, the mildest first.
const LEVELS: [(&str, &str); 3] = [
    ("TAG_LEVEL", "tagged it"),
    ("QUARANTINE_LEVEL", "held it in quarantine"),
    ("KILL_LEVEL", "blocked it"),
];
/// From this score on a level is off.
const OFF: f64 = 999.0;

fn read(words: &Words) -> Option<Filter> {
    if !OWN.iter().any(|own| words.has_any(own)) {
        return None;
    }
    let status = words
        .get("X-Barracuda-Spam-Status")
        .or_else(|| words.get("X-BESS-Spam-Status"))
        .unwrap_or_default();
    let score = number_after(&status, "SCORE=")
        .or_else(|| words.get("X-Barracuda-Spam-Score").as_deref().and_then(number))
        .or_else(|| words.get("X-BESS-Spam-Score").as_deref().and_then(number));
    let levels: Vec<(&str, &str, f64)> = LEVELS
        .iter()
        .filter_map(|(name, does)| {
            Some((
                *name,
                *does,
                number_after(&status, &format!("{name}=")).filter(|level| *level > 0.0 && *level < OFF)?,
            ))
        })
        .collect();
    let lowest = levels.iter().map(|(_, _, level)| *level).reduce(f64::min);
    let reached = levels
        .iter()
        .filter(|(_, _, level)| score.is_some_and(|score| score >= *level))
        .max_by(|one, other| one.2.total_cmp(&other.2));
    let flagged = words
        .get("X-Barracuda-Spam-Flag")
        .is_some_and(|flag| flag.eq_ignore_ascii_case("YES"));
    let against = status.to_ascii_lowercase().starts_with("yes") || flagged || reached.is_some();
    let report = words
        .get("X-Barracuda-Spam-Report")
        .or_else(|| words.get("X-BESS-Spam-Report"))
        .unwrap_or_default();
    let mut hits = words::points_before_names(&report);
    if hits.is_empty() {
        hits = words::tests(&status);
    }
    let rules = words::named(&words::heaviest(hits, against));
    let listed = words.get("X-ASG-Whitelist").filter(|_| !against);
    let mut figures: Vec<String> = score.map(|score| format!("score {}", shown(score))).into_iter().collect();
    if let Some((name, _, level)) = reached {
        figures.push(format!("{name} {}", shown(*level)));
    } else if let Some(lowest) = lowest {
        figures.push(format!("acts from {}", shown(lowest)));
    }
    let (verdict, said) = match reached {
        Some((_, does, _)) => (FilterVerdict::Spam, format!("took it for spam and {does}{}", in_brackets(&figures))),
        None if against => (FilterVerdict::Spam, format!("took it for spam{}", in_brackets(&figures))),
        None if listed.is_some() => (FilterVerdict::Skipped, "let it through without spam scoring".to_owned()),
        None if score.is_some() => (
            FilterVerdict::Clean,
            format!("found too little against it{}", in_brackets(&figures)),
        ),
        None => (FilterVerdict::Scanned, "handled it, and does not say what it found".to_owned()),
    };
    let allow_listed = listed.map(|list| format!("X-ASG-Whitelist: {list}"));
    Some(Filter {
        score,
        threshold: lowest,
        rules,
        allow_listed,
        ..filter(FilterName::Barracuda, verdict, said)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn levels_and_rules_are_read() {
        for (fields, verdict, score, threshold, rules, said) in [
            (
                "X-Barracuda-Spam-Score: -2.02\r\nX-Barracuda-Spam-Status: No, SCORE=-2.02 using global scores of TAG_LEVEL=1000.0 QUARANTINE_LEVEL=1000.0 KILL_LEVEL=9.0 tests=\r\n",
                V::Clean,
                Some(-2.02),
                Some(9.0),
                &[][..],
                "acts from 9",
            ),
            (
                "X-Barracuda-Spam-Status: Yes, SCORE=4.1 using global scores of TAG_LEVEL=3.5 QUARANTINE_LEVEL=5.0 KILL_LEVEL=9.0 tests=NO_REAL_NAME, BSF_RULE7568M\r\nX-Barracuda-Spam-Report: Code version 3.2, rules version 3.2.3.45577\r\n\tRule breakdown below\r\n\t pts rule name              description\r\n\t---- ----------------------\r\n\t0.50 NO_REAL_NAME           From: does not include a real name\r\n\t3.60 BSF_RULE7568M          Custom Rule 7568M\r\n",
                V::Spam,
                Some(4.1),
                Some(3.5),
                &["BSF_RULE7568M (3.6)", "NO_REAL_NAME (0.5)"],
                "tagged it (score 4.1, TAG_LEVEL 3.5)",
            ),
            (
                "X-Barracuda-Spam-Status: Yes, SCORE=7 using per-user scores of TAG_LEVEL=3.5 QUARANTINE_LEVEL=5.0 KILL_LEVEL=9.0 tests=\r\n",
                V::Spam,
                Some(7.0),
                Some(3.5),
                &[],
                "held it in quarantine",
            ),
            (
                "X-BESS-ID: 1\r\nX-BESS-Spam-Status: SCORE=2.60 using account:ESS152179 scores of QUARANTINE_LEVEL=5.0 KILL_LEVEL=0.0 tests=HTML_MESSAGE, MIME_HTML_ONLY\r\n",
                V::Clean,
                Some(2.6),
                Some(5.0),
                &["HTML_MESSAGE", "MIME_HTML_ONLY"],
                "acts from 5",
            ),
            (
                "X-ASG-Whitelist: Client\r\nX-Barracuda-Connect: a[192.0.2.1]\r\n",
                V::Skipped,
                None,
                None,
                &[],
                "without spam scoring",
            ),
            ("X-Barracuda-Connect: a[192.0.2.1]\r\n", V::Scanned, None, None, &[], "does not say"),
        ] {
            let header = format!("Received: from a by b.contoso.example; Mon\r\nFrom: a@b\r\n{fields}\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!((one.verdict, one.score, one.threshold), (verdict, score, threshold), "{fields}");
            assert_eq!(one.rules, rules, "{fields}");
            assert!(one.said.contains(said), "{}", one.said);
            assert_eq!(one.allow_listed.is_some(), verdict == V::Skipped);
        }
    }
}
