//! Which addresses the tenant has, and what each is called in the directory.
//!
//! Pure. Cannot see mail; `store` opens a mailbox when one is first needed.

use std::collections::BTreeSet;

use ring::digest;

use super::fate::{Fate, Kind, Meaning};

const LONGEST_ADDRESS: usize = 254;

/// An address of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resident {
    /// The address: lower case, without subaddress.
    pub address: String,
    /// What its local part says.
    pub meaning: Meaning,
}

impl Resident {
    /// The object id in the directory: the same for an address in every tenant, and not to be guessed from it by eye.
    pub fn object_id(&self) -> String {
        guid(&["resident", &self.address])
    }

    /// The part of the address before the at sign.
    pub fn local(&self) -> &str {
        self.address.split('@').next().unwrap_or_default()
    }

    /// Whether the directory calls it a group instead of a user.
    pub fn is_group(&self) -> bool {
        matches!(self.meaning.fate, Fate::List | Fate::Group { .. })
    }

    /// Whether it has a mailbox of its own with folders.
    pub fn has_mailbox(&self) -> bool {
        !self.is_group() && self.meaning.kind != Kind::Unlicensed
    }
}

/// The addresses of the tenant.
#[derive(Debug, Clone)]
pub struct Residents {
    domain: String,
    plain: BTreeSet<String>,
}

impl Residents {
    /// The residents of a domain: those whose local part names a fate, and these plain mailboxes.
    pub fn new(domain: &str, mailboxes: &[String]) -> Self {
        Self {
            domain: domain.to_lowercase(),
            plain: mailboxes.iter().map(|m| m.to_lowercase()).collect(),
        }
    }

    /// The domain of the tenant, lower case.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether mail for this domain is the tenant's.
    pub fn serves(&self, domain: &str) -> bool {
        self.domain.eq_ignore_ascii_case(domain)
    }

    /// Who has this address. A subaddress (`local+detail`, RFC 5233) belongs to the address without it.
    pub fn find(&self, address: &str) -> Option<Resident> {
        let address = address.to_lowercase();
        let (local, domain) = address.rsplit_once('@')?;
        if address.len() > LONGEST_ADDRESS || domain != self.domain {
            return None;
        }
        let base = local.split_once('+').map_or(local, |(base, _)| base);
        let address = format!("{base}@{domain}");
        let meaning = if self.plain.contains(&address) {
            Meaning::plain(Fate::Inbox)
        } else {
            Meaning::of(base)?
        };
        Some(Resident { address, meaning })
    }

    /// The three members of a list or group.
    pub fn members(&self) -> [String; 3] {
        ["member-1", "member-2", "member-3"].map(|local| format!("{local}@{}", self.domain))
    }

    /// Whom the directory lists by name: the plain mailboxes, the members and the well-known words, without the endless families.
    pub fn listed(&self) -> Vec<Resident> {
        let words = [
            "ok",
            "junk",
            "shared",
            "group",
            "group-closed",
            "group-storm",
            "list",
            "unlicensed",
            "out-of-scope",
        ];
        let words = words.map(|local| format!("{local}@{}", self.domain));
        let all = self.plain.iter().cloned().chain(self.members()).chain(words);
        all.filter_map(|address| self.find(&address)).collect()
    }
}

/// A GUID that follows from these words (the bits of RFC 9562 version 8).
pub fn guid(words: &[&str]) -> String {
    let digest = digest::digest(&digest::SHA256, words.join("\0").as_bytes());
    let mut octets = [0_u8; 16];
    octets.copy_from_slice(&digest.as_ref()[..16]);
    uuid::Builder::from_custom_bytes(octets).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_plain_mailboxes_and_strangers() {
        let residents = Residents::new("Tenant.example", &["Probe@tenant.example".to_owned()]);
        assert_eq!(residents.find("PROBE+x@tenant.example").unwrap().address, "probe@tenant.example");
        assert_eq!(residents.find("junk@tenant.example").unwrap().meaning.fate, Fate::Junk);
        assert_eq!(residents.find("nobody@tenant.example"), None);
        assert_eq!(residents.find("ok@contoso.example"), None);
        let (a, b) = (
            residents.find("ok-1@tenant.example").unwrap(),
            residents.find("ok-2@tenant.example").unwrap(),
        );
        assert_ne!(a.object_id(), b.object_id());
        assert!(!residents.find("unlicensed@tenant.example").unwrap().has_mailbox());
    }
}
