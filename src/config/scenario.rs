//! Scenario files: their shape, and from it the scenario with everything that its cases inherit filled in.

use super::{
    context::Context,
    messages::{self, Message},
    mistakes::quoted,
    read::{At, OneOrMany, mapping},
    shapes::SiteShape,
    side_by_side::{self, SideBySide},
    site,
    source::Span,
    values::{Count, Period, Prose},
    words::{Expected, expectations},
};
use crate::model::{Case, Expectation, Limits, MessageKind, Place, RecipientFilter, Requirement, Scenario, Verdict};
use std::{collections::BTreeMap, time::Duration};

mapping! {
    /// What to try on a site, and what must come out.
    ScenarioShape, "a scenario" {
        /// The scenario's name.
        name: String, needs;
        /// What it is for.
        description: Prose;
        /// The routes, by name; the site's default route if this is left out.
        routes: OneOrMany<String>;
        /// Which recipients take part; all of the site's if this is left out.
        recipients: FilterShape;
        /// The kinds of message; `plain` if this is left out.
        messages: OneOrMany<Message>;
        /// What must come out; `inbox` if this is left out.
        expect: OneOrMany<Expected>;
        /// Later is late; 5m if this is left out, or `give_up_after` if that is less.
        within: Period;
        /// Later is lost, if mailflow looked; 30m if this is left out.
        give_up_after: Period;
        /// How long to keep looking after the last new copy; 20s if this is left out.
        settle: Period;
        /// How long after a run was decided its places are looked at again, such as [1h, 24h, 48h]; at most 30d, and never if this is left out.
        recheck: OneOrMany<Period>;
        /// What every arrived copy must fulfil.
        require: Vec<At<Requirement>>;
        /// Two of the routes to set side by side: does the new one do with every message what the old one does?
        compare: SideBySide;
        /// What the plan may not exceed.
        limits: LimitsShape;
        /// Whether `eicar`, the standard test file for virus scanners, may be sent: tell those who watch the scanners before.
        allow_malware_test: bool;
        /// Further rounds.
        cases: Vec<At<CaseShape>>;
        /// The site itself, for a scenario that stands alone.
        site: SiteShape;
    }
}

mapping! {
    /// A further round. What it leaves out is the scenario's.
    CaseShape, "a case" {
        /// The case's name.
        name: String, needs;
        /// The routes, by name.
        routes: OneOrMany<String>;
        /// Which recipients take part.
        recipients: FilterShape;
        /// The kinds of message.
        messages: OneOrMany<Message>;
        /// What must come out; this wins over what a recipient says itself.
        expect: OneOrMany<Expected>;
        /// Later is late.
        within: Period;
        /// What every arrived copy must fulfil.
        require: Vec<At<Requirement>>;
    }
}

mapping! {
    /// Which recipients take part: those that match in every key that is given. Patterns know `*` and `?`, and no case.
    FilterShape, "a choice of recipients" {
        /// Patterns of roles.
        roles: OneOrMany<String>;
        /// Patterns of addresses.
        addresses: OneOrMany<String>;
        /// Patterns of domains.
        domains: OneOrMany<String>;
        /// Patterns of tags.
        tags: OneOrMany<String>;
    }
}

mapping! {
    /// What a plan may not exceed; a larger one is refused before anything is sent.
    LimitsShape, "`limits`" {
        /// Probes in all.
        probes: Count;
        /// Probes to one address.
        per_mailbox: Count;
        /// The time between two probes to one address.
        spacing: Period;
    }
}

impl FilterShape {
    fn filter(&self) -> RecipientFilter {
        let values = |patterns: &Option<At<OneOrMany<String>>>| patterns.as_ref().map(|patterns| patterns.values()).unwrap_or_default();
        RecipientFilter {
            roles: values(&self.roles),
            addresses: values(&self.addresses),
            domains: values(&self.domains),
            tags: values(&self.tags),
        }
    }
}

/// The scenario, as far as it could be read. It counts only if no mistake was noted. `root` is where the file begins.
pub(super) fn build(context: &mut Context<'_>, shape: &ScenarioShape, root: &Span) -> Scenario {
    let mut written = Written {
        malware: shape.allow_malware_test.as_ref().is_some_and(|said| said.value),
        templates: BTreeMap::new(),
    };
    let first = own_round(context, shape, root, &mut written);
    check_deadline(context, shape.within.as_ref(), first.give_up_after);
    let mut rounds = vec![first];
    let mut names: Vec<(&str, u32)> = Vec::new();
    for case in shape.cases.iter().flat_map(|cases| cases.iter()) {
        if let Some(name) = &case.name {
            if let Some((_, line)) = names.iter().find(|(known, _)| *known == name.as_str()) {
                let title = format!("a second case with the name {}", quoted(name));
                context
                    .mistakes
                    .note(name.span.clone(), title)
                    .label(format!("the first is in line {line}"));
            }
            names.push((name, context.source.line_number(name.span.start)));
        }
        check_deadline(context, case.within.as_ref(), rounds[0].give_up_after);
        let round = case_round(context, case, &rounds[0], &mut written);
        rounds.push(round);
    }
    let default = vec![Expectation::Verdict(Verdict::Inbox)];
    Scenario {
        file: context.file.clone(),
        name: shape.name.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
        description: shape.description.as_ref().map(|text| text.0.clone()),
        rounds,
        expect: shape.expect.as_ref().map_or(default, |expect| expectations(&expect.0)),
        expect_place: context.place(shape.expect.as_ref().map_or(root, |expect| &expect.span)),
        limits: shape.limits.as_ref().map(|limits| self::limits(limits)).unwrap_or_default(),
        templates: written.templates,
        recheck: shape.recheck.as_ref().map(|times| second_looks(context, times)).unwrap_or_default(),
        compare: shape
            .compare
            .as_ref()
            .and_then(|compare| side_by_side::pair(context, compare, shape.routes.as_ref())),
        site: shape.site.as_ref().map(|shape| site::build(context, shape)),
    }
}

