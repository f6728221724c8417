//! What an auditor asks next: what was accepted, what was not tested, by what right it was looked, what is left behind.

use super::{Account, shown};
use crate::model::{Judged, MailboxName, Outcome, Plan, QuarantinePolicy, Recipient};
use crate::report::counted;
use std::collections::{BTreeMap, BTreeSet};

/// So many names are listed one by one.
const NAMED: usize = 6;

/// A failure that somebody accepted.
#[derive(Debug)]
pub struct Waived {
    /// The address.
    pub address: String,
    /// What is accepted, until when, by which ticket.
    pub what: String,
    /// The last day.
    pub until: String,
    /// Who accepted it.
    pub approver: String,
    /// Whether it was needed, or has ended.
    pub state: &'static str,
}

/// The waivers of all recipients that took part.
pub fn waivers(judged: &Judged, account: &Account) -> Vec<Waived> {
    let mut all = BTreeMap::new();
    for recipient in account.plans.iter().flat_map(|plan| &plan.recipients) {
        let Some(known) = &recipient.known else { continue };
        let needed = judged
            .probes
            .iter()
            .any(|probe| probe.outcome == Outcome::Waived && probe.recipient.eq_ignore_ascii_case(&recipient.address));
        let ended = account.made_at.is_some_and(|at| at.date_naive() > known.until);
        let verdicts: Vec<String> = known.verdicts.iter().map(ToString::to_string).collect();
        let ticket = known.ticket.as_ref().map(|ticket| format!(", {ticket}")).unwrap_or_default();
        all.insert(
            recipient.address.to_lowercase(),
            Waived {
                address: recipient.address.clone(),
                what: format!("{}{ticket}", verdicts.join(" or ")),
                until: known.until.to_string(),
                approver: known.approved_by.clone().unwrap_or_else(|| "nobody named".to_owned()),
                state: match (ended, needed) {
                    (true, _) => "has ended",
                    (false, true) => "was needed",
                    (false, false) => "was not needed",
                },
            },
        );
    }
    all.into_values().collect()
}

/// What was not tested, a sentence each.
pub fn untested(judged: &Judged, account: &Account) -> Vec<String> {
    let mut said = Vec::new();
    for (mailbox, reason) in &judged.blind {
        said.push(format!("Mailbox {mailbox} could not be read: {reason}"));
    }
    let traced: BTreeSet<&str> = account
        .plans
        .iter()
        .flat_map(|plan| plan.recipients.iter().map(move |recipient| (plan, recipient)))
        .flat_map(|(plan, recipient)| recipient.meant.iter().filter(|name| plan.traces.contains_key(*name)))
        .map(MailboxName::as_str)
        .collect();
    tell(&mut said, "Not opened, on purpose; only the message trace speaks for", &traced);
    let of = |wanted: fn(&Recipient) -> bool| -> BTreeSet<&str> {
        let recipients = account.plans.iter().flat_map(|plan: &Plan| &plan.recipients);
        recipients
            .filter(|recipient| wanted(recipient))
            .map(|recipient| recipient.address.as_str())
            .collect()
    };
    tell(
        &mut said,
        "No mailbox to look into is known for",
        &of(|recipient| recipient.meant.is_empty()),
    );
    let unreadable = of(|recipient| recipient.quarantine == QuarantinePolicy::Unreadable);
    tell(&mut said, "The quarantine cannot be read for", &unreadable);
    let scopes: Vec<_> = account.plans.iter().filter_map(|plan| plan.scope.as_ref()).collect();
    if scopes.is_empty() {
        said.push("Which recipients and routes of the site took no part was not kept.".to_owned());
    }
    let left_out: BTreeSet<&str> = scopes
        .iter()
        .flat_map(|scope| &scope.left_out)
        .map(|left_out| left_out.address.as_str())
        .collect();
    tell(&mut said, "Took no part (left out by the scenario or on request):", &left_out);
    let routes: BTreeSet<&str> = scopes.iter().flat_map(|scope| scope.routes.iter().map(String::as_str)).collect();
    let used = |route: &&str| judged.probes.iter().any(|probe| probe.route == **route);
    let unused: BTreeSet<&str> = routes.into_iter().filter(|route| !used(route)).collect();
    tell(&mut said, "Routes of the site by which nothing was sent:", &unused);
    let unknown = judged.probes.iter().filter(|probe| probe.outcome == Outcome::Unknown).count();
    if unknown > 0 {
        said.push(format!("{} not be measured.", counted(unknown, "probe could", "probes could")));
    }
    said.push(
        "Mail of those who send real notices, such as vendors and authorities: they must not be imitated. That probes arrive does not prove that \
         their mail is treated alike."
            .to_owned(),
    );
    said.push("Whether a person reads what has arrived.".to_owned());
    said
}

