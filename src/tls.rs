//! TLS for SMTP and IMAP: rustls on ring, the system's trusted certificates and, where a site has one, a private CA.
//!
//! Two kinds of connection: one refuses a certificate that does not hold, the other (opportunistic, RFC 7435) goes on and keeps the reason.
//! What it cannot see: revocation (no CRL and no OCSP is asked), DANE (RFC 7672) and MTA-STS (RFC 8461).

use crate::model::Tls;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme, SupportedProtocolVersion,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::{Arc, LazyLock, OnceLock},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// No CA file is larger; what is, is no CA file.
const CA_FILE_LIMIT: u64 = 4 << 20;

/// The certificates that this system trusts, read once in the process: a run opens many connections.
static SYSTEM_ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    // What cannot be read or parsed is passed over: the rest is still trusted, and a certificate that needed it will say so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
});

/// What happens to a connection whose certificate does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// It fails.
    Strict,
    /// It goes on, and [`Tls::certificate`] says why the certificate did not hold.
    Record,
}

/// Opens TLS on connections that stand. Cheap to clone and to share.
#[derive(Debug, Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
    /// The judge of certificates in [`Verify::Record`]; `Err` if there is nothing that one could be judged by.
    judge: Result<Arc<WebPkiServerVerifier>, String>,
    verify: Verify,
}

/// A connector that trusts the system's certificates and those in the PEM file `ca`.
///
/// # Errors
/// A sentence that names the file if it cannot be read or holds no certificate; or, if every certificate must hold, that none is trusted at all.
pub fn connector(ca: Option<&Path>, verify: Verify) -> Result<Connector, String> {
    connector_of(ca, verify, rustls::DEFAULT_VERSIONS)
}

/// As [`connector`] with [`Verify::Record`], but it offers TLS 1.2 and nothing newer: what a server accepts at least.
///
/// # Errors
/// As [`connector`].
pub fn old_connector(ca: Option<&Path>) -> Result<Connector, String> {
    connector_of(ca, Verify::Record, &[&rustls::version::TLS12])
}

/// A configuration that trusts nobody: for a library that wants one and is never to open TLS.
///
/// # Errors
/// A sentence, if ring lacks what TLS needs.
pub fn trusting_nobody() -> Result<ClientConfig, String> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn connector_of(ca: Option<&Path>, verify: Verify, versions: &[&'static SupportedProtocolVersion]) -> Result<Connector, String> {
    let mut roots = SYSTEM_ROOTS.clone();
    if let Some(path) = ca {
        add_private_ca(&mut roots, path)?;
    }
    let provider = Arc::new(ring::default_provider());
    let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|_| "this system trusts no certificate at all: install the package ca-certificates, or name a `ca` file".to_owned());
    let verifier: Arc<dyn ServerCertVerifier> = match (verify, &judge) {
        (Verify::Strict, Ok(judge)) => Arc::<WebPkiServerVerifier>::clone(judge),
        (Verify::Strict, Err(reason)) => return Err(reason.clone()),
        (Verify::Record, _) => Arc::new(Recorder::new(judge.clone())),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    if verify == Verify::Record {
        // A resumed session shows no certificate, so there would be nothing to record.
        config.resumption = Resumption::disabled();
    }
    Ok(Connector {
        config: Arc::new(config),
        judge,
        verify,
    })
}

/// The same trust as of [`connector`], strict, for who opens TLS by itself.
///
/// # Errors
/// As [`connector`].
pub fn client_config(ca: Option<&Path>) -> Result<ClientConfig, String> {
    Ok(ClientConfig::clone(&connector(ca, Verify::Strict)?.config))
}

fn add_private_ca(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let shown = path.display();
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(CA_FILE_LIMIT).read_to_end(&mut pem))
        .map_err(|error| format!("the CA file {shown} cannot be read: {error}"))?;
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("the CA file {shown} is not PEM: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("the CA file {shown} holds a certificate that cannot be used: {error}"))?;
        found = true;
    }
    if found {
        Ok(())
    } else {
        Err(format!(
            "the CA file {shown} holds no certificate (PEM, `-----BEGIN CERTIFICATE-----`)"
        ))
    }
}

