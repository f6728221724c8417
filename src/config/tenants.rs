//! The Microsoft 365 tenants of a site: which directory, which app, which cloud and which proof.
//!
//! Files are named and not opened, as those of all secrets: whoever only plans needs none. What it cannot see: whether the directory exists and
//! knows the app; the sign-in tells.

use super::{
    context::Context,
    endpoint::{self, is_host},
    mistakes::quoted,
    proofs::{CloudChoice, Federated, LoopbackShape},
    read::{At, Named},
    shapes::TenantShape,
    traces,
};
use crate::model::{Proof, Tenant, TenantCloud};

/// The tenants that could be read.
pub(super) fn build(context: &mut Context<'_>, named: Option<&At<Named<TenantShape>>>) -> Vec<Tenant> {
    let mut tenants = Vec::new();
    for (name, shape) in named.into_iter().flat_map(|named| named.values()) {
        tenants.extend(tenant(context, name, shape));
    }
    for (name, shape) in named.into_iter().flat_map(|named| named.values()) {
        if let Some(with) = shape.clean.as_ref().and_then(|clean| clean.with.as_ref()) {
            let known = named.into_iter().flat_map(|all| all.names());
            check_cleaner(context, name, with, known, &tenants);
        }
    }
    tenants
}

/// Who deletes in the stead of the tenant entry `name`: another entry, for the same directory.
fn check_cleaner<'a>(
    context: &mut Context<'_>,
    name: &At<String>,
    with: &At<String>,
    known: impl Iterator<Item = &'a str>,
    tenants: &[Tenant],
) {
    let others: Vec<&str> = known.filter(|other| *other != name.as_str()).collect();
    if with.value == name.value {
        let title = format!("{} is this entry itself", quoted(with));
        context
            .mistakes
            .note(with.span.clone(), title)
            .help("leave `clean` out to delete as the app that reads, or name the entry of a second app");
    } else if !others.contains(&with.as_str()) {
        let title = format!("there is no tenant {}", quoted(with));
        context.mistakes.dangling(with.span.clone(), title, with, others);
    } else {
        let find = |name: &str| tenants.iter().find(|tenant| tenant.name == name);
        // What could not be read has its own mistakes.
        if let (Some(reads), Some(cleans)) = (find(name), find(with))
            && cleans.client_id.eq_ignore_ascii_case(&reads.client_id)
        {
            context
                .mistakes
                .note(with.span.clone(), "this entry is the same app, so the one that reads could write")
                .help("register a second app for deleting, or leave `clean` out");
        }
        if let (Some(reads), Some(cleans)) = (find(name), find(with))
            && !cleans.is_directory_of(reads)
        {
            let title = format!("the tenant {} is another directory, or in another cloud", quoted(with));
            context
                .mistakes
                .note(with.span.clone(), title)
                .help("both entries must say the same `tenant_id`, in the same words, and the same `cloud`");
        }
    }
}

fn tenant(context: &mut Context<'_>, name: &At<String>, shape: &TenantShape) -> Option<Tenant> {
    let tenant_id = shape.tenant_id.as_ref().and_then(|id| directory(context, id));
    let client_id = shape.client_id.as_ref().and_then(|id| app(context, id));
    let cloud = match shape.cloud.as_ref().map(|cloud| &cloud.value) {
        None => Some(TenantCloud::default()),
        Some(CloudChoice::Named(cloud)) => Some(cloud.clone()),
        Some(CloudChoice::Loopback(shape)) => loopback(context, shape),
    };
    let trace = traces::reading(context, shape.trace.as_ref(), cloud.as_ref());
    Some(Tenant {
        name: name.value.clone(),
        tenant_id: tenant_id?,
        client_id: client_id?,
        cloud: cloud?,
        proof: proof(context, shape)?,
        trace,
        clean_with: shape
            .clean
            .as_ref()
            .and_then(|clean| clean.with.as_ref())
            .map(|with| with.value.clone()),
        place: context.place(&name.span),
    })
}

/// The first proof: that there is only one was checked when the mapping was read.
fn proof(context: &Context<'_>, shape: &TenantShape) -> Option<Proof> {
    if let Some(secret) = &shape.secret {
        return Some(Proof::Secret(secret.0.clone()));
    }
    if let Some(certificate) = &shape.certificate {
        return Some(Proof::Certificate {
            file: context.folder.join(&certificate.file),
            password: certificate.password.clone(),
        });
    }
    match shape.federated.as_ref().map(|federated| &federated.value) {
        Some(Federated::GitHub) => return Some(Proof::GitHub),
        Some(Federated::TokenFile(path)) => return Some(Proof::TokenFile(context.folder.join(path))),
        None => {}
    }
    let managed = shape.managed_identity.as_ref().map(|_| Proof::Managed);
    managed.or_else(|| shape.device_code.as_ref().map(|_| Proof::DeviceCode))
}