/// What the messages of all rounds share.
struct Written {
    malware: bool,
    templates: BTreeMap<String, String>,
}

impl Written {
    /// The kinds that a round names, and where it does.
    fn kinds(&mut self, context: &mut Context<'_>, named: Option<&At<OneOrMany<Message>>>) -> Option<(Vec<MessageKind>, Place)> {
        let named = named?;
        let kinds = messages::kinds(context, named, self.malware, &mut self.templates);
        Some((kinds, context.place(&named.span)))
    }
}

fn own_round(context: &mut Context<'_>, shape: &ScenarioShape, root: &Span, written: &mut Written) -> Case {
    let named = written.kinds(context, shape.messages.as_ref());
    let (messages, messages_place) = named.unwrap_or_else(|| (vec![MessageKind::Plain], context.place(root)));
    let time = |said: &Option<At<Period>>, default: Duration| said.as_ref().map_or(default, |period| period.0);
    let give_up_after = time(&shape.give_up_after, Duration::from_mins(30));
    Case {
        name: None,
        routes: shape.routes.as_ref().map(|routes| routes.values()).unwrap_or_default(),
        recipients: shape.recipients.as_ref().map(|filter| filter.filter()).unwrap_or_default(),
        messages,
        messages_place,
        expect: None,
        within: time(&shape.within, give_up_after.min(Duration::from_mins(5))),
        give_up_after,
        settle: time(&shape.settle, Duration::from_secs(20)),
        require: shape.require.as_ref().map(|require| requirements(require)).unwrap_or_default(),
        place: context.place(root),
    }
}

fn case_round(context: &mut Context<'_>, shape: &At<CaseShape>, own: &Case, written: &mut Written) -> Case {
    let named = written.kinds(context, shape.messages.as_ref());
    let (messages, messages_place) = named.unwrap_or_else(|| (own.messages.clone(), own.messages_place.clone()));
    Case {
        name: shape.name.as_ref().map(|name| name.value.clone()),
        routes: shape.routes.as_ref().map_or_else(|| own.routes.clone(), |routes| routes.values()),
        recipients: shape
            .recipients
            .as_ref()
            .map_or_else(|| own.recipients.clone(), |filter| filter.filter()),
        messages,
        messages_place,
        expect: shape.expect.as_ref().map(|expect| expectations(&expect.0)),
        within: shape.within.as_ref().map_or(own.within, |period| period.0),
        require: shape
            .require
            .as_ref()
            .map_or_else(|| own.require.clone(), |require| requirements(require)),
        give_up_after: own.give_up_after,
        settle: own.settle,
        place: context.place(&shape.span),
    }
}

/// A deadline after the end of all looking could never be missed.
fn check_deadline(context: &mut Context<'_>, within: Option<&At<Period>>, give_up_after: Duration) {
    if let Some(within) = within.filter(|within| within.0 > give_up_after) {
        let title = format!(
            "`within` ({}) is longer than `give_up_after` ({})",
            within.value,
            Period(give_up_after)
        );
        context.mistakes.note(within.span.clone(), title);
    }
}

/// When its places are looked at again, shortest first.
fn second_looks(context: &mut Context<'_>, times: &OneOrMany<Period>) -> Vec<Duration> {
    let mut known: Vec<Duration> = Vec::new();
    for time in &times.0 {
        if known.contains(&time.0) {
            context
                .mistakes
                .note(time.span.clone(), format!("a second look after {} is named twice", time.value));
        } else {
            known.push(time.0);
        }
    }
    known.sort_unstable();
    known
}

fn requirements(list: &[At<Requirement>]) -> Vec<Requirement> {
    list.iter().map(|requirement| requirement.value.clone()).collect()
}

fn limits(shape: &LimitsShape) -> Limits {
    Limits {
        probes: shape.probes.as_ref().map(|count| count.0),
        per_mailbox: shape.per_mailbox.as_ref().map(|count| count.0),
        spacing: shape.spacing.as_ref().map(|period| period.0),
    }
}
