//! Trend Micro: `X-TM-AS-Result` and `X-TMASE-Result` (`ScanMail`, `InterScan`, Email Security), `X-TM-AS-User-Approved-Sender`. As public mail archives
//! show them: verdict, engine, score and threshold in one word, parted by dashes that may be signs.

use super::{
    Family, Filter, filter, in_brackets,
    words::{Words, number, shown},
};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| name.starts_with("x-tm-") || name.starts_with("x-tmase-") || name.starts_with("x-imss-"),
    read,
    heads: &["x-tmase-version"],
    hosts: &["tmes.trendmicro.com", "tmes.trendmicro.eu", "trendmicro.com", "trendmicro.eu"],
    once: false,
};

fn read(words: &Words) -> Option<Filter> {
    if !words.has_any("x-tm-as-") && !words.has_any("x-tmase-") && !words.has("X-TM-SNTS-SMTP") && !words.has_any("x-imss-") {
        return None;
    }
    let result = words.get("X-TM-AS-Result");
    let figures = result
        .as_deref()
        .and_then(figures)
        .or_else(|| words.get("X-TMASE-Result").as_deref().and_then(self::figures));
    let (score, threshold) = figures.unzip();
    let yes = |name: &str| words.get(name).is_some_and(|value| value.eq_ignore_ascii_case("yes"));
    let (approved, blocked) = (yes("X-TM-AS-User-Approved-Sender"), yes("X-TM-AS-User-Blocked-Sender"));
    let says_yes = result
        .as_deref()
        .is_some_and(|result| result.trim_start_matches([':', ' ']).to_ascii_lowercase().starts_with("yes"));
    let threshold = threshold.filter(|threshold| *threshold > 0.0);
    let reached = result.is_none() && score.zip(threshold).is_some_and(|(score, threshold)| score >= threshold);
    let shown_figures: Vec<String> = score
        .map(|score| {
            let of = threshold
                .map(|threshold| format!(", spam from {}", shown(threshold)))
                .unwrap_or_default();
            format!("score {}{of}", shown(score))
        })
        .into_iter()
        .collect();
    let (verdict, said) = if blocked {
        (
            FilterVerdict::Blocked,
            "took it for spam because its list of blocked senders names the sender".to_owned(),
        )
    } else if (says_yes || reached) && !approved {
        (FilterVerdict::Spam, format!("took it for spam{}", in_brackets(&shown_figures)))
    } else if approved {
        (
            FilterVerdict::Skipped,
            format!("let it through by its list of approved senders{}", in_brackets(&shown_figures)),
        )
    } else if score.is_some() {
        (
            FilterVerdict::Clean,
            format!("found too little against it{}", in_brackets(&shown_figures)),
        )
    } else {
        (FilterVerdict::Scanned, "scanned it, and does not say what it found".to_owned())
    };
    let allow_listed = (verdict == FilterVerdict::Skipped).then(|| "X-TM-AS-User-Approved-Sender, the approved senders list".to_owned());
    let rules = result
        .or_else(|| words.get("X-TMASE-Result"))
        .map(|result| result.trim_start_matches([':', ' ']).to_owned())
        .into_iter()
        .collect();
    Some(Filter {
        score,
        threshold,
        rules,
        allow_listed,
        ..filter(FilterName::TrendMicro, verdict, said)
    })
}

/// Score and threshold: the first number with a point, and the one behind it. `No-10--14.855500-8.000000` is −14.8555 of 8.
fn figures(text: &str) -> Option<(f64, f64)> {
    let mut numbers = Vec::new();
    let mut negative = false;
    for part in text.split('-').take(12) {
        if part.is_empty() {
            negative = true;
            continue;
        }
        if let Some(value) = number(part) {
            numbers.push((part.contains('.'), if negative { -value } else { value }));
        }
        negative = false;
    }
    let first = numbers.iter().position(|(pointed, _)| *pointed)?;
    Some((numbers[first].1, numbers.get(first + 1)?.1))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Header, read},
        figures,
    };
    use crate::model::FilterVerdict as V;

    #[test]
    fn dashes_part_and_negate() {
        for (text, expected) in [
            ("No-10--14.855500-8.000000", Some((-14.8555, 8.0))),
            ("No-10-2.917200-8.000000", Some((2.9172, 8.0))),
            ("No--4.464700-0.000000-31", Some((-4.4647, 0.0))),
            ("No-7.758900-8.000000-10", Some((7.7589, 8.0))),
            (": Yes--3.434300-0-31-1", Some((-3.4343, 0.0))),
            ("10--3.211900-10.000000", Some((-3.2119, 10.0))),
            ("No-10", None),
            ("", None),
            ("No--1.5", None),
        ] {
            assert_eq!(figures(text), expected, "{text}");
        }
    }

    #[test]
    fn results_and_lists_are_read() {
        for (fields, verdict) in [
            (
                "X-TM-AS-Result: No-10--14.855500-8.000000\r\nX-TM-AS-User-Approved-Sender: No\r\nX-TMASE-Result: 10--14.855500-8.000000\r\n",
                V::Clean,
            ),
            (
                "X-TM-AS-Result: Yes-10-9.2-8.000000\r\nX-TM-AS-User-Approved-Sender: No\r\n",
                V::Spam,
            ),
            (
                "X-TMASE-Version: StarCloud-1.3-9.1.1015-28064.005\r\nX-TMASE-Result: 10-27.729800-4.000000\r\n",
                V::Spam,
            ),
            (
                "X-TM-AS-User-Approved-Sender: Yes\r\nX-TMASE-Result: 10--3.211900-10.000000\r\n",
                V::Skipped,
            ),
            ("X-TM-AS-User-Blocked-Sender: Yes\r\n", V::Blocked),
            ("X-TM-AS-GCONF: 00\r\n", V::Scanned),
        ] {
            let header = format!("From: a@b\r\n{fields}\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!(
                (one.verdict, one.allow_listed.is_some()),
                (verdict, verdict == V::Skipped),
                "{fields}"
            );
        }
    }
}
