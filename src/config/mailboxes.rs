//! The mailboxes of a site: those with names, those written in place, and those that the defaults give.

use super::{
    choices::{MailboxRef, Quarantine},
    context::{Context, Fill},
    endpoint::{self, Keys, SignInKeys, check_tenant},
    graph,
    mistakes::quoted,
    read::{At, Named},
    shapes::{FoldersShape, ImapShape, MailboxShape},
    source::Span,
    traces::{self, Traces},
    values::Address,
};
use crate::model::{ImapAccess, Mailbox, MailboxAccess, MailboxName, Placement, QuarantinePolicy, TraceAccess};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// All mailboxes so far.
pub(super) struct Mailboxes<'a> {
    list: Vec<Mailbox>,
    by_name: HashMap<String, usize>,
    /// The names under `mailboxes:`, those of faulty ones included.
    declared: BTreeSet<&'a str>,
    tenants: Vec<&'a str>,
    traces: Traces,
    default: Option<&'a At<MailboxRef>>,
    peek_unsaid: HashSet<MailboxName>,
    placement_unsaid: HashSet<MailboxName>,
}

impl<'a> Mailboxes<'a> {
    /// Begins with those that have names.
    pub(super) fn new(
        context: &mut Context<'_>,
        named: Option<&'a At<Named<MailboxShape>>>,
        tenants: Vec<&'a str>,
        traces: Traces,
        default: Option<&'a At<MailboxRef>>,
    ) -> Self {
        let mut mailboxes = Self {
            list: Vec::new(),
            by_name: HashMap::new(),
            declared: named.map(|named| named.names().collect()).unwrap_or_default(),
            tenants,
            traces,
            default,
            peek_unsaid: HashSet::new(),
            placement_unsaid: HashSet::new(),
        };
        for (name, shape) in named.into_iter().flat_map(|named| named.values()) {
            if matches!(name.as_str(), "none" | "unreadable" | "trace") {
                let title = format!(
                    "a mailbox cannot be called {}: the word has a meaning where mailboxes are named",
                    quoted(name)
                );
                context.mistakes.note(name.span.clone(), title);
            }
            if let Some(mailbox) = mailboxes.build(context, shape, &name.span, &Fill::default(), Some(name)) {
                mailboxes.insert(shape, mailbox);
            }
        }
        // The default is checked even if nobody needs it.
        if let Some(MailboxRef::Here(shape)) = default.map(|default| &default.value) {
            let span = default.map(|default| default.span.clone()).unwrap_or_default();
            mailboxes.build(context, shape, &span, &Fill::of_recipient("someone@contoso.example"), None);
        }
        mailboxes
    }

    /// Every mailbox, now that all uses are known.
    pub(super) fn into_list(self) -> Vec<Mailbox> {
        self.list
    }

    /// A sender's mailbox may be peeked into unless the site says otherwise: bounces that lost their headers are worth finding, and it holds little else.
    pub(super) fn belongs_to_sender(&mut self, name: &MailboxName) {
        if self.peek_unsaid.contains(name)
            && let Some(mailbox) = self.find_mut(name)
        {
            mailbox.peek_bodies = true;
        }
    }

    /// Whether that is the mailbox of a group, which nothing that comes back can be read from.
    pub(super) fn is_group(&self, name: &MailboxName) -> bool {
        self.find(name)
            .is_some_and(|mailbox| matches!(mailbox.access, MailboxAccess::Group(_)))
    }

    /// A mailbox that does nothing but hold mail is a quarantine, all of it.
    pub(super) fn holds_only(&mut self, name: &MailboxName) {
        if self.placement_unsaid.contains(name)
            && let Some(mailbox) = self.find_mut(name)
        {
            mailbox.placement = Some(Placement::Quarantine);
        }
    }

    fn find_mut(&mut self, name: &MailboxName) -> Option<&mut Mailbox> {
        let index = *self.by_name.get(name.as_str())?;
        self.list.get_mut(index)
    }

    /// The mailbox that is meant; no name means that there is none.
    pub(super) fn resolve(&mut self, context: &mut Context<'_>, reference: &At<MailboxRef>) -> Option<MailboxName> {
        match &reference.value {
            MailboxRef::None => None,
            MailboxRef::Here(shape) => self.in_place(context, shape, &reference.span),
            MailboxRef::Name(name) => {
                if self.is_declared(name) {
                    return Some(MailboxName::from(name.as_str()));
                }
                self.dangling(context, name, &reference.span, &[]);
                None
            }
        }
    }

