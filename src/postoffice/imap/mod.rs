//! The IMAP server: `IMAP4rev1` (RFC 3501) with IDLE, MOVE, UIDPLUS, UNSELECT, NAMESPACE, ID, SPECIAL-USE, LIST-EXTENDED and LIST-STATUS.
//!
//! This file is the session: greeting, TLS, login, IDLE, and one answer to each command; `commands` does the rest.
//! Cannot see how mail gets into the mailboxes.

mod commands;
mod fetch;
mod framing;
mod list;
mod search;
mod selected;
mod sets;
mod utf7;

use std::io;
use std::sync::{Arc, OnceLock};

use data_encoding::BASE64;
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::imap_types::auth::AuthMechanism;
use imap_codec::imap_types::command::{Command, CommandBody};
use imap_codec::imap_types::core::Tag;
use imap_codec::imap_types::response::{Code, CodeOther, Data, Response, Status, StatusKind};
use imap_codec::{CommandCodec, ResponseCodec};
use tokio::sync::{broadcast, watch};

use self::framing::{Framer, Incoming};
use self::list::Request;
use self::selected::Selected;
use super::fate::Fate;
use super::office::Office;
use super::secrets::{self, Login, TOKEN_REFUSED};
use super::tenant::Protocol;
use super::wire::Wire;

/// So much output is collected before it is sent.
const OUTPUT: usize = 256 * 1024;
/// So many mistakes end a session.
const MOST_MISTAKES: u32 = 20;

/// Speaks IMAP on a connection until it ends or is cut.
///
/// # Errors
/// When the connection breaks.
pub async fn serve(office: &Arc<Office>, wire: Wire) -> io::Result<()> {
    let login = OnceLock::new();
    let cuts = office.cuts();
    let mut session = Session {
        office,
        wire,
        framer: Framer::new(),
        login: &login,
        changes: None,
        selected: None,
        out: Vec::new(),
        mistakes: 0,
        unconnected: false,
    };
    tokio::select! {
        ended = session.run() => ended?,
        () = cut(cuts, &login) => return Ok(()),
    }
    session.wire.close().await;
    Ok(())
}

/// Waits until this session is to be cut.
async fn cut(mut cuts: broadcast::Receiver<Option<String>>, login: &OnceLock<String>) {
    while let Ok(Some(mailbox)) = cuts.recv().await {
        if login.get() == Some(&mailbox) {
            return;
        }
    }
}

struct Session<'a> {
    office: &'a Arc<Office>,
    wire: Wire,
    framer: Framer,
    /// The mailbox that is open.
    login: &'a OnceLock<String>,
    changes: Option<watch::Receiver<u64>>,
    selected: Option<Selected>,
    out: Vec<u8>,
    mistakes: u32,
    /// Whether somebody is signed in whose mailbox does not open.
    unconnected: bool,
}

/// The end of a command.
struct Done {
    kind: StatusKind,
    code: Option<Code<'static>>,
    text: &'static str,
    /// Whether the client may now hear of messages that are gone (RFC 3501, section 7.4.1).
    expunges: bool,
    /// Whether the session ends.
    ends: bool,
}

impl Done {
    fn new(kind: StatusKind, text: &'static str) -> Self {
        Self {
            kind,
            code: None,
            text,
            expunges: true,
            ends: false,
        }
    }

    fn ok(text: &'static str) -> Self {
        Self::new(StatusKind::Ok, text)
    }

    fn no(text: &'static str) -> Self {
        Self::new(StatusKind::No, text)
    }

    fn bad(text: &'static str) -> Self {
        Self::new(StatusKind::Bad, text)
    }

    fn code(self, code: Code<'static>) -> Self {
        Self { code: Some(code), ..self }
    }

    fn word(self, code: &'static str) -> Self {
        self.code(Code::Other(CodeOther::unvalidated(code.as_bytes())))
    }

    fn keeping_numbers(self, keeping: bool) -> Self {
        Self {
            expunges: !keeping,
            ..self
        }
    }
}

