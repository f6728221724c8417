//! The kinds of message in a scenario: a word, or a word with what it needs. Templates are read here, and checked.

use super::{
    context::Context,
    mistakes::{Mistakes, quoted, suggestion},
    read::{At, OneOrMany, Read, unexpected},
    tree::{Kind, Node},
};
use crate::{compose::template, model::MessageKind};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::{borrow::Cow, collections::BTreeMap, fs::File, io::Read as _, path::Path};

/// A kind of message, as a scenario names it.
#[derive(Debug, Clone)]
pub(super) struct Message(pub(super) MessageKind);

/// The keys of a kind with data, each with what it takes.
const WITH_DATA: [(&str, &str); 3] = [("large", "20MB"), ("template", "notice.eml"), ("display-name", "Kim Lee")];

fn words() -> impl Iterator<Item = &'static str> {
    let simple = MessageKind::ALL.iter().map(MessageKind::word);
    simple.chain(WITH_DATA.iter().map(|(word, _)| *word).filter(|word| *word != "large"))
}

impl Read for Message {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) => Self::of_word(node, text, mistakes),
            Kind::Map(entries) => {
                let [(key, value)] = entries.as_slice() else {
                    mistakes
                        .note(node.caret(), "expected one kind of message")
                        .help("each kind is an entry of its own: `[{ template: notice.eml }, { large: 20MB }]`");
                    return None;
                };
                match key.text.as_str() {
                    "large" => size(value, mistakes).map(|octets| Self(MessageKind::Large(octets))),
                    "template" => String::read(value, mistakes).map(|file| Self(MessageKind::Template(file))),
                    "display-name" => String::read(value, mistakes).map(|name| Self(MessageKind::DisplayName(name))),
                    word if words().any(|known| known == word) => {
                        mistakes
                            .note(key.span.clone(), format!("{} takes nothing", quoted(word)))
                            .help(format!("write `{word}` alone"));
                        None
                    }
                    other => {
                        mistakes
                            .note(key.span.clone(), format!("{} is not a kind of message", quoted(other)))
                            .help_if(suggestion(other, WITH_DATA.iter().map(|(word, _)| *word)));
                        None
                    }
                }
            }
            _ => unexpected(node, "a kind of message", mistakes),
        }
    }
}

impl Message {
    fn of_word(node: &Node, text: &str, mistakes: &mut Mistakes) -> Option<Self> {
        if let Some(kind) = MessageKind::ALL.iter().find(|kind| kind.word() == text) {
            return Some(Self(kind.clone()));
        }
        match WITH_DATA.iter().find(|(word, _)| *word == text) {
            Some((word, example)) => {
                mistakes
                    .note(node.caret(), format!("`{word}` says too little"))
                    .help(format!("write `{{ {word}: {example} }}`"));
            }
            None => {
                mistakes
                    .note(node.caret(), format!("{} is not a kind of message", quoted(text)))
                    .help_if(suggestion(text, words()));
            }
        }
        None
    }
}

fn size(node: &Node, mistakes: &mut Mistakes) -> Option<u64> {
    const FORM: &str = "a size such as 20MB or 300KB";
    let Kind::Text(text) = &node.kind else {
        return unexpected(node, FORM, mistakes);
    };
    let Some(octets) = MessageKind::octets(text) else {
        mistakes.note(node.caret(), format!("expected {FORM}, found {}", quoted(text)));
        return None;
    };
    if !(MessageKind::LEAST..=MessageKind::MOST).contains(&octets) {
        let [least, most] = [MessageKind::LEAST, MessageKind::MOST].map(|octets| MessageKind::Large(octets).to_string());
        let [least, most] = [&least, &most].map(|shown| shown.trim_start_matches("large "));
        mistakes.note(
            node.caret(),
            format!("expected a size from {least} to {most}, found {}", quoted(text)),
        );
        return None;
    }
    Some(octets)
}

/// The kinds of `list`. What may not be sent is noted, and templates are read into `templates`.
pub(super) fn kinds(
    context: &mut Context<'_>,
    list: &OneOrMany<Message>,
    malware: bool,
    templates: &mut BTreeMap<String, String>,
) -> Vec<MessageKind> {
    for message in &list.0 {
        match &message.0 {
            MessageKind::Eicar if !malware => {
                context
                    .mistakes
                    .note(message.span.clone(), "`eicar` is sent only where the scenario allows it")
                    .help(
                        "it is what every virus scanner raises an alarm for: tell those who watch, then write `allow_malware_test: true`",
                    );
            }
            MessageKind::Template(file) if !templates.contains_key(file) => {
                if let Some(text) = template_of(context, message, file) {
                    templates.insert(file.clone(), text);
                }
            }
            _ => {}
        }
    }
    list.values().into_iter().map(|message| message.0).collect()
}

