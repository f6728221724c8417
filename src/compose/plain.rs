//! Plain text, nothing else: the message that every mail system should deliver.

use super::{Content, Wording};

pub(super) fn content(wording: &Wording) -> Content {
    Content::text(&wording.text(&[]))
}
