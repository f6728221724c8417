//! From the shape of a site to the site: names are resolved, defaults filled in, and what contradicts itself is refused.

use super::{
    alerts,
    context::Context,
    endpoint,
    mailboxes::Mailboxes,
    mistakes::quoted,
    read::{At, Named, OneOrMany},
    recipients,
    routes::{self, Known},
    schedules,
    shapes::{SenderShape, SiteShape},
    tenants,
    traces::Traces,
};
use crate::model::{Dkim, Mailbox, PathRule, Recipient, Sender, Site, TAG_LENGTH};
use std::{collections::BTreeMap, net::IpAddr};

/// RFC 5321 section 4.5.3.1.1.
const LOCAL_PART: usize = 64;

/// The site, as far as it could be read. It counts only if no mistake was noted.
pub(super) fn build(context: &mut Context<'_>, shape: &SiteShape) -> Site {
    let names: Vec<&str> = shape.tenants.as_ref().map(|tenants| tenants.names().collect()).unwrap_or_default();
    let resolver = shape.resolver.as_ref().and_then(|text| endpoint::resolver(context, text));
    let known = Known {
        resolver,
        senders: sender_names(shape),
        tenants: names.clone(),
        domains: shape.domains.as_ref(),
    };
    let built = tenants::build(context, shape.tenants.as_ref());
    let domains = routes::domain_values(context, shape.domains.as_ref());
    let routes = shape
        .routes
        .as_ref()
        .map(|routes| routes::build(context, routes, &known))
        .unwrap_or_default();
    let default = shape.defaults.as_ref().and_then(|defaults| defaults.mailbox.as_ref());
    let mut mailboxes = Mailboxes::new(context, shape.mailboxes.as_ref(), names, Traces::of(&built), default);
    let recipients = recipients::build(context, shape, &mut mailboxes);
    let senders = senders(context, shape, &mut mailboxes);
    for sender in &senders {
        sender.mailbox.iter().for_each(|name| mailboxes.belongs_to_sender(name));
    }
    let alerts = alerts::build(context, shape.alerts.as_ref(), &known.tenants, &routes);
    let schedules = schedules::build(context, shape.schedules.as_ref());
    mark_quarantines(&recipients, &senders, &mut mailboxes);
    let list: Vec<Mailbox> = mailboxes.into_list();
    Site {
        file: context.file.clone(),
        senders,
        domains,
        routes,
        paths: paths(context, shape),
        tenants: built,
        mailboxes: list,
        recipients,
        tag_key: shape.tag_key.as_ref().map(|key| key.0.clone()),
        resolver,
        own_domains: own_domains(context, shape),
        dkim: keys(context, shape),
        alerts,
        schedules,
        serve_token: shape
            .serve
            .as_ref()
            .and_then(|serve| serve.token.as_ref())
            .map(|token| token.0.clone()),
    }
}

/// The paths, each with something to tell it by.
fn paths(context: &mut Context<'_>, shape: &SiteShape) -> Vec<PathRule> {
    let mut paths = Vec::new();
    for (name, path) in shape.paths.iter().flat_map(|paths| paths.values()) {
        if path.via.is_none() && path.not_via.is_none() {
            context
                .mistakes
                .note(path.span.clone(), format!("nothing tells the path {} from others", quoted(name)))
                .help("give it `via: PATTERN`, `not_via: PATTERN`, or both");
        }
        let patterns = |said: &Option<At<OneOrMany<String>>>| said.as_ref().map(|said| said.values()).unwrap_or_default();
        paths.push(PathRule {
            name: name.value.clone(),
            via: patterns(&path.via),
            not_via: patterns(&path.not_via),
        });
    }
    paths
}

/// The domains under `own_domains`, each once.
fn own_domains(context: &mut Context<'_>, shape: &SiteShape) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    for domain in shape.own_domains.iter().flat_map(|domains| domains.iter()) {
        let name = domain.strip_suffix('.').unwrap_or(domain).to_lowercase();
        if !is_domain(&name) {
            let title = format!("expected a domain such as contoso.example, found {}", quoted(domain));
            context.mistakes.note(domain.span.clone(), title);
        } else if !domains.contains(&name) {
            domains.push(name);
        }
    }
    domains
}

/// The keys by which senders sign.
fn keys(context: &mut Context<'_>, shape: &SiteShape) -> BTreeMap<String, Dkim> {
    let only = shape.sender.iter().map(|sender| ("default".to_owned(), sender));
    let named = shape.senders.iter().flat_map(|senders| senders.values());
    let mut keys = BTreeMap::new();
    for (name, sender) in only.chain(named.map(|(name, sender)| (name.value.clone(), sender))) {
        let Some(dkim) = &sender.dkim else { continue };
        for (text, what) in [
            (&dkim.domain, "a domain such as contoso.example"),
            (&dkim.selector, "a selector such as mail2026"),
        ] {
            if let Some(text) = text.as_ref().filter(|text| !is_domain(text)) {
                let title = format!("expected {what}, found {}", quoted(text));
                context.mistakes.note(text.span.clone(), title);
            }
        }
        if let (Some(domain), Some(selector), Some(key)) = (&dkim.domain, &dkim.selector, &dkim.key) {
            keys.insert(
                name,
                Dkim {
                    domain: domain.to_ascii_lowercase(),
                    selector: selector.value.clone(),
                    key: key.0.clone(),
                    place: context.place(&dkim.span),
                },
            );
        }
    }
    keys
}

