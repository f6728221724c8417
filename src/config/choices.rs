//! What may be written in several ways: a mailbox by its name or in place, a quarantine, the source of a secret.

use super::{
    mistakes::{Mistakes, nearest, shown},
    read::{At, Read, described, unexpected},
    shapes::MailboxShape,
    tree::{Kind, Node},
};
use crate::model::SecretSource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// A mailbox where one is needed.
#[derive(Debug)]
pub(super) enum MailboxRef {
    /// There is none.
    None,
    /// The one of this name.
    Name(String),
    /// This one.
    Here(Box<MailboxShape>),
}

impl Read for MailboxRef {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => Box::read(node, mistakes).map(Self::Here),
            Kind::Text(text) if text == "none" => Some(Self::None),
            Kind::Text(_) => String::read(node, mistakes).map(Self::Name),
            _ => unexpected(node, "the name of a mailbox, or a mailbox in place", mistakes),
        }
    }
}

impl JsonSchema for MailboxRef {
    fn schema_name() -> Cow<'static, str> {
        "MailboxOrName".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let here = described(generator.subschema_for::<MailboxShape>(), "");
        json_schema!({ "description": "The name of a mailbox, a mailbox in place, or none.", "anyOf": [{ "type": "string" }, here] })
    }
}

/// Where a quarantine would hold mail.
#[derive(Debug)]
pub(super) enum Quarantine {
    /// There is none.
    None,
    /// There is one that nobody can read.
    Unreadable,
    /// The provider's trace tells.
    Trace,
    /// In these mailboxes.
    In(Vec<At<MailboxRef>>),
}

impl Read for Quarantine {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        const FORM: &str = "a list of mailboxes, `none`, `unreadable` or `trace`";
        match &node.kind {
            Kind::List(list) if list.is_empty() => {
                mistakes
                    .note(node.caret(), "an empty list")
                    .help("`none` says that there is no quarantine");
                None
            }
            Kind::List(_) => Vec::read(node, mistakes).map(Self::In),
            Kind::Text(text) if text == "none" => Some(Self::None),
            Kind::Text(text) if text == "unreadable" => Some(Self::Unreadable),
            Kind::Text(text) if text == "trace" => Some(Self::Trace),
            Kind::Text(text) => {
                let help = match nearest(text, &["none", "unreadable", "trace"]) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("mailboxes stand in a list: `[{}]`", shown(text)),
                };
                mistakes.note(node.caret(), format!("expected {FORM}")).help(help);
                None
            }
            _ => unexpected(node, FORM, mistakes),
        }
    }
}

impl JsonSchema for Quarantine {
    fn schema_name() -> Cow<'static, str> {
        "Quarantine".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mailbox = generator.subschema_for::<MailboxRef>();
        json_schema!({
            "description": "The mailboxes that hold mail in quarantine; `none` if there are none, `unreadable` if nobody can read them. `trace`: the message trace of their tenant tells.",
            "anyOf": [{ "enum": ["none", "unreadable", "trace"] }, { "type": "array", "items": mailbox, "minItems": 1 }]
        })
    }
}

/// Where a secret comes from. No message repeats what was written here.
#[derive(Debug, Clone)]
pub(super) struct Secret(pub(super) SecretSource);

/// The ways of giving a secret.
const SECRET_FORMS: &str = "take it from elsewhere: `{ env: NAME }`, `{ file: PATH }` or `{ command: [PROGRAM, ...] }`";

impl Read for Secret {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            let title = match node.kind {
                Kind::Nothing => "expected the source of a secret, found nothing",
                _ => "a secret stands literally in this file",
            };
            mistakes.note(node.place_of_use(), title).help(SECRET_FORMS);
            return None;
        };
        let [(key, value)] = entries.as_slice() else {
            mistakes.note(node.caret(), "expected one source of a secret").help(SECRET_FORMS);
            return None;
        };
        let mut wrong = |span, title: &str| {
            mistakes.note(span, title).help(SECRET_FORMS);
            None
        };
        match (key.text.as_str(), &value.kind) {
            ("env", Kind::Text(name)) if is_variable(name) => Some(Self(SecretSource::Env(name.clone()))),
            ("env", _) => wrong(value.caret(), "expected the name of an environment variable"),
            ("file", Kind::Text(path)) if !path.trim().is_empty() => Some(Self(SecretSource::File(path.into()))),
            ("file", _) => wrong(value.caret(), "expected the path of a file"),
            ("command", Kind::List(words)) => {
                let texts = words.iter().map(|word| match &word.kind {
                    Kind::Text(text) => Some(text.clone()),
                    _ => None,
                });
                match texts.collect::<Option<Vec<_>>>() {
                    Some(words) if words.first().is_some_and(|program| !program.is_empty()) => Some(Self(SecretSource::Command(words))),
                    _ => wrong(value.caret(), "expected a program and its arguments, each as text"),
                }
            }
            ("command", _) => wrong(value.caret(), "expected a list: the program and its arguments (there is no shell)"),
            _ => wrong(key.span.clone(), "a secret has no such source"),
        }
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let source = |key: &str, value: serde_json::Value| serde_json::json!({ "type": "object", "properties": { key: value }, "required": [key], "additionalProperties": false });
        json_schema!({
            "description": "Where a secret comes from; never the secret itself.",
            "anyOf": [
                source("env", serde_json::json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "description": "An environment variable." })),
                source("file", serde_json::json!({ "type": "string", "description": "The first line of this file; a relative path begins at the site's folder." })),
                source("command", serde_json::json!({ "type": "array", "items": { "type": "string" }, "minItems": 1,
                    "description": "The first line that this program prints; it is run without a shell, in the site's folder." })),
            ]
        })
    }
}

fn is_variable(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}
