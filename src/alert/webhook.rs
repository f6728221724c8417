//! Any HTTP endpoint: the message itself as JSON (`mailflow.alert/1`), or what the user's template makes of it.
//!
//! Templates are Jinja. In one whose file ends in `.json` every value is written as JSON, quotes included, so that nothing out of a mail can break out
//! of its place; and what comes out must be JSON. In any other the text stands as it is. The header `Idempotency-Key` is the same for every attempt.

use super::{Keys, Request, ntfy::bearer, words};
use crate::model::{ALERT_SCHEMA, AlertChange, AlertMessage, AlertTemplate, Occasion, Time};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde_json::Value;

/// So many steps a template may take.
const FUEL: u64 = 200_000;
/// So many octets may come out.
const LONGEST: usize = 1024 * 1024;

/// The request.
pub(super) fn request(keys: &Keys, template: Option<&AlertTemplate>, message: &AlertMessage) -> Result<Request, String> {
    let request = match template {
        None => {
            let body = serde_json::to_value(message).map_err(|error| error.to_string())?;
            Request::json(keys.main.clone(), &body)?
        }
        Some(template) => {
            let body = render(template, message)?.into_bytes();
            let kind = if is_json(template) {
                "application/json"
            } else {
                "text/plain; charset=utf-8"
            };
            Request::new(keys.main.clone(), kind, body)
        }
    };
    let request = request.with("idempotency-key", message.id.clone().into()).knowing(&keys.main);
    Ok(match &keys.token {
        Some(token) => request.with("authorization", bearer(token)).knowing(token),
        None => request,
    })
}

fn is_json(template: &AlertTemplate) -> bool {
    template.file.to_lowercase().ends_with(".json")
}

fn render(template: &AlertTemplate, message: &AlertMessage) -> Result<String, String> {
    let failed = |error: minijinja::Error| {
        let line = error.line().map_or_else(String::new, |line| format!(":{line}"));
        let detail = error.detail().map_or_else(String::new, |detail| format!(": {detail}"));
        format!("{}{line}: the template does not work: {}{detail}", template.file, error.kind())
    };
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| if name == "json" { AutoEscape::Json } else { AutoEscape::None });
    // A name that does not exist is a slip, not nothing.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    let name = if is_json(template) { "json" } else { "text" };
    environment.add_template(name, &template.text).map_err(failed)?;
    let ready = environment.get_template(name).map_err(failed)?;
    let fields = context! { alert => minijinja::value::Serde(message), text => words::text(message, 30_000) };
    let body = ready.render(fields).map_err(failed)?;
    if body.len() > LONGEST {
        return Err(format!("{}: the template comes to more than {LONGEST} bytes", template.file));
    }
    if is_json(template)
        && let Err(error) = serde_json::from_str::<Value>(&body)
    {
        return Err(format!(
            "{}: the template comes to something that is not JSON ({error})\n  help: values bring their own quotes: write {{{{ alert.title }}}}, not \"{{{{ alert.title }}}}\"",
            template.file
        ));
    }
    Ok(body)
}

/// Tries a template on a message with everything in it.
///
/// # Errors
/// Why it does not work, with its file and line.
pub fn check(template: &AlertTemplate) -> Result<(), String> {
    render(template, &sample()).map(drop)
}

/// A message with everything in it, and with characters that break what is not escaped.
pub(super) fn sample() -> AlertMessage {
    let change = AlertChange {
        kind: Occasion::Failure,
        reminder: false,
        recipient: "admin@contoso.example".to_owned(),
        role: Some("Global \"Administrator\"".to_owned()),
        owner: Some("Dana Reyes <dana@contoso.example>".to_owned()),
        backup: Some("Kim Okafor".to_owned()),
        route: "internet".to_owned(),
        message: "plain".to_owned(),
        case: None,
        expected: vec!["inbox".to_owned()],
        verdict: "junk".to_owned(),
        since: Time::UNIX_EPOCH,
        explanation: "It lies in \"Junk\\Mail\"; the filter said <score 9> & moved it.".to_owned(),
        remedy: Some("Look at the rule.".to_owned()),
    };
    AlertMessage {
        schema: ALERT_SCHEMA.to_owned(),
        id: "mailflow-0123456789abcdef".to_owned(),
        thread: "mailflow-fedcba9876543210".to_owned(),
        kind: Occasion::Failure,
        resolved: false,
        title: "Mail to admin@contoso.example is not as expected: junk, expected inbox".to_owned(),
        at: Time::UNIX_EPOCH,
        site: "mailflow.yaml".to_owned(),
        scenario: Some("weekly".to_owned()),
        run: Some("abcdefghi".to_owned()),
        change: Some("CHG-4711".to_owned()),
        open: 1,
        changes: vec![change],
        left_out: 0,
    }
}