/// Whether this is a name in the DNS, and no address.
fn is_domain(text: &str) -> bool {
    endpoint::is_host(text) && text.parse::<IpAddr>().is_err()
}

/// The senders' names, those of faulty ones included. A site with one `sender:` has one called `default`.
fn sender_names(shape: &SiteShape) -> Vec<&str> {
    match &shape.senders {
        Some(senders) => senders.names().collect(),
        None => vec!["default"],
    }
}

fn senders(context: &mut Context<'_>, shape: &SiteShape, mailboxes: &mut Mailboxes<'_>) -> Vec<Sender> {
    let mut senders = Vec::new();
    if let Some(only) = &shape.sender {
        senders.extend(sender(context, "default", only, mailboxes));
    }
    if let Some(named) = &shape.senders {
        check_not_empty(context, named);
        for (name, shape) in named.values() {
            senders.extend(sender(context, name, shape, mailboxes));
        }
    }
    senders
}

fn check_not_empty(context: &mut Context<'_>, senders: &At<Named<SenderShape>>) {
    if senders.0.is_empty() {
        context.mistakes.note(senders.span.clone(), "a site needs at least one sender");
    }
}

fn sender(context: &mut Context<'_>, name: &str, shape: &At<SenderShape>, mailboxes: &mut Mailboxes<'_>) -> Option<Sender> {
    let mailbox = shape.mailbox.as_ref().and_then(|mailbox| {
        let name = mailboxes.resolve(context, mailbox)?;
        if mailboxes.is_group(&name) {
            let title = "a group's mailbox cannot be a sender's: the bounces in it cannot be read";
            let mistake = context.mistakes.note(mailbox.span.clone(), title);
            mistake.help("name the mailbox of a user, or a shared one");
        }
        Some(name)
    });
    if let (Some(said), true) = (&shape.mailbox, mailbox.as_ref().is_some_and(|name| mailboxes.is_trace(name))) {
        context
            .mistakes
            .note(
                said.span.clone(),
                "what comes back to a sender must be read, and a trace shows no messages",
            )
            .help("give the sender a mailbox of IMAP or Graph");
    }
    let address = shape.address.as_ref()?;
    let envelope = shape.envelope.as_ref().map_or(&address.value.0, |envelope| &envelope.value.0);
    if let Some(separator) = &shape.subaddress {
        let local = envelope.rsplit_once('@').map_or("", |(local, _)| local);
        let is_short = separator.len() <= 3 && separator.bytes().all(|byte| b"+-_=.#".contains(&byte));
        if !is_short {
            let title = format!("expected a separator such as `+`, found {}", quoted(separator));
            context.mistakes.note(separator.span.clone(), title);
        } else if local.len() + separator.len() + TAG_LENGTH > LOCAL_PART {
            let title = format!(
                "with a tag's {TAG_LENGTH} characters the local part {} would be longer than {LOCAL_PART}",
                quoted(local)
            );
            let longest = LOCAL_PART - TAG_LENGTH - separator.len();
            context
                .mistakes
                .note(separator.span.clone(), title)
                .help(format!("give `envelope` a local part of at most {longest} characters"));
        }
    }
    Some(Sender {
        name: name.to_owned(),
        address: address.value.0.clone(),
        envelope: envelope.clone(),
        display_name: shape.name.as_ref().map(|name| name.value.clone()),
        contact: shape.contact.as_ref().map(|contact| contact.value.clone()),
        mailbox,
        subaddress: shape.subaddress.as_ref().map(|separator| separator.value.clone()),
        sending_addresses: shape
            .sending_addresses
            .as_ref()
            .map(|addresses| addresses.iter().map(|address| address.0).collect())
            .unwrap_or_default(),
    })
}

/// Tells the mailboxes which of them only hold mail for others.
fn mark_quarantines(recipients: &[Recipient], senders: &[Sender], mailboxes: &mut Mailboxes<'_>) {
    let used: std::collections::HashSet<_> = recipients
        .iter()
        .flat_map(|recipient| &recipient.meant)
        .chain(senders.iter().filter_map(|sender| sender.mailbox.as_ref()))
        .collect();
    for name in recipients.iter().flat_map(|recipient| recipient.quarantine.mailboxes()) {
        if !used.contains(name) {
            mailboxes.holds_only(name);
        }
    }
}
