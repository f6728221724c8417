//! Between the network and the IMAP parser: lets through what a well-behaved server says to our commands, and bounds it.
//!
//! The parser keeps a whole response in memory, makes room for a literal as soon as its size is announced, and panics on a few malformed ones
//! (imap-proto 0.17). So each line is read here first: lines and literals have a limit, responses that we never ask for are dropped, and what
//! the parser cannot bear ends the connection. It cannot see whether what passes is true.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest line, without literals: a `SEARCH` response that names some hundred thousand messages.
const LINE: usize = 1 << 20;
/// The longest name of a folder: far above what any server allows. Longer ones are dropped, since the parser takes its time over them.
const NAME: usize = 8 << 10;
/// How deep lists may be nested in what we ask for.
const DEPTH: usize = 3;

/// A connection whose incoming half is checked.
pub(super) struct Guard<S> {
    inner: S,
    /// The largest literal, and the largest sum of the literals of one response.
    literal_limit: usize,
    /// The line that is being read.
    line: Vec<u8>,
    /// What has been checked and not been handed on yet.
    ready: Vec<u8>,
    handed_on: usize,
    /// How much of a literal is still to come.
    literal: usize,
    /// How much the literals of this response have in all.
    literals: usize,
    /// Whether `line` continues a response after a literal, and whether that response is dropped.
    within: Option<Fate>,
    /// Whether anything has been received yet.
    started: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    Dropped,
}

impl<S> Guard<S> {
    /// Guards a connection. `literal_limit` as in [`Guard::allow`].
    pub(super) fn new(inner: S, literal_limit: usize) -> Self {
        Self {
            inner,
            literal_limit,
            line: Vec::new(),
            ready: Vec::new(),
            handed_on: 0,
            literal: 0,
            literals: 0,
            within: None,
            started: false,
        }
    }

    /// Sets how many bytes of literals one response may hold from now on.
    pub(super) fn allow(&mut self, literal_limit: usize) {
        self.literal_limit = literal_limit;
    }

    /// The connection itself. What was received and not read is thrown away: bytes smuggled in before TLS must never be taken for the
    /// server's answers (CVE-2011-0411), and a server that begins TLS speaks second.
    pub(super) fn into_inner(self) -> S {
        self.inner
    }

    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !self.started && !bytes.is_empty() {
            self.started = true;
            if bytes.first() != Some(&b'*') {
                return refuse("the server does not speak IMAP");
            }
        }
        while !bytes.is_empty() {
            if self.literal > 0 {
                let (literal, rest) = bytes.split_at(self.literal.min(bytes.len()));
                if self.within == Some(Fate::Passes) {
                    self.ready.extend_from_slice(literal);
                }
                self.literal -= literal.len();
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n').map(|position| position + 1);
            let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + part.len() > LINE {
                return refuse("a line of the server's answer does not end");
            }
            self.line.extend_from_slice(part);
            bytes = rest;
            if end.is_some() {
                self.finish_line()?;
            }
        }
        Ok(())
    }

    fn finish_line(&mut self) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        if !line.ends_with(b"\r\n") {
            // A bare line feed ends a line for some servers; the parser wants both.
            line.insert(line.len() - 1, b'\r');
        }
        let fate = match self.within {
            Some(fate) => fate,
            None if is_list(&line) && (line.len() > NAME || literal_of(&line).is_some_and(|size| size > NAME as u64)) => Fate::Dropped,
            None => fate_of(&line),
        };
        if fate == Fate::Passes {
            check(&line)?;
            tame(&mut line);
        }
        if let Some(size) = literal_of(&line) {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            self.literals = self.literals.saturating_add(size);
            if self.literals > self.literal_limit {
                return refuse("the server's answer is larger than what was asked for");
            }
            self.literal = size;
            self.within = Some(fate);
        } else {
            self.literals = 0;
            self.within = None;
        }
        if fate == Fate::Passes {
            self.ready.extend_from_slice(&line);
        }
        if line.capacity() <= 4096 {
            line.clear();
            self.line = line;
        }
        Ok(())
    }
}

/// Whether the response that begins with `line` is one that we have a use for.
fn fate_of(line: &[u8]) -> Fate {
    let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
    let (Some(b"*"), Some(word)) = (words.next(), words.next()) else {
        // A tagged answer, a continuation, or something that the parser shall refuse.
        return Fate::Passes;
    };
    let word = if word.iter().all(u8::is_ascii_digit) {
        words.next().unwrap_or_default()
    } else {
        word
    };
    let known: [&[u8]; 12] = [
        b"OK",
        b"NO",
        b"BAD",
        b"BYE",
        b"PREAUTH",
        b"CAPABILITY",
        b"LIST",
        b"STATUS",
        b"SEARCH",
        b"EXISTS",
        b"EXPUNGE",
        b"FETCH",
    ];
    if known.iter().any(|known| word.eq_ignore_ascii_case(known)) || word.eq_ignore_ascii_case(b"VANISHED") {
        Fate::Passes
    } else {
        Fate::Dropped
    }
}

