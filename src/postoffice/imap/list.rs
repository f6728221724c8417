//! LIST and its relatives: what a client asks for, also in the extended form that the codec does not read
//! (RFC 3501 section 6.3.8, RFC 5258 LIST-EXTENDED, RFC 5819 LIST-STATUS, RFC 6154 SPECIAL-USE), and which folders that picks.
//!
//! Pure. Every folder is subscribed and none has children.

use imap_codec::imap_types::core::{Atom, QuotedChar};
use imap_codec::imap_types::flag::FlagNameAttribute;
use imap_codec::imap_types::mailbox::Mailbox as Name;
use imap_codec::imap_types::response::Data;
use imap_codec::imap_types::status::{StatusDataItem, StatusDataItemName};
use std::num::NonZeroU32;

use super::super::store::{Folder, Role};
use super::utf7;

/// The hierarchy delimiter.
pub const DELIMITER: char = '/';
const MOST_PATTERNS: usize = 50;
const LONGEST_PATTERN: usize = 1000;

/// What a LIST asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Patterns with their reference before them, as on the wire.
    pub patterns: Vec<String>,
    /// Only folders with a special use.
    pub only_special: bool,
    /// Say of each folder that it is subscribed.
    pub subscribed: bool,
    /// The STATUS items wanted of each folder.
    pub status: Option<Vec<StatusDataItemName>>,
}

impl Request {
    /// The basic form.
    pub fn basic(reference: &[u8], pattern: &[u8]) -> Self {
        let text = |octets| String::from_utf8_lossy(octets).into_owned();
        Self {
            patterns: vec![text(reference) + &text(pattern)],
            ..Self::default()
        }
    }

    /// The extended form, from the whole command; with its tag. `None` if it is no LIST command.
    pub fn extended(command: &[u8]) -> Option<(String, Self)> {
        let tokens = tokens(command)?;
        let mut rest = tokens.as_slice();
        let tag = word(&mut rest)?;
        if !word(&mut rest)?.eq_ignore_ascii_case("LIST") {
            return None;
        }
        let mut request = Self::default();
        if rest.first() == Some(&Token::Open) {
            for option in words(&mut rest)? {
                match option.to_ascii_uppercase().as_str() {
                    "SPECIAL-USE" => request.only_special = true,
                    "SUBSCRIBED" => request.subscribed = true,
                    "REMOTE" | "RECURSIVEMATCH" => {}
                    _ => return None,
                }
            }
        }
        let reference = word(&mut rest)?;
        let patterns = if rest.first() == Some(&Token::Open) {
            words(&mut rest)?
        } else {
            vec![word(&mut rest)?]
        };
        if patterns.is_empty() || patterns.len() > MOST_PATTERNS {
            return None;
        }
        request.patterns = patterns.into_iter().map(|pattern| format!("{reference}{pattern}")).collect();
        if !rest.is_empty() {
            if !word(&mut rest)?.eq_ignore_ascii_case("RETURN") {
                return None;
            }
            request.returns(&mut rest)?;
        }
        rest.is_empty().then_some((tag, request))
    }

    fn returns(&mut self, rest: &mut &[Token]) -> Option<()> {
        open(rest)?;
        while rest.first() != Some(&Token::Close) {
            match word(rest)?.to_ascii_uppercase().as_str() {
                // Both are told in any case.
                "SPECIAL-USE" | "CHILDREN" => {}
                "SUBSCRIBED" => self.subscribed = true,
                "STATUS" => self.status = Some(words(rest)?.iter().map(|item| status_item(item)).collect::<Option<_>>()?),
                _ => return None,
            }
        }
        *rest = &rest[1..];
        Some(())
    }

    /// Whether the request picks a folder.
    pub fn picks(&self, folder: &Folder) -> bool {
        let name = utf7::encode(&folder.name);
        let same_case = |pattern: &str| {
            if name == "INBOX" {
                pattern.to_ascii_uppercase()
            } else {
                pattern.to_owned()
            }
        };
        (!self.only_special || folder.role.is_some()) && self.patterns.iter().any(|pattern| matches(&same_case(pattern), &name))
    }

