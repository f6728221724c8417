//! Exchange Online Protection, and Defender for Office 365 on top of it: `X-Forefront-Antispam-Report` and its companions.
//!
//! The values are those of Microsoft's page on anti-spam message headers; what it does not explain (`dest`, `ucf`, `jmr`, `OFR`, skip-listing) is
//! as seen. Fields that end in `-Untrusted` are those of an earlier tenant and decide nothing. On-premises Exchange alone writes only
//! `X-MS-Exchange-Organization-SCL`: that is another filter's word, not the service's.

use super::{Family, Filter, filter, words::Words, words::after};
use crate::model::{FilterName, FilterVerdict};

pub(super) const FAMILY: Family = Family {
    owns: |name| {
        ["x-forefront-", "x-microsoft-", "x-ms-", "x-exchange-", "x-customspam", "x-eop"]
            .iter()
            .any(|own| name.starts_with(own))
    },
    read,
    heads: &[],
    hosts: &[
        "mail.protection.outlook.com",
        "protection.outlook.com",
        "outlook.com",
        "protection.office365.us",
        "protection.partner.outlook.cn",
    ],
    once: true,
};

/// The spam confidence level from which on a message is spam.
const SPAM_LEVEL: f64 = 5.0;

/// What the fields say, key by key.
struct Report {
    level: Option<f64>,
    filtering: String,
    category: String,
    list: String,
    safety: String,
    /// Where the mailbox put it: `I`, `J` or `C`.
    destination: String,
    bulk: Option<f64>,
    outbound: bool,
    internal: bool,
    /// The threshold for bulk mail was hit.
    is_bulk: bool,
}

fn read(words: &Words) -> Option<Filter> {
    let stamped = words.get("X-Forefront-Antispam-Report");
    let delivery = words.get("X-Microsoft-Antispam-Mailbox-Delivery");
    if stamped.is_none() && delivery.is_none() && !words.has("X-Microsoft-Antispam") {
        return on_premises(words);
    }
    let report = Report::of(words, &stamped.unwrap_or_default(), &delivery.clone().unwrap_or_default());
    let (mut verdict, mut said) = report.verdict();
    let mut allow_listed = report.allow_list();
    if allow_listed.is_some() && verdict == FilterVerdict::Clean {
        verdict = FilterVerdict::Skipped;
        "let it through without spam filtering".clone_into(&mut said);
    }
    let codes = report.codes();
    let mut clause = format!(
        "{said} ({})",
        if codes.is_empty() {
            "no codes".to_owned()
        } else {
            codes.join(", ")
        }
    );
    let mut rules = codes;
    for (name, meaning) in [
        (
            "X-MS-Exchange-SkipListedInternetSender",
            "Enhanced Filtering for Connectors looked past the gateway in front of it",
        ),
        (
            "X-MS-Exchange-Organization-SkipSafeLinksProcessing",
            "a mail flow rule told Safe Links to leave the links alone",
        ),
        (
            "X-MS-Exchange-Organization-SkipSafeAttachmentProcessing",
            "a mail flow rule told Safe Attachments to leave it alone",
        ),
    ] {
        if words.get(name).is_some_and(|value| value != "0") {
            clause.push_str("; ");
            clause.push_str(meaning);
            rules.push(name.rsplit('-').next().unwrap_or(name).to_owned());
        }
    }
    if let Some(custom) = words.get("X-CustomSpam") {
        clause.push_str(&format!("; a setting of the Advanced Spam Filter hit: {custom}"));
        rules.push(format!("X-CustomSpam: {custom}"));
    }
    if verdict == FilterVerdict::Spoofing && words.authentication().is_some_and(|text| text.contains("reason=002")) {
        clause.push_str("; the Tenant Allow/Block List blocks this pair of sender and sending infrastructure (compauth reason 002)");
    }
    let by_mailbox = delivery.as_deref().and_then(|delivery| placed_by_mailbox(delivery, &report));
    if let Some((placed, words)) = by_mailbox {
        clause.push_str("; ");
        clause.push_str(&words);
        if let Some(placed) = placed.filter(|_| !verdict.is_against()) {
            verdict = placed;
            allow_listed = None;
        }
    }
    Some(Filter {
        score: report.level,
        threshold: report.level.map(|_| SPAM_LEVEL),
        rules,
        allow_listed,
        ..filter(FilterName::ExchangeOnline, verdict, clause)
    })
}

