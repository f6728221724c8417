//! Mailboxes and routes by Microsoft Graph: whose mailbox in which tenant, and which keys of other servers mean nothing there.
//!
//! What it cannot see: whether the user exists, has a mailbox, and whether the app may touch it.

use super::{
    context::{Context, Fill, GROUPS},
    endpoint::{Keys, check_tenant},
    mistakes::quoted,
    shapes::{GraphShape, RouteShape},
    tenants::is_guid,
    values::Address,
};
use crate::model::{GraphAccess, MailboxAccess};

/// How many requests Exchange Online takes at once for a mailbox.
const AT_ONCE: u16 = 4;

/// The way into a mailbox of a tenant, and its user.
pub(super) fn mailbox(context: &mut Context<'_>, shape: &GraphShape, tenants: &[&str], fill: &Fill) -> Option<(MailboxAccess, String)> {
    if let Some(group) = &shape.group {
        context.not_yet_built(&group.span, GROUPS);
    }
    let access = access(context, shape, tenants, fill)?;
    let user = access.user.clone();
    Some((MailboxAccess::Graph(access), user))
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
    let written = shape.user.as_ref()?;
    let user = fill.text(context, written)?.value;
    if !Address::is_valid(&user) && !is_guid(&user) {
        let title = format!("expected a user's address or object id, found {}", quoted(written));
        context.mistakes.note(written.span.clone(), title);
        return None;
    }
    Some(GraphAccess {
        tenant: shape.tenant.as_ref()?.value.clone(),
        user,
    })
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
