//! Links inside links: where an address leads that a protection service has put in place of another. One arm for each service.
//!
//! What it cannot see: where a link leads whose service keeps the address to itself (Mimecast, Hornetsecurity's older form, Forcepoint, Intermedia,
//! INKY), and whether a service that shows an address really leads there. The forms of Safe Links, URL Defense, Cisco, Barracuda, Check Point,
//! Google, Mimecast and Symantec are those seen in mail archives or given by their makers' own decoders; those of Sophos, Trend Micro, Fortinet,
//! Bitdefender, Hornetsecurity, Trellix, Zix, Forcepoint, Intermedia, INKY, Libraesva, `TitanHQ` and Trustwave are known from descriptions only.

use super::{
    super::decode,
    address::{Address, percent_decoded},
};
use std::collections::VecDeque;

/// How many services around each other are looked through: more than any way has. Each layer makes a link longer, which bounds it anyway.
const DEEPEST: usize = 16;
/// How many of them are named.
const MOST_NAMED: usize = 4;

/// A link that a service has wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unwrapped {
    /// The service, or several, the outermost first: `Safe Links around URL Defense`.
    pub service: String,
    /// Where it leads in the end, if that shows.
    pub target: Option<String>,
    /// The domain that a link shows which hides the rest.
    pub domain: Option<String>,
}

/// What one service shows of the address inside.
enum Inside {
    Shown(String),
    Hidden { domain: Option<String> },
}

/// What `link` leads to, if a service that is known here has wrapped it.
pub(super) fn unwrap(link: &str) -> Option<Unwrapped> {
    let mut services: Vec<&str> = Vec::new();
    let mut target = Some(link.to_owned());
    let mut domain = None;
    while let Some((service, inside)) = target.as_deref().and_then(Address::parse).as_ref().and_then(one_layer) {
        services.push(service);
        (target, domain) = match inside {
            // Further in nobody looks: where that leads is not known.
            Inside::Shown(_) if services.len() > DEEPEST => (None, None),
            Inside::Shown(address) => (Address::parse(&address).is_some().then_some(address), None),
            Inside::Hidden { domain } => (None, domain),
        };
    }
    services.truncate(MOST_NAMED);
    (!services.is_empty()).then(|| Unwrapped {
        service: services.join(" around "),
        target,
        domain,
    })
}

/// The service that wrapped this address, and what it shows.
fn one_layer(link: &Address) -> Option<(&'static str, Inside)> {
    let (host, path) = (link.host(), link.path());
    let within = |domains: &[&str]| domains.iter().any(|domain| link.is_within(domain));
    let shown_in = |name: &str| shown(link.parameter(name));
    let hidden = || Inside::Hidden {
        domain: link.parameter("domain"),
    };
    Some(match host {
        // The clouds of the world, the US government, China, and Germany's former one.
        _ if within(&[
            "safelinks.protection.outlook.com",
            "safelinks.protection.office365.us",
            "safelinks.protection.outlook.cn",
            "safelinks.protection.outlook.de",
        ]) =>
        {
            ("Safe Links", shown_in("url"))
        }
        "urldefense.proofpoint.com" | "urldefense.com" | "urldefense.us" => ("URL Defense", url_defense(link)?),
        _ if within(&["mimecastprotect.com"]) || within(&["mimecast.com"]) && host.contains("protect") => {
            ("Mimecast URL Protect", hidden())
        }
        "secure-web.cisco.com" => (
            "Cisco Secure Email",
            shown(
                path.get(1..)
                    .and_then(|path| path.split_once('/'))
                    .map(|(_, inside)| percent_decoded(inside)),
            ),
        ),
        "linkprotect.cudasvc.com" => ("Barracuda Link Protection", shown_in("a")),
        "www.google.com" | "google.com" if path == "/url" => ("Google", shown(link.parameter("q").or_else(|| link.parameter("url")))),
        "clicktime.symantec.com" => ("Symantec Click-time Protection", shown_in("u")),
        _ if within(&["protection.sophos.com"]) => ("Sophos Time-of-Click", shown(link.raw_parameter("u").and_then(from_base64))),
        _ if within(&["trendmicro.com", "trendmicro.eu", "trendmicro.co.jp"]) && path.starts_with("/wis/clicktime/") => {
            ("Trend Micro Time-of-Click", shown_in("url"))
        }
        _ if within(&["avanan.click", "protect.checkpoint.com"]) => ("Check Point Click-Time Protection", shown(check_point(link))),
        "avanan.url-protection.com" | "checkpoint.url-protection.com" => ("Check Point Click-Time Protection", shown_in("o")),
        // FortiMail answers on the customer's own host, so that only the path tells it.
        _ if path.starts_with("/fmlurlsvc") => ("FortiMail click protection", shown_in("url")),
        "linkscan.io" => (
            "Bitdefender LinkScan",
            shown(
                path.strip_prefix("/scan/ux/")
                    .and_then(|rest| rest.split('/').next())
                    .and_then(from_base64),
            ),
        ),
        _ if within(&["atpscan.global.hornetsecurity.com", "seclinks.cloud-security.net"]) => {
            ("Hornetsecurity Secure Links", shown_in("u"))
        }
        _ if within(&["fireeye.com", "trellix.com"]) && host.starts_with("protect") => ("Trellix URL Defense", shown_in("u")),
        "link.zixcentral.com" => ("Zix Link Defense", shown_in("u")),
        "url.mailcontrol.com" | "www.mailcontrol.com" => ("Forcepoint URL Sandboxing", hidden()),
        "url.emailprotection.link" => ("Intermedia LinkSafe", hidden()),
        _ if within(&["outlook.inky.com"]) => ("INKY", hidden()),
        _ if within(&["urlsand.esvalabs.com", "urlsand.com"]) => ("Libraesva URLSand", shown_in("u")),
        "linklock.titanhq.com" => ("TitanHQ Link Lock", shown_in("url")),
        "scanmail.trustwave.com" => ("Trustwave MailMarshal", shown_in("u")),
        _ => return None,
    })
}

