//! Planning: site x scenario x start gives every probe with its deadlines. Pure: the same input gives the same plan.
//!
//! What it refuses is refused before anything is sent: a plan beyond its scenario's limits, routes or recipients that nothing fits.

mod warnings;

pub use warnings::warnings;

use crate::model::{
    Case, Expectation, MailboxAccess, MailboxName, MessageKind, NextHop, Origin, Place, Plan, Probe, ProbeId, Recipient, RecipientFilter,
    Route, RouteKind, RunId, RunInfo, Scenario, Site, Subset, TagKey, Time, matches,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

/// What a plan is made from, beside the site and the scenario.
pub struct Start<'a> {
    /// The run's id.
    pub run: RunId,
    /// When it starts.
    pub at: Time,
    /// The key of the tags.
    pub key: &'a TagKey,
    /// mailflow's version.
    pub version: &'a str,
    /// The change number to keep with the run.
    pub change: Option<String>,
    /// Who starts it, from which files, as which round of a night.
    pub origin: Origin,
    /// `--only`: each narrows further, but several of one kind widen each other.
    pub only: &'a [Subset],
}

/// Why there is no plan. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The scenario names no route, and the site has no default one.
    #[error(
        "the scenario names no route, and the site has several without `default: true` ({routes})\n  help: write `routes: [...]` in the scenario, or `default: true` at one route of the site"
    )]
    NoDefaultRoute {
        /// The site's routes.
        routes: String,
    },
    /// No recipient takes part.
    #[error("no recipient takes part: {0}")]
    NoRecipients(String),
    /// A message that pretends to come from the recipient's own people, to a domain that is not listed as the site's own.
    #[error(
        "{place}: `{message}` pretends to come from the recipient's own people, and {domain} is not listed under the site's `own_domains`\n  help: if it \
         is yours, add it there and publish the record that `mailflow check` prints; otherwise leave {address} out of this round"
    )]
    NotOwn {
        /// Where the scenario names the message.
        place: Place,
        /// The kind of message, by its word.
        message: &'static str,
        /// The recipient's domain.
        domain: String,
        /// The recipient.
        address: String,
    },
    /// Too many probes.
    #[error(
        "the plan has {planned} probes, but the scenario's `limits` allow {limit}\n  help: narrow it with `--only`, or raise `limits: {{ probes: {planned} }}`"
    )]
    TooManyProbes {
        /// How many there would be.
        planned: usize,
        /// How many may be.
        limit: u32,
    },
    /// Too many probes to one address.
    #[error(
        "{address} would get {planned} probes, but the scenario's `limits` allow {limit} for each mailbox\n  help: narrow it with `--only`, or raise `limits: {{ per_mailbox: {planned} }}`"
    )]
    TooManyForOne {
        /// The address.
        address: String,
        /// How many it would get.
        planned: u32,
        /// How many it may get.
        limit: u32,
    },
}

