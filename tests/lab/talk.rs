//! Raw conversations with the lab's servers, a few lines of socket code: what is found with them owes nothing to mailflow's own senders.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use data_encoding::BASE64;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Lab;
use super::accounts::{PASSWORD, SENDER};

/// A way into the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Submission,
    GatewayA,
    GatewayB,
}

/// What the first server answered, from the first refusal to the end.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted { after_refusals: Vec<String> },
    Rejected(String),
}

/// A line-by-line conversation with a server.
pub struct Talk<S: Read + Write>(BufReader<S>);

impl<S: Read + Write> Talk<S> {
    /// One line, with its end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.0.read_line(&mut line).expect("the server answers"), 0, "the server hung up");
        line
    }

    /// An SMTP reply, all its lines.
    pub fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let line = self.line();
            reply += &line;
            if line.as_bytes().get(3) == Some(&b' ') {
                return reply.trim_end().to_owned();
            }
        }
    }

    /// An SMTP command and its reply.
    pub fn say(&mut self, command: &str) -> String {
        self.put(&format!("{command}\r\n"));
        self.reply()
    }

    /// An IMAP command and all that is said up to its end.
    pub fn imap(&mut self, command: &str) -> String {
        self.put(&format!("a {command}\r\n"));
        let mut answer = String::new();
        loop {
            let line = self.line();
            answer += &line;
            if line.starts_with("a ") {
                return answer;
            }
        }
    }

    fn put(&mut self, bytes: &str) {
        self.0.get_mut().write_all(bytes.as_bytes()).expect("the server listens");
    }
}

/// A connection in the clear; the greeting is still to be read.
pub fn connect(address: SocketAddr) -> Talk<TcpStream> {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream
        .set_read_timeout(Some(Duration::from_mins(1)))
        .expect("a time-out can be set");
    stream.set_nodelay(true).expect("the delay can be unset");
    Talk(BufReader::new(stream))
}

/// The connection under TLS, with a certificate for `host` from the lab's CA.
pub fn secure(lab: &Lab, plain: Talk<TcpStream>, host: &'static str) -> Talk<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(lab.ca_file()).expect("the CA's certificate"))
        .expect("the CA's certificate is valid");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host).expect("a valid name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a valid configuration");
    Talk(BufReader::new(StreamOwned::new(connection, plain.0.into_inner())))
}

/// Sends one message, trying again as long as it is refused for now.
pub fn send(lab: &Lab, way: Way, from: &str, to: &str, message_id: &str, body: &str) -> Answer {
    let mut after_refusals = Vec::new();
    loop {
        let answer = match way {
            Way::Submission => {
                let mut talk = connect(lab.submission());
                talk.reply();
                talk.say("EHLO probe.sender.example");
                assert!(talk.say("STARTTLS").starts_with("220"));
                let mut talk = secure(lab, talk, "localhost");
                assert!(talk.say("EHLO probe.sender.example").contains("AUTH PLAIN LOGIN"));
                let credentials = BASE64.encode(format!("\0{SENDER}\0{PASSWORD}").as_bytes());
                assert!(talk.say(&format!("AUTH PLAIN {credentials}")).starts_with("235"));
                transact(&mut talk, from, to, message_id, body)
            }
            Way::GatewayA => transact(&mut greet(lab.gateway_a()), from, to, message_id, body),
            Way::GatewayB => transact(&mut greet(lab.gateway_b()), from, to, message_id, body),
        };
        match answer.as_bytes()[0] {
            b'2' => return Answer::Accepted { after_refusals },
            b'4' => after_refusals.push(answer),
            _ => return Answer::Rejected(answer),
        }
        assert!(after_refusals.len() < 50, "{to} by {way:?}: {after_refusals:?}");
        sleep(Duration::from_millis(300));
    }
}

/// A connection to a gateway, after EHLO.
pub fn greet(address: SocketAddr) -> Talk<TcpStream> {
    let mut talk = connect(address);
    talk.reply();
    talk.say("EHLO probe.sender.example");
    talk
}

/// The first refusal, or the reply to the final dot.
fn transact<S: Read + Write>(talk: &mut Talk<S>, from: &str, to: &str, message_id: &str, body: &str) -> String {
    for line in [format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>"), "DATA".to_owned()] {
        let reply = talk.say(&line);
        if reply.starts_with(['4', '5']) {
            return reply;
        }
    }
    talk.say(&format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: A word\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: {message_id}\r\n\r\n{body}\r\n."
    ))
}