    /// Whether the client only asks for the delimiter (an empty pattern).
    pub fn asks_for_delimiter(&self) -> bool {
        self.patterns.iter().all(String::is_empty)
    }
}

/// One line of the answer.
pub fn line(folder: &Folder, subscribed: bool) -> Data<'static> {
    let special = folder.role.map(|role| match role {
        Role::Junk => "Junk",
        Role::Trash => "Trash",
        Role::Sent => "Sent",
        Role::Drafts => "Drafts",
    });
    let words = ["HasNoChildren"]
        .into_iter()
        .chain(special)
        .chain(subscribed.then_some("Subscribed"));
    let items = words
        .filter_map(|word| Atom::try_from(word).ok())
        .map(FlagNameAttribute::from)
        .collect();
    Data::List {
        items,
        delimiter: QuotedChar::try_from(DELIMITER).ok(),
        mailbox: name(&folder.name),
    }
}

/// A folder's name as the codec writes it.
pub fn name(folder: &str) -> Name<'static> {
    Name::try_from(utf7::encode(folder)).unwrap_or(Name::Inbox)
}

/// The STATUS of a folder.
pub fn status(folder: &Folder, items: &[StatusDataItemName]) -> Data<'static> {
    let unseen = || folder.messages.iter().filter(|m| !m.flags.contains("\\Seen")).count();
    let deleted = || folder.messages.iter().filter(|m| m.flags.contains("\\Deleted"));
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let value = |item: &StatusDataItemName| match item {
        StatusDataItemName::Messages => StatusDataItem::Messages(number(folder.messages.len())),
        StatusDataItemName::Recent => StatusDataItem::Recent(0),
        StatusDataItemName::UidNext => StatusDataItem::UidNext(NonZeroU32::new(folder.uid_next).unwrap_or(NonZeroU32::MIN)),
        StatusDataItemName::UidValidity => StatusDataItem::UidValidity(NonZeroU32::new(folder.uid_validity).unwrap_or(NonZeroU32::MIN)),
        StatusDataItemName::Unseen => StatusDataItem::Unseen(number(unseen())),
        StatusDataItemName::Deleted => StatusDataItem::Deleted(number(deleted().count())),
        StatusDataItemName::DeletedStorage => StatusDataItem::DeletedStorage(deleted().map(|m| m.raw.len() as u64).sum()),
    };
    Data::Status {
        mailbox: name(&folder.name),
        items: items.iter().map(value).collect::<Vec<_>>().into(),
    }
}

fn status_item(word: &str) -> Option<StatusDataItemName> {
    Some(match word.to_ascii_uppercase().as_str() {
        "MESSAGES" => StatusDataItemName::Messages,
        "RECENT" => StatusDataItemName::Recent,
        "UIDNEXT" => StatusDataItemName::UidNext,
        "UIDVALIDITY" => StatusDataItemName::UidValidity,
        "UNSEEN" => StatusDataItemName::Unseen,
        "DELETED" => StatusDataItemName::Deleted,
        _ => return None,
    })
}

/// Whether a pattern with `*` and `%` matches a name, in time proportional to both lengths.
fn matches(pattern: &str, name: &str) -> bool {
    if pattern.len() > LONGEST_PATTERN {
        return false;
    }
    let name = name.as_bytes();
    // reachable[n]: the pattern so far can match the first n octets of the name.
    let mut reachable = vec![false; name.len() + 1];
    reachable[0] = true;
    for symbol in pattern.bytes() {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            next[at] = match symbol {
                b'*' => reachable[at] || (at > 0 && next[at - 1]),
                b'%' => reachable[at] || (at > 0 && next[at - 1] && name[at - 1] != DELIMITER as u8),
                other => at > 0 && reachable[at - 1] && name[at - 1] == other,
            };
        }
        reachable = next;
    }
    reachable[name.len()]
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Word(String),
}

