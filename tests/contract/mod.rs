//! Requests and replies held against Microsoft's description of its API (`OpenAPI` 3.1, closed: an unknown property fails).
//!
//! The description is not part of this repository. It is looked for at `../shared/graph/openapi/graph-v1.0-subset.oas31.json` beside it, or where
//! `MAILFLOW_GRAPH_OPENAPI` points; without it, all passes unchecked and the tests that live from it say that they are skipped. Where that
//! variable or `CI` is set, a description that cannot be read is a failure. What it cannot see: whether the description is right, what a value means,
//! and what the service does beyond the description.

mod odata;
mod requests;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

/// Microsoft's description, if it is at hand.
pub struct Contract {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Header fields of the replies in a batch, which the description takes as any text.
const OF_PARTS: [&str; 7] = [
    "Cache-Control",
    "Content-Type",
    "ETag",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "WWW-Authenticate",
];

/// The annotations that Microsoft's pages show for mail, lists, rounds and batches.
const ANNOTATIONS: [&str; 8] = [
    "@nextLink",
    "@odata.context",
    "@odata.count",
    "@odata.deltaLink",
    "@odata.etag",
    "@odata.nextLink",
    "@odata.type",
    "@removed",
];

static CONTRACT: LazyLock<Result<Contract, String>> = LazyLock::new(Contract::load);

/// Holds a request and its reply against the contract, and fails the test on any difference. A request that was refused is not held: tests of
/// refusals misspell things on purpose.
pub fn check(method: &str, url: &str, request: (&[(&str, &str)], &[u8]), status: u16, reply: (&str, &[u8])) {
    let Ok(contract) = &*CONTRACT else { return };
    let mut faults = contract.reply(method, url, status, reply.0, reply.1);
    if status < 400 {
        faults.extend(contract.request(method, url, request.0, request.1));
    }
    if url == "/$batch" && status == 200 {
        faults.extend(contract.parts(request.1, reply.1));
    }
    assert!(faults.is_empty(), "{method} {url} breaks the contract:\n{}", faults.join("\n"));
}

impl Contract {
    /// Reads the description.
    pub fn load() -> Result<Self, String> {
        let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/graph/openapi/graph-v1.0-subset.oas31.json");
        let path = std::env::var_os("MAILFLOW_GRAPH_OPENAPI").map_or(beside, PathBuf::from);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let document = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self {
            document,
            validators: Mutex::default(),
        })
    }

    /// What is wrong with the replies in the reply to a batch.
    pub fn parts(&self, request: &[u8], reply: &[u8]) -> Vec<String> {
        let json = |octets| serde_json::from_slice::<Value>(octets).unwrap_or_default();
        let (request, reply) = (json(request), json(reply));
        let mut faults = Vec::new();
        for part in reply["responses"].as_array().into_iter().flatten() {
            let Some(asked) = request["requests"].as_array().into_iter().flatten().find(|r| r["id"] == part["id"]) else {
                faults.push(format!("nobody asked for {}", part["id"]));
                continue;
            };
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let status = part["status"].as_u64().and_then(|s| u16::try_from(s).ok()).unwrap_or_default();
            let kind = part.pointer("/headers/Content-Type").map(text).unwrap_or_default();
            let fields = part["headers"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
            let strange = fields.filter(|name| !OF_PARTS.iter().any(|known| known.eq_ignore_ascii_case(name)));
            faults.extend(strange.map(|name| format!("a part of a batch has no header field {name}")));
            let body = part.get("body").map(Value::to_string).unwrap_or_default();
            // 424 is a batch's own word, which no operation describes.
            if status != 424 {
                faults.extend(self.reply(&text(&asked["method"]), &text(&asked["url"]), status, &kind, body.as_bytes()));
            }
        }
        faults
    }

    /// What is wrong with a reply.
    pub fn reply(&self, method: &str, url: &str, status: u16, kind: &str, body: &[u8]) -> Vec<String> {
        let (template, operation) = match self.operation(method, url) {
            Ok(found) => found,
            // A path that is not described can only be refused.
            Err(fault) => return if status < 400 { vec![fault] } else { Vec::new() },
        };
        let responses = &operation["responses"];
        let class = format!("{}XX", status / 100);
        let Some(mut response) = responses.get(status.to_string()).or(responses.get(class)) else {
            return vec![format!("the status {status} is not described")];
        };
        response = self.resolved(response);
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match response.get("content").and_then(Value::as_object) {
            None if body.is_empty() => Vec::new(),
            None => vec![format!("the reply {status} has a body that is not described")],
            Some(content) => match content.get(kind) {
                Some(described) if kind.ends_with("json") => self.body_faults(
                    &format!("{method} {template} {}", if status < 400 { "good" } else { "error" }),
                    &described["schema"],
                    body,
                ),
                Some(_) => Vec::new(),
                None => vec![format!("the content type {kind:?} is not described")],
            },
        }
    }

    fn body_faults(&self, key: &str, schema: &Value, body: &[u8]) -> Vec<String> {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return vec!["the body is no JSON".to_owned()];
        };
        let validator = Arc::clone(self.validators.lock().unwrap().entry(key.to_owned()).or_insert_with(|| {
            let root = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "allOf": [schema],
                "components": self.document["components"],
            });
            Arc::new(jsonschema::validator_for(&root).unwrap())
        }));
        let described = validator
            .iter_errors(&body)
            .map(|error| format!("{}: {error}", error.instance_path()));
        described.chain(annotation_faults(&body)).collect()
    }

    /// What `$ref` points to, or the schema itself.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let target = schema["$ref"]
            .as_str()
            .and_then(|r| self.document.pointer(r.trim_start_matches('#')));
        target.unwrap_or(schema)
    }

    /// The operation described for a method and path, with its template.
    pub fn operation(&self, method: &str, url: &str) -> Result<(String, &Value), String> {
        let path = url.split('?').next().unwrap_or_default();
        let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).flat_map(segment).collect();
        let paths = self.document["paths"].as_object().unwrap();
        let matching = paths.iter().filter(|(template, _)| fits(template, &segments));
        let best = matching.min_by_key(|(template, _)| template.matches('{').count());
        let (template, item) = best.ok_or_else(|| format!("the path {path} is not described"))?;
        let operation = item.get(method.to_ascii_lowercase());
        operation
            .map(|operation| (template.clone(), operation))
            .ok_or_else(|| format!("{method} {template} is not described"))
    }
}

