//! Site and scenario files: from text to the model's values, with every mistake shown where it stands.
//!
//! A text goes through four steps: `source` knows its lines, `tree` parses the YAML with positions, the shapes (`shapes`, `choices`, `proofs`, `side_by_side`, `scenario`)
//! read the tree and note what is unknown, missing or of the wrong kind, and the builders (`site`, `tenants`, `routes`, `mailboxes`, `graph`,
//! `recipients`, `alerts`, `schedules`, `scenario`, `messages`, `fit`) resolve names and fill in defaults. Mistakes do not stop a step, so that a file's mistakes come all at once. Whatever a message shows
//! is masked (`mask`).
//!
//! What it cannot see: whether hosts exist, logins work and folders are there. `mailflow check` asks the servers.

mod alerts;
mod choices;
mod context;
mod diagnostics;
mod endpoint;
mod file;
mod fit;
mod graph;
mod mailboxes;
mod mask;
mod messages;
mod mistakes;
mod proofs;
mod read;
mod recipients;
mod requirements;
mod routes;
mod scenario;
mod schedules;
mod schema;
pub mod secrets;
mod shapes;
mod side_by_side;
mod site;
mod source;
mod tenants;
mod traces;
mod tree;
mod values;
mod words;

pub use diagnostics::{Diagnostic, Diagnostics};
pub use file::{MAX_FILE, load};
pub use schema::{FileKind, schema};

use crate::model::{Scenario, Site};
use context::Context;
use fit::Offer;
use mistakes::Mistakes;
use read::Read;
use scenario::ScenarioShape;
use shapes::SiteShape;
use source::{Source, Span};
use std::path::Path;
use tree::{Kind, Node};

/// Reads a site. `path` is its name in messages, and its folder is where relative paths begin.
///
/// # Errors
/// All mistakes of the text.
pub fn read_site(path: &Path, text: &str) -> Result<Site, Diagnostics> {
    read(path, text, |context, root| {
        let shape = SiteShape::read(root, context.mistakes)?;
        Some(site::build(context, &shape))
    })
}

/// Reads a scenario. If it holds its site, it is checked on that; otherwise see [`check_scenario_on_site`].
///
/// # Errors
/// All mistakes of the text, those of the site in it included.
pub fn read_scenario(path: &Path, text: &str) -> Result<Scenario, Diagnostics> {
    read(path, text, |context, root| {
        let shape = ScenarioShape::read(root, context.mistakes)?;
        let scenario = scenario::build(context, &shape, &root.caret());
        if let (Some(site), Some(shape_of_site)) = (&scenario.site, &shape.site) {
            let named = shape_of_site.routes.as_ref();
            let offer = Offer {
                routes: named.map(|routes| routes.names().collect()).unwrap_or_default(),
                // A route with a mistake may have been the default.
                has_default: named.is_none_or(|routes| routes.values().any(|(_, route)| route.default.is_some()) || routes.0.len() == 1),
                paths: site.paths.iter().map(|path| path.name.as_str()).collect(),
                recipients: &site.recipients,
            };
            fit::check(context, &shape, &root.caret(), &offer);
        }
        Some(scenario)
    })
}

/// Checks that what a scenario names exists on a site: its routes, and the roles, addresses, domains and tags that it writes out.
/// `path` and `text` are those that [`read_scenario`] has read.
///
/// # Errors
/// All that is missing, or the mistakes of the text itself.
pub fn check_scenario_on_site(path: &Path, text: &str, site: &Site) -> Result<(), Diagnostics> {
    read(path, text, |context, root| {
        let shape = ScenarioShape::read(root, context.mistakes)?;
        let offer = Offer {
            routes: site.routes.iter().map(|route| route.name.as_str()).collect(),
            paths: site.paths.iter().map(|path| path.name.as_str()).collect(),
            has_default: site.routes.iter().any(|route| route.default),
            recipients: &site.recipients,
        };
        fit::check(context, &shape, &root.caret(), &offer);
        Some(())
    })
}

fn read<T>(path: &Path, text: &str, build: impl FnOnce(&mut Context<'_>, &Node) -> Option<T>) -> Result<T, Diagnostics> {
    if text.len() as u64 > MAX_FILE {
        return Err(Diagnostics::of_file(
            path,
            format!("this text is longer than {} MiB", MAX_FILE / (1024 * 1024)),
            None,
        ));
    }
    let source = Source::new(text);
    let mut mistakes = Mistakes::default();
    let tree = tree::parse(&source, &mut mistakes);
    let value = tree.as_ref().and_then(|root| {
        if matches!(root.kind, Kind::Nothing) {
            mistakes
                .note(beginning(&source), "this file is empty")
                .help("`mailflow schema site` and `mailflow schema scenario` show what may stand in it");
            return None;
        }
        build(&mut Context::new(path, &source, &mut mistakes), root)
    });
    match value {
        Some(value) if mistakes.is_empty() => Ok(value),
        _ => Err(Diagnostics::of_text(path, &source, tree.as_ref(), mistakes)),
    }
}

fn beginning(source: &Source<'_>) -> Span {
    let first = source.line(0);
    first.start..first.start
}
