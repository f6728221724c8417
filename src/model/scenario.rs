//! A scenario: what to try on a site, and what must come out.

use super::{Expectation, MessageKind, Place, Requirement, RoutePair, Site};
use std::{collections::BTreeMap, time::Duration};

/// The scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The file it was read from.
    pub file: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The rounds: the scenario's own first (its name is `None`), then its `cases`, each with everything it inherits filled in.
    pub rounds: Vec<Case>,
    /// What every recipient is expected to come to that says nothing else itself (`expect` of the scenario; inbox by default).
    pub expect: Vec<Expectation>,
    /// Where that stands; the scenario's first line if it is the default.
    pub expect_place: Place,
    /// The bounds of the plan.
    pub limits: Limits,
    /// The texts of the templates that its messages name, by the name of the file.
    pub templates: BTreeMap<String, String>,
    /// How long after a run was decided its places are looked at again, shortest first.
    pub recheck: Vec<Duration>,
    /// The routes that it sets side by side.
    pub compare: Option<RoutePair>,
    /// A site written inline.
    pub site: Option<Site>,
}

/// One round of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name; `None` for the scenario's own round.
    pub name: Option<String>,
    /// The routes, by name; empty: the site's default route.
    pub routes: Vec<String>,
    /// Which recipients take part.
    pub recipients: RecipientFilter,
    /// The kinds of message.
    pub messages: Vec<MessageKind>,
    /// Where they are named; the round's place if they are not.
    pub messages_place: Place,
    /// The case's own expectation, which wins over the recipient's; `None` in the scenario's own round.
    pub expect: Option<Vec<Expectation>>,
    /// Later than this is late.
    pub within: Duration,
    /// Later than this is lost, if we looked.
    pub give_up_after: Duration,
    /// How long to keep looking after the last new copy.
    pub settle: Duration,
    /// What arrived copies must fulfil.
    pub require: Vec<Requirement>,
    /// Where it stands.
    pub place: Place,
}

/// Which recipients take part: those that match in each field that is not empty. Patterns know `*` and `?`, and no case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecipientFilter {
    /// Patterns of roles.
    pub roles: Vec<String>,
    /// Patterns of addresses.
    pub addresses: Vec<String>,
    /// Patterns of domains.
    pub domains: Vec<String>,
    /// Patterns of tags.
    pub tags: Vec<String>,
}

/// What a plan may not exceed; a larger one is refused before anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Probes in all.
    pub probes: Option<u32>,
    /// Probes to one address.
    pub per_mailbox: Option<u32>,
    /// The time between two probes to one address.
    pub spacing: Option<Duration>,
}
