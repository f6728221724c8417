//! The names within `$select`, `$filter`, `$expand` and `$orderby`: properties of what the call returns, as its reply is described.
//!
//! The description takes `$filter` and `$expand` as any text, and `$orderby` as any name. What it cannot see: whether the service can filter by a
//! property, and whether a literal is of the property's kind.

use super::Contract;
use serde_json::Value;
use std::collections::HashMap;

const OPERATORS: [&str; 10] = ["eq", "ne", "gt", "ge", "lt", "le", "and", "or", "not", "in"];
const LITERALS: [&str; 3] = ["true", "false", "null"];
const FUNCTIONS: [&str; 3] = ["contains", "startswith", "endswith"];
/// What may stand beside a property in `$expand`.
const NESTED: [&str; 5] = ["$select", "$filter", "$expand", "$orderby", "$top"];

/// The kinds of object that something may be.
type Kinds<'a> = Vec<&'a Value>;

impl Contract {
    /// What is wrong with the names in a query option; nothing in one that holds none.
    pub fn names_faults(&self, option: &str, value: &str, operation: &Value) -> Vec<String> {
        let schema = operation.pointer("/responses/200/content/application~1json/schema");
        let Some(reply) = schema.map(|schema| self.kinds(schema)) else {
            return Vec::new();
        };
        // A list holds what it is about in `value`.
        let listed = self.property(&reply, "value").filter(|_| self.property(&reply, "id").is_none());
        self.option_faults(option, value, &listed.unwrap_or(reply))
    }

    fn option_faults(&self, option: &str, value: &str, kinds: &Kinds<'_>) -> Vec<String> {
        match option {
            "$select" => split(value, ',').iter().filter_map(|name| self.path_fault(name, kinds)).collect(),
            "$orderby" => {
                let names = split(value, ',');
                let first = |part: &String| part.split(' ').next().unwrap_or_default().to_owned();
                names.iter().filter_map(|part| self.path_fault(&first(part), kinds)).collect()
            }
            "$filter" => self.filter_faults(value, kinds),
            "$expand" => split(value, ',').iter().flat_map(|part| self.expand_faults(part, kinds)).collect(),
            _ => Vec::new(),
        }
    }

