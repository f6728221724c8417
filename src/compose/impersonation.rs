//! Messages whose `From` pretends: an address in the recipient's own domain (`self-spoof`), or the name of a protected person before the sender's own
//! address (`display-name`). They show whether protection against impersonation works. Envelope, Message-ID and tag are ours, and the text says what
//! it is. That they go to the site's own domains only is not decided here, but before anything is sent.

use super::{Content, MessageKind, Plan, Probe, Wording};

/// The local part of the address that is pretended.
const LOCAL_PART: &str = "mailflow-probe";

/// The name and the address in `From`.
pub(super) fn from(plan: &Plan, probe: &Probe) -> (String, String) {
    let sender = plan.sender(probe);
    let name = sender.display_name.clone().unwrap_or_else(|| "Mail-flow test".to_owned());
    match &probe.message {
        MessageKind::SelfSpoof => (name, format!("{LOCAL_PART}@{}", plan.recipient(probe).domain())),
        MessageKind::DisplayName(person) => (person.clone(), sender.address.clone()),
        _ => (name, sender.address.clone()),
    }
}

pub(super) fn content(wording: &Wording, kind: &MessageKind) -> Content {
    let said = match kind {
        MessageKind::SelfSpoof => {
            "The sender that is shown is an address of your own domain, and that is not true: this message comes from outside. The test shows whether \
             such messages are stopped or marked."
        }
        _ => {
            "The name of the sender that is shown is that of one of your people, and that is not true: only the name is borrowed. The test shows \
             whether such messages are stopped or marked."
        }
    };
    Content::text(&wording.text(&[said]))
}