/// Makes the plan. `random` fills up the probes' ids.
///
/// # Errors
/// If nothing could be sent, or more than the scenario's limits allow.
pub fn plan(site: &Site, scenario: &Scenario, start: &Start, random: &mut dyn FnMut() -> [u8; 16]) -> Result<Plan, PlanError> {
    let mut recipients = Gathered::default();
    let mut senders = Gathered::default();
    let mut probes = Vec::new();
    let mut sent_to: BTreeMap<String, u32> = BTreeMap::new();
    for round in &scenario.rounds {
        for route in routes_of(site, round, start.only)? {
            for recipient in site.recipients.iter().filter(|recipient| takes_part(recipient, round, start.only)) {
                let Some(hop) = hop_of(site, route, recipient) else { continue };
                let Some(sender) = site.sender(&route.sender) else { continue };
                for message in &round.messages {
                    refuse_impersonation(site, round, recipient, message)?;
                    let id = ProbeId::new(&start.run, random());
                    let tag = start.key.tag(id);
                    let (expected, expected_at) = expectation(recipient, round, scenario);
                    let earlier = sent_to.entry(recipient.address.to_lowercase()).or_default();
                    probes.push(Probe {
                        id,
                        message_id: format!("<{tag}@{}>", sender.address.rsplit('@').next().unwrap_or("localhost")),
                        tag,
                        recipient: recipients.index_of(&recipient.address, recipient),
                        sender: senders.index_of(&sender.name, sender),
                        route: route.name.clone(),
                        hop: hop.clone(),
                        message: message.clone(),
                        case: round.name.clone(),
                        expected,
                        expected_at,
                        within: round.within,
                        give_up_after: round.give_up_after,
                        settle: round.settle,
                        require: round.require.clone(),
                        internal: stays_inside(site, route, recipient),
                        not_before: scenario.limits.spacing.unwrap_or(Duration::ZERO).saturating_mul(*earlier),
                    });
                    *earlier += 1;
                }
            }
        }
    }
    if probes.is_empty() {
        return Err(PlanError::NoRecipients(why_nobody(site, scenario, start.only)));
    }
    if let Some(limit) = scenario.limits.probes
        && probes.len() > limit as usize
    {
        return Err(PlanError::TooManyProbes {
            planned: probes.len(),
            limit,
        });
    }
    if let Some(limit) = scenario.limits.per_mailbox
        && let Some((address, planned)) = sent_to
            .into_iter()
            .filter(|(_, planned)| *planned > limit)
            .min_by_key(|(_, planned)| Reverse(*planned))
    {
        return Err(PlanError::TooManyForOne { address, planned, limit });
    }
    // What may leave first is tried first.
    probes.sort_by_key(|probe| probe.not_before);
    let recipients = recipients.values;
    let mailboxes = watched(site, &recipients, &senders.values);
    Ok(Plan {
        run: RunInfo {
            id: start.run.clone(),
            scenario: scenario.name.clone(),
            site: site.file.clone(),
            started_at: start.at,
            finished_at: None,
            version: start.version.to_owned(),
            change: start.change.clone(),
            description: scenario.description.clone(),
            compare: scenario.compare.clone(),
            origin: start.origin.clone(),
        },
        paths: site.paths.clone(),
        traces: traces(site, &mailboxes),
        mailboxes,
        addresses: addresses(site),
        recipients,
        senders: senders.values,
        spacing: scenario.limits.spacing.unwrap_or_default(),
        templates: templates(scenario, &probes),
        recheck: scenario.recheck.clone(),
        scope: None,
        probes,
    })
}

/// Refuses a message that pretends to come from the recipient's own people, where the site does not list the domain as its own.
fn refuse_impersonation(site: &Site, round: &Case, recipient: &Recipient, message: &MessageKind) -> Result<(), PlanError> {
    let domain = recipient.domain();
    if !message.impersonates() || site.own_domains.contains(&domain) {
        return Ok(());
    }
    Err(PlanError::NotOwn {
        place: round.messages_place.clone(),
        message: message.word(),
        domain,
        address: recipient.address.clone(),
    })
}

/// Values in the order of their first use, each with its index.
struct Gathered<T> {
    values: Vec<T>,
    index: HashMap<String, usize>,
}

impl<T> Default for Gathered<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            index: HashMap::new(),
        }
    }
}

impl<T: Clone> Gathered<T> {
    fn index_of(&mut self, key: &str, value: &T) -> usize {
        if let Some(index) = self.index.get(key) {
            return *index;
        }
        self.values.push(value.clone());
        self.index.insert(key.to_owned(), self.values.len() - 1);
        self.values.len() - 1
    }
}

fn routes_of<'a>(site: &'a Site, round: &Case, only: &[Subset]) -> Result<Vec<&'a Route>, PlanError> {
    let mut routes: Vec<&Route> = if round.routes.is_empty() {
        let default = site
            .routes
            .iter()
            .find(|route| route.default)
            .or(if let [only] = site.routes.as_slice() { Some(only) } else { None });
        vec![default.ok_or_else(|| PlanError::NoDefaultRoute {
            routes: site.routes.iter().map(|route| route.name.as_str()).collect::<Vec<_>>().join(", "),
        })?]
    } else {
        round.routes.iter().filter_map(|name| site.route(name)).collect()
    };
    routes.retain(|route| {
        let patterns = only
            .iter()
            .filter_map(|subset| if let Subset::Route(pattern) = subset { Some(pattern) } else { None });
        any_or_none_asked(patterns, |pattern| matches(pattern, &route.name))
    });
    Ok(routes)
}

/// Whether a probe on this route never leaves the tenant: its recipient has the sender's domain, or a mailbox in the same tenant.
fn stays_inside(site: &Site, route: &Route, recipient: &Recipient) -> bool {
    let RouteKind::Graph(from) = &route.kind else { return false };
    let same_domain = from
        .user
        .rsplit_once('@')
        .is_some_and(|(_, domain)| domain.eq_ignore_ascii_case(&recipient.domain()));
    let in_tenant = |name: &MailboxName| match site.mailbox(name).map(|mailbox| &mailbox.access) {
        Some(MailboxAccess::Graph(graph)) => graph.tenant == from.tenant,
        Some(MailboxAccess::Group(group)) => group.tenant == from.tenant,
        Some(MailboxAccess::Trace(trace)) => trace.tenant == from.tenant,
        Some(MailboxAccess::Imap(_)) | None => false,
    };
    same_domain || recipient.meant.iter().any(in_tenant)
}

