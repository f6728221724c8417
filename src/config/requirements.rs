//! What a scenario requires of arrived copies: words, and those that say more than a word.

use super::{
    mistakes::{Mistakes, quoted, suggestion},
    read::{At, Read, described, mapping, unexpected},
    tree::{Kind, Node},
};
use crate::model::Requirement;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// The requirements that stand in a mapping of one key.
const KEYS: [&str; 4] = ["via", "not-via", "path", "header"];
const FORM: &str =
    "a requirement such as `links-unchanged`, `{ via: PATTERN }`, `{ path: NAME }` or `{ header: { name: NAME, matches: PATTERN } }`";

mapping! {
    /// A field of the header, and what its value must be.
    HeaderShape, "`header`" {
        /// The field's name.
        name: String, needs;
        /// A pattern that the whole value of one such field must fit; it knows `*` and `?`, and no case.
        matches: String, needs;
    }
}

impl Read for Requirement {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) => word(node, text, mistakes),
            Kind::Map(entries) => {
                let [(key, value)] = entries.as_slice() else {
                    mistakes.note(node.caret(), "expected one requirement").help(FORM);
                    return None;
                };
                let text = |mistakes: &mut Mistakes| String::read(value, mistakes).filter(|text| !text.trim().is_empty());
                match key.text.as_str() {
                    "via" => text(mistakes).map(Self::Via),
                    "not-via" | "not_via" => text(mistakes).map(Self::NotVia),
                    "path" => text(mistakes).map(Self::Path),
                    "header" => header(value, mistakes),
                    other => {
                        let help = suggestion(other, KEYS);
                        let title = format!("{} is not a requirement", quoted(other));
                        mistakes.note(key.span.clone(), title).help_if(help);
                        None
                    }
                }
            }
            _ => unexpected(node, FORM, mistakes),
        }
    }
}

fn word(node: &Node, text: &str, mistakes: &mut Mistakes) -> Option<Requirement> {
    if let Some(known) = Requirement::WORDS.into_iter().find(|known| known.word() == text) {
        return Some(known);
    }
    if KEYS.contains(&text) {
        let title = format!("`{text}` needs to say more");
        mistakes.note(node.caret(), title).help(format!("expected {FORM}"));
        return None;
    }
    let words: Vec<&'static str> = Requirement::WORDS.iter().map(Requirement::word).chain(KEYS).collect();
    let help = suggestion(text, words);
    mistakes
        .note(node.caret(), format!("{} is not a requirement", quoted(text)))
        .help_if(help);
    None
}

fn header(node: &Node, mistakes: &mut Mistakes) -> Option<Requirement> {
    let shape = HeaderShape::read(node, mistakes)?;
    let (name, matches): (At<String>, At<String>) = (shape.name?, shape.matches?);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    if !is_name {
        let title = format!("{} cannot be the name of a header field", quoted(&name));
        mistakes
            .note(name.span.clone(), title)
            .help("such as `X-Spam-Status`, without the colon");
        return None;
    }
    Some(Requirement::Header {
        name: name.value,
        matches: matches.value,
    })
}

impl JsonSchema for Requirement {
    fn schema_name() -> Cow<'static, str> {
        "Requirement".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let words: Vec<_> = Requirement::WORDS.iter().map(Requirement::word).collect();
        let one = |key: &str, value: serde_json::Value| serde_json::json!({ "type": "object", "properties": { key: value }, "required": [key], "additionalProperties": false });
        let pattern = |description: &str| serde_json::json!({ "type": "string", "description": description });
        let header = described(generator.subschema_for::<HeaderShape>(), "");
        json_schema!({
            "description": "What every arrived copy must fulfil.",
            "anyOf": [
                { "enum": words },
                one("via", pattern("Some hop's host fits this pattern.")),
                one("not-via", pattern("No hop's host fits this pattern.")),
                one("path", pattern("The name of the site's path by which it must have come.")),
                one("header", header),
            ]
        })
    }
}
