//! What a target is told of a run: only what changed for it, all in one message.
//!
//! A measurement that came to nothing takes no failure back: whoever was told of a failure is told of the recovery only once it passes. What it
//! cannot see: what happened between two runs.

use super::words;
use crate::model::{
    ALERT_SCHEMA, AlertChange, AlertMessage, AlertTarget, Flag, Judged, JudgedProbe, Occasion, Outcome, RunInfo, Standing, Subject, Time,
    Verdict,
};
use ring::digest;
use std::collections::{BTreeMap, BTreeSet};

/// So many changes a message names at most.
const MOST: usize = 40;
/// So many characters of a sentence.
const LONGEST: usize = 400;

/// What a decision is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The run, with its probes explained.
    pub judged: &'a Judged,
    /// Whether it tried all that its scenario names: what it did not try then is no longer there.
    pub complete: bool,
    /// What names the site wherever it is named from.
    pub site: &'a str,
    /// The time now.
    pub now: Time,
}

/// What a decision came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How the subjects stand now, those of other scenarios included.
    pub standings: Vec<Standing>,
    /// What the target is told, if anything.
    pub message: Option<AlertMessage>,
}

/// Decides what a target is told of a run, given how the subjects stood for it before.
pub fn decide(target: &AlertTarget, about: &About<'_>, before: Vec<Standing>) -> Decision {
    let mut standings: BTreeMap<Subject, Standing> = before.into_iter().map(|standing| (standing.subject.clone(), standing)).collect();
    let Some(run) = about.judged.runs.first() else {
        return Decision {
            standings: standings.into_values().collect(),
            message: None,
        };
    };
    let mut changes = Vec::new();
    let mut measured = BTreeSet::new();
    for (subject, probe) in subjects(run, about.judged) {
        measured.insert(subject.clone());
        let Some(found) = finding(probe) else { continue };
        let old = standings.remove(&subject);
        let mut standing = old.unwrap_or_else(|| untroubled(subject.clone(), run.started_at));
        let told = tell(target, &mut standing, found, run, about.now);
        changes.extend(told.map(|(kind, reminder)| change(kind, reminder, probe, standing.since)));
        if found != Finding::Well {
            standings.insert(subject, standing);
        }
    }
    if about.complete {
        let gone = |standing: &Standing| standing.subject.scenario == run.scenario && !measured.contains(&standing.subject);
        for standing in standings.extract_if(.., |_, standing| gone(standing)).map(|(_, standing)| standing) {
            if standing.told.is_some() && target.on.contains(&Occasion::Recovery) {
                changes.push(withdrawn(&standing));
            }
        }
    }
    let open = standings
        .values()
        .filter(|standing| standing.subject.scenario == run.scenario && standing.told.is_some())
        .count();
    Decision {
        message: (!changes.is_empty()).then(|| message(target, about, run, changes, open)),
        standings: standings.into_values().collect(),
    }
}

/// What a measurement found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Well,
    Failing,
    Blind,
}

/// `None`: nothing was tried, because the run was stopped before its turn came.
fn finding(probe: &JudgedProbe) -> Option<Finding> {
    let untried = probe.attempts.is_empty() && probe.flags.contains(&Flag::NotSent);
    match probe.outcome {
        Outcome::Passed | Outcome::Waived => Some(Finding::Well),
        Outcome::Failed => Some(Finding::Failing),
        Outcome::Unknown if untried || probe.verdict == Verdict::Pending => None,
        Outcome::Unknown => Some(Finding::Blind),
    }
}

/// The subjects of a run, each with the gravest of its probes.
fn subjects<'a>(run: &RunInfo, judged: &'a Judged) -> BTreeMap<Subject, &'a JudgedProbe> {
    let grave = |probe: &JudgedProbe| match probe.outcome {
        Outcome::Failed => 2,
        Outcome::Unknown => 1,
        Outcome::Passed | Outcome::Waived => 0,
    };
    let mut subjects: BTreeMap<Subject, &JudgedProbe> = BTreeMap::new();
    for probe in judged.probes.iter().filter(|probe| probe.run == run.id) {
        let subject = Subject {
            scenario: run.scenario.clone(),
            recipient: probe.recipient.to_lowercase(),
            route: probe.route.clone(),
            message: probe.message.clone(),
            case: probe.case.clone(),
        };
        let kept = subjects.entry(subject).or_insert(probe);
        if grave(probe) > grave(kept) {
            *kept = probe;
        }
    }
    subjects
}

fn untroubled(subject: Subject, since: Time) -> Standing {
    Standing {
        subject,
        failing: 0,
        blind: 0,
        since,
        told: None,
        told_at: None,
    }
}

