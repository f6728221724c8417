//! Which bytes of a file must never be shown: the values of keys that hold secrets, and the user part of URLs.
//!
//! People paste passwords where they do not belong and misspell the key above them, so keys are matched generously, and all that stands after such
//! a key is masked unless the tree proves it harmless. What it cannot see: a password under an innocent key, such as `name: hunter2`,
//! unless its form gives it away.

use super::{
    source::{Source, Span},
    tree::{Key, Kind, Node},
};

/// What is shown instead. It does not betray the length.
pub(super) const MASK: &str = "***";

/// The spans to mask, in order and apart.
#[derive(Debug, Default)]
pub(super) struct Masks(Vec<Span>);

impl Masks {
    fn from_spans(mut spans: Vec<Span>) -> Self {
        spans.retain(|span| !span.is_empty());
        spans.sort_by_key(|span| span.start);
        let mut merged: Vec<Span> = Vec::new();
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        Self(merged)
    }

    /// The text of `window` with its secrets masked, and where `caret` is in it then. Inside a mask the caret covers the whole of it.
    pub(super) fn apply(&self, source: &Source<'_>, window: &Span, caret: &Span) -> (String, Span) {
        let mut shown = String::new();
        let mut pieces = Vec::new();
        let mut at = window.start;
        let mut push = |span: Span, masked: bool| {
            let start = shown.len();
            shown.push_str(if masked { MASK } else { source.slice(&span) });
            pieces.push((span, start..shown.len(), masked));
        };
        for mask in self.0.iter().filter(|mask| mask.end > window.start && mask.start < window.end) {
            let (start, end) = (mask.start.max(window.start), mask.end.min(window.end));
            push(at..start, false);
            push(start..end, true);
            at = end;
        }
        push(at..window.end, false);
        let place = |offset: usize, is_end: bool| {
            let piece = pieces.iter().find(|(span, _, _)| offset < span.end || is_end && offset <= span.end);
            match piece {
                Some((_, to, true)) if is_end => to.end,
                Some((_, to, true)) => to.start,
                Some((from, to, false)) => to.start + offset.saturating_sub(from.start),
                None => shown.len(),
            }
        };
        let start = place(caret.start, false);
        let end = place(caret.end, true).max(start);
        (shown, start..end)
    }
}

/// Whether a key, however it is spelled, holds a secret.
pub(super) fn is_sensitive(key: &str) -> bool {
    const EXACT: [&str; 12] = [
        "password",
        "passwd",
        "passphrase",
        "pass",
        "pwd",
        "token",
        "secret",
        "tagkey",
        "certificate",
        "credentials",
        "apikey",
        "privatekey",
    ];
    const ENDINGS: [&str; 5] = ["password", "passwd", "secret", "token", "credential"];
    let plain: String = key
        .chars()
        .filter(|character| character.is_alphabetic())
        .flat_map(char::to_lowercase)
        .collect();
    let near = |word: &str| {
        let allowed = match word.len() {
            0..=4 => 0,
            5 => 1,
            _ => 2,
        };
        plain.len().abs_diff(word.len()) <= allowed && strsim::damerau_levenshtein(&plain, word) <= allowed
    };
    let is_key = plain == "key" || key.to_lowercase().ends_with("_key") || key.to_lowercase().ends_with("-key");
    is_key || EXACT.iter().any(|word| near(word)) || ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

/// Whether a word of running text makes what follows it suspect.
fn is_suspect(word: &str) -> bool {
    let lower = word.to_lowercase();
    is_sensitive(word) || ["passw", "secret", "token", "credential"].iter().any(|part| lower.contains(part))
}

/// `text` with the user part of every URL masked.
pub(super) fn without_userinfo(text: &str) -> String {
    let (masks, source) = (Masks::from_spans(userinfo(text)), Source::new(text));
    masks.apply(&source, &(0..text.len()), &(0..0)).0
}

/// The user parts of the URLs in one value. A password may hold any character, so that one ends at the last `@`.
fn userinfo(text: &str) -> Vec<Span> {
    let whole = text.find("://").and_then(|start| Some(start + 3..text.rfind('@')?));
    whole
        .into_iter()
        .chain(no_port(text))
        .chain(runs_with_userinfo(text))
        .chain(known_forms(text))
        .chain(web_paths(text))
        .filter(|span| span.start < span.end)
        .collect()
}

/// What stands where a URL's port would and is none: without its `@`, a password looks like that.
fn no_port(text: &str) -> Option<Span> {
    let start = text.find("://")? + 3;
    let rest = text.get(start..).filter(|rest| !rest.contains('@'))?;
    let colon = start + rest.find(':').filter(|_| !rest.starts_with('['))? + 1;
    let end = text[colon..]
        .find(['/', ' ', '"', '\''])
        .map_or(text.len(), |length| colon + length);
    (!text[colon..end].bytes().all(|byte| byte.is_ascii_digit())).then_some(colon..end)
}

/// What stands behind the host of a web address: that of a webhook admits whoever knows it.
fn web_paths(text: &str) -> impl Iterator<Item = Span> + '_ {
    const LEAST: usize = 4;
    ["https://", "http://"]
        .into_iter()
        .flat_map(|scheme| text.match_indices(scheme).map(move |(at, _)| at + scheme.len()))
        .filter_map(|host| {
            let rest = &text[host..];
            let whole = rest
                .find(|character: char| character.is_whitespace() || matches!(character, '"' | '\'' | '`' | '}'))
                .unwrap_or(rest.len());
            let path = rest[..whole].find(['/', '?', '#'])? + 1;
            (whole - path >= LEAST).then_some(host + path..host + whole)
        })
}

