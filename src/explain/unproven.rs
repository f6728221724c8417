//! Verdicts that rest on absence, on too little, or on members that differ.

#![expect(
    clippy::format_push_string,
    reason = "the texts are short, and `write!` would make each line ignore an error that cannot be"
)]

use super::{Finding, alternatives, capitalised, listed, meets, quote, returned};
use crate::model::{Attempt, DsnAction, Flag, JudgedProbe, Member, Verdict};

/// Where to search for a message that the next hop took: by its queue id if the reply names one, else by its Message-ID.
fn search(probe: &JudgedProbe) -> String {
    let Some(last) = probe.attempts.last() else {
        return format!("search the mail system's logs for {}.", probe.message_id);
    };
    let what = match quote::queue_id(&last.reply.text) {
        Some(id) => format!("the queue id {id}"),
        None => format!("the Message-ID {}", probe.message_id),
    };
    let since = probe.accepted_at.unwrap_or(last.at).format("%Y-%m-%d %H:%M:%S UTC");
    format!(
        "search the log of {} for {what} from {since} on, and follow it from hop to hop.",
        quote::host(last)
    )
}

/// Who took it, and how.
fn taken(probe: &JudgedProbe) -> String {
    match probe.attempts.last() {
        Some(last) if last.in_doubt => format!("The connection to {} broke after the final dot", quote::host(last)),
        Some(last) => format!("{} took it with {}", quote::host(last), quote::quoted(&last.reply.to_string())),
        None => "Handing it over was begun".to_owned(),
    }
}

pub fn lost(probe: &JudgedProbe) -> Finding {
    let mut sentence = format!(
        "{}, but after the give-up time it was in none of the places that the site names for it, all of which were looked at, and no bounce came back",
        taken(probe)
    );
    if let Some(reason) = &probe.reason {
        sentence.push_str(&format!(" ({})", trimmed(reason)));
    }
    sentence.push('.');
    if let Some(dsn) = probe.dsn.as_ref().filter(|dsn| dsn.action == DsnAction::Delayed) {
        let mta = dsn.reporting_mta.as_deref().unwrap_or("The mail system");
        let why = dsn
            .diagnostic
            .as_deref()
            .map(|said| format!(": {}", quote::quoted(said)))
            .unwrap_or_default();
        sentence.push_str(&format!(" {mta} had sent notice that it was waiting there{why}; it may still be."));
        return Finding::new(
            sentence,
            format!("Look into the queue of {mta} for {}, and mend what it waits for.", probe.message_id),
        );
    }
    if probe.flags.contains(&Flag::QuarantineUnchecked) {
        sentence.push_str(" It may be held in a quarantine: the site does not say where one would be, so none was looked at.");
        return Finding::new(
            sentence,
            format!(
                "Say in the site where mail for {} would be held (`quarantine:`), and {}",
                probe.recipient,
                search(probe)
            ),
        );
    }
    Finding::new(sentence, capitalised(&search(probe)))
}

pub fn accepted(probe: &JudgedProbe) -> Finding {
    if probe.expected.iter().any(|expected| meets(expected, Verdict::Rejected, None)) {
        let host = probe.attempts.last().map_or("the next hop", quote::host);
        return Finding::new(
            format!(
                "{}, and nothing came back until the give-up time; it should have been returned.",
                taken(probe)
            ),
            format!("Have {host} check recipients before it takes a message: what nobody has must be refused, not swallowed."),
        );
    }
    Finding::new(
        format!("{}; there is nowhere to look for it, so nothing more is known.", taken(probe)),
        format!(
            "Name a mailbox for {} in the site that can be read, so that its arrival can be seen.",
            probe.recipient
        ),
    )
}

pub fn pending(probe: &JudgedProbe) -> Finding {
    if let Some(reason) = probe.reason.as_deref() {
        let sentence = format!("The run was stopped: {}.", trimmed(reason));
        return Finding::new(sentence, "Finish the run with `mailflow watch`; until then do not send it again.");
    }
    let state = match (probe.sent_at, probe.accepted_at) {
        (None, _) => "before the probe left",
        (Some(_), None) => "before a host had taken it",
        (Some(_), Some(_)) => "after a host had taken it, and before its arrival was decided",
    };
    let step = if probe.sent_at.is_some() {
        "Finish the run with `mailflow watch`."
    } else {
        "Run the scenario again for it: `mailflow watch` finishes what was sent, and sends nothing."
    };
    Finding::new(format!("The run was stopped {state}."), step)
}

