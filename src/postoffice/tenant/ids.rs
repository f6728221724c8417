//! Ids as Exchange writes them: opaque, case-sensitive, safe in a URL. An item's ordinary id changes when it moves, its immutable one does not.
//!
//! Pure. Cannot see whether an item exists.

use data_encoding::BASE64URL;

const MUTABLE: u8 = 0x01;
const IMMUTABLE: u8 = 0x02;
const FOLDER: u8 = 0x03;
const OTHER: u8 = 0x04;
/// What all ids of the service start with, so that logs look familiar.
const START: [u8; 3] = [0x00, 0x03, 0x24];

/// What an id stands for, within the mailbox it was given out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    /// An item where it lies: its serial number, its folder, and how often it had moved.
    Item {
        /// The item's number.
        serial: u64,
        /// How often it had moved.
        moves: u32,
    },
    /// An item wherever it lies.
    Immutable {
        /// The item's number.
        serial: u64,
    },
    /// A folder.
    Folder {
        /// The folder's number.
        number: u32,
    },
    /// A thread or post of a group.
    Other {
        /// Its number.
        serial: u64,
    },
}

/// Why a text is no id of this mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoId {
    /// It is none at all.
    Malformed,
    /// It is one of another mailbox.
    Foreign,
}

impl Id {
    /// The id as clients see it; `mailbox` is the mailbox's own number.
    pub fn write(self, mailbox: u32) -> String {
        let (kind, serial, moves) = match self {
            Self::Item { serial, moves } => (MUTABLE, serial, moves),
            Self::Immutable { serial } => (IMMUTABLE, serial, 0),
            Self::Folder { number } => (FOLDER, u64::from(number), 0),
            Self::Other { serial } => (OTHER, serial, 0),
        };
        let mut octets = START.to_vec();
        octets.push(kind);
        octets.extend(mailbox.to_be_bytes());
        octets.extend(serial.to_be_bytes());
        octets.extend(moves.to_be_bytes());
        octets.push(0);
        BASE64URL.encode(&octets)
    }

    /// Reads an id back.
    ///
    /// # Errors
    /// When it is none, or one of another mailbox.
    pub fn read(text: &str, mailbox: u32) -> Result<Self, NoId> {
        let octets = BASE64URL.decode(text.as_bytes()).map_err(|_| NoId::Malformed)?;
        let octets: [u8; 21] = octets.try_into().map_err(|_| NoId::Malformed)?;
        let number = |range: std::ops::Range<usize>| octets[range].iter().fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
        if octets[..3] != START {
            return Err(NoId::Malformed);
        }
        if number(4..8) != u64::from(mailbox) {
            return Err(NoId::Foreign);
        }
        let serial = number(8..16);
        match octets[3] {
            MUTABLE => Ok(Self::Item {
                serial,
                moves: u32::try_from(number(16..20)).unwrap_or_default(),
            }),
            IMMUTABLE => Ok(Self::Immutable { serial }),
            FOLDER => u32::try_from(serial)
                .map(|number| Self::Folder { number })
                .map_err(|_| NoId::Malformed),
            OTHER => Ok(Self::Other { serial }),
            _ => Err(NoId::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_and_belong_to_one_mailbox() {
        for id in [
            Id::Item { serial: 77, moves: 3 },
            Id::Immutable { serial: u64::MAX },
            Id::Folder { number: 9 },
            Id::Other { serial: 1 },
        ] {
            let text = id.write(42);
            assert_eq!(Id::read(&text, 42), Ok(id));
            assert_eq!(Id::read(&text, 43), Err(NoId::Foreign));
            assert!(Id::read(&text.to_lowercase(), 42) != Ok(id), "ids are case-sensitive");
        }
        assert_eq!(Id::read("inbox", 42), Err(NoId::Malformed));
    }
}