/// The word of an organization's own Exchange servers, which the service did not filter for: another product, and it only names a level.
fn on_premises(words: &Words) -> Option<Filter> {
    let level = words
        .get("X-MS-Exchange-Organization-SCL")
        .and_then(|level| super::words::number(&level))?;
    let report = Report::of(words, "", "");
    let (verdict, what) = match level {
        level if level >= SPAM_LEVEL => (FilterVerdict::Spam, "took it for spam"),
        level if level < 0.0 => (FilterVerdict::Skipped, "did not filter it"),
        _ => (FilterVerdict::Clean, "found nothing against it"),
    };
    let code = format!("X-MS-Exchange-Organization-SCL: {}", super::words::shown(level));
    let said = format!("{what}, by the word of the organization's own Exchange servers ({code})");
    let allow_listed = report.allow_list().filter(|_| !verdict.is_against());
    let host = words.get("X-MS-Exchange-Organization-AuthSource");
    let rules = vec![code];
    Some(Filter {
        host,
        score: Some(level),
        threshold: Some(SPAM_LEVEL),
        rules,
        allow_listed,
        ..filter(FilterName::Other, verdict, said)
    })
}

/// What the mailbox did to it after the service: the verdict, if it speaks against the message, and the words.
fn placed_by_mailbox(delivery: &str, report: &Report) -> Option<(Option<FilterVerdict>, String)> {
    match report.destination.as_str() {
        "J" if after(delivery, "OFR:").is_some_and(|reason| reason.starts_with("SpamFilter")) && !report.is_spam() => Some((
            Some(FilterVerdict::Spam),
            "the spam filter of the mailbox put it into Junk Email (dest:J, OFR:SpamFilter…)".to_owned(),
        )),
        "J" if !report.is_spam() => Some((
            Some(FilterVerdict::Blocked),
            "the mailbox's own junk e-mail settings put it into Junk Email: Blocked Senders, or only Safe Senders are let in (dest:J)"
                .to_owned(),
        )),
        "J" => Some((None, "delivered it to Junk Email (dest:J)".to_owned())),
        "C" => Some((None, "an Inbox rule of the mailbox moved it (dest:C)".to_owned())),
        _ => None,
    }
}

impl Report {
    fn of(words: &Words, stamped: &str, delivery: &str) -> Self {
        let value = |key: &str| after(stamped, key).unwrap_or_default().to_ascii_uppercase();
        let own = words
            .get("X-MS-Exchange-Organization-SCL")
            .and_then(|level| super::words::number(&level));
        let bulk = words
            .get("X-Microsoft-Antispam")
            .as_deref()
            .and_then(|text| super::words::number_after(text, "BCL:"));
        let authenticated = words
            .get("X-MS-Exchange-Organization-AuthAs")
            .or_else(|| words.get("X-MS-Exchange-CrossTenant-AuthAs"));
        let direction = value("DIR:");
        Self {
            level: own
                .or_else(|| super::words::number_after(stamped, "SCL:"))
                .filter(|level| (-1.0..=9.0).contains(level)),
            filtering: value("SFV:"),
            category: value("CAT:"),
            list: value("IPV:"),
            safety: value("SFTY:"),
            destination: after(delivery, "dest:").unwrap_or_default().to_ascii_uppercase(),
            bulk: bulk.filter(|level| (0.0..=9.0).contains(level)),
            outbound: direction == "OUT",
            internal: direction == "INT" || authenticated.is_some_and(|who| who.eq_ignore_ascii_case("Internal")),
            is_bulk: value("SRV:") == "BULK",
        }
    }

    fn is_spam(&self) -> bool {
        self.level.is_some_and(|level| level >= SPAM_LEVEL) || matches!(self.filtering.as_str(), "SPM" | "SKS" | "SKB" | "BLK")
    }

