//! The shape of a vendor's verification notice: a code, a link, a deadline. Roles exist to receive such mail, and filters for phishing like to stop
//! it. It comes from our own sender, names no vendor, asks for nothing and says that it is a test.

use super::{Content, Wording, html};
use chrono::Duration;

/// How long the code pretends to hold.
const VALID: Duration = Duration::hours(72);

pub(super) fn subject(wording: &Wording) -> String {
    format!(
        "Verify your address, code {} (mail-flow test) [tag {}]",
        wording.code(),
        wording.tag
    )
}

pub(super) fn content(wording: &Wording) -> Content {
    let code = wording.code();
    let deadline = (wording.started + VALID).format("%-d %B %Y, %H:%M UTC");
    let what = "This message has the shape of a verification notice, to find out whether such notices arrive. It is a test: there is nothing to verify.";
    let shown = format!("Verification code: {code}");
    let until = format!("It would have to be entered before {deadline}, or confirmed here:");
    let text = wording.text(&[what, &shown, &until, &wording.link()]);
    let notice = format!(
        "<p>{}</p>\r\n<p>Verification code: <strong>{code}</strong></p>\r\n<p>{}\r\n<a\r\nhref=\"{}\">confirm the address</a></p>\r\n",
        html::wrapped(what),
        html::wrapped(&until),
        html::escaped(&wording.link())
    );
    Content::alternatives(wording, &text, html::page(wording, &notice))
}
