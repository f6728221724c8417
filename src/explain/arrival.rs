//! Verdicts that rest on a copy, or on a report that there is one.

#![expect(
    clippy::format_push_string,
    reason = "the texts are short, and `write!` would make each line ignore an error that cannot be"
)]

use super::{Finding, alternatives, authentication, filtered, interval, listed, meets, quote};
use crate::model::{Basis, FilterVerdict, JudgedProbe, Outcome, Placement, SightingRecord, Verdict};

/// When it arrived, with a space before it; empty where that is not known.
fn when(probe: &JudgedProbe) -> String {
    probe
        .latency_ms
        .map(|latency| format!(", {} after sending", interval(latency, probe.latency_uncertainty_ms)))
        .unwrap_or_default()
}

/// `“Junk” of the mailbox billing`, or `the inbox of the mailbox billing`, as far as it is known.
fn place(probe: &JudgedProbe) -> String {
    match (&probe.folder, &probe.mailbox) {
        // Each service and language has its own name for it.
        (Some(_), Some(mailbox)) if probe.verdict == Verdict::Inbox => format!("the inbox of the mailbox {mailbox}"),
        (Some(folder), Some(mailbox)) => format!("{} of the mailbox {mailbox}", named(folder)),
        (Some(folder), None) => named(folder),
        (None, Some(mailbox)) => format!("the mailbox {mailbox}"),
        (None, None) if probe.members.is_empty() => "its mailbox".to_owned(),
        (None, None) => "the mailboxes of its members".to_owned(),
    }
}

/// A folder's name, as a sentence calls it.
fn named(folder: &str) -> String {
    if folder.eq_ignore_ascii_case("INBOX") {
        "the inbox".to_owned()
    } else {
        quote::quoted(folder)
    }
}

/// Whether the receiving side took the author for proven.
fn is_proven(probe: &JudgedProbe) -> bool {
    probe.authentication.get("dmarc").is_some_and(|result| result == "pass")
}

fn mailbox(probe: &JudgedProbe) -> &str {
    probe.mailbox.as_ref().map_or(&probe.recipient, |mailbox| mailbox.as_str())
}

/// The folders through which the best copy went, in the order of their first sight.
fn folders(probe: &JudgedProbe) -> Vec<&str> {
    let mut sightings: Vec<&SightingRecord> = probe
        .sightings
        .iter()
        .filter(|sighting| probe.mailbox.as_ref().is_none_or(|mailbox| sighting.mailbox == *mailbox))
        .collect();
    sightings.sort_by_key(|sighting| sighting.at);
    let mut folders: Vec<&str> = Vec::new();
    for sighting in sightings {
        if folders.last() != Some(&sighting.folder.as_str()) {
            folders.push(&sighting.folder);
        }
    }
    folders
}

/// The folder in which it was seen before the one where it lies.
pub fn first_folder(probe: &JudgedProbe) -> Option<&str> {
    let folders = folders(probe);
    let first = folders.first().copied()?;
    (probe.folder.as_deref() != Some(first)).then_some(first)
}

