//! YAML text as a tree whose every node knows where it stands.
//!
//! The parser bounds depth, nodes and the expansion of aliases, so that no file, however it was made, takes long or much memory. Duplicate keys are
//! noted as mistakes, and the first one stands. What it cannot see: comments, and the names of anchors and tags.

use super::{
    mask::is_sensitive,
    mistakes::{Mistakes, quoted_key},
    source::{Source, Span},
};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Error, Spanned, options::DuplicateKeyPolicy, options::NonFiniteFloatPolicy};
use std::{collections::HashMap, fmt};

/// How deep a file may nest. The deepest place that means anything is at 10; each level costs some 30 KiB of stack while it is read.
const MAX_DEPTH: usize = 20;
/// A site with ten thousand recipients has about this many nodes.
const MAX_NODES: usize = 250_000;
/// How much the aliases of a file may expand to.
const MAX_REPLAYED: usize = 20_000;

/// A node and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    /// What it is.
    pub(super) kind: Kind,
    /// Where it is written; of a list or mapping only its beginning, empty for those in block style.
    pub(super) span: Span,
    /// Where the alias stands through which it came here.
    pub(super) alias: Option<Span>,
}

/// The kinds of node.
#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing after the colon, `~` or `null`.
    Nothing,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i128),
    /// Any other number.
    Fraction,
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug)]
pub(super) struct Key {
    /// The key; a number as it is written.
    pub(super) text: String,
    /// Where it is written.
    pub(super) span: Span,
    /// Whether nothing is read from it, because the mapping has this key before, or it is no key. Its value may still be a secret.
    pub(super) ignored: bool,
}

impl Key {
    fn ignored(span: Span) -> Self {
        Self {
            text: String::new(),
            span,
            ignored: true,
        }
    }
}

impl Node {
    /// What a message may point at: a block mapping or list itself has no width, so its first key or entry stands for it.
    pub(super) fn caret(&self) -> Span {
        match &self.kind {
            Kind::Map(entries) if self.span.is_empty() => entries.first().map_or(self.span.clone(), |(key, _)| key.span.clone()),
            Kind::List(entries) if self.span.is_empty() => entries.first().map_or(self.span.clone(), Node::caret),
            _ => self.span.clone(),
        }
    }

    /// Whether there is no value, or an empty text.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.kind, Kind::Nothing) || matches!(&self.kind, Kind::Text(text) if text.trim().is_empty())
    }

    /// The kind in words, for "expected …, found …".
    pub(super) fn in_words(&self) -> &'static str {
        match self.kind {
            Kind::Nothing => "nothing",
            Kind::Flag(_) => "`true` or `false`",
            Kind::Whole(_) | Kind::Fraction => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Kind::Map(entries) = &self.kind else { return None };
        entries.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// The way from here to whatever stands at `span`, such as `routes.internet.smtp` or `recipients[2].known`.
    pub(super) fn path_to(&self, span: &Span) -> Option<String> {
        // What is deeper comes first: a block list begins where its first entry does.
        let deeper = match &self.kind {
            Kind::Map(entries) => entries.iter().find_map(|(key, value)| {
                if key.span == *span {
                    return Some(String::new());
                }
                value.path_to(span).map(|rest| join(&key.text, &rest))
            }),
            Kind::List(entries) => entries
                .iter()
                .enumerate()
                .find_map(|(number, entry)| entry.path_to(span).map(|rest| join(&format!("[{number}]"), &rest))),
            _ => None,
        };
        let is_here = || self.span == *span || self.caret() == *span || self.alias.as_ref() == Some(span);
        deeper.or_else(|| is_here().then(String::new))
    }

    /// Where this is written, or the alias through which it came here.
    pub(super) fn place_of_use(&self) -> Span {
        self.alias.clone().unwrap_or_else(|| self.caret())
    }
}

fn join(step: &str, rest: &str) -> String {
    if rest.is_empty() || rest.starts_with('[') {
        format!("{step}{rest}")
    } else {
        format!("{step}.{rest}")
    }
}

/// Reads the one document of a file. `None` if it is no YAML at all; duplicate keys are noted and the rest is read on.
pub(super) fn parse(source: &Source<'_>, mistakes: &mut Mistakes) -> Option<Node> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES, flow_nesting_limit: MAX_DEPTH },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
        // Passed on, because the parser would stop at the first one.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        // Its snippets would show neighbouring lines, and with them secrets.
        with_snippet: false,
    };
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(source.text, options) {
        Ok(raw) => Some(
            Conversion {
                source,
                secret: false,
                mistakes,
            }
            .node(raw),
        ),
        Err(error) => {
            let (title, help) = explained(error.without_snippet());
            let at = position(source, &error);
            mistakes.note(at, title).help_if(help);
            None
        }
    }
}

