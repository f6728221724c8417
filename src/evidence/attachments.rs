//! Attachments: which came as they were sent. What is compared is the name, the type and the bytes, by SHA-256 (the bytes after decoding, so that
//! another transfer encoding changes nothing).

use super::{copies::LONGEST_SHOWN, mime::Entity, shorten};
use crate::model::{Alteration, AlterationKind, How};
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

    /// Whether the name of `other`, or that without its extension, stands in this one's: `invoice.pdf.txt`, `invoice.zip`.
    fn is_named_after(&self, other: &Self) -> bool {
        let stem = other.name.rsplit_once('.').map_or(other.name.as_str(), |(stem, _)| stem);
        stem.chars().count() >= 4 && self.name.contains(stem)
    }

    /// Whether it may hold what was taken away, or say that it was: an archive, Outlook's `winmail.dat`, a text.
    fn is_package_or_notice(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "application/zip"
                | "application/x-zip-compressed"
                | "application/ms-tnef"
                | "application/vnd.ms-tnef"
                | "text/plain"
                | "text/html"
        ) || ["winmail.dat", ".zip", ".7z"]
            .iter()
            .any(|end| self.name.to_ascii_lowercase().ends_with(end))
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
    let shown = sent.iter().map(Attachment::shown).collect::<Vec<_>>().join(", ");
    (!sent.is_empty()).then(|| alteration(shorten(&shown, LONGEST_SHOWN), "removed".to_owned(), Some(How::Removed)))
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
        // What has its bytes, or else its name, or else the looks of a package or a notice, is what became of it.
        let place = |is_it: &dyn Fn(&Attachment) -> bool| arrived.iter().position(is_it);
        let place = place(&|candidate| candidate.hash == attachment.hash)
            .or_else(|| place(&|candidate| candidate.name == attachment.name))
            .or_else(|| place(&|candidate| candidate.is_named_after(attachment)))
            .or_else(|| place(&Attachment::is_package_or_notice));
        altered.push(match place.map(|place| arrived.remove(place)) {
            // The same bytes under another name or type are still there.
            Some(became) if became.hash == attachment.hash => alteration(attachment.shown(), became.shown(), None),
            Some(became) => alteration(attachment.shown(), became.shown(), Some(How::Replaced)),
            None => alteration(attachment.shown(), "removed".to_owned(), Some(How::Removed)),
        });
    }
    altered.extend(arrived.iter().map(|new| Alteration {
        added: Some(shorten(&new.name, LONGEST_SHOWN)),
        ..alteration("nothing".to_owned(), new.shown(), Some(How::AddedAfter))
    }));
    altered
}

fn alteration(sent: String, arrived: String, how: Option<How>) -> Alteration {
    Alteration {
        how,
        ..Alteration::new(AlterationKind::Attachments, sent, arrived)
    }
}
