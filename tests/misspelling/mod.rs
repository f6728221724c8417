//! A request with one name in it misspelt, in each way there is.
//!
//! Left alone are ids and other values: what stands there is anybody's text.

use crate::contract::Contract;
use mailflow::postoffice::tenant::Request;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What can be misspelt, each of which the requests of a run must give occasion for.
pub const SORTS: [&str; 11] = [
    "the path's",
    "the option",
    "in $select",
    "in $filter",
    "in $expand",
    "in $orderby",
    "the preference",
    "the header field",
    "the body's",
    "the part's",
    "the reply's",
];

/// Names in the parts of a batch, which stand within texts: of paths, options, properties, header fields and preferences.
const IN_PARTS: [&str; 8] = [
    "mailFolders",
    "messages",
    "$value",
    "$select",
    "parentFolderId",
    "displayName",
    "Prefer",
    "IdType",
];

/// A request with a mistake in it.
pub struct Wrong {
    pub request: Request,
    pub what: String,
}

/// Every way to misspell one name.
pub fn of_request(contract: &Contract, request: &Request) -> Vec<Wrong> {
    let mut all = Vec::new();
    let mut add = |what: String, change: &dyn Fn(&mut Request)| {
        let mut wrong = request.clone();
        change(&mut wrong);
        assert_ne!(wrong, *request, "{what} is not misspelt");
        all.push(Wrong { request: wrong, what });
    };
    let path = request.path.strip_prefix("/v1.0").unwrap_or_default();
    let (template, _) = contract.operation(&request.method, path).unwrap();
    // A function's arguments are values.
    let segments = template.split('/').map(|segment| segment.split('(').next().unwrap_or_default());
    for name in segments.filter(|name| !name.is_empty() && !name.starts_with('{')) {
        add(format!("the path's {name}"), &|wrong| {
            wrong.path = wrong.path.replace(&format!("/{name}"), &format!("/{}", misspelt(name)));
        });
    }
    for (place, (name, value)) in request.query.iter().enumerate() {
        add(format!("the option {name}"), &|wrong| wrong.query[place].0 = misspelt(name));
        if !["$select", "$filter", "$expand", "$orderby"].contains(&name.as_str()) {
            continue;
        }
        for word in words(value) {
            add(format!("{word} in {name}"), &|wrong| wrong.query[place].1 = replaced(value, &word));
        }
    }
    for preference in request.prefer.iter().flat_map(|prefer| prefer.split(", ")) {
        let name = preference.split('=').next().unwrap_or_default();
        add(format!("the preference {name}"), &|wrong| {
            wrong.prefer = wrong.prefer.as_ref().map(|prefer| prefer.replace(name, &misspelt(name)));
        });
    }
    for (place, name) in request.header_names.iter().enumerate() {
        add(format!("the header field {name}"), &|wrong| {
            wrong.header_names[place] = misspelt(name);
        });
    }
    if template == "/$batch" {
        for name in IN_PARTS.iter().filter(|name| request.body.contains(*name)) {
            add(format!("the part's {name}"), &|wrong| {
                wrong.body = wrong.body.replace(name, &misspelt(name));
            });
        }
    }
    for (sort, text) in [("body", Some(&request.body)), ("reply", request.reply.as_ref())] {
        let Some(json) = text.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            continue;
        };
        for name in names(&json) {
            let text = renamed(&json, &name).to_string();
            add(format!("the {sort}'s {name}"), &|wrong| {
                if sort == "body" {
                    wrong.body.clone_from(&text);
                } else {
                    wrong.reply = Some(text.clone());
                }
            });
        }
    }
    all
}

/// Another word of the same letters, nearly.
fn misspelt(name: &str) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    let last = letters.len() - 1;
    if last > 0 && letters[last] != letters[last - 1] {
        letters.swap(last, last - 1);
    } else {
        letters.push('x');
    }
    letters.into_iter().collect()
}

/// The names in a value of `OData`: what stands in no quotes and is no operator, number or time.
fn words(value: &str) -> Vec<String> {
    let outside: String = value
        .split('\'')
        .enumerate()
        .map(|(place, part)| if place % 2 == 0 { part } else { " " })
        .collect();
    let mut words: Vec<String> = outside
        .split(|c: char| !(c.is_ascii_alphanumeric() || "$-".contains(c)))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$') && !["Z", "desc"].contains(word))
        .map(str::to_owned)
        .collect();
    // And what a name in quotes begins with.
    words.extend(value.contains("'String {").then(|| "String".to_owned()));
    words.sort();
    words.dedup();
    words
}

fn replaced(value: &str, word: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "$-".contains(c);
    let start = value.match_indices(word).find(|(at, _)| {
        let before = value[..*at].chars().next_back();
        let after = value[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    });
    let (at, _) = start.unwrap();
    format!("{}{}{}", &value[..at], misspelt(word), &value[at + word.len()..])
}

/// Every name of a property, wherever it stands.
fn names(json: &Value) -> BTreeSet<String> {
    match json {
        Value::Array(list) => list.iter().flat_map(names).collect(),
        // The columns of a hunting query's results are described as any names.
        Value::Object(all) => {
            let inner = all
                .iter()
                .filter(|(name, _)| *name != "results")
                .flat_map(|(_, value)| names(value));
            all.keys().cloned().chain(inner).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// Renames a property wherever it stands.
fn renamed(json: &Value, name: &str) -> Value {
    match json {
        Value::Array(list) => list.iter().map(|value| renamed(value, name)).collect(),
        Value::Object(all) => {
            let entry = |(key, value): (&String, &Value)| {
                let key = if key == name { misspelt(key) } else { key.clone() };
                (key, renamed(value, name))
            };
            Value::Object(all.iter().map(entry).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
