//! A plan: every probe of a run, with all that judging needs. It is the first thing that the journal holds.

use super::{
    Expectation, MailboxName, MessageKind, Origin, PathRule, Place, ProbeId, Recipient, Requirement, RoutePair, RunId, Scope, Sender, Tag,
    Time, pattern::matches, time,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// What will go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The run.
    pub run: RunInfo,
    /// The recipients that take part; probes refer to them by index.
    pub recipients: Vec<Recipient>,
    /// The senders that take part; probes refer to them by index.
    pub senders: Vec<Sender>,
    /// Every mailbox that is watched: those of the recipients, of quarantines and senders, and all others that the site names.
    pub mailboxes: Vec<MailboxName>,
    /// Which mailbox belongs to which address (lower case): binds a bounce that names a member of a group to that member.
    #[serde(default)]
    pub addresses: BTreeMap<String, MailboxName>,
    /// The probes, in the order in which they leave.
    pub probes: Vec<Probe>,
    /// The least time between two probes to one recipient (`spacing`).
    #[serde(default)]
    pub spacing: Duration,
    /// Those of the mailboxes that are not read, because only a message trace may speak for them, and the traces themselves; each with its delay.
    #[serde(default)]
    pub traces: BTreeMap<MailboxName, Duration>,
    /// The ways that the site gives names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathRule>,
    /// The texts of the templates that probes name, so that whoever takes the run up composes the same messages.
    #[serde(default)]
    pub templates: BTreeMap<String, String>,
    /// How long after the run was decided its places are looked at again (`recheck`), shortest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recheck: Vec<Duration>,
    /// What took no part, and by what right the run looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

impl Plan {
    /// The recipient of a probe.
    pub fn recipient(&self, probe: &Probe) -> &Recipient {
        &self.recipients[probe.recipient]
    }

    /// The sender of a probe.
    pub fn sender(&self, probe: &Probe) -> &Sender {
        &self.senders[probe.sender]
    }
}

/// A run, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Its id: the first nine characters of its tags.
    pub id: RunId,
    /// The scenario's name.
    pub scenario: String,
    /// The site's file.
    pub site: String,
    /// When the run started.
    #[serde(with = "time::millis")]
    pub started_at: Time,
    /// When everything was decided; null while it is not.
    #[serde(with = "time::millis_option", default)]
    pub finished_at: Option<Time>,
    /// mailflow's version.
    pub version: String,
    /// The change number given with `--change`.
    #[serde(default)]
    pub change: Option<String>,
    /// What the scenario is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The routes that the scenario sets side by side (`compare`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<RoutePair>,
    /// Who started it, from which files, as which round of a night.
    #[serde(flatten)]
    pub origin: Origin,
}

/// The next hop of a named route: the host, and the address (with a port, if need be) to connect to instead.
pub type NextHop = (String, Option<String>);

/// One probe: recipient x route x message, in a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its id.
    pub id: ProbeId,
    /// Its tag.
    pub tag: Tag,
    /// Its Message-ID, with the angle brackets.
    pub message_id: String,
    /// Index into [`Plan::recipients`].
    pub recipient: usize,
    /// Index into [`Plan::senders`].
    pub sender: usize,
    /// The route, by name.
    pub route: String,
    /// The next hop of a named route, with `{domain.x}` filled in; `None`: by DNS.
    pub hop: Option<NextHop>,
    /// The kind of message.
    pub message: MessageKind,
    /// The case; `None` for the scenario's own round.
    pub case: Option<String>,
    /// Any of these passes.
    pub expected: Vec<Expectation>,
    /// Where that is said: in the scenario, or the site.
    pub expected_at: Place,
    /// Later than this is late.
    pub within: Duration,
    /// Later than this is lost, if we looked.
    pub give_up_after: Duration,
    /// How long to keep looking after the last new copy.
    pub settle: Duration,
    /// What arrived copies must fulfil.
    pub require: Vec<Requirement>,
    /// How long after the run's start it may leave (`spacing`).
    pub not_before: Duration,
    /// Whether it stays inside a tenant of Microsoft 365, and so skips the inbound edge.
    #[serde(default)]
    pub internal: bool,
}

/// Where a quarantine would hold a recipient's mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum QuarantinePolicy {
    /// The site does not say.
    #[default]
    Unsaid,
    /// There is none.
    None,
    /// There is one that nobody can read: a loss stays unknown.
    Unreadable,
    /// In these mailboxes, among which may be message traces; if there are none, in the recipient's own, whose folder the site names.
    Mailboxes(Vec<MailboxName>),
}

impl QuarantinePolicy {
    /// The mailboxes that hold.
    pub fn mailboxes(&self) -> &[MailboxName] {
        match self {
            Self::Mailboxes(names) => names,
            _ => &[],
        }
    }
}

impl Subset {
    /// Whether something of this recipient, role and route is asked for: each kind of subset narrows further, several of one kind widen each other.
    pub fn all_allow(only: &[Self], recipient: &str, role: Option<&str>, route: &str) -> bool {
        let domain = recipient.rsplit('@').next().unwrap_or_default();
        let fits = |subset: &Self| match subset {
            Self::Recipient(pattern) => matches(pattern, recipient),
            Self::Role(pattern) => role.is_some_and(|role| matches(pattern, role)),
            Self::Route(pattern) => matches(pattern, route),
            Self::Domain(pattern) => matches(pattern, domain),
        };
        only.iter().all(|one| {
            let same_kind = |other: &&Self| std::mem::discriminant(*other) == std::mem::discriminant(one);
            only.iter().filter(same_kind).any(fits)
        })
    }
}

/// `--only`: one way of narrowing a plan. Patterns know `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subset {
    /// Recipients whose address matches.
    Recipient(String),
    /// Recipients whose role matches.
    Role(String),
    /// Routes whose name matches.
    Route(String),
    /// Recipients whose domain matches.
    Domain(String),
}
