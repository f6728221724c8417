//! `mailflow check` for a group: finds it, reads a list of thread ids as a run would, says what would keep probes out, and changes nothing.

use super::{super::fault::Fault, ask::Ask};
use crate::model::Mailbox;
use chrono::DateTime;
use std::time::Duration;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_mins(1);
/// Longer names are cut off.
const LONGEST_NAME: usize = 200;

/// What was found.
pub(super) async fn check(ask: &Ask, mailbox: &Mailbox) -> Result<String, Fault> {
    let until = Instant::now() + PATIENCE;
    let group = ask.find(until).await?;
    ask.threads(&group.id, DateTime::UNIX_EPOCH, false, until).await?;
    let name = group.display_name.unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let mut sentence = format!("{}, Microsoft 365 group {name:?}, its conversations can be read", ask.group);
    if let Some(placement) = mailbox.placement {
        sentence.push_str(&format!(", all of them count as {placement}"));
    }
    sentence.push_str("; Microsoft Graph");
    // Exchange answers this, and may refuse it to apps that may read everything else.
    match ask.manners(&group.id, until).await {
        Ok(manners) => {
            if manners.allow_external_senders == Some(false) {
                sentence.push_str(
                    "; warning: it takes mail from inside the tenant only, so probes from outside are refused (5.7.133): allow external \
                     senders on the group, or expect `returned`",
                );
            }
            if manners.auto_subscribe_new_members == Some(false) {
                sentence.push_str(
                    "; note: new members are not subscribed by themselves, so mail to the group may reach nobody's own inbox: what is measured \
                     is the group's",
                );
            }
        }
        Err(_) => sentence.push_str("; warning: whether it takes mail from outside could not be read"),
    }
    Ok(sentence)
}
