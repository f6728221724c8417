//! From a site to the parts that send and watch: one sender a route, one watcher a login.

use super::{
    Halt,
    proofs::{Signers, signers},
    sign_ins::SignIns,
    tenants::Tenants,
};
use crate::scrub::Scrubber;
use crate::{
    clock::Clock,
    credentials::Credentials,
    microsoft::Graph,
    model::{Mailbox, MailboxAccess, MailboxName, Plan, Route, RouteKind, Sender, SignIn, Site, TraceAccess},
    send::{self, Conduct, GraphSender, MxSender, SmtpSender, Timeouts},
    watch::{
        Watcher,
        graph::{GraphWatcher, GroupWatcher},
        imap::{self, Budget, Patience, Watched},
        trace::TraceWatcher,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// The parts of a mail world.
#[derive(Default)]
pub(super) struct World {
    /// One for each route, by name.
    pub senders: HashMap<String, Arc<dyn send::Sender>>,
    /// Routes by which nothing can be sent, with the reason.
    pub unsendable: BTreeMap<String, String>,
    /// Together they cover the mailboxes.
    pub watchers: Vec<Box<dyn Watcher>>,
    /// Mailboxes that nobody covers, with the reason.
    pub unwatched: BTreeMap<MailboxName, String>,
    /// For `check`: the clients of the tenants, by entry, or why there is none.
    pub tenants: BTreeMap<String, Result<Graph, String>>,
    /// For `check`: who would delete, where that is another app than the one that reads, with its tenant entry.
    pub cleaners: Vec<(String, Box<dyn Watcher>)>,
    /// Knows the secrets that its servers are told.
    pub scrubber: Scrubber,
    /// Who signs what leaves.
    pub signers: Signers,
}

impl World {
    /// For a run: the routes that the plan uses, and the mailboxes that it watches.
    pub async fn open(site: &Site, plan: &Plan, clock: Clock) -> Result<Self, Halt> {
        let routes: BTreeSet<&str> = plan.probes.iter().map(|probe| probe.route.as_str()).collect();
        let routes = site.routes.iter().filter(|route| routes.contains(route.name.as_str()));
        let timeouts = Timeouts::default().at_most(longest_wait(plan));
        let mut doors = Doors::of(site, clock);
        let world = senders(routes, (clock, timeouts), &mut doors).await;
        if let Some((route, trouble)) = world.unsendable.first_key_value() {
            return Err(Halt::Sentence(format!("route {route}: {trouble}")));
        }
        let signers = signers(site, plan).await?;
        let watching = Self::watching(site, plan, doors).await;
        Ok(Self {
            signers,
            senders: world.senders,
            ..watching
        })
    }

    /// For watching only: nothing can be sent.
    pub async fn to_watch(site: &Site, plan: &Plan, clock: Clock) -> Self {
        Self::watching(site, plan, Doors::of(site, clock)).await
    }

    /// For `clean`: as for watching, but by the apps that may delete.
    pub async fn to_clean(site: &Site, plan: &Plan, clock: Clock) -> Self {
        let mut doors = Doors::of(site, clock);
        doors.deletes = true;
        Self::watching(site, plan, doors).await
    }

    async fn watching(site: &Site, plan: &Plan, mut doors: Doors<'_>) -> Self {
        let mut wanted = Vec::new();
        let mut unwatched = BTreeMap::new();
        for name in &plan.mailboxes {
            match site.mailbox(name) {
                Some(mailbox) => wanted.push(mailbox),
                None => drop(unwatched.insert(name.clone(), format!("{} no longer describes this mailbox", site.file))),
            }
        }
        let patience = Patience::default().at_most(longest_wait(plan));
        let watchers = eyes(site, &plan.senders, wanted.into_iter(), patience, &mut doors, &mut unwatched).await;
        Self {
            watchers,
            unwatched,
            scrubber: doors.scrubber,
            ..Self::default()
        }
    }

    /// For `check`: every route and every mailbox of the site.
    pub async fn to_check(site: &Site, clock: Clock) -> Self {
        let doors = &mut Doors::of(site, clock);
        let mut world = senders(site.routes.iter(), (clock, Timeouts::default()), doors).await;
        world.watchers = eyes(
            site,
            &site.senders,
            site.mailboxes.iter(),
            Patience::default(),
            doors,
            &mut world.unwatched,
        )
        .await;
        for mailbox in &site.mailboxes {
            if let MailboxAccess::Graph(access) = &mailbox.access
                && let Some(cleaner) = doors.tenants.cleaner_of(&access.tenant)
                && let Ok(graph) = doors.tenants.graph(cleaner).await
            {
                let watcher = GraphWatcher::new(graph, mailbox.clone(), access.clone(), false);
                world.cleaners.push((cleaner.to_owned(), Box::new(watcher)));
            }
        }
        for tenant in &site.tenants {
            world.tenants.insert(tenant.name.clone(), doors.tenants.graph(&tenant.name).await);
        }
        world
    }
}

/// A step that takes longer than any probe is waited for would only keep the run from ending.
fn longest_wait(plan: &Plan) -> Duration {
    const AT_LEAST: Duration = Duration::from_secs(10);
    plan.probes
        .iter()
        .map(|probe| probe.give_up_after)
        .max()
        .unwrap_or_default()
        .max(AT_LEAST)
}

/// What opens the servers of a site: its sign-ins, and the clients of its tenants.
struct Doors<'a> {
    sign_ins: SignIns,
    tenants: Tenants<'a>,
    /// Whether mailboxes of Graph are opened by the app that deletes, where that is another one.
    deletes: bool,
    /// Takes out all that the servers are told.
    scrubber: Scrubber,
}

impl<'a> Doors<'a> {
    fn of(site: &'a Site, clock: Clock) -> Self {
        let tenants = Tenants::of(site, clock);
        let scrubber = tenants.scrubber.clone();
        Self {
            sign_ins: SignIns::of(site, scrubber.clone()),
            tenants,
            deletes: false,
            scrubber,
        }
    }

    /// The client by which mailboxes of the tenant are opened.
    async fn graph(&mut self, tenant: &str) -> Result<Graph, String> {
        let cleaner = self.tenants.cleaner_of(tenant).filter(|_| self.deletes);
        self.tenants.graph(cleaner.unwrap_or(tenant)).await
    }

    async fn credentials(&mut self, sign_in: &SignIn) -> Result<Credentials, String> {
        self.sign_ins.credentials(sign_in, &mut self.tenants).await
    }
}

/// The senders of these routes, each as far as it can be made.
async fn senders(routes: impl Iterator<Item = &Route>, (clock, timeouts): (Clock, Timeouts), doors: &mut Doors<'_>) -> World {
    let mut world = World::default();
    for route in routes {
        let conduct = Conduct {
            clock,
            host_name: host_name(),
            connections: route.connections,
            rate: route.rate,
            timeouts,
        };
        match sender(route, &conduct, doors).await {
            Ok(sender) => drop(world.senders.insert(route.name.clone(), sender)),
            Err(trouble) => drop(world.unsendable.insert(route.name.clone(), format!("{}: {trouble}", route.place))),
        }
    }
    world
}

async fn sender(route: &Route, conduct: &Conduct, doors: &mut Doors<'_>) -> Result<Arc<dyn send::Sender>, String> {
    match &route.kind {
        RouteKind::Smtp(smtp) => {
            let credentials = match &smtp.sign_in {
                Some(sign_in) => Some(doors.credentials(sign_in).await?),
                None => None,
            };
            Ok(Arc::new(SmtpSender::new(&smtp.endpoint, credentials, conduct)?))
        }
        RouteKind::Mx(mx) => Ok(Arc::new(MxSender::new(mx, conduct)?)),
        RouteKind::Graph(access) => Ok(Arc::new(GraphSender::new(
            doors.tenants.graph(&access.tenant).await?,
            access,
            conduct,
        ))),
    }
}

/// A mailbox whose secret cannot be had stops nothing: it is blind, and says why.
async fn eyes<'a>(
    site: &Site,
    senders: &[Sender],
    mailboxes: impl Iterator<Item = &'a Mailbox>,
    patience: Patience,
    doors: &mut Doors<'_>,
    unwatched: &mut BTreeMap<MailboxName, String>,
) -> Vec<Box<dyn Watcher>> {
    let of_sender: BTreeSet<&MailboxName> = site.senders.iter().filter_map(|sender| sender.mailbox.as_ref()).collect();
    let mut watched = Vec::new();
    let mut traces: Vec<(&TraceAccess, Vec<MailboxName>)> = Vec::new();
    let mut watchers: Vec<Box<dyn Watcher>> = Vec::new();
    for mailbox in mailboxes {
        let of_sender = of_sender.contains(&mailbox.name);
        match &mailbox.access {
            MailboxAccess::Imap(imap) => watched.push(Watched {
                mailbox: mailbox.clone(),
                access: imap.clone(),
                credentials: match doors.credentials(&imap.sign_in).await {
                    Ok(credentials) => credentials,
                    Err(why) => Credentials::missing(imap.sign_in.user(), &why),
                },
                of_sender,
            }),
            MailboxAccess::Group(access) => match doors.graph(&access.tenant).await {
                Ok(graph) => watchers.push(Box::new(GroupWatcher::new(graph, mailbox.clone(), access.clone()))),
                Err(trouble) => drop(unwatched.insert(mailbox.name.clone(), trouble)),
            },
            MailboxAccess::Graph(access) => match doors.graph(&access.tenant).await {
                Ok(graph) => watchers.push(Box::new(GraphWatcher::new(graph, mailbox.clone(), access.clone(), of_sender))),
                Err(trouble) => drop(unwatched.insert(mailbox.name.clone(), trouble)),
            },
            MailboxAccess::Trace(access) => match traces.iter_mut().find(|(known, _)| *known == access) {
                Some((_, names)) => names.push(mailbox.name.clone()),
                None => traces.push((access, vec![mailbox.name.clone()])),
            },
        }
    }
    for (access, names) in traces {
        match doors.tenants.graph(&access.tenant).await {
            Ok(graph) => watchers.push(Box::new(TraceWatcher::new(graph, senders, access, names))),
            Err(trouble) => unwatched.extend(names.into_iter().map(|name| (name, trouble.clone()))),
        }
    }
    let imap = imap::watchers(watched, patience, Budget::default);
    watchers.extend(imap.into_iter().map(|watcher| Box::new(watcher) as Box<dyn Watcher>));
    watchers
}

/// This machine's name, for EHLO.
pub(super) fn host_name() -> String {
    let read = |path: &str| {
        std::fs::read_to_string(PathBuf::from(path))
            .ok()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
    };
    read("/proc/sys/kernel/hostname")
        .or_else(|| read("/etc/hostname"))
        .unwrap_or_else(|| "localhost".to_owned())
}
