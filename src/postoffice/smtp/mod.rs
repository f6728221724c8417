//! The SMTP server: one session from greeting to QUIT (RFC 5321, 3207, 4954, 3461).
//!
//! Cannot see what becomes of a message: it asks `directory` whether a recipient exists and hands the rest to `courier`.

mod command;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use data_encoding::BASE64;
use tokio::sync::OwnedSemaphorePermit;

use self::command::{Command, Sender, To};
use super::content::{is_gtube, is_malware};
use super::courier::{Client, Letter, Recipient};
use super::directory::NoDestination;
use super::fate::{Fate, meaning};
use super::office::{Door, Office};
use super::secrets::{self, Login, TOKEN_REFUSED};
use super::tenant::Protocol;
use super::wire::{Line, Wire};

/// The longest command line, with room for DSN parameters and tokens (RFC 5321, section 4.5.3.1.4; RFC 4954, section 4).
const LONGEST_LINE: usize = 12_288;
/// The longest line of a message; the standard's 1000 octets are often exceeded in the wild.
const LONGEST_TEXT_LINE: usize = 64 * 1024;
/// The most recipients of one message (RFC 5321, section 4.5.3.1.8).
const MOST_RECIPIENTS: usize = 100;
const FULL: &str = "452 4.3.1 The post office is full";
/// So many mistakes end a session.
const MOST_MISTAKES: u32 = 20;

/// Speaks SMTP on a connection until it ends.
///
/// # Errors
/// When the connection breaks.
pub async fn serve(office: &Arc<Office>, wire: Wire, door: Door, peer: Option<IpAddr>) -> io::Result<()> {
    let client = Client {
        address: peer,
        ..Client::default()
    };
    let mut session = Session {
        office,
        wire,
        door,
        client,
        mistakes: 0,
        sender: None,
        recipients: Vec::new(),
        pending: String::new(),
    };
    session.run().await?;
    session.wire.close().await;
    Ok(())
}

struct Session<'a> {
    office: &'a Arc<Office>,
    wire: Wire,
    door: Door,
    client: Client,
    mistakes: u32,
    sender: Option<Sender>,
    recipients: Vec<Recipient>,
    /// Replies to pipelined commands, sent together (RFC 2920).
    pending: String,
}

/// Whether the session goes on.
enum Next {
    Go,
    End,
}

