//! Tags: the unforgeable names of probes.
//!
//! A tag is 42 characters of `[a-z2-7]`, read without regard to case: 26 of base32 for a UUID, 16 for the first 80 bits of its HMAC-SHA-256 under
//! the site's key. It survives in a header, a subject, a local part (RFC 5321 section 4.5.3.1.1 allows 64 octets), a body and a search query.
//! The UUID is of version 8 (RFC 9562 section 5.8): its first 45 bits are the run's, so that all tags of a run begin with the same nine
//! characters, which are the run's id, and one server-side search for them finds every probe of the run.

use data_encoding::{BASE32_NOPAD, Encoding, Specification};
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::LazyLock};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The characters of a tag.
pub const TAG_LENGTH: usize = 42;
/// The characters of a tag that name its run.
const RUN_LENGTH: usize = 9;
const ID_LENGTH: usize = 26;
const HASH_BYTES: usize = 10;
/// The bytes of a tag key.
pub const KEY_LENGTH: usize = 32;

/// Base32 (RFC 4648 section 6) in lower case, reading both cases.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification: Specification = BASE32_NOPAD.specification();
    specification.symbols.make_ascii_lowercase();
    specification.translate.from = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".into();
    specification.translate.to = "abcdefghijklmnopqrstuvwxyz".into();
    // 26 characters hold 130 bits for the UUID's 128: the two that are left over are not checked here but by comparing the text again.
    specification.check_trailing_bits = false;
    specification.encoding().unwrap_or(BASE32_NOPAD)
});