pub fn unknown(probe: &JudgedProbe) -> Finding {
    let reason = probe.reason.as_deref().map(trimmed);
    match probe.attempts.last() {
        Some(last) if last.in_doubt => in_doubt(probe, last, reason),
        Some(last) if !last.reply.is_positive() && is_about_the_attempt(reason) => {
            let said = if last.reply.code.is_some() {
                quote::reply(&last.reply)
            } else {
                trimmed(&last.reply.text).to_owned()
            };
            Finding::new(
                format!("It could not be handed to {} ({}): {said}.", quote::host(last), quote::stage(last)),
                step_for_failed_attempt(probe, last),
            )
        }
        _ if probe.flags.contains(&Flag::NotSent) => {
            let reason = reason.unwrap_or("the run ended before");
            let step = step_for_reason(reason).unwrap_or_else(|| "Run the scenario again.".to_owned());
            Finding::new(format!("The probe never left: {reason}."), step)
        }
        Some(last) if !last.reply.is_positive() => {
            let sentence = format!(
                "{} had put it off with {}; {}.",
                quote::host(last),
                quote::quoted(&last.reply.to_string()),
                reason.unwrap_or("what became of it could not be measured")
            );
            Finding::new(sentence, "Run the scenario again for it, once it is sure that no copy will come.")
        }
        _ => {
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            let sentence = format!("{}; whether it arrived could not be measured{reason}.", taken(probe));
            let step = if probe.attempts.is_empty() {
                format!(
                    "Search the logs of route {} for {}; where nothing of it is found, run the scenario again.",
                    probe.route, probe.message_id
                )
            } else {
                step_for_reason(&reason).unwrap_or_else(|| "Run `mailflow check` to see which mailbox cannot be read, and why.".to_owned())
            };
            Finding::new(sentence, step)
        }
    }
}

/// Whether the reason for which it is unknown is that it could not be handed over.
fn is_about_the_attempt(reason: Option<&str>) -> bool {
    reason.is_none_or(|reason| reason.starts_with("it could not be handed over"))
}

/// It was cut off after the final dot: whether it was taken is known to the other side only.
fn in_doubt(probe: &JudgedProbe, last: &Attempt, reason: Option<&str>) -> Finding {
    // Where everything was looked at, the reason says once more what this sentence says.
    let found = match reason.filter(|reason| reason.contains("looked at")) {
        Some(reason) => format!("whether it arrived could not be measured: {reason}"),
        None => "no copy was found".to_owned(),
    };
    let host = quote::host(last);
    let sentence = format!(
        "The connection to {host} broke after the final dot, so it may have been taken or not; it was not sent again, and {found}."
    );
    Finding::new(sentence, capitalised(&search(probe)))
}

/// A reason without the full stop that the sentence around it brings.
fn trimmed(reason: &str) -> &str {
    reason.trim().trim_end_matches('.')
}

fn step_for_failed_attempt(probe: &JudgedProbe, attempt: &Attempt) -> String {
    if attempt.reply.code.is_some() {
        return returned::step_for_attempt(probe, attempt);
    }
    step_for_reason(&attempt.reply.text).unwrap_or_else(|| match attempt.stage.as_str() {
        "connect" => format!("Check that {} can be reached from here: name, port and firewall.", attempt.host),
        "greeting" => format!(
            "Check that a mail server answers at {}, and no other service: name and port.",
            attempt.host
        ),
        "starttls" => format!("Check the TLS set-up of {} with `mailflow check`.", quote::host(attempt)),
        _ => format!("Read in the log of {} why it broke off, and run the scenario again.", attempt.host),
    })
}

