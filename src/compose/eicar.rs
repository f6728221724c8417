//! The file that every virus scanner takes for malware and that does nothing (<https://www.eicar.org/download-anti-malware-testfile/>), attached
//! twice: as a program, which many filters stop for its name alone, and as text, which only a scanner stops.

use super::{Content, Wording};

/// In two halves, so that neither this file nor the program built from it is what scanners look for.
const HALVES: [&str; 2] = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"];

pub(super) fn content(wording: &Wording) -> Content {
    let said = "The two files attached to this message are the standard test file for virus scanners. It harms nothing. A scanner that works keeps it \
                out of the mailbox.";
    let file = HALVES.concat().into_bytes();
    Content::with_files(
        wording,
        &[said],
        [
            ("eicar.com", "application/octet-stream", file.clone()),
            ("eicar.txt", "application/octet-stream", file),
        ],
    )
}
