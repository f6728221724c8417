//! Verdicts that rest on a refusal: in the SMTP transaction, by the DNS, or by a notification afterwards.

#![expect(
    clippy::format_push_string,
    reason = "the texts are short, and `write!` would make each line ignore an error that cannot be"
)]

use super::refusal::Refusal;
use super::remedy::Names;
use super::{Finding, quote};
use crate::model::{Attempt, JudgedProbe};

/// What the sentence adds where somebody else receives on purpose.
fn covered(probe: &JudgedProbe) -> String {
    probe
        .covered_by
        .as_ref()
        .map(|other| format!(" {other} receives in its stead."))
        .unwrap_or_default()
}

fn names<'a>(probe: &'a JudgedProbe, recipient: &'a str, host: &'a str) -> Names<'a> {
    // A member's mailbox has an owner of its own, whom the site need not name.
    let owner = probe.owner.as_deref().filter(|_| recipient == probe.recipient);
    Names {
        recipient,
        owner,
        host,
        by: None,
        route: &probe.route,
    }
}

pub fn rejected(probe: &JudgedProbe) -> Finding {
    let Some(last) = probe.attempts.last() else {
        return Finding::new(
            format!("It was refused; no reply is kept.{}", covered(probe)),
            format!("Look up {} at this time in the log of the mail system.", probe.recipient),
        );
    };
    let refusal = Refusal::of_attempt(last);
    let said = refusal.quoted(&last.reply.to_string());
    let host = quote::host(last);
    let sentence = if last.reply.ours {
        format!("Nobody took it: {said}.")
    } else if last.reply.is_transient() {
        match probe.attempts.len() {
            1 => format!(
                "{host} put it off {}, and no time was left to try again: {said}.",
                quote::stage(last)
            ),
            tries => format!("{host} put it off to the end, after {tries} tries {}: {said}.", quote::stage(last)),
        }
    } else {
        format!("{host} refused it {}: {said}.", quote::stage(last))
    };
    let step = refusal.remedy(names(probe, &probe.recipient, host));
    Finding::new(format!("{sentence}{}", covered(probe)), step)
}

pub fn bounced(probe: &JudgedProbe) -> Finding {
    let taken_by = probe.attempts.last().map_or("The next hop", quote::host);
    let Some(dsn) = &probe.dsn else {
        return Finding::new(
            format!("{taken_by} took it and it was returned afterwards.{}", covered(probe)),
            format!("Look up {} in the log of {taken_by}.", probe.recipient),
        );
    };
    let reporter = dsn.reporting_mta.as_deref();
    let speaker = dsn.remote_mta.as_deref().or(reporter).unwrap_or("the mail system");
    let said = match (&dsn.diagnostic, dsn.status.as_deref()) {
        (Some(diagnostic), _) => Refusal::of_notice(dsn).quoted(diagnostic),
        (None, Some(code)) => quote::with_meaning(code, Some(code)),
        (None, None) => String::new(),
    };
    let who = match reporter {
        Some(reporter) if reporter != taken_by => format!("then {reporter}"),
        Some(_) => "then".to_owned(),
        None => "then the mail system".to_owned(),
    };
    let mut sentence = match dsn.remote_mta.as_deref().filter(|remote| reporter != Some(*remote)) {
        Some(remote) if !said.is_empty() => format!("{taken_by} took it, {who} returned it, because {remote} says: {said}."),
        _ if said.is_empty() => format!("{taken_by} took it, {who} returned it and gave no reason."),
        _ => format!("{taken_by} took it, {who} returned it: {said}."),
    };
    let named = [&dsn.recipient, &dsn.original_recipient];
    let other = dsn.recipient.as_deref().filter(|name| name.contains('@'));
    let names_it = |name: &String| name.eq_ignore_ascii_case(&probe.recipient);
    if let Some(other) = other.filter(|_| probe.members.is_empty() && !named.into_iter().flatten().any(names_it)) {
        sentence.push_str(&format!(
            " The notice names {} and not {}: that address leads there, or the notice is about a copy that was sent on.",
            quote::quoted(other),
            probe.recipient
        ));
    }
    if dsn.guessed {
        let by = dsn.bound_by.trim_end_matches(", which is a guess");
        sentence.push_str(&format!(" That this notice is about this probe is a guess ({by})."));
    }
    sentence.push_str(&covered(probe));
    Finding::new(sentence, step_for_dsn(probe, speaker).unwrap_or_default())
}

/// The next step that a failed notification asks for; `None` without one.
pub fn step_for_dsn(probe: &JudgedProbe, speaker: &str) -> Option<String> {
    let dsn = probe.dsn.as_ref()?;
    // Some systems name an account rather than an address.
    let recipient = [&dsn.recipient, &dsn.original_recipient]
        .into_iter()
        .filter_map(|address| address.as_deref())
        .find(|address| address.contains('@'))
        .unwrap_or(&probe.recipient);
    // Where the notice quotes a further host, that one refused the host that wrote the notice.
    let reporter = dsn.reporting_mta.as_deref().filter(|_| dsn.remote_mta.is_some());
    let taken_by = probe.attempts.last().map(quote::host);
    let by = reporter.filter(|reporter| *reporter != speaker && Some(*reporter) != taken_by);
    Some(Refusal::of_notice(dsn).remedy(Names {
        by,
        ..names(probe, recipient, speaker)
    }))
}

/// The step for an attempt that never got an answer, or a refused sign-in.
pub fn step_for_attempt(probe: &JudgedProbe, attempt: &Attempt) -> String {
    Refusal::of_attempt(attempt).remedy(names(probe, &probe.recipient, quote::host(attempt)))
}
