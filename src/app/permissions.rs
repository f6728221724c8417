//! The part of `mailflow check` about permissions: for each tenant, what its app lacks for what the site asks, and what it holds beyond.
//!
//! It knows what the token shows and what was tried a moment ago. It cannot see what only sending or deleting would tell, for `check` does neither.

use super::check::{Finding, State};
use crate::{
    microsoft::{
        Graph, Resource,
        permissions::{Need, needs, review},
    },
    model::{Mailbox, MailboxAccess, Route, RouteKind, SignIn, Site, Tenant},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;

/// A sign-in takes no longer; by now most have been made.
const PATIENCE: Duration = Duration::from_secs(90);

/// A finding for each tenant, and one for each permission that is missing or too much. `read`: the tenant entries by whose app a mailbox could be
/// read just now.
pub(super) async fn findings(
    site: &Site,
    clients: &BTreeMap<String, Result<Graph, String>>,
    read: &BTreeSet<String>,
) -> (Vec<Finding>, Vec<Finding>) {
    let (mut findings, mut permissions) = (Vec::new(), Vec::new());
    for tenant in &site.tenants {
        let name = format!("tenant {}", tenant.name);
        let needs = needs(site, &tenant.name);
        if needs.is_empty() {
            let unused = if gives_tokens(site, &tenant.name) {
                "only IMAP and SMTP sign in with it; what Exchange Online says to its tokens stands at those mailboxes and routes"
            } else {
                "no Graph mailbox, no Graph route, no message trace and no cleaning asks for it"
            };
            findings.push(Finding::new(&name, State::Right, unused));
            continue;
        }
        match signed_in(clients.get(&tenant.name)).await {
            Err(trouble) => findings.push(Finding::new(&name, State::Wrong, &trouble)),
            Ok(None) => findings.push(Finding::new(
                &name,
                State::Right,
                "signed in; which permissions the app holds is not known, for its token cannot be read: Microsoft may change that at any time, \
                 and what the mailboxes answered counts",
            )),
            Ok(Some(held)) => {
                let (tenant, of_it) = of_tenant(tenant, &needs, &held, read.contains(&tenant.name));
                findings.push(tenant);
                permissions.extend(of_it);
            }
        }
    }
    (findings, permissions)
}

/// Whether a mailbox of IMAP or a route of SMTP signs in with a token of this tenant.
fn gives_tokens(site: &Site, name: &str) -> bool {
    let by_tenant = |sign_in: &SignIn| matches!(sign_in, SignIn::Tenant { tenant, .. } if tenant == name);
    let imap = |mailbox: &Mailbox| matches!(&mailbox.access, MailboxAccess::Imap(imap) if by_tenant(&imap.sign_in));
    let smtp = |route: &Route| matches!(&route.kind, RouteKind::Smtp(smtp) if smtp.sign_in.as_ref().is_some_and(by_tenant));
    site.mailboxes.iter().any(imap) || site.routes.iter().any(smtp)
}

/// The permissions in the token; `None` if they cannot be read.
async fn signed_in(client: Option<&Result<Graph, String>>) -> Result<Option<Vec<String>>, String> {
    let graph = match client {
        Some(Ok(graph)) => graph,
        Some(Err(trouble)) => return Err(trouble.clone()),
        None => return Ok(None),
    };
    let token = graph.tokens().token(Resource::Graph, Instant::now() + PATIENCE).await;
    let token = token.map_err(|error| error.to_string())?;
    Ok(token.roles().map(<[String]>::to_vec))
}

fn of_tenant(tenant: &Tenant, needs: &BTreeSet<Need>, held: &[String], could_read: bool) -> (Finding, Vec<Finding>) {
    let name = format!("tenant {}", tenant.name);
    let (missing, superfluous) = review(needs, held);
    // Whoever reads without a permission that the token shows was granted it by Exchange itself.
    let reads_unseen = could_read && !review(&BTreeSet::from([Need::Read]), held).0.is_empty();
    let shown = match held {
        [] => "its token shows no permission".to_owned(),
        held => format!("its token shows {}", held.join(", ")),
    };
    let by_exchange = if reads_unseen {
        "; it reads all the same: Exchange itself grants that (RBAC for Applications)"
    } else {
        ""
    };
    let signed_in = format!("signed in as {}; {shown}{by_exchange}", tenant.client_id);
    let mut findings = Vec::new();
    for missing in missing {
        if missing.0 == Need::Read && could_read {
            continue;
        }
        let hidden = reads_unseen && missing.may_be_hidden();
        findings.push(if hidden {
            let what = format!("{name}: {} is not in the token", missing.permission());
            Finding::new(&what, State::Doubtful, &missing.sentence_if_hidden())
        } else {
            let what = format!("{name}: {} is missing", missing.permission());
            Finding::new(&what, State::Wrong, &missing.sentence(&tenant.proof))
        });
    }
    for superfluous in superfluous {
        let what = format!("{name}: {} is more than the site needs", superfluous.permission);
        findings.push(Finding::new(&what, State::Doubtful, &superfluous.sentence()));
    }
    (Finding::new(&name, State::Right, &signed_in), findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Place, Proof, TenantCloud};

    fn found(needs: &[Need], held: &[&str], could_read: bool) -> Vec<(State, String)> {
        let tenant = Tenant {
            name: "lab".to_owned(),
            tenant_id: "contoso.example".to_owned(),
            client_id: "app".to_owned(),
            cloud: TenantCloud::Global,
            proof: Proof::GitHub,
            trace: None,
            clean_with: None,
            place: Place::default(),
        };
        let held: Vec<String> = held.iter().map(|&name| name.to_owned()).collect();
        let (_, findings) = of_tenant(&tenant, &needs.iter().copied().collect(), &held, could_read);
        findings.into_iter().map(|finding| (finding.state, finding.what)).collect()
    }

    #[test]
    fn what_was_tried_and_worked_is_not_missing() {
        let all = |states: &[(State, &str)]| -> Vec<(State, String)> {
            states.iter().map(|(state, what)| (*state, format!("tenant lab{what}"))).collect()
        };
        assert_eq!(found(&[Need::Read], &[], false), all(&[(State::Wrong, ": Mail.Read is missing")]));
        assert_eq!(found(&[Need::Read], &[], true), []);
        assert_eq!(
            found(&[Need::Read, Need::Send, Need::Trace], &[], true),
            all(&[
                (State::Doubtful, ": Mail.Send is not in the token"),
                (State::Wrong, ": ExchangeMessageTrace.Read.All is missing"),
            ]),
            "Exchange grants nothing of the trace"
        );
        assert_eq!(
            found(&[Need::Read, Need::Send], &["Mail.Read"], true),
            all(&[(State::Wrong, ": Mail.Send is missing")]),
            "where the token shows one, it shows the others"
        );
        assert_eq!(
            found(&[Need::Read], &["Mail.Read", "Mail.Send"], true),
            all(&[(State::Doubtful, ": Mail.Send is more than the site needs")])
        );
    }
}
