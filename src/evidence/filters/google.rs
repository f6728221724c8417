//! Google Workspace: `X-Gm-Spam` and `X-Gm-Phishy`, which it adds for gateways behind it, as public mail archives show them. What it cannot see: where
//! Gmail itself put a message; no header tells that, only the folder that holds it.

use super::{Family, Filter, filter, words::Words};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| matches!(name, "x-gm-spam" | "x-gm-phishy" | "x-spam-checked-in-group"),
    read,
    heads: &["x-gm-spam"],
    hosts: &["google.com"],
    once: false,
};

fn read(words: &Words) -> Option<Filter> {
    let (spam, phishy) = (words.get("X-Gm-Spam"), words.get("X-Gm-Phishy"));
    if spam.is_none() && phishy.is_none() {
        let group = words.get("X-Spam-Checked-In-Group")?;
        return Some(filter(
            FilterName::Google,
            FilterVerdict::Clean,
            format!("let it pass into the group {group} (X-Spam-Checked-In-Group)"),
        ));
    }
    let is = |value: &Option<String>| value.as_deref() == Some("1");
    let (verdict, said) = match (is(&phishy), is(&spam)) {
        (true, _) => (FilterVerdict::Phishing, "took it for phishing (X-Gm-Phishy: 1)"),
        (_, true) => (FilterVerdict::Spam, "took it for spam (X-Gm-Spam: 1)"),
        _ => (FilterVerdict::Clean, "found nothing against it (X-Gm-Spam: 0, X-Gm-Phishy: 0)"),
    };
    let rules = [("X-Gm-Spam", is(&spam)), ("X-Gm-Phishy", is(&phishy))]
        .iter()
        .filter(|(_, hit)| *hit)
        .map(|(name, _)| (*name).to_owned())
        .collect();
    Some(Filter {
        rules,
        ..filter(FilterName::Google, verdict, said)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    #[test]
    fn both_flags_are_read() {
        for (fields, verdict) in [
            ("X-Gm-Spam: 0\r\nX-Gm-Phishy: 0\r\n", V::Clean),
            ("X-Gm-Spam: 1\r\nX-Gm-Phishy: 0\r\n", V::Spam),
            ("X-Gm-Spam: 1\r\nX-Gm-Phishy: 1\r\n", V::Phishing),
            ("X-Spam-Checked-In-Group: all@contoso.example\r\n", V::Clean),
        ] {
            let header = format!("From: a@b\r\n{fields}\r\n");
            let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
            assert_eq!(found.iter().map(|one| one.verdict).collect::<Vec<_>>(), [verdict], "{fields}");
        }
        let opaque = Header::parse(b"X-Gm-Message-State: AAQBX9eF\r\nX-Google-Smtp-Source: AKy350\r\nFrom: a@b\r\n\r\n").0;
        assert!(
            read(&opaque, None, crate::evidence::sides::Sides::default()).is_empty(),
            "these are no words"
        );
    }
}
