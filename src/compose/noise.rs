//! Octets that look random and yet follow from a tag: a message must be the same each time it is composed. Nothing here keeps a secret.

/// An endless stream of octets (SplitMix64).
pub(super) struct Noise(u64);

impl Noise {
    /// The stream of this tag.
    pub fn of(tag: &str) -> Self {
        // FNV-1a: every character of the tag counts.
        Self(tag.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next `count` octets.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let mut taken = Vec::with_capacity(count + 8);
        while taken.len() < count {
            taken.extend(self.next().to_le_bytes());
        }
        taken.truncate(count);
        taken
    }
}
