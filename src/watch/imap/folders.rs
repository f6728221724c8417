//! What the folders of a mailbox mean: by the names that the site gives, by special-use (RFC 6154), and where a server tells none, by the names
//! that mail programs give them in many languages. The last is a guess, and `check` says so.

use super::{commands::Listed, names, utf7};
use crate::model::{Mailbox, Placement};
use std::collections::{HashMap, HashSet};

/// How the meaning of a folder was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoundBy {
    /// The site names it, or gives one meaning to the whole mailbox.
    Site,
    /// A special-use attribute.
    SpecialUse,
    /// A name that is known for it.
    Name,
    /// It is an ordinary folder, or `INBOX`.
    Nothing,
    /// It is Gmail's archive, which shows the messages of other folders again: only those that no other folder shows count.
    Archive,
}

/// A folder that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watched {
    /// Its name on the wire.
    pub(super) wire: String,
    /// Its name, decoded; within a shared namespace without the mailbox's root.
    pub(super) name: String,
    pub(super) placement: Placement,
    pub(super) found_by: FoundBy,
}

/// The folders of `mailbox` among `listed` that messages may arrive in. What is sent, drafted, or only a view of other folders is left out.
/// Gmail keeps there, and only there, what a filter archives on arrival.
pub(super) fn watched<'a>(
    mailbox: &Mailbox,
    root: Option<&str>,
    listed: impl Iterator<Item = &'a Listed> + Clone,
    gmail: bool,
) -> Vec<Watched> {
    let marked = |use_: &str| listed.clone().any(|folder| has(folder, use_));
    let (sent, drafts) = (marked("\\sent"), marked("\\drafts"));
    let (junk, trash) = (marked("\\junk"), marked("\\trash"));
    listed
        .filter_map(|folder| {
            let name = within(root, folder)?;
            let (placement, found_by) = if gmail && has(folder, "\\all") {
                (mailbox.placement.unwrap_or(Placement::Folder), FoundBy::Archive)
            } else {
                meaning(mailbox, folder, &name, (sent, drafts, junk, trash))?
            };
            Some(Watched {
                wire: folder.wire.clone(),
                name,
                placement,
                found_by,
            })
        })
        .collect()
}

/// The same folders under names that can be told: without what `told` takes out of them, and no two alike.
pub(super) fn tellable(mut folders: Vec<Watched>, told: &dyn Fn(&str) -> String) -> Vec<Watched> {
    let mut names = HashSet::new();
    let mut numbers: HashMap<String, u32> = HashMap::new();
    for folder in folders.iter_mut().filter(|folder| folder.name != "INBOX") {
        let name = told(&folder.name);
        let number = numbers.entry(name.clone()).or_insert(0);
        folder.name = loop {
            *number += 1;
            let free = if *number == 1 { name.clone() } else { format!("{name} ({number})") };
            if names.insert(free.clone()) {
                break free;
            }
        };
    }
    folders
}

/// All folders of a mailbox that store messages, whatever they are for: views of others are left out.
pub(super) fn stored<'a>(root: Option<&str>, listed: impl Iterator<Item = &'a Listed>) -> Vec<Watched> {
    let stored = listed.filter(|folder| {
        !["\\noselect", "\\nonexistent", "\\all", "\\flagged", "\\important"]
            .iter()
            .any(|view| has(folder, view))
    });
    stored
        .filter_map(|folder| {
            Some(Watched {
                wire: folder.wire.clone(),
                name: within(root, folder)?,
                placement: Placement::Folder,
                found_by: FoundBy::Nothing,
            })
        })
        .collect()
}

fn has(folder: &Listed, attribute: &str) -> bool {
    folder.attributes.iter().any(|of| of == attribute)
}