/// A message that came through although it should have been stopped: the one failure that looks like a success.
pub fn against_expectation(probe: &JudgedProbe) -> Option<Finding> {
    let arrived = [Verdict::Inbox, Verdict::Folder, Verdict::Delivered];
    let unwanted = arrived.contains(&probe.verdict)
        && !matches!(probe.outcome, Outcome::Passed | Outcome::Unknown)
        && !probe.expected.is_empty()
        && probe.expected.iter().all(|expected| {
            !expected.starts_with("folder ") && !arrived.iter().any(|verdict| meets(expected, *verdict, None)) && expected != "partial"
        });
    if !unwanted {
        return None;
    }
    let words: Vec<String> = probe.expected.iter().map(|expected| format!("`{expected}`")).collect();
    let mut sentence = format!(
        "It came through into {}{}, instead of {}.",
        place(probe),
        when(probe),
        alternatives(&words)
    );
    if let Some(filter) = filtered::decisive(&probe.filters).filter(|_| filtered::allowed(&probe.filters).is_none()) {
        sentence.push_str(&format!(
            " {} {}, and nothing acted on that.",
            filtered::who(filter),
            filtered::told(filter)
        ));
        let step = format!(
            "Have the host that delivers into {} act on what {} says: file it as junk, hold it, or refuse it.",
            mailbox(probe),
            filtered::who(filter)
        );
        return Some(Finding::new(sentence, step));
    }
    let closed = probe
        .expected
        .iter()
        .all(|expected| matches!(expected.as_str(), "returned" | "rejected" | "bounced"));
    let step = if probe.message == "eicar" {
        format!(
            "Check that mail by route {} passes the virus scanner at all: every scanner knows this file.",
            probe.route
        )
    } else if probe.message == "gtube" {
        format!(
            "Check that mail by route {} passes the spam filter at all: every filter knows this message.",
            probe.route
        )
    } else if closed {
        format!(
            "Look for a catch-all or an alias that takes mail for {}; if it is meant to exist, correct its `expect`.",
            probe.recipient
        )
    } else {
        format!(
            "Decide which is right, the mail system or the expectation, and correct the other ({}).",
            probe.expected_at
        )
    };
    Some(Finding::new(sentence, step))
}

pub fn inbox(probe: &JudgedProbe) -> Finding {
    let sentence = if probe.members.is_empty() {
        format!("It reached {}{}.", place(probe), when(probe))
    } else {
        let all = if probe.members.len() == 2 {
            "Both".to_owned()
        } else {
            format!("All {}", probe.members.len())
        };
        format!("{all} members have it in the inbox{}.", when(probe))
    };
    wrong_place(probe, sentence)
}

/// For a verdict that is well in itself, but not what was expected.
fn wrong_place(probe: &JudgedProbe, sentence: String) -> Finding {
    Finding::new(
        sentence,
        format!(
            "Expected was {}: correct whichever is wrong, the mail system or {}.",
            alternatives(&probe.expected),
            probe.expected_at
        ),
    )
}

pub fn folder(probe: &JudgedProbe) -> Finding {
    let sentence = match first_folder(probe) {
        Some(first) => format!(
            "It was seen in {} first and then in {}: a rule or a program signed in there moved it.",
            named(first),
            place(probe)
        ),
        None => format!("It went into {}{}: a rule files it there.", place(probe), when(probe)),
    };
    let folder = probe.folder.as_deref().unwrap_or("that folder");
    let step = format!(
        "Look through the rules of {} for the one that files mail like this; if it is right, expect `{{ folder: {folder} }}`.",
        mailbox(probe)
    );
    Finding::new(sentence, step)
}

pub fn junk(probe: &JudgedProbe) -> Finding {
    let mut sentence = match first_folder(probe) {
        Some(first) => {
            format!(
                "It was seen in {} first and was then moved to the junk folder {}",
                named(first),
                place(probe)
            )
        }
        None => format!("It was delivered into the junk folder {}{}", place(probe), when(probe)),
    };
    sentence.push('.');
    let unproven = authentication::in_words(&probe.authentication);
    if let Some(filter) = filtered::decisive(&probe.filters) {
        sentence.push_str(&format!(" {} {}.", filtered::who(filter), filtered::told(filter)));
        return match unproven {
            Some((why, step)) if filter.verdict == FilterVerdict::Spoofing => Finding::new(format!("{sentence} {why}"), step),
            Some((why, _)) => Finding::new(format!("{sentence} {why}"), filtered::step(filter, &probe.sender, is_proven(probe))),
            None => Finding::new(sentence, filtered::step(filter, &probe.sender, is_proven(probe))),
        };
    }
    if let Some((why, step)) = unproven {
        return Finding::new(format!("{sentence} {why}"), step);
    }
    if first_folder(probe).is_some() {
        let step = format!(
            "Look for what moves mail after its delivery into {}: a rule or filter of a client that is signed in there, or a later verdict of the provider.",
            mailbox(probe)
        );
        return Finding::new(sentence, step);
    }
    let last = probe.filters.iter().rfind(|filter| !filter.relayed);
    if let Some(filter) = last.filter(|filter| filter.verdict == FilterVerdict::Clean) {
        sentence.push_str(&format!(
            " {} {}, so that something else filed it there.",
            filtered::who(filter),
            filtered::told(filter)
        ));
        let step = format!(
            "Look at what files mail inside the mailbox {}: its rules, its own junk filter and blocked senders, and programs signed in there.",
            mailbox(probe)
        );
        return Finding::new(sentence, step);
    }
    let step = "Open it there and read in its header which rule or score judged it; fix what that rule found before you touch the rule.";
    Finding::new(sentence, step)
}

