//! What was changed on the way, in words: one sentence for each kind of change, with the maker's name for what does it, and the narrow step that
//! spares a message which has to arrive as it was sent.
//!
//! What it cannot see: which rule of a gateway made a change; the step says where such rules are kept.

use super::{Finding, listed, quote};
use crate::model::{Alteration, AlterationKind, FieldChange, How, JudgedProbe, LineChange, Signature, SignedPart};

/// The most changes that are told in sentences of their own.
const MOST: usize = 4;
/// The most fields of a signature that are named.
const MOST_FIELDS: usize = 3;

/// Every change that the explanation names, in one finding. `step` for each only where a requirement asks for it.
pub(super) fn finding(probe: &JudgedProbe) -> Finding {
    let mut sentences: Vec<String> = Vec::new();
    let plain: Vec<&Alteration> = probe.alterations.iter().filter(|one| sentence(one).is_none()).collect();
    let told: Vec<String> = probe.alterations.iter().filter_map(sentence).collect();
    sentences.extend(told.iter().take(MOST).cloned());
    if let Some(more) = told.len().checked_sub(MOST).filter(|more| *more > 0) {
        sentences.push(format!("{more} more changes are listed in the evidence."));
    }
    let rest: Vec<String> = plain.iter().map(|one| in_a_word(one)).collect();
    if !rest.is_empty() {
        let also = if told.is_empty() { "" } else { "also " };
        sentences.push(format!("It was {also}changed on the way: {}.", listed(&rest, MOST)));
    }
    if sentences.is_empty() && signatures(probe).is_empty() {
        sentences.push("It was changed on the way.".to_owned());
    }
    sentences.extend(signatures(probe));
    Finding::without_step(sentences.join(" "))
}

/// What the requirement of this name asks for and a change speaks against: the narrow step that names what made it.
pub(super) fn step(probe: &JudgedProbe, requirement: &str) -> Option<String> {
    let first = |counts: &dyn Fn(&Alteration) -> bool| probe.alterations.iter().find(|one| counts(one));
    let of = |kind: AlterationKind| move |one: &Alteration| one.kind == kind;
    match requirement {
        "links-unchanged" | "links-lead-home" => {
            let is_it = |one: &Alteration| one.kind == AlterationKind::Links && (requirement == "links-unchanged" || one.leads_astray());
            let link = first(&is_it)?;
            Some(match (&link.service, link.how) {
                (Some(service), Some(How::Rewritten)) => format!(
                    "If these links must arrive as they were sent, except the domain {} from rewriting in the policy of {service} for these recipients; if rewriting is meant, leave out `{requirement}`.",
                    host(&link.sent)
                ),
                (_, Some(How::Removed)) => format!(
                    "Find the gateway on route {} that takes links out, and except the domain {} there for this sender if it is trusted.",
                    probe.route,
                    host(&link.sent)
                ),
                _ => format!(
                    "Find out who put {} there before anybody follows it: no service that is known here rewrites links so.",
                    quote::quoted(&link.arrived)
                ),
            })
        }
        "subject-unchanged" => {
            first(&of(AlterationKind::Subject))?.added.as_ref()?;
            Some(format!(
                "If the notice must arrive unaltered, except its sender from the mail flow rule or gateway setting that tags subjects on route {}; if the tag is meant, leave out `{requirement}`.",
                probe.route
            ))
        }
        "no-external-banner" | "body-unchanged" => {
            let added = first(&|one: &Alteration| one.kind == AlterationKind::Body && one.added.is_some())?;
            let what = if added.how == Some(How::AddedAfter) {
                "disclaimer"
            } else {
                "banner"
            };
            Some(format!(
                "If the notice must arrive unaltered, except its sender from the {what} rule on route {} (a mail flow rule, or the gateway's setting for mail from outside); if the {what} is meant, leave out `{requirement}`.",
                probe.route
            ))
        }
        "attachment-intact" => {
            first(&of(AlterationKind::Attachments))?;
            Some(format!(
                "Look up this message in the log of the attachment filter on route {}, and except this type of file for this sender if it is trusted.",
                probe.route
            ))
        }
        "dkim-pass" => {
            let broken = probe.signatures.iter().find(|signature| signature.is_changed())?;
            Some(format!(
                "Let the gateway on route {} check DKIM before it makes that change, or make the change spare mail of {}, so that its signature still holds.",
                probe.route, broken.domain
            ))
        }
        _ => None,
    }
}

