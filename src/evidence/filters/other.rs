//! Filters that we do not know: every field that somebody added on the way whose name speaks of spam, phishing, viruses or quarantine, quoted as it
//! stands. Only the plainest values (`yes`, `infected`, `clean` …) are taken for a verdict.

use super::{
    Filter, filter,
    words::{number_after, text},
};
use crate::{
    evidence::{mime::Field, shorten},
    model::{FilterName, FilterVerdict},
};

/// What the name of a field must hold.
const TOPICS: [&str; 4] = ["spam", "phish", "quarantine", "virus"];
/// How much of a value is quoted, in characters, and of how many fields.
const LONGEST_QUOTE: usize = 80;
const MOST_QUOTED: usize = 3;

/// The words of unknown filters in one stretch, each with the place of its first field. Fields whose names begin alike are those of one filter.
pub(super) fn read(fields: &[(usize, &Field)], spoke: impl Fn(&str) -> bool) -> Vec<(usize, Filter)> {
    let mut groups: Vec<(String, Vec<(usize, &Field)>)> = Vec::new();
    for &(place, field) in fields {
        let name = field.name.to_ascii_lowercase();
        let is_topic = name.starts_with("x-") && TOPICS.iter().any(|topic| name.contains(topic));
        // The one of Barracuda has a name that many use.
        if !is_topic || spoke(&name) || text(field).starts_with("by bsmtpd at") {
            continue;
        }
        let vendor = vendor(&name);
        if let Some((_, group)) = groups.iter_mut().find(|(known, _)| *known == vendor) {
            group.push((place, field));
        } else if groups.len() < super::MOST_FILTERS {
            groups.push((vendor, vec![(place, field)]));
        }
    }
    groups
        .into_iter()
        .filter_map(|(_, group)| Some((group.first()?.0, heard(&group))))
        .collect()
}

/// The part of a name that tells whose it is: `x-ovh` of `x-ovh-spamstate`; of `x-spam-flag` the topic itself.
fn vendor(name: &str) -> String {
    let parts: Vec<&str> = name.splitn(3, '-').collect();
    parts.iter().take(2).copied().collect::<Vec<_>>().join("-")
}

fn heard(group: &[(usize, &Field)]) -> Filter {
    let values: Vec<(String, String)> = group
        .iter()
        .take(20)
        .map(|(_, field)| (field.name.to_owned(), text(field)))
        .collect();
    let meanings = values.iter().map(|(name, value)| meaning(&name.to_ascii_lowercase(), value));
    let verdict = meanings
        .filter(|verdict| *verdict != FilterVerdict::Scanned)
        .max()
        .unwrap_or(FilterVerdict::Scanned);
    let rules: Vec<String> = values
        .iter()
        .map(|(name, value)| shorten(&format!("{name}: {value}"), LONGEST_QUOTE))
        .collect();
    let said = match verdict {
        FilterVerdict::Clean => "wrote that it found nothing",
        FilterVerdict::Spam => "took it for spam",
        FilterVerdict::Phishing => "took it for phishing",
        FilterVerdict::Malware => "took it for malware",
        _ => "wrote",
    };
    let quoted = rules
        .iter()
        .take(MOST_QUOTED)
        .map(|rule| format!("`{rule}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let score = values.iter().find_map(|(_, value)| number_after(value, "score="));
    Filter {
        score,
        rules,
        ..filter(FilterName::Other, verdict, format!("{said}: {quoted}"))
    }
}

/// What a plain value means under a name of that topic.
fn meaning(name: &str, value: &str) -> FilterVerdict {
    let value = value.trim().to_ascii_lowercase();
    let first: String = value
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .collect();
    let clean = [
        "no",
        "false",
        "0",
        "clean",
        "ok",
        "none",
        "ham",
        "nonspam",
        "not_detected",
        "passed",
        "notspam",
        "negative",
    ];
    let against = [
        "yes",
        "true",
        "spam",
        "infected",
        "virus",
        "phishing",
        "detected",
        "1",
        "probable_spam",
        "positive",
        "blocked",
        "malicious",
    ];
    if clean.contains(&first.as_str()) || value.starts_with("not spam") || value.starts_with("not detected") {
        return FilterVerdict::Clean;
    }
    if !against.contains(&first.as_str()) {
        return FilterVerdict::Scanned;
    }
    if name.contains("virus") {
        FilterVerdict::Malware
    } else if name.contains("phish") {
        FilterVerdict::Phishing
    } else if name.contains("spam") {
        FilterVerdict::Spam
    } else {
        FilterVerdict::Scanned
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::FilterVerdict as V;

    fn of(fields: &str) -> Vec<(V, String)> {
        let header = format!("From: a@b\r\n{fields}\r\n");
        let (sent, _) = Header::parse(b"X-Our-Spam-Test: yes\r\n\r\n");
        read(
            &Header::parse(header.as_bytes()).0,
            Some(&sent),
            crate::evidence::sides::Sides::default(),
        )
        .into_iter()
        .map(|one| (one.verdict, one.said))
        .collect()
    }

    #[test]
    fn unknown_filters_are_quoted() {
        for (fields, verdict, said) in [
            (
                "X-OVH-SPAMSTATE: OK\r\nX-OVH-SPAMSCORE: 0\r\n",
                V::Clean,
                "wrote that it found nothing: `X-OVH-SPAMSTATE: OK`, `X-OVH-SPAMSCORE: 0`",
            ),
            ("X-Spam-Flag: YES\r\n", V::Spam, "took it for spam: `X-Spam-Flag: YES`"),
            (
                "X-contoso-MailScanner-SpamCheck: not spam, SpamAssassin (not cached,\r\n score=-0.1, required 6)\r\n",
                V::Clean,
                "not spam, SpamAssassin (not cached, score=-0.1",
            ),
            ("X-KSMG-AntiPhishing: Detected\r\n", V::Phishing, "took it for phishing"),
            ("X-Virus-Status: Infected (Eicar)\r\n", V::Malware, "took it for malware"),
            ("X-Quarantine-Digest: 17\r\n", V::Scanned, "wrote: `X-Quarantine-Digest: 17`"),
        ] {
            let found = of(fields);
            let [(one, words)] = &found[..] else {
                panic!("{fields}: {found:?}")
            };
            assert_eq!(*one, verdict, "{fields}");
            assert!(words.contains(said), "{words}");
        }
    }

    #[test]
    fn what_is_known_or_ours_is_not_quoted_and_nothing_is_unbounded() {
        assert!(of("X-Our-Spam-Test: yes\r\nX-Forefront-Antispam-Report-Untrusted: SFV:SPM\r\nX-MS-Exchange-AntiSpam-Relay: 0\r\nX-Mailer: x\r\n").is_empty());
        let many: String = (0..900)
            .map(|number| format!("X-V{number}-Spam: {}\r\n", "\u{7}a".repeat(200)))
            .collect();
        let found = of(&many);
        assert_eq!(found.len(), 32);
        assert!(found.iter().all(|(_, said)| said.chars().count() <= 300 && !said.contains('\u{7}')));
    }
}
