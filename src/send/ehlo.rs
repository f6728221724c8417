//! EHLO (RFC 5321 section 4.1.1.1): the name that we give, and what the server offers.

use super::reply::RawReply;
use lettre::transport::smtp::extension::ClientId;
use std::net::IpAddr;

/// The name for EHLO: `host_name` if it is fully qualified, otherwise the literal of our address (RFC 5321 section 4.1.4).
pub(super) fn our_name(host_name: &str, local: IpAddr) -> ClientId {
    let name = host_name.strip_suffix('.').unwrap_or(host_name);
    if is_fully_qualified(name) {
        return ClientId::Domain(name.to_owned());
    }
    match local.to_canonical() {
        IpAddr::V4(address) => ClientId::Ipv4(address),
        IpAddr::V6(address) => ClientId::Ipv6(address),
    }
}

fn is_fully_qualified(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let top = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(label)
        // `localhost.localdomain` is what machines without a name call themselves; digits at the end are an address.
        && !top.eq_ignore_ascii_case("localdomain")
        && !top.bytes().all(|byte| byte.is_ascii_digit())
}

/// The extensions that a server offers, as far as they matter to us. None of them after HELO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each extension is offered or not, independently")]
pub(super) struct Offers {
    /// RFC 1870.
    pub size: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 6531.
    pub smtp_utf8: bool,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// The mechanisms of AUTH (RFC 4954), in upper case; `None`: not offered.
    pub auth: Option<Vec<String>>,
}

impl Offers {
    /// What a reply to EHLO offers.
    pub fn of(reply: &RawReply) -> Self {
        let mut offers = Self::default();
        // The first line is the server's name.
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            // `AUTH=LOGIN` is what some servers wrote before RFC 2554.
            let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("SIZE") => offers.size = true,
                Some("8BITMIME") => offers.eight_bit_mime = true,
                Some("SMTPUTF8") => offers.smtp_utf8 = true,
                Some("DSN") => offers.dsn = true,
                Some("PIPELINING") => offers.pipelining = true,
                Some("STARTTLS") => offers.starttls = true,
                Some("AUTH") => offers.auth.get_or_insert_default().extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        offers
    }

    /// What of this is worth telling an administrator.
    pub fn told(&self) -> String {
        let known = [
            (self.pipelining, "PIPELINING"),
            (self.size, "SIZE"),
            (self.eight_bit_mime, "8BITMIME"),
            (self.smtp_utf8, "SMTPUTF8"),
            (self.dsn, "DSN"),
        ];
        let offered: Vec<_> = known.iter().filter(|(offered, _)| *offered).map(|(_, name)| *name).collect();
        if offered.is_empty() {
            "no extensions".to_owned()
        } else {
            offered.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn a_host_without_a_full_name_gives_its_address() {
        let local = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        assert_eq!(our_name("probe.example.", local).to_string(), "probe.example");
        for host in [
            "probe",
            "",
            "localhost.localdomain",
            "a b.example",
            "x\r\nRSET.example",
            "-a.example",
            "10.0.0.1",
            "a..example",
        ] {
            assert_eq!(our_name(host, local).to_string(), "[192.0.2.7]", "{host:?}");
        }
        assert_eq!(our_name("probe", IpAddr::V6(Ipv6Addr::LOCALHOST)).to_string(), "[IPv6:::1]");
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert_eq!(our_name("probe", mapped).to_string(), "[127.0.0.1]");
    }

    #[test]
    fn offers_are_read_in_any_case_and_in_the_old_form() {
        let lines = [
            "DSN.example",
            "pipelining",
            "SIZE 1000",
            "Auth LOGIN plain",
            "AUTH=XOAUTH2",
            "X-DSN",
            "STARTTLS",
        ];
        let offers = Offers::of(&RawReply {
            code: 250,
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
        });
        assert_eq!(
            offers,
            Offers {
                pipelining: true,
                size: true,
                starttls: true,
                auth: Some(vec!["LOGIN".to_owned(), "PLAIN".to_owned(), "XOAUTH2".to_owned()]),
                ..Offers::default()
            }
        );
        assert_eq!(offers.told(), "PIPELINING, SIZE");
    }
}