/// Refuses what was never asked for and what the parser cannot bear.
fn check(line: &[u8]) -> io::Result<()> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        // The text of a status response may hold anything.
        if depth > DEPTH && !is_status(line) {
            return refuse("the server's answer is nested deeper than anything that was asked for");
        }
    }
    // The parser unwraps a date that it takes for granted.
    if line.len() >= 16 && line.windows(16).any(|window| window.eq_ignore_ascii_case(b"INTERNALDATE NIL")) {
        return refuse("the server's answer has a message without a date of arrival");
    }
    Ok(())
}

fn is_list(line: &[u8]) -> bool {
    line.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"* LIST "))
}

fn is_status(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ').skip(1);
    words.next().is_some_and(|word| {
        [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"]
            .iter()
            .any(|status| word.eq_ignore_ascii_case(status))
    })
}

/// The parser cuts one byte after a response code, wherever a character begins: put a space there.
fn tame(line: &mut [u8]) {
    let text_after_code = line
        .iter()
        .position(|byte| *byte == b']')
        .and_then(|position| line.get_mut(position + 1));
    if let Some(byte) = text_after_code
        && !byte.is_ascii()
    {
        *byte = b' ';
    }
}

/// The size of the literal that follows `line` (RFC 3501 section 4.3, RFC 7888, RFC 3516).
fn literal_of(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"}\r\n")?;
    let start = line.iter().rposition(|byte| *byte == b'{')?;
    let digits = line.get(start + 1..)?;
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    // More digits than a u64 holds is a literal all the same, beyond any limit.
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then(|| {
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(u64::MAX)
    })
}

fn refuse<T>(reason: &'static str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidData, reason))
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let ready = this.ready.get(this.handed_on..).unwrap_or_default();
            if !ready.is_empty() {
                let (part, _) = ready.split_at(ready.len().min(buffer.remaining()));
                buffer.put_slice(part);
                this.handed_on += part.len();
                if this.handed_on == this.ready.len() {
                    this.handed_on = 0;
                    this.ready.clear();
                    this.ready.shrink_to(4096);
                }
                return Poll::Ready(Ok(()));
            }
            let mut chunk = [0; 4096];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.take(chunk.filled())?;
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S> fmt::Debug for Guard<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    async fn passes(input: &[u8]) -> io::Result<Vec<u8>> {
        let mut output = Vec::new();
        Guard::new(input, 100).read_to_end(&mut output).await?;
        Ok(output)
    }

    #[tokio::test]
    async fn answers_to_our_commands_pass_as_they_are() {
        let talk = b"* OK [CAPABILITY IMAP4rev1] ready\r\n* LIST (\\Junk) \"/\" {4}\r\nSpam\r\n* 3 EXISTS\r\n\
            * 3 FETCH (UID 9 BODY[] {5}\r\na\r\n\n( FLAGS (\\Seen))\r\na1 OK done\r\n+ idling\r\n";
        assert_eq!(passes(talk).await.unwrap(), talk);
    }

    #[tokio::test]
    async fn what_we_have_no_use_for_is_dropped_with_its_literals() {
        let talk =
            b"* OK hi\r\n* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n* 3 RECENT\r\n* METADATA x {5}\r\nab\r\nc {3}\r\nabc\r\n* 4 EXISTS\r\n";
        assert_eq!(passes(talk).await.unwrap(), b"* OK hi\r\n* 4 EXISTS\r\n");
    }

    #[tokio::test]
    async fn literal_bombs_endless_lines_and_deep_nesting_are_refused() {
        for bomb in ["{999999999}", "{101}", "{99999999999999999999999999}", "{999999999+}"] {
            let talk = format!("* OK hi\r\n* 1 FETCH (BODY[] {bomb}\r\nabc");
            assert!(passes(talk.as_bytes()).await.is_err(), "{bomb}");
        }
        let many = format!("* 1 FETCH (A {{60}}\r\n{}B {{60}}\r\n", "x".repeat(60));
        assert!(passes(many.as_bytes()).await.is_err(), "literals add up");
        let endless = [b"* OK ".to_vec(), vec![b'x'; LINE]].concat();
        assert!(passes(&endless).await.is_err());
        let deep = format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(50_000));
        assert!(passes(deep.as_bytes()).await.is_err());
        assert!(passes(b"* 1 FETCH (INTERNALDATE nil)\r\n").await.is_err());
    }

    #[tokio::test]
    async fn text_of_any_kind_passes_in_status_responses_and_quoted_names() {
        assert_eq!(passes(b"* OK ((((( sad\r\n").await.unwrap(), b"* OK ((((( sad\r\n");
        let name = b"* LIST () \"/\" \"((((\\\"((\"\r\n";
        assert_eq!(passes(name).await.unwrap(), name);
        assert_eq!(passes("* OK [ALERT]é\r\n".as_bytes()).await.unwrap(), b"* OK [ALERT] \xa9\r\n");
    }

    #[tokio::test]
    async fn another_protocol_is_told_at_once() {
        assert!(passes(b"220 mail ESMTP\r\n").await.is_err());
    }
}