impl Connector {
    /// Opens TLS on `stream` with the server that calls itself `host`: a name, or an IP address with or without brackets. Has no time-out of
    /// its own: the caller sets one.
    ///
    /// # Errors
    /// If the handshake fails or, with [`Verify::Strict`], the certificate does not hold. The error's text is one sentence in plain words.
    pub async fn wrap<S>(&self, stream: S, host: &str) -> io::Result<(TlsStream<S>, Tls)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = server_name(host).map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))?;
        let (config, recorder) = match self.verify {
            Verify::Strict => (Arc::clone(&self.config), None),
            Verify::Record => {
                let recorder = Arc::new(Recorder::new(self.judge.clone()));
                let mut config = ClientConfig::clone(&self.config);
                config.dangerous().set_certificate_verifier(Arc::<Recorder>::clone(&recorder));
                (Arc::new(config), Some(recorder))
            }
        };
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(in_plain_words)?;
        let certificate = recorder.map_or(Ok(()), |recorder| recorder.outcome());
        let tls = describe(stream.get_ref().1, certificate);
        Ok((stream, tls))
    }
}

/// The name that the certificate of `host` must bear.
///
/// # Errors
/// A sentence, if `host` is neither a DNS name in ASCII nor an IP address.
pub fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // Names from the DNS end in the root's dot, those in certificates never do.
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    ServerName::try_from(bare.to_owned()).map_err(|_| format!("{bare:?} is no host name that a certificate could bear"))
}

/// What was negotiated on a connection whose handshake is over.
fn describe(connection: &rustls::ClientConnection, certificate: Result<(), String>) -> Tls {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
        other => format!("{other:?}"),
    };
    let cipher = connection
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str())
        // rustls marks the suites of TLS 1.3; IANA's registry and every mail log do not.
        .map_or_else(|| "unknown".to_owned(), |name| name.replacen("TLS13_", "TLS_", 1));
    Tls {
        version,
        cipher,
        certificate,
    }
}

fn in_plain_words(error: io::Error) -> io::Error {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()).cloned();
    match tls {
        Some(error) if lasts(&error) => io::Error::new(io::ErrorKind::InvalidData, reason(&error)),
        Some(error) => io::Error::new(io::ErrorKind::ConnectionAborted, reason(&error)),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            io::Error::new(error.kind(), "the server closed the connection during the TLS handshake")
        }
        None => error,
    }
}

/// Whether a handshake failed because the certificate did not hold, or the two sides share no way to speak: trying again would only repeat it.
pub fn is_lasting(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

fn lasts(error: &TlsError) -> bool {
    use rustls::AlertDescription::{HandshakeFailure, ProtocolVersion};
    match error {
        TlsError::InvalidCertificate(_) | TlsError::InvalidMessage(_) | TlsError::PeerIncompatible(_) => true,
        TlsError::AlertReceived(alert) => matches!(alert, HandshakeFailure | ProtocolVersion),
        _ => false,
    }
}

/// Why TLS failed, in the words of an administrator.
fn reason(error: &TlsError) -> String {
    let certificate = match error {
        TlsError::InvalidCertificate(certificate) => certificate,
        TlsError::InvalidMessage(_) => return "the server's answer to the TLS handshake is not TLS".to_owned(),
        TlsError::AlertReceived(alert) => return format!("the server refused the TLS handshake: alert {alert:?}"),
        TlsError::PeerIncompatible(what) => return format!("the server speaks no TLS that we speak: {what:?}"),
        other => return format!("the TLS handshake failed: {other}"),
    };
    match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "the certificate is not valid yet".to_owned(),
        CertificateError::UnknownIssuer => "the certificate comes from a CA that is not trusted here".to_owned(),
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<String> = presented.iter().take(5).map(|name| presented_name(name)).collect();
            format!("the certificate is not for {} but for {}", expected.to_str(), names.join(", "))
        }
        CertificateError::Revoked => "the certificate was revoked".to_owned(),
        CertificateError::BadEncoding => "the certificate cannot be read".to_owned(),
        CertificateError::BadSignature => "the certificate's signature is wrong".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not meant for servers".to_owned()
        }
        // webpki says this of the certificates that `openssl req -x509` makes.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "the certificate is that of a CA, not of a server (self-signed?)".to_owned()
        }
        other => format!("the certificate does not hold: {other}"),
    }
}

/// A name out of a certificate, which rustls gives as `DnsName("mail.example")`. Written by a stranger: bounded and escaped.
fn presented_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"').chars().take(80).flat_map(char::escape_default).collect()
}

/// Judges certificates like everybody, but lets each pass and remembers the judgement. One for each connection.
#[derive(Debug)]
struct Recorder {
    judge: Result<Arc<WebPkiServerVerifier>, String>,
    outcome: OnceLock<Result<(), String>>,
    provider: Arc<CryptoProvider>,
}

impl Recorder {
    fn new(judge: Result<Arc<WebPkiServerVerifier>, String>) -> Self {
        Self {
            judge,
            outcome: OnceLock::new(),
            provider: Arc::new(ring::default_provider()),
        }
    }