/// The host of a named route for this recipient. `None` if its domain lacks a value that the route needs: then the route does not serve it.
#[expect(clippy::option_option, reason = "no host (mx) differs from not served")]
fn hop_of(site: &Site, route: &Route, recipient: &Recipient) -> Option<Option<NextHop>> {
    match &route.kind {
        RouteKind::Mx(_) | RouteKind::Graph(_) => Some(None),
        RouteKind::Smtp(smtp) => {
            let host = site.fill_in(&smtp.endpoint.host, &recipient.domain())?;
            let connect = match &smtp.endpoint.connect {
                Some(connect) => Some(site.fill_in(connect, &recipient.domain())?),
                None => None,
            };
            Some(Some((host, connect)))
        }
    }
}

/// Every next hop of a site once: the route, the host with the address to connect to instead, and a recipient that it serves.
pub fn hops(site: &Site) -> Vec<(String, Option<NextHop>, String)> {
    let mut found = BTreeMap::new();
    for route in &site.routes {
        for recipient in &site.recipients {
            if let Some(hop) = hop_of(site, route, recipient) {
                // Straight to MX it is the domain that decides where to.
                let domain = hop.is_none().then(|| recipient.domain());
                found
                    .entry((route.name.clone(), hop, domain))
                    .or_insert_with(|| recipient.address.clone());
            }
        }
    }
    found
        .into_iter()
        .map(|((route, hop, _), recipient)| (route, hop, recipient))
        .collect()
}

fn takes_part(recipient: &Recipient, round: &Case, only: &[Subset]) -> bool {
    let RecipientFilter {
        roles,
        addresses,
        domains,
        tags,
    } = &round.recipients;
    let domain = recipient.domain();
    let chosen = any_or_none_asked(roles.iter(), |pattern| holds(recipient, pattern))
        && any_or_none_asked(addresses.iter(), |pattern| matches(pattern, &recipient.address))
        && any_or_none_asked(domains.iter(), |pattern| matches(pattern, &domain))
        && any_or_none_asked(tags.iter(), |pattern| recipient.tags.iter().any(|tag| matches(pattern, tag)));
    // An address that must refuse mail has no place in a case that asks, say, where spam lands, unless the case names it.
    let named = addresses
        .iter()
        .any(|pattern| !pattern.contains(['*', '?']) && matches(pattern, &recipient.address));
    let only_returned = recipient
        .expect
        .as_ref()
        .is_some_and(|expected| !expected.is_empty() && expected.iter().all(Expectation::is_returned));
    let wanted = round.name.is_none() || named || !only_returned;
    chosen && wanted && only_allows(recipient, &domain, only)
}

/// Whether the recipient holds a role that fits. One without a role holds none, whatever the pattern.
fn holds(recipient: &Recipient, pattern: &str) -> bool {
    recipient.role.as_deref().is_some_and(|role| matches(pattern, role))
}

fn only_allows(recipient: &Recipient, domain: &str, only: &[Subset]) -> bool {
    let of_kind = |choose: fn(&Subset) -> Option<&String>| only.iter().filter_map(choose);
    any_or_none_asked(
        of_kind(|subset| {
            if let Subset::Recipient(pattern) = subset {
                Some(pattern)
            } else {
                None
            }
        }),
        |p| matches(p, &recipient.address),
    ) && any_or_none_asked(
        of_kind(|subset| if let Subset::Role(pattern) = subset { Some(pattern) } else { None }),
        |p| holds(recipient, p),
    ) && any_or_none_asked(
        of_kind(|subset| {
            if let Subset::Domain(pattern) = subset {
                Some(pattern)
            } else {
                None
            }
        }),
        |p| matches(p, domain),
    )
}

fn any_or_none_asked<'a>(patterns: impl Iterator<Item = &'a String>, fits: impl Fn(&str) -> bool) -> bool {
    let mut patterns = patterns.peekable();
    patterns.peek().is_none() || patterns.any(|pattern| fits(pattern))
}

/// A case's expectation wins over the recipient's, and that over the scenario's.
fn expectation(recipient: &Recipient, round: &Case, scenario: &Scenario) -> (Vec<Expectation>, crate::model::Place) {
    match (&round.expect, &recipient.expect) {
        (Some(expected), _) => (expected.clone(), round.place.clone()),
        (None, Some(expected)) => (expected.clone(), recipient.place.clone()),
        (None, None) => (scenario.expect.clone(), scenario.expect_place.clone()),
    }
}