/// What to do about the reason for which something could not be measured.
fn step_for_reason(reason: &str) -> Option<String> {
    let reason = reason.to_lowercase();
    let steps: [(&[&str], &str); 18] = [
        (
            &["but a notification"],
            "Read that notification in the sender's mailbox, and ask whoever runs the recipient's server what became of the message.",
        ),
        (
            &["goes on after its first"],
            "Look at that message by its folder and time: no mail program writes such a header. Move it away, and run the scenario again.",
        ),
        (
            &["own application yet"],
            "Create that service principal once in the tenant, wait until `mailflow check` gets an answer, and run it again.",
        ),
        (
            &["whether that is the same mailbox"],
            "If that is the mailbox's own address, name it in the site (`user:` of its mailbox); if the address leads elsewhere, correct that.",
        ),
        (
            &["mailboxes that it `reaches`"],
            "Name in the site the mailboxes that this address `reaches`: then each member gets its own verdict.",
        ),
        (
            &["it may yet be delivered", "handed to another system"],
            "Read the details of this message in the message trace (Exchange admin center), and follow it from there.",
        ),
        (
            &["sender has no"],
            "Name a mailbox for the sender in the site (`mailbox:`): without one, nobody sees what comes back.",
        ),
        (
            // Refusals of Exchange name what to do themselves.
            &["set-casmailbox", "add-mailboxpermission", "new-serviceprincipal", "grant the app"],
            "Have an administrator of Exchange Online or Entra ID do that, and prove it with `mailflow check`.",
        ),
        (
            &["to the app's scope", "the app may", "permission"],
            "Give the app what it lacks for that mailbox, and prove it with `mailflow check`.",
        ),
        (
            &["no mailbox in exchange online"],
            "Give the account a mailbox, or let another address stand in for it (`covered_by`).",
        ),
        (
            &["certificate has expired", "certificate is not valid yet", "certificate was revoked"],
            "Renew the certificate of that server; until then nothing is sent to it or read from it over TLS.",
        ),
        (
            &["certificate is not for", "certificate is for another name"],
            "Give that server a certificate for the name in the site, or write the name of its certificate there (`connect:` says where it is).",
        ),
        (
            &["certificate", "unknown issuer", "unknownissuer"],
            "Give that server a certificate that holds for its name, or name the authority that signed it (`ca:`).",
        ),
        (
            &[
                "log in",
                "login",
                "logged in",
                "sign in",
                "sign-in",
                "signed in",
                "authenticat",
                "credential",
                "password",
                "token",
            ],
            "Correct the sign-in in the site, and prove it with `mailflow check`.",
        ),
        (
            &["quarantine"],
            "Look into the quarantine by hand, and name a mailbox under `quarantine:` if there is one that can be read.",
        ),
        (
            &["resolve", "dns", "no such host", "lookup"],
            "Check the name of that host, and the DNS server that this machine asks.",
        ),
        (
            &[
                "refused",
                "timed out",
                "time-out",
                "timeout",
                "unreachable",
                "reset",
                "closed",
                "could not connect",
                "no answer",
            ],
            "Check that the host can be reached from here (name, port, firewall) and that it answers; then run it again.",
        ),
        (&["stopped", "killed", "interrupted"], "Run the scenario again."),
    ];
    steps
        .iter()
        .find(|(words, _)| words.iter().any(|word| reason.contains(word)))
        .map(|(_, step)| (*step).to_owned())
}

pub fn partial(probe: &JudgedProbe) -> Finding {
    let as_expected = |member: &&Member| {
        probe
            .expected
            .iter()
            .any(|expected| meets(expected, member.verdict, member.folder.as_deref()))
    };
    let well = probe.members.iter().filter(as_expected).count();
    let others: Vec<&Member> = probe.members.iter().filter(|member| !as_expected(member)).collect();
    let told: Vec<String> = others.iter().map(|member| told(member)).collect();
    let expected = alternatives(&probe.expected);
    let verb = if well == 1 { "has" } else { "have" };
    let sentence = format!(
        "Of {} members, {well} {verb} it as expected ({expected}); not so {}.",
        probe.members.len(),
        listed(&told, 5)
    );
    let bounced = others.iter().any(|member| member.verdict == Verdict::Bounced)
        && probe.dsn.as_ref().is_some_and(|dsn| dsn.action == DsnAction::Failed);
    let speaker = probe
        .dsn
        .as_ref()
        .and_then(|dsn| dsn.remote_mta.as_deref().or(dsn.reporting_mta.as_deref()))
        .unwrap_or("the mail system");
    let step = bounced.then(|| returned::step_for_dsn(probe, speaker)).flatten();
    let step = step.or_else(|| others.iter().find_map(|member| member.reason.as_deref()).and_then(step_for_reason));
    Finding::new(
        sentence,
        step.unwrap_or_else(|| match others.first() {
            Some(member) => format!(
                "Look at {} first, and check that {} still leads there.",
                member.mailbox, probe.recipient
            ),
            None => format!("Check to whom {} leads.", probe.recipient),
        }),
    )
}

fn told(member: &Member) -> String {
    let folder = member
        .folder
        .as_ref()
        .map(|folder| format!(" in {}", quote::quoted(folder)))
        .unwrap_or_default();
    let reason = member
        .reason
        .as_ref()
        .map(|reason| format!(": {}", trimmed(reason)))
        .unwrap_or_default();
    format!("{} ({}{folder}{reason})", member.mailbox, member.verdict)
}