impl Session<'_> {
    async fn run(&mut self) -> io::Result<()> {
        self.out
            .extend_from_slice(format!("* OK [CAPABILITY {}] Post office ready\r\n", self.capabilities()).as_bytes());
        loop {
            if !self.wire.has_more() || self.out.len() > OUTPUT {
                self.flush().await?;
            }
            match self.framer.next(&mut self.wire).await? {
                Incoming::Command(octets) => {
                    if self.command(&octets).await? {
                        return self.flush().await;
                    }
                }
                Incoming::TooBig(tag) => self.finish(tag.as_ref(), Done::no("The literal is too big").word("TOOBIG")),
                Incoming::End => return Ok(()),
            }
            if self.mistakes >= MOST_MISTAKES {
                self.out.extend_from_slice(b"* BYE Too many mistakes\r\n");
                return self.flush().await;
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let out = std::mem::take(&mut self.out);
        if out.is_empty() { Ok(()) } else { self.wire.send(&out).await }
    }

    fn capabilities(&self) -> &'static str {
        match (self.wire.tls().is_some(), self.login.get().is_some()) {
            (false, _) => "IMAP4rev1 LITERAL+ SASL-IR ID STARTTLS LOGINDISABLED",
            (true, false) => "IMAP4rev1 LITERAL+ SASL-IR ID AUTH=PLAIN AUTH=XOAUTH2",
            (true, true) => {
                "IMAP4rev1 LITERAL+ SASL-IR ID IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE LIST-EXTENDED LIST-STATUS"
            }
        }
    }

    fn put(&mut self, data: Data<'_>) {
        let encoded = ResponseCodec::default().encode(&Response::Data(data)).dump();
        self.out.extend_from_slice(&encoded);
    }

    /// The tagged answer; without a tag (the command had none) an untagged one.
    fn finish(&mut self, tag: Option<&Tag<'_>>, done: Done) {
        if done.kind == StatusKind::Bad {
            self.mistakes += 1;
        }
        if let Ok(status) = Status::new(tag.cloned(), done.kind, done.code, done.text) {
            self.out
                .extend_from_slice(&ResponseCodec::default().encode(&Response::Status(status)).dump());
        }
    }

    /// Answers one command; says whether the session ends.
    async fn command(&mut self, octets: &[u8]) -> io::Result<bool> {
        let decoded = CommandCodec::default().decode(octets);
        let (tag, done) = match decoded {
            Ok((
                [],
                Command {
                    tag,
                    body: CommandBody::StartTLS,
                },
            )) if self.wire.tls().is_none() => {
                self.start_tls(&tag).await?;
                return Ok(false);
            }
            Ok(([], Command { tag, body })) => {
                let done = self.execute(body).await?;
                (Some(tag), done)
            }
            _ => match Request::extended(octets) {
                Some((tag, request)) if self.login.get().is_some() => (Tag::try_from(tag).ok(), self.list(&request, false)),
                _ => (first_word(octets), Done::bad("Command not understood or not offered here")),
            },
        };
        let ends = done.ends || !self.tell_news(done.expunges);
        self.finish(tag.as_ref(), done);
        Ok(ends)
    }

    /// Tells what is new in the selected folder; `false` (after a BYE) if it is not the same folder any more.
    fn tell_news(&mut self, expunges: bool) -> bool {
        let (Some(selected), Some(login)) = (self.selected.as_mut(), self.login.get()) else {
            return true;
        };
        let Ok(Ok(news)) = self.office.store.read(login, |mailbox| selected.news(mailbox, expunges)) else {
            self.selected = None;
            self.out
                .extend_from_slice(b"* BYE The selected folder is not the same any more\r\n");
            return false;
        };
        for data in news {
            self.put(data);
        }
        true
    }

    async fn execute(&mut self, body: CommandBody<'_>) -> io::Result<Done> {
        Ok(match body {
            CommandBody::Capability => {
                let capabilities = self.capabilities();
                self.out.extend_from_slice(format!("* CAPABILITY {capabilities}\r\n").as_bytes());
                Done::ok("That is what I can do")
            }
            CommandBody::Noop => Done::ok("Nothing done"),
            CommandBody::Id { .. } => {
                self.out.extend_from_slice(b"* ID (\"name\" \"mailflow post office\")\r\n");
                Done::ok("Pleased to meet you")
            }
            CommandBody::Logout => {
                self.out.extend_from_slice(b"* BYE Until next time\r\n");
                self.selected = None;
                Done {
                    ends: true,
                    ..Done::ok("Logged out")
                }
            }
            CommandBody::StartTLS => Done::bad("TLS is already active"),
            _ if self.unconnected => Done::bad("User is authenticated but not connected."),
            _ if self.wire.tls().is_none() => Done::no("Not without TLS").word("PRIVACYREQUIRED"),
            CommandBody::Login { .. } | CommandBody::Authenticate { .. } if self.login.get().is_some() => Done::bad("Already logged in"),
            CommandBody::Login { username, password } => {
                let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
                let (name, password) = (text(username.as_ref()), text(password.declassify().as_ref()));
                let login = self.office.secrets.check(&self.office.directory, &name, &password);
                self.welcome(login).await?
            }
            CommandBody::Authenticate {
                mechanism,
                initial_response,
            } => {
                let initial = initial_response.map(|secret| secret.declassify().to_vec());
                self.authenticate(&mechanism, initial).await?
            }
            _ if self.login.get().is_none() => Done::bad("Log in first"),
            CommandBody::Idle => self.idle().await?,
            body => self.mailbox_command(body).await?,
        })
    }

    /// Turns to TLS, its answer being the last thing said in the clear.
    async fn start_tls(&mut self, tag: &Tag<'_>) -> io::Result<()> {
        self.finish(Some(tag), Done::ok("Begin the handshake now"));
        self.flush().await?;
        self.wire.start_tls(&self.office.acceptor).await?;
        // What came in the clear behind the command is forgotten with the old framer (RFC 3501, section 6.2.1).
        self.framer = Framer::new();
        Ok(())
    }

    async fn authenticate(&mut self, mechanism: &AuthMechanism<'_>, initial: Option<Vec<u8>>) -> io::Result<Done> {
        let (directory, secrets) = (&self.office.directory, &self.office.secrets);
        let login = match mechanism {
            AuthMechanism::Plain => self
                .challenge(initial, "")
                .await?
                .map(|answer| secrets.check_plain(directory, &answer)),
            AuthMechanism::XOAuth2 => match self
                .challenge(initial, "")
                .await?
                .map(|answer| secrets.check_xoauth2(directory, self.office.tenant.get(), Protocol::Imap, &answer))
            {
                Some(Login::Refused) => self.challenge(None, TOKEN_REFUSED).await?.map(|_| Login::Refused),
                other => other,
            },
            _ => return Ok(Done::no("Mechanism not offered")),
        };
        match login {
            Some(login) => self.welcome(login).await,
            None => Ok(Done::bad("Authentication cancelled")),
        }
    }

    /// The client's answer to a challenge, or its initial response; `None` if it gave up or sent no base64.
    async fn challenge(&mut self, initial: Option<Vec<u8>>, challenge: &str) -> io::Result<Option<Vec<u8>>> {
        if let Some(initial) = initial {
            return Ok(Some(initial));
        }
        self.out
            .extend_from_slice(format!("+ {}\r\n", BASE64.encode(challenge.as_bytes())).as_bytes());
        self.flush().await?;
        match self.framer.next(&mut self.wire).await? {
            Incoming::Command(line) => Ok(std::str::from_utf8(&line).ok().and_then(|line| secrets::decode(line.trim_end()))),
            Incoming::TooBig(_) => Ok(None),
            Incoming::End => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Lets a login in, unless its mailbox is closed or fated otherwise.
    async fn welcome(&mut self, login: Login) -> io::Result<Done> {
        let mailbox = match login {
            Login::Welcome(mailbox) => mailbox,
            Login::NotConnected => {
                self.unconnected = true;
                return Ok(Done::ok("AUTHENTICATE completed."));
            }
            Login::RefusedByTenant | Login::SwitchedOff => {
                self.mistakes += 1;
                return Ok(Done::no("AUTHENTICATE failed."));
            }
            Login::Refused => {
                self.mistakes += 1;
                return Ok(Done::no("Wrong name or password").word("AUTHENTICATIONFAILED"));
            }
        };
        match self.office.directory.find(&mailbox).map(|destination| destination.fate) {
            Ok(Fate::RefusesLogin) => return Ok(Done::no("This mailbox may not be opened").word("AUTHORIZATIONFAILED")),
            Ok(Fate::HangsLogin) => loop {
                if self.wire.octets().await?.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            },
            _ if self.office.is_closed(&mailbox) => return Ok(Done::no("The mailbox cannot be opened for now").word("UNAVAILABLE")),
            _ => {}
        }
        let Ok(changes) = self.office.store.watch(&mailbox) else {
            return Ok(Done::no("Too many mailboxes").word("LIMIT"));
        };
        self.changes = Some(changes);
        self.framer.allow_literals(self.office.message_bytes);
        // Set once only: a second login is refused before.
        let _ = self.login.set(mailbox);
        Ok(Done::ok("Welcome"))
    }

    /// IDLE (RFC 2177): every change is told at once, until the client says DONE.
    async fn idle(&mut self) -> io::Result<Done> {
        let Some(mut changes) = self.changes.clone() else {
            return Ok(Done::bad("Log in first"));
        };
        self.out.extend_from_slice(b"+ idling\r\n");
        loop {
            changes.borrow_and_update();
            let same = self.tell_news(true);
            self.flush().await?;
            if !same {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            tokio::select! {
                incoming = self.framer.next(&mut self.wire) => {
                    return Ok(match incoming? {
                        Incoming::Command(line) if line.trim_ascii().eq_ignore_ascii_case(b"DONE") => Done::ok("Idle ended"),
                        Incoming::Command(_) | Incoming::TooBig(_) => Done::bad("Expected DONE"),
                        Incoming::End => return Err(io::ErrorKind::UnexpectedEof.into()),
                    });
                }
                // The sender lives in the mailbox, which outlives its sessions.
                _ = changes.changed() => {}
            }
        }
    }
}

fn first_word(octets: &[u8]) -> Option<Tag<'static>> {
    let word = octets.split(u8::is_ascii_whitespace).next()?;
    Tag::try_from(String::from_utf8(word.to_vec()).ok()?).ok()
}
