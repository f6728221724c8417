//! What else is noteworthy beside the verdict: unmet requirements and flags, one short sentence each.

use super::{Finding, altered, arrival, filtered, interval, listed, quote, span, way};
use crate::model::{Attempt, Basis, DsnAction, Flag, JudgedProbe, MailboxName, RequirementResult, Verdict, time};

/// Every note, the gravest first.
pub fn of(probe: &JudgedProbe) -> Vec<Finding> {
    let unmet = probe
        .requirements
        .iter()
        .filter(|requirement| !requirement.holds)
        .map(|requirement| unmet(probe, requirement));
    let mut flags = probe.flags.clone();
    flags.sort_unstable_by_key(|flag| gravity(*flag));
    let noted = flags.iter().filter_map(|flag| note(probe, *flag));
    // A signature breaks by changes too that are no alteration, such as another transfer encoding.
    let signatures = (!flags.contains(&Flag::Altered))
        .then(|| altered::broken_signatures(probe))
        .flatten();
    unmet.chain(noted).chain(signatures).collect()
}

/// The order in which flags are told.
fn gravity(flag: Flag) -> u8 {
    match flag {
        Flag::Late => 0,
        Flag::LateUnproven => 1,
        Flag::Duplicated => 2,
        Flag::AlsoElsewhere => 3,
        Flag::Altered => 4,
        Flag::SettleBlind => 5,
        Flag::AllowListed => 6,
        Flag::Moved | Flag::Delayed | Flag::AutoReplied | Flag::Replied | Flag::Internal => 7,
        Flag::QuarantineUnchecked | Flag::NotSent => 8,
    }
}

fn unmet(probe: &JudgedProbe, requirement: &RequirementResult) -> Finding {
    let RequirementResult {
        name, evidence, unseen, ..
    } = requirement;
    if *unseen {
        let why = evidence.as_deref().unwrap_or("the mailbox does not show what that is about");
        let step = if let Some(method) = name.strip_suffix("-pass") {
            format!(
                "Have the receiving side record its checks (`Authentication-Results` with {method}), or leave out `{name}` for this recipient."
            )
        } else {
            format!("Leave out `{name}` for this recipient, or measure it at one whose mailbox shows messages whole.")
        };
        return Finding::new(format!("Whether `{name}` holds cannot be told: {}.", quote::bounded(why)), step);
    }
    let sentence = match evidence {
        Some(evidence) => format!("The requirement `{name}` does not hold: {}.", evidence.trim().trim_end_matches('.')),
        None => format!("The requirement `{name}` does not hold."),
    };
    if name == "filtered" {
        let step = "Measure again from outside, from a sender that is on no allow-list: only then does the inbox prove that others' mail comes through.";
        return Finding::new(sentence, step);
    }
    if name.starts_with("via ") || name.starts_with("not-via ") || name.starts_with("path ") {
        let step = format!(
            "Follow route {} hop by hop in the evidence: the MX records, a connector or a transport rule of the last right host sends it another way.",
            probe.route
        );
        return Finding::new(sentence, step);
    }
    if name.starts_with("header ") {
        let step = format!(
            "Find the host on route {} that writes this field, or should, and what it goes by.",
            probe.route
        );
        return Finding::new(sentence, step);
    }
    if name == "tls-all-hops" {
        let step = "Have the second of these hosts offer STARTTLS; then let the first require it towards that one (an outbound connector, a TLS policy).";
        return Finding::new(sentence, step);
    }
    let step = if let Some(step) = altered::step(probe, name) {
        step
    } else if let Some(method) = name.strip_suffix("-pass") {
        format!(
            "Fix {} of the sending domain, or find the hop on route {} that breaks it.",
            method.to_uppercase(),
            probe.route
        )
    } else {
        format!(
            "Find the gateway on route {} that makes this change, and decide whether it is meant; if it is, leave out `{name}`.",
            probe.route
        )
    };
    Finding::new(sentence, step)
}

fn note(probe: &JudgedProbe, flag: Flag) -> Option<Finding> {
    Some(match flag {
        Flag::Late => late(probe),
        Flag::LateUnproven if probe.basis == Some(Basis::Trace) => {
            Finding::without_step("Whether it came in time cannot be told: the message trace shows a delivery only minutes later.")
        }
        Flag::LateUnproven => Finding::new(
            "Whether it came in time cannot be told: it came between two looks, and the deadline lies between them too.",
            "Run it again; if this recurs, the server allows too few looks for so short a `within`.",
        ),
        Flag::Duplicated => Finding::new(
            format!("{} copies were there at once, more than there are mailboxes meant.", probe.copies),
            "Compare the Received headers of the copies: the hop at which they part sends it twice.",
        ),
        Flag::AlsoElsewhere => also_elsewhere(probe),
        Flag::Altered => altered::finding(probe),
        Flag::SettleBlind => Finding::without_step(
            "At the end not every place could be looked at again, so a second copy, a move or a removal may have been missed.",
        ),
        Flag::AllowListed => allow_listed(probe),
        Flag::Moved => return moved(probe),
        Flag::Delayed => return delayed(probe),
        Flag::AutoReplied => Finding::without_step("An automatic reply came back."),
        Flag::Replied => Finding::without_step("A person answered it."),
        Flag::Internal => Finding::without_step("It was sent from inside and did not pass the inbound edge."),
        Flag::QuarantineUnchecked if probe.verdict != Verdict::Lost => {
            Finding::without_step("The site does not say where a quarantine would be, so none was looked at.")
        }
        // The verdict's own sentence tells these.
        Flag::QuarantineUnchecked | Flag::NotSent => return None,
    })
}

