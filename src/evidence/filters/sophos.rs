//! Sophos: `X-LASED-…` of Sophos Email (Central), and `X-PMX-…` of the older appliances and `PureMessage`. The forms of clean mail are those of public
//! mail archives; the other values of `X-LASED-Spam` and the impersonation categories are known from documents only.

use super::{
    Family, Filter, filter,
    words::{self, Rules, Words, after, number, shown},
};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| {
        ["x-lased-", "x-sophos-", "x_sophos_", "x-pmx-", "x-perlmx-"]
            .iter()
            .any(|own| name.starts_with(own))
    },
    read,
    heads: &[],
    hosts: &["hydra.sophos.com", "sophos.com"],
    once: true,
};

fn read(words: &Words) -> Option<Filter> {
    if !["x-lased-", "x-sophos-", "x-pmx-"].iter().any(|own| words.has_any(own)) {
        return None;
    }
    let old = words.get("X-PMX-Spam").unwrap_or_default();
    // Early versions leave out a letter.
    let probability = words
        .get("X-LASED-SpamProbability")
        .or_else(|| words.get("X-LASED-SpamProbabilty"))
        .as_deref()
        .and_then(number);
    let percent = probability
        .map(|probability| probability * 100.0)
        .or_else(|| number(after(&old, "Probability=")?.trim_end_matches('%')));
    let class = words
        .get("X-LASED-Spam")
        .map(|class| class.to_ascii_lowercase())
        .unwrap_or_default();
    let impersonates = words
        .get("X-LASED-Impersonation")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let category = words
        .get("X-LASED-Impersonation-Category")
        .filter(|category| !category.eq_ignore_ascii_case("none"));
    let hits = words
        .get("X-LASED-Hits")
        .unwrap_or_else(|| old.split_once("Report='").map(|(_, report)| report.to_owned()).unwrap_or_default());
    let figure = percent
        .map(|percent| format!(" (spam probability {} %)", shown(percent)))
        .unwrap_or_default();
    let (verdict, said) = match class.as_str() {
        _ if impersonates => {
            let category = category.as_ref().map(|category| format!(" ({category})")).unwrap_or_default();
            (
                FilterVerdict::Impersonation,
                format!("took the sender for an impersonation{category}"),
            )
        }
        "" if percent.is_none() => (FilterVerdict::Scanned, "handled it, and does not say what it found".to_owned()),
        "" if percent.is_some_and(|percent| percent >= 50.0) => (FilterVerdict::Spam, format!("took it for spam{figure}")),
        "" | "nonspam" | "none" | "ham" => (FilterVerdict::Clean, format!("found nothing against it{figure}")),
        class if class.contains("bulk") => (FilterVerdict::Bulk, format!("took it for bulk mail{figure}")),
        class if class.contains("phish") => (FilterVerdict::Phishing, format!("took it for phishing{figure}")),
        class if class.contains("malware") || class.contains("virus") => (FilterVerdict::Malware, "took it for malware".to_owned()),
        class if class.contains("allow") || class.contains("white") => {
            (FilterVerdict::Skipped, "let it through by its allow list".to_owned())
        }
        class => (FilterVerdict::Spam, format!("took it for spam: {class}{figure}")),
    };
    let allow_listed = (verdict == FilterVerdict::Skipped).then(|| format!("X-LASED-Spam: {class}, the Allow List"));
    let mut rules = category
        .map(|category| format!("impersonation {category}"))
        .into_iter()
        .collect::<Vec<_>>();
    rules.extend(words::named(&words::heaviest(weights(&hits), true)));
    Some(Filter {
        score: percent,
        rules,
        allow_listed,
        ..filter(FilterName::Sophos, verdict, said)
    })
}

/// `NAME 0.050000, NAME 0`.
fn weights(text: &str) -> Rules {
    let one = |item: &str| {
        let (name, weight) = item.trim().split_once(char::is_whitespace)?;
        let name = name.trim();
        words::is_rule(name).then(|| {
            (
                name.to_owned(),
                number(weight.trim_matches(|c: char| c.is_whitespace() || c == '\'')),
            )
        })
    };
    text.split(',').take(300).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn classes_and_probabilities_are_read() {
        for (fields, verdict, score, rules) in [
            (
                "X-Sophos-Email: [eu-west-1] Antispam-Engine: 6.0.2,\r\n AntispamData: 2025.9.14.95719\r\nX-LASED-SpamProbability: 0.083173\r\nX-LASED-Hits: DKIM_SIGNATURE 0.000000, HTML_00_10 0.050000, MULTIPLE_RCPTS 0.100000\r\nX-LASED-Impersonation: False\r\nX-LASED-Spam: NonSpam\r\nX-LASED-Impersonation-Category: NONE\r\n",
                V::Clean,
                Some(8.3173),
                &["MULTIPLE_RCPTS (0.1)", "HTML_00_10 (0.05)"][..],
            ),
            ("X-LASED-SpamProbability: 0.99\r\nX-LASED-Spam: Spam\r\n", V::Spam, Some(99.0), &[]),
            ("X-LASED-Spam: Bulk\r\n", V::Bulk, None, &[]),
            (
                "X-LASED-Impersonation: True\r\nX-LASED-Impersonation-Category: VIP\r\nX-LASED-Spam: NonSpam\r\n",
                V::Impersonation,
                None,
                &["impersonation VIP"],
            ),
            (
                "X-PMX-Spam: Gauge=IIIIIIII, Probability=8%, Report='\r\n MULTIPLE_RCPTS 0.1, HTML_00_01 0.05, __CT 0'\r\n",
                V::Clean,
                Some(8.0),
                &["MULTIPLE_RCPTS (0.1)", "HTML_00_01 (0.05)"],
            ),
            ("X-Sophos-Email-ID: 861bd1b9\r\n", V::Scanned, None, &[]),
        ] {
            let header = format!("Received: from a by rd-use2.prod.hydra.sophos.com; Mon\r\nFrom: a@b\r\n{fields}\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!(
                (one.verdict, one.host.as_deref()),
                (verdict, Some("rd-use2.prod.hydra.sophos.com")),
                "{fields}"
            );
            assert!(
                one.score.zip(score).is_none_or(|(found, score)| (found - score).abs() < 1e-9) && one.score.is_some() == score.is_some()
            );
            assert_eq!(one.rules, rules, "{fields}");
        }
    }
}