/// What is a secret by its own form, wherever it stands: a client secret of Entra ID (`abc8Q~…`), or a token in three parts (RFC 7519), which begins
/// with `{"` in base64. People paste them for the ids that the same page shows.
fn known_forms(text: &str) -> impl Iterator<Item = Span> + '_ {
    const LEAST: usize = 30;
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-._~".contains(character);
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.find(is_part)?;
        let end = text[start..]
            .find(|character| !is_part(character))
            .map_or(text.len(), |length| start + length);
        at = end;
        Some(start..end)
    })
    .filter(move |span| {
        let run = &text[span.clone()];
        let of_entra = || {
            run.find("Q~")
                .is_some_and(|at| run[..at].ends_with(|last: char| last.is_ascii_digit()))
        };
        run.len() >= LEAST && (run.starts_with("eyJ") || of_entra())
    })
}

/// What follows a suspect word within a key: without a blank behind its colon, a secret is part of the key.
pub(super) fn after_word(key: &str) -> Option<usize> {
    suspect_word(key).map(|word| word.end).filter(|end| *end < key.len())
}

/// The same in any text, where slashes and quotes may be misplaced: what has a colon and then an `@` without a blank between.
fn runs_with_userinfo(text: &str) -> impl Iterator<Item = Span> + '_ {
    let mut next = 0;
    text.split_inclusive(char::is_whitespace).filter_map(move |run| {
        let start = next;
        next += run.len();
        let end = run.rfind('@').filter(|end| run[..*end].contains(':'))?;
        let behind = run.find("://").map_or(0, |at| at + 3);
        Some(start + behind.min(end)..start + end)
    })
}

/// The masks of a file that could not be parsed: from a suspect word to the end of its line, and on while it may continue.
pub(super) fn of_text(source: &Source<'_>) -> Masks {
    let mut masks = Vec::new();
    let mut open = 0_usize;
    // Lines indented deeper than this belong to the suspect key above them.
    let mut beneath = None;
    for number in 0..source.lines() {
        let line = source.line(number);
        let text = source.slice(&line);
        let indentation = text.len() - text.trim_start().len();
        masks.extend(
            userinfo(text)
                .into_iter()
                .map(|span| line.start + span.start..line.start + span.end),
        );
        let is_deeper = |column| indentation > column || text[..indentation].contains('\t');
        if beneath.is_some_and(|column| is_deeper(column) || !is_entry(text)) {
            masks.push(line.start + indentation..line.end);
            continue;
        }
        beneath = None;
        for byte in text.bytes() {
            match byte {
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.saturating_sub(1),
                _ => {}
            }
        }
        if let Some(word) = suspect_word(text) {
            let value = text[word.end..].trim_start_matches(['"', '\'', ' ']);
            let from = text.len() - value.strip_prefix(':').unwrap_or(value).trim_start_matches(' ').len();
            if open > 0 || text[word.end..].matches(['"', '\'']).count() % 2 == 1 {
                // An open bracket or quote: nobody can tell where the value ends.
                masks.push(line.start + from..source.text.len());
                break;
            }
            masks.push(line.start + from..line.end);
            beneath = Some(word.start);
        } else if has_split_word(text) {
            masks.push(line.start + indentation..line.end);
        }
    }
    Masks::from_spans(masks)
}

