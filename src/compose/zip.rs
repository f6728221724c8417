//! Zip archives (PKWARE APPNOTE 6.3), small ones: files stored without compression, and on demand encrypted the old way (section 6.1), which every
//! system opens and every filter recognises. That encryption protects nothing, and need not: the password stands in the message.

use super::noise::Noise;
use chrono::{Datelike, Timelike};

/// Stored, version 2.0 (the first with folders and encryption).
const VERSION: u16 = 20;
/// The octets with which an encrypted file begins.
const ENCRYPTION_HEADER: usize = 12;

/// An archive in the making.
pub(super) struct Archive {
    local: Vec<u8>,
    central: Vec<u8>,
    files: u16,
    date: u16,
    time: u16,
}

impl Archive {
    /// An empty archive, whose files bear this date.
    pub fn dated(at: crate::model::Time) -> Self {
        let part = |value: u32, bits: u32| u16::try_from(value & ((1 << bits) - 1)).unwrap_or_default();
        let years = u32::try_from(at.year().saturating_sub(1980)).unwrap_or_default();
        Self {
            local: Vec::new(),
            central: Vec::new(),
            files: 0,
            date: part(years, 7) << 9 | part(at.month(), 4) << 5 | part(at.day(), 5),
            time: part(at.hour(), 5) << 11 | part(at.minute(), 6) << 5 | part(at.second() / 2, 5),
        }
    }

    /// With this file added. `name` is ASCII, `content` far below 4 GiB.
    pub fn with(self, name: &str, content: &[u8]) -> Self {
        self.add(name, content, None)
    }

    /// With this file added, readable with `password` only. `tag` gives the salt.
    pub fn with_encrypted(self, name: &str, content: &[u8], password: &str, tag: &str) -> Self {
        self.add(name, content, Some((password, tag)))
    }

    fn add(mut self, name: &str, content: &[u8], secret: Option<(&str, &str)>) -> Self {
        let sum = crc32fast::hash(content);
        let data = match secret {
            Some((password, tag)) => encrypted(content, sum, password, tag),
            None => content.to_vec(),
        };
        let mut fields = Vec::new();
        fields.extend(VERSION.to_le_bytes());
        fields.extend(u16::from(secret.is_some()).to_le_bytes());
        fields.extend(0_u16.to_le_bytes());
        fields.extend(self.time.to_le_bytes());
        fields.extend(self.date.to_le_bytes());
        fields.extend(sum.to_le_bytes());
        fields.extend(length(data.len()));
        fields.extend(length(content.len()));
        fields.extend(u16::try_from(name.len()).unwrap_or_default().to_le_bytes());
        fields.extend(0_u16.to_le_bytes());

        self.central.extend(b"PK\x01\x02");
        self.central.extend(VERSION.to_le_bytes());
        self.central.extend(&fields);
        // No comment, disk 0, no attributes.
        self.central.extend([0; 10]);
        self.central.extend(length(self.local.len()));
        self.central.extend(name.as_bytes());

        self.local.extend(b"PK\x03\x04");
        self.local.extend(&fields);
        self.local.extend(name.as_bytes());
        self.local.extend(data);
        self.files += 1;
        self
    }

    /// The archive's octets.
    pub fn finish(self) -> Vec<u8> {
        let mut whole = self.local;
        let start = whole.len();
        whole.extend(&self.central);
        whole.extend(b"PK\x05\x06\0\0\0\0");
        whole.extend(self.files.to_le_bytes());
        whole.extend(self.files.to_le_bytes());
        whole.extend(length(self.central.len()));
        whole.extend(length(start));
        whole.extend(0_u16.to_le_bytes());
        whole
    }
}

fn length(octets: usize) -> [u8; 4] {
    u32::try_from(octets).unwrap_or(u32::MAX).to_le_bytes()
}

/// `content` as APPNOTE section 6.1 encrypts it. Its salt follows from the tag; the last octet of that lets a reader check the password.
fn encrypted(content: &[u8], sum: u32, password: &str, tag: &str) -> Vec<u8> {
    let mut plain = Noise::of(tag).take(ENCRYPTION_HEADER - 1);
    plain.push(sum.to_be_bytes()[0]);
    plain.extend(content);
    let mut keys = Keys([0x1234_5678, 0x2345_6789, 0x3456_7890]);
    password.bytes().for_each(|byte| keys.update(byte));
    plain.iter().map(|&byte| keys.encrypt(byte)).collect()
}

struct Keys([u32; 3]);

impl Keys {
    fn update(&mut self, byte: u8) {
        let [first, second, third] = &mut self.0;
        *first = step(*first, byte);
        *second = second.wrapping_add(*first & 0xff).wrapping_mul(134_775_813).wrapping_add(1);
        *third = step(*third, second.to_be_bytes()[0]);
    }

    fn encrypt(&mut self, byte: u8) -> u8 {
        let word = (self.0[2] | 2) & 0xffff;
        let key = (word.wrapping_mul(word ^ 1) >> 8).to_le_bytes()[0];
        self.update(byte);
        byte ^ key
    }
}

/// CRC-32 goes one octet on, without the inversions at both ends.
fn step(sum: u32, byte: u8) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(!sum);
    hasher.update(&[byte]);
    !hasher.finalize()
}