pub fn quarantine(probe: &JudgedProbe) -> Finding {
    let sentence = if probe.basis == Some(Basis::Trace) {
        "The provider's trace says that it is held in quarantine.".to_owned()
    } else {
        format!("It is held in quarantine, in {}{}.", place(probe), when(probe))
    };
    if let Some(filter) = filtered::decisive(&probe.filters) {
        let sentence = format!("{sentence} {} {}.", filtered::who(filter), filtered::told(filter));
        let step = format!(
            "Release it there if it is wanted. {}",
            filtered::step(filter, &probe.sender, is_proven(probe))
        );
        return Finding::new(sentence, step);
    }
    let step = "Read in the quarantine which rule holds it; release it if it is wanted, and fix what that rule found.";
    Finding::new(sentence, step)
}

pub fn deleted(probe: &JudgedProbe) -> Finding {
    let step = "Look for what removes it: a rule of that mailbox, a program signed in there, or a filter that acts after delivery.";
    let gone = probe
        .sightings
        .iter()
        .filter(|sighting| sighting.placement != Placement::Deleted && sighting.until.is_some());
    let in_trash = probe
        .sightings
        .iter()
        .any(|sighting| sighting.placement == Placement::Deleted && sighting.until.is_none());
    let sentence = match gone.max_by_key(|sighting| sighting.at) {
        Some(sighting) if in_trash => {
            format!(
                "It was seen in {} first and was then moved to the deleted items, {}.",
                named(&sighting.folder),
                place(probe)
            )
        }
        Some(sighting) => {
            let seen = named(&sighting.folder);
            format!(
                "It was seen in {seen} of the mailbox {}{}, and was gone before the end.",
                sighting.mailbox,
                when(probe)
            )
        }
        None => format!("Its only copy lies in the deleted items, {}{}.", place(probe), when(probe)),
    };
    Finding::new(sentence, step)
}

pub fn delivered(probe: &JudgedProbe) -> Finding {
    let who = match (probe.basis, probe.dsn.as_ref().and_then(|dsn| dsn.reporting_mta.as_deref())) {
        (Some(Basis::Trace), _) => "The provider's trace".to_owned(),
        (_, Some(mta)) => mta.to_owned(),
        (_, None) => "The mail system".to_owned(),
    };
    let sentence = format!("{who} reports it as stored; the mailbox is not or cannot be read, so the folder is not known.");
    Finding::new(
        sentence,
        format!(
            "Give {} a mailbox that can be read (`mailflow check` tells why one cannot), or let `expect` take `delivered`.",
            probe.recipient
        ),
    )
}

pub fn elsewhere(probe: &JudgedProbe) -> Finding {
    let recipient = &probe.recipient;
    let mut places: Vec<String> = Vec::new();
    for sighting in &probe.sightings {
        let place = format!("{} of the mailbox {}", named(&sighting.folder), sighting.mailbox);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    if !places.is_empty() {
        let sentence = format!(
            "It was seen only in {}{}, a place that is not meant for {recipient}: a forward or redirect leads there.",
            listed(&places, 3),
            when(probe)
        );
        let step = format!(
            "Follow {recipient} through its aliases, forwards and rules; if that place is right, name it as its mailbox in the site."
        );
        return Finding::new(sentence, step);
    }
    let mta = probe
        .dsn
        .as_ref()
        .and_then(|dsn| dsn.reporting_mta.as_deref())
        .unwrap_or("The mail system");
    let sentence = format!("{mta} reports it delivered, but no folder of the mailbox meant has it: it was stored somewhere else.");
    Finding::new(
        sentence,
        format!("Look up in the log of {mta} where it stored this message, and follow {recipient} through its aliases and forwards."),
    )
}