    /// The mailbox of a recipient: one that is not read, written in place, is called as the recipient's address is.
    pub(super) fn of_recipient(
        &mut self,
        context: &mut Context<'_>,
        reference: &At<MailboxRef>,
        address: Option<&At<Address>>,
    ) -> Option<MailboxName> {
        match (&reference.value, address) {
            (MailboxRef::Here(shape), Some(address)) if shape.trace.is_some() => {
                let name = At {
                    value: address.value.0.clone(),
                    span: address.span.clone(),
                };
                let mailbox = self.build(context, shape, &reference.span, &Fill::default(), Some(&name))?;
                Some(self.insert(shape, mailbox))
            }
            _ => self.resolve(context, reference),
        }
    }

    /// Whether only a message trace may speak for this mailbox.
    pub(super) fn is_trace(&self, name: &MailboxName) -> bool {
        self.find(name)
            .is_some_and(|mailbox| matches!(mailbox.access, MailboxAccess::Trace(_)))
    }

    fn find(&self, name: &MailboxName) -> Option<&Mailbox> {
        self.list.get(*self.by_name.get(name.as_str())?)
    }

    /// Whether a mailbox of this name stands under `mailboxes:`.
    pub(super) fn is_declared(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    /// Notes that no mailbox has this name.
    pub(super) fn dangling(&self, context: &mut Context<'_>, name: &str, span: &Span, more: &[&str]) {
        let title = format!("there is no mailbox {}", quoted(name));
        let known = [self.declared.iter().copied().collect(), more.to_vec()].concat();
        context.mistakes.dangling(span.clone(), title, name, known);
    }

    /// A mailbox written where it is used; it is called as its user is.
    pub(super) fn in_place(&mut self, context: &mut Context<'_>, shape: &MailboxShape, span: &Span) -> Option<MailboxName> {
        let mailbox = self.build(context, shape, span, &Fill::default(), None)?;
        Some(self.insert(shape, mailbox))
    }

    /// The mailbox that the defaults give to an address. It is called as the address is; one of Graph as its user, since several addresses may share it.
    pub(super) fn by_default(&mut self, context: &mut Context<'_>, address: &str) -> Option<MailboxName> {
        let default = self.default?;
        let MailboxRef::Here(shape) = &default.value else {
            return self.resolve(context, default);
        };
        let name = At {
            value: address.to_owned(),
            span: default.span.clone(),
        };
        let name = Some(&name).filter(|_| shape.graph.is_none());
        let mailbox = self.build(context, shape, &default.span, &Fill::of_recipient(address), name)?;
        Some(self.insert(shape, mailbox))
    }

    /// Whether the defaults give mailboxes.
    pub(super) fn has_default(&self) -> bool {
        self.default.is_some_and(|default| !matches!(default.value, MailboxRef::None))
    }

    /// What a recipient's `quarantine:` comes to; `meant` are its mailboxes. Where it says nothing, the traces of their tenants tell, if all have one;
    /// or else the folder of quarantine that each of them names.
    pub(super) fn quarantine(
        &mut self,
        context: &mut Context<'_>,
        said: Option<&At<Quarantine>>,
        meant: &[MailboxName],
    ) -> QuarantinePolicy {
        let tenants: Vec<Option<String>> = meant.iter().map(|name| self.tenant_of(name)).collect();
        let Some(said) = said else {
            let traces: Option<Vec<TraceAccess>> = tenants.iter().map(|tenant| self.traces.access(tenant.as_deref()?)).collect();
            return match traces.filter(|traces| !traces.is_empty()) {
                Some(traces) => self.traced(context, traces, &Span::default()),
                None if !meant.is_empty() && meant.iter().all(|name| self.holds_quarantine(name)) => {
                    QuarantinePolicy::Mailboxes(Vec::new())
                }
                None => QuarantinePolicy::Unsaid,
            };
        };
        match &said.value {
            Quarantine::None => QuarantinePolicy::None,
            Quarantine::Unreadable => QuarantinePolicy::Unreadable,
            Quarantine::Trace => {
                let mut tenants: Vec<String> = tenants.into_iter().flatten().collect();
                if tenants.is_empty() {
                    tenants.extend(self.traces.only().map(str::to_owned));
                }
                if tenants.is_empty() {
                    context
                        .mistakes
                        .note(said.span.clone(), "whose message trace this is cannot be told")
                        .help("no mailbox of it is in a tenant; name one whose `trace` may be read: `[{ trace: TENANT }]`");
                }
                let needed = |tenant: &String| self.traces.needed(context, tenant, &said.span);
                let traces: Vec<TraceAccess> = tenants.iter().filter_map(needed).collect();
                self.traced(context, traces, &said.span)
            }
            Quarantine::In(list) => QuarantinePolicy::Mailboxes(list.iter().filter_map(|one| self.resolve(context, one)).collect()),
        }
    }

    /// Whether the site says which folder of this mailbox is a quarantine.
    fn holds_quarantine(&self, name: &MailboxName) -> bool {
        let named =
            |mailbox: &Mailbox| mailbox.folders.contains_key(&Placement::Quarantine) || mailbox.placement == Some(Placement::Quarantine);
        self.find(name).is_some_and(named)
    }

    /// The tenant in which a mailbox is.
    fn tenant_of(&self, name: &MailboxName) -> Option<String> {
        match &self.find(name)?.access {
            MailboxAccess::Imap(_) => None,
            MailboxAccess::Graph(access) => Some(access.tenant.clone()),
            MailboxAccess::Group(access) => Some(access.tenant.clone()),
            MailboxAccess::Trace(access) => Some(access.tenant.clone()),
        }
    }

    /// Quarantine that these traces show.
    fn traced(&mut self, context: &Context<'_>, traces: Vec<TraceAccess>, span: &Span) -> QuarantinePolicy {
        let mut names: Vec<MailboxName> = Vec::new();
        for access in traces {
            let place = traces::place(context, access, span);
            if !names.contains(&place.name) {
                names.push(place.name.clone());
            }
            if self.find(&place.name).is_none() {
                self.by_name.insert(place.name.to_string(), self.list.len());
                self.list.push(place);
            }
        }
        QuarantinePolicy::Mailboxes(names)
    }

    /// Adds a mailbox. One that is the same in all but its place is shared; another of the same name gets the host behind it, or a number.
    fn insert(&mut self, shape: &MailboxShape, mut mailbox: Mailbox) -> MailboxName {
        let base = mailbox.name.to_string();
        let host = match &mailbox.access {
            MailboxAccess::Imap(access) => format!("{base} at {}", access.endpoint.host),
            MailboxAccess::Graph(access) => format!("{base} in {}", access.tenant),
            MailboxAccess::Group(access) => format!("{base} in {}", access.tenant),
            MailboxAccess::Trace(access) => format!("{base} in the {}", access.place()),
        };
        let numbered = (2..).map(|number| format!("{host} ({number})"));
        for name in [base, host.clone()].into_iter().chain(numbered) {
            let taken = self.by_name.get(&name).and_then(|index| self.list.get(*index));
            if let Some(other) = taken {
                if is_same(other, &mailbox) {
                    return other.name.clone();
                }
                continue;
            }
            mailbox.name = MailboxName::from(name.as_str());
            break;
        }
        let name = mailbox.name.clone();
        if shape.peek.is_none() {
            self.peek_unsaid.insert(name.clone());
        }
        if shape.placement.is_none() && mailbox.folders.is_empty() {
            self.placement_unsaid.insert(name.clone());
        }
        self.by_name.insert(name.to_string(), self.list.len());
        self.list.push(mailbox);
        name
    }

    fn build(
        &self,
        context: &mut Context<'_>,
        shape: &MailboxShape,
        span: &Span,
        fill: &Fill,
        name: Option<&At<String>>,
    ) -> Option<Mailbox> {
        if let Some(tenant) = &shape.trace {
            check_tenant(context, tenant, &self.tenants);
            traces::refuse_looks(context, shape);
            let access = self.traces.needed(context, tenant, &tenant.span)?;
            let mut place = traces::place(context, access, span);
            if let Some(name) = name {
                place.name = MailboxName::from(name.value.as_str());
            }
            return Some(place);
        }
        let outer = Keys {
            connect: shape.connect.as_ref(),
            tls: shape.tls.as_ref(),
            ca: shape.ca.as_ref(),
        };
        let (access, user) = match (&shape.imap, &shape.graph) {
            (Some(imap), _) => self.imap(context, imap, outer, fill)?,
            (None, Some(graph)) => {
                graph::refuse_server(context, outer);
                if let Some(folders) = &shape.folders {
                    graph::refuse_folders(context, graph, &folders.span);
                }
                graph::mailbox(context, graph, &self.tenants, fill)?
            }
            (None, None) => return None,
        };
        Some(Mailbox {
            name: MailboxName::from(name.map_or(user, |name| name.value.clone()).as_str()),
            access,
            folders: shape.folders.as_ref().map(|folders| named_folders(folders)).unwrap_or_default(),
            placement: shape.placement.as_ref().map(|placement| placement.value),
            peek_bodies: shape.peek.as_ref().is_some_and(|peek| peek.value),
            place: context.place(span),
        })
    }

    fn imap(&self, context: &mut Context<'_>, shape: &At<ImapShape>, outer: Keys<'_>, fill: &Fill) -> Option<(MailboxAccess, String)> {
        let keys = Keys {
            connect: shape.connect.as_ref(),
            tls: shape.tls.as_ref(),
            ca: shape.ca.as_ref(),
        };
        let keys = keys.or(context, outer);
        let url = shape.url.as_ref();
        let endpoint = url.and_then(|url| endpoint::endpoint(context, &endpoint::IMAP, url, keys, !shape.faulty, fill));
        let user = fill.text(context, shape.user.as_ref()?)?;
        let own = SignInKeys {
            user: Some(&user),
            password: shape.password.as_ref(),
            auth: shape.auth.as_ref(),
            token: shape.token.as_ref(),
            tenant: shape.tenant.as_ref(),
            faulty: shape.faulty,
        };
        let Some(watcher) = &shape.watch_as else {
            let sign_in = own.build(context, &shape.span, &self.tenants, fill)?;
            if let Some(endpoint) = &endpoint {
                endpoint::check_exchange(context, url, endpoint, Some(&sign_in));
            }
            let access = ImapAccess {
                endpoint: endpoint?,
                sign_in,
                root: None,
            };
            return Some((MailboxAccess::Imap(access), user.value));
        };
        let needless = [
            own.password.map(|at| &at.span),
            own.token.map(|at| &at.span),
            own.auth.map(|at| &at.span),
            own.tenant.map(|at| &at.span),
        ];
        for span in needless.into_iter().flatten() {
            context.mistakes.note(
                span.clone(),
                "the mailbox's own sign-in is not used where `watch_as` says who reads it",
            );
        }
        let fill = fill.with_user(&user);
        let keys = SignInKeys {
            user: watcher.user.as_ref(),
            password: watcher.password.as_ref(),
            auth: watcher.auth.as_ref(),
            token: watcher.token.as_ref(),
            tenant: watcher.tenant.as_ref(),
            faulty: watcher.faulty,
        };
        let sign_in = match &watcher.user {
            Some(_) => keys.build(context, &watcher.span, &self.tenants, &fill),
            None => None,
        };
        if let Some(endpoint) = &endpoint {
            endpoint::check_exchange(context, url, endpoint, sign_in.as_ref());
        }
        let root = match &watcher.root {
            Some(root) => Some(fill.text(context, root)?.trim_end_matches('/').to_owned()),
            None => None,
        };
        let access = ImapAccess {
            endpoint: endpoint?,
            sign_in: sign_in?,
            root,
        };
        Some((MailboxAccess::Imap(access), user.value))
    }
}

fn named_folders(shape: &FoldersShape) -> BTreeMap<Placement, String> {
    let all = [
        (Placement::Inbox, &shape.inbox),
        (Placement::Junk, &shape.junk),
        (Placement::Quarantine, &shape.quarantine),
        (Placement::Deleted, &shape.deleted),
    ];
    all.into_iter()
        .filter_map(|(placement, name)| Some((placement, name.as_ref()?.value.clone())))
        .collect()
}

fn is_same(one: &Mailbox, other: &Mailbox) -> bool {
    one.access == other.access && one.folders == other.folders && one.placement == other.placement && one.peek_bodies == other.peek_bodies
}