/// The folder's name within the mailbox; `None` if it is none of the mailbox's.
fn within(root: Option<&str>, folder: &Listed) -> Option<String> {
    let name = utf7::decode(&folder.wire);
    let Some(root) = root else {
        return Some(name);
    };
    let rest = name.strip_prefix(root)?;
    if rest.is_empty() {
        return Some("INBOX".to_owned());
    }
    let rest = rest.strip_prefix(folder.separator?)?;
    Some(if rest.eq_ignore_ascii_case("INBOX") {
        "INBOX".to_owned()
    } else {
        rest.to_owned()
    })
}

fn meaning(
    mailbox: &Mailbox,
    folder: &Listed,
    name: &str,
    (sent, drafts, junk, trash): (bool, bool, bool, bool),
) -> Option<(Placement, FoundBy)> {
    if has(folder, "\\noselect") || has(folder, "\\nonexistent") {
        return None;
    }
    let named = mailbox.folders.iter().find(|(_, of)| of.eq_ignore_ascii_case(name) || **of == name);
    if let Some((placement, _)) = named {
        return Some((mailbox.placement.unwrap_or(*placement), FoundBy::Site));
    }
    let last = last_part(name, folder.separator).to_lowercase();
    let is_known = |names: &[&str]| names.contains(&last.as_str());
    // Views show messages of other folders again (RFC 6154 section 2): one message is one copy.
    let view = ["\\sent", "\\drafts", "\\all", "\\flagged", "\\important"]
        .iter()
        .any(|view| has(folder, view));
    if view || (!sent && is_known(names::SENT)) || (!drafts && is_known(names::DRAFTS)) {
        return None;
    }
    if let Some(placement) = mailbox.placement {
        return Some((placement, FoundBy::Site));
    }
    Some(match () {
        () if name == "INBOX" => (Placement::Inbox, FoundBy::Nothing),
        () if has(folder, "\\junk") => (Placement::Junk, FoundBy::SpecialUse),
        () if has(folder, "\\trash") => (Placement::Deleted, FoundBy::SpecialUse),
        () if !junk && is_known(names::JUNK) => (Placement::Junk, FoundBy::Name),
        () if !trash && is_known(names::TRASH) => (Placement::Deleted, FoundBy::Name),
        () => (Placement::Folder, FoundBy::Nothing),
    })
}

