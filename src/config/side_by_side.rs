//! `compare` of a scenario: the two routes that are set side by side. What it cannot see: whether each recipient is served by both.

use super::{
    context::Context,
    mistakes::{Mistakes, nearest, quoted},
    read::{At, OneOrMany, Read, described, mapping, unexpected},
    tree::{Kind, Node},
};
use crate::model::RoutePair;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

mapping! {
    /// Two routes, named.
    NamedRoutesShape, "`compare`" {
        /// The route in use, and the one that is to replace it.
        routes: Vec<At<String>>, needs;
    }
}

/// What stands behind `compare`.
#[derive(Debug)]
pub(super) enum SideBySide {
    /// `routes`: the scenario's own two, the one in use first.
    Own,
    /// These.
    Named(Vec<At<String>>),
}

const FORM: &str = "`routes`, or the route in use and the new one: `[OLD, NEW]`";

impl Read for SideBySide {
    fn read(node: &Node, mistakes: &mut Mistakes) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "routes" => Some(Self::Own),
            Kind::Text(text) => {
                let mistake = mistakes.note(node.caret(), format!("{} cannot be compared", quoted(text)));
                mistake.help(match nearest(text, &["routes"]) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("write {FORM}"),
                });
                None
            }
            Kind::List(_) => Vec::read(node, mistakes).map(Self::Named),
            Kind::Map(_) => Some(Self::Named(NamedRoutesShape::read(node, mistakes)?.routes?.value)),
            _ => unexpected(node, FORM, mistakes),
        }
    }
}

impl JsonSchema for SideBySide {
    fn schema_name() -> Cow<'static, str> {
        "SideBySide".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let named = described(generator.subschema_for::<NamedRoutesShape>(), "");
        json_schema!({
            "description": "Two routes that are set side by side: `routes` for the scenario's own two, or their names. The one in use comes first.",
            "anyOf": [
                { "const": "routes" },
                { "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2 },
                named
            ]
        })
    }
}

/// The two routes, which must be among those of the scenario.
pub(super) fn pair(context: &mut Context<'_>, asked: &At<SideBySide>, routes: Option<&At<OneOrMany<String>>>) -> Option<RoutePair> {
    let own: &[At<String>] = routes.map_or(&[], |routes| &routes.0);
    let named = match &asked.value {
        SideBySide::Own => own,
        SideBySide::Named(named) => named,
    };
    let [old, new] = named else {
        let found = match named.len() {
            0 => "none".to_owned(),
            1 => "one".to_owned(),
            many => many.to_string(),
        };
        let whose = if matches!(asked.value, SideBySide::Own) {
            " of the scenario"
        } else {
            ""
        };
        context
            .mistakes
            .note(
                asked.span.clone(),
                format!("`compare` needs two routes{whose}, and there is {found}"),
            )
            .help("name the route in use and the new one: `routes: [OLD, NEW]`");
        return None;
    };
    if old.value == new.value {
        context
            .mistakes
            .note(new.span.clone(), format!("the route {} would be compared with itself", quoted(new)));
        return None;
    }
    for name in named {
        if !own.iter().any(|route| route.value == name.value) {
            let title = format!("the scenario does not send by the route {}", quoted(name));
            let known = own.iter().map(|route| route.value.as_str());
            context.mistakes.dangling(name.span.clone(), title, name, known);
        }
    }
    Some(RoutePair {
        old: old.value.clone(),
        new: new.value.clone(),
    })
}
