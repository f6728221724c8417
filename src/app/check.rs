//! `mailflow check`: parse, log in everywhere, find the folders, weigh the permissions, look at the domains; send nothing.

use super::{
    Code, Desk, Halt,
    domains::{Domains, Section},
    permissions,
    world::{World, host_name},
};
use crate::{
    model::{MailboxAccess, MailboxName, Plan, Site},
    plan::hops,
    report::{counted, escape, wrap},
};
use std::{collections::BTreeSet, path::Path};

/// So far what is said stands to the right of the signs.
const INDENT: usize = 6;

/// What was found of something.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    /// Of what.
    pub(super) what: String,
    /// Whether it is as it should be.
    pub(super) state: State,
    /// In paragraphs.
    said: Vec<String>,
}

/// Whether something is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Right,
    /// It works, and still somebody should look at it.
    Doubtful,
    Wrong,
}

impl Finding {
    pub(super) fn new(what: &str, state: State, said: &str) -> Self {
        Self {
            what: what.to_owned(),
            state,
            said: vec![said.to_owned()],
        }
    }

    pub(super) fn of_lines(what: &str, state: State, said: Vec<String>) -> Self {
        Self {
            what: what.to_owned(),
            state,
            said,
        }
    }

    fn of(what: &str, found: &Result<String, String>) -> Self {
        match found {
            Ok(said) => Self::new(what, State::Right, said),
            Err(said) => Self::new(what, State::Wrong, said),
        }
    }
}

/// What was answered, by what it concerns.
struct Answers {
    findings: Vec<Finding>,
    permissions: Vec<Finding>,
    proofs: Vec<Finding>,
}

impl Desk {
    pub(super) async fn check(&mut self, scenario: Option<&Path>) -> Result<Code, Halt> {
        let site = match scenario {
            Some(path) => {
                let (scenario, site) = self.scenario_and_site(path)?;
                let key = self.tag_key(&site).await?;
                let plan = self.make_plan(&site, &scenario, &key)?;
                self.output.remark(&format!(
                    "{}: {}, by {}",
                    path.display(),
                    counted(plan.probes.len(), "probe", "probes"),
                    counted(routes_of(&plan), "route", "routes")
                ));
                site
            }
            None => self.site()?,
        };
        let key = self.tag_key(&site).await?;
        self.output.remark(&format!(
            "{}: senders {}, routes {}, mailboxes {}, recipients {}",
            site.file,
            site.senders.len(),
            site.routes.len(),
            site.mailboxes.len(),
            site.recipients.len()
        ));
        let domains = std::sync::Arc::new(Domains::of(&site, host_name()));
        let (clock, examined) = (self.clock, std::sync::Arc::clone(&domains));
        // Beside the logins, which mostly take longer.
        let facts = tokio::spawn(async move { examined.examined(clock).await });
        let world = World::to_check(&site, self.clock).await;
        let mut findings: Vec<Finding> = Vec::new();
        let mut asked = tokio::task::JoinSet::new();
        for (route, hop, recipient) in hops(&site) {
            if let Some(sender) = world.senders.get(&route).cloned() {
                asked.spawn(async move {
                    let found = sender.check(hop.as_ref(), &recipient).await;
                    sender.close().await;
                    let to = hop.map_or_else(|| recipient.rsplit('@').next().unwrap_or_default().to_owned(), |(host, _)| host);
                    (format!("route {route} to {to}"), found)
                });
            }
        }
        let mut opened = tokio::task::JoinSet::new();
        for watcher in world.watchers {
            opened.spawn(async { (None, watcher.check().await) });
        }
        for (tenant, watcher) in world.cleaners {
            opened.spawn(async { (Some(tenant), watcher.check().await) });
        }
        while let Some(Ok((route, found))) = asked.join_next().await {
            findings.push(Finding::of(&route, &found));
        }
        // The tenant entries by whose app a mailbox could be read.
        let mut read = BTreeSet::new();
        while let Some(Ok((cleaner, found))) = opened.join_next().await {
            for (name, found) in found {
                if found.is_ok() {
                    read.extend(cleaner.clone().or_else(|| tenant_of(&site, &name)));
                }
                match &cleaner {
                    Some(tenant) => findings.push(Finding::of(&format!("mailbox {name}, to be cleaned with tenant {tenant}"), &found)),
                    None => findings.push(Finding::of(&format!("mailbox {name}"), &found)),
                }
            }
        }
        for (route, reason) in world.unsendable {
            findings.push(Finding::new(&format!("route {route}"), State::Wrong, &reason));
        }
        for (name, reason) in world.unwatched {
            findings.push(Finding::new(&format!("mailbox {name}"), State::Wrong, &reason));
        }
        let (tenants, permissions) = permissions::findings(&site, &world.tenants, &read).await;
        findings.extend(tenants);
        let proofs = self.proofs(&site, &key).await;
        let section = domains.section(&facts.await.unwrap_or_default());
        self.show(
            Answers {
                findings,
                permissions,
                proofs,
            },
            section,
            !site.tenants.is_empty(),
        )
    }

