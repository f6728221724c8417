//! From nodes to typed shapes, and to the JSON Schema of the same shapes.
//!
//! [`mapping!`] declares a mapping once: its keys with their types and descriptions. From that come the struct, the reading with all of its mistakes,
//! and the schema that editors use, so that none of them can say something else than the others.

use super::{
    mistakes::{Mistakes, nearest, quoted_key, suggestion},
    source::Span,
    tree::{Kind, Node},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, ops::Deref};

/// A value, and where it is written.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What can be read from a node. `None` means that a mistake was noted.
pub(super) trait Read: Sized + JsonSchema {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self>;

    /// The same, with its place.
    fn read_at(node: &Node, mistakes: &mut Mistakes) -> Option<At<Self>> {
        let span = node.caret();
        Self::read(node, mistakes).map(|value| At { value, span })
    }
}

/// Notes that something else was expected.
pub(super) fn unexpected<T>(node: &Node, expected: &str, mistakes: &mut Mistakes) -> Option<T> {
    let mistake = mistakes.note(node.caret(), format!("expected {expected}, found {}", node.in_words()));
    if matches!(node.kind, Kind::Whole(_) | Kind::Fraction | Kind::Flag(_) | Kind::Nothing) && expected.contains("text") {
        mistake.help("put it in quotes");
    }
    None
}

/// A list of values; an entry that is wrong is noted and left out.
impl<T: Read> Read for Vec<At<T>> {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        let Kind::List(entries) = &node.kind else {
            return unexpected(node, "a list", mistakes);
        };
        Some(entries.iter().filter_map(|entry| T::read_at(entry, mistakes)).collect())
    }
}

/// A mapping with names of the user's own; a value that is wrong is noted and `None`, because its name is known all the same.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, Option<At<T>>)>);

impl<T> Named<T> {
    /// The names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The values that could be read.
    pub(super) fn values(&self) -> impl Iterator<Item = (&At<String>, &At<T>)> {
        self.0.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }
}

impl<T: Read> Read for Named<T> {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            return unexpected(node, "a mapping of names", mistakes);
        };
        let mut named = Vec::with_capacity(entries.len());
        for (key, value) in entries.iter().filter(|(key, _)| !key.ignored) {
            if key.text.trim().is_empty() {
                mistakes.note(key.span.clone(), "a name is missing before the colon");
            }
            let name = At {
                value: key.text.clone(),
                span: key.span.clone(),
            };
            named.push((name, T::read_at(value, mistakes)));
        }
        Some(Self(named))
    }
}

/// One value, or a list of at least one.
#[derive(Debug)]
pub(super) struct OneOrMany<T>(pub(super) Vec<At<T>>);

impl<T: Read> Read for OneOrMany<T> {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::List(entries) if entries.is_empty() => {
                mistakes
                    .note(node.caret(), "an empty list")
                    .label("name at least one, or leave the key out");
                None
            }
            Kind::List(_) => Vec::read(node, mistakes).map(Self),
            _ => T::read_at(node, mistakes).map(|value| Self(vec![value])),
        }
    }
}

impl<T: Clone> OneOrMany<T> {
    /// The values without their places.
    pub(super) fn values(&self) -> Vec<T> {
        self.0.iter().map(|one| one.value.clone()).collect()
    }
}

macro_rules! inline {
    ($prefix:literal) => {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            format!(concat!($prefix, "{}"), T::schema_name()).into()
        }
    };
}

impl<T: JsonSchema> JsonSchema for At<T> {
    inline!("");

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    inline!("Named");

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    inline!("OneOrMany");

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

/// A boxed shape is the shape.
impl<T: Read> Read for Box<T> {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        T::read(node, mistakes).map(Box::new)
    }
}

