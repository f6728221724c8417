//! One connection to an IMAP server: a command goes out, its answers come in, each stamped with our clock.
//!
//! async-imap frames and parses; the commands are our own, because its typed ones hide when an answer was read and what the server said
//! besides. It cannot see what a server does not say: a mailbox counts as unchanged when a `NOOP` shows no change (RFC 3501 section 6.1.2).

use super::{
    fault::{Fault, shown},
    guard::Guard,
};
use crate::{
    clock::Clock,
    model::{Time, Tls},
    scrub::Scrubber,
};
use ::imap::imap_proto::{MailboxDatum, Response, ResponseCode, Status};
use std::{
    collections::{BTreeSet, HashSet},
    io,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{timeout, timeout_at},
};

/// The literals of answers that hold no messages: names, headers one by one.
pub(super) const SMALL: usize = 1 << 20;
/// The literals of answers that hold a message.
pub(super) const LARGE: usize = 27 << 20;

/// A stream of bytes: plain, or TLS.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// An open connection.
pub(super) struct Connection {
    client: ::imap::Client<Guard<Box<dyn Transport>>>,
    clock: Clock,
    patience: Duration,
    tag: u32,
    idling: Option<String>,
    /// Whether the server had signed us in before we asked.
    pub(super) preauthenticated: bool,
    /// Never to be shown, in whatever words of the server they turn up.
    pub(super) scrubber: Scrubber,
    /// What the server says that it can do, in upper case.
    pub(super) capabilities: BTreeSet<String>,
    /// What was negotiated.
    pub(super) tls: Option<Tls>,
    /// The folder that is open, and what the server has said of it.
    pub(super) selected: Option<Selected>,
}

/// The folder that is open on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    /// Its name on the wire.
    pub(super) wire: String,
    pub(super) uid_validity: Option<u32>,
    /// As it was when the folder was opened.
    pub(super) uid_next: Option<u32>,
    /// How many messages it holds.
    pub(super) exists: u32,
    /// How many messages were shown, and when, each time that it was more than before, since this was last taken.
    pub(super) grown: Vec<(u32, Time)>,
    /// When a message was shown to be gone, since this was last taken.
    pub(super) shrunk: Option<Time>,
}

impl Selected {
    /// Notes a growth, each at its own time: what came later was not there when the first was shown. A flood of them blurs at its end.
    fn grow(&mut self, exists: u32, read: Time) {
        const MOST: usize = 1024;
        if self.grown.len() == MOST {
            self.grown.pop();
        }
        self.grown.push((exists, read));
    }

    /// What is gone moves the numbers of all behind it down by so many.
    fn lessen_grown(&mut self, gone: u32) {
        for (exists, _) in &mut self.grown {
            *exists = exists.saturating_sub(gone);
        }
    }
}

/// When a command that succeeded was sent, and when its last answer was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spell {
    pub(super) sent: Time,
    pub(super) read: Time,
}

/// The end of a command.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) spell: Spell,
    /// `Err`: refused, with the server's words.
    pub(super) result: Result<(), String>,
    /// The capabilities that came with it.
    pub(super) capabilities: Option<BTreeSet<String>>,
    /// Whether the connection is to go on with a continuation (`+`), with its text.
    pub(super) asked: Option<String>,
}

impl Outcome {
    /// The command as one that must have succeeded.
    fn ended(self) -> Result<Spell, Fault> {
        if self.asked.is_some() {
            return Err(Fault::Lost("the server asks for more where nothing is to come".to_owned()));
        }
        self.result.map(|()| self.spell).map_err(Fault::Refused)
    }
}

impl Connection {
    /// Takes over a stream. Nothing has been read from it yet, except with TLS after STARTTLS.
    pub(super) fn new(stream: Box<dyn Transport>, clock: Clock, patience: Duration) -> Self {
        Self {
            client: ::imap::Client::new(Guard::new(stream, SMALL)),
            clock,
            patience,
            tag: 0,
            idling: None,
            preauthenticated: false,
            scrubber: Scrubber::default(),
            capabilities: BTreeSet::new(),
            tls: None,
            selected: None,
        }
    }

