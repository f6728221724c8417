//! Plain text that an automatic responder may answer: the header leaves out the fields that would keep it silent.

use super::{Content, Wording};

pub(super) fn content(wording: &Wording) -> Content {
    Content::text(&wording.text(&["If this mailbox has an automatic reply, it may answer this message."]))
}
