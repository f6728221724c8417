//! A message of a mailing list, by its header: lists are filtered, sorted and rewritten in their own ways. All addresses are the sender's own.

use super::{Content, Wording};

/// The fields of a list (RFC 2919, RFC 2369), with the sign-off by one click that the great providers ask for (RFC 8058).
pub(super) fn fields(wording: &Wording) -> [(&'static str, String); 7] {
    let Wording { tag, domain, sender, .. } = wording;
    [
        ("List-Id", format!("Mail-flow test <mailflow-test.{domain}>")),
        (
            "List-Unsubscribe",
            format!("<{}/unsubscribe>, <mailto:{sender}?subject=unsubscribe%20{tag}>", wording.link()),
        ),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()),
        ("List-Help", format!("<mailto:{sender}?subject=help>")),
        ("List-Owner", format!("<mailto:{sender}>")),
        ("List-Post", "NO (this list is a test)".to_owned()),
        ("Precedence", "list".to_owned()),
    ]
}

pub(super) fn content(wording: &Wording) -> Content {
    Content::text(&wording.text(&[
        "This message has the header of a mailing list, so that the test shows what becomes of such mail. There is no list, and nobody is subscribed to it.",
    ]))
}