/// The id of a run: the nine characters with which all of its tags begin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    /// The run id held in the first 45 of these random bits.
    pub fn from_random(random: [u8; 6]) -> Self {
        let mut text = BASE32.encode(&random);
        text.truncate(RUN_LENGTH);
        Self(text)
    }

    /// The nine characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_lowercase();
        let valid = text.len() == RUN_LENGTH && text.bytes().all(is_tag_byte);
        if valid {
            Ok(Self(text))
        } else {
            Err(format!("a run id has {RUN_LENGTH} characters of a-z and 2-7"))
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(run: RunId) -> Self {
        run.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The id of one probe: the UUID inside its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProbeId(Uuid);

impl ProbeId {
    /// A probe id of `run`, filled up with these random bytes.
    pub fn new(run: &RunId, random: [u8; 16]) -> Self {
        let mut bytes = random;
        // Nine characters are 45 bits: five bytes and the upper five bits of the sixth.
        if let Ok(prefix) = BASE32.decode(format!("{run}a").as_bytes()) {
            for (byte, of_run) in bytes.iter_mut().zip(prefix.iter().take(5)) {
                *byte = *of_run;
            }
            if let (Some(byte), Some(of_run)) = (bytes.get_mut(5), prefix.get(5)) {
                *byte = (*of_run & 0b1111_1000) | (*byte & 0b0000_0111);
            }
        }
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The run that this probe belongs to.
    pub fn run(&self) -> RunId {
        let mut text = BASE32.encode(self.0.as_bytes());
        text.truncate(RUN_LENGTH);
        RunId(text)
    }
}

impl fmt::Display for ProbeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A tag that was made or verified with the site's key. There is no other way to have one, so holding a `Tag` is the proof.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tag(String);

impl Tag {
    /// The 42 characters, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The secret key of the tags. Machines that shall recognise each other's probes share it.
#[derive(Clone)]
pub struct TagKey(hmac::Key);

impl TagKey {
    /// The key with these bytes.
    pub fn new(bytes: &[u8; KEY_LENGTH]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The tag of a probe.
    pub fn tag(&self, id: ProbeId) -> Tag {
        let hash = hmac::sign(&self.0, id.0.as_bytes());
        let mut text = BASE32.encode(id.0.as_bytes());
        text.push_str(&BASE32.encode(&hash.as_ref()[..HASH_BYTES]));
        Tag(text)
    }

    /// What the DNS of a domain must say for the holder of this key to count the domain as its own: 26 characters of base32. Nobody without the key
    /// can tell it beforehand, and it says nothing of the key or of any tag, whose hashes are of sixteen octets.
    pub fn ownership(&self, domain: &str) -> String {
        let text = format!("mailflow own domain\0{}", domain.to_ascii_lowercase());
        let mut token = BASE32.encode(hmac::sign(&self.0, text.as_bytes()).as_ref());
        token.truncate(ID_LENGTH);
        token
    }

    /// The probe whose tag `candidate` is, in any case of letters; `None` for everything that was not made with this key.
    pub fn verify(&self, candidate: &str) -> Option<ProbeId> {
        if candidate.len() != TAG_LENGTH || !candidate.bytes().all(|byte| is_tag_byte(byte.to_ascii_lowercase())) {
            return None;
        }
        let id = BASE32.decode(candidate.get(..ID_LENGTH)?.as_bytes()).ok()?;
        let id = ProbeId(Uuid::from_slice(&id).ok()?);
        let made = self.tag(id);
        // Compared in constant time: whoever can send us mail may otherwise learn a hash byte by byte.
        bool::from(made.0.as_bytes().ct_eq(candidate.to_ascii_lowercase().as_bytes())).then_some(id)
    }

    /// The probes whose tags stand anywhere in `text`, in order of appearance, each once. Linear in the length of the text.
    pub fn find_in(&self, text: &[u8]) -> Vec<ProbeId> {
        let mut found = Vec::new();
        for word in text.split(|byte| !byte.is_ascii_alphanumeric()) {
            let id = (word.len() == TAG_LENGTH)
                .then(|| std::str::from_utf8(word).ok())
                .flatten()
                .and_then(|word| self.verify(word));
            if let Some(id) = id
                && !found.contains(&id)
            {
                found.push(id);
            }
        }
        found
    }
}

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagKey(secret)")
    }
}

fn is_tag_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'2'..=b'7')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TagKey {
        TagKey::new(&[7; KEY_LENGTH])
    }

    fn run() -> RunId {
        RunId::from_random([1, 2, 3, 4, 5, 6])
    }

    #[test]
    fn a_tag_begins_with_its_run_and_leads_back_to_its_probe() {
        let id = ProbeId::new(&run(), [0xAB; 16]);
        let tag = key().tag(id);
        assert_eq!(tag.as_str().len(), TAG_LENGTH);
        assert!(tag.as_str().starts_with(run().as_str()), "{tag} of run {}", run());
        assert_eq!(id.run(), run());
        assert_eq!(key().verify(tag.as_str()), Some(id));
        assert_eq!(key().verify(&tag.as_str().to_ascii_uppercase()), Some(id), "gateways change case");
    }

    #[test]
    fn nobody_forges_a_tag() {
        let tag = key().tag(ProbeId::new(&run(), [9; 16]));
        for position in 0..TAG_LENGTH {
            let mut forged = tag.as_str().to_owned().into_bytes();
            forged[position] = if forged[position] == b'a' { b'b' } else { b'a' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(key().verify(&forged), None, "changed at {position}");
        }
        assert_eq!(TagKey::new(&[8; KEY_LENGTH]).verify(tag.as_str()), None, "another site's key");
        assert_eq!(key().verify(""), None);
        assert_eq!(key().verify(&"é".repeat(21)), None);
    }

    #[test]
    fn what_proves_a_domain_follows_from_key_and_domain_only() {
        let token = key().ownership("contoso.example");
        assert_eq!(token.len(), 26);
        assert!(token.bytes().all(is_tag_byte), "{token}");
        assert_eq!(token, key().ownership("Contoso.EXAMPLE"), "names know no case");
        assert_ne!(token, key().ownership("fabrikam.example"));
        assert_ne!(token, TagKey::new(&[8; KEY_LENGTH]).ownership("contoso.example"));
    }

    #[test]
    fn tags_are_found_between_anything_that_is_no_letter() {
        let tag = key().tag(ProbeId::new(&run(), [9; 16]));
        let text = format!("<{tag}@x> [{}] x{tag} {tag}", tag.as_str().to_uppercase());
        assert_eq!(key().find_in(text.as_bytes()), vec![ProbeId::new(&run(), [9; 16])]);
        assert_eq!(key().find_in(format!("x{tag}").as_bytes()), vec![], "a longer word is not a tag");
    }
}
