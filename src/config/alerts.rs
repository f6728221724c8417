//! Who is told when something changes: services, the secrets that admit to them, and what each is told of.
//!
//! What it cannot see: whether a service takes what it is sent. `mailflow alert` tries.

use super::{
    choices::Secret,
    context::{Context, Fill},
    endpoint::{self, Keys, SignInKeys},
    mistakes::{Mistakes, quoted},
    read::{At, Named, OneOrMany, Read, mapping, unexpected},
    shapes::{CaShape, SmtpShape},
    source::Span,
    tree::{Kind, Node},
    values::{Address, Period, Whole},
};
use crate::model::{AlertService, AlertTarget, AlertTemplate, Occasion, Route, RouteKind, SmtpRoute};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, collections::BTreeSet, io::Read as _, time::Duration};

/// How long nothing is said of what does not change, unless the site says otherwise.
const REMIND: Duration = Duration::from_hours(24);
/// The longest template, in octets.
const LONGEST_TEMPLATE: u64 = 64 * 1024;

mapping! {
    /// Somebody who is told, once for each run, of all that changed in it.
    AlertShape, "an alert", one_of ["webhook", "slack", "teams", "pagerduty", "opsgenie", "ntfy", "mail"] {
        /// Any HTTP endpoint: a JSON body (`mailflow.alert/1`), or what a template makes of it.
        webhook: WebhookShape;
        /// An incoming webhook of Slack.
        slack: HookShape;
        /// A workflow of Microsoft Teams that begins with "When a Teams webhook request is received".
        teams: HookShape;
        /// A service of `PagerDuty`, by its Events API v2.
        pagerduty: KeyedShape;
        /// An API integration of Opsgenie or Jira Service Management.
        opsgenie: KeyedShape;
        /// A topic of ntfy.
        ntfy: TopicShape;
        /// A message by a server that is no part of the mail system under test.
        mail: AlertMailShape;
        /// What is told: `failure`, `unknown` (it could not be measured), `recovery`, and `missed` (a schedule's run did not take place); by default all but the last.
        on: OneOrMany<Occasion>;
        /// So many measurements in a row must come to the same before it is told; 1 by default.
        after: Whole<1, 100>;
        /// After this long it is told again of what has not changed; 24h by default, or `never`.
        remind: Remind;
        /// A private CA to trust beside the system's.
        ca: CaShape;
    }
}

mapping! {
    /// An HTTP endpoint.
    WebhookShape, "a webhook" {
        /// Its address: `https://`, or `http://` to this machine.
        url: Secret, needs;
        /// A bearer token.
        token: Secret;
        /// A file that makes the body (Jinja); a relative path begins at the site's folder. In one that ends in `.json` each value is written as JSON.
        template: String;
    }
}

mapping! {
    /// A webhook whose address admits whoever knows it.
    HookShape, "a webhook" {
        /// Its address.
        url: Secret, needs;
    }
}

mapping! {
    /// A service that knows who calls by a key.
    KeyedShape, "a service" {
        /// The integration's key.
        key: Secret, needs;
        /// Where the API is, if not in its usual place: such as `https://events.eu.pagerduty.com/v2/enqueue`, `https://api.eu.opsgenie.com/v2/alerts` or `https://api.atlassian.com/jsm/ops/integration/v2/alerts`.
        url: String;
    }
}

mapping! {
    /// A topic of ntfy.
    TopicShape, "a topic" {
        /// Its address, such as `https://ntfy.sh/TOPIC`: whoever knows it can read along.
        url: Secret, needs;
        /// An access token.
        token: Secret;
    }
}

mapping! {
    /// A message by another way than the one under test.
    AlertMailShape, "an alert by mail" {
        /// The server, described as in a route.
        smtp: SmtpShape, needs;
        /// Who writes.
        from: Address, needs;
        /// To whom.
        to: OneOrMany<Address>, needs;
    }
}

/// When somebody is reminded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Remind {
    Never,
    After(Duration),
}

