//! Amavis: `X-Virus-Scanned`, `X-Amavis-Alert`, and its form of `X-Spam-Status` (with `tagged_above`). The forms are those of public mail archives.

use super::{
    Family, Filter, filter, in_brackets, spamassassin,
    words::{self, Words, number_after, shown},
};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| {
        ["x-amavis-", "x-spam-", "x-quarantine-id"].iter().any(|own| name.starts_with(own)) || name == "x-virus-scanned" || name == "x-spam"
    },
    read,
    heads: &["x-virus-scanned"],
    hosts: &[],
    once: false,
};

fn read(words: &Words) -> Option<Filter> {
    let scanned = words.find("X-Virus-Scanned", |text| text.to_ascii_lowercase().contains("amavis"));
    let alert = words.get("X-Amavis-Alert");
    let status = words.find("X-Spam-Status", |text| text.contains("tagged_above="));
    if scanned.is_none() && alert.is_none() && status.is_none() {
        return None;
    }
    let host = scanned
        .as_deref()
        .and_then(|scanned| scanned.rsplit_once(" at "))
        .map(|(_, host)| host.trim().to_owned());
    let host = host.filter(|host| host.contains('.') && !host.contains(char::is_whitespace));
    let status = status.unwrap_or_default();
    let against = status.to_ascii_lowercase().starts_with("yes");
    let (score, threshold) = (number_after(&status, "score="), number_after(&status, "required="));
    let hits = words::tests(&status);
    let allow_listed = if against { None } else { spamassassin::allow_list(&hits) };
    let mut rules = spamassassin::decisive(hits, against, allow_listed.as_deref());
    let figures: Vec<String> = score
        .map(|score| {
            let of = threshold
                .map(|threshold| format!(", {} required", shown(threshold)))
                .unwrap_or_default();
            format!("score {}{of}", shown(score))
        })
        .into_iter()
        .collect();
    let kind = alert
        .as_deref()
        .map(|alert| alert.split([',', ':']).next().unwrap_or_default().trim().to_ascii_uppercase());
    let (verdict, mut said) = match kind.as_deref() {
        Some("INFECTED") => (FilterVerdict::Malware, "took it for infected".to_owned()),
        Some("BANNED") => (FilterVerdict::Malware, "found an attachment of a banned kind".to_owned()),
        _ if against => (FilterVerdict::Spam, format!("took it for spam{}", in_brackets(&figures))),
        _ if !status.is_empty() => (
            FilterVerdict::Clean,
            format!("found too little against it{}", in_brackets(&figures)),
        ),
        Some(_) => (FilterVerdict::Scanned, "looked at it".to_owned()),
        None => (FilterVerdict::Scanned, "scanned it for viruses, and let it go on".to_owned()),
    };
    if let Some(alert) = alert {
        said = format!("{said}: {alert}");
        rules.insert(0, alert);
    }
    if words.has("X-Quarantine-ID") && verdict.is_against() {
        said.push_str("; a copy is in its quarantine (X-Quarantine-ID)");
    }
    if words.get("X-Amavis-Modified").is_some() {
        said.push_str("; it changed the body");
    }
    let by_list = allow_listed.as_deref().is_some_and(|list| list.starts_with("USER_IN_"));
    let verdict = if by_list && verdict == FilterVerdict::Clean {
        FilterVerdict::Skipped
    } else {
        verdict
    };
    let allow_listed = allow_listed.filter(|_| !verdict.is_against());
    Some(Filter {
        host,
        score,
        threshold,
        rules,
        allow_listed,
        ..filter(FilterName::Amavis, verdict, said)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn alerts_and_statuses_are_read() {
        let scanned = "X-Virus-Scanned: Debian amavisd-new at mx.contoso.example\r\n";
        for (fields, verdict, rules, allowed) in [
            ("", V::Scanned, &[][..], None),
            (
                "X-Amavis-Alert: INFECTED, message contains virus:\r\n Eicar-Signature\r\n",
                V::Malware,
                &["INFECTED, message contains virus: Eicar-Signature"],
                None,
            ),
            (
                "X-Amavis-Alert: BANNED, message contains .exe,tool.exe\r\n",
                V::Malware,
                &["BANNED, message contains .exe,tool.exe"],
                None,
            ),
            (
                "X-Amavis-Alert: BAD HEADER SECTION, Duplicate header field: \"References\"\r\n",
                V::Scanned,
                &["BAD HEADER SECTION, Duplicate header field: \"References\""],
                None,
            ),
            (
                "X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=8.1 tagged_above=2 required=6.31\r\n\ttests=[BAYES_99=3.5, SPF_PASS=-0.001, URIBL_BLACK=1.7]\r\n\tautolearn=no\r\n",
                V::Spam,
                &["BAYES_99 (3.5)", "URIBL_BLACK (1.7)"],
                None,
            ),
            (
                "X-Spam-Status: No, score=-1 tagged_above=-9999 required=6.31\r\n\ttests=[ALL_TRUSTED=-1] autolearn=ham\r\n",
                V::Clean,
                &["ALL_TRUSTED (-1)"],
                Some("ALL_TRUSTED, every hop is in its trusted networks"),
            ),
        ] {
            let header = format!(
                "Received: from localhost by store.contoso.example; Mon\r\n{scanned}{fields}Received: from a by localhost (mx [127.0.0.1]); Mon\r\nFrom: a@b\r\n\r\n"
            );
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!((one.verdict, one.allow_listed.as_deref()), (verdict, allowed), "{fields}");
            assert_eq!(one.rules, rules, "{fields}");
            assert_eq!(one.host.as_deref(), Some("mx.contoso.example"));
        }
    }
}