    /// The verdict, and what it means. Spam filtering that was skipped, or somebody's own list, tells more than the category.
    fn verdict(&self) -> (FilterVerdict, String) {
        use FilterVerdict as V;
        let (verdict, said) = match (self.filtering.as_str(), self.category.as_str()) {
            ("SKQ", _) => (V::Released, "held it in quarantine, and let it go when somebody released it"),
            ("SKN" | "SKA" | "SFE", _) => (V::Skipped, "let it through without spam filtering"),
            ("BLK", _) => (
                V::Blocked,
                "took it for junk because the recipient's own Blocked Senders list names the sender",
            ),
            ("SKB", _) => (
                V::Blocked,
                "took it for spam because the anti-spam policy's list of blocked senders and domains names the sender",
            ),
            (_, "AMP" | "MALW") => (V::Malware, "took it for malware by the anti-malware policy"),
            (_, "FTBP") => (
                V::Malware,
                "took its attachment for a blocked file type by the common attachments filter of the anti-malware policy",
            ),
            (_, "SAP") => (V::Malware, "took its attachment for malware by the Safe Attachments policy"),
            (_, "HPHSH" | "HPHISH") => (V::Phishing, "took it for high-confidence phishing by the anti-spam policy"),
            (_, "PHSH") => (V::Phishing, "took it for phishing by the anti-spam policy"),
            (_, "INTOS") => (V::Phishing, "took it for phishing inside the organization by the anti-spam policy"),
            (_, "SPOOF") => (
                V::Spoofing,
                "took the sender for spoofed by spoof intelligence of the anti-phishing policy",
            ),
            (_, "UIMP") => (
                V::Impersonation,
                "took it for the impersonation of a protected user by the anti-phishing policy",
            ),
            (_, "DIMP") => (
                V::Impersonation,
                "took it for the impersonation of a protected domain by the anti-phishing policy",
            ),
            (_, "BIMP") => (
                V::Impersonation,
                "took it for the impersonation of a brand by the anti-phishing policy",
            ),
            (_, "GIMP") => (
                V::Impersonation,
                "took it for impersonation by mailbox intelligence of the anti-phishing policy",
            ),
            ("SKS", _) => (
                V::Spam,
                "took it for spam before filtering: a mail flow rule, or a filter in front of it, had set the level",
            ),
            (_, "BULK") => (V::Bulk, "took it for bulk mail by the bulk threshold of the anti-spam policy"),
            (_, "HSPM") => (V::Spam, "took it for high-confidence spam by the anti-spam policy"),
            (_, "OSPM") => (V::Spam, "took it for spam on its way out by the outbound spam policy"),
            ("SPM", _) | (_, "SPM") => (V::Spam, "took it for spam by the anti-spam policy"),
            _ if self.is_bulk => (V::Bulk, "took it for bulk mail by the bulk threshold of the anti-spam policy"),
            _ if self.is_spam() => (V::Spam, "took it for spam by the anti-spam policy"),
            ("SKI", _) => (V::Skipped, "did not filter it as mail inside the organization"),
            _ if self.level == Some(-1.0) && self.internal => (V::Skipped, "did not filter it as trusted mail of the organization"),
            ("", "") if self.level.is_none() => (V::Scanned, "handled it, and does not say what it found"),
            _ if self.outbound => (V::Clean, "found nothing against it on its way out of the sender's organization"),
            _ => (V::Clean, "found nothing against it"),
        };
        (verdict, said.to_owned())
    }

    /// The list that let it through, in the product's words.
    fn allow_list(&self) -> Option<String> {
        let address_listed = self.list == "CAL";
        let list = match self.filtering.as_str() {
            "SKA" => "SFV:SKA, the allowed senders and domains of the anti-spam policy",
            "SFE" => "SFV:SFE, the Safe Senders list of the recipient's mailbox",
            _ if address_listed => "IPV:CAL, the IP Allow List of the connection filter policy",
            "SKN" => "SFV:SKN, a mail flow rule that sets SCL -1, or another allow entry",
            "SKQ" | "SKI" => return None,
            _ if self.level == Some(-1.0) && !self.internal => "SCL -1, a mail flow rule or connector that bypasses spam filtering",
            _ => return None,
        };
        (!self.is_spam()).then(|| list.to_owned())
    }

