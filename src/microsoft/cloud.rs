//! The clouds in which a tenant can live, and the hosts that each fixes: tokens of one are refused by the others.
//!
//! What it cannot see: in which cloud a tenant really is (the sign-in says so, AADSTS90002 and 90038). The Exchange resources of the
//! national clouds are general knowledge that no source at hand confirms.

use reqwest::Url;
use std::fmt;

const GLOBAL_EXCHANGE: &str = "https://outlook.office365.com";

/// A cloud: where to sign in, where Graph is, and what exists there.
#[derive(Clone, PartialEq, Eq)]
pub struct Cloud {
    name: &'static str,
    authority: Url,
    graph: Url,
    exchange: &'static str,
    /// The audience that outside identity providers must put into their tokens.
    federation: &'static str,
    trace: bool,
    hunting: bool,
}

/// What a token is for. A token is for one resource only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Microsoft Graph.
    Graph,
    /// Exchange Online by IMAP and SMTP, where Graph's tokens do not work.
    Exchange,
}

impl Cloud {
    /// The worldwide cloud; also that of GCC (moderate) tenants.
    pub fn global() -> Self {
        Self {
            name: "global",
            authority: known("https://login.microsoftonline.com"),
            graph: known("https://graph.microsoft.com"),
            exchange: GLOBAL_EXCHANGE,
            federation: "api://AzureADTokenExchange",
            trace: true,
            hunting: true,
        }
    }

    /// US Government L4, GCC High.
    pub fn us_government_l4() -> Self {
        Self {
            name: "usgov-l4",
            authority: known("https://login.microsoftonline.us"),
            graph: known("https://graph.microsoft.us"),
            exchange: "https://outlook.office365.us",
            federation: "api://AzureADTokenExchangeUSGov",
            trace: false,
            hunting: true,
        }
    }

    /// US Government L5, `DoD`.
    pub fn us_government_l5() -> Self {
        Self {
            name: "usgov-l5",
            graph: known("https://dod-graph.microsoft.us"),
            exchange: "https://outlook-dod.office365.us",
            ..Self::us_government_l4()
        }
    }

    /// China, operated by 21Vianet.
    pub fn china() -> Self {
        Self {
            name: "china",
            authority: known("https://login.partner.microsoftonline.cn"),
            graph: known("https://microsoftgraph.chinacloudapi.cn"),
            exchange: "https://partner.outlook.cn",
            federation: "api://AzureADTokenExchangeChina",
            trace: false,
            hunting: false,
        }
    }

    /// China with the older sign-in host that Graph's own page still names.
    pub fn china_older_authority() -> Self {
        Self {
            authority: known("https://login.chinacloudapi.cn"),
            ..Self::china()
        }
    }

    /// The cloud that a site calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "global" => Self::global(),
            "usgov-l4" => Self::us_government_l4(),
            "usgov-l5" => Self::us_government_l5(),
            "china" => Self::china(),
            _ => return None,
        })
    }

    /// A simulated tenant on this machine, with everything the global cloud has. It alone may be spoken to without TLS.
    ///
    /// # Errors
    /// A sentence, if one of the URLs is not `http` or `https` on a loopback address, or carries more than a host and a port.
    pub fn loopback(authority: &str, graph: &str) -> Result<Self, String> {
        Ok(Self {
            name: "loopback",
            authority: loopback_root(authority)?,
            graph: loopback_root(graph)?,
            ..Self::global()
        })
    }

    /// Its name as in a site.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the message trace exists there.
    pub fn has_trace(&self) -> bool {
        self.trace
    }

    /// Whether advanced hunting exists there.
    pub fn has_hunting(&self) -> bool {
        self.hunting
    }

    /// Whether Defender's list of analysed messages exists there: so far where the trace does.
    pub fn has_analyzed_emails(&self) -> bool {
        self.trace
    }

    /// The address at which a resource is asked for, without a slash at its end.
    pub fn resource(&self, resource: Resource) -> String {
        match resource {
            Resource::Graph => self.graph.as_str().trim_end_matches('/').to_owned(),
            Resource::Exchange => self.exchange.to_owned(),
        }
    }

    /// The scope that asks for everything an app was granted on `resource`.
    pub fn scope(&self, resource: Resource) -> String {
        format!("{}/.default", self.resource(resource))
    }

    /// The scope that asks for what a person may do on `resource`. Exchange names its delegated permissions under another host than its
    /// application permissions, in the global cloud at least.
    pub fn scope_of_a_person(&self, resource: Resource) -> String {
        match resource {
            Resource::Graph => self.scope(resource),
            Resource::Exchange => {
                let host = if self.exchange == GLOBAL_EXCHANGE {
                    "https://outlook.office.com"
                } else {
                    self.exchange
                };
                format!("{host}/IMAP.AccessAsUser.All {host}/SMTP.Send")
            }
        }
    }

    /// The audience of the tokens of outside identity providers.
    pub fn federation_audience(&self) -> &'static str {
        self.federation
    }

    /// Where an administrator consents to an app's permissions.
    pub fn consent_link(&self, tenant: &str, client: &str) -> String {
        format!("{}{tenant}/adminconsent?client_id={client}", self.authority)
    }

    /// An endpoint of the sign-in: `token` or `devicecode`.
    pub(super) fn oauth(&self, tenant: &str, endpoint: &str) -> String {
        format!("{}{tenant}/oauth2/v2.0/{endpoint}", self.authority)
    }

    /// The root of all calls, with a slash at its end.
    pub(super) fn graph_root(&self) -> String {
        format!("{}v1.0/", self.graph)
    }

    /// Whether `url` is a call to this cloud's Graph and to nothing else.
    pub(super) fn owns(&self, url: &Url) -> bool {
        url.origin() == self.graph.origin() && url.username().is_empty() && url.password().is_none() && url.path().starts_with("/v1.0/")
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cloud({}, {})", self.name, self.graph)
    }
}

