//! `SpamAssassin`: `X-Spam-Status`, `X-Spam-Report`, `X-Spam-Checker-Version`, and the forms in which Exim writes its result (`X-Spam_score` …).
//! The forms are those of its own templates, as public mail archives show them. What it cannot see: an administrator's templates in other words.

use super::{
    Family, Filter, filter, in_brackets,
    words::{self, Rules, Words, after, number_after, shown},
};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| name == "x-spam" || name.starts_with("x-spam-") || name.starts_with("x-spam_"),
    read,
    heads: &["x-spam-status"],
    hosts: &[],
    once: false,
};

/// Rules that say an allow-list of this system, or of the project's defaults, named the sender or the way.
const LISTS: [&str; 4] = ["WELCOMELIST", "WHITELIST", "ALL_SPAM_TO", "MORE_SPAM_TO"];

fn read(words: &Words) -> Option<Filter> {
    let status = words.find("X-Spam-Status", is_its_status);
    let version = words
        .get("X-Spam-Checker-Version")
        .filter(|version| version.contains("SpamAssassin"));
    let report = words.get("X-Spam-Report").or_else(|| words.get("X-Spam_report"));
    let exim = words.get("X-Spam_score").or_else(|| words.get("X-Spam_report"));
    let is_its_report = report.as_ref().is_some_and(|report| !words::points_before_names(report).is_empty());
    if status.is_none() && version.is_none() && exim.is_none() && !is_its_report {
        return None;
    }
    let status = status.unwrap_or_default();
    let report = report.unwrap_or_default();
    let score = number_after(&status, "score=")
        .or_else(|| number_after(&status, "hits="))
        .or_else(|| words.get("X-Spam_score").as_deref().and_then(words::number))
        .or_else(|| words.get("X-Spam-Score").as_deref().and_then(words::number));
    let threshold = number_after(&status, "required=").or_else(|| required(&report));
    let flagged = ["X-Spam-Flag", "X-Spam_flag"]
        .iter()
        .any(|name| words.get(name).is_some_and(|flag| flag.eq_ignore_ascii_case("YES")));
    let reached = score.zip(threshold).is_some_and(|(score, threshold)| score >= threshold);
    let against = status.to_ascii_lowercase().starts_with("yes") || flagged || status.is_empty() && reached;
    let rules = rules(&status, &report);
    let knows = against || score.is_some() || !status.is_empty();
    let (mut verdict, mut said) = verdict(against, knows, score, threshold, &rules);
    let allow_listed = if against { None } else { allow_list(&rules) };
    let rules = decisive(rules, against, allow_listed.as_deref());
    let host = version
        .as_deref()
        .and_then(|version| version.split_once(" on "))
        .map(|(_, host)| host.trim().to_owned());
    if let Some(list) = allow_listed.as_deref().filter(|list| list.starts_with("USER_IN_")) {
        verdict = FilterVerdict::Skipped;
        said = format!(
            "let it through by {list}{}",
            said.find(" (").map(|at| &said[at..]).unwrap_or_default()
        );
    }
    Some(Filter {
        host,
        score,
        threshold,
        rules,
        allow_listed,
        ..filter(FilterName::SpamAssassin, verdict, said)
    })
}

/// Whether a status has the form of its template, and neither that of Amavis nor that of rspamd.
fn is_its_status(text: &str) -> bool {
    let is_named = after(text, "required=").is_some() || text.contains("tests=");
    is_named && !text.contains("tagged_above=")
}

/// `(5.3 points, 5.0 required)`, or Exim's `(5.3 / 5.0 requ)`.
fn required(report: &str) -> Option<f64> {
    let words: Vec<&str> = report
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ','))
        .filter(|word| !word.is_empty())
        .take(200)
        .collect();
    let place = words.iter().position(|word| word.starts_with("requ"))?;
    words::number(words.get(place.checked_sub(1)?)?)
}

/// The rules that hit, with the points of the report where it has them.
fn rules(status: &str, report: &str) -> Rules {
    let mut points = words::points_before_names(report);
    // Exim's form: `NAME=points`.
    points.extend(report.split([' ', ',']).filter_map(|word| {
        let (name, points) = word.split_once('=')?;
        words::is_rule(name).then(|| (name.to_owned(), words::number(points)))
    }));
    let mut rules = words::tests(status);
    // Its word for "no rule matched".
    rules.retain(|(name, _)| !name.eq_ignore_ascii_case("none"));
    for (name, weight) in &mut rules {
        *weight = weight.or_else(|| points.iter().find(|(known, _)| known == name)?.1);
    }
    for (name, weight) in points {
        if !rules.iter().any(|(known, _)| *known == name) {
            rules.push((name, weight));
        }
    }
    rules
}

fn verdict(against: bool, knows: bool, score: Option<f64>, threshold: Option<f64>, rules: &Rules) -> (FilterVerdict, String) {
    let mut figures = Vec::new();
    if let Some(score) = score {
        let of = threshold
            .map(|threshold| format!(", {} required", shown(threshold)))
            .unwrap_or_default();
        figures.push(format!("score {}{of}", shown(score)));
    }
    let blocked = rules
        .iter()
        .any(|(name, _)| name.starts_with("USER_IN_BLO") || name.starts_with("USER_IN_BLACK"));
    let (verdict, words) = match (against, knows) {
        (true, _) if blocked => (FilterVerdict::Blocked, "took it for spam because its block list names the sender"),
        (true, _) => (FilterVerdict::Spam, "took it for spam"),
        (false, true) => (FilterVerdict::Clean, "found too little against it"),
        (false, false) => (FilterVerdict::Scanned, "looked at it, and does not say what it found"),
    };
    (verdict, format!("{words}{}", in_brackets(&figures)))
}

