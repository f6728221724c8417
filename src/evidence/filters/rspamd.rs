//! rspamd: `X-Spamd-Result` with its symbols, `X-Rspamd-Action`, `X-Spamd-Bar`, `X-Spam`. The forms are those of its `milter_headers` module, as
//! public mail archives show them. The number behind the slash is the score from which on it rejects; that from which on it only marks is not told.

use super::{
    Family, Filter, filter, in_brackets,
    words::{Rules, Words, heaviest, number, number_after, shown},
};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| name.starts_with("x-spamd-") || name.starts_with("x-rspamd-") || name == "x-spam" || name.starts_with("x-spam-"),
    read,
    heads: &["x-spamd-result"],
    hosts: &[],
    once: false,
};

/// The most symbols that are read.
const MOST_SYMBOLS: usize = 300;
/// The longest options that are shown behind a symbol, in characters.
const LONGEST_OPTIONS: usize = 40;

/// One symbol that hit.
struct Symbol {
    name: String,
    score: f64,
    options: String,
}

fn read(words: &Words) -> Option<Filter> {
    let result = words.get("X-Spamd-Result");
    let action = words.get("X-Rspamd-Action").map(|action| action.to_ascii_lowercase());
    let bar = words.get("X-Spamd-Bar");
    if result.is_none() && action.is_none() && bar.is_none() {
        return None;
    }
    let text = result.unwrap_or_default();
    let (score, rejects_at) = figures(&text).unzip();
    let status = words.find("X-Spam-Status", |text| !text.contains("required="));
    let score = score
        .or_else(|| status.as_deref().and_then(|status| number_after(status, "score=")))
        .or_else(|| words.get("X-Spam-Score").as_deref().and_then(number));
    let marked = words.get("X-Spam").is_some_and(|value| value.eq_ignore_ascii_case("yes"))
        || status
            .as_deref()
            .is_some_and(|status| status.to_ascii_lowercase().starts_with("yes"));
    let says_spam = text.split_once(':').is_some_and(|(_, rest)| rest.trim_start().starts_with("True"));
    let acts = action
        .as_deref()
        .is_some_and(|action| !matches!(action, "no action" | "greylist" | "accept"));
    let against = marked || says_spam || acts;
    let symbols = symbols(&text);
    let listed = symbols.iter().find(|symbol| is_allow_list(symbol));
    let allow_listed = listed
        .filter(|_| !against)
        .map(|symbol| format!("{}, an allow-list of its own", symbol.name));
    let weighed: Rules = symbols.iter().map(|symbol| (symbol.name.clone(), Some(symbol.score))).collect();
    let mut rules: Vec<String> = Vec::new();
    if let Some(test) = symbols.iter().find(|symbol| symbol.name == "GTUBE" && symbol.score.abs() < 0.01) {
        rules.push(test.name.clone());
    }
    for (name, points) in heaviest(weighed, against) {
        let options = symbols
            .iter()
            .find(|symbol| symbol.name == name)
            .map(|symbol| symbol.options.as_str())
            .filter(|options| !options.is_empty());
        let options = options.map(|options| format!(" [{options}]")).unwrap_or_default();
        rules.push(format!("{name} ({}){options}", shown(points.unwrap_or_default())));
    }
    let mut figures = Vec::new();
    figures.extend(
        action
            .as_ref()
            .filter(|action| *action != "no action")
            .map(|action| format!("action {action}")),
    );
    figures.extend(score.map(|score| {
        let of = rejects_at.map(|limit| format!(", {} to reject", shown(limit))).unwrap_or_default();
        format!("score {}{of}", shown(score))
    }));
    let (verdict, said) = match (against, action.as_deref()) {
        (true, Some("reject")) => (FilterVerdict::Spam, "took it for spam to be rejected"),
        (true, Some("soft reject")) => (FilterVerdict::Spam, "wanted it to be tried again later"),
        (true, Some("rewrite subject")) => (FilterVerdict::Spam, "took it for spam and marked its subject"),
        (true, Some("quarantine")) => (FilterVerdict::Spam, "took it for spam and wanted it held in quarantine"),
        (true, _) => (FilterVerdict::Spam, "took it for spam"),
        (false, Some("greylist")) => (FilterVerdict::Clean, "let it wait (greylisting), and found too little against it"),
        (false, _) if allow_listed.is_some() => (FilterVerdict::Skipped, "let it through by an allow-list"),
        (false, _) => (FilterVerdict::Clean, "found too little against it"),
    };
    // A message that was marked below this score was marked by another threshold.
    let threshold = rejects_at.filter(|limit| !against || score.is_some_and(|score| score >= *limit));
    let host = words.get("X-Rspamd-Server").filter(|host| !host.contains(char::is_whitespace));
    let said = format!("{said}{}", in_brackets(&figures));
    Some(Filter {
        host,
        score,
        threshold,
        rules,
        allow_listed,
        ..filter(FilterName::Rspamd, verdict, said)
    })
}

