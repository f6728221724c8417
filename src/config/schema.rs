//! The JSON Schemas by which editors complete and check both files. They come from the same declarations as the reading, so they cannot differ.

use super::{scenario::ScenarioShape, shapes::SiteShape};
use schemars::{Schema, generate::SchemaSettings};

/// The two kinds of configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A mail world.
    Site,
    /// What to try on it.
    Scenario,
}

/// The JSON Schema (draft 2020-12) of a kind of file.
pub fn schema(kind: FileKind) -> serde_json::Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let (mut schema, title): (Schema, &str) = match kind {
        FileKind::Site => (generator.into_root_schema_for::<SiteShape>(), "mailflow site"),
        FileKind::Scenario => (generator.into_root_schema_for::<ScenarioShape>(), "mailflow scenario"),
    };
    schema.insert("title".into(), title.into());
    schema.to_value()
}
