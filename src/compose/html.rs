//! The same words as HTML, with a plain alternative: no link, no picture, nothing from elsewhere.

use super::{Content, Wording};

pub(super) fn content(wording: &Wording) -> Content {
    Content::alternatives(wording, &wording.text(&[]), page(wording, ""))
}

/// A page with the probe's paragraphs. `extra` is HTML, put before the last paragraph (that of the tag).
pub(super) fn page(wording: &Wording, extra: &str) -> String {
    let mut paragraphs: Vec<String> = wording
        .paragraphs()
        .iter()
        .map(|text| format!("<p>{}</p>\r\n", wrapped(&escaped(text))))
        .collect();
    if !extra.is_empty() {
        paragraphs.insert(paragraphs.len().saturating_sub(1), extra.to_owned());
    }
    format!(
        "<!DOCTYPE html>\r\n<html lang=\"en\">\r\n<head>\r\n<meta charset=\"utf-8\">\r\n<title>{}</title>\r\n</head>\r\n<body>\r\n{}</body>\r\n</html>",
        wrapped(&escaped(&wording.subject())),
        paragraphs.concat()
    )
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

pub(super) fn wrapped(text: &str) -> String {
    super::wording::fill(text)
}
