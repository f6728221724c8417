//! Mailboxes and routes by Microsoft Graph: whose mailbox in which tenant, a user's or a group's, and which keys of other servers mean nothing there.
//!
//! What it cannot see: whether the user or group exists, has a mailbox, and whether the app may touch it.

use super::{
    context::{Context, Fill},
    endpoint::{Keys, check_tenant},
    mistakes::quoted,
    read::At,
    shapes::{GraphShape, RouteShape},
    source::Span,
    tenants::is_guid,
    values::Address,
};
use crate::model::{GraphAccess, GroupAccess, MailboxAccess};

/// How many requests Exchange Online takes at once for a mailbox.
const AT_ONCE: u16 = 4;

/// The way into a mailbox of a tenant, and whose it is.
pub(super) fn mailbox(context: &mut Context<'_>, shape: &GraphShape, tenants: &[&str], fill: &Fill) -> Option<(MailboxAccess, String)> {
    let Some(group) = shape.group.as_ref().filter(|_| shape.user.is_none()) else {
        let access = access(context, shape, tenants, fill)?;
        let user = access.user.clone();
        return Some((MailboxAccess::Graph(access), user));
    };
    if let Some(tenant) = &shape.tenant {
        check_tenant(context, tenant, tenants);
    }
    let group = named(context, group, "group", fill)?;
    let access = GroupAccess {
        tenant: shape.tenant.as_ref()?.value.clone(),
        group: group.clone(),
    };
    Some((MailboxAccess::Group(access), group))
}

/// The mailbox from which a route sends.
pub(super) fn route(context: &mut Context<'_>, shape: &GraphShape, route: &RouteShape, tenants: &[&str]) -> Option<GraphAccess> {
    if let Some(group) = &shape.group {
        let title = "a group sends nothing";
        context
            .mistakes
            .note(group.span.clone(), title)
            .help("say whose mailbox sends: `user`");
    }
    if let Some(connections) = route.connections.as_ref().filter(|connections| connections.as_u16() > AT_ONCE) {
        let title = format!("a mailbox of Graph takes at most {AT_ONCE} requests at once");
        context
            .mistakes
            .note(connections.span.clone(), title)
            .help(format!("write `connections: {AT_ONCE}` or less, or leave it out"));
    }
    access(context, shape, tenants, &Fill::default())
}

fn access(context: &mut Context<'_>, shape: &GraphShape, tenants: &[&str], fill: &Fill) -> Option<GraphAccess> {
    if let Some(tenant) = &shape.tenant {
        check_tenant(context, tenant, tenants);
    }
    let user = named(context, shape.user.as_ref()?, "user", fill)?;
    Some(GraphAccess {
        tenant: shape.tenant.as_ref()?.value.clone(),
        user,
    })
}

/// The address or object id of a user or group.
fn named(context: &mut Context<'_>, written: &At<String>, what: &str, fill: &Fill) -> Option<String> {
    let named = fill.text(context, written)?.value;
    if Address::is_valid(&named) || is_guid(&named) {
        return Some(named);
    }
    let title = format!("expected a {what}'s address or object id, found {}", quoted(written));
    context.mistakes.note(written.span.clone(), title);
    None
}

/// Refuses names of folders: Graph tells what each is for, and a group has none.
pub(super) fn refuse_folders(context: &mut Context<'_>, shape: &GraphShape, folders: &Span) {
    let (title, help) = if shape.group.is_some() {
        ("a group's mailbox has no folders", "`placement` says what all of it means")
    } else {
        (
            "`folders` means nothing for Graph",
            "Graph itself knows the inbox, the junk folder and the deleted items, whatever their names",
        )
    };
    context.mistakes.note(folders.clone(), title).help(help);
}

/// Refuses what says how to reach a server: of Graph, the tenant's cloud says it.
pub(super) fn refuse_server(context: &mut Context<'_>, keys: Keys<'_>) {
    let cloud = "the tenant's `cloud` says where Graph is";
    let simulated = "only a simulated tenant has its own CA, which stands in its `cloud`";
    let said = [
        ("connect", keys.connect.map(|at| &at.span), cloud),
        ("tls", keys.tls.map(|at| &at.span), "Graph is always reached over TLS; leave it out"),
        ("ca", keys.ca.map(|at| &at.span), simulated),
    ];
    for (key, span, help) in said {
        if let Some(span) = span {
            context
                .mistakes
                .note(span.clone(), format!("`{key}` means nothing for Graph"))
                .help(help);
        }
    }
}
