//! Where a run comes from: who starts it, from which files, what of the site takes no part, and by what right it looks. Never a secret.

use super::{Desk, environment};
use crate::{
    microsoft::permissions::needs,
    model::{LeftOut, MailboxAccess, Origin, Plan, RouteKind, Scenario, Scope, SignIn, Site, SourceFile},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
};

/// So many users of one server are named.
const USERS: usize = 6;

impl Desk {
    /// Who starts a run on this site, and from which files.
    pub(super) fn origin(&self, site: &Site, scenario: &Scenario) -> Origin {
        let mut files: Vec<SourceFile> = Vec::new();
        for (kind, file) in [("site", &site.file), ("scenario", &scenario.file)] {
            if let Some(sha256) = sha256_of(file)
                && !files.iter().any(|known| known.file == *file)
            {
                files.push(SourceFile {
                    kind: kind.to_owned(),
                    file: file.clone(),
                    sha256,
                });
            }
        }
        Origin {
            operator: self.shared.operator.clone().or_else(user_of_the_process),
            files,
            night: None,
        }
    }
}

/// The SHA-256 of a file, in hexadecimal digits; `None` if it cannot be read.
pub(super) fn sha256_of(file: &str) -> Option<String> {
    let bytes = fs::read(file).ok()?;
    Some(data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref()))
}

/// The name of the user whose process this is; behind sudo, also who called it.
fn user_of_the_process() -> Option<String> {
    let uid = fs::metadata("/proc/self").ok()?.uid();
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let user = named.or_else(|| environment("USER")).unwrap_or_else(|| format!("user id {uid}"));
    Some(match environment("SUDO_USER") {
        Some(caller) if caller != user => format!("{user} (sudo by {caller})"),
        _ => user,
    })
}

/// What of the site takes no part in the plan, and by what right the plan looks and sends.
pub(super) fn scope(site: &Site, plan: &Plan, narrowed: bool) -> Scope {
    let takes_part: BTreeSet<String> = plan.recipients.iter().map(|recipient| recipient.address.to_lowercase()).collect();
    let why = if narrowed {
        "left out by `--only`, or not chosen by the scenario"
    } else {
        "not chosen by the scenario"
    };
    let left_out = site
        .recipients
        .iter()
        .filter(|recipient| !takes_part.contains(&recipient.address.to_lowercase()));
    Scope {
        left_out: left_out
            .map(|recipient| LeftOut {
                address: recipient.address.clone(),
                role: recipient.role.clone(),
                why: why.to_owned(),
            })
            .collect(),
        routes: site
            .routes
            .iter()
            .filter(|route| plan.probes.iter().all(|probe| probe.route != route.name))
            .map(|route| route.name.clone())
            .collect(),
        access: access(site, plan),
    }
}

/// A line for each server that is signed in to, and for each app of a tenant.
fn access(site: &Site, plan: &Plan) -> Vec<String> {
    let mut tenants: BTreeSet<&str> = BTreeSet::new();
    let mut logins: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut by = |what: &str, host: &str, sign_in: &SignIn| {
        let how = match sign_in {
            SignIn::Password { .. } => "password".to_owned(),
            SignIn::XOAuth2 { .. } => "OAuth token".to_owned(),
            SignIn::Tenant { tenant, .. } => format!("OAuth token of tenant {tenant}"),
        };
        let users = logins.entry(format!("{what} at {host}, by {how}")).or_default();
        users.insert(sign_in.user().to_owned());
    };
    let mailboxes = plan.mailboxes.iter().filter_map(|name| site.mailbox(name));
    for mailbox in mailboxes {
        match &mailbox.access {
            MailboxAccess::Imap(imap) => by("IMAP", &imap.endpoint.host, &imap.sign_in),
            MailboxAccess::Graph(graph) => drop(tenants.insert(&graph.tenant)),
            MailboxAccess::Group(group) => drop(tenants.insert(&group.tenant)),
            MailboxAccess::Trace(trace) => drop(tenants.insert(&trace.tenant)),
        }
    }
    let used: BTreeSet<&str> = plan.probes.iter().map(|probe| probe.route.as_str()).collect();
    for route in site.routes.iter().filter(|route| used.contains(route.name.as_str())) {
        match &route.kind {
            RouteKind::Smtp(smtp) => {
                if let Some(sign_in) = &smtp.sign_in {
                    by("SMTP submission", &smtp.endpoint.host, sign_in);
                }
            }
            RouteKind::Mx(_) => {}
            RouteKind::Graph(graph) => drop(tenants.insert(&graph.tenant)),
        }
    }
    let logins = logins.into_iter().map(|(login, users)| {
        let named: Vec<&str> = users.iter().take(USERS).map(String::as_str).collect();
        let more = match users.len().saturating_sub(USERS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{login}, as {}{more}", named.join(", "))
    });
    let apps = tenants.into_iter().filter_map(|name| site.tenant(name)).map(|tenant| {
        let needs: Vec<String> = needs(site, &tenant.name).iter().map(|need| need.permission().to_owned()).collect();
        let asked = if needs.is_empty() {
            "no permission of Graph".to_owned()
        } else {
            needs.join(", ")
        };
        format!(
            "Microsoft 365, tenant {} ({}), app {}: {asked} asked for by the site",
            tenant.name, tenant.tenant_id, tenant.client_id
        )
    });
    logins.chain(apps).collect()
}