    /// The stream, for TLS to be laid over it.
    pub(super) fn into_stream(self) -> Box<dyn Transport> {
        self.client.into_inner().into_inner()
    }

    /// Whether the server can do `what`.
    pub(super) fn can(&self, what: &str) -> bool {
        self.capabilities.contains(what)
    }

    /// How long a command may take.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// The server's words, fit to be shown.
    pub(super) fn shown(&self, words: &str) -> String {
        shown(words, &self.scrubber)
    }

    /// Reads the greeting (RFC 3501 section 7.1). Returns whether we are signed in already (`PREAUTH`).
    pub(super) async fn greeting(&mut self) -> Result<bool, Fault> {
        let read = timeout(self.patience, self.client.read_response()).await;
        let greeting = read.map_err(|_| Fault::Lost("the server sent no greeting".to_owned()))?;
        let greeting = greeting.map_err(|error| failed(&error))?.ok_or_else(closed)?;
        let Response::Data { status, outcome } = greeting.parsed() else {
            return Err(Fault::Lost("the server does not greet as an IMAP server does".to_owned()));
        };
        let words = shown(outcome.information.as_deref().unwrap_or_default(), &self.scrubber);
        if let Some(ResponseCode::Capabilities(capabilities)) = &outcome.code {
            self.capabilities = capabilities.iter().map(word_of).collect();
        }
        match status {
            Status::Ok => Ok(false),
            Status::PreAuth => Ok(true),
            _ => Err(Fault::Lost(format!("the server turned us away: {words}"))),
        }
    }

