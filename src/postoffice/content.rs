//! What the post office's scanners look for: the standard tests for spam filters and for virus scanners. Each stands here in two parts, so that
//! neither this file nor the program built from it is one.

use mail_parser::{MessageParser, MimeHeaders};

/// The Generic Test for Unsolicited Bulk Email.
const GTUBE: [&str; 2] = ["XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-", "ANTI-UBE-TEST-EMAIL*C.34X"];
/// The EICAR test file.
const EICAR: [&str; 2] = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"];

/// Whether a message is the test for spam filters, also where a transfer encoding hides it.
pub fn is_gtube(data: &[u8]) -> bool {
    let test = GTUBE.concat();
    if holds(data, &test) {
        return true;
    }
    let message = MessageParser::default().parse(data);
    message.is_some_and(|m| (0..m.text_body_count()).any(|at| m.body_text(at).is_some_and(|text| text.contains(&test))))
}

/// Whether a file is attached that begins with the test for virus scanners, as those ask for.
pub fn is_malware(data: &[u8]) -> bool {
    let test = EICAR.concat();
    let message = MessageParser::default().parse(data);
    message.is_some_and(|message| {
        message
            .attachments()
            .any(|part| part.attachment_name().is_some() && part.contents().starts_with(test.as_bytes()))
    })
}

fn holds(data: &[u8], test: &str) -> bool {
    data.windows(test.len()).any(|window| window == test.as_bytes())
}
