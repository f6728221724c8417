//! What every builder needs: the file, its folder, the mistakes, and the placeholders that may be filled in.

use super::{
    mistakes::{Mistakes, nearest, quoted, suggestion},
    read::At,
    source::{Source, Span},
};
use crate::model::{Place, SecretSource};
use std::path::{Path, PathBuf};

/// Said of the mailboxes of groups.
pub(super) const GROUPS: &str = "not yet built: mailboxes of groups (`group`) come in a later version";

/// The file that is being read.
pub(super) struct Context<'a> {
    /// Its name, as the user gave it.
    pub(super) file: String,
    /// Its folder, where relative paths begin.
    pub(super) folder: PathBuf,
    /// Its text.
    pub(super) source: &'a Source<'a>,
    /// Its mistakes.
    pub(super) mistakes: &'a mut Mistakes,
}

impl<'a> Context<'a> {
    /// For the file at `path`.
    pub(super) fn new(path: &Path, source: &'a Source<'a>, mistakes: &'a mut Mistakes) -> Self {
        Self {
            file: path.display().to_string(),
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
            source,
            mistakes,
        }
    }

    /// The line of a span.
    pub(super) fn place(&self, span: &Span) -> Place {
        Place {
            file: self.file.clone(),
            line: self.source.line_number(span.start),
        }
    }

    /// Notes something that the structure knows and this version cannot do: [`GROUPS`].
    pub(super) fn not_yet_built(&mut self, span: &Span, what: &'static str) {
        self.mistakes.note(span.clone(), what);
    }
}

/// The placeholders that may stand in a text, and what they are filled with.
#[derive(Debug, Clone, Default)]
pub(super) struct Fill {
    values: Vec<(&'static str, String)>,
    keeps_domain: bool,
}

impl Fill {
    /// For routes: `{domain.NAME}` stays, to be filled in for each recipient.
    pub(super) fn of_route() -> Self {
        Self {
            values: Vec::new(),
            keeps_domain: true,
        }
    }

    /// For the default mailbox of an address.
    pub(super) fn of_recipient(address: &str) -> Self {
        let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
        let values = vec![("address", address.into()), ("local", local.into()), ("domain", domain.into())];
        Self {
            values,
            keeps_domain: false,
        }
    }

    /// These, and `{user}`.
    pub(super) fn with_user(&self, user: &str) -> Self {
        let mut fill = self.clone();
        fill.values.push(("user", user.to_owned()));
        fill
    }

    /// `text` filled in; a placeholder that does not exist here is a mistake.
    pub(super) fn text(&self, context: &mut Context<'_>, text: &At<String>) -> Option<At<String>> {
        match self.replace(text) {
            Ok(value) => Some(At {
                value,
                span: text.span.clone(),
            }),
            Err(name) => {
                let help = self.help_for(&name);
                context
                    .mistakes
                    .note(
                        text.span.clone(),
                        format!("the placeholder {} means nothing here", quoted(&format!("{{{name}}}"))),
                    )
                    .help(help);
                None
            }
        }
    }

    /// What to write instead of a placeholder that does not exist here.
    fn help_for(&self, name: &str) -> String {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let known: Vec<&str> = self.values.iter().map(|(known, _)| *known).collect();
        if matches!(name, "address" | "local" | "domain" | "user") && !known.contains(&name) {
            return "the recipient is known only in `defaults`".to_owned();
        }
        match nearest(first, &["domain"]) {
            Some(word) if self.keeps_domain && !rest.is_empty() => format!("did you mean `{{{word}.{rest}}}`?"),
            _ => suggestion(name, known)
                .unwrap_or_else(|| "placeholders are filled in only in `defaults`, and `{domain.NAME}` in routes".to_owned()),
        }
    }

    /// A secret's source filled in: each mailbox may have its own file or entry. Never a mistake, since nothing of it may be shown.
    pub(super) fn secret(&self, source: &SecretSource) -> SecretSource {
        let fill = |text: &str| self.replace(text).unwrap_or_else(|_| text.to_owned());
        match source {
            SecretSource::Env(name) => SecretSource::Env(name.clone()),
            SecretSource::File(path) => SecretSource::File(path.to_str().map_or_else(|| path.clone(), |path| fill(path).into())),
            SecretSource::Command(words) => SecretSource::Command(words.iter().map(|word| fill(word)).collect()),
        }
    }

    /// The text, or the name of the placeholder that has no value. What stands once is not looked at again.
    fn replace(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let name = after.split_once('}').filter(|(name, _)| is_name(name));
            let Some((name, after)) = name else {
                filled.push('{');
                rest = after;
                continue;
            };
            if self.keeps_domain && name.strip_prefix("domain.").is_some_and(|name| !name.is_empty()) {
                filled.push('{');
                filled.push_str(name);
                filled.push('}');
            } else if let Some((_, value)) = self.values.iter().find(|(known, _)| *known == name) {
                filled.push_str(value);
            } else {
                return Err(name.to_owned());
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// Braces around anything else are just braces.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// The names in `{domain.NAME}` of a text.
pub(super) fn domain_names(text: &str) -> Vec<&str> {
    let parts = text.split("{domain.").skip(1);
    parts.filter_map(|part| part.split_once('}').map(|(name, _)| name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_once() {
        let fill = Fill::of_recipient("{user}@contoso.example").with_user("u");
        assert_eq!(
            fill.replace("{local}|{domain}|{user}|{ x }|{").as_deref(),
            Ok("{user}|contoso.example|u|{ x }|{")
        );
        assert_eq!(fill.replace("{adress}"), Err("adress".to_owned()));
        assert_eq!(Fill::of_route().replace("{domain.old}:25").as_deref(), Ok("{domain.old}:25"));
        assert_eq!(domain_names("{domain.old}-{domain.new}"), ["old", "new"]);
    }
}
