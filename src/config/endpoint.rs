//! Servers: URLs, ports, `connect`, the protection of the connection, and who signs in.
//!
//! Nothing here asks the DNS: whether a host exists, a route or a watcher finds out.

use super::{
    choices::Secret,
    context::{Context, Fill},
    mistakes::{quoted, shown},
    read::At,
    shapes::CaShape,
    source::Span,
    words::{AuthWord, TlsWord},
};
use crate::model::{Endpoint, SignIn, TlsMode};
use std::{net::IpAddr, path::PathBuf};

/// What the two protocols of a site differ in.
pub(super) struct Protocol {
    /// The scheme with STARTTLS, and its port without and with a sign-in.
    plain: (&'static str, u16, u16),
    /// The scheme with TLS at once (RFC 8314), and its port.
    implicit: (&'static str, u16),
    /// The port between MTAs, where TLS is opportunistic (RFC 7435).
    relay: Option<u16>,
}

/// SMTP: port 25, or 587 for submission (RFC 6409).
pub(super) const SMTP: Protocol = Protocol {
    plain: ("smtp", 25, 587),
    implicit: ("smtps", 465),
    relay: Some(25),
};

/// IMAP (RFC 9051 section 2.1).
pub(super) const IMAP: Protocol = Protocol {
    plain: ("imap", 143, 143),
    implicit: ("imaps", 993),
    relay: None,
};

/// The keys of a server, which may stand in it or beside it.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    pub(super) connect: Option<&'a At<String>>,
    pub(super) tls: Option<&'a At<TlsWord>>,
    pub(super) ca: Option<&'a At<CaShape>>,
}

impl<'a> Keys<'a> {
    /// Those of both places; the same key in both is a mistake.
    pub(super) fn or(self, context: &mut Context<'_>, outer: Keys<'a>) -> Self {
        let mut twice = |inner: Option<Span>, outer: Option<Span>| {
            if let (Some(_), Some(span)) = (inner, outer) {
                context.mistakes.note(span, "the same is said inside and beside the server");
            }
        };
        twice(self.connect.map(|at| at.span.clone()), outer.connect.map(|at| at.span.clone()));
        twice(self.tls.map(|at| at.span.clone()), outer.tls.map(|at| at.span.clone()));
        twice(self.ca.map(|at| at.span.clone()), outer.ca.map(|at| at.span.clone()));
        Self {
            connect: self.connect.or(outer.connect),
            tls: self.tls.or(outer.tls),
            ca: self.ca.or(outer.ca),
        }
    }
}

/// The server behind a URL.
pub(super) fn endpoint(
    context: &mut Context<'_>,
    protocol: &Protocol,
    url: &At<String>,
    keys: Keys<'_>,
    signs_in: bool,
    fill: &Fill,
) -> Option<Endpoint> {
    let connect = match keys.connect {
        Some(text) => {
            let filled = fill.text(context, text)?;
            Some(address_to_connect(context, filled)?)
        }
        None => None,
    };
    let ca = ca(context, keys.ca);
    let url = fill.text(context, url)?;
    let (implicit, host, port) = match parse_url(protocol, &url) {
        Ok(parts) => parts,
        Err((title, help)) => {
            context.mistakes.note(url.span, title).help_if(help);
            return None;
        }
    };
    let default = match (implicit, signs_in) {
        (true, _) => protocol.implicit.1,
        (false, true) => protocol.plain.2,
        (false, false) => protocol.plain.1,
    };
    let port = port.unwrap_or(default);
    let said = keys.tls.map(|word| word.value);
    let tls = match (implicit, said) {
        (true, None | Some(TlsWord::Required)) => TlsMode::Implicit,
        (true, Some(_)) => {
            let span = keys.tls.map(|word| word.span.clone()).unwrap_or_default();
            let title = format!("`{}://` is TLS from the first byte", protocol.implicit.0);
            context
                .mistakes
                .note(span, title)
                .help(format!("write `{}://` for a connection without it", protocol.plain.0));
            return None;
        }
        (false, Some(TlsWord::Opportunistic)) => TlsMode::Opportunistic,
        (false, Some(TlsWord::None)) => TlsMode::None,
        (false, None) if protocol.relay == Some(port) => TlsMode::Opportunistic,
        (false, None | Some(TlsWord::Required)) => TlsMode::Required,
    };
    let target = connect.as_deref().map_or(host.as_str(), |connect| split_port(connect).0);
    if signs_in && matches!(tls, TlsMode::None | TlsMode::Opportunistic) && !is_loopback(target) {
        let span = keys.tls.map_or(url.span.clone(), |word| word.span.clone());
        let title = match tls {
            TlsMode::None => "a password would travel in the clear",
            _ => "a password might travel in the clear: TLS is only opportunistic here",
        };
        context
            .mistakes
            .note(span, title)
            .help("write `tls: required`; only to the loopback host may a password go without it");
        return None;
    }
    Some(Endpoint {
        host,
        port,
        connect,
        tls,
        ca: ca?,
    })
}

type Parsed = (bool, String, Option<u16>);

fn parse_url(protocol: &Protocol, url: &str) -> Result<Parsed, (String, Option<String>)> {
    let form = format!("`{}://HOST[:PORT]` or `{}://HOST[:PORT]`", protocol.plain.0, protocol.implicit.0);
    let no_url = || (format!("expected {form}, found {}", quoted(url)), None);
    let (scheme, rest) = url.split_once("://").ok_or_else(no_url)?;
    let implicit = match scheme {
        scheme if scheme == protocol.plain.0 => false,
        scheme if scheme == protocol.implicit.0 => true,
        _ => return Err(no_url()),
    };
    if rest.contains('@') {
        return Err((
            "expected a URL without user and password".into(),
            Some("say `user` and `password` beside `url`".into()),
        ));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err((format!("expected {form} and nothing behind it, found {}", quoted(url)), None));
    }
    let (host, port) = split_port(rest);
    let port = match port {
        None => None,
        Some(text) => match text.parse::<u16>() {
            Ok(port) if port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Some(port),
            // What is no number may be a password whose `@` is missing.
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err((format!("expected a port from 1 to 65535, found {}", quoted(text)), None));
            }
            _ => return Err(("expected a port from 1 to 65535 behind the host".into(), None)),
        },
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if !is_host(&without_placeholders(host)) {
        let help = (!host.is_ascii()).then(|| "write an internationalised name in its ASCII form (xn--…)".to_owned());
        return Err((format!("expected a host name or an IP address, found {}", quoted(host)), help));
    }
    Ok((implicit, host.to_owned(), port))
}

/// Host and port. An IPv6 address with a port stands in brackets.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return (text, None);
    }
    let after_host = text.rfind([']', '}']).map_or(0, |at| at + 1);
    match text[after_host..].rfind(':') {
        Some(colon) => (&text[..after_host + colon], Some(&text[after_host + colon + 1..])),
        None => (text, None),
    }
}

