//! Attachments: which came as they were sent. What is compared is the name, the type and the bytes, by SHA-256 (the bytes after decoding, so that
//! another transfer encoding changes nothing).

use super::{copies::LONGEST_SHOWN, mime::Entity, shorten};
use crate::model::{Alteration, AlterationKind};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

/// The most attachments that are compared.
const MOST: usize = 64;

struct Attachment {
    name: String,
    kind: String,
    length: usize,
    hash: String,
}

impl Attachment {
    fn shown(&self) -> String {
        shorten(
            &format!("{}, {}, {} bytes, SHA-256 {}", self.name, self.kind, self.length, self.hash),
            LONGEST_SHOWN,
        )
    }

    fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.kind == other.kind && self.hash == other.hash
    }
}

fn of(message: &Entity) -> Vec<Attachment> {
    let attached = message.leaves().into_iter().filter(|leaf| leaf.is_attachment());
    attached
        .take(MOST)
        .map(|leaf| {
            let content = leaf.content();
            Attachment {
                name: leaf.name().unwrap_or("without a name").to_owned(),
                kind: leaf.media.kind.clone(),
                length: content.len(),
                hash: HEXLOWER.encode(digest(&SHA256, &content).as_ref()),
            }
        })
        .collect()
}

/// The alteration of a message that had attachments and arrived without any; `None` if it had none.
pub(super) fn removed(original: &Entity) -> Option<Alteration> {
    let sent = of(original);
    (!sent.is_empty()).then(|| {
        Alteration::new(
            AlterationKind::Attachments,
            super::shorten(&sent.iter().map(Attachment::shown).collect::<Vec<_>>().join(", "), LONGEST_SHOWN),
            "removed".to_owned(),
        )
    })
}

/// The attachments that were changed, taken away or added.
pub(super) fn compare(original: &Entity, arrived: &Entity) -> Vec<Alteration> {
    let sent = of(original);
    let mut arrived = of(arrived);
    let mut altered = Vec::new();
    let missing: Vec<&Attachment> = sent
        .iter()
        .filter(|attachment| match arrived.iter().position(|candidate| candidate.is(attachment)) {
            Some(place) => {
                arrived.remove(place);
                false
            }
            None => true,
        })
        .collect();
    for attachment in missing {
        // What has its bytes, or else its name, is what became of it.
        let place = arrived
            .iter()
            .position(|candidate| candidate.hash == attachment.hash)
            .or_else(|| arrived.iter().position(|candidate| candidate.name == attachment.name));
        let became = place.map_or_else(|| "removed".to_owned(), |place| arrived.remove(place).shown());
        altered.push(alteration(attachment.shown(), became));
    }
    altered.extend(arrived.iter().map(|added| alteration("nothing".to_owned(), added.shown())));
    altered
}

fn alteration(sent: String, arrived: String) -> Alteration {
    Alteration::new(AlterationKind::Attachments, sent, arrived)
}
