//! Sequence sets as sorted ranges, so that a hostile set costs no more than its own length.
//!
//! Pure.

use imap_codec::imap_types::sequence::{SeqOrUid, Sequence, SequenceSet};

/// A set of sequence numbers or UIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers(Vec<(u32, u32)>);

impl Numbers {
    /// The numbers of a set where `*` is `largest` (RFC 3501, section 9: `seq-range` may run either way).
    pub fn new(set: &SequenceSet, largest: u32) -> Self {
        let number = |at: &SeqOrUid| match at {
            SeqOrUid::Value(value) => value.get(),
            SeqOrUid::Asterisk => largest,
        };
        let mut ranges: Vec<(u32, u32)> = (set.0.as_ref().iter())
            .map(|sequence| match sequence {
                Sequence::Single(at) => (number(at), number(at)),
                Sequence::Range(from, to) => (number(from).min(number(to)), number(from).max(number(to))),
            })
            .collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// Whether a number is in the set.
    pub fn contains(&self, number: u32) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= number);
        after.checked_sub(1).is_some_and(|at| self.0[at].1 >= number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(set: &str, largest: u32) -> Vec<u32> {
        let numbers = Numbers::new(&set.parse().unwrap(), largest);
        (0..=20).filter(|n| numbers.contains(*n)).collect()
    }

    #[test]
    fn ranges_merge_turn_and_end_at_the_largest() {
        assert_eq!(picked("3,1:2,5:4", 9), [1, 2, 3, 4, 5]);
        assert_eq!(picked("*", 9), [9]);
        assert_eq!(picked("8:*", 9), [8, 9]);
        assert_eq!(picked("12:*", 9), [9, 10, 11, 12], "the last message is always in n:*");
        assert_eq!(picked("*", 0), [0], "an empty folder has no message 0");
        assert_eq!(picked("7", 9), [7]);
    }
}