#[expect(clippy::expect_used, reason = "only for the constants above, each of which a test reads")]
fn known(url: &'static str) -> Url {
    Url::parse(url).expect("a constant URL")
}

/// A URL to build a query on.
pub(super) fn empty_url() -> Url {
    known("http://localhost")
}

fn loopback_root(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| format!("`{}` is not a URL", super::words::word(text)))?;
    let bare =
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if matches!(url.scheme(), "http" | "https") && is_loopback(&url) && bare {
        Ok(url)
    } else {
        Err("a simulated tenant is a URL such as http://127.0.0.1:8080: http or https, a loopback address, and no path".to_owned())
    }
}

/// Whether the URL's host is this machine: a loopback address, or `localhost`, which must not name anything else (RFC 6761 section 6.3).
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cloud_has_its_own_hosts() {
        for (name, host, trace, hunting) in [
            ("global", "graph.microsoft.com", true, true),
            ("usgov-l4", "graph.microsoft.us", false, true),
            ("usgov-l5", "dod-graph.microsoft.us", false, true),
            ("china", "microsoftgraph.chinacloudapi.cn", false, false),
        ] {
            let cloud = Cloud::named(name).unwrap();
            assert_eq!(cloud.name(), name);
            assert_eq!(cloud.scope(Resource::Graph), format!("https://{host}/.default"));
            assert_eq!(cloud.graph_root(), format!("https://{host}/v1.0/"));
            assert_eq!((cloud.has_trace(), cloud.has_hunting()), (trace, hunting), "{name}");
        }
        assert_eq!(Cloud::named("germany"), None);
        assert_eq!(
            Cloud::china_older_authority().oauth("t", "token"),
            "https://login.chinacloudapi.cn/t/oauth2/v2.0/token"
        );
        assert_eq!(Cloud::global().scope(Resource::Exchange), "https://outlook.office365.com/.default");
        assert_eq!(
            Cloud::global().scope_of_a_person(Resource::Exchange),
            "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send"
        );
    }

    #[test]
    fn only_this_machine_may_play_a_tenant() {
        for good in ["http://127.0.0.1:8080", "https://[::1]:1/", "http://localhost:2"] {
            assert!(Cloud::loopback(good, good).is_ok(), "{good}");
        }
        for bad in [
            "http://graph.microsoft.com",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1/x",
            "http://u@127.0.0.1",
            "ftp://127.0.0.1",
            "127.0.0.1",
            "",
        ] {
            assert!(Cloud::loopback("http://127.0.0.1:1", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_elsewhere_is_not_ours() {
        let cloud = Cloud::global();
        let owns = |url: &str| cloud.owns(&Url::parse(url).unwrap());
        assert!(owns("https://graph.microsoft.com/v1.0/users?$skiptoken=x"));
        assert!(owns("https://GRAPH.microsoft.com:443/v1.0/users"));
        for foreign in [
            "http://graph.microsoft.com/v1.0/users",
            "https://graph.microsoft.com.evil.example/v1.0/users",
            "https://graph.microsoft.com:8443/v1.0/users",
            "https://graph.microsoft.com@evil.example/v1.0/users",
            "https://user:pass@graph.microsoft.com/v1.0/users",
            "https://graph.microsoft.com/beta/users",
            "https://graph.microsoft.com/v1.0/../beta/users",
            "https://graph.microsoft.us/v1.0/users",
        ] {
            assert!(!owns(foreign), "{foreign}");
        }
    }
}
