//! From a site to the parts that send and watch: one sender a route, one watcher a login.

use super::{Halt, environment, folder_of};
use crate::{
    clock::Clock,
    config::secrets,
    model::{Mailbox, MailboxAccess, MailboxName, Plan, RouteKind, SecretSource, SignIn, Site},
    send::{Conduct, Credentials, MxSender, Sender, SmtpSender, Timeouts},
    watch::{Budget, Patience, Watched, Watcher, watchers},
};
use secrecy::SecretString;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

/// The parts of a mail world.
pub(super) struct World {
    /// One for each route, by name.
    pub senders: HashMap<String, Arc<dyn Sender>>,
    /// Together they cover the mailboxes.
    pub watchers: Vec<Box<dyn Watcher>>,
    /// Mailboxes that nobody covers, with the reason.
    pub unwatched: BTreeMap<MailboxName, String>,
}

impl World {
    /// For a run: the routes that the plan uses, and the mailboxes that it watches.
    pub fn open(site: &Site, plan: &Plan, clock: Clock) -> Result<Self, Halt> {
        let routes: BTreeSet<&str> = plan.probes.iter().map(|probe| probe.route.as_str()).collect();
        let senders = senders(site, &|name| routes.contains(name), clock)?;
        Ok(Self { senders, ..Self::to_watch(site, plan) })
    }

    /// For watching only: nothing can be sent.
    pub fn to_watch(site: &Site, plan: &Plan) -> Self {
        let mut wanted = Vec::new();
        let mut unwatched = BTreeMap::new();
        for name in &plan.mailboxes {
            match site.mailbox(name) {
                Some(mailbox) => wanted.push(mailbox),
                None => drop(unwatched.insert(name.clone(), format!("{} no longer describes this mailbox", site.file))),
            }
        }
        Self { senders: HashMap::new(), watchers: eyes(site, wanted.into_iter()), unwatched }
    }

    /// For `check`: every route and every mailbox of the site.
    pub fn to_check(site: &Site, clock: Clock) -> Result<Self, Halt> {
        Ok(Self { senders: senders(site, &|_| true, clock)?, watchers: eyes(site, site.mailboxes.iter()), unwatched: BTreeMap::new() })
    }
}

fn senders(site: &Site, wanted: &dyn Fn(&str) -> bool, clock: Clock) -> Result<HashMap<String, Arc<dyn Sender>>, Halt> {
    let mut senders: HashMap<String, Arc<dyn Sender>> = HashMap::new();
    for route in site.routes.iter().filter(|route| wanted(&route.name)) {
        let conduct = Conduct { clock, host_name: host_name(), connections: route.connections, rate: route.rate, timeouts: Timeouts::default() };
        let at = |trouble: String| Halt::Sentence(format!("{}: route {}: {trouble}", route.place, route.name));
        let sender: Arc<dyn Sender> = match &route.kind {
            RouteKind::Smtp(smtp) => {
                let credentials = smtp.sign_in.as_ref().map(|sign_in| credentials(site, sign_in)).transpose().map_err(at)?;
                Arc::new(SmtpSender::new(&smtp.endpoint, credentials, &conduct).map_err(at)?)
            }
            RouteKind::Mx(mx) => Arc::new(MxSender::new(mx, &conduct).map_err(at)?),
        };
        senders.insert(route.name.clone(), sender);
    }
    Ok(senders)
}

fn credentials(site: &Site, sign_in: &SignIn) -> Result<Credentials, String> {
    let secret = secret(site, sign_in.secret())?;
    Ok(match sign_in {
        SignIn::Password { user, .. } => Credentials::Password { user: user.clone(), password: secret },
        SignIn::XOAuth2 { user, .. } => Credentials::XOAuth2 { user: user.clone(), token: secret },
    })
}

fn secret(site: &Site, source: &SecretSource) -> Result<SecretString, String> {
    secrets::resolve(source, &folder_of(&site.file), &environment)
}

/// A mailbox whose secret cannot be had stops nothing: it is blind, and says why.
fn eyes<'a>(site: &Site, mailboxes: impl Iterator<Item = &'a Mailbox>) -> Vec<Box<dyn Watcher>> {
    let of_sender: BTreeSet<&MailboxName> = site.senders.iter().filter_map(|sender| sender.mailbox.as_ref()).collect();
    // Many mailboxes may share one secret; a command that gives it is asked once.
    let mut known: Vec<(&SecretSource, Result<SecretString, String>)> = Vec::new();
    let watched = mailboxes.map(|mailbox| {
        let MailboxAccess::Imap(imap) = &mailbox.access;
        let source = imap.sign_in.secret();
        let secret = match known.iter().find(|(known, _)| *known == source) {
            Some((_, secret)) => secret.clone(),
            None => {
                let secret = secret(site, source);
                known.push((source, secret.clone()));
                secret
            }
        };
        Watched { mailbox: mailbox.clone(), secret, of_sender: of_sender.contains(&mailbox.name) }
    });
    let watchers = watchers(watched.collect(), Patience::default(), Budget::default);
    watchers.into_iter().map(|watcher| Box::new(watcher) as Box<dyn Watcher>).collect()
}

/// This machine's name, for EHLO.
fn host_name() -> String {
    let read = |path: &str| std::fs::read_to_string(PathBuf::from(path)).ok().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).unwrap_or_else(|| "localhost".to_owned())
}
