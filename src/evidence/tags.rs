//! Finding tags: in raw bytes and in decoded text, also where a fold, a broken line or an invisible character parts one. A tag counts only if its
//! keyed hash is ours and its probe stands in the plan. What it cannot see: a tag inside an archive, a picture, or an encrypted message.

use super::decode;
use crate::model::{Plan, ProbeId, RunId, TAG_LENGTH, TagKey};
use std::collections::HashMap;

/// How many things may part one tag. UTF-16 that was never decoded has a zero octet after each character.
const MOST_GAPS: usize = 64;
/// How many candidates are verified in one text: a text full of them cannot keep us busy.
const MOST_CANDIDATES: usize = 2_000;
/// How many different probes one text may name.
const MOST_FOUND: usize = 256;
/// How often base64 inside base64 is opened.
const DEEPEST_BASE64: usize = 2;

/// What parts a tag, beside broken lines: zero octets, the invisible characters that are offered as places to break, and their HTML.
const INVISIBLE: [&[u8]; 9] = [
    b"\0",
    "\u{200B}".as_bytes(),
    "\u{00AD}".as_bytes(),
    "\u{2060}".as_bytes(),
    "\u{FEFF}".as_bytes(),
    b"<wbr>",
    b"<wbr/>",
    b"&shy;",
    b"&#8203;",
];

/// The tags of one run's plan.
pub(super) struct Tags {
    key: TagKey,
    run: RunId,
    probes: HashMap<ProbeId, usize>,
}

impl Tags {
    pub fn new(key: TagKey, plan: &Plan) -> Self {
        Self {
            key,
            run: plan.run.id.clone(),
            probes: plan.probes.iter().enumerate().map(|(index, probe)| (probe.id, index)).collect(),
        }
    }

    /// The index of a probe in the plan.
    pub fn index(&self, probe: ProbeId) -> Option<usize> {
        self.probes.get(&probe).copied()
    }

    /// The first probe of the plan whose tag stands in `text`.
    pub fn first(&self, text: &[u8]) -> Option<ProbeId> {
        self.find(text, 1).first().copied()
    }

    /// Every probe of the plan whose tag stands in `text`, in order of appearance, each once.
    pub fn all(&self, text: &[u8]) -> Vec<ProbeId> {
        self.find(text, MOST_FOUND)
    }

    /// Whether the tag of `probe` stands in `text`.
    pub fn holds(&self, text: &[u8], probe: ProbeId) -> bool {
        self.all(text).contains(&probe)
    }

    /// The first verified tag in `text`, of whatever run: a tag that is ours but not of this plan tells that a message is another run's.
    pub fn first_of_any_run(&self, text: &[u8]) -> Option<ProbeId> {
        self.first(text).or_else(|| self.key.find_in(text).first().copied())
    }

    /// Like [`Tags::first`], in bytes whose transfer encoding is not known: as they are, as quoted-printable, and as base64.
    pub fn first_encoded(&self, bytes: &[u8]) -> Option<ProbeId> {
        self.peek(bytes, DEEPEST_BASE64)
    }

    fn peek(&self, bytes: &[u8], depth: usize) -> Option<ProbeId> {
        self.first(bytes)
            .or_else(|| {
                bytes
                    .contains(&b'=')
                    .then(|| self.first(&decode::quoted_printable(bytes)))
                    .flatten()
            })
            .or_else(|| {
                let depth = depth.checked_sub(1)?;
                decode::base64_runs(bytes).iter().find_map(|decoded| self.peek(decoded, depth))
            })
    }

    fn find(&self, text: &[u8], most: usize) -> Vec<ProbeId> {
        let mut found = Vec::new();
        let mut candidates = 0;
        let Some(first) = self.run.as_str().bytes().next() else {
            return found;
        };
        for (start, byte) in text.iter().enumerate() {
            if byte.to_ascii_lowercase() != first {
                continue;
            }
            let Some(candidate) = self.candidate(&text[start..]) else {
                continue;
            };
            candidates += 1;
            if let Some(id) = self.key.verify(&candidate)
                && self.probes.contains_key(&id)
                && !found.contains(&id)
            {
                found.push(id);
            }
            if found.len() == most || candidates == MOST_CANDIDATES {
                break;
            }
        }
        found
    }

