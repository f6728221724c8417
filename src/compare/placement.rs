//! Where a probe landed, whether in time, and what was asked of it. What is not compared: that an arrival *may* have been late (`late-unproven`),
//! which proves nothing either way, and that a person answered, which says nothing of the mail system.

use super::pair::Across;
use crate::model::{Difference, DifferenceKind, Flag, JudgedProbe, Outcome, Verdict};

/// Everything of that.
pub fn differences(before: &JudgedProbe, after: &JudgedProbe, across: Across, all: &mut Vec<Difference>) {
    push(all, DifferenceKind::Verdict, place(before), place(after));
    if across == Across::Runs && (before.verdict, before.outcome) == (after.verdict, after.outcome) {
        push(all, DifferenceKind::Reply, reply(before), reply(after));
    }
    all.extend(lateness(before, after));
    push(
        all,
        DifferenceKind::Expected,
        before.expected.join(" or "),
        after.expected.join(" or "),
    );
    let waived = |probe: &JudgedProbe| if probe.outcome == Outcome::Waived { "waived" } else { "not waived" };
    push(all, DifferenceKind::Waiver, waived(before).to_owned(), waived(after).to_owned());
    all.extend(copies(before, after));
    let moved = |probe: &JudgedProbe| flagged(probe, Flag::Moved, "moved after it arrived", "stayed where it arrived");
    push(all, DifferenceKind::Moved, moved(before), moved(after));
    // A responder answers each sender once in some days (RFC 5230 section 4.2: seven by default), so only messages that ask for an answer tell,
    // and of two in one run the second may find it silent.
    if across == Across::Runs && after.message == "auto-reply" {
        let answers = |probe: &JudgedProbe| flagged(probe, Flag::AutoReplied, "answered", "no answer");
        push(all, DifferenceKind::Answer, answers(before), answers(after));
    }
}

fn push(all: &mut Vec<Difference>, kind: DifferenceKind, before: String, after: String) {
    if before != after {
        all.push(Difference::new(kind, before, after));
    }
}

fn flagged(probe: &JudgedProbe, flag: Flag, yes: &str, no: &str) -> String {
    if probe.flags.contains(&flag) { yes } else { no }.to_owned()
}

/// The verdict, and what makes two of the same differ.
fn place(probe: &JudgedProbe) -> String {
    match (probe.verdict, &probe.folder, &probe.mailbox) {
        (Verdict::Folder, Some(folder), _) => format!("folder “{folder}”"),
        (Verdict::Elsewhere, _, Some(mailbox)) => format!("elsewhere, in {mailbox}"),
        (verdict, _, _) => verdict.word().to_owned(),
    }
}

/// The code with which it was refused or returned: the words beside it name queue ids and hosts.
fn reply(probe: &JudgedProbe) -> String {
    match probe.verdict {
        Verdict::Rejected => probe.attempts.last().map_or_else(String::new, |last| {
            let code = last.reply.code.map(|code| code.to_string());
            let parts: Vec<String> = code.into_iter().chain(last.reply.enhanced.clone()).collect();
            parts.join(" ")
        }),
        Verdict::Bounced => probe
            .dsn
            .as_ref()
            .and_then(|dsn| dsn.status.clone())
            .unwrap_or_else(|| "no status".to_owned()),
        _ => String::new(),
    }
}

/// Newly late, or in time again.
fn lateness(before: &JudgedProbe, after: &JudgedProbe) -> Option<Difference> {
    let arrived = |probe: &JudgedProbe| probe.latency_ms.is_some() && !probe.flags.contains(&Flag::LateUnproven);
    if !arrived(before) || !arrived(after) {
        return None;
    }
    let late = |probe: &JudgedProbe| flagged(probe, Flag::Late, "late", "in time");
    let (was, is) = (late(before), late(after));
    let took = |probe: &JudgedProbe| seconds(probe.latency_ms.unwrap_or_default());
    let note = format!("{}, then {}; allowed {}", took(before), took(after), seconds(after.within_ms));
    (was != is).then(|| Difference::new(DifferenceKind::Late, was, is).noting(Some(note)))
}

