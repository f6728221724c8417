//! What a tenant may write in several ways: its certificate, its outside identity provider, its cloud, and what is only ever `true`.
//!
//! No message repeats what stands at a certificate: people paste keys there. What it cannot see: whether a file is what it should be.

use super::{
    choices::Secret,
    mistakes::{Mistakes, nearest, quoted},
    read::{Read, described, mapping, unexpected},
    shapes::CaShape,
    tree::{Kind, Node},
};
use crate::model::{SecretSource, TenantCloud};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, path::PathBuf};

/// A certificate with its key.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    /// As the site writes it.
    pub(super) file: PathBuf,
    /// The password of a PFX file.
    pub(super) password: Option<SecretSource>,
}

/// The ways of giving a certificate.
const CERTIFICATE_FORM: &str = "name its file: `{ file: PATH }`, for a PFX with `password: { env: NAME }`";

impl Read for Certificate {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            let title = match node.kind {
                Kind::Nothing => "expected the file of a certificate, found nothing",
                _ => "a certificate stands in a file of its own, not here",
            };
            mistakes.note(node.place_of_use(), title).help(CERTIFICATE_FORM);
            return None;
        };
        let mut sound = true;
        let unknown = entries
            .iter()
            .filter(|(key, _)| !key.ignored && !matches!(key.text.as_str(), "file" | "password"));
        for (key, _) in unknown {
            mistakes
                .note(key.span.clone(), "a certificate has no such key")
                .help(CERTIFICATE_FORM);
            sound = false;
        }
        let file = match node.get("file").map(|file| (&file.kind, file)) {
            Some((Kind::Text(path), _)) if !path.trim().is_empty() => Some(path.into()),
            Some((_, file)) => {
                mistakes.note(file.caret(), "expected the path of a file").help(CERTIFICATE_FORM);
                None
            }
            None if sound => {
                mistakes
                    .note(node.caret(), "a certificate needs the key `file`")
                    .help(CERTIFICATE_FORM);
                None
            }
            None => None,
        };
        let password = match node.get("password") {
            Some(password) => Some(Secret::read(password, mistakes)?.0),
            None => None,
        };
        file.filter(|_| sound).map(|file| Self { file, password })
    }
}

impl JsonSchema for Certificate {
    fn schema_name() -> Cow<'static, str> {
        "Certificate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let password = described(generator.subschema_for::<Secret>(), "The password of a PFX file.");
        json_schema!({
            "type": "object",
            "description": "A certificate with its private key.",
            "properties": {
                "file": { "type": "string", "description": "PEM or PFX; a relative path begins at the site's folder." },
                "password": password
            },
            "required": ["file"],
            "additionalProperties": false
        })
    }
}

/// Who vouches for the app instead of a secret.
#[derive(Debug, Clone)]
pub(super) enum Federated {
    /// The running job of GitHub Actions.
    GitHub,
    /// Whoever writes this file, as Kubernetes does.
    TokenFile(PathBuf),
}

mapping! {
    /// A token of an outside identity provider, in a file.
    TokenFileShape, "`federated`" {
        /// The file, which is read anew for each sign-in; a relative path begins at the site's folder.
        token_file: String, needs;
    }
}

impl Read for Federated {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        const FORM: &str = "`github` or `{ token_file: PATH }`";
        match &node.kind {
            Kind::Text(text) if text == "github" => Some(Self::GitHub),
            Kind::Text(text) => {
                // Not repeated: it may be the token itself.
                let help = match nearest(text, &["github"]) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => "a token itself stands in a file, which its provider keeps fresh".to_owned(),
                };
                mistakes.note(node.caret(), format!("expected {FORM}")).help(help);
                None
            }
            Kind::Map(_) => Some(Self::TokenFile(TokenFileShape::read(node, mistakes)?.token_file?.value.into())),
            _ => unexpected(node, FORM, mistakes),
        }
    }
}

impl JsonSchema for Federated {
    fn schema_name() -> Cow<'static, str> {
        "Federated".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let file = described(generator.subschema_for::<TokenFileShape>(), "");
        json_schema!({
            "description": "Who vouches for the app: the running job of GitHub Actions, or whoever writes a token into a file, as Kubernetes does.",
            "anyOf": [{ "const": "github" }, file]
        })
    }
}

/// Where a tenant lives, as the site writes it.
#[derive(Debug)]
pub(super) enum CloudChoice {
    /// One of Microsoft's.
    Named(TenantCloud),
    /// A simulated tenant.
    Loopback(Box<LoopbackShape>),
}

mapping! {
    /// A simulated tenant on this machine, for trying things out.
    LoopbackShape, "a simulated tenant" {
        /// The root of its sign-in, such as `https://127.0.0.1:8443`. Only loopback hosts are taken.
        authority: String, needs;
        /// The root of its Graph, such as `https://127.0.0.1:8443`. Only loopback hosts are taken.
        graph: String, needs;
        /// The CA of its certificate.
        ca: CaShape;
    }
}

const CLOUDS: [(&str, TenantCloud); 4] = [
    ("global", TenantCloud::Global),
    ("usgov-l4", TenantCloud::UsGovL4),
    ("usgov-l5", TenantCloud::UsGovL5),
    ("china", TenantCloud::China),
];

impl Read for CloudChoice {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => Box::read(node, mistakes).map(Self::Loopback),
            Kind::Text(text) => {
                if let Some((_, cloud)) = CLOUDS.iter().find(|(word, _)| word == text) {
                    return Some(Self::Named(cloud.clone()));
                }
                let help = match nearest(text, &CLOUDS.each_ref().map(|(word, _)| *word)) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => "`global` (GCC too), `usgov-l4` (GCC High), `usgov-l5` (DoD) or `china` (21Vianet)".to_owned(),
                };
                mistakes.note(node.caret(), format!("{} is not a cloud", quoted(text))).help(help);
                None
            }
            _ => unexpected(node, "the name of a cloud", mistakes),
        }
    }
}

impl JsonSchema for CloudChoice {
    fn schema_name() -> Cow<'static, str> {
        "Cloud".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let loopback = described(generator.subschema_for::<LoopbackShape>(), "");
        json_schema!({
            "description": "The cloud: `global` (GCC too), `usgov-l4` (GCC High), `usgov-l5` (DoD) or `china` (21Vianet).",
            "anyOf": [{ "enum": CLOUDS.each_ref().map(|(word, _)| *word) }, loopback]
        })
    }
}

/// `true`, where saying anything else would be saying nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Yes;

impl Read for Yes {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match node.kind {
            Kind::Flag(true) => Some(Self),
            Kind::Flag(false) => {
                mistakes.note(node.caret(), "this can only be `true`").help("leave the key out");
                None
            }
            _ => unexpected(node, "`true`", mistakes),
        }
    }
}

impl JsonSchema for Yes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Yes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": true })
    }
}