/// By what right it was looked and sent.
pub fn access(account: &Account) -> Vec<String> {
    let scopes: Vec<_> = account.plans.iter().filter_map(|plan| plan.scope.as_ref()).collect();
    if scopes.is_empty() {
        return vec!["Not kept with the run.".to_owned()];
    }
    let mut access: Vec<String> = Vec::new();
    for line in scopes.iter().flat_map(|scope| &scope.access) {
        if !access.contains(line) {
            access.push(line.clone());
        }
    }
    if let Some(more @ 1..) = access.len().checked_sub(2 * NAMED) {
        access.truncate(2 * NAMED);
        access.push(format!("and {more} more sign-ins, which the site names"));
    }
    access.push("Only messages with a verified tag were read whole; nothing of others was kept.".to_owned());
    access
}

/// What lies in the mailboxes still, as far as was seen.
pub fn left(judged: &Judged, account: &Account) -> Vec<String> {
    let mut present: BTreeMap<&MailboxName, u32> = BTreeMap::new();
    for sighting in judged.probes.iter().flat_map(|probe| &probe.sightings) {
        *present.entry(&sighting.mailbox).or_default() += u32::from(sighting.until.is_none());
    }
    let removed: u32 = account.removed.values().sum();
    for (mailbox, removed) in &account.removed {
        if let Some(count) = present.get_mut(mailbox) {
            *count = count.saturating_sub(*removed);
        }
    }
    present.retain(|_, count| *count > 0);
    let copies: u32 = present.values().sum();
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let mut said = Vec::new();
    if removed > 0 {
        said.push(format!(
            "mailflow has removed {} since.",
            counted(count(removed), "message", "messages")
        ));
    }
    if copies == 0 {
        said.push("No copy of a probe that was seen is known to be left.".to_owned());
    } else {
        let names: BTreeSet<&str> = present.keys().map(|name| name.as_str()).collect();
        let runs: Vec<&str> = judged.runs.iter().map(|run| run.id.as_str()).collect();
        tell(
            &mut said,
            &format!(
                "{} in {}, when last looked:",
                counted(count(copies), "copy of a probe lay", "copies of probes lay"),
                counted(present.len(), "mailbox", "mailboxes")
            ),
            &names,
        );
        said.push(format!("mailflow clean {} removes them, and nothing else.", runs.join(" ")));
    }
    let returned = judged.probes.iter().filter(|probe| probe.dsn.is_some()).count();
    if returned > 0 {
        said.push(format!(
            "{} came back to the senders' mailboxes.",
            counted(returned, "delivery status notification", "delivery status notifications")
        ));
    }
    let looked = judged.runs.iter().filter_map(|run| run.finished_at).max();
    said.extend(looked.map(|at| {
        format!(
            "The last look of the run was at {} or before; what people moved or deleted later is not known.",
            shown(at)
        )
    }));
    said
}

/// A sentence with names behind it, if there are any.
fn tell(said: &mut Vec<String>, what: &str, names: &BTreeSet<&str>) {
    if names.is_empty() {
        return;
    }
    let first: Vec<&str> = names.iter().copied().take(NAMED).collect();
    let more = names.len() - first.len();
    let and = if more > 0 { format!(" and {more} more") } else { String::new() };
    said.push(format!("{what} {}{and}.", first.join(", ")));
}
