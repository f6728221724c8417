//! Messages with a zip archive, open or encrypted. An encrypted one is what no filter can look into; many therefore hold it.

use super::{Content, Wording, zip::Archive};

const KIND: &str = "application/zip";
const INSIDE: &str = "mail-flow-test.txt";

pub(super) fn open(wording: &Wording) -> Content {
    let said = "A zip archive with one text file is attached, so that the test shows whether archives arrive as they were sent.";
    let archive = Archive::dated(wording.started).with(INSIDE, wording.enclosed().as_bytes()).finish();
    Content::with_files(wording, &[said], [("mail-flow-test.zip", KIND, archive)])
}

pub(super) fn encrypted(wording: &Wording) -> Content {
    let password = format!("mailflow-{}", wording.code());
    let said = format!(
        "A zip archive with one text file is attached. It is encrypted, so that the test shows what becomes of files that no filter can open. \
         Its password is {password}"
    );
    let archive = Archive::dated(wording.started)
        .with_encrypted(INSIDE, wording.enclosed().as_bytes(), &password, wording.tag)
        .finish();
    Content::with_files(wording, &[&said], [("mail-flow-test-encrypted.zip", KIND, archive)])
}