    /// Sends a command and reads its answers; each goes to `each` with the time at which it was read.
    ///
    /// # Errors
    /// [`Fault::Refused`] with the server's words, or [`Fault::Lost`].
    pub(super) async fn command(&mut self, line: &str, each: &mut (dyn FnMut(&Response<'_>, Time) + Send)) -> Result<Spell, Fault> {
        self.dialogue(line, self.patience, each).await?.ended()
    }

    /// Sends many commands in one write and reads until all have ended, in whatever order the server ends them; none may depend on another
    /// (RFC 3501 section 5.5). A refusal shows in that nothing was said.
    ///
    /// # Errors
    /// [`Fault::Lost`].
    pub(super) async fn commands(&mut self, lines: &[String], each: &mut (dyn FnMut(&Response<'_>, Time) + Send)) -> Result<Spell, Fault> {
        let mut running = HashSet::with_capacity(lines.len());
        let mut text = String::new();
        for line in lines {
            self.tag = self.tag.wrapping_add(1);
            let tag = format!("m{}", self.tag);
            text.extend([tag.as_str(), " ", line, "\r\n"]);
            running.insert(tag);
        }
        let sent = self.clock.now();
        let mut spell = Spell { sent, read: sent };
        let patience = self.patience;
        let exchange = async {
            self.send(&text).await?;
            while !running.is_empty() {
                let response = self
                    .client
                    .read_response()
                    .await
                    .map_err(|error| failed(&error))?
                    .ok_or_else(closed)?;
                spell.read = self.clock.now();
                match response.parsed() {
                    Response::Done { tag, .. } if running.remove(&tag.0) => {}
                    Response::Done { .. } => return Err(unasked()),
                    Response::Continue(_) => return Err(Fault::Lost("the server asks for more where nothing is to come".to_owned())),
                    other => {
                        self.note(other, spell.read)?;
                        each(other, spell.read);
                    }
                }
            }
            Ok(())
        };
        timeout(patience, exchange)
            .await
            .unwrap_or_else(|_| Err(Fault::Lost(format!("the server did not answer within {} s", patience.as_secs()))))?;
        Ok(spell)
    }

    /// As [`Connection::command`], for answers that hold messages.
    pub(super) async fn bulk(
        &mut self,
        line: &str,
        patience: Duration,
        each: &mut (dyn FnMut(&Response<'_>, Time) + Send),
    ) -> Result<Spell, Fault> {
        self.client.get_mut().allow(LARGE);
        let outcome = self.dialogue(line, patience, each).await;
        self.client.get_mut().allow(SMALL);
        outcome?.ended()
    }

    /// Sends a command and reads until it has ended, or until the server asks for more (`+`).
    pub(super) async fn dialogue(
        &mut self,
        line: &str,
        patience: Duration,
        each: &mut (dyn FnMut(&Response<'_>, Time) + Send),
    ) -> Result<Outcome, Fault> {
        self.tag = self.tag.wrapping_add(1);
        let tag = format!("m{}", self.tag);
        let sent = self.clock.now();
        let until = tokio::time::Instant::now() + patience;
        let exchange = async {
            self.send(&format!("{tag} {line}\r\n")).await?;
            self.read_until(&tag, sent, each).await
        };
        match timeout_at(until, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Fault::Lost(format!(
                "the server did not answer {} within {} s",
                line.split(' ').next().unwrap_or_default(),
                patience.as_secs()
            ))),
        }
    }

    /// Answers a continuation of the command sent last, and reads on.
    pub(super) async fn go_on(&mut self, line: &str, sent: Time) -> Result<Outcome, Fault> {
        let tag = format!("m{}", self.tag);
        let until = tokio::time::Instant::now() + self.patience;
        let exchange = async {
            self.send(&format!("{line}\r\n")).await?;
            self.read_until(&tag, sent, &mut |_, _| {}).await
        };
        timeout_at(until, exchange)
            .await
            .unwrap_or_else(|_| Err(Fault::Lost("the server did not finish the login".to_owned())))
    }

    async fn send(&mut self, text: &str) -> Result<(), Fault> {
        let stream = self.client.get_mut();
        let sent = async {
            stream.write_all(text.as_bytes()).await?;
            stream.flush().await
        };
        sent.await.map_err(|error| failed(&error))
    }

    async fn read_until(&mut self, tag: &str, sent: Time, each: &mut (dyn FnMut(&Response<'_>, Time) + Send)) -> Result<Outcome, Fault> {
        loop {
            let response = self
                .client
                .read_response()
                .await
                .map_err(|error| failed(&error))?
                .ok_or_else(closed)?;
            let read = self.clock.now();
            let spell = Spell { sent, read };
            match response.parsed() {
                Response::Done { tag: of, status, outcome } if of.0 == tag => {
                    let words = shown(outcome.information.as_deref().unwrap_or_default(), &self.scrubber);
                    let capabilities = match &outcome.code {
                        Some(ResponseCode::Capabilities(capabilities)) => Some(capabilities.iter().map(word_of).collect()),
                        _ => None,
                    };
                    let result = if *status == Status::Ok { Ok(()) } else { Err(words) };
                    return Ok(Outcome {
                        spell,
                        result,
                        capabilities,
                        asked: None,
                    });
                }
                Response::Done { .. } => return Err(unasked()),
                Response::Continue(outcome) => {
                    let asked = outcome.information.as_deref().unwrap_or_default().to_owned();
                    return Ok(Outcome {
                        spell,
                        result: Ok(()),
                        capabilities: None,
                        asked: Some(asked),
                    });
                }
                other => {
                    self.note(other, read)?;
                    each(other, read);
                }
            }
        }
    }

    /// Keeps what the server says of the open folder.
    fn note(&mut self, response: &Response<'_>, read: Time) -> Result<(), Fault> {
        if let Response::Data {
            status: Status::Bye,
            outcome,
        } = response
        {
            let words = shown(outcome.information.as_deref().unwrap_or_default(), &self.scrubber);
            return Err(Fault::Lost(format!("the server ended the connection: {words}")));
        }
        let Some(selected) = self.selected.as_mut() else {
            return Ok(());
        };
        match response {
            Response::Data { outcome, .. } => {
                if let Some(ResponseCode::UidValidity(now)) = outcome.code
                    && selected.uid_validity.is_some_and(|before| before != now)
                {
                    // What was read of this folder is void; opened anew, it will be searched.
                    return Err(Fault::Lost("the server has renumbered the open folder".to_owned()));
                }
            }
            Response::MailboxData(MailboxDatum::Exists(exists)) => {
                if *exists > selected.exists {
                    selected.grow(*exists, read);
                }
                if *exists < selected.exists {
                    selected.shrunk.get_or_insert(read);
                }
                selected.exists = *exists;
            }
            Response::Expunge(_) => {
                selected.exists = selected.exists.saturating_sub(1);
                selected.lessen_grown(1);
                selected.shrunk.get_or_insert(read);
            }
            Response::Vanished { earlier: false, uids } => {
                let gone = uids.iter().fold(0_u32, |sum, range| {
                    sum.saturating_add(range.end().saturating_sub(*range.start()).saturating_add(1))
                });
                selected.exists = selected.exists.saturating_sub(gone);
                selected.lessen_grown(gone);
                selected.shrunk.get_or_insert(read);
            }
            _ => {}
        }
        Ok(())
    }

    /// Begins to idle (RFC 2177). `false`: the server will not.
    pub(super) async fn idle(&mut self) -> Result<bool, Fault> {
        let outcome = self.dialogue("IDLE", self.patience, &mut |_, _| {}).await?;
        let idling = outcome.asked.is_some();
        if idling {
            self.idling = Some(format!("m{}", self.tag));
        } else {
            // Refused, or ended at once: not to be tried again on this connection.
            self.capabilities.remove("IDLE");
        }
        Ok(idling)
    }

    /// While idling, waits until the server shows a change of the open folder. May be dropped and called again.
    pub(super) async fn changed(&mut self) -> Result<(), Fault> {
        while !self.has_news() {
            let response = self
                .client
                .read_response()
                .await
                .map_err(|error| failed(&error))?
                .ok_or_else(closed)?;
            let read = self.clock.now();
            if let Response::Done { tag, .. } = response.parsed() {
                if Some(&tag.0) != self.idling.as_ref() {
                    return Err(unasked());
                }
                // The server has had enough of idling: the next look will say what it knows.
                self.idling = None;
                return Ok(());
            }
            self.note(response.parsed(), read)?;
        }
        Ok(())
    }

    /// Ends idling.
    pub(super) async fn done(&mut self) -> Result<(), Fault> {
        let Some(tag) = self.idling.take() else {
            return Ok(());
        };
        let sent = self.clock.now();
        let until = tokio::time::Instant::now() + self.patience;
        let exchange = async {
            self.send("DONE\r\n").await?;
            self.read_until(&tag, sent, &mut |_, _| {}).await?.ended().map(drop)
        };
        timeout_at(until, exchange)
            .await
            .unwrap_or_else(|_| Err(Fault::Lost("the server does not end IDLE".to_owned())))
    }

    /// Whether the open folder was shown to have grown or shrunk.
    pub(super) fn has_news(&self) -> bool {
        self.selected
            .as_ref()
            .is_some_and(|selected| !selected.grown.is_empty() || selected.shrunk.is_some())
    }

    /// Says goodbye, for a second at most.
    pub(super) async fn leave(mut self) {
        let farewell = async {
            self.done().await?;
            self.dialogue("LOGOUT", Duration::from_secs(1), &mut |_, _| {}).await.map(drop)
        };
        // Whatever comes of it, the connection ends here.
        let _ = timeout(Duration::from_secs(1), farewell).await;
    }
}

/// A capability as text, in upper case.
pub(super) fn word_of(capability: &::imap::imap_proto::Capability<'_>) -> String {
    use ::imap::imap_proto::Capability;
    match capability {
        Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
        Capability::Auth(mechanism) => format!("AUTH={}", mechanism.to_ascii_uppercase()),
        Capability::Atom(word) => word.to_ascii_uppercase(),
    }
}

/// Who answers ahead might have its answer taken for that of a later command.
fn unasked() -> Fault {
    Fault::Lost("the server answers a command that was not sent".to_owned())
}

fn closed() -> Fault {
    Fault::Lost("the server closed the connection".to_owned())
}

/// What a failed read or write means. The parser's own errors quote what it read, which may be a stranger's message: that is not shown.
fn failed(error: &io::Error) -> Fault {
    Fault::Lost(match error.kind() {
        io::ErrorKind::Other => "the server sent what is no IMAP".to_owned(),
        io::ErrorKind::UnexpectedEof => "the server closed the connection in the middle of an answer".to_owned(),
        _ => shown(&error.to_string(), &Scrubber::default()),
    })
}