/// `mailFolders('inbox')` gives two segments, `delta()` one without the parentheses; named arguments stay.
fn segment(segment: &str) -> Vec<String> {
    let segment = segment.replace("%27", "'");
    match segment.split_once('(') {
        Some((name, ")")) => vec![name.to_owned()],
        Some((name, key)) if !segment.contains('=') => vec![name.to_owned(), key.trim_end_matches(')').to_owned()],
        _ => vec![segment],
    }
}

fn fits(template: &str, segments: &[String]) -> bool {
    let wanted: Vec<&str> = template.split('/').filter(|s| !s.is_empty()).collect();
    let one = |(wanted, given): (&&str, &String)| match (wanted.find('{'), wanted.rfind('}')) {
        (Some(start), Some(end)) => given.starts_with(&wanted[..start]) && given.ends_with(&wanted[end + 1..]),
        _ => *wanted == given,
    };
    wanted.len() == segments.len() && wanted.iter().zip(segments).all(one)
}

/// The names with `@`, which the description takes as they come: the annotations of `OData`, and why something was removed from a round.
fn annotation_faults(json: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    match json {
        Value::Array(list) => faults.extend(list.iter().flat_map(annotation_faults)),
        Value::Object(all) => {
            for (name, value) in all {
                faults.extend(annotation_faults(value));
                let annotation = name.find('@').map_or("", |at| &name[at..]);
                if name.contains('@') && !ANNOTATIONS.contains(&annotation) {
                    faults.push(format!("there is no annotation {name}"));
                }
                if name == "@removed" && *value != json!({ "reason": "changed" }) && *value != json!({ "reason": "deleted" }) {
                    faults.push(format!("nothing is removed so: {value}"));
                }
            }
        }
        _ => {}
    }
    faults
}

/// Percent-encodes whatever is not plain.
pub fn encoded(text: &str) -> String {
    let octet = |b: u8| {
        if b.is_ascii_alphanumeric() {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(octet).collect()
}

fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        if *first == b'%' {
            let hex = std::str::from_utf8(&more[..2]).unwrap();
            out.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &more[2..];
        } else {
            out.push(if *first == b'+' { b' ' } else { *first });
        }
    }
    String::from_utf8(out).unwrap()
}

/// The contract, or nothing and a line that says why.
pub fn at_hand() -> Option<&'static Contract> {
    match &*CONTRACT {
        Ok(contract) => Some(contract),
        Err(why) => {
            // GitHub Actions and its like set `CI`: there, what is skipped is not seen.
            for variable in ["MAILFLOW_GRAPH_OPENAPI", "CI"] {
                assert!(
                    std::env::var_os(variable).is_none(),
                    "{variable} is set, so requests and replies must be held against Microsoft's description of Graph, but {why}; \
                     MAILFLOW_GRAPH_OPENAPI says where it lies"
                );
            }
            // Past the harness, which shows nothing that a passing test prints.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: requests and replies are not held against Microsoft's description of Graph, which is not at hand: {why}"
            );
            None
        }
    }
}
