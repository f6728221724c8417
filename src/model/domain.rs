//! Domains: whether two names belong to one organisation, as far as that shows without a list of public suffixes.
//!
//! What it cannot see: suffixes that this page does not know, under which two strangers then look like one; and domains of one owner that have
//! nothing in common.

/// What stands below the country in names of organisations there: `contoso.co.uk`.
const BELOW_COUNTRIES: [&str; 16] = [
    "ac", "co", "com", "edu", "go", "gob", "gov", "govt", "gv", "mil", "ne", "net", "nom", "or", "org", "sch",
];
/// Domains whose every subdomain is somebody else's.
const SHARED: [&str; 1] = ["onmicrosoft.com"];

/// The domains of hosts that take, filter and store mail for other domains.
const MAIL_SERVICES: [&str; 20] = [
    "outlook.com",
    "office365.us",
    "google.com",
    "googlemail.com",
    "pphosted.com",
    "ppops.net",
    "ppe-hosted.com",
    "mimecast.com",
    "mimecast-offshore.com",
    "mimecast.co.za",
    "barracudanetworks.com",
    "iphmx.com",
    "messagelabs.com",
    "sophos.com",
    "trendmicro.com",
    "trendmicro.eu",
    "avanan.net",
    "checkpointcloudsec.com",
    "fortimailcloud.com",
    "fortimail.com",
];

/// Whether a host is one of a service that takes mail for other domains.
pub fn is_mail_service(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_within = |domain: &&str| {
        host.strip_suffix(*domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    MAIL_SERVICES.iter().any(is_within)
}

/// Whether two names are of one organisation: the relaxed alignment of RFC 7489 section 3.1.
pub fn same_organisation(one: &str, other: &str) -> bool {
    let (one, other) = (organisation(one), organisation(other));
    !one.is_empty() && one.eq_ignore_ascii_case(other)
}

/// The last labels of a name that make an organisation's domain.
fn organisation(name: &str) -> &str {
    let name = name.trim_end_matches('.');
    let from_end = |labels: usize| {
        let start = name.rmatch_indices('.').nth(labels - 1).map_or(0, |(dot, _)| dot + 1);
        &name[start..]
    };
    // An address is nobody's domain.
    if name.parse::<std::net::IpAddr>().is_ok() {
        return name;
    }
    let two = from_end(2);
    let is_suffix = match two.split_once('.') {
        Some((below, country)) => country.len() == 2 && BELOW_COUNTRIES.iter().any(|known| known.eq_ignore_ascii_case(below)),
        None => false,
    };
    if is_suffix || SHARED.iter().any(|shared| shared.eq_ignore_ascii_case(two)) {
        from_end(3)
    } else {
        two
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisations_are_told_apart() {
        for (one, other) in [
            ("mx1.contoso.example", "store.Contoso.Example."),
            ("contoso.example", "contoso.example"),
            ("mx.contoso.co.uk", "contoso.co.uk"),
            ("a.prod.outlook.com", "b.mail.protection.outlook.com"),
        ] {
            assert!(same_organisation(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("contoso.example", "evilcontoso.example"),
            ("contoso.co.uk", "fabrikam.co.uk"),
            ("contoso.onmicrosoft.com", "fabrikam.onmicrosoft.com"),
            ("contoso.example.evil.example", "contoso.example"),
            ("192.0.2.1", "198.51.2.1"),
            ("", ""),
            ("example", "contoso.example"),
        ] {
            assert!(!same_organisation(one, other), "{one} {other}");
        }
        assert!(is_mail_service("x.mail.protection.Outlook.com") && !is_mail_service("evilgoogle.com"));
    }
}
