//! Text in many scripts: what a gateway that still thinks in one code page breaks.
//!
//! To an address in ASCII everything goes as 7-bit, so that every server takes it: the header in encoded words (RFC 2047), the text as
//! quoted-printable. Only where an address itself is beyond ASCII, and `SMTPUTF8` is needed all the same, header and text go as UTF-8 as they are
//! (RFC 6532, 8BITMIME): then that is tried too.

use super::{Content, Wording};
use lettre::message::{Body, SinglePart, header::ContentTransferEncoding, header::ContentType};

/// One line a script. The last two: characters that combine, and such that fonts draw as one picture.
const SAMPLES: [&str; 12] = [
    "Latin: Zażółć gęślą jaźń, Ærøskøbing, façade",
    "Greek: Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "Cyrillic: Съешь ещё этих мягких булок",
    "Hebrew: דג סקרן שט בים",
    "Arabic: نص حكيم له سر قاطع",
    "Hindi: ऋषियों को सताने वाले",
    "Thai: เป็นมนุษย์สุดประเสริฐ",
    "Japanese: いろはにほへと 色は匂えど",
    "Chinese: 視野無限廣 天地玄黄",
    "Korean: 다람쥐 헌 쳇바퀴에 타고파",
    "Combining: e\u{301} n\u{303} o\u{308} a\u{30a}",
    "Pictures: 📬 ✉️ 👩🏽‍💻 🇪🇺 €",
];

pub(super) fn subject(wording: &Wording) -> String {
    format!("Mail-flow test: Grüße, Привет, 你好, שלום 📬 [tag {}]", wording.tag)
}

/// `wide`: whether an address is beyond ASCII.
pub(super) fn content(wording: &Wording, wide: bool) -> Content {
    let said = "The next lines are written in many scripts, so that the test shows whether all of them arrive as they were sent:";
    let samples = SAMPLES.join("\r\n");
    let text = wording.text(&[said, &samples]);
    let encoding = if wide {
        ContentTransferEncoding::EightBit
    } else {
        ContentTransferEncoding::QuotedPrintable
    };
    match Body::new_with_encoding(text, encoding) {
        Ok(body) => Content::Single(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body)),
        // Only lines of more than 998 octets do not fit 8-bit, and none is; any other encoding fits as well.
        Err(text) => Content::Single(SinglePart::plain(text)),
    }
}