/// Takes a finding in; what the target is told of it, and whether that is a reminder.
fn tell(target: &AlertTarget, standing: &mut Standing, found: Finding, run: &RunInfo, now: Time) -> Option<(Occasion, bool)> {
    let wants = |occasion| target.on.contains(&occasion);
    let (occasion, times) = match found {
        Finding::Well => {
            let told = standing.told.take();
            return (told.is_some() && wants(Occasion::Recovery)).then_some((Occasion::Recovery, false));
        }
        Finding::Failing => {
            if standing.failing == 0 {
                standing.since = run.started_at;
            }
            standing.failing = standing.failing.saturating_add(1);
            standing.blind = 0;
            (Occasion::Failure, standing.failing)
        }
        Finding::Blind => {
            if standing.failing == 0 && standing.blind == 0 {
                standing.since = run.started_at;
            }
            standing.blind = standing.blind.saturating_add(1);
            (Occasion::Unknown, standing.blind)
        }
    };
    let is_news = match standing.told {
        None => times >= target.after,
        Some(told) => told == Occasion::Unknown && occasion == Occasion::Failure && times >= target.after,
    };
    if is_news && wants(occasion) {
        standing.told = Some(occasion);
        standing.told_at = Some(now);
        return Some((occasion, false));
    }
    let remind_at = standing
        .told_at
        .zip(target.remind)
        .map(|(told, after)| crate::model::time::later(told, after));
    if standing.told.is_some() && remind_at.is_some_and(|at| at <= now) {
        standing.told_at = Some(now);
        return Some((occasion, true));
    }
    None
}

fn change(kind: Occasion, reminder: bool, probe: &JudgedProbe, since: Time) -> AlertChange {
    AlertChange {
        kind,
        reminder,
        recipient: probe.recipient.clone(),
        role: probe.role.clone(),
        owner: probe.owner.clone(),
        backup: probe.backup.clone(),
        route: probe.route.clone(),
        message: probe.message.clone(),
        case: probe.case.clone(),
        expected: probe.expected.clone(),
        verdict: probe.verdict.word().to_owned(),
        since,
        explanation: words::plain(&probe.explanation, LONGEST),
        remedy: probe
            .remedy
            .as_deref()
            .filter(|_| kind != Occasion::Recovery)
            .map(|remedy| words::plain(remedy, LONGEST)),
    }
}

fn withdrawn(standing: &Standing) -> AlertChange {
    AlertChange {
        kind: Occasion::Recovery,
        reminder: false,
        recipient: standing.subject.recipient.clone(),
        role: None,
        owner: None,
        backup: None,
        route: standing.subject.route.clone(),
        message: standing.subject.message.clone(),
        case: standing.subject.case.clone(),
        expected: Vec::new(),
        verdict: "withdrawn".to_owned(),
        since: standing.since,
        explanation: "It is no longer measured: the site or the scenario does not name it any more.".to_owned(),
        remedy: None,
    }
}

fn message(target: &AlertTarget, about: &About<'_>, run: &RunInfo, mut changes: Vec<AlertChange>, open: usize) -> AlertMessage {
    changes.sort_by_key(|change| (change.kind, change.reminder));
    let kind = changes.first().map_or(Occasion::Recovery, |change| change.kind);
    let title = words::title(&changes, open);
    let left_out = changes.len().saturating_sub(MOST);
    changes.truncate(MOST);
    AlertMessage {
        schema: ALERT_SCHEMA.to_owned(),
        id: name(&[about.site, &target.name, run.id.as_str()]),
        thread: name(&[about.site, &target.name, "scenario", &run.scenario]),
        kind,
        resolved: open == 0 && kind == Occasion::Recovery,
        title,
        at: about.now,
        site: run.site.clone(),
        scenario: Some(run.scenario.clone()),
        run: Some(run.id.to_string()),
        change: run.change.clone(),
        open,
        changes,
        left_out,
    }
}

/// What a target that wants it is told of runs that a schedule missed.
pub fn missed(target: &AlertTarget, site: (&str, &str), schedule: &str, sentence: &str, due: Time, now: Time) -> Option<AlertMessage> {
    target.on.contains(&Occasion::Missed).then(|| AlertMessage {
        id: name(&[site.0, &target.name, "missed", schedule, &crate::model::time::shown(due)]),
        thread: name(&[site.0, &target.name, "schedule", schedule]),
        kind: Occasion::Missed,
        title: words::plain(sentence, LONGEST),
        ..bare(site.1, now)
    })
}

/// A message that tries whether alerts arrive, and another that ends what it began.
pub fn trial(target: &AlertTarget, site: (&str, &str), now: Time) -> [AlertMessage; 2] {
    let shown = crate::model::time::shown(now);
    let thread = name(&[site.0, &target.name, "trial", &shown]);
    let of = |kind: Occasion, title: &str| AlertMessage {
        id: name(&[site.0, &target.name, "trial", kind.word(), &shown]),
        thread: thread.clone(),
        kind,
        resolved: kind == Occasion::Recovery,
        title: title.to_owned(),
        ..bare(site.1, now)
    };
    [
        of(Occasion::Test, "This is a trial: alerts of mailflow arrive here"),
        of(Occasion::Recovery, "The trial of mailflow's alerts is over"),
    ]
}

fn bare(site: &str, now: Time) -> AlertMessage {
    AlertMessage {
        schema: ALERT_SCHEMA.to_owned(),
        id: String::new(),
        thread: String::new(),
        kind: Occasion::Test,
        resolved: false,
        title: String::new(),
        at: now,
        site: site.to_owned(),
        scenario: None,
        run: None,
        change: None,
        open: 0,
        changes: Vec::new(),
        left_out: 0,
    }
}

/// A name that is the same wherever and whenever it is made of the same.
fn name(parts: &[&str]) -> String {
    let digest = digest::digest(&digest::SHA256, parts.join("\n").as_bytes());
    format!("mailflow-{}", data_encoding::HEXLOWER.encode(&digest.as_ref()[..16]))
}
