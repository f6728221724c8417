//! `mailflow check`: opens each mailbox, says what was found, and changes nothing.

use super::{
    ImapWatcher, commands,
    commands::Listed,
    connection::Connection,
    each_with,
    fault::Fault,
    folders::{FoundBy, Watched, tellable},
    layout::{find_folders, pattern},
    mailbox::MailboxState,
};
use crate::model::{MailboxName, Placement};

/// So many folders of a mailbox are opened to see whether they can be.
const OPENED: usize = 50;

/// A sentence for each mailbox, or what is wrong with it.
pub(super) async fn check(watcher: &ImapWatcher) -> Vec<(MailboxName, Result<String, String>)> {
    match open(watcher).await {
        Ok((mut connection, states, found)) => {
            let mut outcomes = Vec::new();
            for (state, folders) in states.iter().zip(found) {
                let outcome = check_one(&mut connection, state, &folders)
                    .await
                    .map_err(|fault| watcher.told(&fault));
                outcomes.push((state.name().clone(), outcome));
            }
            connection.leave().await;
            outcomes
        }
        Err(fault) => each_with(watcher, &Err(watcher.told(&fault))),
    }
}

async fn open(watcher: &ImapWatcher) -> Result<(Connection, Vec<MailboxState>, Vec<Vec<Watched>>), Fault> {
    let mut connection = watcher.open_in_turn().await?;
    let states = watcher.states();
    let (listed, _): (Vec<Listed>, _) = commands::list(&mut connection, &pattern(&states), watcher.server.patience.bulk).await?;
    let found = find_folders(&states, &listed, commands::is_gmail(&connection));
    let told = |name: &str| connection.scrubber.scrub(name);
    let found = found.into_iter().map(|folders| tellable(folders, &told)).collect();
    Ok((connection, states, found))
}

async fn check_one(connection: &mut Connection, state: &MailboxState, folders: &[Watched]) -> Result<String, Fault> {
    let Some(first) = folders.iter().find(|folder| folder.name == "INBOX").or(folders.first()) else {
        return Err(Fault::Refused(match &state.root {
            Some(root) => format!("no folder that can be opened stands under {root:?}"),
            None => "there is no folder that can be opened".to_owned(),
        }));
    };
    commands::examine(connection, &first.wire)
        .await
        .map_err(|fault| Fault::Refused(format!("{:?} cannot be opened: {fault}", first.name)))?;
    let mut found = vec![shown(&first.name)];
    let mut warnings = Vec::new();
    // A folder that may be listed but not read makes its mailbox blind in a run.
    for folder in folders.iter().filter(|folder| folder.wire != first.wire).take(OPENED) {
        commands::examine(connection, &folder.wire)
            .await
            .map_err(|fault| Fault::Refused(format!("the folder {:?} cannot be opened: {fault}", folder.name)))?;
    }
    for (placement, word) in [
        (Placement::Junk, "junk"),
        (Placement::Quarantine, "quarantine"),
        (Placement::Deleted, "deleted items"),
    ] {
        if state.mailbox.placement.is_some() {
            break;
        }
        for folder in folders.iter().filter(|folder| folder.placement == placement) {
            let by = match folder.found_by {
                FoundBy::Site => "as the site says",
                FoundBy::SpecialUse => "by special-use",
                FoundBy::Name | FoundBy::Nothing | FoundBy::Archive => {
                    warnings.push(format!(
                        "{} is taken for {word} by its name only; name it under `folders` to be sure",
                        shown(&folder.name)
                    ));
                    "by its name"
                }
            };
            found.push(format!("{word} {} ({by})", shown(&folder.name)));
        }
    }
    for (placement, name) in &state.mailbox.folders {
        if !folders
            .iter()
            .any(|folder| folder.found_by == FoundBy::Site && folder.name.eq_ignore_ascii_case(name))
        {
            warnings.push(format!("the site's {placement} folder {} is not there", shown(name)));
        }
    }
    if let Some(placement) = state.mailbox.placement {
        found.push(format!("all of it counts as {placement}"));
    } else if !folders.iter().any(|folder| folder.placement == Placement::Junk) {
        warnings.push("no junk folder was found: junked probes would count as moved into a folder".to_owned());
    }
    let can: Vec<&str> = ["IDLE", "LIST-STATUS", "SPECIAL-USE", "UIDPLUS"]
        .into_iter()
        .filter(|word| connection.can(word))
        .collect();
    let can = if can.is_empty() {
        "no extensions".to_owned()
    } else {
        can.join(", ")
    };
    let count = if folders.len() == 1 {
        "1 folder".to_owned()
    } else {
        format!("{} folders", folders.len())
    };
    let mut sentence = format!("{}, {count}; {can}; {}", found.join(", "), protection(connection));
    for warning in warnings {
        sentence.push_str("; warning: ");
        sentence.push_str(&warning);
    }
    Ok(sentence)
}

fn protection(connection: &Connection) -> String {
    match &connection.tls {
        None => "in the clear".to_owned(),
        Some(tls) => match &tls.certificate {
            Ok(()) => format!("{}, the certificate holds", tls.version),
            Err(reason) => format!("{}, but {reason}", tls.version),
        },
    }
}

/// A folder's name, fit to be shown.
fn shown(name: &str) -> String {
    if name == "INBOX" { name.to_owned() } else { format!("{name:?}") }
}