fn late(probe: &JudgedProbe) -> Finding {
    let within = span(probe.within_ms);
    let over = match probe.latency_ms {
        Some(latency) if probe.within_ms > 0.0 => format!(
            "It came {} later than `within` ({within}) allows",
            interval(latency - probe.within_ms, probe.latency_uncertainty_ms)
        ),
        _ => "It came later than `within` allows".to_owned(),
    };
    // Only if the waiting before it was taken is what made it late: without it, it would have come in time.
    let waited = probe
        .sent_at
        .zip(probe.accepted_at)
        .map(|(sent, accepted)| time::milliseconds(sent, accepted));
    let overdue = probe.latency_ms.map(|latency| latency - probe.within_ms);
    let decided = waited.zip(overdue).is_none_or(|(waited, overdue)| waited >= overdue);
    if let Some(deferred) = deferrals(probe).last().filter(|_| decided) {
        return Finding::new(
            format!("{over}, because it was put off first."),
            format!(
                "Ask whoever runs {} for how long it puts off first contacts, and allow for that in `within`.",
                quote::host(deferred)
            ),
        );
    }
    if let Some((hop, spent)) = way::longest(probe) {
        let host = way::host(hop);
        return Finding::new(
            format!("{over}; {} of it passed at {host}, by the clocks of the hosts.", span(spent)),
            format!("Look in the log of {host} why it kept the message: its queue, its scanner, or a next host that put it off."),
        );
    }
    Finding::new(
        format!("{over}."),
        "Compare the times in the Received headers of that copy: the widest gap shows the hop where it waited.",
    )
}

fn allow_listed(probe: &JudgedProbe) -> Finding {
    let place = filtered::allowed(&probe.filters).and_then(|(_, list)| filtered::place_of_list(list));
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    let step = format!("Measure again from a sender that is on no allow-list, or take this one off it for the test{place}.");
    Finding::new(
        match filtered::allowed(&probe.filters) {
            Some((filter, list)) => format!(
                "{} let it through by an allow-list ({}), so its place does not show that the filter would pass it.",
                filtered::who(filter),
                quote::bounded(list)
            ),
            None => "An allow-list let it through, so its place does not show that the filter would pass it.".to_owned(),
        },
        step,
    )
}

fn deferrals(probe: &JudgedProbe) -> impl DoubleEndedIterator<Item = &Attempt> {
    probe
        .attempts
        .iter()
        .filter(|attempt| attempt.reply.is_transient() && !attempt.reply.ours)
}

fn also_elsewhere(probe: &JudgedProbe) -> Finding {
    let meant =
        |mailbox: &MailboxName| probe.mailbox.as_ref() == Some(mailbox) || probe.members.iter().any(|member| member.mailbox == *mailbox);
    let mut places: Vec<&str> = probe
        .sightings
        .iter()
        .map(|sighting| &sighting.mailbox)
        .filter(|mailbox| !meant(mailbox))
        .map(MailboxName::as_str)
        .collect();
    places.sort_unstable();
    places.dedup();
    let place = if places.is_empty() {
        "a mailbox".to_owned()
    } else {
        format!("the mailbox {}", listed(&places, 3))
    };
    Finding::new(
        format!("A further copy lies in {place}, which is not meant for it."),
        format!(
            "Look for the forward, journal rule or list membership that copies mail for {} there, and whether it is meant.",
            probe.recipient
        ),
    )
}

fn moved(probe: &JudgedProbe) -> Option<Finding> {
    // Folder, junk and deleted items tell the move in their own sentence.
    if matches!(probe.verdict, Verdict::Folder | Verdict::Junk | Verdict::Deleted) {
        return None;
    }
    Some(Finding::without_step(match arrival::first_folder(probe) {
        Some(first) => format!("It was seen in {} before.", quote::quoted(first)),
        None => "It was moved after it had arrived.".to_owned(),
    }))
}

fn delayed(probe: &JudgedProbe) -> Option<Finding> {
    // A refusal that lasted to the end is told by the verdict's own sentence.
    if probe.verdict == Verdict::Rejected {
        return None;
    }
    let deferred: Vec<&Attempt> = deferrals(probe).collect();
    if let Some(last) = deferred.last() {
        let times = if deferred.len() == 1 {
            "once".to_owned()
        } else {
            format!("{} times", deferred.len())
        };
        return Some(Finding::without_step(format!(
            "{} put it off {times}: {}.",
            quote::host(last),
            quote::quoted(&last.reply.to_string())
        )));
    }
    let reporter = probe
        .dsn
        .as_ref()
        .filter(|dsn| dsn.action == DsnAction::Delayed)
        .and_then(|dsn| dsn.reporting_mta.as_deref());
    Some(Finding::without_step(match reporter {
        Some(reporter) => format!("{reporter} sent notice that it was delayed."),
        None => "It was delayed on the way.".to_owned(),
    }))
}