    fn expand_faults(&self, part: &str, kinds: &Kinds<'_>) -> Vec<String> {
        let (name, options) = match part.split_once('(') {
            Some((name, rest)) => match rest.strip_suffix(')') {
                Some(options) => (name, options),
                None => return vec![format!("{part} does not end")],
            },
            None => (part, ""),
        };
        let Some(inner) = self.property(kinds, name) else {
            return vec![format!("there is no property {name}")];
        };
        let mut faults = Vec::new();
        for option in split(options, ';').iter().filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some((nested, value)) if NESTED.contains(&nested) => faults.extend(self.option_faults(nested, value, &inner)),
                _ => faults.push(format!("{option} may not stand beside {name}")),
            }
        }
        faults
    }

    fn filter_faults(&self, filter: &str, kinds: &Kinds<'_>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut variables: HashMap<String, Kinds<'_>> = HashMap::new();
        // What the next lambda variable runs through, and what was named last.
        let mut collection: Option<Kinds<'_>> = None;
        let mut named = String::new();
        for token in tokens(filter) {
            match token {
                Token::Text(text) => {
                    let of = match named.rsplit_once('/') {
                        Some((of, "id")) => self.walk(of, kinds, &variables).unwrap_or_default(),
                        None if named == "id" => kinds.clone(),
                        _ => Vec::new(),
                    };
                    let is_extended = |kind: &&Value| kind["title"].as_str().is_some_and(|title| title.ends_with("ExtendedProperty"));
                    if of.iter().any(is_extended) && !is_extended_property(&text) {
                        faults.push(format!("{text} names no extended property"));
                    }
                }
                Token::Call(name) => match name.rsplit_once('/') {
                    Some((path, any)) if any.eq_ignore_ascii_case("any") || any.eq_ignore_ascii_case("all") => {
                        match self.walk(path, kinds, &variables) {
                            Ok(of) => collection = Some(of),
                            Err(fault) => faults.push(fault),
                        }
                    }
                    _ if FUNCTIONS.contains(&name.as_str()) => {}
                    _ => faults.push(format!("there is no function {name}")),
                },
                Token::Variable(name) => match collection.take() {
                    Some(of) => drop(variables.insert(name, of)),
                    None => faults.push(format!("{name}: stands for nothing")),
                },
                Token::Word(word) => {
                    let plain = OPERATORS.contains(&word.as_str()) || LITERALS.contains(&word.as_str());
                    if !plain && !word.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                        faults.extend(self.walk(&word, kinds, &variables).err());
                        named = word;
                    }
                }
            }
        }
        faults
    }

    fn path_fault(&self, path: &str, kinds: &Kinds<'_>) -> Option<String> {
        self.walk(path.trim(), kinds, &HashMap::new()).err()
    }

    /// What stands at the end of a path such as `from/emailAddress/address`.
    fn walk<'a>(&'a self, path: &str, kinds: &Kinds<'a>, variables: &HashMap<String, Kinds<'a>>) -> Result<Kinds<'a>, String> {
        let mut at = kinds.clone();
        for (place, name) in path.split('/').enumerate() {
            at = match variables.get(name).filter(|_| place == 0) {
                Some(of) => of.clone(),
                None => self
                    .property(&at, name)
                    .ok_or_else(|| format!("there is no property {name} in {path}"))?,
            };
        }
        Ok(at)
    }

    fn property<'a>(&'a self, kinds: &Kinds<'a>, name: &str) -> Option<Kinds<'a>> {
        let found: Vec<&Value> = kinds.iter().filter_map(|kind| kind["properties"].get(name)).collect();
        (!found.is_empty()).then(|| found.into_iter().flat_map(|schema| self.kinds(schema)).collect())
    }

    /// The objects that a schema may be, lists and references seen through.
    fn kinds<'a>(&'a self, schema: &'a Value) -> Kinds<'a> {
        let schema = self.resolved(schema);
        if let Some(items) = schema.get("items") {
            return self.kinds(items);
        }
        let choices = ["anyOf", "oneOf", "allOf"]
            .iter()
            .filter_map(|key| schema[*key].as_array())
            .flatten();
        let inner: Kinds<'a> = choices.flat_map(|choice| self.kinds(choice)).collect();
        if inner.is_empty() { vec![schema] } else { inner }
    }
}

/// An extended property of MAPI by its tag, or by the name of a header field.
fn is_extended_property(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("String ") else { return false };
    let hexadecimal = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(tag) = rest.strip_prefix("0x") {
        return hexadecimal(tag);
    }
    // PS_INTERNET_HEADERS ([MS-OXPROPS] section 1.3.2): the set in which header fields have their names.
    rest.strip_prefix("{00020386-0000-0000-C000-000000000046} Name ")
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':'))
}

enum Token {
    /// Between quotes.
    Text(String),
    /// With an opening parenthesis behind it.
    Call(String),
    /// With a colon behind it.
    Variable(String),
    Word(String),
}

fn tokens(filter: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut rest = filter.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                let mut text = String::new();
                while let Some(c) = rest.next() {
                    // A quote is doubled within a text.
                    if c == '\'' && rest.next_if_eq(&'\'').is_none() {
                        break;
                    }
                    text.push(c);
                }
                tokens.push(Token::Text(text));
            }
            '(' if !word.is_empty() => tokens.push(Token::Call(std::mem::take(&mut word))),
            // A time has colons too.
            ':' if !word.starts_with(|c: char| c.is_ascii_digit()) => tokens.push(Token::Variable(std::mem::take(&mut word))),
            ' ' | ',' | '(' | ')' => {
                if !word.is_empty() {
                    tokens.push(Token::Word(std::mem::take(&mut word)));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        tokens.push(Token::Word(word));
    }
    tokens
}

/// Parts between separators that stand neither in quotes nor in parentheses.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quoted) = (0_u32, false);
    for c in text.chars() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == separator && depth == 0 && !quoted {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}
