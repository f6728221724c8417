//! Which of the folders that a server lists belongs to which mailbox, for one mailbox or for thousands on one connection.

use super::{commands::Listed, folders, mailbox::MailboxState, utf7};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// Which listed folder is which: kept from one list to the next, because the folders of thousands of mailboxes seldom change.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) fingerprint: u64,
    /// For each listed folder: the mailbox, and the folder's name in it.
    pub(super) places: Vec<Option<(usize, String)>>,
}

/// The folders of each mailbox among `listed`.
pub(super) fn find_folders(mailboxes: &[MailboxState], listed: &[Listed], gmail: bool) -> Vec<Vec<folders::Watched>> {
    if mailboxes.iter().all(|mailbox| mailbox.root.is_none()) {
        let each = mailboxes.iter();
        return each
            .map(|mailbox| folders::watched(&mailbox.mailbox, None, listed.iter(), gmail))
            .collect();
    }
    let roots: HashMap<&str, usize> = mailboxes
        .iter()
        .enumerate()
        .filter_map(|(place, mailbox)| Some((mailbox.root.as_deref()?, place)))
        .collect();
    let mut of_mailbox: Vec<Vec<&Listed>> = vec![Vec::new(); mailboxes.len()];
    for folder in listed {
        let name = utf7::decode(&folder.wire);
        let ends = name.char_indices().filter(|(_, character)| Some(*character) == folder.separator);
        let paths = ends.map(|(end, _)| end).chain([name.len()]).filter_map(|end| name.get(..end));
        // A root may stand below another one: the longest is the folder's.
        let place = paths.rev().find_map(|path| roots.get(path));
        if let Some(folders) = place.and_then(|place| of_mailbox.get_mut(*place)) {
            folders.push(folder);
        }
    }
    let each = mailboxes.iter().zip(of_mailbox);
    each.map(|(mailbox, listed)| folders::watched(&mailbox.mailbox, mailbox.root.as_deref(), listed.into_iter(), gmail))
        .collect()
}

/// Changes when a folder comes, goes, or changes its attributes.
pub(super) fn fingerprint(listed: &[Listed]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for folder in listed {
        (&folder.wire, &folder.attributes).hash(&mut hasher);
    }
    hasher.finish()
}

/// The pattern of `LIST` that finds the folders of all mailboxes: everything of one user, or what stands under the path that all roots share.
pub(super) fn pattern(mailboxes: &[MailboxState]) -> String {
    let mut roots = mailboxes.iter().filter_map(|mailbox| mailbox.root.as_deref());
    let Some(first) = roots.next() else {
        return "*".to_owned();
    };
    let shared = roots.fold(first, |shared, root| {
        let common = shared.char_indices().zip(root.chars()).find(|((_, a), b)| a != b);
        let end = common.map_or(shared.len().min(root.len()), |((place, _), _)| place);
        shared.get(..end).unwrap_or_default()
    });
    // A run of other letters is encoded as a whole, so that its beginning matches nothing: stop before it.
    let plain: String = shared.chars().take_while(|character| matches!(character, ' '..='~')).collect();
    format!("{}*", utf7::encode(&plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, ImapAccess, Mailbox, MailboxAccess, Place, SecretSource, SignIn, TlsMode};
    use std::collections::BTreeMap;

    fn under(root: Option<&str>) -> MailboxState {
        let endpoint = Endpoint {
            host: "imap.example".into(),
            port: 993,
            connect: None,
            tls: TlsMode::Implicit,
            ca: None,
        };
        let sign_in = SignIn::Password {
            user: "all".into(),
            password: SecretSource::Env("P".into()),
        };
        let root = root.map(str::to_owned);
        let mailbox = Mailbox {
            name: "m".into(),
            access: MailboxAccess::Imap(ImapAccess {
                endpoint,
                sign_in,
                root: root.clone(),
            }),
            folders: BTreeMap::new(),
            placement: None,
            peek_bodies: false,
            place: Place::default(),
        };
        MailboxState::new(mailbox, false, root)
    }

    #[test]
    fn one_list_finds_the_folders_of_all_mailboxes() {
        assert_eq!(pattern(&[under(None)]), "*");
        assert_eq!(pattern(&[under(Some("All/billing"))]), "All/billing*");
        assert_eq!(pattern(&[under(Some("All/billing")), under(Some("All/ceo"))]), "All/*");
        assert_eq!(pattern(&[under(Some("All/bill")), under(Some("All/billing"))]), "All/bill*");
        assert_eq!(pattern(&[under(Some("Alle/büro")), under(Some("Alle/bücher"))]), "Alle/b*");
        assert_eq!(pattern(&[under(Some("a")), under(Some("b"))]), "*");
    }
}