    fn outcome(&self) -> Result<(), String> {
        self.outcome
            .get()
            .cloned()
            .unwrap_or_else(|| Err("the server showed no certificate".to_owned()))
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let outcome = self.judge.clone().and_then(|judge| {
            judge
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map(|_| ())
                .map_err(|error| reason(&error))
        });
        // A second certificate in one handshake does not exist; the first judgement stands.
        let _ = self.outcome.set(outcome);
        Ok(ServerCertVerified::assertion())
    }

    // The server must still prove that the certificate's key is its own: otherwise the record would speak of somebody else's certificate.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use rustls::{ServerConfig, pki_types::PrivateKeyDer};
    use std::io::Write;
    use tempfile::NamedTempFile;
    use tokio::io::DuplexStream;
    use tokio_rustls::TlsAcceptor;

    /// A server's end of a connection, with a certificate for `mail.example` by a CA of its own; and that CA's file.
    fn server(ca: &str) -> (TlsAcceptor, NamedTempFile) {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, ca);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["mail.example".to_owned()])
            .unwrap()
            .signed_by(&key, &ca)
            .unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(ca.pem().as_bytes()).unwrap();
        (TlsAcceptor::from(Arc::new(config)), file)
    }

    async fn shake(connector: &Connector, acceptor: TlsAcceptor, host: &str) -> Result<Tls, String> {
        let (ours, theirs): (DuplexStream, DuplexStream) = tokio::io::duplex(1 << 16);
        let server = tokio::spawn(async move { acceptor.accept(theirs).await.map(drop) });
        let outcome = connector
            .wrap(ours, host)
            .await
            .map(|(_, tls)| tls)
            .map_err(|error| error.to_string());
        let _ = server.await.unwrap();
        outcome
    }

    #[tokio::test]
    async fn a_private_ca_is_trusted_beside_the_systems() {
        let (acceptor, ca) = server("ours");
        let tls = shake(&connector(Some(ca.path()), Verify::Strict).unwrap(), acceptor, "mail.example.")
            .await
            .unwrap();
        assert_eq!((tls.version.as_str(), tls.certificate), ("TLSv1.3", Ok(())));
        assert!(tls.cipher.starts_with("TLS_AES_"), "{}", tls.cipher);
    }

    #[tokio::test]
    async fn a_strict_connection_fails_when_the_certificate_does_not_hold() {
        let (acceptor, ca) = server("ours");
        let strict = connector(Some(ca.path()), Verify::Strict).unwrap();
        assert_eq!(
            shake(&strict, acceptor, "other.example").await.unwrap_err(),
            "the certificate is not for other.example but for mail.example"
        );
        let (stranger, _) = server("theirs");
        assert_eq!(
            shake(&strict, stranger, "mail.example").await.unwrap_err(),
            "the certificate comes from a CA that is not trusted here"
        );
    }

    #[tokio::test]
    async fn a_recording_connection_goes_on_and_keeps_the_reason() {
        let (acceptor, ca) = server("ours");
        let record = connector(Some(ca.path()), Verify::Record).unwrap();
        let (stranger, _) = server("theirs");
        let untrusted = Err("the certificate comes from a CA that is not trusted here".to_owned());
        assert_eq!(shake(&record, stranger, "mail.example").await.unwrap().certificate, untrusted);
        assert_eq!(
            shake(&record, acceptor.clone(), "mail.example").await.unwrap().certificate,
            Ok(()),
            "each connection for itself"
        );
        assert!(
            shake(&record, acceptor, "127.0.0.1").await.unwrap().certificate.is_err(),
            "it names no address"
        );
    }

    #[test]
    fn a_wrong_ca_file_is_named() {
        let missing = connector(Some(Path::new("/nowhere/ca.pem")), Verify::Strict).unwrap_err();
        assert_eq!(
            missing,
            "the CA file /nowhere/ca.pem cannot be read: No such file or directory (os error 2)"
        );
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(b"not a certificate").unwrap();
        let empty = connector(Some(file.path()), Verify::Record).unwrap_err();
        assert!(
            empty.contains("holds no certificate") && empty.contains(&file.path().display().to_string()),
            "{empty}"
        );
    }

    #[test]
    fn a_host_may_be_a_name_or_an_address() {
        for good in ["mail.example", "mail.example.", "127.0.0.1", "[::1]", "::1"] {
            assert!(server_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "bücher.example", "x\r\ny"] {
            assert!(server_name(bad).is_err(), "{bad:?}");
        }
    }
}