/// `0.4 s`, `361 s`.
fn seconds(milliseconds: f64) -> String {
    let seconds = milliseconds / 1000.0;
    if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{seconds:.0} s")
    }
}

/// More copies than were meant, or copies where none was meant.
fn copies(before: &JudgedProbe, after: &JudgedProbe) -> Option<Difference> {
    let said = |probe: &JudgedProbe| {
        let has = |flag| probe.flags.contains(&flag);
        match (has(Flag::Duplicated), has(Flag::AlsoElsewhere)) {
            (false, false) => "no copy too many",
            (true, false) => "duplicated",
            (false, true) => "a copy elsewhere too",
            (true, true) => "duplicated, and a copy elsewhere too",
        }
    };
    let (was, is) = (said(before), said(after));
    let note = format!("{}, then {}", before.copies, after.copies);
    (was != is).then(|| Difference::new(DifferenceKind::Copies, was, is).noting((before.copies != after.copies).then_some(note)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};
    use serde_json::{Value, json};

    fn said(before: &[(&str, Value)], after: &[(&str, Value)], across: Across) -> Vec<String> {
        let mut all = Vec::new();
        differences(&with(&probe(), before), &with(&probe(), after), across, &mut all);
        all.iter()
            .map(|difference| format!("{} {difference}", difference.kind.word()))
            .collect()
    }

    #[test]
    fn a_place_is_its_verdict_and_the_folder_that_a_rule_chose() {
        let folder = |name: &str| [("verdict", "folder".into()), ("folder", name.into())];
        assert_eq!(said(&folder("Alerts"), &folder("Alerts"), Across::Runs), [""; 0]);
        assert_eq!(
            said(&folder("Alerts"), &folder("Archive"), Across::Runs),
            ["verdict folder “Alerts” → folder “Archive”"]
        );
        assert_eq!(said(&[], &[("verdict", "lost".into())], Across::Runs), ["verdict inbox → lost"]);
    }

    #[test]
    fn codes_count_between_runs_and_are_each_products_own_between_routes() {
        let rejected = |code: u16, enhanced: &str| {
            let mut attempts = serde_json::to_value(&probe().attempts).unwrap();
            attempts[0]["reply"] = json!({ "code": code, "enhanced": enhanced, "text": format!("no, {code}"), "ours": false });
            [("verdict", "rejected".into()), ("attempts", attempts)]
        };
        let (one, other) = (rejected(550, "5.1.1"), rejected(554, "5.7.1"));
        assert_eq!(said(&one, &other, Across::Runs), ["reply 550 5.1.1 → 554 5.7.1"]);
        assert_eq!(said(&one, &other, Across::Routes), [""; 0]);
        assert_eq!(said(&one, &one, Across::Runs), [""; 0]);
    }

    #[test]
    fn only_what_is_proven_late_is_late() {
        let flags = |flags: &[&str]| [("flags", json!(flags)), ("latency_ms", 361_000.0.into())];
        assert_eq!(
            said(&[], &flags(&["late"]), Across::Runs),
            ["late in time → late (0.4 s, then 361 s; allowed 300 s)"]
        );
        assert_eq!(said(&[], &flags(&["late-unproven"]), Across::Runs), [""; 0]);
        assert_eq!(said(&flags(&["late"]), &flags(&["late-unproven"]), Across::Runs), [""; 0]);
    }

    #[test]
    fn answers_count_where_they_were_asked_for() {
        let of = |message: &str, flags: &[&str]| [("message", message.into()), ("flags", json!(flags))];
        let (silent, answered) = (of("auto-reply", &[]), of("auto-reply", &["auto-replied"]));
        assert_eq!(said(&answered, &silent, Across::Runs), ["answer answered → no answer"]);
        assert_eq!(said(&answered, &silent, Across::Routes), [""; 0]);
        assert_eq!(
            said(&of("plain", &["auto-replied"]), &of("plain", &["replied"]), Across::Runs),
            [""; 0]
        );
    }
}
