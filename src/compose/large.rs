//! A message of a chosen size: the file attached to it takes what the rest leaves. The file looks random, so that nothing can compress it.

use super::{Content, Wording, noise::Noise};

const GROUP: u64 = 4;
/// The groups of four characters in a line of base64 (RFC 2045 section 6.8: at most 76 characters).
const GROUPS_IN_LINE: u64 = 19;

/// The message with a file of `octets`.
pub(super) fn content(wording: &Wording, octets: usize) -> Content {
    let said = "The file attached to this message only takes space, so that the test shows whether large messages arrive. It may be deleted unread.";
    let file = Noise::of(wording.tag).take(octets);
    Content::with_files(wording, &[said], [("mail-flow-test.bin", "application/octet-stream", file)])
}

/// The octets of the file with which the whole message comes nearest to `size` without exceeding it. `frame` is the size of the message with a file
/// of three octets, which is one group of base64.
pub(super) fn octets(size: u64, frame: u64) -> usize {
    let room = size.saturating_sub(frame) + GROUP;
    // A full line and its end take 78; of what is left, whole groups.
    let line = GROUPS_IN_LINE * GROUP + 2;
    let groups = room / line * GROUPS_IN_LINE + (room % line / GROUP).min(GROUPS_IN_LINE);
    usize::try_from(groups.max(1) * 3).unwrap_or(usize::MAX)
}