    fn show(&self, answers: Answers, domains: Section, with_tenants: bool) -> Result<Code, Halt> {
        let Answers {
            findings: answers,
            permissions,
            proofs,
        } = answers;
        let (color, width) = (self.output.style().color, self.output.style().width);
        let count = |findings: &[Finding], state| findings.iter().filter(|finding| finding.state == state).count();
        let silent = count(&answers, State::Wrong);
        let missing = count(&permissions, State::Wrong);
        let doubtful = count(&permissions, State::Doubtful);
        let mut last = match (silent, with_tenants) {
            (0, false) => "Every route and mailbox answers.".to_owned(),
            (0, true) => "Every route, mailbox and tenant answers.".to_owned(),
            (_, false) => format!(
                "{silent} of {} do not answer as they should.",
                counted(answers.len(), "route or mailbox", "routes and mailboxes")
            ),
            (_, true) => format!(
                "{silent} of {} routes, mailboxes and tenants do not answer as they should.",
                answers.len()
            ),
        };
        if missing > 0 {
            last.push_str(&format!(" {} missing.", counted(missing, "permission is", "permissions are")));
        }
        let unproven = count(&proofs, State::Wrong);
        if unproven > 0 {
            last.push_str(&format!(
                " {} not as it should be.",
                counted(unproven, "own domain or signing key is", "own domains and signing keys are")
            ));
        }
        if doubtful > 0 {
            last.push_str(&format!(
                " {}.",
                counted(doubtful, "permission needs a look", "permissions need a look")
            ));
        }
        let broken = count(&domains.findings, State::Wrong);
        if broken > 0 {
            last.push_str(&format!(
                " {} wrong.",
                counted(broken, "finding about a domain is", "findings about domains are")
            ));
        }
        let odd = count(&domains.findings, State::Doubtful);
        if odd > 0 {
            last.push_str(&format!(
                " {} a look.",
                counted(odd, "finding about a domain needs", "findings about domains need")
            ));
        }
        last.push_str(" Nothing was sent.");
        let mut findings = [answers, permissions, proofs, domains.findings].concat();
        // What is wrong comes last, next to the prompt.
        findings.sort_by(|a, b| (a.state, &a.what).cmp(&(b.state, &b.what)));
        let mut text = String::new();
        for finding in &findings {
            let (paint, sign) = match finding.state {
                State::Right => ("\x1b[32m", "ok"),
                State::Doubtful => ("\x1b[33m", "look"),
                State::Wrong => ("\x1b[31m", "WRONG"),
            };
            let (paint, off) = if color { (paint, "\x1b[0m") } else { ("", "") };
            for (number, line) in wrap(&escape(&finding.what), width.saturating_sub(INDENT)).iter().enumerate() {
                let sign = if number == 0 { sign } else { "" };
                text.push_str(&format!("{paint}{sign:<5}{off} {line}\n"));
            }
            for said in &finding.said {
                for line in wrap(&escape(said), width.saturating_sub(INDENT)) {
                    text.push_str(&format!("{:INDENT$}{line}\n", ""));
                }
            }
        }
        if let Some(remark) = &domains.remark {
            for line in wrap(&escape(remark), width) {
                text.push_str(&format!("{line}\n"));
            }
        }
        for line in wrap(&last, width) {
            text.push_str(&format!("{line}\n"));
        }
        self.output.print(text.as_bytes())?;
        Ok(if silent + missing + unproven + broken == 0 {
            Code::Passed
        } else {
            Code::Failed
        })
    }
}

/// The tenant entry by which a mailbox is read.
fn tenant_of(site: &Site, name: &MailboxName) -> Option<String> {
    match &site.mailbox(name)?.access {
        MailboxAccess::Graph(access) => Some(access.tenant.clone()),
        MailboxAccess::Group(_) | MailboxAccess::Imap(_) | MailboxAccess::Trace(_) => None,
    }
}

fn routes_of(plan: &Plan) -> usize {
    plan.probes.iter().map(|probe| probe.route.as_str()).collect::<BTreeSet<_>>().len()
}