impl Read for Remind {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "never" => Some(Self::Never),
            _ => Period::read(node, mistakes).map(|period| Self::After(period.0)),
        }
    }
}

impl JsonSchema for Remind {
    fn schema_name() -> Cow<'static, str> {
        "Remind".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let period = generator.subschema_for::<Period>();
        json_schema!({ "anyOf": [{ "const": "never" }, period] })
    }
}

/// What may stand under `on`.
const OCCASIONS: [Occasion; 4] = [Occasion::Failure, Occasion::Unknown, Occasion::Recovery, Occasion::Missed];

impl Read for Occasion {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        let Kind::Text(text) = &node.kind else {
            return unexpected(node, "`failure`, `unknown`, `recovery` or `missed`", mistakes);
        };
        let found = OCCASIONS.into_iter().find(|occasion| occasion.word() == text);
        if found.is_none() {
            let help = super::mistakes::suggestion(text, OCCASIONS.iter().map(|occasion| occasion.word()));
            let title = format!("{} is nothing that can be told", quoted(text));
            mistakes.note(node.caret(), title).help_if(help);
        }
        found
    }
}

impl JsonSchema for Occasion {
    fn schema_name() -> Cow<'static, str> {
        "Occasion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": OCCASIONS.map(Occasion::word) })
    }
}

/// The targets that could be read. `routes` are the ways under test.
pub(super) fn build(
    context: &mut Context<'_>,
    named: Option<&At<Named<AlertShape>>>,
    tenants: &[&str],
    routes: &[Route],
) -> Vec<AlertTarget> {
    let mut targets = Vec::new();
    for (name, shape) in named.into_iter().flat_map(|named| named.values()) {
        targets.extend(target(context, name, shape, tenants, routes));
    }
    targets
}

fn target(context: &mut Context<'_>, name: &At<String>, shape: &At<AlertShape>, tenants: &[&str], routes: &[Route]) -> Option<AlertTarget> {
    let on: BTreeSet<Occasion> = match &shape.on {
        Some(said) => said.values().into_iter().collect(),
        None => BTreeSet::from([Occasion::Failure, Occasion::Unknown, Occasion::Recovery]),
    };
    if let (Some(said), true) = (&shape.on, on.len() == 1 && on.contains(&Occasion::Recovery)) {
        context
            .mistakes
            .note(said.span.clone(), "nobody is told of a recovery who was not told of the failure")
            .help("write `[failure, recovery]`");
    }
    let ca = endpoint::ca(context, shape.ca.as_ref());
    Some(AlertTarget {
        name: name.value.clone(),
        service: service(context, shape, tenants, routes)?,
        on,
        after: shape.after.as_ref().map_or(1, |after| after.0),
        remind: match shape.remind.as_ref().map(|remind| remind.value) {
            None => Some(REMIND),
            Some(Remind::Never) => None,
            Some(Remind::After(time)) => Some(time),
        },
        ca: ca?,
        place: context.place(&name.span),
    })
}

fn service(context: &mut Context<'_>, shape: &AlertShape, tenants: &[&str], routes: &[Route]) -> Option<AlertService> {
    let secret = |said: &Option<At<Secret>>| said.as_ref().map(|secret| secret.0.clone());
    if let Some(webhook) = &shape.webhook {
        let template = match &webhook.template {
            Some(file) => Some(template(context, file)?),
            None => None,
        };
        return Some(AlertService::Webhook {
            url: secret(&webhook.url)?,
            token: secret(&webhook.token),
            template,
        });
    }
    if let Some(slack) = &shape.slack {
        return Some(AlertService::Slack { url: secret(&slack.url)? });
    }
    if let Some(teams) = &shape.teams {
        return Some(AlertService::Teams { url: secret(&teams.url)? });
    }
    if let Some(keyed) = &shape.pagerduty {
        let url = address(context, keyed.url.as_ref());
        return Some(AlertService::PagerDuty {
            key: secret(&keyed.key)?,
            url: url?,
        });
    }
    if let Some(keyed) = &shape.opsgenie {
        let url = address(context, keyed.url.as_ref());
        return Some(AlertService::Opsgenie {
            key: secret(&keyed.key)?,
            url: url?,
        });
    }
    if let Some(topic) = &shape.ntfy {
        return Some(AlertService::Ntfy {
            url: secret(&topic.url)?,
            token: secret(&topic.token),
        });
    }
    mail(context, shape.mail.as_ref()?, tenants, routes)
}

