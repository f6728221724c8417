//! A few lines of SMTP with an MX host, bounded in size and time: as much as it takes to see its STARTTLS.
//!
//! It sends no mail and does not sign in; what it cannot see is what a host would say to either.

use super::judgement::quoted;
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The longest reply that is read.
const REPLY_LIMIT: usize = 16 << 10;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a dialogue went no further, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken(pub String);

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        let text = error.to_string();
        Self(text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned())
    }
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub code: u16,
    /// Its lines, without the code.
    pub lines: Vec<String>,
}

impl Reply {
    /// The reply, bounded and readable.
    pub fn shown(&self) -> String {
        format!("{} {}", self.code, quoted(self.lines.join(" ").as_bytes()))
    }

    /// The reply if it has this code.
    pub fn expect(self, code: u16, what: &str) -> Result<Self, Broken> {
        if self.code == code {
            Ok(self)
        } else {
            Err(Broken(format!("it {what} with {}", self.shown())))
        }
    }
}

/// A conversation.
pub(super) struct Dialogue {
    stream: TcpStream,
    /// What was read and not yet taken.
    buffer: Vec<u8>,
    limit: Duration,
}

impl Dialogue {
    /// Connects; that, and each reply, takes `limit` at most.
    pub async fn connect(address: SocketAddr, limit: Duration) -> Result<Self, Broken> {
        let connected = timeout(limit, TcpStream::connect(address)).await;
        let stream = connected.map_err(|_| Broken(format!("no answer within {limit:?}")))??;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            limit,
        })
    }

    /// A command, and its reply.
    pub async fn say(&mut self, command: &str) -> Result<Reply, Broken> {
        let line = format!("{command}\r\n");
        let written = timeout(self.limit, self.stream.write_all(line.as_bytes())).await;
        written.map_err(|_| Broken(format!("it takes nothing within {:?}", self.limit)))??;
        self.reply().await
    }

    /// The next reply.
    pub async fn reply(&mut self) -> Result<Reply, Broken> {
        let limit = self.limit;
        let read = timeout(limit, self.read_reply()).await;
        read.map_err(|_| Broken(format!("it does not answer within {limit:?}")))?
    }

    async fn read_reply(&mut self) -> Result<Reply, Broken> {
        let mut taken = 0;
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            taken += line.len();
            if taken > REPLY_LIMIT {
                return Err(Broken("its reply does not end".to_owned()));
            }
            let garbage = || Broken(format!("its answer is not SMTP: {}", quoted(&line)));
            let (code, rest) = line.split_at_checked(3).ok_or_else(garbage)?;
            let code: u16 = std::str::from_utf8(code)
                .ok()
                .and_then(|code| code.parse().ok())
                .ok_or_else(garbage)?;
            lines.push(String::from_utf8_lossy(rest.get(1..).unwrap_or_default()).into_owned());
            match rest.first() {
                Some(b'-') => {}
                None | Some(b' ') => return Ok(Reply { code, lines }),
                Some(_) => return Err(garbage()),
            }
        }
    }

    /// The next line, without its end.
    async fn line(&mut self) -> Result<Vec<u8>, Broken> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer.iter().skip(searched).position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=searched + end).collect();
                while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
                    line.pop();
                }
                return Ok(line);
            }
            searched = self.buffer.len();
            if searched > REPLY_LIMIT {
                return Err(Broken("its reply does not end".to_owned()));
            }
            let mut chunk = [0; 1024];
            match self.stream.read(&mut chunk).await? {
                0 => return Err(Broken("it closed the connection".to_owned())),
                count => self.buffer.extend(chunk.iter().take(count)),
            }
        }
    }

    /// Whether the host said more than it was asked for.
    pub fn is_ahead(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The connection, for TLS.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Ends it politely, if that takes no time.
    pub async fn quit(mut self) {
        let _ = timeout(FAREWELL, self.say("QUIT")).await;
    }
}
