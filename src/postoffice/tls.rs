//! A certificate made on the spot, signed by a certificate authority that lives as long as the post office (rustls on ring).
//!
//! Cannot see connections: `wire` does the handshakes.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// What clients must trust and servers present.
pub struct Identity {
    /// The CA's certificate as PEM.
    pub ca_pem: String,
    /// Does the server's side of a handshake.
    pub acceptor: TlsAcceptor,
}

/// Makes a CA and a certificate for these names (DNS names and IP addresses).
///
/// # Errors
/// When a name is no name, or the random numbers of the system fail.
pub fn identity(names: Vec<String>) -> io::Result<Identity> {
    let ca_key = KeyPair::generate().map_err(io::Error::other)?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "Post office test CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca = CertifiedIssuer::self_signed(ca, ca_key).map_err(io::Error::other)?;

    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut server = CertificateParams::new(names).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    server.distinguished_name.push(DnType::CommonName, "Post office");
    let certificate = server.signed_by(&key, &ca).map_err(io::Error::other)?;

    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key))
        .map_err(io::Error::other)?;
    Ok(Identity {
        ca_pem: ca.pem(),
        acceptor: TlsAcceptor::from(Arc::new(config)),
    })
}
