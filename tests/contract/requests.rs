//! Requests: path, query options, header fields, body, and the parts of a batch.
//!
//! `OpenAPI` alone lets three kinds of misspelling pass, which are refused here: a query option or header field that is not described at all, a
//! preference within `Prefer` (described as any text), and the names within `$filter`, `$expand` and `$orderby` (see `odata`). What it cannot see:
//! ids, which are anybody's text.

use super::{Contract, decoded, encoded};
use mailflow::postoffice::tenant::Request;
use serde_json::{Value, json};

/// Header fields of HTTP and of every call to Graph, which the description leaves out; `Prefer` (RFC 7240) is described for some calls and may
/// stand in any.
const GENERAL: [&str; 11] = [
    "accept",
    "accept-encoding",
    "authorization",
    "client-request-id",
    "connection",
    "content-length",
    "content-type",
    "host",
    "prefer",
    "transfer-encoding",
    "user-agent",
];

impl Contract {
    /// What is wrong with a request below `/v1.0`; nothing if it is as described.
    pub fn request(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<String> {
        let (template, operation) = match self.operation(method, url) {
            Ok(found) => found,
            Err(fault) => return vec![fault],
        };
        let mut faults = self.query_faults(url, operation);
        faults.extend(header_faults(headers, operation));
        let kind = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(content) = operation.pointer("/requestBody/content") {
            let kind = kind.map_or("", |(_, kind)| kind).split(';').next().unwrap_or_default().trim();
            match content.get(kind) {
                Some(described) if kind.ends_with("json") => {
                    faults.extend(self.body_faults(&format!("{method} {template} request"), &described["schema"], body));
                }
                Some(_) => {}
                None => faults.push(format!("the body must not be {kind:?}")),
            }
        } else if !body.is_empty() {
            faults.push("a body is not described".to_owned());
        }
        if template == "/$batch" {
            let batch: Value = serde_json::from_slice(body).unwrap_or_default();
            for part in batch["requests"].as_array().into_iter().flatten() {
                faults.extend(self.part(part));
            }
        }
        faults
    }

    /// What is wrong with a request in a batch.
    fn part(&self, part: &Value) -> Vec<String> {
        let text = |name: &str| part[name].as_str().unwrap_or_default();
        let body = part
            .get("body")
            .map_or_else(String::new, |body| body.as_str().map_or_else(|| body.to_string(), str::to_owned));
        let headers = part["headers"].as_object().into_iter().flatten();
        let headers: Vec<(&str, &str)> = headers
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
            .collect();
        self.request(text("method"), text("url"), &headers, body.as_bytes())
    }

    /// What is wrong with a request that the tenant remembers, whoever asked and in whatever way, and with its reply if that was kept.
    pub fn recorded(&self, request: &Request) -> Vec<String> {
        let Some(path) = request.path.strip_prefix("/v1.0") else {
            return Vec::new();
        };
        let query: Vec<String> = request
            .query
            .iter()
            .map(|(n, v)| format!("{}={}", encoded(n), encoded(v)))
            .collect();
        let url = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", query.join("&"))
        };
        let headers: Vec<(&str, &str)> = request
            .header_names
            .iter()
            .map(|name| match name.as_str() {
                "prefer" => ("prefer", request.prefer.as_deref().unwrap_or_default()),
                "content-type" => ("content-type", request.content_type.as_deref().unwrap_or_default()),
                name => (name, ""),
            })
            .collect();
        let mut faults = self.request(&request.method, &url, &headers, request.body.as_bytes());
        if let Some(reply) = &request.reply {
            faults.extend(self.reply(&request.method, &url, request.status, "application/json", reply.as_bytes()));
            let selected = request.query.iter().find(|(name, _)| name == "$select");
            if let Some((_, selected)) = selected.filter(|_| request.status == 200) {
                faults.extend(left_out(selected, reply));
            }
            if path == "/$batch" && request.status == 200 {
                faults.extend(self.parts(request.body.as_bytes(), reply.as_bytes()));
            }
        }
        faults
    }

    /// Query options must be described, and of their kind.
    fn query_faults(&self, url: &str, operation: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decoded(name), decoded(value));
            let Some(described) = parameter(operation, "query", &name) else {
                faults.push(format!("the query option {name} is not described"));
                continue;
            };
            let schema = &described["schema"];
            let given = match schema["type"].as_str() {
                Some("integer" | "boolean") => serde_json::from_str(&value).unwrap_or(Value::Null),
                Some("array") => value.split(',').map(|v| Value::from(v.trim())).collect(),
                _ => Value::from(value.as_str()),
            };
            let validator = jsonschema::validator_for(schema).unwrap();
            faults.extend(validator.iter_errors(&given).map(|error| format!("{name}: {error}")));
            faults.extend(
                self.names_faults(&name, &value, operation)
                    .into_iter()
                    .map(|fault| format!("{name}: {fault}")),
            );
        }
        faults
    }
}

/// Selected properties that a reply does not show: the description takes any property as optional, because of `$select`.
fn left_out(selected: &str, reply: &str) -> Vec<String> {
    let reply: Value = serde_json::from_str(reply).unwrap_or_default();
    let rows = reply["value"].as_array().map_or_else(|| vec![&reply], |rows| rows.iter().collect());
    let rows = rows.into_iter().filter(|row| row.get("@removed").is_none());
    let missing = |row: &Value| -> Vec<String> {
        let names = selected.split(',').filter(|name| row.get(*name).is_none());
        names.map(|name| format!("{name} was selected and is not shown")).collect()
    };
    rows.flat_map(missing).collect()
}

fn parameter<'a>(operation: &'a Value, place: &str, name: &str) -> Option<&'a Value> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let fits = |p: &&Value| {
        let same = p["name"].as_str().is_some_and(|described| {
            if place == "header" {
                described.eq_ignore_ascii_case(name)
            } else {
                described == name
            }
        });
        same && p["in"] == json!(place)
    };
    parameters.into_iter().find(fits)
}

fn header_faults(headers: &[(&str, &str)], operation: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        if !GENERAL.contains(&name.as_str()) && parameter(operation, "header", &name).is_none() {
            faults.push(format!("the header field {name} is not described"));
        }
        if name == "prefer" {
            let wrong = value.split(',').map(str::trim).filter(|preference| !is_preference(preference));
            faults.extend(wrong.map(|preference| format!("Graph knows no preference {preference}")));
        }
    }
    faults
}

/// The preferences that Microsoft documents for mail and for lists.
fn is_preference(preference: &str) -> bool {
    match preference.split_once('=') {
        Some(("IdType", value)) => value == "\"ImmutableId\"",
        Some(("odata.maxpagesize", value)) => value.parse::<u16>().is_ok_and(|size| size > 0),
        Some(("outlook.body-content-type", value)) => ["\"text\"", "\"html\""].contains(&value),
        _ => false,
    }
}
