//! The recipients of a site: which mailboxes are meant, where a quarantine would be, what is expected and what is waived.

use super::{
    choices::MailboxRef,
    context::Context,
    mailboxes::Mailboxes,
    mistakes::quoted,
    read::At,
    shapes::{KnownShape, OwnerShape, RecipientShape, SiteShape},
    values::Address,
    words::expectations,
};
use crate::model::{Expectation, MailboxName, Owner, Recipient, Waiver};
use std::collections::{BTreeMap, HashMap};

/// The mailboxes of the recipients that are no lists, by address in lower case; `None` for a list.
type Own = BTreeMap<String, Option<Vec<MailboxName>>>;

/// The recipients that could be read.
pub(super) fn build(context: &mut Context<'_>, site: &SiteShape, mailboxes: &mut Mailboxes<'_>) -> Vec<Recipient> {
    let Some(shapes) = &site.recipients else { return Vec::new() };
    if shapes.is_empty() {
        context.mistakes.note(shapes.span.clone(), "a site needs at least one recipient");
    }
    check_addresses(context, shapes);
    // Lists come last: they may reach other recipients by their addresses.
    let mut own = Own::new();
    for shape in shapes.iter() {
        let meant = own_mailbox(context, shape, mailboxes);
        if let Some(address) = &shape.address {
            own.insert(address.value.0.to_lowercase(), meant);
        }
    }
    let default_quarantine = site.defaults.as_ref().and_then(|defaults| defaults.quarantine.as_ref());
    let mut recipients = Vec::with_capacity(shapes.len());
    for shape in shapes.iter() {
        let members = shape.reaches.as_ref().map(|members| reached(context, &members.0, &own, mailboxes));
        let group = members.is_some();
        let own_mailbox = |address: &At<Address>| own.get(&address.value.0.to_lowercase()).cloned().flatten();
        let meant = members.or_else(|| shape.address.as_ref().and_then(own_mailbox)).unwrap_or_default();
        let quarantine = mailboxes.quarantine(context, shape.quarantine.as_ref().or(default_quarantine), &meant);
        let Some(address) = &shape.address else { continue };
        recipients.push(Recipient {
            address: address.value.0.clone(),
            role: shape.role.as_ref().map(|role| role.value.clone()),
            owner: shape.owner.as_ref().map(|owner| self::owner(owner)),
            backup: shape.backup.as_ref().map(|backup| owner(backup)),
            tags: shape.tags.as_ref().map(|tags| tags.values()).unwrap_or_default(),
            meant,
            group,
            quarantine,
            expect: expected(shape),
            covered_by: shape.covered_by.as_ref().map(|address| address.value.0.clone()),
            known: shape.known.as_ref().and_then(|known| waiver(known)),
            place: context.place(&shape.span),
        });
    }
    recipients
}

fn expected(shape: &RecipientShape) -> Option<Vec<Expectation>> {
    shape.expect.as_ref().map(|expect| expectations(&expect.0))
}

/// Each address once, and those that stand in for others exist.
fn check_addresses(context: &mut Context<'_>, shapes: &[At<RecipientShape>]) {
    let mut seen: HashMap<String, u32> = HashMap::new();
    for address in shapes.iter().filter_map(|shape| shape.address.as_ref()) {
        let line = context.source.line_number(address.span.start);
        if let Some(first) = seen.insert(address.value.0.to_lowercase(), line) {
            let title = format!("a second recipient with the address {}", quoted(&address.value.0));
            context
                .mistakes
                .note(address.span.clone(), title)
                .label(format!("the first is in line {first}"));
        }
    }
    for shape in shapes {
        let Some(cover) = &shape.covered_by else { continue };
        let is_itself = shape
            .address
            .as_ref()
            .is_some_and(|address| address.value.0.eq_ignore_ascii_case(&cover.value.0));
        if is_itself {
            context.mistakes.note(cover.span.clone(), "a recipient cannot be covered by itself");
        } else if !seen.contains_key(&cover.value.0.to_lowercase()) {
            let title = format!("there is no recipient {}", quoted(&cover.value.0));
            let known = shapes
                .iter()
                .filter_map(|shape| shape.address.as_ref())
                .map(|address| address.value.0.as_str());
            context.mistakes.dangling(cover.span.clone(), title, &cover.value.0, known);
        }
    }
}