    /// The codes that decided, as the header names them.
    fn codes(&self) -> Vec<String> {
        let mut codes = Vec::new();
        if !self.category.is_empty() && self.category != "NONE" {
            codes.push(format!("CAT:{}", self.category));
        }
        if !self.filtering.is_empty() {
            codes.push(format!("SFV:{}", self.filtering));
        }
        if let Some(level) = self.level {
            codes.push(format!("SCL {}", super::words::shown(level)));
        }
        if self.list == "CAL" {
            codes.push("IPV:CAL".to_owned());
        }
        if self.is_bulk {
            codes.push("SRV:BULK".to_owned());
        }
        if let Some(level) = self.bulk.filter(|level| *level >= 4.0 || self.is_bulk || self.category == "BULK") {
            codes.push(format!("BCL {}", super::words::shown(level)));
        }
        let tip = match self.safety.as_str() {
            "9.19" => ", domain impersonation",
            "9.20" => ", user impersonation",
            "9.25" => ", first contact safety tip",
            _ => "",
        };
        if self.safety.starts_with('9') {
            codes.push(format!("SFTY:{}{tip}", self.safety));
        }
        codes
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Header, read};
    use crate::model::{Filter, FilterVerdict as V};

    fn of(fields: &str) -> Filter {
        let header = format!(
            "Received: from a by DB5EUR03FT012.mail.protection.outlook.com; Mon\r\nFrom: a@b\r\n{fields}X-Forefront-Antispam-Report-Untrusted: SFV:SKA;SCL:-1\r\n\r\n"
        );
        let found = read(&Header::parse(header.as_bytes()).0, None, crate::evidence::sides::Sides::default());
        assert_eq!(found.len(), 1, "{fields}: {found:?}");
        found.into_iter().next().unwrap_or_else(|| unreachable!())
    }

    #[test]
    fn every_code_has_its_verdict() {
        for (report, verdict, word, allowed) in [
            (
                "SFV:NSPM;SCL:1;CAT:NONE;DIR:INB",
                V::Clean,
                "nothing against it (SFV:NSPM, SCL 1)",
                None,
            ),
            (
                "SFV:SPM;SCL:5;CAT:SPM",
                V::Spam,
                "by the anti-spam policy (CAT:SPM, SFV:SPM, SCL 5)",
                None,
            ),
            ("SFV:SPM;SCL:9;CAT:HSPM", V::Spam, "high-confidence spam", None),
            ("SFV:SPM;SCL:8;CAT:HPHISH", V::Phishing, "high-confidence phishing", None),
            ("SFV:SPM;SCL:8;CAT:HPHSH", V::Phishing, "CAT:HPHSH", None),
            ("SFV:SPM;SCL:5;CAT:PHSH", V::Phishing, "phishing", None),
            ("SFV:SPM;SCL:5;CAT:SPOOF;SFTY:9.11", V::Spoofing, "spoof intelligence", None),
            ("SFV:SPM;SCL:5;CAT:UIMP;SFTY:9.20", V::Impersonation, "protected user", None),
            (
                "SFV:SPM;SCL:5;CAT:DIMP;SFTY:9.19",
                V::Impersonation,
                "SFTY:9.19, domain impersonation",
                None,
            ),
            ("SFV:NSPM;SCL:1;CAT:GIMP", V::Impersonation, "mailbox intelligence", None),
            ("SFV:SPM;CAT:BIMP", V::Impersonation, "brand", None),
            ("SFV:SPM;CAT:INTOS", V::Phishing, "inside the organization", None),
            ("CAT:MALW", V::Malware, "anti-malware policy", None),
            ("CAT:AMP", V::Malware, "anti-malware policy", None),
            ("CAT:FTBP", V::Malware, "common attachments filter", None),
            ("CAT:SAP", V::Malware, "Safe Attachments", None),
            ("CAT:OSPM;DIR:OUT", V::Spam, "outbound", None),
            ("SFV:SPM;SCL:6;SRV:BULK;CAT:BULK", V::Bulk, "bulk threshold", None),
            ("SFV:SKS;SCL:6;CAT:SPM", V::Spam, "before filtering", None),
            ("SFV:SKB;SCL:6", V::Blocked, "blocked senders and domains", None),
            ("SFV:BLK;SCL:6", V::Blocked, "Blocked Senders", None),
            ("SFV:SKQ;SCL:-1;CAT:PHSH", V::Released, "released", None),
            ("SFV:SKI;SCL:-1;DIR:INT", V::Skipped, "inside the organization", None),
            ("SFV:SKN;SCL:-1", V::Skipped, "without spam filtering", Some("SFV:SKN")),
            ("SFV:SKA;SCL:-1", V::Skipped, "without spam filtering", Some("SFV:SKA")),
            ("SFV:SFE;SCL:-1", V::Skipped, "without spam filtering", Some("Safe Senders")),
            ("SFV:SKN;SCL:-1;IPV:CAL", V::Skipped, "IPV:CAL", Some("IP Allow List")),
            ("SFV:NSPM;SCL:1;IPV:CAL", V::Skipped, "IPV:CAL", Some("IP Allow List")),
            ("SFV:NSPM;SCL:1;SFTY:9.25", V::Clean, "first contact", None),
            ("SFV:NSPM;SCL:1;DIR:OUT", V::Clean, "on its way out", None),
            ("SFV:XYZ;SCL:77;CAT:", V::Clean, "SFV:XYZ", None),
        ] {
            let found = of(&format!("X-Forefront-Antispam-Report:\r\n CIP:192.0.2.25;CTRY:US;{report};\r\n"));
            assert_eq!(found.verdict, verdict, "{report}");
            assert!(found.said.contains(word), "{report}: {}", found.said);
            let listed = found.allow_listed.unwrap_or_default();
            assert!(
                allowed.map_or(listed.is_empty(), |list| listed.contains(list)),
                "{report}: {listed}"
            );
            assert_eq!(found.host.as_deref(), Some("DB5EUR03FT012.mail.protection.outlook.com"));
        }
    }

