//! A message with a PDF: a real one of a single page, which says what it is.

use super::{Content, Wording};
use pdf_writer::{Content as PageContent, Finish, Name, Pdf, Rect, Ref, Str};

pub(super) fn content(wording: &Wording) -> Content {
    let said = "A PDF of one page is attached, so that the test shows whether attachments arrive as they were sent.";
    Content::with_files(wording, &[said], [("mail-flow-test.pdf", "application/pdf", document(wording))])
}

/// A4, one page, Helvetica (one of the fonts that every reader has): ASCII only.
fn document(wording: &Wording) -> Vec<u8> {
    let [catalog, pages, page, font, stream] = [1, 2, 3, 4, 5].map(Ref::new);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut leaf = pdf.page(page);
    leaf.media_box(Rect::new(0.0, 0.0, 595.0, 842.0)).parent(pages).contents(stream);
    leaf.resources().fonts().pair(Name(b"F1"), font);
    leaf.finish();
    pdf.type1_font(font).base_font(Name(b"Helvetica"));

    let mut text = PageContent::new();
    text.begin_text();
    text.set_font(Name(b"F1"), 12.0);
    text.set_leading(18.0);
    text.next_line(72.0, 760.0);
    for line in [
        "Mail-flow test",
        "",
        "This page was attached to a test message by mailflow, a program that measures",
        "whether mail reaches the people and roles it is meant for.",
        "Nothing needs to be done. The message itself says whom to ask.",
        "",
        &format!("Reference: {}", wording.tag),
    ] {
        text.show(Str(line.as_bytes()));
        text.next_line_using_leading();
    }
    text.end_text();
    pdf.stream(stream, &text.finish());
    pdf.finish()
}
