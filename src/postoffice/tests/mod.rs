//! The post office from outside: real connections, as a mail client or another server makes them.

mod imap;
mod smtp;
mod tenant;

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::directory::WATCHER;
use super::*;

const PROBE: &str = "probe@sender.example";

async fn open() -> PostOffice {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    PostOffice::open(Settings::new(move || now)).await.unwrap()
}

/// A connection on which lines are said and heard.
struct Talk<S>(BufReader<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The next line; empty at the end of the connection.
    async fn hear(&mut self) -> String {
        let mut line = String::new();
        // A reset is an end like any other.
        let _ = tokio::time::timeout(Duration::from_secs(20), self.0.read_line(&mut line))
            .await
            .expect("an answer");
        line
    }

    /// All lines up to the first that starts so, or to the end.
    async fn hear_until(&mut self, start: &str) -> String {
        let mut all = String::new();
        loop {
            let line = self.hear().await;
            all.push_str(&line);
            if line.starts_with(start) || line.is_empty() {
                return all;
            }
        }
    }

    /// Says an SMTP command and hears the whole reply.
    async fn smtp(&mut self, command: &str) -> String {
        self.say(&format!("{command}\r\n")).await;
        self.smtp_reply().await
    }

    async fn smtp_reply(&mut self) -> String {
        let mut all = String::new();
        loop {
            let line = self.hear().await;
            all.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return all;
            }
        }
    }

    /// Says an IMAP command under the tag `a` and hears everything up to its end.
    async fn imap(&mut self, command: &str) -> String {
        self.say(&format!("a {command}\r\n")).await;
        self.hear_until("a ").await
    }

    /// Whether the other side has closed, after whatever it still had to say.
    async fn ends(mut self) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(Duration::from_secs(20), self.0.read_to_end(&mut rest))
            .await
            .is_ok()
    }
}

async fn connect(address: SocketAddr) -> Talk<TcpStream> {
    Talk::new(TcpStream::connect(address).await.unwrap())
}

async fn tls(office: &PostOffice, stream: TcpStream, name: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(office.ca_pem().as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// A session at a gateway that has said EHLO.
async fn gateway(address: SocketAddr) -> Talk<TcpStream> {
    let mut talk = connect(address).await;
    assert!(talk.hear().await.starts_with("220 "));
    assert!(talk.smtp("EHLO client.example").await.contains("DSN"));
    talk
}

/// Sends one message through a gateway and returns the last reply.
async fn send(address: SocketAddr, mail: &str, rcpt: &str, message: &str) -> String {
    let mut talk = gateway(address).await;
    assert!(talk.smtp(&format!("MAIL FROM:{mail}")).await.starts_with("250 "));
    let reply = talk.smtp(&format!("RCPT TO:{rcpt}")).await;
    if !reply.starts_with("250 ") {
        return reply;
    }
    assert!(talk.smtp("DATA").await.starts_with("354 "));
    talk.smtp(&format!("{message}\r\n.")).await
}

fn message(id: &str) -> String {
    format!(
        "From: Probe <{PROBE}>\r\nTo: somebody\r\nSubject: Probe {id}\r\nMessage-ID: <{id}@sender.example>\r\nX-Probe: {id}\r\n\r\n\
         Hello, see https://contoso.example/{id}.\r\n.\r\nThe end.",
    )
    .replace("\r\n.\r\n", "\r\n..\r\n")
}

/// Waits until something is so.
async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..2000 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to pass");
}

/// Where the copies of a probe are, as `mailbox folder`.
fn places(office: &PostOffice, id: &str) -> Vec<String> {
    office
        .copies(&format!("<{id}@sender.example>"))
        .into_iter()
        .map(|c| format!("{} {}", c.mailbox, c.folder))
        .collect()
}

/// The messages in the prober's inbox.
fn returned(office: &PostOffice) -> Vec<String> {
    let read = |mailbox: &store::Mailbox| {
        mailbox.folders[0]
            .messages
            .iter()
            .map(|m| String::from_utf8_lossy(&m.raw).into_owned())
            .collect()
    };
    office.office.store.read(PROBE, read).unwrap()
}

#[tokio::test]
async fn nothing_but_loopback_is_bound() {
    let now = DateTime::from_timestamp(0, 0).unwrap();
    for address in ["0.0.0.0", "192.0.2.1", "::"] {
        let settings = Settings {
            bind: address.parse().unwrap(),
            ..Settings::new(move || now)
        };
        assert_eq!(PostOffice::open(settings).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}

#[tokio::test]
async fn dropping_it_closes_everything() {
    let office = open().await;
    let address = office.addresses().imaps;
    let talk = connect(office.addresses().imap).await;
    drop(office);
    assert!(talk.ends().await);
    for _ in 0..2000 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the listener is still there");
}