fn shown(address: Option<String>) -> Inside {
    address.map_or(Inside::Hidden { domain: None }, Inside::Shown)
}

/// Base64 of either alphabet, with or without padding, itself perhaps percent-encoded.
fn from_base64(encoded: &str) -> Option<String> {
    let alphabet: String = percent_decoded(encoded)
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    String::from_utf8(decode::base64(alphabet.as_bytes())).ok()
}

/// `/v2/___ADDRESS___.SIGNATURE`, or `/v2/rNN/___ADDRESS___.SIGNATURE`. Some of the latter shift the letters: then no address shows.
fn check_point(link: &Address) -> Option<String> {
    let (_, inside) = link.whole().split_once("/___")?;
    let inside = inside.rsplit_once("___").map_or(inside, |(inside, _)| inside);
    if Address::parse(inside).is_some() {
        return Some(inside.to_owned());
    }
    Some(percent_decoded(inside)).filter(|address| Address::parse(address).is_some())
}

/// The three versions of URL Defense; `None`: a page of the service itself.
fn url_defense(link: &Address) -> Option<Inside> {
    let path = link.path();
    if path.starts_with("/v1/") {
        Some(shown(link.parameter("u").map(|address| decode::html(&address))))
    } else if path.starts_with("/v2/") {
        let encoded = link.raw_parameter("u").map(|encoded| encoded.replace('-', "%").replace('_', "/"));
        Some(shown(encoded.map(|encoded| decode::html(&percent_decoded(&encoded)))))
    } else if path.starts_with("/v3/") {
        Some(shown(third_version(link.whole())))
    } else {
        None
    }
}

/// `/v3/__ADDRESS__;REPLACED!!…`: in the address one `*` stands for one character that was replaced, and `**` with a letter for a run of them;
/// the characters themselves follow in base64, for all of them in their order.
fn third_version(link: &str) -> Option<String> {
    let (_, rest) = link.split_once("/v3/__")?;
    let (address, rest) = rest.rsplit_once("__;")?;
    let (replaced, _) = rest.split_once('!')?;
    let replaced = from_base64(replaced)?;
    let mut replaced: VecDeque<char> = replaced.chars().collect();
    let mut restored = String::with_capacity(address.len());
    let mut characters = address.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '*' {
            restored.push(c);
            continue;
        }
        let length = if characters.next_if_eq(&'*').is_some() {
            run_length(characters.next()?)?
        } else {
            1
        };
        // Fewer than announced: the link was cut or is no work of the service.
        if replaced.len() < length {
            return None;
        }
        restored.extend(replaced.drain(..length));
    }
    Some(restored)
}