/// The parser's message in our words. Its own may quote the text, which may be a secret.
fn explained(error: &Error) -> (String, Option<&'static str>) {
    match error {
        Error::MultipleDocuments { .. } => (
            "a second document begins here".into(),
            Some("one file holds one site or one scenario"),
        ),
        Error::Budget { breach, .. } if format!("{breach:?}").starts_with("Depth") => {
            (format!("nested more than {MAX_DEPTH} levels deep"), None)
        }
        Error::Budget { .. } => ("this file holds more than any site or scenario needs".into(), None),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => ("the aliases of this file expand to far more than its text".into(), None),
        Error::RecursiveReferencesRequireWeakTypes { .. } => ("this alias stands inside what it refers to".into(), None),
        Error::AliasError { error, .. } => explained(error),
        Error::UnsupportedTag { .. } => ("tags have no meaning here".into(), Some("a text that begins with `!` needs quotes")),
        Error::UnknownAnchor { .. } => unknown_anchor(),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => ("`<<` takes a mapping".into(), None),
        Error::ExternalMessage { msg, .. } if msg.contains("unknown anchor") => unknown_anchor(),
        Error::ExternalMessage { msg, .. } if msg.contains("recursion limit") => {
            (format!("nested more than {MAX_DEPTH} levels deep"), None)
        }
        Error::ExternalMessage { msg, .. } if msg.contains("simple key expected") => ("not YAML: a key without its colon".into(), None),
        Error::ExternalMessage { msg, .. } if msg.contains("tab") => {
            ("a tab in the indentation".into(), Some("YAML is indented with spaces"))
        }
        Error::ExternalMessage { msg, .. } if msg.contains("unexpected character") => {
            ("a value cannot begin with this character".into(), Some("put the value in quotes"))
        }
        Error::ExternalMessage { msg, .. } if msg.contains("mapping values are not allowed") => (
            "not YAML: a key cannot stand here".into(),
            Some("check the indentation, and put a value that holds `: ` in quotes"),
        ),
        Error::ExternalMessage { msg, .. } if msg.contains("unclosed") || msg.contains("bracket") => (format!("not YAML: {msg}"), None),
        Error::ExternalMessage { msg, .. } => (
            format!("not YAML: {msg}"),
            Some("check indentation, quotes and brackets here and just before"),
        ),
        _ => (
            "not YAML that can be read here".into(),
            Some("check indentation, quotes and brackets here and just before"),
        ),
    }
}

fn unknown_anchor() -> (String, Option<&'static str>) {
    (
        "this alias names no anchor".into(),
        Some("a text that begins with `*` needs quotes"),
    )
}

fn position(source: &Source<'_>, error: &Error) -> Span {
    let Some(location) = error.location() else { return 0..0 };
    let span = location.span();
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    // Where the scanner itself stumbled, only characters are known.
    let start = match span.byte_offset() {
        Some(offset) if number(offset) <= source.text.len() => number(offset),
        _ => source.offset_of_character(number(span.offset())),
    };
    let width = source
        .text
        .get(start..)
        .and_then(|rest| rest.chars().next())
        .map_or(0, char::len_utf8);
    start..start + width
}

/// What the parser hands over.
enum Raw {
    Nothing,
    Flag(bool),
    Whole(i128),
    Fraction,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Whole(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Whole(value))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Fraction)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Fraction)
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

struct Conversion<'a, 'b> {
    source: &'a Source<'a>,
    /// Whether it is inside the value of a key that holds a secret, where no message may repeat a word.
    secret: bool,
    mistakes: &'b mut Mistakes,
}

impl Conversion<'_, '_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let span = span(self.source, raw.defined);
        let used = span_of_use(self.source, &raw);
        let kind = match raw.value {
            Raw::Nothing => Kind::Nothing,
            Raw::Flag(value) => Kind::Flag(value),
            Raw::Whole(value) => Kind::Whole(value),
            Raw::Fraction => Kind::Fraction,
            Raw::Text(value) => Kind::Text(value),
            Raw::List(entries) => Kind::List(entries.into_iter().map(|entry| self.node(entry)).collect()),
            Raw::Map(entries) => Kind::Map(self.entries(entries)),
        };
        Node { kind, span, alias: used }
    }

    fn entries(&mut self, raw: Vec<(Spanned<Raw>, Spanned<Raw>)>) -> Vec<(Key, Node)> {
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut entries = Vec::with_capacity(raw.len());
        for (key, value) in raw {
            let span = span(self.source, key.defined);
            let text = match key.value {
                Raw::List(_) | Raw::Map(_) => {
                    self.mistakes.note(span.clone(), "a key is one word, not a list or a mapping");
                    // Nothing is read from it, but it may hold secrets, and so may its value.
                    for node in [self.node(key), self.node(value)] {
                        entries.push((Key::ignored(span.clone()), node));
                    }
                    continue;
                }
                Raw::Text(text) => text,
                _ => self.source.slice(&span).to_owned(),
            };
            if let Some(line) = seen.get(&text) {
                let title = if self.secret {
                    "a key stands twice in this mapping".to_owned()
                } else {
                    format!("the key {} stands twice in this mapping", quoted_key(&text))
                };
                self.mistakes
                    .note(span.clone(), title)
                    .label(format!("the first is in line {line}"));
            }
            let ignored = seen.contains_key(&text);
            if !ignored {
                seen.insert(text.clone(), self.source.line_number(span.start));
            }
            let outside = self.secret;
            self.secret |= is_sensitive(&text);
            let value = self.node(value);
            self.secret = outside;
            entries.push((Key { text, span, ignored }, value));
        }
        entries
    }
}

fn span(source: &Source<'_>, location: serde_yaml::Location) -> Span {
    let offset = |bytes: Option<u64>| bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
    let span = location.span();
    let start = offset(span.byte_offset()).min(source.text.len());
    start..(start + offset(span.byte_len())).min(source.text.len())
}

fn span_of_use(source: &Source<'_>, raw: &Spanned<Raw>) -> Option<Span> {
    (raw.referenced != raw.defined).then(|| span(source, raw.referenced))
}
