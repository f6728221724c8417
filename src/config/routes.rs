//! The routes of a site, and the values of `{domain.NAME}` that they use.

use super::{
    context::{Context, Fill, domain_names},
    endpoint::{self, Keys, SignInKeys, is_host},
    graph,
    mistakes::quoted,
    read::{At, Named},
    shapes::{MxShape, RouteShape, SmtpShape},
    words::TlsWord,
};
use crate::model::{MxRoute, Rate, Route, RouteKind, SignIn, SmtpRoute, TlsMode};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// How many connections a route holds at once unless it says otherwise: few enough for every gateway's default limits.
const CONNECTIONS: u16 = 4;

/// How many connections Exchange Online takes at once from those who sign in as one mailbox (SMTP AUTH).
const EXCHANGE_CONNECTIONS: u16 = 3;

/// How many messages Exchange Online takes from them in a minute.
const EXCHANGE_RATE: Rate = Rate {
    messages: 30,
    per: Duration::from_mins(1),
};

type Domains = Named<Named<String>>;

/// What routes refer to.
pub(super) struct Known<'a> {
    pub(super) senders: Vec<&'a str>,
    pub(super) tenants: Vec<&'a str>,
    pub(super) domains: Option<&'a At<Domains>>,
    /// The site's DNS server.
    pub(super) resolver: Option<SocketAddr>,
}

/// The routes that could be read; the site's only one is its default.
pub(super) fn build(context: &mut Context<'_>, named: &At<Named<RouteShape>>, known: &Known<'_>) -> Vec<Route> {
    if named.0.is_empty() {
        context.mistakes.note(named.span.clone(), "a site needs at least one route");
    }
    let mut default: Option<u32> = None;
    let mut routes = Vec::new();
    for (name, shape) in named.values() {
        if let Some(said) = shape.default.as_ref().filter(|said| said.value) {
            if let Some(line) = default {
                let mistake = context.mistakes.note(said.span.clone(), "a second route with `default: true`");
                mistake.label(format!("the first is in line {line}"));
            } else {
                default = Some(context.source.line_number(said.span.start));
            }
        }
        let route = route(context, name, shape, known);
        if let Some(route) = &route {
            within_exchange_limit(context, route, shape, &routes);
        }
        routes.extend(route);
    }
    if let ([only], 1) = (routes.as_mut_slice(), named.0.len()) {
        only.default = true;
    }
    routes
}

fn route(context: &mut Context<'_>, name: &At<String>, shape: &At<RouteShape>, known: &Known<'_>) -> Option<Route> {
    if let Some(sender) = shape.sender.as_ref().filter(|sender| !known.senders.contains(&sender.as_str())) {
        let title = format!("there is no sender {}", quoted(sender));
        context
            .mistakes
            .dangling(sender.span.clone(), title, sender, known.senders.iter().copied());
    }
    let outer = Keys {
        connect: shape.connect.as_ref(),
        tls: shape.tls.as_ref(),
        ca: shape.ca.as_ref(),
    };
    let kind = match (&shape.smtp, &shape.mx, &shape.graph) {
        (Some(smtp), _, _) => RouteKind::Smtp(self::smtp(context, smtp, outer, known)?),
        (None, Some(mx), _) => RouteKind::Mx(self::mx(context, mx, outer, known.resolver)?),
        (None, None, Some(graph)) => {
            graph::refuse_server(context, outer);
            RouteKind::Graph(graph::route(context, graph, shape, &known.tenants)?)
        }
        (None, None, None) => return None,
    };
    let by_tenant = matches!(&kind, RouteKind::Smtp(smtp) if matches!(smtp.sign_in, Some(SignIn::Tenant { .. })));
    Some(Route {
        name: name.value.clone(),
        kind,
        sender: shape
            .sender
            .as_ref()
            .map(|sender| sender.value.clone())
            .or_else(|| known.senders.first().map(|&name| name.into()))?,
        default: shape.default.as_ref().is_some_and(|said| said.value),
        connections: shape
            .connections
            .as_ref()
            .map_or(if by_tenant { 1 } else { CONNECTIONS }, |connections| connections.as_u16()),
        rate: shape.rate.as_ref().map(|rate| rate.value).or(by_tenant.then_some(EXCHANGE_RATE)),
        place: context.place(&name.span),
    })
}

/// Refuses a route that, with those before it, holds more connections to a mailbox of Exchange Online than that takes.
fn within_exchange_limit(context: &mut Context<'_>, route: &Route, shape: &At<RouteShape>, before: &[Route]) {
    let mailbox = |route: &Route| match &route.kind {
        RouteKind::Smtp(smtp) => match &smtp.sign_in {
            Some(SignIn::Tenant { user, tenant }) => Some((user.to_ascii_lowercase(), tenant.clone())),
            _ => None,
        },
        RouteKind::Mx(_) | RouteKind::Graph(_) => None,
    };
    let Some(own) = mailbox(route) else { return };
    let others: u32 = before
        .iter()
        .filter(|other| mailbox(other).as_ref() == Some(&own))
        .map(|other| u32::from(other.connections))
        .sum();
    let total = others + u32::from(route.connections);
    if total <= u32::from(EXCHANGE_CONNECTIONS) {
        return;
    }
    let span = shape
        .connections
        .as_ref()
        .map_or_else(|| shape.span.clone(), |connections| connections.span.clone());
    let title = format!("Exchange Online takes at most {EXCHANGE_CONNECTIONS} connections at once from one mailbox");
    let help = if others == 0 {
        format!("write `connections: {EXCHANGE_CONNECTIONS}` or less, or leave it out")
    } else {
        format!(
            "with the routes before it, those of {} come to {total}: give each fewer",
            quoted(&own.0)
        )
    };
    context.mistakes.note(span, title).help(help);
}

