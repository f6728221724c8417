//! Which addresses exist, which mailbox stands behind each, and with which fate.
//!
//! Pure. Cannot see listeners or sessions: what only one gateway does with an address is decided there.

use std::collections::BTreeSet;

use super::fate::Fate;
use super::tenant::residents::Residents;

/// Where `held@` goes, and where a quarantine is looked into.
pub const QUARANTINE: &str = "quarantine@contoso.example";
/// Who receives what was meant for `elsewhere@`.
pub const SOMEONE_ELSE: &str = "someone-else@contoso.example";
/// Who receives everything unknown at [`CATCH_ALL_DOMAIN`].
pub const CATCH_ALL: &str = "catch-all@contoso.example";
/// The domain without unknown recipients.
pub const CATCH_ALL_DOMAIN: &str = "catchall.example";
/// The login that may open every mailbox, as `mailbox*watcher`.
pub const WATCHER: &str = "watcher";

/// The domains in which local parts name fates.
const FATE_DOMAINS: [&str; 3] = ["contoso.example", "fabrikam.example", CATCH_ALL_DOMAIN];
const LONGEST_ADDRESS: usize = 254;

/// What stands behind an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The mailbox, as its login is called: lower case, without subaddress.
    pub mailbox: String,
    /// The domain of the address, lower case.
    pub domain: String,
    /// What becomes of the message.
    pub fate: Fate,
}

/// Why an address has no destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoDestination {
    /// The domain is ours, the local part is not.
    Unknown,
    /// The domain is not served here.
    NotOurs,
}

/// The addresses of this post office.
#[derive(Debug, Clone)]
pub struct Directory {
    plain: BTreeSet<String>,
    domains: BTreeSet<String>,
    tenant: Option<Residents>,
}

impl Directory {
    /// A directory with these plain mailboxes besides the fates and the post office's own, and the residents of a tenant.
    pub fn new(mailboxes: &[String], tenant: Option<Residents>) -> Self {
        let plain: BTreeSet<String> = mailboxes
            .iter()
            .map(|m| m.to_lowercase())
            .chain([QUARANTINE, SOMEONE_ELSE, CATCH_ALL].map(str::to_owned))
            .collect();
        let domains = plain.iter().filter_map(|m| m.rsplit_once('@')).map(|(_, domain)| domain.to_owned());
        Self {
            domains: domains
                .chain(FATE_DOMAINS.map(str::to_owned))
                .chain(tenant.iter().map(|t| t.domain().to_owned()))
                .collect(),
            tenant,
            plain,
        }
    }

    /// The destination of an address. A subaddress (`local+detail`, RFC 5233) belongs to the mailbox without it.
    ///
    /// # Errors
    /// Says whether the local part or the domain is unknown.
    pub fn find(&self, address: &str) -> Result<Destination, NoDestination> {
        let address = address.to_lowercase();
        let (local, domain) = address.rsplit_once('@').ok_or(NoDestination::NotOurs)?;
        if address.len() > LONGEST_ADDRESS || !self.domains.contains(domain) {
            return Err(NoDestination::NotOurs);
        }
        if let Some(tenant) = self.tenant.as_ref().filter(|t| t.serves(domain)) {
            let resident = tenant.find(&address).ok_or(NoDestination::Unknown)?;
            return Ok(Destination {
                mailbox: resident.address,
                domain: domain.to_owned(),
                fate: Fate::Tenant,
            });
        }
        let base = local.split_once('+').map_or(local, |(base, _)| base);
        let mailbox = format!("{base}@{domain}");
        let found = |mailbox: String, fate| {
            Ok(Destination {
                mailbox,
                domain: domain.to_owned(),
                fate,
            })
        };
        if self.plain.contains(&mailbox) {
            return found(mailbox, Fate::Inbox);
        }
        match Fate::of(base) {
            Some(fate) if FATE_DOMAINS.contains(&domain) => found(mailbox, fate),
            _ if domain == CATCH_ALL_DOMAIN => found(CATCH_ALL.to_owned(), Fate::Inbox),
            _ => Err(NoDestination::Unknown),
        }
    }

    /// Whether mail for this domain (lower case) is taken.
    pub fn serves(&self, domain: &str) -> bool {
        self.domains.contains(domain)
    }

    /// Whether this name may log in: an address with a mailbox of its own. Those of the tenant are read over Graph.
    pub fn has_mailbox(&self, login: &str) -> bool {
        self.find(login)
            .is_ok_and(|d| d.mailbox == login.to_lowercase() && d.fate != Fate::Tenant)
    }
}

/// The members that `list@` expands to, in its own domain.
pub fn members(domain: &str) -> [String; 3] {
    ["member-1", "member-2", "full"].map(|local| format!("{local}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        Directory::new(&["Probe@sender.example".to_owned(), "admin@contoso.example".to_owned()], None)
    }

    #[test]
    fn fates_plain_mailboxes_and_unknown_ones() {
        let directory = directory();
        assert_eq!(directory.find("JUNK@Contoso.example").unwrap().fate, Fate::Junk);
        assert_eq!(directory.find("admin@contoso.example").unwrap().fate, Fate::Inbox);
        assert_eq!(directory.find("nobody@contoso.example"), Err(NoDestination::Unknown));
        assert_eq!(
            directory.find("junk@sender.example"),
            Err(NoDestination::Unknown),
            "fates live in their domains only"
        );
        assert_eq!(directory.find("ok@elsewhere.example"), Err(NoDestination::NotOurs));
        assert_eq!(directory.find("no-domain"), Err(NoDestination::NotOurs));
    }

    #[test]
    fn subaddresses_reach_the_mailbox_without_them() {
        assert_eq!(
            directory().find("probe+TAG@sender.example").unwrap().mailbox,
            "probe@sender.example"
        );
    }

    #[test]
    fn the_domain_of_a_tenant_is_its_own() {
        let directory = Directory::new(&[], Some(Residents::new("tenant.example", &[])));
        let found = directory.find("quarantined+x@Tenant.example").unwrap();
        assert_eq!((found.mailbox.as_str(), found.fate), ("quarantined@tenant.example", Fate::Tenant));
        assert_eq!(directory.find("nobody@tenant.example"), Err(NoDestination::Unknown));
        assert!(!directory.has_mailbox("ok@tenant.example"), "it is not read over IMAP");
        assert!(directory.serves("tenant.example"));
    }

    #[test]
    fn the_catch_all_domain_keeps_fates_and_catches_the_rest() {
        assert_eq!(directory().find("whoever@catchall.example").unwrap().mailbox, CATCH_ALL);
        assert_eq!(directory().find("lost@catchall.example").unwrap().fate, Fate::Lost);
        assert!(!directory().has_mailbox("whoever@catchall.example"));
        assert!(directory().has_mailbox("quarantine@contoso.example"));
    }
}
