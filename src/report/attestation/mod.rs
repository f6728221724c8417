//! The attestation: one printed page for whoever must sign or audit. It answers first whether a notice can reach each role, then on what that rests.
//!
//! What it cannot attest: more than the runs measured and the journal holds. What was not tried, not read or not kept is said to be so.

mod answer;
mod holders;
mod limits;
#[cfg(test)]
mod tests;

use super::ReportError;
use super::html::{Frame, Reach, page};
use crate::model::{Judged, MailboxName, Outcome, Plan, RunInfo, Time};
use askama::Template;
use holders::Role;
use std::collections::{BTreeMap, BTreeSet};

/// What the journal holds beside the judged runs. Without it the page says what is not known.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// When the page is made.
    pub made_at: Option<Time>,
    /// The plans of the runs.
    pub plans: Vec<Plan>,
    /// When a probe of the scenario's own round was last proven to have arrived where a person can read it, by address in lower case.
    pub last_proven: BTreeMap<String, Time>,
    /// How many copies `mailflow clean` has removed since.
    pub removed: BTreeMap<MailboxName, u32>,
    /// The change number that is given now, for runs that have none.
    pub change: Option<String>,
}

#[derive(Template)]
#[template(path = "attestation.html", config = "src/report/html/askama.toml")]
struct Content<'a> {
    outcome: Outcome,
    answer: String,
    remarks: Vec<String>,
    facts: Vec<(&'static str, String)>,
    runs: Vec<Vec<(&'static str, String)>>,
    roles: Vec<Role<'a>>,
    waivers: Vec<limits::Waived>,
    untested: Vec<String>,
    access: Vec<String>,
    left: Vec<String>,
}

/// The page.
///
/// # Errors
/// If the template fails; nothing is known to make it.
pub fn render_attestation(judged: &Judged, account: &Account) -> Result<Vec<u8>, ReportError> {
    let roles = holders::roles(judged, account);
    let (outcome, answer) = answer::answer(judged, &answer::untested_roles(judged, account));
    let content = Content {
        outcome,
        answer,
        remarks: answer::remarks(judged),
        facts: facts(judged, account),
        runs: judged.runs.iter().map(run).collect(),
        roles,
        waivers: limits::waivers(judged, account),
        untested: limits::untested(judged, account),
        access: limits::access(account),
        left: limits::left(judged, account),
    };
    let changes = changes(judged, account);
    let title = if changes.is_empty() {
        "Attestation of reachability – mailflow".to_owned()
    } else {
        format!("Attestation of reachability, {changes} – mailflow")
    };
    let versions: BTreeSet<&str> = judged.runs.iter().map(|run| run.version.as_str()).collect();
    let footer = [format!(
        "Measured by mailflow {}. Times are in UTC, by the clock of the machine that measured. Reached is only what was seen, reported by the \
         provider or returned as expected; what could not be measured counts as not proven. Last proven is what the journal of that machine \
         holds. The JSON report of the run has the evidence.",
        versions.into_iter().collect::<Vec<_>>().join(", ")
    )];
    let frame = Frame {
        title: &title,
        kind: "attestation",
        links: &[],
        footer: &footer,
        script: "",
        reach: Reach::Alone,
    };
    Ok(page(&frame, &content)?.html.into_bytes())
}

/// A time as the page shows it.
fn shown(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// The change numbers of all.
fn changes(judged: &Judged, account: &Account) -> String {
    let changes: BTreeSet<&str> = judged.runs.iter().filter_map(|run| run.change.as_deref()).collect();
    match (&account.change, changes.is_empty()) {
        (Some(change), true) => format!("{change} (given when this page was made)"),
        _ => changes.into_iter().collect::<Vec<_>>().join(", "),
    }
}

fn facts(judged: &Judged, account: &Account) -> Vec<(&'static str, String)> {
    let or_unknown = |text: String, unknown: &str| if text.is_empty() { unknown.to_owned() } else { text };
    let operators: BTreeSet<&str> = judged.runs.iter().filter_map(|run| run.origin.operator.as_deref()).collect();
    let routes: BTreeSet<&str> = judged.probes.iter().map(|probe| probe.route.as_str()).collect();
    let messages: BTreeSet<&str> = judged.probes.iter().map(|probe| probe.message.as_str()).collect();
    let senders: BTreeSet<&str> = judged.probes.iter().map(|probe| probe.sender.as_str()).collect();
    let listed = |words: BTreeSet<&str>| or_unknown(words.into_iter().collect::<Vec<_>>().join(", "), "none");
    let mut facts = vec![
        ("Change", or_unknown(changes(judged, account), "none given")),
        (
            "Operator",
            or_unknown(operators.into_iter().collect::<Vec<_>>().join(", "), "not kept"),
        ),
        ("Sent from", listed(senders)),
        ("Routes", listed(routes)),
        ("Messages", listed(messages)),
    ];
    facts.extend(account.made_at.map(|at| ("Page made", shown(at))));
    facts
}

/// What names a run and the files that it was made from.
fn run(run: &RunInfo) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Run", format!("{} of “{}”", run.id, run.scenario)),
        (
            "Measured",
            match run.finished_at {
                Some(finished) => format!("{} to {}", shown(run.started_at), shown(finished)),
                None => format!("from {}, not ended yet", shown(run.started_at)),
            },
        ),
    ];
    for (kind, label) in [("site", "SHA-256 of the site"), ("scenario", "SHA-256 of the scenario")] {
        let file = run.origin.files.iter().find(|file| file.kind == kind);
        let carried = kind == "site" && file.is_none() && run.origin.files.iter().any(|file| file.file == run.site);
        facts.push((
            label,
            match file {
                Some(file) => format!("{} ({})", file.sha256, file.file),
                None if carried => "stands in the scenario".to_owned(),
                None => "not kept".to_owned(),
            },
        ));
    }
    facts
}