fn without_placeholders(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{domain.") {
        plain.push_str(before);
        plain.push('x');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

/// Whether this names a host: an IP address, or a name of the DNS (RFC 1123 section 2.1, with the underscores that exist in the world).
pub(super) fn is_host(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}

/// Whether a connection to this host never leaves the machine.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
    }
}

fn address_to_connect(context: &mut Context<'_>, text: At<String>) -> Option<String> {
    let (host, port) = split_port(&text);
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if is_host(&without_placeholders(bare)) && port_fits {
        return Some(text.value);
    }
    let title = format!("expected an address to connect to, `ADDRESS[:PORT]`, found {}", quoted(&text));
    context.mistakes.note(text.span, title);
    None
}

/// The file of a private CA, if one is named; the outer `None` is a mistake. That it exists is looked up here, because every login would fail without it.
#[expect(clippy::option_option, reason = "nothing named and a mistake are different things")]
pub(super) fn ca(context: &mut Context<'_>, shape: Option<&At<CaShape>>) -> Option<Option<PathBuf>> {
    let Some(shape) = shape else { return Some(None) };
    let file = shape.file.as_ref()?;
    let path = context.folder.join(&file.value);
    if path.is_file() {
        return Some(Some(path));
    }
    let title = format!("there is no file {}", quoted(&path.display().to_string()));
    context
        .mistakes
        .note(file.span.clone(), title)
        .help("a relative path begins at the site's folder");
    None
}

/// The keys of a sign-in.
pub(super) struct SignInKeys<'a> {
    pub(super) user: Option<&'a At<String>>,
    pub(super) password: Option<&'a At<Secret>>,
    pub(super) auth: Option<&'a At<AuthWord>>,
    pub(super) token: Option<&'a At<Secret>>,
    pub(super) tenant: Option<&'a At<String>>,
    /// Whether a mistake was noted among them, so that a missing one is no second mistake.
    pub(super) faulty: bool,
}

