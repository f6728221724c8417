//! A message with a link, once as text and once as an anchor: filters that rewrite links show themselves here.

use super::{Content, Wording, html};

/// The link leads to the sender's own domain, whose owner alone decides what stands there; it is never followed by mailflow.
pub(super) fn content(wording: &Wording) -> Content {
    let link = wording.link();
    let text = wording.text(&[
        "This message holds one link, so that the test shows whether it stays as it was sent. There is no need to open it:",
        &link,
    ]);
    let anchor = format!(
        "<p>This message holds one link, so that the test shows whether it stays\r\nas it was sent. There is no need to open it:\r\n<a\r\nhref=\"{}\">test link</a></p>\r\n",
        html::escaped(&link)
    );
    Content::alternatives(wording, &text, html::page(wording, &anchor))
}