/// The name without the folders above it, if these are only `INBOX` (Cyrus and Courier put all others there) or Gmail's.
fn last_part(name: &str, separator: Option<char>) -> &str {
    let parts = separator.and_then(|separator| name.rsplit_once(separator));
    match parts {
        Some((above, last)) if above.eq_ignore_ascii_case("INBOX") || above.starts_with("[G") => last,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, ImapAccess, MailboxAccess, Place, SecretSource, SignIn, TlsMode};
    use std::collections::BTreeMap;

    fn mailbox() -> Mailbox {
        Mailbox {
            name: "billing".into(),
            access: MailboxAccess::Imap(ImapAccess {
                endpoint: Endpoint {
                    host: "imap.example".into(),
                    port: 993,
                    connect: None,
                    tls: TlsMode::Implicit,
                    ca: None,
                },
                sign_in: SignIn::Password {
                    user: "billing".into(),
                    password: SecretSource::Env("P".into()),
                },
                root: None,
            }),
            folders: BTreeMap::new(),
            placement: None,
            peek_bodies: false,
            place: Place::default(),
        }
    }

    fn listed(names: &[(&str, &[&str])]) -> Vec<Listed> {
        names
            .iter()
            .map(|(wire, attributes)| Listed {
                wire: (*wire).to_owned(),
                separator: Some('/'),
                attributes: attributes.iter().map(|attribute| (*attribute).to_owned()).collect(),
                status: None,
            })
            .collect()
    }

    fn found(mailbox: &Mailbox, root: Option<&str>, names: &[(&str, &[&str])]) -> Vec<(String, Placement, FoundBy)> {
        watched(mailbox, root, listed(names).iter(), false)
            .into_iter()
            .map(|folder| (folder.name, folder.placement, folder.found_by))
            .collect()
    }

    #[test]
    fn special_use_tells_junk_in_any_language_and_what_is_sent_is_left_out() {
        let folders = found(
            &mailbox(),
            None,
            &[
                ("INBOX", &[]),
                ("Courrier ind&AOk-sirable", &["\\junk"]),
                ("Spam", &[]),
                ("Bak", &["\\trash"]),
                ("Ut", &["\\sent"]),
                ("Kladder", &["\\drafts"]),
                ("Everything", &["\\all"]),
                ("Above", &["\\noselect"]),
            ],
        );
        assert_eq!(
            folders,
            [
                ("INBOX".to_owned(), Placement::Inbox, FoundBy::Nothing),
                ("Courrier indésirable".to_owned(), Placement::Junk, FoundBy::SpecialUse),
                ("Spam".to_owned(), Placement::Folder, FoundBy::Nothing),
                ("Bak".to_owned(), Placement::Deleted, FoundBy::SpecialUse),
            ]
        );
    }

    #[test]
    fn without_special_use_known_names_are_guessed() {
        let folders = found(
            &mailbox(),
            None,
            &[
                ("INBOX", &[]),
                ("INBOX/Spam", &[]),
                ("Papierkorb", &[]),
                ("Sent Items", &[]),
                ("Projects/Spam", &[]),
            ],
        );
        assert_eq!(
            folders,
            [
                ("INBOX".to_owned(), Placement::Inbox, FoundBy::Nothing),
                ("INBOX/Spam".to_owned(), Placement::Junk, FoundBy::Name),
                ("Papierkorb".to_owned(), Placement::Deleted, FoundBy::Name),
                ("Projects/Spam".to_owned(), Placement::Folder, FoundBy::Nothing),
            ]
        );
    }

    #[test]
    fn the_site_wins() {
        let mut mailbox = mailbox();
        mailbox.folders.insert(Placement::Quarantine, "Spam".into());
        let names: &[(&str, &[&str])] = &[("INBOX", &[]), ("Spam", &["\\junk"])];
        assert_eq!(
            found(&mailbox, None, names)[1],
            ("Spam".to_owned(), Placement::Quarantine, FoundBy::Site)
        );
        mailbox.placement = Some(Placement::Quarantine);
        assert!(
            found(&mailbox, None, names)
                .iter()
                .all(|(_, placement, _)| *placement == Placement::Quarantine)
        );
    }

    #[test]
    fn in_a_shared_namespace_a_mailbox_is_what_stands_under_its_root() {
        let names: &[(&str, &[&str])] = &[
            ("All/billing", &[]),
            ("All/billing/Junk", &[]),
            ("All/billing2", &[]),
            ("All/b&APw-ro/INBOX", &[]),
            ("INBOX", &[]),
        ];
        let billing = found(&mailbox(), Some("All/billing"), names);
        assert_eq!(
            billing,
            [
                ("INBOX".to_owned(), Placement::Inbox, FoundBy::Nothing),
                ("Junk".to_owned(), Placement::Junk, FoundBy::Name),
            ]
        );
        assert_eq!(found(&mailbox(), Some("All/büro"), names)[0].0, "INBOX");
    }
    #[test]
    fn a_folder_named_after_a_secret_is_told_without_it_and_apart_from_others() {
        let listed = listed(&[
            ("INBOX", &[]),
            ("F hunter2", &[]),
            ("F HUNTER2", &[]),
            ("F [secret] (2)", &[]),
            ("Work", &[]),
        ]);
        let watched = watched(&mailbox(), None, listed.iter(), false);
        let told = tellable(watched, &|name| {
            name.to_lowercase().replace("hunter2", "[secret]").replace("f ", "F ")
        });
        let names: Vec<&str> = told.iter().map(|folder| folder.name.as_str()).collect();
        assert_eq!(names, ["INBOX", "F [secret]", "F [secret] (2)", "F [secret] (2) (2)", "work"]);
        assert_eq!(told[1].wire, "F hunter2", "it is asked for under its own name");
    }
}
