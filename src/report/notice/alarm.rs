//! Which probes are likely to set off an alarm, and why that is right.

use super::{Block, Part};
use crate::model::{MessageKind, Plan};
use std::collections::BTreeMap;

/// What is in store for those who watch filters; no part if only harmless looks are sent.
pub fn part(plan: &Plan) -> Part {
    let mut kinds: BTreeMap<&'static str, (usize, String)> = BTreeMap::new();
    for probe in &plan.probes {
        if let Some(why) = why(&probe.message) {
            kinds.entry(probe.message.word()).or_insert((0, why)).0 += 1;
        }
    }
    if kinds.is_empty() {
        return Part {
            title: "",
            blocks: Vec::new(),
        };
    }
    let lines = kinds.into_iter().map(|(kind, (count, why))| format!("{kind} ({count}): {why}"));
    Part {
        title: "What may raise an alarm, and should",
        blocks: vec![Block::List(lines.collect())],
    }
}

fn why(kind: &MessageKind) -> Option<String> {
    let why = match kind {
        MessageKind::Plain | MessageKind::Html | MessageKind::Attachment | MessageKind::Unicode | MessageKind::List => return None,
        MessageKind::Link => "a link to the sender's own domain, which mailflow never follows",
        MessageKind::Verification => "looks like a vendor's notice with a code, a link and a deadline; it borrows nobody's name",
        MessageKind::Office => "a Word document without macros",
        MessageKind::Archive => "a zip archive that holds a text file",
        MessageKind::EncryptedZip => "a zip archive that no scanner can open: its password stands in the text, and it holds a text file",
        MessageKind::Calendar => "an invitation to a meeting, which may show in calendars",
        MessageKind::Large(_) => "a large message, to find where the limit is",
        MessageKind::Gtube => "the string GTUBE, which every spam filter takes for spam; it is harmless",
        MessageKind::Eicar => "the EICAR test file, which every virus scanner reports; it is harmless",
        MessageKind::AutoReply => "says nothing of being automatic, so that absence replies come back",
        MessageKind::SelfSpoof => "From pretends an address of the recipient's own domain",
        MessageKind::DisplayName(person) => {
            return Some(format!("From bears the name of {person}, with the sender's own address behind it"));
        }
        MessageKind::Template(file) => return Some(format!("a message of our own making, from the file {file}")),
    };
    Some(why.to_owned())
}
