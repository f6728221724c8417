//! The evidence of one probe, line by line: what was expected and measured, each reply, each notification, each place it was seen in.
//! Terminal and JUnit show the same lines.

#![expect(
    clippy::format_push_string,
    reason = "the texts are short, and `write!` would make each line ignore an error that cannot be"
)]

use crate::explain::{alternatives, interval, off, span};
use crate::model::{
    Alteration, Attempt, Authentication, DefenderFinding, Dsn, DsnAction, Encryption, Filter, Flag, HopRecord, How, JudgedProbe, Member,
    SightingRecord, Signature, SignedPart, Time, Tls, TraceRow,
};

/// How many attempts, sightings and members are shown one by one.
const SHOWN: usize = 8;

/// The evidence of `probe`: labels and texts. A label is empty where the line goes on with the one before. The texts hold what servers
/// said, unescaped.
pub fn lines(probe: &JudgedProbe) -> Vec<(&'static str, String)> {
    let mut lines = vec![("expected", expected(probe)), ("measured", measured(probe))];
    let day = probe.sent_at;
    push_some(&mut lines, "attempt", &repeated(&probe.attempts), "attempts", |attempts| {
        attempt_line(attempts, day)
    });
    push_some(&mut lines, "seen", &probe.sightings, "sightings", |sighting| {
        sighting_line(sighting, day)
    });
    push_some(&mut lines, "trace", &probe.trace, "rows", |row| trace_line(row, day));
    push_some(&mut lines, "members", &probe.members, "members", member_line);
    if let Some(dsn) = &probe.dsn {
        dsn_lines(dsn, day, &mut lines);
    }
    if !probe.authentication.is_empty() {
        lines.push(("checked", checked(&probe.authentication)));
    }
    push_some(&mut lines, "way", &probe.hops, "hops", |hop| hop_line(hop, day));
    if let Some(path) = &probe.path {
        lines.push(("path", path.clone()));
    }
    push_some(&mut lines, "filter", &probe.filters, "filters", filter_line);
    push_some(&mut lines, "changed", &probe.alterations, "changes", change_line);
    let is_told = |signature: &&Signature| signature.is_broken() || signature.body == SignedPart::Unchecked;
    let told: Vec<&Signature> = probe.signatures.iter().filter(is_told).collect();
    push_some(&mut lines, "signed", &told, "signatures", |signature| signature_line(signature));
    for requirement in probe.requirements.iter().filter(|requirement| !requirement.holds) {
        let against = requirement.evidence.as_deref().unwrap_or("it does not hold");
        lines.push(("required", format!("{}: {against}", requirement.name)));
    }
    if let Some(reason) = probe
        .reason
        .as_ref()
        .filter(|reason| !probe.explanation.contains(reason.trim_end_matches('.')))
    {
        lines.push(("reason", reason.clone()));
    }
    lines.push(("Message-ID", probe.message_id.clone()));
    if let Some(waiver) = &probe.waiver {
        lines.push(("waiver", waiver.clone()));
    }
    if let Some(owner) = &probe.owner {
        lines.push(("owner", owner.clone()));
    }
    if let Some(backup) = &probe.backup {
        lines.push(("backup", backup.clone()));
    }
    if let Some(covered_by) = &probe.covered_by {
        lines.push(("covered by", covered_by.clone()));
    }
    lines
}

/// Each method with its result and, after it, what it says beside it: `compauth=fail reason=001; spf=pass domain=sender.example`.
fn checked(results: &Authentication) -> String {
    let methods = results.iter().filter(|(name, _)| !name.contains('.'));
    let said = methods.map(|(method, result)| {
        let mut text = format!("{method}={result}");
        for (name, value) in results {
            if let Some(property) = name.strip_prefix(method.as_str()).and_then(|rest| rest.strip_prefix('.')) {
                text.push_str(&format!(" {property}={value}"));
            }
        }
        text
    });
    said.collect::<Vec<_>>().join("; ")
}