impl Session<'_> {
    async fn run(&mut self) -> io::Result<()> {
        self.reply(&format!("220 {} ESMTP Post office", self.door.host())).await?;
        loop {
            let command = match self.wire.line(LONGEST_LINE).await? {
                Line::End => return Ok(()),
                Line::TooLong => Err("500 5.5.2 Line too long"),
                Line::Whole(line, _) => Command::parse(&line),
            };
            let next = match command {
                Ok(command) => self.answer(command).await?,
                Err(refusal) => self.refuse(refusal).await?,
            };
            if matches!(next, Next::End) {
                return Ok(());
            }
        }
    }

    /// Queues a reply, and sends what is queued unless the client has already sent more.
    async fn reply(&mut self, text: &str) -> io::Result<Next> {
        self.pending.push_str(text);
        self.pending.push_str("\r\n");
        if !self.wire.has_more() || self.pending.len() > LONGEST_LINE {
            self.flush().await?;
        }
        Ok(Next::Go)
    }

    async fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.pending);
        self.wire.send(text.as_bytes()).await
    }

    async fn refuse(&mut self, text: &str) -> io::Result<Next> {
        self.mistakes += 1;
        if self.mistakes < MOST_MISTAKES {
            return self.reply(text).await;
        }
        self.end("421 4.7.0 Too many mistakes").await
    }

    async fn end(&mut self, text: &str) -> io::Result<Next> {
        self.reply(text).await?;
        self.flush().await?;
        Ok(Next::End)
    }

    async fn answer(&mut self, command: Command) -> io::Result<Next> {
        match command {
            Command::Ehlo(name) => self.hello(name, true).await,
            Command::Helo(name) => self.hello(name, false).await,
            Command::Noop => self.reply("250 2.0.0 Ok").await,
            Command::Rset => {
                self.forget();
                self.reply("250 2.0.0 Ok").await
            }
            Command::Quit => self.end("221 2.0.0 Bye").await,
            Command::Unhelpful => self.reply("252 2.0.0 Send the message and see").await,
            Command::StartTls => self.start_tls().await,
            _ if self.client.name.is_empty() => self.refuse("503 5.5.1 Say EHLO first").await,
            Command::Auth(mechanism, initial) => self.authenticate(&mechanism, initial).await,
            Command::Mail(_) if self.door.is_submission() && self.client.tls.is_none() => {
                self.refuse("530 5.7.0 Must issue STARTTLS first").await
            }
            Command::Mail(_) if self.door.is_submission() && !self.client.authenticated => {
                self.refuse("530 5.7.0 Authentication required").await
            }
            Command::Mail(_) if self.sender.is_some() => self.refuse("503 5.5.1 Sender already given").await,
            Command::Mail(sender) => self.mail(sender).await,
            Command::Rcpt(_) if self.sender.is_none() => self.refuse("503 5.5.1 Need MAIL first").await,
            Command::Rcpt(to) => self.rcpt(to).await,
            Command::Data if self.recipients.is_empty() => self.refuse("503 5.5.1 Need RCPT first").await,
            Command::Data => self.data().await,
        }
    }

    fn forget(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }

    async fn hello(&mut self, name: String, extended: bool) -> io::Result<Next> {
        self.forget();
        self.client.name = name;
        self.client.extended = extended;
        self.client.tls = self.wire.tls();
        let host = self.door.host();
        if !extended {
            return self.reply(&format!("250 {host}")).await;
        }
        let size = format!("SIZE {}", self.office.message_bytes);
        let mut lines = vec![host, "PIPELINING", &size, "8BITMIME", "SMTPUTF8", "DSN"];
        if self.client.tls.is_none() {
            lines.push("STARTTLS");
        } else if self.door.is_submission() {
            lines.push("AUTH PLAIN LOGIN XOAUTH2");
        }
        let text = format!("250-{}\r\n250 ENHANCEDSTATUSCODES", lines.join("\r\n250-"));
        self.reply(&text).await
    }

    async fn start_tls(&mut self) -> io::Result<Next> {
        if self.wire.tls().is_some() {
            return self.refuse("503 5.5.1 TLS already active").await;
        }
        self.reply("220 2.0.0 Ready to start TLS").await?;
        self.flush().await?;
        self.wire.start_tls(&self.office.acceptor).await?;
        // All that was said in the clear is forgotten (RFC 3207, section 4.2).
        self.forget();
        self.client = Client {
            address: self.client.address,
            ..Client::default()
        };
        Ok(Next::Go)
    }

    async fn authenticate(&mut self, mechanism: &str, initial: Option<String>) -> io::Result<Next> {
        if !self.door.is_submission() {
            return self.refuse("503 5.5.1 No authentication here").await;
        }
        if self.client.tls.is_none() {
            return self.refuse("538 5.7.11 Encryption required").await;
        }
        if self.client.authenticated || self.sender.is_some() {
            return self.refuse("503 5.5.1 Not now").await;
        }
        let (directory, secrets) = (&self.office.directory, &self.office.secrets);
        let login = match mechanism {
            "PLAIN" => self
                .challenge(initial, "")
                .await?
                .map(|answer| secrets.check_plain(directory, &answer)),
            "LOGIN" => match self.challenge(initial, "Username:").await? {
                Some(name) => self.challenge(None, "Password:").await?.map(|password| {
                    let text = |octets| String::from_utf8(octets).unwrap_or_default();
                    secrets.check(directory, &text(name), &text(password))
                }),
                None => None,
            },
            "XOAUTH2" => match self
                .challenge(initial, "")
                .await?
                .map(|answer| secrets.check_xoauth2(directory, self.office.tenant.get(), Protocol::Smtp, &answer))
            {
                Some(Login::Refused) => self.challenge(None, TOKEN_REFUSED).await?.map(|_| Login::Refused),
                other => other,
            },
            _ => return self.refuse("504 5.5.4 Mechanism unknown").await,
        };
        match login {
            Some(Login::Welcome(_)) => {
                self.client.authenticated = true;
                self.reply("235 2.7.0 Authentication successful").await
            }
            Some(Login::Refused) => self.refuse("535 5.7.8 Authentication credentials invalid").await,
            Some(Login::RefusedByTenant | Login::NotConnected) => {
                self.refuse("535 5.7.3 Authentication unsuccessful [smtp.sender.example]").await
            }
            Some(Login::SwitchedOff) => {
                let text = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. \
                            Visit https://aka.ms/smtp_auth_disabled for more information. [smtp.sender.example]";
                self.refuse(text).await
            }
            None => self.refuse("501 5.5.2 Authentication cancelled").await,
        }
    }

    /// The client's answer to a challenge, or its initial response; `None` if it gave up or sent no base64.
    async fn challenge(&mut self, initial: Option<String>, challenge: &str) -> io::Result<Option<Vec<u8>>> {
        let answer = if let Some(initial) = initial {
            initial
        } else {
            self.reply(&format!("334 {}", BASE64.encode(challenge.as_bytes()))).await?;
            self.flush().await?;
            match self.wire.line(LONGEST_LINE).await? {
                Line::Whole(line, _) => String::from_utf8(line).unwrap_or_default(),
                Line::TooLong => "*".to_owned(),
                Line::End => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        };
        Ok(secrets::decode(&answer))
    }

    async fn mail(&mut self, sender: Sender) -> io::Result<Next> {
        if sender.size.is_some_and(|size| size > self.office.message_bytes as u64) {
            return self.refuse("552 5.3.4 Message too big").await;
        }
        self.sender = Some(sender);
        self.reply("250 2.1.0 Ok").await
    }

    async fn rcpt(&mut self, to: To) -> io::Result<Next> {
        let sender = self.sender.as_ref().map(|s| s.address.clone()).unwrap_or_default();
        if self.recipients.len() >= MOST_RECIPIENTS {
            return self.reply("452 4.5.3 Too many recipients").await;
        }
        let address = &to.address;
        if self.office.refuses_mail(address) {
            return self.reply(&format!("550 5.1.1 <{address}>: {}", meaning("5.1.1"))).await;
        }
        let destination = match self.office.directory.find(address) {
            Ok(destination) => destination,
            Err(NoDestination::NotOurs) => return self.reply(&format!("554 5.7.1 <{address}>: Relay access denied")).await,
            Err(NoDestination::Unknown) => return self.reply(&format!("550 5.1.1 <{address}>: {}", meaning("5.1.1"))).await,
        };
        match &destination.fate {
            Fate::Reject(refusal) => {
                let text = format!("{} {} <{address}>: {}", refusal.code, refusal.status, meaning(&refusal.status));
                return self.reply(&text).await;
            }
            Fate::InsidersOnly
                if sender
                    .rsplit_once('@')
                    .is_none_or(|(_, d)| !d.eq_ignore_ascii_case(&destination.domain)) =>
            {
                return self
                    .reply(&format!(
                        "550 5.7.1 <{address}>: Only senders inside the organisation may write here"
                    ))
                    .await;
            }
            Fate::Greylisted if !self.door.is_submission() && self.office.greylists(self.door, &sender, address) => {
                let code = if self.door == Door::GatewayA { 450 } else { 451 };
                return self
                    .reply(&format!("{code} 4.7.1 <{address}>: Greylisted, please try again later"))
                    .await;
            }
            _ => {}
        }
        self.recipients.push(Recipient {
            address: to.address,
            notify: to.notify,
            original: to.original,
            destination,
        });
        self.reply("250 2.1.5 Ok").await
    }

    async fn data(&mut self) -> io::Result<Next> {
        self.reply("354 End data with <CR><LF>.<CR><LF>").await?;
        self.flush().await?;
        let (text, mut room) = match self.text().await? {
            Ok(received) => received,
            Err(refusal) => {
                self.forget();
                return self.refuse(refusal).await;
            }
        };
        let gtube = is_gtube(&text);
        if self.door == Door::GatewayA && gtube {
            self.forget();
            return self.reply("554 5.7.1 This message scored 1000 spam points (GTUBE)").await;
        }
        let malware = is_malware(&text);
        if self.door == Door::GatewayA && malware {
            self.forget();
            return self.reply("554 5.7.1 This message carries malware (Eicar-Test-Signature)").await;
        }
        // Each pending delivery may hold a copy for a while.
        match self.office.room(text.len().saturating_mul(self.recipients.len())) {
            Some(more) if self.office.store.has_room(text.len()) => room.merge(more),
            _ => {
                self.forget();
                return self.reply(FULL).await;
            }
        }
        let queue_id = self.office.queue_id();
        let sender = self.sender.take().unwrap_or_default();
        let letter = Arc::new(Letter {
            door: self.door,
            client: self.client.clone(),
            sender: sender.address,
            full: sender.full,
            envelope_id: sender.envelope_id,
            data: text,
            gtube,
            malware,
            _room: room,
            queue_id: queue_id.clone(),
            arrived: (self.office.clock)(),
        });
        for recipient in self.recipients.drain(..) {
            self.office.deliver(&letter, recipient);
        }
        self.reply(&format!("250 2.0.0 Ok: queued as {queue_id}")).await
    }

    /// The message up to the final dot, with the transparency undone (RFC 5321, section 4.5.2), or the reply that refuses it.
    ///
    /// Only CR LF `.` CR LF ends it, and a bare LF refuses it, so that nothing can be smuggled behind another server's back.
    async fn text(&mut self) -> io::Result<Result<(Vec<u8>, OwnedSemaphorePermit), &'static str>> {
        let most = self.office.message_bytes;
        let (mut text, mut came) = (Vec::new(), 0_usize);
        let (mut room, mut fits) = (self.office.room(0), 0);
        let mut refusal = None;
        let mut after_crlf = true;
        loop {
            let (line, crlf) = match self.wire.line(LONGEST_TEXT_LINE).await? {
                Line::End => return Err(io::ErrorKind::UnexpectedEof.into()),
                Line::TooLong => {
                    refusal = Some("554 5.6.0 Line too long");
                    (vec![b' '; LONGEST_TEXT_LINE], true)
                }
                Line::Whole(line, crlf) => (line, crlf),
            };
            if line == b"." && crlf && after_crlf {
                return Ok(refusal.map_or_else(|| room.map(|room| (text, room)).ok_or(FULL), Err));
            }
            after_crlf = crlf;
            came += line.len() + 2;
            if !crlf || line.contains(&0) {
                refusal = Some("550 5.6.0 Bare line feed or NUL in the message");
            }
            if came > most {
                refusal = Some("552 5.3.4 Message too big");
            }
            if came > most.saturating_mul(8) {
                // A peer that never stops is cut off.
                return Err(io::ErrorKind::InvalidData.into());
            }
            if came > fits && refusal.is_none() {
                match (&mut room, self.office.room(LONGEST_TEXT_LINE)) {
                    (Some(room), Some(more)) => room.merge(more),
                    _ => refusal = Some(FULL),
                }
                fits += LONGEST_TEXT_LINE;
            }
            if refusal.is_none() {
                text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                text.extend_from_slice(b"\r\n");
            }
        }
    }
}