/// The mailboxes to watch: where a probe could be, and every other one that the site names, since a forward may lead there.
fn watched(site: &Site, recipients: &[Recipient], senders: &[crate::model::Sender]) -> Vec<MailboxName> {
    let needed: BTreeSet<&MailboxName> = recipients
        .iter()
        .flat_map(|recipient| recipient.meant.iter().chain(recipient.quarantine.mailboxes()))
        .chain(senders.iter().filter_map(|sender| sender.mailbox.as_ref()))
        .collect();
    // Mailboxes that only the defaults give to recipients who take no part are not opened.
    let by_default: BTreeSet<&MailboxName> = site
        .recipients
        .iter()
        .filter(|recipient| !recipient.group)
        .flat_map(|recipient| &recipient.meant)
        .filter(|name| name.as_str().contains('@'))
        .collect();
    site.mailboxes
        .iter()
        // A trace shows no stray copies: it is asked only where it is needed.
        .filter(|mailbox| {
            let is_trace = matches!(mailbox.access, MailboxAccess::Trace(_));
            needed.contains(&mailbox.name) || (!is_trace && !by_default.contains(&mailbox.name))
        })
        .map(|mailbox| mailbox.name.clone())
        .collect()
}

/// The message traces among these mailboxes, each with its delay.
fn traces(site: &Site, mailboxes: &[MailboxName]) -> BTreeMap<MailboxName, Duration> {
    let trace = |name: &MailboxName| match &site.mailbox(name)?.access {
        MailboxAccess::Trace(trace) => Some((name.clone(), trace.reading.delay)),
        MailboxAccess::Imap(_) | MailboxAccess::Graph(_) | MailboxAccess::Group(_) => None,
    };
    mailboxes.iter().filter_map(trace).collect()
}

/// The templates that the probes name.
fn templates(scenario: &Scenario, probes: &[Probe]) -> BTreeMap<String, String> {
    let named = |file: &String| probes.iter().any(|probe| probe.message == MessageKind::Template(file.clone()));
    scenario
        .templates
        .iter()
        .filter(|(file, _)| named(file))
        .map(|(file, text)| (file.clone(), text.clone()))
        .collect()
}

/// Which mailbox belongs to which address: what binds a bounce that names a member to that member.
fn addresses(site: &Site) -> BTreeMap<String, MailboxName> {
    let mut addresses = BTreeMap::new();
    for mailbox in &site.mailboxes {
        let user = match &mailbox.access {
            // A master user signs in as `MAILBOX*MASTER`.
            MailboxAccess::Imap(imap) if imap.root.is_none() => imap.sign_in.user().split('*').next().unwrap_or_default(),
            MailboxAccess::Imap(_) | MailboxAccess::Trace(_) => "",
            MailboxAccess::Graph(graph) => &graph.user,
            MailboxAccess::Group(graph) => &graph.group,
        };
        if user.contains('@') {
            addresses.insert(user.to_lowercase(), mailbox.name.clone());
        }
        if mailbox.name.as_str().contains('@') {
            addresses.insert(mailbox.name.as_str().to_lowercase(), mailbox.name.clone());
        }
    }
    for recipient in site.recipients.iter().filter(|recipient| !recipient.group) {
        if let [mailbox] = recipient.meant.as_slice() {
            addresses.insert(recipient.address.to_lowercase(), mailbox.clone());
        }
    }
    addresses
}

fn why_nobody(site: &Site, scenario: &Scenario, only: &[Subset]) -> String {
    if site.recipients.is_empty() {
        format!("{} lists none\n  help: add `recipients:`", site.file)
    } else if !scenario
        .rounds
        .iter()
        .any(|round| routes_of(site, round, only).is_ok_and(|routes| !routes.is_empty()))
    {
        "none of the scenario's routes fits `--only`\n  help: `mailflow plan` without `--only` shows them all".to_owned()
    } else if scenario
        .rounds
        .iter()
        .any(|round| site.recipients.iter().any(|recipient| takes_part(recipient, round, only)))
    {
        "no route serves any of them\n  help: a route with `{domain.NAME}` serves only recipients whose domain has NAME under `domains:`"
            .to_owned()
    } else if only.is_empty() {
        format!(
            "none of the {} recipients in {} fits what {} asks for",
            site.recipients.len(),
            site.file,
            scenario.file
        )
    } else {
        format!(
            "none of the {} recipients in {} fits `--only`\n  help: `mailflow plan` without `--only` shows them all",
            site.recipients.len(),
            site.file
        )
    }
}