/// The directory, by its GUID or one of its domains. The endpoints that serve every directory are none.
fn directory(context: &mut Context<'_>, id: &At<String>) -> Option<String> {
    let shared = ["common", "organizations", "consumers"]
        .iter()
        .any(|word| id.eq_ignore_ascii_case(word));
    if is_guid(id) || is_domain(id) {
        return Some(id.value.clone());
    }
    let title = if shared {
        format!("{} stands for every directory; a tenant is one", quoted(id))
    } else {
        "expected the directory's GUID or one of its domains".to_owned()
    };
    context
        .mistakes
        .note(id.span.clone(), title)
        .help("Entra ID shows it in its overview as `Tenant ID`; a verified domain such as contoso.example does as well");
    None
}

/// The app's GUID. What stands there is not repeated: it may be the secret, which the same page shows.
fn app(context: &mut Context<'_>, id: &At<String>) -> Option<String> {
    if is_guid(id) {
        return Some(id.value.clone());
    }
    context
        .mistakes
        .note(id.span.clone(), "expected the app's GUID")
        .help("the app registration shows it in its overview as `Application (client) ID`; its name and its secret are other things");
    None
}

fn loopback(context: &mut Context<'_>, shape: &LoopbackShape) -> Option<TenantCloud> {
    let mut root = |url: Option<&At<String>>| {
        let url = url?;
        let root = loopback_root(url);
        if root.is_none() {
            let title = "expected a URL of this machine such as `https://127.0.0.1:8443`, without a path";
            context
                .mistakes
                .note(url.span.clone(), title)
                .help("only a simulated tenant has a URL; those of Microsoft are named: global, usgov-l4, usgov-l5, china");
        }
        root.map(str::to_owned)
    };
    let (authority, graph) = (root(shape.authority.as_ref()), root(shape.graph.as_ref()));
    let ca = endpoint::ca(context, shape.ca.as_ref());
    Some(TenantCloud::Loopback {
        authority: authority?,
        graph: graph?,
        ca: ca?,
    })
}

/// The URL without the slash at its end, if it leads to this machine and no further.
fn loopback_root(url: &str) -> Option<&str> {
    let root = url.strip_suffix('/').unwrap_or(url);
    let rest = root.strip_prefix("https://").or_else(|| root.strip_prefix("http://"))?;
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => rest.find(':').map_or((rest, ""), |colon| rest.split_at(colon)),
    };
    let own = match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback() && address.is_ipv6() == rest.starts_with('['),
        Err(_) => host == "localhost",
    };
    let number = port.strip_prefix(':').unwrap_or("1");
    let fits = number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<u16>().is_ok_and(|port| port > 0);
    (own && fits && (port.is_empty() || port.starts_with(':'))).then_some(root)
}

/// Whether this is a GUID as Entra ID writes it: 8-4-4-4-12 hexadecimal digits.
pub(super) fn is_guid(text: &str) -> bool {
    let hexadecimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(hexadecimal)
}

/// Whether this may be a domain of a directory: a host name of at least two labels that is no address.
fn is_domain(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    text.contains('.') && !text.contains('_') && is_host(text) && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_its_hyphens_and_nothing_else() {
        assert!(is_guid("6c1e2a3b-0000-4000-8000-00000000ABCD"));
        for wrong in [
            "6c1e2a3b00004000800000000000abcd",
            "{6c1e2a3b-0000-4000-8000-00000000abcd}",
            "6c1e2a3b-0000-4000-8000-00000000abc",
            "6c1e2a3b-0000-4000-8000-00000000abcg",
            "6c1e2a3b-0000-4000-8000-00000000abcd-",
            "",
        ] {
            assert!(!is_guid(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_directory_has_a_domain() {
        for domain in ["contoso.example", "contoso.onmicrosoft.com", "a.xn--p1ai"] {
            assert!(is_domain(domain), "{domain}");
        }
        for wrong in [
            "common",
            "contoso",
            "192.0.2.1",
            "contoso.example.",
            "a/b.example",
            "::1",
            "a..b",
            "{domain}.example",
        ] {
            assert!(!is_domain(wrong), "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_plays_a_tenant() {
        for (url, root) in [
            ("https://127.0.0.1:8443/", "https://127.0.0.1:8443"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("https://[::1]:1", "https://[::1]:1"),
            ("https://127.0.0.1", "https://127.0.0.1"),
        ] {
            assert_eq!(loopback_root(url), Some(root));
        }
        for wrong in [
            "https://graph.microsoft.com",
            "https://127.0.0.1.example",
            "https://127.0.0.1@evil.example",
            "https://127.0.0.1:1@evil.example",
            "https://user@127.0.0.1:1",
            "https://127.0.0.1:8443/v1.0",
            "https://127.0.0.1:8443//",
            "https://127.0.0.1?x",
            "https://[::1]x",
            "https://[127.0.0.1]",
            "https://::1",
            "https://127.0.0.1:0",
            "https://127.0.0.1:",
            "https://10.0.0.1",
            "ftp://127.0.0.1",
            "127.0.0.1:8443",
        ] {
            assert_eq!(loopback_root(wrong), None, "{wrong}");
        }
    }
}
