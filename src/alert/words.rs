//! What an alert says in words: a title, and a paragraph for each change. The services put them into their own forms.

use crate::model::{AlertChange, AlertMessage, Occasion, time};
use std::collections::BTreeSet;

/// One sentence, without its full stop.
pub(super) fn title(changes: &[AlertChange], open: usize) -> String {
    let mut parts = Vec::new();
    for (kind, reminder) in [
        (Occasion::Failure, false),
        (Occasion::Unknown, false),
        (Occasion::Recovery, false),
        (Occasion::Failure, true),
        (Occasion::Unknown, true),
    ] {
        let these: Vec<&AlertChange> = changes
            .iter()
            .filter(|change| change.kind == kind && change.reminder == reminder)
            .collect();
        let Some(first) = these.first() else { continue };
        let recipients: BTreeSet<&str> = these.iter().map(|change| change.recipient.as_str()).collect();
        let whom = match recipients.len() {
            1 => format!("mail to {}", first.recipient),
            count => format!("mail to {count} recipients ({} among them)", first.recipient),
        };
        let is = match (kind, reminder) {
            (Occasion::Failure, false) => format!("{whom} is not as expected: {}", verdicts(&these)),
            (Occasion::Failure, true) => format!("{whom} is still not as expected: {}", verdicts(&these)),
            (Occasion::Unknown, false) => format!("{whom} could not be measured"),
            (Occasion::Unknown, true) => format!("{whom} still cannot be measured"),
            _ => format!("{whom} is as expected again"),
        };
        parts.push(is);
    }
    let told_anew = changes.iter().all(|change| change.kind == Occasion::Recovery);
    if told_anew && open > 0 {
        parts.push(format!("{open} still amiss"));
    }
    let mut title = parts.join("; ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    plain(&title, 250)
}

fn verdicts(changes: &[&AlertChange]) -> String {
    let verdicts: BTreeSet<&str> = changes.iter().map(|change| change.verdict.as_str()).collect();
    let verdicts: Vec<&str> = verdicts.into_iter().collect();
    match (changes, verdicts.as_slice()) {
        ([only], _) if !only.expected.is_empty() && !only.expected.contains(&only.verdict) => {
            format!("{}, expected {}", only.verdict, only.expected.join(" or "))
        }
        _ => verdicts.join(", "),
    }
}

/// The word at the head of a change.
pub(super) fn head(change: &AlertChange) -> &'static str {
    match (change.kind, change.reminder) {
        (Occasion::Failure, false) => "FAILED",
        (Occasion::Failure, true) => "STILL FAILING",
        (Occasion::Unknown, false) => "COULD NOT BE MEASURED",
        (Occasion::Unknown, true) => "STILL CANNOT BE MEASURED",
        (Occasion::Recovery, _) => "RECOVERED",
        (Occasion::Missed, _) => "MISSED",
        (Occasion::Test, _) => "TRIAL",
    }
}

/// Whom and what a change is about: `admin@contoso.example (Global Administrator), plain by internet`.
pub(super) fn subject(change: &AlertChange) -> String {
    let role = change.role.as_ref().map_or_else(String::new, |role| format!(" ({role})"));
    let case = change.case.as_ref().map_or_else(String::new, |case| format!(", case {case}"));
    format!("{}{role}, {} by {}{case}", change.recipient, change.message, change.route)
}

/// What was measured and since when.
pub(super) fn measured(change: &AlertChange) -> String {
    let minute = |at| time::shown(at)[..16].replace('T', " ");
    let expected = if change.expected.is_empty() {
        String::new()
    } else {
        format!(", expected {}", change.expected.join(" or "))
    };
    match change.kind {
        Occasion::Recovery => format!("{}; it was amiss since {} UTC", change.verdict, minute(change.since)),
        _ => format!("{}{expected}; since {} UTC", change.verdict, minute(change.since)),
    }
}

/// Who answers for it: `Owner: Dana Reyes; backup: Kim Okafor`.
pub(super) fn people(change: &AlertChange) -> Option<String> {
    match (&change.owner, &change.backup) {
        (Some(owner), Some(backup)) => Some(format!("Owner: {owner}; backup: {backup}")),
        (Some(owner), None) => Some(format!("Owner: {owner}; no backup is named")),
        (None, Some(backup)) => Some(format!("No owner is named; backup: {backup}")),
        (None, None) => None,
    }
}

/// The lines of a change below its head.
pub(super) fn lines(change: &AlertChange) -> Vec<String> {
    let mut lines = vec![measured(change)];
    lines.extend((!change.explanation.is_empty()).then(|| change.explanation.clone()));
    lines.extend(change.remedy.as_ref().map(|remedy| format!("Next step: {remedy}")));
    lines.extend(people(change));
    lines
}

/// What all forms say at their end: run, scenario, site, change.
pub(super) fn foot(message: &AlertMessage) -> String {
    let mut parts = Vec::new();
    parts.extend(message.scenario.as_ref().map(|scenario| format!("scenario {scenario}")));
    parts.extend(message.run.as_ref().map(|run| format!("run {run}")));
    parts.push(format!("site {}", message.site));
    parts.extend(message.change.as_ref().map(|change| format!("change {change}")));
    parts.push(format!("{} UTC", time::shown(message.at)[..19].replace('T', " ")));
    plain(&parts.join(" · "), 500)
}

/// What was left out, if anything was.
pub(super) fn rest(count: usize) -> Option<String> {
    (count > 0).then(|| format!("… and {count} more: `mailflow report` shows all of them"))
}

/// The whole alert as plain text of at most `most` bytes: what no longer fits is counted.
pub(super) fn text(message: &AlertMessage, most: usize) -> String {
    let foot = foot(message);
    // Room for the foot and for the line that counts the rest.
    let room = most.saturating_sub(foot.len() + 120);
    let mut text = String::new();
    let mut left_out = message.left_out;
    for (index, change) in message.changes.iter().enumerate() {
        let paragraph = format!("{} {}\n{}\n\n", head(change), subject(change), lines(change).join("\n"));
        if text.len() + paragraph.len() > room {
            left_out += message.changes.len() - index;
            break;
        }
        text.push_str(&paragraph);
    }
    if let Some(rest) = rest(left_out) {
        text.push_str(&rest);
        text.push_str("\n\n");
    }
    text.push_str(&foot);
    text
}

/// In one line, without control characters and what turns the text around it, of at most `most` characters.
pub(super) fn plain(text: &str, most: usize) -> String {
    let is_odd = |character: char| {
        character.is_control()
            || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
    };
    let clean: String = text
        .chars()
        .map(|character| if is_odd(character) { ' ' } else { character })
        .collect();
    shorten(&clean, most)
}

/// Of at most `most` characters.
pub(super) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}
