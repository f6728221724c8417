//! Message traces: which tenant's may be read, after what delay it can be believed, and where a site lets it speak.
//!
//! A trace is a place as mailboxes are, so that "was looked at after the give-up time" is said of it in the same way. What it cannot see:
//! whether the tenant has its service principal for the trace; `mailflow check` asks.

use super::{
    context::Context,
    mistakes::Mistakes,
    read::{At, Read, described, mapping, unexpected},
    shapes::MailboxShape,
    source::Span,
    tree::{Kind, Node},
    values::Period,
};
use crate::model::{
    Mailbox, MailboxAccess, SHORTEST_TRACE_DELAY, Tenant, TenantCloud, TraceAccess, TraceExplainer, TraceReading, USUAL_TRACE_DELAY,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, collections::BTreeMap};

/// Whether a tenant's trace may be read.
#[derive(Debug)]
pub(super) enum TraceChoice {
    /// `true` or `false`.
    Said(bool),
    /// It may, and so.
    After(Box<TraceShape>),
}

mapping! {
    /// How a tenant's message trace is read.
    TraceShape, "`trace`" {
        /// How long after an event the trace certainly shows it; 15m by default. Microsoft names 5 to 10 minutes, and as much again for a change of status.
        delay: Period;
        /// What of Microsoft Defender is asked why a message was quarantined, refused as spam or given up: `hunting` (one query for all; needs
        /// ThreatHunting.Read.All) or `analyzed-emails` (one request for each; needs SecurityAnalyzedMessage.Read.All). Both take a licence of
        /// Defender that not every tenant has; verdicts do not depend on it.
        explain: TraceExplainer;
    }
}

impl Read for TraceChoice {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Flag(said) => Some(Self::Said(*said)),
            Kind::Map(_) => TraceShape::read(node, mistakes).map(|shape| Self::After(Box::new(shape))),
            _ => unexpected(node, "`true`, `false` or `{ delay: TIME, explain: WAY }`", mistakes),
        }
    }
}

impl JsonSchema for TraceChoice {
    fn schema_name() -> Cow<'static, str> {
        "TraceChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let shape = described(generator.subschema_for::<TraceShape>(), "");
        json_schema!({
            "description": "Whether the tenant's message trace may be read: it tells of quarantine, of refusals and of mailboxes that must not be read.",
            "anyOf": [{ "type": "boolean" }, shape]
        })
    }
}

/// How a tenant's trace is read, if it may be.
pub(super) fn reading(context: &mut Context<'_>, said: Option<&At<TraceChoice>>, cloud: Option<&TenantCloud>) -> Option<TraceReading> {
    let said = said?;
    let mut reading = TraceReading {
        delay: USUAL_TRACE_DELAY,
        explain: None,
    };
    match &said.value {
        TraceChoice::Said(false) => return None,
        TraceChoice::Said(true) => {}
        TraceChoice::After(shape) => {
            let simulated = matches!(cloud, Some(TenantCloud::Loopback { .. }));
            if let Some(delay) = shape
                .delay
                .as_ref()
                .filter(|delay| delay.value.0 < SHORTEST_TRACE_DELAY && !simulated)
            {
                let title = "the message trace is not that quick: what it does not show yet would be called lost";
                context
                    .mistakes
                    .note(delay.span.clone(), title)
                    .help("Microsoft names 5 to 10 minutes; write 10m or more, or `trace: true` for 15m");
            }
            reading.delay = shape.delay.as_ref().map_or(USUAL_TRACE_DELAY, |delay| delay.value.0);
            reading.explain = shape.explain.as_ref().map(|explain| explain.value);
        }
    }
    if matches!(cloud, Some(TenantCloud::UsGovL4 | TenantCloud::UsGovL5 | TenantCloud::China)) {
        context
            .mistakes
            .note(said.span.clone(), "Microsoft offers the message trace in the global cloud only")
            .help("leave it out: a loss then carries `quarantine-unchecked`, and with `quarantine: unreadable` stays unknown");
    }
    Some(reading)
}

/// The traces that a site may use, by tenant.
pub(super) struct Traces(BTreeMap<String, Option<TraceReading>>);

impl Traces {
    pub(super) fn of(tenants: &[Tenant]) -> Self {
        Self(tenants.iter().map(|tenant| (tenant.name.clone(), tenant.trace)).collect())
    }

    /// The access to the trace of this tenant, if it may be read.
    pub(super) fn access(&self, tenant: &str) -> Option<TraceAccess> {
        Some(TraceAccess {
            tenant: tenant.to_owned(),
            reading: (*self.0.get(tenant)?)?,
        })
    }

    /// The only tenant whose trace may be read.
    pub(super) fn only(&self) -> Option<&str> {
        let mut readable = self.0.iter().filter(|(_, reading)| reading.is_some());
        let (only, _) = readable.next()?;
        readable.next().is_none().then_some(only.as_str())
    }

    /// [`Traces::access`]; if it may not be read, that is noted, unless the tenant itself is at fault.
    pub(super) fn needed(&self, context: &mut Context<'_>, tenant: &str, span: &Span) -> Option<TraceAccess> {
        if self.0.get(tenant).is_some_and(Option::is_none) {
            context
                .mistakes
                .note(span.clone(), format!("the message trace of `{tenant}` is not read"))
                .help(format!("write `trace: true` under `tenants: {tenant}:`, and let the app read it"));
        }
        self.access(tenant)
    }
}

/// The trace of a tenant as a place where quarantine shows.
pub(super) fn place(context: &Context<'_>, access: TraceAccess, span: &Span) -> Mailbox {
    Mailbox {
        name: access.place(),
        access: MailboxAccess::Trace(access),
        folders: BTreeMap::new(),
        placement: None,
        peek_bodies: false,
        place: context.place(span),
    }
}

/// Refuses what would only mean something for a mailbox that is read.
pub(super) fn refuse_looks(context: &mut Context<'_>, shape: &MailboxShape) {
    let said = [
        ("folders", shape.folders.as_ref().map(|at| &at.span)),
        ("placement", shape.placement.as_ref().map(|at| &at.span)),
        ("peek", shape.peek.as_ref().map(|at| &at.span)),
        ("connect", shape.connect.as_ref().map(|at| &at.span)),
        ("tls", shape.tls.as_ref().map(|at| &at.span)),
        ("ca", shape.ca.as_ref().map(|at| &at.span)),
    ];
    for (key, span) in said {
        if let Some(span) = span {
            let title = format!("`{key}` means nothing for a mailbox that is not read");
            context.mistakes.note(span.clone(), title);
        }
    }
}