/// The rules as they are shown: the one that lets it through, and the heaviest.
pub(super) fn decisive(rules: Rules, against: bool, allow_listed: Option<&str>) -> Vec<String> {
    let mut rules = words::heaviest(rules, against);
    let is_list = |name: &str| allow_listed.is_some_and(|list| list.split(',').next() == Some(name));
    rules.sort_by_key(|(name, _)| !is_list(name));
    words::named(&rules)
}

/// The list that let it through.
pub(super) fn allow_list(rules: &Rules) -> Option<String> {
    let listed = rules
        .iter()
        .find(|(name, _)| name.starts_with("USER_IN_") && LISTS.iter().any(|list| name.contains(list)));
    if let Some((name, _)) = listed {
        let list = if name.contains("SPAM_TO") {
            "a recipient exempt from filtering"
        } else {
            "its welcome list"
        };
        return Some(format!("{name}, {list}"));
    }
    let trusted = rules.iter().any(|(name, _)| name == "ALL_TRUSTED");
    trusted.then(|| "ALL_TRUSTED, every hop is in its trusted networks".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::{FilterName, FilterVerdict as V};

    #[test]
    fn statuses_and_reports_are_read() {
        for (fields, verdict, score, threshold, rules, allowed) in [
            (
                "X-Spam-Status: Yes, score=1002.9 required=5.0 tests=GTUBE,HTML_MESSAGE,\r\n\tURIBL_BLACK autolearn=no version=4.0.0\r\nX-Spam-Report:\r\n\t*  1000 GTUBE BODY: Generic Test\r\n\t*  1.7 URIBL_BLACK Contains\r\n\t*  0.0 HTML_MESSAGE BODY: HTML\r\n",
                V::Spam,
                Some(1002.9),
                Some(5.0),
                &["GTUBE (1000)", "URIBL_BLACK (1.7)"][..],
                None,
            ),
            (
                "X-Spam-Status: No, score=-0.7 required=5.0 tests=DKIM_SIGNED,DKIM_VALID autolearn=disabled\r\n",
                V::Clean,
                Some(-0.7),
                Some(5.0),
                &["DKIM_SIGNED", "DKIM_VALID"],
                None,
            ),
            (
                "X-Spam-Status: No, score=-100.5 required=5.0 tests=USER_IN_WELCOMELIST=-100,SPF_PASS=-0.5\r\n",
                V::Skipped,
                Some(-100.5),
                Some(5.0),
                &["USER_IN_WELCOMELIST (-100)", "SPF_PASS (-0.5)"],
                Some("USER_IN_WELCOMELIST, its welcome list"),
            ),
            (
                "X-Spam-Status: No, score=0.0 required=5.0 tests=NONE autolearn=no\r\n",
                V::Clean,
                Some(0.0),
                Some(5.0),
                &[],
                None,
            ),
            (
                "X-Spam-Status: No, hits=-1.0 required=5.0 tests=ALL_TRUSTED\r\n",
                V::Clean,
                Some(-1.0),
                Some(5.0),
                &["ALL_TRUSTED"],
                Some("ALL_TRUSTED, every hop is in its trusted networks"),
            ),
            (
                "X-Spam-Status: Yes, score=99 required=5.0 tests=USER_IN_BLOCKLIST=100,ALL_TRUSTED=-1\r\n",
                V::Blocked,
                Some(99.0),
                Some(5.0),
                &["USER_IN_BLOCKLIST (100)"],
                None,
            ),
            (
                "X-Spam_score: 7.2\r\nX-Spam_report: (7.2 / 5.0 requ) BAYES_99=3.5, SPF_FAIL=3.7,\r\n DKIM_SIGNED=0.1\r\n",
                V::Spam,
                Some(7.2),
                Some(5.0),
                &["SPF_FAIL (3.7)", "BAYES_99 (3.5)", "DKIM_SIGNED (0.1)"],
                None,
            ),
        ] {
            let header = format!("{fields}Received: from a by mx.contoso.example; Mon\r\nFrom: a@b\r\n\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!(
                (one.name, one.verdict, one.score, one.threshold),
                (FilterName::SpamAssassin, verdict, score, threshold),
                "{fields}"
            );
            assert_eq!(one.rules, rules, "{fields}");
            assert_eq!(one.allow_listed.as_deref(), allowed);
            assert_eq!(one.host.as_deref(), Some("mx.contoso.example"));
        }
    }

    #[test]
    fn the_host_is_the_one_that_the_version_names_and_two_runs_are_two_filters() {
        let header = "X-Spam-Status: No, score=1 required=5.0 tests=A_B\r\nX-Spam-Checker-Version: SpamAssassin 4.0.0 (2022-12-13) on\r\n\tinner.contoso.example\r\n\
            Received: from mx by store.contoso.example; Mon\r\nReceived: from x by inner.contoso.example\r\n\
            X-Spam-Status: Yes, score=6 required=5.0 tests=C_D\r\nReceived: from x by outer.contoso.example\r\nFrom: a@b\r\n\r\n";
        let hosts: Vec<_> = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default())
            .into_iter()
            .map(|one| (one.host, one.verdict))
            .collect();
        let expected = [("outer.contoso.example", V::Spam), ("inner.contoso.example", V::Clean)];
        assert_eq!(hosts, expected.map(|(host, verdict)| (Some(host.to_owned()), verdict)));
    }
}