/// Whether punctuation that slipped into it splits a suspect word.
fn has_split_word(text: &str) -> bool {
    let whole = text.replace(|character: char| character.is_ascii_punctuation() && character != '_', "");
    suspect_word(text).is_none() && suspect_word(&whole).is_some()
}

/// Whether a line begins something of its own: an entry of a mapping or a list, a comment, a document.
fn is_entry(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '-']);
    let begins = text.starts_with('#') || text.starts_with('{') && text.contains(':');
    begins
        || words(text)
            .next()
            .is_some_and(|word| word.start <= 1 && text[word.end..].trim_start_matches(['"', '\'']).starts_with(':'))
}

fn suspect_word(text: &str) -> Option<Span> {
    words(text).find(|word| is_suspect(&text[word.clone()]))
}

fn words(text: &str) -> impl Iterator<Item = Span> + '_ {
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == '-';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.find(is_part)?;
        let end = text[start..]
            .find(|character| !is_part(character))
            .map_or(text.len(), |length| start + length);
        at = end;
        Some(start..end)
    })
}

/// The masks of a file with this tree.
pub(super) fn of_tree(source: &Source<'_>, root: &Node) -> Masks {
    let mut walk = Walk {
        source,
        masks: Vec::new(),
        scalars: Vec::new(),
    };
    walk.node(root);
    walk.lines();
    Masks::from_spans(walk.masks)
}