/// Checks the keys of a mapping against those that are known, those that it needs, and those of which it takes one.
pub(super) fn check_keys(node: &Node, what: &str, known: &[&str], required: &[&str], one_of: &[&str], mistakes: &mut Mistakes) {
    let Kind::Map(entries) = &node.kind else { return };
    let mut meant = Vec::new();
    for (key, value) in entries
        .iter()
        .filter(|(key, _)| !known.contains(&key.text.as_str()) && !key.ignored)
    {
        let near = if mistakes.is_full() { None } else { nearest(&key.text, known) };
        // A word without a value may be one that slipped out of another key's place, a secret's even.
        let title = match value.kind {
            Kind::Nothing if near.is_none() => format!("{what} has no such key, and nothing stands behind it"),
            _ => format!("{what} has no key {}", quoted_key(&key.text)),
        };
        let help = if mistakes.is_full() {
            None
        } else {
            suggestion(&key.text, known.iter().copied())
        };
        mistakes.note(key.span.clone(), title).help_if(help);
        meant.extend(near);
    }
    // A misspelled key is one mistake, not a missing one as well.
    for missing in required.iter().filter(|key| node.get(key).is_none() && !meant.contains(key)) {
        mistakes.note(node.caret(), format!("{what} needs the key `{missing}`"));
    }
    let one_is_meant = meant.iter().any(|key| one_of.contains(key));
    let chosen: Vec<_> = entries
        .iter()
        .filter(|(key, _)| one_of.contains(&key.text.as_str()) && !key.ignored)
        .collect();
    let choice = || one_of.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match chosen.as_slice() {
        [] if !one_of.is_empty() && !one_is_meant => {
            mistakes.note(node.caret(), format!("{what} needs one of the keys {}", choice()));
        }
        [_, more @ ..] => {
            for (key, _) in more {
                mistakes.note(key.span.clone(), format!("{what} takes only one of the keys {}", choice()));
            }
        }
        _ => {}
    }
}

/// Declares a mapping: a struct whose fields are `Option<At<T>>`, how it is read, and its JSON Schema.
///
/// `needs` after a field's type makes the key required. `one_of` names keys of which exactly one must stand.
macro_rules! mapping {
    (
        $(#[doc = $doc:literal])*
        $name:ident, $what:literal $(, one_of [$($choice:literal),+])?
        { $( $(#[doc = $field_doc:literal])* $field:ident: $type:ty $(, $needs:ident)?; )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug)]
        #[allow(dead_code, reason = "what only a later version can fill is read and checked, but not used")]
        pub(in crate::config) struct $name {
            $( $(#[doc = $field_doc])* pub(in crate::config) $field: Option<$crate::config::read::At<$type>>, )*
            /// Whether a mistake was noted in it: what is not there may then be what was meant.
            pub(in crate::config) faulty: bool,
        }

        impl $name {
            const KEYS: &'static [&'static str] = &[$(stringify!($field)),*];
            const REQUIRED: &'static [&'static str] = &[$($($crate::config::read::mapping!(@required $field $needs),)?)*];
            const ONE_OF: &'static [&'static str] = &[$($($choice),+)?];
        }

        impl $crate::config::read::Read for $name {
            fn read(node: &$crate::config::tree::Node, mistakes: &mut $crate::config::mistakes::Mistakes) -> Option<Self> {
                if !matches!(node.kind, $crate::config::tree::Kind::Map(_)) {
                    return $crate::config::read::unexpected(node, concat!("a mapping (", $what, ")"), mistakes);
                }
                let before = mistakes.count();
                $crate::config::read::check_keys(node, $what, Self::KEYS, Self::REQUIRED, Self::ONE_OF, mistakes);
                Some(Self {
                    $($field: node
                        .get(stringify!($field))
                        .and_then(|value| <$type as $crate::config::read::Read>::read_at(value, mistakes)),)*
                    faulty: mistakes.count() > before,
                })
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).trim_end_matches("Shape").into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut properties = serde_json::Map::new();
                $(
                    let schema = generator.subschema_for::<$type>();
                    let text = concat!($($field_doc),*).trim();
                    properties.insert(stringify!($field).into(), $crate::config::read::described(schema, text));
                )*
                $crate::config::read::object(concat!($($doc),*).trim(), &properties, Self::REQUIRED, Self::ONE_OF)
            }
        }
    };
    (@required $field:ident needs) => { stringify!($field) };
}
pub(super) use mapping;

/// A property's schema with its description, beside a `$ref` if it is one (JSON Schema 2020-12 section 8.2.3.1 allows that).
pub(super) fn described(mut schema: Schema, text: &str) -> serde_json::Value {
    if !text.is_empty() {
        schema.insert("description".into(), text.into());
    }
    schema.to_value()
}

/// The schema of a mapping.
pub(super) fn object(text: &str, properties: &serde_json::Map<String, serde_json::Value>, required: &[&str], one_of: &[&str]) -> Schema {
    let mut schema = json_schema!({ "type": "object", "description": text, "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    if !one_of.is_empty() {
        let choices: Vec<_> = one_of.iter().map(|key| serde_json::json!({ "required": [key] })).collect();
        schema.insert("oneOf".into(), choices.into());
    }
    schema
}
