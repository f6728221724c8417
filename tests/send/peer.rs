//! A mail server that plays a script, one for each connection it accepts, in order. After the last it accepts no more.
//!
//! A script is a transcript, a step in each line:
//!
//! ```text
//! S: text      the server says a line         S! text     it says exactly this (\r, \n, \t as written), without a line end
//! C: text      the client's line begins so    MESSAGE     the client sends a message, up to its final dot
//! TLS          both turn to TLS               ONLY n      the client sends n bytes, and more
//! CLOSE RESET  the server hangs up            SILENCE     it says nothing, until the client goes
//! FLOOD text   says it for ever               DRIP text   says the line every 20 ms, until the client goes
//! ```
//!
//! At the end of a script the server waits until the client goes, and answers a QUIT.

use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A scripted server.
pub struct Peer {
    pub port: u16,
    task: JoinHandle<Vec<String>>,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

enum Stream {
    Clear(BufReader<TcpStream>),
    Tls(Box<BufReader<tokio_rustls::server::TlsStream<TcpStream>>>),
}

struct Connection {
    stream: Stream,
    heard: Vec<String>,
}

impl Peer {
    /// Plays these scripts on a free port of 127.0.0.1.
    pub async fn plays(scripts: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, scripts, None)
    }

    /// Plays these scripts, with a certificate.
    pub async fn plays_with(acceptor: &TlsAcceptor, scripts: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, scripts, Some(acceptor.clone()))
    }

    /// Plays these scripts on `address` and `port`; `None` if that is taken.
    pub async fn plays_at(address: IpAddr, port: u16, scripts: &[&str]) -> Option<Self> {
        let listener = TcpListener::bind((address, port)).await.ok()?;
        Some(Self::on(listener, scripts, None))
    }

    fn on(listener: TcpListener, scripts: &[&str], acceptor: Option<TlsAcceptor>) -> Self {
        let port = listener.local_addr().unwrap().port();
        let scripts: Vec<String> = scripts.iter().map(|&script| script.to_owned()).collect();
        let task = tokio::spawn(async move {
            let mut heard = Vec::new();
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = Connection {
                    stream: Stream::Clear(BufReader::new(stream)),
                    heard: Vec::new(),
                };
                heard.extend(connection.play(&script, acceptor.as_ref()).await);
            }
            heard
        });
        Self { port, task }
    }

    /// What the clients said, once all scripts have been played to their ends.
    pub async fn heard(self) -> Vec<String> {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task).await;
        ended
            .expect("not every script was played to its end")
            .expect("a script went otherwise")
    }
}

impl Connection {
    fn stream(&mut self) -> &mut dyn Duplex {
        match &mut self.stream {
            Stream::Clear(stream) => stream,
            Stream::Tls(stream) => stream.as_mut(),
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = match &mut self.stream {
            Stream::Clear(stream) => stream.read_line(&mut line).await,
            Stream::Tls(stream) => stream.read_line(&mut line).await,
        };
        (read.ok()? > 0).then(|| line.trim_end_matches("\r\n").to_owned())
    }

    async fn say(&mut self, text: &str) -> bool {
        let stream = self.stream();
        stream.write_all(text.as_bytes()).await.is_ok() && stream.flush().await.is_ok()
    }

    /// Plays a script to its end; what the client said.
    async fn play(mut self, script: &str, acceptor: Option<&TlsAcceptor>) -> Vec<String> {
        for step in script.lines().map(str::trim).filter(|step| !step.is_empty()) {
            let (verb, text) = step.split_once(' ').unwrap_or((step, ""));
            match verb {
                // A client that has gone hears nothing; what that means is the test's to judge.
                "S:" => drop(self.say(&format!("{text}\r\n")).await),
                "S!" => drop(self.say(&unescaped(text)).await),
                "C:" => {
                    let line = self.line().await.unwrap_or_else(|| panic!("the client went instead of {text:?}"));
                    assert!(line.starts_with(text), "the client said {line:?} instead of {text:?}");
                    self.heard.push(line);
                }
                "MESSAGE" => while self.line().await.expect("the client went within the message") != "." {},
                "ONLY" => drop(self.stream().read_exact(&mut vec![0; text.parse().unwrap()]).await),
                "TLS" => {
                    let (Stream::Clear(stream), Some(acceptor)) = (self.stream, acceptor) else {
                        panic!("TLS twice, or without a certificate")
                    };
                    let Ok(stream) = acceptor.accept(stream.into_inner()).await else {
                        return self.heard;
                    };
                    self.stream = Stream::Tls(Box::new(BufReader::new(stream)));
                }
                "FLOOD" => while self.say(&unescaped(text)).await {},
                "DRIP" => {
                    while self.say(&format!("{text}\r\n")).await {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
                "SILENCE" => while self.line().await.is_some() {},
                "CLOSE" => return self.heard,
                "RESET" => {
                    if let Stream::Clear(stream) = &self.stream {
                        stream.get_ref().set_zero_linger().unwrap();
                    }
                    return self.heard;
                }
                _ => panic!("no step: {step:?}"),
            }
        }
        while let Some(line) = self.line().await {
            if line == "QUIT" {
                self.say("221 bye\r\n").await;
            }
            self.heard.push(line);
        }
        self.heard
    }
}

fn unescaped(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")
}

/// A certificate for `mail.example` and 127.0.0.1 by a CA of its own, and that CA's file.
pub fn certificate() -> (TlsAcceptor, tempfile::NamedTempFile) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "the scripted peer's CA");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = vec!["mail.example".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ca.pem()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}