fn template_of(context: &mut Context<'_>, at: &At<Message>, file: &str) -> Option<String> {
    let path = context.folder.join(file);
    let shown = path.display().to_string();
    let checked = read(&path)
        .map_err(|title| (format!("the template {} {title}", quoted(&shown)), None))
        .and_then(|text| {
            template::check(&text).map_err(|flaw| {
                let place = quoted(&format!("{shown}:{}", flaw.line));
                let help = flaw.placeholder.map(|name| {
                    suggestion(&name, template::PLACEHOLDERS)
                        .unwrap_or_else(|| format!("those that exist: {}", template::PLACEHOLDERS.join(", ")))
                });
                (format!("in {place}: {}", flaw.what), help)
            })?;
            Ok(text)
        });
    match checked {
        Ok(text) => Some(text),
        Err((title, help)) => {
            let help = help.unwrap_or_else(|| {
                "a template is a message as a file (.eml), UTF-8; a relative path begins at the scenario's folder".into()
            });
            context.mistakes.note(at.span.clone(), title).help(help);
            None
        }
    }
}

/// The text of a template; what is wrong with the file otherwise.
fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    if !path.metadata().map_err(failed)?.is_file() {
        return Err("is no plain file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(template::LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > template::LONGEST {
        return Err(format!("is longer than {} MiB", template::LONGEST / (1024 * 1024)));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

impl JsonSchema for Message {
    fn schema_name() -> Cow<'static, str> {
        "MessageKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let simple = MessageKind::ALL
            .iter()
            .map(|kind| serde_json::json!({ "type": "string", "const": kind.word(), "description": meaning(kind) }));
        let with = |key: &str, value: serde_json::Value| serde_json::json!({ "type": "object", "properties": { key: value }, "required": [key], "additionalProperties": false });
        let data = [
            with(
                "large",
                serde_json::json!({ "type": "string", "pattern": "^[0-9]+(B|[kK]B|KiB|MB|MiB)$", "description": "A message of this size, header included, such as 20MB." }),
            ),
            with(
                "template",
                serde_json::json!({ "type": "string", "description": "A message of your own: a file (.eml) in UTF-8 with placeholders such as {tag}, {recipient}, {role}, {date} and {link}. A relative path begins at the scenario's folder." }),
            ),
            with(
                "display-name",
                serde_json::json!({ "type": "string", "description": "This person's name before the sender's own address in `From`. Only to domains listed under the site's `own_domains`." }),
            ),
        ];
        json_schema!({ "description": "The kind of message that carries a probe.", "oneOf": simple.chain(data).collect::<Vec<_>>() })
    }
}

/// What editors show beside a word.
fn meaning(kind: &MessageKind) -> &'static str {
    match kind {
        MessageKind::Plain => "Plain text.",
        MessageKind::Html => "HTML with a plain alternative.",
        MessageKind::Link => "A link to the sender's own domain.",
        MessageKind::Attachment => "A small PDF attached.",
        MessageKind::Verification => "The shape of a verification notice: a code, a link, a deadline. It impersonates nobody.",
        MessageKind::Office => "A small Word document attached.",
        MessageKind::Archive => "A zip archive attached.",
        MessageKind::EncryptedZip => "An encrypted zip archive attached; its password stands in the text.",
        MessageKind::Calendar => "An invitation to a meeting.",
        MessageKind::Large(_) => "A message of 5MB; `{ large: SIZE }` sets another size.",
        MessageKind::Unicode => "Text in many scripts.",
        MessageKind::List => "A message of a mailing list, by its header.",
        MessageKind::Gtube => "The string that every spam filter knows (GTUBE).",
        MessageKind::Eicar => "The file that every virus scanner knows (EICAR). Only with `allow_malware_test: true`.",
        MessageKind::AutoReply => "Leaves out `Auto-Submitted` (RFC 3834), so that automatic responders answer.",
        MessageKind::SelfSpoof => "`From` in the recipient's own domain. Only to domains listed under the site's `own_domains`.",
        MessageKind::DisplayName(_) => "A protected person's name before the sender's own address.",
        MessageKind::Template(_) => "A message of your own.",
    }
}