fn smtp(context: &mut Context<'_>, shape: &At<SmtpShape>, outer: Keys<'_>, known: &Known<'_>) -> Option<SmtpRoute> {
    let keys = Keys {
        connect: shape.connect.as_ref(),
        tls: shape.tls.as_ref(),
        ca: shape.ca.as_ref(),
    };
    let keys = keys.or(context, outer);
    let sign_in = SignInKeys {
        user: shape.user.as_ref(),
        password: shape.password.as_ref(),
        auth: shape.auth.as_ref(),
        token: shape.token.as_ref(),
        tenant: shape.tenant.as_ref(),
        faulty: shape.faulty,
    };
    let any = sign_in.any();
    let built = if any {
        sign_in.build(context, &shape.span, &known.tenants, &Fill::default())
    } else {
        None
    };
    let url = shape.url.as_ref()?;
    let endpoint = endpoint::endpoint(context, &endpoint::SMTP, url, keys, any && !shape.faulty, &Fill::of_route());
    for text in [Some(url), keys.connect].into_iter().flatten() {
        check_domain_values(context, text, known.domains);
    }
    if any && built.is_none() {
        return None;
    }
    if let Some(endpoint) = &endpoint {
        endpoint::check_exchange(context, Some(url), endpoint, built.as_ref());
    }
    Some(SmtpRoute {
        endpoint: endpoint?,
        sign_in: built,
    })
}

/// Checks that a text's `{domain.NAME}` have a value somewhere, and that all of those values are hosts.
fn check_domain_values(context: &mut Context<'_>, text: &At<String>, domains: Option<&At<Domains>>) {
    let names = domain_names(text);
    let values = || {
        domains
            .into_iter()
            .flat_map(|domains| domains.values())
            .flat_map(|(_, values)| values.values())
    };
    for name in &names {
        if !values().any(|(known, _)| known.as_str() == *name) {
            let title = format!(
                "no domain has a value {} for {}",
                quoted(name),
                quoted(&format!("{{domain.{name}}}"))
            );
            let known: Vec<&str> = values()
                .map(|(known, _)| known.as_str())
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect();
            context.mistakes.dangling(text.span.clone(), title, name, known);
        }
    }
    for (name, value) in values().filter(|(name, _)| names.contains(&name.as_str())) {
        let filled = text.replace(&format!("{{domain.{}}}", name.value), value);
        // Alone between `://` or the beginning and a port or the end, the value must be a host by itself.
        let is_whole = filled.split("://").last().is_some_and(|rest| rest.starts_with(value.as_str()));
        let fits = if is_whole {
            is_host(value)
        } else {
            value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        if !fits {
            let title = format!(
                "expected a host for {}, found {}",
                quoted(&format!("{{domain.{}}}", name.value)),
                quoted(value)
            );
            context.mistakes.note(value.span.clone(), title);
        }
    }
}

fn mx(context: &mut Context<'_>, shape: &At<MxShape>, outer: Keys<'_>, of_site: Option<SocketAddr>) -> Option<MxRoute> {
    if let Some(connect) = outer.connect {
        let mistake = context.mistakes.note(
            connect.span.clone(),
            "`connect` means nothing for `mx`: the DNS says where to connect",
        );
        mistake.help("`resolver` chooses the DNS server that is asked");
    }
    let inner = Keys {
        connect: None,
        tls: shape.tls.as_ref(),
        ca: shape.ca.as_ref(),
    };
    let keys = inner.or(context, Keys { connect: None, ..outer });
    let resolver = match &shape.resolver {
        Some(text) => Some(endpoint::resolver(context, text)?),
        None => of_site,
    };
    Some(MxRoute {
        resolver,
        port: shape.port.as_ref().map_or(25, |port| port.as_u16()),
        tls: match keys.tls.map(|word| word.value) {
            Some(TlsWord::Required) => TlsMode::Required,
            Some(TlsWord::None) => TlsMode::None,
            Some(TlsWord::Opportunistic) | None => TlsMode::Opportunistic,
        },
        ca: endpoint::ca(context, keys.ca)?,
    })
}

/// The values by domain, in lower case.
pub(super) fn domain_values(context: &mut Context<'_>, domains: Option<&At<Domains>>) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for (domain, values) in domains.into_iter().flat_map(|domains| domains.values()) {
        let values = values
            .values()
            .map(|(name, value)| (name.value.clone(), value.value.clone()))
            .collect();
        if all.insert(domain.to_ascii_lowercase(), values).is_some() {
            context
                .mistakes
                .note(domain.span.clone(), format!("the domain {} stands twice", quoted(domain)));
        }
    }
    all
}