/// `default: False [1.20 / 15.00]`.
fn figures(text: &str) -> Option<(f64, f64)> {
    let (_, rest) = text.split_once('[')?;
    let (score, rest) = rest.split_once('/')?;
    let (limit, _) = rest.split_once(']')?;
    Some((number(score.trim())?, number(limit.trim())?))
}

/// `; NAME(1.00)[options, more];`, where options may hold brackets and semicolons.
fn symbols(text: &str) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    let mut rest = text.split_once(']').map_or("", |(_, rest)| rest);
    while symbols.len() < MOST_SYMBOLS
        && let Some((name, after)) = rest.split_once('(')
    {
        let Some((score, after)) = after.split_once(')') else { break };
        let (options, after) = bracketed(after);
        rest = after;
        let name = name.trim_matches(|c: char| c.is_whitespace() || c == ';');
        let is_name =
            !name.is_empty() && name.len() <= 80 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if let (true, Some(score)) = (is_name, number(score.trim())) {
            symbols.push(Symbol {
                name: name.to_owned(),
                score,
                options: crate::evidence::shorten(options, LONGEST_OPTIONS),
            });
        }
    }
    symbols
}

/// What stands in the brackets at the start of `text`, and what follows them.
fn bracketed(text: &str) -> (&str, &str) {
    let Some(inner) = text.strip_prefix('[') else { return ("", text) };
    let mut depth = 1_u32;
    for (at, c) in inner.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&inner[..at], &inner[at + 1..]);
        }
    }
    (inner, "")
}

/// Whether a symbol is that of an allow-list of this system: its own multimaps and its white lists of domains, not a public list of reputations.
fn is_allow_list(symbol: &Symbol) -> bool {
    let listed = |word: &str| {
        [
            "WHITELIST",
            "WHITELISTED",
            "WELCOMELIST",
            "ALLOWLIST",
            "ALLOWLISTED",
            "SAFELIST",
            "WL",
        ]
        .contains(&word)
    };
    symbol.score <= 0.0 && symbol.name.to_ascii_uppercase().split('_').any(listed)
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn results_actions_and_marks_are_read() {
        for (fields, verdict, score, threshold, rules, allowed) in [
            (
                "X-Spamd-Result: default: False [-0.81 / 15.00];\r\n\tARC_ALLOW(-1.00)[microsoft.com:s=arcselector10001:i=1];\r\n\tMID_CONTAINS_FROM(1.00)[];\r\n\tASN(0.00)[asn:6366, country:US]\r\nX-Rspamd-Action: no action\r\n",
                V::Clean,
                Some(-0.81),
                Some(15.0),
                &["ARC_ALLOW (-1) [microsoft.com:s=arcselector10001:i=1]", "MID_CONTAINS_FROM (1)"][..],
                None,
            ),
            (
                "X-Rspamd-Action: add header\r\nX-Spamd-Result: default: False [7.34 / 15.00]; URIBL_BLACK(7.50)[sender.example:email]; MIME_GOOD(-0.10)[text/plain]\r\nX-Spam: Yes\r\n",
                V::Spam,
                Some(7.34),
                None,
                &["URIBL_BLACK (7.5) [sender.example:email]"],
                None,
            ),
            (
                "X-Spamd-Result: default: True [1000.00 / 15.00]; GTUBE(0.00)[]\r\nX-Rspamd-Action: reject\r\n",
                V::Spam,
                Some(1000.0),
                Some(15.0),
                &["GTUBE"],
                None,
            ),
            (
                "X-Spamd-Result: default: False [-10.00 / 15.00]; LOCAL_WL_FROM(-10.00)[sender.example]; RWL_MAILSPIKE_GOOD(-0.1)[]\r\n",
                V::Skipped,
                Some(-10.0),
                Some(15.0),
                &["LOCAL_WL_FROM (-10) [sender.example]", "RWL_MAILSPIKE_GOOD (-0.1)"],
                Some("LOCAL_WL_FROM, an allow-list of its own"),
            ),
            (
                "X-Spamd-Bar: +\r\nX-Spam-Status: No, score=1.40\r\n",
                V::Clean,
                Some(1.4),
                None,
                &[],
                None,
            ),
            (
                "X-Spamd-Result: default: False [4.10 / 15.00]; A_B(4.10)[x [y;z(1)] w]; C_D(NaN)[]\r\nX-Rspamd-Action: greylist\r\n",
                V::Clean,
                Some(4.1),
                Some(15.0),
                &["A_B (4.1) [x [y;z(1)] w]"],
                None,
            ),
        ] {
            let header = format!("Received: from a by mx.contoso.example; Mon\r\nFrom: a@b\r\n{fields}\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!((one.verdict, one.score, one.threshold), (verdict, score, threshold), "{fields}");
            assert_eq!(one.rules, rules, "{fields}");
            assert_eq!(one.allow_listed.as_deref(), allowed);
            assert_eq!(one.host, None, "appended, so nobody can say where");
        }
    }
}
