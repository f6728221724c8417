//! Whether a scenario fits a site: its routes exist, and what it names exactly is there.
//!
//! A pattern with `*` or `?` may match nothing, so that shipped scenarios run on any site; a plain word that matches nothing is a mistyped one.

use super::{
    context::Context,
    mistakes::quoted,
    read::{At, OneOrMany},
    scenario::{FilterShape, ScenarioShape},
    source::Span,
};
use crate::model::{Recipient, Requirement};
use std::collections::BTreeSet;

/// What a scenario may refer to.
pub(super) struct Offer<'a> {
    /// The names of the routes.
    pub(super) routes: Vec<&'a str>,
    /// The names of the paths.
    pub(super) paths: Vec<&'a str>,
    /// Whether one of them is the default.
    pub(super) has_default: bool,
    /// The recipients.
    pub(super) recipients: &'a [Recipient],
}

/// Notes everything that the site does not have. `root` is where the scenario begins.
pub(super) fn check(context: &mut Context<'_>, scenario: &ScenarioShape, root: &Span, offer: &Offer<'_>) {
    let rounds = scenario
        .cases
        .iter()
        .flat_map(|cases| cases.iter())
        .map(|case| (&case.routes, &case.recipients, &case.require));
    for (routes, recipients, require) in std::iter::once((&scenario.routes, &scenario.recipients, &scenario.require)).chain(rounds) {
        for requirement in require.iter().flat_map(|require| require.iter()) {
            check_path(context, requirement, &offer.paths);
        }
        if let Some(routes) = routes {
            check_routes(context, routes, offer);
        }
        if let Some(filter) = recipients {
            check_filter(context, filter, offer.recipients);
        }
    }
    if scenario.routes.is_none() && !offer.has_default {
        let help = format!(
            "name some: `routes: [{}]`, or give one of the site's routes `default: true`",
            offer.routes.join(", ")
        );
        context
            .mistakes
            .note(root.clone(), "the scenario names no route, and the site has no default one")
            .help(help);
    }
}

fn check_path(context: &mut Context<'_>, requirement: &At<Requirement>, paths: &[&str]) {
    if let Requirement::Path(name) = &requirement.value
        && !paths.contains(&name.as_str())
    {
        let title = format!("the site has no path {}", quoted(name));
        context
            .mistakes
            .dangling(requirement.span.clone(), title, name, paths.iter().copied());
    }
}

fn check_routes(context: &mut Context<'_>, routes: &At<OneOrMany<String>>, offer: &Offer<'_>) {
    let mut seen = BTreeSet::new();
    for route in &routes.0 {
        if !offer.routes.contains(&route.as_str()) {
            let title = format!("the site has no route {}", quoted(route));
            context
                .mistakes
                .dangling(route.span.clone(), title, route, offer.routes.iter().copied());
        } else if !seen.insert(route.as_str()) {
            context
                .mistakes
                .note(route.span.clone(), format!("the route {} stands twice", quoted(route)));
        }
    }
}

fn check_filter(context: &mut Context<'_>, filter: &FilterShape, recipients: &[Recipient]) {
    let roles: BTreeSet<&str> = recipients.iter().filter_map(|recipient| recipient.role.as_deref()).collect();
    let addresses: BTreeSet<&str> = recipients.iter().map(|recipient| recipient.address.as_str()).collect();
    let domains: Vec<String> = recipients.iter().map(Recipient::domain).collect();
    let domains: BTreeSet<&str> = domains.iter().map(String::as_str).collect();
    let tags: BTreeSet<&str> = recipients
        .iter()
        .flat_map(|recipient| &recipient.tags)
        .map(String::as_str)
        .collect();
    let all = [
        ("role", &filter.roles, roles),
        ("address", &filter.addresses, addresses),
        ("domain", &filter.domains, domains),
        ("tag", &filter.tags, tags),
    ];
    for (what, patterns, known) in all {
        for pattern in patterns.iter().flat_map(|patterns| &patterns.0) {
            let is_exact = !pattern.contains(['*', '?']);
            if is_exact && !known.iter().any(|word| word.to_lowercase() == pattern.to_lowercase()) {
                let title = format!("no recipient of the site has the {what} {}", quoted(pattern));
                context
                    .mistakes
                    .dangling(pattern.span.clone(), title, pattern, known.iter().copied());
            }
        }
    }
}
