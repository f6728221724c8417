//! The notice of a run: what the security team and the help desk are told before its probes leave.
//!
//! What it cannot know: the tags, which are made anew when the run begins, and by which addresses a submission host sends on, unless the site states
//! them.

mod alarm;
mod markdown;
mod query;
mod terminal;
#[cfg(test)]
mod tests;

use super::{Format, ReportError, counted, escape};
use crate::compose::{Heading, heading};
use crate::model::{Plan, Probe, RouteKind, Site, Time, time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The formats that a notice has.
const FORMATS: [Format; 2] = [Format::Terminal, Format::Markdown];
/// So many addresses, or subjects, are listed.
const LISTED: usize = 200;
/// What stands for a tag in a subject.
const TAG: &str = "TAG";
/// What stands for the code of a verification notice.
const CODE: &str = "CODE";

/// A notice: what it says, part by part, whatever the format. Its texts are unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    title: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// Empty for what follows the title.
    title: &'static str,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    /// A paragraph.
    Text(String),
    /// What is called how.
    Facts(Vec<(&'static str, String)>),
    /// Words to be taken as they are, a line each.
    Literal(Vec<String>),
    /// Sentences.
    List(Vec<String>),
    /// To be pasted into a program of that kind.
    Code(&'static str, String),
}

/// When and from where.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// When the run is to begin.
    pub begins: Time,
    /// Whether that is planned; if not, it is now.
    pub planned: bool,
    /// The name of this machine.
    pub host: &'a str,
}

/// Refuses the formats that a notice does not have.
///
/// # Errors
/// If there is one of them.
pub fn refuse_others(formats: impl IntoIterator<Item = Format>) -> Result<(), ReportError> {
    match formats.into_iter().find(|format| !FORMATS.contains(format)) {
        Some(format) => Err(ReportError::NoNotice(format, FORMATS.map(Format::word).join(", "))),
        None => Ok(()),
    }
}

/// The notice in that format, ready to be written, with a line break at the end.
///
/// # Errors
/// If it has no such format.
pub fn render_notice(format: Format, notice: &Notice) -> Result<Vec<u8>, ReportError> {
    match format {
        Format::Terminal => Ok(terminal::render(notice).into_bytes()),
        Format::Markdown => Ok(markdown::render(notice).into_bytes()),
        _ => Err(ReportError::NoNotice(format, FORMATS.map(Format::word).join(", "))),
    }
}

impl Notice {
    /// The notice of a plan for this site.
    pub fn of(plan: &Plan, site: &Site, circumstances: Circumstances<'_>) -> Self {
        let headings: Vec<Heading> = plan.probes.iter().map(|probe| heading(plan, probe)).collect();
        let from: BTreeSet<&str> = headings.iter().map(|heading| heading.address.as_str()).collect();
        let addresses: BTreeSet<&str> = plan.probes.iter().map(|probe| plan.recipient(probe).address.as_str()).collect();
        let window = window(plan, site, circumstances.begins);
        let parts = vec![
            Part {
                title: "",
                blocks: vec![
                    Block::Text(format!(
                        "For the security team and the help desk. mailflow will send {} to {}, to measure whether mail reaches them. \
                         {} says that it is a test. Nothing has been sent yet.",
                        counted(plan.probes.len(), "test message (a probe)", "test messages (probes)"),
                        counted(addresses.len(), "address", "addresses"),
                        if plan.templates.is_empty() {
                            "Each message"
                        } else {
                            "Each but those from files of our own"
                        }
                    )),
                    Block::Facts(facts(plan, circumstances, &window)),
                ],
            },
            senders(plan, &headings),
            Part {
                title: "Recipients",
                blocks: vec![Block::Literal(bounded(&addresses))],
            },
            subjects(plan, &headings),
            sources(plan, site, circumstances.host),
            alarm::part(plan),
            query::recognition(plan),
            query::labels(&from, plan, window),
            help_desk(plan),
        ];
        Self {
            title: format!("Notice of a mail-flow test: {}", plan.run.scenario),
            parts: parts.into_iter().filter(|part| !part.blocks.is_empty()).collect(),
        }
    }
}

/// When the last probe leaves, when all should be over, and when it is at the latest.
#[derive(Debug, Clone, Copy)]
struct Window {
    begins: Time,
    left: Time,
    likely: Time,
    latest: Time,
}

fn window(plan: &Plan, site: &Site, begins: Time) -> Window {
    let longest = |of: fn(&Probe) -> Duration| plan.probes.iter().map(of).max().unwrap_or_default();
    let mut by_route: BTreeMap<&str, u32> = BTreeMap::new();
    for probe in &plan.probes {
        *by_route.entry(&probe.route).or_default() += 1;
    }
    let throttled = by_route.into_iter().filter_map(|(route, probes)| {
        let rate = site.route(route)?.rate?;
        Some(rate.per.saturating_mul(probes.div_ceil(rate.messages.max(1)).saturating_sub(1)))
    });
    let sending = longest(|probe| probe.not_before).max(throttled.max().unwrap_or_default());
    let settle = longest(|probe| probe.settle);
    let trace = plan.traces.values().max().copied().unwrap_or_default();
    let after = |wait: Duration| time::later(begins, sending.saturating_add(wait).saturating_add(settle));
    Window {
        begins,
        left: time::later(begins, sending),
        likely: after(longest(|probe| probe.within)),
        latest: after(longest(|probe| probe.give_up_after).saturating_add(trace)),
    }
}

fn facts(plan: &Plan, circumstances: Circumstances<'_>, window: &Window) -> Vec<(&'static str, String)> {
    let shown = |at: Time| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let run = &plan.run;
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for probe in &plan.probes {
        *kinds.entry(probe.message.to_string()).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let contacts: BTreeSet<&str> = plan
        .senders
        .iter()
        .map(|sender| sender.contact.as_deref().unwrap_or(&sender.address))
        .collect();
    let begins = shown(window.begins);
    let mut facts = vec![("Test", run.scenario.clone())];
    facts.extend(run.description.clone().map(|why| ("Purpose", why)));
    facts.extend(run.change.clone().map(|change| ("Change", change)));
    facts.extend(run.origin.operator.clone().map(|operator| ("Operator", operator)));
    facts.push(("Questions to", contacts.into_iter().collect::<Vec<_>>().join(", ")));
    facts.push(("Begins", if circumstances.planned { begins } else { format!("now ({begins})") }));
    if window.left > window.begins {
        facts.push(("Sent until", format!("about {}", shown(window.left))));
    }
    facts.push((
        "Ends",
        format!(
            "by {} if mail is on time; at the latest about {}, until when mail that is missing is waited for and refused mail is tried again",
            shown(window.likely),
            shown(window.latest)
        ),
    ));
    if !plan.recheck.is_empty() {
        facts.push(("Afterwards", "the mailboxes are looked at again; nothing more is sent".to_owned()));
    }
    facts.push(("Messages", format!("{}: {}", plan.probes.len(), kinds.join(", "))));
    facts
}

/// Who they seem to come from, and who they come from.
fn senders(plan: &Plan, headings: &[Heading]) -> Part {
    let lines: BTreeSet<String> = plan
        .probes
        .iter()
        .zip(headings)
        .map(|(probe, heading)| {
            let sender = plan.sender(probe);
            let envelope = match (&sender.subaddress, sender.envelope.rsplit_once('@')) {
                (Some(separator), Some((local, domain))) => format!("{local}{separator}{TAG}@{domain}"),
                _ => sender.envelope.clone(),
            };
            let pretends = if probe.message.impersonates() {
                format!(" (pretended, by {} messages only)", probe.message)
            } else {
                String::new()
            };
            format!(
                "From {} <{}>, envelope sender <{envelope}>{pretends}",
                heading.name, heading.address
            )
        })
        .collect();
    Part {
        title: "Senders",
        blocks: vec![Block::List(lines.into_iter().collect())],
    }
}

fn subjects(plan: &Plan, headings: &[Heading]) -> Part {
    let subjects: BTreeSet<String> = plan
        .probes
        .iter()
        .zip(headings)
        .map(|(probe, heading)| pattern(&heading.subject, probe))
        .collect();
    let subjects: BTreeSet<&str> = subjects.iter().map(String::as_str).collect();
    let code = if subjects.iter().any(|subject| subject.contains(CODE)) {
        format!("; {CODE} for six digits")
    } else {
        String::new()
    };
    Part {
        title: "Subjects",
        blocks: vec![
            Block::Literal(bounded(&subjects)),
            Block::Text(format!(
                "{TAG} stands for 42 characters of a-z and 2-7, in each message others{code}. \
                 Gateways may add to a subject, such as [EXTERNAL]."
            )),
        ],
    }
}

/// A subject without what is made anew for each message.
fn pattern(subject: &str, probe: &Probe) -> String {
    let subject = subject.replace(probe.tag.as_str(), TAG);
    match subject
        .split_once("code ")
        .filter(|_| probe.message == crate::model::MessageKind::Verification)
    {
        Some((before, rest)) => format!(
            "{before}code {CODE}{}",
            rest.trim_start_matches(|digit: char| digit.is_ascii_digit())
        ),
        None => subject,
    }
}

/// By which ways they come, as far as the site tells.
fn sources(plan: &Plan, site: &Site, host: &str) -> Part {
    let used: BTreeSet<&str> = plan.probes.iter().map(|probe| probe.route.as_str()).collect();
    let mut lines: Vec<String> = used
        .into_iter()
        .map(|name| {
            let hops: BTreeSet<String> = plan
                .probes
                .iter()
                .filter(|probe| probe.route == name)
                .filter_map(|probe| match probe.hop.as_ref()? {
                    (hop, Some(connect)) => Some(format!("{hop} (at {connect})")),
                    (hop, None) => Some(hop.clone()),
                })
                .collect();
            let hops = hops.into_iter().collect::<Vec<_>>().join(", ");
            let way = match site.route(name).map(|route| &route.kind) {
                Some(RouteKind::Smtp(smtp)) => match &smtp.sign_in {
                    Some(sign_in) => format!(
                        "submitted to {hops}, port {}, as {}; the mail then comes from that service's hosts",
                        smtp.endpoint.port,
                        sign_in.user()
                    ),
                    None => format!("from this machine to {hops}, port {}", smtp.endpoint.port),
                },
                Some(RouteKind::Graph(graph)) => {
                    let app = site
                        .tenant(&graph.tenant)
                        .map(|tenant| format!(" {}, app {}", tenant.tenant_id, tenant.client_id))
                        .unwrap_or_default();
                    format!("by Microsoft Graph from the mailbox {} inside the tenant{app}", graph.user)
                }
                Some(RouteKind::Mx(mx)) => format!("from this machine to the MX hosts of each recipient's domain, port {}", mx.port),
                None => "not described by the site".to_owned(),
            };
            format!("{name}: {way}")
        })
        .collect();
    for sender in plan.senders.iter().filter(|sender| !sender.sending_addresses.is_empty()) {
        let addresses: Vec<String> = sender.sending_addresses.iter().map(ToString::to_string).collect();
        lines.push(format!("Mail of {} leaves from {}.", sender.address, addresses.join(", ")));
    }
    lines.push(format!(
        "This machine is {host}. By which address it is seen depends on the network."
    ));
    Part {
        title: "Sources",
        blocks: vec![Block::List(lines)],
    }
}

fn help_desk(plan: &Plan) -> Part {
    let contact = plan.senders.iter().find_map(|sender| sender.contact.as_deref());
    let ask = contact.map_or_else(String::new, |contact| format!(" More is known by {contact}."));
    Part {
        title: "For the help desk",
        blocks: vec![Block::Text(format!(
            "Whoever asks about such a message: it is a test of the mail system, nothing is to be done, and no answer is needed. It asks for no \
             password, and no link in it has to be followed. Please leave it where it is, in quarantine too: where it lies is what is measured.{ask}"
        ))],
    }
}

/// As many as are listed, and how many there are beyond.
fn bounded(all: &BTreeSet<&str>) -> Vec<String> {
    let mut lines: Vec<String> = all.iter().take(LISTED).map(|&line| line.to_owned()).collect();
    if let Some(more @ 1..) = all.len().checked_sub(LISTED) {
        lines.push(format!("… and {more} more, all of which `mailflow plan` lists"));
    }
    lines
}

/// Text as people see it.
fn shown(text: &str) -> String {
    escape(text).into_owned()
}

/// A line of code as people see it, with the spaces that it begins with.
fn indented(line: &str) -> String {
    let code = line.trim_start_matches(' ');
    format!("{}{}", &line[..line.len() - code.len()], escape(code))
}
