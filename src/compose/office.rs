//! A message with a Word document (ECMA-376): the least that Word and `LibreOffice` open, without macros and without anything from elsewhere.

use super::{Content, Wording, html::escaped, zip::Archive};

const KIND: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

const TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"#;

const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#;

pub(super) fn content(wording: &Wording) -> Content {
    let said = "A Word document of one page is attached, so that the test shows whether such documents arrive as they were sent.";
    let document = Archive::dated(wording.started)
        .with("[Content_Types].xml", TYPES.as_bytes())
        .with("_rels/.rels", RELATIONS.as_bytes())
        .with("word/document.xml", page(wording).as_bytes())
        .finish();
    Content::with_files(wording, &[said], [("mail-flow-test.docx", KIND, document)])
}

fn page(wording: &Wording) -> String {
    let paragraphs = [
        "Mail-flow test",
        "This page was attached to a test message by mailflow, a program that measures whether mail reaches the people and roles it is meant for.",
        "Nothing needs to be done. The message itself says whom to ask.",
        &format!("Reference: {}", wording.tag),
    ];
    let body: String = paragraphs
        .iter()
        .map(|text| format!("<w:p><w:r><w:t>{}</w:t></w:r></w:p>", escaped(text)))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:document \
         xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>{body}</w:body></w:document>"
    )
}