/// One change as a sentence, where more is known of it than that it was made.
fn sentence(one: &Alteration) -> Option<String> {
    let added = one.added.as_deref().map(quote::quoted);
    match (one.kind, one.how, added) {
        (AlterationKind::Links, how, _) => how.map(|how| link(one, how)),
        (AlterationKind::Subject, Some(How::AddedBefore), Some(tag)) => Some(format!("The subject was tagged: {tag} stands before it.")),
        (AlterationKind::Subject, _, Some(tag)) => Some(format!("The subject was tagged: {tag} was added to it.")),
        (AlterationKind::Body, Some(How::AddedBefore), Some(banner)) => Some(format!(
            "The text begins with a banner: {banner}; a mail flow rule or gateway adds it."
        )),
        (AlterationKind::Body, Some(How::AddedAfter), Some(footer)) => Some(format!(
            "The text ends with an addition: {footer}; a disclaimer rule, gateway or list adds it."
        )),
        (AlterationKind::Body, _, Some(words)) => Some(format!("Something was put into the text: {words}.")),
        (AlterationKind::Body, Some(How::Removed), _) => Some(format!("A gateway took out {}.", one.sent)),
        (AlterationKind::Attachments, Some(How::Removed), _) => Some(format!("The attachment {} was removed.", name(&one.sent))),
        (AlterationKind::Attachments, Some(How::Replaced), _) if name(&one.sent) == name(&one.arrived) => Some(format!(
            "The attachment {} came with another content: it was disarmed (CDR) or damaged.",
            name(&one.sent)
        )),
        (AlterationKind::Attachments, Some(How::Replaced), _) => Some(format!(
            "In place of the attachment {} came {}.",
            name(&one.sent),
            name(&one.arrived)
        )),
        (AlterationKind::Attachments, Some(How::AddedAfter), Some(new)) => Some(format!("An attachment was added: {new}.")),
        _ => None,
    }
}

fn link(one: &Alteration, how: How) -> String {
    let service = one.service.as_deref().unwrap_or("A service that is not known here");
    match (how, &one.target) {
        (How::Removed, _) => format!("The link to {} was removed.", quote::quoted(&one.sent)),
        (How::Rewritten, Some(target)) if !one.leads_astray() => format!("{service} rewrote the link; it still leads to {target}."),
        (How::Rewritten, Some(target)) => format!("{service} rewrote the link; it now leads to {}.", quote::quoted(target)),
        (How::Rewritten, None) => format!("{service} rewrote the link to {} and hides where it leads.", host(&one.sent)),
        (_, Some(target)) => format!(
            "In place of the link to {} stands another one, which leads to {}.",
            quote::quoted(&one.sent),
            quote::quoted(target)
        ),
        (_, None) => format!(
            "In place of the link to {} stands another one, and {service} hides where it leads.",
            quote::quoted(&one.sent)
        ),
    }
}

/// A change of which only the kind is told.
fn in_a_word(one: &Alteration) -> String {
    match one.kind {
        AlterationKind::Wrapped => "it came inside another message".to_owned(),
        AlterationKind::Subject => format!("subject (now {})", quote::quoted(&one.arrived)),
        kind => kind.word().to_owned(),
    }
}

/// The signatures that no longer hold, where nothing else is told of what was changed.
pub(super) fn broken_signatures(probe: &JudgedProbe) -> Option<Finding> {
    let sentences = signatures(probe);
    (!sentences.is_empty()).then(|| Finding::without_step(sentences.join(" ")))
}

/// A sentence for each signature that no longer holds.
fn signatures(probe: &JudgedProbe) -> Vec<String> {
    let broken = probe.signatures.iter().filter(|signature| signature.is_broken());
    let mut sentences: Vec<String> = broken.take(MOST_FIELDS).map(signature).collect();
    let passed = probe.authentication.get("dkim").is_some_and(|result| result == "pass");
    if passed && probe.signatures.iter().any(Signature::is_changed) {
        sentences.push("The receiving side says dkim=pass: it checked before that change, or another signature.".to_owned());
    }
    sentences
}

fn signature(one: &Signature) -> String {
    let mut causes: Vec<String> = Vec::new();
    match (&one.first_change, one.body) {
        (Some(change), _) => causes.push(format!("the text was changed: {}", line(change))),
        (None, SignedPart::Changed) => causes.push("the text was changed after it was signed".to_owned()),
        (None, _) => {}
    }
    causes.extend(one.fields.iter().take(MOST_FIELDS).map(field));
    let selector = if one.selector.is_empty() {
        String::new()
    } else {
        format!(" (selector {})", one.selector)
    };
    let signature = format!("DKIM signature of {}{selector}", one.domain);
    if causes.is_empty() {
        return format!(
            "A {signature} fits neither the text that was sent nor the one that arrived: it was made of another text, or never held, and tells of no change by itself."
        );
    }
    format!("Its {signature} no longer verifies, because {}.", causes.join(", and "))
}

fn line(change: &LineChange) -> String {
    let LineChange { line, sent, arrived } = change;
    match (sent.as_str(), arrived.as_str()) {
        ("", arrived) => format!("line {line} is now {}", quote::quoted(arrived)),
        (sent, "") => format!("line {line} was {} and is gone or empty", quote::quoted(sent)),
        (sent, arrived) => format!("line {line} was {} and is now {}", quote::quoted(sent), quote::quoted(arrived)),
    }
}

fn field(change: &FieldChange) -> String {
    if change.arrived.is_empty() {
        return format!("{} ({}) was removed", change.name, quote::quoted(&change.sent));
    }
    format!(
        "{} was changed from {} to {}",
        change.name,
        quote::quoted(&change.sent),
        quote::quoted(&change.arrived)
    )
}

/// The host of a link.
fn host(link: &str) -> &str {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// The name of an attachment, which stands first in what is shown of it.
fn name(attachment: &str) -> &str {
    attachment.split(", ").next().unwrap_or(attachment)
}
