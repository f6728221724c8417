//! A site: one mail world, as its administrator describes it.

use super::{AlertTarget, Mailbox, MailboxName, PathRule, Recipient, Route, Schedule, SecretSource, Tenant};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
};

/// Where something stands in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Place {
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The file it was read from.
    pub file: String,
    /// Who sends; the first is the default.
    pub senders: Vec<Sender>,
    /// Values for `{domain.NAME}`, by domain (lower case).
    pub domains: BTreeMap<String, BTreeMap<String, String>>,
    /// The ways in.
    pub routes: Vec<Route>,
    /// The paths that mail takes through gateways.
    pub paths: Vec<PathRule>,
    /// Microsoft 365 tenants.
    pub tenants: Vec<Tenant>,
    /// Every mailbox: those named under `mailboxes:`, those written in place, and those that the defaults give.
    pub mailboxes: Vec<Mailbox>,
    /// The addresses that matter.
    pub recipients: Vec<Recipient>,
    /// The key of the tags, where machines share it.
    pub tag_key: Option<SecretSource>,
    /// The DNS server that is asked about names; `None`: the system's.
    pub resolver: Option<SocketAddr>,
    /// The domains to which messages may go that pretend to come from their own people (lower case); each must also be proven by its DNS.
    pub own_domains: Vec<String>,
    /// How senders sign, by their names. Kept apart from [`Sender`], which plans and journals hold.
    pub dkim: BTreeMap<String, Dkim>,
    /// Who is told when something changes.
    pub alerts: Vec<AlertTarget>,
    /// What `serve` runs, and when.
    pub schedules: Vec<Schedule>,
    /// What lets somebody see the pages of `serve` from another machine.
    pub serve_token: Option<SecretSource>,
}

/// How a sender signs its messages (RFC 6376).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dkim {
    /// The signing domain, `d=`.
    pub domain: String,
    /// The selector, `s=`.
    pub selector: String,
    /// Where the private key comes from, in PEM.
    pub key: SecretSource,
    /// Where that is said.
    pub place: Place,
}

impl Site {
    /// The mailbox of that name.
    pub fn mailbox(&self, name: &MailboxName) -> Option<&Mailbox> {
        self.mailboxes.iter().find(|mailbox| mailbox.name == *name)
    }

    /// The route of that name.
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// The tenant of that name.
    pub fn tenant(&self, name: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.name == name)
    }

    /// The sender of that name.
    pub fn sender(&self, name: &str) -> Option<&Sender> {
        self.senders.iter().find(|sender| sender.name == name)
    }

    /// `template` with each `{domain.NAME}` replaced by that domain's value; `None` if the domain lacks one.
    pub fn fill_in(&self, template: &str, domain: &str) -> Option<String> {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{domain.") {
            let (name, after) = after.split_once('}')?;
            filled.push_str(before);
            filled.push_str(self.domains.get(&domain.to_ascii_lowercase())?.get(name)?);
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// Who sends the probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Its key under `senders:` (`default` for a site with one `sender:`).
    pub name: String,
    /// The address in `From`.
    pub address: String,
    /// The envelope sender; the same as `address` unless the site sets it apart.
    pub envelope: String,
    /// The name shown to people.
    pub display_name: Option<String>,
    /// Whom the body says to ask.
    pub contact: Option<String>,
    /// The mailbox to which bounces and replies come back.
    pub mailbox: Option<MailboxName>,
    /// With VERP: what separates the local part from the tag, such as `+`.
    pub subaddress: Option<String>,
    /// The addresses from which its mail leaves, where the site states them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sending_addresses: Vec<IpAddr>,
}

impl Sender {
    /// The envelope sender for a probe with this tag: with VERP it carries the tag.
    pub fn envelope_for(&self, tag: &super::Tag) -> String {
        match (&self.subaddress, self.envelope.rsplit_once('@')) {
            (Some(separator), Some((local, domain))) => format!("{local}{separator}{tag}@{domain}"),
            _ => self.envelope.clone(),
        }
    }
}
