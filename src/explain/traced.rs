//! Verdicts that rest on the provider's message trace: held, given up, refused, delivered where nobody may look, or somewhere else.

#![expect(
    clippy::format_push_string,
    reason = "the texts are short, and `write!` would make each line ignore an error that cannot be"
)]

use super::{Finding, capitalised, quote, refusal::Refusal, remedy::Names};
use crate::model::{Basis, DefenderFinding, JudgedProbe, TraceRow, TraceStatus, Verdict};

/// The sentence and the step of a verdict that the trace alone gives; `None` where something else was seen, or no row of it is kept.
pub fn finding(probe: &JudgedProbe) -> Option<Finding> {
    let by_trace = probe.basis == Some(Basis::Trace);
    let of = |status: TraceStatus| probe.trace.iter().find(|row| row.status == status).filter(|_| by_trace);
    match probe.verdict {
        Verdict::Quarantine => of(TraceStatus::Quarantined).map(|row| held(probe, row)),
        Verdict::Bounced => of(TraceStatus::Failed).map(|row| given_up(probe, row)),
        Verdict::Rejected => of(TraceStatus::FilteredAsSpam).map(|row| filtered(probe, row)),
        Verdict::Delivered => of(TraceStatus::Delivered).map(|row| delivered(probe, row)),
        Verdict::Elsewhere => of(TraceStatus::Delivered).map(|row| elsewhere(probe, row)),
        _ => None,
    }
}

/// The trace as the subject of a sentence.
fn speaker(row: &TraceRow) -> String {
    format!("the {}", row.place)
}

/// What the row's details say, if anything.
fn words(row: &TraceRow) -> String {
    refusal(row)
        .map(|refusal| format!(": {}", refusal.quoted(refusal.text)))
        .unwrap_or_default()
}

/// The words and the code that the row's details give as the cause.
fn refusal(row: &TraceRow) -> Option<Refusal<'_>> {
    let cause = row.cause.as_ref().filter(|cause| !cause.text.is_empty())?;
    Some(Refusal {
        status: cause.status.as_deref(),
        text: cause.text.trim_end_matches('.'),
        host: SPEAKER,
        ..Refusal::default()
    })
}

/// Who speaks in the trace.
const SPEAKER: &str = "Exchange Online";

/// What Microsoft Defender says of it, if it was asked; `done` says what was done with the message.
fn defender(row: &TraceRow, done: &str) -> String {
    let Some(found) = found(row) else { return String::new() };
    let mut text = format!("; Microsoft Defender: {done}");
    let mut add = |before: &str, words: &[String]| {
        let words: Vec<String> = words
            .iter()
            .filter(|word| !word.is_empty())
            .map(|word| quote::quoted(word))
            .collect();
        if !words.is_empty() {
            text.push_str(&format!("{before}{}", words.join(" and ")));
        }
    };
    add(" by the policy ", std::slice::from_ref(&found.policy));
    add(" as ", &found.threats);
    add(", found by ", &found.methods);
    add(", with the override ", std::slice::from_ref(&found.overridden));
    if row.status != TraceStatus::Quarantined || !found.latest.eq_ignore_ascii_case("quarantine") {
        add(", last seen in ", std::slice::from_ref(&found.latest));
    }
    text
}

fn found(row: &TraceRow) -> Option<&DefenderFinding> {
    row.cause.as_ref()?.defender.as_deref()
}

fn taken_by(probe: &JudgedProbe) -> &str {
    probe.attempts.last().map_or("The next hop", quote::host)
}

fn held(probe: &JudgedProbe, row: &TraceRow) -> Finding {
    let seen = probe.sightings.iter().max_by_key(|sighting| sighting.at);
    let before = match seen {
        Some(sighting) => format!(
            "It was seen in {} of the mailbox {} and then taken out again",
            quote::quoted(&sighting.folder),
            sighting.mailbox
        ),
        None => format!("{} took it, but no folder has it", taken_by(probe)),
    };
    let sentence = format!(
        "{before}: {} shows it held in quarantine{}{}.",
        speaker(row),
        words(row),
        defender(row, "held")
    );
    let step = match found(row).map(|found| &found.policy).filter(|policy| !policy.is_empty()) {
        Some(policy) => format!(
            "Search the quarantine (Microsoft Defender portal) for the Network Message ID {}: release it there if it is wanted, and fix what the \
             policy {} found.",
            row.id,
            quote::quoted(policy)
        ),
        None => format!(
            "Search the quarantine (Microsoft Defender portal) for the Network Message ID {}: it names the policy that holds it; release it there \
             if it is wanted, and fix what that policy found.",
            row.id
        ),
    };
    Finding::new(sentence, step)
}

fn given_up(probe: &JudgedProbe, row: &TraceRow) -> Finding {
    let silence = if probe.dsn.is_none() { "; no notice of it came back" } else { "" };
    let sentence = format!(
        "{} took it, then Exchange Online gave it up for {}, as {} shows{}{}{silence}.",
        taken_by(probe),
        row.recipient,
        speaker(row),
        words(row),
        defender(row, "given up")
    );
    let step = refusal(row).map(|refusal| {
        refusal.remedy(Names {
            recipient: &row.recipient,
            owner: probe.owner.as_deref().filter(|_| row.recipient == probe.recipient),
            host: SPEAKER,
            by: None,
            route: &probe.route,
        })
    });
    Finding::new(sentence, step.unwrap_or_else(|| in_the_trace(row, "why")))
}

fn filtered(probe: &JudgedProbe, row: &TraceRow) -> Finding {
    Finding::new(
        format!(
            "{} took it, then Exchange Online refused it as spam, as {} shows{}{}.",
            taken_by(probe),
            speaker(row),
            words(row),
            defender(row, "refused")
        ),
        in_the_trace(row, "which filter judged it") + " Fix what that filter found before you let this sender pass.",
    )
}

fn delivered(probe: &JudgedProbe, row: &TraceRow) -> Finding {
    let mut sentence = format!("{} shows it delivered", capitalised(&speaker(row)));
    if !row.recipient.eq_ignore_ascii_case(&probe.recipient) {
        sentence.push_str(&format!(" to {}", row.recipient));
    }
    sentence.push_str("; its mailbox was not read, so the folder is not known: the junk folder counts as delivered too.");
    Finding::new(
        sentence,
        format!(
            "Give {} a mailbox that can be read, or let `expect` take `delivered`.",
            probe.recipient
        ),
    )
}

fn elsewhere(probe: &JudgedProbe, row: &TraceRow) -> Finding {
    let recipient = &probe.recipient;
    match &row.to_ip {
        Some(host) => Finding::new(
            format!(
                "{} shows it handed to another system, {host}, and no folder of the mailbox meant has it.",
                capitalised(&speaker(row))
            ),
            format!("Find what sends mail for {recipient} there: its forwarding, a mail flow rule, a connector, or a mailbox on premises."),
        ),
        None => Finding::new(
            format!(
                "{} shows it delivered, but no folder of the mailbox meant has it: it was stored somewhere else.",
                capitalised(&speaker(row))
            ),
            format!(
                "Follow {recipient} through its forwarding, its inbox rules, mail flow rules that redirect, and its archive; the details of {} in \
                 the trace name the mailbox.",
                row.id
            ),
        ),
    }
}

fn in_the_trace(row: &TraceRow, what: &str) -> String {
    format!(
        "Look up {} for {} in the message trace (Exchange admin center): its events tell {what}.",
        row.id, row.recipient
    )
}