struct Walk<'a> {
    source: &'a Source<'a>,
    masks: Vec<Span>,
    scalars: Vec<Span>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node) {
        match &node.kind {
            Kind::Map(entries) => {
                for (key, value) in entries {
                    self.scalars.push(key.span.clone());
                    let from = after_word(self.source.slice(&key.span));
                    self.masks.extend(from.map(|from| key.span.start + from..key.span.end));
                    if is_suspect(&key.text) && value.is_empty() {
                        self.missing(key, value);
                    }
                    // Whoever writes the key itself behind `dkim` is spared the showing of it; in its mapping only `key` is secret.
                    let is_bare_key = key.text == "dkim" && !matches!(value.kind, Kind::Map(_));
                    if is_sensitive(&key.text) || is_bare_key {
                        self.secret(key, value);
                    } else {
                        self.node(value);
                    }
                }
            }
            Kind::List(entries) => entries.iter().for_each(|entry| self.node(entry)),
            _ => {
                self.scalars.push(node.span.clone());
                let text = self.source.slice(&node.span);
                let start = node.span.start;
                self.masks
                    .extend(userinfo(text).into_iter().map(|span| start + span.start..start + span.end));
                if let Some(from) = after_assignment(text) {
                    self.masks.push(node.span.start + from..node.span.end);
                }
            }
        }
    }

    /// Masks all that stands after a key that holds a secret, except the words `env`, `file` and `command` and what looks like them, and `password`.
    fn secret(&mut self, key: &Key, value: &Node) {
        let mut tokens = Tokens::default();
        tokens.of(value);
        if value.alias.is_some() {
            self.masks.extend(tokens.hidden.iter().cloned());
            self.gap(key.span.end..self.end_of_value(value.alias.as_ref().map_or(key.span.end, |alias| alias.end)));
            return;
        }
        let last = tokens
            .hidden
            .iter()
            .chain(&tokens.shown)
            .map(|span| span.end)
            .max()
            .unwrap_or(key.span.end);
        self.scalars.extend(tokens.hidden.iter().chain(&tokens.shown).cloned());
        for span in &tokens.hidden {
            // A block scalar reaches up to whatever follows it.
            self.masks.push(span.start..span.start + self.source.slice(span).trim_end().len());
        }
        let end = self.end_of_value(last.max(key.span.end));
        // An anchor's name, a tag or a mistyped quote may be the secret as well: between the words that may be shown only punctuation stays.
        let mut at = key.span.end;
        tokens.shown.sort_by_key(|span| span.start);
        for shown in tokens.shown.iter().chain(std::iter::once(&(end..end))) {
            if shown.start >= at {
                self.gap(at..shown.start);
                at = shown.end;
            }
        }
    }

    /// A secret's key without a value: after a slip such as `password:, hunter2` it stands in what follows, on the line or in lines that are no entries.
    fn missing(&mut self, key: &Key, value: &Node) {
        let mut number = self.source.line_of(key.span.end.max(value.span.end));
        self.gap(key.span.end..self.source.line(number).end);
        loop {
            number += 1;
            let line = self.source.line(number);
            let text = self.source.slice(&line).trim_start();
            if number >= self.source.lines() || !(text.is_empty() || text.starts_with(['#', ':'])) {
                break;
            }
            self.masks.push(line);
        }
    }

    fn gap(&mut self, gap: Span) {
        let is_punctuation = |character: char| character.is_whitespace() || ":{}[],-\"'".contains(character);
        let text = self.source.slice(&gap);
        let trimmed = text.trim_matches(is_punctuation);
        let start = gap.start + (text.len() - text.trim_start_matches(is_punctuation).len());
        self.masks.push(start..start + trimmed.len());
    }

    /// Where a value that seems to end at `end` may really end: at the next comma or bracket, or with the line.
    fn end_of_value(&self, end: usize) -> usize {
        let line = self.source.line(self.source.line_of(end));
        if self.source.slice(&(line.start..end)).trim().is_empty() {
            // A block scalar, which ends before whatever follows it.
            return end;
        }
        let rest = self.source.slice(&(end..line.end));
        end + rest.find([',', '}', ']']).unwrap_or(rest.len())
    }

    /// What the tree does not know: user parts anywhere, and in comments what follows a suspect word and a colon or an equals sign.
    fn lines(&mut self) {
        self.scalars.sort_by_key(|span| span.start);
        for number in 0..self.source.lines() {
            let line = self.source.line(number);
            let text = self.source.slice(&line);
            self.masks.extend(
                runs_with_userinfo(text)
                    .chain(known_forms(text))
                    .map(|span| line.start + span.start..line.start + span.end),
            );
            if has_split_word(text) {
                self.masks.push(line.clone());
            }
            // The names of anchors, aliases and tags are no scalars.
            let word = words(text).find(|word| is_suspect(&text[word.clone()]) && !self.is_in_scalar(line.start + word.start));
            let is_comment = |at: usize| text[..at].contains('#');
            self.masks.extend(
                word.filter(|word| !is_comment(word.start))
                    .map(|word| line.start + word.end..line.end),
            );
            let comment = text.match_indices('#').find(|(at, _)| !self.is_in_scalar(line.start + at));
            if let Some((start, _)) = comment {
                self.masks
                    .extend(after_assignment(&text[start..]).map(|from| line.start + start + from..line.end));
            }
        }
    }

    fn is_in_scalar(&self, offset: usize) -> bool {
        let after = self.scalars.partition_point(|span| span.start <= offset);
        after > 0 && self.scalars.get(after - 1).is_some_and(|span| offset < span.end)
    }
}

/// In running text: where the value begins that `password:` or `token=` announces.
fn after_assignment(text: &str) -> Option<usize> {
    words(text).find_map(|word| {
        let rest = text[word.end..].trim_start_matches(['"', '\'', ' ']);
        (is_suspect(&text[word.clone()]) && rest.starts_with([':', '='])).then(|| text.len() - rest.len() + 1)
    })
}

/// The scalars and keys of a secret's value, apart by whether they may be shown.
#[derive(Default)]
struct Tokens {
    shown: Vec<Span>,
    hidden: Vec<Span>,
}

impl Tokens {
    fn of(&mut self, node: &Node) {
        match &node.kind {
            Kind::Map(entries) => {
                for (key, value) in entries {
                    let known = super::mistakes::nearest(&key.text, &["env", "file", "command"]).is_some() || key.text == "password";
                    if known { &mut self.shown } else { &mut self.hidden }.push(key.span.clone());
                    self.of(value);
                }
            }
            Kind::List(entries) => entries.iter().for_each(|entry| self.of(entry)),
            _ => self.hidden.push(node.span.clone()),
        }
    }
}
