//! What a second look found, in one sentence, and what to do about it. A mailbox shows where a message lies, never who moved it: the sentences
//! name what could have.

use super::{Finding, quote, span};
use crate::model::{Change, JudgedProbe, Later, Time, Verdict, time};

/// What the latest second look found, if that is worth a word.
pub fn finding(probe: &JudgedProbe) -> Option<Finding> {
    let later = probe.later.last()?;
    let look = format!("on the second look {}", after(probe, later.at));
    let there = place(later);
    let sentence = match later.change {
        Change::Same => return None,
        Change::Cleaned => format!("By the second look {} `mailflow clean` had removed it.", after(probe, later.at)),
        Change::Unseen => format!(
            "Where it is {} cannot be said: {}.",
            look.replacen("on the", "by the", 1),
            quote::bounded(later.reason.as_deref().unwrap_or("it could not be looked"))
        ),
        Change::Moved | Change::Released | Change::Found | Change::Gone if !later.members.is_empty() => of_members(probe, later, &look),
        Change::Moved => format!("{}; {look} it is {there}: {}.", before(probe), mover(later.verdict)),
        Change::Released => format!(
            "{}; {look} it is {there}: somebody released it, or the filter did after a later scan.",
            before(probe)
        ),
        Change::Found => format!(
            "{} it is {there}: it was on its way for longer, or was held where mailflow could not look, and then released.",
            super::capitalised(&look)
        ),
        Change::Gone => {
            let doubt = later.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!(
                "{}; {look} it is in no place any more{doubt}: a purge, a retention rule or a person removed it, or a quarantine took it.",
                before(probe)
            )
        }
    };
    let step = later.is_worse_than(probe.outcome).then(|| {
        let whom = probe.owner.as_ref().map_or_else(|| "whoever reads this mailbox".to_owned(), Clone::clone);
        format!(
            "Ask {whom} whether a person or a rule of theirs did it; if not, look for it in the mail system's audit log and quarantine (zero-hour \
             purge): what it takes later, it may also take from real mail."
        )
    });
    Some(Finding { sentence, step })
}

/// How long after the probe was sent: `24 h later (2026-11-25 12:00 UTC)`.
fn after(probe: &JudgedProbe, at: Time) -> String {
    let clock = at.format("%Y-%m-%d %H:%M UTC");
    match probe.arrived_at.or(probe.sent_at) {
        Some(from) => format!("{} later ({clock})", roughly(time::milliseconds(from, at))),
        None => format!("at {clock}"),
    }
}

/// A span in the unit that people would say: nobody waits for a second look with a stop-watch.
fn roughly(milliseconds: f64) -> String {
    const HOUR: f64 = 3_600_000.0;
    let hours = milliseconds / HOUR;
    if hours < 1.0 {
        span(milliseconds)
    } else if hours < 72.0 {
        format!("{hours:.0} h")
    } else {
        format!("{:.0} days", hours / 24.0)
    }
}

/// Where it was by its verdict.
fn before(probe: &JudgedProbe) -> String {
    let when = probe.arrived_at.map(|at| format!(" at {}", at.format("%H:%M"))).unwrap_or_default();
    let folder = || probe.folder.as_deref().map(quote::bounded).unwrap_or_default();
    match probe.verdict {
        Verdict::Inbox => format!("It was in the inbox{when}"),
        Verdict::Folder => format!("It was in the folder {}{when}", folder()),
        Verdict::Junk => format!("It was in the junk folder{when}"),
        Verdict::Quarantine => format!("It was held in quarantine{when}"),
        Verdict::Elsewhere => format!("It was in a mailbox not meant for it{when}"),
        verdict => format!("Its verdict was {verdict}{when}"),
    }
}

/// Where it is now.
fn place(later: &Later) -> String {
    let folder = later.folder.as_deref().map(quote::bounded).unwrap_or_default();
    let mailbox = later.mailbox.as_ref().map(ToString::to_string).unwrap_or_default();
    match later.verdict {
        Verdict::Inbox => "in the inbox".to_owned(),
        Verdict::Junk => format!("in the junk folder ({folder})"),
        Verdict::Quarantine if folder.is_empty() => "held in quarantine, as the message trace says".to_owned(),
        Verdict::Quarantine => format!("held in quarantine ({mailbox}/{folder})"),
        Verdict::Deleted => format!("among the deleted items ({folder})"),
        Verdict::Elsewhere => format!("in the mailbox {mailbox}, which was not meant"),
        Verdict::Delivered => "stored in its mailbox, as the message trace says".to_owned(),
        _ => format!("in the folder {folder}"),
    }
}

/// What could have moved it there.
fn mover(to: Verdict) -> &'static str {
    match to {
        Verdict::Junk | Verdict::Quarantine => "zero-hour auto purge or another late scan, or a rule or person moved it",
        Verdict::Deleted => "a person, a rule or a late scan deleted it",
        Verdict::Inbox => "a person, a rule or a later scan put it there",
        _ => "a rule or a person moved it",
    }
}

fn of_members(probe: &JudgedProbe, later: &Later, look: &str) -> String {
    let moved: Vec<String> = later
        .members
        .iter()
        .filter(|member| member.change.is_news())
        .map(|member| {
            let place = member.folder.as_deref().map(quote::bounded);
            let place = place.map_or_else(|| "gone".to_owned(), |folder| format!("in {folder}"));
            format!("{} ({place})", member.mailbox)
        })
        .collect();
    format!(
        "{} {} of {} members' copies had changed their place: {}; late scans, rules and people can do that.",
        super::capitalised(look),
        moved.len(),
        probe.members.len(),
        super::listed(&moved, 4)
    )
}
