//! Broadcom, formerly Symantec: Email Security.cloud (`MessageLabs`: `X-SpamReason`, `X-StarScan-…`) and Messaging Gateway (`X-Brightmail-Tracker`,
//! encrypted for Symantec). As public mail archives show them; `X-SpamInfo` is known from documents only.

use super::{
    Family, Filter, filter, in_brackets,
    words::{Words, number_after, shown},
};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| {
        name.starts_with("x-starscan-")
            || matches!(
                name,
                "x-spamreason" | "x-spaminfo" | "x-brightmail-tracker" | "x-msg-ref" | "x-viruschecked" | "x-cfilter-loop" | "x-whitelist"
            )
    },
    read,
    heads: &["x-msg-ref"],
    hosts: &["messagelabs.com"],
    once: false,
};

fn read(words: &Words) -> Option<Filter> {
    let reason = words.get("X-SpamReason").filter(|reason| reason.contains("hits="));
    let cloud = words.get("X-Msg-Ref").filter(|reference| reference.contains("messagelabs"));
    let is_there = reason.is_some() || cloud.is_some() || words.has_any("x-starscan-") || words.has("X-Brightmail-Tracker");
    if !is_there {
        return None;
    }
    let reason = reason.unwrap_or_default();
    let (score, threshold) = (number_after(&reason, "hits="), number_after(&reason, "required="));
    let info = words.get("X-SpamInfo").filter(|info| !info.is_empty());
    let listed = words.has("X-Brightmail-Tracker") && words.get("X-Whitelist").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let against = reason.to_ascii_lowercase().starts_with("yes") || info.is_some();
    let mut figures: Vec<String> = Vec::new();
    if let Some(score) = score {
        let of = threshold
            .map(|threshold| format!(", {} required", shown(threshold)))
            .unwrap_or_default();
        figures.push(format!("score {}{of}", shown(score)));
    }
    figures.extend(info.map(|info| format!("X-SpamInfo: {info}")));
    let (verdict, said) = match (against, score) {
        (true, _) => (FilterVerdict::Spam, "took it for spam"),
        (false, _) if listed => (FilterVerdict::Skipped, "let it through by its good senders list"),
        (false, Some(_)) => (FilterVerdict::Clean, "found too little against it"),
        (false, None) => (FilterVerdict::Scanned, "scanned it, and keeps what it found to itself"),
    };
    let tests = reason.split_once("tests=").map(|(_, tests)| tests).unwrap_or_default();
    let rules = tests
        .split(',')
        .map(|test| test.trim().trim_end_matches(':').to_owned())
        .filter(|test| !test.is_empty() && test != "newsletters")
        .collect();
    let allow_listed = (verdict == FilterVerdict::Skipped).then(|| "X-Whitelist: TRUE, the good senders list".to_owned());
    Some(Filter {
        score,
        threshold,
        rules,
        allow_listed,
        ..filter(FilterName::Symantec, verdict, format!("{said}{}", in_brackets(&figures)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn reasons_and_trackers_are_read() {
        for (fields, verdict, score, rules) in [
            (
                "X-Msg-Ref: server-16.tower-284.messagelabs.com!1562879960!1053260!1\r\nX-SpamReason: No, hits=0.1 required=7.0 tests=newsletters: ,HTML_30_40,\r\n HTML_MESSAGE\r\nX-StarScan-Version: 9.43.9; banners=-,-,-\r\nX-VirusChecked: Checked\r\n",
                V::Clean,
                Some(0.1),
                &["HTML_30_40", "HTML_MESSAGE"][..],
            ),
            (
                "X-SpamReason: Yes, hits=50.0 required=7.0 tests=spamsig\r\n",
                V::Spam,
                Some(50.0),
                &["spamsig"],
            ),
            (
                "X-Msg-Ref: server-1.messagelabs.com!1!1!1\r\nX-SpamInfo: spam detected heuristically\r\n",
                V::Spam,
                None,
                &[],
            ),
            (
                "X-Brightmail-Tracker: AAAAAQAAAAI=\r\nX-Brightmail-Tracker: AAAAAQAAAAI=\r\n",
                V::Scanned,
                None,
                &[],
            ),
            ("X-Brightmail-Tracker: AAAAAQAAAAI=\r\nX-Whitelist: TRUE\r\n", V::Skipped, None, &[]),
        ] {
            let header = format!("From: a@b\r\n{fields}\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!((one.verdict, one.score), (verdict, score), "{fields}");
            assert_eq!(one.rules, rules, "{fields}");
        }
    }
}
