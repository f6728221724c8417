//! The contract's words: requirements, placements, protections, and what may be expected.

use super::{
    mistakes::{Mistakes, quoted, suggestion},
    read::{At, Read, described, mapping, unexpected},
    tree::{Kind, Node},
};
use crate::model::{Expectation, Placement, TraceExplainer, Verdict};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, de::value::StrDeserializer};
use std::{borrow::Cow, fmt};

/// What serde knows when a word is none of an enum's: all that would be.
#[derive(Debug)]
struct UnknownWord(&'static [&'static str]);

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown word")
    }
}

impl std::error::Error for UnknownWord {}

impl serde::de::Error for UnknownWord {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

fn word<T: for<'de> Deserialize<'de>>(node: &Node, what: &str, mistakes: &mut Mistakes) -> Option<T> {
    let Kind::Text(text) = &node.kind else {
        return unexpected(node, what, mistakes);
    };
    match T::deserialize(StrDeserializer::<UnknownWord>::new(text)) {
        Ok(word) => Some(word),
        Err(UnknownWord(known)) => {
            let help = suggestion(text, known.iter().copied());
            mistakes.note(node.caret(), format!("{} is not {what}", quoted(text))).help_if(help);
            None
        }
    }
}

macro_rules! words {
    ($($type:ty: $what:literal),+ $(,)?) => {
        $(impl Read for $type {
            fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
                word(node, $what, mistakes)
            }
        })+
    };
}

words! {
    Placement: "a placement",
    TlsWord: "a way of protecting the connection",
    AuthWord: "a way of signing in",
    TraceExplainer: "a way of explaining a row of the trace",
}

/// What `tls:` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TlsWord {
    /// STARTTLS with a certificate that holds, or nothing is sent.
    Required,
    /// STARTTLS where offered, whatever the certificate.
    Opportunistic,
    /// In the clear.
    None,
}

/// What `auth:` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum AuthWord {
    /// SASL XOAUTH2 with `token`.
    Xoauth2,
}

/// What `expect:` and `known:` may name.
#[derive(Debug, Clone)]
pub(super) struct Expected(pub(super) Expectation);

mapping! {
    /// The verdict `folder`, in the folder of this name.
    FolderShape, "an expected folder" {
        /// The folder's name.
        folder: String, needs;
    }
}

impl Expected {
    /// The words that may be expected: every verdict except the two that say that nothing was measured.
    fn words() -> impl Iterator<Item = &'static str> {
        let verdicts = Verdict::ALL
            .into_iter()
            .filter(|verdict| !matches!(verdict, Verdict::Unknown | Verdict::Pending));
        verdicts.map(Verdict::word).chain(["returned"])
    }
}

impl Read for Expected {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "returned" => Some(Self(Expectation::Returned)),
            Kind::Text(text) if text == Verdict::Unknown.word() || text == Verdict::Pending.word() => {
                mistakes.note(
                    node.caret(),
                    format!("`{text}` cannot be expected: it says that nothing was measured"),
                );
                None
            }
            Kind::Text(text) => {
                let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.word() == text);
                if verdict.is_none() {
                    let help = suggestion(text, Self::words());
                    mistakes
                        .note(node.caret(), format!("{} is not a verdict", quoted(text)))
                        .help_if(help);
                }
                verdict.map(|verdict| Self(Expectation::Verdict(verdict)))
            }
            Kind::Map(_) => {
                let shape = FolderShape::read(node, mistakes)?;
                Some(Self(Expectation::Folder(shape.folder?.value)))
            }
            _ => unexpected(node, "a verdict or `{ folder: NAME }`", mistakes),
        }
    }
}

impl JsonSchema for Expected {
    fn schema_name() -> Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let words: Vec<_> = Self::words().collect();
        let folder = described(generator.subschema_for::<FolderShape>(), "");
        json_schema!({
            "description": "A verdict; `returned` stands for rejected or bounced.",
            "anyOf": [{ "enum": words }, folder]
        })
    }
}

/// The expectations without their places.
pub(super) fn expectations(list: &[At<Expected>]) -> Vec<Expectation> {
    list.iter().map(|expected| expected.0.clone()).collect()
}