    /// The 42 characters with which `text` begins, if they begin with the run's nine, without what parts them.
    fn candidate(&self, text: &[u8]) -> Option<String> {
        let run = self.run.as_str().as_bytes();
        let mut candidate = String::with_capacity(TAG_LENGTH);
        let mut rest = text;
        let mut gaps = 0;
        while candidate.len() < TAG_LENGTH {
            let (&byte, after) = rest.split_first()?;
            let byte = byte.to_ascii_lowercase();
            if matches!(byte, b'a'..=b'z' | b'2'..=b'7') {
                if run.get(candidate.len()).is_some_and(|&expected| expected != byte) {
                    return None;
                }
                candidate.push(char::from(byte));
                rest = after;
            } else {
                let gap = gap(rest);
                gaps += 1;
                if gap == 0 || gaps > MOST_GAPS {
                    return None;
                }
                rest = rest.get(gap..)?;
            }
        }
        Some(candidate)
    }
}

/// The length of what may part a tag at the start of `text`: a line break, with the `=` of quoted-printable before it and the indentation or
/// quotation marks of the next line after it, or something invisible. Zero if there is nothing such.
fn gap(text: &[u8]) -> usize {
    if let Some(invisible) = INVISIBLE.iter().find(|&&invisible| text.starts_with(invisible)) {
        return invisible.len();
    }
    let mut length = usize::from(text.starts_with(b"="));
    length += usize::from(text.get(length) == Some(&b'\r'));
    if text.get(length) != Some(&b'\n') {
        return 0;
    }
    length += 1;
    length
        + text[length..]
            .iter()
            .take(16)
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'>' | b'|'))
            .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KEY_LENGTH;

    fn tags() -> (Tags, ProbeId, String) {
        let run = RunId::from_random([1, 2, 3, 4, 5, 6]);
        let key = TagKey::new(&[7; KEY_LENGTH]);
        let id = ProbeId::new(&run, [9; 16]);
        let tag = key.tag(id).to_string();
        (
            Tags {
                key,
                run,
                probes: HashMap::from([(id, 0)]),
            },
            id,
            tag,
        )
    }

    #[test]
    fn a_tag_is_found_though_something_parts_it() {
        let (tags, id, tag) = tags();
        let (head, tail) = tag.split_at(17);
        for gap in [
            "", "\r\n ", "\n\t", "=\r\n", "=\n", "\r\n> ", "\n>> ", "\u{200B}", "\u{AD}", "<wbr>", "&#8203;",
        ] {
            let text = format!("before{head}{gap}{tail}after");
            assert_eq!(tags.first(text.as_bytes()), Some(id), "{gap:?}");
            assert_eq!(
                tags.first(text.to_uppercase().replace("<WBR>", "<wbr>").as_bytes()),
                Some(id),
                "{gap:?} in capitals"
            );
        }
        let wide: Vec<u8> = tag.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(tags.first(&wide), Some(id), "UTF-16 that nobody decoded");
        for gap in [" ", "-", "=", "x\n"] {
            assert_eq!(tags.first(format!("{head}{gap}{tail}").as_bytes()), None, "{gap:?}");
        }
        assert_eq!(tags.first(&tag.as_bytes()[..41]), None);
    }

    #[test]
    fn only_tags_of_the_plan_count() {
        let (mut tags, id, tag) = tags();
        assert_eq!(tags.all(format!("{tag} {tag}").as_bytes()), [id]);
        tags.probes.clear();
        assert_eq!(tags.first(tag.as_bytes()), None);
        assert_eq!(tags.first_of_any_run(tag.as_bytes()), Some(id));
        let other = tags.key.tag(ProbeId::new(&RunId::from_random([6; 6]), [1; 16]));
        assert!(tags.first_of_any_run(other.as_str().as_bytes()).is_some());
        assert_eq!(tags.first(other.as_str().as_bytes()), None);
    }

    #[test]
    fn a_part_is_searched_in_every_encoding() {
        let (tags, id, tag) = tags();
        let encoded = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
        let quoted = tag.replace('a', "=61");
        let once = format!("\r\n\r\n{}\r\n", encoded(&format!("Reference: {tag} and some more words")));
        let twice = format!(
            "\r\n\r\n{}\r\n",
            encoded(&format!("\r\n\r\n{}\r\n", encoded(&format!("Reference: {tag}"))))
        );
        for part in [tag, quoted, once, twice] {
            assert_eq!(tags.first_encoded(part.as_bytes()), Some(id), "{part}");
        }
        assert_eq!(tags.first_encoded(encoded("nothing of ours in here, whatever").as_bytes()), None);
    }
}
