//! How an attempt ends before the message is taken: at which stage, by whose word, and what that means for the next one.

use super::{
    Answer, Trouble,
    reply::{RawReply, ours},
    wire::Broken,
};
use crate::model::{Attempt, Reply, Time, Tls};

/// What was going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Dns,
    Connect,
    Greeting,
    Ehlo,
    Starttls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Body,
}

impl Stage {
    /// The word that attempts are kept with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Ehlo => "ehlo",
            Self::Starttls => "starttls",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body => "body",
        }
    }
}

/// Whose failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The mail system answered.
    Answer,
    /// It could not be talked to.
    Trouble { hopeless: bool, in_doubt: bool },
}

/// The end of an attempt that did not hand the message over.
#[derive(Debug)]
pub(super) struct Failure {
    pub stage: Stage,
    pub kind: Kind,
    pub reply: Reply,
    /// The host as connected to, if it came so far.
    pub host: Option<String>,
    /// What had been negotiated by then.
    pub tls: Option<Tls>,
    /// Whether TLS failed on a connection that was open: one without it may work.
    pub without_tls: bool,
}

impl Failure {
    fn new(stage: Stage, kind: Kind, reply: Reply) -> Box<Self> {
        Box::new(Self {
            stage,
            kind,
            reply,
            host: None,
            tls: None,
            without_tls: false,
        })
    }

    /// The server refused. At STARTTLS and AUTH that concerns only us: its words, but our trouble. `421` is an answer everywhere: it ends any
    /// conversation.
    pub fn refused(stage: Stage, reply: &RawReply) -> Box<Self> {
        let kind = match stage {
            Stage::Starttls | Stage::Auth if reply.code != 421 => Kind::Trouble {
                hopeless: reply.code >= 500,
                in_doubt: false,
            },
            _ => Kind::Answer,
        };
        Self::new(stage, kind, reply.kept())
    }

    /// What the DNS, or the want of an extension, says for good: a refusal of our own.
    pub fn refused_by_us(stage: Stage, refusal: Reply) -> Box<Self> {
        Self::new(stage, Kind::Answer, refusal)
    }

    /// The server could not be talked to, this time.
    pub fn trouble(stage: Stage, text: impl AsRef<str>) -> Box<Self> {
        let kind = Kind::Trouble {
            hopeless: false,
            in_doubt: false,
        };
        Self::new(stage, kind, ours(text))
    }

    /// The server could not be talked to, and will not be.
    pub fn hopeless(stage: Stage, text: impl AsRef<str>) -> Box<Self> {
        let kind = Kind::Trouble {
            hopeless: true,
            in_doubt: false,
        };
        Self::new(stage, kind, ours(text))
    }

    /// No whole reply came.
    pub fn broken(stage: Stage, broken: &Broken) -> Box<Self> {
        Self::trouble(stage, broken.to_string())
    }

    /// The final dot had left, and no whole reply came.
    pub fn in_doubt(why: &str) -> Box<Self> {
        let kind = Kind::Trouble {
            hopeless: false,
            in_doubt: true,
        };
        Self::new(
            Stage::Body,
            kind,
            ours(format!("{why}, after the message and its final dot had been sent")),
        )
    }

    /// A reply that the protocol does not know at this stage.
    pub fn unexpected(stage: Stage, reply: &RawReply) -> Box<Self> {
        Self::trouble(stage, format!("the server's reply makes no sense here: {}", reply.kept()))
    }

    /// The attempt that ended so; `host` stands for the host if none was connected to.
    pub fn into_outcome(self, times: (Time, Time), host: &str, more_hosts: bool) -> Result<Answer, Trouble> {
        let (at, ended_at) = times;
        let in_doubt = matches!(self.kind, Kind::Trouble { in_doubt: true, .. });
        let attempt = Attempt {
            at,
            ended_at,
            host: self.host.unwrap_or_else(|| host.to_owned()),
            tls: self.tls,
            reply: self.reply,
            stage: self.stage.word().to_owned(),
            in_doubt,
        };
        match self.kind {
            Kind::Answer => Ok(Answer { attempt, more_hosts }),
            Kind::Trouble { hopeless, .. } => Err(Trouble {
                attempt,
                more_hosts: more_hosts && !in_doubt,
                hopeless,
            }),
        }
    }

    /// Whether the connection itself is at fault, so that a fresh one may fare better.
    pub fn is_of_the_connection(&self) -> bool {
        matches!(self.kind, Kind::Trouble { .. }) || self.reply.code == Some(421)
    }
}

/// The reply if it is positive, otherwise the failure that it is.
pub(super) fn positive(stage: Stage, reply: RawReply) -> Result<RawReply, Box<Failure>> {
    if reply.is_positive() {
        Ok(reply)
    } else if reply.is_refusal() {
        Err(Failure::refused(stage, &reply))
    } else {
        Err(Failure::unexpected(stage, &reply))
    }
}
