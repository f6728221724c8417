//! `mailflow check`: finds the folders of a mailbox, reads a list of message ids as a run would, and changes nothing.

use super::{ask::Ask, folders::Folders};
use crate::{microsoft::Error, model::Mailbox};
use std::time::Duration;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_mins(1);

/// What was found.
pub(super) async fn check(ask: &Ask, mailbox: &Mailbox) -> Result<String, Error> {
    let until = Instant::now() + PATIENCE;
    let mut folders = Folders::open(ask, mailbox, until).await?;
    // Folders may be seen with less than a run needs of messages.
    ask.graph.call(&ask.newest(), until).await?;
    folders.walk(ask, mailbox, until).await?;
    let mut found = vec![ask.user.clone()];
    let mut warnings = Vec::new();
    for (well_known, word) in [("inbox", "inbox"), ("junkemail", "junk"), ("deleteditems", "deleted items")] {
        match folders.id(well_known).and_then(|id| folders.place(id)) {
            Some(place) => found.push(format!("{word} {:?}", place.name)),
            None if well_known == "junkemail" && mailbox.placement.is_none() => {
                warnings.push("the mailbox has no junk folder: nothing can be junked in it".to_owned());
            }
            None => {}
        }
    }
    for (placement, name) in &mailbox.folders {
        let is =
            |path: &str| path.to_lowercase() == name.to_lowercase() || path.to_lowercase().ends_with(&format!("/{}", name.to_lowercase()));
        match folders.all().find(|place| place.placement == Some(*placement) && is(&place.name)) {
            Some(place) => found.push(format!("{placement} {:?} (as the site says)", place.name)),
            None => warnings.push(format!("the site's {placement} folder {name:?} is not there")),
        }
    }
    if let Some(placement) = mailbox.placement {
        found.push(format!("all of it counts as {placement}"));
    }
    let count = folders.all().count();
    let mut sentence = format!("{}, {count} folders; Microsoft Graph", found.join(", "));
    for warning in warnings {
        sentence.push_str("; warning: ");
        sentence.push_str(&warning);
    }
    Ok(sentence)
}