impl SignInKeys<'_> {
    /// Whether anybody signs in at all.
    pub(super) fn any(&self) -> bool {
        self.user.is_some() || self.password.is_some() || self.auth.is_some() || self.token.is_some() || self.tenant.is_some()
    }

    /// The sign-in; `None` is a mistake, which `owner` then holds. `tenants` are the names that `tenant` may have.
    pub(super) fn build(&self, context: &mut Context<'_>, owner: &Span, tenants: &[&str], fill: &Fill) -> Option<SignIn> {
        if let Some(tenant) = self.tenant {
            check_tenant(context, tenant, tenants);
            let other = [("password", self.password), ("token", self.token)];
            for (key, secret) in other.into_iter().filter_map(|(key, secret)| Some((key, secret?))) {
                let title = format!("the tenant gives the token, so `{key}` means nothing here");
                context
                    .mistakes
                    .note(secret.span.clone(), title)
                    .help("a sign-in takes one of `password`, `token` and `tenant`");
            }
        }
        let Some(user) = self.user else {
            if self.faulty {
                return None;
            }
            context.mistakes.note(owner.clone(), "a sign-in needs the key `user`");
            return None;
        };
        let user = fill.text(context, user)?.value;
        if let Some(tenant) = self.tenant {
            // The rest is wrong then too, but noted above.
            let tenant = tenant.value.clone();
            return (self.password.is_none() && self.token.is_none()).then_some(SignIn::Tenant { user, tenant });
        }
        match (self.password, self.token, self.auth) {
            (Some(password), None, None) => Some(SignIn::Password {
                user,
                password: fill.secret(&password.0),
            }),
            (None, Some(token), _) => Some(SignIn::XOAuth2 {
                user,
                token: fill.secret(&token.0),
            }),
            (Some(_), Some(token), _) => {
                context
                    .mistakes
                    .note(token.span.clone(), "a sign-in takes either a password or a token");
                None
            }
            _ if self.faulty => None,
            (_, None, Some(auth)) => {
                context
                    .mistakes
                    .note(auth.span.clone(), "`auth: xoauth2` needs the key `token` or `tenant`");
                None
            }
            (None, None, None) => {
                let title = format!("the user {} has no `password`, `token` or `tenant`", quoted(&user));
                context.mistakes.note(owner.clone(), title).help("add `password: { env: NAME }`");
                None
            }
        }
    }
}

/// Notes a tenant that does not exist.
pub(super) fn check_tenant(context: &mut Context<'_>, tenant: &At<String>, tenants: &[&str]) {
    if !tenants.contains(&tenant.as_str()) {
        let title = format!("there is no tenant {}", quoted(tenant));
        context
            .mistakes
            .dangling(tenant.span.clone(), title, tenant, tenants.iter().copied());
    }
}

/// Where Exchange Online answers SMTP and IMAP; those of the national clouds are not verified.
const EXCHANGE: [&str; 6] = [
    "smtp.office365.com",
    "outlook.office365.com",
    "smtp.office365.us",
    "outlook.office365.us",
    "smtp.partner.outlook.cn",
    "partner.outlook.cn",
];

/// A tenant's token opens every mailbox that the app may open: it goes to Exchange Online and to nobody else, but for a simulated one on this machine.
pub(super) fn check_exchange(context: &mut Context<'_>, url: Option<&At<String>>, endpoint: &Endpoint, sign_in: Option<&SignIn>) {
    let (Some(url), Some(SignIn::Tenant { .. })) = (url, sign_in) else {
        return;
    };
    let known = EXCHANGE.iter().any(|host| endpoint.host.eq_ignore_ascii_case(host));
    let connect = endpoint.connect.as_deref().unwrap_or(&endpoint.host);
    let address = connect
        .parse::<std::net::SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| connect.parse::<IpAddr>());
    if !known && !address.is_ok_and(|address| address.is_loopback()) {
        context
            .mistakes
            .note(
                url.span.clone(),
                "a tenant's token is for Exchange Online, and this is another host",
            )
            .help(format!(
                "its hosts are {}; whoever else gets the token gets the mailboxes",
                EXCHANGE.join(", ")
            ));
    }
}

/// A DNS server: that of the site, or of an MX route.
pub(super) fn resolver(context: &mut Context<'_>, text: &At<String>) -> Option<std::net::SocketAddr> {
    let address = text
        .parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(|address| (address, 53).into()));
    if address.is_none() {
        let title = format!("expected a DNS server as `ADDRESS[:PORT]`, found `{}`", shown(text));
        context
            .mistakes
            .note(text.span.clone(), title)
            .help("a name would need a DNS server itself");
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let smtp = |url| parse_url(&SMTP, url).ok();
        assert_eq!(smtp("smtp://{domain.old}:25"), Some((false, "{domain.old}".into(), Some(25))));
        assert_eq!(smtp("smtps://mail.example"), Some((true, "mail.example".into(), None)));
        assert_eq!(smtp("smtp://[::1]:2525/"), Some((false, "::1".into(), Some(2525))));
        for wrong in [
            "mail.example",
            "imap://mail.example",
            "smtp://",
            "smtp://h:0",
            "smtp://h:65536",
            "smtp://h:+25",
            "smtp://a@h",
            "smtp://h/x",
            "smtp://-h",
            "smtp://bü.example",
        ] {
            assert_eq!(smtp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_the_own_machine_is_loopback() {
        for own in [
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
            "a.localhost",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "10.0.0.1",
            "localhost.example",
            "mylocalhost",
            "::2",
            "{domain.old}",
            "127.0.0.1.example",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
