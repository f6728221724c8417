//! Banners: whether words that were added to a text warn of its sender as a stranger. What stands above the text and warns of nothing is none, and a
//! warning is one wherever it stands.
//!
//! What it cannot see: a banner that is a picture, and one in a language whose words are not listed.

use crate::model::{Alteration, AlterationKind, How};

/// Words that speak of a sender from outside, in lower case: English and most languages of Europe share the stem `extern`.
const OUTSIDE: [&str; 24] = [
    "external",
    "extern",
    "outside",
    "externo",
    "extérieur",
    "exterieur",
    "esterno",
    "esterna",
    "ekstern",
    "zewnętrzn",
    "внешн",
    "зовнішн",
    "külső",
    "ulkopuol",
    "ulkoinen",
    "εξωτερικ",
    "harici",
    "dış kaynak",
    "外部",
    "외부",
    "don't often get",
    "do not often get",
    "don’t often get",
    "nicht oft",
];
/// Words that warn; above the text they are enough.
const WARNING: [&str; 20] = [
    "caution",
    "warning",
    "suspicious",
    "do not click",
    "phishing",
    "unverified",
    "could not verify",
    "vorsicht",
    "achtung",
    "warnung",
    "attention",
    "avertissement",
    "precaución",
    "cuidado",
    "attenzione",
    "let op",
    "waarschuwing",
    "uwaga",
    "внимание",
    "注意",
];

/// Whether an alteration of the text is such a banner.
pub(super) fn is_banner(alteration: &Alteration) -> bool {
    let Some(added) = alteration.added.as_ref().filter(|_| alteration.kind == AlterationKind::Body) else {
        return false;
    };
    let added = added.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| added.contains(word));
    match alteration.how {
        // Footers often warn of confidentiality, which is no banner; they have to speak of the sender.
        Some(How::AddedAfter) => has(&OUTSIDE),
        _ => has(&OUTSIDE) || has(&WARNING),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banners_are_told_from_other_additions() {
        let banner = |how, added: &str| {
            is_banner(&Alteration {
                how,
                added: Some(added.to_owned()),
                ..Alteration::new(AlterationKind::Body, "", "")
            })
        };
        for words in [
            "CAUTION: think first",
            "[EXTERN] Diese E-Mail kommt von außen",
            "You don't often get email from a@b.example",
            "このメールは外部からです",
        ] {
            assert!(banner(Some(How::AddedBefore), words) && banner(None, words), "{words}");
        }
        assert!(banner(Some(How::AddedAfter), "This message came from outside the organisation"));
        assert!(!banner(Some(How::AddedAfter), "Attention: this message is confidential"));
        assert!(!banner(Some(How::AddedBefore), "Hello all, forwarded for your information"));
        assert!(!banner(None, "a picture from https://gw.example/pixel.gif"));
        assert!(!is_banner(&Alteration::new(AlterationKind::Subject, "", "[EXTERNAL]")));
    }
}