/// What was expected, and where that is said.
pub fn expected(probe: &JudgedProbe) -> String {
    let expected = alternatives(&probe.expected);
    if probe.expected_at.file.is_empty() {
        expected
    } else {
        format!("{expected}  ({})", probe.expected_at)
    }
}

/// What was measured, in a few words.
pub fn measured(probe: &JudgedProbe) -> String {
    let mut text = probe.verdict.word().to_owned();
    for flag in &probe.flags {
        text.push_str(", ");
        text.push_str(flag.word());
    }
    if let (Some(mailbox), Some(folder)) = (&probe.mailbox, &probe.folder) {
        text.push_str(&format!(": {folder} of {mailbox}"));
    }
    if let Some(latency) = probe.latency_ms {
        // The time is that of the first copy, the folder that of the last.
        let seen = if probe.flags.contains(&Flag::Moved) { "first seen " } else { "" };
        text.push_str(&format!(
            ", {seen}{} after sending",
            interval(latency, probe.latency_uncertainty_ms)
        ));
    }
    if probe.flags.contains(&Flag::Duplicated) {
        text.push_str(&format!(", {} copies at once", probe.copies));
    }
    text
}

/// The first and the last of many, with the number of those between.
fn push_some<T>(lines: &mut Vec<(&'static str, String)>, label: &'static str, items: &[T], noun: &str, line: impl Fn(&T) -> String) {
    let skipped = if items.len() > SHOWN { 1..items.len() - (SHOWN - 1) } else { 0..0 };
    let mut label = label;
    for (index, item) in items.iter().enumerate() {
        if skipped.contains(&index) {
            if index == skipped.start {
                lines.push(("", format!("… {} more {noun} …", skipped.len())));
            }
            continue;
        }
        lines.push((std::mem::take(&mut label), line(item)));
    }
}

/// Attempts that ended alike, one after the other.
fn repeated(attempts: &[Attempt]) -> Vec<&[Attempt]> {
    let alike =
        |a: &Attempt, b: &Attempt| (&a.host, &a.tls, &a.reply, &a.stage, a.in_doubt) == (&b.host, &b.tls, &b.reply, &b.stage, b.in_doubt);
    attempts.chunk_by(alike).collect()
}

fn attempt_line(attempts: &[Attempt], day: Option<Time>) -> String {
    let [attempt, rest @ ..] = attempts else { return String::new() };
    let last = rest.last().unwrap_or(attempt);
    let mut text = format!("{}–{}", clock(attempt.at, day), clock(last.ended_at, day));
    if !rest.is_empty() {
        text.push_str(&format!(", {} times", attempts.len()));
    }
    text.push_str(&format!("  {}", attempt.host));
    // Where nobody was talked to, TLS is no question.
    if attempt.reply.code.is_some() && !attempt.reply.ours {
        text.push_str(&format!(", {}", tls(attempt.tls.as_ref())));
    }
    let whose = if attempt.reply.ours { " (our words)" } else { "" };
    text.push_str(&format!(", {}: {}{whose}", attempt.stage, attempt.reply));
    if attempt.in_doubt {
        text.push_str(" (cut off after the final dot)");
    }
    text
}

fn tls(tls: Option<&Tls>) -> String {
    match tls {
        None => "in the clear".to_owned(),
        Some(Tls {
            version,
            certificate: Ok(()),
            ..
        }) => version.clone(),
        Some(Tls {
            version,
            certificate: Err(why),
            ..
        }) => format!("{version}, certificate does not hold ({why})"),
    }
}

fn sighting_line(sighting: &SightingRecord, day: Option<Time>) -> String {
    let SightingRecord {
        mailbox,
        folder,
        placement,
        after,
        at,
        until,
        ..
    } = sighting;
    let mut text = format!("{}–{}  {folder} of {mailbox}", clock(*after, day), clock(*at, day));
    if !folder.eq_ignore_ascii_case(placement.word()) {
        text.push_str(&format!(" ({placement})"));
    }
    if let Some(until) = until {
        text.push_str(&format!(", gone {}", clock(*until, day)));
    }
    text
}

/// One hop, in a line: when it took the message by its own clock, from whom, how, and how long it kept it.
fn hop_line(record: &HopRecord, day: Option<Time>) -> String {
    let hop = &record.hop;
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
    let mut text = hop.at.map_or_else(|| "no time".to_owned(), |at| hop_clock(at, day));
    text.push_str(&format!("  {}", name(&hop.by)));
    match (&hop.from, &hop.address) {
        (Some(from), Some(address)) if from != address => text.push_str(&format!(" from {from} [{address}]")),
        (Some(from), _) | (None, Some(from)) => text.push_str(&format!(" from {from}")),
        (None, None) => {}
    }
    let protection = match hop.encryption {
        Encryption::Tls => hop.tls.clone().unwrap_or_else(|| "TLS".to_owned()),
        Encryption::Clear => "in the clear".to_owned(),
        Encryption::Local => "local".to_owned(),
        Encryption::Unsaid => "TLS not stated".to_owned(),
    };
    text.push_str(&format!(", {protection}"));
    if let Some(spent) = record.spent_ms.filter(|spent| *spent >= 1000.0) {
        text.push_str(&format!(", kept it {}", span(spent)));
    }
    if let Some(skew) = record.skew_ms {
        text.push_str(&format!(", its clock is {} at least", off(skew)));
    }
    text
}

/// What one filter said, in a line.
fn filter_line(filter: &Filter) -> String {
    let mut text = filter.name.to_string();
    if let Some(host) = &filter.host {
        text.push_str(&format!(" on {host}"));
    }
    text.push_str(&format!(": {}", filter.said));
    let named = filter.said.contains("score") || filter.said.contains("SCL");
    match (filter.score.filter(|_| !named), filter.threshold) {
        (Some(score), Some(threshold)) => text.push_str(&format!(", {score} of {threshold}")),
        (Some(score), None) => text.push_str(&format!(", score {score}")),
        (None, _) => {}
    }
    let rules: Vec<&str> = filter
        .rules
        .iter()
        .map(String::as_str)
        .filter(|rule| !filter.said.contains(rule))
        .collect();
    if !rules.is_empty() {
        text.push_str(&format!(", by {}", rules.join(", ")));
    }
    if let Some(list) = &filter.allow_listed {
        text.push_str(&format!("; allow-listed: {list}"));
    }
    text
}

/// One row of the message trace, in a line.
fn trace_line(row: &TraceRow, day: Option<Time>) -> String {
    let mut text = format!("{}  {} for {}", clock(row.at, day), row.status, row.recipient);
    if let Some(host) = &row.to_ip {
        text.push_str(&format!(", handed to {host}"));
    }
    text.push_str(&format!(" ({}, {})", row.place, row.id));
    if let Some(cause) = &row.cause {
        if !cause.event.is_empty() || !cause.text.is_empty() {
            text.push_str(&format!("; {}: {}", cause.event, cause.text));
        }
        if let Some(found) = &cause.defender {
            text.push_str(&defender(found));
        }
    }
    text
}

/// One alteration, in a line: what was added, or else both sides; and who did it, where that shows.
fn change_line(alteration: &Alteration) -> String {
    let Alteration {
        kind,
        sent,
        arrived,
        how,
        added,
        service,
        target,
    } = alteration;
    let mut text = match (added, how) {
        (Some(added), Some(How::AddedBefore)) => format!("{}: “{added}” was added before “{sent}”", kind.word()),
        (Some(added), Some(How::AddedAfter)) => format!("{}: “{added}” was added after “{sent}”", kind.word()),
        (Some(added), _) => format!("{}: “{added}” was added", kind.word()),
        (None, Some(How::Removed)) => format!("{}: “{sent}” was removed", kind.word()),
        (None, _) => format!("{}: “{sent}” became “{arrived}”", kind.word()),
    };
    match (service, target) {
        (Some(service), Some(target)) => text.push_str(&format!(" ({service}, leads to {target})")),
        (Some(service), None) => text.push_str(&format!(" ({service}, hides where it leads)")),
        (None, _) => {}
    }
    text
}

/// One signature that does not hold, or of which that is not known, in a line.
fn signature_line(signature: &Signature) -> String {
    let mut text = format!("DKIM of {} (selector {})", signature.domain, signature.selector);
    if signature.is_broken() {
        text.push_str(" is broken");
    }
    match (&signature.first_change, signature.body) {
        (Some(change), _) => text.push_str(&format!("; line {}: “{}” became “{}”", change.line, change.sent, change.arrived)),
        (None, SignedPart::Changed) => text.push_str("; the text was changed after it was signed"),
        (None, SignedPart::Mismatched) => text.push_str("; it covers neither the text that was sent nor the one that arrived"),
        (None, SignedPart::Unchecked) => text.push_str("; its text was not checked: it is too long to be hashed for so many signatures"),
        (None, SignedPart::Intact | SignedPart::Unread) => {}
    }
    for field in &signature.fields {
        text.push_str(&format!("; {}: “{}” became “{}”", field.name, field.sent, field.arrived));
    }
    text
}

/// What Defender says of a row, with its own words for what they are.
fn defender(found: &DefenderFinding) -> String {
    let said = [
        ("policy", found.policy.clone()),
        ("action", found.action.clone()),
        ("threat", found.threats.join(", ")),
        ("found by", found.methods.join(", ")),
        ("override", found.overridden.clone()),
        ("latest place", found.latest.clone()),
    ];
    let said = said.iter().filter(|(_, words)| !words.is_empty());
    let said: Vec<String> = said.map(|(what, words)| format!("{what} {words}")).collect();
    if said.is_empty() {
        String::new()
    } else {
        format!("; Defender: {}", said.join("; "))
    }
}

/// One member of a group, in a line.
fn member_line(member: &Member) -> String {
    let mut text = format!("{}: {}", member.mailbox, member.verdict);
    for flag in &member.flags {
        text.push_str(", ");
        text.push_str(flag.word());
    }
    if let Some(folder) = &member.folder {
        text.push_str(&format!(" in {folder}"));
    }
    if let Some(latency) = member.latency_ms {
        text.push_str(&format!(", {}", interval(latency, member.latency_uncertainty_ms)));
    }
    if let Some(reason) = &member.reason {
        text.push_str(&format!(" ({reason})"));
    }
    text
}

fn dsn_lines(dsn: &Dsn, day: Option<Time>, lines: &mut Vec<(&'static str, String)>) {
    let action = match dsn.action {
        DsnAction::Failed => "failed",
        DsnAction::Delayed => "delayed",
        DsnAction::Delivered => "delivered",
        DsnAction::Relayed => "relayed",
        DsnAction::Expanded => "expanded",
    };
    let mut text = format!("{}  {action}", clock(dsn.at, day));
    for (label, value) in [
        (" ", &dsn.status),
        (" for ", &dsn.recipient),
        (", reported by ", &dsn.reporting_mta),
        (" in the words of ", &dsn.remote_mta),
    ] {
        if let Some(value) = value {
            text.push_str(label);
            text.push_str(value);
        }
    }
    lines.push(("notice", text));
    if let Some(diagnostic) = &dsn.diagnostic {
        lines.push(("", diagnostic.clone()));
    }
    let guessed = if dsn.guessed { ", which is a guess" } else { "" };
    lines.push(("", format!("found in {}, bound by {}{guessed}", dsn.mailbox, dsn.bound_by)));
}

/// As [`clock`], in the whole seconds that hosts write.
fn hop_clock(time: Time, day: Option<Time>) -> String {
    let same_day = day.is_some_and(|day| day.date_naive() == time.date_naive());
    time.format(if same_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
}

/// The time of day in UTC, with the date where it is another day's.
fn clock(time: Time, day: Option<Time>) -> String {
    let same_day = day.is_some_and(|day| day.date_naive() == time.date_naive());
    time.format(if same_day { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.3f" })
        .to_string()
}
