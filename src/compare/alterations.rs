//! What was changed on the way: subject, text, links, attachments, headers.
//!
//! Two probes are never the same text: each has its own tag, and gateways add dates and numbers. So these are taken out before two changes are
//! compared. What cannot be told apart for that reason: two banners that differ in numbers only.

use crate::model::{Alteration, AlterationKind, Difference, DifferenceKind, How, JudgedProbe, TAG_LENGTH};
use std::collections::BTreeSet;

const UNCHANGED: &str = "unchanged";
/// How much of a text is shown.
const SHOWN: usize = 90;

/// One for each kind of thing that was changed otherwise.
pub fn differences(before: &JudgedProbe, after: &JudgedProbe, all: &mut Vec<Difference>) {
    for kind in [
        AlterationKind::Wrapped,
        AlterationKind::Subject,
        AlterationKind::Body,
        AlterationKind::Links,
        AlterationKind::Attachments,
        AlterationKind::Headers,
    ] {
        let (was, is) = (changes(before, kind), changes(after, kind));
        if was != is {
            all.push(Difference::new(DifferenceKind::Alteration, told(&was), told(&is)).of(kind.word()));
        }
    }
}

/// What was done to things of that kind, each once.
fn changes(probe: &JudgedProbe, kind: AlterationKind) -> BTreeSet<String> {
    let of_kind = probe.alterations.iter().filter(|alteration| alteration.kind == kind);
    of_kind.map(done).collect()
}

fn told(changes: &BTreeSet<String>) -> String {
    if changes.is_empty() {
        return UNCHANGED.to_owned();
    }
    changes.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
}

/// What was done, in words that are the same for every probe to which it was done.
fn done(alteration: &Alteration) -> String {
    let Alteration {
        kind, sent, arrived, how, ..
    } = alteration;
    let quoted = |text: &str| format!("“{}”", anonymous(text));
    match (&alteration.added, how, &alteration.service) {
        (Some(added), Some(How::AddedBefore), _) => format!("{} added before", quoted(added)),
        (Some(added), Some(How::AddedAfter), _) => format!("{} added after", quoted(added)),
        (Some(added), _, _) => format!("{} added", quoted(added)),
        (None, _, Some(service)) => match alteration.target {
            Some(_) if alteration.leads_astray() => format!("rewritten by {service}, leads elsewhere"),
            Some(_) => format!("rewritten by {service}"),
            None => format!("rewritten by {service}, hides where it leads"),
        },
        (None, Some(How::Removed), _) => format!("{} removed", quoted(sent)),
        // Wrapped and rewritten links hold what is of this one message.
        (None, Some(How::Rewritten), None) => format!("rewritten, at {}", host(arrived)),
        (None, _, None) if *kind == AlterationKind::Wrapped => "inside another message".to_owned(),
        (None, _, None) => format!("{} became {}", quoted(sent), quoted(arrived)),
    }
}

/// The host of a link.
fn host(link: &str) -> &str {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// Without what is of one message only: tags become `…`, numbers `#`; shortened at the end.
fn anonymous(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        if word.len() == TAG_LENGTH && word.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte)) {
            out.push('…');
        } else {
            let mut in_number = false;
            for character in word.chars() {
                let digit = character.is_ascii_digit();
                match (digit, in_number) {
                    (true, true) => {}
                    (true, false) => out.push('#'),
                    (false, _) => out.push(character),
                }
                in_number = digit;
            }
        }
        word.clear();
    };
    for character in text.chars() {
        if character.is_alphanumeric() {
            word.push(character);
        } else {
            flush(&mut word, &mut out);
            out.push(character);
        }
    }
    flush(&mut word, &mut out);
    if out.chars().count() > SHOWN {
        out = out.chars().take(SHOWN - 1).chain(['…']).collect();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::fixture::{probe, with};

    const TAG: &str = "kf3q2m4xa7bn5c6d2e3f4g5h6aa2b3c4d5e6f7g2h3";

    fn altered(alterations: &[Alteration]) -> JudgedProbe {
        with(&probe(), &[("alterations", serde_json::to_value(alterations).unwrap())])
    }

    fn said(before: &[Alteration], after: &[Alteration]) -> Vec<String> {
        let mut all = Vec::new();
        differences(&altered(before), &altered(after), &mut all);
        all.iter().map(ToString::to_string).collect()
    }

    fn added(kind: AlterationKind, how: How, what: &str) -> Alteration {
        Alteration {
            how: Some(how),
            added: Some(what.to_owned()),
            ..Alteration::new(kind, format!("A notice [tag {TAG}]"), "…")
        }
    }

    fn rewritten(service: Option<&str>, arrived: &str) -> Alteration {
        let sent = format!("https://sender.example/mailflow/{TAG}");
        Alteration {
            how: Some(How::Rewritten),
            service: service.map(str::to_owned),
            target: service.map(|_| sent.clone()),
            ..Alteration::new(AlterationKind::Links, sent, arrived)
        }
    }

    #[test]
    fn a_tag_in_the_subject_is_one_difference() {
        let tag = added(AlterationKind::Subject, How::AddedBefore, "[EXTERNAL]");
        assert_eq!(
            said(&[], std::slice::from_ref(&tag)),
            ["subject: unchanged → “[EXTERNAL]” added before"]
        );
        assert_eq!(
            said(std::slice::from_ref(&tag), &[]),
            ["subject: “[EXTERNAL]” added before → unchanged"]
        );
        assert!(said(std::slice::from_ref(&tag), &[tag.clone(), tag.clone()]).is_empty());
        let other = added(AlterationKind::Subject, How::AddedBefore, "[SPAM]");
        assert_eq!(
            said(&[tag], &[other]),
            ["subject: “[EXTERNAL]” added before → “[SPAM]” added before"]
        );
    }

    #[test]
    fn what_is_of_one_message_only_is_no_difference() {
        let scanned = |when: &str| added(AlterationKind::Body, How::AddedAfter, &format!("Scanned {when}, id {TAG}"));
        assert!(said(&[scanned("2026-03-02 02:14")], &[scanned("2026-03-09 11:05")]).is_empty());
        let wrapped = |token: &str| rewritten(Some("Safe Links"), &format!("https://eur02.example/?data={token}"));
        assert!(said(&[wrapped("a")], &[wrapped("b")]).is_empty());
        assert!(
            said(
                &[rewritten(None, "https://gw.example/x1")],
                &[rewritten(None, "https://gw.example/y2")]
            )
            .is_empty()
        );
        assert_eq!(
            said(&[wrapped("a")], &[rewritten(None, "https://gw.example/y2")]),
            ["links: rewritten by Safe Links → rewritten, at gw.example"]
        );
    }

    #[test]
    fn texts_lose_tags_and_numbers_and_nothing_else() {
        assert_eq!(
            anonymous(&format!("A [tag {TAG}] of 2026, mx10a")),
            "A […] of #, mx#a".replace("[…]", "[tag …]")
        );
        assert_eq!(anonymous("plain, ünïcode"), "plain, ünïcode");
        assert_eq!(anonymous(&"x y ".repeat(100)).chars().count(), SHOWN);
    }
}