/// A command cut into brackets, atoms and strings (quoted or literal).
fn tokens(command: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = command.strip_suffix(b"\r\n").or_else(|| command.strip_suffix(b"\n"))?;
    while let Some((first, after)) = rest.split_first() {
        match first {
            b' ' => rest = after,
            b'(' => {
                tokens.push(Token::Open);
                rest = after;
            }
            b')' => {
                tokens.push(Token::Close);
                rest = after;
            }
            b'"' => {
                let mut text = Vec::new();
                let mut octets = after.iter().copied().enumerate();
                rest = loop {
                    match octets.next()? {
                        (at, b'"') => break &after[at + 1..],
                        (_, b'\\') => text.push(octets.next()?.1),
                        (_, octet) => text.push(octet),
                    }
                };
                tokens.push(Token::Word(String::from_utf8(text).ok()?));
            }
            b'{' => {
                let end = after.iter().position(|b| *b == b'\n')?;
                let number = std::str::from_utf8(&after[..end]).ok()?.trim_end_matches(['\r', '}', '+']);
                let length: usize = number.parse().ok()?;
                let literal = after.get(end + 1..)?.get(..length)?;
                tokens.push(Token::Word(String::from_utf8(literal.to_vec()).ok()?));
                rest = &after[end + 1 + length..];
            }
            _ => {
                let end = rest.iter().position(|b| b" ()\"{".contains(b)).unwrap_or(rest.len());
                tokens.push(Token::Word(String::from_utf8(rest[..end].to_vec()).ok()?));
                rest = &rest[end..];
            }
        }
    }
    Some(tokens)
}

fn word(rest: &mut &[Token]) -> Option<String> {
    let (Token::Word(word), after) = rest.split_first()? else {
        return None;
    };
    *rest = after;
    Some(word.clone())
}

fn open(rest: &mut &[Token]) -> Option<()> {
    let (Token::Open, after) = rest.split_first()? else { return None };
    *rest = after;
    Some(())
}

fn words(rest: &mut &[Token]) -> Option<Vec<String>> {
    open(rest)?;
    let mut words = Vec::new();
    while rest.first() != Some(&Token::Close) {
        words.push(word(rest)?);
    }
    *rest = &rest[1..];
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extended(command: &str) -> Option<Request> {
        Request::extended(format!("A1 {command}\r\n").as_bytes()).map(|(_, request)| request)
    }

    #[test]
    fn the_sweep_of_all_folders() {
        let request = extended(r#"LIST "" "*" RETURN (SPECIAL-USE STATUS (UIDNEXT MESSAGES))"#).unwrap();
        assert_eq!(request.patterns, ["*"]);
        assert_eq!(
            request.status,
            Some(vec![StatusDataItemName::UidNext, StatusDataItemName::Messages])
        );
        let several = extended("LIST (SPECIAL-USE) \"\" (INBOX {5}\r\nSent*) RETURN (SUBSCRIBED)").unwrap();
        assert_eq!(
            (several.patterns, several.only_special, several.subscribed),
            (vec!["INBOX".into(), "Sent*".into()], true, true)
        );
    }

    #[test]
    fn broken_requests_are_none() {
        for command in [
            "LIST",
            "LIST \"\"",
            "LIST \"\" \"*",
            "LIST \"\" * RETURN",
            "LIST \"\" * RETURN (",
            "LIST \"\" * RETURN (FOO)",
            "LIST \"\" * RETURN (STATUS)",
            "LIST \"\" * RETURN (STATUS (FOO))",
            "LIST \"\" () RETURN ()",
            "LIST \"\" * RETURN () more",
            "LIST \"\" {99}\r\nx",
            "LIST \"\" \"\\",
            "NOOP",
            "",
        ] {
            assert_eq!(extended(command), None, "{command}");
        }
    }

    #[test]
    fn patterns_respect_the_hierarchy() {
        assert!(matches("*", "a/b/c"));
        assert!(matches("a/%", "a/b"));
        assert!(!matches("a/%", "a/b/c"));
        assert!(matches("%b*", "ab/c"));
        assert!(!matches("%", "a/b"));
        assert!(!matches(&"*a".repeat(400), &"b".repeat(250)));
        assert!(!matches(&"*".repeat(LONGEST_PATTERN + 1), "a"));
    }
}
