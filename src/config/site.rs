//! From the shape of a site to the site: names are resolved, defaults filled in, and what contradicts itself is refused.

use super::{
    context::Context,
    endpoint,
    mailboxes::Mailboxes,
    mistakes::quoted,
    read::{At, Named},
    recipients,
    routes::{self, Known},
    shapes::{SenderShape, SiteShape},
    tenants,
    traces::Traces,
};
use crate::model::{Mailbox, Recipient, Sender, Site, TAG_LENGTH};

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
    mark_quarantines(&recipients, &senders, &mut mailboxes);
    let list: Vec<Mailbox> = mailboxes.into_list();
    Site {
        file: context.file.clone(),
        senders,
        domains,
        routes,
        tenants: built,
        mailboxes: list,
        recipients,
        tag_key: shape.tag_key.as_ref().map(|key| key.0.clone()),
        resolver,
    }
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