/// The address of an API; the outer `None` is a mistake.
#[expect(clippy::option_option, reason = "nothing said and a mistake are different things")]
fn address(context: &mut Context<'_>, said: Option<&At<String>>) -> Option<Option<String>> {
    let Some(said) = said else { return Some(None) };
    let is_address = url::Url::parse(said).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
    if !is_address {
        context.mistakes.note(
            said.span.clone(),
            "expected the address of an API, such as `https://events.eu.pagerduty.com/v2/enqueue`",
        );
        return None;
    }
    Some(Some(said.value.clone()))
}

fn template(context: &mut Context<'_>, file: &At<String>) -> Option<AlertTemplate> {
    let path = context.folder.join(&file.value);
    let mut text = String::new();
    let read = std::fs::File::open(&path).and_then(|open| open.take(LONGEST_TEMPLATE + 1).read_to_string(&mut text));
    let title = match read {
        Ok(length) if length as u64 > LONGEST_TEMPLATE => {
            format!(
                "the template {} is longer than {} KiB",
                quoted(&file.value),
                LONGEST_TEMPLATE / 1024
            )
        }
        Ok(_) => {
            return Some(AlertTemplate {
                file: file.value.clone(),
                text,
            });
        }
        Err(error) => format!("the template {} cannot be read: {error}", quoted(&path.display().to_string())),
    };
    context.mistakes.note(file.span.clone(), title);
    None
}

fn mail(context: &mut Context<'_>, shape: &At<AlertMailShape>, tenants: &[&str], routes: &[Route]) -> Option<AlertService> {
    let smtp = shape.smtp.as_ref()?;
    let keys = Keys {
        connect: smtp.connect.as_ref(),
        tls: smtp.tls.as_ref(),
        ca: smtp.ca.as_ref(),
    };
    let sign_in = SignInKeys {
        user: smtp.user.as_ref(),
        password: smtp.password.as_ref(),
        auth: smtp.auth.as_ref(),
        token: smtp.token.as_ref(),
        tenant: smtp.tenant.as_ref(),
        faulty: smtp.faulty,
    };
    let authenticates = sign_in.any();
    let built = if authenticates {
        Some(sign_in.build(context, &smtp.span, tenants, &Fill::default())?)
    } else {
        None
    };
    let url = smtp.url.as_ref()?;
    let endpoint = endpoint::endpoint(context, &endpoint::SMTP, url, keys, authenticates && !smtp.faulty, &Fill::default())?;
    let route = SmtpRoute { endpoint, sign_in: built };
    refuse_route_under_test(context, &url.span, &route, routes);
    Some(AlertService::Mail {
        smtp: Box::new(route),
        from: shape.from.as_ref()?.value.0.clone(),
        to: shape.to.as_ref()?.0.iter().map(|address| address.value.0.clone()).collect(),
    })
}

/// An alert about broken mail must not wait in the same queue.
fn refuse_route_under_test(context: &mut Context<'_>, span: &Span, of_alert: &SmtpRoute, routes: &[Route]) {
    let goes = |route: &SmtpRoute| {
        let endpoint = &route.endpoint;
        (
            endpoint.connect.clone().unwrap_or_default(),
            endpoint.host.to_ascii_lowercase(),
            endpoint.port,
        )
    };
    let same = routes
        .iter()
        .find(|route| matches!(&route.kind, RouteKind::Smtp(smtp) if goes(smtp) == goes(of_alert)));
    if let Some(route) = same {
        let title = format!("this is the server of the route {}, which is under test", quoted(&route.name));
        context
            .mistakes
            .note(span.clone(), title)
            .help("an alert that waits in the queue that broke is never read: name another way out, or another service");
    }
}
