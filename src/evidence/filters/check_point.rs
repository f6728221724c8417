//! Check Point Harmony Email, formerly Avanan: `X-CLOUD-SEC-AV-Info` says only that it was there and in which mode; what it decided stands in further
//! fields of the same beginning (`…-SPAM-LOW: true`), which public reports show for spam; those for phishing are known from documents only.

use super::{Family, Filter, filter, in_brackets, words::Words};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| name.starts_with(OWN),
    read,
    heads: &[],
    hosts: &["avanan.net", "checkpointcloudsec.com"],
    once: false,
};

const OWN: &str = "x-cloud-sec-av-";

fn read(words: &Words) -> Option<Filter> {
    if !words.has_any(OWN) {
        return None;
    }
    let info = words.get("X-CLOUD-SEC-AV-Info").unwrap_or_default();
    let hits: Vec<String> = words
        .starting(OWN)
        .filter(|(name, value)| {
            !name.ends_with("-sent") && !name.ends_with("-info") && matches!(value.to_ascii_lowercase().as_str(), "true" | "yes" | "1")
        })
        .map(|(name, _)| name.get(OWN.len()..).unwrap_or_default().to_ascii_uppercase())
        .take(20)
        .collect();
    let has = |part: &str| hits.iter().any(|hit| hit.contains(part));
    let (verdict, said) = if has("MALWARE") || has("VIRUS") {
        (FilterVerdict::Malware, format!("took it for malware{}", in_brackets(&hits)))
    } else if has("PHISH") {
        (FilterVerdict::Phishing, format!("took it for phishing{}", in_brackets(&hits)))
    } else if has("SPAM") {
        (FilterVerdict::Spam, format!("took it for spam{}", in_brackets(&hits)))
    } else {
        let mode = info
            .rsplit(',')
            .next()
            .map(str::trim)
            .filter(|mode| matches!(*mode, "inline" | "monitor" | "detect"));
        let mode = mode.map(|mode| format!(" (mode {mode})")).unwrap_or_default();
        (FilterVerdict::Scanned, format!("scanned it, and does not say what it found{mode}"))
    };
    Some(Filter {
        rules: hits,
        ..filter(FilterName::CheckPoint, verdict, said)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn its_presence_and_its_hits_are_read() {
        for (fields, verdict, said) in [
            (
                "X-CLOUD-SEC-AV-Info: contoso,office365_emails,sent,inline\r\n",
                V::Scanned,
                "mode inline",
            ),
            (
                "X-CLOUD-SEC-AV-Sent: true\r\nX-CLOUD-SEC-AV-Info: contoso,google_mail,monitor\r\n",
                V::Scanned,
                "mode monitor",
            ),
            (
                "X-CLOUD-SEC-AV-SPAM-LOW: true\r\nX-CLOUD-SEC-AV-SCL: true\r\n",
                V::Spam,
                "(SPAM-LOW, SCL)",
            ),
            ("X-CLOUD-SEC-AV-PHISHING: true\r\n", V::Phishing, "phishing"),
            ("X-CLOUD-SEC-AV-SPAM-LOW: false\r\n", V::Scanned, "does not say"),
        ] {
            let header = format!("From: a@b\r\n{fields}\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            let [one] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!(one.verdict, verdict, "{fields}");
            assert!(one.said.contains(said), "{}", one.said);
        }
    }
}
