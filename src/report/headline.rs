//! Everything in one sentence: how many passed and which run it was, or what is wrong and with whom.

#![expect(
    clippy::format_push_string,
    reason = "the texts are short, and `write!` would make each line ignore an error that cannot be"
)]

use super::comparison::parity;
use super::order::{rank, worst_first};
use super::text::counted;
use crate::explain::{alternatives, span};
use crate::model::{Flag, Judged, JudgedProbe, Outcome, Ready, RoleSummary, Verdict, time};

/// How many runs are named.
const RUNS: usize = 8;
/// How many recipients are named.
const WHO: usize = 2;
/// How many roles are named.
const NAMED: usize = 3;

/// The worst outcome, and everything in one sentence.
pub fn headline(judged: &Judged) -> (Outcome, String) {
    let summary = &judged.summary;
    let outcome = worst(judged);
    let mut sentence = if summary.probes == 0 {
        "Nothing to do: there are no probes".to_owned()
    } else {
        let noun = if summary.probes == 1 { "probe" } else { "probes" };
        format!("{} of {} {noun} passed", summary.passed, summary.probes)
    };
    for (count, word) in [(summary.failed, "failed"), (summary.waived, "waived"), (summary.unknown, "unknown")] {
        if count > 0 {
            sentence.push_str(&format!(", {count} {word}"));
        }
    }
    for unlike in not_alike(judged) {
        sentence.push_str(&format!("; {unlike}"));
    }
    match judged.runs.as_slice() {
        [] => {}
        [run] => {
            sentence.push_str(&format!("; run {} of “{}”", run.id, run.scenario));
            if let Some(change) = &run.change {
                sentence.push_str(&format!(" for {change}"));
            }
            sentence.push_str(&format!(", started {} UTC", run.started_at.format("%Y-%m-%d %H:%M:%S")));
            sentence.push_str(&match run.finished_at {
                Some(finished) => format!(", took {}", span(time::milliseconds(run.started_at, finished))),
                None => ", not ended yet".to_owned(),
            });
        }
        runs => {
            let ids: Vec<&str> = runs.iter().take(RUNS).map(|run| run.id.as_str()).collect();
            let more = if runs.len() > RUNS {
                format!(" and {} more", runs.len() - RUNS)
            } else {
                String::new()
            };
            sentence.push_str(&format!("; {} runs: {}{more}", runs.len(), ids.join(", ")));
        }
    }
    sentence.push('.');
    (outcome, sentence)
}

/// What is wrong, with whom, and which roles nobody can be reached for: short enough for a heading. The texts of the site are unescaped.
pub fn in_brief(judged: &Judged) -> (Outcome, String) {
    let summary = &judged.summary;
    let probes = counted(usize::try_from(summary.probes).unwrap_or(usize::MAX), "probe", "probes");
    let outcome = worst(judged);
    let mut sentence = match (summary.failed, summary.unknown) {
        _ if summary.probes == 0 => "Nothing to do: there are no probes".to_owned(),
        (0, 0) if summary.waived > 0 => format!("{} of {probes} passed, {} waived", summary.passed, summary.waived),
        (0, 0) if summary.probes == 1 => "The one probe passed".to_owned(),
        (0, 0) => format!("All {probes} passed"),
        (0, unknown) => format!("{unknown} of {probes} could not be measured{}", who(judged, Outcome::Unknown)),
        (failed, _) => format!("{failed} of {probes} failed{}", who(judged, Outcome::Failed)),
    };
    for unlike in not_alike(judged) {
        sentence.push_str(&format!("; {unlike}"));
    }
    let mut roles: Vec<&RoleSummary> = judged.roles.iter().filter(|role| role.outcome != Outcome::Passed).collect();
    roles.sort_by_key(|role| rank(role.outcome));
    for (outcome, unreached) in [
        (Outcome::Failed, "nobody who holds {} can be reached"),
        (Outcome::Unknown, "whether anybody who holds {} can be reached is not known"),
    ] {
        let names: Vec<String> = roles
            .iter()
            .filter(|role| role.outcome == outcome)
            .map(|role| role.role.clone())
            .collect();
        if !names.is_empty() {
            sentence.push_str("; ");
            sentence.push_str(&unreached.replacen("{}", &listed(&names, "or"), 1));
        }
    }
    sentence.push('.');
    (outcome, sentence)
}

/// Which routes that were set side by side do not the same.
fn not_alike(judged: &Judged) -> Vec<String> {
    let not_ready = judged.parity.iter().filter(|parity| parity.ready != Ready::Yes);
    not_ready
        .map(|parity| {
            let (old, new) = (&parity.routes.old, &parity.routes.new);
            match parity.ready {
                Ready::CannotBeTold => format!("whether {new} can replace {old} cannot be told"),
                _ => format!("{new} does not do the same as {old}"),
            }
        })
        .collect()
}

/// The worst outcome of any probe and of routes set side by side; a waived one counts as passed.
pub fn worst(judged: &Judged) -> Outcome {
    let of_probes = [(judged.summary.failed, Outcome::Failed), (judged.summary.unknown, Outcome::Unknown)];
    let of_probes = of_probes.into_iter().filter(|(count, _)| *count > 0).map(|(_, outcome)| outcome);
    let of_routes = judged.parity.iter().map(parity::outcome);
    of_probes
        .chain(of_routes)
        .min_by_key(|outcome| rank(*outcome))
        .unwrap_or(Outcome::Passed)
}

/// What is wrong with a probe that did not pass, in a word or two: its verdict, or what else was asked of it.
pub fn in_a_word(probe: &JudgedProbe) -> String {
    let asked = probe.expected.iter().any(|expected| expected == probe.verdict.word());
    if asked && probe.flags.contains(&Flag::Late) {
        return Flag::Late.word().to_owned();
    }
    if let Some(unmet) = probe.requirements.iter().find(|requirement| !requirement.holds).filter(|_| asked) {
        return format!("not {}", unmet.name);
    }
    match probe.verdict {
        Verdict::Inbox if !asked => format!("inbox, not {}", alternatives(&probe.expected)),
        verdict => verdict.word().to_owned(),
    }
}

/// The recipients with that outcome, each with what is wrong; of more than a few only how many there are, for what follows names them.
fn who(judged: &Judged, outcome: Outcome) -> String {
    let mut recipients: Vec<(&str, String)> = Vec::new();
    for probe in worst_first(judged).into_iter().filter(|probe| probe.outcome == outcome) {
        if recipients.iter().all(|(recipient, _)| *recipient != probe.recipient) {
            recipients.push((&probe.recipient, in_a_word(probe)));
        }
    }
    if recipients.len() > WHO {
        return format!(", to {} recipients", recipients.len());
    }
    let names: Vec<String> = recipients
        .into_iter()
        .map(|(recipient, word)| format!("{recipient} ({word})"))
        .collect();
    format!(": {}", listed(&names, "and"))
}

/// `a, b and c`, or the first few and how many more.
fn listed(names: &[String], conjunction: &str) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        _ if names.len() > NAMED => format!(
            "{} {conjunction} {}",
            names[..NAMED - 1].join(", "),
            counted(names.len() + 1 - NAMED, "more role", "more roles")
        ),
        [before @ .., last] => format!("{} {conjunction} {last}", before.join(", ")),
    }
}
