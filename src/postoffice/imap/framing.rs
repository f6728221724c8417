//! IMAP commands as they come in: lines with literals between them, collected whole and bounded (RFC 3501, section 2.2.1; RFC 7888).
//!
//! Cannot see what a command means.

use std::io;

use imap_codec::fragmentizer::{FragmentInfo, Fragmentizer};
use imap_codec::imap_types::core::{LiteralMode, Tag};

use super::super::wire::Wire;

/// The longest command without its literals.
const LONGEST_COMMAND: usize = 64 * 1024;
/// The largest literal of a client that has not logged in.
const STRANGERS_LITERAL: usize = 4 * 1024;

/// Collects commands from octets.
pub struct Framer {
    fragments: Fragmentizer,
    literals: usize,
    largest_literal: usize,
    /// A literal beyond the limit that the client sends without asking: swallowed, then refused.
    overrun: bool,
}

/// What came in.
pub enum Incoming {
    /// One command, with its line breaks and literals.
    Command(Vec<u8>),
    /// A command with too large a literal, and its tag where there was one.
    TooBig(Option<Tag<'static>>),
    /// The client closed the connection, or sent what no client sends.
    End,
}

impl Framer {
    /// A framer for a client that has not logged in.
    pub fn new() -> Self {
        // The limits are kept here; the fragmentizer's own would cut commands off silently.
        let fragments = Fragmentizer::without_max_message_size();
        Self {
            fragments,
            literals: 0,
            largest_literal: STRANGERS_LITERAL,
            overrun: false,
        }
    }

    /// Allows literals of this size, and as much of them in one command.
    pub fn allow_literals(&mut self, bytes: usize) {
        self.largest_literal = bytes;
    }

    /// The next command. May be cancelled while it waits for octets, except between a literal's announcement and its consent.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self, wire: &mut Wire) -> io::Result<Incoming> {
        loop {
            while let Some(fragment) = self.fragments.progress() {
                let FragmentInfo::Line { announcement, .. } = fragment else {
                    continue;
                };
                let Some(literal) = announcement else {
                    return Ok(self.finish());
                };
                let length = usize::try_from(literal.length).unwrap_or(usize::MAX);
                self.literals = self.literals.saturating_add(length);
                let fits = self.literals <= self.largest_literal;
                match (fits, literal.mode) {
                    (true, LiteralMode::Sync) => wire.send(b"+ Ready for the literal\r\n").await?,
                    (true, LiteralMode::NonSync) => {}
                    (false, LiteralMode::Sync) => {
                        let tag = self.tag();
                        self.literals = 0;
                        self.fragments.skip_message();
                        return Ok(Incoming::TooBig(tag));
                    }
                    (false, LiteralMode::NonSync) => self.overrun = true,
                }
            }
            let held = self.fragments.message_bytes().len();
            if held > LONGEST_COMMAND + self.literals.min(self.largest_literal) {
                return Ok(Incoming::End);
            }
            let octets = wire.octets().await?;
            if octets.is_empty() {
                return Ok(Incoming::End);
            }
            self.fragments.enqueue_bytes(&octets);
        }
    }

    fn finish(&mut self) -> Incoming {
        self.literals = 0;
        if std::mem::take(&mut self.overrun) {
            return Incoming::TooBig(self.tag());
        }
        Incoming::Command(self.fragments.message_bytes().to_vec())
    }

    fn tag(&self) -> Option<Tag<'static>> {
        self.fragments.decode_tag().map(|tag| Tag::unvalidated(tag.inner().to_owned()))
    }
}
