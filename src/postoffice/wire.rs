//! One connection: octets and bounded lines over TCP, later over TLS, each step with a time limit.
//!
//! Cannot see protocols. Reading is safe to be cancelled: what has arrived stays in the buffer.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a peer may take to read what we send, or for the steps of a handshake.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a peer may keep silent (RFC 9051 wants at least 30 minutes for IMAP, RFC 5321 five for SMTP).
const IDLE: Duration = Duration::from_mins(31);
/// Small, since thousands of idle connections keep such a buffer each.
const CHUNK: usize = 4 * 1024;

/// A connection with its read buffer.
pub struct Wire {
    stream: Option<Stream>,
    buffer: Vec<u8>,
    /// How much of the buffer has been handed out.
    taken: usize,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What came in where a line was wanted.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its line break, and whether that was CR LF.
    Whole(Vec<u8>, bool),
    /// A line beyond the limit; it was skipped.
    TooLong,
    /// The peer closed the connection.
    End,
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

impl Wire {
    /// A connection in the clear.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream: Some(Stream::Plain(stream)),
            buffer: Vec::new(),
            taken: 0,
        }
    }

    /// Turns to TLS. What the peer sent in the clear after asking for it is forgotten, so that nothing can be injected.
    ///
    /// # Errors
    /// When the handshake fails; the connection is then closed.
    pub async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        self.buffer.clear();
        self.taken = 0;
        match self.stream.take() {
            Some(Stream::Plain(stream)) => {
                let tls = timeout(PATIENCE, acceptor.accept(stream)).await??;
                self.stream = Some(Stream::Tls(Box::new(tls)));
                Ok(())
            }
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The TLS version and cipher suite, if the connection has them.
    pub fn tls(&self) -> Option<(&'static str, &'static str)> {
        let Some(Stream::Tls(tls)) = &self.stream else { return None };
        let (_, connection) = tls.get_ref();
        let version = connection.protocol_version().and_then(|v| v.as_str()).unwrap_or("TLS");
        Some((
            version,
            connection
                .negotiated_cipher_suite()
                .and_then(|s| s.suite().as_str())
                .unwrap_or("unknown"),
        ))
    }

    /// Sends all octets.
    ///
    /// # Errors
    /// When the connection is gone or the peer does not read.
    pub async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let stream = self.stream()?;
        let work = async {
            stream.write_all(octets).await?;
            stream.flush().await
        };
        timeout(PATIENCE, work).await?
    }

    /// Whether octets wait in the buffer that nobody has asked for yet (a pipelining client).
    pub fn has_more(&self) -> bool {
        self.taken < self.buffer.len()
    }

    /// The next octets that arrive; empty at the end of the connection.
    ///
    /// # Errors
    /// When the connection breaks or stays silent for too long.
    pub async fn octets(&mut self) -> io::Result<Vec<u8>> {
        if !self.has_more() && !self.fill().await? {
            return Ok(Vec::new());
        }
        let octets = self.buffer.split_off(self.taken);
        self.buffer.clear();
        self.taken = 0;
        Ok(octets)
    }

    /// The next line of at most `most` octets.
    ///
    /// # Errors
    /// When the connection breaks or stays silent for too long.
    pub async fn line(&mut self, most: usize) -> io::Result<Line> {
        let mut searched = 0;
        let mut too_long = false;
        loop {
            let waiting = &self.buffer[self.taken..];
            if let Some(at) = waiting[searched..].iter().position(|b| *b == b'\n') {
                let end = searched + at;
                let line = &waiting[..end];
                let (line, whole) = line.strip_suffix(b"\r").map_or((line, false), |l| (l, true));
                let line = if too_long || line.len() > most {
                    Line::TooLong
                } else {
                    Line::Whole(line.to_vec(), whole)
                };
                self.taken += end + 1;
                return Ok(line);
            }
            searched = waiting.len();
            if searched > most + 1 {
                // Only the end of a line that is too long is still of interest.
                too_long = true;
                self.taken = self.buffer.len();
                searched = 0;
            }
            if !self.fill().await? {
                return Ok(Line::End);
            }
        }
    }

    /// Says good-bye to TLS and closes.
    pub async fn close(mut self) {
        if let Ok(stream) = self.stream() {
            // The peer may be gone already, then there is nobody to say good-bye to.
            let _ = timeout(Duration::from_secs(1), stream.shutdown()).await;
        }
    }

    async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.reserve(CHUNK);
        let read = match self.stream.as_mut() {
            Some(Stream::Plain(stream)) => timeout(IDLE, stream.read_buf(&mut self.buffer)).await??,
            Some(Stream::Tls(stream)) => timeout(IDLE, stream.read_buf(&mut self.buffer)).await??,
            None => 0,
        };
        Ok(read > 0)
    }

    fn stream(&mut self) -> io::Result<&mut dyn Both> {
        match self.stream.as_mut() {
            Some(Stream::Plain(stream)) => Ok(stream),
            Some(Stream::Tls(stream)) => Ok(stream.as_mut()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Wire::new(listener.accept().await.unwrap().0), client)
    }

    #[tokio::test]
    async fn lines_are_bounded_and_the_next_one_is_intact() {
        let (mut wire, mut client) = pair().await;
        client.write_all(b"short\r\nbare\n").await.unwrap();
        client.write_all("x".repeat(100_000).as_bytes()).await.unwrap();
        client.write_all(b"\r\nnext\r\nrest").await.unwrap();
        drop(client);
        assert_eq!(wire.line(100).await.unwrap(), Line::Whole(b"short".to_vec(), true));
        assert_eq!(wire.line(100).await.unwrap(), Line::Whole(b"bare".to_vec(), false));
        assert_eq!(wire.line(100).await.unwrap(), Line::TooLong);
        assert_eq!(wire.line(100).await.unwrap(), Line::Whole(b"next".to_vec(), true));
        assert_eq!(wire.line(100).await.unwrap(), Line::End);
    }

    #[tokio::test]
    async fn octets_hand_out_what_the_lines_left() {
        let (mut wire, mut client) = pair().await;
        client.write_all(b"one\r\ntwo").await.unwrap();
        assert_eq!(wire.line(100).await.unwrap(), Line::Whole(b"one".to_vec(), true));
        let mut rest = wire.octets().await.unwrap();
        while rest.len() < 3 {
            rest.extend(wire.octets().await.unwrap());
        }
        assert_eq!(rest, b"two");
    }
}
