//! The message that every spam filter must stop: it holds the Generic Test for Unsolicited Bulk Email.

use super::{Content, Wording};

/// The 68 octets that spam filters look for (<https://spamassassin.apache.org/gtube/>).
const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

pub(super) fn content(wording: &Wording) -> Content {
    Content::text(&wording.text(&[
        "The next line is the standard test string for spam filters. A filter that works keeps this message out of the inbox:",
        GTUBE,
    ]))
}