/// The mailbox of a recipient that is no list; `None` for a list.
fn own_mailbox(context: &mut Context<'_>, shape: &RecipientShape, mailboxes: &mut Mailboxes<'_>) -> Option<Vec<MailboxName>> {
    if let (Some(_), Some(mailbox)) = (&shape.reaches, &shape.mailbox) {
        context.mistakes.note(
            mailbox.span.clone(),
            "a recipient has either a `mailbox`, or as a list the mailboxes that it `reaches`",
        );
    }
    if shape.reaches.is_some() {
        return None;
    }
    if let Some(mailbox) = &shape.mailbox {
        return Some(
            mailboxes
                .of_recipient(context, mailbox, shape.address.as_ref())
                .into_iter()
                .collect(),
        );
    }
    // An address that must refuse its mail has no mailbox that the defaults could know.
    let only_returned = expected(shape).is_some_and(|expected| expected.iter().all(Expectation::is_returned));
    match &shape.address {
        Some(address) if !only_returned => Some(mailboxes.by_default(context, &address.value.0).into_iter().collect()),
        _ => Some(Vec::new()),
    }
}

/// The mailboxes of a list's members.
fn reached(context: &mut Context<'_>, members: &[At<MailboxRef>], own: &Own, mailboxes: &mut Mailboxes<'_>) -> Vec<MailboxName> {
    let mut names: Vec<MailboxName> = Vec::new();
    for member in members {
        let found = match &member.value {
            MailboxRef::None => {
                context.mistakes.note(member.span.clone(), "`none` is no member of a list");
                continue;
            }
            MailboxRef::Here(shape) if shape.trace.is_some() => {
                context
                    .mistakes
                    .note(member.span.clone(), "which member this is cannot be told")
                    .help("give the mailbox a name under `mailboxes`, and name it here");
                continue;
            }
            MailboxRef::Name(name) if !mailboxes.is_declared(name) && name.contains('@') => {
                by_address(context, member, name, own, mailboxes)
            }
            MailboxRef::Name(name) if !mailboxes.is_declared(name) => {
                mailboxes.dangling(context, name, &member.span, &own.keys().map(String::as_str).collect::<Vec<_>>());
                continue;
            }
            _ => mailboxes.resolve(context, member).into_iter().collect(),
        };
        for name in found {
            if names.contains(&name) {
                context.mistakes.note(
                    member.span.clone(),
                    format!("the list reaches the mailbox {} twice", quoted(name.as_str())),
                );
            } else {
                names.push(name);
            }
        }
    }
    names
}

/// A member given by its address: the mailbox of that recipient, or the one that the defaults give.
fn by_address(
    context: &mut Context<'_>,
    member: &At<MailboxRef>,
    address: &str,
    own: &Own,
    mailboxes: &mut Mailboxes<'_>,
) -> Vec<MailboxName> {
    match own.get(&address.to_lowercase()) {
        Some(None) => {
            let title = format!("{} is a list itself", quoted(address));
            context
                .mistakes
                .note(member.span.clone(), title)
                .help("name the mailboxes that it reaches");
            Vec::new()
        }
        Some(Some(names)) if names.is_empty() => {
            let title = format!("there is nowhere to look for the mail of {}", quoted(address));
            context
                .mistakes
                .note(member.span.clone(), title)
                .help("give that recipient a `mailbox`");
            Vec::new()
        }
        Some(Some(names)) => names.clone(),
        None if mailboxes.has_default() && Address::is_valid(address) => mailboxes.by_default(context, address).into_iter().collect(),
        None => {
            mailboxes.dangling(context, address, &member.span, &own.keys().map(String::as_str).collect::<Vec<_>>());
            Vec::new()
        }
    }
}

fn owner(shape: &OwnerShape) -> Owner {
    Owner {
        name: shape.name.as_ref().map(|name| name.value.clone()),
        email: shape.email.as_ref().map(|email| email.value.0.clone()),
    }
}

fn waiver(shape: &KnownShape) -> Option<Waiver> {
    Some(Waiver {
        verdicts: expectations(&shape.verdict.as_ref()?.0),
        until: shape.until.as_ref()?.value,
        ticket: shape.ticket.as_ref().map(|ticket| ticket.value.clone()),
        approved_by: shape.approved_by.as_ref().map(|person| person.value.clone()),
    })
}
