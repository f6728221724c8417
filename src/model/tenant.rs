//! Microsoft 365 tenants: which directory, which app, which cloud, and how the app proves that it is itself.

use super::{Place, SecretSource, TraceReading};
use std::path::PathBuf;

/// A tenant of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its key under `tenants:`.
    pub name: String,
    /// The directory's GUID, or one of its verified domains.
    pub tenant_id: String,
    /// The app's client id.
    pub client_id: String,
    /// The cloud.
    pub cloud: TenantCloud,
    /// How the app signs in.
    pub proof: Proof,
    /// How its message trace is read; `None`: it is not.
    pub trace: Option<TraceReading>,
    /// The entry whose app deletes our probes, where that is another one.
    pub clean_with: Option<String>,
    /// Where the site describes it.
    pub place: Place,
}

impl Tenant {
    /// Whether both entries lead to the same directory. One may be named by its id and the other by a domain: only the same words are the same.
    pub fn is_directory_of(&self, other: &Self) -> bool {
        self.tenant_id.eq_ignore_ascii_case(&other.tenant_id) && self.cloud == other.cloud
    }
}

/// Where a tenant lives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TenantCloud {
    /// Everywhere but in the national clouds; GCC too.
    #[default]
    Global,
    /// GCC High.
    UsGovL4,
    /// `DoD`.
    UsGovL5,
    /// 21Vianet.
    China,
    /// A simulated tenant on this machine: the roots of its sign-in and of its Graph.
    Loopback {
        /// Such as `https://127.0.0.1:8443`.
        authority: String,
        /// Such as `https://127.0.0.1:8443`.
        graph: String,
        /// The CA of its certificate, PEM.
        ca: Option<PathBuf>,
    },
}

/// How an app proves that it is itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A client secret.
    Secret(SecretSource),
    /// A certificate with its key, in PEM or PFX.
    Certificate {
        /// The file.
        file: PathBuf,
        /// The password of a PFX file.
        password: Option<SecretSource>,
    },
    /// A token of an outside identity provider, in a file that is read anew each time (Kubernetes).
    TokenFile(PathBuf),
    /// A token of the running job in GitHub Actions.
    GitHub,
    /// The identity of the machine or the service in Azure.
    Managed,
    /// A person, on another device: for trying it out.
    DeviceCode,
}

/// The mailbox of a Microsoft 365 group, that Microsoft Graph shows as conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupAccess {
    /// The tenant's name.
    pub tenant: String,
    /// The group: its address or object id.
    pub group: String,
}

/// A mailbox that Microsoft Graph shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphAccess {
    /// The tenant's name.
    pub tenant: String,
    /// The user, shared mailbox or room: its address or object id.
    pub user: String,
}