    #[test]
    fn servers_of_the_organization_are_another_filter() {
        for (level, verdict, allowed) in [("0", V::Clean, false), ("6", V::Spam, false), ("-1", V::Skipped, true)] {
            let found = of(&format!(
                "X-MS-Exchange-Organization-SCL: {level}\r\nX-MS-Exchange-Organization-AuthSource: EX02.contoso.example\r\n"
            ));
            assert_eq!(
                (found.name, found.verdict, found.allow_listed.is_some()),
                (crate::model::FilterName::Other, verdict, allowed)
            );
            assert_eq!(found.host.as_deref(), Some("EX02.contoso.example"));
        }
    }

    #[test]
    fn the_mailbox_has_the_last_word() {
        let clean = "X-Forefront-Antispam-Report: SFV:NSPM;SCL:1;\r\nX-Microsoft-Antispam-Mailbox-Delivery:\r\n\tucf:0;jmr:0;auth:0;";
        for (delivery, verdict, word) in [
            ("dest:I;ENG:(1)", V::Clean, "nothing"),
            ("dest:J;ENG:(1)", V::Blocked, "own junk e-mail settings"),
            (
                "dest:J;ENG:(1);RF:JunkEmail;OFR:SpamFilterAuthJ;",
                V::Spam,
                "spam filter of the mailbox",
            ),
            ("dest:C;OFR:CustomRules;", V::Clean, "Inbox rule"),
        ] {
            let found = of(&format!("{clean}{delivery}\r\n"));
            assert_eq!(found.verdict, verdict, "{delivery}");
            assert!(found.said.contains(word), "{}", found.said);
        }
        let spam =
            of("X-Forefront-Antispam-Report: SFV:SPM;SCL:5;CAT:SPM\r\nX-Microsoft-Antispam-Mailbox-Delivery: ucf:0;jmr:1;dest:J;\r\n");
        assert_eq!(spam.verdict, V::Spam);
        assert!(spam.said.ends_with("delivered it to Junk Email (dest:J)"), "{}", spam.said);
    }

    #[test]
    fn the_final_level_is_that_of_the_organization() {
        let found =
            of("X-Forefront-Antispam-Report: SFV:NSPM;SCL:1\r\nX-MS-Exchange-Organization-SCL: 6\r\nX-Microsoft-Antispam: BCL:0;\r\n");
        assert_eq!((found.verdict, found.score, found.threshold), (V::Spam, Some(6.0), Some(5.0)));
        let rule = of("X-Forefront-Antispam-Report: SFV:NSPM;SCL:1\r\nX-MS-Exchange-Organization-SCL: -1\r\n");
        assert!(rule.allow_listed.is_some_and(|list| list.starts_with("SCL -1")));
        let inside = of("X-Forefront-Antispam-Report: SCL:-1\r\nX-MS-Exchange-Organization-AuthAs: Internal\r\n");
        assert_eq!((inside.verdict, inside.allow_listed), (V::Skipped, None));
    }
}
