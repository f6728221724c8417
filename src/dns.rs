//! One way of asking the DNS: which server, and what never answers in its place. The questions, and the time they may take, are the caller's.

use crate::tls;
use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
};
use std::net::SocketAddr;

/// A resolver to be built, which asks the DNS server at `at`, or the system's.
///
/// # Errors
/// A sentence, if the system's configuration cannot be read.
pub fn asking(at: Option<SocketAddr>) -> Result<ResolverBuilder<TokioRuntimeProvider>, String> {
    let mut builder = match at {
        None => TokioResolver::builder_tokio().map_err(unasked)?,
        Some(address) => {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = address.port();
                connection
            });
            let server = NameServerConfig::new(address.ip(), true, connections.into());
            TokioResolver::builder_with_config(ResolverConfig::from_name_servers(vec![server]), TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // Mail goes by the DNS alone.
    options.use_hosts_file = ResolveHosts::Never;
    // Given one, it neither reads the system's certificates nor fails where there are none: no question goes by TLS.
    Ok(builder.with_tls_config(tls::trusting_nobody()?))
}

/// The resolver.
///
/// # Errors
/// A sentence, if it cannot be built.
pub fn built(builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, String> {
    builder.build().map_err(unasked)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unasked(error: NetError) -> String {
    format!("the DNS cannot be asked: {error}")
}
