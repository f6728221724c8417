//! The bytes of one SMTP connection, in the clear or in TLS: commands out, whole replies in, everything bounded in size and in time.
//!
//! This stands in for lettre's `AsyncSmtpConnection` on purpose. That one reads a line without bound and loses a reply that is not UTF-8, hides the
//! greeting's and EHLO's stage, keeps plain text over STARTTLS, cannot pipeline, and does not tell whether the final dot had left. Its commands and
//! parameters are used (`envelope.rs`). What this cannot see: whether bytes that the system took ever reached the server.

use super::reply::{Line, RawReply, shown};
use crate::{model::Tls, tls::Connector};
use futures::FutureExt;
use std::{fmt, io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Empty, empty},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

/// The longest line of a reply that is read; RFC 5321 section 4.5.3.1.5 allows 512 octets.
const LINE_LIMIT: usize = 8 << 10;
/// The longest reply that is read.
const REPLY_LIMIT: usize = 64 << 10;
/// How long a reply is waited for that may already lie there although the connection is failing.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why there is no whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// The server closed the connection, perhaps in the midst of a reply.
    Closed { midst: bool },
    /// The connection failed.
    Failed(String),
    /// No whole reply came, or not everything could be written, in this time.
    TimedOut(Duration),
    /// A line that is not of a reply.
    Garbage(String),
    /// A line or a reply beyond all bounds.
    Endless,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { midst: false } => f.write_str("the server closed the connection"),
            Self::Closed { midst: true } => f.write_str("the server closed the connection in the midst of a reply"),
            Self::Failed(error) => write!(f, "the connection failed: {error}"),
            Self::TimedOut(limit) => write!(f, "the server did not answer within {limit:?}"),
            Self::Garbage(line) => write!(f, "the server's answer is not SMTP: {line:?}"),
            Self::Endless => f.write_str("the server's reply does not end"),
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            // TLS ended without its closing alert.
            return Self::Closed { midst: false };
        }
        Self::Failed(in_words(&error))
    }
}

/// An error of the system in its words, without the number.
pub(super) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Nothing to hear, and nobody to hear it.
    Gone(Empty),
}

impl Stream {
    fn duplex(&mut self) -> &mut dyn Duplex {
        match self {
            Self::Clear(stream) => stream,
            Self::Tls(stream) => stream.as_mut(),
            Self::Gone(stream) => stream,
        }
    }
}

/// One connection.
pub(super) struct Wire {
    stream: Stream,
    /// What was read and not yet taken.
    buffer: Vec<u8>,
}

impl Wire {
    /// The connection that stands on `stream`, in the clear.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream: Stream::Clear(stream),
            buffer: Vec::new(),
        }
    }

    /// Whether it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Whether the server said more than it was asked for.
    pub fn is_ahead(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Whether the connection stands and the server said nothing unasked (`421`, mostly), as far as this side knows by now.
    pub fn is_quiet(&mut self) -> bool {
        if self.is_ahead() {
            return false;
        }
        let mut byte = [0];
        match self.stream.duplex().read(&mut byte).now_or_never() {
            None => true,
            Some(read) => {
                self.buffer.extend(byte.iter().take(read.unwrap_or(0)));
                false
            }
        }
    }

    /// Turns to TLS with `host`. After an error the connection is gone.
    ///
    /// # Errors
    /// If it takes longer than `limit`, or as [`Connector::wrap`].
    pub async fn encrypt(&mut self, connector: &Connector, host: &str, limit: Duration) -> io::Result<Tls> {
        let Stream::Clear(stream) = std::mem::replace(&mut self.stream, Stream::Gone(empty())) else {
            return Err(io::Error::other("only a connection in the clear can be encrypted"));
        };
        let slow = || io::Error::new(io::ErrorKind::TimedOut, format!("the TLS handshake did not end within {limit:?}"));
        let (stream, tls) = timeout(limit, connector.wrap(stream, host)).await.map_err(|_| slow())??;
        self.stream = Stream::Tls(Box::new(stream));
        Ok(tls)
    }

    /// Writes `bytes` within `limit`.
    pub async fn write(&mut self, bytes: &[u8], limit: Duration) -> Result<(), Broken> {
        self.write_counting(bytes, limit, &mut 0).await
    }

    /// Writes `bytes` within `limit`; `written` says, also after an error, how many of them the system (with TLS: rustls) took.
    pub async fn write_counting(&mut self, bytes: &[u8], limit: Duration, written: &mut usize) -> Result<(), Broken> {
        let stream = self.stream.duplex();
        let writing = async {
            while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
                match stream.write(rest).await? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    count => *written += count,
                }
            }
            stream.flush().await
        };
        timeout(limit, writing)
            .await
            .map_err(|_| Broken::TimedOut(limit))?
            .map_err(Broken::from)
    }

    /// Reads a whole reply within `limit`.
    pub async fn reply(&mut self, limit: Duration) -> Result<RawReply, Broken> {
        timeout(limit, self.read_reply()).await.map_err(|_| Broken::TimedOut(limit))?
    }

    /// The refusal that the server may have sent before it broke the connection: it says more than the break.
    pub async fn last_words(&mut self) -> Option<RawReply> {
        self.reply(LAST_WORDS).await.ok().filter(RawReply::is_refusal)
    }

    async fn read_reply(&mut self) -> Result<RawReply, Broken> {
        let mut lines = Vec::new();
        let mut size = 0;
        loop {
            let line = self.read_line(!lines.is_empty()).await?;
            size += line.len();
            if size > REPLY_LIMIT {
                return Err(Broken::Endless);
            }
            let Some(parsed) = Line::parse(&line) else {
                let start = String::from_utf8_lossy(line.get(..200).unwrap_or(&line)).into_owned();
                return Err(Broken::Garbage(shown(&start)));
            };
            lines.push(String::from_utf8_lossy(parsed.text).into_owned());
            if parsed.last {
                return Ok(RawReply { code: parsed.code, lines });
            }
        }
    }

    /// The next line without its end, which may be a bare LF.
    async fn read_line(&mut self, midst: bool) -> Result<Vec<u8>, Broken> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer.iter().skip(searched).position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=searched + end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            searched = self.buffer.len();
            if searched > LINE_LIMIT {
                return Err(Broken::Endless);
            }
            let mut chunk = [0; 2048];
            let count = self.stream.duplex().read(&mut chunk).await?;
            if count == 0 {
                return Err(Broken::Closed {
                    midst: midst || searched > 0,
                });
            }
            self.buffer.extend(chunk.iter().take(count));
        }
    }
}