/// The length of a run: `A` is two, and so on through the alphabet of URL-safe base64.
fn run_length(letter: char) -> Option<usize> {
    let alphabet = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']);
    alphabet.into_iter().position(|known| known == letter).map(|place| place + 2)
}

#[cfg(test)]
mod tests {
    use super::{super::address::canonical, *};

    const HOME: &str = "https://sender.example/mailflow/abc?x=1";

    fn encoded() -> String {
        HOME.replace(':', "%3A").replace('/', "%2f").replace('?', "%3F").replace('=', "%3D")
    }

    #[test]
    fn each_service_that_shows_where_a_link_leads_is_unwrapped() {
        let (encoded, base64) = (encoded(), data_encoding::BASE64.encode(HOME.as_bytes()));
        for (service, link) in [
            (
                "Safe Links",
                format!("https://nam02.safelinks.protection.outlook.com/?url={encoded}&data=05%7C02&sdata=x%3D&reserved=0"),
            ),
            (
                "Safe Links",
                format!("https://gcc02.safelinks.protection.office365.us/?url={encoded}&amp;data=05"),
            ),
            (
                "Safe Links",
                format!("https://CHN01.safelinks.protection.outlook.cn/?data=05&url={encoded}"),
            ),
            (
                "URL Defense",
                format!("https://urldefense.proofpoint.com/v1/url?u={encoded}&k=oIvRg1%2BdGAgOoM1BIlLLqw%3D%3D%0A"),
            ),
            (
                "URL Defense",
                "https://urldefense.proofpoint.com/v2/url?u=https-3A__sender.example_mailflow_abc-3Fx-3D1&d=DwMFaQ&c=euGZ".to_owned(),
            ),
            (
                "URL Defense",
                "https://urldefense.com/v3/__https://sender.example/mailflow/abc?x=1__;!!Abc1!x-y$".to_owned(),
            ),
            (
                "URL Defense",
                "https://urldefense.com/v3/__https://sender.example*mailflow/abc*x**A__;Lz89MQ!!Abc1!x$".to_owned(),
            ),
            (
                "URL Defense",
                "https://urldefense.us/v3/__https:/sender.example/mailflow/abc?x=1__;!!Abc1!x-y$".to_owned(),
            ),
            ("Cisco Secure Email", format!("https://secure-web.cisco.com/1KJd-x_y/{encoded}")),
            (
                "Barracuda Link Protection",
                format!("https://linkprotect.cudasvc.com/url?a={encoded}&c=E,1,x&typo=1"),
            ),
            ("Google", format!("https://www.google.com/url?q={encoded}&source=gmail&ust=1")),
            (
                "Symantec Click-time Protection",
                format!("https://clicktime.symantec.com/a/1/Ab_c=?d=x&u={encoded}"),
            ),
            (
                "Sophos Time-of-Click",
                format!("https://eu-central-1.protection.sophos.com?d=sender.example&u={base64}&i=x&t=y"),
            ),
            (
                "Trend Micro Time-of-Click",
                format!("https://imsva91-ctp.trendmicro.com:443/wis/clicktime/v1/query?url={encoded}&umid=x&auth=y"),
            ),
            (
                "Check Point Click-Time Protection",
                format!("https://url.avanan.click/v2/___{HOME}___.YXAzOmNv"),
            ),
            (
                "Check Point Click-Time Protection",
                format!("https://protect.checkpoint.com/v2/r01/___{}___.YzJ1", HOME.replace(':', "%3A")),
            ),
            (
                "Check Point Click-Time Protection",
                format!("https://avanan.url-protection.com/v1/url?o={encoded}&g=x&s=y"),
            ),
            (
                "FortiMail click protection",
                format!("https://mail.contoso.example/fmlurlsvc/?fewReq=:B:x&url={encoded}"),
            ),
            (
                "Bitdefender LinkScan",
                format!("https://linkscan.io/scan/ux/{}/AB12?c=1", base64.replace('/', "_")),
            ),
            (
                "Hornetsecurity Secure Links",
                format!("https://atpscan.global.hornetsecurity.com/?d=x&f=y&u={encoded}"),
            ),
            (
                "Trellix URL Defense",
                format!("https://protect2.fireeye.com/v1/url?k=x&q=1&e=y&u={encoded}"),
            ),
            ("Zix Link Defense", format!("https://link.zixcentral.com/u/8a/b_c?u={encoded}")),
            ("Libraesva URLSand", format!("https://urlsand.esvalabs.com/?u={encoded}&e=x")),
            (
                "TitanHQ Link Lock",
                format!("https://linklock.titanhq.com/analyse?url={encoded}&data=x"),
            ),
            (
                "Trustwave MailMarshal",
                format!("https://scanmail.trustwave.com/?c=1&d=x&u={encoded}"),
            ),
        ] {
            let unwrapped = unwrap(&link).unwrap_or_else(|| panic!("nobody wraps like this: {link}"));
            assert_eq!(unwrapped.service, service, "{link}");
            let target = unwrapped.target.unwrap_or_else(|| panic!("hidden: {link}"));
            assert_eq!(canonical(&target), canonical(HOME), "{link}");
        }
    }

    #[test]
    fn what_is_hidden_is_not_guessed() {
        let domain = |link: &str| unwrap(link).map(|unwrapped| (unwrapped.service, unwrapped.target, unwrapped.domain));
        let home = Some("sender.example".to_owned());
        for (service, link, shown) in [
            (
                "Mimecast URL Protect",
                "https://protect-eu.mimecast.com/s/k3ZfCQ?domain=sender.example",
                &home,
            ),
            (
                "Mimecast URL Protect",
                "https://url.uk.m.mimecastprotect.com/s/k3ZfCQ?domain=sender.example",
                &home,
            ),
            ("Forcepoint URL Sandboxing", "https://url.mailcontrol.com/sr/AbC==", &None),
            (
                "Hornetsecurity Secure Links",
                "https://atpscan.global.hornetsecurity.com/index.php?atp_str=x",
                &None,
            ),
            (
                "Safe Links",
                "https://eur01.safelinks.protection.outlook.com/?url=javascript%3Aalert(1)",
                &None,
            ),
            (
                "Check Point Click-Time Protection",
                "https://protect.checkpoint.com/v2/r05/___myyux:ddxjsijw___.Yz",
                &None,
            ),
            (
                "URL Defense",
                "https://urldefense.com/v3/__https://sender.example/*__;!!Abc1!x-y$",
                &None,
            ),
        ] {
            assert_eq!(domain(link), Some((service.to_owned(), None, shown.clone())), "{link}");
        }
        for stranger in [
            "https://safelinks.protection.outlook.com.evil.example/?url=https%3A%2F%2Fsender.example",
            "https://evilsafelinks.protection.outlook.com/?url=https%3A%2F%2Fsender.example",
            "https://www.mimecast.com/products",
            "https://urldefense.com/about",
            "https://www.google.com/search?q=https://sender.example",
            "ftp://urldefense.com/v3/__https://sender.example/__;!!",
        ] {
            assert_eq!(unwrap(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn services_around_each_other_are_looked_through_so_far_and_no_further() {
        let wrap = |link: &str| {
            let encoded: String = link.bytes().map(|octet| format!("%{octet:02X}")).collect();
            format!("https://eur05.safelinks.protection.outlook.com/?url={encoded}&data=x")
        };
        let inner = "https://urldefense.com/v3/__https://sender.example/x__;!!Abc1!x-y$";
        let two = unwrap(&wrap(inner)).expect("two services");
        assert_eq!(
            (two.service.as_str(), two.target.as_deref()),
            ("Safe Links around URL Defense", Some("https://sender.example/x"))
        );
        let hidden = unwrap(&wrap("https://protect-eu.mimecast.com/s/x?domain=sender.example")).expect("two services");
        assert_eq!((hidden.target, hidden.domain.as_deref()), (None, Some("sender.example")));
        let mut link = "https://sender.example/".to_owned();
        for depth in 1..=20 {
            link = format!("https://urldefense.com/v3/__{link}__;!!Abc1!x-y$");
            let unwrapped = unwrap(&link).expect("wrapped");
            assert_eq!(unwrapped.target.is_some(), depth <= DEEPEST, "{depth}");
            assert!(unwrapped.service.matches("URL Defense").count() <= MOST_NAMED);
        }
    }
}
